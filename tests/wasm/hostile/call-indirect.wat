;; Indirect calls of nothing, of another type, and beside the table, by number.
;; SPDX-License-Identifier: MIT
(module
  (type $v (func)) (type $f (func (param f64) (result i32)))
  (table 4 funcref) (elem (i32.const 0) $number $nothing)
  (func $nothing (param i64))
  (func $number (param $p i32) (param $n i32) (result i32)
    (local $v i32)
    (loop $again
      (if (local.get $n) (then
        (local.set $v (i32.add (i32.mul (local.get $v) (i32.const 10))
          (i32.sub (i32.load8_u (local.get $p)) (i32.const 48))))
        (local.set $p (i32.add (local.get $p) (i32.const 1)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $again))))
    (local.get $v))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (local $k i32)
    (local.set $k (call $number (local.get $p) (local.get $n)))
    (if (i32.eq (local.get $k) (i32.const 0)) (then (call_indirect (type $v) (i32.const 2))))
    (if (i32.eq (local.get $k) (i32.const 1)) (then (call_indirect (type $v) (i32.const 4))))
    (if (i32.eq (local.get $k) (i32.const 2)) (then (call_indirect (type $v) (i32.const -1))))
    (if (i32.eq (local.get $k) (i32.const 3)) (then (call_indirect (type $v) (i32.const 0x10000000))))
    (if (i32.eq (local.get $k) (i32.const 4)) (then (call_indirect (type $v) (i32.const 0))))
    (if (i32.eq (local.get $k) (i32.const 5)) (then (drop (call_indirect (type $f) (f64.const 1) (i32.const 0)))))
    (if (i32.eq (local.get $k) (i32.const 6)) (then (drop (call_indirect (type $f) (f64.const 1) (i32.const 1)))))
    (i32.const 99)))
