/*
 * scenario_keys.c - see scenario_keys.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/scenario_keys.h"

#include <math.h>
#include <stdarg.h>

/* ---- failures ------------------------------------------------------------- */

void
reading_fail(struct reading *r, const struct tree_node *n, const char *format, ...)
{
	va_list ap;

	if (r->rc != OK)
		return;
	va_start(ap, format);
	r->rc = tree_vfail(&r->tree, n, false, NULL, r->e, format, ap);
	va_end(ap);
}

/* At the key of n, with what may have been meant. */
void
reading_fail_near(struct reading *r, const struct tree_node *n, const char *near,
    const char *format, ...)
{
	va_list ap;

	if (r->rc != OK)
		return;
	va_start(ap, format);
	r->rc = tree_vfail(&r->tree, n, true, near, r->e, format, ap);
	va_end(ap);
}

bool
reading_wants(struct reading *r, const struct tree_node *n, enum tree_kind kind, const char *what)
{
	if (n->kind != kind)
		reading_fail(r, n, "expected %s, got %s", what, tree_kind_name(n));
	return r->rc == OK;
}

/* ---- maps with known keys ------------------------------------------------- */

void
reading_map(struct reading *r, const struct tree_node *n, const struct key *keys,
    const char *what, void *into)
{
	if (!reading_wants(r, n, TREE_MAP, what))
		return;
	/* A misspelt key is mostly why another is missing. */
	for (const struct tree_node *c = n->first; c != NULL; c = c->next) {
		struct str_near near = { .word = c->key };

		if (str_near_row(&near, keys, sizeof *keys) == NULL)
			reading_fail_near(r, c, near.best, "unknown key '%.*s'",
			    FMT(str_cut(c->key, 100)));
	}
	for (const struct key *k = keys; k->name != NULL; k++)
		if (k->required && tree_get(&r->tree, n, str_of(k->name)) == NULL)
			reading_fail(r, n, "'%s' is missing: %s", k->name, k->value);
	for (const struct key *k = keys; k->name != NULL && r->rc == OK; k++) {
		const struct tree_node *c = tree_get(&r->tree, n, str_of(k->name));

		if (c != NULL)
			k->take(r, c, into);
	}
}

/* A list of 1 to max. */
bool
reading_wants_list(struct reading *r, const struct tree_node *n, size_t max, const char *what)
{
	if (!reading_wants(r, n, TREE_LIST, what))
		return false;
	if (n->n == 0 || n->n > max)
		reading_fail(r, n, "expected 1 to %zu, got %zu", max, n->n);
	return r->rc == OK;
}

void *
reading_alloc(struct reading *r, const struct tree_node *n, size_t count, size_t size)
{
	void *p = arena_zero(&r->plan->arena, (count + 1) * size);

	if (p == NULL)
		reading_fail(r, n, "the scenario is too large");
	return p;
}

/* ---- values --------------------------------------------------------------- */

static bool
read_number(struct reading *r, const struct tree_node *n, double min, double max, double *out)
{
	if (!reading_wants(r, n, TREE_NUMBER, "a number"))
		return false;
	if (!str_to_double(n->text, out) || *out < min || *out > max)
		reading_fail(r, n, "expected %g to %g, got %.*s", min, max, FMT(n->text));
	return r->rc == OK;
}

int64_t
reading_int(struct reading *r, const struct tree_node *n, int64_t min, int64_t max)
{
	double v = 0;

	if (read_number(r, n, (double)min, (double)max, &v) && v != rint(v))
		reading_fail(r, n, "expected a whole number, got %.*s", FMT(n->text));
	return (int64_t)v;
}

msec
reading_time(struct reading *r, const struct tree_node *n, msec min, msec max)
{
	nsec t = 0;

	if (n->kind != TREE_STRING && n->kind != TREE_NUMBER)
		reading_fail(r, n, "expected a time like 250ms, 10s or 2m, got %s", tree_kind_name(n));
	else if (!clock_parse(n->text, NS_PER_MS, &t))
		reading_fail(r, n, "expected a time like 250ms, 10s or 2m, got '%.*s'",
		    FMT(str_cut(n->text, 60)));
	else if (t / NS_PER_MS < min || t / NS_PER_MS > max)
		reading_fail(r, n, "expected %lld to %lld ms, got %lld", (long long)min,
		    (long long)max, (long long)(t / NS_PER_MS));
	return t / NS_PER_MS;
}

/* Names are part of metrics, and of thresholds. */
struct str
reading_name(struct reading *r, const struct tree_node *n)
{
	bool good = n->kind == TREE_STRING && n->text.n > 0 &&
	    n->text.n <= LIMIT_SCENARIO_NAME_BYTES;

	for (size_t i = 0; good && i < n->text.n; i++) {
		char c = n->text.p[i];

		good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '_' || c == '-';
	}
	if (!good)
		reading_fail(r, n, "expected a name of at most %d letters, digits, '_' and '-'",
		    LIMIT_SCENARIO_NAME_BYTES);
	return arena_str(&r->plan->arena, n->text);
}

struct str
reading_string(struct reading *r, const struct tree_node *n, const char *what)
{
	return reading_wants(r, n, TREE_STRING, what) ? arena_str(&r->plan->arena, n->text) : STR_NONE;
}

