/*
 * rpc.c - the server's end of rpc.h.
 *
 * A connection with a whole line is in the list of the ready ones; rpc_next
 * takes one line of the first and puts it last.  Files are level-triggered and
 * read once a round; a reader that lags (over OUT_SOFT unsent) gets none of
 * its further lines run, and one that sends far ahead (over IN_SOFT with a
 * whole line) is not read, so that its own writes wait.
 *
 * Before it sleeps the server looks a while for more, if the last time that
 * found something; after a failure it does not for the next 2, 4, 8.. sleeps.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "rpc/rpc_priv.h"

#define READ_BYTES   (16 * KB)
#define READ_MAX     (1 * MB)                /* of one connection in one round */
#define KEEP_BYTES   (64 * KB)               /* buffers of the idle */
#define IN_SOFT      (1 * MB)
#define OUT_SOFT     (4 * MB)
#define EVENTS       64
#define SPIN         (25 * NS_PER_MS / 1000)
#define SPIN_SKIP    64
#define HOT_ROUNDS   16                      /* between two looks at the others */

/* ---- one connection ---------------------------------------------------------- */

static bool
is_ahead(const struct rpc_conn *c)
{
	return c->line_end != 0 && c->in.n - c->at > IN_SOFT && !c->too_long;
}

static void
conn_count(struct rpc_conn *c)
{
	size_t held = c->fd < 0 ? 0 : c->in.cap + c->out.cap;

	c->r->held += held - c->held;
	c->held = held;
}

static void
conn_arm(struct rpc_conn *c)
{
	struct epoll_event ev = { .data.ptr = c };

	conn_count(c);
	if (c->fd < 0)
		return;
	if (c->r->reading && !c->eof && !is_ahead(c))
		ev.events |= EPOLLIN;
	if (c->sent < c->out.n)
		ev.events |= EPOLLOUT;
	if (ev.events == c->armed)
		return;
	epoll_ctl(c->r->epoll, EPOLL_CTL_MOD, c->fd, &ev);
	c->armed = ev.events;
}

static void
conn_close(struct rpc_conn *c)
{
	struct rpc *r = c->r;

	if (c->fd < 0)
		return;
	close(c->fd);
	c->fd = -1;
	conn_count(c);
	c->line_end = 0;
	r->conns--;
	if (r->hot == c)
		r->hot = NULL;
	list_remove(&c->all);
	list_append(&r->dead, &c->all);
	rpc_accept_again(r);
}

static void
conn_free(struct rpc_conn *c)
{
	rpc_check_conn(c);
	assert(c->fd < 0);
	list_remove(&c->all);
	if (c->r->o.closed != NULL)
		c->r->o.closed(c->r->o.ctx, c);
	CHECK_END(c);
	buf_release(&c->in);
	buf_release(&c->out);
	free(c);
}

/* Frees what is dead, in no list and held by nobody. */
static void
bury(struct rpc *r)
{
	for (struct list *i = r->dead.next, *next; i != &r->dead; i = next) {
		struct rpc_conn *c = rpc_conn_of(i);

		next = i->next;
		if (c->refs == 0 && !c->ready && !c->dirty)
			conn_free(c);
	}
}

/* ---- lines ---------------------------------------------------------------------- */

static void
make_ready(struct rpc_conn *c)
{
	struct rpc *r = c->r;

	if (c->ready || c->told || c->fd < 0 || rpc_is_behind(c) ||
	    (c->line_end == 0 && !c->too_long))
		return;
	c->ready = true;
	c->next_ready = NULL;
	*r->ready_end = c;
	r->ready_end = &c->next_ready;
}

/* Finds the end of the next line, over empty ones. */
static void
find_line(struct rpc_conn *c)
{
	c->line_end = 0;
	while (c->in.n > c->scanned) {
		const char *end = memchr(c->in.p + c->scanned, '\n',
		    c->in.n - c->scanned);

		if (end == NULL) {
			c->scanned = c->in.n;
			break;
		}
		c->scanned = (size_t)(end - c->in.p) + 1;
		if (c->scanned - c->at > 1) {
			c->line_end = c->scanned - 1;
			break;
		}
		c->at = c->scanned;
	}
	c->too_long = (c->line_end == 0 ? c->in.n : c->line_end) - c->at >
	    c->r->o.line_max;
}

static void
in_compact(struct rpc_conn *c)
{
	if (c->at == c->in.n) {
		if (c->in.cap > KEEP_BYTES)
			buf_release(&c->in);
		buf_clear(&c->in);
		c->scanned = 0;
	} else if (c->at >= c->in.n - c->at) {       /* so each byte moves once */
		buf_drop_front(&c->in, c->at);
		c->scanned -= c->at;
		c->line_end -= c->line_end != 0 ? c->at : 0;
	} else {
		return;
	}
	c->at = 0;
}

/* The rest of a line that is too long is heard out, so that its sender comes
 * to read why it was refused; but not for ever. */
static void
skip_rest(struct rpc_conn *c)
{
	char waste[READ_BYTES];
	ssize_t n = recv(c->fd, waste, sizeof waste, MSG_DONTWAIT);

	if (n > 0)
		c->skipped += (size_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
	    (n > 0 && memchr(waste, '\n', (size_t)n) != NULL) ||
	    c->skipped > c->r->o.line_max) {
		if (c->told && c->sent == c->out.n)
			conn_close(c);
		else
			c->eof = c->hangup = true;
		conn_arm(c);
	}
}

/* Returns whether something came, also an end. */
static bool
conn_read(struct rpc_conn *c)
{
	size_t got = 0, room = c->in.n - c->at > READ_BYTES ? 4 * KEEP_BYTES :
	    READ_BYTES;
	ssize_t n;

	rpc_check_conn(c);
	if (c->fd < 0 || c->eof || is_ahead(c))
		return false;
	if (c->too_long) {
		skip_rest(c);
		return true;
	}
	in_compact(c);
	do {
		char *to = buf_room(&c->in, room);

		assert(to != NULL);          /* see conn_new */
		n = recv(c->fd, to, room, MSG_DONTWAIT);
		if (n <= 0)
			break;
		buf_added(&c->in, (size_t)n);
		got += (size_t)n;
	} while ((size_t)n == room && got + room <= READ_MAX);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		conn_close(c);
		return true;
	}
	c->eof = n == 0;
	if (c->line_end == 0)
		find_line(c);
	make_ready(c);
	if (c->eof && c->line_end == 0 && c->sent == c->out.n && c->refs == 0)
		conn_close(c);               /* half closed, and nothing to answer */
	conn_arm(c);
	return got > 0 || c->eof;
}

bool
rpc_next(struct rpc *r, struct rpc_conn **out, struct str *line)
{
	rpc_check(r);
	while (r->ready != NULL) {
		struct rpc_conn *c = r->ready;

		r->ready = c->next_ready;
		if (r->ready == NULL)
			r->ready_end = &r->ready;
		c->ready = false;
		if (c->fd < 0 || c->told || rpc_is_behind(c))
			continue;
		*out = r->hot = c;
		r->busy = true;
		if (c->too_long) {
			c->told = true;
			c->hangup = c->line_end != 0;
			buf_release(&c->in);
			c->at = c->scanned = c->line_end = 0;
			*line = STR_NONE;
			return true;
		}
		*line = (struct str){ c->in.p + c->at, c->line_end - c->at };
		c->at = c->line_end + 1;
		find_line(c);
		make_ready(c);
		conn_arm(c);
		return true;
	}
	return false;
}

/* ---- answers ---------------------------------------------------------------------- */

/* It is in the list of those to send, so nobody need say when an answer is
 * complete; the next rpc_wait comes after that. */
struct buf *
rpc_out(struct rpc_conn *c)
{
	rpc_check_conn(c);
	if (!c->dirty) {
		c->dirty = true;
		c->next_dirty = c->r->dirty;
		c->r->dirty = c;
	}
	return &c->out;
}

static void
conn_send(struct rpc_conn *c)
{
	ssize_t n = 0;

	rpc_check_conn(c);
	if (c->fd < 0)
		return;
	if (c->out.failed) {
		log_warn("rpc", "slow_reader", "unsent=%zu", c->out.n - c->sent);
		conn_close(c);
		return;
	}
	while (c->sent < c->out.n) {
		n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			break;
		c->sent += (size_t)n;
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		conn_close(c);
		return;
	}
	if (c->sent == c->out.n) {
		if (c->out.cap > KEEP_BYTES)
			buf_release(&c->out);
		buf_clear(&c->out);
		c->sent = 0;
		if (c->hangup || (c->eof && c->line_end == 0 && c->refs == 0)) {
			conn_close(c);
			return;
		}
	} else if (c->sent >= c->out.n - c->sent) {
		buf_drop_front(&c->out, c->sent);
		c->sent = 0;
	}
	make_ready(c);
	conn_arm(c);
}

static void
send_all(struct rpc *r)
{
	while (r->dirty != NULL) {
		struct rpc_conn *c = r->dirty;

		r->dirty = c->next_dirty;
		c->dirty = false;
		conn_send(c);
	}
}

/* Its memory goes at once, also while it is held. */
static void
conn_cut_off(struct rpc_conn *c)
{
	conn_close(c);
	buf_release(&c->in);
	buf_release(&c->out);
	c->at = c->scanned = c->sent = 0;
}

/* Closes the largest connection, so that the process and the others live. */
static void
relieve(struct rpc *r)
{
	struct rpc_conn *largest = rpc_conn_of(r->all.next);

	for (struct list *i = r->all.next; i != &r->all; i = i->next)
		if (rpc_conn_of(i)->held > largest->held)
			largest = rpc_conn_of(i);
	log_warn("rpc", "memory", "held=%zu largest=%zu", r->held, largest->held);
	conn_cut_off(largest);
}

size_t
rpc_unsent(const struct rpc_conn *c)
{
	return c->out.n - c->sent;
}

bool
rpc_is_behind(const struct rpc_conn *c)
{
	return c->out.n - c->sent > OUT_SOFT;
}

void
rpc_hang_up(struct rpc_conn *c)
{
	rpc_check_conn(c);
	log_warn("rpc", "slow_reader", "unsent=%zu", c->out.n - c->sent);
	conn_cut_off(c);
}

bool
rpc_gone(const struct rpc_conn *c)
{
	return c->fd < 0;
}

void
rpc_hold(struct rpc_conn *c)
{
	rpc_check_conn(c);
	c->refs++;
}

/* The last holder has answered: a half-closed connection can be closed. */
void
rpc_drop(struct rpc_conn *c)
{
	rpc_check_conn(c);
	assert(c->refs > 0);
	if (--c->refs == 0 && c->eof)
		rpc_out(c);
}

void
rpc_set_user(struct rpc_conn *c, void *user)
{
	rpc_check_conn(c);
	c->user = user;
}

void *
rpc_user(const struct rpc_conn *c)
{
	return c->user;
}

int64_t
rpc_peer_uid(const struct rpc_conn *c)
{
	return rpc_uid(c->fd);
}

/* ---- life ----------------------------------------------------------------------- */

void
rpc_conn_new(struct rpc *r, int fd)
{
	struct rpc_conn *c = mem_new(struct rpc_conn);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

	c->mark = CONN_MARK;
	c->r = r;
	c->fd = fd;
	/* Handed out lines take at most as much as what follows them. */
	c->in = BUF(2 * (r->o.line_max + IN_SOFT + READ_MAX));
	c->out = BUF(r->o.out_max);
	c->armed = EPOLLIN;
	if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
		close(fd);
		free(c);
		return;
	}
	list_append(&r->all, &c->all);
	r->conns++;
	/* Most come with a request; some have given up waiting for us. */
	conn_read(c);
	if (poll(&(struct pollfd){ .fd = c->fd }, 1, 0) == 1)
		conn_close(c);
}

int
rpc_new(struct rpc **out, const struct rpc_options *o, struct err *e)
{
	struct rpc *r = mem_new(struct rpc);
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = r };
	int rc;

	assert(o->path != NULL && o->line_max > 0 && o->out_max > 0);
	r->mark = RPC_MARK;
	list_init(&r->all);
	list_init(&r->dead);
	r->o = *o;
	r->listener = -1;
	r->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	r->paused = NEVER;
	r->reading = r->accepting = true;
	r->ready_end = &r->ready;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll < 0)
		rc = err_set(e, ERR_IO, "epoll: %s", strerror(errno));
	else
		rc = rpc_listen(r, e);
	if (rc == OK && epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->listener, &ev) != 0)
		rc = err_set(e, ERR_IO, "epoll: %s", strerror(errno));
	if (rc != OK) {
		rpc_free(r);
		return rc;
	}
	*out = r;
	return OK;
}

void
rpc_free(struct rpc *r)
{
	if (r == NULL)
		return;
	rpc_check(r);
	while (!list_empty(&r->all))
		conn_close(rpc_conn_of(r->all.next));
	while (!list_empty(&r->dead))
		conn_free(rpc_conn_of(r->dead.next));
	if (r->listener >= 0)
		close(r->listener);
	if (r->epoll >= 0)
		close(r->epoll);
	if (r->spare >= 0)
		close(r->spare);
	CHECK_END(r);
	free(r);
}

int
rpc_watch(struct rpc *r, int fd, bool *fired)
{
	struct epoll_event ev = { .events = EPOLLIN };

	rpc_check(r);
	assert(r->watches < WATCHES && fired != NULL);
	ev.data.ptr = &r->watch[r->watches];
	r->watch[r->watches].fd = fd;
	r->watch[r->watches++].fired = fired;
	return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &ev) == 0 ? OK : ERR_IO;
}

/* ---- the loop --------------------------------------------------------------------- */

static void
handle(struct rpc *r, const struct epoll_event *ev)
{
	struct rpc_conn *c = ev->data.ptr;

	if (ev->data.ptr == r) {
		rpc_accept_all(r);
		return;
	}
	for (size_t i = 0; i < r->watches; i++) {
		if (ev->data.ptr == &r->watch[i]) {
			*r->watch[i].fired = true;
			return;
		}
	}
	if (c->fd < 0)
		return;
	if (ev->events & EPOLLOUT)
		conn_send(c);
	/* Closed both ways: the client cannot be told. */
	if (ev->events & (EPOLLHUP | EPOLLERR))
		conn_close(c);
	else if (ev->events & EPOLLIN)
		conn_read(c);
}

static int
poll_once(struct rpc *r, int timeout)
{
	struct epoll_event ev[EVENTS];
	int n = epoll_wait(r->epoll, ev, EVENTS, timeout);

	if (r->paused != NEVER && clock_mono() >= r->paused)
		rpc_accept_again(r);
	for (int i = 0; i < n; i++)
		handle(r, &ev[i]);
	return n;
}

/* A look at the one that is likely to be next, then at all. */
static bool
look(struct rpc *r)
{
	if (r->hot != NULL && r->conns == 1 && r->hot_rounds++ % HOT_ROUNDS != 0)
		return conn_read(r->hot);
	return poll_once(r, 0) > 0;
}

static bool
spin(struct rpc *r)
{
	nsec until;

	if (r->spin_skip > 0) {
		r->spin_skip--;
		return false;
	}
	until = clock_mono() + SPIN;
	do {
		for (int i = 0; i < 8; i++) {
			if (look(r)) {
				r->spin_miss = 0;
				return true;
			}
			rpc_pause();
		}
	} while (clock_mono() < until);
	r->spin_miss = r->spin_miss == 0 ? 1 : r->spin_miss * 2;
	if (r->spin_miss > SPIN_SKIP)
		r->spin_miss = SPIN_SKIP;
	r->spin_skip = r->spin_miss;
	return false;
}

static int
sleep_ms(nsec until)
{
	nsec left = until == NEVER ? 0 : until - clock_mono();

	if (until == NEVER)
		return -1;
	if (left <= 0)
		return 0;
	left = (left + NS_PER_MS - 1) / NS_PER_MS;
	return left > 3600 * 1000 ? 3600 * 1000 : (int)left;
}

void
rpc_wait(struct rpc *r, nsec until)
{
	bool was_busy = r->busy;

	rpc_check(r);
	send_all(r);
	while (r->o.held_max != 0 && r->held > r->o.held_max)
		relieve(r);
	bury(r);
	r->busy = false;
	if (r->ready != NULL || until == 0) {
		poll_once(r, 0);
		return;
	}
	if (was_busy && spin(r))
		return;
	poll_once(r, sleep_ms(until < r->paused ? until : r->paused));
}

void
rpc_stop_reading(struct rpc *r)
{
	rpc_check(r);
	r->reading = false;
	rpc_accept_stop(r);
	for (struct list *i = r->all.next; i != &r->all; i = i->next)
		conn_arm(rpc_conn_of(i));
}

void
rpc_finish(struct rpc *r, nsec until)
{
	send_all(r);
	for (;;) {
		size_t unsent = 0;

		for (struct list *i = r->all.next; i != &r->all; i = i->next)
			unsent += rpc_unsent(rpc_conn_of(i));
		if (unsent == 0 || clock_mono() >= until)
			return;
		poll_once(r, sleep_ms(until));
	}
}

size_t
rpc_conns(const struct rpc *r)
{
	return r->conns;
}
