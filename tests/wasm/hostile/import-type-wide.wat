;; The same, with wider ones.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "reply" (func (param i64 i64) (result i64)))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (i32.const 0)))
