/*
 * script.c - reads a script file into rules, and finds the rule for a turn.
 *
 * A script is read once, strictly (a misspelt key is an error with its path),
 * and never changes; what script_answer hands out lives as long as it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "llm/script_priv.h"

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

/* Every key of the object is one of `known`. */
static int
keys_check(jnode object, const char *path, const char *const *known, struct err *e)
{
	struct json_iter it = json_each(object);

	while (json_next(&it)) {
		struct str key = json_str(it.key);
		const char *near = NULL;
		bool found = false;

		for (size_t i = 0; known[i] != NULL; i++) {
			found |= str_eq(key, str_of(known[i]));
			if (str_distance(key, str_of(known[i]), 2) <= 2)
				near = known[i];
		}
		if (!found)
			return err_set(e, ERR_INVALID, "%s%s%.*s: unknown key%s%s%s",
			    path, path[0] != '\0' ? "." : "", FMT(key),
			    near != NULL ? "; did you mean \"" : "",
			    near != NULL ? near : "", near != NULL ? "\"?" : "");
	}
	return OK;
}

static int
object_check(jnode n, const char *path, struct err *e)
{
	if (json_is_object(n))
		return OK;
	return err_set(e, ERR_INVALID, "%s: expected an object, got %s", path,
	    json_kind(n));
}

/* What one turn is read with. */
struct reading {
	struct arena *a;
	bool tool;                           /* it answers a tool's result */
	bool filled;                         /* out: and takes values from it */
};

static int
read_places(struct reading *r, jnode args, const char *path, struct err *e)
{
	struct err why = { 0 };
	int rc = fill_check(args, r->tool, &r->filled, &why);

	return rc == OK ? OK : err_set(e, rc, "%s: %s", path, why.text);
}

static int
read_call(struct reading *r, jnode n, const char *path, struct script_call *out,
    struct err *e)
{
	static const char *const known[] = { "name", "args", NULL };
	struct arena *a = r->a;
	struct str where = arena_fmt(a, "%s.name", path);
	struct str args_where = arena_fmt(a, "%s.args", path), name;
	struct buf text = BUF(LIMIT_SCRIPT_BYTES);
	jnode args = NULL;
	int rc = object_check(n, path, e);

	if (rc == OK)
		rc = keys_check(n, path, known, e);
	if (rc == OK)
		rc = json_get_str(n, "name", where.p, STR_NONE, LIMIT_NAME_BYTES, &name, e);
	if (rc == OK && name.n == 0)
		rc = err_set(e, ERR_INVALID, "%s: missing", where.p);
	if (rc == OK)
		rc = json_get_object(n, "args", args_where.p, &args, e);
	if (rc == OK)
		rc = read_places(r, args, args_where.p, e);
	if (rc != OK)
		return rc;
	if (args != NULL)
		json_add_node(&text, args);
	else
		buf_lit(&text, "{}");
	*out = (struct script_call){ arena_str(a, name), arena_str(a, buf_str(&text)) };
	buf_release(&text);
	return OK;
}

static int
read_calls(struct reading *r, jnode n, const char *path, struct script_turn *out,
    struct err *e)
{
	struct arena *a = r->a;
	struct str where = arena_fmt(a, "%s.tool_calls", path);
	struct script_call *calls;
	struct json_iter it;
	jnode list;
	size_t i = 0;
	int rc = json_get_array(n, "tool_calls", where.p, &list, e);

	if (rc != OK || list == NULL)
		return rc;
	if (json_count(list) > LIMIT_TOOL_CALLS)
		return err_set(e, ERR_LIMIT, "%s: more than %d calls", where.p,
		    LIMIT_TOOL_CALLS);
	calls = arena_zero(a, (json_count(list) + 1) * sizeof *calls);
	if (calls == NULL)
		return err_set(e, ERR_TOOBIG, "%s: the script is too large", where.p);
	for (it = json_each(list); rc == OK && json_next(&it); i++)
		rc = read_call(r, it.value,
		    arena_fmt(a, "%s.%zu", where.p, i).p, &calls[i], e);
	out->calls = calls;
	out->calls_n = json_count(list);
	return rc;
}

static int
read_pause(struct arena *a, jnode n, const char *key, const char *path,
    int64_t *out, struct err *e)
{
	return json_get_int(n, key, arena_fmt(a, "%s.%s", path, key).p, -1, 0,
	    PAUSE_MAX_MS, out, e);
}

static int
read_turn(struct reading *r, jnode n, const char *path, struct script_turn *out,
    struct err *e)
{
	struct arena *a = r->a;
	struct str reply;
	int64_t status;
	int rc = json_get_str(n, "reply", arena_fmt(a, "%s.reply", path).p, STR_NONE,
	    LIMIT_SCRIPT_BYTES, &reply, e);

	if (rc == OK)
		rc = read_calls(r, n, path, out, e);
	if (rc == OK)
		rc = json_get_int(n, "status", arena_fmt(a, "%s.status", path).p, 0,
		    400, 599, &status, e);
	if (rc == OK)
		rc = read_pause(a, n, "ttft_ms", path, &out->ttft_ms, e);
	if (rc == OK)
		rc = read_pause(a, n, "token_ms", path, &out->token_ms, e);
	if (rc != OK)
		return rc;
	out->reply = arena_str(a, reply);
	out->status = (int)status;
	if (reply.p == NULL && out->calls_n == 0 && status == 0)
		return err_set(e, ERR_INVALID,
		    "%s: needs a reply, tool_calls or a status", path);
	return OK;
}

/* "text", or {"last":"text","role":"tool"}. */
static int
read_match(struct arena *a, jnode n, const char *path, struct rule *out,
    struct err *e)
{
	static const char *const known[] = { "last", "role", NULL };
	struct str last = STR_NONE, role = S("user");
	const char *where = arena_fmt(a, "%s.match", path).p;
	jnode match = json_get(n, S("match"));
	int rc = OK;

	if (json_is_string(match)) {
		last = json_str(match);
	} else if (!json_is_object(match)) {
		return err_set(e, ERR_INVALID, "%s: expected a string or an object, "
		    "got %s", where, json_kind(match));
	} else {
		rc = keys_check(match, where, known, e);
		if (rc == OK)
			rc = json_get_str(match, "last",
			    arena_fmt(a, "%s.last", where).p, last,
			    LIMIT_SCRIPT_BYTES, &last, e);
		if (rc == OK)
			rc = json_get_str(match, "role",
			    arena_fmt(a, "%s.role", where).p, role,
			    LIMIT_NAME_BYTES, &role, e);
	}
	out->last = arena_str(a, last);
	out->role = arena_str(a, role);
	return rc;
}

static int
read_rule(struct arena *a, jnode n, const char *path, struct rule *out,
    struct err *e)
{
	static const char *const known[] = { "match", "reply", "tool_calls",
	    "status", "ttft_ms", "token_ms", NULL };
	struct reading r = { .a = a };
	int rc = object_check(n, path, e);

	if (rc == OK)
		rc = keys_check(n, path, known, e);
	if (rc == OK)
		rc = read_match(a, n, path, out, e);
	r.tool = str_eq(out->role, S("tool"));
	if (rc == OK)
		rc = read_turn(&r, n, path, &out->turn, e);
	out->filled = r.filled;
	return rc;
}

static int
read_rules(struct llm_script *s, jnode list, struct err *e)
{
	struct json_iter it = json_each(list);
	int rc = OK;

	s->rules = arena_zero(&s->arena, (json_count(list) + 1) * sizeof *s->rules);
	if (s->rules == NULL)
		return err_set(e, ERR_TOOBIG, "rules: the script is too large");
	for (; rc == OK && json_next(&it); s->n++)
		rc = read_rule(&s->arena, it.value,
		    arena_fmt(&s->arena, "rules.%zu", s->n).p, &s->rules[s->n], e);
	return rc;
}

static int
read_default(struct llm_script *s, jnode n, struct err *e)
{
	static const char *const known[] = { "reply", "tool_calls", "status",
	    "ttft_ms", "token_ms", NULL };
	struct reading r = { .a = &s->arena };
	int rc;

	if (n == NULL)
		return OK;
	rc = keys_check(n, "default", known, e);
	return rc == OK ? read_turn(&r, n, "default", &s->fallback, e) : rc;
}

static int
read_root(struct llm_script *s, jnode root, struct err *e)
{
	static const char *const known[] = { "rules", "default", NULL };
	jnode rules = NULL, fallback = NULL;
	int rc = object_check(root, "the script", e);

	if (rc == OK)
		rc = keys_check(root, "", known, e);
	if (rc == OK)
		rc = json_get_array(root, "rules", "rules", &rules, e);
	if (rc == OK)
		rc = json_get_object(root, "default", "default", &fallback, e);
	if (rc == OK && rules != NULL)
		rc = read_rules(s, rules, e);
	if (rc == OK)
		rc = read_default(s, fallback, e);
	if (rc == OK && s->arena.failed)
		rc = err_set(e, ERR_TOOBIG, "the script is too large");
	return rc;
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
	    .ttft_ms = -1, .token_ms = -1 };
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
				fill_turn(out, last, a);
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
