/*
 * note.c - see note.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/note.h"

#include <math.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/scan.h"
#include "state/message.h"

static struct transcript_entry
entry(const struct note *n, enum transcript_kind kind)
{
	return (struct transcript_entry){ .kind = kind, .now = n->now, .place = n->at };
}

/* ---- the run ---------------------------------------------------------------------- */

void
note_run_start(const struct note *n, int64_t attempt)
{
	struct transcript_entry e = entry(n, TRANSCRIPT_RUN_START);

	e.number[0] = attempt;
	transcript_add(n->to, &e);
}

void
note_given(const struct note *n, struct str kwargs_json)
{
	static const struct { const char *key; enum transcript_kind kind; } parts[] = {
		{ "input", TRANSCRIPT_INPUT }, { "command", TRANSCRIPT_RESUMED },
	};

	for (size_t i = 0; i < COUNT(parts); i++) {
		struct transcript_entry e = entry(n, parts[i].kind);
		struct str given = scan_find(kwargs_json, str_of(parts[i].key));

		if (given.n > 0 && !str_eq(given, S("null")))
			transcript_add(n->to, &e);
	}
}

void
note_end(const struct note *n, enum run_status status)
{
	struct transcript_entry e = entry(n, TRANSCRIPT_RUN_END);

	e.text[0] = str_of(run_status_names[status]);
	transcript_add(n->to, &e);
}

void
note_error(const struct note *n, struct str event, struct str name, struct str message)
{
	struct transcript_entry e = entry(n, TRANSCRIPT_ERROR);

	e.text[0] = event;
	e.text[1] = name;
	e.text[2] = message;
	transcript_add(n->to, &e);
}

/* ---- where it goes ----------------------------------------------------------------- */

void
note_node(const struct note *n, enum transcript_kind kind)
{
	struct transcript_entry e = entry(n, kind);

	e.text[0] = n->at.node;
	transcript_add(n->to, &e);
}

static void
note_taken(const struct note *n, const struct chart *c, const struct effect *f)
{
	struct transcript_entry e = entry(n, TRANSCRIPT_TRANSITION);
	struct buf to = BUF(LIMIT_STATE_BYTES);

	buf_add_char(&to, '[');
	for (size_t i = 0; i < f->targets_n; i++) {
		json_add_comma(&to);
		json_add_str(&to, chart_state_id(c, f->targets[i]));
	}
	buf_add_char(&to, ']');
	e.text[0] = f->name;
	e.text[1] = chart_state_id(c, f->state);
	e.number[0] = f->line;
	if (f->targets_n > 0)
		e.json[0] = buf_str(&to);
	transcript_add(n->to, &e);
	buf_release(&to);
}

static void
note_dropped(const struct note *n, struct str event, const char *why)
{
	struct transcript_entry e = entry(n, TRANSCRIPT_DROPPED);

	e.text[0] = event;
	e.text[1] = str_of(why);
	transcript_add(n->to, &e);
}

void
note_path(const struct note *n, const struct chart *c, const struct effect *f)
{
	struct transcript_entry e;

	switch (f->kind) {
	case EFFECT_TAKEN:
		note_taken(n, c, f);
		return;
	case EFFECT_ENTERED: case EFFECT_EXITED:
		if (f->state == 0)
			return;              /* the chart itself */
		e = entry(n, f->kind == EFFECT_ENTERED ? TRANSCRIPT_ENTERED :
		    TRANSCRIPT_EXITED);
		e.text[0] = chart_state_id(c, f->state);
		transcript_add(n->to, &e);
		return;
	case EFFECT_UNTAKEN:
		note_dropped(n, f->name, "no transition");
		return;
	case EFFECT_DROPPED:
		note_dropped(n, f->name, "its work has ended");
		return;
	default:
		return;
	}
}

void
note_message(const struct note *n, const char *direction, struct val message,
    size_t receivers)
{
	struct transcript_entry e = entry(n, TRANSCRIPT_MESSAGE);

	e.text[0] = str_of(direction);
	e.value[0] = message;
	e.number[0] = (int64_t)receivers;
	transcript_add(n->to, &e);
}

void
note_timer(const struct note *n)
{
	struct transcript_entry e = entry(n, TRANSCRIPT_TIMER);

	transcript_add(n->to, &e);
}

void
note_checkpoint(const struct note *n, const struct core_checkpoint *c)
{
	struct transcript_entry e = entry(n, TRANSCRIPT_CHECKPOINT);

	e.place = (struct transcript_place){ .ns = c->ns };
	e.id = c->id;
	e.number[0] = c->step;
	e.text[0] = str_of(checkpoint_source_names[c->source]);
	transcript_add(n->to, &e);
}

void
note_interrupt(const struct note *n, const struct core_interrupt *i)
{
	struct transcript_entry e = entry(n, TRANSCRIPT_INTERRUPT);

	e.id = i->id;
	e.text[0] = i->key;
	e.value[0] = i->value;
	transcript_add(n->to, &e);
}

void
note_breakpoint(const struct note *n)
{
	struct transcript_entry e = entry(n, TRANSCRIPT_INTERRUPT);

	transcript_add(n->to, &e);
}

/* ---- models ------------------------------------------------------------------------- */

/* Which entries of a list of the state, from entry `at` on, the messages are: how
 * many.  Messages of the state are handed on, so their texts are the same bytes. */
static size_t
same_texts(struct val list, size_t at, const struct llm_request *q)
{
	size_t n = 0;

	while (n < q->messages_n && at + n < val_count(list) &&
	    val_json_text(val_at(list, at + n)).p == q->messages[n].p)
		n++;
	return n;
}

/* The channel whose entries the conversation begins with; 0: none. */
static size_t
find_base(const struct channels *state, const struct llm_request *q, size_t *channel,
    size_t *from)
{
	for (size_t i = 0; q->messages_n > 0 && i < channels_count(state); i++) {
		struct val list = channels_get(state, i);

		if (channels_def(state, i)->reducer != REDUCE_MESSAGES)
			continue;
		*channel = i;
		for (*from = 0; *from < val_count(list); ++*from) {
			size_t n = same_texts(list, *from, q);

			if (n > 0)
				return n;
		}
	}
	return 0;
}

/* By id where the transcript has it already. */
static void
add_message(const struct note *n, struct buf *b, struct str text)
{
	struct str id = scan_find(text, S("id"));

	json_add_comma(b);
	if (transcript_note(n->to, text) && id.n > 2 && id.p[0] == '"') {
		buf_lit(b, "{\"as_before\":");
		buf_add(b, id);
		buf_add_char(b, '}');
	} else {
		buf_add(b, text);
	}
}

/* [{"channel", "checkpoint", "from", "to"}, {"as_before": id} | message, ...] */
static void
add_messages(const struct note *n, struct buf *b, const struct llm_request *q,
    const struct channels *state, const struct uuid *checkpoint)
{
	size_t channel = 0, from = 0, base = find_base(state, q, &channel, &from);

	buf_add_char(b, '[');
	if (base > 0) {
		json_add_fmt(b, "{'channel':%.*s,'checkpoint':'",
		    FMT(channels_def(state, channel)->name));
		uuid_add(b, checkpoint);
		buf_add_fmt(b, "\",\"from\":%zu,\"to\":%zu}", from, from + base);
	}
	for (size_t i = base; i < q->messages_n; i++)
		add_message(n, b, q->messages[i]);
	buf_add_char(b, ']');
}

static void
add_params(struct buf *b, const struct llm_request *q)
{
	buf_add_char(b, '{');
	if (!isnan(q->temperature)) {
		json_add_key(b, "temperature");
		json_add_double(b, q->temperature);
	}
	if (q->max_tokens > 0) {
		json_add_key(b, "max_tokens");
		buf_add_i64(b, q->max_tokens);
	}
	if (q->tools_n > 0)
		json_add_key(b, "tools");
	for (size_t i = 0; i < q->tools_n; i++) {
		buf_add_char(b, i == 0 ? '[' : ',');
		json_add_str(b, q->tools[i].name);
	}
	buf_add(b, q->tools_n > 0 ? S("]}") : S("}"));
}

void
note_request(const struct note *n, const struct llm_request *q, int64_t call,
    const struct channels *state, const struct uuid *checkpoint)
{
	struct transcript_entry e = entry(n, TRANSCRIPT_REQUEST);
	struct buf messages = BUF(4 * (size_t)LIMIT_STATE_BYTES);
	struct buf params = BUF(LIMIT_STATE_BYTES);

	add_messages(n, &messages, q, state, checkpoint);
	add_params(&params, q);
	e.number[1] = call;
	e.text[0] = q->model;
	e.text[2] = q->key;
	if (q->system_prompt.n > 0 && transcript_note(n->to, q->system_prompt))
		e.number[0] = 1;
	else
		e.text[1] = q->system_prompt;
	e.json[0] = buf_str(&messages);
	e.json[1] = buf_str(&params);
	transcript_add(n->to, &e);
	buf_release(&messages);
	buf_release(&params);
}

void
note_answer(const struct note *n, int64_t call, struct str model, struct val message)
{
	struct transcript_entry e = entry(n, TRANSCRIPT_ANSWER);
	struct str text = val_json_text(message);

	e.number[1] = call;
	e.text[0] = model;
	e.value[0] = message;
	transcript_add(n->to, &e);
	if (text.n > 0)
		(void)transcript_note(n->to, text);
}

void
note_no_answer(const struct note *n, int64_t call, struct str event, struct str words)
{
	struct transcript_entry e = entry(n, TRANSCRIPT_ANSWER);

	e.number[1] = call;
	e.text[1] = event;
	e.text[2] = words;
	transcript_add(n->to, &e);
}

/* ---- tools and the rest of the world -------------------------------------------------- */

/* Of the message its content and id are kept: the rest can be made again. */
void
note_tool(const struct note *n, enum task_tool_event what, struct str call_id,
    struct str name, struct val payload)
{
	struct transcript_entry e = entry(n, what == TOOL_START ? TRANSCRIPT_TOOL_CALL :
	    TRANSCRIPT_TOOL_RESULT);
	struct str text = what == TOOL_END ? val_json_text(payload) : STR_NONE;

	e.text[0] = call_id;
	e.text[1] = name;
	e.number[0] = what == TOOL_END;
	e.value[0] = what == TOOL_END ? val_get(payload, S("content")) : payload;
	if (what == TOOL_END)
		e.text[2] = message_id(payload);
	transcript_add(n->to, &e);
	if (text.n > 0)
		(void)transcript_note(n->to, text);
}

void
note_result(const struct note *n, const struct note_result *r)
{
	struct transcript_entry e = entry(n, TRANSCRIPT_RESULT);
	struct val text = r->text.p != NULL ? val_string(r->text) : VAL_UNDEF;

	e.text[0] = r->of;
	e.text[1] = r->what;
	e.text[2] = r->rc != OK ? r->words : STR_NONE;
	e.text[3] = r->type;
	e.number[0] = r->rc == OK;
	e.number[1] = r->status;
	e.value[0] = r->text.p != NULL ? text : r->value;
	transcript_add(n->to, &e);
	val_drop(text);
}
