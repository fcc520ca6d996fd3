/*
 * frame.c - see frame_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/frame_priv.h"

#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "run/run.h"

#define ID_LINE_MAX 32           /* "\nid: " and 20 digits and "\n\n" */

const char *const stream_mode_names[] = {
	"values", "updates", "messages-tuple", "messages", "custom", "tasks",
	"checkpoints", "debug", "tools", "events", "lifecycle", NULL
};

static char *
put(char *to, struct str s)
{
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	return to + s.n;
}

/* The frame's end: id line and the empty line. */
static size_t
tail_write(char out[ID_LINE_MAX], int64_t id)
{
	char digits[20];
	size_t n = 0, at = 0;
	uint64_t v = (uint64_t)id;

	out[at++] = '\n';
	if (id >= 0) {
		memcpy(out + at, "id: ", 4);
		at += 4;
		do {
			digits[n++] = (char)('0' + v % 10);
			v /= 10;
		} while (v > 0);
		while (n > 0)
			out[at++] = digits[--n];
		out[at++] = '\n';
	}
	out[at++] = '\n';
	return at;
}

/* A block of `first` and parts and the frame's end. */
static struct sse_block *
join(const struct str first[3], const struct str *parts, size_t n, int64_t id)
{
	char tail[ID_LINE_MAX];
	size_t tail_n = tail_write(tail, id);
	size_t total = first[0].n + first[1].n + first[2].n + tail_n;
	struct sse_block *b;
	char *to;

	for (size_t i = 0; i < n; i++)
		total += parts[i].n;
	b = sse_block_alloc(total);
	to = put(put(put(b->bytes, first[0]), first[1]), first[2]);
	for (size_t i = 0; i < n; i++)
		to = put(to, parts[i]);
	to = put(to, (struct str){ tail, tail_n });
	assert(to == b->bytes + total);
	return b;
}

struct sse_block *
frame_make(struct str name, const struct str *parts, size_t n, int64_t id)
{
	const struct str first[3] = { S("event: "), name, S("\ndata: ") };

	return join(first, parts, n, id);
}

struct sse_block *
frame_join(const struct str *parts, size_t n, int64_t id)
{
	static const struct str none[3];

	return join(none, parts, n, id);
}

void
frame_add_place(struct buf *b, const struct frame_place *at)
{
	buf_add(b, at->run_members);
	json_add_fmt(b, ",'langgraph_step':%d,'langgraph_node':%.*s", at->step,
	    FMT(at->node));
	buf_lit(b, ",\"langgraph_triggers\":");
	if (at->triggers.n > 0) {
		buf_add(b, at->triggers);
	} else {
		buf_lit(b, "[\"branch:to:");
		json_add_escaped(b, at->node);
		buf_lit(b, "\"]");
	}
	buf_lit(b, ",\"langgraph_path\":");
	if (at->path.n > 0)
		buf_add(b, at->path);
	else
		json_add_fmt(b, "['__pregel_pull',%.*s]", FMT(at->node));
	json_add_fmt(b, ",'langgraph_checkpoint_ns':%.*s,'checkpoint_ns':%.*s",
	    FMT(at->task_ns), FMT(at->task_ns));
}

void
frame_add_model_metadata(struct buf *b, const struct frame_place *at,
    struct str provider, struct str model, bool with_tags)
{
	buf_add_char(b, '{');
	if (with_tags)
		buf_lit(b, "\"tags\":[],");
	buf_lit(b, "\"ls_integration\":\"langchain_chat_model\",");
	frame_add_place(b, at);
	buf_lit(b, ",\"ls_provider\":");
	json_add_str(b, provider);
	buf_lit(b, ",\"ls_model_name\":");
	json_add_str(b, model);
	buf_lit(b, ",\"ls_model_type\":\"chat\","
	    "\"versions\":{\"cohort\":\"" COHORT_VERSION "\"}}");
}

void
frame_add_node_metadata(struct buf *b, const struct frame_place *at)
{
	buf_add_fmt(b, "{\"tags\":[\"graph:step:%d\"],\"name\":", at->step);
	json_add_str(b, at->node);
	buf_lit(b, ",\"ls_integration\":\"langgraph\",");
	frame_add_place(b, at);
	buf_add_char(b, '}');
}

/* ---- reading back -------------------------------------------------------- */

static bool
line_value(struct str line, struct str field, struct str *value)
{
	if (!str_starts(line, field))
		return false;
	*value = str_sub(line, field.n, line.n - field.n);
	return true;
}

bool
frame_next(struct str *rest, struct str *frame, struct str *event, int64_t *id)
{
	const char *end = rest->n == 0 ? NULL : memmem(rest->p, rest->n, "\n\n", 2);
	struct str lines, line, value;

	if (end == NULL)
		return false;
	*frame = str_sub(*rest, 0, (size_t)(end - rest->p) + 2);
	*rest = str_sub(*rest, frame->n, rest->n - frame->n);
	*event = STR_NONE;
	*id = FRAME_NO_ID;
	lines = str_sub(*frame, 0, frame->n - 2);
	while (str_next(&lines, '\n', &line)) {
		if (line_value(line, S("event: "), &value))
			*event = value;
		else if (line_value(line, S("id: "), &value) && !str_to_i64(value, id))
			*id = FRAME_NO_ID;
	}
	return true;
}

/* By event name; `node`: behind `|` stands the node's namespace. */
static const struct event_name { const char *name; unsigned mode; bool node; } names[] = {
	{ "values", MODE_VALUES, false }, { "updates", MODE_UPDATES, false },
	{ "messages", MODE_MESSAGES_TUPLE, true },
	{ "messages/metadata", MODE_MESSAGES, true },
	{ "messages/partial", MODE_MESSAGES, true },
	{ "messages/complete", MODE_MESSAGES, false },
	{ "custom", MODE_CUSTOM, false }, { "tasks", MODE_TASKS, false },
	{ "checkpoints", MODE_CHECKPOINTS, false }, { "debug", MODE_DEBUG, false },
	{ "tools", MODE_TOOLS, false }, { "events", MODE_EVENTS, false },
	{ "lifecycle", MODE_LIFECYCLE, false },
	{ "", MODE_META, false },
};

/* *ns: what stands behind `|`. */
static const struct event_name *
name_of(struct str event, struct str *ns)
{
	const struct event_name *n = names;
	struct str name = STR_NONE;

	*ns = event;
	str_next(ns, '|', &name);
	while (n->name[0] != '\0' && !str_eq(name, str_of(n->name)))
		n++;
	return n;
}

unsigned
frame_mode(struct str event)
{
	struct str ns;

	return name_of(event, &ns)->mode;
}

struct str
frame_graph(struct str event)
{
	struct str ns;

	if (!name_of(event, &ns)->node)
		return ns;
	while (ns.n > 0 && ns.p[ns.n - 1] != '|')
		ns.n--;
	return str_sub(ns, 0, ns.n > 0 ? ns.n - 1 : 0);
}
