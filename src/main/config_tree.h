/*
 * config_tree.h - a part of cohort.yaml that is more than plain values: a tree that
 * knows its lines.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_CONFIG_TREE_H
#define MAIN_CONFIG_TREE_H

#include "base/arena.h"
#include "base/rc.h"

struct cnode {
	enum cnode_kind { CNODE_TEXT, CNODE_MAP, CNODE_LIST } kind;
	unsigned line;
	struct str key;                      /* in a map */
	struct str text;
	struct cnode *first, *last, *next;   /* children; the one behind it */
};

/* What is being read: nodes go into the innermost open one. */
struct ctree {
	struct arena texts;
	struct cnode *root;                  /* NULL: nothing was read */
	struct cnode *open[8];
	size_t depth;
	struct str key;                      /* of the next node; p NULL: none yet */
	size_t values;
};

void ctree_release(struct ctree *t);
/* Events of the YAML parser, one after the other.  words: what is wrong. */
int ctree_text(struct ctree *t, struct str text, unsigned line, const char **words);
int ctree_open(struct ctree *t, enum cnode_kind kind, unsigned line, const char **words);
void ctree_close(struct ctree *t);           /* depth 0: the tree is whole */

struct cnode *cnode_find(const struct cnode *map, struct str key);

#endif
