;; The same in the start of a reactor.
;; SPDX-License-Identifier: MIT
(module
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "_initialize") (loop $again (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1))) (br $again)))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (i32.const 0)))
