/*
 * flow_run.c - the agent flow as a plan: options, how many users when, the report.
 *
 * The number of users is interpolated linearly between the stages, as in k6's
 * ramping executor; a user above it ends its flow and pauses.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench/scenario_priv.h"
#include "llm/script.h"

#define ITERATIONS_MS 3600000                /* for --iterations, at most */
#define SOAK_USERS    5
#define SOAK_MS       (30 * 60000)
#define AT(field) offsetof(struct flow_options, field)

static const char default_thresholds[] =
    "http_req_failed<0.05,create_assistant.p95<500,create_thread.p95<500,"
    "run_wait.p95<5000,stateless_run_wait.p95<5000,store_put.p95<500,"
    "store_get.p95<500,store_search.p95<500,store_delete.p95<500,"
    "agent_flow_duration.p95<8000,agent_flow_success_rate>0.95";

static const char *const profile_names[] = { "smoke", "default", "long", "soak", NULL };

const struct flag bench_flow_flags[] = {
	LOAD_FLAGS,
	PEER_FLAGS(struct flow_options),
	LOAD_FLAG_NAME,
	LOAD_FLAG_MODEL,
	LOAD_FLAG_OWN,
	LOAD_FLAG_MOCK,
	{ "llm", NULL, FLAG_TEXT, "mock", "NAME",
	    "what answers; \"mock\": its words are checked to the letter; a model of the "
	    "server: what it takes and costs is told apart", AT(llm) },
	{ "response", "MOCK_LLM_RESPONSE", FLAG_TEXT, script_sentence, "TEXT",
	    "what the mock says", AT(response) },
	{ "profile", NULL, FLAG_TEXT, "default", "smoke|default|long|soak",
	    "one flow; 90 s with up to 5 users; 100 s with up to 10; 30 min with 5, and "
	    "what becomes of memory and speed", AT(profile), .words = profile_names },
	{ "smoke", "SMOKE", FLAG_SWITCH, NULL, NULL, "--profile smoke", AT(smoke) },
	{ "sdk-store", NULL, FLAG_SWITCH, NULL, NULL, "store requests as the SDKs send "
	    "them, for servers that know no other; else as the original script does",
	    AT(sdk_store) },
	{ "vus", NULL, FLAG_INT, NULL, "N", "so many users all the time", AT(vus),
	    1, LIMIT_SCENARIO_USERS },
	{ "duration", NULL, FLAG_MS, NULL, "TIME", "for so long", AT(duration) },
	{ "iterations", NULL, FLAG_INT, NULL, "N", "stop after so many flows",
	    AT(iterations), 1, INT64_MAX },
	{ "stages", NULL, FLAG_TEXT, NULL, "LIST",
	    "time:users, ..., as in 10s:1,30s:5,10s:0", AT(stages) },
	{ "pause", NULL, FLAG_MS, "0", "TIME", "between two flows of a user", AT(pause) },
	{ "warmup", NULL, FLAG_MS, "1s", "TIME", "at the start, left out", AT(warmup) },
	{ "timeout", NULL, FLAG_MS, "60s", "TIME", "of one request",
	    AT(load.timeout) },
	{ "thresholds", NULL, FLAG_TEXT, default_thresholds, "LIST",
	    "what must hold", AT(load.thresholds) },
	{ "out", NULL, FLAG_TEXT, NULL, "json[=FILE]",
	    "k6's points; FILE: results/{name}-v{version}-{llm}-{vus}vu.json", AT(out) },
	{ "records", NULL, FLAG_TEXT, NULL, "FILE", "a line of JSON for each second",
	    AT(records) },
	LOAD_FLAGS_RESULT,
	{ NULL }
};

/* stages NULL: a number of users all the time. */
static const struct profile {
	const char *name, *stages;
	msec pause;
	int64_t iterations;
} profiles[] = {
	{ "smoke",   "1s:1", 0, 1 },
	{ "default", "10s:1,20s:3,30s:5,20s:3,10s:1" },
	{ "long",    "10s:5,30s:5,10s:10,30s:10,10s:0", 500 },
	{ "soak",    NULL },
};

/* All that a flow's run needs. */
struct flow_run {
	struct flow_options o;
	const struct profile *profile;
	struct scenario plan;
	struct sequence sequence;
	struct step step[FLOW_OPS + 2];
	struct phase phase[FLOW_STAGES_MAX + 1];
	struct flow_setup setup, peer_setup;
	struct flow_account account;
	char run[RUN_ID_SIZE];
	struct drive drive;
	struct report report;
};

/* ---- the schedule --------------------------------------------------------- */

int
flow_stages_parse(const char *text, struct phase out[FLOW_STAGES_MAX], size_t *n,
    struct err *e)
{
	struct str rest = str_of(text), part;
	double before = 1;

	for (*n = 0; rest.n > 0 && str_next(&rest, ',', &part); (*n)++) {
		struct str time = STR_NONE;
		int64_t target = -1;
		nsec t = 0;

		part = str_trim(part);
		if (*n == FLOW_STAGES_MAX)
			return err_set(e, ERR_LIMIT, "--stages: more than %d",
			    FLOW_STAGES_MAX);
		if (!str_next(&part, ':', &time) || !clock_parse(time, NS_PER_MS, &t) ||
		    !str_to_i64(part, &target) || target < 0 || target > LIMIT_SCENARIO_USERS)
			return err_set(e, ERR_INVALID, "--stages: expected time:users, as "
			    "in 10s:5, got \"%.*s\"", FMT(time));
		out[*n] = (struct phase){ .from = before, .to = (double)target,
		    .ms = t / NS_PER_MS, .measured = true };
		before = (double)target;
	}
	return *n > 0 ? OK : err_set(e, ERR_INVALID, "--stages: empty");
}

/* so many users, for so long */
static size_t
level(struct phase *out, int64_t users, msec ms)
{
	*out = (struct phase){ .from = (double)users, .to = (double)users, .ms = ms,
	    .measured = true };
	return 1;
}

/* --stages, else --vus and --duration, else the profile's. */
static int
stages_set(struct flow_run *f, size_t *n, struct err *e)
{
	const struct flow_options *o = &f->o;
	struct phase *out = f->phase + 1;
	bool soak = f->profile->stages == NULL;
	msec ms = o->duration > 0 ? o->duration : o->iterations > 0 ? ITERATIONS_MS : 30000;

	if (f->profile->iterations > 0)
		return flow_stages_parse(f->profile->stages, out, n, e);
	if (o->stages != NULL)
		return flow_stages_parse(o->stages, out, n, e);
	if (soak)
		*n = level(out, o->vus > 0 ? o->vus : SOAK_USERS, o->duration > 0 ?
		    o->duration : SOAK_MS);
	else if (o->vus > 0 || o->duration > 0 || o->iterations > 0)
		*n = level(out, o->vus > 0 ? o->vus : 5, ms);
	else
		return flow_stages_parse(f->profile->stages, out, n, e);
	return OK;
}

/* The warm-up, then the stages. */
static int
schedule_set(struct flow_run *f, struct err *e)
{
	struct flow_options *o = &f->o;
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < COUNT(profiles); i++)
		if (strcmp(profiles[i].name, o->smoke ? "smoke" : o->profile) == 0)
			f->profile = &profiles[i];
	if (f->profile->iterations > 0) {
		o->iterations = f->profile->iterations;
		o->warmup = 0;
	}
	if (o->pause == 0)
		o->pause = f->profile->pause;
	rc = stages_set(f, &n, e);
	f->phase[0] = (struct phase){ .from = f->phase[1].from, .to = f->phase[1].from,
	    .ms = o->warmup };
	for (size_t i = 0; i <= n; i++)
		f->phase[i].pause = o->pause;
	f->plan.phases = f->phase + (o->warmup == 0);
	f->plan.phases_n = n + (o->warmup > 0);
	f->plan.iterations = o->iterations;
	return rc;
}

/* ---- the plan ------------------------------------------------------------- */

static void
add_step(struct flow_run *f, const struct flow_op *op)
{
	struct step *st = &f->step[f->sequence.n++];

	*st = (struct step){ .kind = &step_flow, .name = str_of(op->name), .op = op,
	    .method = op->method, .first_mark = op->stream ? "event: messages" : NULL };
	st->row = (size_t)scenario_row(&f->plan, st->name, false);
	if (op->stream)
		f->plan.rows[st->row].first_name = "run_stream_first_words";
}

static void
steps_set(struct flow_run *f)
{
	bool real = strcmp(f->o.llm, "mock") != 0;

	f->plan.arena = ARENA(MB);
	scenario_init(&f->plan);
	f->plan.timeout = f->o.load.timeout;
	f->plan.took_point = "agent_flow_duration";
	f->plan.ok_point = "agent_flow_success_rate";
	f->sequence = (struct sequence){ .name = S("flow"), .weight = 1, .steps = f->step };
	f->plan.sequences = &f->sequence;
	f->plan.sequences_n = 1;
	for (size_t i = 0; i < FLOW_OPS; i++) {
		/* Before what is deleted: the thread's transcript. */
		if (real && strcmp(flow_ops[i].name, "delete_thread") == 0) {
			add_step(f, &flow_op_times);
			add_step(f, &flow_op_usage);
		}
		add_step(f, &flow_ops[i]);
	}
}

static void
setup_set(struct flow_run *f)
{
	const struct flow_options *o = &f->o;
	bool real = strcmp(o->llm, "mock") != 0;

	drive_run_id(f->run);
	f->setup = (struct flow_setup){ .graph = o->load.graph, .model = o->load.model,
	    .response = real ? NULL : o->response, .run = f->run,
	    .sdk_store = o->sdk_store || o->peer.url != NULL };
	if (real && f->setup.model == NULL)
		f->setup.model = o->llm;
	f->peer_setup = f->setup;
	if (real)
		f->setup.account = &f->account;
}

/* ---- the report ----------------------------------------------------------- */

static double
share(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

/* Without a transcript there is nothing to tell. */
static void
report_account(const struct flow_account *a, struct report *r)
{
	report_metric(r, "model_time", NULL, &a->model, 0);
	report_metric(r, "server_time", NULL, &a->server, 0);
	report_value(r, (double)a->runs, 0, "runs_with_model_time");
	report_value(r, (double)a->untold, 0, "flows_without_model_time");
	report_value(r, share((double)a->streamed, a->stream_s), 1, "model_tokens_per_s");
	report_value(r, (double)a->tokens_in, 0, "model_tokens_in");
	report_value(r, (double)a->tokens_out, 0, "model_tokens_out");
	report_value(r, a->cost, 6, "model_cost_usd");
	report_value(r, share(a->cost, (double)a->runs / 2), 6, "model_cost_usd_per_flow");
}

static void
report_numbers(const struct flow_run *f, struct report *r)
{
	const struct tally *t = f->drive.side[0].all;
	double ended = (double)(t->ok + t->failed);

	report_requests(r, &f->plan, t);
	report_metric(r, "agent_flow_duration", NULL, &t->flows, t->failed);
	report_value(r, share(ended, (double)t->wall / NS_PER_S), 2, "flows_per_s");
	report_value(r, ended, 0, "flows");
	report_value(r, (double)t->warm, 0, "flows_in_warmup");
	report_value(r, share((double)t->ok, ended), 4, "agent_flow_success_rate");
	report_value(r, share((double)t->deltas, (double)t->rows[3].times.count), 1,
	    "deltas_per_stream");
	report_value(r, (double)scenario_users(&f->plan), 0, "vus_max");
	if (f->setup.account != NULL)
		report_account(f->setup.account, r);
	if (f->profile->iterations > 0)
		report_check(r, t->ok == 1 && t->request_errors == 0, "no error at all");
}

static int
report_flow(struct flow_run *f, int argc, char *const *argv, msec started, struct err *e)
{
	struct report *r = &f->report;
	int rc;

	*r = (struct report){
		.workload = "flow", .loop = "closed", .argc = argc, .argv = argv,
		.started = started,
		.measures = "the time of each of the twelve requests of an agent's life, "
		    "as a client on the same machine sees it, under users who wait for "
		    "each answer; every answer is verified.",
		.not_measures = "a given arrival rate (the loop is closed: a slow server "
		    "is asked less), networks, or TLS.",
	};
	report_numbers(f, r);
	rc = drive_report(&f->drive, r, "flow", e);
	return rc == OK ? report_finish(r, f->o.load.json, f->o.load.markdown, e) : rc;
}

/* ---- life ----------------------------------------------------------------- */

/* A flag without effect is refused. */
static int
options_check(const struct flow_options *o, struct err *e)
{
	if (o->stages != NULL && (o->vus > 0 || o->duration > 0))
		return err_set(e, ERR_INVALID, "--stages says how many users when: --vus and "
		    "--duration do not go with it");
	if (strcmp(o->llm, "mock") != 0 && strcmp(o->response, script_sentence) != 0)
		return err_set(e, ERR_INVALID, "--response is what the mock says: it does not "
		    "go with --llm %s", o->llm);
	return OK;
}

static int
soak_set(struct flow_run *f, struct err *e)
{
	if (f->profile->stages != NULL)
		return OK;
	if (f->o.load.pid <= 0 && !f->o.load.own_server)
		return err_set(e, ERR_INVALID, "--profile soak needs --pid: it tells what "
		    "becomes of the server's memory");
	if (f->o.peer.url != NULL)
		return err_set(e, ERR_INVALID, "--profile soak: one server at a time");
	f->drive.soak = soak_new(scenario_length(&f->plan, true));
	return OK;
}

int
bench_flow(const struct flow_options *given, int argc, char *const *argv, struct err *e)
{
	struct flow_run *f = mem_new(struct flow_run);
	msec started = clock_wall_ms();
	int rc;

	f->o = *given;
	steps_set(f);
	setup_set(f);
	f->drive = (struct drive){ .plan = &f->plan, .setup = &f->setup,
	    .peer_setup = &f->peer_setup, .load = &f->o.load, .peer = &f->o.peer,
	    .label = "flow", .info = S("/info"), .out = f->o.out, .records = f->o.records,
	    .llm = f->o.llm, .mock_counts = true };
	rc = options_check(&f->o, e);
	if (rc == OK)
		rc = schedule_set(f, e);
	if (rc == OK)
		rc = soak_set(f, e);
	if (rc == OK)
		rc = drive_run(&f->drive, e);
	if (rc == OK)
		rc = report_flow(f, argc, argv, started, e);
	drive_release(&f->drive);
	soak_free(f->drive.soak);
	scenario_release(&f->plan);
	free(f);
	return rc;
}
