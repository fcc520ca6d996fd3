/*
 * xml_priv.h - an XML document as a tree, read by expat.
 *
 * Entity declarations are refused, so a document cannot expand; its size and
 * nesting are bounded.  Texts are UTF-8 in every encoding.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHART_XML_PRIV_H
#define CHART_XML_PRIV_H

#include "base/arena.h"
#include "base/buf.h"
#include "chart/draft.h"

#define XML_DEPTH 256

struct xml_attr {
	struct xml_attr *next;
	struct str ns, prefix, name, value;
};

struct xml_node {
	struct xml_node *parent, *first, *last, *next;
	struct str ns, prefix, name; /* of an element; name.n == 0: text */
	struct str text;
	struct xml_attr *attrs;
	struct spot at;
};

/* Nodes live in the arena.  ERR_SYNTAX with the place; ERR_TOOBIG. */
int xml_parse(struct arena *a, struct str text, struct xml_node **root, struct err *e);
/* Serialises the element, with the namespaces of the tree. */
void xml_add(struct buf *b, const struct xml_node *n);
/* All text inside, without markup. */
void xml_add_text(struct buf *b, const struct xml_node *n);
bool xml_is_blank(const struct xml_node *text);

#endif
