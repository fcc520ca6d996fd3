/*
 * client.c - see client.h.
 *
 * The daemon, the engine in this process and a server give the same answer line;
 * the reply is read from it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rpc/rpc.h"
#include "work/host/client.h"
#include "work/host/daemon.h"
#include "work/host/workspace_priv.h"
#include "work/host/wire_priv.h"
#include "work/operation.h"

struct client {
	struct client_options o;
	bool may_ask, may_spawn;             /* a daemon */
	bool wants_spawn, spawned;
	struct rpc_client rpc;
	bool greeted;                        /* it knows our version */
	struct rpc_client feed;              /* subscribed to events */
	struct workdb workdb;
	bool workdb_open;
	bool held;
	const struct work_lines *lines;      /* of the call */
	uint64_t calls;
	struct buf line;
	nsec deadline;                       /* of the call */
	uint64_t keyed;                      /* calls that had a key */
	struct buf key;                      /* of the call */
};

/* Only a workspace has a daemon; a call leaves no lines behind. */
static void
check_client(const struct client *c)
{
	assert(c != NULL);
	assert(c->o.actor.n > 0 && c->o.actor.n <= LIMIT_WORK_NAME_BYTES);
	assert(c->o.workspace != NULL || c->o.remote != NULL);
	assert(!c->may_ask || c->o.workspace != NULL);
	assert(!c->may_spawn || c->may_ask);
	assert(c->lines == NULL);
}

static bool
env_says(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && v[0] != '\0' && strcmp(v, "0") != 0 &&
	    strcmp(v, "false") != 0;
}

/* bd's variable; unset means that a daemon may be started. */
static bool
bd_forbids_a_daemon(void)
{
	static const char *const words[] = { "0", "false", "no", "off" };
	const char *v = getenv("BEADS_AUTO_START_DAEMON");

	for (size_t i = 0; v != NULL && i < COUNT(words); i++) {
		if (strcmp(v, words[i]) == 0)
			return true;
	}
	return false;
}

int
client_open(struct client **out, const struct client_options *o, struct err *e)
{
	struct client *c;

	if (o->actor.n == 0 || o->actor.n > LIMIT_WORK_NAME_BYTES)
		return err_set(e, ERR_INVALID, "actor: expected a name of at most "
		    "%d bytes", LIMIT_WORK_NAME_BYTES);
	c = mem_new(struct client);
	c->o = *o;
	c->may_ask = o->workspace != NULL && !o->no_daemon &&
	    !env_says("COHORT_NO_DAEMON");
	c->may_spawn = c->may_ask && !env_says("CI") && !bd_forbids_a_daemon() &&
	    !o->workspace->read_only;
	c->rpc.fd = -1;
	c->feed.fd = -1;
	c->line = BUF(LIMIT_WORK_LINE_BYTES);
	c->key = BUF(LIMIT_WORK_LINE_BYTES);
	*out = c;
	return OK;
}

static void
spawn(struct client *c)
{
	if (!c->wants_spawn || c->spawned)
		return;
	c->spawned = true;
	daemon_spawn(c->o.workspace);
}

void
client_set_actor(struct client *c, struct str actor)
{
	check_client(c);
	assert(actor.n > 0);
	c->o.actor = actor;
}

void
client_close(struct client *c)
{
	if (c == NULL)
		return;
	check_client(c);
	rpc_close(&c->rpc);
	rpc_close(&c->feed);
	if (c->workdb_open) {                  /* else a daemon could not open it, either */
		workdb_close(&c->workdb);
		spawn(c);
	}
	buf_release(&c->line);
	buf_release(&c->key);
	free(c);
}

/* ---- the request ------------------------------------------------------------- */

static int
timed_out(const struct client *c, struct err *e)
{
	static const struct { nsec size; const char *name; } units[] = {
		{ NS_PER_S, "s" }, { NS_PER_MS, "ms" }, { 1000, "us" }, { 1, "ns" }
	};
	size_t i = 0;

	while (i + 1 < COUNT(units) && (c->o.timeout < units[i].size ||
	    c->o.timeout % units[i].size != 0))
		i++;
	return err_set(e, ERR_TIMEOUT, "timed out after %lld %s",
	    (long long)(c->o.timeout / units[i].size), units[i].name);
}

/* Checked here, so that daemon, engine and server refuse alike. */
static int
call_args_check(struct str args, struct err *e)
{
	int rc = args.n == 0 ? OK : json_check(args, e);

	if (rc == OK && args.n > 0 && str_trim(args).p[0] != '{')
		rc = err_set(e, ERR_INVALID, "args: expected an object");
	return rc;
}

/* A request is one line: line ends between values become blanks. */
static void
args_add(struct buf *b, struct str args)
{
	size_t at = b->n;

	buf_add(b, args);
	if (b->failed || args.n == 0 || memchr(args.p, '\n', args.n) == NULL)
		return;
	for (; at < b->n; at++) {
		if (b->p[at] == '\n')
			b->p[at] = ' ';
	}
}

static int
request_write(struct client *c, const char *operation, struct str args,
    struct err *e)
{
	struct buf *b = &c->line;

	buf_clear(b);
	json_add_fmt(b, "{'operation':%s", operation);
	if (args.n > 0) {
		buf_lit(b, ",\"args\":");
		args_add(b, args);
	}
	json_add_fmt(b, ",'actor':%.*s,'request_id':%llu", FMT(c->o.actor),
	    (unsigned long long)(++c->calls));
	if (c->deadline != NEVER) {
		nsec left = (c->deadline - clock_mono()) / NS_PER_MS + 1;

		json_add_fmt(b, ",'deadline_ms':%lld",
		    (long long)(left < LIMIT_WORK_TIMEOUT_MS ? left : LIMIT_WORK_TIMEOUT_MS));
	}
	if (c->key.n > 0)
		json_add_fmt(b, ",'once':%.*s", FMT(buf_str(&c->key)));
	if (c->rpc.fd >= 0 && !c->greeted)
		buf_lit(b, ",\"version\":\"" COHORT_VERSION "\"");
	buf_lit(b, "}\n");
	return b->failed ? err_set(e, ERR_TOOBIG, "%s: over %d bytes", operation,
	    LIMIT_WORK_LINE_BYTES) : OK;
}

/* ---- the answer ---------------------------------------------------------------- */

static int
rc_of_name(struct str name)
{
#define X(word, value, text) if (str_eq(name, S(#word))) return value;
	RC_MAP(X)
#undef X
	return ERR_IO;
}

/* Our own answers end with the data, so its text is a part of the line. */
static struct str
data_slice(struct str text)
{
	const struct str mark = S(",\"success\":true,\"data\":");
	size_t at = sizeof "{\"request_id\":" - 1;

	while (at < text.n && text.p[at] != ',' && text.p[at] != '"')
		at++;
	text = str_sub(text, at, text.n);
	if (!str_starts(text, mark) || !str_ends(text, S("}")))
		return STR_NONE;
	return str_sub(text, mark.n, text.n - mark.n - 1);
}

/* Fills the reply from r->doc. */
static int
reply_take(struct reply *r)
{
	jnode success = json_get(r->doc.root, S("success"));
	struct str words = json_str(json_get(r->doc.root, S("error")));

	if (!json_is_bool(success))
		return err_set(&r->err, ERR_IO, "the answer has no \"success\"");
	r->data = json_get(r->doc.root, S("data"));
	if (json_bool(success) && r->data != NULL) {
		r->data_text = data_slice(buf_str(&r->text));
		if (r->data_text.p == NULL) {
			buf_clear(&r->text);
			json_add_node(&r->text, r->data);
			r->data_text = buf_str(&r->text);
		}
	}
	return json_bool(success) ? OK : err_set(&r->err,
	    rc_of_name(json_str(json_get(r->doc.root, S("code")))), "%.*s",
	    FMT(words));
}

static void
reply_clear(struct reply *r)
{
	json_release(&r->doc);
	r->doc = (struct json_doc){ .root = NULL };
	r->data = NULL;
	r->data_text = STR_NONE;
	r->text.max = LIMIT_WORK_OUT_BYTES;
	buf_clear(&r->text);
	r->rc = OK;
	r->err.text[0] = '\0';
}

void
reply_release(struct reply *r)
{
	json_release(&r->doc);
	buf_release(&r->text);
	memset(r, 0, sizeof *r);
}

/* ---- directly -------------------------------------------------------------------- */

static int
direct_tick(void *ctx, size_t done, size_t total)
{
	struct client *c = ctx;

	if (total > 0 && c->o.progress != NULL)
		c->o.progress(c->o.progress_ctx, done, total);
	return clock_mono() >= c->deadline ? ERR_TIMEOUT : OK;
}

static void
direct_run(struct client *c, const char *operation, jnode args, struct reply *r)
{
	struct buf data = BUF(LIMIT_WORK_OUT_BYTES / 2);
	struct work_call call = {
		.tracker = c->workdb.tracker,
		.operation = str_of(operation),
		.args = args,
		.actor = c->o.actor,
		.now = workdb_now(&c->workdb),
		.once = buf_str(&c->key),
		.lines = c->lines,
		.tick = direct_tick,
		.tick_ctx = c,
		.data = &data,
	};
	struct work_call *calls[] = { &call };
	int rc;

	c->workdb.busy_until = c->deadline == NEVER ? 0 : c->deadline;
	workdb_run(&c->workdb, calls, &rc, 1);
	if (rc == ERR_TIMEOUT)
		timed_out(c, &call.err);
	wire_answer(&r->text, NULL, rc, call.err.text, buf_str(&data), NULL);
	buf_release(&data);
	if (c->workdb.gone) {                  /* another may be there at the next call */
		workdb_close(&c->workdb);
		c->workdb_open = false;
	}
}

static int
direct_call(struct client *c, const char *operation, struct str args,
    struct reply *r)
{
	struct json_doc doc = { 0 };
	int rc = OK;

	if (c->wants_spawn && c->calls > 1)
		spawn(c);                    /* this process goes on: do not wait for its end */
	if (!c->workdb_open) {
		rc = workdb_open(&c->workdb, c->o.workspace, &r->err);
		c->workdb_open = rc == OK;
	}
	if (rc == OK && args.n > 0)
		rc = json_parse(&doc, args, &r->err);
	if (rc == OK) {
		direct_run(c, operation, doc.root, r);
		buf_cut(&r->text, r->text.n > 0 ? r->text.n - 1 : 0);
		rc = r->text.failed ? err_set(&r->err, ERR_TOOBIG,
		    "%s: the answer is too large", operation) :
		    json_parse(&r->doc, buf_str(&r->text), &r->err);
	}
	json_release(&doc);
	return rc == OK ? reply_take(r) : rc;
}

/* ---- through the daemon -------------------------------------------------------------- */

static bool
only_reads(const char *operation)
{
	const struct operation *op = work_operation_find(str_of(operation));

	return op != NULL && (op->flags & OP_WRITES) == 0;
}

/* Waits for the answer to this call; skips those to calls that timed out. */
static int
daemon_receive(struct client *c, struct reply *r)
{
	for (;;) {
		struct str line;
		jnode id;
		int rc = rpc_receive(&c->rpc, &line, c->deadline, &r->err);

		if (rc == OK) {
			json_release(&r->doc);
			r->doc = (struct json_doc){ .root = NULL };
			rc = json_parse(&r->doc, line, &r->err);
		}
		if (rc != OK)
			return rc;
		id = json_get(r->doc.root, S("request_id"));
		if (json_is_null(id) || json_int(id) == (int64_t)c->calls) {
			buf_add(&r->text, line);
			return OK;
		}
	}
}

/* A daemon of another version is asked to stop; this call runs directly. */
static bool
is_other_version(struct client *c, struct reply *r)
{
	if (json_get(r->doc.root, S("version")) == NULL)
		return false;
	if (rpc_send(&c->rpc, S("{\"operation\":\"shutdown\"}\n"), c->deadline,
	    &r->err) == OK)
		c->wants_spawn = c->may_spawn;
	return true;
}

/* The daemon has too many connections and did not read the request. */
static bool
is_turned_away(struct reply *r)
{
	return json_is_null(json_get(r->doc.root, S("request_id"))) &&
	    str_eq(json_str(json_get(r->doc.root, S("code"))), S("BUSY"));
}

/* ERR_AGAIN: the daemon did not run it; run it directly. */
static int
daemon_call(struct client *c, const char *operation, struct str args,
    struct reply *r)
{
	int rc = request_write(c, operation, args, &r->err);

	if (rc != OK)
		return rc;
	rc = rpc_send(&c->rpc, buf_str(&c->line), c->deadline, &r->err);
	if (rc == ERR_CLOSED) {
		/* The reason may have arrived: a line too long, too many connections. */
		rc = daemon_receive(c, r);
		rc = rc == OK ? OK : ERR_AGAIN;
	} else if (rc == OK) {
		rc = daemon_receive(c, r);
		if (rc == ERR_CLOSED && (c->o.once.n > 0 || only_reads(operation)))
			rc = ERR_AGAIN;
		else if (rc == ERR_CLOSED)
			err_set(&r->err, rc, "the daemon went away while it worked; "
			    "whether \"%s\" was done is unknown", operation);
	}
	if (rc == OK && (is_other_version(c, r) || is_turned_away(r)))
		rc = ERR_AGAIN;
	if (rc != OK) {
		rpc_close(&c->rpc);
		return rc == ERR_TIMEOUT ? timed_out(c, &r->err) : rc;
	}
	c->greeted = true;
	return reply_take(r);
}

/* ERR_AGAIN: there is no daemon. */
static int
daemon_connect(struct client *c, struct err *e)
{
	char path[DB_PATH_MAX + 8];
	int rc;

	if (c->rpc.fd >= 0)
		return OK;
	workspace_path(c->o.workspace, "sock", path);
	rc = rpc_connect(&c->rpc, path, LIMIT_WORK_OUT_BYTES, c->deadline, e);
	if (rc == OK && !daemon_is_trusted(c->o.workspace, &c->rpc)) {
		rpc_close(&c->rpc);
		rc = ERR_DENIED;
	}
	c->greeted = false;
	if (rc == OK)
		return OK;
	if (rc == ERR_TIMEOUT)
		return timed_out(c, e);
	c->wants_spawn = c->may_spawn && rc == ERR_NOTFOUND;
	return ERR_AGAIN;
}

static int
remote_call(struct client *c, const char *operation, struct str args,
    struct reply *r)
{
	struct str line;
	int rc = request_write(c, operation, args, &r->err);

	line = buf_str(&c->line);
	line.n -= line.n > 0;
	if (rc == OK)
		rc = c->o.remote->exchange(c->o.remote->ctx, line, c->o.timeout,
		    &r->text, &r->err);
	if (rc == OK && r->text.n > 0 && r->text.p[r->text.n - 1] == '\n')
		buf_cut(&r->text, r->text.n - 1);
	if (rc == OK)
		rc = json_parse(&r->doc, buf_str(&r->text), &r->err);
	return rc == OK ? reply_take(r) : rc;
}

static int
call(struct client *c, const char *operation, struct str args, struct reply *r)
{
	int rc = call_args_check(args, &r->err);

	if (rc != OK)
		return rc;
	if (clock_mono() >= c->deadline)
		return timed_out(c, &r->err);
	rc = ERR_AGAIN;
	if (c->o.remote != NULL)
		return remote_call(c, operation, args, r);
	if (c->may_ask && !c->held && c->lines == NULL) {
		rc = daemon_connect(c, &r->err);
		if (rc == OK)
			rc = daemon_call(c, operation, args, r);
	}
	if (rc != ERR_AGAIN)
		return rc;
	c->calls += !c->may_ask || c->held || c->lines != NULL;
	reply_clear(r);
	return direct_call(c, operation, args, r);
}

/* The calls of a command that is repeated have the keys they had.  Pages of one
 * moment, in which no answer can be kept, have none. */
static void
key_next(struct client *c)
{
	buf_clear(&c->key);
	if (c->o.once.n == 0 || c->held)
		return;
	buf_add(&c->key, c->o.once);
	if (c->keyed++ > 0)
		buf_add_fmt(&c->key, " %llu", (unsigned long long)c->keyed);
}

int
client_call(struct client *c, const char *operation, struct str args_json,
    struct reply *r)
{
	check_client(c);
	assert(operation != NULL);
	reply_clear(r);
	c->deadline = c->o.timeout == NEVER ? NEVER : clock_mono() + c->o.timeout;
	key_next(c);
	r->rc = call(c, operation, args_json, r);
	return r->rc;
}

int
client_call_lines(struct client *c, const char *operation, struct str args_json,
    const struct work_lines *lines, struct reply *r)
{
	bool patient = c->o.timeout_is_ours || c->o.timeout == NEVER;

	check_client(c);
	assert(operation != NULL && lines != NULL);
	reply_clear(r);
	if (c->o.remote != NULL)
		return r->rc = err_set(&r->err, ERR_INVALID, "a server takes lines as "
		    "arguments");
	c->deadline = patient ? NEVER : clock_mono() + c->o.timeout;
	c->lines = lines;
	key_next(c);
	r->rc = call(c, operation, args_json, r);
	c->lines = NULL;
	return r->rc;
}

bool
client_is_remote(const struct client *c)
{
	return c->o.remote != NULL;
}

/* A call first, because it ends expired leases: that writes. */
int
client_hold(struct client *c, struct err *e)
{
	struct reply r = { 0 };
	int rc;

	check_client(c);
	if (c->o.remote != NULL || c->held)
		return OK;
	c->held = true;
	rc = client_call(c, "info", STR_NONE, &r);
	if (rc == OK)
		rc = workdb_hold(&c->workdb, e);
	else
		*e = r.err;
	c->held = rc == OK;
	reply_release(&r);
	return rc;
}

void
client_let_go(struct client *c)
{
	check_client(c);
	assert(!c->held || c->workdb_open);
	if (c->held)
		workdb_let_go(&c->workdb);
	c->held = false;
}

/* ---- events ------------------------------------------------------------------------ */

static int
feed_open(struct client *c, int64_t after, struct err *e)
{
	char path[DB_PATH_MAX + 8], text[96];
	nsec deadline = c->o.timeout == NEVER ? NEVER : clock_mono() + c->o.timeout;
	int rc;

	if (!c->may_ask || c->o.workspace == NULL)
		return ERR_AGAIN;
	workspace_path(c->o.workspace, "sock", path);
	if (rpc_connect(&c->feed, path, LIMIT_WORK_OUT_BYTES, deadline, e) != OK)
		return ERR_AGAIN;
	snprintf(text, sizeof text, "{\"operation\":\"subscribe\","
	    "\"args\":{\"after\":%lld}}\n", (long long)after);
	rc = rpc_send(&c->feed, str_of(text), deadline, e);
	if (rc != OK)
		rpc_close(&c->feed);
	return rc == OK ? OK : ERR_AGAIN;
}

/* The answer to subscribe is skipped. */
static int
feed_next(struct client *c, struct reply *r)
{
	for (;;) {
		struct str line;
		jnode event;
		int rc = rpc_receive(&c->feed, &line, NEVER, &r->err);

		json_release(&r->doc);
		r->doc = (struct json_doc){ .root = NULL };
		if (rc != OK || json_parse(&r->doc, line, &r->err) != OK)
			return ERR_AGAIN;
		event = json_get(r->doc.root, S("event"));
		if (event == NULL)
			continue;
		buf_clear(&r->text);
		buf_add_char(&r->text, '[');
		json_add_node(&r->text, event);
		buf_add_char(&r->text, ']');
		json_release(&r->doc);
		rc = json_parse(&r->doc, buf_str(&r->text), &r->err);
		r->data = r->doc.root;
		r->data_text = buf_str(&r->text);
		return rc;
	}
}

int
client_next_event(struct client *c, int64_t after, struct reply *r)
{
	int rc = OK;

	check_client(c);
	reply_clear(r);
	if (c->feed.fd < 0)
		rc = feed_open(c, after, &r->err);
	if (rc == OK)
		rc = feed_next(c, r);
	if (rc != OK)
		rpc_close(&c->feed);
	return rc;
}
