/*
 * waiting.c - everything of an owner that waits for a person.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include "run/view.h"

#define WAITING_DEFAULT 100

static void
add_waiting(struct buf *b, const struct store_interrupt *i)
{
	const struct { const char *key; const struct uuid *id; } ids[] = {
		{ "thread_id", &i->thread_id }, { "run_id", &i->run_id },
		{ "task_id", &i->task }, { "checkpoint_id", &i->checkpoint },
	};

	json_add_fmt(b, ",{");
	view_add_interrupt(b, i);
	for (size_t k = 0; k < COUNT(ids); k++) {
		json_add_key(b, ids[k].key);
		if (uuid_is_zero(ids[k].id)) {
			buf_lit(b, "null");
			continue;
		}
		buf_add_char(b, '"');
		uuid_add(b, ids[k].id);
		buf_add_char(b, '"');
	}
	json_add_fmt(b, ",'checkpoint_ns':%.*s,'created_at':'", FMT(i->ns));
	clock_add_iso(b, i->created);
	buf_lit(b, "\"}");
}

static int
waiting_found(struct call *c)
{
	const struct store_interrupt_search *op = &c->op.interrupt_search;
	struct buf *b;

	if (!call_has_room(c))
		return OK;
	b = call_out(c);
	buf_add_char(b, '[');
	for (size_t i = 0; i < op->found_n; i++)
		add_waiting(b, &op->found[i]);
	buf_add_char(b, ']');
	return call_json(c, STR_NONE);
}

int
api_interrupt_list(struct call *c)
{
	static const char *const words[] = { "waiting", NULL };
	struct store_interrupt_search *op = &c->op.interrupt_search;
	int status = 0;

	*op = (struct store_interrupt_search){ .limit = WAITING_DEFAULT };
	param_word(c, "status", words, &status);
	op->assignee = param_str(c, "assignee");
	param_int(c, "limit", 1, LIMIT_PAGE_ROWS, &op->limit);
	param_int(c, "offset", 0, INT32_MAX, &op->offset);
	return call_submit(c, STORE_INTERRUPT_SEARCH, waiting_found);
}
