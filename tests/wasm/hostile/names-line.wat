;; An export whose name ends a line.
;; SPDX-License-Identifier: MIT
(module
  (func (export "x\0a#include \22/etc/passwd\22"))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (i32.const 0)))
