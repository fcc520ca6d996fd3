/*
 * mail.c - an agent that is a run on a thread (kind "run" of mail/host/office.h).
 *
 * Its id is the thread's.  It is spawned, and then the run is made here; or a run of the
 * LangGraph API receives or sends messages, and is an agent from then on.  Either way the
 * agent ends with its run: well (success, or it was cancelled), or with an error, after
 * which its supervisor may want another run on the same thread.
 *
 * A letter is held until the commit of what it led to, in which it is taken: so a crash
 * neither loses it nor lets it be handled twice.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/ear_priv.h"
#include "run/mail_priv.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "mail/host/carrier.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/job_priv.h"

struct mailer {
	struct uuid thread_id;               /* first: the key of rs->mailers */
	owner_t owner;
	struct runs *rs;
	struct office_agent *agent;
	struct letter **held;                /* until they are committed */
	size_t held_n, held_cap;
	struct run *run;                     /* that lives here; NULL: none.  Not counted:
	                                        it takes itself out */
	struct uuid run_id;                  /* the last that was known; or zero */
	int64_t thread_seq;                  /* 0: not known yet */
	bool over;                           /* the office knows that it has ended */
};

static uint64_t
hash(const void *key)
{
	return uuid_hash(key);
}

static const void *
key_of(const void *value)
{
	return value;
}

static bool
eq(const void *value, const void *key)
{
	return uuid_eq(value, key);
}

void
mail_open(struct runs *rs)
{
	map_init(&rs->mailers, hash, eq, key_of);
}

void
mail_close(struct runs *rs)
{
	assert(rs->mailers.n == 0);          /* the office has stopped them */
	map_release(&rs->mailers);
}

struct office_agent *
mailer_agent(const struct mailer *m)
{
	return m->agent;
}

struct mailer *
mailer_of(const struct run *run)
{
	return map_get(&run->rs->mailers, &run->place.thread_id);
}

/* ---- a mailer's life ------------------------------------------------------------- */

/* The thread stays at home here as long as there is one.  NULL: it lives elsewhere. */
static struct mailer *
mailer_new(struct runs *rs, owner_t owner, const struct uuid *thread_id)
{
	struct directory *d = rs->sh->directory;
	struct mailer *m;

	if (directory_pin(d, thread_id, rs) != rs) {
		directory_unpin(d, thread_id);
		return NULL;
	}
	m = mem_new(struct mailer);
	m->thread_id = *thread_id;
	m->owner = owner;
	m->rs = rs;
	(void)map_put(&rs->mailers, m);
	return m;
}

static void
mailer_free(struct mailer *m)
{
	(void)map_take(&m->rs->mailers, &m->thread_id);
	directory_unpin(m->rs->sh->directory, &m->thread_id);
	free(m->held);
	free(m);
}

static void
ended(struct mailer *m, int rc, struct str words)
{
	m->over = true;
	office_ended(m->agent, rc, words);
}

/* As the run has ended; error_json: {"error", "message"}, or empty. */
static void
ended_as(struct mailer *m, bool failed, struct str error_json)
{
	struct val error = error_json.n > 0 ? val_json_trusted(error_json) : VAL_UNDEF;
	struct val words = error.kind == VAL_OBJECT ? val_get(error, S("message")) : VAL_UNDEF;

	ended(m, failed ? ERR_IO : OK, words.kind == VAL_STRING ? val_str(words) : STR_NONE);
	val_drop(error);
}

/* ---- letters ---------------------------------------------------------------------- */

/* The thread was deleted, or its run has ended at another node.  (That it cannot be read is
 * not this.)  True: the office knows it now. */
static bool
ends_by_store(struct mailer *m)
{
	struct arena a = ARENA(THREAD_ARENA);
	struct store_thread t = { 0 };
	int rc = m->thread_seq == 0 ? ERR_AGAIN :
	    store_thread_get(m->rs->reader, m->owner, &m->thread_id, &a, &t);
	bool over = rc == ERR_NOTFOUND ||
	    (rc == OK && (t.status == THREAD_IDLE || t.status == THREAD_ERROR));

	if (over)
		ended_as(m, rc == OK && t.status == THREAD_ERROR, t.error_json);
	arena_release(&a);
	return over;
}

/* Brings the parked run back; a run that waits for a person stays where it is. */
static enum mail_taken
take_up(struct mailer *m)
{
	struct waiting w = { .owner = m->owner, .thread_seq = m->thread_seq,
		.thread_id = m->thread_id, .wake = true };

	if (ends_by_store(m))
		return MAIL_REFUSED;
	if (m->thread_seq != 0 && !m->rs->draining && !m->rs->lost) {
		directory_pin(m->rs->sh->directory, &m->thread_id, m->rs);
		admit_thread(m->rs, &w);
	}
	return MAIL_BUSY;
}

/* From the shard that has deleted a thread. */
struct gone {
	struct parcel parcel;
	struct uuid thread_id;
};

static void
gone_open(void *ctx, struct parcel *p)
{
	struct gone *x = CONTAINER_OF(p, struct gone, parcel);
	struct runs *here = ctx;
	struct mailer *m = map_get(&here->mailers, &x->thread_id);

	if (m != NULL && !m->over)
		(void)ends_by_store(m);
	ear_gone(here, &x->thread_id);
	free(x);
}

void
runs_thread_gone(struct runs *rs, const struct uuid *thread_id)
{
	struct runs *home = directory_thread(rs->sh->directory, thread_id);
	struct gone *x;

	if (home == NULL)
		return;
	x = mem_new(struct gone);
	x->thread_id = *thread_id;
	x->parcel.open = gone_open;
	runs_send(rs, home, &x->parcel);
}

void
runs_thread_deleted(struct runs *rs, const struct uuid *thread_id)
{
	runs_thread_gone(rs, thread_id);
	if (rs->sh->deleted != NULL)
		rs->sh->deleted(rs->sh->deleted_ctx, thread_id);
}

void
runs_shared_set_deleted(struct runs_shared *sh,
    void (*deleted)(void *ctx, const struct uuid *thread_id), void *ctx)
{
	sh->deleted = deleted;
	sh->deleted_ctx = ctx;
}

/* May it be given to the run now? */
static bool
is_open(const struct run *run)
{
	const struct job *j = run->job;

	return run->phase == PHASE_LIVE && j != NULL && j->core != NULL && !j->over &&
	    !j->broken && !j->holding && !j->pumping && j->ready == NULL;
}

static struct job_task *
task_of(struct job *j, struct val message, struct buf *key)
{
	for (struct job_task *t = j->tasks; t != NULL; t = t->next)
		if (t->core != NULL && t->task != NULL &&
		    task_event(t->task, S("message"), message, key) == OK)
			return t;
	return NULL;
}

/* That it was taken is among the changes before what it leads to. */
static void
note_taken(struct mailer *m, struct job *j, struct letter *l)
{
	changes_taken(&j->changes, l, shard_wall(m->rs->shard));
	mem_grow(m->held, m->held_n, m->held_cap);
	m->held[m->held_n++] = l;
}

static enum mail_taken
give(struct mailer *m, struct letter *l, struct val message)
{
	struct job *j = m->run->job;
	struct buf key = BUF(64 * KB), json = BUF(2 * (size_t)LIMIT_ACL_BYTES);
	struct job_task *t = task_of(j, message, &key);
	struct run_event at;
	enum mail_taken how = MAIL_HELD;

	if (t != NULL) {
		at = job_event(t, EVENT_CUSTOM);
		note_taken(m, j, l);
		mail_tell(j, &at, "received", message, 0);
		if (key.n > 0) {
			val_add_json(&json, message);
			changes_record(&j->changes, &t->core->id, buf_str(&key), S("message"),
			    buf_str(&json));
		}
		task_hear(t->task);
	} else if (core_takes(j->core)) {
		at = core_root_event(j->core, EVENT_CUSTOM);
		note_taken(m, j, l);
		mail_tell(j, &at, "received", message, 0);
		core_hear(j->core, message);
	} else {
		how = MAIL_REFUSED;          /* it is a graph, and not what it waits for */
	}
	buf_release(&key);
	buf_release(&json);
	return how;
}

static enum mail_taken
on_take(void *self, struct letter *l)
{
	struct mailer *m = self;
	struct run *run = m->run;
	enum mail_taken how;
	struct acl_room room;
	struct val message;
	struct acl acl;

	if (run == NULL)
		return take_up(m);
	if (!is_open(run))
		return MAIL_BUSY;
	if (acl_unpack(&acl, letter_packed(l), &room, NULL) != OK)
		return MAIL_REFUSED;
	run_hold(run);
	message = mail_value(&acl);
	how = give(m, l, message);
	val_drop(message);
	job_pump_drop(run);
	return how;
}

/* Takes one out of those that are held; NULL: it was given back. */
static struct letter *
held_take(struct mailer *m, uint64_t number)
{
	for (size_t i = 0; i < m->held_n; i++) {
		struct letter *l = m->held[i];

		if (l->number != number)
			continue;
		m->held_n--;
		memmove(&m->held[i], &m->held[i + 1], (m->held_n - i) * sizeof *m->held);
		return l;
	}
	return NULL;
}

void
mail_committed(struct run *run, struct changes *c, bool ok)
{
	struct mailer *m;

	if (c->letters_n + c->mails_n == 0)
		return;
	m = mailer_of(run);
	/* Those that go back, the last first: each to the head of its mailbox. */
	for (size_t i = 0; m != NULL && i < c->letters_n; i++) {
		struct letter *l = held_take(m, c->letters[ok ? i : c->letters_n - 1 - i]);

		if (l != NULL)
			(ok ? office_agent_done : office_agent_return)(m->agent, l);
	}
	for (size_t i = 0; ok && i < c->mails_n; i++)
		if (!c->mails[i].known)
			office_route(run->rs->office, run->place.owner, &c->mails[i]);
	c->letters_n = c->mails_n = 0;
}

/* ---- a run's life ------------------------------------------------------------------- */

bool
mail_is_possible(const struct run *run)
{
	return run->rs->office != NULL && !run->stateless;
}

struct mailer *
mail_attach(struct run *run, struct err *e)
{
	struct mailer *m = mail_is_possible(run) ? mailer_of(run) : NULL;
	struct office_spec spec = { .owner = run->place.owner, .id = run->place.thread_id,
		.kind = S("run"), .durable = true, .restart = RESTART_NEVER };

	if (m != NULL)
		return m;
	if (!mail_is_possible(run)) {
		err_set(e, ERR_NOTFOUND, "a run without a thread has no address");
		return NULL;
	}
	m = mailer_new(run->rs, run->place.owner, &run->place.thread_id);
	assert(m != NULL);                   /* its run is at home here */
	if (office_attach(run->rs->office, &spec, m, &m->agent, e) != OK) {
		mailer_free(m);
		return NULL;
	}
	m->run = run;
	m->run_id = run->place.run_id;
	m->thread_seq = run->thread_seq;
	return m;
}

/* Another node has had this thread, and has its agent until it is told. */
static bool
is_elsewhere(const struct run *run)
{
	char id[UUID_TEXT];

	uuid_format(&run->place.thread_id, id);
	return office_elsewhere(run->rs->office, run->place.owner, (struct str){ id, UUID_TEXT },
	    NULL);
}

void
mail_begin(struct run *run, const struct agent *a)
{
	struct mailer *m;
	struct err e;

	if (!mail_is_possible(run))
		return;
	m = mailer_of(run);
	if (m == NULL && (core_agent_hears(a) || is_elsewhere(run)))
		m = mail_attach(run, &e);
	if (m == NULL)
		return;
	m->run = run;
	m->run_id = run->place.run_id;
	m->thread_seq = run->thread_seq;
	job_sleeps(run->job);
}

void
mail_look(struct run *run)
{
	struct mailer *m = mail_is_possible(run) ? mailer_of(run) : NULL;

	if (m != NULL && m->run == run && is_open(run))
		office_agent_wake(m->agent);
}

void
mail_left(struct run *run)
{
	struct mailer *m = mail_is_possible(run) ? mailer_of(run) : NULL;

	if (m != NULL && m->run == run)
		m->run = NULL;
}

/* A parked run may end here, where it was cancelled, and never have come to have its agent. */
static void
tell_owner(const struct run *run)
{
	char text[UUID_TEXT];
	const struct str id = { text, UUID_TEXT };
	int64_t node = 0;

	uuid_format(&run->place.thread_id, text);
	if (run->cancel ? office_locate(run->rs->office, run->place.owner, id, &node) == OK &&
	    node > 0 : office_elsewhere(run->rs->office, run->place.owner, id, NULL))
		office_over(run->rs->office, run->place.owner, &run->place.thread_id);
}

/* An agent that waits for a person stays: its run has ended, the next one goes on. */
void
mail_ended(struct run *run, int rc, enum run_status status, bool follows,
    struct str error_json)
{
	struct mailer *m = mail_is_possible(run) ? mailer_of(run) : NULL;
	bool waits = status == RUN_INTERRUPTED && !run->cancel;

	if (m == NULL && mail_is_possible(run) && rc == OK && !waits && !follows)
		tell_owner(run);
	if (m == NULL || !uuid_eq(&m->run_id, &run->place.run_id))
		return;
	m->run = NULL;
	if (rc != OK || waits || follows || m->over)
		return;
	ended_as(m, status == RUN_ERROR || status == RUN_TIMEOUT, error_json);
}

bool
mail_waits(const struct job *j)
{
	const struct mailer *m = mail_is_possible(j->run) ? mailer_of(j->run) : NULL;
	bool waits = core_listens(j->core);

	for (const struct job_task *t = j->tasks; t != NULL; t = t->next)
		waits = waits || task_hears(t->task);
	return m != NULL && m->held_n == 0 && waits;
}

/* ---- the kind -------------------------------------------------------------------------- */

/* The run of an agent that is spawned, or started again. */
struct spawning {
	struct runs *rs;
	struct uuid thread_id;
};

static void
created(void *ctx, int rc, const struct store_run *run, const struct err *e)
{
	struct spawning *x = ctx;
	struct mailer *m = map_get(&x->rs->mailers, &x->thread_id);

	if (m != NULL && rc == OK) {
		m->run_id = run->id;
		m->thread_seq = run->thread_seq;
	} else if (m != NULL && !m->over && !x->rs->draining && !x->rs->lost) {
		ended(m, rc, str_of(e->text));
	}
	free(x);
}

/* The run's texts; docs are read from the spec. */
static int
read_spec(const struct office_spec *s, struct json_doc docs[3], enum office_start how,
    struct run_request *q, struct err *e)
{
	const struct str texts[3] = { how == START_NEW ? s->input_json : STR_NONE,
		s->config_json, s->metadata_json };
	int rc = OK;

	for (size_t i = 0; i < COUNT(texts) && rc == OK; i++)
		rc = json_parse(&docs[i], texts[i].n > 0 ? texts[i] : S("{}"), e);
	q->input = docs[0].root;
	q->config = docs[1].root;
	q->metadata = docs[2].root;
	return rc;
}

/* What stands on the thread goes on with its values; only a new one has input. */
static int
run_make(struct mailer *m, const struct office_spec *s, enum office_start how, struct err *e)
{
	struct spawning *x = mem_new(struct spawning);
	struct json_doc docs[3] = { { 0 } };
	struct run_request q = { .owner = s->owner, .subject = s->subject,
		.thread_id = m->thread_id, .create_thread = true,
		.assistant = { .id = runs_assistant_id(s->graph_id), .graph_id = s->graph_id,
		.config_json = S("{}"), .context_json = S("{}"), .metadata_json = S("{}"),
		.version = 1 }, .headers_json = S("{}"), .modes_json = S("[\"values\",\"custom\"]"),
		.modes = MODE_VALUES | MODE_CUSTOM, .multitask = MULTITASK_REJECT };
	int rc;

	x->rs = m->rs;
	x->thread_id = m->thread_id;
	rc = read_spec(s, docs, how, &q, e);
	if (rc == OK)
		rc = run_start(m->rs, &q, NULL, created, x, e);
	for (size_t i = 0; i < COUNT(docs); i++)
		json_release(&docs[i]);
	if (rc != OK)
		free(x);
	return rc;
}

/* The server was started again.  A run that was cut off or waits in the queue is taken
 * like any other (runs_adopt), one that is parked by a letter or its time; one that has
 * ended was about to tell so. */
static void
recover(struct mailer *m)
{
	struct arena a = ARENA(THREAD_ARENA);
	struct store_checkpoint newest;
	struct runs *rs = m->rs;
	struct store_thread t;
	int rc = store_thread_get(rs->reader, m->owner, &m->thread_id, &a, &t);

	if (rc == OK) {
		m->thread_seq = t.seq;
		if (t.status == THREAD_IDLE || t.status == THREAD_ERROR)
			ended_as(m, t.status == THREAD_ERROR, t.error_json);
		else if (store_checkpoint_get(rs->reader, m->owner, t.seq, 0, &a, &newest) == OK)
			m->run_id = newest.run_id;   /* to be cancelled, if it is parked */
	} else if (rc == ERR_NOTFOUND) {
		ended(m, OK, STR_NONE);
	} else {
		ended(m, rc, S("the thread could not be read"));
	}
	arena_release(&a);
}

static int
on_start(void *ctx, struct office_agent *a, void **self, enum office_start how, struct err *e)
{
	const struct office_spec *s = office_agent_spec(a);
	struct mailer *m = mailer_new(ctx, s->owner, &s->id);
	int rc = OK;

	if (m == NULL)
		return err_set(e, ERR_CONFLICT, "the thread of that id is at work");
	m->agent = a;
	*self = m;
	if (how == START_RECOVERED)
		recover(m);
	else
		rc = run_make(m, s, how, e);
	if (rc != OK)
		mailer_free(m);
	return rc;
}

/* The run goes with its agent, unless the server stops or another one has the run. */
static void
on_stop(void *self)
{
	struct mailer *m = self;
	struct runs *rs = m->rs;

	while (m->held_n > 0)                /* the last first: they come back in order */
		office_agent_return(m->agent, m->held[--m->held_n]);
	if (!m->over && !rs->draining && !rs->lost && !uuid_is_zero(&m->run_id))
		run_cancel_async(rs, &m->run_id, m->owner);
	mailer_free(m);
}

/* Its run is another node's, or will be: it goes on. */
static void
on_yield(void *self)
{
	struct mailer *m = self;

	m->over = true;
}

static void
on_look(void *self)
{
	struct mailer *m = self;

	if (m->run == NULL && !m->over)
		(void)ends_by_store(m);
}

static struct office *
on_home(void *ctx, const struct uuid *id)
{
	const struct runs *rs = ctx;
	const struct runs *home = directory_thread(rs->sh->directory, id);

	return home != NULL ? home->office : NULL;
}

static const struct office_kind kind = {
	.name = "run", .start = on_start, .take = on_take, .stop = on_stop, .durable = true,
	.yield = on_yield, .look = on_look, .home = on_home,
};

void
runs_allow_mail(struct runs *rs, struct office *o)
{
	rs->office = o;
	office_kind_add(o, &kind, rs);
}
