/*
 * plan_hosted.c - the plan of a run whose graph is in a worker.
 *
 * What input, config and context mean is the graph's own: only their shapes are
 * checked.  The worker gets them as they were written: members of its task are copied
 * from the text of the kwargs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "base/limits.h"
#include "base/scan.h"
#include "run/config_priv.h"
#include "run/frame_priv.h"

/* A copy of a member, if it is there and not null. */
static void
add_given(struct buf *b, struct str object, const char *key)
{
	struct str value = scan_find(object, str_of(key));

	if (value.n == 0 || str_eq(value, S("null")))
		return;
	json_add_key(b, key);
	buf_add(b, value);
}

/* The members of an object but two. */
static void
add_others(struct buf *b, struct str object, struct str but, struct str and)
{
	struct scan s = scan_of(object);
	struct str key, value;
	bool first = true;

	if (object.n == 0 || !scan_open(&s, '{'))
		return;
	while (scan_member(&s, &first, &key) && scan_value(&s, &value)) {
		if (str_eq(key, but) || str_eq(key, and))
			continue;
		json_add_comma(b);
		buf_add_fmt(b, "\"%.*s\":", FMT(key));
		buf_add(b, value);
	}
}

/* The run's, and what LangGraph's server tells its graphs: versions and ids. */
static void
add_metadata(struct buf *b, struct str config, const struct uuid *run_id)
{
	struct str id = scan_find(scan_find(config, S("configurable")), S("thread_id"));
	struct buf members = BUF(2 * RUN_METADATA_BYTES);
	struct uuid thread = { 0 };

	if (id.n > 2)
		(void)uuid_parse(str_sub(id, 1, id.n - 2), &thread);
	run_members_write(&members, scan_find(config, S("metadata")), 1, &thread, run_id);
	json_add_key(b, "metadata");
	buf_add_fmt(b, "{%.*s}", FMT(buf_str(&members)));
	b->failed |= members.failed;
	buf_release(&members);
}

/* The checkpoint is the root's; its id is there only if the client chose one. */
static void
add_config(struct buf *b, struct str config, const struct core_request *q)
{
	json_add_key(b, "config");
	buf_add_char(b, '{');
	add_others(b, config, S("configurable"), S("metadata"));
	add_metadata(b, config, &q->run_id);
	json_add_key(b, "configurable");
	buf_add_char(b, '{');
	add_others(b, scan_find(config, S("configurable")), S("checkpoint_ns"), STR_NONE);
	json_add_fmt(b, ",'checkpoint_ns':''");
	if (q->strict_resume)                /* langgraph's own word */
		json_add_fmt(b, ",'__pregel_strict_resume':true");
	if (!uuid_is_zero(&q->checkpoint)) {
		json_add_fmt(b, ",'checkpoint_id':'");
		uuid_add(b, &q->checkpoint);
		buf_add_char(b, '"');
	}
	buf_lit(b, "}}");
}

int
plan_hosted_task(struct plan *p, struct str kwargs, struct err *e)
{
	struct buf *b = &p->task;
	struct str config = scan_find(kwargs, S("config"));
	struct str input = scan_find(kwargs, S("input"));
	struct str user = scan_find(scan_find(config, S("configurable")),
	    S("langgraph_auth_user"));

	*b = BUF(3 * (size_t)LIMIT_HTTP_BODY_BYTES);
	buf_lit(b, "\"input\":");
	buf_add(b, input.n > 0 ? input : S("null"));
	add_given(b, kwargs, "command");
	add_config(b, config, &p->q);
	add_given(b, kwargs, "context");
	add_given(b, kwargs, "interrupt_before");
	add_given(b, kwargs, "interrupt_after");
	add_given(b, kwargs, "durability");
	if (user.n > 0) {
		json_add_key(b, "auth_user");
		buf_add(b, user);
	}
	return b->failed ? err_set(e, ERR_TOOBIG, "input, command, config and context: larger "
	    "than %zu bytes together", 3 * (size_t)LIMIT_HTTP_BODY_BYTES) : OK;
}
