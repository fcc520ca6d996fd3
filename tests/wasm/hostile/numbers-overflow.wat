;; Quotients and conversions that have no result, by number.
;; SPDX-License-Identifier: MIT
(module
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
    (if (i32.eq (local.get $k) (i32.const 0)) (then (return (i32.div_s (i32.const 0x80000000) (i32.sub (i32.const 0) (local.get $n))))))
    (if (i32.eq (local.get $k) (i32.const 1)) (then (drop (i64.div_s (i64.const 0x8000000000000000) (i64.sub (i64.const 0) (i64.extend_i32_u (local.get $n)))))))
    (if (i32.eq (local.get $k) (i32.const 2)) (then (drop (i32.trunc_f32_s (f32.const 3e9)))))
    (if (i32.eq (local.get $k) (i32.const 3)) (then (drop (i32.trunc_f64_u (f64.const -1)))))
    (if (i32.eq (local.get $k) (i32.const 4)) (then (drop (i64.trunc_f32_u (f32.const 2e19)))))
    (if (i32.eq (local.get $k) (i32.const 5)) (then (drop (i64.trunc_f64_s (f64.const inf)))))
    (i32.const 99)))
