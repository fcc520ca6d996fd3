/*
 * wasm.c - modules of WebAssembly over HTTP: deployed, listed, rolled back, deleted.
 *
 * A module is its owner's.  What it may use is in the query of PUT, which knows no other
 * words: a misspelt limit is an error, not a guest without it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <string.h>

#include "wasm/deploy/deploy.h"
#include "wasm/limits.h"

#define QUERY_WORDS 32                       /* parameters of one request */

/* ---- what is shown -------------------------------------------------------------------- */

static void
add_exports(struct buf *b, const struct wasm_facts *f)
{
	json_add_fmt(b, ",'imports':");
	wasm_allow_add_json(b, f->imports);
	json_add_fmt(b, ",'exports':[");
	for (uint32_t i = 0; i < f->exports_n; i++)
		json_add_fmt(b, ",%.*s", FMT(f->exports[i].name));
	json_add_fmt(b, "],'memory_pages':%u,'functions':%u", f->pages, f->functions_n);
}

static void
add_version(struct buf *b, const struct wasm_shown_version *v)
{
	json_add_fmt(b, "'number':%lld", (long long)v->number);
	show_time(b, "created_at", v->created);
	json_add_fmt(b, ",'hash':%s,'bytes':%llu,'state':%s,'compiler':", v->hash,
	    (unsigned long long)v->bytes, v->state);
	if (v->compiler != NULL)
		json_add_str(b, str_of(v->compiler));
	else
		buf_lit(b, "null");
	show_text(b, "error", v->error);
	json_add_fmt(b, ",'allow':");
	wasm_allow_add_json(b, v->policy.allow);
	json_add_fmt(b, ",'tools':[");
	for (size_t i = 0; i < v->policy.tools_n; i++)
		json_add_fmt(b, ",%.*s", FMT(v->policy.tools[i]));
	json_add_fmt(b, "],'limits':{");
	wasm_limits_add_json(b, &v->policy.limits, v->policy.rate);
	buf_add_char(b, '}');
	if (v->facts != NULL)
		add_exports(b, v->facts);
	json_add_fmt(b, ",'calls':%llu,'errors':%llu,'p99_us':%.3f",
	    (unsigned long long)v->calls, (unsigned long long)v->errors,
	    (double)v->p99 / 1000);
}

static void
add_head(struct buf *b, const struct wasm_shown *x)
{
	json_add_fmt(b, "'name':%.*s,'folder':%hhd,'current':%lld,'reload':", FMT(x->name),
	    x->folder, (long long)x->current);
	if (x->reload != NULL)
		json_add_str(b, str_of(x->reload));
	else
		buf_lit(b, "null");
	show_text(b, "outcome", x->outcome);
}

/* {..., "versions": [...]}, of any member of a list a comma first. */
static void
add_module(void *ctx, const struct wasm_shown *x)
{
	struct buf *b = ctx;

	json_add_fmt(b, ",{");
	add_head(b, x);
	json_add_fmt(b, ",'versions':[");
	for (size_t i = 0; i < x->versions_n; i++) {
		json_add_fmt(b, ",{");
		add_version(b, &x->versions[i]);
		buf_add_char(b, '}');
	}
	buf_lit(b, "]}");
}

/* ---- reading ---------------------------------------------------------------------------- */

/* The desk of this shard; NULL after a failure: the sandbox is off. */
static struct wasm_desk *
desk_of(struct call *c)
{
	if (c->api->wasm == NULL)
		fields_fail(c->in, NULL, ERR_NOTFOUND, "wasm.enabled turns these routes off");
	return c->api->wasm;
}

/* Each parameter of the query is one of these, NULL-ended, and is there once. */
static void
check_query(struct call *c, const char *const *known)
{
	struct str rest = c->r->query, part, name, seen[QUERY_WORDS];
	size_t n = 0;

	while (c->in->rc == OK && str_next(&rest, '&', &part)) {
		struct str_near near = { .word = STR_NONE };
		size_t i = 0;

		(void)str_next(&part, '=', &name);
		if (name.n == 0 || ((c->route->flags & ROUTE_OWNER) != 0 &&
		    str_eq(name, S("owner"))))
			continue;
		near.word = name;
		while (known[i] != NULL && !str_eq(name, str_of(known[i])))
			str_near_try(&near, known[i++]);
		if (known[i] == NULL) {
			err_near(&c->err, ERR_INVALID, near.best, "\"",
			    "query: unknown parameter \"%.*s\"", FMT(param_shown(name)));
			c->in->rc = ERR_INVALID;
			return;
		}
		for (i = 0; i < n; i++)
			if (str_eq(seen[i], name))
				fields_fail(c->in, known[0], ERR_INVALID,
				    "\"%.*s\" is there twice", FMT(name));
		if (n < QUERY_WORDS)
			seen[n++] = name;
	}
}

static const char *const nothing[] = { NULL };

/* ---- deploying ---------------------------------------------------------------------------- */

static const char *const put_words[] = { "allow", "tools", "memory", "fuel", "cpu", "depth",
	"message", "rate", "strategy", "percent", "drain", "calls", "wait", "error_percent",
	"p99_factor", NULL };

struct put_call {
	struct wasm_put put;
	struct call *c;
	struct buf body;
};

/* Words that name the parameter already do not name it twice. */
static void
word_fail(struct call *c, const char *name, int rc, const struct err *why)
{
	struct str words = str_of(why->text), prefix = str_of(name);

	if (str_starts(words, prefix) && words.n > prefix.n + 2 && words.p[prefix.n] == ':')
		words = (struct str){ words.p + prefix.n + 2, words.n - prefix.n - 2 };
	fields_fail(c->in, name, rc, "%.*s", FMT(words));
}

static void
read_limits(struct call *c, struct wasm_policy *p)
{
	struct err why = { 0 };

	for (size_t i = 0; wasm_limit_names[i] != NULL; i++) {
		const char *name = wasm_limit_names[i];
		struct str text = param_str(c, name);
		int rc = text.n == 0 ? OK :
		    wasm_limit_set(&p->limits, &p->rate, str_of(name), text, &why);

		if (rc < 0)
			word_fail(c, name, rc, &why);
	}
	p->allow = WASM_ALLOW_USUAL;
	if (param_str(c, "allow").n > 0) {
		int rc;

		p->allow = 0;
		rc = wasm_allow_read(&p->allow, param_str(c, "allow"), &why);
		if (rc < 0)
			word_fail(c, "allow", rc, &why);
	}
}

/* Names with commas between. */
static void
read_tools(struct call *c, struct wasm_policy *p)
{
	struct str rest = param_str(c, "tools"), part;
	struct str *at = arena_zero(&c->r->arena, LIMIT_WASM_TOOLS * sizeof *at);

	if (at == NULL)
		fields_fail(c->in, NULL, ERR_TOOBIG, "too large");
	while (c->in->rc == OK && str_next(&rest, ',', &part)) {
		part = str_trim(part);
		if (part.n == 0)
			continue;
		if (p->tools_n == LIMIT_WASM_TOOLS)
			fields_fail(c->in, "tools", ERR_INVALID, "more than %d names",
			    LIMIT_WASM_TOOLS);
		else
			at[p->tools_n++] = part;
	}
	p->tools = at;
	if (c->in->rc == OK && p->tools_n > 0 && !(p->allow >> WASM_TOOL_CALL & 1))
		fields_fail(c->in, "tools", ERR_INVALID, "expected allow to name tool_call, too: "
		    "without it no tool can be called");
}

static void
read_time(struct call *c, const char *name, msec max, msec *out)
{
	struct str s = param_str(c, name);
	nsec t;

	if (s.n == 0)
		return;
	if (clock_parse(s, NS_PER_MS, &t) && t >= NS_PER_MS && t / NS_PER_MS <= max)
		*out = t / NS_PER_MS;
	else
		fields_fail(c->in, name, ERR_INVALID, "expected a time from 1ms to %lldms, as in "
		    "10s, got \"%.*s\"", (long long)max, FMT(param_shown(s)));
}

static void
read_number(struct call *c, const char *name, double min, double max, double *out)
{
	struct str s = param_str(c, name);
	double v;

	if (s.n == 0)
		return;
	if (str_to_double(s, &v) && v >= min && v <= max)
		*out = v;
	else
		fields_fail(c->in, name, ERR_INVALID, "expected a number from %g to %g, got "
		    "\"%.*s\"", min, max, FMT(param_shown(s)));
}

/* A word of one strategy that the request has without it would do nothing. */
static void
check_strategy(struct call *c, enum wasm_strategy is)
{
	static const struct { const char *name; enum wasm_strategy of; } words[] = {
		{ "drain", WASM_GRACEFUL }, { "percent", WASM_SPLIT }, { "calls", WASM_SPLIT },
		{ "wait", WASM_SPLIT }, { "error_percent", WASM_SPLIT },
		{ "p99_factor", WASM_SPLIT },
	};

	for (size_t i = 0; i < COUNT(words); i++)
		if (param_str(c, words[i].name).n > 0 && words[i].of != is)
			fields_fail(c->in, words[i].name, ERR_INVALID,
			    "expected strategy %s with it, got %s",
			    wasm_strategy_names[words[i].of], wasm_strategy_names[is]);
}

static void
read_reload(struct call *c, struct wasm_reload *how)
{
	int64_t percent = 10;
	int strategy = WASM_GRACEFUL;

	param_word(c, "strategy", wasm_strategy_names, &strategy);
	if (c->in->rc < 0)
		return;
	how->strategy = (enum wasm_strategy)strategy;
	check_strategy(c, how->strategy);
	param_int(c, "percent", 1, 99, &percent);
	how->percent = (unsigned)percent;
	read_time(c, "drain", LIMIT_WASM_DRAIN_MAX_MS, &how->drain);
	param_int(c, "calls", 1, INT32_MAX, &how->calls);
	read_time(c, "wait", LIMIT_WASM_SPLIT_MAX_MS, &how->wait);
	read_number(c, "error_percent", 0.001, 100, &how->error_percent);
	read_number(c, "p99_factor", 1, 1000, &how->p99_factor);
}

/* The version of that number, with its module. */
struct put_answer { struct buf *b; int64_t number; };

static void
add_put(void *ctx, const struct wasm_shown *x)
{
	struct put_answer *a = ctx;

	buf_add_char(a->b, '{');
	add_head(a->b, x);
	for (size_t i = 0; i < x->versions_n; i++) {
		if (x->versions[i].number != a->number)
			continue;
		buf_add_char(a->b, ',');
		add_version(a->b, &x->versions[i]);
	}
	buf_add_char(a->b, '}');
}

/* Answers the version `number` of the module. */
static int
answer_version(struct call *c, struct str name, int64_t number)
{
	struct put_answer a = { .number = number };
	int rc;

	a.b = call_out(c);
	rc = wasm_desk_show(c->api->wasm, c->owner, name, add_put, &a, &c->err);
	return rc < 0 ? rc : call_json(c, STR_NONE);
}

static void
put_done(struct wasm_put *p, int rc, int64_t number, const struct err *e)
{
	struct put_call *w = CONTAINER_OF(p, struct put_call, put);
	struct call *c = w->c;

	buf_release(&w->body);
	if (rc < 0)
		call_fail(c, rc == ERR_NOTFOUND ? ERR_BUSY : rc, e);
	else
		call_finish(c, answer_version(c, p->name, number));
}

static int
check_type(struct call *c)
{
	struct str rest = http_header(c->r, S("content-type")), type = STR_NONE;

	(void)str_next(&rest, ';', &type);
	type = str_trim(type);
	if (str_eq_nocase(type, S("application/wasm")) ||
	    str_eq_nocase(type, S("application/octet-stream")))
		return OK;
	return err_set(&c->err, ERR_MEDIA, "content-type: expected application/wasm, got "
	    "\"%.*s\"", FMT(param_shown(type)));
}

int
api_wasm_put(struct call *c)
{
	struct put_call *w = arena_new(&c->r->arena, struct put_call);
	struct wasm_desk *k = desk_of(c);
	int rc = check_type(c);

	if (w == NULL)
		return err_set(&c->err, ERR_TOOBIG, "too large");
	if (rc < 0)
		return rc;
	check_query(c, put_words);
	if (c->in->rc == OK)
		read_limits(c, &w->put.policy);
	if (c->in->rc == OK)
		read_tools(c, &w->put.policy);
	if (c->in->rc == OK)
		read_reload(c, &w->put.how);
	if (c->in->rc == OK && c->r->body.n == 0)
		fields_fail(c->in, NULL, ERR_INVALID, "body: expected a module of WebAssembly, "
		    "got nothing");
	if (c->in->rc < 0)
		return c->in->rc;
	c->in = NULL;
	w->c = c;
	w->body = http_take_body(c->r);
	w->put.owner = c->owner;
	w->put.name = c->param[0];
	w->put.bytes = buf_str(&w->body);
	w->put.done = put_done;
	wasm_desk_put(k, &w->put);
	return OK;
}

/* ---- looking -------------------------------------------------------------------------------- */

int
api_wasm_list(struct call *c)
{
	struct wasm_desk *k = desk_of(c);
	struct buf *b;

	check_query(c, nothing);
	if (c->in->rc < 0)
		return c->in->rc;
	b = call_out(c);
	buf_add_char(b, '[');
	wasm_desk_list(k, c->owner, add_module, b);
	buf_add_char(b, ']');
	return call_json(c, STR_NONE);
}

int
api_wasm_get(struct call *c)
{
	struct wasm_desk *k = desk_of(c);
	int rc;

	check_query(c, nothing);
	if (c->in->rc < 0)
		return c->in->rc;
	rc = wasm_desk_show(k, c->owner, c->param[0], add_module, call_out(c), &c->err);
	return rc < 0 ? rc : call_json(c, STR_NONE);
}

/* ---- going back, and away ---------------------------------------------------------------------- */

static void
rolled_back(void *ctx, int rc, int64_t number, const struct err *e)
{
	struct call *c = ctx;

	if (rc < 0)
		call_fail(c, rc, e);
	else
		call_finish(c, answer_version(c, c->param[0], number));
}

int
api_wasm_rollback(struct call *c)
{
	struct wasm_desk *k = desk_of(c);
	int64_t number = 0;

	check_query(c, nothing);
	fields_int(c->in, "number", 1, INT64_MAX, &number);
	if (fields_end(c->in) != OK)
		return c->in->rc;
	c->in = NULL;
	wasm_desk_rollback(k, c->owner, c->param[0], number, rolled_back, c);
	return OK;
}

static void
deleted(void *ctx, int rc, const struct err *e)
{
	if (rc < 0)
		call_fail(ctx, rc, e);
	else
		call_empty(ctx, 204);
}

int
api_wasm_delete(struct call *c)
{
	struct wasm_desk *k = desk_of(c);

	check_query(c, nothing);
	if (c->in->rc < 0)
		return c->in->rc;
	c->in = NULL;
	wasm_desk_delete(k, c->owner, c->param[0], deleted, c);
	return OK;
}

/* ---- for GET /info ---------------------------------------------------------------------------- */

void
wasm_add_info(struct buf *b, const struct api *api)
{
	const struct api_shared *sh = api->shared;
	struct wasm_pool_stats sum = { 0 }, one;

	for (unsigned i = 0; i < sh->o.shards; i++) {
		const struct api *a = sh->at[i];

		if (a == NULL || a->wasm == NULL)
			continue;
		wasm_pool_stats(wasm_desk_pool(a->wasm), &one);
		sum.hosts += one.hosts;
		sum.instances += one.instances;
	}
	json_add_fmt(b, "{'enabled':%hhd,'hosts':%u,'instances':%u}", api->wasm != NULL,
	    sum.hosts, sum.instances);
}
