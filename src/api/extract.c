/*
 * extract.c - `extract` of a search: values by their paths, {alias: path}.
 *
 *   path = ("values" | "metadata" | "config" | "interrupts") { "." name | "[" n "]" }
 *
 * A negative n counts from the end.  What is not there is null.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "agent/agent.h"
#include "api/api_priv.h"
#include "run/view.h"

enum root { OF_VALUES, OF_METADATA, OF_CONFIG, OF_INTERRUPTS };
static const char *const roots[] = { "values", "metadata", "config", "interrupts", NULL };

struct step {
	struct str name;                     /* p NULL: an index */
	int64_t index;
};

struct extracts {
	struct extract {
		struct str alias;
		enum root root;
		struct step steps[LIMIT_EXTRACT_STEPS];
		size_t n;
	} at[LIMIT_EXTRACTS];
	size_t n;
};

/* ---- paths -------------------------------------------------------------------- */

/* The next step of *rest, which is not empty. */
static const char *
step_read(struct str *rest, struct step *out)
{
	bool index = rest->p[0] == '[';
	size_t n = 1;

	while (n < rest->n && (index ? rest->p[n] != ']' : rest->p[n] != '.' &&
	    rest->p[n] != '['))
		n++;
	*out = (struct step){ index ? STR_NONE : str_sub(*rest, 1, n - 1), 0 };
	if (!index) {
		bool dot = rest->p[0] == '.';

		*rest = str_sub(*rest, n, rest->n - n);
		return dot && out->name.n > 0 ? NULL : "expected .name or [index]";
	}
	if (n == rest->n || !str_to_i64(str_sub(*rest, 1, n - 1), &out->index))
		return "expected a whole number in [ ]";
	*rest = str_sub(*rest, n + 1, rest->n - n - 1);
	return NULL;
}

static const char *
path_read(struct str path, struct extract *x)
{
	const char *why = NULL;
	struct str rest;
	size_t n = 0;
	int root = 0;

	while (n < path.n && path.p[n] != '.' && path.p[n] != '[')
		n++;
	while (roots[root] != NULL && !str_eq(str_of(roots[root]), str_sub(path, 0, n)))
		root++;
	if (roots[root] == NULL)
		return "expected a path that begins with values, metadata, config or "
		    "interrupts";
	x->root = (enum root)root;
	rest = str_sub(path, n, path.n - n);
	for (x->n = 0; why == NULL && rest.n > 0; x->n++) {
		if (x->n == LIMIT_EXTRACT_STEPS)
			return "too many steps";
		why = step_read(&rest, &x->steps[x->n]);
	}
	return why;
}

static void
extract_read(struct call *c, struct extracts *all, struct str alias, jnode n)
{
	struct extract *x = &all->at[all->n++];
	const char *why = "expected a path";
	char place[64 + LIMIT_NAME_BYTES];

	x->alias = arena_str(&c->r->arena, alias);
	if (json_is_string(n) && json_str(n).n <= LIMIT_NAME_BYTES)
		why = path_read(arena_str(&c->r->arena, json_str(n)), x);
	if (why == NULL)
		return;
	snprintf(place, sizeof place, "extract.%.*s", FMT(param_shown(alias)));
	fields_fail(c->in, place, ERR_INVALID, "%s, as in values.messages[-1].content, got "
	    "%s%.*s", why, json_is_string(n) ? "" : json_kind(n),
	    FMT(param_shown(json_is_string(n) ? json_str(n) : S(""))));
}

bool
extracts_read(struct call *c)
{
	struct extracts *all;
	struct fields object;
	struct json_iter it;
	bool states = false;

	if (!fields_object(c->in, "extract", &object) || json_count(object.node) == 0)
		return false;
	if (json_count(object.node) > LIMIT_EXTRACTS) {
		fields_fail(c->in, "extract", ERR_INVALID, "expected at most %d paths, got "
		    "%zu", LIMIT_EXTRACTS, json_count(object.node));
		return false;
	}
	all = arena_zero(&c->r->arena, sizeof *all);
	if (all == NULL) {
		fields_fail(c->in, "extract", ERR_TOOBIG, "too large");
		return false;
	}
	for (it = json_each(object.node); json_next(&it); ) {
		extract_read(c, all, json_str(it.key), it.value);
		states |= all->at[all->n - 1].root == OF_VALUES ||
		    all->at[all->n - 1].root == OF_INTERRUPTS;
	}
	c->extracts = all;
	return states;
}

/* ---- values ------------------------------------------------------------------- */

static void
add_null(struct buf *b)
{
	buf_lit(b, "null");
}

/* The value at the end of x's steps from `from` on, or null. */
static void
add_walked(struct buf *b, struct str json, const struct extract *x, size_t from)
{
	struct json_doc d = { 0 };
	jnode n;

	if (from == x->n) {
		buf_add(b, json);
		return;
	}
	n = json_parse(&d, json, NULL) == OK ? d.root : NULL;
	for (size_t i = from; n != NULL && i < x->n; i++) {
		const struct step *s = &x->steps[i];
		int64_t count = (int64_t)json_count(n);
		int64_t at = s->index < 0 ? count + s->index : s->index;

		if (s->name.p != NULL)
			n = json_is_object(n) ? json_get(n, s->name) : NULL;
		else
			n = json_is_array(n) && at >= 0 && at < count ?
			    json_at(n, (size_t)at) : NULL;
	}
	if (n != NULL)
		json_add_node(b, n);
	else
		add_null(b);
	json_release(&d);
}

static const struct store_channel *
channel_of(const struct shown_thread *t, struct str name, struct buf *scratch)
{
	bool any = t->agent == NULL || t->agent->hosted != NULL;
	int at = any ? 0 : agent_channel_find(t->agent, name);

	if (at < 0 || (!any && t->agent->channels[at].private))
		return NULL;
	buf_clear(scratch);
	json_add_str(scratch, name);         /* stored names are escaped */
	for (size_t i = 0; i < t->f.state.channels_n; i++)
		if (str_eq(t->f.state.channels[i].name,
		    str_sub(buf_str(scratch), 1, scratch->n - 2)))
			return &t->f.state.channels[i];
	return NULL;
}

/* Parses only the channel, and of a list only the entry, that the path names. */
static void
add_value(struct buf *b, const struct shown_thread *t, const struct extract *x,
    struct buf *scratch)
{
	bool told = view_overlay(t->agent, &t->f.state).n > 0;
	const struct store_channel *ch = !told && x->n > 0 && x->steps[0].name.p != NULL ?
	    channel_of(t, x->steps[0].name, scratch) : NULL;

	if (ch != NULL && ch->is_list && x->n > 1 && x->steps[1].name.p == NULL) {
		int64_t n = (int64_t)ch->entries_n, at = x->steps[1].index;

		at = at < 0 ? n + at : at;
		if (at >= 0 && at < n)
			add_walked(b, ch->entries[at], x, 2);
		else
			add_null(b);
		return;
	}
	if (ch != NULL && !ch->is_list) {
		add_walked(b, ch->body, x, 1);
		return;
	}
	buf_clear(scratch);
	view_add_values(scratch, t->agent, &t->f.state, false);
	add_walked(b, buf_str(scratch), x, 0);
}

static void
add_extract(struct buf *b, const struct shown_thread *t, const struct extract *x,
    struct buf *scratch)
{
	const struct store_thread *r = &t->f.t;

	if (x->root == OF_METADATA || x->root == OF_CONFIG) {
		add_walked(b, x->root == OF_METADATA ? r->metadata_json : r->config_json, x, 0);
	} else if (!t->f.has_state) {
		add_null(b);
	} else if (x->root == OF_VALUES) {
		add_value(b, t, x, scratch);
	} else {
		buf_clear(scratch);
		if (r->status == THREAD_BUSY)
			buf_lit(scratch, "{}");
		else
			view_add_interrupts(scratch, &t->f.state);
		add_walked(b, buf_str(scratch), x, 0);
	}
}

int
extracts_take(struct call *c, struct shown_thread *t)
{
	const struct extracts *all = c->extracts;
	struct buf scratch = BUF(8 * (size_t)LIMIT_STATE_BYTES);
	struct buf *b = &c->api->scratch;

	buf_clear(b);
	b->failed = false;
	buf_add_char(b, '{');
	for (size_t i = 0; i < all->n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		json_add_str(b, all->at[i].alias);
		buf_add_char(b, ':');
		add_extract(b, t, &all->at[i], &scratch);
	}
	buf_add_char(b, '}');
	t->extracted = b->failed || scratch.failed ? STR_NONE :
	    arena_str(&c->r->arena, buf_str(b));
	buf_release(&scratch);
	return t->extracted.p != NULL ? OK : err_set(&c->err, ERR_TOOBIG, "extract: the "
	    "values are too large for one answer; ask for fewer");
}
