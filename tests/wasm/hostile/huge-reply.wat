;; Replies and messages over the limit of 1 MB, up to all of the memory: -4.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "send" (func $send (param i32 i32) (result i32)))
  (import "cohort" "reply" (func $reply (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (drop (memory.grow (i32.const 255)))
    (if (i32.ne (call $reply (i32.const 0) (i32.const 1048577)) (i32.const -4)) (then (return (i32.const 1))))
    (if (i32.ne (call $reply (i32.const 0) (i32.const 16777216)) (i32.const -4)) (then (return (i32.const 2))))
    (if (i32.ne (call $send (i32.const 65536) (i32.const 16711680)) (i32.const -4)) (then (return (i32.const 3))))
    (i32.const 0)))
