/*
 * catalog_graphs.c - see catalog_priv.h: the graphs that are there, their texts and rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/catalog_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/scan.h"
#include "main/agent_tools.h"

/* ---- those that are there ------------------------------------------------------ */

struct graph *
catalog_find(const struct catalog *c, struct str id)
{
	for (size_t i = 0; i < c->n; i++)
		if (str_eq(str_of(c->graphs[i].id), id))
			return &c->graphs[i];
	return NULL;
}

void
catalog_drop(struct graph *g)
{
	free(g->id);
	free(g->key);
	agents_free(g->set);
}

/* The last takes its place. */
void
catalog_remove(struct catalog *c, struct graph *g)
{
	workers_unclaim(c->o.workers, str_of(g->id));
	catalog_drop(g);
	*g = c->graphs[--c->n];
}

/* Takes the set; NULL: as it is. */
void
catalog_put(struct catalog *c, struct str id, struct str key, const uint8_t *hash,
    struct agents *set)
{
	struct graph *g = catalog_find(c, id);

	if (g == NULL) {
		mem_grow(c->graphs, c->n, c->cap);
		g = &c->graphs[c->n++];
		*g = (struct graph){ .id = mem_cstr(id) };
	}
	free(g->key);
	g->key = mem_cstr(key);
	if (set == NULL)
		return;
	memcpy(g->hash, hash, sizeof g->hash);
	agents_free(g->set);
	g->set = set;
}

/* Is it an agent of a file?  A built-in one is not. */
bool
catalog_is_file(const struct agents *folder, struct str id)
{
	const struct agent *a = agents_find(folder, id);

	return a != NULL && !str_eq(a->text, agent_builtin_text(id));
}

/* What the folder has comes first, so that a graph is taken for the built-in agent of its
 * name. */
struct agents *
catalog_join(struct catalog *c)
{
	struct agents **sets = mem_alloc((c->n + 1) * sizeof *sets), *all;
	size_t n = 0;

	sets[n++] = c->folder;
	for (size_t i = 0; i < c->n; i++) {
		struct graph *g = &c->graphs[i];
		bool hidden = catalog_is_file(c->folder, str_of(g->id));

		if (hidden && !g->hidden)
			log_warn("workers", "graph_hidden", "graph=%s file=%.*s", g->id,
			    FMT(agents_find(c->folder, str_of(g->id))->file));
		g->hidden = hidden;
		if (!hidden)
			sets[n++] = g->set;
	}
	all = agents_join(sets, n);
	free(sets);
	return all;
}

/* ---- texts ------------------------------------------------------------------------ */

/* {"hosted": {"build": B, and what was registered}} */
void
catalog_add_text(struct buf *b, const struct worker_intake *in, const struct worker_served *s)
{
	struct scan all = scan_of(s->json);
	struct str key, value;
	bool first = true;

	json_add_fmt(b, "{'hosted':{'id':%.*s", FMT(s->facts.name));
	if (in->build.n > 0)
		json_add_fmt(b, ",'build':%.*s", FMT(in->build));
	(void)scan_open(&all, '{');
	while (scan_member(&all, &first, &key) && scan_value(&all, &value))
		if (!SCAN_IS(key, "id") && !SCAN_IS(key, "build"))
			buf_add_fmt(b, ",\"%.*s\":%.*s", FMT(key), FMT(value));
	buf_lit(b, "}}");
}

/* A channel for each member of the state that the schema names. */
static void
add_run_state(struct buf *b, struct str json)
{
	struct str state = scan_find(scan_find(json, S("schemas")), S("state"));
	struct scan s = scan_of(scan_find(state, S("properties")));
	struct str key, value;
	bool first = true;

	json_add_fmt(b, ",'state':{'messages':{'reducer':'messages'}");
	if (s.end > s.p && scan_open(&s, '{'))
		while (scan_member(&s, &first, &key) && scan_value(&s, &value)) {
			if (SCAN_IS(key, "messages"))
				continue;
			buf_add_fmt(b, ",\"%.*s\":{", FMT(key));
			if (scan_peek(&(struct scan){ value.p, value.p + value.n }) == '{')
				buf_add_fmt(b, "\"schema\":%.*s", FMT(value));
			buf_add_char(b, '}');
		}
	buf_add_char(b, '}');
}

/* An agent without a graph of its own is one of Cohort's, of one node. */
void
catalog_add_run(struct buf *b, const struct worker_served *s)
{
	struct str id = s->facts.name;

	json_add_fmt(b, "{'id':%.*s", FMT(id));
	if (s->facts.description.n > 0)
		json_add_fmt(b, ",'description':%.*s", FMT(s->facts.description));
	add_run_state(b, s->json);
	json_add_fmt(b, ",'nodes':{%.*s:{'worker':{'name':%.*s,'idempotent':true}}},'edges':"
	    "[['START',%.*s]]}", FMT(id), FMT(id), FMT(id));
}

/* Of the words of agent_load, `file:line:column: hosted.path: words`, what a worker
 * needs. */
static void
tell(struct err *e, struct str id, const struct err *why)
{
	struct str words = str_of(why->text);
	ptrdiff_t at = str_index(words, ' ');

	if (at > 0 && words.p[at - 1] == ':')
		words = str_sub(words, (size_t)at + 1, words.n);
	if (str_starts(words, S("hosted.")) || str_starts(words, S("hosted:")))
		words = str_trim(str_sub(words, 7, words.n));
	err_set(e, why->code, "graphs: \"%.*s\": %.*s", FMT(str_cut(id, 100)), FMT(words));
}

/* A set of the agent alone. */
int
catalog_compile(struct agents **out, struct str id, struct str text, struct err *e)
{
	struct agents *set = agents_new();
	struct agent *a = NULL;
	struct err why = { 0 };
	int rc = agent_load_checked(&a, text, S("worker.json"), &why);

	if (rc == OK) {
		a->of_worker = true;
		rc = agents_add(set, a, &why);
	}
	if (rc == OK)
		rc = agents_link(set, &why);
	if (rc == OK && agents_find(set, id) == NULL)
		rc = err_set(&why, ERR_INVALID, "the text has another id");
	if (rc != OK) {
		tell(e, id, &why);
		agents_free(set);
		set = NULL;
	}
	*out = set;
	return rc;
}

/* ---- rows ---------------------------------------------------------------------- */

void
catalog_recall(struct catalog *c, const struct store_hosted *row)
{
	struct agents *set;
	uint8_t hash[SHA256_SIZE];
	struct err e;

	if (catalog_compile(&set, row->graph_id, row->body, &e) != OK) {
		log_error("workers", "graph_unreadable", "graph=%.*s error=%s",
		    FMT(row->graph_id), e.text);
		return;
	}
	sha256(row->body, hash);
	catalog_put(c, row->graph_id, row->key, hash, set);
	workers_claim(c->o.workers, row->graph_id, row->key);
}

/* Is it another text, or of another key? */
static bool
differs(const struct catalog *c, const struct store_hosted *row)
{
	const struct graph *g = catalog_find(c, row->graph_id);
	uint8_t hash[SHA256_SIZE];

	sha256(row->body, hash);
	return g == NULL || memcmp(g->hash, hash, sizeof hash) != 0 ||
	    !str_eq(str_of(g->key), row->key);
}

static bool
is_among(const struct store_hosted *rows, size_t n, struct str id)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(rows[i].graph_id, id))
			return true;
	return false;
}

/* What a worker serves here stays, for it was registered here. */
bool
catalog_take_rows(struct catalog *c, const struct store_hosted *rows, size_t n)
{
	bool changed = false;

	for (size_t i = 0; i < n; i++)
		if (differs(c, &rows[i])) {
			catalog_recall(c, &rows[i]);
			changed = true;
		}
	for (size_t i = c->n; i-- > 0; ) {
		struct str id = str_of(c->graphs[i].id);

		if (!is_among(rows, n, id) &&
		    workers_attached(c->o.workers, WORKER_RUN, id, false) == 0) {
			catalog_remove(c, &c->graphs[i]);
			changed = true;
		}
	}
	return changed;
}
