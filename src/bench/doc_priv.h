/*
 * doc_priv.h - between doc.c (reading, text, Markdown), doc_formats.c (for programs)
 * and doc_page.c (the page).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_DOC_PRIV_H
#define BENCH_DOC_PRIV_H

#include "bench/doc.h"

struct doc_count { size_t measured, not_measured, missed, worse, better; };
struct doc_count doc_count(const struct doc *d);

struct str doc_str(jnode element, const char *key);
/* Also our targets are met, and nothing became worse. */
bool doc_passed(jnode element);
/* Why not; empty if it passed. */
void doc_why(jnode element, struct buf *out);

void doc_add_number(struct buf *out, double v);      /* "12,345", "0.012" */
void doc_add_value(jnode element, jnode target, struct buf *out);
void doc_add_goal(jnode target, struct buf *out);    /* ">= 5 met"; or nothing */
/* Date, commit, command, machine, baseline; of the first element's file. */
void doc_add_origin(const struct doc *d, struct buf *out);
void doc_add_markdown_changes(const struct doc *d, struct buf *out);

#endif
