/*
 * wasm.c - the parts of `bench wasm`, and their flags.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/wasm_priv.h"

#include <stdlib.h>

#include "base/log.h"

#define AT(field) offsetof(struct wasm_bench_options, field)

const struct flag bench_wasm_flags[] = {
	{ "part", NULL, FLAG_TEXT, "overhead", "NAME", "what is measured, see below", AT(part) },
	{ "rounds", NULL, FLAG_INT, "30", "N", "of what is compared in turn", AT(rounds), 1, 400 },
	{ "agents", NULL, FLAG_INT, "0", "N", "0: the part's own number", AT(agents), 0, 9999 },
	{ "memory", NULL, FLAG_INT, "0", "MB", "part memory: no larger limit than this",
	    AT(memory), 0, 1000 },
	{ "messages", NULL, FLAG_INT, "4000", "N", "part reload: at least, by each strategy",
	    AT(messages), 100, 100000 },
	SCRATCH_FLAG(AT(scratch)),
	REPORT_FLAGS(AT(json), AT(markdown)),
	{ NULL }
};

static const struct bench_part parts[] = {
	{ "overhead", "a hash loop and a sort against native code; an instance; a call",
	    { .wasm = wasm_part_overhead }, "closed",
	    "CPU time of the same work in C and as a guest, with and without metering",
	    "work that waits for the server: storage, tools." },
	{ "memory", "limits of 1, 10, 100 and 1,000 MB", { .wasm = wasm_part_memory }, "closed",
	    "what a guest gets before growth is denied, and how fast it writes it",
	    "paging, other guests." },
	{ "endless", "how soon an endless loop is stopped", { .wasm = wasm_part_endless }, "closed",
	    "CPU time from the call to the trap, against the limit", "loops in host calls." },
	{ "neighbours", "p99 of native agents and of another guest beside endless loops",
	    { .wasm = wasm_part_neighbours }, "open",
	    "1,000 native agents with 200,000 messages a second, and a guest in another process, "
	    "in slices with and without two guests that loop without end",
	    "sockets, storage, charts." },
	{ "scale", "1 to 9,999 instances", { .wasm = wasm_part_scale }, "closed",
	    "spawn, memory and throughput by the number of instances", "messages as JSON, agents." },
	{ "checkpoint", "memory of an instance; saving, restoring", { .wasm = wasm_part_checkpoint }, "closed",
	    "resident memory of 1,000 instances, and an image after 1,000 messages each",
	    "the store." },
	{ "reload", "a new version under load, by four strategies, and one that fails",
	    { .wasm = wasm_part_reload }, "closed",
	    "a server over HTTP: each message to its agents has one reply while a new version of "
	    "their module takes over", "agents that are durable, a server that is killed." },
};

void
bench_wasm_add_parts(struct buf *out)
{
	bench_parts_add(parts, COUNT(parts), out);
}

int
bench_wasm(const struct wasm_bench_options *o, int argc, char *const *argv, struct err *e)
{
	const struct bench_part *p = bench_part_find(parts, COUNT(parts), "wasm", o->part, e);
	struct report *r;
	int rc;

	if (p == NULL)
		return ERR_INVALID;
	log_threshold = LOG_ERROR;           /* guests that are stopped are what is measured */
	r = bench_part_report(p, "wasm", argc, argv);
	rc = p->run.wasm(o, r, e);
	if (rc == OK)
		rc = report_finish(r, o->json, o->markdown, e);
	free(r);
	return rc;
}
