/*
 * read.c - the file of an eval.
 *
 * Maps are read by tables of their keys.  The first failure stays in struct reader and
 * disables what follows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "agent/tree.h"
#include "base/limits.h"
#include "chart/expr.h"
#include "eval/eval.h"
#include "tools/tools.h"

#define EVAL_MEMORY (64 * (size_t)LIMIT_AGENT_BYTES)
#define ANY_KIND    (-1)

const char *const eval_kinds[] = { "exact", "schema", "expression", "judge", "script", NULL };
const char *const eval_names[] = { "input", "output", "expected", "state", "usage", NULL };

struct reader {
	struct tree tree;
	struct eval *v;
	struct eval_scorer *scorer;          /* that is being read */
	struct err *e;
	int rc;
};

struct key {
	const char *name;
	int kind;                            /* enum tree_kind, or ANY_KIND */
	const char *expected;                /* words */
	void (*take)(struct reader *r, const struct tree_node *n);
	bool needed;
};

static void __attribute__((format(printf, 3, 4)))
fail(struct reader *r, const struct tree_node *n, const char *format, ...)
{
	va_list ap;

	if (r->rc != OK)
		return;
	va_start(ap, format);
	r->rc = tree_vfail(&r->tree, n, false, NULL, r->e, format, ap);
	va_end(ap);
}

static void __attribute__((format(printf, 4, 5)))
fail_key(struct reader *r, const struct tree_node *n, const char *near, const char *format,
    ...)
{
	va_list ap;

	if (r->rc != OK)
		return;
	va_start(ap, format);
	r->rc = tree_vfail(&r->tree, n, true, near, r->e, format, ap);
	va_end(ap);
}

static const struct key *
key_of(struct reader *r, const struct tree_node *n, const struct key *keys)
{
	struct str_near near = { .word = n->key };
	const struct key *k = str_near_row(&near, keys, sizeof *keys);

	if (k == NULL)
		fail_key(r, n, near.best, "unknown key '%.*s'", FMT(str_cut(n->key, 100)));
	return k;
}

static void
read_map(struct reader *r, const struct tree_node *map, const struct key *keys)
{
	for (const struct tree_node *n = map->first; n != NULL && r->rc == OK; n = n->next) {
		const struct key *k = key_of(r, n, keys);

		if (k == NULL)
			return;
		if (k->kind != ANY_KIND && k->kind != (int)n->kind)
			fail(r, n, "expected %s, got %s", k->expected, tree_kind_name(n));
		else
			k->take(r, n);
	}
	for (; keys->name != NULL; keys++)
		if (keys->needed && tree_get(&r->tree, map, str_of(keys->name)) == NULL)
			fail(r, map, "'%s' is missing: expected %s", keys->name, keys->expected);
}

/* ---- values ------------------------------------------------------------------------- */

static struct str
text_of(struct reader *r, const struct tree_node *n)
{
	if (n->text.n == 0)
		fail(r, n, "expected a text, got an empty one");
	return arena_str(&r->v->arena, n->text);
}

static double
number_of(struct reader *r, const struct tree_node *n, double min, double max)
{
	double d = 0;

	if (!str_to_double(n->text, &d) || !(d >= min && d <= max))
		fail(r, n, "expected a number from %g to %g, got %.*s", min, max,
		    FMT(str_cut(n->text, 40)));
	return d;
}

/* Finds slots for expr_bind_lenient; keeps the first name that has none. */
struct binding { const char *const *names; size_t n; struct str unknown; bool found; };

static int
slot_of(void *ctx, struct str name, bool of_data)
{
	struct binding *b = ctx;

	for (size_t i = 0; i < b->n && !of_data; i++)
		if (str_eq(name, str_of(b->names[i])))
			return (int)i;
	if (!b->found)
		b->unknown = name;
	b->found = true;
	return -1;
}

static struct expr *
expr_of(struct reader *r, const struct tree_node *n,
    int (*parse)(struct expr **out, struct str text, struct err *e))
{
	struct binding b = { eval_names, EVAL_NAMES, STR_NONE, false };
	struct err why = { 0 };
	struct expr *x = NULL;

	if (parse(&x, n->text, &why) != OK) {
		fail(r, n, "%s", why.text);
		return NULL;
	}
	expr_bind_lenient(x, slot_of, &b);
	if (b.found)
		fail(r, n, "'%.*s' is not known here; expected input, output, expected, state "
		    "or usage, or a text in quotes", FMT(str_cut(b.unknown, 100)));
	else if (expr_asks_states(x))
		fail(r, n, "In() and visits() are for charts");
	return x;
}

/* ---- scorers ------------------------------------------------------------------------- */

static void
take_scorer_name(struct reader *r, const struct tree_node *n)
{
	r->scorer->name = text_of(r, n);
	if (n->text.n > LIMIT_NAME_BYTES)
		fail(r, n, "%zu bytes, more than %d", n->text.n, LIMIT_NAME_BYTES);
	for (const struct eval_scorer *s = r->v->scorer; s < r->scorer; s++)
		if (str_eq(s->name, n->text))
			fail(r, n, "there is a scorer '%.*s' already", FMT(n->text));
}

static void
take_pass(struct reader *r, const struct tree_node *n)
{
	r->scorer->pass = number_of(r, n, 0, 1);
}

static void
take_ignore_case(struct reader *r, const struct tree_node *n)
{
	r->scorer->exact.ignore_case = n->truth;
}

static void
take_trim(struct reader *r, const struct tree_node *n)
{
	r->scorer->exact.trim = n->truth;
}

static void
take_contains(struct reader *r, const struct tree_node *n)
{
	r->scorer->exact.contains = n->truth;
}

static const struct key exact_keys[] = {
	{ "ignore_case", TREE_BOOL, "true or false", take_ignore_case, false },
	{ "trim", TREE_BOOL, "true or false", take_trim, false },
	{ "contains", TREE_BOOL, "true or false", take_contains, false },
	{ NULL, 0, NULL, NULL, false }
};

static void
take_exact(struct reader *r, const struct tree_node *n)
{
	if (n->kind == TREE_MAP)
		read_map(r, n, exact_keys);
	else if (n->kind != TREE_BOOL || !n->truth)
		fail(r, n, "expected true or a map of options, got %s", n->kind == TREE_BOOL ?
		    "false" : tree_kind_name(n));
}

static void
take_schema(struct reader *r, const struct tree_node *n)
{
	struct buf json = BUF(8 * (size_t)LIMIT_AGENT_BYTES);
	struct err why = { 0 };

	tree_add_json(&json, n);
	if (json_parse(&r->scorer->schema, buf_str(&json), &why) != OK ||
	    tools_check_schema(r->scorer->schema.root, &why) != OK)
		fail(r, n, "%s", why.text);
	buf_release(&json);
}

static void
take_expression(struct reader *r, const struct tree_node *n)
{
	r->scorer->expression = expr_of(r, n, expr_parse);
}

static void
take_judge_model(struct reader *r, const struct tree_node *n)
{
	r->scorer->judge.model = text_of(r, n);
}

static void
take_prompt(struct reader *r, const struct tree_node *n)
{
	r->scorer->judge.prompt = expr_of(r, n, expr_parse_template);
}

static void
take_choices(struct reader *r, const struct tree_node *n)
{
	struct eval_scorer *s = r->scorer;

	if (n->n < 2 || n->n > LIMIT_EVAL_CHOICES)
		fail(r, n, "expected 2 to %d choices with their scores, got %zu",
		    LIMIT_EVAL_CHOICES, n->n);
	for (const struct tree_node *x = n->first; x != NULL && r->rc == OK; x = x->next) {
		struct eval_choice *c = &s->judge.choice[s->judge.choices_n];

		if (x->kind != TREE_NUMBER) {
			fail(r, x, "expected a score from 0 to 1, got %s", tree_kind_name(x));
			return;
		}
		c->name = arena_str(&r->v->arena, x->key);
		c->score = number_of(r, x, 0, 1);
		s->judge.choices_n++;
	}
}

static const struct key judge_keys[] = {
	{ "model", TREE_STRING, "provider:name, or an alias", take_judge_model, true },
	{ "prompt", TREE_STRING, "a text", take_prompt, true },
	{ "choices", TREE_MAP, "a map of choices and their scores", take_choices, true },
	{ NULL, 0, NULL, NULL, false }
};

static void
take_judge(struct reader *r, const struct tree_node *n)
{
	read_map(r, n, judge_keys);
}

static void
take_program(struct reader *r, const struct tree_node *n)
{
	const char **argv = arena_alloc(&r->v->arena, (n->n + 1) * sizeof *argv);
	size_t i = 0;

	if (n->n == 0)
		fail(r, n, "expected a program and its arguments, got an empty list");
	if (argv == NULL)
		return;
	for (const struct tree_node *x = n->first; x != NULL && r->rc == OK; x = x->next) {
		if (x->kind != TREE_STRING && x->kind != TREE_NUMBER)
			fail(r, x, "expected a string, got %s", tree_kind_name(x));
		argv[i++] = arena_str(&r->v->arena, x->text).p;
	}
	argv[i] = NULL;
	r->scorer->script.argv = argv;
}

#define SCORER_KINDS 2                       /* where the rows of eval_kinds begin */

static const struct key scorer_keys[] = {
	{ "name", TREE_STRING, "a string", take_scorer_name, true },
	{ "pass", TREE_NUMBER, "a number from 0 to 1", take_pass, false },
	[SCORER_KINDS + EVAL_EXACT] = { "exact", ANY_KIND, "true", take_exact, false },
	[SCORER_KINDS + EVAL_SCHEMA] = { "schema", TREE_MAP, "a JSON schema", take_schema, false },
	[SCORER_KINDS + EVAL_EXPRESSION] = { "expression", TREE_STRING, "a string",
	    take_expression, false },
	[SCORER_KINDS + EVAL_JUDGE] = { "judge", TREE_MAP, "a map", take_judge, false },
	[SCORER_KINDS + EVAL_SCRIPT] = { "script", TREE_LIST, "a list: a program and its arguments",
	    take_program, false },
	{ NULL, 0, NULL, NULL, false }
};

/* Which of the kinds it has; there is exactly one. */
static void
read_kind(struct reader *r, const struct tree_node *n)
{
	size_t found = 0;

	for (int k = 0; k < EVAL_KINDS; k++)
		if (tree_get(&r->tree, n, str_of(eval_kinds[k])) != NULL) {
			r->scorer->kind = (enum eval_kind)k;
			found++;
		}
	if (found != 1)
		fail(r, n, "expected one of exact, schema, expression, judge and script, "
		    "got %s", found == 0 ? "none" : "several");
}

static void
take_scorers(struct reader *r, const struct tree_node *n)
{
	if (n->n == 0 || n->n > LIMIT_EVAL_SCORERS)
		fail(r, n, "expected 1 to %d scorers, got %zu", LIMIT_EVAL_SCORERS, n->n);
	for (const struct tree_node *x = n->first; x != NULL && r->rc == OK; x = x->next) {
		if (x->kind != TREE_MAP) {
			fail(r, x, "expected a map, as in {name: right, exact: true}, got %s",
			    tree_kind_name(x));
			return;
		}
		r->scorer = &r->v->scorer[r->v->scorers_n++];
		r->scorer->pass = 1;
		read_map(r, x, scorer_keys);
		read_kind(r, x);
	}
}

/* ---- the whole ------------------------------------------------------------------------- */

/* A folder of results has this name. */
static void
take_name(struct reader *r, const struct tree_node *n)
{
	static const char known[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	bool good;

	r->v->name = text_of(r, n);
	good = n->text.n <= LIMIT_EVAL_NAME_BYTES && !str_starts(n->text, S("."));
	for (size_t i = 0; i < n->text.n; i++)
		good = good && str_char_in(n->text.p[i], known);
	if (!good)
		fail(r, n, "expected up to %d letters, digits, '.', '_' and '-', and no "
		    "'.' first", LIMIT_EVAL_NAME_BYTES);
}

static void
take_agent(struct reader *r, const struct tree_node *n)
{
	r->v->agent = text_of(r, n);
}

static void
take_dataset(struct reader *r, const struct tree_node *n)
{
	r->v->dataset = text_of(r, n);
}

static void
take_script(struct reader *r, const struct tree_node *n)
{
	r->v->script = text_of(r, n);
}

static void
take_output(struct reader *r, const struct tree_node *n)
{
	r->v->output = expr_of(r, n, expr_parse);
	if (r->rc == OK && (expr_has_slot(r->v->output, EVAL_OUTPUT) ||
	    expr_has_slot(r->v->output, EVAL_EXPECTED)))
		fail(r, n, "the output is made of state, input and usage");
}

static void
take_repeat(struct reader *r, const struct tree_node *n)
{
	if (!str_to_i64(n->text, &r->v->repeat) || r->v->repeat < 1 ||
	    r->v->repeat > LIMIT_EVAL_REPEAT)
		fail(r, n, "expected a whole number from 1 to %d, got %.*s", LIMIT_EVAL_REPEAT,
		    FMT(str_cut(n->text, 40)));
}

static void
take_threshold(struct reader *r, const struct tree_node *n)
{
	r->v->threshold = number_of(r, n, 0, 1);
}

static const struct key eval_keys[] = {
	{ "eval", TREE_STRING, "a name", take_name, true },
	{ "agent", TREE_STRING, "the id of a built-in agent, or a file", take_agent, true },
	{ "dataset", TREE_STRING, "a file of JSON lines", take_dataset, true },
	{ "script", TREE_STRING, "a file of scripted answers", take_script, false },
	{ "output", TREE_STRING, "an expression", take_output, false },
	{ "repeat", TREE_NUMBER, "a whole number", take_repeat, false },
	{ "threshold", TREE_NUMBER, "a number from 0 to 1", take_threshold, false },
	{ "scorers", TREE_LIST, "a list of scorers", take_scorers, true },
	{ NULL, 0, NULL, NULL, false }
};

int
eval_read(struct eval *out, struct str text, struct str file, struct err *e)
{
	struct reader r = { .v = out, .e = e };

	*out = (struct eval){ .arena = ARENA(EVAL_MEMORY), .repeat = 1, .threshold = NAN };
	r.rc = (str_ends(file, S(".json")) ? tree_read_json : tree_read_yaml)(&r.tree, text,
	    file, e);
	if (r.rc == OK && r.tree.root->kind != TREE_MAP)
		fail(&r, r.tree.root, "expected a map, got %s", tree_kind_name(r.tree.root));
	if (r.rc == OK)
		read_map(&r, r.tree.root, eval_keys);
	if (r.rc == OK && out->arena.failed)
		r.rc = err_set(e, ERR_TOOBIG, "%.*s: too large", FMT(file));
	tree_release(&r.tree);
	return r.rc;
}

void
eval_release(struct eval *v)
{
	for (size_t i = 0; i < v->scorers_n; i++) {
		json_release(&v->scorer[i].schema);
		expr_free(v->scorer[i].expression);
		expr_free(v->scorer[i].judge.prompt);
	}
	expr_free(v->output);
	arena_release(&v->arena);
	*v = (struct eval){ 0 };
}

bool
eval_is_file(struct str agent)
{
	return str_index(agent, '/') >= 0 || str_ends(agent, S(".yaml")) ||
	    str_ends(agent, S(".yml")) || str_ends(agent, S(".json")) ||
	    str_ends(agent, S(".scxml"));
}
