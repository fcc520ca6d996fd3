/*
 * use_agent.c - another agent as a tool: it runs as a child of the task, inside the
 * budgets and capabilities around it, and its answer is the text of its last message,
 * or its output as JSON.
 *
 * Its arguments are the channels that it lets a client write; one that has messages
 * takes {input: text}, a human message.  run_agent takes {agent, input}.
 *
 * The key of the child is tool/ID/NAME, ID made of the call's key: the same in every
 * attempt, so a child that waited for a person goes on, and one that a crash has cut
 * off begins where it was.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/use_priv.h"

/* ---- what it takes ------------------------------------------------------------------ */

static const struct channel *
messages_of(const struct agent *a)
{
	for (size_t i = 0; i < a->channels_n; i++)
		if (a->channels[i].input && a->channels[i].reducer == REDUCE_MESSAGES)
			return &a->channels[i];
	return NULL;
}

static const char *
type_of(const struct channel *c)
{
	switch (c->initial.kind) {
	case VAL_BOOL:
		return "boolean";
	case VAL_INT:
	case VAL_DOUBLE:
		return "number";
	case VAL_OBJECT:
		return "object";
	case VAL_ARRAY:
		return "array";
	default:
		return "string";
	}
}

void
use_add_schema(struct buf *b, const struct agent *a)
{
	bool talks = messages_of(a) != NULL;

	buf_lit(b, "{\"type\":\"object\",\"properties\":{");
	if (talks)
		json_add_fmt(b, "'input':{'type':'string','description':'What it is to do, with all "
		    "that it has to know.'}");
	for (size_t i = 0; !talks && i < a->channels_n; i++)
		if (a->channels[i].input)
			json_add_fmt(b, ",%.*s:{'type':%s}", FMT(a->channels[i].name),
			    type_of(&a->channels[i]));
	buf_add(b, talks ? S("},\"required\":[\"input\"]}") : S("}}"));
}

/* {messages: [a human message]} */
static struct val
message_input(const struct channel *c, struct str text)
{
	struct val message = val_object_empty();

	message = val_set_take(message, S("role"), val_string(S("user")));
	message = val_set_take(message, S("content"), val_string(text));
	return val_set_take(val_object_empty(), c->name,
	    val_push_take(val_array_empty(), message));
}

static int
check_channels(const struct agent *a, struct val input, struct err *e)
{
	for (size_t i = 0; i < val_count(input); i++) {
		struct str_near near = { .word = val_key(input, i) };
		int at = agent_channel_find(a, near.word);

		if (at >= 0 && a->channels[at].input)
			continue;
		for (size_t k = 0; k < a->channels_n; k++)
			if (a->channels[k].input)
				str_near_try(&near, a->channels[k].name.p);
		return err_near(e, ERR_INVALID, near.best, "\"", "argument \"%.*s\": the agent "
		    "\"%.*s\" does not take it", FMT(str_cut(near.word, 64)), FMT(a->id));
	}
	return OK;
}

/* input: a text, or an object of channels; borrowed. */
static int
read_input(struct task_use *u, const struct agent *a, struct val input, struct err *e)
{
	const struct channel *talk = messages_of(a);

	val_drop(u->input);
	u->input = VAL_UNDEF;
	if (input.kind == VAL_STRING && talk == NULL)
		return err_set(e, ERR_INVALID, "argument \"input\": the agent \"%.*s\" takes no "
		    "messages: expected an object of its channels", FMT(a->id));
	if (input.kind == VAL_STRING) {
		u->input = message_input(talk, val_str(input));
		return OK;
	}
	if (input.kind != VAL_OBJECT)
		return err_set(e, ERR_INVALID, "argument \"input\": expected a text or an object");
	u->input = val_ref(input);
	return check_channels(a, input, e);
}

/* Of {agent, input} to run_agent, or the arguments of an agent that is a tool. */
static const struct agent *
read_call(struct task_use *u, struct val args, struct err *e)
{
	const struct agent_tool *own = offer_declared(u->p, str_of(u->name));
	const struct agent *a = own != NULL ? own->call->child : NULL;
	struct val input = own == NULL ? val_get(args, S("input")) : args;
	struct val text = val_get(args, S("input"));
	struct str name = own == NULL ? val_str(val_get(args, S("agent"))) :
	    own->call->child_name;
	int rc;

	if (a == NULL && u->task->host->agent != NULL)
		a = u->task->host->agent(u->task->ctx, name);
	if (a == NULL || u->task->host->child == NULL) {
		err_set(e, ERR_NOTFOUND, "there is no agent \"%.*s\" here",
		    FMT(str_cut(name, 64)));
		return NULL;
	}
	if (own != NULL && own->schema.kind != VAL_OBJECT && messages_of(a) != NULL) {
		if (text.kind != VAL_STRING) {
			err_set(e, ERR_INVALID, "argument \"input\": expected a text: what it "
			    "is to do");
			return NULL;
		}
		input = text;
	} else if (own != NULL && messages_of(a) != NULL && text.kind == VAL_STRING &&
	    val_count(args) == 1 && agent_channel_find(a, S("input")) < 0) {
		input = text;
	}
	rc = read_input(u, a, input, e);
	return rc == OK ? a : NULL;
}

/* ---- what it answers ----------------------------------------------------------------- */

static bool
add_text(struct buf *b, struct val content)
{
	bool any = false;

	if (content.kind == VAL_STRING) {
		buf_add(b, val_str(content));
		return val_str(content).n > 0;
	}
	for (size_t i = 0; content.kind == VAL_ARRAY && i < val_count(content); i++) {
		struct val part = val_at(content, i);
		struct val text = part.kind == VAL_OBJECT ? val_get(part, S("text")) : part;

		if (text.kind != VAL_STRING)
			continue;
		buf_add(b, val_str(text));
		any = any || val_str(text).n > 0;
	}
	return any;
}

/* The last message, if the agent said it. */
static bool
add_last_message(struct buf *b, const struct agent *a, struct val output)
{
	for (size_t i = 0; i < a->channels_n; i++) {
		const struct channel *c = &a->channels[i];
		struct val list = output.kind == VAL_OBJECT && c->output &&
		    c->reducer == REDUCE_MESSAGES ? val_get(output, c->name) : VAL_UNDEF;
		size_t n = list.kind == VAL_ARRAY ? val_count(list) : 0;

		if (n > 0 && message_type(val_at(list, n - 1)) == MSG_AI)
			return add_text(b, val_get(val_at(list, n - 1), S("content")));
	}
	return false;
}

static void
add_cut(struct buf *b, struct str text)
{
	struct str cut = str_cut(text, LIMIT_TOOL_RESULT_BYTES - 96);

	buf_add(b, cut);
	if (cut.n < text.n)
		buf_add_fmt(b, "\n[cut: %zu bytes, the limit is %d]", text.n,
		    LIMIT_TOOL_RESULT_BYTES);
}

static void
add_answer(struct buf *b, const struct agent *a, struct val output)
{
	struct buf text = BUF(LIMIT_STATE_BYTES);

	if (!add_last_message(&text, a, output)) {
		buf_clear(&text);
		val_add_json(&text, output);
	}
	add_cut(b, buf_str(&text));
	buf_release(&text);
}

static void
on_child(struct task_child *child, enum child_end how, struct val output, struct val added,
    const struct task_error *why)
{
	struct task_use *u = CONTAINER_OF(child, struct task_use, child);
	struct task *t = u->task;
	struct buf b = BUF(LIMIT_TOOL_RESULT_BYTES + KB);
	struct call_end end = { .ok = how == CHILD_DONE, .ran = true, .journal = true,
	    .waits = how == CHILD_WAITS, .again = use_may_repeat(u) };

	(void)added;
	u->child_open = false;
	if (u->ended || !task_enter(t)) {
		buf_release(&b);
		return;
	}
	if (how == CHILD_DONE)
		add_answer(&b, child->agent, output);
	else if (how == CHILD_FAILED)
		buf_add_fmt(&b, "Error: the agent \"%.*s\" has failed: %.*s: %.*s",
		    FMT(child->agent->id), FMT(why->event), FMT(str_cut(why->message, 2000)));
	end.content = buf_str(&b);
	use_heard(u, &end);
	buf_release(&b);
	task_leave(t);
}

/* ---- it begins ------------------------------------------------------------------------ */

static struct piece *
piece_of(struct task_child *c)
{
	return CONTAINER_OF(c, struct task_use, child)->p;
}

static bool
may_spend(struct task_child *c, const struct task_cost *about, struct task_refusal *why)
{
	return spend_allowed(piece_of(c), about, why);
}

static void
spent(struct task_child *c, const struct task_cost *cost)
{
	piece_spent_before(piece_of(c), cost);
}

static int64_t
tokens_left(struct task_child *c)
{
	return piece_tokens_left(piece_of(c));
}

static char *
key_of(const struct task_use *u, struct str name)
{
	struct buf place = BUF(KEY_BYTES), part = BUF(KEY_BYTES), key = BUF(KEY_BYTES);
	struct uuid id;
	char *out;

	piece_add_key(&place, u->p, str_of(u->id));
	id = uuid_v5(&u->task->id, buf_str(&place));
	buf_lit(&part, "tool/");
	uuid_add(&part, &id);
	buf_add_fmt(&part, "/%.*s", FMT(name));
	piece_add_key(&key, u->p, buf_str(&part));
	out = mem_cstr(buf_str(&key));
	buf_release(&place);
	buf_release(&part);
	buf_release(&key);
	return out;
}

void
use_agent(struct task_use *u)
{
	struct task *t = u->task;
	struct val args = val_json_trusted(str_of(u->args));
	struct buf words = BUF(KB);
	struct err e = { 0 };
	const struct agent *a = read_call(u, args, &e);

	val_drop(args);
	if (a == NULL) {
		buf_add_fmt(&words, "Error: %s", e.text);
		use_heard(u, &(struct call_end){ .ran = true, .refused = true,
		    .journal = true, .content = buf_str(&words) });
		buf_release(&words);
		return;
	}
	free(u->child_key);
	u->child_key = key_of(u, offer_declared(u->p, str_of(u->name)) != NULL ?
	    str_of(u->name) : a->id);
	u->child = (struct task_child){ .key = str_of(u->child_key), .agent = a,
	    .input = u->input, .done = on_child, .may_spend = may_spend, .spent = spent,
	    .tokens_left = tokens_left };
	u->child_open = true;
	t->host->child(t->ctx, &u->child);
}
