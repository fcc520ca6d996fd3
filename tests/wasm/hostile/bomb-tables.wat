;; Tables that are allowed alone, and too much together.
;; SPDX-License-Identifier: MIT
(module
  (table 60000 funcref)
  (table 60000 funcref)
  (table 60000 funcref)
  (table 60000 funcref)
  (table 60000 funcref)
  (table 60000 funcref)
  (table 60000 funcref)
  (table 60000 funcref)
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (i32.const 0)))
