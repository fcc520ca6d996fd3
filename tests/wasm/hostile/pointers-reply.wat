;; Each pointer and length of reply out of the memory, alone: -3, and nothing is read or written.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "reply" (func $reply (param i32 i32) (result i32)))
  (data (i32.const 0) "{}")
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (if (i32.ne (call $reply (i32.const 0) (i32.const 65537)) (i32.const -3)) (then (return (i32.const 1))))
    (if (i32.ne (call $reply (i32.const 65536) (i32.const 1)) (i32.const -3)) (then (return (i32.const 2))))
    (if (i32.ne (call $reply (i32.const 65535) (i32.const 2)) (i32.const -3)) (then (return (i32.const 3))))
    (if (i32.ne (call $reply (i32.const -1) (i32.const 1)) (i32.const -3)) (then (return (i32.const 4))))
    (if (i32.ne (call $reply (i32.const -1) (i32.const -1)) (i32.const -3)) (then (return (i32.const 5))))
    (if (i32.ne (call $reply (i32.const 0) (i32.const -1)) (i32.const -3)) (then (return (i32.const 6))))
    (if (i32.ne (call $reply (i32.const 1) (i32.const -1)) (i32.const -3)) (then (return (i32.const 7))))
    (if (i32.ne (call $reply (i32.const -65536) (i32.const 131072)) (i32.const -3)) (then (return (i32.const 8))))
    (if (i32.ne (call $reply (i32.const 0x80000000) (i32.const 0x80000000)) (i32.const -3)) (then (return (i32.const 9))))
    (if (i32.ne (call $reply (i32.const 65537) (i32.const 0)) (i32.const -3)) (then (return (i32.const 10))))
    (i32.const 0)))
