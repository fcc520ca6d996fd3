/*
 * recover.c - see recover.h.
 *
 *   start, register agents, POST messages ---> kill -9 ---> start, /ok, /metrics ---> drain
 *
 * One connection, one request at a time: the sending is not what is measured.  The content of
 * a message is its number; so what comes back is checked against a table of what was
 * acknowledged.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/recover.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bench/lean.h"
#include "bench/own.h"
#include "bench/report.h"

#define AT(field)      offsetof(struct recover_options, field)
#define ANSWER_BYTES   (16 * MB)
#define REQUEST_MS     60000
#define PENDING_MS     120000                /* for all messages to be there again */
#define LOOK_MS        2                     /* between looks at /metrics */
#define PENDING        "\ncohort_mail_pending "

const struct flag bench_recover_flags[] = {
	{ "messages", NULL, FLAG_INT, "100000", "N", "durable messages that wait at the kill",
	    AT(messages), 1, 10000000 },
	{ "agents", NULL, FLAG_INT, "10", "N", "they wait for, in turn", AT(agents), 1, 1000 },
	SCRATCH_FLAG(AT(scratch)),
	{ "thresholds", NULL, FLAG_TEXT, "lost<1,twice<1,out_of_order<1", "LIST",
	    "what must hold, as in recovery_s<1", AT(thresholds) },
	REPORT_FLAGS(AT(json), AT(markdown)),
	{ NULL }
};

/* What became of a message. */
enum { NOT_SENT, ACKNOWLEDGED, CAME };

struct recover {
	const struct recover_options *o;
	struct report report;
	struct scratch scratch;
	struct own_process server;
	struct shard *shard;
	struct lean_target target;
	struct lean_conn *conn;
	struct buf path, body, answer;
	bool answered;
	int rc, status;
	uint8_t *state;                      /* by number */
	int64_t acknowledged, came, lost, twice, disordered;
	nsec sending, ok, pending, draining;
};

/* ---- requests -------------------------------------------------------------------- */

static void
on_data(void *ctx, struct str bytes)
{
	struct recover *v = ctx;

	buf_add(&v->answer, bytes);
}

static void
on_done(void *ctx, int rc, int status, size_t bytes_in)
{
	struct recover *v = ctx;

	(void)bytes_in;
	v->rc = rc;
	v->status = status;
	v->answered = true;
}

/* Of path and body.  ERR_IO: no answer, or another than 200. */
static int
ask(struct recover *v, struct str method, struct err *e)
{
	struct str path = buf_str(&v->path);

	v->answered = false;
	buf_clear(&v->answer);
	lean_send(v->conn, method, path, v->body.n > 0 ?
	    S("Content-Type: application/json\r\n") : STR_NONE, buf_str(&v->body), REQUEST_MS);
	while (!v->answered)
		shard_turn(v->shard);
	if (v->rc != OK)
		return err_set(e, ERR_IO, "%.*s: %s", FMT(path), rc_text(v->rc));
	if (v->status != 200)
		return err_set(e, ERR_IO, "%.*s: answered %d: %.*s", FMT(path), v->status,
		    FMT(str_cut(buf_str(&v->answer), 200)));
	return v->answer.failed ? err_set(e, ERR_TOOBIG, "%.*s: too long an answer",
	    FMT(path)) : OK;
}

static int
get(struct recover *v, const char *path, struct err *e)
{
	buf_clear(&v->path);
	buf_clear(&v->body);
	buf_add(&v->path, str_of(path));
	return ask(v, S("GET"), e);
}

static int
server_start(struct recover *v, const char *log, struct err *e)
{
	static const struct lean_hooks hooks = { .data = on_data, .done = on_done };
	static const char *const args[] = { "serve", "--db", "bench.db", "--log-level",
	    "warn", NULL };
	int rc = own_start(&v->server, &v->scratch, log, args, e);

	if (rc == OK)
		rc = lean_resolve(str_of(v->server.url), &v->target, e);
	if (rc == OK)
		v->conn = lean_new(v->shard, &v->target, &hooks, v);
	return rc;
}

static void
server_kill(struct recover *v)
{
	if (v->conn != NULL)
		lean_free(v->conn);
	v->conn = NULL;
	own_kill(&v->server, &v->scratch);
}

/* ---- before the kill --------------------------------------------------------------- */

static int
register_agents(struct recover *v, struct err *e)
{
	int64_t each = v->o->messages / v->o->agents + 1;
	int rc = OK;

	buf_clear(&v->path);
	buf_lit(&v->path, "/agents");
	for (int64_t i = 0; i < v->o->agents && rc == OK; i++) {
		buf_clear(&v->body);
		buf_add_fmt(&v->body, "{\"kind\":\"external\",\"durable\":true,\"name\":\"r%lld\","
		    "\"mailbox_max\":%lld}", (long long)i,
		    (long long)(each < LIMIT_MAILBOX_LETTERS_MAX ? each :
		    LIMIT_MAILBOX_LETTERS_MAX));
		rc = ask(v, S("POST"), e);
	}
	return rc;
}

/* The answers are in the order of the messages, of which the first is the one `from`. */
static int
acknowledge(struct recover *v, int64_t from, struct err *e)
{
	struct json_doc d = { 0 };
	struct json_iter it;
	int64_t n = from;
	int rc = json_parse(&d, buf_str(&v->answer), e);

	if (rc == OK) {
		for (it = json_each(json_get(d.root, S("results"))); json_next(&it); n++) {
			if (json_get(it.value, S("message_id")) == NULL)
				continue;
			v->state[n] = ACKNOWLEDGED;
			v->acknowledged++;
		}
	}
	json_release(&d);
	return rc;
}

static int
send_messages(struct recover *v, struct err *e)
{
	int64_t total = v->o->messages;
	nsec began = clock_mono();
	int rc = OK;

	buf_clear(&v->path);
	buf_lit(&v->path, "/messages");
	for (int64_t from = 0; from < total && rc == OK; from += LIMIT_ACL_BATCH) {
		buf_clear(&v->body);
		buf_lit(&v->body, "{\"messages\":[");
		for (int64_t n = from; n < total && n < from + LIMIT_ACL_BATCH; n++)
			buf_add_fmt(&v->body, "%s{\"performative\":\"inform\",\"receiver\":\"r%lld\","
			    "\"content\":%lld,\"delivery\":{\"durable\":true}}", n > from ? "," : "",
			    (long long)(n % v->o->agents), (long long)n);
		buf_lit(&v->body, "]}");
		rc = ask(v, S("POST"), e);
		if (rc == OK)
			rc = acknowledge(v, from, e);
	}
	v->sending = clock_mono() - began;
	if (rc == OK && v->acknowledged == 0)
		rc = err_set(e, ERR_INVALID, "no message was accepted: %.*s",
		    FMT(str_cut(buf_str(&v->answer), 200)));
	return rc;
}

/* ---- after it ------------------------------------------------------------------------ */

/* -1: it is not there. */
static int64_t
pending_read(const struct recover *v)
{
	struct str text = buf_str(&v->answer);
	const char *at = memmem(text.p, text.n, PENDING, sizeof PENDING - 1);
	struct str rest, number;
	int64_t n;

	if (at == NULL)
		return -1;
	at += sizeof PENDING - 1;
	rest = (struct str){ at, (size_t)(text.p + text.n - at) };
	return str_next(&rest, '\n', &number) && str_to_i64(number, &n) ? n : -1;
}

static int
start_again(struct recover *v, struct err *e)
{
	nsec began = clock_mono();
	int64_t n = -1;
	int rc = server_start(v, "serve-again", e);

	if (rc == OK)
		rc = get(v, "/ok", e);
	v->ok = clock_mono() - began;
	while (rc == OK && (rc = get(v, "/metrics", e)) == OK) {
		n = pending_read(v);
		v->pending = clock_mono() - began;
		if (n == v->acknowledged)
			break;
		if (v->pending > PENDING_MS * NS_PER_MS)
			rc = err_set(e, ERR_TIMEOUT, "%lld messages were acknowledged, and %lld "
			    "are pending after the start", (long long)v->acknowledged,
			    (long long)n);
		usleep(LOOK_MS * 1000);
	}
	return rc;
}

/* Of one mailbox; the body becomes the ack.  *last: the number before, of this agent. */
static void
take_message(struct recover *v, jnode message, int64_t *last)
{
	int64_t n = json_int(json_get(message, S("content")));

	json_add_comma(&v->body);
	json_add_str(&v->body, json_str(json_get(message, S("message_id"))));
	if (n < 0 || n >= v->o->messages || v->state[n] != ACKNOWLEDGED) {
		v->twice++;
		return;
	}
	v->disordered += n < *last;
	*last = n;
	v->state[n] = CAME;
	v->came++;
}

/* *n: how many there were. */
static int
take_page(struct recover *v, int64_t agent, int64_t *last, size_t *n, struct err *e)
{
	struct json_doc d = { 0 };
	struct json_iter it;
	int rc;

	buf_clear(&v->path);
	buf_clear(&v->body);
	buf_add_fmt(&v->path, "/agents/r%lld/mailbox?max=%d", (long long)agent, LIMIT_PAGE_ROWS);
	rc = ask(v, S("GET"), e);
	if (rc == OK)
		rc = json_parse(&d, buf_str(&v->answer), e);
	if (rc != OK)
		return rc;
	buf_lit(&v->body, "{\"message_ids\":[");
	*n = json_count(d.root);
	for (it = json_each(d.root); json_next(&it); )
		take_message(v, it.value, last);
	buf_lit(&v->body, "]}");
	json_release(&d);
	if (*n == 0)
		return OK;
	buf_clear(&v->path);
	buf_add_fmt(&v->path, "/agents/r%lld/mailbox/ack", (long long)agent);
	return ask(v, S("POST"), e);
}

static int
drain(struct recover *v, struct err *e)
{
	nsec began = clock_mono();
	int rc = OK;

	for (int64_t i = 0; i < v->o->agents && rc == OK; i++) {
		int64_t last = -1;
		size_t n = 1;

		while (rc == OK && n > 0)
			rc = take_page(v, i, &last, &n, e);
	}
	v->draining = clock_mono() - began;
	for (int64_t n = 0; n < v->o->messages; n++)
		v->lost += v->state[n] == ACKNOWLEDGED;
	return rc;
}

/* ---- the whole ------------------------------------------------------------------------- */

static double
seconds(nsec t)
{
	return (double)t / (double)NS_PER_S;
}

static int
recover_report(struct recover *v, struct err *e)
{
	struct report *r = &v->report;

	report_value(r, seconds(v->pending), 3, "recovery_s");
	report_value(r, seconds(v->ok), 3, "ok_s");
	report_value(r, (double)v->acknowledged, 0, "messages");
	report_value(r, (double)v->o->agents, 0, "agents");
	report_value(r, (double)v->lost, 0, "lost");
	report_value(r, (double)v->twice, 0, "twice");
	report_value(r, (double)v->disordered, 0, "out_of_order");
	report_value(r, (double)v->acknowledged / seconds(v->sending), 0, "sends_per_s");
	report_value(r, (double)v->came / seconds(v->draining), 0, "drained_per_s");
	report_check(r, v->acknowledged == v->o->messages, "%lld of %lld messages were accepted",
	    (long long)v->acknowledged, (long long)v->o->messages);
	if (report_thresholds(r, v->o->thresholds, e) < 0)
		return ERR_INVALID;
	return report_finish(r, v->o->json, v->o->markdown, e);
}

static int
recover_run(struct recover *v, struct err *e)
{
	int rc = server_start(v, "serve", e);

	if (rc == OK)
		rc = register_agents(v, e);
	if (rc == OK)
		rc = send_messages(v, e);
	server_kill(v);
	if (rc == OK)
		rc = start_again(v, e);
	if (rc == OK)
		rc = drain(v, e);
	return rc == OK ? recover_report(v, e) : rc;
}

int
bench_recover(const struct recover_options *o, int argc, char *const *argv, struct err *e)
{
	struct recover *v = mem_new(struct recover);
	int rc;

	v->o = o;
	v->report = (struct report){ .workload = "recover", .loop = "closed", .argc = argc,
	    .argv = argv, .started = clock_wall_ms(),
	    .measures = "a server of this executable with an SQLite file, from its start after "
	    "kill -9 until all durable messages wait again; what was acknowledged is then read "
	    "over HTTP and counted.",
	    .not_measures = "a loss of power, a cold page cache, agents that run." };
	v->path = BUF(KB);
	v->body = BUF(MB);
	v->answer = BUF(ANSWER_BYTES);
	v->state = mem_zero((size_t)o->messages);
	rc = report_thresholds(NULL, o->thresholds, e);
	if (rc == OK)
		rc = scratch_make(&v->scratch, o->scratch, false, e);
	if (rc == OK)
		rc = shard_new(&v->shard, 0, e);
	if (rc == OK)
		rc = recover_run(v, e);
	server_kill(v);
	scratch_remove(&v->scratch);
	if (v->shard != NULL)
		shard_free(v->shard);
	buf_release(&v->path);
	buf_release(&v->body);
	buf_release(&v->answer);
	free(v->state);
	free(v);
	return rc;
}
