;; A tail call by a table.
;; SPDX-License-Identifier: MIT
(module
  (type $h (func (param i32 i32) (result i32)))
  (table 1 funcref)
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (return_call_indirect (type $h) (local.get $p) (local.get $n) (i32.const 0))))
