/*
 * guest.c - see guest.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "wasm/host/guest_priv.h"
#include "wasm/host/memory.h"

#define START_CPU (20 * NS_PER_MS)

struct guest *guest_running;
struct guest_host guest_hooks;

int
object_load(struct object *out, const char *path, const char *hash, struct err *e)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct wasm_object *t;

	*out = (struct object){ 0 };
	if (handle == NULL)
		return err_set(e, ERR_INVALID, "%s", dlerror());
	t = dlsym(handle, "cohort_wasm_object");
	if (t == NULL || t->abi != WASM_ABI) {
		dlclose(handle);
		return t == NULL ? err_set(e, ERR_INVALID, "%s is not a compiled module", path) :
		    err_set(e, ERR_INVALID, "%s was compiled for another version of Cohort", path);
	}
	t->bind(&guest_env);
	out->table = t;
	snprintf(out->hash, sizeof out->hash, "%s", hash);
	return OK;
}

void
guests_setup(const struct guest_host *h)
{
	guest_hooks = *h;
}

struct guest *
guest_new(struct object *o, const struct guest_limits *limits, void *arg)
{
	struct guest *g = mem_zero(sizeof *g + o->table->instance_bytes);

	g->object = o;
	g->limits = *limits;
	g->arg = arg;
	return g;
}

void
guest_limit(struct guest *g, const struct guest_limits *limits)
{
	assert(!guest_waits(g));
	g->limits = *limits;
}

void
guest_free(struct guest *g)
{
	if (g == NULL)
		return;
	assert(guest_running == NULL);
	if (guest_waits(g))
		run_drop(&g->run);
	guest_running = g;
	g->object->table->release(g->instance);
	guest_running = NULL;
	assert(g->data == NULL);
	free(g);
}

uint8_t *
guest_bytes(const struct guest *g, uint32_t at, uint32_t n)
{
	if (g->data == NULL || (uint64_t)at + n > memory_pages(g->data) * (uint64_t)MEMORY_PAGE)
		return NULL;
	return g->data + at;
}

static enum guest_end
settle(struct guest *g, enum run_end end)
{
	g->object->table->meter_get(&g->meter);
	guest_running = NULL;
	return end == RUN_DONE ? GUEST_DONE : end == RUN_WAITS ? GUEST_WAITS : GUEST_TRAPPED;
}

enum guest_end
guest_run(struct guest *g, void (*job)(void *arg), void *arg, int64_t fuel, nsec cpu)
{
	assert(guest_running == NULL && !guest_waits(g));
	g->meter = (struct wasm_meter){ .fuel = fuel, .depth_max = g->limits.depth };
	g->run = (struct run){ .cpu_max = cpu };
	g->host_calls = 0;
	g->open = false;
	g->denied = false;
	g->now_ms = 0;
	guest_running = g;
	g->object->table->meter_set(&g->meter);
	return settle(g, run_begin(&g->run, job, arg, g->data));
}

enum guest_end
guest_run_start(struct guest *g, void (*job)(void *arg), void *arg)
{
	return guest_run(g, job, arg, g->limits.fuel, g->limits.cpu == NEVER ? NEVER : g->limits.cpu + START_CPU);
}

static void
job_start(void *guest)
{
	struct guest *g = guest;
	const struct wasm_object *t = g->object->table;

	run_in();
	t->instantiate(g->instance);
	if (t->initialize != NULL)
		t->initialize(g->instance);
	run_out();
}

enum guest_end
guest_start(struct guest *g)
{
	enum guest_end end;

	assert(!g->started);
	end = guest_run_start(g, job_start, g);
	g->started = end == GUEST_DONE;
	assert(end != GUEST_WAITS);
	return end;
}

/* The message goes where `alloc` says; 0 is no place, as in C. */
static void
job_call(void *guest)
{
	struct guest *g = guest;
	const struct wasm_object *t = g->object->table;
	uint32_t at, n = (uint32_t)g->message.n;
	uint8_t *to;

	run_in();
	at = t->alloc(g->instance, n);
	run_out();
	to = guest_bytes(g, at, n);
	if (at == 0 || to == NULL)
		run_trap(WASM_TRAP_ANSWER);
	if (n > 0)
		memcpy(to, g->message.p, n);
	g->message = STR_NONE;               /* it is the caller's until the guest waits */
	g->open = true;
	run_in();
	g->result = (int32_t)t->handle_message(g->instance, at, n);
	run_out();
}

enum guest_end
guest_call(struct guest *g, struct str message)
{
	assert(g->started && g->object->table->alloc != NULL && g->object->table->handle_message != NULL);
	assert(message.n <= UINT32_MAX);
	g->message = message;
	return guest_run(g, job_call, g, g->limits.fuel, g->limits.cpu);
}

static void
job_invoke(void *guest)
{
	struct guest *g = guest;

	g->open = true;
	run_in();
	g->object->table->exports[g->invoke](g->instance, g->slots);
	run_out();
}

enum guest_end
guest_invoke(struct guest *g, uint32_t n, uint64_t *slots)
{
	assert(n < g->object->table->exports_n && g->object->table->exports[n] != NULL);
	g->invoke = n;
	g->slots = slots;
	return guest_run(g, job_invoke, g, g->limits.fuel, g->limits.cpu);
}

enum guest_end
guest_answer(struct guest *g, int32_t rc, struct str body)
{
	uint32_t n = body.n < g->out_max ? (uint32_t)body.n : g->out_max;

	assert(guest_waits(g) && guest_running == NULL);
	g->answer = rc < 0 ? rc : (int32_t)body.n;
	if (n > 0)
		memcpy(guest_bytes(g, g->out, n), body.p, n);
	guest_running = g;
	g->object->table->meter_set(&g->meter);
	return settle(g, run_again(&g->run, g->data));
}

bool
guest_started(const struct guest *g)
{
	return g->started;
}

bool
guest_waits(const struct guest *g)
{
	return guest_running != g && run_waits(&g->run);
}

int32_t
guest_result(const struct guest *g)
{
	return g->result;
}

enum wasm_trap
guest_trap(const struct guest *g)
{
	return g->run.why == WASM_TRAP_MEMORY_START && g->denied ? WASM_TRAP_HOST_MEMORY : g->run.why;
}

void
guest_cost(const struct guest *g, struct guest_cost *out)
{
	*out = (struct guest_cost){
		.fuel = g->limits.fuel - g->meter.fuel, .cpu = g->run.cpu,
		.pages = g->data != NULL ? memory_pages(g->data) : 0, .host_calls = g->host_calls,
	};
}

const uint8_t *
guest_memory(const struct guest *g, uint32_t *pages)
{
	*pages = g->data != NULL ? memory_pages(g->data) : 0;
	return g->data;
}

struct object *
guest_object(const struct guest *g)
{
	return g->object;
}

void *
guest_instance(struct guest *g)
{
	return g->instance;
}
