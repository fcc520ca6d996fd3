/*
 * sim.c - see sim.h.  The simplest host for sessions: one queue of jobs, one
 * list of timers, no threads.
 *
 * Effects only post jobs, so a session is never reentered.  A job holds
 * pointers to sessions; before a session is freed, the jobs for it and its
 * timers are.  Events that it has sent stay queued.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/sim.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "chart/chart.h"
#include "chart/expr.h"

#define STEPS_DEFAULT 100000
#define STATES_A_STEP 16         /* active states that cost as much as an event */
#define SESSIONS_MAX  256
#define NESTING_MAX   32
#define PROCESSOR     "http://www.w3.org/TR/scxml/#SCXMLEventProcessor"

struct sim;

struct member {
	struct member *next, *parent;
	struct sim *sim;
	struct session *s;
	struct chart *chart;         /* owned; NULL: a part of the parent's */
	struct val id, invokeid, origin;     /* strings; invokeid may be undefined */
	uint32_t serial;             /* of its invoke; 0: the top-level session */
	unsigned nesting;
	size_t waiting, delayed;     /* its queued events, its timers */
	bool cancelled;              /* its events to the parent are dropped */
};

/* A start, an event, or a delayed event. */
struct job {
	struct job *next;
	struct member *to;           /* NULL: to be resolved from target */
	struct member *from;         /* of a timer: its sender */
	bool start;
	enum chart_tie tie;
	uint32_t serial;
	int64_t due;
	union {
		struct {
			struct val name, data, sendid, invokeid, target, origin;
		};
		struct val vals[6];          /* the same */
	};
};

struct sim {
	const struct sim_options *o;
	struct member *members;
	size_t members_n;
	struct job *jobs, **tail;    /* in order */
	struct job *timers;          /* by due, then first in, first out */
	struct buf dir;              /* "" or ends with a slash */
	struct str file;             /* being loaded, in dir */
	int64_t now;
	size_t rush;                 /* work of events since the clock moved or the last
	                                external event */
	uint64_t ids;
	struct err *e;
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

static bool knows(void *ctx, struct str type);

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

/* ---- jobs ---------------------------------------------------------------- */

static void
job_free(struct job *j)
{
	for (size_t i = 0; i < COUNT(j->vals); i++)
		val_drop(j->vals[i]);
	free(j);
}

static struct job *
job_new(struct member *to, struct str name, struct val data)
{
	struct job *j = mem_new(struct job);

	j->to = to;
	j->name = val_of_text(name);
	j->data = val_ref(data);
	return j;
}

static void
job_post(struct sim *sim, struct job *j)
{
	j->next = NULL;
	j->to->waiting++;
	*sim->tail = j;
	sim->tail = &j->next;
}

static void
job_delay(struct sim *sim, struct job *j, int64_t ms)
{
	struct job **at = &sim->timers;

	j->from->delayed++;
	j->due = sim->now + ms;
	while (*at != NULL && (*at)->due <= j->due)
		at = &(*at)->next;
	j->next = *at;
	*at = j;
}

/* The queued events for m. */
static void
drop_jobs(struct sim *sim, const struct member *m)
{
	struct job **at = &sim->jobs;

	while (*at != NULL) {
		struct job *j = *at;

		if (j->to != m) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		job_free(j);
	}
	sim->tail = at;
}

/* The timers of m; with a sendid, those with it. */
static void
drop_timers(struct sim *sim, struct member *m, struct str sendid)
{
	struct job **at = &sim->timers;

	while (*at != NULL && m->delayed > 0) {
		struct job *j = *at;

		if (j->from != m || (sendid.n > 0 && !str_eq(val_text(j->sendid), sendid))) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		m->delayed--;
		job_free(j);
	}
}

/* ---- sessions ------------------------------------------------------------ */

static void on_effect(void *ctx, const struct effect *f);
static int on_reach(void *ctx, struct str target, struct str type, bool delayed);

static struct effect_sink
sink_of(struct member *m)
{
	return (struct effect_sink){ .effect = on_effect, .ctx = m, .reach = on_reach };
}

static struct member *
member_new(struct sim *sim, struct member *parent, const struct chart *chart,
    const struct effect *invoke)
{
	struct str invokeid = invoke != NULL ? invoke->invokeid : STR_NONE;
	struct member *m = mem_new(struct member);
	struct buf b = BUF(64);

	buf_add_fmt(&b, "#_scxml_s%llu", (unsigned long long)++sim->ids);
	m->origin = val_string(buf_str(&b));
	m->id = val_string(str_sub(buf_str(&b), 8, SIZE_MAX));
	buf_release(&b);
	m->invokeid = val_of_text(invokeid);
	m->sim = sim;
	m->parent = parent;
	m->nesting = parent != NULL ? parent->nesting + 1 : 0;
	m->serial = invoke != NULL ? invoke->serial : 0;
	m->s = session_new(chart, val_str(m->id),
	    invoke != NULL ? invoke->data : VAL_UNDEF, invokeid);
	m->next = sim->members;
	sim->members = m;
	sim->members_n++;
	return m;
}

/* Frees the session, its timers and its queued events.  cancel: exits it
 * first, and drops its events to the parent. */
static void
member_end(struct member *m, bool cancel)
{
	struct sim *sim = m->sim;
	struct effect_sink sink = sink_of(m);
	struct member **at = &sim->members;

	m->cancelled = cancel;
	if (cancel)
		session_cancel(m->s, &sink);
	drop_jobs(sim, m);
	drop_timers(sim, m, STR_NONE);
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	sim->members_n--;
	for (struct member *k = sim->members; k != NULL; k = k->next)
		assert(k->parent != m);      /* its invokes are stopped */
	session_free(m->s);
	chart_free(m->chart);
	val_drop(m->id);
	val_drop(m->origin);
	val_drop(m->invokeid);
	free(m);
}

static struct member *
child_of(const struct member *m, uint32_t serial)
{
	for (struct member *k = m->sim->members; k != NULL; k = k->next)
		if (k->parent == m && k->serial == serial)
			return k;
	return NULL;
}

static struct member *
child_named(const struct member *m, struct str invokeid)
{
	for (struct member *k = m->sim->members; k != NULL; k = k->next)
		if (k->parent == m && str_eq(val_text(k->invokeid), invokeid))
			return k;
	return NULL;
}

/* ---- effects ------------------------------------------------------------- */

/* ERR_INVALID: not a target; ERR_CLOSED: no such session. */
static int
resolve(struct member *from, struct str target, struct member **to)
{
	struct str session = S("#_scxml_");

	*to = NULL;
	if (target.n == 0) {
		*to = from;
	} else if (str_eq(target, S("#_parent"))) {
		*to = from->parent;
	} else if (str_starts(target, session)) {
		target = str_sub(target, session.n, SIZE_MAX);
		for (struct member *k = from->sim->members; k != NULL; k = k->next)
			if (str_eq(val_str(k->id), target))
				*to = k;
	} else if (str_starts(target, S("#_"))) {
		*to = child_named(from, str_sub(target, 2, SIZE_MAX));
	} else {
		return ERR_INVALID;
	}
	return *to != NULL ? OK : ERR_CLOSED;
}

static void
stamp(struct job *j, struct member *from)
{
	j->origin = val_ref(from->origin);
	if (j->to != from->parent)
		return;
	j->invokeid = val_ref(from->invokeid);
	j->serial = from->serial;
}

static int
on_reach(void *ctx, struct str target, struct str type, bool delayed)
{
	struct member *m = ctx, *to;
	int rc;

	if (type.n > 0 && !str_eq(type, S("scxml")) && !str_eq(type, S(PROCESSOR)))
		return ERR_INVALID;
	rc = resolve(m, target, &to);
	if (rc == ERR_INVALID || (rc != OK && !delayed))
		return rc;
	return (delayed ? m->delayed : to->waiting) >= LIMIT_CHART_QUEUE ? ERR_LIMIT : OK;
}

static void
on_send(struct member *m, const struct effect *f)
{
	struct member *to;
	struct job *j;
	int rc = resolve(m, f->target, &to);

	assert(rc == OK || f->delay_ms > 0);         /* see on_reach */
	if (f->delay_ms == 0 && m->cancelled && to == m->parent)
		return;
	j = job_new(f->delay_ms > 0 ? NULL : to, f->name, f->data);
	j->sendid = val_of_text(f->sendid);
	if (f->delay_ms > 0) {
		j->from = m;
		j->target = val_of_text(f->target);
		job_delay(m->sim, j, f->delay_ms);
		return;
	}
	stamp(j, m);
	job_post(m->sim, j);
}

/* The invoke `serial` of m could not be started, or its session was ended: an
 * error event that ends it. */
static void
post_error(struct member *m, struct str invokeid, uint32_t serial, int rc, struct str text)
{
	struct val data = val_set_take(val_object_empty(), S("message"), val_string(text));
	struct job *j = job_new(m, rc == ERR_INVALID || rc == ERR_LIMIT ?
	    S("error.execution") : S("error.communication"), data);

	val_drop(data);
	j->invokeid = val_of_text(invokeid);
	j->serial = serial;
	j->tie = TIE_ERROR;
	job_post(m->sim, j);
}

static bool
knows(void *ctx, struct str type)
{
	static const char *const types[] = { "scxml", "http://www.w3.org/TR/scxml/",
		"http://www.w3.org/TR/scxml" };

	(void)ctx;
	for (size_t i = 0; i < COUNT(types); i++)
		if (str_eq(type, str_of(types[i])))
			return true;
	return false;
}

/* The chart of an invoke: *own is to be freed. */
static int
child_chart(struct member *m, const struct effect *f, const struct chart **chart,
    struct chart **own, struct err *e)
{
	const struct chart_files files = files_of(m->sim);
	int rc;

	*own = NULL;
	*chart = f->child;
	if (!knows(NULL, f->type))
		return err_set(e, ERR_INVALID, "the type '%.*s' is not known here",
		    FMT(str_sub(f->type, 0, 60)));
	if (m->sim->members_n >= SESSIONS_MAX || m->nesting >= NESTING_MAX)
		return err_set(e, ERR_INVALID, "too many sessions");
	if (*chart != NULL)
		return OK;
	if (f->src.n > 0) {
		rc = load(m->sim, f->src, own, e);
	} else {
		m->sim->file = f->invokeid;
		rc = chart_from_scxml(own, f->content, &files, e);
	}
	*chart = *own;
	return rc;
}

static void
on_invoke(struct member *m, const struct effect *f)
{
	const struct chart *chart;
	struct chart *own;
	struct member *child;
	struct job *j;
	struct err why;
	int rc = child_chart(m, f, &chart, &own, &why);

	if (rc != OK && m->sim->o->warn != NULL)
		fprintf(m->sim->o->warn, "invoke '%.*s': %s\n", FMT(f->invokeid), why.text);
	if (rc != OK) {
		post_error(m, f->invokeid, f->serial, rc, str_of(why.text));
		return;
	}
	child = member_new(m->sim, m, chart, f);
	child->chart = own;
	j = job_new(child, STR_NONE, VAL_UNDEF);
	j->start = true;
	job_post(m->sim, j);
}

static void
on_done(struct member *m, const struct effect *f)
{
	struct buf name = BUF(2 * LIMIT_NAME_BYTES);
	struct job *j;

	if (m->parent == NULL)
		return;
	buf_lit(&name, "done.invoke.");
	buf_add(&name, val_text(m->invokeid));
	j = job_new(m->parent, buf_str(&name), f->data);
	j->invokeid = val_ref(m->invokeid);
	j->serial = m->serial;
	j->tie = TIE_DONE;
	job_post(m->sim, j);
	buf_release(&name);
}

static void
on_log(const struct member *m, const struct effect *f)
{
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);

	if (m->sim->o->log == NULL)
		return;
	if (f->data.kind == VAL_UNDEFINED)
		buf_lit(&b, "undefined");
	else
		val_add_json(&b, f->data);
	fprintf(m->sim->o->log, "%.*s: %.*s\n", FMT(f->name), FMT(buf_str(&b)));
	buf_release(&b);
}

static void
on_effect(void *ctx, const struct effect *f)
{
	struct member *m = ctx, *child;

	switch (f->kind) {
	case EFFECT_SEND:
		on_send(m, f);
		break;
	case EFFECT_CANCEL:
		if (f->sendid.n > 0)
			drop_timers(m->sim, m, f->sendid);
		break;
	case EFFECT_INVOKE:
		on_invoke(m, f);
		break;
	case EFFECT_UNINVOKE:
		child = child_of(m, f->serial);
		if (child != NULL)
			member_end(child, true);
		break;
	case EFFECT_FORWARD:
		child = child_of(m, f->serial);
		if (child != NULL && child->waiting < LIMIT_CHART_QUEUE)
			job_post(m->sim, job_new(child, f->name, f->data));
		break;
	case EFFECT_LOG:
		on_log(m, f);
		break;
	case EFFECT_DONE:
		on_done(m, f);
		break;
	default:                     /* nobody is told of the path */
		break;
	}
}

/* ---- the loop ------------------------------------------------------------ */

/* Frees a session that is over; after a limit its parent gets an error event. */
static int
reap(struct member *m, int rc)
{
	if (!session_over(m->s) || m->parent == NULL)
		return m->parent == NULL ? rc : OK;
	if (rc != OK)
		post_error(m->parent, val_text(m->invokeid), m->serial, rc,
		    session_why(m->s));
	member_end(m, false);
	return OK;
}

static int
job_run(struct job *j)
{
	struct effect_sink sink = sink_of(j->to);
	struct chart_event ev = { .name = val_text(j->name), .data = j->data,
		.sendid = val_text(j->sendid), .invokeid = val_text(j->invokeid),
		.origin = val_text(j->origin), .serial = j->serial, .tie = j->tie };

	if (j->start)
		return reap(j->to, session_start(j->to->s, &sink));
	ev.origintype = ev.origin.n > 0 ? S(PROCESSOR) : STR_NONE;
	return reap(j->to, session_event(j->to->s, &ev, &sink));
}

static void
pass_time(struct sim *sim, int64_t until)
{
	int64_t ms = until - sim->now;
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (sim->o->real && ms > 0 && nanosleep(&t, &t) != 0 && errno == EINTR)
		continue;
	if (ms > 0)
		sim->rush = 0;
	sim->now = until;
}

/* The next timer becomes a job; its target is resolved now. */
static void
fire(struct sim *sim)
{
	struct job *j = sim->timers;

	sim->timers = j->next;
	j->from->delayed--;
	if (j->due > sim->now)
		pass_time(sim, j->due);
	if (resolve(j->from, val_text(j->target), &j->to) == OK) {
		stamp(j, j->from);
	} else {
		val_drop(j->name);
		val_drop(j->data);
		j->name = val_string(S("error.communication"));
		j->data = VAL_UNDEF;
		j->to = j->from;
	}
	job_post(sim, j);
}

/* An external event becomes a job.  ERR_NOTFOUND: there is none. */
static int
ask_outside(struct sim *sim, struct member *top, struct err *e)
{
	const struct sim_options *o = sim->o;
	struct val data = VAL_UNDEF;
	struct str name;
	int rc = o->next != NULL ? o->next(o->ctx, &name, &data, e) : ERR_NOTFOUND;

	if (rc == OK)
		job_post(sim, job_new(top, name, data));
	sim->rush = 0;
	val_drop(data);
	return rc;
}

/* An error with the active states and the events that they accept. */
static int
stuck(struct member *top, int code, const char *what, struct err *e)
{
	struct buf b = BUF(16 * KB);
	int rc;

	session_add_waits(top->s, &b);
	rc = err_set(e, code, "%s: %.*s", what, FMT(buf_str(&b)));
	buf_release(&b);
	return rc;
}

/* Runs a job, or gets the next one from outside or a timer. */
static int
advance(struct sim *sim, struct member *top, struct err *e)
{
	struct job *j = sim->jobs;
	int rc;

	if (j == NULL) {
		rc = ask_outside(sim, top, e);
		if (rc != ERR_NOTFOUND)
			return rc;
		if (sim->timers == NULL)
			return stuck(top, ERR_TIMEOUT, "the chart waits for events that "
			    "nobody sends", e);
		fire(sim);
		return OK;
	}
	sim->jobs = j->next;
	if (sim->jobs == NULL)
		sim->tail = &sim->jobs;
	j->to->waiting--;
	rc = job_run(j);
	job_free(j);
	if (rc != OK)
		return err_set(e, rc, "the chart ran into a limit: %.*s",
		    FMT(session_why(top->s)));
	return OK;
}

static int
loop(struct sim *sim, struct member *top, struct err *e)
{
	size_t left = sim->o->steps > 0 ? sim->o->steps : STEPS_DEFAULT;
	int rc = OK;

	while (rc == OK && !session_over(top->s)) {
		/* The cost of an event depends on the active states. */
		if (sim->jobs != NULL)
			sim->rush += 1 + session_configuration(sim->jobs->to->s, NULL, 0) /
			    STATES_A_STEP;
		if (sim->rush > STEPS_DEFAULT)
			return stuck(top, ERR_LIMIT, "the chart does not end, nor wait; "
			    "it sends without pause", e);
		if (sim->jobs != NULL && left-- == 0)
			return stuck(top, ERR_LIMIT, "the chart does not end", e);
		rc = advance(sim, top, e);
	}
	return rc;
}

static void
sim_release(struct sim *sim, struct member *top, struct chart *chart)
{
	if (top != NULL)
		member_end(top, true);       /* and all invoked by it */
	assert(sim->members == NULL);
	while (sim->jobs != NULL) {
		struct job *j = sim->jobs;

		sim->jobs = j->next;
		job_free(j);
	}
	chart_free(chart);
	buf_release(&sim->dir);
}

int
sim_run(struct str path, const struct sim_options *o, struct buf *final_id, struct err *e)
{
	struct sim sim = { .o = o, .dir = BUF(4096), .e = e };
	struct member *top = NULL;
	struct chart *chart = NULL;
	size_t cut = path.n;
	int rc;

	sim.tail = &sim.jobs;
	while (cut > 0 && path.p[cut - 1] != '/')
		cut--;
	buf_add(&sim.dir, str_sub(path, 0, cut));
	buf_lit(&sim.dir, "");
	rc = load(&sim, str_sub(path, cut, SIZE_MAX), &chart, e);
	if (rc == OK) {
		struct job *j;

		top = member_new(&sim, NULL, chart, NULL);
		j = job_new(top, STR_NONE, VAL_UNDEF);
		j->start = true;
		job_post(&sim, j);
		rc = loop(&sim, top, e);
	}
	if (rc == OK)
		buf_add(final_id, session_final(top->s));
	sim_release(&sim, top, chart);
	return rc;
}
