/*
 * pipe.c - see pipe.h.
 *
 *            opened          end of input, pipe_close          all was sent
 *   COMING ----------> OPEN --------------------------> LAST --------------> CLOSING
 *      | its shard       | error, cut, drain              | error, LAST_MS     | the loop
 *      | drains          '-----------------------------> CLOSING <------------'  let go
 *      v                                                                         v
 *   (freed)                                                                   (freed)
 *
 * COMING: on its way from the shard that accepts to its own.  The end of input is found
 * by reading, so what was sent before it counts; nothing is sent after what waits then.
 *
 * A Unix socket has no SO_REUSEPORT, and a listener that every loop watches wakes all of
 * them for each connection; so the first shard accepts for all.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/pipe.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "base/account.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/files_priv.h"

#define BACKLOG     1024
#define ACCEPTS_MAX 64                       /* in one turn */
#define READ_BYTES  (64 * KB)                /* in one go */
#define READS_MAX   4                        /* of one connection in one turn */
#define OUT_KEPT    (16 * KB)                /* of an empty output buffer */
#define LAST_MS     5000                     /* for the last bytes of a closing one */

#define PIPE_MARK   0x70697065u
#define CONN_MARK   0x70636f6eu

enum conn_state { COMING, OPEN, LAST, CLOSING };

struct pipe_conn {
	unsigned mark;
	enum conn_state state;
	struct pipe_room *room;
	struct list in_room;
	struct shard_job job;                /* COMING: to its shard; then: its turn's end */
	struct wheel_timer last;
	uv_poll_t poll;
	int fd, events;                      /* events: that it is polled for */
	struct buf in, out;
	size_t sent;                         /* of out */
	size_t held_in, held_out;            /* in the accounts */
	bool hold, resumed;                  /* resumed: what was kept is offered again */
	bool lagged;                         /* was over PIPE_LOW */
	bool freed;                          /* when its job has run */
	void *user;
};

/* What is of one shard. */
struct pipe_room {
	struct pipe_server *ps;
	struct shard *shard;                 /* NULL: not attached */
	struct list conns;
	struct buf scratch;
	bool draining, told;
	void (*done)(void *ctx);
	void *done_ctx;
	struct shard_job told_job;
	char apart[64];
};

struct pipe_server {
	unsigned mark;
	struct pipe_options o;
	struct pipe_hooks hooks;
	void *ctx;
	struct sockaddr_un name;
	struct stat made;                    /* the socket's name, as it was made */
	int fd;
	uv_poll_t poll;                      /* of the first shard */
	bool listening, paused;
	struct wheel_timer retry;
	unsigned next;                       /* shard that gets the next one */
	atomic_size_t conns;
	atomic_uint attached;
	struct pipe_room *room;
};

static void
check_conn(const struct pipe_conn *c)
{
	CHECK_MARK(c, CONN_MARK);
	assert(c->sent <= c->out.n && (c->state == CLOSING || c->fd >= 0));
}

/* ---- the end of a connection -------------------------------------------------- */

static void
tell_drained(struct shard_job *job)
{
	struct pipe_room *room = CONTAINER_OF(job, struct pipe_room, told_job);

	room->done(room->done_ctx);
}

static void
check_drained(struct pipe_room *room)
{
	struct pipe_server *ps = room->ps;

	if (!room->draining || room->told || !list_empty(&room->conns) ||
	    (room == ps->room && ps->listening))
		return;
	room->told = true;
	room->told_job.run = tell_drained;
	shard_at_turn_end(room->shard, &room->told_job);
}

static void
uncount(struct pipe_server *ps)
{
	atomic_fetch_sub_explicit(&ps->conns, 1, memory_order_relaxed);
	account_give(&account_files, 1);
}

static void
conn_free(struct pipe_conn *c)
{
	CHECK_END(c);
	buf_release(&c->in);
	buf_release(&c->out);
	free(c);
}

static void
on_closed(uv_handle_t *h)
{
	struct pipe_conn *c = h->data;
	struct pipe_room *room = c->room;

	check_conn(c);
	close(c->fd);
	list_remove(&c->in_room);
	uncount(room->ps);
	c->freed = true;
	if (c->job.next == NULL)
		conn_free(c);                /* else its turn's end does */
	check_drained(room);
}

static void
conn_end(struct pipe_conn *c)
{
	check_conn(c);
	if (c->state == CLOSING)
		return;
	c->state = CLOSING;
	shard_timer_cancel(c->room->shard, &c->last);
	account_give(&account_bodies, c->held_in);
	account_give(&account_output, c->held_out);
	c->held_in = c->held_out = 0;
	c->room->ps->hooks.closed(c->user);
	uv_close((uv_handle_t *)&c->poll, on_closed);
}

static void
on_last(struct wheel_timer *t)
{
	conn_end(CONTAINER_OF(t, struct pipe_conn, last));
}

static void
conn_cut(struct pipe_conn *c, const char *why)
{
	log_info("net", "pipe_cut", "unread=%zu unsent=%zu reason=%s", c->in.n,
	    c->out.n - c->sent, why);
	conn_end(c);
}

/* ---- out ---------------------------------------------------------------------- */

static void on_event(uv_poll_t *poll, int status, int events);

static void
conn_watch(struct pipe_conn *c)
{
	int events = c->state == OPEN && !c->hold ? UV_READABLE : 0;

	if (c->out.n > c->sent)
		events |= UV_WRITABLE;
	if (events == c->events || c->state == CLOSING)
		return;
	c->events = events;
	uv_poll_start(&c->poll, events, on_event);
}

static void
hold_out(struct pipe_conn *c)
{
	size_t n = c->out.n - c->sent;

	if (n > c->held_out)
		account_charge(&account_output, n - c->held_out);
	else
		account_give(&account_output, c->held_out - n);
	c->held_out = n;
}

static void
conn_sent(struct pipe_conn *c)
{
	c->sent = 0;
	buf_clear(&c->out);
	if (c->out.cap > OUT_KEPT)
		buf_release(&c->out);
	if (c->state == LAST) {
		conn_end(c);
	} else if (c->lagged) {
		c->lagged = false;
		if (c->room->ps->hooks.sent != NULL)
			c->room->ps->hooks.sent(c->user);
	}
}

static void
conn_flush(struct pipe_conn *c)
{
	while (c->sent < c->out.n) {
		ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			conn_end(c);
			return;
		}
		if (n < 0)
			break;
		c->sent += (size_t)n;
	}
	hold_out(c);
	if (c->sent == c->out.n)
		conn_sent(c);
	else if (c->out.n - c->sent > c->room->ps->o.out_max)
		conn_cut(c, "slow reader");
	else if (c->sent > c->out.n / 2) {
		buf_drop_front(&c->out, c->sent);
		c->sent = 0;
	}
	conn_watch(c);
}

void
pipe_write(struct pipe_conn *c, struct str bytes)
{
	check_conn(c);
	if (c->state != OPEN)
		return;
	buf_add(&c->out, bytes);
	c->lagged |= c->out.n - c->sent > PIPE_LOW;
	shard_at_turn_end(c->room->shard, &c->job);
}

size_t
pipe_unsent(const struct pipe_conn *c)
{
	return c->out.n - c->sent;
}

/* ---- in ----------------------------------------------------------------------- */

/* Offers what has come; what was not taken stays in c->in. */
static size_t
offer(struct pipe_conn *c, struct str in)
{
	size_t at = 0, n = 1;

	while (c->state == OPEN && !c->hold && n > 0 && at < in.n) {
		n = c->room->ps->hooks.bytes(c->user, str_sub(in, at, in.n));
		assert(n <= in.n - at);
		at += n;
	}
	return at;
}

static void
hold_in(struct pipe_conn *c)
{
	bool room = true;

	if (c->in.n > c->held_in)
		room = account_take(&account_bodies, c->in.n - c->held_in);
	else
		account_give(&account_bodies, c->held_in - c->in.n);
	if (room)
		c->held_in = c->in.n;
	else
		conn_cut(c, "too much is being read");
}

static void
take_in(struct pipe_conn *c, struct str came)
{
	size_t n;

	if (c->in.n > 0) {
		buf_add(&c->in, came);
		n = offer(c, buf_str(&c->in));
		buf_drop_front(&c->in, n);
	} else {
		n = offer(c, came);
		buf_add(&c->in, str_sub(came, n, came.n));
	}
	if (c->in.n == 0 && c->in.cap > 0)
		buf_release(&c->in);
	if (c->state == OPEN && (c->in.n > 0 || c->held_in > 0))
		hold_in(c);
	if (c->state == OPEN && (c->in.failed || c->in.n > c->room->ps->o.in_max))
		conn_cut(c, "a message without end");
}

static void
conn_read(struct pipe_conn *c)
{
	struct buf *scratch = &c->room->scratch;

	for (int i = 0; i < READS_MAX && c->state == OPEN && !c->hold; i++) {
		char *at = buf_room(scratch, READ_BYTES);
		ssize_t n = recv(c->fd, at, READ_BYTES, MSG_DONTWAIT);

		if (n == 0)
			pipe_close(c);
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			conn_end(c);
		if (n <= 0)
			return;
		take_in(c, (struct str){ at, (size_t)n });
		if ((size_t)n < READ_BYTES)
			return;
	}
}

static void
on_event(uv_poll_t *poll, int status, int events)
{
	struct pipe_conn *c = poll->data;
	struct shard *s = c->room->shard;

	check_conn(c);
	if (c->state == CLOSING)
		return;
	if (status < 0)
		conn_end(c);
	else if (events & UV_READABLE)
		conn_read(c);
	if (c->state != CLOSING && events & UV_WRITABLE)
		conn_flush(c);
	shard_event_done(s);
}

static void
conn_turn(struct shard_job *job)
{
	struct pipe_conn *c = CONTAINER_OF(job, struct pipe_conn, job);

	if (c->freed) {
		conn_free(c);
		return;
	}
	check_conn(c);
	if (c->resumed && c->state == OPEN) {
		c->resumed = false;
		take_in(c, STR_NONE);
	}
	if (c->state != CLOSING)
		conn_flush(c);
}

void
pipe_hold(struct pipe_conn *c, bool on)
{
	check_conn(c);
	if (c->state != OPEN || c->hold == on)
		return;
	c->hold = on;
	c->resumed = !on && c->in.n > 0;
	shard_at_turn_end(c->room->shard, &c->job);
}

void
pipe_close(struct pipe_conn *c)
{
	check_conn(c);
	if (c->state != OPEN)
		return;
	c->state = LAST;
	shard_timer_set(c->room->shard, &c->last, LAST_MS);
	shard_at_turn_end(c->room->shard, &c->job);
}

struct shard *
pipe_shard(const struct pipe_conn *c)
{
	return c->room->shard;
}

/* ---- a new connection ---------------------------------------------------------- */

/* Nobody is told. */
static void
conn_drop(struct pipe_conn *c)
{
	close(c->fd);
	uncount(c->room->ps);
	conn_free(c);
}

static void
conn_open(struct shard_job *job)
{
	struct pipe_conn *c = CONTAINER_OF(job, struct pipe_conn, job);
	struct pipe_room *room = c->room;

	check_conn(c);
	if (room->draining || uv_poll_init(shard_loop(room->shard), &c->poll, c->fd) != 0) {
		conn_drop(c);
		return;
	}
	c->poll.data = c;
	c->job.run = conn_turn;
	c->state = OPEN;
	list_append(&room->conns, &c->in_room);
	c->user = room->ps->hooks.opened(room->ps->ctx, c);
	conn_watch(c);
}

static void
conn_new(struct pipe_server *ps, int fd)
{
	struct pipe_conn *c = mem_new(struct pipe_conn);

	c->mark = CONN_MARK;
	c->fd = fd;
	c->room = &ps->room[ps->next++ % ps->o.shards];
	c->in = BUF(ps->o.in_max + READ_BYTES);
	c->out = BUF(SIZE_MAX / 2);          /* out_max cuts it at the turn's end */
	c->job.run = conn_open;
	c->last.fire = on_last;
	shard_post(c->room->shard, &c->job);
}

static bool
is_welcome(int fd)
{
	struct ucred u;
	socklen_t size = sizeof u;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &size) == 0 &&
	    (u.uid == geteuid() || u.uid == 0);
}

static bool
count_one(struct pipe_server *ps, enum files_rank *lacks)
{
	*lacks = FILES_CLIENTS;
	if (atomic_fetch_add_explicit(&ps->conns, 1, memory_order_relaxed) <
	    ps->o.conns_max) {
		if (account_take(&account_files, 1))
			return true;
		*lacks = FILES_MODELS;
	}
	atomic_fetch_sub_explicit(&ps->conns, 1, memory_order_relaxed);
	return false;
}

static void
accept_pause(struct pipe_server *ps, enum files_rank lacks)
{
	files_ask(lacks);
	ps->paused = true;
	uv_poll_stop(&ps->poll);
	shard_timer_set(ps->room->shard, &ps->retry, FILES_RETRY_MS);
}

/* The loop looks at it again while more wait; see http_server.c. */
static void
on_connection(uv_poll_t *poll, int status, int events)
{
	struct pipe_server *ps = poll->data;
	enum files_rank lacks = FILES_MODELS;

	CHECK_MARK(ps, PIPE_MARK);
	(void)status, (void)events;
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		int fd;

		if (!count_one(ps, &lacks)) {
			accept_pause(ps, lacks);
			return;
		}
		fd = accept4(ps->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0 && is_welcome(fd)) {
			conn_new(ps, fd);
			continue;
		}
		if (fd >= 0)
			close(fd);
		uncount(ps);
		if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			accept_pause(ps, FILES_MODELS);
		if (fd < 0)
			return;
	}
}

static void
on_retry(struct wheel_timer *t)
{
	struct pipe_server *ps = CONTAINER_OF(t, struct pipe_server, retry);

	ps->paused = false;
	uv_poll_start(&ps->poll, UV_READABLE, on_connection);
}

/* ---- life ---------------------------------------------------------------------- */

/* A name that is left over from a server that is gone may be taken. */
static int
check_free(const struct pipe_server *ps, struct err *e)
{
	const char *path = ps->name.sun_path;
	struct stat st;
	int fd, rc = OK;

	if (lstat(path, &st) != 0)
		return OK;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_INVALID, "%s is not a socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&ps->name, sizeof ps->name) == 0)
		rc = err_set(e, ERR_BUSY, "%s: another server listens there", path);
	else
		unlink(path);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Nobody can connect before it listens, and by then its mode is right: bind gives the
 * name the mode of the socket. */
static int
open_socket(struct pipe_server *ps, struct err *e)
{
	ps->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ps->fd < 0 || fchmod(ps->fd, 0600) != 0 ||
	    bind(ps->fd, (const struct sockaddr *)&ps->name, sizeof ps->name) != 0 ||
	    listen(ps->fd, BACKLOG) != 0 || lstat(ps->name.sun_path, &ps->made) != 0)
		return err_set(e, ERR_IO, "%s: %s", ps->name.sun_path, strerror(errno));
	account_charge(&account_files, 1);
	return OK;
}

int
pipe_server_new(struct pipe_server **out, const struct pipe_options *o,
    const struct pipe_hooks *hooks, void *ctx, struct err *e)
{
	struct pipe_server *ps = mem_new(struct pipe_server);
	struct str path = str_of(o->path);
	int rc = OK;

	*out = NULL;
	*ps = (struct pipe_server){ .mark = PIPE_MARK, .o = *o, .hooks = *hooks,
	    .ctx = ctx, .fd = -1, .name.sun_family = AF_UNIX, .retry.fire = on_retry };
	assert(o->shards > 0 && hooks->opened != NULL && hooks->bytes != NULL &&
	    hooks->closed != NULL);
	ps->room = mem_zero(o->shards * sizeof *ps->room);
	if (path.n >= sizeof ps->name.sun_path)
		rc = err_set(e, ERR_INVALID, "%s: expected at most %zu bytes, got %zu",
		    o->path, sizeof ps->name.sun_path - 1, path.n);
	else
		memcpy(ps->name.sun_path, path.p, path.n);
	if (rc == OK)
		rc = check_free(ps, e);
	if (rc == OK)
		rc = open_socket(ps, e);
	if (rc == OK)
		*out = ps;
	else
		pipe_server_free(ps);
	return rc;
}

/* On the first shard, when all are there. */
static void
begin(struct shard_job *job)
{
	struct pipe_server *ps = CONTAINER_OF(job, struct pipe_room, told_job)->ps;

	if (ps->room->draining || uv_poll_init(shard_loop(ps->room->shard), &ps->poll, ps->fd) != 0)
		return;
	ps->poll.data = ps;
	ps->listening = true;
	uv_poll_start(&ps->poll, UV_READABLE, on_connection);
}

void
pipe_server_attach(struct pipe_server *ps, struct shard *s)
{
	struct pipe_room *room = &ps->room[shard_id(s)];

	CHECK_MARK(ps, PIPE_MARK);
	assert(shard_id(s) < ps->o.shards && room->shard == NULL);
	room->ps = ps;
	room->shard = s;
	list_init(&room->conns);
	room->scratch = BUF(READ_BYTES);
	if (atomic_fetch_add_explicit(&ps->attached, 1, memory_order_acq_rel) + 1 ==
	    ps->o.shards) {
		ps->room->told_job.run = begin;
		shard_post(ps->room->shard, &ps->room->told_job);
	}
}

static void
on_listener_closed(uv_handle_t *h)
{
	struct pipe_server *ps = h->data;

	ps->listening = false;
	check_drained(ps->room);
}

void
pipe_server_drain(struct pipe_server *ps, struct shard *s, void (*done)(void *ctx), void *ctx)
{
	struct pipe_room *room = &ps->room[shard_id(s)];
	struct list *i, *next;

	CHECK_MARK(ps, PIPE_MARK);
	if (room->shard == NULL) {           /* the start failed before */
		done(ctx);
		return;
	}
	assert(room->shard == s && !room->draining);
	room->draining = true;
	room->done = done;
	room->done_ctx = ctx;
	if (room == ps->room && ps->listening) {
		shard_timer_cancel(s, &ps->retry);
		uv_close((uv_handle_t *)&ps->poll, on_listener_closed);
	}
	for (i = room->conns.next; i != &room->conns; i = next) {
		next = i->next;
		pipe_close(CONTAINER_OF(i, struct pipe_conn, in_room));
	}
	check_drained(room);
}

/* The name is removed if it is still that of this server. */
void
pipe_server_free(struct pipe_server *ps)
{
	struct stat st;

	if (ps == NULL)
		return;
	CHECK_MARK(ps, PIPE_MARK);
	if (ps->made.st_ino != 0) {
		account_give(&account_files, 1);
		if (lstat(ps->name.sun_path, &st) == 0 && st.st_ino == ps->made.st_ino &&
		    st.st_dev == ps->made.st_dev)
			unlink(ps->name.sun_path);
	}
	if (ps->fd >= 0)
		close(ps->fd);
	for (unsigned i = 0; i < ps->o.shards; i++)
		buf_release(&ps->room[i].scratch);
	CHECK_END(ps);
	free(ps->room);
	free(ps);
}
