/*
 * cmd_fork.c - `cohort fork THREAD --at CHECKPOINT`: a new thread with the history up
 * to there; and with other words, another model or another prompt the turn that followed
 * is made again in it, and both answers are shown side by side.
 *
 * The run of the new thread stops after the first node, so that one turn is made and
 * no tool is called.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "main/cmd.h"
#include "main/pages.h"
#include "main/words.h"

const struct flag cmd_fork_flags[] = {
	{ "at", .kind = FLAG_TEXT, .value = "CHECKPOINT", .help = "up to and with this one" },
	{ "model", .kind = FLAG_TEXT, .value = "NAME", .help = "make the turn again with this model" },
	{ "system", .kind = FLAG_TEXT, .value = "TEXT", .help = "with this system prompt" },
	{ "prompt", .kind = FLAG_TEXT, .value = "TEXT", .help = "with this message of the user" },
	{ "input", .kind = FLAG_TEXT, .value = "JSON", .help = "with this input of the run" },
	REMOTE_FLAGS,
	{ NULL }
};

/* The turn that followed the checkpoint; all UNDEF: none did. */
struct turn {
	struct str at;
	bool seen;                           /* the checkpoint */
	bool fresh;                          /* the turn's run began behind it */
	struct val start, input, request, answer;
};

/* ---- the turn ----------------------------------------------------------------------- */

static void
note(struct val *into, struct val entry)
{
	val_drop(*into);
	*into = val_ref(entry);
}

static bool
is_answer(struct val entry)
{
	return entry_is(entry, "answer") && val_has(entry, S("message"));
}

static int
find_turn(void *ctx, struct val entry)
{
	struct turn *t = ctx;

	if (entry_is(entry, "run_start") && t->answer.kind == VAL_UNDEFINED) {
		note(&t->start, entry);
		note(&t->input, VAL_UNDEF);
		t->fresh = t->seen;
	} else if (entry_is(entry, "input") && t->answer.kind == VAL_UNDEFINED) {
		note(&t->input, entry);
	} else if (entry_is(entry, "checkpoint")) {
		t->seen = t->seen || str_eq_nocase(entry_text(entry, "checkpoint_id"), t->at);
	} else if (entry_is(entry, "request") && t->seen && t->answer.kind == VAL_UNDEFINED) {
		note(&t->request, entry);
	} else if (is_answer(entry) && t->seen && t->answer.kind == VAL_UNDEFINED) {
		note(&t->answer, entry);
	}
	return OK;
}

static void
turn_release(struct turn *t)
{
	val_drop(t->start);
	val_drop(t->input);
	val_drop(t->request);
	val_drop(t->answer);
}

static int
turn_read(struct turn *t, struct remote *r, struct str thread, struct str at, struct err *e)
{
	*t = (struct turn){ .at = at, .start = VAL_UNDEF, .input = VAL_UNDEF,
	    .request = VAL_UNDEF, .answer = VAL_UNDEF };
	return pages_each(r, thread, STR_NONE, find_turn, t, e);
}

/* ---- the new thread ------------------------------------------------------------------- */

static int
copy_thread(struct remote *r, struct str thread, struct str at, struct val *out,
    struct err *e)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES), body = BUF(KB);
	char *id = remote_escape(r, thread);
	int rc;

	buf_add_fmt(&path, "/threads/%s/copy", id);
	json_add_fmt(&body, "{'checkpoint_id':%.*s}", FMT(at));
	rc = remote_value(r, "POST", buf_str(&path), buf_str(&body), out, e);
	free(id);
	buf_release(&path);
	buf_release(&body);
	return rc;
}

/* ---- the turn again ------------------------------------------------------------------- */

/* Secrets were not kept: the server's own are used. */
static struct val
without_secrets(struct val v)
{
	struct val out = val_object_empty();

	for (size_t i = 0; i < val_count(v); i++) {
		struct val m = val_member(v, i);

		if (m.kind == VAL_STRING && str_eq(val_str(m), S("[not kept]")))
			continue;
		out = val_set_take(out, val_key(v, i), m.kind == VAL_OBJECT ?
		    without_secrets(m) : val_ref(m));
	}
	return out;
}

static struct val
config_of(const struct turn *t, const struct flag_line *line)
{
	struct val request = val_get(t->start, S("request"));
	struct val config = without_secrets(val_get(request, S("config")));
	struct val own = val_ref(val_get(config, S("configurable")));

	if (own.kind != VAL_OBJECT) {
		val_drop(own);
		own = val_object_empty();
	}
	if (line_text(line, "model").n > 0)
		own = val_set_take(own, S("model_name"), val_string(line_text(line, "model")));
	if (line_text(line, "system").n > 0)
		own = val_set_take(own, S("system_prompt"),
		    val_string(line_text(line, "system")));
	return val_set_take(config, S("configurable"), own);
}

/* Null: the run goes on from the checkpoint. */
static int
input_of(const struct turn *t, const struct flag_line *line, struct val *out, struct err *e)
{
	struct str prompt = line_text(line, "prompt"), json = line_text(line, "input");
	struct buf b = BUF(LIMIT_JSON_STRING_BYTES);
	struct err why;
	int rc = OK;

	*out = VAL_NIL;
	if (prompt.n > 0)
		json_add_fmt(&b, "{'messages':[{'role':'user','content':%.*s}]}", FMT(prompt));
	else
		buf_add(&b, json);
	if (b.n > 0)
		rc = val_json(out, buf_str(&b), &why);
	else if (t->fresh)
		*out = val_ref(val_get(t->input, S("input")));
	buf_release(&b);
	return rc == OK ? OK : err_set(e, ERR_INVALID, "--input: %s", why.text);
}

static int
run_turn(struct remote *r, struct str thread, const struct turn *t,
    const struct flag_line *line, struct err *e)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES), body = BUF(16 * MB);
	struct val input, config = config_of(t, line), answer;
	int rc = input_of(t, line, &input, e);

	buf_add_fmt(&path, "/threads/%.*s/runs/wait", FMT(thread));
	json_add_fmt(&body, "{'assistant_id':%.*s,'interrupt_after':'*','config':",
	    FMT(entry_text(t->start, "assistant_id")));
	val_add_json(&body, config);
	buf_lit(&body, ",\"input\":");
	val_add_json(&body, input.kind == VAL_UNDEFINED ? VAL_NIL : input);
	buf_add_char(&body, '}');
	if (rc == OK)
		rc = remote_value(r, "POST", buf_str(&path), buf_str(&body), &answer, e);
	if (rc == OK)
		val_drop(answer);
	val_drop(input);
	val_drop(config);
	buf_release(&path);
	buf_release(&body);
	return rc;
}

static int
find_answer(void *ctx, struct val entry)
{
	struct turn *t = ctx;

	if (entry_is(entry, "request") && t->answer.kind == VAL_UNDEFINED)
		note(&t->request, entry);
	if (is_answer(entry) && t->answer.kind == VAL_UNDEFINED)
		note(&t->answer, entry);
	return OK;
}

/* ---- shown ------------------------------------------------------------------------------ */

static void
add_answer(struct buf *b, struct val entry)
{
	struct val m = val_get(entry, S("message")), content = val_get(m, S("content"));
	struct val calls = val_get(m, S("tool_calls"));

	if (content.kind == VAL_STRING)
		buf_add(b, val_str(content));
	else if (content.kind != VAL_UNDEFINED)
		val_add_json(b, content);
	for (size_t i = 0; i < val_count(calls); i++) {
		struct val call = val_at(calls, i);

		buf_add(b, b->n > 0 ? S("\n") : STR_NONE);
		buf_lit(b, "call ");
		buf_add(b, entry_text(call, "name"));
		buf_add_char(b, ' ');
		val_add_json(b, val_get(call, S("args")));
	}
}

static void
add_usage(struct buf *b, struct val entry)
{
	struct val usage = val_get(val_get(entry, S("message")), S("usage_metadata"));

	buf_add(b, entry_text(entry, "model"));
	if (usage.kind != VAL_OBJECT)
		return;
	buf_lit(b, ", tokens: ");
	val_add_json(b, val_get(usage, S("input_tokens")));
	buf_lit(b, " in, ");
	val_add_json(b, val_get(usage, S("output_tokens")));
	buf_lit(b, " out");
}

static size_t
half_width(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col < 40)
		return 58;
	return ((size_t)w.ws_col - 3) / 2;
}

static void
show(struct val before, struct val after)
{
	bool colours = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
	struct buf a = BUF(16 * MB), b = BUF(16 * MB), out = BUF(256 * MB);
	struct buf left = BUF(KB), right = BUF(KB);
	size_t width = half_width();

	add_answer(&a, before);
	add_answer(&b, after);
	add_usage(&left, before);
	add_usage(&right, after);
	buf_add_fmt(&out, "%-*.*s | %.*s\n", (int)width, FMT(buf_str(&left)),
	    FMT(buf_str(&right)));
	words_add_beside(&out, buf_str(&a), buf_str(&b), width, colours);
	fwrite(out.p, 1, out.n, stdout);
	buf_release(&a);
	buf_release(&b);
	buf_release(&left);
	buf_release(&right);
	buf_release(&out);
}

/* The file of an agent may name its own model and prompt. */
static void
warn_unused(const struct flag_line *line, struct val request)
{
	struct str model = line_text(line, "model"), system = line_text(line, "system");

	if (model.n > 0 && !str_ends(entry_text(request, "model"), model))
		fprintf(stderr, "cohort fork: --model had no effect: the agent's file names "
		    "the model\n");
	if (system.n > 0 && !str_eq(entry_text(request, "system"), system))
		fprintf(stderr, "cohort fork: --system had no effect: the agent's file has "
		    "a prompt of its own\n");
}

/* ---- the command -------------------------------------------------------------------------- */

static bool
is_changed(const struct flag_line *line)
{
	static const char *const names[] = { "model", "system", "prompt", "input" };

	for (size_t i = 0; i < COUNT(names); i++)
		if (line_text(line, names[i]).n > 0)
			return true;
	return false;
}

static int
again(struct remote *r, struct str fresh, const struct flag_line *line, struct err *e)
{
	struct turn was, now = { .start = VAL_UNDEF, .input = VAL_UNDEF,
		.request = VAL_UNDEF, .answer = VAL_UNDEF };
	int rc = turn_read(&was, r, line->operand[0], line_text(line, "at"), e);

	if (rc == OK && was.answer.kind == VAL_UNDEFINED)
		rc = err_set(e, ERR_NOTFOUND, "the transcript has no answer of a model behind "
		    "that checkpoint");
	if (rc == OK)
		rc = run_turn(r, fresh, &was, line, e);
	if (rc == OK)
		rc = pages_each(r, fresh, STR_NONE, find_answer, &now, e);
	if (rc == OK && now.answer.kind == VAL_UNDEFINED)
		rc = err_set(e, ERR_NOTFOUND, "the first node of the turn asked no model");
	if (rc == OK) {
		warn_unused(line, now.request);
		show(was.answer, now.answer);
	}
	turn_release(&was);
	turn_release(&now);
	return rc;
}

static int
fork_thread(const struct flag_line *line, struct err *e)
{
	struct val copy = VAL_UNDEF;
	struct remote *r;
	int rc = remote_open_line(&r, line, e);

	if (rc == OK)
		rc = copy_thread(r, line->operand[0], line_text(line, "at"), &copy, e);
	if (rc == OK)
		printf("thread %.*s\n", FMT(entry_text(copy, "thread_id")));
	if (rc == OK && is_changed(line))
		rc = again(r, entry_text(copy, "thread_id"), line, e);
	val_drop(copy);
	remote_close(r);
	return rc;
}

int
cmd_fork(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line line;
	struct err e = { 0 };
	int rc = line_parse(&line, cmd, argc, argv, &a, &e), code;

	if (rc == OK && line_text(&line, "at").n == 0)
		rc = err_set(&e, ERR_INVALID, "--at CHECKPOINT is missing");
	if (rc == OK && line_text(&line, "prompt").n > 0 && line_text(&line, "input").n > 0)
		rc = err_set(&e, ERR_INVALID, "--prompt and --input: expected one of them");
	if (rc < 0) {
		arena_release(&a);
		return command_usage_error(cmd->name, &e);
	}
	rc = fork_thread(&line, &e);
	code = rc == OK ? 0 : 1;
	if (rc != OK)
		fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
	arena_release(&a);
	return code;
}
