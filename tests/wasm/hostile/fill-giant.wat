;; One instruction that writes 900 MB: it is paid for before it runs, and the timer
;; reaches into it.
;; SPDX-License-Identifier: MIT
(module
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (drop (memory.grow (i32.const 14400)))
    (memory.fill (i32.const 65536) (i32.const 170) (i32.mul (i32.const 14400) (i32.const 65536)))
    (i32.const 0)))
