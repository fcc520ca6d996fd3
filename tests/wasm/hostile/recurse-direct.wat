;; A function that calls itself; C may make a loop of it.
;; SPDX-License-Identifier: MIT
(module
  (func $deep (param $n i32) (result i32)
    (call $deep (i32.add (local.get $n) (i32.const 1))))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (call $deep (local.get $n))))
