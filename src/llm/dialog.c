/*
 * dialog.c - a conversation as stored messages, as every provider's request needs
 * it: parsed, with each tool call's answer found.
 *
 * Providers want every call answered right behind it and nothing else answered.  An
 * answer that stands elsewhere is moved, one to no call is left out, and a call
 * without any (its run was cancelled) gets one that says so, because otherwise the
 * thread could never speak to a model again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "llm/wire_priv.h"

jnode
dialog_message(const struct dialog *d, size_t i)
{
	assert(i < d->n);
	return d->docs[i].root;
}

bool
dialog_is(const struct dialog *d, size_t i, struct str type)
{
	return text_is(dialog_message(d, i), S("type"), type);
}

size_t
dialog_calls(const struct dialog *d, size_t i)
{
	jnode m = dialog_message(d, i);

	return !dialog_is(d, i, S("ai")) ? 0 : json_count(json_get(m, S("tool_calls"))) +
	    json_count(json_get(m, S("invalid_tool_calls")));
}

/* ---- which answer belongs to which call ----------------------------------- */

static uint64_t
asked_hash(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static bool
asked_eq(const void *value, const void *key)
{
	return str_eq(((const struct asked *)value)->id, *(const struct str *)key);
}

static const void *
asked_key(const void *value)
{
	return &((const struct asked *)value)->id;
}

static void
list_calls(struct dialog *d, jnode calls)
{
	struct json_iter it = json_each(calls);

	while (json_next(&it)) {
		mem_grow(d->asked, d->asked_n, d->asked_cap);
		d->asked[d->asked_n++] = (struct asked){
			.id = text_of(it.value, S("id")), .answer = NO_MESSAGE };
	}
}

/* The nearest call before the answer that is still open: models use an id
 * again in a later step. */
static void
pair(struct dialog *d)
{
	struct map open;
	size_t at = 0;

	map_init(&open, asked_hash, asked_eq, asked_key);
	for (size_t i = 0; i < d->n; i++) {
		jnode m = dialog_message(d, i);

		for (size_t n = dialog_calls(d, i); n > 0; n--, at++)
			d->asked[at].before = map_put(&open, &d->asked[at]);
		if (dialog_is(d, i, S("tool"))) {
			struct str id = text_of(m, S("tool_call_id"));
			struct asked *a = map_take(&open, &id);

			if (a == NULL)
				continue;
			a->answer = i;
			if (a->before != NULL)
				map_put(&open, a->before);
		}
	}
	map_release(&open);
}

/* Every message is one that can be sent. */
static int
check(const struct dialog *d, size_t i, struct err *e)
{
	static const struct str kinds[] = { S("human"), S("ai"), S("system"), S("tool"),
	    S("function") };
	jnode id = json_get(dialog_message(d, i), S("tool_call_id"));
	bool known = false;

	for (size_t k = 0; k < COUNT(kinds); k++)
		known |= dialog_is(d, i, kinds[k]);
	if (!known)
		return err_set(e, ERR_INVALID,
		    "messages.%zu.type: not a kind of message a model can be sent", i);
	if (dialog_is(d, i, S("tool")) && !json_is_string(id))
		return err_set(e, ERR_INVALID, "messages.%zu.tool_call_id: expected a "
		    "string, got %s", i, json_kind(id));
	return OK;
}

int
dialog_open(struct dialog *d, const struct llm_request *rq, struct err *e)
{
	int rc = OK;

	*d = (struct dialog){ .docs = mem_zero((rq->messages_n + 1) * sizeof *d->docs) };
	for (size_t i = 0; i < rq->messages_n && rc == OK; i++) {
		struct err why;

		rc = json_parse(&d->docs[d->n++], rq->messages[i], &why);
		if (rc != OK)
			return err_set(e, rc, "messages.%zu: %s", i, why.text);
		rc = check(d, i, e);
	}
	for (size_t i = 0; i < d->n && rc == OK; i++) {
		if (dialog_is(d, i, S("human")))
			d->loop = i;
		if (!dialog_is(d, i, S("ai")))
			continue;
		list_calls(d, json_get(dialog_message(d, i), S("tool_calls")));
		list_calls(d, json_get(dialog_message(d, i), S("invalid_tool_calls")));
	}
	if (rc == OK)
		pair(d);
	return rc;
}

void
dialog_release(struct dialog *d)
{
	for (size_t i = 0; i < d->n; i++)
		json_release(&d->docs[i]);
	free(d->docs);
	free(d->asked);
}

/* ---- the calls of a message ------------------------------------------------- */

struct dialog_iter
dialog_each(const struct dialog *d, size_t i, size_t asked)
{
	jnode m = dialog_message(d, i);

	return (struct dialog_iter){ .d = d, .message = m, .at = asked,
	    .it = json_each(json_get(m, S("tool_calls"))) };
}

bool
dialog_next(struct dialog_iter *it, struct dialog_call *c)
{
	for (;;) {
		const struct asked *a;

		if (!json_next(&it->it)) {
			if (it->invalid)
				return false;
			it->invalid = true;
			it->it = json_each(json_get(it->message, S("invalid_tool_calls")));
			continue;
		}
		a = &it->d->asked[it->at++];
		if (it->invalid && a->answer == NO_MESSAGE)
			continue;
		*c = (struct dialog_call){ .call = it->it.value, .id = a->id,
		    .name = text_of(it->it.value, S("name")),
		    .answer = a->answer == NO_MESSAGE ? NULL :
		    dialog_message(it->d, a->answer) };
		return true;
	}
}

/* A call with a name that servers refuse must not make the rest of the thread
 * impossible. */
void
dialog_add_name(struct buf *b, struct str name)
{
	name = str_sub(name, 0, 64);
	buf_add_char(b, '"');
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '_' || c == '-';

		buf_add_char(b, plain ? c : '_');
	}
	if (name.n == 0)
		buf_lit(b, "unknown");
	buf_add_char(b, '"');
}

/* As the call has it, or the model's own call beside it. */
jnode
dialog_extra(jnode m, jnode call)
{
	jnode extra = json_get(call, S("extra_content"));
	struct json_iter it = json_each(json_get(json_get(m, S("additional_kwargs")),
	    S("tool_calls")));

	while (!json_is_object(extra) && json_next(&it))
		if (text_is(it.value, S("id"), text_of(call, S("id"))))
			extra = json_get(it.value, S("extra_content"));
	return json_is_object(extra) ? extra : NULL;
}

size_t
dialog_front(const struct dialog *d)
{
	size_t n = 0;

	while (n < d->n && dialog_is(d, n, S("system")))
		n++;
	return n;
}

/* ---- turns that alternate ------------------------------------------------------ */

void
turns_close(struct turns *t)
{
	if (t->side != TURN_NOBODY)
		buf_lit(t->b, "]}");
	t->side = TURN_NOBODY;
}

/* The list is empty: the text ends with its bracket. */
static void
begin_with_user(struct turns *t)
{
	if (t->b->n == 0 || t->b->p[t->b->n - 1] != '[')
		return;
	turns_of(t, TURN_USER);
	t->form->add_text(t, S("Continue."));
}

void
turns_of(struct turns *t, enum turn_side side)
{
	if (t->side == side)
		return;
	if (side == TURN_MODEL)
		begin_with_user(t);
	turns_close(t);
	t->side = side;
	json_add_fmt(t->b, ",{'role':%s,%s:[", side == TURN_USER ? "user" : t->form->model,
	    t->form->parts);
}

void
turns_add_block(struct turns *t, jnode block)
{
	if (!t->form->says(block))
		return;
	turns_of(t, TURN_USER);
	t->form->add_block(t, block);
}

static void
add_user(struct turns *t, jnode content)
{
	struct json_iter it = json_each(content);

	if (json_is_string(content))
		turns_add_block(t, content);
	while (json_is_array(content) && json_next(&it))
		turns_add_block(t, it.value);
}

void
turns_add_flat(struct buf *text, jnode content)
{
	struct json_iter it = json_each(content);

	if (json_is_string(content))
		buf_add(text, json_str(content));
	while (json_is_array(content) && json_next(&it))
		if (!media_is_private(it.value))
			media_add_flat(text, it.value);
}

/* Moved to the front, a system message in the middle would lose its place: the user says it. */
static void
add_tagged(struct turns *t, jnode content)
{
	struct buf text = BUF(LIMIT_STATE_BYTES);

	buf_lit(&text, "<system>\n");
	turns_add_flat(&text, content);
	buf_lit(&text, "\n</system>");
	turns_of(t, TURN_USER);
	t->form->add_text(t, buf_str(&text));
	t->b->failed |= text.failed;
	buf_release(&text);
}

void
turns_write(struct turns *t)
{
	const struct dialog *d = &t->dialog;

	for (size_t i = dialog_front(d); i < d->n; i++) {
		jnode content = json_get(dialog_message(d, i), S("content"));

		if (dialog_is(d, i, S("ai")))
			t->form->add_model(t, i);
		else if (dialog_is(d, i, S("system")))
			add_tagged(t, content);
		else if (!dialog_is(d, i, S("tool")))
			add_user(t, content);
		t->next += dialog_calls(d, i);
	}
	begin_with_user(t);
}
