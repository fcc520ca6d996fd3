;; What C leaves undefined and WebAssembly does not: shifts by more than the width,
;; rotations by none, the remainder of the least number by -1, clz and ctz of zero.
;; SPDX-License-Identifier: MIT
(module
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (if (i32.ne (i32.shl (i32.const 1) (i32.add (local.get $n) (i32.const 32))) (i32.shl (i32.const 1) (local.get $n))) (then (return (i32.const 1))))
    (if (i64.ne (i64.shr_s (i64.const -8) (i64.const 65)) (i64.const -4)) (then (return (i32.const 2))))
    (if (i32.ne (i32.rotl (i32.const 5) (i32.sub (local.get $n) (local.get $n))) (i32.const 5)) (then (return (i32.const 3))))
    (if (i32.rem_s (i32.const 0x80000000) (i32.sub (i32.const 0) (i32.div_u (local.get $n) (local.get $n)))) (then (return (i32.const 4))))
    (if (i32.ne (i32.clz (i32.sub (local.get $n) (local.get $n))) (i32.const 32)) (then (return (i32.const 5))))
    (if (i64.ne (i64.ctz (i64.const 0)) (i64.const 64)) (then (return (i32.const 6))))
    (if (i32.ne (i32.add (i32.const 0x7fffffff) (i32.div_u (local.get $n) (local.get $n))) (i32.const 0x80000000)) (then (return (i32.const 7))))
    (i32.const 0)))
