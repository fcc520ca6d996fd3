/*
 * knowledge_walk.h - the documents below paths.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_KNOWLEDGE_WALK_H
#define MAIN_KNOWLEDGE_WALK_H

#include "knowledge/knowledge.h"

struct document {
	char *path;                          /* to open; NULL: stdin */
	char *name;                          /* of the source */
	enum knowledge_kind kind;
};

struct documents {
	struct document *at;                 /* by name, each once */
	size_t n, cap;
	char **roots;                        /* names of the paths that were walked */
	size_t roots_n, roots_cap;
	size_t others;                       /* files that are no documents */
};

/* A path: a file, which must be a document, or a folder with all below it.  Hidden files and
 * folders, links and special files are left out.  Names are relative to the working folder
 * where they are in it, else absolute; the same file has one name however it is reached. */
int  documents_walk(struct documents *d, const char *path, struct err *e);
void documents_add(struct documents *d, const char *path, struct str name, enum knowledge_kind kind);
void documents_sort(struct documents *d);
const struct document *documents_find(const struct documents *d, struct str name);
/* Is it a name below one of the paths? */
bool documents_cover(const struct documents *d, struct str name);
void documents_release(struct documents *d);

#endif
