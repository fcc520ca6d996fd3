;; A log line of 16 MB: it is cut.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (drop (memory.grow (i32.const 255)))
    (memory.fill (i32.const 0) (i32.const 120) (i32.const 16777216))
    (call $log (i32.const -2147483648) (i32.const 0) (i32.const 16777216))
    (i32.const 0)))
