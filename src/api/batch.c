/*
 * batch.c - many runs in one request: begun together, or cancelled together.
 *
 * A batch is all or nothing.  All of its bodies are checked before the first run is
 * made.  If one cannot be made then (the store is full), those that were are taken
 * back before the failure is answered.
 *
 * The JavaScript SDK sends the names of its own arguments (assistantId, afterSeconds)
 * in a batch, so each field may be written in either way there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/absent.h"
#include "api/api_priv.h"

#include <assert.h>

struct batch;

struct one {
	struct batch *of;
	struct run_ask ask;
	struct json_doc renamed;             /* the body, if names were translated */
	int rc;
	bool made;
	struct uuid thread_id, run_id;
	struct str shown;
};

/* A request and its runs, in its arena. */
struct batch {
	struct call *c;
	size_t n, left;                      /* left: not answered yet; 1 more while it begins */
	struct one *at;
};

/* ---- the names of fields ----------------------------------------------------- */

#define NAME_MAX_BYTES 64                    /* no field's name is longer */

/* assistantId as "assistant_id", in b; NULL: the key is not written so. */
static const char *
name_of(struct str key, struct buf *b)
{
	buf_clear(b);
	b->failed = false;
	for (size_t i = 0; i < key.n; i++) {
		bool upper = key.p[i] >= 'A' && key.p[i] <= 'Z';

		if (upper)
			buf_add_char(b, '_');
		buf_add_char(b, upper ? (char)(key.p[i] | 0x20) : key.p[i]);
	}
	buf_add_char(b, '\0');
	return b->failed || b->n == key.n + 1 ? NULL : b->p;
}

static bool
says_the_same(jnode a, jnode b)
{
	struct buf x = BUF(LIMIT_HTTP_BODY_BYTES), y = BUF(LIMIT_HTTP_BODY_BYTES);
	bool same;

	json_add_node(&x, a);
	json_add_node(&y, b);
	same = str_eq(buf_str(&x), buf_str(&y));
	buf_release(&x);
	buf_release(&y);
	return same;
}

/* The body with the names of this API. */
static void
rename_fields(struct call *c, struct one *one)
{
	struct buf b = BUF(LIMIT_HTTP_BODY_BYTES), renamed = BUF(NAME_MAX_BYTES);
	bool any = false;

	buf_add_char(&b, '{');
	for (struct json_iter it = json_each(c->in->node); json_next(&it);) {
		const char *name = name_of(json_str(it.key), &renamed);
		jnode given = name == NULL ? NULL : json_get(c->in->node, str_of(name));

		any = any || name != NULL;
		if (!json_is_null(given) && !json_is_null(it.value) &&
		    !says_the_same(given, it.value))
			fields_fail(c->in, name, ERR_INVALID, "%.*s says something else; "
			    "send one of them", FMT(json_str(it.key)));
		if (given != NULL && (!json_is_null(given) || json_is_null(it.value)))
			continue;
		json_add_comma(&b);
		json_add_str(&b, name == NULL ? json_str(it.key) : str_of(name));
		buf_add_char(&b, ':');
		json_add_node(&b, it.value);
	}
	buf_add_char(&b, '}');
	if (any && c->in->rc == OK && (b.failed ||
	    json_parse(&one->renamed, buf_str(&b), NULL) != OK))
		fields_fail(c->in, NULL, ERR_TOOBIG, "too large");
	else if (any && c->in->rc == OK)
		c->in->node = one->renamed.root;
	buf_release(&b);
	buf_release(&renamed);
}

/* ---- the end ----------------------------------------------------------------- */

static int
answer(struct batch *b)
{
	struct call *c = b->c;
	struct buf *out = call_out(c);

	for (size_t i = 0; i < b->n; i++)
		if (b->at[i].rc < 0)
			return b->at[i].rc;
	buf_add_char(out, '[');
	for (size_t i = 0; i < b->n; i++)
		buf_add_fmt(out, "%s%.*s", i > 0 ? "," : "", FMT(b->at[i].shown));
	buf_add_char(out, ']');
	return call_json(c, STR_NONE);
}

/* b is in the request's arena, which an answer clears. */
static void
finish(struct batch *b)
{
	struct call *c = b->c;

	call_finish(c, answer(b));
}

static void
taken_back(void *ctx, int rc)
{
	struct batch *b = ctx;

	(void)rc;
	if (--b->left == 0)
		finish(b);
}

/* Another run of it could not be made. */
static void
take_back(struct batch *b)
{
	struct call *c = b->c;

	b->left = 1;
	for (size_t i = 0; i < b->n; i++) {
		struct one *one = &b->at[i];

		if (!one->made)
			continue;
		b->left++;
		run_cancel(c->api->runs, c->owner, &one->thread_id, &one->run_id, RUN_ROLLBACK,
		    S("api: another run of its batch could not be made"), taken_back, b);
	}
	taken_back(b, OK);
}

static void
settled(struct batch *b)
{
	bool failed = false;

	assert(b->left > 0);
	if (--b->left > 0)
		return;
	for (size_t i = 0; i < b->n; i++)
		failed = failed || b->at[i].rc < 0;
	if (failed)
		take_back(b);
	else
		finish(b);
}

static void
one_failed(struct one *one, int rc, const struct err *e)
{
	struct batch *b = one->of;

	one->rc = rc;
	if (b->c->err.text[0] == '\0')
		err_set(&b->c->err, rc, "%zu: %s", (size_t)(one - b->at), e->text);
}

static void
one_made(void *ctx, int rc, const struct store_run *run, const struct err *e)
{
	struct one *one = ctx;
	struct call *c = one->of->c;
	struct buf *b = &c->api->scratch;
	struct err large;

	if (rc < 0) {
		one_failed(one, rc, e);
		settled(one->of);
		return;
	}
	one->made = true;
	one->thread_id = run->thread_id;
	one->run_id = run->id;
	buf_clear(b);
	b->failed = false;
	members_add(b, run_members, MEMBERS_ALL, run);
	one->shown = b->failed ? STR_NONE : arena_str(&c->r->arena, buf_str(b));
	if (one->shown.n == 0)
		one_failed(one, err_set(&large, ERR_TOOBIG, "the answer is too large"),
		    &large);
	settled(one->of);
}

/* ---- the beginning ------------------------------------------------------------ */

static void
read_one(struct call *c, struct one *one)
{
	rename_fields(c, one);
	absent_check(c, PLACE_RUN);
	if (!json_is_null(json_get(c->in->node, S("thread_id"))))
		fields_fail(c->in, "thread_id", ERR_INVALID, "runs of a batch have no "
		    "thread; use POST /threads/{thread_id}/runs");
	call_read_run(c, &one->ask);
}

static int
read_all(struct call *c, struct batch *b)
{
	struct fields *all = c->in, body;

	for (size_t i = 0; fields_next(all, &body); i++) {
		c->in = &body;
		b->at[i].of = b;
		read_one(c, &b->at[i]);
		/* A failure of what the body names, such as its assistant. */
		if (body.rc < 0 && all->rc == OK) {
			struct err e = c->err;

			all->rc = err_set(&c->err, body.rc, "%zu: %s", i, e.text);
		}
	}
	c->in = all;
	return all->rc;
}

static void
start_all(struct call *c, struct batch *b)
{
	b->left = b->n + 1;
	for (size_t i = 0; i < b->n; i++) {
		struct one *one = &b->at[i];
		struct err e = { 0 };
		int rc = run_start(c->api->runs, &one->ask.q, NULL, one_made, one, &e);

		if (rc < 0) {
			one_failed(one, rc, &e);
			b->left--;
		}
	}
	c->in = NULL;
}

int
api_run_batch(struct call *c)
{
	struct batch *b = arena_new(&c->r->arena, struct batch);
	int rc = c->in->rc;

	if (rc == OK && json_count(c->in->node) == 0)
		fields_fail(c->in, NULL, rc = ERR_INVALID, "expected some runs, got none");
	if (rc < 0)
		return rc;
	assert(b != NULL);
	b->c = c;
	b->n = json_count(c->in->node);
	b->at = arena_zero(&c->r->arena, b->n * sizeof *b->at);
	if (b->at == NULL)
		return err_set(&c->err, ERR_TOOBIG, "too large");
	rc = read_all(c, b);
	if (rc == OK)
		start_all(c, b);
	for (size_t i = 0; i < b->n; i++)
		json_release(&b->at[i].renamed);
	if (rc == OK)
		settled(b);
	return rc;
}

/* ---- cancelling many ----------------------------------------------------------- */

/* The runs to cancel: by their ids (named), or page by page those with a status or of an
 * assistant. */
struct cancels {
	struct call *c;
	bool rollback, named;
	struct str why;
	struct uuid thread_id, assistant;
	int (*then)(void *ctx, int rc);      /* of an assistant's; else NULL */
	void *ctx;
	int status;                          /* -1: pending and running */
	int64_t after;                       /* the last run of the page */
	size_t left, found;
	int rc;
};

static int next_page(struct cancels *x);

static int
cancels_answer(struct cancels *x)
{
	struct call *c = x->c;

	if (x->then != NULL)
		return x->then(x->ctx, x->rc);
	if (x->rc == ERR_NOTFOUND && x->named)
		return err_set(&c->err, ERR_NOTFOUND, "Run not found");
	if (x->rc < 0 && x->rc != ERR_NOTFOUND)
		return x->rc;
	if (x->found == 0)
		return err_set(&c->err, ERR_NOTFOUND, "No runs found to cancel.");
	call_empty(c, 204);
	return OK;
}

static void
cancels_settled(struct cancels *x)
{
	struct call *c = x->c;               /* x goes with the answer */

	assert(x->left > 0);
	if (--x->left > 0)
		return;
	call_finish(c, x->named || x->after == 0 ? cancels_answer(x) : next_page(x));
}

static void
one_cancelled(void *ctx, int rc)
{
	struct cancels *x = ctx;

	if (rc < 0 && x->rc >= 0)
		x->rc = rc;
	cancels_settled(x);
}

static void
cancel_one(struct cancels *x, const struct uuid *thread_id, const struct uuid *run_id)
{
	struct call *c = x->c;

	/* Hidden by the policy: it is not there.  Runs of an assistant end with it. */
	if (x->then == NULL && call_may_run(c, THREADS_UPDATE, run_id) < 0) {
		x->rc = x->rc < 0 ? x->rc : ERR_NOTFOUND;
		return;
	}
	x->left++;
	x->found++;
	run_cancel(c->api->runs, c->owner, thread_id, run_id, x->rollback ? RUN_ROLLBACK : 0, x->why,
	    one_cancelled, x);
}

static int
page_found(struct call *c)
{
	const struct store_run_active *op = &c->op.run_active;
	struct cancels *x = op->ctx;

	x->left = 1;
	x->after = op->found_n == (size_t)op->limit ? op->found[op->found_n - 1].seq : 0;
	for (size_t i = 0; i < op->found_n; i++)
		cancel_one(x, &op->found[i].thread_id, &op->found[i].run_id);
	cancels_settled(x);
	return OK;
}

static int
next_page(struct cancels *x)
{
	x->c->op.run_active = (struct store_run_active){ .status = x->status,
	    .assistant = x->assistant, .after = x->after, .limit = LIMIT_CANCEL_RUNS, .ctx = x };
	return call_submit(x->c, STORE_RUN_ACTIVE, page_found);
}

int
api_runs_end(struct call *c, const struct uuid *assistant, struct str why,
    int (*then)(void *ctx, int rc), void *ctx)
{
	struct cancels *x = arena_new(&c->r->arena, struct cancels);

	if (x == NULL)
		return err_set(&c->err, ERR_TOOBIG, "too large");
	*x = (struct cancels){ .c = c, .why = why, .assistant = *assistant, .then = then,
	    .ctx = ctx, .status = -1 };
	return next_page(x);
}

/* Runs of any threads, each with its thread: as a search has found them. */
static struct store_run_name *
read_runs(struct call *c, size_t *n)
{
	struct store_run_name *runs = NULL;
	struct fields all, one;

	*n = 0;
	if (!fields_array(c->in, "runs", LIMIT_CANCEL_RUNS, &all))
		return NULL;
	runs = arena_alloc(&c->r->arena, LIMIT_CANCEL_RUNS * sizeof *runs);
	if (runs == NULL)
		fields_fail(c->in, "runs", ERR_TOOBIG, "the request is too large");
	while (runs != NULL && fields_next(&all, &one)) {
		struct str thread = STR_NONE, run = STR_NONE;

		fields_need_str(&one, "thread_id", LIMIT_NAME_BYTES, "a UUID", &thread);
		fields_need_str(&one, "run_id", LIMIT_NAME_BYTES, "a UUID", &run);
		if (one.rc == OK && !uuid_parse(thread, &runs[*n].thread_id))
			fields_fail(&one, "thread_id", ERR_INVALID, "expected a UUID");
		if (one.rc == OK && !uuid_parse(run, &runs[*n].run_id))
			fields_fail(&one, "run_id", ERR_INVALID, "expected a UUID");
		++*n;
	}
	if (c->in->rc == OK && *n == 0)
		fields_fail(c->in, "runs", ERR_INVALID, "expected at least one run");
	if (c->in->rc == OK && (fields_any(c->in, "status") != NULL ||
	    fields_any(c->in, "thread_id") != NULL || fields_any(c->in, "run_ids") != NULL))
		fields_fail(c->in, "runs", ERR_INVALID, "not together with status, thread_id and "
		    "run_ids");
	return runs;
}

static int
cancel_runs(struct cancels *x, const struct store_run_name *runs, size_t n)
{
	x->named = true;
	x->c->in = NULL;
	x->left = 1;
	for (size_t i = 0; i < n; i++)
		cancel_one(x, &runs[i].thread_id, &runs[i].run_id);
	cancels_settled(x);
	return OK;
}

/* thread_id and run_ids go together, and not with a status. */
static bool
read_whom(struct call *c, struct cancels *x, struct words *ids)
{
	static const char *const words[] = { "pending", "running", "all", NULL };
	struct str thread = STR_NONE;
	int status = -1;

	call_read_str(c, "thread_id", LIMIT_NAME_BYTES, &thread);
	*ids = call_read_list(c, "run_ids", LIMIT_CANCEL_RUNS);
	fields_enum(c->in, "status", words, &status);
	x->named = status < 0;
	x->status = status == 2 ? -1 : status;
	if (status >= 0 && (thread.n > 0 || ids->n > 0))
		fields_fail(c->in, "status", ERR_INVALID, "not together with thread_id "
		    "and run_ids");
	if (status < 0 && (thread.n == 0 || ids->n == 0))
		fields_fail(c->in, NULL, ERR_INVALID, "expected a status, or thread_id "
		    "and run_ids");
	if (x->named)
		call_parse_id(c, "thread_id", thread, &x->thread_id);
	return c->in->rc == OK;
}

int
api_run_cancel_many(struct call *c)
{
	static const char *const actions[] = { "interrupt", "rollback", NULL };
	struct cancels *x = arena_new(&c->r->arena, struct cancels);
	struct store_run_name *these;
	struct uuid *runs;
	struct words ids;
	size_t n;
	int action = 0;

	assert(x != NULL);
	x->c = c;
	x->why = S("api: cancelled by request");
	param_word(c, "action", actions, &action);
	x->rollback = action == 1;
	these = read_runs(c, &n);
	if (these != NULL)
		return c->in->rc == OK ? cancel_runs(x, these, n) : c->in->rc;
	if (!read_whom(c, x, &ids))
		return c->in->rc;
	if (!x->named)
		return next_page(x);
	runs = call_parse_ids(c, "run_ids", ids);
	if (runs == NULL)
		return c->in->rc;
	c->in = NULL;
	x->left = 1;
	for (size_t i = 0; i < ids.n; i++)
		cancel_one(x, &x->thread_id, &runs[i]);
	cancels_settled(x);
	return OK;
}
