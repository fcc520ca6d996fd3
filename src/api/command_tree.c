/*
 * command_tree.c - agent.getTree: the graphs of a run and what has become of them, as
 * the lifecycle events of the thread tell.
 *
 * They are read like any reader reads them.  Of a run whose events are not kept there
 * is the root, from its row.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/command_priv.h"

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

struct node {
	struct list of_parent;               /* in its parent's children */
	struct list children;
	struct str ns;                       /* "a:id|b:id" */
	char *status, *graph;
	char text[];                         /* of ns */
};

struct tree {
	struct subscription s;
	struct command *x;
	struct uuid wanted;                  /* zero: the last one */
	struct uuid run_id;                  /* whose nodes these are; zero: none yet */
	bool passing;                        /* events are of this run */
	int64_t left;                        /* events to come */
	struct map nodes;
};

/* ---- nodes --------------------------------------------------------------------- */

static uint64_t
ns_hash(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static const void *
node_ns(const void *value)
{
	return &((const struct node *)value)->ns;
}

static bool
node_is(const void *value, const void *key)
{
	return str_eq(((const struct node *)value)->ns, *(const struct str *)key);
}

static void
nodes_clear(struct tree *t)
{
	size_t at = 0;
	struct node *n;

	for (n = map_each(&t->nodes, &at); n != NULL; n = map_each(&t->nodes, &at)) {
		free(n->status);
		free(n->graph);
		free(n);
	}
	map_release(&t->nodes);
	map_init(&t->nodes, ns_hash, node_is, node_ns);
}

/* The name before the id of the last segment. */
static struct str
name_of(struct str ns)
{
	struct str segment = STR_NONE;

	while (ns.n > 0 && str_next(&ns, '|', &segment))
		;
	return str_index(segment, ':') < 0 ? segment :
	    str_sub(segment, 0, (size_t)str_index(segment, ':'));
}

static struct str
parent_of(struct str ns)
{
	size_t n = ns.n;

	while (n > 0 && ns.p[n - 1] != '|')
		n--;
	return str_sub(ns, 0, n > 0 ? n - 1 : 0);
}

/* With all that is above it. */
static struct node *
node_get(struct tree *t, struct str ns)
{
	struct node *n = map_get(&t->nodes, &ns);

	if (n != NULL)
		return n;
	n = mem_zero(sizeof *n + ns.n);
	if (ns.n > 0)
		memcpy(n->text, ns.p, ns.n);
	n->ns = (struct str){ n->text, ns.n };
	n->status = mem_cstr(S("started"));
	n->graph = mem_cstr(name_of(ns));
	list_init(&n->children);
	map_put(&t->nodes, n);
	if (ns.n > 0)
		list_append(&node_get(t, parent_of(ns))->children, &n->of_parent);
	return n;
}

static void
node_set(struct node *n, struct str status, struct str graph)
{
	free(n->status);
	n->status = mem_cstr(status);
	if (graph.n == 0)
		return;
	free(n->graph);
	n->graph = mem_cstr(graph);
}

static void
add_namespace(struct buf *b, struct str ns)
{
	struct str segment;

	buf_add_char(b, '[');
	while (ns.n > 0 && str_next(&ns, '|', &segment))
		json_add_fmt(b, ",%.*s", FMT(segment));
	buf_add_char(b, ']');
}

/* As deep as agents are inside each other. */
static void
add_node(struct buf *b, const struct node *n)
{
	json_add_fmt(b, "{'namespace':");
	add_namespace(b, n->ns);
	json_add_fmt(b, ",'status':%s,'graph_name':%s", n->status, n->graph);
	if (!list_empty(&n->children)) {
		json_add_fmt(b, ",'children':[");
		for (const struct list *at = n->children.next; at != &n->children;
		    at = at->next) {
			json_add_comma(b);
			add_node(b, CONTAINER_OF(at, struct node, of_parent));
		}
		buf_add_char(b, ']');
	}
	buf_add_char(b, '}');
}

/* ---- the answer ------------------------------------------------------------------- */

static void
tree_free(struct tree *t)
{
	nodes_clear(t);
	map_release(&t->nodes);
	free(t);
}

static const char *
status_of(enum run_status s)
{
	static const char *const words[] = { [RUN_PENDING] = "started",
	    [RUN_RUNNING] = "running", [RUN_SUCCESS] = "completed", [RUN_ERROR] = "failed",
	    [RUN_TIMEOUT] = "failed", [RUN_INTERRUPTED] = "interrupted" };

	return words[s];
}

/* No event of it is kept. */
static int
find_run(struct call *c, struct uuid id, struct store_run *run)
{
	struct store_run_name *newest = NULL;
	struct store_thread t;
	size_t n = 0;
	int rc = api_thread_find(c, &t);

	if (rc == OK && uuid_is_zero(&id))
		rc = store_runs_newest(c->api->reader, c->owner, t.seq, 1, &c->r->arena,
		    &newest, &n);
	if (rc < 0)
		return rc;
	if (uuid_is_zero(&id) && n == 0)
		return err_set(&c->err, ERR_NOTFOUND, "no run was ever on the thread");
	if (uuid_is_zero(&id))
		id = newest->run_id;
	rc = store_run_get(c->api->reader, c->owner, &id, &c->r->arena, run);
	if (rc == OK && uuid_eq(&run->thread_id, &c->thread_id))
		return OK;
	return rc < 0 && rc != ERR_NOTFOUND ? rc : err_set(&c->err, ERR_NOTFOUND,
	    "run_id: there is no such run on the thread");
}

static void
tree_answer(struct tree *t)
{
	struct command *x = t->x;
	struct call *c = &x->c;
	struct store_run run;
	struct buf *b;
	int rc;

	if (uuid_is_zero(&t->run_id)) {
		rc = find_run(c, t->wanted, &run);
		if (rc < 0) {
			tree_free(t);
			call_fail(c, rc, &c->err);
			return;
		}
		node_set(node_get(t, STR_NONE), str_of(status_of(run.status)), run.graph_id);
	}
	b = command_result(x);
	buf_lit(b, "{\"tree\":");
	add_node(b, node_get(t, STR_NONE));
	buf_add_char(b, '}');
	tree_free(t);
	command_answer(x);
}

/* ---- what is read ------------------------------------------------------------------- */

/* "synth:RUN_ID:SEQ" of a root's event. */
static bool
run_of(struct str event_id, struct uuid *run)
{
	return str_starts(event_id, S("synth:")) &&
	    uuid_parse(str_sub(event_id, 6, UUID_TEXT), run);
}

static void
take_event(struct tree *t, jnode event)
{
	jnode params = json_get(event, S("params")), data = json_get(params, S("data"));
	struct json_iter it = json_each(json_get(params, S("namespace")));
	struct str status = json_str(json_get(data, S("event")));
	struct buf ns = BUF(LIMIT_CHECKPOINT_NS_BYTES);
	struct uuid run;

	if (run_of(json_str(json_get(event, S("event_id"))), &run) &&
	    str_eq(status, S("running"))) {
		t->passing = uuid_is_zero(&t->wanted) || uuid_eq(&run, &t->wanted);
		if (t->passing && !uuid_eq(&run, &t->run_id))
			nodes_clear(t);
		if (t->passing)
			t->run_id = run;
	}
	while (json_next(&it)) {
		buf_add(&ns, ns.n > 0 ? S("|") : STR_NONE);
		buf_add(&ns, json_str(it.value));
	}
	if (t->passing && !ns.failed)
		node_set(node_get(t, buf_str(&ns)), status,
		    json_str(json_get(data, S("graph_name"))));
	buf_release(&ns);
}

static bool
on_events(struct subscription *s, struct sse_block *b, int64_t first, int64_t last)
{
	struct tree *t = CONTAINER_OF(s, struct tree, s);
	struct str rest = { b->bytes, b->n }, line;
	struct json_doc d = { 0 };

	(void)first;
	(void)last;
	while (t->left > 0 && rest.n > 0 && str_next(&rest, '\n', &line)) {
		if (!str_starts(line, S("data: ")))
			continue;
		if (json_parse(&d, str_sub(line, 6, line.n), NULL) == OK)
			take_event(t, d.root);
		json_release(&d);
		t->left--;
	}
	if (t->left > 0)
		return true;
	unsubscribe(s);
	tree_answer(t);
	return true;
}

static void
on_opened(struct subscription *s, int64_t replayed)
{
	struct tree *t = CONTAINER_OF(s, struct tree, s);

	t->left = replayed;
	if (replayed > 0)
		return;
	unsubscribe(s);
	tree_answer(t);
}

static void
refused(struct command *x, int rc)
{
	struct err e;

	if (rc == ERR_LIMIT)
		err_set(&e, rc, "too many streams of threads are open; try again");
	else
		err_set(&e, rc == ERR_CLOSED ? ERR_BUSY : rc, "the thread's events could not be "
		    "read: %s", rc_text(rc));
	call_fail(&x->c, e.code, &e);
}

static void
on_end(struct subscription *s, int rc)
{
	struct tree *t = CONTAINER_OF(s, struct tree, s);
	struct command *x = t->x;

	tree_free(t);
	refused(x, rc);
}

int
command_get_tree(struct command *x)
{
	static const struct protocol_filter lifecycle = { .channels = CHANNEL_LIFECYCLE,
	    .depth = -1 };
	struct call *c = &x->c;
	struct str id = STR_NONE;
	struct uuid wanted = { { 0 } };
	struct tree *t;
	int rc;

	fields_str(c->in, "run_id", LIMIT_NAME_BYTES, &id);
	if (id.n > 0)
		call_parse_id(c, "run_id", id, &wanted);
	if (c->in->rc < 0)
		return c->in->rc;
	t = mem_new(struct tree);
	t->x = x;
	t->wanted = wanted;
	map_init(&t->nodes, ns_hash, node_is, node_ns);
	t->s = (struct subscription){ .filter = &lifecycle, .since = -1, .opened = on_opened,
	    .events = on_events, .end = on_end };
	rc = subscribe(c->api->runs, c->owner, &c->thread_id, &t->s);
	if (rc < 0) {
		tree_free(t);
		refused(x, rc);
	}
	return OK;
}
