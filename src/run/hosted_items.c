/*
 * hosted_items.c - a worker's operations on the store of items, under the run's owner: one
 * request is some of them, done one after the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/hosted_priv.h"
#include "store/items.h"

#define ITEMS_ARENA (4u * (size_t)LIMIT_STATE_BYTES)
#define SEARCH_DEFAULT 10
#define NAMESPACES_DEFAULT 100

struct ops {
	union {
		struct store_cmd cmd;
		struct store_item_put put;
		struct store_item_delete del;
		struct store_item_search search;
		struct store_namespace_list names;
	} c;
	struct arena arena;                  /* of the command under way */
	struct json_iter at;
	size_t i;                            /* of the operation under way */
	struct buf out;
	struct worker_call *call;
	struct run *run;
};

static void
finish(struct ops *x, int rc, const struct err *e)
{
	struct run *run = x->run;

	buf_add_char(&x->out, ']');
	worker_call_answer(x->call, rc, rc == OK ? buf_str(&x->out) : STR_NONE, e);
	buf_release(&x->out);
	arena_release(&x->arena);
	free(x);
	run_returned(run);
}

/* ---- arguments -------------------------------------------------------------------------- */

/* Labels with `dot` between; any: `*` may stand for one. */
static int
read_labels(struct ops *x, jnode op, const char *key, char dot, bool needed, struct str *out,
    struct err *e)
{
	jnode list = json_get(op, str_of(key));
	struct json_iter it = json_each(list);
	struct buf b = BUF(LIMIT_NAMESPACE_LABELS * (LIMIT_NAME_BYTES + 1));
	bool first = true;
	int rc = OK;

	*out = STR_NONE;
	if (json_is_null(list) && !needed)
		return OK;
	if (!json_is_array(list) || json_count(list) > LIMIT_NAMESPACE_LABELS ||
	    (needed && json_count(list) == 0))
		return err_set(e, ERR_INVALID, "ops[%zu].%s: expected an array of 1 to %d "
		    "strings, got %s", x->i, key, LIMIT_NAMESPACE_LABELS, json_kind(list));
	while (rc == OK && json_next(&it)) {
		struct str label = json_str(it.value);

		if (!json_is_string(it.value) || label.n == 0 || label.n > LIMIT_NAME_BYTES ||
		    str_index(label, '.') >= 0)
			rc = err_set(e, ERR_INVALID, "ops[%zu].%s: a label is a string of 1 to "
			    "%d bytes without periods", x->i, key, LIMIT_NAME_BYTES);
		if (!first)
			buf_add_char(&b, dot);
		first = false;
		buf_add(&b, label);
	}
	*out = arena_str(&x->arena, buf_str(&b));
	buf_release(&b);
	return rc;
}

static int
read_place(struct ops *x, jnode op, struct str *ns, struct str *key, struct err *e)
{
	jnode n = json_get(op, S("key"));
	int rc = read_labels(x, op, "namespace", '.', true, ns, e);

	if (rc == OK && (!json_is_string(n) || json_str(n).n == 0 ||
	    json_str(n).n > LIMIT_NAME_BYTES))
		rc = err_set(e, ERR_INVALID, "ops[%zu].key: expected a string of 1 to %d bytes",
		    x->i, LIMIT_NAME_BYTES);
	*key = rc == OK ? arena_str(&x->arena, json_str(n)) : STR_NONE;
	return rc;
}

static struct str
node_text(struct ops *x, jnode n)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct str text;

	json_add_node(&b, n);
	x->arena.failed |= b.failed;
	text = arena_str(&x->arena, buf_str(&b));
	buf_release(&b);
	return text;
}

static msec
now_of(const struct ops *x)
{
	return shard_wall(x->run->rs->shard);
}

/* Minutes, and parts of them. */
static int
read_ttl(const struct ops *x, jnode op, msec *out, struct err *e)
{
	double minutes = -1;
	char path[48];
	int rc;

	snprintf(path, sizeof path, "ops[%zu].ttl", x->i);
	rc = json_get_number(op, "ttl", path, -1, 0, 1e9, &minutes, e);
	*out = minutes < 0 ? ITEM_TTL_DEFAULT : (msec)(minutes * 60000);
	return rc;
}

static int
read_number(const struct ops *x, jnode op, const char *key, int64_t none, int64_t max,
    int64_t *out, struct err *e)
{
	char path[48];

	snprintf(path, sizeof path, "ops[%zu].%s", x->i, key);
	return json_get_int(op, key, path, none, 0, max, out, e);
}

/* ---- results ------------------------------------------------------------------------------- */

static void
add_item(struct ops *x, const struct store_item *i)
{
	struct val v = saved_item(i);

	json_add_comma(&x->out);
	if (i->has_score)
		v = val_set_take(v, S("score"), val_double(i->score));
	val_add_json(&x->out, v);
	val_drop(v);
}

static void
add_found(struct ops *x)
{
	const struct store_item_search *s = &x->c.search;

	json_add_comma(&x->out);
	buf_add_char(&x->out, '[');
	for (size_t i = 0; i < s->items_n; i++)
		add_item(x, &s->items[i]);
	buf_add_char(&x->out, ']');
	items_touch(x->run->rs, s->cmd.owner, s->items, s->items_n);
}

static void
add_names(struct ops *x)
{
	json_add_comma(&x->out);
	buf_add_char(&x->out, '[');
	for (size_t i = 0; i < x->c.names.paths_n; i++) {
		struct str rest = x->c.names.paths[i], label;

		json_add_comma(&x->out);
		buf_add_char(&x->out, '[');
		while (str_next(&rest, '\0', &label))
			json_add_fmt(&x->out, ",%.*s", FMT(label));
		buf_add_char(&x->out, ']');
	}
	buf_add_char(&x->out, ']');
}

/* ---- operations: OK: it is done; ERR_AGAIN: it is a command --------------------------------- */

static int
op_get(struct ops *x, jnode op, struct err *e)
{
	struct run *run = x->run;
	struct store_item item;
	struct str ns, key;
	int rc = read_place(x, op, &ns, &key, e);

	if (rc != OK)
		return rc;
	rc = store_item_get(run->rs->reader, run->place.owner, ns, key, now_of(x), &x->arena,
	    &item);
	if (rc != OK && rc != ERR_NOTFOUND)
		return err_set(e, rc, "ops[%zu]: the item could not be read", x->i);
	if (rc == OK) {
		items_touch(run->rs, run->place.owner, &item, 1);
		add_item(x, &item);
	} else {
		json_add_comma(&x->out);
		buf_lit(&x->out, "null");
	}
	return OK;
}

static int
op_put(struct ops *x, jnode op, struct err *e)
{
	jnode value = json_get(op, S("value")), index = json_get(op, S("index"));
	struct store_item item = { .created = now_of(x), .updated = now_of(x) };
	int rc = read_place(x, op, &item.ns, &item.key, e);

	if (rc == OK)
		rc = read_ttl(x, op, &item.ttl, e);
	if (rc == OK && value != NULL && json_is_null(value)) {
		x->c.del.ns = item.ns;
		x->c.del.key = item.key;
		x->c.cmd.op = STORE_ITEM_DELETE;
		return ERR_AGAIN;
	}
	if (rc == OK && !json_is_object(value))
		rc = err_set(e, ERR_INVALID, "ops[%zu].value: expected an object or null, got "
		    "%s", x->i, json_kind(value));
	if (rc != OK)
		return rc;
	item.value_json = node_text(x, value);
	x->c.put.item = item;
	if (json_is_array(index))
		x->c.put.paths_json = node_text(x, index);
	else if (json_is_bool(index) && !json_bool(index))
		x->c.put.paths_json = S("[]");
	x->c.cmd.op = STORE_ITEM_PUT;
	return ERR_AGAIN;
}

static int
op_search(struct ops *x, jnode op, struct err *e)
{
	struct store_item_search *s = &x->c.search;
	jnode filter = json_get(op, S("filter")), query = json_get(op, S("query"));
	int rc = read_labels(x, op, "namespace", '.', false, &s->ns, e);

	if (rc == OK && !json_is_null(filter) && !json_is_object(filter))
		rc = err_set(e, ERR_INVALID, "ops[%zu].filter: expected an object, got %s",
		    x->i, json_kind(filter));
	if (rc == OK)
		rc = read_number(x, op, "limit", SEARCH_DEFAULT, LIMIT_PAGE_ROWS, &s->limit, e);
	if (rc == OK)
		rc = read_number(x, op, "offset", 0, INT32_MAX, &s->offset, e);
	if (rc != OK)
		return rc;
	s->filter_json = json_is_null(filter) ? S("{}") : node_text(x, filter);
	s->query = json_is_string(query) ? arena_str(&x->arena, json_str(query)) : STR_NONE;
	s->now = now_of(x);
	x->c.cmd.op = STORE_ITEM_SEARCH;
	return ERR_AGAIN;
}

static int
op_names(struct ops *x, jnode op, struct err *e)
{
	struct store_namespace_list *n = &x->c.names;
	int rc = read_labels(x, op, "prefix", '\0', false, &n->prefix, e);

	if (rc == OK)
		rc = read_labels(x, op, "suffix", '\0', false, &n->suffix, e);
	if (rc == OK)
		rc = read_number(x, op, "max_depth", 0, LIMIT_NAMESPACE_LABELS, &n->max_depth, e);
	if (rc == OK)
		rc = read_number(x, op, "limit", NAMESPACES_DEFAULT, LIMIT_PAGE_ROWS, &n->limit,
		    e);
	if (rc == OK)
		rc = read_number(x, op, "offset", 0, INT32_MAX, &n->offset, e);
	n->now = now_of(x);
	x->c.cmd.op = STORE_NAMESPACE_LIST;
	return rc == OK ? ERR_AGAIN : rc;
}

static const char *const op_words[] = { "get", "put", "search", "namespaces", NULL };
static int (*const ops[])(struct ops *x, jnode op, struct err *e) = {
	op_get, op_put, op_search, op_names,
};

static void go_on(struct ops *x);

static void
came(struct store_cmd *cmd)
{
	struct ops *x = CONTAINER_OF(cmd, struct ops, c.cmd);

	if (cmd->rc != OK) {
		finish(x, cmd->rc, &cmd->err);
		return;
	}
	if (cmd->op == STORE_ITEM_SEARCH) {
		add_found(x);
	} else if (cmd->op == STORE_NAMESPACE_LIST) {
		add_names(x);
	} else {
		json_add_comma(&x->out);
		buf_lit(&x->out, "null");
	}
	go_on(x);
}

static int
submit(struct ops *x, struct err *e)
{
	struct runs *rs = x->run->rs;
	int rc;

	if (arena_rc(&x->arena) != OK)
		return err_set(e, ERR_TOOBIG, "ops[%zu]: the value is too large", x->i);
	x->c.cmd.owner = x->run->place.owner;
	x->c.cmd.arena = &x->arena;
	x->c.cmd.done = came;
	rc = items_submit(rs, &x->c.cmd);
	return rc == OK ? OK : err_set(e, rc, "the write queue is full; try again");
}

/* The next operations, up to one that is a command. */
static void
go_on(struct ops *x)
{
	struct err e = { 0 };
	int rc = OK;

	for (x->i++; json_next(&x->at); x->i++) {
		int word = -1;

		arena_clear(&x->arena);
		memset(&x->c, 0, sizeof x->c);
		rc = json_get_enum(x->at.value, "op", "ops[].op", op_words, -1, &word, &e);
		if (rc == OK && word < 0)
			rc = err_set(&e, ERR_INVALID, "ops[%zu].op: expected \"get\", \"put\", "
			    "\"search\" or \"namespaces\"", x->i);
		if (rc == OK)
			rc = ops[word](x, x->at.value, &e);
		if (rc == ERR_AGAIN) {
			rc = submit(x, &e);
			if (rc == OK)
				return;
		}
		if (rc != OK)
			break;
	}
	finish(x, rc, &e);
}

void
hosted_items(struct hosted *h, struct worker_call *c)
{
	hosted_items_of(h->job->run, c);
}

void
hosted_items_of(struct run *run, struct worker_call *c)
{
	jnode list;
	struct err e;
	struct ops *x;
	int rc = json_get_array(c->body, "ops", "ops", &list, &e);

	if (rc == OK && json_count(list) > LIMIT_PAGE_ROWS)
		rc = err_set(&e, ERR_INVALID, "ops: more than %d", LIMIT_PAGE_ROWS);
	if (rc != OK) {
		worker_call_answer(c, rc, STR_NONE, &e);
		return;
	}
	x = mem_new(struct ops);
	x->arena = ARENA(ITEMS_ARENA);
	x->out = BUF(SIZE_MAX / 2);
	buf_lit(&x->out, "\"results\":[");
	x->at = json_each(list);
	x->i = (size_t)-1;
	x->call = c;
	x->run = run_hold(run);
	runs_busy(run->rs, 1);
	go_on(x);
}
