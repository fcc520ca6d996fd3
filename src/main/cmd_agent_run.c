/*
 * cmd_agent_run.c - `cohort agent run FILE`: an agent in the terminal.  What
 * happens is told on stderr as it happens, what came out is one line on stdout.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/limits.h"
#include "main/agent_solo.h"
#include "main/cmd.h"

const struct flag cmd_agent_run_flags[] = {
	{ "input", .kind = FLAG_TEXT, .value = "JSON", .fallback = "{}",
	    .help = "what it begins with, an object of channels" },
	{ "config", .kind = FLAG_TEXT, .value = "JSON", .help = "of the run: "
	    "{\"configurable\": {...}}" },
	{ "context", .kind = FLAG_TEXT, .value = "JSON", .help = "of the run" },
	{ "model", .kind = FLAG_TEXT, .value = "NAME", .help = "provider:name, where the file "
	    "names none; default: OpenAI's if OPENAI_API_KEY is set, else a scripted one" },
	{ "script", .kind = FLAG_TEXT, .value = "FILE", .help = "answers of the scripted "
	    "model" },
	{ "answer", .kind = FLAG_TEXT, .value = "TEXT", .help = "to the next question, "
	    "instead of asking for it; repeatable" },
	{ "virtual", .help = "let the clock jump to what is due next" },
	{ "quiet", .help = "only what came out" },
	{ NULL }
};

struct shown {
	const struct flag_line *line;
	size_t answers;                      /* --answer flags that were given */
	bool quiet;
	bool open;                           /* a line of streamed text */
	struct tasks_seen seen;
	char *text;                          /* getline's */
	size_t text_cap;
};

/* ---- what happens ------------------------------------------------------------------ */

static void
line_end(struct shown *s)
{
	if (s->open)
		fputc('\n', stderr);
	s->open = false;
}

/* Two blanks for each graph around. */
static void
line_begin(struct shown *s, const struct run_event *ev)
{
	line_end(s);
	for (size_t i = 0; i < ev->ns.n; i++)
		if (i == 0 || ev->ns.p[i] == '|')
			fputs("  ", stderr);
}

static void
print_value(struct val v)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);

	val_add_json(&b, v);
	fprintf(stderr, "%.*s", FMT(buf_str(&b)));
	buf_release(&b);
}

/* The inside of a JSON string. */
static void
print_text(struct shown *s, struct str raw)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct val v;

	buf_add_char(&b, '"');
	buf_add(&b, raw);
	buf_add_char(&b, '"');
	v = val_json_trusted(buf_str(&b));
	if (v.kind == VAL_STRING && val_str(v).n > 0) {
		fprintf(stderr, "%.*s", FMT(val_str(v)));
		s->open = true;
	}
	val_drop(v);
	buf_release(&b);
}

static void
print_tool(struct shown *s, const struct run_event *ev)
{
	static const char *const words[] = { [EVENT_TOOL_START] = "calls",
		[EVENT_TOOL_END] = "ended", [EVENT_TOOL_ERROR] = "failed",
		[EVENT_TOOL_DELTA] = NULL };
	const struct event_tool *t = &ev->u.tool;
	struct val content = val_get(t->payload, S("content"));

	if (words[t->what] == NULL)
		return;
	line_begin(s, ev);
	fprintf(stderr, "  tool %.*s %s ", FMT(t->name), words[t->what]);
	print_value(content.kind != VAL_UNDEFINED ? content : t->payload);
	fputc('\n', stderr);
}

static void
told(void *ctx, const struct run_event *ev)
{
	struct shown *s = ctx;

	switch (ev->kind) {
	case EVENT_TASK:
		if (task_seen(&s->seen, &ev->task->id))
			break;
		line_begin(s, ev);
		fprintf(stderr, "> %.*s\n", FMT(ev->task->name));
		break;
	case EVENT_DELTA:
		if (ev->u.model.delta->kind == LLM_DELTA_TEXT)
			print_text(s, ev->u.model.delta->text_raw);
		break;
	case EVENT_CUSTOM:
		line_begin(s, ev);
		fprintf(stderr, "  event %.*s ", FMT(ev->u.custom.name));
		print_value(ev->u.custom.data);
		fputc('\n', stderr);
		break;
	case EVENT_TOOL:
		print_tool(s, ev);
		break;
	case EVENT_MODEL_END:
		line_end(s);
		break;
	default:
		break;
	}
	fflush(stderr);
}

/* ---- questions ------------------------------------------------------------------------ */

/* JSON, or the text as it is; a number may choose an option. */
static struct val
answer_of(struct str text, struct val options)
{
	struct val v;
	struct err e;

	for (size_t i = 0; i < val_count(options); i++)
		if (val_at(options, i).kind == VAL_STRING &&
		    str_eq(val_str(val_at(options, i)), text))
			return val_string(text);
	if (json_text_to_val(text, &v, &e) != OK)
		return val_string(text);
	if (v.kind == VAL_INT && v.u.i >= 1 && (size_t)v.u.i <= val_count(options))
		return val_ref(val_at(options, (size_t)v.u.i - 1));
	return v;
}

static void
print_question(struct shown *s, struct val value)
{
	struct val prompt = val_get(value, S("prompt")), options = val_get(value, S("options"));

	line_end(s);
	fputs("? ", stderr);
	if (prompt.kind == VAL_STRING)
		fprintf(stderr, "%.*s", FMT(val_str(prompt)));
	else
		print_value(value);
	fputc('\n', stderr);
	for (size_t i = 0; i < val_count(options); i++) {
		fprintf(stderr, "  %zu) ", i + 1);
		if (val_at(options, i).kind == VAL_STRING)
			fprintf(stderr, "%.*s", FMT(val_str(val_at(options, i))));
		else
			print_value(val_at(options, i));
		fputc('\n', stderr);
	}
	fflush(stderr);
}

/* The next --answer; false: there is none. */
static bool
given_answer(struct shown *s, struct str *out)
{
	size_t nth = 0;

	for (size_t i = 0; i < s->line->given_n; i++)
		if (str_eq(str_of(s->line->given[i].flag->name), S("answer")) &&
		    nth++ == s->answers) {
			s->answers++;
			*out = s->line->given[i].value;
			return true;
		}
	return false;
}

static bool
read_answer(struct shown *s, struct str *out)
{
	ssize_t n = getline(&s->text, &s->text_cap, stdin);

	*out = str_trim((struct str){ s->text, n < 0 ? 0 : (size_t)n });
	return n >= 0;
}

static bool
ask(void *ctx, struct val interrupt, struct val *answer)
{
	struct shown *s = ctx;
	struct val value = val_get(interrupt, S("value"));
	struct str text;
	bool given;

	if (interrupt.kind == VAL_UNDEFINED) {
		line_end(s);
		fputs("? stopped by interrupt_before or interrupt_after; Enter goes on\n",
		    stderr);
		return read_answer(s, &text);
	}
	given = given_answer(s, &text);
	if (!given || !s->quiet)
		print_question(s, value);
	if (!given && !read_answer(s, &text))
		return false;
	*answer = answer_of(text, val_get(value, S("options")));
	return true;
}

/* ---- the command ------------------------------------------------------------------------ */

static int
read_object(const struct flag_line *line, const char *name, struct val *out, struct err *e)
{
	struct str text = line_text(line, name);
	struct err why = { 0 };

	*out = VAL_UNDEF;
	if (text.n == 0)
		return OK;
	if (json_text_to_val(text, out, &why) != OK)
		return err_set(e, ERR_INVALID, "--%s: %s", name, why.text);
	if (out->kind != VAL_OBJECT)
		return err_set(e, ERR_INVALID, "--%s: expected a JSON object, got %s", name,
		    val_kind_name(*out));
	return OK;
}

static int
finish(const char *command, const struct solo_result *r)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);

	if (r->end == SOLO_ERROR) {
		fprintf(stderr, "cohort %s: %.*s: %.*s\n", command, FMT(r->error),
		    FMT(r->message));
		return 1;
	}
	val_add_json(&b, r->values);
	printf("%.*s\n", FMT(buf_str(&b)));
	buf_release(&b);
	if (r->end == SOLO_SUCCESS)
		return 0;
	fprintf(stderr, "cohort %s: it waits for an answer, and there is none\n", command);
	return 1;
}

static int
run(const struct flag_command *cmd, const struct flag_line *line, struct solo_options *o)
{
	struct shown shown = { .line = line, .quiet = line_has(line, "quiet") };
	struct agent_file file;
	struct solo_room room = { 0 };
	struct solo_result result;
	struct err e = { 0 };
	int code = 1, rc;

	rc = agent_file_open(&file, line->operand[0].p, &e);
	if (rc == OK)
		rc = solo_room_open(&room, line_text(line, "model"), line_text(line, "script"),
		    &e);
	if (rc == OK) {
		o->agents = file.set;
		o->agent = file.agent;
		o->shard = room.shard;
		o->llm = room.llm;
		o->model = buf_str(&room.model);
		o->tools = room.tools;
		o->mcp = room.mcp;
		o->instant = line_has(line, "virtual");
		o->told = shown.quiet ? NULL : told;
		o->ask = ask;
		o->ctx = &shown;
		rc = solo_run(o, &result, &e);
		line_end(&shown);
		if (rc == OK)
			code = finish(cmd->name, &result);
		solo_release(&result);
		solo_room_close(&room);
	}
	if (rc != OK)
		fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
	agent_file_close(&file);
	free(shown.text);
	free(shown.seen.at);
	return code;
}

int
cmd_agent_run(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct solo_options o = { .input = VAL_UNDEF };
	struct flag_line line;
	struct err e = { 0 };
	int rc, code;

	rc = line_parse(&line, cmd, argc, argv, &a, &e);
	if (rc == OK)
		rc = read_object(&line, "input", &o.input, &e);
	if (rc == OK && o.input.kind == VAL_UNDEFINED)
		o.input = val_object_empty();
	if (rc == OK)
		rc = read_object(&line, "config", &o.config, &e);
	if (rc == OK)
		rc = read_object(&line, "context", &o.context, &e);
	code = rc < 0 ? command_usage_error(cmd->name, &e) : run(cmd, &line, &o);
	val_drop(o.input);
	val_drop(o.config);
	val_drop(o.context);
	arena_release(&a);
	return code;
}
