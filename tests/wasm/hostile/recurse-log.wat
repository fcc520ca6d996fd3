;; Deep recursion that asks the host for something at each step: the host has room
;; on the same stack, or it is a trap.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (call $log (i32.const 0) (i32.const 0) (i32.const 1))
    (i32.add (call $handle (local.get $p) (local.get $n)) (i32.const 1))))
