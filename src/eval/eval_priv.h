/*
 * eval_priv.h - what the files of this room share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EVAL_EVAL_PRIV_H
#define EVAL_EVAL_PRIV_H

#include "eval/eval.h"

/* score.c: of an expression that eval_read made; *out is owned by the caller. */
int  eval_evaluate(const struct expr *x, const struct eval_scope *scope, struct val *out,
    struct err *e);

#endif
