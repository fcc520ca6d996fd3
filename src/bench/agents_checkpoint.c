/*
 * agents_checkpoint.c - an agent that is a chart: what it holds, what a checkpoint of it
 * weighs and takes, and that the restored one equals it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/agents_priv.h"

#include <stdlib.h>

#include "base/mem.h"
#include "bench/wasm.h"
#include "chart/chart.h"

#define EVENTS 1000

static const char counter[] =
    "<scxml xmlns='http://www.w3.org/2005/07/scxml' version='1.0' datamodel='ecmascript'"
    " initial='idle'><datamodel><data id='n' expr='0'/><data id='last' expr=\"''\"/></datamodel>"
    "<state id='idle'><transition event='message.request' cond=\"_event.data.kind == 'work'\""
    " target='busy'><assign location='n' expr='n + 1'/>"
    "<assign location='last' expr='_event.data.text'/></transition></state>"
    "<state id='busy'><transition event='message.inform' target='idle'/></state></scxml>";

static void
live(struct session *s)
{
	struct val request = val_json_trusted(S("{\"kind\":\"work\",\"text\":\"measure twice\"}"));

	for (int i = 0; i < EVENTS; i++)
		session_event(s, &(struct chart_event){ .name = i % 2 == 0 ? S("message.request") :
		    S("message.inform"), .data = request }, &(struct effect_sink){ 0 });
	val_drop(request);
}

int
part_checkpoint(const struct agents_options *o, struct report *r, struct err *e)
{
	struct buf before = BUF(1 * MB), after = BUF(1 * MB);
	struct session *s, *again = NULL;
	struct chart *c;
	nsec since;
	int rc = chart_from_scxml(&c, str_of(counter), &(struct chart_files){ 0 }, e);

	(void)o;
	if (rc != OK)
		return rc;
	s = session_new(c, S("a"), VAL_UNDEF, STR_NONE);
	session_start(s, &(struct effect_sink){ 0 });
	report_value(r, (double)session_bytes(s) / 1024, 3, "created_kb");
	live(s);
	report_value(r, (double)session_bytes(s) / 1024, 3, "after_messages_kb");
	since = clock_thread();
	session_save(s, &before);
	report_value(r, (double)farm_lap(&since) / 1e3, 2, "save_us");
	rc = session_restore(&again, c, S("a"), buf_str(&before), &(struct effect_sink){ 0 }, e);
	report_value(r, (double)farm_lap(&since) / 1e3, 2, "restore_us");
	if (rc == OK)
		session_save(again, &after);
	report_value(r, (double)before.n, 0, "checkpoint_bytes");
	report_check(r, str_eq(buf_str(&before), buf_str(&after)),
	    "the restored agent equals the one that was saved, byte for byte");
	if (rc == OK)
		rc = wasm_instances(NULL, 0, r, "wasm_", e);
	session_free(again);
	session_free(s);
	chart_free(c);
	buf_release(&before);
	buf_release(&after);
	return rc;
}
