/*
 * cmd_models.c - `cohort models list`, `cohort models check`: which models there are,
 * and what works when they are asked.
 *
 * Each target of an alias is asked by itself, because one that works hides those
 * behind it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "llm/llm.h"
#include "llm/models.h"
#include "main/agent_solo.h"
#include "main/cmd.h"

#define TEXT_BYTES (MB)

const struct flag cmd_models_check_flags[] = {
	{ "json", .help = "as JSON, an object a model" },
	{ NULL }
};

/* ---- list ------------------------------------------------------------------------- */

int
cmd_models_list(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct solo_room room = { 0 };
	struct buf b = BUF(TEXT_BYTES);
	struct flag_line l;
	struct err e = { 0 };
	int rc = line_parse(&l, cmd, argc, argv, &a, &e);

	arena_release(&a);
	if (rc != OK)
		return command_usage_error(cmd->name, &e);
	rc = solo_room_open(&room, STR_NONE, STR_NONE, &e);
	if (rc == OK) {
		buf_add_fmt(&b, "default: %.*s\n", FMT(buf_str(&room.model)));
		for (size_t i = 0; i < models_aliases(room.models); i++) {
			buf_add_fmt(&b, "%.*s: ", FMT(models_alias_name(room.models, i)));
			models_add_targets(&b, room.models, i);
			buf_lit(&b, " (");
			models_add_has(&b, room.models, i);
			buf_lit(&b, ")\n");
		}
		buf_lit(&b, "\nproviders\n");
		for (size_t i = 0; i < models_entries(room.models); i++) {
			buf_lit(&b, "  ");
			models_add_entry(&b, room.models, i);
			buf_lit(&b, "\n");
		}
		fwrite(b.p, 1, b.n, stdout);
	} else {
		fprintf(stderr, "cohort models list: %s\n", e.text);
	}
	buf_release(&b);
	solo_room_close(&room);
	return rc == OK ? 0 : 1;
}

/* ---- one question ----------------------------------------------------------------- */

struct answer {
	bool done;
	int rc;
	size_t texts, calls;                 /* deltas of text; tool calls */
	bool whole;                          /* its text is a JSON object */
	struct llm_usage usage;
	char event[64], words[sizeof ((struct err *)0)->text];
	msec took;
};

static void
on_delta(void *ctx, const struct llm_delta *d)
{
	struct answer *x = ctx;

	x->texts += d->kind == LLM_DELTA_TEXT;
}

static bool
is_object(struct str message)
{
	struct json_doc m = { 0 }, inner = { 0 };
	bool yes = json_parse(&m, message, NULL) == OK &&
	    json_parse(&inner, str_trim(json_str(json_get(m.root, S("content")))),
	    NULL) == OK && json_is_object(inner.root);

	json_release(&inner);
	json_release(&m);
	return yes;
}

static void
on_done(void *ctx, int rc, const struct llm_answer *a, const char *event,
    const struct err *e)
{
	struct answer *x = ctx;

	x->rc = rc;
	if (rc == OK) {
		x->usage = a->usage;
		x->calls = a->calls_n;
		x->whole = is_object(a->message_json);
	} else {
		snprintf(x->event, sizeof x->event, "%s", event);
		snprintf(x->words, sizeof x->words, "%s", e->text);
	}
	x->done = true;
}

static void
ask(struct solo_room *r, struct str model, struct llm_request *rq, struct answer *x)
{
	const struct llm_hooks hooks = { on_delta, on_done, x };
	nsec began = clock_mono();
	struct err e = { 0 };

	*x = (struct answer){ 0 };
	rq->model = model;
	rq->temperature = NAN;
	if (llm_start(r->llm, rq, &hooks, &e) != NULL) {
		while (!x->done)
			shard_turn(r->shard);
	} else {
		x->rc = e.code;
		snprintf(x->event, sizeof x->event, "error.llm.invalid_request");
		snprintf(x->words, sizeof x->words, "%s", e.text);
	}
	x->took = (clock_mono() - began) / 1000000;
}

/* ---- what works ------------------------------------------------------------------- */

enum { CHECK_ANSWER, CHECK_STREAM, CHECK_TOOLS, CHECK_SCHEMA, CHECK_VISION, CHECKS };

static const char *const check_names[CHECKS] = { "answer", "stream", "tools", "schema",
    "vision" };

struct checked {
	struct str alias, model;
	bool works[CHECKS];
	struct answer first, bad;            /* bad: the first that failed; rc OK: none */
	struct str bad_check;
};

#define HUMAN(text) S("{\"content\":\"" text "\",\"type\":\"human\"}")
/* One pixel, red. */
#define PIXEL "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8Dw" \
    "HwAFBQIAX8jx0gAAAABJRU5ErkJggg=="

static const struct str questions[CHECKS] = {
	[CHECK_ANSWER] = HUMAN("Answer with the word: ok"),
	[CHECK_STREAM] = HUMAN("Count from one to five in words."),
	[CHECK_TOOLS] = HUMAN("Call the tool report with the word ok."),
	[CHECK_SCHEMA] = HUMAN("Which number comes after three?"),
	[CHECK_VISION] = S("{\"content\":[{\"type\":\"text\",\"text\":\"Which color is it? "
	    "One word.\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
	    "\"data:image/png;base64," PIXEL "\"}}],\"type\":\"human\"}"),
};

static bool
works(int check, const struct answer *x)
{
	return x->rc == OK && (check == CHECK_STREAM ? x->texts > 0 :
	    check == CHECK_TOOLS ? x->calls > 0 : check == CHECK_SCHEMA ? x->whole : true);
}

static void
check_one(struct solo_room *r, struct checked *c)
{
	static const struct llm_tool_spec tool = { S("report"), S("Reports a word."),
	    S("{\"type\":\"object\",\"properties\":{\"word\":{\"type\":\"string\"}},"
	    "\"required\":[\"word\"]}") };
	static const struct str schema = S("{\"type\":\"object\",\"properties\":{\"number\":"
	    "{\"type\":\"integer\"}},\"required\":[\"number\"],"
	    "\"additionalProperties\":false}");

	for (int i = 0; i < CHECKS; i++) {
		struct llm_request rq = { .messages = &questions[i], .messages_n = 1,
		    .stream = i == CHECK_STREAM };
		struct answer x;

		if (i == CHECK_TOOLS) {
			rq.tools = &tool;
			rq.tools_n = 1;
			rq.tool_choice = S("any");
		}
		if (i == CHECK_SCHEMA)
			rq.output_schema_json = schema;
		ask(r, c->model, &rq, &x);
		c->works[i] = works(i, &x);
		if (i == CHECK_ANSWER)
			c->first = x;
		if (!c->works[i] && c->bad_check.n == 0) {
			c->bad = x;
			c->bad_check = str_of(check_names[i]);
		}
		if (i == CHECK_ANSWER && x.rc != OK)
			break;               /* the others would say the same */
	}
}

/* ---- printing --------------------------------------------------------------------- */

static void
add_row(struct buf *b, const struct checked *c)
{
	buf_add_fmt(b, "%-12.*s %-28.*s", FMT(c->alias), FMT(c->model));
	for (int i = 0; i < CHECKS; i++)
		buf_add_fmt(b, " %-6s", c->works[i] ? "yes" : "no");
	buf_add_fmt(b, " %6lld ms %6lld\n", (long long)c->first.took,
	    (long long)(c->first.usage.input_tokens + c->first.usage.output_tokens));
	if (c->bad_check.n > 0 && c->bad.rc != OK)
		buf_add_fmt(b, "    %.*s: %s: %s\n", FMT(c->bad_check), c->bad.event,
		    c->bad.words);
}

static void
add_json_row(struct buf *b, const struct checked *c)
{
	json_add_fmt(b, "{'alias':%.*s,'model':%.*s", FMT(c->alias), FMT(c->model));
	for (int i = 0; i < CHECKS; i++) {
		json_add_key(b, check_names[i]);
		buf_add(b, c->works[i] ? S("true") : S("false"));
	}
	json_add_fmt(b, ",'latency_ms':%lld,'input_tokens':%lld,'output_tokens':%lld",
	    (long long)c->first.took, (long long)c->first.usage.input_tokens,
	    (long long)c->first.usage.output_tokens);
	if (c->bad_check.n > 0)
		json_add_fmt(b, ",'failed':%.*s,'event':%s,'error':%s", FMT(c->bad_check),
		    c->bad.event, c->bad.words);
	buf_lit(b, "}\n");
}

/* Works what cohort.yaml says that it has? */
static bool
as_declared(const struct solo_room *r, const struct checked *c)
{
	static const struct { int check; unsigned has; } rows[] = {
		{ CHECK_TOOLS, LLM_HAS_TOOLS }, { CHECK_SCHEMA, LLM_HAS_JSON_SCHEMA },
		{ CHECK_VISION, LLM_HAS_VISION },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (!c->works[rows[i].check] && !str_eq(c->alias, S("-")) &&
		    models_can(r->models, c->alias, STR_NONE, rows[i].has, NULL) == OK)
			return false;
	return true;
}

static void
run_one(struct solo_room *r, struct str alias, struct str model, bool json, bool *bad)
{
	struct checked c = { .alias = alias, .model = model };
	struct buf b = BUF(TEXT_BYTES);

	check_one(r, &c);
	*bad = *bad || !c.works[CHECK_ANSWER] || !as_declared(r, &c);
	if (json)
		add_json_row(&b, &c);
	else
		add_row(&b, &c);
	fwrite(b.p, 1, b.n, stdout);
	fflush(stdout);
	buf_release(&b);
}

/* Checks each target of an alias; a name that is not an alias is checked as a model. */
static void
run_name(struct solo_room *r, struct str name, bool json, bool *bad)
{
	struct buf targets = BUF(64 * KB);
	struct str rest, model;
	size_t i = 0;

	while (i < models_aliases(r->models) &&
	    !str_eq(models_alias_name(r->models, i), name))
		i++;
	if (i < models_aliases(r->models))
		models_add_targets(&targets, r->models, i);
	else
		buf_add(&targets, name);
	rest = buf_str(&targets);
	while (str_next(&rest, ',', &model))
		run_one(r, i < models_aliases(r->models) ? name : S("-"), str_trim(model),
		    json, bad);
	buf_release(&targets);
}

static int
check_all(struct solo_room *r, const struct flag_line *l)
{
	bool json = line_has(l, "json"), bad = false;

	if (!json) {
		printf("%-12s %-28s", "alias", "model");
		for (int i = 0; i < CHECKS; i++)
			printf(" %-6s", check_names[i]);
		printf(" %9s %6s\n", "latency", "tokens");
	}
	for (size_t i = 0; i < l->operands_n; i++)
		run_name(r, l->operand[i], json, &bad);
	for (size_t i = 0; l->operands_n == 0 && i < models_aliases(r->models); i++)
		run_name(r, models_alias_name(r->models, i), json, &bad);
	if (l->operands_n == 0 && models_aliases(r->models) == 0)
		run_name(r, buf_str(&r->model), json, &bad);
	return bad ? 1 : 0;
}

int
cmd_models_check(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct solo_room room = { 0 };
	struct flag_line l;
	struct err e = { 0 };
	int code = 1;

	log_threshold = LOG_ERROR;           /* what failed is in the table */
	if (line_parse(&l, cmd, argc, argv, &a, &e) != OK) {
		code = command_usage_error(cmd->name, &e);
	} else if (solo_room_open(&room, STR_NONE, STR_NONE, &e) != OK) {
		fprintf(stderr, "cohort models check: %s\n", e.text);
	} else {
		code = check_all(&room, &l);
		solo_room_close(&room);
	}
	arena_release(&a);
	return code;
}
