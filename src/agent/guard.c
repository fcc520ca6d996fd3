/*
 * guard.c - `retry` and `timeout` beside a kind of work, and times as they are
 * written: 30s, 1.5s, 5m, 24h, 2d, 1m30s, or a number of milliseconds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/load_priv.h"

#include "base/clock.h"

#define LONGEST_MS (LIMIT_WAIT_DAYS * INT64_C(86400000))
#define FACTOR_MAX 100

int64_t
load_time(struct load *l, const struct tree_node *n, int64_t least)
{
	nsec ns = 0;

	if (l->rc != OK)
		return least;
	if ((n->kind != TREE_STRING && n->kind != TREE_NUMBER) ||
	    !clock_parse(n->text, NS_PER_MS, &ns))
		load_fail(l, n, "expected a time, as in 30s, 1.5s, 5m, 24h or 2d, or a number of "
		    "milliseconds, got %.*s", FMT(n->kind < TREE_LIST && n->text.n > 0 ?
		    str_cut(n->text, 100) : str_of(tree_kind_name(n))));
	else if (ns / NS_PER_MS < least)
		load_fail(l, n, "expected at least %lld ms", (long long)least);
	else if (ns / NS_PER_MS > LONGEST_MS)
		load_fail(l, n, "expected at most %d days", LIMIT_WAIT_DAYS);
	return ns / NS_PER_MS;
}

/* ---- which errors --------------------------------------------------------------- */

static const char *const families[] = { "execution", "communication", "llm", "tool",
	"budget", "timeout", NULL };
static const char *const llm_words[] = { "backend", "rate_limited", "overloaded", "auth",
	"invalid_request", "context_length", "timeout", "transport", "tool_validation",
	"max_turns", NULL };

static void
check_word(struct load *l, const struct tree_node *n, struct str word,
    const char *const *words)
{
	struct str_near near = { .word = word };

	for (size_t i = 0; words[i] != NULL; i++) {
		if (str_eq(word, str_of(words[i])))
			return;
		str_near_try(&near, words[i]);
	}
	load_fail_near(l, n, near.best, "there is no error '%.*s'",
	    FMT(str_cut(n->text, 100)));
}

/* error, error.FAMILY, error.llm.WORD, error.tool.NAME; each may end with .* */
static void
check_event(struct load *l, const struct tree_node *n)
{
	struct str rest = load_string(l, n, "an error's name"), word;

	if (l->rc != OK || str_eq(rest, S("*")))
		return;
	if (str_ends(rest, S(".*")))
		rest.n -= 2;
	(void)str_next(&rest, '.', &word);
	if (!str_eq(word, S("error"))) {
		load_fail(l, n, "expected an error's name, as in error.llm or error.tool.*");
		return;
	}
	if (rest.n == 0)
		return;
	(void)str_next(&rest, '.', &word);
	check_word(l, n, word, families);
	if (str_eq(word, S("llm")) && rest.n > 0 && l->rc == OK)
		check_word(l, n, rest, llm_words);
}

static void
load_events(struct load *l, const struct tree_node *n, struct agent_guard *g)
{
	bool list = n->kind == TREE_LIST;
	struct str *on = load_alloc(l, list ? n->n : 1, sizeof *on);

	if (list && n->n == 0)
		load_fail(l, n, "expected at least one error's name");
	for (const struct tree_node *c = list ? n->first : n; c != NULL && l->rc == OK;
	    c = list ? c->next : NULL) {
		check_event(l, c);
		if (l->rc == OK)
			on[g->on_n++] = load_str(l, c->text);
	}
	g->on = on;
}

/* ---- retry ------------------------------------------------------------------------ */

static double
number(struct load *l, const struct tree_node *n, double min, double max)
{
	double v = 0;

	if (n->kind != TREE_NUMBER || !str_to_double(n->text, &v) || !(v >= min && v <= max))
		load_fail(l, n, "expected a number from %g to %g", min, max);
	return v;
}

static void
load_max(struct load *l, const struct tree_node *n, struct agent_guard *g)
{
	int64_t v = 0;

	if (n->kind != TREE_NUMBER || !str_to_i64(n->text, &v) || v < 1 || v > LIMIT_RETRIES)
		load_fail(l, n, "expected how often it is tried again, a whole number from 1 to "
		    "%d", LIMIT_RETRIES);
	g->max = (unsigned)v;
}

static void
load_retry(struct load *l, const struct tree_node *n, struct agent_guard *g)
{
	static const char *const keys[] = { "on", "max", "delay", "factor", "jitter",
		"max_delay", NULL };
	const struct tree_node *part;

	g->retries = true;
	g->max = 3;
	g->delay_ms = 1000;
	g->factor = 2;
	g->max_delay_ms = 60000;
	if (n->kind == TREE_NUMBER) {
		load_max(l, n, g);
		return;
	}
	if (!load_wants(l, n, TREE_MAP, "{on, max, delay, factor, jitter, max_delay}, or how "
	    "often it is tried again"))
		return;
	load_check_keys(l, n, keys);
	for (part = n->first; part != NULL && l->rc == OK; part = part->next) {
		if (str_eq(part->key, S("on")))
			load_events(l, part, g);
		else if (str_eq(part->key, S("max")))
			load_max(l, part, g);
		else if (str_eq(part->key, S("delay")))
			g->delay_ms = load_time(l, part, 0);
		else if (str_eq(part->key, S("factor")))
			g->factor = number(l, part, 1, FACTOR_MAX);
		else if (str_eq(part->key, S("jitter")))
			g->jitter = number(l, part, 0, 1);
		else
			g->max_delay_ms = load_time(l, part, 0);
	}
	part = tree_get(l->t, n, S("max_delay"));
	if (part == NULL && g->delay_ms > g->max_delay_ms)
		g->max_delay_ms = g->delay_ms;
	else if (l->rc == OK && g->delay_ms > g->max_delay_ms)
		load_fail(l, part, "it is shorter than 'delay'");
}

void
load_guard(struct load *l, const struct tree_node *n, struct agent_work *w)
{
	const struct tree_node *retry = tree_get(l->t, n, S("retry"));
	const struct tree_node *timeout = tree_get(l->t, n, S("timeout"));
	struct agent_guard *g;

	if ((retry == NULL && timeout == NULL) || l->rc != OK)
		return;
	g = load_alloc(l, 1, sizeof *g);
	if (timeout != NULL && str_eq(str_of(w->kind->name), S("ask")))
		load_fail_key(l, timeout, NULL, "a question may wait for days: use ask.timeout, "
		    "inside 'ask'");
	if (timeout != NULL && l->rc == OK)
		g->timeout_ms = load_time(l, timeout, 1);
	if (retry != NULL && l->rc == OK)
		load_retry(l, retry, g);
	w->guard = g;
}
