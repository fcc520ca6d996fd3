/*
 * batch.c - many operations in one transaction: all or nothing.
 *
 * The answers are written one after the other into the batch's own answer, and
 * where each one ends is remembered.  When an operation fails, what was
 * written is put together again with the mark that it was rolled back.  With
 * `partial` each operation stands or falls by itself.
 *
 * {"$ref": n} anywhere in the arguments is the id that operation n answered.
 * Arguments without one are used as they came.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "work/work_priv.h"

#define PATH_BYTES 256                       /* of an error in arguments */

struct result {
	size_t from, to;                     /* its data in the answer */
	bool ok;
};

struct batch {
	struct work *w;
	struct work_call *c;
	bool partial;
	size_t total, at;                    /* operations; the one that runs */
	size_t start;                        /* of the answer in c->data */
	struct result *results;
	struct str *names;                   /* of the operations */
	struct buf args;                     /* of one, with its references put in */
};

/* ---- the list ------------------------------------------------------------------------ */

static int
entry_check(struct work *w, jnode entry, size_t i)
{
	struct json_iter it = json_each(entry);

	if (!json_is_object(entry))
		return work_fail(w, ERR_INVALID, "operations[%zu]: expected an object, "
		    "got %s", i, json_kind(entry));
	while (json_next(&it)) {
		struct str key = json_str(it.key);

		if (!str_eq(key, S("operation")) && !str_eq(key, S("args")))
			return work_fail(w, ERR_INVALID, "operations[%zu]: unknown member "
			    "\"%.*s\"; expected \"operation\" and \"args\"", i,
			    (int)(key.n < 40 ? key.n : 40), key.p);
	}
	if (!json_is_string(json_get(entry, S("operation"))))
		return work_fail(w, ERR_INVALID, "operations[%zu].operation: expected a "
		    "name, got %s", i,
		    json_kind(json_get(entry, S("operation"))));
	return OK;
}

static int
entries_check(struct work *w, jnode list)
{
	struct json_iter it = json_each(list);
	int rc = OK;

	if (json_count(list) > LIMIT_WORK_BATCH)
		return work_fail(w, ERR_TOOBIG, "operations: at most %d, got %zu",
		    LIMIT_WORK_BATCH, json_count(list));
	for (size_t i = 0; rc == OK && json_next(&it); i++)
		rc = entry_check(w, it.value, i);
	return rc;
}

/* ---- references ------------------------------------------------------------------------ */

static bool
refers(jnode n)
{
	struct json_iter it = json_each(n);
	bool found = json_is_object(n) && json_get(n, S("$ref")) != NULL;

	while (!found && json_next(&it))
		found = refers(it.value);
	return found;
}

/* The id of result n, to b->args. */
static int
id_put(struct batch *b, size_t n, struct work_call *c, const struct buf *path)
{
	const struct result *r = &b->results[n];
	struct json_doc doc;
	struct err e;
	int rc = OK;

	b->w->call = c;
	if (!r->ok)
		rc = work_fail(b->w, ERR_INVALID, "%.*s.$ref: operation %zu failed",
		    FMT(buf_str(path)), n);
	else if (json_parse(&doc, str_sub(buf_str(b->c->data), r->from,
	    r->to - r->from), &e) != OK) {
		json_release(&doc);
		rc = work_fail(b->w, ERR_IO, "the result of operation %zu: %s", n,
		    e.text);
	} else {
		jnode id = json_is_object(doc.root) ?
		    json_get(doc.root, S("id")) : NULL;

		if (json_is_string(id))
			json_add_str(&b->args, json_str(id));
		else
			rc = work_fail(b->w, ERR_INVALID, "%.*s.$ref: the result of "
			    "operation %zu (%.*s) is %s without an id",
			    FMT(buf_str(path)), n, FMT(b->names[n]),
			    json_kind(doc.root));
		json_release(&doc);
	}
	b->w->call = b->c;
	return rc;
}

static int
ref_put(struct batch *b, jnode n, struct work_call *c, const struct buf *path)
{
	jnode to = json_get(n, S("$ref"));
	struct str at = buf_str(path);

	if (json_count(n) != 1)
		return err_set(&c->err, ERR_INVALID, "%.*s: {\"$ref\": n} takes no "
		    "other members", FMT(at));
	if (!json_is_int(to))
		return err_set(&c->err, ERR_INVALID, "%.*s.$ref: expected the number "
		    "of an earlier operation, got %s", FMT(at), json_kind(to));
	if (json_int(to) < 0 || (size_t)json_int(to) >= b->at)
		return err_set(&c->err, ERR_INVALID, "%.*s.$ref: expected the number "
		    "of an operation before this one (%zu; the first is 0), got "
		    "%lld", FMT(at), b->at, (long long)json_int(to));
	return id_put(b, (size_t)json_int(to), c, path);
}

/* The node, to b->args, with the references in it replaced. */
static int
node_put(struct batch *b, jnode n, struct work_call *c, struct buf *path)
{
	struct json_iter it = json_each(n);
	bool object = json_is_object(n);
	int rc = OK;

	if (object && json_get(n, S("$ref")) != NULL)
		return ref_put(b, n, c, path);
	if (!object && !json_is_array(n)) {
		json_add_node(&b->args, n);
		return OK;
	}
	buf_add_char(&b->args, object ? '{' : '[');
	for (size_t i = 0; rc == OK && json_next(&it); i++) {
		size_t at = path->n;

		json_add_comma(&b->args);
		if (object) {
			json_add_fmt(&b->args, "%p:", it.key);
			buf_add_fmt(path, ".%.*s", FMT(json_str(it.key)));
		} else {
			buf_add_fmt(path, "[%zu]", i);
		}
		rc = node_put(b, it.value, c, path);
		buf_cut(path, at);
	}
	buf_add_char(&b->args, object ? '}' : ']');
	return rc;
}

/* c->args as the operation gets them; what was made for it is in doc. */
static int
args_take(struct batch *b, jnode args, struct work_call *c, struct json_doc *doc)
{
	struct buf path = BUF(PATH_BYTES);
	int rc;

	c->args = json_is_null(args) ? NULL : args;
	if (c->args == NULL || !refers(args))
		return OK;
	buf_clear(&b->args);
	buf_lit(&path, "args");
	rc = node_put(b, args, c, &path);
	buf_release(&path);
	if (rc == OK && b->args.failed)
		rc = err_set(&c->err, ERR_TOOBIG, "args: too large");
	if (rc == OK)
		rc = json_parse(doc, buf_str(&b->args), &c->err);
	c->args = doc->root;
	return rc;
}

/* ---- one operation -------------------------------------------------------------------- */

static void
failure_add(struct buf *out, int rc, const char *words)
{
	json_add_fmt(out, "{'success':false,'error':%s,'code':%s}", words, rc_name(rc));
}

/* Its result is in the answer, if it is OK. */
static int
entry_run(struct batch *b, jnode entry, struct work_call *c)
{
	struct result *r = &b->results[b->at];
	struct buf *out = b->c->data;
	struct json_doc doc = { 0 };
	int rc;

	json_add_fmt(out, ",{'success':true,'data':");
	r->from = out->n;
	rc = args_take(b, json_get(entry, S("args")), c, &doc);
	if (rc == OK)
		rc = b->partial ? work_run_apart(b->w, c) : work_run_inner(b->w, c);
	r->to = out->n;
	r->ok = rc == OK;
	buf_add_char(out, '}');
	json_release(&doc);
	arena_clear(&b->w->a);
	return rc;
}

/* The words of a failed operation in those of the batch. */
static int
words_take(struct batch *b, const struct err *e, int rc)
{
	return work_fail(b->w, rc, "operation %zu (%.*s): %.*s; nothing was changed",
	    b->at, FMT(str_cut(b->names[b->at], 32)),
	    FMT(str_cut(str_of(e->text), 400)));
}

/* Writes the answer again for a batch that was rolled back: the results so far,
 * then the failure of the operation that ran (words NULL: none). */
static void
rolled_back(struct batch *b, int rc, const char *words)
{
	struct buf *data = b->c->data;
	struct buf out = BUF(data->max);

	json_add_fmt(&out, "{'results':[");
	for (size_t i = 0; i < b->at; i++) {
		const struct result *r = &b->results[i];
		struct str text = str_sub(buf_str(data), r->from, r->to - r->from);

		if (r->ok)
			json_add_fmt(&out, ",{'success':true,'data':%-.*s,"
			    "'rolled_back':true}", FMT(text));
		else
			json_add_fmt(&out, ",%-.*s,'rolled_back':true}",
			    FMT(str_sub(text, 0, text.n - 1)));
	}
	if (words != NULL) {
		json_add_comma(&out);
		failure_add(&out, rc, words);
	}
	buf_lit(&out, "]}");
	buf_cut(data, b->start);
	data->failed = false;
	if (!out.failed)
		buf_add(data, buf_str(&out));
	buf_release(&out);
}

/* ---- all of them ------------------------------------------------------------------------- */

/* OK: go on.  A failure that is the medium's or the answer's ends a partial
 * batch too. */
static int
entry_step(struct batch *b, jnode entry)
{
	struct work_call c = { .tracker = b->c->tracker, .actor = b->c->actor,
		.now = b->c->now, .data = b->c->data };
	size_t begin = b->c->data->n;
	struct result *r = &b->results[b->at];
	int rc;

	c.operation = b->names[b->at] = json_str(json_get(entry, S("operation")));
	rc = entry_run(b, entry, &c);
	if (rc == OK)
		return OK;
	if (!b->partial || db_broken(&b->w->db) || b->c->data->failed) {
		words_take(b, &c.err, rc);
		rolled_back(b, rc, c.err.text);
		return rc;
	}
	buf_cut(b->c->data, begin);
	json_add_comma(b->c->data);
	r->from = b->c->data->n;
	failure_add(b->c->data, rc, c.err.text);
	r->to = b->c->data->n;
	return OK;
}

static int
tick(struct batch *b)
{
	int rc = b->c->tick == NULL ? OK :
	    b->c->tick(b->c->tick_ctx, b->at, b->total);

	if (rc == OK)
		return OK;
	work_fail(b->w, rc, "the batch was ended after %zu of %zu operations (%s); "
	    "nothing was changed", b->at, b->total, rc_text(rc));
	rolled_back(b, rc, NULL);
	return rc;
}

static int
batch_run(struct batch *b, jnode list)
{
	struct json_iter it = json_each(list);
	int rc = OK;

	json_add_fmt(b->c->data, "{'results':[");
	for (; rc == OK && json_next(&it); b->at++) {
		rc = tick(b);
		if (rc == OK)
			rc = entry_step(b, it.value);
		if (rc != OK)
			return rc;
	}
	buf_lit(b->c->data, "]}");
	return OK;
}

/* Each operation has an arena of its own: a long batch needs the memory of its
 * largest operation, not of all. */
int
op_batch(struct work *w, struct work_call *c)
{
	jnode list = arg_node(c, "operations");
	struct batch b = { .w = w, .c = c, .total = json_count(list),
		.partial = arg_bool(c, "partial"), .start = c->data->n,
		.args = BUF(LIMIT_WORK_MEMORY_BYTES) };
	struct arena kept = w->a;
	int rc = entries_check(w, list);

	if (rc != OK)
		return rc;
	b.results = mem_zero((b.total + 1) * sizeof *b.results);
	b.names = mem_zero((b.total + 1) * sizeof *b.names);
	w->a = ARENA(LIMIT_WORK_MEMORY_BYTES);
	rc = batch_run(&b, list);
	arena_release(&w->a);
	w->a = kept;
	buf_release(&b.args);
	free(b.results);
	free(b.names);
	return rc;
}
