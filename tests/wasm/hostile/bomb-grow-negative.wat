;; memory.grow by -1, and by what would wrap to a small sum.
;; SPDX-License-Identifier: MIT
(module
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (if (i32.ne (memory.grow (i32.const -1)) (i32.const -1)) (then (return (i32.const 1))))
    (if (i32.ne (memory.grow (i32.const 0x7fffffff)) (i32.const -1)) (then (return (i32.const 2))))
    (if (i32.ne (memory.grow (i32.const 65536)) (i32.const -1)) (then (return (i32.const 3))))
    (i32.ne (memory.size) (i32.const 1))))
