;; A function that calls itself by a table.
;; SPDX-License-Identifier: MIT
(module
  (type $t (func (param i32) (result i32)))
  (table 1 funcref) (elem (i32.const 0) $deep)
  (func $deep (type $t)
    (i32.add (call_indirect (type $t) (local.get 0) (i32.const 0)) (i32.const 1)))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (call $deep (local.get $n))))
