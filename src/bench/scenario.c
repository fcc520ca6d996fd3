/*
 * scenario.c - `cohort bench scenario`: options, servers, passes in turns; see
 * scenario.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/scenario_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

#define RATE_MS      30000                   /* --duration by default */
#define OWN_DELAY_MS 10                      /* of an own server's mock model */
#define OWN_TOKEN_MS 5
#define AT(field) offsetof(struct scenario_options, field)

const struct flag bench_scenario_flags[] = {
	LOAD_FLAGS,
	LOAD_FLAG_NAME,
	LOAD_FLAG_OWN,
	LOAD_FLAG_MOCK,
	PEER_FLAGS(struct scenario_options),
	{ "rate", NULL, FLAG_INT, "0", "N", "instead of the file's phases: so many sequences "
	    "a second", AT(rate), 0, LIMIT_SCENARIO_RATE },
	{ "duration", NULL, FLAG_MS, NULL, "TIME", "with --rate: for so long (default: 30s)",
	    AT(duration), 1, LIMIT_SCENARIO_MS },
	{ "ramp-up", NULL, FLAG_MS, NULL, "TIME", "with --rate: before that, from nothing to "
	    "the rate", AT(ramp_up), 0, LIMIT_SCENARIO_MS },
	{ "records", NULL, FLAG_TEXT, NULL, "FILE", "a line of JSON for each second: requests "
	    "sent, responses received, errors, latencies", AT(records) },
	{ "response", NULL, FLAG_TEXT, NULL, "TEXT", "what the model of the flow's steps "
	    "says, to the letter; else any words are right", AT(response) },
	{ "sdk-store", NULL, FLAG_SWITCH, NULL, NULL, "store steps of the flow as the SDKs "
	    "send them", AT(sdk_store) },
	{ "thresholds", NULL, FLAG_TEXT, NULL, "LIST", "what must hold, instead of the file's",
	    AT(load.thresholds) },
	{ "out", NULL, FLAG_TEXT, NULL, "json=FILE", "k6's points", AT(out) },
	{ "keys", NULL, FLAG_SWITCH, NULL, NULL, "only print the keys of a file, as a "
	    "Markdown table", AT(keys) },
	LOAD_FLAGS_RESULT,
	{ NULL }
};

/* A file that is always there. */
static const char load_text[] =
    "name: load\n"
    "phases: [{rate: 1, for: 1s}]\n"
    "sequences:\n"
    "  - name: arrival\n"
    "    steps:\n"
    "      - name: run\n"
    "        request:\n"
    "          path: /runs/wait\n"
    "          body:\n"
    "            assistant_id: ${graph}\n"
    "            input: {messages: [{role: user, content: 'Hello, ${iteration}.'}]}\n";

const struct flag bench_load_flags[] = {
	LOAD_FLAGS,
	LOAD_FLAG_OWN,
	{ "rate", NULL, FLAG_INT, "100", "N", "runs that begin in a second", AT(rate), 1,
	    LIMIT_SCENARIO_RATE },
	{ "duration", NULL, FLAG_MS, "30s", "TIME", "for so long", AT(duration) },
	{ "ramp-up", NULL, FLAG_MS, "5s", "TIME", "before that, from nothing to the rate",
	    AT(ramp_up) },
	{ "records", NULL, FLAG_TEXT, NULL, "FILE", "a line of JSON for each second: requests "
	    "sent, responses received, errors, latencies", AT(records) },
	{ "thresholds", NULL, FLAG_TEXT, "http_errors<1", "LIST", "what must hold",
	    AT(load.thresholds) },
	LOAD_FLAGS_RESULT,
	{ NULL }
};

void
bench_scenario_add_keys(struct buf *out)
{
	scenario_add_keys(out, false);
}

/* ---- servers and passes --------------------------------------------------- */

static int
side_open(struct drive *d, struct side *s, struct err *e)
{
	s->load.any_server = d->any_server;
	s->all = tally_new(d->plan);
	return load_open(&s->load, d->label, &s->options, d->info, e);
}

/* "name" of /info, where nobody named the server. */
static void
side_name(struct side *s, const char *fallback)
{
	struct json_doc d = { 0 };
	struct str name;

	if (s->options.name != NULL || json_parse(&d, buf_str(&s->load.info), NULL) != OK) {
		s->name = s->options.name != NULL ? s->options.name : fallback;
	} else {
		name = str_cut(json_str(json_get(d.root, S("name"))), sizeof s->own_name - 1);
		snprintf(s->own_name, sizeof s->own_name, "%.*s", FMT(name));
		s->name = s->own_name[0] != '\0' ? s->own_name : fallback;
	}
	json_release(&d);
}

/* A flag without effect is refused. */
static int
peer_check(const struct peer_options *o, struct err *e)
{
	const struct { const char *flag; bool given; } of_peer[] = {
		{ "peer-name", o->name != NULL }, { "peer-token", o->token != NULL },
		{ "peer-pid", o->pid > 0 }, { "rounds", o->rounds > 0 },
	};

	for (size_t i = 0; i < COUNT(of_peer) && o->url == NULL; i++)
		if (of_peer[i].given)
			return err_set(e, ERR_INVALID, "--%s goes with --peer", of_peer[i].flag);
	return OK;
}

static int
sides_open(struct drive *d, struct err *e)
{
	const struct peer_options *o = d->peer;
	int rc;

	d->side[0].options = *d->load;
	d->sides_n = o->url != NULL ? 2 : 1;
	rc = peer_check(o, e);
	if (rc == OK)
		rc = side_open(d, &d->side[0], e);
	if (rc == OK)
		side_name(&d->side[0], "runtime");
	if (rc != OK || d->sides_n == 1)
		return rc;
	d->side[1].options = (struct load_options){ .url = o->url, .name = o->name,
	    .token = o->token, .pid = o->pid, .timeout = d->load->timeout };
	rc = side_open(d, &d->side[1], e);
	d->side[1].name = o->name != NULL ? o->name : "peer";
	return rc;
}

static int
pass_on(struct drive *d, struct side *s, struct err *e)
{
	bool own = s == &d->side[0];
	struct pass p = { .plan = d->plan, .side = s, .load = &s->load, .own = own,
	    .setup = own ? d->setup : d->peer_setup, .points = own ? d->points : NULL,
	    .records = d->seconds, .soak = own ? d->soak : NULL };
	int rc;

	rc = s->passes_n > 0 ? load_again(&s->load, e) : OK;
	p.tally = s->pass[s->passes_n++] = tally_new(d->plan);
	if (rc == OK)
		rc = pass_run(&p, e);
	if (rc == OK)
		tally_merge(s->all, p.tally, d->plan);
	return rc;
}

/* Which server comes first changes each time. */
static int
passes_run(struct drive *d, struct err *e)
{
	int64_t rounds = d->sides_n == 1 ? 1 : d->peer->rounds > 0 ? d->peer->rounds :
	    PEER_DEFAULT;
	int rc = OK;

	for (int64_t i = 0; i < rounds && rc == OK; i++)
		for (size_t k = 0; k < d->sides_n && rc == OK; k++)
			rc = pass_on(d, &d->side[d->sides_n == 2 && i % 2 == 1 ? 1 - k : k], e);
	return rc;
}

static int
points_set(struct drive *d, struct err *e)
{
	struct buf path = BUF(4 * KB);
	struct json_doc doc = { 0 };
	struct str version = S("unknown");
	int rc = OK;

	if (d->out == NULL)
		return OK;
	if (strncmp(d->out, "json=", 5) == 0)
		return points_open(&d->points, d->out + 5, e);
	if (strcmp(d->out, "json") != 0 || d->llm == NULL)
		return err_set(e, ERR_INVALID, "--out: %sjson=FILE", d->llm != NULL ?
		    "json or " : "");
	if (json_parse(&doc, buf_str(&d->side[0].load.info), NULL) == OK &&
	    json_is_string(json_get(doc.root, S("version"))))
		version = json_str(json_get(doc.root, S("version")));
	buf_add_fmt(&path, "results/%s-v%.*s-%s-%lldvu.json", d->side[0].name, FMT(version),
	    d->llm, (long long)scenario_users(d->plan));
	json_release(&doc);
	report_make_folders(path.p);
	d->points_path = mem_cstr(buf_str(&path));
	rc = points_open(&d->points, d->points_path, e);
	buf_release(&path);
	return rc;
}

int
drive_run(struct drive *d, struct err *e)
{
	uint64_t files = machine_files_raise(), need = (uint64_t)scenario_users(d->plan) + 64;
	int rc = OK;

	if (files < need)
		rc = err_set(e, ERR_LIMIT, "%lld users need %llu open files; the limit is %llu "
		    "(ulimit -n)", (long long)scenario_users(d->plan), (unsigned long long)need,
		    (unsigned long long)files);
	if (rc == OK)
		rc = load_own(d->load, &d->own, OWN_DELAY_MS, OWN_TOKEN_MS, d->mock_counts, e);
	if (rc == OK)
		rc = sides_open(d, e);
	if (rc == OK)
		rc = points_set(d, e);
	if (rc == OK)
		rc = records_open(&d->seconds, d->records, e);
	if (rc == OK)
		rc = passes_run(d, e);
	if (points_close(d->points, rc < 0 ? NULL : e) != OK && rc >= 0)
		rc = ERR_IO;
	if (records_close(d->seconds, rc < 0 ? NULL : e) != OK && rc >= 0)
		rc = ERR_IO;
	d->points = NULL;
	return rc;
}

void
drive_run_id(char out[RUN_ID_SIZE])
{
	uint32_t run;

	id_random(&run, sizeof run);
	snprintf(out, RUN_ID_SIZE, "%08x", run);
}

void
drive_release(struct drive *d)
{
	for (size_t i = 0; i < COUNT(d->side); i++) {
		struct side *s = &d->side[i];

		for (size_t k = 0; k < s->passes_n; k++)
			tally_free(s->pass[k]);
		tally_free(s->all);
		load_release(&s->load);
	}
	records_free(d->seconds);
	own_servers_stop(&d->own);
	free(d->points_path);
}

int
drive_report(struct drive *d, struct report *r, const char *per_unit, struct err *e)
{
	struct side *a = &d->side[0], *b = &d->side[1];
	const struct tally *t = a->all;
	uint64_t calls = t->model_calls + (d->sides_n == 2 ? b->all->model_calls : 0);

	report_arrivals(r, d->plan, t);
	if (d->sides_n == 2)
		report_peer(r, d->plan, a, b);
	records_report(d->seconds, r);
	if (d->soak != NULL)
		soak_report(d->soak, r);
	if (t->sample.code != OK)
		r->error_sample = t->sample.text;
	return load_report(&a->load, r, per_unit, t->ok + t->failed, calls, e);
}

/* ---- the command ---------------------------------------------------------- */

/* file NULL: the built-in one. */
static int
scenario_file(struct scenario *p, const char *file, struct err *e)
{
	struct buf text = BUF(LIMIT_AGENT_BYTES + 1);
	int rc;

	if (file == NULL)
		return scenario_read(p, str_of(load_text), S("load"), e);
	rc = file_add(file, &text, e);
	if (rc == OK)
		rc = scenario_read(p, buf_str(&text), str_of(file), e);
	buf_release(&text);
	return rc;
}

/* The phases of --rate instead of the file's. */
static void
set_rate(struct scenario *p, const struct scenario_options *o, struct phase into[2])
{
	size_t n = 0;
	double rate = (double)o->rate;

	if (o->ramp_up > 0)
		into[n++] = (struct phase){ S("ramp-up"), true, 0, rate, o->ramp_up, 0, true };
	into[n++] = (struct phase){ S("rate"), true, rate, rate, o->duration > 0 ?
	    o->duration : RATE_MS, 0, true };
	p->phases = into;
	p->phases_n = n;
}

static bool
is_open(const struct scenario *p)
{
	for (size_t i = 0; i < p->phases_n; i++)
		if (p->phases[i].measured && !p->phases[i].open)
			return false;
	return true;
}

static void
report_sequences(struct report *r, const struct scenario *p, const struct tally *t)
{
	uint64_t ended = t->ok + t->failed;

	report_requests(r, p, t);
	for (size_t i = 0; i < p->sequences_n; i++)
		report_metric(r, "sequence_duration", p->sequences[i].name.p,
		    &t->sequences[i], 0);
	report_value(r, (double)ended, 0, "sequences");
	report_value(r, (double)t->failed, 0, "sequences_failed");
	report_value(r, (double)t->warm, 0, "sequences_in_warmup");
	report_value(r, t->wall > 0 ? (double)ended / ((double)t->wall / NS_PER_S) : 0, 2,
	    "sequences_per_s");
	report_value(r, t->wall > 0 ? (double)t->requests.count / ((double)t->wall / NS_PER_S) :
	    0, 2, "http_reqs_per_s");
}

static int
report_scenario(struct drive *d, const struct scenario_options *o, struct report *r,
    struct err *e)
{
	const struct tally *t = d->side[0].all;
	int rc;

	report_sequences(r, d->plan, t);
	/* A file without thresholds still has its answers checked. */
	if (d->side[0].options.thresholds == NULL)
		report_check(r, t->request_errors == 0, "no request failed");
	rc = drive_report(d, r, "sequence", e);
	return rc == OK ? report_finish(r, o->load.json, o->load.markdown, e) : rc;
}

static int
run_scenario(struct drive *d, const struct scenario_options *o, struct report *r,
    struct err *e)
{
	struct load_options load = o->load;
	int rc;

	if (load.thresholds == NULL)
		load.thresholds = d->plan->thresholds;
	load.timeout = d->plan->timeout;
	d->load = &load;
	rc = drive_run(d, e);
	return rc == OK ? report_scenario(d, o, r, e) : rc;
}

static bool
has_flow(const struct scenario *p)
{
	for (size_t i = 0; i < p->sequences_n; i++)
		for (size_t k = 0; k < p->sequences[i].n; k++)
			if (p->sequences[i].steps[k].op != NULL)
				return true;
	return false;
}

/* A flag without effect is refused. */
static int
options_check(const struct scenario_options *o, const struct scenario *p, struct err *e)
{
	if (o->rate == 0 && (o->ramp_up > 0 || o->duration > 0))
		return err_set(e, ERR_INVALID, "--%s goes with --rate", o->ramp_up > 0 ?
		    "ramp-up" : "duration");
	if ((o->response != NULL || o->sdk_store) && !has_flow(p))
		return err_set(e, ERR_INVALID, "--%s is of the flow's steps, and the scenario "
		    "has none", o->response != NULL ? "response" : "sdk-store");
	return OK;
}

static int
print_keys(void)
{
	struct buf b = BUF(MB);

	scenario_add_keys(&b, true);
	fwrite(b.p, 1, b.n, stdout);
	buf_release(&b);
	return 0;
}

static int
drive_file(struct drive *d, const struct scenario_options *o, struct scenario *plan,
    bool builtin, int argc, char *const *argv, struct err *e)
{
	char workload[LIMIT_SCENARIO_NAME_BYTES + 16];
	struct report *r = mem_new(struct report);
	int rc;

	snprintf(workload, sizeof workload, "%s%.*s", builtin ? "" : "scenario_",
	    FMT(plan->name));
	*r = (struct report){ .workload = workload, .loop = is_open(plan) ? "open" : "closed",
	    .argc = argc, .argv = argv, .started = clock_wall_ms(),
	    .measures = "the requests of a file's sequences, as a client of the server sees "
	    "them: with a rate from the moment each was due, with users from when it was "
	    "sent.",
	    .not_measures = "what the file does not ask for; TLS; a network, where the server "
	    "is on the same machine." };
	rc = run_scenario(d, o, r, e);
	free(r);
	return rc;
}

int
bench_scenario(const struct scenario_options *o, const char *file, int argc,
    char *const *argv, struct err *e)
{
	char run[RUN_ID_SIZE];
	struct flow_setup setup = { .graph = o->load.graph, .response = o->response,
	    .run = run, .sdk_store = o->sdk_store || o->peer.url != NULL };
	struct phase phases[2];
	struct scenario plan;
	struct drive *d;
	int rc;

	if (o->keys)
		return print_keys();
	d = mem_new(struct drive);
	*d = (struct drive){ .plan = &plan, .setup = &setup, .peer_setup = &setup,
	    .peer = &o->peer, .any_server = true, .label = "scenario", .info = S("/info"), .out = o->out,
	    .records = o->records };
	drive_run_id(run);
	rc = scenario_file(&plan, file, e);
	if (rc == OK)
		rc = options_check(o, &plan, e);
	if (rc == OK && o->rate > 0)
		set_rate(&plan, o, phases);
	if (rc == OK)
		rc = drive_file(d, o, &plan, file == NULL, argc, argv, e);
	drive_release(d);
	scenario_release(&plan);
	free(d);
	return rc;
}

int
bench_load(const struct scenario_options *o, int argc, char *const *argv, struct err *e)
{
	return bench_scenario(o, NULL, argc, argv, e);
}
