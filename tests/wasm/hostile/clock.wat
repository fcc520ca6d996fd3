;; The clock does not move within one call: nothing can be timed by it.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "now_ms" (func $now_ms (result i64)))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (local $i i32) (local $t i64)
    (local.set $t (call $now_ms))
    (loop $again
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 3000000))))
    (i64.ne (local.get $t) (call $now_ms))))
