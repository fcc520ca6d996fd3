/*
 * cmd_replay.c - `cohort replay RUN --thread THREAD`: makes a run again without any
 * model, from its transcript, and tells whether it goes the same way.
 *
 * A run that resumed an earlier one is made again with that one, and so on, back to
 * the run that had an input; what the thread held before that comes from the server,
 * and so do the values of each checkpoint.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "main/agent_solo.h"
#include "main/cmd.h"
#include "main/compare.h"
#include "main/entry_line.h"
#include "main/pages.h"
#include "main/record.h"
#include "main/work_tools.h"
#include "net/shard.h"
#include "run/transcript.h"

const struct flag cmd_replay_flags[] = {
	{ "thread", .kind = FLAG_TEXT, .value = "THREAD", .help = "the run's thread" },
	{ "agent", .kind = FLAG_TEXT, .value = "FILE",
	  .help = "replay against this file: shows where it parts from what was recorded" },
	{ "quiet", .letter = 'q', .help = "only the exit code: 0 the same, 1 different" },
	REMOTE_FLAGS,
	{ NULL }
};

struct entries { struct val *at; size_t n, cap; };

/* A checkpoint of the run that was made again. */
struct stand { struct uuid id; struct val values; };

struct replayed {
	struct remote *remote;
	struct str thread, run;
	struct entries recorded;                /* entries, of the runs that are replayed */
	struct entries again;                   /* the same of the replay */
	struct stand *stands; size_t stands_n, stands_cap;
	struct transcript transcript;
	struct compare compare;
	size_t settled;                      /* entries that no later attempt made anew */
	size_t steps;                        /* checkpoints that were the same */
};

static void
entries_add(struct entries *l, struct val v)
{
	mem_grow(l->at, l->n, l->cap);
	l->at[l->n++] = v;
}

static void
entries_drop(struct entries *l)
{
	for (size_t i = 0; i < l->n; i++)
		val_drop(l->at[i]);
	free(l->at);
	*l = (struct entries){ 0 };
}

/* ---- what was recorded ------------------------------------------------------------ */

struct reading { struct entries all; };

static int
keep_entry(void *ctx, struct val entry)
{
	entries_add(&((struct reading *)ctx)->all, val_ref(entry));
	return OK;
}

static bool
is_of(struct val entry, struct str run)
{
	return str_eq_nocase(entry_text(entry, "run_id"), run);
}

/* The first entry of the run whose input began it all. */
static size_t
chain_begin(const struct entries *all, struct str run)
{
	size_t start = all->n, i = all->n;
	bool input = false;

	while (i > 0 && !is_of(all->at[i - 1], run))
		i--;
	for (; i > 0 && !input; i--) {
		struct val e = all->at[i - 1];

		if (!entry_is(e, "run_start"))
			continue;
		for (size_t k = i; k < all->n && !input &&
		    is_of(all->at[k], entry_text(e, "run_id")); k++)
			input = entry_is(all->at[k], "input");
		start = i - 1;
	}
	return start;
}

static int
read_record(struct replayed *r, struct err *e)
{
	struct reading x = { 0 };
	int rc = pages_each(r->remote, r->thread, STR_NONE, keep_entry, &x, e);
	size_t from = rc == OK ? chain_begin(&x.all, r->run) : x.all.n;
	bool last = false;

	for (size_t i = from; i < x.all.n; i++) {
		bool own = is_of(x.all.at[i], r->run);

		if (last && !own)
			break;
		last = own;
		entries_add(&r->recorded, val_ref(x.all.at[i]));
	}
	entries_drop(&x.all);
	if (rc == OK && r->recorded.n == 0)
		rc = err_set(e, ERR_NOTFOUND, "the thread has no transcript of run %.*s",
		    FMT(r->run));
	return rc;
}

static struct val
find_entry(const struct val *entries, size_t n, const char *kind)
{
	for (size_t i = 0; i < n; i++)
		if (entry_is(entries[i], kind))
			return entries[i];
	return VAL_UNDEF;
}

/* The request of a run, as its row had it. */
static struct val
request_of(const struct val *entries, size_t n)
{
	struct val request = val_get(find_entry(entries, n, "run_start"), S("request"));
	struct val input = val_get(find_entry(entries, n, "input"), S("input"));
	struct val command = val_get(find_entry(entries, n, "resumed"), S("command"));

	request = request.kind == VAL_OBJECT ? val_ref(request) : val_object_empty();
	request = val_set_take(request, S("input"), input.kind == VAL_UNDEFINED ? VAL_NIL :
	    val_ref(input));
	if (command.kind != VAL_UNDEFINED)
		request = val_set_take(request, S("command"), val_ref(command));
	return request;
}

static int
tapes_make(const struct replayed *r, struct solo_tape **out, size_t *n, struct err *e)
{
	const struct entries *l = &r->recorded;

	*out = mem_zero((l->n + 1) * sizeof **out);
	*n = 0;
	for (size_t i = 0; i < l->n; ) {
		struct solo_tape *t = &(*out)[(*n)++];
		struct str run = entry_text(l->at[i], "run_id");

		t->entries = &l->at[i];
		while (i < l->n && is_of(l->at[i], run)) {
			if (entry_is(l->at[i], "cut"))
				return err_set(e, ERR_INVALID, "the transcript is not "
				    "whole: entries of run %.*s are missing", FMT(run));
			t->n++;
			i++;
		}
		(void)uuid_parse(run, &t->run_id);
		t->request = request_of(t->entries, t->n);
	}
	return OK;
}

/* ---- where it began ------------------------------------------------------------------ */

/* The state that the first checkpoint of the first run followed, if there is one. */
static int
start_read(struct replayed *r, struct solo_options *o, struct err *e)
{
	struct val first = find_entry(r->recorded.at, r->recorded.n, "checkpoint"), step;
	struct val before = VAL_UNDEF;
	int rc;

	if (first.kind == VAL_UNDEFINED)
		return OK;
	rc = record_state_before(r->remote, r->thread, entry_text(first, "checkpoint_id"),
	    &before, e);
	if (rc == OK && before.kind != VAL_UNDEFINED) {
		step = val_get(val_get(before, S("metadata")), S("step"));
		o->start.values = val_ref(val_get(before, S("values")));
		o->start.step = step.kind == VAL_INT ? (int)step.u.i : 0;
		(void)uuid_parse(entry_text(val_get(before, S("checkpoint")), "checkpoint_id"),
		    &o->start.id);
	}
	val_drop(before);
	return rc;
}

/* ---- again ------------------------------------------------------------------------------- */

static void
noted(void *ctx, struct transcript *t)
{
	struct replayed *r = ctx;
	struct transcript_reader reader = { 0 };
	struct buf row, json = BUF(64 * MB);
	int64_t first, last;

	if (!transcript_take(t, &row, &first, &last))
		return;
	reader.rest = buf_str(&row);
	for (int64_t seq = first; transcript_read(&reader) == OK; seq++) {
		buf_clear(&json);
		transcript_add_json(&json, &reader, S("again"), NULL, seq);
		entries_add(&r->again, val_json_trusted(buf_str(&json)));
	}
	buf_release(&row);
	buf_release(&json);
}

static void
stands(void *ctx, struct str ns, const struct uuid *id, struct val values)
{
	struct replayed *r = ctx;

	(void)ns;
	mem_grow(r->stands, r->stands_n, r->stands_cap);
	r->stands[r->stands_n++] = (struct stand){ *id, val_ref(values) };
}

static struct val
values_at(const struct replayed *r, const struct uuid *id)
{
	for (size_t i = r->stands_n; i > 0; i--)
		if (uuid_eq(&r->stands[i - 1].id, id))
			return r->stands[i - 1].values;
	return VAL_UNDEF;
}

/* ---- compared ------------------------------------------------------------------------------ */

static void
print_side(const char *side, struct val entry)
{
	struct buf b = BUF(64 * MB);

	if (entry.kind == VAL_UNDEFINED)
		buf_lit(&b, "nothing more");
	else
		entry_add_words(&b, entry);
	printf("  %s: %.*s\n", side, FMT(buf_str(&b)));
	buf_release(&b);
}

static void
print_parting(const struct replayed *r, struct val a, struct val b)
{
	struct val at = a.kind != VAL_UNDEFINED ? a : b;
	struct str ns = entry_text(at, "ns"), node = entry_text(at, "node");

	printf("different after %zu steps", r->steps);
	if (ns.n > 0)
		printf(", in %.*s", FMT(ns));
	if (node.n > 0)
		printf(", at %.*s", FMT(node));
	printf("\n");
	print_side("recorded", a);
	print_side("replayed", b);
}

static void
print_values(struct replayed *r, struct str id, struct val was, struct val now)
{
	printf("different values after %zu steps, at checkpoint %.*s\n", r->steps, FMT(id));
	for (size_t i = 0; i < val_count(now); i++) {
		struct val old = val_get(was, val_key(now, i));

		if (compare_values(&r->compare, old, val_member(now, i)))
			continue;
		printf("  channel %.*s\n", FMT(val_key(now, i)));
		print_side("recorded", old);
		print_side("replayed", val_member(now, i));
	}
}

/* The values of a checkpoint, unless the server does not have it any more. */
static int
values_compare(struct replayed *r, struct val entry, bool quiet, bool *same, struct err *e)
{
	struct str id = entry_text(entry, "checkpoint_id");
	struct val state, now, was;
	struct uuid uuid;
	int rc;

	*same = true;
	if (!uuid_parse(id, &uuid))
		return OK;
	rc = record_state(r->remote, r->thread, entry_text(entry, "ns"), id, &state, e);
	if (rc != OK)
		return rc == ERR_NOTFOUND ? OK : rc;
	now = values_at(r, &uuid);
	was = val_get(state, S("values"));
	*same = now.kind == VAL_UNDEFINED || compare_values(&r->compare, was, now);
	if (!*same && !quiet)
		print_values(r, id, was, now);
	val_drop(state);
	return OK;
}

/* *low: those before are used up. */
static bool
next_of(const struct entries *l, bool *used, struct str ns, size_t *low, size_t *at)
{
	while (*low < l->n && (used[*low] || !compare_counts(l->at[*low])))
		++*low;
	for (*at = *low; *at < l->n; ++*at)
		if (!used[*at] && compare_counts(l->at[*at]) &&
		    str_eq(entry_text(l->at[*at], "ns"), ns))
			return true;
	return false;
}

static bool
was_cancelled(struct val entry, size_t left)
{
	return left == 0 && entry_is(entry, "run_end");
}

static int
compare_all(struct replayed *r, bool quiet, bool *out, struct err *e)
{
	const struct entries *was = &r->recorded, *now = &r->again;
	bool *used = mem_zero((now->n + 1) * sizeof *used), same = true;
	struct val b;
	size_t at, low = 0;
	int rc = OK;

	for (size_t i = 0; i < r->settled && same && rc == OK; i++) {
		struct val a = was->at[i];

		if (!compare_counts(a))
			continue;
		b = next_of(now, used, entry_text(a, "ns"), &low, &at) ? now->at[at] : VAL_UNDEF;
		same = b.kind != VAL_UNDEFINED && compare_entries(&r->compare, a, b);
		if (!same && b.kind == VAL_UNDEFINED && was_cancelled(a, r->settled - i - 1)) {
			same = true;
			continue;
		}
		if (!same && !quiet)
			print_parting(r, a, b);
		used[at] = true;
		if (same && entry_is(a, "checkpoint")) {
			rc = values_compare(r, a, quiet, &same, e);
			r->steps++;
		}
	}
	for (at = 0; rc == OK && same && at < now->n; at++) {
		same = used[at] || !compare_counts(now->at[at]);
		if (!same && !quiet)
			print_parting(r, VAL_UNDEF, now->at[at]);
	}
	free(used);
	*out = same;
	return rc;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int
play(struct replayed *r, const struct agent_file *f, struct err *e)
{
	struct tools *tools = tools_new();
	struct solo_options o = { .agents = f->set, .agent = f->agent, .instant = true,
		.tools = tools, .transcript = &r->transcript, .noted = noted,
		.stands = stands, .ctx = r, .start.values = VAL_UNDEF };
	struct solo_result result = { 0 };
	struct solo_tape *tapes = NULL;
	struct shard *shard = NULL;
	size_t n = 0, done;
	int rc;

	work_tools_add(tools);
	rc = shard_new(&shard, 0, e);
	o.shard = shard;
	if (rc == OK)
		rc = tapes_make(r, &tapes, &n, e);
	if (rc == OK)
		rc = start_read(r, &o, e);
	transcript_open(&r->transcript, 1);
	if (rc == OK) {
		rc = solo_replay(&o, tapes, n, &done, &result, e);
		noted(r, &r->transcript);
		solo_release(&result);
	}
	transcript_release(&r->transcript);
	for (size_t i = 0; i < n; i++)
		val_drop(tapes[i].request);
	free(tapes);
	val_drop(o.start.values);
	shard_free(shard);
	tools_free(tools);
	return rc;
}

static int
replay(struct replayed *r, const struct flag_line *line, bool *same, struct err *e)
{
	struct str file = line_text(line, "agent");
	struct agent_file f = { 0 };
	int rc = read_record(r, e);

	if (rc == OK)
		rc = file.n > 0 ? agent_file_open(&f, file.p, e) : record_definition(r->remote, r->thread, r->run, &f, e);
	if (rc == OK)
		rc = play(r, &f, e);
	if (rc == OK) {
		r->settled = compare_settle(r->recorded.at, r->recorded.n);
		rc = compare_all(r, line_has(line, "quiet"), same, e);
	}
	agent_file_close(&f);
	return rc;
}

static void
release(struct replayed *r)
{
	entries_drop(&r->recorded);
	entries_drop(&r->again);
	for (size_t i = 0; i < r->stands_n; i++)
		val_drop(r->stands[i].values);
	free(r->stands);
	compare_release(&r->compare);
	remote_close(r->remote);
}

int
cmd_replay(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct replayed r = { 0 };
	struct flag_line line;
	struct err e = { 0 };
	bool same = false;
	int rc = line_parse(&line, cmd, argc, argv, &a, &e);

	if (rc == OK && line_text(&line, "thread").n == 0)
		rc = err_set(&e, ERR_INVALID, "--thread THREAD is missing: the run's thread");
	if (rc < 0) {
		arena_release(&a);
		return command_usage_error(cmd->name, &e);
	}
	r.run = line.operand[0];
	r.thread = line_text(&line, "thread");
	rc = remote_open_line(&r.remote, &line, &e);
	if (rc == OK)
		rc = replay(&r, &line, &same, &e);
	if (rc != OK)
		fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
	else if (same && !line_has(&line, "quiet"))
		printf("same: %zu steps\n", r.steps);
	release(&r);
	arena_release(&a);
	return rc == OK && same ? 0 : 1;
}
