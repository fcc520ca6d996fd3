/*
 * fuzz_snapshot.c - any bytes as the snapshot of a session: the first byte
 * chooses the chart.  What is restored is legal, goes on, and can be saved and
 * restored again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/buf.h"
#include "chart/chart.h"

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
