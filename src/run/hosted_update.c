/*
 * hosted_update.c - see hosted_update.h.
 *
 * Each step is a task of its own, which ends with what comes next at its checkpoint.  Each
 * put and each group of writes is a commit of its own, refused once a run is on the thread
 * or somebody else has changed it.  What was committed stays if the worker goes: a step is
 * whole with its put.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/hosted_update.h"

#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/scan.h"
#include "run/hosted_rows.h"
#include "run/run_priv.h"
#include "worker/worker.h"

#define OFFERS 3                             /* of one whose workers go */

struct hosted_update {
	struct list in;                      /* runs->updates */
	struct runs *rs;
	struct worker_offer offer;
	struct buf members, ns;
	struct arena arena;                  /* of the texts below, and the graph's id */
	const struct str *steps;             /* JSON */
	size_t steps_n, step;                /* step: under way */
	struct str configurable;
	char prefer[UUID_TEXT];              /* the worker of the step before */
	struct uuid thread_id, checkpoint;
	int64_t thread_seq;
	owner_t owner;
	struct uuid head;                    /* the root's newest, as far as is known */
	struct uuid made;                    /* of ns; zero: nothing yet */
	bool whole;                          /* the step under way has put it */
	struct hosted_lists lists;
	size_t under_way;                    /* commands of the store */
	struct list reads;                   /* that wait for puts */
	struct wheel_timer timer;
	bool left;                           /* the worker is gone, a command is not back */
	bool over;                           /* told; freed when no command is under way */
	hosted_updated *done;
	void *ctx;
};

/* A get or list, and what a list needs. */
struct reading {
	struct list in;                      /* update->reads */
	struct hosted_update *of;
	struct worker_call *call;
	enum hosted_op op;
	struct store_saver_list c;
	struct arena arena;
};

/* A commit. */
struct saving {
	struct hosted_update *of;
	struct worker_call *call;
	struct changes changes;
	struct store_state_update c;
	struct arena arena;
	struct uuid made;                    /* of the namespace; zero: none */
	bool last;                           /* at the end of the task */
	bool idle;                           /* nothing comes next on the thread */
};

/* ---- the end --------------------------------------------------------------------- */

static void
update_free(struct hosted_update *u)
{
	struct runs *rs = u->rs;

	hosted_lists_release(&u->lists);
	buf_release(&u->members);
	buf_release(&u->ns);
	arena_release(&u->arena);
	free(u);
	runs_busy(rs, -1);
}

static void
reads_refuse(struct hosted_update *u)
{
	struct err e;

	err_set(&e, ERR_CLOSED, "the update has ended");
	while (!list_empty(&u->reads)) {
		struct reading *r = CONTAINER_OF(u->reads.next, struct reading, in);

		list_remove(&r->in);
		worker_call_answer(r->call, ERR_CLOSED, STR_NONE, &e);
		free(r);
	}
}

static void
end(struct hosted_update *u, int rc, const struct err *e, const char *how)
{
	if (u->over)
		return;
	u->over = true;
	workers_withdraw(&u->offer, how);
	shard_timer_cancel(u->rs->shard, &u->timer);
	list_remove(&u->in);
	reads_refuse(u);
	u->done(u->ctx, rc, e, buf_str(&u->ns), &u->made);
	if (u->under_way == 0)
		update_free(u);
}

static void
fail(struct hosted_update *u, int rc, const char *words)
{
	struct err e;

	err_set(&e, rc, "%s", words);
	end(u, rc, &e, "error");
}

/* The worker is gone.  What was put is there. */
static void
gone(struct hosted_update *u)
{
	struct err none = { 0 };

	if (u->whole && u->step + 1 == u->steps_n)
		end(u, OK, &none, "success");
	else if (!uuid_is_zero(&u->made))
		fail(u, ERR_CLOSED, "the worker went before all of the update was made; read "
		    "the state to see how far it came");
	else
		fail(u, ERR_BUSY, "the worker went before the update was made; try again");
}

/* ---- what it gets ---------------------------------------------------------------- */

static struct hosted_from
from_of(const struct hosted_update *u)
{
	return (struct hosted_from){ .reader = u->rs->reader, .owner = u->owner,
	    .thread_seq = u->thread_seq, .now = shard_wall(u->rs->shard) };
}

static void reads_go_on(struct hosted_update *u);

/* A command of the store came back. */
static void
returned(struct hosted_update *u)
{
	assert(u->under_way > 0);
	if (--u->under_way > 0)
		return;
	if (u->over)
		update_free(u);
	else if (u->left)
		gone(u);
	else
		reads_go_on(u);
}

static void
listed(struct store_cmd *cmd)
{
	struct reading *r = CONTAINER_OF(cmd, struct reading, c.cmd);
	struct hosted_update *u = r->of;
	struct buf members = BUF(SIZE_MAX / 2);

	if (cmd->rc == OK)
		hosted_list_write(&r->c, &members);
	worker_call_answer(r->call, cmd->rc, buf_str(&members), &cmd->err);
	buf_release(&members);
	arena_release(&r->arena);
	free(r);
	returned(u);
}

static void
list(struct hosted_update *u, struct reading *r)
{
	struct hosted_from from = from_of(u);
	struct err e;
	int rc;

	r->arena = ARENA(LIMIT_STATE_BYTES);
	rc = hosted_list_read(&r->c, &from, &r->arena, r->call->body, &e);
	if (rc != OK) {
		worker_call_answer(r->call, rc, STR_NONE, &e);
		arena_release(&r->arena);
		free(r);
		return;
	}
	r->c.cmd.op = STORE_SAVER_LIST;
	r->c.cmd.owner = u->owner;
	r->c.cmd.arena = &r->arena;
	r->c.cmd.done = listed;
	u->under_way++;
	(void)store_submit(u->rs->sh->store, u->rs->shard, &r->c.cmd, true);
}

static void
get(struct hosted_update *u, struct reading *r)
{
	struct hosted_from from = from_of(u);
	struct buf members = BUF(SIZE_MAX / 2);
	struct err e;
	int rc = hosted_rows_get(&from, r->call->body, &members, NULL, &e);

	worker_call_answer(r->call, rc, buf_str(&members), &e);
	buf_release(&members);
	free(r);
}

static void
reads_go_on(struct hosted_update *u)
{
	while (!list_empty(&u->reads) && u->under_way == 0) {
		struct reading *r = CONTAINER_OF(u->reads.next, struct reading, in);

		list_remove(&r->in);
		if (r->op == HOSTED_GET)
			get(u, r);
		else
			list(u, r);
	}
}

static void
read_later(struct hosted_update *u, struct worker_call *call, enum hosted_op op)
{
	struct reading *r = mem_new(struct reading);

	r->of = u;
	r->call = call;
	r->op = op;
	list_append(&u->reads, &r->in);
	reads_go_on(u);
}

static void go_on(struct hosted_update *u);

/* ---- what it puts ----------------------------------------------------------------- */

static void
saving_free(struct saving *s)
{
	changes_release(&s->changes);
	arena_release(&s->arena);
	free(s);
}

static void
saved(struct store_cmd *cmd)
{
	struct saving *s = CONTAINER_OF(cmd, struct saving, c.cmd);
	struct hosted_update *u = s->of;
	int rc = cmd->rc;

	if (rc == OK && !uuid_is_zero(&s->made)) {
		u->made = s->made;
		u->whole = true;
	}
	worker_call_answer(s->call, rc, STR_NONE, &cmd->err);
	if (rc == OK && s->last && !u->over && u->step + 1 < u->steps_n)
		go_on(u);
	else if (rc != OK || s->last)
		end(u, rc, &cmd->err, rc == OK ? "success" : "error");
	saving_free(s);
	returned(u);
}

/* These checkpoints have no run, so they name the graph themselves.  What stands at one
 * of the root's before is over. */
static void
own_checkpoints(struct hosted_update *u, struct saving *s)
{
	struct changes *x = &s->changes;

	for (size_t i = 0; i < x->checkpoints_n; i++) {
		struct store_checkpoint_put *p = &x->checkpoints[i];
		struct str parents = scan_find(p->extra_json, S("parents"));
		struct buf b = BUF(LIMIT_METADATA_BYTES);

		json_add_fmt(&b, "{'graph_id':%.*s", FMT(u->offer.name));
		if (parents.n > 0)
			json_add_fmt(&b, ",'parents':%-.*s", FMT(parents));
		buf_add_char(&b, '}');
		p->extra_json = arena_str(&x->arena, buf_str(&b));
		buf_release(&b);
		if (str_eq(p->ns, buf_str(&u->ns)))
			s->made = p->id;
		if (p->ns.n == 0)
			u->head = p->id;
		x->void_moved = true;
	}
}

/* s->changes is filled but for what the store wants; takes s. */
static void
commit(struct hosted_update *u, struct saving *s)
{
	struct uuid head = u->head;
	struct err e;
	int rc;

	own_checkpoints(u, s);
	rc = changes_fill(&s->changes, &s->c.changes, &e);
	if (rc != OK) {
		u->head = head;
		worker_call_answer(s->call, rc, STR_NONE, &e);
		saving_free(s);
		return;
	}
	s->arena = ARENA(LIMIT_STATE_BYTES);
	s->c.cmd = (struct store_cmd){ .op = STORE_STATE_UPDATE, .owner = u->owner,
	    .arena = &s->arena, .done = saved };
	s->c.thread_id = u->thread_id;
	s->c.head = head;
	s->c.status = s->idle ? THREAD_IDLE : -1;
	s->c.now = shard_wall(u->rs->shard);
	u->under_way++;
	(void)store_submit(u->rs->sh->store, u->rs->shard, &s->c.cmd, true);
}

static struct saving *
saving_new(struct hosted_update *u, struct worker_call *call)
{
	struct saving *s = mem_new(struct saving);

	s->of = u;
	s->call = call;
	changes_init(&s->changes);
	return s;
}

static void
put(struct hosted_update *u, struct worker_call *call)
{
	struct saving *s = saving_new(u, call);
	struct hosted_from from = from_of(u);
	struct err e;
	int rc = hosted_rows_take(&s->changes, &from, &u->lists, call->body, &e);

	if (rc == OK) {
		commit(u, s);
		return;
	}
	hosted_lists_forget(&u->lists);
	worker_call_answer(call, rc, STR_NONE, &e);
	saving_free(s);
}

static void
saver(struct hosted_update *u, struct worker_call *call)
{
	struct err e;
	int op = hosted_op(call->body, &e);

	if (op < 0)
		worker_call_answer(call, ERR_INVALID, STR_NONE, &e);
	else if (op == HOSTED_GET || op == HOSTED_LIST)
		read_later(u, call, (enum hosted_op)op);
	else
		put(u, call);
}

/* ---- its end ------------------------------------------------------------------------ */

/* What comes next at the checkpoint, as the worker tells it in `view`. */
static void
add_tasks(struct hosted_update *u, struct changes *x, jnode view)
{
	struct json_iter it = json_each(json_get(view, S("tasks")));
	struct buf b = BUF(LIMIT_STATE_BYTES);

	buf_add_char(&b, '[');
	while (json_next(&it)) {
		jnode path = json_get(it.value, S("path"));
		struct uuid id;

		if (!uuid_parse(json_str(json_get(it.value, S("id"))), &id) ||
		    !json_is_string(json_get(it.value, S("name"))))
			continue;
		json_add_fmt(&b, ",{'id':%p,'name':%p", (void *)json_get(it.value, S("id")),
		    (void *)json_get(it.value, S("name")));
		if (json_is_array(path))
			json_add_fmt(&b, ",'path':%p", (void *)path);
		buf_add_char(&b, '}');
	}
	buf_add_char(&b, ']');
	if (!b.failed)
		changes_tasks(x, &(struct store_checkpoint_tasks){
		    .checkpoint = u->made, .ns = arena_str(&x->arena, buf_str(&u->ns)),
		    .tasks_json = arena_str(&x->arena, buf_str(&b)) });
	buf_release(&b);
}

static void
succeed(struct hosted_update *u, struct worker_call *call)
{
	jnode view = json_get(call->body, S("view"));
	struct saving *s;

	if (!u->whole) {
		struct err e;

		err_set(&e, ERR_INVALID, "status: \"success\", and no checkpoint was put");
		worker_call_answer(call, ERR_INVALID, STR_NONE, &e);
		return;
	}
	s = saving_new(u, call);
	s->last = true;
	s->idle = u->ns.n == 0 && u->step + 1 == u->steps_n && json_is_object(view) &&
	    json_count(json_get(view, S("tasks"))) == 0;
	add_tasks(u, &s->changes, view);
	commit(u, s);
}

static void
finish(struct hosted_update *u, struct worker_call *call)
{
	static const char *const words[] = { "success", "interrupted", "error", NULL };
	struct str message = json_str(json_get(json_get(call->body, S("error")),
	    S("message")));
	int status = -1;
	struct err e, refused;
	int rc = json_get_enum(call->body, "status", "status", words, -1, &status, &e);

	if (rc == OK && status == 0) {
		succeed(u, call);
		return;
	}
	if (rc == OK && status < 0)
		rc = err_set(&e, ERR_INVALID, "status: expected \"success\" or \"error\"");
	err_set(&refused, ERR_INVALID, "%.*s", FMT(message.n > 0 ? message :
	    S("the graph refused the update")));
	worker_call_answer(call, rc, STR_NONE, &e);      /* the body is gone then */
	if (rc == OK)
		end(u, ERR_INVALID, &refused, "error");
}

/* ---- the offer ------------------------------------------------------------------------- */

static struct hosted_update *
of_offer(struct worker_offer *o)
{
	return CONTAINER_OF(o, struct hosted_update, offer);
}

static bool
on_taken(struct worker_offer *o, const struct worker_who *w)
{
	struct hosted_update *u = of_offer(o);

	memcpy(u->prefer, w->worker_id.p, w->worker_id.n < UUID_TEXT ? w->worker_id.n :
	    UUID_TEXT);
	shard_timer_set(u->rs->shard, &u->timer, LIMIT_WORKER_UPDATE_MS);
	return true;
}

static void
on_call(struct worker_offer *o, struct worker_call *call)
{
	struct hosted_update *u = of_offer(o);
	struct err e;

	switch (call->verb) {
	case WORKER_SAVER:
		saver(u, call);
		break;
	case WORKER_END:
		finish(u, call);
		break;
	case WORKER_EVENTS:
		worker_call_answer(call, OK, STR_NONE, NULL);
		break;
	default:
		err_set(&e, ERR_INVALID, "an update of a state has no store");
		worker_call_answer(call, ERR_INVALID, STR_NONE, &e);
	}
}

static void
on_lost(struct worker_offer *o, const char *why)
{
	struct hosted_update *u = of_offer(o);
	struct err e;

	(void)why;
	u->offer.attempt++;
	u->left = u->under_way > 0;
	u->offer.prefer = STR_NONE;
	if (!u->left && (u->whole || u->offer.attempt > OFFERS ||
	    workers_offer(u->rs->desk, &u->offer, &e) != OK))
		gone(u);
}

static const struct worker_hooks hooks = { on_taken, on_call, on_lost };

static void
late(struct wheel_timer *t)
{
	struct hosted_update *u = CONTAINER_OF(t, struct hosted_update, timer);

	if (u->offer.state == WORKER_QUEUED)
		fail(u, ERR_BUSY, "no worker took the update in time; try again");
	else
		fail(u, ERR_TIMEOUT, "the worker did not end the update in time");
}

/* As a run's config, with the checkpoint that is changed. */
static void
write_members(struct hosted_update *u)
{
	struct scan s = scan_of(u->configurable);
	const struct uuid *from = u->step == 0 ? &u->checkpoint : &u->made;
	struct buf *b = &u->members, at = BUF(KB + u->ns.n * 2);
	struct str key, value;
	bool first = true;

	json_add_fmt(&at, "'checkpoint_ns':%.*s", FMT(buf_str(&u->ns)));
	if (!uuid_is_zero(from)) {
		json_add_fmt(&at, ",'checkpoint_id':'");
		uuid_add(&at, from);
		buf_add_char(&at, '"');
	}
	buf_clear(b);
	buf_add_fmt(b, "\"updates\":[%.*s],\"config\":{\"configurable\":{",
	    FMT(u->steps[u->step]));
	if (u->configurable.n > 0 && scan_open(&s, '{'))
		while (scan_member(&s, &first, &key) && scan_value(&s, &value))
			if (!str_starts(key, S("checkpoint_")) && !SCAN_IS(key, "thread_id") &&
			    !SCAN_IS(key, "graph_id"))
				buf_add_fmt(b, "\"%.*s\":%.*s,", FMT(key), FMT(value));
	buf_add_fmt(b, "\"graph_id\":\"%.*s\",\"thread_id\":\"", FMT(u->offer.name));
	uuid_add(b, &u->thread_id);
	buf_add_fmt(b, "\",%.*s}},\"checkpoint\":{%.*s}", FMT(buf_str(&at)), FMT(buf_str(&at)));
	b->failed |= at.failed;
	buf_release(&at);
	u->offer.members = buf_str(b);
}

static int
offer(struct hosted_update *u, struct err *e)
{
	write_members(u);
	u->whole = false;
	u->offer.attempt = 1;
	u->offer.prefer = u->step > 0 ? (struct str){ u->prefer, UUID_TEXT } : STR_NONE;
	if (u->members.failed)
		return err_set(e, ERR_TOOBIG, "the update is too large");
	shard_timer_set(u->rs->shard, &u->timer, LIMIT_WORKER_UPDATE_MS);
	return workers_offer(u->rs->desk, &u->offer, e);
}

/* The next step. */
static void
go_on(struct hosted_update *u)
{
	struct err e;
	int rc;

	workers_withdraw(&u->offer, "success");
	u->left = false;                     /* it may have gone: its step is made */
	u->step++;
	rc = offer(u, &e);
	if (rc != OK)
		end(u, rc, &e, "error");
}

/* Of the text; false: it has none. */
static bool
read_steps(struct hosted_update *u, struct str supersteps)
{
	struct scan s = scan_of(supersteps);
	struct str *steps, step;
	bool first = true;
	size_t n = 0;

	for (scan_open(&s, '['); scan_element(&s, &first) && scan_value(&s, &step);)
		n++;
	steps = arena_alloc(&u->arena, (n + 1) * sizeof *steps);
	s = scan_of(supersteps);
	first = true;
	for (scan_open(&s, '['); steps != NULL && scan_element(&s, &first) &&
	    scan_value(&s, &step);)
		steps[u->steps_n++] = arena_str(&u->arena, step);
	u->steps = steps;
	return u->steps_n > 0 && !u->arena.failed;
}

static void
find_head(struct hosted_update *u)
{
	static const struct uuid none;
	struct arena a = ARENA(LIMIT_STATE_BYTES);
	struct store_state s;

	if (store_state_get(u->rs->reader, u->owner, u->thread_seq, STR_NONE, &none, 0, &a,
	    &s) == OK)
		u->head = s.c.id;
	arena_release(&a);
}

int
hosted_update_begin(struct runs *rs, const struct hosted_update_request *q,
    hosted_updated *done, void *ctx, struct err *e)
{
	struct hosted_update *u;
	int rc;

	if (workers_serving(worker_desk_workers(rs->desk), WORKER_RUN, q->agent->id) == 0)
		return err_set(e, ERR_BUSY, "no worker serves the graph \"%.*s\" now, and its "
		    "code decides what an update means; try again when one does",
		    FMT(q->agent->id));
	u = mem_new(struct hosted_update);
	*u = (struct hosted_update){ .rs = rs, .done = done, .ctx = ctx, .owner = q->owner,
	    .thread_id = q->thread_id, .thread_seq = q->thread_seq, .ns = BUF(64 * KB),
	    .checkpoint = q->checkpoint, .members = BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES),
	    .arena = ARENA(3 * (size_t)LIMIT_HTTP_BODY_BYTES), .timer = { .fire = late },
	    .offer = { .kind = WORKER_STATE_UPDATE, .owner = q->owner,
	    .thread_id = q->thread_id, .hooks = &hooks } };
	list_init(&u->reads);
	list_append(&rs->updates, &u->in);
	runs_busy(rs, 1);
	buf_add(&u->ns, q->ns);
	u->offer.name = arena_str(&u->arena, q->agent->id);
	u->configurable = arena_str(&u->arena, scan_find(q->config_json, S("configurable")));
	find_head(u);
	rc = read_steps(u, q->supersteps) ? offer(u, e) :
	    err_set(e, ERR_TOOBIG, "the update is too large");
	if (rc == OK)
		return OK;
	shard_timer_cancel(rs->shard, &u->timer);
	list_remove(&u->in);
	update_free(u);
	return rc;
}

void
hosted_updates_stop(struct runs *rs)
{
	while (!list_empty(&rs->updates))
		fail(CONTAINER_OF(rs->updates.next, struct hosted_update, in), ERR_BUSY,
		    "the server is stopping");
}
