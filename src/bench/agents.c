/*
 * agents.c - the parts of `bench agents`, and their flags.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/agents_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

#define AT(field) offsetof(struct agents_options, field)

const struct flag bench_agents_flags[] = {
	{ "part", NULL, FLAG_TEXT, "request", "NAME", "what is measured, see below", AT(part) },
	{ "agents", NULL, FLAG_INT, "0", "N", "0: the part's own number", AT(agents), 0, 4000000 },
	{ "bytes", NULL, FLAG_INT, "64", "N", "of a message, packed", AT(bytes), 32,
	    LIMIT_ACL_BYTES },
	{ "rate", NULL, FLAG_INT, "0", "N", "messages a second, sent on a schedule; 0: the part's "
	    "own", AT(rate), 0, 100000000 },
	{ "burst", NULL, FLAG_INT, "50000", "N", "part burst: messages a second in its middle third",
	    AT(burst), 1, 100000000 },
	{ "duration", NULL, FLAG_MS, "3s", "TIME", "of what is measured", AT(duration) },
	{ "ramp-up", NULL, FLAG_MS, "0", "TIME", "the rate rises to its height so long",
	    AT(ramp_up) },
	{ "warmup", NULL, FLAG_INT, "200000", "N", "messages first, which are left out", AT(warmup), 0,
	    100000000 },
	SLOW_FLAG(AT(slow.percent)),
	{ "json", NULL, FLAG_TEXT, NULL, "FILE", "the result", AT(json) },
	{ "markdown", NULL, FLAG_TEXT, NULL, "FILE", "the result", AT(markdown) },
	{ NULL }
};

static const struct bench_part parts[] = {
	{ "pool", "10 agents, 1,000 tasks in flight", { .agents = part_pool }, "closed",
	    "tasks that are handed out and answered, a thousand at a time",
	    .flags = " agents bytes duration warmup slow " },
	{ "request", "request and reply", { .agents = part_request }, "closed",
	    "the time from a request to its reply", .flags = " bytes duration warmup slow " },
	{ "response", "from the mailbox to the end of the handler", { .agents = part_response }, "closed",
	    "what an agent takes to answer, without the way there and back",
	    .flags = " bytes duration warmup slow " },
	{ "batches", "size of batches against delay", { .agents = part_batches }, "open",
	    "batches that go when they are full or old", .flags = " rate duration " },
	{ "rate", "a given rate for a time", { .agents = part_rate }, "open",
	    "messages on a schedule, each from the moment it was due",
	    .flags = " agents bytes rate duration ramp-up slow " },
	{ "burst", "a burst, and how soon it is over", { .agents = part_burst }, "open",
	    "a rate that rises and falls again", .flags = " agents bytes rate burst duration slow " },
	{ "scale", "1 to 1,000,000 agents", { .agents = part_scale }, "closed",
	    "spawn, throughput and memory by the number of agents", .flags = " agents bytes slow " },
	{ "memory", "of an agent: made, used, emptied", { .agents = part_memory }, "closed",
	    "resident memory of agents with compiled handlers", .flags = " agents bytes " },
	{ "checkpoint", "of a chart: bytes, time, and that it is restored", { .agents = part_checkpoint }, "closed",
	    "an agent that is a chart, before and after a thousand messages", .flags = " " },
	{ "cpu", "idle, messages, spawns", { .agents = part_cpu }, "closed", "CPU time of this process",
	    .flags = " agents bytes duration slow " },
	{ "copies", "allocations and copies of a message", { .agents = part_copies }, "closed",
	    "bytes that were allocated while messages flowed", .flags = " agents bytes " },
	{ "lookup", "agents by capability", { .agents = part_lookup }, "closed",
	    "one of the agents that can do something, least loaded", .flags = " " },
	{ "codec", "JSON against the binary form", { .agents = part_codec }, "closed",
	    "writing and reading a message in each form", .flags = " bytes " },
	{ "books", "stopped agents, full mailboxes, slow consumers", { .agents = part_books }, "closed",
	    "that every message is in one place", .flags = " agents bytes " },
	{ "contract-net", "one manager, N bidders", { .agents = part_contract_net }, "closed",
	    "calls for proposals with the router's checks, to the result", .flags = " agents duration " },
};

void
bench_agents_add_parts(struct buf *out)
{
	bench_parts_add(parts, COUNT(parts), out);
}

/* A flag that this part does not go by would have no effect. */
static int
refuse_ignored(const struct bench_part *p, const struct agents_options *o, struct err *e)
{
	char word[32];

	for (const struct flag *f = bench_agents_flags; f->name != NULL; f++) {
		snprintf(word, sizeof word, " %s ", f->name);
		if (f->at >= AT(agents) && f->at < AT(json) && flag_differs(f, o) &&
		    strstr(p->flags, word) == NULL)
			return err_set(e, ERR_INVALID, "--%s has no effect with --part %s", f->name,
			    p->name);
	}
	return OK;
}

int
bench_agents(const struct agents_options *o, int argc, char *const *argv, struct err *e)
{
	const struct bench_part *p = bench_part_find(parts, COUNT(parts), "agents", o->part, e);
	struct report *r;
	int rc;

	if (p == NULL || refuse_ignored(p, o, e) != OK)
		return ERR_INVALID;
	r = bench_part_report(p, "agents", argc, argv);
	r->not_measures = "sockets, storage, other shards, charts.";
	rc = p->run.agents(o, r, e);
	if (rc == OK)
		rc = report_finish(r, o->json, o->markdown, e);
	free(r);
	return rc;
}
