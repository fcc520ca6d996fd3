;; Memory by the page until it is denied; then all of it is written.
;; SPDX-License-Identifier: MIT
(module
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (loop $again
      (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (if (i32.ne (memory.grow (i32.const 65536)) (i32.const -1)) (then (return (i32.const 1))))
    (if (i32.ne (memory.size) (i32.const 16)) (then (return (i32.const 2))))
    (memory.fill (i32.const 0) (i32.const 255) (i32.const 1048576))
    (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then (return (i32.const 3))))
    (i32.const 0)))
