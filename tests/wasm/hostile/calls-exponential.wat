;; Two to the power of 60 calls, none nested deeper than 60, and no loop.
;; SPDX-License-Identifier: MIT
(module
  (func $twice (param $n i32)
    (if (i32.eqz (local.get $n)) (then (return)))
    (call $twice (i32.sub (local.get $n) (i32.const 1)))
    (call $twice (i32.sub (local.get $n) (i32.const 1))))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (call $twice (i32.const 60))
    (i32.const 0)))
