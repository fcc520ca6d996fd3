/*
 * compare.h - the record of a run and the run made again: where they part.
 *
 * Entries are compared in their order within a namespace, for branches that run at
 * once may take turns in another order.  Ids that a server makes up (of messages)
 * differ each time: two texts are the same when they differ only in UUIDs, and each
 * UUID stands for the same one wherever it occurs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_COMPARE_H
#define MAIN_COMPARE_H

#include "base/buf.h"
#include "base/val.h"

struct compare_pair { char recorded[36], replayed[36]; };
struct compare { struct compare_pair *pairs; size_t n, cap; };       /* zeroed: none */

void compare_release(struct compare *c);
bool compare_values(struct compare *c, struct val recorded, struct val replayed);

/* Does an entry say where a run went (and not what it was given)? */
bool compare_counts(struct val entry);
bool compare_entries(struct compare *c, struct val recorded, struct val replayed);
/* Puts what an attempt began and the next one began anew behind the others; returns how
 * many these are. */
size_t compare_settle(struct val *entries, size_t n);

#endif
