/*
 * guest.c - see guest.h.
 *
 * An operation that only reads is first tried on the reader thread.  If it has to
 * write, because a lease is due, it comes back with ERR_AGAIN and goes to the
 * writer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/host/guest.h"

#include <assert.h>
#include <pthread.h>

#include "base/mem.h"
#include "work/operation.h"

#define NAME    "work"                       /* of the guest */
#define BUCKETS 1024                         /* of listeners, by project */

struct work_board {
	struct store_guest guest;
	pthread_mutex_t lock;                /* of the lists */
	struct work_listener *listeners[BUCKETS];
};

/* What is kept for one connection. */
struct seat {
	struct work *work;
	struct buf data;
};

/* ---- projects ---------------------------------------------------------------- */

int
work_name_check(const char *what, struct str s, size_t max, struct err *e)
{
	if (s.n > max)
		return err_set(e, ERR_INVALID, "%s: longer than %zu bytes", what, max);
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return err_set(e, ERR_INVALID,
			    "%s: expected no control characters", what);
	return str_is_utf8(s) ? OK : err_set(e, ERR_INVALID, "%s: expected UTF-8", what);
}

int
work_project_check(struct str project, struct err *e)
{
	if (project.n == 0)
		return err_set(e, ERR_INVALID, "project: expected a name, got an empty "
		    "string");
	return work_name_check("project", project, LIMIT_WORK_PROJECT_BYTES, e);
}

/* ---- running ------------------------------------------------------------------ */

static void *
seat_open(const struct db *on)
{
	struct seat *s = mem_new(struct seat);

	s->work = work_new(on);
	s->data = BUF(LIMIT_WORK_MEMORY_BYTES);
	return s;
}

static void
seat_close(void *state)
{
	struct seat *s = state;

	work_free(s->work);
	buf_release(&s->data);
	free(s);
}

/* A read does not make the tracker. */
static int
tracker_of(struct seat *s, struct work_cmd *c, struct work_call *call, bool writing,
    bool *made)
{
	int rc = work_tracker_find(s->work, c->cmd.owner, c->project, &call->tracker,
	    &c->cmd.err);

	*made = rc == ERR_NOTFOUND && writing;
	if (*made)
		return work_tracker_make(s->work, c->cmd.owner, c->project,
		    call->prefix, c->now, &call->tracker, &c->cmd.err);
	if (rc == ERR_NOTFOUND)
		call->tracker = WORK_TRACKER_NONE;
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
events_run(struct seat *s, struct work_cmd *c)
{
	int64_t tracker;
	int rc = work_tracker_find(s->work, c->cmd.owner, c->project, &tracker,
	    &c->cmd.err);

	c->last = c->after < 0 ? 0 : c->after;
	if (rc == ERR_NOTFOUND)
		return OK;                   /* nothing has happened there yet */
	if (rc == OK && c->after < 0)
		c->last = work_event_last(s->work, tracker);
	else if (rc == OK)
		rc = work_events(s->work, tracker, c->after, LIMIT_WORK_EVENTS,
		    &s->data, &c->last);
	return rc;
}

static int
tick(void *ctx, size_t done, size_t total)
{
	const struct work_cmd *c = ctx;

	(void)done, (void)total;
	return c->deadline != 0 && clock_mono() >= c->deadline ? ERR_TIMEOUT : OK;
}

static int
operation_run(struct seat *s, struct work_cmd *c, jnode args, bool writing)
{
	struct work_call call = { .operation = c->operation, .args = args,
	    .actor = c->actor, .now = c->now, .once = c->once, .tick = tick,
	    .tick_ctx = c, .data = &s->data };
	char text[LIMIT_WORK_PREFIX_BYTES];
	int rc = tick(c, 0, 0);
	bool made;

	call.prefix = prefix_from(c->project, text, sizeof text);
	if (rc != OK)
		return err_set(&c->cmd.err, rc, "timed out before it began; nothing "
		    "was changed");
	rc = tracker_of(s, c, &call, writing, &made);
	if (rc != OK)
		return rc;
	if (!writing && work_writes(s->work, &call))
		return ERR_AGAIN;
	rc = work_run(s->work, &call);
	c->cmd.err = call.err;
	c->cmd.undone = work_call_undoes(&call);
	if (rc != OK && made)                /* for nothing */
		work_tracker_drop(s->work, call.tracker);
	return rc;
}

static int
seat_run(void *state, struct store_cmd *cmd)
{
	struct work_cmd *c = CONTAINER_OF(cmd, struct work_cmd, cmd);
	struct seat *s = state;
	struct json_doc d = { 0 };
	int rc = OK;

	buf_clear(&s->data);
	s->data.failed = false;
	c->data = STR_NONE;
	if (c->operation.n == 0) {
		rc = events_run(s, c);
	} else {
		if (c->args_json.n > 0)
			rc = json_parse(&d, c->args_json, &cmd->err);
		if (rc == OK)
			rc = operation_run(s, c, d.root, cmd->op == STORE_GUEST_WRITE);
		json_release(&d);
	}
	if (s->data.n > 0) {
		c->data = arena_str(cmd->arena, buf_str(&s->data));
		if (c->data.p == NULL && rc == OK) {
			rc = err_set(&cmd->err, ERR_TOOBIG, "the answer is too large");
			cmd->undone = false;
		}
	}
	return rc;
}

static int
seat_erase(void *state, owner_t owner)
{
	return work_owner_erase(((struct seat *)state)->work, owner);
}

static size_t
seat_bytes(const struct store_cmd *cmd)
{
	const struct work_cmd *c = CONTAINER_OF(cmd, const struct work_cmd, cmd);

	return c->project.n + c->operation.n + c->args_json.n + c->actor.n + c->once.n;
}

/* ---- on the way ----------------------------------------------------------------- */

static struct work_listener **
bucket_of(struct work_board *b, owner_t owner, struct str project)
{
	uint64_t h = str_hash_keyed(project) + (uint64_t)owner * 0x9e3779b97f4a7c15u;

	return &b->listeners[(h ^ h >> 32) % BUCKETS];
}

static void
board_tell(struct work_board *b, owner_t owner, struct str project)
{
	pthread_mutex_lock(&b->lock);
	for (struct work_listener *l = *bucket_of(b, owner, project); l != NULL;
	    l = l->next) {
		if (l->told || l->owner != owner || !str_eq(l->project, project))
			continue;
		l->told = true;
		shard_post(l->shard, &l->job);
	}
	pthread_mutex_unlock(&b->lock);
}

/* Back on the shard that asked, after the commit. */
static void
returned(struct store_cmd *cmd)
{
	struct work_cmd *c = CONTAINER_OF(cmd, struct work_cmd, cmd);

	if (cmd->op == STORE_GUEST_READ && cmd->rc == ERR_AGAIN) {
		cmd->op = STORE_GUEST_WRITE;
		if (store_submit(c->store, cmd->shard, cmd, false) == OK)
			return;
		cmd->rc = err_set(&cmd->err, ERR_BUSY, "%s", rc_text(ERR_BUSY));
	} else if (cmd->op == STORE_GUEST_WRITE) {
		board_tell(c->board, cmd->owner, c->project);
	}
	c->done(cmd);
}

static bool
may_only_read(const struct work_cmd *c)
{
	const struct operation *op = work_operation_find(c->operation);

	return op == NULL ||                 /* events, or it will be refused */
	    ((op->flags & OP_WRITES) == 0 && c->once.n == 0);
}

static struct work_board *
board_of(struct store *st)
{
	const struct store_guest *g = store_guest(store_guest_home(st, NAME), NAME);

	assert(g != NULL && g->run == seat_run);
	return CONTAINER_OF(g, struct work_board, guest);
}

int
work_submit(struct store *st, struct shard *s, struct work_cmd *c)
{
	assert(c->project.n > 0 && (c->operation.n == 0 || c->actor.n > 0));
	c->board = board_of(st);
	c->store = store_guest_home(st, NAME);
	c->done = c->cmd.done;
	c->cmd.done = returned;
	c->cmd.guest = &c->board->guest;
	c->cmd.op = may_only_read(c) ? STORE_GUEST_READ : STORE_GUEST_WRITE;
	return store_submit(c->store, s, &c->cmd, false);
}

/* ---- the board ------------------------------------------------------------------- */

struct work_board *
work_board_new(void)
{
	struct work_board *b = mem_new(struct work_board);

	b->guest = (struct store_guest){ .name = NAME,
	    .format = &work_format, .open = seat_open, .close = seat_close, .run = seat_run,
	    .bytes = seat_bytes, .erase = seat_erase };
	pthread_mutex_init(&b->lock, NULL);
	return b;
}

void
work_board_free(struct work_board *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		assert(b->listeners[i] == NULL);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

const struct store_guest *
work_board_guest(const struct work_board *b)
{
	return &b->guest;
}

void
work_listen(struct store *st, struct work_listener *l)
{
	struct work_board *b = board_of(st);
	struct work_listener **first = bucket_of(b, l->owner, l->project);

	assert(l->shard != NULL && l->job.run != NULL && l->project.n > 0);
	pthread_mutex_lock(&b->lock);
	l->told = false;
	l->prev = NULL;
	l->next = *first;
	if (l->next != NULL)
		l->next->prev = l;
	*first = l;
	pthread_mutex_unlock(&b->lock);
}

void
work_listen_again(struct store *st, struct work_listener *l)
{
	struct work_board *b = board_of(st);

	pthread_mutex_lock(&b->lock);
	l->told = false;
	pthread_mutex_unlock(&b->lock);
}

bool
work_unlisten(struct store *st, struct work_listener *l)
{
	struct work_board *b = board_of(st);
	bool told;

	pthread_mutex_lock(&b->lock);
	if (l->prev != NULL)
		l->prev->next = l->next;
	else
		*bucket_of(b, l->owner, l->project) = l->next;
	if (l->next != NULL)
		l->next->prev = l->prev;
	told = l->told;
	pthread_mutex_unlock(&b->lock);
	return told;
}
