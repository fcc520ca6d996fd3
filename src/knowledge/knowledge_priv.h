/*
 * knowledge_priv.h - a document between its parser and the chunks: a list of blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KNOWLEDGE_KNOWLEDGE_PRIV_H
#define KNOWLEDGE_KNOWLEDGE_PRIV_H

#include "knowledge/knowledge.h"

#define HEADING_LEVELS 6

struct block {
	struct str text;                     /* of a heading: itself */
	struct str heading;                  /* the path it stands under; its own */
	struct str head, tail;               /* lines around each piece of it: a fence, the
	                                        first row of a table */
	struct str above;                    /* heading rows of the table that it is a row of;
	                                        the parser's */
	unsigned first, last;                /* lines */
	unsigned level;                      /* 1 to 6: a heading */
	unsigned under;                      /* level of the heading above it; 0: none */
	bool tight;                          /* follows the one before without an empty line */
	bool exact;                          /* a line of it is a line of the source */
	bool whole;                          /* cut at line ends only, and late: code */
};

struct reader {
	struct arena *a;
	struct block *blocks;
	size_t n, cap;
	struct str title;
	struct str path[HEADING_LEVELS];
	struct str heading;                  /* the path, joined */
	unsigned level;
	unsigned shift;                      /* lines before what is parsed */
};

/* read.c.  Texts are copied; blanks at their ends go.  Nothing is added of an empty one. */
void reader_add_heading(struct reader *r, unsigned level, struct str text, unsigned line);
void reader_add_block(struct reader *r, const struct block *b);
/* A code block; the fence is chosen so that the text does not end it. */
void reader_add_code(struct reader *r, struct str text, struct str language, unsigned first,
    unsigned last, bool fenced);

/* Parsers: text is UTF-8 with \n as line ends. */
int  read_markdown(struct reader *r, struct str text, struct err *e);
int  read_html(struct reader *r, struct str text, struct err *e);

/* chunk.c */
int  chunks_make(const struct reader *r, struct knowledge_size size, struct knowledge *out,
    struct err *e);

#endif
