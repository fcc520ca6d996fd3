;; A key and the name of a tool of 60,000 bytes: -4.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "store_get" (func $store_get (param i32 i32 i32 i32) (result i32)))
  (import "cohort" "store_put" (func $store_put (param i32 i32 i32 i32) (result i32)))
  (import "cohort" "tool_call" (func $tool_call (param i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (if (i32.ne (call $store_get (i32.const 0) (i32.const 60000) (i32.const 0) (i32.const 0)) (i32.const -4)) (then (return (i32.const 1))))
    (if (i32.ne (call $store_put (i32.const 0) (i32.const 60000) (i32.const 0) (i32.const 0)) (i32.const -4)) (then (return (i32.const 2))))
    (if (i32.ne (call $tool_call (i32.const 0) (i32.const 60000) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const -4)) (then (return (i32.const 3))))
    (i32.const 0)))
