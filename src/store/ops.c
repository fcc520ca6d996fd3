/*
 * ops.c - the table of operations: what runs a command, and what it weighs in
 * the queue.  The weight is the text that waits with it, plus a fixed part.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store_priv.h"

#define HEAD 512                             /* the struct and its bookkeeping */

static size_t
bytes_fixed(const struct store_cmd *c)
{
	(void)c;
	return HEAD;
}

static size_t
assistant_bytes(const struct store_assistant *a)
{
	return HEAD + a->name.n + a->description.n + a->config_json.n +
	    a->context_json.n + a->metadata_json.n;
}

static size_t
bytes_assistant_create(const struct store_cmd *c)
{
	return assistant_bytes(&((const struct store_assistant_create *)c)->a);
}

static size_t
bytes_assistant_update(const struct store_cmd *c)
{
	return assistant_bytes(&((const struct store_assistant_update *)c)->a);
}

static size_t
bytes_thread_create(const struct store_cmd *c)
{
	const struct store_thread_create *t = (const void *)c;

	return HEAD + t->t.metadata_json.n + t->t.config_json.n;
}

static size_t
bytes_thread_update(const struct store_cmd *c)
{
	return HEAD + ((const struct store_thread_update *)c)->metadata_json.n;
}

static size_t
bytes_run_create(const struct store_cmd *c)
{
	const struct store_run_create *r = (const void *)c;

	return HEAD + r->run.kwargs_json.n + r->run.metadata_json.n +
	    r->run.base_json.n + r->thread_config_json.n;
}

static size_t
steps_bytes(const struct store_step *steps, size_t n)
{
	size_t bytes = HEAD;

	for (size_t i = 0; i < n; i++) {
		bytes += 128 + steps[i].chart.n;
		for (size_t j = 0; j < steps[i].messages_n; j++)
			bytes += steps[i].messages[j].n;
	}
	return bytes;
}

static size_t
bytes_run_step(const struct store_cmd *c)
{
	const struct store_run_step *r = (const void *)c;

	return steps_bytes(r->steps, r->steps_n);
}

static size_t
bytes_run_finish(const struct store_cmd *c)
{
	const struct store_run_finish *r = (const void *)c;

	return steps_bytes(r->steps, r->steps_n) + r->error_json.n +
	    r->task_error.n;
}

static size_t
bytes_item_put(const struct store_cmd *c)
{
	const struct store_item_put *p = (const void *)c;

	return HEAD + p->item.ns.n + p->item.key.n + p->item.value_json.n;
}

static size_t
bytes_stream_append(const struct store_cmd *c)
{
	return HEAD + ((const struct store_stream_append *)c)->bytes.n;
}

static size_t
bytes_call(const struct store_cmd *c)
{
	return HEAD + ((const struct store_call *)c)->result.n;
}

const struct op store_ops[OPS] = {
	[STORE_OWNER_INTERN] = { op_owner_intern, bytes_fixed, false },
	[STORE_ASSISTANT_CREATE] = { op_assistant_create, bytes_assistant_create, false },
	[STORE_ASSISTANT_UPDATE] = { op_assistant_update, bytes_assistant_update, false },
	[STORE_ASSISTANT_DELETE] = { op_assistant_delete, bytes_fixed, false },
	[STORE_THREAD_CREATE] = { op_thread_create, bytes_thread_create, false },
	[STORE_THREAD_UPDATE] = { op_thread_update, bytes_thread_update, false },
	[STORE_THREAD_DELETE] = { op_thread_delete, bytes_fixed, false },
	[STORE_RUN_CREATE] = { op_run_create, bytes_run_create, false },
	[STORE_RUN_CLAIM] = { op_run_claim, bytes_fixed, false },
	[STORE_RUN_STEP] = { op_run_step, bytes_run_step, false },
	[STORE_RUN_FINISH] = { op_run_finish, bytes_run_finish, false },
	[STORE_RUN_CANCEL] = { op_run_cancel, bytes_fixed, false },
	[STORE_RUN_DELETE] = { op_run_delete, bytes_fixed, false },
	[STORE_ITEM_PUT] = { op_item_put, bytes_item_put, false },
	[STORE_ITEM_DELETE] = { op_item_delete, bytes_fixed, false },
	[STORE_STREAM_APPEND] = { op_stream_append, bytes_stream_append, false },
	[STORE_CALL_START] = { op_call_start, bytes_call, false },
	[STORE_CALL_DONE] = { op_call_done, bytes_call, false },
	[STORE_GUEST_WRITE] = { op_guest_write, NULL, .undoes = true },
	[STORE_ITEM_SEARCH] = { op_item_search, bytes_fixed, .slow = true,
	    .first = true },
	[STORE_THREAD_SEARCH] = { op_thread_search, bytes_fixed, .slow = true,
	    .first = true },
	[STORE_ASSISTANT_SEARCH] = { op_assistant_search, bytes_fixed, .slow = true,
	    .first = true },
	[STORE_HISTORY] = { op_thread_history, bytes_fixed, .slow = true, .first = true },
	[STORE_RUN_LIST] = { op_run_list, bytes_fixed, .slow = true, .first = true },
	[STORE_GUEST_READ] = { op_guest_read, NULL, .slow = true },
	[OP_RECOVER] = { op_recover, bytes_fixed, false },
};
