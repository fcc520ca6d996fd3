;; A table of two thousand million entries.
;; SPDX-License-Identifier: MIT
(module
  (table 2000000000 funcref)
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (i32.const 0)))
