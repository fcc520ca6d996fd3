;; Memory that grows between two host calls: the second may use what is new, the first
;; may not.
;; SPDX-License-Identifier: MIT
(module
  (import "cohort" "store_get" (func $store_get (param i32 i32 i32 i32) (result i32)))
  (import "cohort" "reply" (func $reply (param i32 i32) (result i32)))
  (data (i32.const 0) "{}")
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (if (i32.ne (call $store_get (i32.const 0) (i32.const 2) (i32.const 65536) (i32.const 8)) (i32.const -3)) (then (return (i32.const 1))))
    (if (i32.ne (memory.grow (i32.const 1)) (i32.const 1)) (then (return (i32.const 2))))
    (if (i32.eq (call $store_get (i32.const 0) (i32.const 2) (i32.const 65536) (i32.const 65536)) (i32.const -3)) (then (return (i32.const 3))))
    (if (i32.ne (call $reply (i32.const 65530) (i32.const 65543)) (i32.const -3)) (then (return (i32.const 4))))
    (i32.const 0)))
