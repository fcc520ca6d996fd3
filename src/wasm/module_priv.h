/*
 * module_priv.h - what the parts of module.c share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_MODULE_PRIV_H
#define WASM_MODULE_PRIV_H

#include "wasm/module.h"

/* By enum wasm_import. */
extern const struct wasm_signature wasm_import_signatures[WASM_IMPORTS];

#endif
