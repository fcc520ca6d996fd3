;; The same, by an offset near 4 GiB.
;; SPDX-License-Identifier: MIT
(module
  (memory (export "memory") 1)
  (data (i32.const -4) "01234567")
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (i32.const 0)))
