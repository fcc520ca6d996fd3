/*
 * agent_search.c - the agents of the caller, on this node and the others, newest first.
 *
 * Agents and their figures are in the memory of their nodes, so that all are asked the same, from
 * the first agent on; each answers with what it has, and the node that was asked merges it:
 *
 *   {"total":3,"at":[[CREATED,"ID",BYTES],...]} newline, then the agents, one after another
 *
 * Agents of a node that does not answer are not found.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "api/api_priv.h"
#include "api/peer.h"
#include "base/mem.h"
#include "mail/host/office.h"

#define SEARCH_DEFAULT 10
#define FOUND_BYTES    (64 * MB)             /* of agents that a search shows or skips */

struct found { struct uuid id; msec created; size_t at, n; };

struct search {
	struct call *c;
	struct str name, capability;         /* wanted; empty: any */
	int kind, state;                     /* -1: any */
	int64_t limit, offset;
	struct buf json;                     /* of all that were found */
	struct found *found;
	size_t n, cap;
	size_t total, waits;                 /* for so many nodes */
};

static const char *const kinds[] = { "external", "chart", "run", "wasm", "native", NULL };

static bool
has_capability(const struct office_spec *s, struct str wanted)
{
	for (size_t i = 0; i < s->capabilities_n; i++) {
		struct str have = s->capabilities[i];
		bool versions = str_index(wanted, ':') < 0;

		if (str_eq(have, wanted) || (versions && str_starts(have, wanted) &&
		    have.n > wanted.n && have.p[wanted.n] == ':'))
			return true;
	}
	return false;
}

static void
add_found(struct search *q, const struct uuid *id, msec created, size_t at)
{
	mem_grow(q->found, q->n, q->cap);
	q->found[q->n++] = (struct found){ *id, created, at, q->json.n - at };
}

static void
search_each(void *ctx, const struct office_shown *x)
{
	struct search *q = ctx;
	const struct office_spec *s = &x->spec;
	size_t at = q->json.n;

	if ((q->name.n > 0 && !str_contains_nocase(s->name, q->name)) ||
	    (q->kind >= 0 && !str_eq(s->kind, str_of(kinds[q->kind]))) ||
	    (q->state >= 0 && (int)x->state != q->state) ||
	    (q->capability.n > 0 && !has_capability(s, q->capability)))
		return;
	agent_add(&q->json, x);
	if (q->json.n > at && q->json.p[at] == ',')
		at++;                        /* agent_add's, between two */
	add_found(q, &s->id, x->created, at);
	q->total++;
}

/* Newest first. */
static int
found_cmp(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->created != y->created)
		return x->created < y->created ? 1 : -1;
	return memcmp(&y->id, &x->id, sizeof x->id);
}

/* ---- answers -------------------------------------------------------------------------- */

/* Of the page. */
static void
add_agents(struct buf *b, const struct search *q, size_t from, size_t to, bool commas)
{
	for (size_t i = from; i < to; i++) {
		if (commas)
			json_add_comma(b);
		buf_add(b, str_sub(buf_str(&q->json), q->found[i].at, q->found[i].n));
	}
}

static void
answer_node(struct search *q, size_t to)
{
	struct buf *b = call_out(q->c);

	buf_add_fmt(b, "{\"total\":%zu,\"at\":[", q->total);
	for (size_t i = 0; i < to; i++) {
		buf_add_fmt(b, "%s[%lld,\"", i > 0 ? "," : "", (long long)q->found[i].created);
		uuid_add(b, &q->found[i].id);
		buf_add_fmt(b, "\",%zu]", q->found[i].n);
	}
	buf_lit(b, "]}\n");
	add_agents(b, q, 0, to, false);
	if (b->failed)
		call_finish(q->c, ERR_TOOBIG);
	else
		call_reply(q->c, 200, S("application/octet-stream"), STR_NONE, buf_str(b));
}

static void
answer_client(struct search *q, size_t from, size_t to)
{
	struct buf *b = call_out(q->c);

	buf_add_char(b, '[');
	add_agents(b, q, from, to, true);
	buf_add_char(b, ']');
	call_finish(q->c, call_json(q->c, call_page_lines(q->c, (int64_t)to,
	    (int64_t)q->total)));
}

static void
search_answer(struct search *q)
{
	struct call *c = q->c;
	size_t from = (size_t)q->offset < q->n ? (size_t)q->offset : q->n;
	size_t to = from + (size_t)q->limit < q->n ? from + (size_t)q->limit : q->n;

	if (q->n > 0)
		qsort(q->found, q->n, sizeof *q->found, found_cmp);
	if (q->json.failed)
		call_finish(c, err_set(&c->err, ERR_TOOBIG, "the agents that match are "
		    "larger than %zu MB; ask for fewer", FOUND_BYTES / MB));
	else if (peer_asks(c))
		answer_node(q, to);
	else
		answer_client(q, from, to);
	buf_release(&q->json);
	free(q->found);
	free(q);
}

/* ---- other nodes ------------------------------------------------------------------------ */

static void
add_peers(struct search *q, jnode head, struct str texts)
{
	struct json_iter it = json_each(json_get(head, S("at")));
	struct uuid id;
	int64_t n;

	q->total += (size_t)json_int(json_get(head, S("total")));
	while (json_next(&it)) {
		size_t at = q->json.n;

		n = json_int(json_at(it.value, 2));
		if (n <= 0 || (size_t)n > texts.n ||
		    !uuid_parse(json_str(json_at(it.value, 1)), &id))
			return;
		buf_add(&q->json, str_sub(texts, 0, (size_t)n));
		texts = str_sub(texts, (size_t)n, texts.n);
		add_found(q, &id, json_int(json_at(it.value, 0)), at);
	}
}

static void
peer_answered(void *ctx, struct str body)
{
	struct search *q = ctx;
	ptrdiff_t end = str_index(body, '\n');
	struct json_doc head = { 0 };
	struct err e;

	if (end > 0 && json_parse(&head, str_sub(body, 0, (size_t)end), &e) == OK)
		add_peers(q, head.root, str_sub(body, (size_t)end + 1, body.n));
	json_release(&head);
	if (--q->waits == 0)
		search_answer(q);
}

static struct str
question(struct search *q)
{
	struct buf b = BUF(4 * (size_t)LIMIT_NAME_BYTES * 6);
	struct str text;

	json_add_fmt(&b, "{'limit':%lld", (long long)(q->offset + q->limit));
	if (q->name.n > 0)
		json_add_fmt(&b, ",'name':%.*s", FMT(q->name));
	if (q->capability.n > 0)
		json_add_fmt(&b, ",'capability':%.*s", FMT(q->capability));
	if (q->kind >= 0)
		json_add_fmt(&b, ",'kind':%s", kinds[q->kind]);
	if (q->state >= 0)
		json_add_fmt(&b, ",'state':%s", mail_state_names[q->state]);
	buf_add_char(&b, '}');
	text = arena_str(&q->c->r->arena, buf_str(&b));
	buf_release(&b);
	return text;
}

/* What is here has been found. */
static void
search_here(void *ctx)
{
	struct search *q = ctx;

	q->waits = peer_ask_all(q->c, question(q), FOUND_BYTES, peer_answered, q);
	if (q->waits == 0)
		search_answer(q);
}

int
api_agent_search(struct call *c)
{
	struct search *q = mem_new(struct search);

	*q = (struct search){ .c = c, .kind = -1, .state = -1, .limit = SEARCH_DEFAULT,
	    .json = BUF(FOUND_BYTES) };
	call_read_str(c, "name", LIMIT_NAME_BYTES, &q->name);
	call_read_str(c, "capability", LIMIT_NAME_BYTES, &q->capability);
	fields_enum(c->in, "state", mail_state_names, &q->state);
	fields_enum(c->in, "kind", kinds, &q->kind);
	fields_int(c->in, "limit", 1, peer_asks(c) ? INT64_MAX : LIMIT_PAGE_ROWS, &q->limit);
	fields_int(c->in, "offset", 0, INT32_MAX, &q->offset);
	fields_end(c->in);
	if (c->in->rc != OK) {
		int rc = c->in->rc;

		free(q);
		return rc;
	}
	c->in = NULL;
	office_list(c->api->office, c->owner, search_each, search_here, q);
	return OK;
}
