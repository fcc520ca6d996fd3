/*
 * json_patch.h - what changed between two values, as a JSON Patch (RFC 6902).
 *
 * Members of objects and elements of arrays are compared one by one, as far as both
 * have at most JSON_PATCH_WIDE of them; a wider one that changed is replaced.  Elements that
 * were added or taken away at an array's end are told so; an array that changed in
 * another way and has another length is replaced.
 *
 * Threads: any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_JSON_PATCH_H
#define BASE_JSON_PATCH_H

#include "base/json.h"

#define JSON_PATCH_WIDE 256

/* Appends the operations that make `after` of `before`, with commas between them;
 * nothing: they are equal.  Neither is NULL. */
void json_add_patch(struct buf *b, jnode before, jnode after);

#endif
