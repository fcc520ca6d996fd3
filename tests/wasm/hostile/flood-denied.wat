;; A host call that is not allowed, without end: it counts like any other.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "send" (func $send (param i32 i32) (result i32)))
  (data (i32.const 0) "{}")
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (loop $again
      (drop (call $send (i32.const 0) (i32.const 2)))
      (br $again))
    (i32.const 0)))
