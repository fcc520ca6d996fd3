/*
 * scenario_read.c - a file becomes a plan.
 *
 * What a file may say stands in tables: a key, what its value is, and the function
 * that takes it.  The same tables refuse other keys, and are the help.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/scenario_keys.h"

#include <assert.h>

#define MEMORY      (32 * MB)
#define MS_DEFAULT  60000
#define USERS_OPEN  1000

const char *const slot_names[SLOTS_BUILT_IN] = {
	"user", "iteration", "random", "uuid", "run", "graph"
};

/* ---- variables ------------------------------------------------------------ */

int
variable_find(const struct scenario *p, struct str name)
{
	for (size_t i = 0; i < p->variables_n; i++)
		if (str_eq(p->variables[i].name, name))
			return (int)i;
	return -1;
}

struct variable *
variable_add(struct reading *r, const struct tree_node *n, struct str name)
{
	struct scenario *p = r->plan;

	if (p->variables_n == LIMIT_SCENARIO_VARIABLES) {
		reading_fail(r, n, "more than %d variables", LIMIT_SCENARIO_VARIABLES);
		return &p->variables[0];
	}
	p->variables[p->variables_n].name = name;
	return &p->variables[p->variables_n++];
}

static void
take_variables(struct reading *r, const struct tree_node *n, void *into)
{
	(void)into;
	if (!reading_wants(r, n, TREE_MAP, "a map of variables"))
		return;
	for (const struct tree_node *c = n->first; c != NULL && r->rc == OK; c = c->next) {
		struct buf text = BUF(LIMIT_AGENT_BYTES);
		struct variable *v;

		if (variable_find(r->plan, c->key) >= 0)
			reading_fail_near(r, c, NULL, "'%.*s' is a variable of every scenario",
			    FMT(str_cut(c->key, 100)));
		v = variable_add(r, c, arena_str(&r->plan->arena, c->key));
		v->json = c->kind != TREE_STRING;
		if (v->json)
			tree_add_json(&text, c);
		else
			buf_add(&text, c->text);
		v->text = arena_str(&r->plan->arena, buf_str(&text));
		buf_release(&text);
	}
	r->plan->constants_n = r->plan->variables_n;
}

/* ---- phases --------------------------------------------------------------- */

/* 50, 50/s, 3000/min */
static double
read_rate(struct reading *r, const struct tree_node *n)
{
	static const struct { struct str unit; double seconds; } units[] = {
		{ { "/s", 2 }, 1 }, { { "/min", 4 }, 60 }, { { "/h", 2 }, 3600 } };
	struct str number = n->text;
	double v = -1, per = 1;

	for (size_t i = 0; i < COUNT(units); i++) {
		if (!str_ends(n->text, units[i].unit))
			continue;
		number.n -= units[i].unit.n;
		per = units[i].seconds;
	}
	if ((n->kind != TREE_STRING && n->kind != TREE_NUMBER) || !str_to_double(number, &v) ||
	    v < 0 || v / per > LIMIT_SCENARIO_RATE)
		reading_fail(r, n, "expected a rate like 50/s or 300/min, at most %d/s",
		    LIMIT_SCENARIO_RATE);
	return v / per;
}

static void
take_phase_name(struct reading *r, const struct tree_node *n, void *into)
{
	((struct phase *)into)->name = reading_name(r, n);
}

static void
take_rate(struct reading *r, const struct tree_node *n, void *into)
{
	struct phase *ph = into;

	ph->open = true;
	ph->from = ph->to = read_rate(r, n);
}

static void
take_users(struct reading *r, const struct tree_node *n, void *into)
{
	struct phase *ph = into;

	if (ph->open)
		reading_fail(r, n, "a phase has 'rate' or 'users', not both");
	ph->from = ph->to = (double)reading_int(r, n, 0, LIMIT_SCENARIO_USERS);
}

/* After rate and users. */
static void
take_to(struct reading *r, const struct tree_node *n, void *into)
{
	struct phase *ph = into;

	ph->to = ph->open ? read_rate(r, n) : (double)reading_int(r, n, 0, LIMIT_SCENARIO_USERS);
}

static void
take_for(struct reading *r, const struct tree_node *n, void *into)
{
	((struct phase *)into)->ms = reading_time(r, n, 1, LIMIT_SCENARIO_MS);
}

static void
take_pause(struct reading *r, const struct tree_node *n, void *into)
{
	struct phase *ph = into;

	if (ph->open)
		reading_fail(r, n, "'pause' is between two sequences of a user; a rate has none");
	ph->pause = reading_time(r, n, 0, LIMIT_SCENARIO_MS);
}

static void
take_measure(struct reading *r, const struct tree_node *n, void *into)
{
	if (reading_wants(r, n, TREE_BOOL, "true or false"))
		((struct phase *)into)->measured = n->truth;
}

static const struct key phase_keys[] = {
	{ "name", false, take_phase_name, "a name", "shown while it runs" },
	{ "rate", false, take_rate, "50/s, 300/min", "sequences that begin in a second, "
	    "whatever the server does: an open loop" },
	{ "users", false, take_users, "a number", "so many, each with one request at a "
	    "time: a closed loop" },
	{ "to", false, take_to, "as `rate` or `users`", "the same at the end of the phase; "
	    "linear in between" },
	{ "for", true, take_for, "a time like 30s", "how long the phase is" },
	{ "pause", false, take_pause, "a time", "of a user between two sequences" },
	{ "measure", false, take_measure, "true or false", "false: a warm-up, which is left "
	    "out; only before the first measured phase" },
	{ NULL }
};

static void
take_phases(struct reading *r, const struct tree_node *n, void *into)
{
	struct phase *all;
	size_t i = 0;

	(void)into;
	if (!reading_wants_list(r, n, LIMIT_SCENARIO_PHASES, "a list of phases"))
		return;
	r->plan->phases = all = reading_alloc(r, n, n->n, sizeof *all);
	for (const struct tree_node *c = n->first; c != NULL && r->rc == OK; c = c->next) {
		struct phase *ph = &all[i++];

		ph->measured = true;
		reading_map(r, c, phase_keys, "a phase", ph);
		if (r->rc == OK && (tree_get(&r->tree, c, S("rate")) == NULL) ==
		    (tree_get(&r->tree, c, S("users")) == NULL))
			reading_fail(r, c, "a phase needs 'rate' or 'users'");
		if (i > 1 && !ph->measured && ph[-1].measured)
			reading_fail(r, c, "a phase that is not measured comes before the others");
	}
	r->plan->phases_n = i;
	if (r->rc == OK && !all[i - 1].measured)
		reading_fail(r, n, "no phase is measured");
}

/* ---- sequences ------------------------------------------------------------ */

static void
take_sequence_name(struct reading *r, const struct tree_node *n, void *into)
{
	((struct sequence *)into)->name = reading_name(r, n);
}

static void
take_weight(struct reading *r, const struct tree_node *n, void *into)
{
	((struct sequence *)into)->weight = reading_int(r, n, 1, 1000000);
}

static const struct key sequence_keys[] = {
	{ "name", true, take_sequence_name, "a name", "of its metric, the time of all steps" },
	{ "weight", false, take_weight, "a number", "its share among the sequences (1)" },
	{ "steps", true, take_steps, "a list of steps, see below", "one after the other" },
	{ NULL }
};

static void
take_sequences(struct reading *r, const struct tree_node *n, void *into)
{
	struct scenario *p = r->plan;

	(void)into;
	if (!reading_wants_list(r, n, LIMIT_SCENARIO_SEQUENCES, "a list of sequences"))
		return;
	p->sequences = reading_alloc(r, n, n->n, sizeof *p->sequences);
	for (const struct tree_node *c = n->first; c != NULL && r->rc == OK; c = c->next) {
		struct sequence *q = &p->sequences[p->sequences_n];

		q->weight = 1;
		reading_map(r, c, sequence_keys, "a sequence", q);
		for (size_t i = 0; i < p->sequences_n; i++)
			if (r->rc == OK && str_eq(p->sequences[i].name, q->name))
				reading_fail(r, c, "two sequences have the name '%.*s'", FMT(q->name));
		p->sequences_n++;
	}
}

/* ---- the root ------------------------------------------------------------- */

static void
take_plan_name(struct reading *r, const struct tree_node *n, void *into)
{
	(void)into;
	r->plan->name = reading_name(r, n);
}

static void
take_max_users(struct reading *r, const struct tree_node *n, void *into)
{
	(void)into;
	r->plan->users_max = reading_int(r, n, 1, LIMIT_SCENARIO_USERS);
}

static void
take_timeout(struct reading *r, const struct tree_node *n, void *into)
{
	(void)into;
	r->plan->timeout = reading_time(r, n, 1, LIMIT_SCENARIO_MS);
}

static void
take_connections(struct reading *r, const struct tree_node *n, void *into)
{
	struct str s = reading_string(r, n, "kept or fresh");

	(void)into;
	r->plan->fresh = str_eq(s, S("fresh"));
	if (!r->plan->fresh && !str_eq(s, S("kept")))
		reading_fail(r, n, "expected kept or fresh");
}

static void
take_thresholds(struct reading *r, const struct tree_node *n, void *into)
{
	struct buf list = BUF(64 * KB);
	struct err why;

	(void)into;
	if (!reading_wants_list(r, n, LIMIT_SCENARIO_ROWS, "a list of thresholds"))
		return;
	for (const struct tree_node *c = n->first; c != NULL && r->rc == OK; c = c->next) {
		struct str s = reading_string(r, c, "a text like http_req_failed<0.01");

		if (r->rc == OK && (str_index(s, ',') >= 0 || report_thresholds(NULL, s.p,
		    &why) != OK))
			reading_fail(r, c, "expected name<number or name.p95<number, or the same with "
			    ">");
		buf_add_fmt(&list, "%s%.*s", list.n > 0 ? "," : "", FMT(s));
	}
	r->plan->thresholds = arena_str(&r->plan->arena, buf_str(&list)).p;
	buf_release(&list);
}

static const struct key root_keys[] = {
	{ "name", true, take_plan_name, "a name", "of the scenario" },
	{ "variables", false, take_variables, "a map", "values for texts: ${name} in paths, "
	    "headers and bodies. A string of a body that is nothing else becomes the value, "
	    "of its kind. There are also user, iteration, random, uuid, run (of this run) "
	    "and graph (--graph)" },
	{ "timeout", false, take_timeout, "a time", "of a request (60s)" },
	{ "connections", false, take_connections, "kept or fresh", "fresh: a new one for "
	    "each request (kept)" },
	{ "max_users", false, take_max_users, "a number", "at once while there is a rate "
	    "(1000); an arrival that finds none free is not sent, and fails the run" },
	{ "phases", true, take_phases, "a list of phases, see below", "how much load, when" },
	{ "sequences", true, take_sequences, "a list of sequences, see below",
	    "what is sent" },
	{ "thresholds", false, take_thresholds, "a list of texts", "what must hold, as in "
	    "`http_req_failed<0.01`, `chat.p99<500`" },
	{ NULL }
};

static void
check_users(struct reading *r)
{
	const struct tree_node *n = tree_get(&r->tree, r->tree.root, S("max_users"));
	bool open = false;

	for (size_t i = 0; i < r->plan->phases_n; i++)
		open = open || r->plan->phases[i].open;
	if (n != NULL && !open)
		reading_fail_near(r, n, NULL, "'max_users' goes with a rate; no phase has one");
}

int
scenario_read(struct scenario *p, struct str text, struct str file, struct err *e)
{
	struct reading r = { .plan = p, .e = e };

	*p = (struct scenario){ .arena = ARENA(MEMORY), .users_max = USERS_OPEN,
	    .timeout = MS_DEFAULT };
	scenario_init(p);
	r.rc = tree_read_yaml(&r.tree, text, file, e);
	if (r.rc == OK)
		reading_map(&r, r.tree.root, root_keys, "a scenario", p);
	if (r.rc == OK)
		check_users(&r);
	tree_release(&r.tree);
	return r.rc;
}

void
scenario_init(struct scenario *p)
{
	p->variables = arena_zero(&p->arena, LIMIT_SCENARIO_VARIABLES * sizeof *p->variables);
	p->rows = arena_zero(&p->arena, LIMIT_SCENARIO_ROWS * sizeof *p->rows);
	assert(p->variables != NULL && p->rows != NULL);
	for (size_t i = 0; i < SLOTS_BUILT_IN; i++)
		p->variables[i].name = str_of(slot_names[i]);
	p->variables_n = p->constants_n = SLOTS_BUILT_IN;
	p->took_point = "iteration_duration";
	p->ok_point = "iteration_success_rate";
}

void
scenario_release(struct scenario *p)
{
	arena_release(&p->arena);
}

/* ---- help ----------------------------------------------------------------- */

static const struct { const char *of; const struct key *keys; } tables[] = {
	{ "a scenario", root_keys }, { "a phase", phase_keys },
	{ "a sequence", sequence_keys }, { "a step", scenario_step_keys },
	{ "a request, a stream", scenario_request_keys },
};

void
scenario_add_keys(struct buf *out, bool markdown)
{
	if (markdown)
		buf_lit(out, "| of | key | value | meaning |\n|---|---|---|---|\n");
	for (size_t i = 0; i < COUNT(tables); i++) {
		for (const struct key *k = tables[i].keys; k->name != NULL; k++) {
			if (markdown)
				buf_add_fmt(out, "| %s | `%s`%s | %s | %s |\n", tables[i].of,
				    k->name, k->required ? " (needed)" : "", k->value, k->help);
			else
				buf_add_fmt(out, "  %-20s %-12s %s: %s\n", tables[i].of, k->name,
				    k->value, k->help);
		}
	}
}
