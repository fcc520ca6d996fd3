/*
 * reducer.h - how a write changes the value of a channel.
 *
 *   last      the write is the value
 *   messages  add_messages: known ids are replaced in place, removes take out,
 *             the rest is appended
 *   append    the elements of an array, or one other value, at the end
 *   merge     members of an object over those of the old one (shallow)
 *   sum, min, max   of numbers
 *
 * A write {"__overwrite__": v} or {"type": "__overwrite__", "value": v} is not
 * reduced: v is the value.
 *
 * Pure.  Threads: as val.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STATE_REDUCER_H
#define STATE_REDUCER_H

#include "base/rc.h"
#include "base/val.h"

enum reducer {
	REDUCE_LAST, REDUCE_MESSAGES, REDUCE_APPEND, REDUCE_MERGE,
	REDUCE_SUM, REDUCE_MIN, REDUCE_MAX
};

extern const char *const reducer_names[];    /* by enum, NULL-ended */

/* LangGraph's words, with its troubleshooting line where it has one.  They go
 * out as an error named InvalidUpdateError. */
#define REDUCE_TWICE_TEXT \
	"LastValue can only receive one value per step.\n\nTroubleshooting URL: " \
	"https://docs.langchain.com/oss/javascript/langgraph/INVALID_CONCURRENT_GRAPH_UPDATE/\n"
#define REDUCE_EPHEMERAL_TWICE_TEXT "EphemeralValue can only receive one value per step."
#define REDUCE_OVERWRITES_TEXT "Can receive only one Overwrite value per step."

/* The value is a list of which storage keeps a prefix. */
static inline bool
reducer_is_list(enum reducer r)
{
	return r == REDUCE_MESSAGES || r == REDUCE_APPEND;
}

/* Is it an overwrite?  *v: its value, borrowed. */
bool reduce_is_overwrite(struct val write, struct val *v);

/* What the caller knows of a messages write; 0: nothing. */
enum {
	REDUCE_STORED = 1,           /* in the stored form (message.h): not coerced again */
	REDUCE_NEW_IDS = 2           /* no id of it is in the list: not searched for */
};

/* *value: the old value, taken (VAL_UNDEF: none); out: the new one.  write is
 * borrowed.  *keep (may be NULL): how many entries at the front of a list are
 * the old ones, untouched; 0 for other reducers.  After an error *value and
 * *keep are as they were.
 * ERR_INVALID: the write does not fit, with words that begin with `name`, the
 * channel's.  ERR_LIMIT, ERR_TOOBIG: past LIMIT_MESSAGES, LIMIT_STATE_BYTES. */
int reduce(enum reducer r, struct str name, struct val *value, struct val write,
    unsigned known, size_t *keep, struct err *e);

#endif
