/*
 * fuzz_snapshot.c - any bytes as the snapshot of a session, or (a letter first)
 * of a stepper: the first byte chooses the chart.  What is restored is legal,
 * goes on, and can be saved and restored again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/buf.h"
#include "chart/stepper.h"

static const char *const charts[] = {
	"<scxml><datamodel><data id='n' expr='0'/><data id='o'/></datamodel>"
	"<state id='a'><transition event='go' cond='visits(\"a\") &lt; 3' target='a'>"
	"<assign location='n' expr='n + 1'/></transition>"
	"<transition event='go' target='f'/></state>"
	"<final id='f'><donedata><content expr='n'/></donedata></final></scxml>",

	"<scxml><state id='a'><history id='h' type='deep'><transition target='b'/></history>"
	"<history id='k'><transition target='c'/></history>"
	"<state id='b'><transition event='go' target='c'/></state>"
	"<state id='c'><state id='d'><transition event='go' target='e'/></state><state id='e'/></state>"
	"<transition event='out' target='z'/></state>"
	"<state id='z'><transition event='back' target='h'/><transition event='go' target='k'/>"
	"</state></scxml>",

	"<scxml binding='late'><datamodel><data id='x' expr='1'/></datamodel><parallel id='p'>"
	"<state id='l'><datamodel><data id='y' expr='2'/></datamodel><state id='l1'>"
	"<invoke type='llm' id='m' autoforward='true'><param name='q' location='x'/><finalize/></invoke>"
	"<transition event='done.invoke.m' target='l2'/></state><final id='l2'/></state>"
	"<state id='r'><invoke type='t'/><invoke type='u' id='v'/><state id='r1'>"
	"<transition event='go' target='r2'/></state><final id='r2'/></state>"
	"<transition event='out' target='p'/><transition event='done.state.p' target='f'/>"
	"</parallel><final id='f'/></scxml>",

	"<scxml><state id='a'><invoke id='k'><content><scxml><state id='s'><invoke type='llm' id='m'/>"
	"<onentry><send event='t' target='#_parent' delay='1s'/></onentry>"
	"<transition event='done.invoke.m' target='f'/></state><final id='f'/></scxml></content></invoke>"
	"<invoke type='t' id='m' autoforward='true'/><transition event='t' target='b'/>"
	"<transition event='done.invoke.k' target='b'/></state>"
	"<state id='b'><onentry><send event='go' delay='1s' id='x'/></onentry>"
	"<transition event='go' target='a'/></state></scxml>",
};

/* ctx: the serial number of the last invoke. */
static void
on_effect(void *ctx, const struct effect *f)
{
	uint32_t *last = ctx;

	if (f->kind == EFFECT_INVOKE) {
		assert(f->serial > *last);
		*last = f->serial;
	}
}

static void
round_trip(const struct session *s, const struct chart *c)
{
	const struct effect_sink out = { 0 };
	struct buf saved = BUF(64 * MB), again = BUF(64 * MB);
	struct session *copy;
	struct err e;

	session_save(s, &saved);
	if (!saved.failed) {
		int rc = session_restore(&copy, c, S("id"), buf_str(&saved), &out, &e);

		assert(rc == OK && session_over(copy) == session_over(s));
		session_save(copy, &again);
		assert(again.failed || str_eq(buf_str(&saved), buf_str(&again)));
		session_free(copy);
	}
	buf_release(&saved);
	buf_release(&again);
}

static void
go_on(struct session *s, const struct chart *c, uint32_t *last)
{
	static const char *const events[] = { "go", "done.invoke.m", "out", "back", "go", "go" };
	const struct effect_sink out = { .effect = on_effect, .ctx = last, .path = true };

	for (size_t i = 0; i < COUNT(events); i++) {
		struct chart_event ev = { .name = str_of(events[i]), .data = VAL_NIL,
			.invokeid = S("m"), .serial = *last - (uint32_t)i % 3,
			.tie = i == 1 ? (enum chart_tie)(*last % 4) : TIE_NONE };

		(void)session_event(s, &ev, &out);
		round_trip(s, c);
	}
}

/* The last task that a stepper began. */
static void
begin(void *ctx, const struct stepper_task *t)
{
	*(uint64_t *)ctx = t->serial;
}

static void
play_stepper(const struct chart *c, struct str snapshot)
{
	static const struct stepper_ops ops = { .begin = begin, .path = true };
	struct buf saved = BUF(64 * MB), again = BUF(64 * MB);
	struct chart_stepper *st, *copy;
	uint64_t task = 0, other = 0;
	struct err e;

	if (stepper_restore(&st, c, S("s"), snapshot, &ops, &task, &e) != OK) {
		assert(st == NULL);
		return;
	}
	for (int i = 0; i < 12; i++) {
		int rc;

		buf_clear(&saved);
		buf_clear(&again);
		stepper_save(st, &saved);
		if (saved.failed)
			break;
		rc = stepper_restore(&copy, c, S("s"), buf_str(&saved), &ops, &other, &e);
		assert(rc == OK);
		stepper_save(copy, &again);
		assert(again.failed || str_eq(buf_str(&saved), buf_str(&again)));
		stepper_free(copy);
		(void)stepper_step(st, 0);
		if (i % 3 == 0)
			(void)stepper_task_done(st, task, VAL_NIL);
		if (i % 3 == 1)
			(void)stepper_fire(st, STEPPER_NEVER - 1);
		if (i % 3 == 2)
			(void)stepper_event(st, S("go"), VAL_UNDEF);
	}
	stepper_cancel(st, 0);
	stepper_free(st);
	buf_release(&saved);
	buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	uint32_t last = 0;
	const struct effect_sink out = { .effect = on_effect, .ctx = &last };
	struct session *s;
	struct chart *c;
	struct err e;
	int rc;

	if (n == 0)
		return 0;
	rc = chart_from_scxml(&c, str_of(charts[bytes[0] % COUNT(charts)]), NULL, &e);
	assert(rc == OK);
	if (bytes[0] >= 'A') {
		play_stepper(c, (struct str){ (const char *)bytes + 1, n - 1 });
		chart_free(c);
		return 0;
	}
	rc = session_restore(&s, c, S("id"), (struct str){ (const char *)bytes + 1, n - 1 },
	    &out, &e);
	assert((rc == OK) == (s != NULL));
	if (s != NULL) {
		round_trip(s, c);
		go_on(s, c, &last);
		session_free(s);
	}
	chart_free(c);
	return 0;
}
