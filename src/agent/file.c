/*
 * file.c - from the text of a file to an agent: YAML, JSON or SCXML; its canonical
 * JSON and its hash; and its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/load_priv.h"

#include <assert.h>
#include <string.h>

#include "base/hmac.h"
#include "base/mem.h"
#include "chart/chart.h"
#include "chart/expr.h"
#include "graph/graph.h"

#define AGENT_MEMORY (128 * (size_t)LIMIT_AGENT_BYTES)

/* Tests are no part of what the agent is: they leave the tree. */
static void
take_tests(struct load *l, struct tree_node *root)
{
	struct tree_node *n = tree_get(l->t, root, S("tests")), *before = root->first;

	if (n == NULL || !load_wants(l, n, TREE_LIST, "a list of tests"))
		return;
	l->a->tests = load_val(l, tree_val(n));
	if (before == n) {
		root->first = n->next;
	} else {
		while (before->next != n)
			before = before->next;
		before->next = n->next;
	}
	root->n--;
}

static void
set_hash(struct agent *a, const struct tree_node *n)
{
	struct buf json = BUF(8 * (size_t)LIMIT_AGENT_BYTES), hex = BUF(sizeof a->hash);
	uint8_t digest[SHA256_SIZE];

	if (n->kind == TREE_STRING)
		buf_lit(&json, "{\"scxml\":");
	tree_add_json(&json, n);
	if (n->kind == TREE_STRING)
		buf_add_char(&json, '}');
	assert(!json.failed);
	sha256(buf_str(&json), digest);
	hex_add(&hex, digest, sizeof digest);
	memcpy(a->hash, hex.p, sizeof a->hash);
	a->json = arena_str(&a->arena, buf_str(&json));
	buf_release(&hex);
	buf_release(&json);
}

static struct agent *
agent_new(struct str file)
{
	struct agent *a = mem_new(struct agent);

	a->arena = ARENA(AGENT_MEMORY);
	a->holds = mem_new(struct agent_holds);
	a->file = arena_str(&a->arena, file);
	a->context_schema = a->tests = VAL_UNDEF;
	return a;
}

void
agent_free(struct agent *a)
{
	struct agent_holds *h;

	if (a == NULL)
		return;
	h = a->holds;
	for (size_t i = 0; i < h->exprs_n; i++)
		expr_free(h->exprs[i]);
	for (size_t i = 0; i < h->vals_n; i++)
		val_drop(h->vals[i]);
	for (size_t i = 0; i < h->children_n; i++)
		agent_free(h->children[i]);
	free(h->exprs);
	free(h->vals);
	free(h->children);
	free(h->links);
	free(h->tool_links);
	free(h->names);
	free(h);
	graph_free(a->graph);
	chart_free(a->chart);
	arena_release(&a->arena);
	free(a);
}

/* Recursion is bounded by LIMIT_AGENT_NESTING. */
struct agent *
load_child(struct load *l, const struct tree_node *n)
{
	struct agent_holds *h = l->a->holds;
	struct load *in;

	if (l->nesting + 1 > LIMIT_AGENT_NESTING) {
		load_fail(l, n, "agents in agents: more than %d levels", LIMIT_AGENT_NESTING);
		return NULL;
	}
	in = mem_new(struct load);
	*in = (struct load){ .a = agent_new(l->a->file), .t = l->t, .kinds = l->kinds,
		.e = l->e, .nesting = l->nesting + 1 };
	mem_grow(h->children, h->children_n, h->children_cap);
	h->children[h->children_n++] = in->a;
	load_root(in, n);
	if (in->rc == OK)
		set_hash(in->a, n);
	if (l->rc == OK)
		l->rc = in->rc;
	struct agent *child = in->a;
	free(in);
	return child;
}

static bool
is_json(struct str text, struct str file)
{
	struct str trimmed = str_trim(text);

	if (str_ends(file, S(".yaml")) || str_ends(file, S(".yml")))
		return false;
	return str_ends(file, S(".json")) || (trimmed.n > 0 && trimmed.p[0] == '{');
}

static bool
is_scxml(struct str text, struct str file)
{
	struct str trimmed = str_trim(text);

	if (str_ends(file, S(".yaml")) || str_ends(file, S(".yml")) || str_ends(file, S(".json")))
		return false;
	return str_ends(file, S(".scxml")) ||
	    (str_starts(trimmed, S("<")) && !str_starts(trimmed, S("<<")));
}

/* An SCXML document is one string. */
static int
read_document(struct tree *t, struct str text, struct str file, struct err *e)
{
	struct tree_builder b = { .t = t, .e = e };
	struct tree_node *n;
	int rc;

	tree_begin(t, file);
	rc = tree_check_text(t, text, e);
	if (rc != OK)
		return rc;
	n = tree_add(&b, TREE_STRING, (struct tree_place){ 1, 1 });
	assert(n != NULL);                   /* the first */
	tree_set_text(&b, n, text);
	return b.rc;
}

static int
read_text(struct tree *t, struct str text, struct str file, struct err *e)
{
	return is_scxml(text, file) ? read_document(t, text, file, e) :
	    is_json(text, file) ? tree_read_json(t, text, file, e) :
	    tree_read_yaml(t, text, file, e);
}

/* Of a file, or as agent->json keeps it; NULL: it is not one. */
static const struct tree_node *
document_of(const struct tree *t, struct str text, struct str file)
{
	const struct tree_node *kept = is_json(text, file) && t->root->n == 1 ?
	    tree_get(t, t->root, S("scxml")) : NULL;

	if (is_scxml(text, file))
		return t->root;
	return kept != NULL && kept->kind == TREE_STRING ? kept : NULL;
}

/* What is kept of a document must not be longer than a file may be. */
static void
set_document_hash(struct load *l, const struct tree_node *document)
{
	set_hash(l->a, document);
	if (l->a->json.n > LIMIT_AGENT_BYTES)
		load_fail(l, document, "the document has %zu bytes as JSON; expected at most %d",
		    l->a->json.n, LIMIT_AGENT_BYTES);
}

static void
load_agent(struct load *l, struct tree *t, struct str text, struct str file)
{
	const struct tree_node *document = document_of(t, text, file);

	l->a = agent_new(file);
	l->a->text = arena_str(&l->a->arena, text);
	if (document != NULL) {
		set_document_hash(l, document);
		if (l->rc == OK)
			load_scxml(l, t, document->text);
		return;
	}
	if (load_is_hosted(l, t->root)) {
		load_hosted(l, t->root);
		if (l->rc == OK)
			set_hash(l->a, t->root);
		return;
	}
	if (load_is_wasm(l, t->root))
		load_wasm(l, t->root);
	else
		load_root(l, t->root);
	if (l->rc == OK)
		take_tests(l, t->root);
	if (l->rc == OK)
		set_hash(l->a, t->root);
}

int
agent_load(struct agent **out, struct str text, struct str file,
    const struct task_kinds *kinds, struct err *e)
{
	struct tree t;
	struct load *l = mem_new(struct load);
	int rc = read_text(&t, text, file, e);

	*out = NULL;
	*l = (struct load){ .t = &t, .kinds = kinds, .e = e, .rc = rc };
	if (rc == OK)
		load_agent(l, &t, text, file);
	rc = l->rc;
	if (rc == OK)
		*out = l->a;
	else
		agent_free(l->a);
	tree_release(&t);
	free(l);
	return rc;
}

int
agent_read_data(struct val *out, struct str text, struct str file, struct err *e)
{
	struct tree t;
	int rc = is_json(text, file) ? tree_read_json(&t, text, file, e) :
	    tree_read_yaml(&t, text, file, e);

	*out = rc == OK ? tree_val(t.root) : VAL_UNDEF;
	tree_release(&t);
	return rc;
}
