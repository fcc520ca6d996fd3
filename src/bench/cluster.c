/*
 * cluster.c - see cluster.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/cluster.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "bench/fleet.h"
#include "bench/report.h"

#define AT(field) offsetof(struct bench_cluster_options, field)

const struct flag bench_cluster_flags[] = {
	{ "only", NULL, FLAG_TEXT, NULL, "LIST", "scenarios (default: all)", AT(only) },
	{ "nodes", NULL, FLAG_INT, "1000", "N", "in the cluster", AT(nodes), 2, 10000 },
	{ "threads", NULL, FLAG_INT, "1000000", "N", "whose runs are under way", AT(threads),
	    1, 10000000 },
	{ "lease", NULL, FLAG_MS, "10s", "TIME", "as cluster.lease", AT(lease),
	    LIMIT_LEASE_MIN_MS, LIMIT_LEASE_MS },
	{ "kill", NULL, FLAG_INT, "0", "N", "nodes that die or are cut off (0: a tenth)",
	    AT(kill), 0, 9999 },
	{ "cores", NULL, FLAG_INT, "16", "N", "of PostgreSQL", AT(cores), 1, 1024 },
	{ "connections", NULL, FLAG_INT, "9", "N", "of a node", AT(connections), 1, 1024 },
	{ "commit-us", NULL, FLAG_INT, "1000", "N", "that PostgreSQL takes to write its log",
	    AT(flush_us), 0, 1000000 },
	{ "trip-us", NULL, FLAG_INT, "200", "N", "from a node to PostgreSQL and back",
	    AT(trip_us), 0, 1000000 },
	{ "seed", NULL, FLAG_INT, "1", "N", "of all that is random", AT(seed), 0, INT32_MAX },
	{ "thresholds", NULL, FLAG_TEXT, NULL, "LIST", "what must hold, as in one_takeover_s<12",
	    AT(thresholds) },
	REPORT_FLAGS(AT(json), AT(markdown)),
	{ NULL }
};

void
bench_cluster_add_scenarios(struct buf *b)
{
	buf_lit(b, "scenarios, each from ten seconds after the start:\n\n");
	for (int i = 0; i < FLEET_SCENARIOS; i++)
		buf_add_fmt(b, "  %-10s %s\n", fleet_names[i], fleet_texts[i]);
}

static int
choose(const struct bench_cluster_options *o, bool *on, struct err *e)
{
	struct str rest = str_of(o->only), part;

	for (int i = 0; i < FLEET_SCENARIOS; i++)
		on[i] = rest.n == 0;
	while (rest.n > 0 && str_next(&rest, ',', &part)) {
		int i = 0;

		part = str_trim(part);
		while (i < FLEET_SCENARIOS && !str_eq(part, str_of(fleet_names[i])))
			i++;
		if (i == FLEET_SCENARIOS)
			return err_set(e, ERR_INVALID, "--only: \"%.*s\" is none of steady, one, "
			    "tenth, cut, away, rolling", FMT(part));
		on[i] = true;
	}
	return o->kill < o->nodes ? OK : err_set(e, ERR_INVALID,
	    "--kill: fewer than the %lld nodes", (long long)o->nodes);
}

static void
value(struct report *r, enum fleet_scenario s, double v, int digits, const char *name)
{
	char key[48];

	snprintf(key, sizeof key, "%s_%s", fleet_names[s], name);
	report_value(r, v, digits, key);
}

static void
tell(struct report *r, enum fleet_scenario s, const struct fleet_result *x)
{
	value(r, s, x->mean.statements, 0, "statements_per_s");
	value(r, s, x->peak.statements, 0, "statements_peak_per_s");
	value(r, s, x->mean.rows, 0, "rows_per_s");
	value(r, s, x->peak.rows, 0, "rows_peak_per_s");
	value(r, s, x->mean.commits, 0, "commits_per_s");
	value(r, s, x->peak.commits, 0, "commits_peak_per_s");
	value(r, s, x->mean.cores, 2, "cores");
	value(r, s, x->peak.cores, 2, "cores_peak");
	value(r, s, x->saturated, 2, "saturated_s");
	value(r, s, x->saturated_longest, 2, "saturated_longest_s");
	value(r, s, x->messages, 0, "nats_peak_per_s");
	value(r, s, x->beat_max, 1, "beat_max_ms");
	value(r, s, (double)x->lost, 0, "lost");
	if (s != FLEET_STEADY) {
		value(r, s, (double)x->moved, 0, "moved");
		value(r, s, x->takeover_p50, 2, "takeover_p50_s");
		value(r, s, x->takeover_max, 2, "takeover_s");
		value(r, s, x->settled, 1, "settled_s");
	}
	value(r, s, (double)x->counted, 0, "counted");
	value(r, s, (double)x->stuck, 0, "stuck");
	value(r, s, (double)x->twice, 0, "twice");
	report_check(r, x->settled >= 0, "%s: all threads run at the end", fleet_names[s]);
	report_check(r, x->stuck == 0, "%s: no thread is stuck", fleet_names[s]);
	report_check(r, x->twice == 0, "%s: no thread is run twice at once", fleet_names[s]);
	report_check(r, x->lost == 0, "%s: no node loses its lease for what happened to others",
	    fleet_names[s]);
}

int
bench_cluster(const struct bench_cluster_options *o, int argc, char *const *argv,
    struct err *e)
{
	struct report *r = mem_new(struct report);
	struct fleet_options f = { .nodes = o->nodes, .threads = o->threads, .lease = o->lease,
		.kill = o->kill > 0 ? o->kill : (o->nodes + 9) / 10, .cores = o->cores,
		.connections = o->connections, .flush = o->flush_us * 1000,
		.trip = o->trip_us * 1000, .seed = (uint64_t)o->seed };
	bool on[FLEET_SCENARIOS];
	int rc = choose(o, on, e);

	*r = (struct report){ .workload = "cluster", .loop = "open", .argc = argc, .argv = argv,
		.started = clock_wall_ms(),
		.measures = "by simulation: statements, rows and CPU time that nodes cost "
		    "PostgreSQL, and how long threads of lost nodes stand still.",
		.not_measures = "the runs' own statements, a real PostgreSQL, a real network." };
	for (int i = 0; rc == OK && i < FLEET_SCENARIOS; i++) {
		struct fleet_result x;

		if (!on[i])
			continue;
		f.scenario = (enum fleet_scenario)i;
		fleet_run(&f, &x);
		tell(r, f.scenario, &x);
	}
	if (rc == OK)
		rc = report_thresholds(r, o->thresholds, e);
	if (rc == OK)
		rc = report_finish(r, o->json, o->markdown, e);
	free(r);
	return rc;
}
