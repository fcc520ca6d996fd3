/*
 * expr_func_priv.h - what the files with the language's functions share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHART_EXPR_FUNC_PRIV_H
#define CHART_EXPR_FUNC_PRIV_H

#include "chart/expr_priv.h"

/* `how` of a row: the variant of a function that has several names. */
enum { AT_START, AT_END };
enum { CASE_LOWER, CASE_UPPER };
enum { ROUND_DOWN, ROUND_UP, ROUND_NEAREST };
enum { INDEX_WHERE, INDEX_IS_THERE };
enum { SEARCH_ANY, SEARCH_ALL, SEARCH_COUNT, SEARCH_FIND };
enum { PART_KEY, PART_VALUE, PART_BOTH };
enum { KEEP_NAMED, KEEP_OTHERS };

/* ERR_INVALID unless argument i is of the kind of that letter.  The arguments
 * are checked against the row before fn is called. */
int call_check(struct eval *ev, const struct call *c, size_t i, char letter);
/* A whole number, or the fallback when it is left out. */
int64_t call_int(const struct call *c, size_t i, int64_t fallback);

/* Results: a text (charged for; released), a list (taken), an argument.  rc: an
 * earlier error, which is returned. */
int call_give_text(struct eval *ev, struct buf *b, int rc, struct ref *out);
int call_give_list(struct val list, int rc, struct ref *out);
int call_give_share(struct eval *ev, struct ref r, struct ref *out);

#define LIST_FUNCTIONS(X)                                                    \
	X(concat) X(end) X(filter) X(flatten) X(get) X(group_by) X(has)      \
	X(index_of) X(keep_keys) X(len) X(map) X(merge) X(parts) X(range)    \
	X(reverse) X(search) X(slice) X(sort) X(sum) X(unique)

#define X(name) \
	int expr_fn_##name(struct eval *ev, const struct call *c, struct ref *out);
LIST_FUNCTIONS(X)
#undef X

#endif
