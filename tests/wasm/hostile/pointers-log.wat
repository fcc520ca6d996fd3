;; log has no result: a text out of the memory is said to be that, and is not read.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (call $log (i32.const 1) (i32.const 0) (i32.const 65537))
    (call $log (i32.const 1) (i32.const 65536) (i32.const 1))
    (call $log (i32.const 1) (i32.const 65535) (i32.const 2))
    (call $log (i32.const 1) (i32.const -1) (i32.const 1))
    (call $log (i32.const 1) (i32.const -1) (i32.const -1))
    (call $log (i32.const 1) (i32.const 0) (i32.const -1))
    (call $log (i32.const 1) (i32.const 1) (i32.const -1))
    (call $log (i32.const 1) (i32.const -65536) (i32.const 131072))
    (call $log (i32.const 1) (i32.const 0x80000000) (i32.const 0x80000000))
    (call $log (i32.const 1) (i32.const 65537) (i32.const 0))
    (i32.const 0)))
