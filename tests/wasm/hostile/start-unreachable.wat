;; A start function that traps.
;; SPDX-License-Identifier: MIT
(module
  (start $run)
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $run (unreachable))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (i32.const 0)))
