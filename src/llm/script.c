/*
 * script.c - reads a script file into rules, and finds the rule for a turn.
 *
 * A script is read once, strictly (a misspelt key is an error with its path),
 * and never changes; what script_answer hands out lives as long as it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "llm/script_priv.h"

#include "base/fields.h"
#include "base/limits.h"
#include "base/mem.h"

#define PAUSE_MAX_MS 600000

const char script_sentence[] =
    "A small server can hold a large crowd of patient agents when each one of "
    "them waits without a thread, speaks one word at a time, and writes down what "
    "it has promised before anyone is told that the work is done.";

const char script_first_steps[] =
    "{\"rules\":["
    "{\"match\":\"time is it\",\"tool_calls\":[{\"name\":\"current_time\"}]},"
    "{\"match\":\"current time\",\"tool_calls\":[{\"name\":\"current_time\"}]},"
    "{\"match\":{\"role\":\"tool\"},\"reply\":\"The answer is in the tool's "
    "message before this one. (A scripted model wrote this: set OPENAI_API_KEY, or "
    "--openai-base-url and --model, for a real one.)\"}]}";

struct rule {
	struct str role, last;               /* last empty: any text */
	bool filled;                         /* with values of the last result */
	struct script_turn turn;
};

struct llm_script {
	struct arena arena;
	struct rule *rules;
	size_t n;
	struct script_turn fallback;
};

/* ---- reading -------------------------------------------------------------- */

/* What one turn is read with. */
struct reading {
	struct arena *a;
	bool tool;                           /* it answers a tool's result */
	bool filled;                         /* out: and takes values from it */
};

static void
read_call(struct reading *r, struct fields *f, struct script_call *out)
{
	struct buf text = BUF(LIMIT_SCRIPT_BYTES);
	struct str name = STR_NONE;
	struct fields args;
	struct err why = { 0 };

	fields_str(f, "name", LIMIT_NAME_BYTES, &name);
	if (name.n == 0)
		fields_fail(f, "name", ERR_INVALID, "missing");
	fields_object(f, "args", &args);
	if (f->rc == OK && script_fill_check(args.node, r->tool, &r->filled, &why) != OK)
		fields_fail(&args, NULL, why.code, "%s", why.text);
	if (args.node != NULL)
		json_add_node(&text, args.node);
	else
		buf_lit(&text, "{}");
	*out = (struct script_call){ arena_str(r->a, name),
	    arena_str(r->a, buf_str(&text)) };
	buf_release(&text);
	fields_end(f);
}

static void
read_calls(struct reading *r, struct fields *f, struct script_turn *out)
{
	struct fields list, call;
	struct script_call *calls;

	if (!fields_array(f, "tool_calls", LIMIT_TOOL_CALLS, &list))
		return;
	out->calls_n = json_count(list.node);
	out->calls = calls = arena_zero(r->a, (out->calls_n + 1) * sizeof *calls);
	if (calls == NULL)
		fields_fail(&list, NULL, ERR_TOOBIG, "the script is too large");
	while (fields_next(&list, &call))
		read_call(r, &call, &calls[call.index]);
}

static void
read_turn(struct reading *r, struct fields *f, struct script_turn *out)
{
	struct str reply = STR_NONE;
	int64_t status = 0;

	out->ttft_ms = out->token_ms = -1;
	fields_str(f, "reply", LIMIT_SCRIPT_BYTES, &reply);
	read_calls(r, f, out);
	fields_int(f, "status", 400, 599, &status);
	fields_int(f, "ttft_ms", 0, PAUSE_MAX_MS, &out->ttft_ms);
	fields_int(f, "token_ms", 0, PAUSE_MAX_MS, &out->token_ms);
	fields_int(f, "jitter", 0, 100, &out->jitter);
	if (reply.p == NULL && out->calls_n == 0 && status == 0)
		fields_fail(f, NULL, ERR_INVALID, "needs a reply, tool_calls or a status");
	out->reply = arena_str(r->a, reply);
	out->status = (int)status;
	fields_end(f);
}

/* "text", or {"last":"text","role":"tool"}. */
static void
read_match(struct arena *a, struct fields *f, struct rule *out)
{
	struct str last = STR_NONE, role = S("user");
	jnode match = fields_any(f, "match");
	struct fields m;

	if (json_is_string(match)) {
		last = json_str(match);
	} else if (!json_is_object(match)) {
		fields_fail(f, "match", ERR_INVALID, "expected a string or an object, "
		    "got %s", json_kind(match));
	} else if (fields_object(f, "match", &m)) {
		fields_str(&m, "last", LIMIT_SCRIPT_BYTES, &last);
		fields_str(&m, "role", LIMIT_NAME_BYTES, &role);
		fields_end(&m);
	}
	out->last = arena_str(a, last);
	out->role = arena_str(a, role);
}

static void
read_rule(struct arena *a, struct fields *f, struct rule *out)
{
	struct reading r = { .a = a };

	read_match(a, f, out);
	r.tool = str_eq(out->role, S("tool"));
	read_turn(&r, f, &out->turn);
	out->filled = r.filled;
}

static int
read_root(struct llm_script *s, jnode root, struct err *e)
{
	struct fields f, rules, rule, fallback;
	struct reading r = { .a = &s->arena };

	fields_open(&f, root, "the script", e);
	fields_array(&f, "rules", SIZE_MAX, &rules);
	s->rules = arena_zero(&s->arena, (json_count(rules.node) + 1) * sizeof *s->rules);
	if (s->rules == NULL)
		fields_fail(&rules, NULL, ERR_TOOBIG, "the script is too large");
	for (; fields_next(&rules, &rule); s->n++)
		read_rule(&s->arena, &rule, &s->rules[s->n]);
	if (fields_object(&f, "default", &fallback)) {
		read_turn(&r, &fallback, &s->fallback);
		s->fallback.canned = false;
	}
	if (s->arena.failed)
		fields_fail(&f, NULL, ERR_TOOBIG, "too large");
	return fields_end(&f);
}

int
script_new(struct llm_script **out, struct str text, struct err *e)
{
	struct llm_script *s;
	struct json_doc d = { 0 };
	int rc;

	*out = NULL;
	if (text.n > LIMIT_SCRIPT_BYTES)
		return err_set(e, ERR_TOOBIG, "the script is longer than %d bytes",
		    LIMIT_SCRIPT_BYTES);
	s = mem_new(struct llm_script);
	s->arena = ARENA((size_t)LIMIT_SCRIPT_BYTES * 16);
	s->fallback = (struct script_turn){ .reply = str_of(script_sentence),
	    .ttft_ms = -1, .token_ms = -1, .canned = true };
	if (text.n > 0) {
		rc = json_parse(&d, text, e);
		if (rc == OK)
			rc = read_root(s, d.root, e);
		json_release(&d);
		if (rc != OK) {
			script_free(s);
			return rc;
		}
	}
	*out = s;
	return OK;
}

void
script_free(struct llm_script *s)
{
	if (s == NULL)
		return;
	arena_release(&s->arena);
	free(s);
}

/* ---- answering ------------------------------------------------------------ */

void
script_answer(const struct llm_script *s, struct str role, struct str last,
    struct arena *a, struct script_turn *out)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct rule *r = &s->rules[i];

		if (str_eq(r->role, role) &&
		    (r->last.n == 0 || str_contains(last, r->last))) {
			*out = r->turn;
			if (r->filled)
				script_fill(out, last, a);
			return;
		}
	}
	*out = s->fallback;
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool
script_next_token(struct str *rest, struct str *token)
{
	size_t n = 0;

	while (n < rest->n && blank(rest->p[n]))
		n++;
	while (n < rest->n && !blank(rest->p[n]))
		n++;
	if (n == 0)
		return false;
	*token = str_sub(*rest, 0, n);
	*rest = str_sub(*rest, n, rest->n);
	return true;
}
