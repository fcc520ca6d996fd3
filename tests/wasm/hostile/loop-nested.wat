;; Loops in loops; each back edge alone is rare.
;; SPDX-License-Identifier: MIT
(module
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (local $i i32)
    (loop $a (loop $b (loop $c
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $c (i32.and (local.get $i) (i32.const 7)))
      (br_if $b (i32.and (local.get $i) (i32.const 63)))
      (br $a))))
    (i32.const 0)))
