;; The host calls that belong to a message, before there is one: -5; and -3 wins for a
;; pointer into nowhere, or -5, never a crash.  The sum is what handle_message gives.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "send" (func $send (param i32 i32) (result i32)))
  (import "cohort" "reply" (func $reply (param i32 i32) (result i32)))
  (import "cohort" "store_get" (func $store_get (param i32 i32 i32 i32) (result i32)))
  (import "cohort" "store_put" (func $store_put (param i32 i32 i32 i32) (result i32)))
  (import "cohort" "tool_call" (func $tool_call (param i32 i32 i32 i32 i32 i32) (result i32)))
  (global $sum (mut i32) (i32.const 0))
  (data (i32.const 0) "{}")
  (start $run)
  (func $try (param $got i32)
    (if (i32.ne (local.get $got) (i32.const -5)) (then
      (global.set $sum (i32.add (global.get $sum) (i32.const 1))))))
  (func $all
    (call $try (call $send (i32.const 0) (i32.const 2)))
    (call $try (call $reply (i32.const 0) (i32.const 2)))
    (call $try (call $store_get (i32.const 0) (i32.const 2) (i32.const 8) (i32.const 8)))
    (call $try (call $store_put (i32.const 0) (i32.const 2) (i32.const 0) (i32.const 2)))
    (call $try (call $tool_call (i32.const 0) (i32.const 2) (i32.const 0) (i32.const 2) (i32.const 8) (i32.const 8))))
  (func $run (call $all))
  (func (export "_initialize") (call $all))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (call $all) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (global.get $sum)))
