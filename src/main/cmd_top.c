/*
 * cmd_top.c - `cohort top`: what a server does now: runs, tokens, queues of each node, and the
 * runs that are under way for longest.
 *
 * Figures are those of /metrics, read twice; nodes are those of /cluster, if the caller may
 * see it, and each is asked at the address that it gives.  On a terminal the screen is drawn
 * anew; else a reading follows the other, as lines.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "main/cmd.h"
#include "main/entry_line.h"
#include "main/mail_remote.h"
#include "workcli/cmd.h"

#define ASK_NS      (10 * (nsec)NS_PER_S)
#define NODES_MAX   64
#define ANSWER_MAX  (16 * MB)

const struct flag cmd_top_flags[] = {
	{ "once", .help = "one reading, over one interval" },
	{ "json", .help = "each reading as a line of JSON" },
	{ "interval", .kind = FLAG_TEXT, .value = "TIME", .fallback = "2s",
	  .help = "between two readings, as in 500ms or 5s" },
	{ "runs", .kind = FLAG_INT, .value = "N", .min = 0, .max = LIMIT_PAGE_ROWS,
	  .fallback = "10", .help = "the longest runs, at most so many" },
	REMOTE_FLAGS,
	{ NULL }
};

/* What is shown of /metrics; a rate is told a second. */
static const struct figure {
	const char *series, *title;
	bool rate;
	int width;
	double scale;
} figures[] = {
	{ "cohort_runs_live", "LIVE", false, 6, 1 },
	{ "cohort_runs_pending", "PENDING", false, 8, 1 },
	{ "cohort_runs_finished_total", "ENDED/s", true, 8, 1 },
	{ "cohort_runs_failed_total", "FAILED/s", true, 9, 1 },
	{ "cohort_model_input_tokens_total", "IN TOK/s", true, 9, 1 },
	{ "cohort_model_output_tokens_total", "OUT TOK/s", true, 10, 1 },
	{ "cohort_run_events_total", "EVENTS/s", true, 9, 1 },
	{ "cohort_worker_tasks_waiting", "TASKS", false, 6, 1 },
	{ "cohort_mail_pending", "MAIL", false, 6, 1 },
	{ "cohort_store_commits_total", "COMMITS/s", true, 10, 1 },
	{ "cohort_store_queue_operations", "QUEUE", false, 6, 1 },
	{ "process_cpu_seconds_total", "CPU%", true, 6, 100 },
	{ "process_resident_memory_bytes", "MB", false, 7, 1e-6 },
};

struct node {
	char name[LIMIT_CLUSTER_NAME_BYTES + 1];
	struct remote *r;                    /* NULL: it gave no address that can be asked */
	bool mine;                           /* r is to be closed */
	bool up;
	double at[COUNT(figures)], shown[COUNT(figures)];
	nsec when;                           /* of the reading; 0: none yet */
};

struct top {
	struct remote *r;
	const struct flag_line *line;
	struct node nodes[NODES_MAX];
	size_t nodes_n;
	struct val runs;                     /* the longest; UNDEF: they may not be seen */
	int64_t runs_max;
};

/* ---- reading -------------------------------------------------------------------------- */

/* A series without labels. */
static bool
series(struct str text, const char *name, double *out)
{
	struct str line, rest = text, want = str_of(name);

	while (str_next(&rest, '\n', &line))
		if (line.n > want.n && str_starts(line, want) && line.p[want.n] == ' ')
			return str_to_double(str_trim(str_sub(line, want.n, line.n)), out);
	return false;
}

static int
node_read(struct node *n, struct err *e)
{
	struct str text;
	long status;
	int rc = n->r == NULL ? ERR_NOTFOUND :
	    remote_ask(n->r, "GET", S("/metrics"), STR_NONE, ASK_NS, &status, &text, e);
	nsec now = clock_mono();

	if (rc == OK && status != 200)
		rc = err_set(e, ERR_IO, "%.*s/metrics: status %ld; is it a Cohort server, and not "
		    "without http.disable-meta?", FMT(remote_url(n->r)), status);
	n->up = rc == OK;
	for (size_t i = 0; rc == OK && i < COUNT(figures); i++) {
		double v = 0, before = n->at[i];

		(void)series(text, figures[i].series, &v);
		n->at[i] = v;
		if (figures[i].rate)         /* a server that began anew counts from 0 */
			v = n->when == 0 ? 0 : (v < before ? v : v - before) * NS_PER_S /
			    (double)(now - n->when);
		n->shown[i] = v * figures[i].scale;
	}
	n->when = rc == OK ? now : 0;
	return rc;
}

/* It goes to a terminal. */
static void
name_node(struct node *n, struct str name)
{
	struct buf b = BUF(sizeof n->name - 1);

	cli_add_line(&b, str_cut(name, sizeof n->name - 1));
	snprintf(n->name, sizeof n->name, "%.*s", FMT(buf_str(&b)));
	buf_release(&b);
}

static void
node_add(struct top *t, struct str name, struct remote *r, bool mine)
{
	struct node *n = &t->nodes[t->nodes_n++];

	*n = (struct node){ .r = r, .mine = mine };
	name_node(n, name);
}

/* At the address that it gave, in the way the server that is asked is reached.  The caller's
 * credentials go only to who proves by a certificate that it is there; /metrics needs none. */
static struct remote *
node_remote(const struct top *t, struct str address)
{
	bool tls = str_starts(remote_url(t->r), S("https://"));
	struct buf url = BUF(LIMIT_HTTP_URL_BYTES);
	struct remote *r = NULL;
	struct err e;

	buf_add_fmt(&url, "%s%.*s", tls ? "https://" : "http://", FMT(address));
	(void)(tls ? remote_open : remote_open_bare)(&r, buf_str(&url), ANSWER_MAX, &e);
	buf_release(&url);
	return r;
}

/* The server that is asked comes first; the others by the addresses that they have given. */
static void
find_nodes(struct top *t)
{
	struct val all = VAL_UNDEF, list;
	struct err e;
	bool known = remote_value(t->r, "GET", S("/cluster"), STR_NONE, &all, &e) == OK;

	list = known ? val_get(all, S("nodes")) : VAL_UNDEF;
	node_add(t, S("-"), t->r, false);
	for (size_t i = 0; i < val_count(list) && t->nodes_n < NODES_MAX; i++) {
		struct val one = val_at(list, i);
		struct str address = entry_text(one, "address"), name = entry_text(one, "name");

		if (!str_eq(entry_text(one, "state"), S("live")))
			continue;
		if (val_equal(val_get(one, S("here")), val_bool(true)))
			name_node(&t->nodes[0], name);
		else
			node_add(t, name, node_remote(t, address), true);
	}
	val_drop(all);
}

/* Of those that are under way the oldest: asked for from the old ones on. */
static void
find_runs(struct top *t)
{
	static const long ages[] = { 86400, 3600, 600, 60, 10, 0 };
	char body[160];
	struct err e;

	for (size_t i = 0; i < COUNT(ages); i++) {
		struct val page = VAL_UNDEF;
		bool enough;

		snprintf(body, sizeof body, "{\"status\":[\"running\",\"pending\"],\"limit\":%d,"
		    "\"older_than_s\":%ld}", LIMIT_PAGE_ROWS, ages[i]);
		if (t->runs_max == 0 || remote_value(t->r, "POST", S("/runs/search"), str_of(body),
		    &page, &e) != OK)
			return;
		val_drop(t->runs);
		t->runs = val_ref(val_get(page, S("runs")));
		enough = (int64_t)val_count(t->runs) >= t->runs_max;
		val_drop(page);
		if (enough)
			return;
	}
}

static int
reading(struct top *t, struct err *e)
{
	int rc = node_read(&t->nodes[0], e);
	struct err other;

	for (size_t i = 1; i < t->nodes_n; i++)
		(void)node_read(&t->nodes[i], &other);       /* it is shown as down */
	find_runs(t);
	return rc;
}

/* ---- showing ---------------------------------------------------------------------------- */

/* Newest first is how they come. */
static struct val
run_at(const struct top *t, size_t i)
{
	return val_at(t->runs, val_count(t->runs) - 1 - i);
}

static size_t
runs_shown(const struct top *t)
{
	size_t n = val_count(t->runs);

	return n < (size_t)t->runs_max ? n : (size_t)t->runs_max;
}

static double
age_of(struct val run, msec now)
{
	msec created;

	return clock_read_iso(entry_text(run, "created_at"), &created) && created < now ?
	    (double)(now - created) / 1000 : 0;
}

static void
add_text(struct buf *b, const struct top *t, msec now)
{
	char when[CLOCK_ISO_SIZE];

	clock_write_iso(when, now);
	buf_add_fmt(b, "%.*s  %.*s\n%-20s", 19, when, FMT(remote_url(t->r)), "NODE");
	for (size_t i = 0; i < COUNT(figures); i++)
		buf_add_fmt(b, "%*s", figures[i].width, figures[i].title);
	buf_add_char(b, '\n');
	for (size_t k = 0; k < t->nodes_n; k++) {
		const struct node *n = &t->nodes[k];

		buf_add_fmt(b, "%-20s", n->name);
		for (size_t i = 0; n->up && i < COUNT(figures); i++)
			buf_add_fmt(b, "%*.*f", figures[i].width, figures[i].rate &&
			    n->shown[i] < 100 && n->shown[i] > 0 ? 1 : 0, n->shown[i]);
		buf_add(b, n->up ? S("\n") : S("  does not answer\n"));
	}
	if (runs_shown(t) > 0)
		buf_lit(b, "\n     AGE  STATUS   AGENT                 RUN                        "
		    "           THREAD\n");
	for (size_t i = 0; i < runs_shown(t); i++) {
		struct val run = run_at(t, i);

		buf_add_fmt(b, "%7.1fs  %-8.*s %-20.*s  %.*s  %.*s\n", age_of(run, now),
		    FMT(entry_text(run, "status")), FMT(str_cut(entry_text(run, "graph_id"), 20)),
		    FMT(entry_text(run, "run_id")), FMT(entry_text(run, "thread_id")));
	}
}

static void
add_json(struct buf *b, const struct top *t, msec now)
{
	char when[CLOCK_ISO_SIZE];

	clock_write_iso(when, now);
	json_add_fmt(b, "{'time':%.*s,'nodes':[", CLOCK_ISO_SIZE, when);
	for (size_t k = 0; k < t->nodes_n; k++) {
		const struct node *n = &t->nodes[k];

		json_add_fmt(b, ",{'name':%s,'up':%hhd", n->name, n->up);
		for (size_t i = 0; n->up && i < COUNT(figures); i++) {
			json_add_key(b, figures[i].series);
			json_add_double(b, n->at[i]);
		}
		for (size_t i = 0; n->up && i < COUNT(figures); i++)
			if (figures[i].rate)
				json_add_fmt(b, ",%s:%.3f", figures[i].title, n->shown[i]);
		buf_add_char(b, '}');
	}
	buf_lit(b, "],\"runs\":[");
	for (size_t i = 0; i < runs_shown(t); i++) {
		json_add_comma(b);
		val_add_json(b, run_at(t, i));
	}
	buf_lit(b, "]}\n");
}

static void
show(const struct top *t, bool screen)
{
	struct buf b = BUF(ANSWER_MAX);
	msec now = clock_wall_ms();

	if (line_has(t->line, "json"))
		add_json(&b, t, now);
	else
		add_text(&b, t, now);
	printf("%s%.*s", screen ? "\033[H\033[J" : "", FMT(buf_str(&b)));
	fflush(stdout);
	buf_release(&b);
}

/* ---- the command ------------------------------------------------------------------------ */

static void
rest(nsec ns)
{
	struct timespec t = { ns / NS_PER_S, ns % NS_PER_S };

	nanosleep(&t, NULL);
}

static int
top(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct str interval = line_text(l, "interval");
	bool screen = isatty(STDOUT_FILENO) && !line_has(l, "json") && !line_has(l, "once");
	struct top t = { .r = r, .line = l, .runs = VAL_UNDEF, .runs_max = 10 };
	nsec pause = 2 * NS_PER_S;
	int rc = OK;

	if (interval.n > 0 && (!clock_parse(interval, 0, &pause) || pause < 100 * NS_PER_MS ||
	    pause > 3600 * NS_PER_S))
		return err_set(e, ERR_METHOD, "--interval: expected a time from 100ms to 1h, got "
		    "\"%.*s\"", FMT(str_cut(interval, 40)));
	str_to_i64(line_text(l, "runs"), &t.runs_max);
	find_nodes(&t);
	rc = reading(&t, e);
	while (rc == OK) {
		rest(pause);
		rc = reading(&t, e);
		if (rc == OK)
			show(&t, screen);
		if (line_has(l, "once"))
			break;
	}
	for (size_t i = 0; i < t.nodes_n; i++)
		if (t.nodes[i].mine)
			remote_close(t.nodes[i].r);
	val_drop(t.runs);
	return rc;
}

int
cmd_top(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, top);
}
