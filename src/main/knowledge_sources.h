/*
 * knowledge_sources.h - the sources of a collection, as a server has them.
 *
 *	["knowledge", COLLECTION, "chunks"]   NAME#VERSION-N: {text, source, title, heading,
 *	                                      lines: [first, last], version, n}
 *	["knowledge", COLLECTION, "sources"]  NAME: {hash, chunks, bytes, title, kind, options,
 *	                                      from, versions: [{version, chunks}]}
 *
 * A chunk counts when its source's hash begins with its version.  `versions` are others of
 * which there may be chunks: those that are being written, and those to be removed.  So
 * what was cut off can be found and finished: before the first chunk is written its
 * version is noted; then the hash changes; then the old chunks go, and the note.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_KNOWLEDGE_SOURCES_H
#define MAIN_KNOWLEDGE_SOURCES_H

#include "knowledge/knowledge.h"
#include "main/knowledge_lanes.h"
#include "main/pages.h"

#define COLLECTION_FLAG                                                           \
	{ "collection", .kind = FLAG_TEXT, .value = "NAME", .fallback = "default",\
	  .help = "of documents" }

struct source {
	struct str name;                     /* borrowed from value */
	struct val value;
};

struct sources {
	struct source *at;                   /* by name */
	size_t n, cap;
	struct val *pages;
	size_t pages_n, pages_cap;
};

/* The collection of the flag, checked. */
int  sources_collection(const struct flag_line *l, struct str *out, struct err *e);
/* Reads them all. */
int  sources_read(struct remote *r, struct str collection, struct sources *out, struct err *e);
void sources_release(struct sources *s);
const struct source *sources_find(const struct sources *s, struct str name);

struct str source_hash(const struct source *s);      /* empty: it was never whole */
int64_t source_chunks(const struct source *s);
/* Is the chunk of this value one of its source's current version? */
bool sources_have(const struct sources *s, struct val chunk);

/* Deletes the chunks of all versions but keep (and of that those past keep_n). */
void source_send_deletes(const struct source *s, struct str collection, struct str keep,
    size_t keep_n, struct lanes *to);
/* {'namespace':["knowledge",C,"chunks"],'key':K */
void sources_add_place(struct buf *b, struct str collection, const char *part, struct str key);

#endif
