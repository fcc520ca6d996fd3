;; Elements that do not fit are a trap at the start.
;; SPDX-License-Identifier: MIT
(module
  (memory (export "memory") 1)
  (table 2 funcref)
  (elem (i32.const 1) $handle $handle)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (i32.const 0)))
