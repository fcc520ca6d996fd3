;; An endless loop whose way back is a br_table, with a branch out that is never taken.
;; SPDX-License-Identifier: MIT
(module
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (block $out
      (loop $again
        (br_table $again $again $out $again (i32.and (local.get $n) (i32.const 1)))))
    (i32.const 0)))
