/*
 * sim.c - see sim.h.  A stepper whose clock jumps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/sim.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/limits.h"
#include "chart/expr.h"
#include "chart/stepper.h"

#define STEPS_DEFAULT 100000
#define STATES_A_STEP 16         /* active states that cost as much as an event */

struct sim {
	const struct sim_options *o;
	struct chart_stepper *st;
	struct buf dir;              /* "" or ends with a slash */
	struct str file;             /* being loaded, in dir */
	msec now;
	size_t rush;                 /* work of events since the clock moved or the last
	                                external event */
};

/* ---- files --------------------------------------------------------------- */

/* A file in the chart's folder or below. */
static int
read_near(void *ctx, struct str name, struct buf *out, struct err *e)
{
	const struct sim *sim = ctx;
	struct buf path = BUF(4096);
	struct str rest, part;
	int rc;

	if (str_starts(name, S("file:")))
		name = str_sub(name, 5, SIZE_MAX);
	rest = name;
	if (name.n == 0 || name.p[0] == '/' || str_index(name, '\\') >= 0 ||
	    str_index(name, ':') >= 0 || memchr(name.p, '\0', name.n) != NULL)
		return err_set(e, ERR_DENIED, "only files beside the chart can be read");
	while (str_next(&rest, '/', &part))
		if (str_eq(part, S("..")))
			return err_set(e, ERR_DENIED, "only files beside the chart can be read");
	buf_add(&path, buf_str(&sim->dir));
	buf_add(&path, name);
	rc = path.failed ? err_set(e, ERR_TOOBIG, "the name is too long") :
	    file_add(path.p, out, e);
	buf_release(&path);
	return rc;
}

static void
warn(void *ctx, const char *text)
{
	const struct sim *sim = ctx;

	if (sim->o->warn != NULL)
		fprintf(sim->o->warn, "%.*s: %s\n", FMT(sim->file), text);
}

/* Only charts. */
static bool
knows(void *ctx, struct str type)
{
	(void)ctx;
	return chart_is_chart_type(type);
}

static struct chart_files
files_of(struct sim *sim)
{
	return (struct chart_files){ .read = read_near, .warn = warn, .ctx = sim,
		.knows = knows };
}

static int
load(struct sim *sim, struct str name, struct chart **out, struct err *e)
{
	const struct chart_files files = files_of(sim);
	struct buf text = BUF(LIMIT_CHART_BYTES + 4096);
	int rc = read_near(sim, name, &text, e);

	if (rc == OK) {
		struct err why;

		sim->file = name;
		rc = chart_from_scxml(out, buf_str(&text), &files, &why);
		if (rc != OK)
			err_set(e, rc, "%.*s: %s", FMT(name), why.text);
	}
	buf_release(&text);
	return rc;
}

/* ---- the stepper --------------------------------------------------------- */

/* An invoke by src, or with content that was computed. */
static int
load_invoked(void *ctx, const struct effect *f, struct chart **out, struct err *e)
{
	struct sim *sim = ctx;
	const struct chart_files files = files_of(sim);
	int rc;

	if (f->src.n > 0) {
		rc = load(sim, f->src, out, e);
	} else {
		sim->file = f->invokeid;
		rc = chart_from_scxml(out, f->content, &files, e);
	}
	if (rc != OK && sim->o->warn != NULL)
		fprintf(sim->o->warn, "invoke '%.*s': %s\n", FMT(f->invokeid), e->text);
	return rc;
}

static void
told(void *ctx, const struct chart *c, struct str session, const struct effect *f)
{
	const struct sim *sim = ctx;
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);

	(void)c, (void)session;
	if (f->kind != EFFECT_LOG || sim->o->log == NULL)
		return;
	if (f->data.kind == VAL_UNDEFINED)
		buf_lit(&b, "undefined");
	else
		val_add_json(&b, f->data);
	fprintf(sim->o->log, "%.*s: %.*s\n", FMT(f->name), FMT(buf_str(&b)));
	buf_release(&b);
}

static const struct stepper_ops ops = { .told = told, .load = load_invoked };

/* ---- the loop ------------------------------------------------------------ */

/* Until the next delayed event. */
static void
pass_time(struct sim *sim)
{
	msec until = stepper_due(sim->st), ms = until - sim->now;
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	if (ms > 0) {
		while (sim->o->real && nanosleep(&t, &t) != 0 && errno == EINTR)
			continue;
		sim->rush = 0;
		sim->now = until;
	}
	(void)stepper_fire(sim->st, sim->now);
}

/* An external event.  ERR_NOTFOUND: there is none. */
static int
ask_outside(struct sim *sim, struct err *e)
{
	const struct sim_options *o = sim->o;
	struct val data = VAL_UNDEF;
	struct str name;
	int rc = o->next != NULL ? o->next(o->ctx, &name, &data, e) : ERR_NOTFOUND;

	if (rc == OK)
		rc = stepper_event(sim->st, name, data);
	sim->rush = 0;
	val_drop(data);
	return rc;
}

/* An error with the active states and the events that they accept. */
static int
stuck(const struct sim *sim, int code, const char *what, struct err *e)
{
	struct buf b = BUF(16 * KB);
	int rc;

	session_add_waits(stepper_session(sim->st), &b);
	rc = err_set(e, code, "%s: %.*s", what, FMT(buf_str(&b)));
	buf_release(&b);
	return rc;
}

/* Delivers an event, or gets the next one from outside or a timer. */
static int
advance(struct sim *sim, struct err *e)
{
	int rc = stepper_step(sim->st, sim->now);

	if (rc == OK)
		return OK;
	if (rc != ERR_NOTFOUND)
		return err_set(e, rc, "the chart ran into a limit: %.*s",
		    FMT(session_why(stepper_session(sim->st))));
	rc = ask_outside(sim, e);
	if (rc != ERR_NOTFOUND)
		return rc;
	if (stepper_due(sim->st) == STEPPER_NEVER)
		return stuck(sim, ERR_TIMEOUT, "the chart waits for events that nobody sends",
		    e);
	pass_time(sim);
	return OK;
}

static int
loop(struct sim *sim, struct err *e)
{
	size_t left = sim->o->steps > 0 ? sim->o->steps : STEPS_DEFAULT;
	int rc = OK;

	while (rc == OK && !stepper_over(sim->st)) {
		bool busy = stepper_busy(sim->st);

		/* The cost of an event depends on the active states. */
		if (busy)
			sim->rush += 1 + stepper_weight(sim->st) / STATES_A_STEP;
		if (sim->rush > STEPS_DEFAULT)
			return stuck(sim, ERR_LIMIT, "the chart does not end, nor wait; "
			    "it sends without pause", e);
		if (busy && left-- == 0)
			return stuck(sim, ERR_LIMIT, "the chart does not end", e);
		rc = advance(sim, e);
	}
	return rc;
}

int
sim_run(struct str path, const struct sim_options *o, struct buf *final_id, struct err *e)
{
	struct sim sim = { .o = o, .dir = BUF(4096) };
	struct chart *chart = NULL;
	size_t cut = path.n;
	int rc;

	while (cut > 0 && path.p[cut - 1] != '/')
		cut--;
	buf_add(&sim.dir, str_sub(path, 0, cut));
	buf_lit(&sim.dir, "");
	rc = load(&sim, str_sub(path, cut, SIZE_MAX), &chart, e);
	if (rc == OK) {
		sim.st = stepper_new(chart, S("s0"), &ops, &sim);
		stepper_start(sim.st, VAL_UNDEF);
		rc = loop(&sim, e);
	}
	if (rc == OK)
		buf_add(final_id, session_final(stepper_session(sim.st)));
	if (sim.st != NULL)
		stepper_cancel(sim.st, sim.now);     /* content of its onexit runs */
	stepper_free(sim.st);
	chart_free(chart);
	buf_release(&sim.dir);
	return rc;
}
