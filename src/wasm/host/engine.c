/*
 * engine.c - see engine.h.
 *
 * An agent number is a place in `agents`, taken by the first RESTORE or START and free again
 * after TRAPPED or GONE.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "wasm/host/engine.h"
#include "wasm/host/guest.h"
#include "wasm/host/memory.h"

#define OBJECTS_MAX 4096
#define PART        (256 * KB)               /* of a saved state, in one frame */

struct agent {
	uint32_t number;
	struct guest *guest;                 /* NULL: not started yet */
	uint64_t call;                       /* under way; 0: none */
	struct buf image;                    /* parts of RESTORE */
	bool image_whole;
};

static struct engine_options options;
static struct object *objects;
static size_t objects_n, objects_cap;
static struct agent **agents;
static uint32_t agents_n;                    /* started */

static const char *const trap_texts[WASM_TRAPS] = {
#define X(name, text) [WASM_TRAP_##name] = text,
	WASM_TRAP_MAP(X)
#undef X
};

static void
put(const struct agent *a, enum wasm_frame_type type, int32_t value, uint64_t b, const struct str *parts, size_t n)
{
	struct wasm_frame f = { .type = (uint16_t)type, .agent = a->number, .a = value, .b = b, .call = a->call };

	options.put(options.arg, &f, parts, n);
}

static void
on_log(void *arg, int level, struct str text)
{
	put(arg, WASM_LOG_FRAME, level, 0, &text, 1);
}

static void
on_send(void *arg, struct str json)
{
	put(arg, WASM_SEND_FRAME, 0, 0, &json, 1);
}

static void
on_reply(void *arg, struct str json)
{
	put(arg, WASM_REPLY_FRAME, 0, 0, &json, 1);
}

static void
on_ask(void *arg, enum wasm_import what, struct str name, struct str body)
{
	struct str parts[] = { name, body };

	put(arg, WASM_ASK_FRAME, (int32_t)what, name.n, parts, COUNT(parts));
}

static const struct guest_host hooks = { .log = on_log, .send = on_send, .reply = on_reply, .ask = on_ask };

int
engine_setup(const struct engine_options *o, struct err *e)
{
	int rc;

	assert(agents == NULL && o->put != NULL && o->instances_max > 0);
	options = *o;
	rc = run_setup(LIMIT_WASM_PARKED, e);
	/* One more for each object, whose fresh instance may be kept.  After run_setup: this
	 * reserves all the address space that is left. */
	if (rc == OK)
		rc = memories_setup(o->instances_max + OBJECTS_MAX / 16, o->memory_max, e);
	if (rc != OK)
		return rc;
	guests_setup(&hooks);
	agents = mem_zero(o->instances_max * sizeof *agents);
	return OK;
}

/* A guest keeps the address of its object, so the list is made once. */
int
engine_load(const char *hash, const char *path, struct err *e)
{
	int rc;

	assert(agents_n == 0);
	if (objects_n == OBJECTS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d modules", OBJECTS_MAX);
	if (strlen(hash) != sizeof objects->hash - 1)
		return err_set(e, ERR_INVALID, "%s: its hash is not 64 digits", path);
	mem_grow(objects, objects_n, objects_cap);
	rc = object_load(&objects[objects_n], path, hash, e);
	if (rc == OK)
		objects_n++;
	return rc;
}

uint32_t
engine_instances(void)
{
	return agents_n;
}

static struct agent *
agent_taken(uint32_t number)
{
	struct agent *a = agents[number];

	if (a == NULL) {
		a = agents[number] = mem_new(struct agent);
		a->number = number;
		a->image = BUF(LIMIT_WASM_IMAGE_BYTES);
	}
	return a;
}

static void
agent_free(struct agent *a)
{
	if (a->guest != NULL)
		agents_n--;
	guest_free(a->guest);
	buf_release(&a->image);
	agents[a->number] = NULL;
	free(a);
}

static struct str
bytes_of(const void *p, size_t n)
{
	return (struct str){ p, n };
}

static struct wasm_cost_frame
cost_of(const struct agent *a)
{
	struct guest_cost c;

	guest_cost(a->guest, &c);
	return (struct wasm_cost_frame){ c.fuel < 0 ? 0 : c.fuel, (uint64_t)c.cpu, c.pages, c.host_calls };
}

/* The instance and the agent's number are gone. */
static void
trapped(struct agent *a, enum wasm_trap why, struct str text)
{
	struct wasm_cost_frame cost = cost_of(a);
	struct str parts[] = { bytes_of(&cost, sizeof cost), text };

	put(a, WASM_TRAPPED_FRAME, (int32_t)why, 0, parts, COUNT(parts));
	agent_free(a);
}

static void
trapped_so(struct agent *a)
{
	enum wasm_trap why = guest_trap(a->guest);

	trapped(a, why, str_of(trap_texts[why]));
}

/* After guest code ran for a call. */
static void
call_went(struct agent *a, enum guest_end end)
{
	struct wasm_cost_frame cost;
	struct str part;

	if (end == GUEST_WAITS)
		return;
	if (end == GUEST_TRAPPED) {
		trapped_so(a);
		return;
	}
	cost = cost_of(a);
	part = bytes_of(&cost, sizeof cost);
	put(a, WASM_DONE_FRAME, guest_result(a->guest), 0, &part, 1);
	a->call = 0;
}

static void
restored(struct agent *a, nsec began)
{
	struct err e;
	int rc = guest_restore(a->guest, buf_str(&a->image), &e);

	buf_release(&a->image);
	if (rc == OK)
		put(a, WASM_STARTED_FRAME, 0, (uint64_t)(clock_mono() - began), NULL, 0);
	else
		trapped(a, rc == ERR_LIMIT ? WASM_TRAP_HOST_MEMORY : WASM_TRAP_OTHER, str_of(e.text));
}

static void
started(struct agent *a, nsec began)
{
	if (guest_start(a->guest) == GUEST_DONE)
		put(a, WASM_STARTED_FRAME, 0, (uint64_t)(clock_mono() - began), NULL, 0);
	else
		trapped_so(a);
}

static int
on_start(const struct wasm_frame *f, struct str body, struct err *e)
{
	struct wasm_start_frame s;
	struct guest_limits given;
	struct agent *a = agent_taken(f->agent);
	nsec began = clock_mono();

	if (body.n != sizeof s || a->guest != NULL)
		return err_set(e, ERR_INVALID, "START of agent %u is not possible", f->agent);
	memcpy(&s, body.p, sizeof s);
	if (s.object >= objects_n || (s.restore != 0) != a->image_whole)
		return err_set(e, ERR_INVALID, "START of agent %u: object %u of %zu", f->agent, s.object, objects_n);
	given = (struct guest_limits){
		.allow = s.allow, .pages = s.pages_max, .depth = s.depth_max, .host_calls = s.host_calls_max,
		.message_bytes = s.message_max, .fuel = s.fuel, .cpu = (nsec)s.cpu_us * 1000,
	};
	a->guest = guest_new(&objects[s.object], &given, a);
	agents_n++;
	if (s.restore != 0)
		restored(a, began);
	else
		started(a, began);
	return OK;
}

static int
on_restore(const struct wasm_frame *f, struct str body, struct err *e)
{
	struct agent *a = agent_taken(f->agent);

	if (a->guest != NULL || a->image_whole)
		return err_set(e, ERR_INVALID, "RESTORE of agent %u, which has started", f->agent);
	buf_add(&a->image, body);
	if (a->image.failed)
		return err_set(e, ERR_INVALID, "RESTORE of agent %u is over %zu bytes", f->agent, a->image.max);
	a->image_whole = f->a == 1;
	return OK;
}

/* The agent, which is idle. */
static struct agent *
idle(const struct wasm_frame *f, struct err *e)
{
	struct agent *a = agents[f->agent];

	if (a != NULL && a->guest != NULL && a->call == 0)
		return a;
	err_set(e, ERR_INVALID, "frame %u of agent %u, which is not idle", f->type, f->agent);
	return NULL;
}

static int
on_call(const struct wasm_frame *f, struct str body, struct err *e)
{
	struct agent *a = idle(f, e);
	const struct wasm_object *t;

	if (a == NULL)
		return ERR_INVALID;
	t = guest_object(a->guest)->table;
	if (f->call == 0 || t->alloc == NULL || t->handle_message == NULL)
		return err_set(e, ERR_INVALID, "CALL of agent %u, which takes no messages", f->agent);
	a->call = f->call;
	call_went(a, guest_call(a->guest, body));
	return OK;
}

static int
on_answer(const struct wasm_frame *f, struct str body, struct err *e)
{
	struct agent *a = agents[f->agent];

	if (a == NULL || a->guest == NULL || !guest_waits(a->guest) || a->call != f->call)
		return err_set(e, ERR_INVALID, "ANSWER to agent %u, which did not ask", f->agent);
	call_went(a, guest_answer(a->guest, f->a, body));
	return OK;
}

static int
on_save(const struct wasm_frame *f, struct str body, struct err *e)
{
	struct agent *a = idle(f, e);
	struct buf out = BUF(LIMIT_WASM_IMAGE_BYTES);
	struct err why;
	struct str rest;

	(void)body;
	if (a == NULL)
		return ERR_INVALID;
	if (guest_save(a->guest, &out, &why) != OK) {
		struct str text = str_of(why.text);

		put(a, WASM_SAVED_FRAME, 1, 1, &text, 1);
		buf_release(&out);
		return OK;
	}
	rest = buf_str(&out);
	do {
		struct str part = str_sub(rest, 0, PART);

		rest = str_sub(rest, part.n, rest.n - part.n);
		put(a, WASM_SAVED_FRAME, rest.n == 0, 0, &part, 1);
	} while (rest.n > 0);
	buf_release(&out);
	return OK;
}

static int
on_stop(const struct wasm_frame *f, struct str body, struct err *e)
{
	struct agent *a = agents[f->agent], gone = { .number = f->agent };

	(void)body, (void)e;
	if (a != NULL)
		agent_free(a);
	put(&gone, WASM_GONE_FRAME, 0, 0, NULL, 0);
	return OK;
}

static int (*const handlers[WASM_FRAMES])(const struct wasm_frame *f, struct str body, struct err *e) = {
	[WASM_START_FRAME] = on_start,
	[WASM_RESTORE_FRAME] = on_restore,
	[WASM_CALL_FRAME] = on_call,
	[WASM_ANSWER_FRAME] = on_answer,
	[WASM_SAVE_FRAME] = on_save,
	[WASM_STOP_FRAME] = on_stop,
};

int
engine_frame(const struct wasm_frame *f, struct str body, struct err *e)
{
	if (f->type >= WASM_FRAMES || handlers[f->type] == NULL)
		return err_set(e, ERR_INVALID, "a frame of type %u", f->type);
	if (f->agent >= options.instances_max)
		return err_set(e, ERR_INVALID, "agent %u of %u", f->agent, options.instances_max);
	return handlers[f->type](f, body, e);
}
