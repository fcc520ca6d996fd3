/*
 * wasm_reload.c - a new version of a module while its agents have messages: over HTTP, with a
 * server of this executable.
 *
 *   deploy 1, spawn agents --> messages, replies ...                          ... --> books
 *                                   \-- deploy 2 by a strategy, until it is over --/
 *
 * Two connections: one sends a batch of requests and reads what replies there are, again and
 * again; the other deploys and looks.  Each request has a number, which its reply names; so a
 * reply that does not come, or comes twice, is seen.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/wasm_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bench/lean.h"
#include "bench/own.h"
#include "wasm/build.h"

#define AGENTS       8
#define BATCH        16
#define MESSAGES_MAX 200000
#define AFTER        500                     /* messages, when the reload is over */
#define REQUEST_MS   60000
#define REPLIES_MS   20000                   /* for the last ones */
#define LATE_NS      (60 * NS_PER_S)         /* a reload that is not over then failed */

static const struct reload {
	const char *name, *query;
	bool fails;                          /* the new version does not do its work */
} reloads[] = {
	{ "graceful", "strategy=graceful", false },
	{ "immediate", "strategy=immediate", false },
	{ "parallel", "strategy=parallel", false },
	{ "split", "strategy=split&percent=20&calls=100", false },
	{ "rollback", "strategy=split&percent=20&calls=100&error_percent=5", true },
};

/* One request after another on a connection. */
struct line {
	struct lean_conn *conn;
	struct buf path, body, answer;
	bool busy;
	int rc, status;
};

struct reloading {
	struct scratch scratch;
	struct own_process server;
	struct shard *shard;
	struct lean_target target;
	struct line load, deploy;
	const struct reload *now;
	struct buf module[3];                /* by version from 1; the last one fails */
	bool over;                           /* the reload */
	int64_t sent, came, twice, strange, by_new, moved;
	nsec *due;                           /* by number; 0: its reply came */
	struct hist times;
	nsec began, took;
};

/* ---- requests ------------------------------------------------------------------------- */

static void
on_data(void *ctx, struct str bytes)
{
	struct line *l = ctx;

	buf_add(&l->answer, bytes);
}

static void
on_done(void *ctx, int rc, int status, size_t bytes_in)
{
	struct line *l = ctx;

	(void)bytes_in;
	l->rc = rc;
	l->status = status;
	l->busy = false;
}

static void
line_send(struct line *l, const char *method, const char *type)
{
	char head[80];

	snprintf(head, sizeof head, "Content-Type: %s\r\n", type);
	buf_clear(&l->answer);
	l->busy = true;
	lean_send(l->conn, str_of(method), buf_str(&l->path), l->body.n > 0 ? str_of(head) :
	    STR_NONE, buf_str(&l->body), REQUEST_MS);
}

static int
line_result(const struct line *l, struct err *e)
{
	if (l->rc != OK)
		return err_set(e, ERR_IO, "%.*s: %s", FMT(buf_str(&l->path)), rc_text(l->rc));
	if (l->status != 200)
		return err_set(e, ERR_IO, "%.*s: answered %d: %.*s", FMT(buf_str(&l->path)),
		    l->status, FMT(str_cut(buf_str(&l->answer), 200)));
	return OK;
}

static int
line_ask(struct reloading *v, struct line *l, const char *method, const char *type, struct err *e)
{
	line_send(l, method, type);
	while (l->busy)
		shard_turn(v->shard);
	return line_result(l, e);
}

static void
line_path(struct line *l, const char *path)
{
	buf_clear(&l->path);
	buf_clear(&l->body);
	buf_add(&l->path, str_of(path));
}

/* ---- the server and its agents ------------------------------------------------------------ */

/* A guest that replies with its version; 3 says that it failed. */
static int
module_make(struct reloading *v, int version, struct err *e)
{
	char cache[WB_PATH + 16], text[1400];

	snprintf(cache, sizeof cache, "%s/text", v->scratch.root);
	snprintf(text, sizeof text,
	    "(module (import \"cohort\" \"reply\" (func $reply (param i32 i32) (result i32)))"
	    "(memory (export \"memory\") 1) (data (i32.const 16) \"{\\22content\\22:%d}\")"
	    "(func (export \"alloc\") (param i32) (result i32) (i32.const 1024))"
	    "(func (export \"handle_message\") (param i32 i32) (result i32)"
	    " (drop (call $reply (i32.const 16) (i32.const 13))) (i32.const %d)))", version,
	    version == 3);
	v->module[version - 1] = BUF(LIMIT_WASM_MODULE_BYTES);
	return wasm_text_read(cache, str_of(text), &v->module[version - 1], e);
}

static void
deploy_begin(struct reloading *v, int version, const char *query)
{
	line_path(&v->deploy, "/wasm/modules/bench?allow=reply&cpu=1s&");
	buf_add(&v->deploy.path, str_of(query));
	buf_add(&v->deploy.body, buf_str(&v->module[version - 1]));
	line_send(&v->deploy, "PUT", "application/wasm");
}

static int
deploy_first(struct reloading *v, struct err *e)
{
	deploy_begin(v, 1, "strategy=immediate");
	while (v->deploy.busy)
		shard_turn(v->shard);
	return line_result(&v->deploy, e);
}

static int
agent_new(struct reloading *v, const char *json, struct err *e)
{
	line_path(&v->load, "/agents");
	buf_add(&v->load.body, str_of(json));
	return line_ask(v, &v->load, "POST", "application/json", e);
}

static int
agents_new(struct reloading *v, struct err *e)
{
	int rc = agent_new(v, "{\"kind\":\"external\",\"durable\":false,\"name\":\"asker\","
	    "\"mailbox_max\":10000}", e);

	for (int i = 0; rc == OK && i < AGENTS; i++) {
		char json[120];

		snprintf(json, sizeof json, "{\"kind\":\"wasm\",\"graph_id\":\"bench\","
		    "\"durable\":false,\"name\":\"w%d\"}", i);
		rc = agent_new(v, json, e);
	}
	return rc;
}

static int
reloading_open(struct reloading *v, const char *scratch, struct err *e)
{
	static const struct lean_hooks hooks = { .data = on_data, .done = on_done };
	static const char *const args[] = { "serve", "--db", "bench.db", "--log-level", "error", NULL };
	struct line *lines[] = { &v->load, &v->deploy };
	int rc = scratch_make(&v->scratch, scratch, false, e);

	for (int version = 1; rc == OK && version <= 3; version++)
		rc = module_make(v, version, e);
	if (rc == OK)
		rc = shard_new(&v->shard, 0, e);
	if (rc == OK)
		rc = own_start(&v->server, &v->scratch, "serve", args, e);
	if (rc == OK)
		rc = lean_resolve(str_of(v->server.url), &v->target, e);
	for (size_t i = 0; rc == OK && i < COUNT(lines); i++) {
		*lines[i] = (struct line){ .path = BUF(KB), .body = BUF(MB), .answer = BUF(16 * MB) };
		lines[i]->conn = lean_new(v->shard, &v->target, &hooks, lines[i]);
	}
	if (rc == OK)
		rc = deploy_first(v, e);
	return rc == OK ? agents_new(v, e) : rc;
}

static void
reloading_close(struct reloading *v)
{
	struct line *lines[] = { &v->load, &v->deploy };

	for (size_t i = 0; i < COUNT(lines); i++) {
		if (lines[i]->conn != NULL)
			lean_free(lines[i]->conn);
		buf_release(&lines[i]->path);
		buf_release(&lines[i]->body);
		buf_release(&lines[i]->answer);
	}
	for (size_t i = 0; i < COUNT(v->module); i++)
		buf_release(&v->module[i]);
	own_stop(&v->server, &v->scratch);
	scratch_remove(&v->scratch);
	if (v->shard != NULL)
		shard_free(v->shard);
	free(v->due);
	free(v);
}

/* ---- messages ------------------------------------------------------------------------------ */

static int
send_batch(struct reloading *v, struct err *e)
{
	line_path(&v->load, "/agents/asker/messages");
	buf_lit(&v->load.body, "{\"messages\":[");
	for (int i = 0; i < BATCH; i++, v->sent++) {
		buf_add_fmt(&v->load.body, "%s{\"performative\":\"request\",\"receiver\":\"w%d\","
		    "\"content\":\"work\",\"reply_with\":\"%lld\",\"delivery\":{\"max_retries\":10}}",
		    i > 0 ? "," : "", (int)(v->sent % AGENTS), (long long)v->sent);
		v->due[v->sent] = clock_mono();
	}
	buf_lit(&v->load.body, "]}");
	return line_ask(v, &v->load, "POST", "application/json", e);
}

static void
take_reply(struct reloading *v, jnode message)
{
	int64_t n, version = json_int(json_get(message, S("content")));

	json_add_comma(&v->load.body);
	json_add_str(&v->load.body, json_str(json_get(message, S("message_id"))));
	if (!str_to_i64(json_str(json_get(message, S("in_reply_to"))), &n) || n < 0 || n >= v->sent) {
		v->strange++;
		return;
	}
	if (v->due[n] == 0) {
		v->twice++;
		return;
	}
	hist_add(&v->times, (uint64_t)(clock_mono() - v->due[n]));
	v->due[n] = 0;
	v->came++;
	v->by_new += version > 1;
}

/* What is there, and acks it.  wait: milliseconds for the first. */
static int
take_replies(struct reloading *v, int wait, struct err *e)
{
	struct json_doc d = { 0 };
	struct json_iter it;
	size_t n;
	int rc;

	line_path(&v->load, "/agents/asker/mailbox?max=100&wait=");
	buf_add_fmt(&v->load.path, "%d", wait);
	rc = line_ask(v, &v->load, "GET", "application/json", e);
	if (rc == OK)
		rc = json_parse(&d, buf_str(&v->load.answer), e);
	if (rc != OK)
		return rc;
	line_path(&v->load, "/agents/asker/mailbox/ack");
	buf_lit(&v->load.body, "{\"message_ids\":[");
	n = json_count(d.root);
	for (it = json_each(d.root); json_next(&it); )
		take_reply(v, it.value);
	buf_lit(&v->load.body, "]}");
	json_release(&d);
	return n > 0 ? line_ask(v, &v->load, "POST", "application/json", e) : OK;
}

/* The other line: the deployment, then looks until no reload is under way. */
static int
look(struct reloading *v, struct err *e)
{
	struct json_doc d = { 0 };
	bool looked = v->deploy.body.n == 0;
	int rc = line_result(&v->deploy, e);

	if (rc == OK && looked)
		rc = json_parse(&d, buf_str(&v->deploy.answer), e);
	if (rc != OK)
		return rc;
	if (looked && json_str(json_get(d.root, S("reload"))).n == 0) {
		v->over = true;
		v->took = clock_mono() - v->began;
		v->moved = v->now->fails ? str_starts(json_str(json_get(d.root, S("outcome"))),
		    S("rolled_back")) : 1;
	} else if (clock_mono() - v->began > LATE_NS) {
		rc = err_set(e, ERR_TIMEOUT, "%s: the reload is not over after a minute: %.*s",
		    v->now->name, FMT(str_cut(buf_str(&v->deploy.answer), 300)));
	} else {
		line_path(&v->deploy, "/wasm/modules/bench");
		line_send(&v->deploy, "GET", "application/json");
	}
	json_release(&d);
	return rc;
}

/* ---- the whole -------------------------------------------------------------------------------- */

static int
reload_run(struct reloading *v, int64_t messages, struct err *e)
{
	int64_t before = messages / 2, until = messages;
	bool begun = false, over = false;
	nsec last;
	int rc = OK;

	v->over = false;
	while (rc == OK && (!over || v->sent < until) && v->sent + BATCH <= MESSAGES_MAX) {
		if (!begun && v->sent >= before) {
			v->began = clock_mono();
			deploy_begin(v, v->now->fails ? 3 : 2, v->now->query);
			begun = true;
		}
		rc = send_batch(v, e);
		if (rc == OK)
			rc = take_replies(v, 0, e);
		if (rc == OK && begun && !v->over && !v->deploy.busy)
			rc = look(v, e);
		if (v->over && !over) {
			over = true;
			until = v->sent + AFTER > messages ? v->sent + AFTER : messages;
		}
	}
	last = clock_mono();
	while (rc == OK && v->came < v->sent && clock_mono() - last < REPLIES_MS * NS_PER_MS) {
		int64_t had = v->came;

		rc = take_replies(v, 1000, e);
		if (v->came > had)
			last = clock_mono();
	}
	return rc;
}

static void
value(struct report *r, double x, int digits, const char *name, const struct reload *of)
{
	char key[48];

	snprintf(key, sizeof key, "%s_%s", name, of->name);
	report_value(r, x, digits, key);
}

static int
reload_one(struct reloading *v, const struct reload *how, int64_t messages, struct report *r,
    struct err *e)
{
	int rc = deploy_first(v, e);

	v->now = how;
	v->sent = v->came = v->twice = v->strange = v->by_new = v->moved = 0;
	hist_clear(&v->times);
	if (rc == OK)
		rc = reload_run(v, messages, e);
	if (rc != OK)
		return rc;
	value(r, (double)v->sent, 0, "messages", how);
	value(r, (double)(v->sent - v->came), 0, "lost", how);
	value(r, (double)v->by_new, 0, "by_new", how);
	value(r, (double)v->took / 1e6, 0, "reload_ms", how);
	value(r, report_ms(&v->times, 50), 2, "reply_p50_ms", how);
	value(r, report_ms(&v->times, 99), 2, "reply_p99_ms", how);
	value(r, report_ms(&v->times, 100), 2, "reply_max_ms", how);
	report_check(r, v->came == v->sent && v->twice == 0 && v->strange == 0, "%s: each of %lld "
	    "messages has one reply: %lld have none, %lld two", how->name, (long long)v->sent,
	    (long long)(v->sent - v->came), (long long)v->twice);
	if (how->fails)
		report_check(r, v->moved && v->by_new == 0, "%s: a version that fails goes by "
		    "itself", how->name);
	else
		report_check(r, v->by_new > 0, "%s: the new version answers", how->name);
	return OK;
}

int
wasm_part_reload(const struct wasm_bench_options *o, struct report *r, struct err *e)
{
	struct reloading *v = mem_new(struct reloading);
	int64_t lost = 0, messages = 0;
	int rc = reloading_open(v, o->scratch, e);

	v->due = mem_zero(MESSAGES_MAX * sizeof *v->due);
	for (size_t i = 0; rc == OK && i < COUNT(reloads); i++) {
		rc = reload_one(v, &reloads[i], o->messages, r, e);
		lost += v->sent - v->came;
		messages += v->sent;
	}
	report_value(r, (double)lost, 0, "lost");
	report_value(r, (double)messages, 0, "messages");
	reloading_close(v);
	return rc;
}
