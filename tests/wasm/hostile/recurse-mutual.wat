;; Two functions that call each other.
;; SPDX-License-Identifier: MIT
(module
  (func $a (param $n i32) (result i32) (i32.add (call $b (local.get $n)) (i32.const 1)))
  (func $b (param $n i32) (result i32) (i32.add (call $a (local.get $n)) (i32.const 2)))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (call $a (local.get $n))))
