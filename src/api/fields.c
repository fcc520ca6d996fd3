/*
 * fields.c - see fields.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api.h"
#include "api/fields.h"
#include "api/params.h"

static const char *const modes_refused[] = {
	"events", "tasks", "checkpoints", "debug", "tools", "lifecycle", NULL
};
static const char *const modes_silent[] = { "custom", NULL };
static const char *const multitask_refused[] = { "interrupt", "rollback", NULL };
static const char *const sorts_refused[] = { "state_updated_at", NULL };
static const char *const selects_silent[] = {
	"context", "state_updated_at", "extracted", "ttl", NULL
};
static const char *const action_refused[] = { "rollback", NULL };
static const char *const format_refused[] = { "json", NULL };

const struct field fields[] = {
	{ .name = "command", .where = FIELD_RUN, .fallback = "",
	  .note = "runs take input only" },
	{ .name = "checkpoint", .where = FIELD_RUN, .fallback = "",
	  .accepted = "the thread's latest, when it is idle",
	  .note = "a run starts from the thread's latest state" },
	{ .name = "checkpoint_id", .where = FIELD_RUN, .fallback = "",
	  .accepted = "the thread's latest, when it is idle",
	  .note = "a run starts from the thread's latest state" },
	{ .name = "strict_resume", .where = FIELD_RUN, .fallback = "false",
	  .note = "runs take input only" },
	{ .name = "interrupt_before", .where = FIELD_RUN, .fallback = "[]",
	  .note = "runs do not pause" },
	{ .name = "interrupt_after", .where = FIELD_RUN, .fallback = "[]",
	  .note = "runs do not pause" },
	{ .name = "webhook", .where = FIELD_RUN, .fallback = "",
	  .note = "use wait, join or stream" },
	{ .name = "after_seconds", .where = FIELD_RUN, .fallback = "0",
	  .note = "runs start at once" },
	{ .name = "stream_subgraphs", .where = FIELD_RUN, .fallback = "false",
	  .ignored = true, .note = "there are no subgraphs to stream" },
	{ .name = "multitask_strategy", .where = FIELD_RUN, .fallback = "",
	  .words = multitask_refused, .note = "use enqueue or reject" },
	{ .name = "stream_mode", .where = FIELD_RUN, .fallback = "",
	  .words = modes_refused,
	  .note = "use values, updates, messages-tuple or messages" },
	{ .name = "stream_mode", .where = FIELD_RUN, .fallback = "",
	  .words = modes_silent, .ignored = true,
	  .note = "the agent writes no events of its own" },
	{ .name = "feedback_keys", .where = FIELD_RUN, .fallback = "",
	  .ignored = true, .note = "no feedback event is sent" },
	{ .name = "langsmith_tracer", .where = FIELD_RUN, .fallback = "",
	  .ignored = true, .note = "nothing is sent to LangSmith" },
	{ .name = "checkpoint_during", .where = FIELD_RUN, .fallback = "",
	  .ignored = true, .note = "use durability" },
	{ .name = "ttl", .where = FIELD_THREAD, .fallback = "",
	  .note = "threads live until they are deleted" },
	{ .name = "supersteps", .where = FIELD_THREAD, .fallback = "[]",
	  .note = "a thread's state comes from its runs" },
	{ .name = "checkpoint", .where = FIELD_HISTORY, .fallback = "",
	  .accepted = "the root: no checkpoint_id, no checkpoint_ns",
	  .note = "there are no subgraphs to look into; before is the way back" },
	{ .name = "select", .where = FIELD_HISTORY, .fallback = "[]",
	  .note = "states are sent whole" },
	{ .name = "select", .where = FIELD_HISTORY_GET, .fallback = "[]",
	  .note = "states are sent whole" },
	{ .name = "select", .where = FIELD_STATE, .fallback = "[]",
	  .note = "states are sent whole" },
	{ .name = "include", .where = FIELD_THREAD_GET, .fallback = "",
	  .ignored = true, .note = "threads have no ttl" },
	{ .name = "subgraphs", .where = FIELD_STATE, .fallback = "false",
	  .ignored = true, .note = "there are no subgraphs to look into" },
	{ .name = "values", .where = FIELD_THREAD_SEARCH, .fallback = "{}",
	  .note = "threads are found by metadata, status and ids" },
	{ .name = "extract", .where = FIELD_THREAD_SEARCH, .fallback = "{}",
	  .note = "select values and take from them" },
	{ .name = "sort_by", .where = FIELD_THREAD_SEARCH, .fallback = "",
	  .words = sorts_refused, .note = "use updated_at" },
	{ .name = "select", .where = FIELD_THREAD_SEARCH, .fallback = "",
	  .words = selects_silent, .ignored = true,
	  .note = "threads have none of these" },
	{ .name = "ttl", .where = FIELD_THREAD_UPDATE, .fallback = "",
	  .note = "threads live until they are deleted" },
	{ .name = "index", .where = FIELD_ITEM, .fallback = "false",
	  .note = "items are found by namespace, filter and words" },
	{ .name = "ttl", .where = FIELD_ITEM, .fallback = "",
	  .note = "items live until they are deleted" },
	{ .name = "refresh_ttl", .where = FIELD_ITEM_GET, .fallback = "",
	  .ignored = true, .note = "items do not expire" },
	{ .name = "refresh_ttl", .where = FIELD_SEARCH, .fallback = "",
	  .ignored = true, .note = "items do not expire" },
	{ .name = "namespace", .where = FIELD_STREAM, .fallback = "[]",
	  .note = "there are no subgraphs to choose from" },
	{ .name = "namespace", .where = FIELD_JOIN, .fallback = "[]",
	  .note = "there are no subgraphs to choose from" },
	{ .name = "checkpoint_id", .where = FIELD_JOIN, .fallback = "",
	  .note = "Last-Event-ID says where to go on" },
	{ .name = "action", .where = FIELD_CANCEL, .fallback = "",
	  .words = action_refused, .note = "use interrupt" },
	{ .name = "format", .where = FIELD_METRICS, .fallback = "",
	  .words = format_refused, .note = "Prometheus' text is what there is" },
	{ .name = "reason", .where = FIELD_CANCEL, .fallback = "",
	  .ignored = true, .note = "a run does not keep why it was cancelled" },
};
const size_t fields_n = COUNT(fields);

/* Is n the default?  Empty containers of either kind count as "[]" or "{}". */
static bool
is_default(jnode n, const char *fallback)
{
	switch (fallback[0]) {
	case '[':
	case '{':
		return (json_is_array(n) || json_is_object(n)) && json_count(n) == 0;
	case 'f':
		return json_is_bool(n) && !json_bool(n);
	case '0':
		return json_is_number(n) && json_number(n) == 0;
	default:
		return false;
	}
}

static bool
is_refused(const struct field *f, struct str word)
{
	for (size_t i = 0; f->words != NULL && f->words[i] != NULL; i++) {
		if (str_eq(word, str_of(f->words[i])))
			return true;
	}
	return false;
}

int
field_check(jnode body, unsigned where, struct err *e)
{
	for (size_t i = 0; i < fields_n; i++) {
		const struct field *f = &fields[i];
		jnode n;

		if (!(f->where & where) || f->ignored || f->accepted != NULL)
			continue;
		n = json_get(body, str_of(f->name));
		if (json_is_null(n))
			continue;
		if (f->words != NULL) {
			if (json_is_string(n) && is_refused(f, json_str(n)))
				return err_set(e, ERR_INVALID,
				    "%s: \"%.*s\" is not supported; %s", f->name,
				    FMT(json_str(n)), f->note);
		} else if (!is_default(n, f->fallback)) {
			return err_set(e, ERR_INVALID, "%s: not supported (%s); "
			    "leave it out%s%s", f->name, f->note,
			    f->fallback[0] != '\0' ? " or send " : "", f->fallback);
		}
	}
	return OK;
}

int
field_check_word(const char *name, unsigned where, struct str word,
    struct err *e)
{
	for (size_t i = 0; i < fields_n; i++) {
		const struct field *f = &fields[i];

		if ((f->where & where) && f->words != NULL && !f->ignored &&
		    str_eq(str_of(f->name), str_of(name)) && is_refused(f, word))
			return err_set(e, ERR_INVALID,
			    "%s: \"%.*s\" is not supported; %s", name, FMT(word),
			    f->note);
	}
	return OK;
}

int
field_check_query(struct http_req *r, unsigned where, struct err *e)
{
	struct str *values;
	int rc = OK;
	size_t n;

	for (size_t i = 0; rc == OK && i < fields_n; i++) {
		const struct field *f = &fields[i];

		if (!(f->where & where) || f->ignored || f->accepted != NULL ||
		    f->words != NULL)
			continue;
		rc = param_list(r, f->name, &values, &n, e);
		if (rc == OK && n > 0)
			rc = err_set(e, ERR_INVALID, "%s: not supported (%s); "
			    "leave it out", f->name, f->note);
	}
	return rc;
}

static const struct { unsigned where; const char *text; } places[] = {
	{ FIELD_RUN, "run create, wait, stream" },
	{ FIELD_THREAD, "thread create" },
	{ FIELD_HISTORY, "thread history" },
	{ FIELD_ITEM, "store put" },
	{ FIELD_SEARCH, "store search" },
	{ FIELD_CANCEL, "run cancel (query)" },
	{ FIELD_STATE, "thread state (query)" },
	{ FIELD_STREAM, "run stream (query)" },
	{ FIELD_JOIN, "join of a run's stream (query)" },
	{ FIELD_THREAD_GET, "thread get (query)" },
	{ FIELD_ITEM_GET, "store get (query)" },
	{ FIELD_HISTORY_GET, "thread history, GET (query)" },
	{ FIELD_THREAD_SEARCH, "threads search, count" },
	{ FIELD_THREAD_UPDATE, "thread update" },
	{ FIELD_METRICS, "metrics (query)" },
};

void
api_add_fields_markdown(struct buf *b)
{
	buf_lit(b, "| where | field | what happens | accepted value | note |\n"
	    "|---|---|---|---|---|\n");
	for (size_t i = 0; i < fields_n; i++) {
		const struct field *f = &fields[i];

		for (size_t j = 0; j < COUNT(places); j++) {
			if (f->where & places[j].where)
				buf_add_fmt(b, "| %s | `%s`", places[j].text, f->name);
		}
		for (size_t j = 0; f->words != NULL && f->words[j] != NULL; j++)
			buf_add_fmt(b, "%s `%s`", j == 0 ? ":" : ",", f->words[j]);
		buf_add_fmt(b, " | %s | %s | %s |\n",
		    f->ignored ? "accepted without effect" : "refused with 422",
		    f->accepted != NULL ? f->accepted : f->ignored ? "any" :
		    f->words != NULL ? "any other" : f->fallback[0] != '\0' ? f->fallback : "null", f->note);
	}
	buf_lit(b, "\n");
	absent_add_markdown(b);
}
