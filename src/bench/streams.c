/*
 * streams.c - many streamed runs at the same time; see streams.h.
 *
 * A stream is read line by line and only an incomplete line is kept, so the
 * driver needs little memory and time: the words in the "content" of the chunks
 * are counted, not decoded.  A stream with missing words is an error.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "bench/load.h"

#define LINE_MAX_BYTES (1 * MB)
#define STREAMS_MAX    20000
#define STARTS_PER_MS  256                   /* so that reading goes on meanwhile */
#define AT(field)      offsetof(struct streams_options, field)

const struct flag bench_streams_flags[] = {
	LOAD_FLAGS,
	LOAD_FLAG_MODEL,
	LOAD_FLAG_OWN,
	LOAD_FLAG_MOCK,
	{ "concurrency", NULL, FLAG_INT, "1000", "N", "streams at once", AT(concurrency),
	    1, STREAMS_MAX },
	{ "rounds", NULL, FLAG_INT, "1", "N",
	    "one after the other on the same connections; of several the first is "
	    "left out", AT(rounds), 1, 10000 },
	{ "ramp", NULL, FLAG_MS, "0", "TIME", "spread the starts over this", AT(ramp) },
	{ "tokens", NULL, FLAG_INT, "0", "N", "in an answer; 0: one run alone, before "
	    "the others, tells how many, and the model's time", AT(tokens), 0, 100000 },
	{ "ttft", NULL, FLAG_MS, "200", "MS", "the model's time to the first one, "
	    "with --tokens or --own-server", AT(ttft) },
	{ "token-ms", NULL, FLAG_MS, "5", "MS", "after each, likewise", AT(token_ms) },
	{ "timeout", NULL, FLAG_MS, "120s", "TIME", "of one stream",
	    AT(load.timeout) },
	{ "direct", NULL, FLAG_SWITCH, NULL, NULL,
	    "--url is the model itself: what mock and driver alone take", AT(direct) },
	{ "thresholds", NULL, FLAG_TEXT, "errors<1", "LIST",
	    "what must hold, as in errors<1,inflation_p50<1.5", AT(load.thresholds) },
	LOAD_FLAGS_RESULT,
	{ NULL }
};

struct streams;

struct stream {
	struct streams *all;
	struct lean_conn *conn;
	struct wheel_timer start;
	nsec due, first;                     /* the planned start; the first words */
	struct buf line;                     /* its incomplete part */
	int64_t words;
	bool in_word, error_event;
};

struct streams {
	struct streams_options options;
	const struct streams_options *o;     /* the same */
	struct own_servers own;
	struct load load;
	struct buf path, body;
	struct stream *one;
	int64_t n, open, round;
	bool learning;                       /* one stream alone, before the others */
	int64_t words;                       /* expected of each */
	nsec ideal, ideal_first;             /* the time of one alone */
	struct shard_job next;
	struct hist times, first_words;
	uint64_t ok, errors, started;
	struct err sample;
};

/* Reading. */

/* Counts the words that begin in the raw inside of a JSON string. */
static void
count_words(struct stream *s, struct str raw)
{
	for (size_t i = 0; i < raw.n; i++) {
		bool blank = raw.p[i] == ' ';

		s->words += !blank && !s->in_word;
		s->in_word = !blank;
	}
}

static void
line_read(struct stream *s, struct str line)
{
	static const struct str mark = { "\"content\":\"", 11 };
	const char *at, *end;
	size_t left;

	if (str_starts(line, S("event: error")))
		s->error_event = true;
	if (!str_starts(line, S("data:")))
		return;
	at = memmem(line.p, line.n, mark.p, mark.n);
	if (at == NULL)
		return;
	at += mark.n;
	left = (size_t)(line.p + line.n - at);
	for (end = at; left > 0 && *end != '"'; end++, left--)
		if (*end == '\\' && left > 1)
			end++, left--;
	if (end > at && s->first == 0)
		s->first = clock_mono();
	count_words(s, (struct str){ at, (size_t)(end - at) });
}

static void
on_data(void *ctx, struct str bytes)
{
	struct stream *s = ctx;

	while (bytes.n > 0) {
		ptrdiff_t end = str_index(bytes, '\n');
		struct str part = end < 0 ? bytes : str_sub(bytes, 0, (size_t)end);

		bytes = end < 0 ? STR_NONE : str_sub(bytes, (size_t)end + 1, bytes.n);
		if (s->line.n == 0 && end >= 0) {
			line_read(s, part);
			continue;
		}
		buf_add(&s->line, part);
		if (end >= 0) {
			line_read(s, buf_str(&s->line));
			buf_clear(&s->line);
		}
	}
}

static int
stream_check(const struct stream *s, int rc, int status, struct err *e)
{
	if (rc != OK)
		return err_set(e, rc, "%s", rc_text(rc));
	if (status != 200)
		return err_set(e, ERR_INVALID, "answered %d", status);
	if (s->error_event)
		return err_set(e, ERR_INVALID, "an error event");
	if (s->words == 0 || (!s->all->learning && s->words != s->all->words))
		return err_set(e, ERR_INVALID, "%lld words instead of %lld",
		    (long long)s->words, (long long)s->all->words);
	return OK;
}

static void
on_done(void *ctx, int rc, int status, size_t bytes_in)
{
	struct stream *s = ctx;
	struct streams *all = s->all;
	struct err e = { 0 };

	(void)bytes_in;
	if (stream_check(s, rc, status, &e) != OK) {
		all->errors++;
		if (all->sample.code == OK)
			all->sample = e;
	} else if (all->learning) {
		all->words = s->words;
		all->ideal = clock_mono() - s->due;
		all->ideal_first = s->first - s->due;
	} else if (all->load.began != 0) {
		all->ok++;
		hist_add(&all->times, (uint64_t)(clock_mono() - s->due));
		if (s->first != 0)
			hist_add(&all->first_words, (uint64_t)(s->first - s->due));
	}
	if (--all->open == 0)
		shard_post(all->load.shard, &all->next);
}

static void
start_fired(struct wheel_timer *t)
{
	struct stream *s = CONTAINER_OF(t, struct stream, start);
	struct streams *all = s->all;

	all->started++;
	lean_send(s->conn, S("POST"), buf_str(&all->path), buf_str(&all->load.headers),
	    buf_str(&all->body), all->o->load.timeout);
}

/* A round: all starts are planned at once, and times are measured from the plan. */
static void
round_start(struct streams *all)
{
	nsec now = clock_mono();

	all->open = all->learning ? 1 : all->n;
	all->round += !all->learning;
	if (!all->learning && (all->round == 2 || all->o->rounds == 1)) {
		load_begin(&all->load);
		now = clock_mono();
	}
	for (int64_t i = 0; i < all->open; i++) {
		struct stream *s = &all->one[i];
		msec after = all->o->ramp * i / all->n;

		s->first = 0;
		s->words = 0;
		s->in_word = s->error_event = false;
		buf_clear(&s->line);
		s->due = now + after * NS_PER_MS;
		shard_timer_set(all->load.shard, &s->start, after + i / STARTS_PER_MS);
	}
}

static void
round_over(struct shard_job *job)
{
	struct streams *all = CONTAINER_OF(job, struct streams, next);

	all->learning = false;
	if (all->words > 0 && all->round < all->o->rounds) {
		round_start(all);
		return;
	}
	load_end(&all->load);
	shard_stop(all->load.shard);
}

/* Progress and report. */

static double
fraction(void *ctx)
{
	struct streams *all = ctx;
	double total = (double)all->n * (double)all->o->rounds;

	return ((double)all->round * (double)all->n - (double)all->open) / total;
}

static void
words(void *ctx, struct buf *out)
{
	struct streams *all = ctx;

	buf_add_fmt(out, "open=%lld ok=%llu errors=%llu", (long long)all->open,
	    (unsigned long long)all->ok, (unsigned long long)all->errors);
}

static void
report_numbers(const struct streams *all, struct report *r)
{
	const struct streams_options *o = all->o;
	double ideal = (double)all->ideal / (double)NS_PER_MS;
	double first = (double)all->ideal_first / (double)NS_PER_MS;

	report_metric(r, "stream_duration", NULL, &all->times, all->errors);
	report_metric(r, "stream_first_words", NULL, &all->first_words, 0);
	report_value(r, (double)all->n, 0, "concurrency");
	report_value(r, (double)all->ok, 0, "ok");
	report_value(r, (double)all->errors, 0, "errors");
	report_value(r, (double)all->words, 0, "words");
	report_value(r, ideal, o->tokens > 0 ? 0 : 3, "ideal_ms");
	report_value(r, report_ms(&all->times, 50) / ideal, 3, "inflation_p50");
	report_value(r, report_ms(&all->times, 99) / ideal, 3, "inflation_p99");
	report_value(r, report_ms(&all->first_words, 50) / first, 3,
	    "first_words_inflation_p50");
	if (o->rounds > 1)
		report_value(r, (double)all->n, 0, "streams_left_out");
}

static int
report_streams(struct streams *all, int argc, char *const *argv, msec started,
    struct err *e)
{
	struct report r = {
		.workload = "streams", .loop = "open", .argc = argc, .argv = argv,
		.started = started,
		.measures = "streamed runs that are open at the same time, each from the "
		    "moment it was meant to start to its last byte, against the time the "
		    "model takes alone.",
		.not_measures = "arrivals over time, threads with a history, or a real "
		    "model.",
	};
	int rc;

	report_numbers(all, &r);
	rc = load_report(&all->load, &r, "stream", all->ok + all->errors, all->started, e);
	if (all->sample.code != OK)
		r.error_sample = all->sample.text;
	return rc == OK ? report_finish(&r, all->o->load.json, all->o->load.markdown, e) : rc;
}

/* Life. */

static void
request_set(struct streams *all)
{
	const struct streams_options *o = all->o;

	all->path = BUF(1 * KB);
	all->body = BUF(16 * KB);
	if (o->direct) {
		buf_lit(&all->path, "/v1/chat/completions");
		json_add_fmt(&all->body, "{'stream':true,'messages':[{'role':'user',"
		    "'content':'Hello.'}]}");
		return;
	}
	buf_lit(&all->path, "/runs/stream");
	json_add_fmt(&all->body, "{'assistant_id':%s", o->load.graph);
	if (o->load.model != NULL)
		json_add_fmt(&all->body,
		    ",'config':{'configurable':{'model_name':%s}}", o->load.model);
	json_add_fmt(&all->body, ",'stream_mode':['messages-tuple'],"
	    "'input':{'messages':[{'role':'user','content':'Hello.'}]}}");
}

static void
streams_drive(struct streams *all)
{
	static const struct lean_hooks hooks = { .data = on_data, .done = on_done };

	all->one = mem_zero((size_t)all->n * sizeof *all->one);
	for (int64_t i = 0; i < all->n; i++) {
		struct stream *s = &all->one[i];

		s->all = all;
		s->line = BUF(LINE_MAX_BYTES);
		s->start.fire = start_fired;
		s->conn = lean_new(all->load.shard, &all->load.target, &hooks, s);
	}
	all->next.run = round_over;
	round_start(all);
	shard_run(all->load.shard);
	for (int64_t i = 0; i < all->n; i++) {
		lean_free(all->one[i].conn);
		buf_release(&all->one[i].line);
	}
	free(all->one);
}

static int
servers_open(struct streams *all, struct err *e)
{
	struct streams_options *o = &all->options;
	int rc = OK;

	if (o->load.own_server && (o->tokens > 0 || o->direct))
		return err_set(e, ERR_INVALID, "--own-server: its model says what it says; "
		    "--%s does not go with it", o->direct ? "direct" : "tokens");
	rc = load_own(&o->load, &all->own, o->ttft, o->token_ms, true, e);
	return rc == OK ? load_open(&all->load, "streams", &o->load, o->direct ?
	    S("/health") : S("/info"), e) : rc;
}

int
bench_streams(const struct streams_options *given, int argc, char *const *argv,
    struct err *e)
{
	struct streams *all = mem_new(struct streams);
	const struct streams_options *o = all->o = &all->options;
	msec started = clock_wall_ms();
	uint64_t files = machine_files_raise();
	int rc = OK;

	all->options = *given;
	all->n = o->concurrency;
	all->learning = o->tokens == 0;
	all->words = o->tokens;
	/* Never 0: times are divided by them. */
	all->ideal = (o->ttft + o->tokens * o->token_ms) * NS_PER_MS + 1;
	all->ideal_first = o->ttft > 0 ? o->ttft * NS_PER_MS : NS_PER_MS;
	request_set(all);
	all->load.fraction = fraction;
	all->load.words = words;
	all->load.ctx = all;
	if (files < (uint64_t)o->concurrency + 64)
		rc = err_set(e, ERR_LIMIT, "%lld streams need as many open files; the "
		    "limit is %llu (ulimit -n)", (long long)o->concurrency,
		    (unsigned long long)files);
	if (rc == OK)
		rc = servers_open(all, e);
	if (rc == OK) {
		streams_drive(all);
		if (all->words == 0)
			rc = err_set(e, ERR_CLOSED, "one run alone, before the others: %s",
			    all->sample.text);
	}
	if (rc == OK)
		rc = report_streams(all, argc, argv, started, e);
	load_release(&all->load);
	own_servers_stop(&all->own);
	buf_release(&all->path);
	buf_release(&all->body);
	free(all);
	return rc;
}
