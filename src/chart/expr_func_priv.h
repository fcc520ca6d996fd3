/*
 * expr_func_priv.h - what the files with the language's functions share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHART_EXPR_FUNC_PRIV_H
#define CHART_EXPR_FUNC_PRIV_H

#include "chart/expr_priv.h"

/* Argument i as wanted, or ERR_INVALID with the function's name. */
int arg_kind(struct eval *ev, const struct call *c, size_t i, enum val_kind kind,
    const char *what);
int arg_str(struct eval *ev, const struct call *c, size_t i, struct str *out);
int arg_integer(struct eval *ev, const struct call *c, size_t i, int64_t fallback,
    int64_t *out);
int give_share(struct eval *ev, struct ref r, struct ref *out);
int give_text(struct eval *ev, struct buf *b, struct ref *out);

size_t text_count(struct str s);             /* characters */
size_t text_offset(struct str s, size_t at); /* byte of a character */

#define LIST_FUNCTIONS(X)                                                    \
	X(all) X(any) X(concat) X(contains) X(count) X(entries) X(filter)    \
	X(find) X(first) X(flatten) X(get) X(group_by) X(has) X(index_of)    \
	X(keys) X(last) X(len) X(map) X(merge) X(omit) X(pick) X(range)      \
	X(reverse) X(slice) X(sort) X(sum) X(unique) X(values)

#define X(name) \
	int fn_##name(struct eval *ev, const struct call *c, struct ref *out);
LIST_FUNCTIONS(X)
#undef X

#endif
