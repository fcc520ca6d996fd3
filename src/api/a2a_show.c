/*
 * a2a_show.c - tasks, and news of them, as clients of either version read them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/a2a.h"

#include "base/clock.h"
#include "llm/media.h"

/* ---- states -------------------------------------------------------------------------- */

static const struct { const char *name, *old; } states[] = {
	[A2A_SUBMITTED] = { "TASK_STATE_SUBMITTED", "submitted" },
	[A2A_WORKING] = { "TASK_STATE_WORKING", "working" },
	[A2A_INPUT] = { "TASK_STATE_INPUT_REQUIRED", "input-required" },
	[A2A_COMPLETED] = { "TASK_STATE_COMPLETED", "completed" },
	[A2A_FAILED] = { "TASK_STATE_FAILED", "failed" },
	[A2A_CANCELED] = { "TASK_STATE_CANCELED", "canceled" },
};
_Static_assert(COUNT(states) == A2A_STATES, "a word for each state");

int
a2a_state_of(struct str word)
{
	for (int i = 0; i < A2A_STATES; i++)
		if (str_eq(word, str_of(states[i].name)) || str_eq(word, str_of(states[i].old)))
			return i;
	return -1;
}

bool
a2a_under_way(const struct store_run *run)
{
	return run->status == RUN_PENDING || run->status == RUN_RUNNING;
}

bool
a2a_waits(const struct store_run *run)
{
	return run->status == RUN_INTERRUPTED && run->cancel_reason.p == NULL;
}

enum a2a_state
a2a_state_of_run(const struct store_run *run)
{
	if (a2a_under_way(run))
		return run->status == RUN_PENDING ? A2A_SUBMITTED : A2A_WORKING;
	if (run->status == RUN_SUCCESS)
		return A2A_COMPLETED;
	if (run->status == RUN_INTERRUPTED)
		return a2a_waits(run) ? A2A_INPUT : A2A_CANCELED;
	return A2A_FAILED;
}

enum a2a_state
a2a_state_of_end(const struct run_end *end)
{
	if (end->status == RUN_SUCCESS)
		return A2A_COMPLETED;
	if (end->status == RUN_INTERRUPTED)
		return end->interrupts_json.n > 0 ? A2A_INPUT : A2A_CANCELED;
	return A2A_FAILED;
}

/* ---- messages ------------------------------------------------------------------------- */

static bool
is_type(jnode message, struct str type)
{
	return str_eq(json_str(json_get(message, S("type"))), type);
}

/* A turn of the conversation: what a person or the agent said. */
static void
add_message(struct buf *b, const struct a2a_shown *t, jnode m)
{
	bool user = is_type(m, S("human"));
	struct buf parts = BUF(2 * (size_t)LIMIT_STATE_BYTES);

	if (user || is_type(m, S("ai")))
		a2a_add_parts(&parts, t->old, json_get(m, S("content")));
	b->failed |= parts.failed;
	if (parts.n > 0) {
		json_add_fmt(b, ",{'messageId':%p,'contextId':'", (void *)json_get(m,
		    S("id")));
		uuid_add(b, &t->thread);
		json_add_fmt(b, "','role':%s,'parts':[%-.*s]%-s}", t->old ? user ? "user" :
		    "agent" : user ? "ROLE_USER" : "ROLE_AGENT", FMT(buf_str(&parts)),
		    t->old ? ",\"kind\":\"message\"" : "");
	}
	buf_release(&parts);
}

static void
add_history(struct buf *b, const struct a2a_shown *t, jnode list)
{
	size_t n = json_count(list), i = 0, turns = 0, from = 0;

	for (struct json_iter it = json_each(list); json_next(&it);)
		turns += is_type(it.value, S("human")) || is_type(it.value, S("ai"));
	if (t->history >= 0 && turns > (size_t)t->history)
		from = turns - (size_t)t->history;
	json_add_fmt(b, ",'history':[");
	for (struct json_iter it = json_each(list); n > 0 && json_next(&it);)
		if ((is_type(it.value, S("human")) || is_type(it.value, S("ai"))) &&
		    i++ >= from)
			add_message(b, t, it.value);
	buf_add_char(b, ']');
}

static void
add_answer(struct buf *b, bool old, jnode list, bool files_only)
{
	size_t from = door_answer_begins(list), i = 0;

	for (struct json_iter it = json_each(list); json_next(&it); i++) {
		jnode content = json_get(it.value, S("content"));
		struct json_iter blocks = json_each(content);

		if (i < from || !is_type(it.value, S("ai")))
			continue;
		if (!files_only)
			a2a_add_parts(b, old, content);
		while (files_only && json_is_array(content) && json_next(&blocks))
			if (json_is_object(blocks.value) && !media_is_text(blocks.value))
				a2a_add_block(b, old, blocks.value);
	}
}

void
a2a_add_files(struct buf *b, bool old, jnode values)
{
	add_answer(b, old, json_get(values, S("messages")), true);
}

/* ---- tasks ----------------------------------------------------------------------------- */

static void
add_id(struct buf *b, const char *key, const struct a2a_shown *t)
{
	json_add_fmt(b, ",%s:\"", key);
	uuid_add(b, &t->thread);
	buf_add_char(b, ':');
	uuid_add(b, &t->first);
	json_add_fmt(b, "\",'contextId':\"");
	uuid_add(b, &t->thread);
	buf_add_char(b, '"');
}

static void
add_status(struct buf *b, const struct a2a_shown *t)
{
	json_add_fmt(b, ",'status':{'state':%s,'timestamp':\"", t->old ?
	    states[t->state].old : states[t->state].name);
	clock_add_iso(b, t->at);
	buf_add_char(b, '"');
	if (t->words.n > 0) {
		json_add_fmt(b, ",'message':{'messageId':\"");
		uuid_add(b, &t->run);
		json_add_fmt(b, "\",'role':%s,'parts':[", t->old ? "agent" : "ROLE_AGENT");
		a2a_add_words(b, t->old, t->words);
		if (t->interrupts.n > 0) {
			struct buf data = BUF(2 * (size_t)LIMIT_STATE_BYTES);

			json_add_fmt(&data, "{'interrupts':%-.*s}", FMT(t->interrupts));
			a2a_add_data(b, t->old, buf_str(&data));
			b->failed |= data.failed;
			buf_release(&data);
		}
		buf_add(b, t->old ? S("],\"kind\":\"message\"}") : S("]}"));
	}
	buf_add_char(b, '}');
}

static void
add_artifact(struct buf *b, const struct a2a_shown *t, struct str parts)
{
	json_add_fmt(b, "{'artifactId':\"");
	uuid_add(b, &t->run);
	json_add_fmt(b, "\",'name':'Assistant Response','parts':[%-.*s]}", FMT(parts));
}

/* An agent without a conversation answers with its values. */
static void
add_artifacts(struct buf *b, const struct a2a_shown *t)
{
	jnode list = json_get(t->values, S("messages"));
	struct buf parts = BUF(2 * (size_t)LIMIT_STATE_BYTES);
	struct buf values = BUF(2 * (size_t)LIMIT_STATE_BYTES);

	if (json_is_array(list)) {
		add_answer(&parts, t->old, list, false);
	} else if (json_is_object(t->values) && t->state == A2A_COMPLETED) {
		json_add_node(&values, t->values);
		a2a_add_data(&parts, t->old, buf_str(&values));
	}
	if (parts.n > 0) {
		json_add_fmt(b, ",'artifacts':[");
		add_artifact(b, t, buf_str(&parts));
		buf_add_char(b, ']');
	}
	b->failed |= parts.failed | values.failed;
	buf_release(&parts);
	buf_release(&values);
}

void
a2a_add_task(struct buf *b, const struct a2a_shown *t)
{
	buf_add_char(b, '{');
	if (t->old)
		json_add_fmt(b, "'kind':'task'");
	add_id(b, "id", t);
	add_status(b, t);
	if (t->values != NULL)
		add_artifacts(b, t);
	if (t->values != NULL && t->history != 0)
		add_history(b, t, json_get(t->values, S("messages")));
	buf_add_char(b, '}');
}

void
a2a_add_status(struct buf *b, const struct a2a_shown *t, bool final)
{
	buf_add_char(b, '{');
	if (t->old)
		json_add_fmt(b, "'kind':'status-update','final':%hhd", final);
	add_id(b, "taskId", t);
	add_status(b, t);
	buf_add_char(b, '}');
}

void
a2a_add_chunk(struct buf *b, const struct a2a_shown *t, struct str parts, bool append,
    bool last)
{
	buf_add_char(b, '{');
	if (t->old)
		json_add_fmt(b, "'kind':'artifact-update'");
	add_id(b, "taskId", t);
	json_add_fmt(b, ",'append':%hhd,'lastChunk':%hhd,'artifact':", append, last);
	add_artifact(b, t, parts);
	buf_add_char(b, '}');
}
