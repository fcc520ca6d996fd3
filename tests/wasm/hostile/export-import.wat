;; A host call handed on under another name.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "now_ms" (func $now_ms (result i64)))
  (export "stolen" (func $now_ms))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (i32.const 0)))
