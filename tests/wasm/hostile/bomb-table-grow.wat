;; table.grow until it is denied: then the size is what it was, and an index behind it
;; traps.
;; SPDX-License-Identifier: MIT
(module
  (table $t 1 funcref)
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (loop $again
      (br_if $again (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
    (if (i32.gt_u (table.size $t) (i32.const 100000)) (then (return (i32.const 1))))
    (drop (table.get $t (table.size $t)))
    (i32.const 3)))
