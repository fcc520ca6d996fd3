/*
 * val_priv.h - what json_tree.c may know of values: room made in advance.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_VAL_PRIV_H
#define BASE_VAL_PRIV_H

#include "base/val.h"

struct val val_array_sized(size_t n);
struct val val_object_sized(size_t n);

#endif
