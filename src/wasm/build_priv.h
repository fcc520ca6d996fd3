/*
 * build_priv.h - between the files of build.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_BUILD_PRIV_H
#define WASM_BUILD_PRIV_H

#include "wasm/build.h"

/* The unit that is compiled: it includes abi.h, wasm-rt.h, m.c and wasm-object.h.  The same
 * for each version of wasm2c (COHORT_WASM2C, a flag). */
void wasm_adapter_write(const struct wasm_facts *f, struct buf *out);

#endif
