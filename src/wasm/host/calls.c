/*
 * calls.c - what a module may ask of the host process: memory, tables, and the imports of
 * include/cohort_guest.h.
 *
 * All run on the guest's stack.  Pointers are checked with sums of 64 bits against the
 * memory's size; while a guest waits its memory cannot change, because nothing calls into it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/scan.h"
#include "wasm/host/guest_priv.h"
#include "wasm/host/memory.h"

static uint8_t *
env_memory_new(uint32_t pages, uint32_t *pages_max)
{
	struct guest *g = guest_running;

	run_out();
	assert(g->data == NULL);
	if (pages <= g->limits.pages) {
		g->data = memory_take(pages);
		g->denied = g->data == NULL;
	}
	if (g->data == NULL)
		run_trap(WASM_TRAP_MEMORY_START);
	if (*pages_max > g->limits.pages)
		*pages_max = g->limits.pages;
	run_memory(g->data);
	run_in();
	return g->data;
}

/* pages: what the module thinks that it has. */
static int
env_memory_grow(uint8_t *data, uint32_t pages, uint32_t more)
{
	struct guest *g = guest_running;
	bool done;

	run_out();
	assert(data == g->data && pages == memory_pages(data));
	done = (uint64_t)pages + more <= g->limits.pages;
	if (done && !memory_grow(data, pages + more)) {
		done = false;
		g->denied = true;
	}
	run_in();
	return done ? 0 : -1;
}

static void
env_memory_free(uint8_t *data)
{
	if (data == NULL)
		return;
	assert(data == guest_running->data);
	memory_give(data);
	guest_running->data = NULL;
}

/* A table's bytes are in the account; their number stands before them. */
#define TABLE_ENTRY 64                       /* no ABI's is larger */
struct table { size_t bytes; size_t unused; unsigned char entries[]; };

static void *
env_table_new(void *old, size_t bytes)
{
	struct table *t = old == NULL ? NULL : CONTAINER_OF(old, struct table, entries);
	size_t had = t == NULL ? 0 : t->bytes;

	run_out();
	if (bytes > LIMIT_WASM_TABLE * TABLE_ENTRY)
		t = NULL;
	else if (bytes > had && !account_take(bytes - had)) {
		guest_running->denied = true;
		t = NULL;
	} else {
		if (bytes < had)
			account_give(had - bytes);
		t = mem_resize(t, sizeof *t + bytes);
		t->bytes = bytes;
	}
	run_in();
	return t == NULL ? NULL : t->entries;
}

static void
env_table_free(void *p)
{
	struct table *t;

	if (p == NULL)
		return;
	t = CONTAINER_OF(p, struct table, entries);
	account_give(t->bytes);
	free(t);
}

/* The imports.  Each row's function: arguments in, result out. */

static struct str
text_at(const struct guest *g, uint64_t at, uint64_t n)
{
	return (struct str){ (char *)guest_bytes(g, (uint32_t)at, (uint32_t)n), (uint32_t)n };
}

static int32_t
call_log(struct guest *g, const uint64_t *args)
{
	int32_t level = (int32_t)args[0];
	struct str text = text_at(g, args[1], args[2]);

	if (text.p == NULL)
		guest_hooks.log(g->arg, 2, S("log: the text is not in the memory"));
	else
		guest_hooks.log(g->arg, level < 0 ? 0 : level > 3 ? 3 : level, str_cut(text, LIMIT_WASM_LOG_BYTES));
	return 0;
}

static bool
is_object(struct str json)
{
	struct scan s = scan_of(json);
	struct str raw;

	return scan_peek(&s) == '{' && scan_value(&s, &raw) && scan_end(&s) && str_is_utf8(json);
}

static int32_t
say(struct guest *g, const uint64_t *args, void (*to)(void *arg, struct str json))
{
	struct str json = text_at(g, args[0], args[1]);

	if (!g->open)
		return GUEST_EAGAIN;
	if (json.p == NULL)
		return GUEST_EINVAL;
	if (json.n > g->limits.message_bytes)
		return GUEST_ETOOBIG;
	if (!is_object(json))
		return GUEST_EINVAL;
	to(g->arg, json);
	return 0;
}

static int32_t
call_send(struct guest *g, const uint64_t *args)
{
	return say(g, args, guest_hooks.send);
}

static int32_t
call_reply(struct guest *g, const uint64_t *args)
{
	return say(g, args, guest_hooks.reply);
}

/* Waits for the server; out: room for the answer. */
static int32_t
ask(struct guest *g, enum wasm_import what, struct str name, struct str body, uint32_t out, uint32_t out_max)
{
	if (name.p == NULL || body.p == NULL || guest_bytes(g, out, out_max) == NULL)
		return GUEST_EINVAL;
	if (name.n > LIMIT_WASM_KEY_BYTES || body.n > g->limits.message_bytes)
		return GUEST_ETOOBIG;
	if (!g->open)
		return GUEST_EAGAIN;
	g->out = out;
	g->out_max = out_max;
	if (!run_can_wait())
		return GUEST_EAGAIN;
	guest_hooks.ask(g->arg, what, name, body);
	run_wait();
	return g->answer;
}

static int32_t
call_store_get(struct guest *g, const uint64_t *args)
{
	return ask(g, WASM_STORE_GET, text_at(g, args[0], args[1]), S(""), (uint32_t)args[2], (uint32_t)args[3]);
}

static int32_t
call_store_put(struct guest *g, const uint64_t *args)
{
	return ask(g, WASM_STORE_PUT, text_at(g, args[0], args[1]), text_at(g, args[2], args[3]), 0, 0);
}

static int32_t
call_tool_call(struct guest *g, const uint64_t *args)
{
	return ask(g, WASM_TOOL_CALL, text_at(g, args[0], args[1]), text_at(g, args[2], args[3]),
	    (uint32_t)args[4], (uint32_t)args[5]);
}

static int32_t (*const calls[WASM_IMPORTS])(struct guest *g, const uint64_t *args) = {
	[WASM_LOG] = call_log,
	[WASM_SEND] = call_send,
	[WASM_REPLY] = call_reply,
	[WASM_STORE_GET] = call_store_get,
	[WASM_STORE_PUT] = call_store_put,
	[WASM_TOOL_CALL] = call_tool_call,
};

static uint64_t
env_host_call(unsigned which, const uint64_t *args)
{
	struct guest *g = guest_running;
	uint64_t result;

	run_out();
	assert(which < WASM_IMPORTS);
	if (++g->host_calls > g->limits.host_calls)
		run_trap(WASM_TRAP_HOST_CALLS);
	if ((g->limits.allow & 1u << which) == 0)
		result = (uint32_t)GUEST_EDENIED;
	else if (which == WASM_NOW_MS) {
		if (g->now_ms == 0)
			g->now_ms = clock_wall_ms();
		result = (uint64_t)g->now_ms;
	} else
		result = (uint32_t)calls[which](g, args);
	run_in();
	return result;
}

const struct wasm_env guest_env = {
	.trap = run_trap,
	.memory_new = env_memory_new,
	.memory_grow = env_memory_grow,
	.memory_free = env_memory_free,
	.table_new = env_table_new,
	.table_free = env_table_free,
	.host_call = env_host_call,
};
