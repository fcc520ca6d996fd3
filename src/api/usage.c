/*
 * usage.c - what an owner's models took: tokens and money.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "api/api_priv.h"

#define USAGE_DEFAULT 100
#define MS_PER_DAY    86400000
#define DAY_BYTES     10                     /* "2026-11-30" */
#define DAYS_MAX      10000000

static const char *const group_words[] = { "day", "model", "thread", "run", "owner", NULL };

/* ---- the answer -------------------------------------------------------------------- */

static void
add_day(struct buf *b, int64_t day)
{
	char text[CLOCK_ISO_SIZE];

	clock_write_iso(text, day * MS_PER_DAY);
	json_add_str(b, (struct str){ text, DAY_BYTES });
}

/* A number of dollars without rounding. */
static void
add_cost(struct buf *b, int64_t nano)
{
	size_t least;

	buf_add_fmt(b, "%lld", (long long)(nano / 1000000000));
	least = b->n;
	buf_add_fmt(b, ".%09lld", (long long)(nano % 1000000000));
	while (b->n > least && b->p[b->n - 1] == '0')
		buf_cut(b, b->n - 1);
	if (b->n > least && b->p[b->n - 1] == '.')
		buf_cut(b, b->n - 1);
}

static void
add_sums(struct buf *b, const struct store_usage *u)
{
	json_add_fmt(b, "'calls':%lld,'input_tokens':%lld,'cached_tokens':%lld,"
	    "'output_tokens':%lld,'reasoning_tokens':%lld,'cost':", (long long)u->calls,
	    (long long)u->input, (long long)u->cached, (long long)u->output,
	    (long long)u->reasoning);
	add_cost(b, u->cost_nano);
	buf_add_char(b, '}');
}

static void
add_group(struct buf *b, enum store_usage_group group, const struct store_usage_found *f)
{
	buf_add_char(b, '{');
	if (group == USAGE_BY_DAY) {
		json_add_key(b, "day");
		add_day(b, f->u.day);
	} else if (group == USAGE_BY_MODEL) {
		json_add_key(b, "model");
		json_add_str(b, f->u.model);
	} else if (group == USAGE_BY_OWNER) {
		json_add_key(b, "owner");
		json_add_str(b, f->owner);
	} else {
		show_id(b, "thread_id", &f->thread);
	}
	if (group == USAGE_BY_RUN)
		show_id(b, "run_id", &f->run);
	buf_add_char(b, ',');
	add_sums(b, &f->u);
}

static int
usage_found(struct call *c)
{
	const struct store_usage_get *op = &c->op.usage_get;
	struct buf *b;

	if (!call_has_room(c))
		return OK;
	b = call_out(c);
	buf_lit(b, "{\"total\":{");
	add_sums(b, &op->total);
	if (op->group != USAGE_TOTAL)
		json_add_fmt(b, ",'group_by':%s,'groups':[", group_words[op->group - 1]);
	for (size_t i = 0; i < op->found_n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		add_group(b, op->group, &op->found[i]);
	}
	buf_add(b, op->group != USAGE_TOTAL ? S("]}") : S("}"));
	return call_json(c, STR_NONE);
}

/* ---- the question ------------------------------------------------------------------ */

static void
param_day(struct call *c, const char *name, int64_t *out)
{
	struct str s = param_str(c, name);
	char text[CLOCK_ISO_SIZE + 1];
	msec at;

	if (s.n == 0)
		return;
	snprintf(text, sizeof text, "%.*sT00:00:00Z", FMT(str_cut(s, DAY_BYTES)));
	if (s.n == DAY_BYTES && clock_read_iso(str_of(text), &at))
		*out = at / MS_PER_DAY;
	else
		fields_fail(c->in, name, ERR_INVALID, "expected a day as in 2026-11-30, got "
		    "\"%.*s\"", FMT(param_shown(s)));
}

/* All owners: for operators, who are seen to ask. */
static int
all_owners(struct call *c)
{
	static const char *const others[] = { "thread_id", "run_id", "owner" };
	int rc = call_operator(c, "group_by=owner");

	if (rc != OK)
		return rc;
	for (size_t i = 0; i < COUNT(others); i++)
		if (param_str(c, others[i]).p != NULL)
			fields_fail(c->in, others[i], ERR_INVALID, "with group_by=owner it has no "
			    "meaning");
	return c->in->rc != OK ? c->in->rc : call_audit_as(c, "usage:read_all");
}

int
api_usage(struct call *c)
{
	struct store_usage_get *op = &c->op.usage_get;
	int group = -1;

	*op = (struct store_usage_get){ .limit = USAGE_DEFAULT, .to = DAYS_MAX };
	param_id(c, "thread_id", &op->thread);
	param_id(c, "run_id", &op->run);
	param_day(c, "from", &op->from);
	param_day(c, "to", &op->to);
	param_word(c, "group_by", group_words, &group);
	param_int(c, "limit", 1, LIMIT_PAGE_ROWS, &op->limit);
	param_int(c, "offset", 0, INT32_MAX, &op->offset);
	op->group = (enum store_usage_group)(group + 1);
	if (op->group == USAGE_BY_OWNER && c->in->rc == OK)
		c->in->rc = all_owners(c);
	return call_submit(c, STORE_USAGE_GET, usage_found);
}
