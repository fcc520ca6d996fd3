/*
 * doc.h - results as documents (JSON of schema REPORT_SCHEMA, or older): reading
 * files, and showing them as text, Markdown, a page, JUnit XML, Prometheus text.
 *
 * A file is the result of one workload (`--json FILE` of it) or of a suite.  Either
 * becomes a list of elements, see measure.h.
 *
 * Pure but for doc_read; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_DOC_H
#define BENCH_DOC_H

#include "base/json.h"

#define DOC_FILES    64
#define DOC_ELEMENTS 1024

struct doc {
	struct buf text[DOC_FILES];
	struct json_doc json[DOC_FILES];     /* in the order that they were read */
	size_t files_n;
	jnode element[DOC_ELEMENTS];
	jnode suite[DOC_ELEMENTS];           /* the file's root that it is from */
	size_t n;
};

/* Adds a file, or its text.  ERR_INVALID: not a result; ERR_LIMIT; the file's
 * errors.  Release also after errors. */
int  doc_read(struct doc *d, const char *path, struct err *e);
int  doc_parse(struct doc *d, struct str text, const char *path, struct err *e);
void doc_release(struct doc *d);

/* "B1"; of one workload its name. */
struct str doc_id(jnode element);
bool doc_measured(jnode element);            /* not "not measured", not "failed" */
/* The element, or its file's: "commit", "date", "version", "machine". */
jnode doc_about(const struct doc *d, size_t i, const char *key);

void doc_add_text(const struct doc *d, struct buf *out);
void doc_add_markdown(const struct doc *d, struct buf *out);
void doc_add_page(const struct doc *d, struct buf *out);     /* doc_page.c */
/* One file as it was; of several a suite of all their elements. */
void doc_add_json(const struct doc *d, struct buf *out);
void doc_add_junit(const struct doc *d, struct buf *out);
void doc_add_prometheus(const struct doc *d, struct buf *out);
/* [{"metric","baseline","current","change_percent",...}], of all elements. */
void doc_add_changes(const struct doc *d, struct buf *out);

#endif
