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
#include "base/mem.h"

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

#define IN_PROCESS "sockets, storage, other shards, charts."

static const struct part {
	const char *name, *what;
	part_run *run;
	const char *loop, *measures;
	const char *flags;                   /* that it goes by, each with a blank on both sides;
	                                        the others of the second half are refused */
} parts[] = {
	{ "pool", "10 agents, 1,000 tasks in flight", part_pool, "closed",
	    "tasks that are handed out and answered, a thousand at a time",
	    " agents bytes duration warmup slow " },
	{ "request", "request and reply", part_request, "closed",
	    "the time from a request to its reply", " bytes duration warmup slow " },
	{ "response", "from the mailbox to the end of the handler", part_response, "closed",
	    "what an agent takes to answer, without the way there and back",
	    " bytes duration warmup slow " },
	{ "batches", "size of batches against delay", part_batches, "open",
	    "batches that go when they are full or old", " rate duration " },
	{ "rate", "a given rate for a time", part_rate, "open",
	    "messages on a schedule, each from the moment it was due",
	    " agents bytes rate duration ramp-up slow " },
	{ "burst", "a burst, and how soon it is over", part_burst, "open",
	    "a rate that rises and falls again", " agents bytes rate burst duration slow " },
	{ "scale", "1 to 1,000,000 agents", part_scale, "closed",
	    "spawn, throughput and memory by the number of agents", " agents bytes slow " },
	{ "memory", "of an agent: made, used, emptied", part_memory, "closed",
	    "resident memory of agents with compiled handlers", " agents bytes " },
	{ "checkpoint", "of a chart: bytes, time, and that it is restored", part_checkpoint, "closed",
	    "an agent that is a chart, before and after a thousand messages", " " },
	{ "cpu", "idle, messages, spawns", part_cpu, "closed", "CPU time of this process",
	    " agents bytes duration slow " },
	{ "copies", "allocations and copies of a message", part_copies, "closed",
	    "bytes that were allocated while messages flowed", " agents bytes " },
	{ "lookup", "agents by capability", part_lookup, "closed",
	    "one of the agents that can do something, least loaded", " " },
	{ "codec", "JSON against the binary form", part_codec, "closed",
	    "writing and reading a message in each form", " bytes " },
	{ "books", "stopped agents, full mailboxes, slow consumers", part_books, "closed",
	    "that every message is in one place", " agents bytes " },
	{ "contract-net", "one manager, N bidders", part_contract_net, "closed",
	    "calls for proposals with the router's checks, to the result", " agents duration " },
};

void
bench_agents_add_parts(struct buf *out)
{
	for (size_t i = 0; i < COUNT(parts); i++)
		buf_add_fmt(out, "  %-14s %s\n", parts[i].name, parts[i].what);
}

static const struct part *
part_find(const char *name, struct err *e)
{
	for (size_t i = 0; i < COUNT(parts); i++)
		if (strcmp(parts[i].name, name) == 0)
			return &parts[i];
	err_set(e, ERR_INVALID, "--part: there is no \"%s\"; `cohort bench agents --help` lists "
	    "them", name);
	return NULL;
}

/* A flag that this part does not go by would have no effect. */
static int
refuse_ignored(const struct part *p, const struct agents_options *o, struct err *e)
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
	const struct part *p = part_find(o->part, e);
	struct report *r;
	int rc;

	if (p == NULL || refuse_ignored(p, o, e) != OK)
		return ERR_INVALID;
	r = mem_new(struct report);
	r->workload = "agents";
	r->measures = p->measures;
	r->not_measures = IN_PROCESS;
	r->loop = p->loop;
	r->argc = argc;
	r->argv = argv;
	r->started = clock_wall_ms();
	rc = p->run(o, r, e);
	if (rc == OK)
		rc = report_finish(r, o->json, o->markdown, e);
	free(r);
	return rc;
}
