/*
 * tree.h - what a file says before anyone asks what it means: one tree for
 * YAML and JSON, with the place of every value.
 *
 * A strict subset of YAML: no tags, anchors, aliases, merge keys or further
 * documents; true, false, null and JSON numbers are what they are in JSON,
 * everything else is a string.  Plain words that YAML itself reads as something
 * else (~, True, 0x10, .5) are refused, an empty value too.  Keys that are given
 * twice are refused in both.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AGENT_TREE_H
#define AGENT_TREE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/rc.h"
#include "base/val.h"

enum tree_kind { TREE_NULL, TREE_BOOL, TREE_NUMBER, TREE_STRING, TREE_LIST, TREE_MAP };

struct tree_place { unsigned line, column; };        /* in characters, from 1 */

struct tree_node {
	enum tree_kind kind;
	bool truth;                          /* BOOL */
	struct tree_place at, key_at;
	struct str text;                     /* STRING; of a NUMBER as it is written */
	struct str key;                      /* in a map */
	size_t index;                        /* in its container */
	const struct tree_node *up;          /* NULL: the root */
	struct tree_node *first, *next, *last;
	size_t n;                            /* LIST, MAP: of children */
};

struct tree {
	struct str file;
	struct tree_node *root;
	struct arena arena;
	struct map by_key;                   /* the members of all maps */
	size_t nodes;
};

/* ERR_SYNTAX, ERR_INVALID or ERR_TOOBIG with `file:line:column: words`.  Text and
 * file are borrowed while the tree lives.  Release also after errors. */
int  tree_read_yaml(struct tree *t, struct str text, struct str file, struct err *e);
/* YAML as other programs write it: ~, Null and an empty value are null, True and the
 * like are booleans, other numbers are strings. */
int  tree_read_loose(struct tree *t, struct str text, struct str file, struct err *e);
int  tree_read_json(struct tree *t, struct str text, struct str file, struct err *e);
void tree_release(struct tree *t);

struct tree_node *tree_get(const struct tree *t, const struct tree_node *map,
    struct str key);                         /* NULL: absent */
const char *tree_kind_name(const struct tree_node *n);  /* "a string", "a list", ... */

/* `states.review.on.answer[0].guard`; nothing for the root. */
void tree_add_path(struct buf *b, const struct tree_node *n);

/* ERR_INVALID with `file:line:column: path: words`; on_key: the place of its key
 * instead of its value, and the path of what it is in.  near: as err_near. */
int tree_fail(const struct tree *t, const struct tree_node *n, struct err *e,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
int tree_vfail(const struct tree *t, const struct tree_node *n, bool on_key,
    const char *near, struct err *e, const char *format, va_list ap);

/* The value as it is; owned by the caller. */
struct val tree_val(const struct tree_node *n);
/* Canonical JSON: keys in order of bytes, no blanks.  In a map with `states`, and
 * all inside it, keys stay as they are written: a chart depends on their order.  So do
 * those of a document with `hosted`: forms show a schema's properties in their order. */
void tree_add_json(struct buf *b, const struct tree_node *n);

/* ---- for the two readers ----------------------------------------------------- */

/* Builds the tree from its parts in the order of the text. */
struct tree_builder {
	struct tree *t;
	struct err *e;
	struct tree_node *open;              /* the container being read; NULL: none */
	struct str key;                      /* of the next value in a map */
	struct tree_place key_at;
	bool has_key;
	unsigned depth;
	int rc;                              /* of the first failure; then nothing is done */
};

void tree_begin(struct tree *t, struct str file);
/* ERR_TOOBIG, ERR_SYNTAX. */
int  tree_check_text(struct tree *t, struct str text, struct err *e);
void tree_key(struct tree_builder *b, struct str key, struct tree_place at);   /* copied */
struct tree_node *tree_add(struct tree_builder *b, enum tree_kind kind,
    struct tree_place at);                   /* a container is open then; NULL: failed */
void tree_close(struct tree_builder *b);
/* `file:line:column: words`, without a path. */
void tree_stop(struct tree_builder *b, int rc, struct tree_place at,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A string's text, or a number's; copied.  Checks it. */
void tree_set_text(struct tree_builder *b, struct tree_node *n, struct str text);
bool tree_is_number(struct str s);           /* a JSON number */

#endif
