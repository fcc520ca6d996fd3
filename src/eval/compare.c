/*
 * compare.c - two results of an eval: what differs by more than chance.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "eval/result.h"

#define MS_LEAST 0.001                       /* a time of 0 has no logarithm */

const char *const eval_verdicts[] = { "same", "better", "worse", "unclear" };

/* A case: the sums of its repeats. */
struct tally {
	struct str id;
	const struct eval_row *least;        /* the repeat that scored least */
	double score[LIMIT_EVAL_SCORERS];
	double tokens, cost, ms;
	double n;
};

struct side {
	const struct eval_result *r;
	struct tally *at;
	size_t n;
	struct map by_id;
};

/* ---- cases of a result -------------------------------------------------------------------- */

static uint64_t
hash_id(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static bool
same_id(const void *value, const void *key)
{
	return str_eq(((const struct tally *)value)->id, *(const struct str *)key);
}

static const void *
id_of(const void *value)
{
	return &((const struct tally *)value)->id;
}

static double
sum_of(const struct eval_result *r, const struct eval_row *row)
{
	double sum = 0;

	for (size_t i = 0; i < r->scorers_n; i++)
		sum += row->score[i].score;
	return sum;
}

static void
side_init(struct side *s, const struct eval_result *r)
{
	*s = (struct side){ .r = r, .at = mem_zero((r->rows_n + 1) * sizeof *s->at) };
	map_init(&s->by_id, hash_id, same_id, id_of);
	for (size_t i = 0; i < r->rows_n; i++) {
		const struct eval_row *row = &r->row[i];
		struct tally *t = map_get(&s->by_id, &row->id);

		if (t == NULL) {
			t = &s->at[s->n++];
			t->id = row->id;
			t->least = row;
			map_put(&s->by_id, t);
		}
		for (size_t k = 0; k < r->scorers_n; k++)
			t->score[k] += row->score[k].score;
		t->tokens += (double)(row->usage.input_tokens + row->usage.output_tokens);
		t->cost += (double)row->usage.cost_nano / 1e9;
		t->ms += row->ms;
		t->n++;
		if (sum_of(r, row) < sum_of(r, t->least))
			t->least = row;
	}
}

static void
side_release(struct side *s)
{
	map_release(&s->by_id);
	free(s->at);
}

/* ---- figures ------------------------------------------------------------------------------- */

struct pairs { double *a, *b, *difference; size_t n; };

static enum eval_verdict
verdict_of(const struct stats_difference *d, double confidence, double margin, bool up)
{
	bool sure = d->p <= 1 - confidence && (d->low > 0 || d->high < 0);

	if (d->low >= -margin && d->high <= margin)
		return EVAL_SAME;
	if (!sure)
		return EVAL_UNCLEAR;
	return (d->mean > 0) == up ? EVAL_BETTER : EVAL_WORSE;
}

static double
mean_of(const double *v, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += v[i];
	return n > 0 ? sum / (double)n : 0;
}

/* relative: the margin is a part of A's mean. */
static void
figure(struct eval_compared *out, const struct pairs *p, double confidence, double margin,
    bool up, bool relative)
{
	out->a = mean_of(p->a, p->n);
	out->b = mean_of(p->b, p->n);
	for (size_t i = 0; i < p->n; i++)
		p->difference[i] = p->b[i] - p->a[i];
	out->d = stats_difference(p->difference, p->n, confidence);
	out->verdict = verdict_of(&out->d, confidence, relative ? margin * out->a : margin, up);
}

/* Where A's scorer is in B; B's count: it is not there. */
static size_t
scorer_in(const struct eval_result *b, struct str name)
{
	size_t i = 0;

	while (i < b->scorers_n && !str_eq(b->scorer[i].name, name))
		i++;
	return i;
}

static void
turn(struct eval_comparison *out, const struct side *a, const struct side *b, size_t ka,
    size_t kb, const struct tally *x, const struct tally *y)
{
	double va = x->score[ka] / x->n, vb = y->score[kb] / y->n;
	bool was = va >= a->r->scorer[ka].pass - 1e-9, is = vb >= b->r->scorer[kb].pass - 1e-9;
	struct str why = y->least->error.n > 0 ? y->least->error : y->least->score[kb].why;

	if (was == is)
		return;
	mem_grow(out->turned, out->turned_n, out->turned_cap);
	out->turned[out->turned_n++] = (struct eval_turned){ .id = x->id,
		.scorer = a->r->scorer[ka].name, .why = is ? STR_NONE : why, .a = va, .b = vb,
		.worse = was };
}

static void
compare_scorer(struct eval_comparison *out, const struct side *a, const struct side *b,
    size_t ka, size_t kb, struct pairs *p)
{
	struct eval_compared *c = &out->scorer[out->scorers_n++];

	p->n = 0;
	for (size_t i = 0; i < a->n; i++) {
		const struct tally *x = &a->at[i], *y = map_get(&b->by_id, &x->id);

		if (y == NULL)
			continue;
		p->a[p->n] = x->score[ka] / x->n;
		p->b[p->n++] = y->score[kb] / y->n;
		turn(out, a, b, ka, kb, x, y);
	}
	c->name = a->r->scorer[ka].name;
	figure(c, p, out->confidence, out->margin, true, false);
}

/* What a case took. */
static void
compare_costs(struct eval_comparison *out, const struct side *a, const struct side *b,
    struct pairs *p)
{
	struct pairs cost = { mem_zero((a->n + 1) * sizeof(double)),
		mem_zero((a->n + 1) * sizeof(double)), p->difference, 0 };
	double *logs = mem_zero((a->n + 1) * sizeof *logs), *ms_a = mem_zero((a->n + 1) *
	    sizeof *ms_a), *ms_b = mem_zero((a->n + 1) * sizeof *ms_b);

	p->n = 0;
	for (size_t i = 0; i < a->n; i++) {
		const struct tally *x = &a->at[i], *y = map_get(&b->by_id, &x->id);
		size_t n = p->n;

		if (y == NULL)
			continue;
		p->a[n] = x->tokens / x->n;
		p->b[n] = y->tokens / y->n;
		cost.a[n] = x->cost / x->n;
		cost.b[n] = y->cost / y->n;
		ms_a[n] = fmax(x->ms / x->n, MS_LEAST);
		ms_b[n] = fmax(y->ms / y->n, MS_LEAST);
		logs[n] = log(ms_b[n] / ms_a[n]);
		cost.n = ++p->n;
	}
	out->tokens.name = S("tokens");
	out->cost.name = S("cost");
	figure(&out->tokens, p, 0.95, out->margin, false, true);
	figure(&out->cost, &cost, 0.95, out->margin, false, true);
	out->ms = stats_ratio(logs, p->n, 0.95);
	out->ms_a = stats_median(ms_a, p->n);
	out->ms_b = stats_median(ms_b, p->n);
	free(cost.a);
	free(cost.b);
	free(logs);
	free(ms_a);
	free(ms_b);
}

/* ---- the comparison ------------------------------------------------------------------------- */

static size_t
common_scorers(const struct eval_result *a, const struct eval_result *b)
{
	size_t n = 0;

	for (size_t i = 0; i < a->scorers_n; i++)
		n += scorer_in(b, a->scorer[i].name) < b->scorers_n;
	return n;
}

static void
count_pairs(struct eval_comparison *out, const struct side *a, const struct side *b)
{
	for (size_t i = 0; i < a->n; i++)
		out->pairs += map_get(&b->by_id, &a->at[i].id) != NULL;
	out->only_a = a->n - out->pairs;
	out->only_b = b->n - out->pairs;
}

int
eval_compare(const struct eval_result *ra, const struct eval_result *rb, double margin,
    struct eval_comparison *out, struct err *e)
{
	size_t common = common_scorers(ra, rb);
	struct side a, b;
	struct pairs p;

	*out = (struct eval_comparison){ .margin = margin,
		.confidence = stats_confidence(common) };
	if (common == 0)
		return err_set(e, ERR_INVALID, "no scorer is in both results");
	side_init(&a, ra);
	side_init(&b, rb);
	count_pairs(out, &a, &b);
	p = (struct pairs){ mem_zero((a.n + 1) * sizeof *p.a), mem_zero((a.n + 1) * sizeof *p.b),
		mem_zero((a.n + 1) * sizeof *p.difference), 0 };
	for (size_t i = 0; i < ra->scorers_n && out->pairs > 0; i++)
		if (scorer_in(rb, ra->scorer[i].name) < rb->scorers_n)
			compare_scorer(out, &a, &b, i, scorer_in(rb, ra->scorer[i].name), &p);
	if (out->pairs > 0)
		compare_costs(out, &a, &b, &p);
	free(p.a);
	free(p.b);
	free(p.difference);
	side_release(&a);
	side_release(&b);
	return out->pairs > 0 ? OK : err_set(e, ERR_INVALID, "no case is in both results");
}

void
eval_comparison_release(struct eval_comparison *c)
{
	free(c->turned);
	*c = (struct eval_comparison){ 0 };
}

bool
eval_is_worse(const struct eval_comparison *c)
{
	for (size_t i = 0; i < c->scorers_n; i++)
		if (c->scorer[i].verdict == EVAL_WORSE)
			return true;
	return false;
}
