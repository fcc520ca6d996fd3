;; A segment copied out again and again.
;; SPDX-License-Identifier: MIT
(module
  (data $text "0123456789abcdef")
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (loop $again
      (memory.init $text (i32.const 4096) (i32.const 0) (i32.const 16))
      (br $again))
    (i32.const 0)))
