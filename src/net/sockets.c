/*
 * sockets.c - see sockets_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/sockets_priv.h"

#include <assert.h>
#include <stdatomic.h>
#include <curl/curl.h>
#include <string.h>
#include <uv.h>

#include "base/account.h"
#include "base/log.h"
#include "base/mem.h"

struct watch {
	uv_poll_t poll;
	struct sockets *owner;               /* NULL once it is closing */
	int fd, armed;                       /* armed: UV_* events */
	bool wanted;
};

_Atomic int64_t sockets_open_now, sockets_idle_now;

struct socket_slot {
	struct watch *watch;                 /* or NULL */
	bool proven;
};

static void
check_sockets(const struct sockets *ss, int fd)
{
	assert(ss->loop != NULL && ss->ready != NULL && fd >= 0);
	assert((ss->by_fd == NULL) == (ss->cap == 0) && ss->idle <= ss->cap);
}

static struct watch *
watch_of(const struct sockets *ss, int fd)
{
	return (size_t)fd < ss->cap ? ss->by_fd[fd].watch : NULL;
}

static bool
is_proven(const struct sockets *ss, int fd)
{
	return (size_t)fd < ss->cap && ss->by_fd[fd].proven;
}

static struct socket_slot *
slot_of(struct sockets *ss, int fd)
{
	size_t cap = ss->cap == 0 ? 64 : ss->cap;

	while (cap <= (size_t)fd)
		cap *= 2;
	if (cap > ss->cap) {
		ss->by_fd = mem_resize(ss->by_fd, cap * sizeof *ss->by_fd);
		memset(ss->by_fd + ss->cap, 0, (cap - ss->cap) * sizeof *ss->by_fd);
		ss->cap = cap;
	}
	return &ss->by_fd[fd];
}

static bool
is_idle(const struct sockets *ss, int fd)
{
	const struct watch *w = watch_of(ss, fd);

	return is_proven(ss, fd) && (w == NULL || !w->wanted);
}

static void
add(_Atomic int64_t *counter, int n)
{
	if (n != 0)
		atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* was: is_idle before. */
static void
count_idle(struct sockets *ss, int fd, bool was)
{
	int change = (int)is_idle(ss, fd) - (int)was;

	ss->idle += (size_t)change;
	add(&sockets_idle_now, change);
}

static void
want(struct sockets *ss, struct watch *w, bool wanted)
{
	bool was = is_idle(ss, w->fd);

	w->wanted = wanted;
	count_idle(ss, w->fd, was);
}

/* A proven one is charged to the account of descriptors. */
static void
prove(struct sockets *ss, int fd, bool proven)
{
	struct socket_slot *slot = slot_of(ss, fd);
	bool was = is_idle(ss, fd);

	if (slot->proven == proven)
		return;
	if (proven)
		account_charge(&account_files, 1);
	else
		account_give(&account_files, 1);
	slot->proven = proven;
	count_idle(ss, fd, was);
	add(&sockets_open_now, proven ? 1 : -1);
}

static void
watch_closed(uv_handle_t *h)
{
	free(CONTAINER_OF(h, struct watch, poll));
}

static void
watch_drop(struct sockets *ss, struct watch *w)
{
	assert(watch_of(ss, w->fd) == w);
	want(ss, w, false);
	ss->by_fd[w->fd].watch = NULL;
	w->owner = NULL;
	uv_poll_stop(&w->poll);
	uv_close((uv_handle_t *)&w->poll, watch_closed);
}

static void watch_event(uv_poll_t *poll, int status, int events);

static void
watch_arm(struct watch *w, int events)
{
	int rc;

	if (w->armed == events)
		return;
	rc = uv_poll_start(&w->poll, events, watch_event);
	if (rc != 0)
		log_error("net", "poll_failed", "fd=%d reason=%s", w->fd,
		    uv_strerror(rc));
	w->armed = rc == 0 ? events : 0;
}

/* An error (libuv stops the poll then) is handed on as "read and write": the
 * real reason comes from there, and libcurl tries again what it may. */
static void
watch_event(uv_poll_t *poll, int status, int events)
{
	struct watch *w = CONTAINER_OF(poll, struct watch, poll);
	struct sockets *ss = w->owner;
	int armed = w->armed, bits = 0;

	assert(ss != NULL);
	if (status < 0) {
		w->armed = 0;
		events = UV_READABLE | UV_WRITABLE;
	}
	if (!w->wanted) {
		/* Idle: libcurl looks at it when it uses it again. */
		w->armed = 0;
		uv_poll_stop(poll);
		return;
	}
	if (events & UV_READABLE)
		bits |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		bits |= CURL_CSELECT_OUT;
	ss->ready(ss, w->fd, bits);
	if (w->owner != NULL && w->wanted && w->armed == 0)
		watch_arm(w, armed);
}

static struct watch *
watch_new(struct sockets *ss, int fd)
{
	struct socket_slot *slot = slot_of(ss, fd);
	struct watch *w = mem_new(struct watch);
	int rc;

	w->owner = ss;
	w->fd = fd;
	rc = uv_poll_init(ss->loop, &w->poll, fd);
	if (rc != 0) {
		/* The call will end by its silence timer. */
		log_error("net", "poll_failed", "fd=%d reason=%s", fd, uv_strerror(rc));
		free(w);
		return NULL;
	}
	slot->watch = w;
	return w;
}

void
sockets_want(struct sockets *ss, int fd, int what)
{
	struct watch *w = watch_of(ss, fd);
	int events = 0;

	check_sockets(ss, fd);
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL && is_proven(ss, fd))
			want(ss, w, false);
		else if (w != NULL)
			watch_drop(ss, w);
		return;
	}
	if (w == NULL)
		w = watch_new(ss, fd);
	if (w == NULL)
		return;
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	want(ss, w, true);
	watch_arm(w, events);
}

void
sockets_proven(struct sockets *ss, int fd)
{
	check_sockets(ss, fd);
	prove(ss, fd, true);
}

/* A watch of this number is of a socket that was closed in silence.  libcurl
 * may believe it is still watching the number, so the new socket inherits. */
void
sockets_opened(struct sockets *ss, int fd)
{
	struct watch *w = watch_of(ss, fd);
	bool wanted;
	int armed;

	check_sockets(ss, fd);
	prove(ss, fd, false);
	if (w == NULL)
		return;
	wanted = w->wanted;
	armed = w->armed;
	watch_drop(ss, w);
	if (!wanted)
		return;
	w = watch_new(ss, fd);
	if (w == NULL)
		return;
	want(ss, w, true);
	if (armed != 0)
		watch_arm(w, armed);
}

void
sockets_closing(struct sockets *ss, int fd)
{
	struct watch *w = watch_of(ss, fd);

	check_sockets(ss, fd);
	if (w != NULL)
		watch_drop(ss, w);
	prove(ss, fd, false);
}

void
sockets_release(struct sockets *ss)
{
	for (size_t fd = 0; fd < ss->cap; fd++)
		sockets_closing(ss, (int)fd);
	free(ss->by_fd);
	ss->by_fd = NULL;
	ss->cap = 0;
}
