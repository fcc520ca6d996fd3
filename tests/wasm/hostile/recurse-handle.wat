;; handle_message calls alloc and itself: a guest may, the host never does.
;; SPDX-License-Identifier: MIT
(module
  (memory (export "memory") 1)
  (func $alloc (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (i32.add (call $handle (call $alloc (local.get $n)) (local.get $n)) (i32.const 1))))
