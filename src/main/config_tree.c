/*
 * config_tree.c - see config_tree.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/config_tree.h"

#include <assert.h>

#include "base/limits.h"

void
ctree_release(struct ctree *t)
{
	arena_release(&t->texts);
	*t = (struct ctree){ 0 };
}

struct cnode *
cnode_find(const struct cnode *map, struct str key)
{
	struct cnode *n = map->first;

	while (n != NULL && !str_eq(n->key, key))
		n = n->next;
	return n;
}

static int
add(struct ctree *t, enum cnode_kind kind, unsigned line, struct cnode **out,
    const char **words)
{
	struct cnode *up = t->depth > 0 ? t->open[t->depth - 1] : NULL, *n;

	if (t->texts.max == 0)
		t->texts = ARENA(MB);
	n = arena_new(&t->texts, struct cnode);
	*words = n == NULL || ++t->values > LIMIT_CONFIG_VALUES ? "there are too many values" :
	    up != NULL && up->kind == CNODE_MAP && t->key.p == NULL ?
	    "a key must be plain text" : NULL;
	if (*words != NULL)
		return ERR_INVALID;
	n->kind = kind;
	n->line = line;
	n->key = t->key;
	t->key = STR_NONE;
	if (up == NULL)
		t->root = n;
	else if (up->first == NULL)
		up->first = n;
	else
		up->last->next = n;
	if (up != NULL)
		up->last = n;
	*out = n;
	return OK;
}

int
ctree_text(struct ctree *t, struct str text, unsigned line, const char **words)
{
	struct cnode *up = t->depth > 0 ? t->open[t->depth - 1] : NULL, *n;
	int rc;

	if (up != NULL && up->kind == CNODE_MAP && t->key.p == NULL) {
		*words = text.n == 0 ? "a key is empty" : cnode_find(up, text) != NULL ?
		    "this key is there twice" : NULL;
		t->key = arena_str(&t->texts, text);
		return *words == NULL ? OK : ERR_INVALID;
	}
	rc = add(t, CNODE_TEXT, line, &n, words);
	if (rc == OK)
		n->text = arena_str(&t->texts, text);
	return rc;
}

int
ctree_open(struct ctree *t, enum cnode_kind kind, unsigned line, const char **words)
{
	struct cnode *n;
	int rc = OK;

	if (t->depth == COUNT(t->open)) {
		*words = "nested too deeply";
		return ERR_INVALID;
	}
	rc = add(t, kind, line, &n, words);
	if (rc == OK)
		t->open[t->depth++] = n;
	return rc;
}

void
ctree_close(struct ctree *t)
{
	assert(t->depth > 0);
	t->depth--;
}
