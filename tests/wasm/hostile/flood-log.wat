;; Logs without end.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (loop $again
      (call $log (i32.const 3) (i32.const 0) (i32.const 16))
      (br $again))
    (i32.const 0)))
