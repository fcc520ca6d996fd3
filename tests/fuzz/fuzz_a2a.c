/*
 * fuzz_a2a.c - messages of A2A, of both versions, and stored messages as tasks show them.
 * What was read must be JSON again, and so must every task.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdlib.h>

#include "api/a2a.h"

/* Reading would find what writing left open. */
static void
must_parse(const struct buf *b)
{
	struct json_doc d = { 0 };

	if (b->n > 0 && !b->failed && json_parse(&d, buf_str(b), NULL) == ERR_SYNTAX)
		abort();
	json_release(&d);
}

static void
read_message(jnode message, bool old)
{
	struct a2a_said s;
	struct err e;

	if (a2a_read(message, old, &s, &e) == OK) {
		must_parse(&s.content);
		must_parse(&s.data);
		must_parse(&s.resume);
	}
	a2a_said_release(&s);
}

static void
show(jnode values, bool old)
{
	struct a2a_shown t = { .old = old, .state = A2A_COMPLETED, .values = values,
	    .history = json_int(json_get(values, S("historyLength"))),
	    .words = json_str(json_get(values, S("words"))) };
	struct buf b = BUF(1024 * KB), parts = BUF(256 * KB);

	a2a_add_task(&b, &t);
	must_parse(&b);
	buf_clear(&b);
	a2a_add_status(&b, &t, true);
	must_parse(&b);
	buf_clear(&b);
	a2a_add_files(&parts, old, values);
	a2a_add_chunk(&b, &t, buf_str(&parts), true, true);
	must_parse(&b);
	buf_release(&b);
	buf_release(&parts);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct json_doc doc = { 0 };
	struct err e;

	if (json_parse(&doc, (struct str){ (const char *)data, n }, &e) == OK)
		for (int old = 0; old < 2; old++) {
			read_message(doc.root, old);
			read_message(json_get(json_get(doc.root, S("params")), S("message")),
			    old);
			show(doc.root, old);
		}
	json_release(&doc);
	return 0;
}
