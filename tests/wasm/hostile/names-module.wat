;; A module of imports whose name is C code.
;; SPDX-License-Identifier: MIT
(module
  (import "*/ __attribute__((constructor)) void f(void) { system(\22id\22); } /*" "log" (func (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func $handle (export "handle_message") (param $p i32) (param $n i32) (result i32)
    (i32.const 0)))
