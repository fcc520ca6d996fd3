/*
 * knowledge.h - documents as passages that can be found and cited.
 *
 * A document's bytes become chunks of about the size asked for: each has its text, the
 * headings above it and its lines in the source.  The same bytes and options give the same
 * chunks.  Bytes that are not UTF-8 become U+FFFD; no chunk ends inside a character.
 *
 * A source is a document by its name; a chunk's mark is NAME#N, which is how an answer
 * cites it: [guide.md#3].  Names have no character that a mark could end at.
 *
 * Pure: no files, no clock, no socket.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KNOWLEDGE_KNOWLEDGE_H
#define KNOWLEDGE_KNOWLEDGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"

/* ---- reading (read.c) ------------------------------------------------------------ */

enum knowledge_kind { KNOWLEDGE_TEXT, KNOWLEDGE_MARKDOWN, KNOWLEDGE_HTML };
extern const char *const knowledge_kinds[];          /* NULL-ended, by the enum */
/* By the end of a file's name; -1: not a document. */
int knowledge_kind_of(struct str path);

struct knowledge_size {
	size_t target;                       /* bytes of a chunk, KNOWLEDGE_CHUNK_MIN to MAX */
	size_t overlap;                      /* of them repeated from the one before, below half */
};
#define KNOWLEDGE_SIZE_DEFAULT ((struct knowledge_size){ 1200, 150 })

struct knowledge_chunk {
	struct str text;
	struct str heading;                  /* "Guide > Install"; empty: above all headings */
	unsigned first, last;                /* lines of the source, from 1 */
};

struct knowledge {
	struct str title;                    /* of the document; empty: it has none */
	struct knowledge_chunk *at;
	size_t n;
};

/* What the arena of knowledge_read may need. */
#define KNOWLEDGE_ARENA_BYTES (32 * (size_t)LIMIT_KNOWLEDGE_DOCUMENT_BYTES)

/* All of out lies in the arena.  A document without text has no chunks.  ERR_TOOBIG: past
 * LIMIT_KNOWLEDGE_DOCUMENT_BYTES, or elements nested too deep; ERR_INVALID: it is no text. */
int knowledge_read(enum knowledge_kind kind, struct str bytes, struct knowledge_size size,
    struct arena *a, struct knowledge *out, struct err *e);

/* ---- names (name.c) -------------------------------------------------------------- */

/* The name of a source of this path: characters that end a mark, control characters and
 * bytes that are not UTF-8 are written %XX; a long one is cut and ends with its hash. */
void knowledge_add_name(struct buf *b, struct str path);
/* Is it one label of a namespace?  ERR_INVALID. */
int  knowledge_check_collection(struct str name, struct err *e);

/* What identifies bytes and how they are cut: hexadecimal. */
#define KNOWLEDGE_HASH_BYTES 64
void knowledge_hash(enum knowledge_kind kind, struct str bytes, struct knowledge_size size,
    char out[KNOWLEDGE_HASH_BYTES + 1]);
/* Key of a chunk: NAME#VERSION-N; VERSION is the beginning of the hash. */
#define KNOWLEDGE_VERSION_BYTES 8
void knowledge_add_key(struct buf *b, struct str name, struct str hash, size_t n);

/* A query with fewer words, for a search that wants all of them and found nothing: the
 * words that say least go first.  False: there is nothing less. */
bool knowledge_shorten(struct str query, struct buf *out);

/* ---- passages for a model (mark.c) ------------------------------------------------ */

struct knowledge_passage {
	struct str source, heading, version, text;
	int64_t n;
	unsigned first, last;
};

void knowledge_add_mark(struct buf *b, struct str source, int64_t n);        /* NAME#N */
/* With the words that tell how to cite them. */
void knowledge_add_passages(struct buf *b, struct str collection,
    const struct knowledge_passage *p, size_t n);

/* ---- marks in an answer (cite.c) ---------------------------------------------------- */

/* A passage that a model was shown. */
struct knowledge_mark {
	struct str mark, source, heading, version, collection;
	int64_t n;
	unsigned first, last;
	unsigned cited;                      /* in the answer: the how many-th first; 0: not */
};

struct knowledge_marks {
	struct knowledge_mark *at;           /* from the heap, texts from the arena */
	size_t n, cap;
	unsigned cited;                      /* of them */
	unsigned removed;                    /* marks of the answer that are none of these */
};

/* The marks of passages as knowledge_add_passages writes them; of one that was there the
 * newer counts. */
void knowledge_marks_add(struct knowledge_marks *m, struct arena *a, struct str passages);
/* The answer without marks that are not among them: [NAME#N], several with commas, also
 * in lenticular brackets; with the blanks before it and, of a link, its address. */
void knowledge_marks_clean(struct knowledge_marks *m, struct str answer, struct buf *out);
void knowledge_marks_release(struct knowledge_marks *m);

#endif
