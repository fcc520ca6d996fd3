;; table.fill of 90,000 entries without end.
;; SPDX-License-Identifier: MIT
(module
  (table $t 90000 funcref)
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (loop $again
      (table.fill $t (i32.const 0) (ref.null func) (i32.const 90000))
      (br $again))
    (i32.const 0)))
