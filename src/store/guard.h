/*
 * guard.h - a condition on an object's metadata, which a policy puts on what a
 * caller sees.
 *
 * A condition is a JSON object.  All its members must hold: `key: scalar` and
 * `key: {"$eq": scalar}`, the metadata has this value; `key: {"$contains": scalar
 * or [scalars]}`, it has an array with all of them; `$and` and `$or`, an array of
 * conditions.  A key that the metadata does not have never holds.
 *
 * Threads: any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_GUARD_H
#define STORE_GUARD_H

#include "base/json.h"

/* NULL: always.  What is no condition does not hold. */
bool guard_holds(jnode condition, jnode metadata);
/* The same of texts; empty: always.  Text that does not parse does not hold. */
bool guard_test(struct str condition, struct str metadata);
/* Of an item of the store, whose metadata are {namespace, key, ...value}. */
bool guard_item(struct str condition, struct str ns, struct str key, struct str value);
/* Appends the object of the keys that metadata must have as they are, by which an
 * index finds it; {} when there are none. */
void guard_add_needed(struct buf *b, jnode condition);

#endif
