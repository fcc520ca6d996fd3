;; Two replies to one message, a reply with a receiver, and one that is no JSON.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "reply" (func $reply (param i32 i32) (result i32)))
  (data (i32.const 0) "{\"content\":1}")
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (drop (call $reply (i32.const 0) (i32.const 13)))
    (drop (call $reply (i32.const 0) (i32.const 13)))
    (drop (call $reply (i32.const 0) (i32.const 5)))
    (i32.const 0)))
