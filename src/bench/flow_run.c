/*
 * flow_run.c - a run of the agent flow: options, how many users when, the
 * report.
 *
 * The number of users is interpolated linearly between the stages, as in k6's
 * ramping executor; a user above it ends its flow and pauses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/flow_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "llm/script.h"

#define TICK_MS  100
#define GRACE_MS 30000                       /* for the last flows, as k6 */
#define USERS_MAX 10000
#define AT(field) offsetof(struct flow_options, field)

static const char default_thresholds[] =
    "http_req_failed<0.05,create_assistant.p95<500,create_thread.p95<500,"
    "run_wait.p95<5000,stateless_run_wait.p95<5000,store_put.p95<500,"
    "store_get.p95<500,store_search.p95<500,store_delete.p95<500,"
    "agent_flow_duration.p95<8000,agent_flow_success_rate>0.95";

const struct flag bench_flow_flags[] = {
	LOAD_FLAGS,
	{ "name", "RUNTIME_NAME", FLAG_TEXT, NULL, "NAME",
	    "what to call it; else its own name", AT(load.name) },
	{ "model", "MODEL_NAME", FLAG_TEXT, NULL, "NAME",
	    "configurable.model_name of the assistants", AT(load.model) },
	{ "llm", NULL, FLAG_TEXT, "mock", "NAME",
	    "what answers; \"mock\": its words are checked to the letter", AT(llm) },
	{ "response", "MOCK_LLM_RESPONSE", FLAG_TEXT, script_sentence, "TEXT",
	    "what the mock says", AT(response) },
	{ "profile", NULL, FLAG_TEXT, "default", "smoke|default|long",
	    "one flow; 90 s with up to 5 users; 100 s with up to 10", AT(profile) },
	{ "smoke", "SMOKE", FLAG_SWITCH, NULL, NULL, "--profile smoke", AT(smoke) },
	{ "sdk-store", NULL, FLAG_SWITCH, NULL, NULL, "store requests as the SDKs send "
	    "them, for servers that know no other; else as the original script does",
	    AT(sdk_store) },
	{ "vus", NULL, FLAG_INT, NULL, "N", "so many users all the time", AT(vus),
	    1, USERS_MAX },
	{ "duration", NULL, FLAG_MS, NULL, "TIME", "for so long", AT(duration) },
	{ "iterations", NULL, FLAG_INT, NULL, "N", "stop after so many flows",
	    AT(iterations), 1, INT64_MAX },
	{ "stages", NULL, FLAG_TEXT, NULL, "LIST",
	    "time:users, ..., as in 10s:1,30s:5,10s:0", AT(stages) },
	{ "pause", NULL, FLAG_MS, "0", "TIME", "between two flows of a user", AT(pause) },
	{ "warmup", NULL, FLAG_MS, "1s", "TIME", "at the start, left out", AT(warmup) },
	{ "timeout", NULL, FLAG_MS, "60s", "TIME", "of one request",
	    AT(load.timeout) },
	{ "mock-url", "MOCK_LLM_URL", FLAG_TEXT, NULL, "URL",
	    "compare the mock's count of requests with 3 a flow", AT(load.mock_url) },
	{ "thresholds", NULL, FLAG_TEXT, default_thresholds, "LIST",
	    "what must hold", AT(load.thresholds) },
	{ "out", NULL, FLAG_TEXT, NULL, "json[=FILE]",
	    "k6's points; FILE: results/{name}-v{version}-{llm}-{vus}vu.json", AT(out) },
	LOAD_FLAGS_RESULT,
	{ NULL }
};

static const struct { const char *name, *stages; msec pause; } profiles[] = {
	{ "smoke",   "1s:1", 0 },
	{ "default", "10s:1,20s:3,30s:5,20s:3,10s:1", 0 },
	{ "long",    "10s:5,30s:5,10s:10,30s:10,10s:0", 500 },
};

/* The schedule. */

int
flow_stages_parse(const char *text, struct flow_stage *out, size_t *n, struct err *e)
{
	struct str rest = str_of(text), part;

	for (*n = 0; rest.n > 0 && str_next(&rest, ',', &part); (*n)++) {
		struct str time = STR_NONE;
		int64_t target = -1;
		nsec t = 0;

		part = str_trim(part);
		if (*n == FLOW_STAGES_MAX)
			return err_set(e, ERR_LIMIT, "--stages: more than %d",
			    FLOW_STAGES_MAX);
		if (!str_next(&part, ':', &time) || !clock_parse(time, NS_PER_MS, &t) ||
		    !str_to_i64(part, &target) || target < 0 || target > USERS_MAX)
			return err_set(e, ERR_INVALID, "--stages: expected time:users, as "
			    "in 10s:5, got \"%.*s\"", FMT(time));
		out[*n] = (struct flow_stage){ t / NS_PER_MS, target };
	}
	return *n > 0 ? OK : err_set(e, ERR_INVALID, "--stages: empty");
}

msec
flow_stages_length(const struct flow_stage *s, size_t n)
{
	msec sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += s[i].ms;
	return sum;
}

/* Linear, from one user at the start. */
int64_t
flow_users_at(const struct flow_stage *s, size_t n, msec t)
{
	int64_t from = 1;

	for (size_t i = 0; i < n; i++) {
		if (t < s[i].ms)
			return from + (s[i].target - from) * t / s[i].ms;
		t -= s[i].ms;
		from = s[i].target;
	}
	return from;
}

static int
profile_apply(struct flow *f, struct flow_options *o, struct err *e)
{
	const char *name = o->smoke ? "smoke" : o->profile;

	for (size_t i = 0; i < COUNT(profiles); i++) {
		if (strcmp(profiles[i].name, name) != 0)
			continue;
		if (i == 0) {
			o->iterations = 1;
			o->warmup = 0;
			o->smoke = true;
		}
		if (o->pause == 0)
			o->pause = profiles[i].pause;
		return flow_stages_parse(profiles[i].stages, f->stage, &f->stages_n, e);
	}
	return err_set(e, ERR_INVALID, "--profile: smoke, default or long");
}

/* --stages, else --vus and --duration, else the profile. */
static int
schedule_set(struct flow *f, struct flow_options *o, struct err *e)
{
	bool constant = o->vus > 0 || o->duration > 0 || o->iterations > 0;
	int rc = OK;

	if (o->stages != NULL && !o->smoke)
		rc = flow_stages_parse(o->stages, f->stage, &f->stages_n, e);
	else if (!constant || o->smoke)
		rc = profile_apply(f, o, e);
	else {
		f->stages_n = 2;             /* a step up, then level */
		f->stage[0] = (struct flow_stage){ 0, o->vus > 0 ? o->vus : 5 };
		f->stage[1] = (struct flow_stage){ o->duration > 0 ? o->duration :
		    o->iterations > 0 ? 3600000 : 30000, f->stage[0].target };
	}
	for (size_t i = 0; rc == OK && i < f->stages_n; i++)
		if (f->stage[i].target > f->vus_max)
			f->vus_max = f->stage[i].target;
	f->vus_max = f->vus_max > 0 ? f->vus_max : 1;
	return rc;
}

static msec
since(nsec then, nsec now)
{
	return (now - then) / NS_PER_MS;
}

static void
tick_fired(struct wheel_timer *t)
{
	struct flow *f = CONTAINER_OF(t, struct flow, tick);
	nsec now = clock_mono();
	msec length = flow_stages_length(f->stage, f->stages_n), at;
	bool spent = f->o->iterations > 0 && f->started >= (uint64_t)f->o->iterations;

	if (!f->measuring && now >= f->measure_at) {
		f->measuring = true;
		load_begin(&f->load);
	}
	at = f->measuring ? since(f->measure_at, now) : 0;
	if (at >= length || spent)
		f->stopping = true;
	f->target_vus = f->stopping ? 0 : flow_users_at(f->stage, f->stages_n, at);
	for (int64_t i = 0; i < f->target_vus; i++)
		if (!f->vus[i].busy && !wheel_armed(&f->vus[i].pause) && flow_wants(f, i))
			vu_start(&f->vus[i]);
	if (f->stopping && (f->busy == 0 || (!spent && at >= length + GRACE_MS))) {
		load_end(&f->load);
		shard_stop(f->load.shard);
		return;
	}
	shard_timer_set(f->load.shard, t, f->stopping ? 1 : TICK_MS);
}

static double
fraction(void *ctx)
{
	struct flow *f = ctx;
	double length = (double)flow_stages_length(f->stage, f->stages_n), part;

	if (f->o->iterations > 0)
		part = (double)f->started / (double)f->o->iterations;
	else
		part = f->measuring ? (double)since(f->measure_at, clock_mono()) / length : 0;
	return part > 1 ? 1 : part;
}

static void
words(void *ctx, struct buf *out)
{
	struct flow *f = ctx;

	buf_add_fmt(out, "users=%lld flows=%llu failed=%llu p50=%.1fms",
	    (long long)f->busy, (unsigned long long)f->flows_ok,
	    (unsigned long long)f->flows_failed, report_ms(&f->flows, 50));
}

/* The report. */

static double
share(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : (double)part / (double)whole;
}

static void
report_numbers(const struct flow *f, struct report *r)
{
	uint64_t flows = f->flows_ok + f->flows_failed;
	double wall = (double)(f->load.ended - f->load.began) / (double)NS_PER_S;

	for (size_t i = 0; i < FLOW_OPS; i++)
		report_metric(r, "http_req_duration", flow_ops[i].name, &f->op[i].times,
		    f->op[i].errors);
	report_metric(r, "http_req_duration", NULL, &f->all.times, f->all.errors);
	report_metric(r, "run_stream_first_words", NULL, &f->first_words, 0);
	report_metric(r, "agent_flow_duration", NULL, &f->flows, f->flows_failed);
	report_value(r, wall > 0 ? (double)flows / wall : 0, 2, "flows_per_s");
	report_value(r, (double)flows, 0, "flows");
	report_value(r, (double)f->flows_warm, 0, "flows_in_warmup");
	report_value(r, share(f->flows_ok, flows), 4, "agent_flow_success_rate");
	report_value(r, (double)f->all.times.count, 0, "http_reqs");
	report_value(r, share(f->all.errors, f->all.times.count), 4, "http_req_failed");
	report_value(r, (double)f->all.errors, 0, "http_errors");
	report_value(r, (double)f->bytes_in, 0, "data_received_bytes");
	report_value(r, (double)f->bytes_out, 0, "data_sent_bytes");
	report_value(r, share(f->deltas, f->op[3].times.count), 1, "deltas_per_stream");
	report_value(r, (double)f->vus_max, 0, "vus_max");
}

static int
report_flow(struct flow *f, int argc, char *const *argv, msec started, struct err *e)
{
	struct report r = {
		.workload = "flow", .loop = "closed", .argc = argc, .argv = argv,
		.started = started,
		.measures = "the time of each of the twelve requests of an agent's life, "
		    "as a client on the same machine sees it, under users who wait for "
		    "each answer; every answer is verified.",
		.not_measures = "a given arrival rate (the loop is closed: a slow server "
		    "is asked less), networks, TLS, or a real model.",
	};
	int rc;

	report_numbers(f, &r);
	rc = load_report(&f->load, &r, "flow", f->flows_ok + f->flows_failed,
	    f->model_calls, e);
	if (f->o->smoke)
		report_check(&r, f->flows_ok == 1 && f->all.errors == 0, "no error at all");
	if (f->sample.code != OK)
		r.error_sample = f->sample.text;
	return rc == OK ? report_finish(&r, f->o->load.json, f->o->load.markdown, e) : rc;
}

/* Life. */

static int
points_set(struct flow *f, struct buf *path, struct err *e)
{
	const char *out = f->o->out;
	struct json_doc d;
	struct str version = S("unknown"), name = str_of(f->o->load.name);

	if (out == NULL)
		return OK;
	if (strncmp(out, "json=", 5) == 0)
		return points_open(&f->points, out + 5, e);
	if (strcmp(out, "json") != 0)
		return err_set(e, ERR_INVALID, "--out: json or json=FILE");
	if (json_parse(&d, buf_str(&f->load.info), NULL) == OK) {
		if (json_is_string(json_get(d.root, S("version"))))
			version = json_str(json_get(d.root, S("version")));
		if (name.n == 0 && json_is_string(json_get(d.root, S("name"))))
			name = json_str(json_get(d.root, S("name")));
	}
	buf_add_fmt(path, "results/%.*s-v%.*s-%s-%lldvu.json",
	    name.n > 0 ? (int)name.n : 7, name.n > 0 ? name.p : "runtime", FMT(version),
	    f->o->llm, (long long)f->vus_max);
	json_release(&d);
	report_make_folders(path->p);
	return points_open(&f->points, path->p, e);
}

static void
flow_drive(struct flow *f)
{
	f->vus = mem_zero((size_t)f->vus_max * sizeof *f->vus);
	for (int64_t i = 0; i < f->vus_max; i++)
		vu_init(&f->vus[i], f, i);
	f->began = clock_mono();
	f->measure_at = f->began + f->o->warmup * NS_PER_MS;
	f->tick.fire = tick_fired;
	shard_timer_set(f->load.shard, &f->tick, 0);
	shard_run(f->load.shard);
	for (int64_t i = 0; i < f->vus_max; i++)
		vu_release(&f->vus[i]);
	free(f->vus);
}

int
bench_flow(const struct flow_options *given, int argc, char *const *argv, struct err *e)
{
	struct flow_options o = *given;
	struct flow *f = mem_new(struct flow);
	struct buf path = BUF(4 * KB);
	msec started = clock_wall_ms();
	uint32_t run;
	int rc;

	machine_files_raise();
	id_random(&run, sizeof run);
	snprintf(f->run, sizeof f->run, "%08x", run);
	f->o = &o;
	f->load.fraction = fraction;
	f->load.words = words;
	f->load.ctx = f;
	rc = schedule_set(f, &o, e);
	if (strcmp(o.llm, "mock") != 0)
		o.response = NULL;
	if (rc == OK)
		rc = load_open(&f->load, "flow", &o.load, S("/info"), e);
	if (rc == OK)
		rc = points_set(f, &path, e);
	if (rc == OK) {
		flow_drive(f);
		rc = report_flow(f, argc, argv, started, e);
	}
	if (points_close(f->points, rc < 0 ? NULL : e) != OK && rc >= 0)
		rc = ERR_IO;
	load_release(&f->load);
	buf_release(&path);
	free(f);
	return rc;
}
