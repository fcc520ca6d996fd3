/*
 * cmd_wasm_run.c - `cohort wasm run`: a guest in a host process of its own, locked in as a
 * server's is, without a server.
 *
 * What leaves it is printed on stdout when a call has returned 0, as it would leave a server;
 * logs, traps and costs go to stderr.  Its store is empty and goes with the command; a tool is
 * answered by --tool.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/cmd.h"
#include "main/wasm_local.h"
#include "wasm/guest.h"
#include "wasm/limits.h"

#define PATH_BYTES 4096
#define SHOWN      2000                      /* bytes of a text on stderr */

const struct flag cmd_wasm_run_flags[] = {
	{ "message", .kind = FLAG_TEXT, .value = "JSON", .help = "give it this: a message (an "
	    "object with `performative`), or the content of a request; other text is a string; "
	    "repeatable; - reads lines of stdin" },
	{ "repeat", .kind = FLAG_INT, .value = "N", .min = 1, .max = 1000000000,
	    .fallback = "1", .help = "repeats the calls; output is printed for the first one" },
	{ "allow", .kind = FLAG_TEXT, .value = "LIST", .help = "host calls that it may make: "
	    "log, now_ms, send, reply, store_get, store_put, tool_call, all; default: log, "
	    "now_ms, reply" },
	{ "tool", .kind = FLAG_TEXT, .value = "NAME=JSON", .help = "what tool_call NAME answers; "
	    "repeatable" },
	WASM_LIMIT_FLAGS,
	{ "compiler", .kind = FLAG_TEXT, .value = "NAME", .fallback = "gcc",
	    .words = (const char *const[]){ "tcc", "gcc", NULL }, .help = "of its code" },
	{ "quiet", .help = "no costs" },
	WASM_CACHE_FLAG,
	{ NULL }
};

struct entry { char *key; struct str value; };

struct runner {
	const struct flag_line *line;
	struct shard *shard;
	struct wasm_pool *pool;
	struct wasm_code *code;
	struct wasm_instance_options options;
	struct wasm_instance *guest;
	struct wasm_instance *old;           /* after a trap; freed in a later turn */
	struct str *messages;
	size_t messages_n, messages_cap, at;
	int64_t repeat, round;
	nsec began;                          /* the call under way */
	struct buf said;                     /* by it: lines for stdout */
	bool quiet, over;
	int rc;
	struct err err;
	int64_t bad;                         /* calls that failed or trapped */
	nsec *wall, *cpu;                    /* of each call */
	size_t calls_n, wall_cap, cpu_cap;
	double fuel;
	uint32_t pages;
	struct entry *store;
	size_t store_n, store_cap;
};

static void call_next(struct runner *r);
static void guest_start(struct runner *r);

static void
finish(struct runner *r, int rc, const struct err *e)
{
	r->over = true;
	r->rc = rc;
	if (rc < 0)
		r->err = *e;
}

static bool
shows(const struct runner *r)
{
	return r->round == 0;
}

/* ---- what it says ------------------------------------------------------------------------ */

static void
on_log(void *arg, int level, struct str text)
{
	static const char *const names[] = { "debug", "info", "warning", "error" };

	if (shows(arg))
		fprintf(stderr, "log %s: %.*s\n", names[level < 0 || level > 3 ? 1 : level],
		    FMT(str_cut(text, SHOWN)));
}

static void
say(struct runner *r, const char *word, struct str json)
{
	if (shows(r))
		buf_add_fmt(&r->said, "%s %.*s\n", word, FMT(json));
}

static void
on_send(void *arg, struct str json)
{
	say(arg, "send", json);
}

static void
on_reply(void *arg, struct str json)
{
	say(arg, "reply", json);
}

/* ---- host calls that a server would answer ------------------------------------------------- */

static struct entry *
store_find(struct runner *r, struct str key)
{
	for (size_t i = 0; i < r->store_n; i++)
		if (str_eq(str_of(r->store[i].key), key))
			return &r->store[i];
	return NULL;
}

static void
store_put(struct runner *r, struct str key, struct str value)
{
	struct entry *x = store_find(r, key);

	if (x == NULL) {
		mem_grow(r->store, r->store_n, r->store_cap);
		x = &r->store[r->store_n++];
		x->key = mem_cstr(key);
	} else {
		free((char *)x->value.p);
	}
	x->value = (struct str){ mem_cstr(value), value.n };
}

/* The answer of --tool NAME=JSON; p NULL: there is none. */
static struct str
tool_answer(const struct runner *r, struct str name)
{
	for (size_t i = r->line->given_n; i-- > 0; ) {
		const struct flag_given *g = &r->line->given[i];
		ptrdiff_t eq = str_index(g->value, '=');

		if (str_eq(str_of(g->flag->name), S("tool")) && eq >= 0 &&
		    str_eq(str_sub(g->value, 0, (size_t)eq), name))
			return str_sub(g->value, (size_t)eq + 1, SIZE_MAX);
	}
	return STR_NONE;
}

static int32_t
answer_of(struct runner *r, const struct wasm_ask *q, struct str *out)
{
	struct json_doc d = { 0 };
	struct entry *x;
	struct err why;
	int rc;

	switch (q->what) {
	case WASM_STORE_GET:
		x = store_find(r, q->name);
		if (x != NULL)
			*out = x->value;
		return x != NULL ? WASM_OK : WASM_ENOENT;
	case WASM_STORE_PUT:
		rc = json_parse(&d, q->body, &why);
		json_release(&d);
		if (rc == OK)
			store_put(r, q->name, q->body);
		return rc == OK ? WASM_OK : WASM_EINVAL;
	default:
		*out = tool_answer(r, q->name);
		if (shows(r))
			fprintf(stderr, "tool %.*s %.*s%s\n", FMT(q->name),
			    FMT(str_cut(q->body, SHOWN)),
			    out->p == NULL ? ": there is none; --tool NAME=JSON" : "");
		return out->p != NULL ? WASM_OK : WASM_ENOENT;
	}
}

static void
on_ask(void *arg, const struct wasm_ask *q)
{
	struct runner *r = arg;
	struct str out = STR_NONE;
	int32_t rc = answer_of(r, q, &out);

	wasm_instance_answer(r->guest, rc, out);
}

/* ---- a call and its end ---------------------------------------------------------------------- */

static void
call_ended(struct runner *r, bool ok, const struct wasm_cost *cost)
{
	nsec took = clock_mono() - r->began;

	mem_grow(r->wall, r->calls_n, r->wall_cap);
	mem_grow(r->cpu, r->calls_n, r->cpu_cap);
	r->wall[r->calls_n] = took;
	r->cpu[r->calls_n++] = cost->cpu;
	r->fuel += (double)cost->fuel;
	r->pages = cost->pages;
	r->bad += !ok;
	if (ok && r->said.n > 0)
		fwrite(r->said.p, 1, r->said.n, stdout);
	else if (r->said.n > 0)
		fprintf(stderr, "its output is dropped:\n%.*s", FMT(str_cut(buf_str(
		    &r->said), SHOWN)));
	fflush(stdout);
	if (shows(r) && !r->quiet)
		fprintf(stderr, "cost fuel %lld, cpu %.1f us, memory %u KB, %u host calls; "
		    "%.1f us there and back\n", (long long)cost->fuel,
		    (double)cost->cpu / 1000, cost->pages * 64, cost->host_calls,
		    (double)took / 1000);
}

static void
on_done(void *arg, int32_t result, const struct wasm_cost *cost)
{
	struct runner *r = arg;

	if (result != 0 && shows(r))
		fprintf(stderr, "handle_message returned %d: a server tries the message again "
		    "later\n", result);
	call_ended(r, result == 0, cost);
	call_next(r);
}

static void
on_trapped(void *arg, enum wasm_trap why, struct str text, const struct wasm_cost *cost)
{
	static const char *const names[] = {
#define X(name, words) [WASM_TRAP_##name] = words,
		WASM_TRAP_MAP(X)
#undef X
	};
	struct runner *r = arg;

	if (shows(r))
		fprintf(stderr, "trap: %s%s%.*s\n", names[why], text.n > 0 ? ": " : "",
		    FMT(str_cut(text, SHOWN)));
	call_ended(r, false, cost);
	r->old = r->guest;
	guest_start(r);
}

static void
call_next(struct runner *r)
{
	struct err e;
	int rc;

	wasm_instance_free(r->old);
	r->old = NULL;
	buf_clear(&r->said);
	if (r->at == r->messages_n) {
		r->at = 0;
		r->round++;
	}
	if (r->round == r->repeat) {
		finish(r, OK, NULL);
		return;
	}
	r->began = clock_mono();
	rc = wasm_instance_call(r->guest, r->messages[r->at++]);
	if (rc < 0) {
		err_set(&e, rc, "the message was not taken: %s", rc == ERR_TOOBIG ?
		    "it is larger than --message-max" : rc_text(rc));
		finish(r, rc, &e);
	}
}

static void
on_started(void *arg, int rc, const struct err *e)
{
	struct runner *r = arg;

	if (rc < 0)
		finish(r, rc, e);
	else
		call_next(r);
}

static const struct wasm_hooks hooks = { .started = on_started, .log = on_log,
	.send = on_send, .reply = on_reply, .ask = on_ask, .done = on_done,
	.trapped = on_trapped };

static void
guest_start(struct runner *r)
{
	struct err e = { 0 };
	int rc = wasm_instance_new(&r->guest, r->pool, &r->options, &hooks, r, &e);

	if (rc < 0) {
		r->guest = NULL;
		finish(r, rc, &e);
	}
}

/* ---- the command line ---------------------------------------------------------------------- */

static void
message_add(struct runner *r, struct str text)
{
	struct json_doc d = { 0 };
	struct buf b = BUF(2 * (size_t)LIMIT_WASM_MESSAGE_BYTES);
	struct err why;
	int rc = json_parse(&d, text, &why);

	if (rc == OK && json_get(d.root, S("performative")) != NULL)
		buf_add(&b, text);
	else if (rc == OK)
		json_add_fmt(&b, "{'performative':'request','sender':'cohort','content':%-.*s}",
		    FMT(text));
	else
		json_add_fmt(&b, "{'performative':'request','sender':'cohort','content':%.*s}",
		    FMT(text));
	json_release(&d);
	mem_grow(r->messages, r->messages_n, r->messages_cap);
	r->messages[r->messages_n++] = (struct str){ mem_cstr(buf_str(&b)), b.n };
	buf_release(&b);
}

static void
add_lines(struct runner *r)
{
	char *text = NULL;
	size_t cap = 0;
	ssize_t n;

	while ((n = getline(&text, &cap, stdin)) >= 0) {
		struct str line = str_trim((struct str){ text, (size_t)n });

		if (line.n > 0)
			message_add(r, line);
	}
	free(text);
}

static void
messages_read(struct runner *r)
{
	bool any = false;

	for (size_t i = 0; i < r->line->given_n; i++) {
		const struct flag_given *g = &r->line->given[i];

		if (!str_eq(str_of(g->flag->name), S("message")))
			continue;
		any = true;
		if (str_eq(g->value, S("-")))
			add_lines(r);
		else
			message_add(r, g->value);
	}
	if (!any)
		message_add(r, S("null"));
}

static int
options_read(struct runner *r, const struct wasm_facts *f, struct err *e)
{
	uint32_t rate = 0, lacks;
	int rc = wasm_local_limits(r->line, &r->options.limits, &rate, e);

	r->options.allow = WASM_ALLOW_USUAL;
	if (rc == OK && line_has(r->line, "allow")) {
		r->options.allow = 0;
		rc = wasm_allow_read(&r->options.allow, line_text(r->line, "allow"), e);
	}
	lacks = f->imports & ~r->options.allow;
	for (int i = 0; rc == OK && i < WASM_IMPORTS; i++)
		if (lacks >> i & 1)
			return err_set(e, ERR_INVALID, "it imports %s, which is not allowed; "
			    "--allow log,now_ms,reply,%s", wasm_import_names[i],
			    wasm_import_names[i]);
	return rc;
}

/* ---- running ------------------------------------------------------------------------------ */

static int
by_size(const void *a, const void *b)
{
	nsec x = *(const nsec *)a, y = *(const nsec *)b;

	return x < y ? -1 : x > y;
}

static double
quantile_us(nsec *at, size_t n, double q)
{
	qsort(at, n, sizeof *at, by_size);
	return (double)at[(size_t)((double)(n - 1) * q)] / 1000;
}

static void
summary(struct runner *r)
{
	size_t n = r->calls_n;

	if (n == 0 || (r->repeat == 1 && n == 1) || r->quiet)
		return;
	fprintf(stderr, "%zu calls, %lld failed; fuel %.0f each; cpu p50 %.1f us, p99 %.1f us; "
	    "there and back p50 %.1f us, p99 %.1f us; memory %u KB\n", n, (long long)r->bad,
	    r->fuel / (double)n, quantile_us(r->cpu, n, 0.5), quantile_us(r->cpu, n, 0.99),
	    quantile_us(r->wall, n, 0.5), quantile_us(r->wall, n, 0.99), r->pages * 64);
}

static int
pool_open(struct runner *r, struct err *e)
{
	char host[PATH_BYTES];
	struct wasm_pool_options o = { .host_program = host, .hosts_max = 1 };
	int rc = wasm_local_host(host, sizeof host, e);

	return rc == OK ? wasm_pool_new(&r->pool, r->shard, &o, e) : rc;
}

static int
run_file(struct runner *r, struct err *e)
{
	char cache[PATH_BYTES];
	struct buf bytes = BUF(0);
	struct str with = line_text(r->line, "compiler");
	nsec took = 0;
	int rc = wasm_local_cache(r->line, cache, sizeof cache, e);

	if (rc == OK)
		rc = wasm_local_read(&bytes, r->line->operand[0], e);
	if (rc == OK)
		rc = shard_new(&r->shard, 0, e);
	if (rc == OK)
		rc = wasm_local_build(&r->code, r->shard, &(struct wasm_local_build){
		    .cache = cache, .bytes = buf_str(&bytes),
		    .compiler = str_eq(with, S("tcc")) ? WASM_TCC : WASM_GCC }, &took, e);
	buf_release(&bytes);
	if (rc == OK && took > 0 && !r->quiet)
		fprintf(stderr, "compiled in %.2f s\n", (double)took / NS_PER_S);
	if (rc == OK)
		rc = options_read(r, r->code->facts, e);
	if (rc == OK)
		rc = pool_open(r, e);
	if (rc != OK)
		return rc;
	r->options.code = r->code;
	guest_start(r);
	while (!r->over)
		shard_turn(r->shard);
	*e = r->err;
	return r->rc;
}

static void
runner_release(struct runner *r)
{
	wasm_instance_free(r->old);
	wasm_instance_free(r->guest);
	wasm_pool_free(r->pool);
	wasm_code_drop(r->code);
	shard_free(r->shard);
	for (size_t i = 0; i < r->messages_n; i++)
		free((char *)r->messages[i].p);
	for (size_t i = 0; i < r->store_n; i++) {
		free(r->store[i].key);
		free((char *)r->store[i].value.p);
	}
	free(r->messages);
	free(r->store);
	free(r->wall);
	free(r->cpu);
	buf_release(&r->said);
}

int
cmd_wasm_run(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line l;
	struct err e = { 0 };
	struct runner r = { .line = &l, .repeat = 1, .said = BUF(64 * MB) };
	int rc = line_parse(&l, cmd, argc, argv, &a, &e);

	if (rc == OK)
		rc = line_check_values(&l, &e);
	if (rc < 0) {
		arena_release(&a);
		return command_usage_error(cmd->name, &e);
	}
	if (line_has(&l, "repeat"))
		(void)str_to_i64(line_text(&l, "repeat"), &r.repeat);
	r.quiet = line_has(&l, "quiet");
	log_threshold = LOG_WARN;
	messages_read(&r);
	rc = run_file(&r, &e);
	summary(&r);
	if (rc < 0)
		fprintf(stderr, "cohort %s: %.*s: %s\n", cmd->name, FMT(l.operand[0]), e.text);
	runner_release(&r);
	arena_release(&a);
	return rc < 0 || r.bad > 0;
}
