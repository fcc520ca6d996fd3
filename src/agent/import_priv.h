/*
 * import_priv.h - what the readers of other programs' agents share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AGENT_IMPORT_PRIV_H
#define AGENT_IMPORT_PRIV_H

#include "agent/import.h"
#include "agent/tree.h"

/* ---- what is said about a file (import.c) --------------------------------- */

struct importer {
	struct import *out;
	const struct import_around *around;
	const struct tree *t;                /* of the file at hand */
};

/* What was not kept, and why. */
void import_note(struct importer *im, const struct tree_node *n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A key of somebody else's file; why NULL: it is kept. */
struct import_key { const char *name, *why; };
/* A note for every key of the map that is not kept, or that is not known. */
void import_check_keys(struct importer *im, const struct tree_node *map,
    const struct import_key *known);

/* The text of a member that is one; empty: there is none. */
struct str import_text(const struct importer *im, const struct tree_node *map,
    const char *key);
/* A whole number of 1 and more; 0: there is none. */
int64_t import_int(const struct importer *im, const struct tree_node *map, const char *key);
/* Letters, digits, `_` and `-` of a name; never empty. */
struct str import_id(struct importer *im, struct str name);
/* "anthropic:claude-x" of "anthropic/claude-x"; a word alone stays, with a note if
 * it is nobody's name of a model. */
struct str import_model(struct importer *im, const struct tree_node *n, struct str model);

/* Names of tools that are here; the others are noted. */
struct import_names { struct str *at; size_t n, cap; };
void import_names_add(struct importer *im, struct import_names *names, struct str name);
void import_tool(struct importer *im, struct import_names *names,
    const struct tree_node *n, struct str name);

void import_add(struct importer *im, struct str id, const struct buf *text);

/* ---- writing our YAML (import_write.c) --------------------------------------- */

struct writer { struct buf *b; unsigned depth; };

void write_open(struct writer *w, struct str key);   /* a map under the key */
void write_close(struct writer *w);
/* key: text, as a block where it has several lines. */
void write_text(struct writer *w, struct str key, struct str s);
/* The same; what would be a hole in a template is written so that it is none. */
void write_prompt(struct writer *w, struct str key, struct str s);
void write_raw(struct writer *w, struct str key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));       /* one line, as it is */
void write_node(struct writer *w, struct str key, const struct tree_node *n);  /* as JSON */
void write_names(struct writer *w, struct str key, const struct import_names *names);
/* A text as a string of the expression language. */
void write_literal(struct buf *b, struct str s);

/* ---- the readers: OK, or what is wrong ---------------------------------------- */

int import_markdown(struct importer *im, struct str text, struct str file, struct err *e);
int import_crew(struct importer *im, const struct tree_node *root, struct str file,
    struct err *e);
int import_docker(struct importer *im, const struct tree_node *root, struct err *e);
int import_xstate(struct importer *im, const struct tree_node *root, struct err *e);

#endif
