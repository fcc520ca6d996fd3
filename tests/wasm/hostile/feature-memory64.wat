;; Addresses of 64 bits.
;; SPDX-License-Identifier: MIT
(module
  (memory (export "memory") i64 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (i32.const 0)))
