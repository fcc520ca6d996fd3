/*
 * work_priv.h - the operations of the engine, by the file that has them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_WORK_PRIV_H
#define WORK_WORK_PRIV_H

#include "work/operation.h"

#define OPERATION_MAP(X)                                                       \
	/* change.c */                                                         \
	X(create) X(update) X(close) X(reopen)                                 \
	/* note.c, delete.c */                                                 \
	X(comment) X(label_add) X(label_remove) X(delete)                      \
	/* look.c */                                                           \
	X(ping) X(show) X(stats) X(resolve)                           \
	X(label_list) X(label_list_all) X(comment_list) X(history)             \
	/* list.c, count.c, blocked.c */                                       \
	X(list) X(ready) X(search) X(count) X(blocked)                         \
	/* lease.c */                                                          \
	X(claim) X(release)                                                    \
	/* deps.c */                                                           \
	X(dep_add) X(dep_remove) X(dep_tree) X(dep_cycles)                     \
	/* batch.c */                                                          \
	X(batch)                                                               \
	/* admin.c, recount.c */                                               \
	X(info) X(config_list) X(config_set) X(recount)

#define X(name) int op_##name(struct work *w, struct work_call *c);
OPERATION_MAP(X)
#undef X

#endif
