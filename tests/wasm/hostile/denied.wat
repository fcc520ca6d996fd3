;; A host call that is not allowed answers -2 and does nothing.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "send" (func $send (param i32 i32) (result i32)))
  (import "cohort" "tool_call" (func $tool_call (param i32 i32 i32 i32 i32 i32) (result i32)))
  (data (i32.const 0) "{}")
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (if (i32.ne (call $send (i32.const 0) (i32.const 2)) (i32.const -2)) (then (return (i32.const 1))))
    (if (i32.ne (call $tool_call (i32.const 0) (i32.const 2) (i32.const 0) (i32.const 2) (i32.const 0) (i32.const 2)) (i32.const -2)) (then (return (i32.const 2))))
    (i32.const 0)))
