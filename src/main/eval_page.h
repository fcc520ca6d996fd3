/*
 * eval_page.h - results of evals as a page: what cohort eval report and compare tell, and
 * the outputs of the cases side by side.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_EVAL_PAGE_H
#define MAIN_EVAL_PAGE_H

#include "eval/result.h"

/* The page of one result, or of several, each compared with the first.  ERR_INVALID: two
 * have no case or no scorer in common. */
int eval_page_add(struct buf *out, const struct eval_result *r, size_t n, struct err *e);

#endif
