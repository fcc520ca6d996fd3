/*
 * agents_cost.c - what agents and messages take: spawn and memory by number, CPU when
 * idle, allocations, look-ups, and the message in its forms.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/agents_priv.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/mem.h"
#include "bench/wasm.h"
#include "mail/directory.h"

#define MESSAGES 1000000                     /* of one step */

/* ---- by number of agents --------------------------------------------------------------- */

/* So many to agents at random; nanoseconds of CPU each. */
static double
spread(struct farm *f, size_t n, struct mail_text *text)
{
	nsec since = clock_thread();

	for (size_t sent = 0; sent < n;) {
		slow_mark(&f->slow);
		for (size_t i = 0; i < 256; i++, sent++)
			farm_send(f, &f->agent[0], farm_pick(f), text, ACL_INFORM);
		farm_run(f);
		slow_pay(&f->slow);
	}
	return (double)farm_lap(&since) / (double)n;
}

static void
scale_value(struct report *r, double value, int digits, const char *name, size_t agents)
{
	char key[48];

	snprintf(key, sizeof key, "%s_%zu", name, agents);
	report_value(r, value, digits, key);
}

static void
scale_one(const struct agents_options *o, struct report *r, size_t n)
{
	struct farm f = { .slow = o->slow };
	struct mail_text *text = farm_text((size_t)o->bytes);
	size_t before = mem_resident();
	nsec since = clock_thread();
	double spawn, bytes, ns;

	farm_open(&f, NULL, n, 0);
	spawn = (double)farm_lap(&since) / (double)n;
	bytes = ((double)mem_resident() - (double)before) / (double)n;
	spread(&f, MESSAGES / 4, text);
	ns = spread(&f, MESSAGES, text);
	scale_value(r, spawn / 1e3, 4, "spawn_us", n);
	scale_value(r, bytes / 1024, 3, "agent_kb", n);
	scale_value(r, 1e9 / ns, 0, "messages_per_s", n);
	farm_close(&f, r);
	mail_text_drop(text);
	mem_trim(&(struct mem_level){ 0 });
	if (n == 1000000 || n == (size_t)o->agents) {
		report_value(r, spawn / 1e3, 4, "spawn_us");
		report_value(r, bytes / 1024, 3, "agent_kb");
		report_value(r, 1e9 / ns, 0, "messages_per_s");
	}
}

/* What could not be measured of guests takes nothing from the native agents. */
static void
guests_failed(struct report *r, int rc, const struct err *e)
{
	if (rc != OK)
		report_check(r, false, "guests of WebAssembly: %s", e->text);
}

int
part_scale(const struct agents_options *o, struct report *r, struct err *e)
{
	for (size_t n = 1; o->agents == 0 && n <= 1000000; n *= 10)
		scale_one(o, r, n);
	if (o->agents > 0)
		scale_one(o, r, (size_t)o->agents);
	guests_failed(r, wasm_scale(NULL, o->agents, r, "wasm_", e), e);
	return OK;
}

/* ---- memory, CPU ------------------------------------------------------------------------- */

static double
grown_kb(size_t *since, size_t agents)
{
	size_t now = mem_resident();
	double kb = ((double)now - (double)*since) / 1024 / (double)agents;

	*since = now;
	return kb;
}

int
part_memory(const struct agents_options *o, struct report *r, struct err *e)
{
	size_t n = o->agents > 0 ? (size_t)o->agents : 10000, since = mem_resident();
	struct mail_text *text = farm_text((size_t)o->bytes);
	struct farm f = { 0 };

	farm_open(&f, NULL, n, 0);
	report_value(r, grown_kb(&since, n), 3, "created_kb");
	for (size_t i = 0; i < 1000; i++)
		for (size_t k = 0; k < 10; k++)
			farm_send(&f, &f.agent[0], &f.agent[(i * 10 + k) % n], text, ACL_INFORM);
	report_value(r, grown_kb(&since, 10000), 3, "message_waiting_kb");
	farm_run(&f);
	report_value(r, grown_kb(&since, n), 3, "after_messages_kb");
	report_value(r, (double)n, 0, "agents");
	farm_close(&f, r);
	mail_text_drop(text);
	guests_failed(r, wasm_instances(NULL, 0, r, "wasm_", e), e);
	return OK;
}

/* The share of one core, in percent, since then. */
static double
cpu_percent(nsec cpu, nsec wall)
{
	return (double)(clock_cpu() - cpu) / (double)(clock_mono() - wall) * 100;
}

int
part_cpu(const struct agents_options *o, struct report *r, struct err *e)
{
	size_t n = o->agents > 0 ? (size_t)o->agents : 10000;
	struct timespec idle = { .tv_sec = o->duration / 1000,
		.tv_nsec = o->duration % 1000 * NS_PER_MS };
	struct mail_text *text = farm_text((size_t)o->bytes);
	struct farm f = { .slow = o->slow };
	nsec cpu, wall, due;

	(void)e;
	farm_open(&f, NULL, n, 0);
	cpu = clock_cpu(), wall = clock_mono();
	due = post_due(f.post);              /* a host sleeps until then */
	nanosleep(&idle, NULL);
	report_value(r, cpu_percent(cpu, wall), 4, "idle_cpu_percent");
	report_check(r, due == NEVER, "%zu idle agents ask for no time", n);
	report_value(r, spread(&f, 10000, text) * 10000 / 1e6, 3, "cpu_ms_10000_messages");
	cpu = clock_thread();
	for (size_t i = 0; i < 100; i++)
		post_close(f.post, f.agent[i].at);
	for (size_t i = 0; i < 100; i++)
		f.agent[i].at = post_open(f.post, &farm_counting, &f.agent[i], 0);
	report_value(r, (double)(clock_thread() - cpu) / 1e6, 4, "cpu_ms_100_respawns");
	report_value(r, (double)n, 0, "agents");
	farm_close(&f, r);
	mail_text_drop(text);
	return OK;
}

/* ---- copies and allocations ----------------------------------------------------------------- */

int
part_copies(const struct agents_options *o, struct report *r, struct err *e)
{
	struct farm f = { 0 };
	struct mail_text *text = farm_text((size_t)o->bytes);
	struct mallinfo2 before, after;
	size_t grown;

	(void)e;
	farm_open(&f, NULL, o->agents > 0 ? (size_t)o->agents : 1000, 0);
	spread(&f, MESSAGES, text);
	before = mallinfo2();
	spread(&f, MESSAGES, text);
	after = mallinfo2();
	grown = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
	report_value(r, (double)grown / MESSAGES, 4, "allocated_bytes_per_message");
	report_value(r, text->n <= LETTER_INLINE ? text->n : 0, 0, "copied_bytes_per_message");
	report_value(r, sizeof(struct letter), 0, "letter_bytes");
	report_check(r, grown == 0, "a steady flow allocates nothing: %zu bytes in %d messages", grown,
	    MESSAGES);
	farm_close(&f, r);
	mail_text_drop(text);
	return OK;
}

/* ---- look-ups ----------------------------------------------------------------------------------- */

static void
on_found(void *ctx, const struct uuid *id, struct mail_ref ref)
{
	(void)id;
	*(uint64_t *)ctx += ref.uses;
}

static double
lookup(size_t n, size_t times)
{
	static const struct str capability = { "sum", 3 };
	struct mail_directory *d = mail_directory_new();
	uint64_t found = 0;
	struct err e;
	nsec since;
	int rc = OK;

	for (size_t i = 0; i < n && rc == OK; i++)
		rc = mail_directory_put(d, &(struct mail_entry){ .id = uuid_v7(), .ref = { .uses = 1 },
		    .state = AGENT_READY, .capabilities = &capability, .capabilities_n = 1 }, &e);
	assert(rc == OK);
	since = clock_thread();
	for (size_t i = 0; i < times; i++)
		mail_directory_resolve(d, 0, S("cap:sum"), on_found, &found, &e);
	assert(found == times);
	mail_directory_free(d);
	return (double)farm_lap(&since) / (double)times;
}

int
part_lookup(const struct agents_options *o, struct report *r, struct err *e)
{
	double few = 0, many = 0;

	(void)o;
	(void)e;
	for (size_t n = 10; n <= 10000; n *= 10) {
		many = lookup(n, 300000);
		few = n == 10 ? many : few;
		scale_value(r, many, 1, "lookup_ns", n);
	}
	report_value(r, many, 1, "lookup_ns");
	report_value(r, many / few, 2, "lookup_growth_10_to_10000");
	return OK;
}

/* ---- the forms of a message --------------------------------------------------------------------- */

#define TIMES 100000

static struct acl
sample(size_t bytes, struct buf *content)
{
	static const struct str to = { "estimator", 9 };
	struct acl m = { .act = ACL_REQUEST, .sender = S("manager"), .receivers = &to,
		.receivers_n = 1, .protocol = S("fipa-request"), .conversation_id = S("c-1"),
		.reply_with = S("r-1"), .message_id = uuid_v7(), .created = 1 };

	buf_lit(content, "{\"text\":\"");
	while (content->n + 2 < bytes)
		buf_lit(content, "x");
	buf_lit(content, "\"}");
	m.content = buf_str(content);
	return m;
}

static double
json_read(struct str text)
{
	struct acl_room room;
	struct acl m;
	struct err e;
	nsec since = clock_thread();

	for (int i = 0; i < TIMES; i++) {
		struct arena a = ARENA(1 * MB);
		struct json_doc doc;
		int rc = json_parse(&doc, text, &e);

		if (rc == OK)
			rc = acl_from_json(&m, doc.root, true, &a, &room, &e);
		assert(rc == OK);
		json_release(&doc);
		arena_release(&a);
	}
	return (double)farm_lap(&since) / TIMES;
}

static double
packed_read(struct str packed)
{
	struct acl_room room;
	struct acl m;
	struct err e;
	nsec since = clock_thread();

	for (int i = 0; i < TIMES; i++) {
		int rc = acl_unpack(&m, packed, &room, &e);

		assert(rc == OK);
	}
	return (double)farm_lap(&since) / TIMES;
}

static double
written(const struct acl *m, void (*write)(const struct acl *m, struct buf *out), struct buf *out)
{
	nsec since = clock_thread();

	for (int i = 0; i < TIMES; i++) {
		buf_clear(out);
		write(m, out);
	}
	return (double)farm_lap(&since) / TIMES;
}

int
part_codec(const struct agents_options *o, struct report *r, struct err *e)
{
	struct buf content = BUF(2 * MB), json = BUF(4 * MB), packed = BUF(4 * MB);
	struct acl m = sample((size_t)o->bytes, &content);
	double json_ns = written(&m, acl_add_json, &json), packed_ns = written(&m, acl_pack, &packed);

	(void)e;
	report_value(r, json_ns, 0, "json_write_ns");
	report_value(r, json_read(buf_str(&json)), 0, "json_read_ns");
	report_value(r, (double)json.n, 0, "json_bytes");
	report_value(r, packed_ns, 0, "binary_write_ns");
	report_value(r, packed_read(buf_str(&packed)), 0, "binary_read_ns");
	report_value(r, (double)packed.n, 0, "binary_bytes");
	buf_release(&content);
	buf_release(&json);
	buf_release(&packed);
	return OK;
}
