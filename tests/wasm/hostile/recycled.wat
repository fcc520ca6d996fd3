;; Memory that was an other instance's, also where that one had grown, is zero.
;; 0: it is; then all is written.
;; SPDX-License-Identifier: MIT
(module
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (local $at i32)
    (drop (memory.grow (i32.const 15)))
    (local.set $at (i32.const 4096))
    (loop $again
      (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (return (i32.const 1))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $again (i32.lt_u (local.get $at) (i32.const 1048576))))
    (memory.fill (i32.const 0) (i32.const 170) (i32.const 1048576))
    (i32.const 0)))
