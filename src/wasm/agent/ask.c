/*
 * ask.c - host calls of a guest that the server answers: its store, and tools.
 *
 * A call outlives its agent if that is stopped meanwhile.  Tools act as the agent, for its
 * owner.  Nothing is journalled: a letter that is handled again makes its calls again.  A tool
 * call that is the same as before has the same `once`, for tools that keep their answer; the
 * others of struct tools may be called again (`idempotent`), or refuse to work outside of a run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/hmac.h"
#include "store/items.h"
#include "wasm/agent/agents_priv.h"

struct asking {
	struct wasm_agents *all;
	struct wasm_agent *w;                /* NULL: nobody waits */
	struct store_item_put put;
	struct buf ns, key, value;           /* of a tool: actor, once, arguments */
	char *name;
};

static struct asking *
asking_new(struct wasm_agent *w)
{
	struct asking *x = mem_new(struct asking);

	x->all = w->all;
	x->w = w;
	x->ns = BUF(WASM_NAMESPACE_BYTES);
	x->key = BUF(2 * LIMIT_ACL_PARAM_BYTES);
	x->value = BUF(LIMIT_STORE_VALUE_BYTES);
	w->asking = x;
	agents_busy(w->all, 1);
	return x;
}

static void
answer(struct wasm_agent *w, enum wasm_result rc, struct str body)
{
	wasm_instance_answer(w->at->instance, rc, body);
}

static void
asking_ends(struct asking *x, enum wasm_result rc, struct str body)
{
	struct wasm_agents *all = x->all;
	struct wasm_agent *w = x->w;

	if (w != NULL) {
		w->asking = NULL;
		answer(w, rc, body);
	}
	buf_release(&x->ns);
	buf_release(&x->key);
	buf_release(&x->value);
	free(x->name);
	free(x);
	agents_busy(all, -1);
}

void
ask_forget(struct wasm_agent *w)
{
	if (w->asking != NULL)
		w->asking->w = NULL;
	w->asking = NULL;
}

/* ---- the store ------------------------------------------------------------------------------- */

static bool
is_key(struct str key)
{
	return key.n > 0 && key.n <= LIMIT_NAME_BYTES && str_index(key, '\0') < 0;
}

static void
get(struct wasm_agent *w, struct str key)
{
	struct arena a = ARENA(LIMIT_STATE_BYTES);
	struct buf ns = BUF(WASM_NAMESPACE_BYTES);
	struct val v = VAL_UNDEF, inner = VAL_UNDEF;
	struct buf json = BUF(LIMIT_STORE_VALUE_BYTES);
	struct store_item item;
	int rc;

	wasm_namespace_add(&ns, agent_address(w));
	rc = store_item_get(w->all->o.reader, w->owner, buf_str(&ns), key,
	    shard_wall(w->all->o.shard), &a, &item);
	if (rc == OK) {
		v = val_json_trusted(item.value_json);
		inner = val_get(v, S("value"));
		val_add_json(&json, inner);
	}
	if (rc != OK && rc != ERR_NOTFOUND)
		answer(w, WASM_EFAIL, S("the store cannot be read"));
	else if (inner.kind == VAL_UNDEFINED)
		answer(w, WASM_ENOENT, STR_NONE);
	else
		answer(w, WASM_OK, buf_str(&json));
	val_drop(v);
	buf_release(&json);
	buf_release(&ns);
	arena_release(&a);
}

static void
put_came(struct store_cmd *c)
{
	struct asking *x = CONTAINER_OF(c, struct asking, put.cmd);

	asking_ends(x, c->rc == OK ? WASM_OK : c->rc == ERR_BUSY ? WASM_EAGAIN : WASM_EFAIL,
	    c->rc == OK ? STR_NONE : str_of(c->err.text));
}

/* An item is an object, so the value lies in one. */
static bool
put_value(struct asking *x, struct str json)
{
	struct val v;
	struct err e;

	if (val_json(&v, json, &e) != OK)
		return false;
	buf_lit(&x->value, "{\"value\":");
	val_add_json(&x->value, v);
	buf_add_char(&x->value, '}');
	val_drop(v);
	return true;
}

static void
put_submit(struct asking *x)
{
	const struct wasm_agents_options *o = &x->all->o;
	msec now = shard_wall(o->shard);
	int rc;

	x->put.item = (struct store_item){ .ns = buf_str(&x->ns), .key = buf_str(&x->key),
		.value_json = buf_str(&x->value), .created = now, .updated = now,
		.ttl = o->submit != NULL ? ITEM_TTL_DEFAULT : 0 };
	x->put.cmd.op = STORE_ITEM_PUT;
	x->put.cmd.owner = x->w->owner;
	x->put.cmd.done = put_came;
	rc = o->submit != NULL ? o->submit(o->submit_ctx, &x->put.cmd) :
	    store_submit(o->store, o->shard, &x->put.cmd, false);
	if (rc != OK)
		asking_ends(x, WASM_EAGAIN, S("the store is busy: try again later"));
}

static void
put(struct wasm_agent *w, struct str key, struct str json)
{
	struct asking *x = asking_new(w);

	wasm_namespace_add(&x->ns, agent_address(w));
	buf_add(&x->key, key);
	if (!put_value(x, json))
		asking_ends(x, WASM_EINVAL, S("the value is not JSON"));
	else if (x->value.failed)
		asking_ends(x, WASM_ETOOBIG, STR_NONE);
	else
		put_submit(x);
}

/* ---- tools ------------------------------------------------------------------------------------- */

static void
on_tool(void *ctx, const struct tool_result *r)
{
	asking_ends(ctx, r->ok ? WASM_OK : WASM_EFAIL, r->content);
}

/* AGENT/MESSAGE/N/DIGEST of the arguments, because another try may ask for something else as its
 * Nth call.  Empty for a letter without an id, which is none of an office. */
static void
once_make(struct asking *x)
{
	struct wasm_agent *w = x->w;
	uint8_t digest[SHA256_SIZE];
	struct uuid id;

	if (!acl_peek_id(letter_packed(w->l), &id))
		return;
	uuid_add(&x->key, &w->id);
	buf_add_char(&x->key, '/');
	uuid_add(&x->key, &id);
	buf_add_fmt(&x->key, "/%u/", w->asked);
	sha256(buf_str(&x->value), digest);
	hex_add(&x->key, digest, sizeof digest / 2);
}

static void
tool(struct wasm_agent *w, struct str name, struct str args)
{
	const struct wasm_agents_options *o = &w->all->o;
	struct tool_env env = { .store = o->store, .reader = o->reader, .shard = o->shard,
		.owner = w->owner, .now = shard_wall(o->shard), .submit = o->submit,
		.submit_ctx = o->submit_ctx };
	struct asking *x;

	if (o->tools == NULL || !wasm_policy_has_tool(&w->at->release->policy, name)) {
		answer(w, WASM_EDENIED, S("the tool is not among those that the module may call"));
		return;
	}
	x = asking_new(w);
	x->name = mem_cstr(name);
	buf_add(&x->ns, agent_address(w));
	buf_add(&x->value, args.n > 0 ? args : S("{}"));
	once_make(x);
	env.actor = buf_str(&x->ns);
	env.once = buf_str(&x->key);
	if (x->value.failed)
		asking_ends(x, WASM_ETOOBIG, STR_NONE);
	else
		tools_call(o->tools, str_of(x->name), buf_str(&x->value), &env, on_tool, x);
}

void
ask_begin(struct wasm_agent *w, const struct wasm_ask *q)
{
	if (w->phase != CALLS)
		return;
	w->asked++;
	if (q->what == WASM_TOOL_CALL)
		tool(w, q->name, q->body);
	else if (!is_key(q->name))
		answer(w, WASM_EINVAL, S("a key has 1 to 512 bytes, without U+0000"));
	else if (q->what == WASM_STORE_GET)
		get(w, q->name);
	else
		put(w, q->name, q->body);
}
