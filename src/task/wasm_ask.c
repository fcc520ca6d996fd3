/*
 * wasm_ask.c - host calls of a guest that the task answers: its store, and tools.
 *
 * They are numbered.  The answer to call N is a record under "tool/N" or "store/N", with a
 * digest of what was asked: {"rc": 0, "body": "...", "of": "..."}.  An instance that runs again
 * and asks something else under that number does not do the same as before, and the work fails:
 * it may have acted on the answer.
 *
 * The store of the guest is the namespace "wasm", MODULE.  A value is wrapped, {"value": ...},
 * because an item is an object.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "base/hmac.h"
#include "base/json.h"
#include "task/wasm_priv.h"

struct wasm_answer { int32_t rc; char *body; char digest[65]; };

static void
give(struct wasm_piece *w, int32_t rc, struct str body)
{
	struct task *t = w->p.task;

	t->host->wasm_answer(t->ctx, &w->w, rc, body);
}

/* ---- what was answered before --------------------------------------------------------- */

static void
remember(struct wasm_piece *w, int32_t rc, struct str body)
{
	struct wasm_answer *a;

	mem_grow(w->answers, w->answers_n, w->answers_cap);
	a = &w->answers[w->answers_n++];
	*a = (struct wasm_answer){ .rc = rc, .body = mem_cstr(body) };
	memcpy(a->digest, w->digest, sizeof a->digest);
}

static void
answer(struct wasm_piece *w, int32_t rc, struct str body)
{
	struct buf json = BUF(LIMIT_STATE_BYTES);

	json_add_fmt(&json, "{'rc':%d,'of':%s,'body':%.*s}", rc, w->digest, FMT(body));
	if (!json.failed)
		record_part(&w->p, str_of(w->part), w->name, buf_str(&json));
	buf_release(&json);
	remember(w, rc, body);
	if (w->under_way)
		give(w, rc, body);
	else
		wasm_begin(w);
}

static void
fail_other(struct wasm_piece *w)
{
	struct piece *p = &w->p;

	wasm_abandon(w);
	piece_fail(p, "error.wasm.failure", "WasmError", "line %u: the module '%.*s' was run "
	    "again, and its host call %s differs from the recorded one: a guest's host calls "
	    "must depend only on its message and on earlier answers", p->spec->line,
	    FMT(w->w.module), w->part);
}

/* In this attempt of the task, by an instance that was lost. */
static bool
repeat_own(struct wasm_piece *w)
{
	const struct wasm_answer *a;

	if (w->asks > w->answers_n)
		return false;
	a = &w->answers[w->asks - 1];
	if (strcmp(a->digest, w->digest) != 0)
		fail_other(w);
	else
		give(w, a->rc, str_of(a->body));
	return true;
}

static bool
repeat_recorded(struct wasm_piece *w)
{
	const struct known *k = record_find(&w->p, str_of(w->part));
	struct val v, rc, body;

	if (k == NULL || k->result_json.p == NULL)
		return false;
	v = val_json_trusted(k->result_json);
	rc = val_get(v, S("rc"));
	body = val_get(v, S("body"));
	if (w->what == WASM_TOOL_CALL)
		piece_spent_before(&w->p, &(struct task_cost){ .tool_calls = 1 });
	if (!str_eq(val_str(val_get(v, S("of"))), str_of(w->digest))) {
		fail_other(w);
	} else {
		remember(w, (int32_t)rc.u.i, val_str(body));
		give(w, (int32_t)rc.u.i, val_str(body));
	}
	val_drop(v);
	return true;
}

/* ---- tools ---------------------------------------------------------------------------- */

static void
tell_tool(const struct wasm_piece *w, const struct call_end *end)
{
	struct task *t = w->p.task;
	struct str id = str_of(w->part);
	struct val v;

	if (!end->ran || t->host->tool == NULL)
		return;
	v = end->ok ? call_message(id, w->name, true, end->content) : val_string(end->content);
	t->host->tool(t->ctx, end->ok ? TOOL_END : TOOL_ERROR, id, w->name, v);
	val_drop(v);
}

/* A call that waits for a person goes on in another attempt. */
static void
on_call(struct piece *p, void *arg, const struct call_end *end)
{
	struct wasm_piece *w = arg;

	w->call = NULL;
	w->use = NULL;
	if (end->waits) {
		wasm_abandon(w);
		piece_waits(p);
		return;
	}
	tell_tool(w, end);
	if (!p->task->over)
		answer(w, end->ok ? WASM_OK : WASM_EFAIL, end->content);
}

static void
ask_tool(struct wasm_piece *w, struct str args)
{
	struct piece *p = &w->p;
	struct call_want want = { .id = str_of(w->part), .name = w->name, .args_json = args,
	    .done = on_call, .arg = w };
	struct val v = VAL_UNDEF;
	struct err e;
	bool object;

	if (args.n == 0)
		want.args_json = S("{}");
	object = val_json(&v, want.args_json, &e) == OK && v.kind == VAL_OBJECT;
	val_drop(v);
	if (!offer_in_limits(p, w->name)) {
		answer(w, WASM_EDENIED, S("the agent's capabilities do not allow the tool"));
		return;
	}
	if (!object) {
		answer(w, WASM_EINVAL, S("the arguments of a tool are a JSON object"));
		return;
	}
	if (use_is_wanted(p, w->name))
		w->use = use_start(p, &want);
	else
		w->call = call_start(p, &want);
	if (p->state != PIECE_RUNS)          /* no budget for it */
		wasm_abandon(w);
}

/* ---- the store -------------------------------------------------------------------------- */

static void
on_store(struct task_store *s, int rc, struct val result, const struct err *e)
{
	struct wasm_piece *w = CONTAINER_OF(s, struct wasm_piece, store);
	struct task *t = w->p.task;
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct val value;

	w->storing = false;
	if (!task_enter(t)) {
		buf_release(&b);
		return;
	}
	value = val_get(val_get(result, S("value")), S("value"));
	if (rc != OK) {
		answer(w, rc == ERR_BUSY ? WASM_EAGAIN : WASM_EFAIL, str_of(e->text));
	} else if (s->op == TASK_STORE_PUT) {
		answer(w, WASM_OK, STR_NONE);
	} else if (value.kind == VAL_UNDEFINED) {
		answer(w, WASM_ENOENT, STR_NONE);
	} else {
		val_add_json(&b, value);
		answer(w, WASM_OK, buf_str(&b));
	}
	buf_release(&b);
	task_leave(t);
}

static bool
read_put(struct wasm_piece *w, struct str body)
{
	struct val v;
	struct err e;

	if (body.n > LIMIT_STORE_VALUE_BYTES - KB) {
		answer(w, WASM_ETOOBIG, STR_NONE);
		return false;
	}
	if (val_json(&v, body, &e) != OK) {
		answer(w, WASM_EINVAL, str_of(e.text));
		return false;
	}
	val_drop(w->value);
	w->value = val_set_take(val_object_empty(), S("value"), v);
	return true;
}

static void
ask_store(struct wasm_piece *w, struct str body)
{
	struct task *t = w->p.task;

	if (t->host->store == NULL) {
		answer(w, WASM_EFAIL, S("there is no store here"));
		return;
	}
	if (w->name.n == 0 || w->name.n > LIMIT_NAME_BYTES || str_index(w->name, '\0') >= 0) {
		answer(w, WASM_EINVAL, STR_NONE);
		return;
	}
	if (w->what == WASM_STORE_PUT && !read_put(w, body))
		return;
	if (w->ns.n == 0)
		wasm_namespace_add(&w->ns, w->w.module);
	w->store = (struct task_store){ .op = w->what == WASM_STORE_PUT ? TASK_STORE_PUT :
	    TASK_STORE_GET, .ns = buf_str(&w->ns), .key = w->name, .value = w->value,
	    .done = on_store };
	w->storing = true;
	t->host->store(t->ctx, &w->store);
}

/* ---- the door ----------------------------------------------------------------------------- */

static void
digest_make(struct wasm_piece *w, struct str body)
{
	struct buf b = BUF(LIMIT_STATE_BYTES), hex = BUF(65);
	uint8_t hash[SHA256_SIZE];

	buf_add_u64(&b, (uint64_t)w->what);
	buf_add_char(&b, ' ');
	buf_add(&b, w->name);
	buf_add_char(&b, '\0');
	buf_add(&b, body);
	sha256(buf_str(&b), hash);
	hex_add(&hex, hash, sizeof hash);
	(void)snprintf(w->digest, sizeof w->digest, "%.*s", FMT(buf_str(&hex)));
	buf_release(&b);
	buf_release(&hex);
}

void
wasm_ask(struct wasm_piece *w, enum wasm_import what, struct str name, struct str body)
{
	w->asks++;
	w->what = what;
	w->name = arena_str(&w->p.task->arena, name);
	(void)snprintf(w->part, sizeof w->part, "%s/%u", what == WASM_TOOL_CALL ? "tool" :
	    "store", w->asks);
	digest_make(w, body);
	if (repeat_own(w) || repeat_recorded(w))
		return;
	if (what == WASM_TOOL_CALL)
		ask_tool(w, body);
	else
		ask_store(w, body);
}

void
wasm_ask_leave(struct wasm_piece *w)
{
	struct task *t = w->p.task;

	if (w->call != NULL)
		call_forget(w->call);
	if (w->use != NULL)
		use_stop(w->use);
	if (w->storing)
		t->host->store_stop(t->ctx, &w->store);
	w->call = NULL;
	w->use = NULL;
	w->storing = false;
}

void
wasm_ask_release(struct wasm_piece *w)
{
	for (size_t i = 0; i < w->answers_n; i++)
		free(w->answers[i].body);
	free(w->answers);
	val_drop(w->value);
	buf_release(&w->ns);
}
