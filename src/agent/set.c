/*
 * set.c - the agents of a server, by id, and who calls whom.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/load_priv.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/scan.h"

/* What belongs to an agent as it is linked in a set. */
struct member {
	uint8_t hash[SHA256_SIZE];           /* of its text with those it calls */
	atomic_bool kept;
};

struct agents {
	struct agent **at;                   /* by id */
	size_t n, cap;
	struct agents **parts;               /* held, and own the agents; n 0: they are its */
	size_t parts_n;
	struct member *members;              /* of each; once it is linked */
	const struct agent *refused;         /* by agents_link */
	atomic_uint refs;
};

struct agents *
agents_new(void)
{
	struct agents *s = mem_new(struct agents);

	atomic_init(&s->refs, 1);
	return s;
}

struct agents *
agents_hold(struct agents *s)
{
	unsigned before = atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);

	assert(before > 0);
	(void)before;
	return s;
}

void
agents_free(struct agents *s)
{
	if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < s->n && s->parts_n == 0; i++)
		agent_free(s->at[i]);
	for (size_t i = 0; i < s->parts_n; i++)
		agents_free(s->parts[i]);
	free(s->parts);
	free(s->members);
	free(s->at);
	free(s);
}

/* The place of the id, or where it belongs. */
static size_t
place_of(const struct agents *s, struct str id, bool *found)
{
	size_t low = 0, high = s->n;

	*found = false;
	while (low < high && !*found) {
		size_t mid = (low + high) / 2;
		int order = str_cmp(id, s->at[mid]->id);

		*found = order == 0;
		if (order <= 0)
			high = mid;
		else
			low = mid + 1;
	}
	return *found ? high : low;
}

int
agents_add(struct agents *s, struct agent *a, struct err *e)
{
	bool found;
	size_t at = place_of(s, a->id, &found);
	int rc = OK;

	if (found)
		rc = err_set(e, ERR_CONFLICT, "%.*s: there is an agent '%.*s' already, from %.*s",
		    FMT(a->file), FMT(a->id), FMT(s->at[at]->file));
	else if (s->n >= LIMIT_AGENTS)
		rc = err_set(e, ERR_LIMIT, "%.*s: more than %d agents", FMT(a->file),
		    LIMIT_AGENTS);
	if (rc != OK) {
		agent_free(a);
		return rc;
	}
	mem_grow(s->at, s->n, s->cap);
	memmove(s->at + at + 1, s->at + at, (s->n - at) * sizeof s->at[0]);
	s->at[at] = a;
	s->n++;
	return OK;
}

const struct agent *
agents_find(const struct agents *s, struct str id)
{
	bool found;
	size_t at = place_of(s, id, &found);

	return found ? s->at[at] : NULL;
}

size_t
agents_count(const struct agents *s)
{
	return s->n;
}

const struct agent *
agents_at(const struct agents *s, size_t i)
{
	return i < s->n ? s->at[i] : NULL;
}

/* ---- sets of sets ------------------------------------------------------------------ */

/* An agent in a set, and the set's place among the others. */
struct joined { struct agent *a; const struct member *m; size_t set; };

static int
by_id(const void *x, const void *y)
{
	const struct joined *a = x, *b = y;
	int order = str_cmp(a->a->id, b->a->id);

	return order != 0 ? order : a->set < b->set ? -1 : a->set > b->set;
}

struct agents *
agents_join(struct agents *const *sets, size_t n)
{
	struct agents *s = agents_new();
	struct joined *all;
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += sets[i]->n;
	all = mem_alloc((count + 1) * sizeof *all);
	count = 0;
	s->parts = mem_alloc((n + 1) * sizeof *s->parts);
	for (size_t i = 0; i < n; i++) {
		assert(sets[i]->members != NULL);
		s->parts[s->parts_n++] = agents_hold(sets[i]);
		for (size_t k = 0; k < sets[i]->n; k++)
			all[count++] = (struct joined){ sets[i]->at[k],
			    &sets[i]->members[k], i };
	}
	qsort(all, count, sizeof *all, by_id);
	s->at = mem_alloc((count + 1) * sizeof *s->at);
	s->members = mem_zero((count + 1) * sizeof *s->members);
	for (size_t i = 0; i < count; i++) {
		if (i + 1 < count && str_eq(all[i].a->id, all[i + 1].a->id))
			continue;
		memcpy(s->members[s->n].hash, all[i].m->hash, SHA256_SIZE);
		atomic_init(&s->members[s->n].kept, atomic_load(&all[i].m->kept));
		s->at[s->n++] = all[i].a;
	}
	free(all);
	return s;
}

/* ---- calls ----------------------------------------------------------------------- */

/* What runs in a worker is called by nobody: a run of it has a driver of its own. */
static int
check_called(const struct agent_link *l, struct err *e)
{
	return l->work->child->hosted == NULL ? OK : err_set(e, ERR_INVALID, "%.*sthe agent "
	    "'%.*s' is a graph that a worker runs; only clients run it, not other agents",
	    FMT(l->place), FMT(l->work->child_name));
}

static int
link_list(const struct agents *s, const struct agent_link *links, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct agent_work *w = links[i].work;
		struct str_near near = { .word = w->child_name };

		w->child = agents_find(s, w->child_name);
		if (w->child != NULL && check_called(&links[i], e) != OK)
			return ERR_INVALID;
		if (w->child != NULL)
			continue;
		for (size_t k = 0; k < s->n; k++)
			str_near_try(&near, s->at[k]->id.p);
		return err_near(e, ERR_INVALID, near.best, "'", "%.*sthere is no agent '%.*s'",
		    FMT(links[i].place), FMT(w->child_name));
	}
	return OK;
}

static int
link_calls(const struct agents *s, struct agent *a, struct err *e)
{
	struct agent_holds *h = a->holds;
	int rc = link_list(s, h->links, h->links_n, e);

	if (rc == OK)
		rc = link_list(s, h->tool_links, h->tool_links_n, e);
	for (size_t i = 0; i < h->children_n && rc == OK; i++)
		rc = link_calls(s, h->children[i], e);
	return rc;
}

/* Follows calls from one agent, each agent of the set once: heights tells how many
 * levels are below those that were walked (0: not yet). */
struct walk {
	const struct agents *s;
	unsigned *heights;
	const struct agent *path[LIMIT_AGENT_NESTING + 1];
	size_t n;
	struct str place;                    /* of the last call by name */
	struct err *e;
};

static int
fail_cycle(const struct walk *w, size_t from)
{
	struct buf names = BUF(LIMIT_AGENT_NESTING * (LIMIT_NAME_BYTES + 8));
	int rc;

	for (size_t i = from; i < w->n; i++)
		if (w->path[i]->id.n > 0)
			buf_add_fmt(&names, "%.*s > ", FMT(str_cut(w->path[i]->id, 40)));
	buf_add(&names, str_cut(w->path[from]->id, 40));
	rc = err_set(w->e, ERR_INVALID, "%.*sagents call each other in a cycle: %.*s",
	    FMT(w->place), FMT(str_cut(buf_str(&names), 200)));
	buf_release(&names);
	return rc;
}

static int
fail_depth(const struct walk *w)
{
	return err_set(w->e, ERR_INVALID, "%.*sagents call agents over more than %d levels",
	    FMT(w->place), LIMIT_AGENT_NESTING);
}

static int walk(struct walk *w, const struct agent *a, unsigned *height);

/* Those that it calls by name, and those in place. */
static int
walk_calls(struct walk *w, const struct agent *a, unsigned *most)
{
	const struct agent_holds *h = a->holds;
	unsigned below = 0;
	int rc = OK;

	*most = 0;
	for (size_t i = 0; i < h->links_n + h->children_n && rc == OK; i++) {
		bool named = i < h->links_n;

		if (named)
			w->place = h->links[i].place;
		rc = walk(w, named ? h->links[i].work->child : h->children[i - h->links_n],
		    &below);
		*most = below > *most ? below : *most;
	}
	return rc;
}

/* Recursion is bounded by the path. */
static int
walk(struct walk *w, const struct agent *a, unsigned *height)
{
	bool named;
	size_t at = place_of(w->s, a->id, &named);
	int rc;

	named = named && w->s->at[at] == a;
	for (size_t i = 0; i < w->n; i++)
		if (w->path[i] == a)
			return fail_cycle(w, i);
	*height = named ? w->heights[at] : 0;
	if (*height == 0) {
		if (w->n > LIMIT_AGENT_NESTING)
			return fail_depth(w);
		w->path[w->n++] = a;
		rc = walk_calls(w, a, height);
		w->n--;
		if (rc != OK)
			return rc;
		++*height;
		if (named)
			w->heights[at] = *height;
	}
	return w->n + *height > LIMIT_AGENT_NESTING + 1 ? fail_depth(w) : OK;
}

/* ---- as text ---------------------------------------------------------------------- */

/* Agents that a text has, each once, in the order in which they are called. */
struct called {
	const struct agent **at;
	size_t n, cap;
	bool many;                           /* there are more */
};

/* Recursion is bounded: each agent is there once, and definitions in place are nested
 * so deep at most. */
static void
call_add(struct called *c, const struct agent *a, bool named)
{
	const struct agent_holds *h = a->holds;

	for (size_t i = 0; named && i < c->n; i++)
		if (c->at[i] == a)
			return;
	c->many = c->many || (named && c->n == LIMIT_AGENT_CALLED);
	if (c->many)
		return;
	if (named) {
		mem_grow(c->at, c->n, c->cap);
		c->at[c->n++] = a;
	}
	for (size_t i = 0; i < h->links_n; i++)
		call_add(c, h->links[i].work->child, true);
	for (size_t i = 0; i < h->tool_links_n; i++)
		call_add(c, h->tool_links[i].work->child, true);
	for (size_t i = 0; i < h->children_n; i++)
		call_add(c, h->children[i], false);
}

/* [["id",{definition}], ...], the agent itself first. */
void
agents_add_text(struct buf *b, const struct agents *s, const struct agent *a)
{
	struct called c = { 0 };

	(void)s;
	call_add(&c, a, true);
	for (size_t i = 0; i < c.n; i++) {
		buf_add(b, i == 0 ? S("[[") : S(",["));
		json_add_str(b, c.at[i]->id);
		buf_add_char(b, ',');
		buf_add(b, c.at[i]->json);
		buf_add_char(b, ']');
	}
	buf_add_char(b, ']');
	free(c.at);
}

/* What is kept of each agent has all that it calls. */
static int
check_many(const struct agent *a, struct err *e)
{
	struct called c = { 0 };

	call_add(&c, a, true);
	free(c.at);
	return c.many ? err_set(e, ERR_INVALID, "%.*s: it and those that it calls are more than "
	    "%d agents", FMT(a->file), LIMIT_AGENT_CALLED) : OK;
}

static void
hash_all(struct agents *s)
{
	struct buf b = BUF(SIZE_MAX / 2);

	free(s->members);
	s->members = mem_zero((s->n + 1) * sizeof s->members[0]);
	for (size_t i = 0; i < s->n; i++) {
		b.n = 0;
		agents_add_text(&b, s, s->at[i]);
		sha256(buf_str(&b), s->members[i].hash);
	}
	buf_release(&b);
}

static struct member *
member_of(const struct agents *s, const struct agent *a)
{
	bool found;
	size_t at = place_of(s, a->id, &found);

	assert(found && s->at[at] == a && s->members != NULL);
	return &s->members[at];
}

struct str
agents_hash(const struct agents *s, const struct agent *a)
{
	const struct member *m = member_of(s, a);

	return (struct str){ (const char *)m->hash, sizeof m->hash };
}

bool
agents_kept(const struct agents *s, const struct agent *a)
{
	return atomic_load_explicit(&member_of(s, a)->kept, memory_order_relaxed);
}

void
agents_set_kept(struct agents *s, const struct agent *a)
{
	atomic_store_explicit(&member_of(s, a)->kept, true, memory_order_relaxed);
}

static int
read_one(struct agents *set, struct str id, struct str json,
    const struct task_kinds *kinds, struct err *e)
{
	struct buf file = BUF(KB);
	struct agent *a = NULL;
	int rc;

	buf_add_fmt(&file, "%.*s.json", FMT(id));
	rc = agent_load(&a, json, buf_str(&file), kinds, e);
	buf_release(&file);
	return rc == OK ? agents_add(set, a, e) : rc;
}

int
agents_read(struct agents **out, struct str text, const struct task_kinds *kinds,
    struct err *e)
{
	struct agents *set = agents_new();
	struct scan s = scan_of(text);
	bool first = true;
	int rc = OK;

	scan_open(&s, '[');
	while (rc == OK && scan_element(&s, &first)) {
		struct str id = STR_NONE, json = STR_NONE;
		bool inner = true;

		scan_open(&s, '[');
		if (scan_element(&s, &inner) && scan_string(&s, &id) &&
		    scan_element(&s, &inner) && scan_value(&s, &json) &&
		    !scan_element(&s, &inner) && !s.bad)
			rc = read_one(set, id, json, kinds, e);
	}
	if (rc == OK && !scan_end(&s))
		rc = err_set(e, ERR_INVALID, "the text is not one of agents");
	if (rc == OK)
		rc = agents_link(set, e);
	if (rc != OK) {
		agents_free(set);
		set = NULL;
	}
	*out = set;
	return rc;
}

int
agents_link(struct agents *s, struct err *e)
{
	unsigned *heights = mem_zero((s->n + 1) * sizeof *heights), height;
	int rc = OK;

	for (size_t i = 0; i < s->n && rc == OK; i++) {
		s->refused = s->at[i];
		rc = link_calls(s, s->at[i], e);
	}
	for (size_t i = 0; i < s->n && rc == OK; i++) {
		struct walk w = { .s = s, .heights = heights, .e = e };

		s->refused = s->at[i];
		rc = walk(&w, s->at[i], &height);
	}
	for (size_t i = 0; i < s->n && rc == OK; i++) {
		s->refused = s->at[i];
		rc = check_many(s->at[i], e);
	}
	free(heights);
	if (rc == OK) {
		s->refused = NULL;
		hash_all(s);
	}
	return rc;
}

const struct agent *
agents_refused(const struct agents *s)
{
	return s->refused;
}
