;; The store without end.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "store_put" (func $store_put (param i32 i32 i32 i32) (result i32)))
  (data (i32.const 0) "key 1")
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (loop $again
      (drop (call $store_put (i32.const 0) (i32.const 3) (i32.const 4) (i32.const 1)))
      (br $again))
    (i32.const 0)))
