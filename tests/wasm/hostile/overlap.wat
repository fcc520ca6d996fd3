;; The key, the value and the room for the answer are the same bytes.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "store_get" (func $store_get (param i32 i32 i32 i32) (result i32)))
  (import "cohort" "tool_call" (func $tool_call (param i32 i32 i32 i32 i32 i32) (result i32)))
  (data (i32.const 0) "{\"a\": 1}")
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (if (i32.gt_s (call $tool_call (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 8)) (i32.const 8)) (then (return (i32.const 1))))
    (drop (call $store_get (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 8)))
    (i32.const 0)))
