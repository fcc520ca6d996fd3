/*
 * sockets.c - see sockets_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/sockets_priv.h"

#include <assert.h>
#include <curl/curl.h>
#include <string.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"

struct watch {
	uv_poll_t poll;
	struct sockets *owner;               /* NULL once it is closing */
	int fd, armed;                       /* armed: UV_* events */
	bool wanted, proven;
};

static void
watch_closed(uv_handle_t *h)
{
	free(CONTAINER_OF(h, struct watch, poll));
}

static void
watch_drop(struct sockets *ss, struct watch *w)
{
	assert(ss->by_fd[w->fd] == w);
	ss->by_fd[w->fd] = NULL;
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
		/* A kept connection stirs: libcurl looks when it wants it again. */
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
watch_of(const struct sockets *ss, int fd)
{
	return (size_t)fd < ss->cap ? ss->by_fd[fd] : NULL;
}

static struct watch *
watch_new(struct sockets *ss, int fd)
{
	struct watch *w = mem_new(struct watch);
	size_t cap = ss->cap == 0 ? 64 : ss->cap;
	int rc;

	while (cap <= (size_t)fd)
		cap *= 2;
	if (cap > ss->cap) {
		ss->by_fd = mem_resize(ss->by_fd, cap * sizeof *ss->by_fd);
		memset(ss->by_fd + ss->cap, 0, (cap - ss->cap) * sizeof *ss->by_fd);
		ss->cap = cap;
	}
	w->owner = ss;
	w->fd = fd;
	rc = uv_poll_init(ss->loop, &w->poll, fd);
	if (rc != 0) {
		/* The call will end by its silence timer. */
		log_error("net", "poll_failed", "fd=%d reason=%s", fd, uv_strerror(rc));
		free(w);
		return NULL;
	}
	ss->by_fd[fd] = w;
	return w;
}

void
sockets_want(struct sockets *ss, int fd, int what)
{
	struct watch *w = watch_of(ss, fd);
	int events = 0;

	if (what == CURL_POLL_REMOVE) {
		if (w != NULL && w->proven)
			w->wanted = false;
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
	w->wanted = true;
	watch_arm(w, events);
}

void
sockets_proven(struct sockets *ss, int fd)
{
	struct watch *w = watch_of(ss, fd);

	if (w != NULL)
		w->proven = true;
}

/* A watch of this number is of a socket that was closed in silence.  libcurl
 * may believe it is still watching the number, so the new socket inherits. */
void
sockets_opened(struct sockets *ss, int fd)
{
	struct watch *w = watch_of(ss, fd);
	bool wanted;
	int armed;

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
	w->wanted = true;
	if (armed != 0)
		watch_arm(w, armed);
}

void
sockets_closing(struct sockets *ss, int fd)
{
	struct watch *w = watch_of(ss, fd);

	if (w != NULL)
		watch_drop(ss, w);
}

void
sockets_release(struct sockets *ss)
{
	for (size_t fd = 0; fd < ss->cap; fd++)
		if (ss->by_fd[fd] != NULL)
			watch_drop(ss, ss->by_fd[fd]);
	free(ss->by_fd);
	ss->by_fd = NULL;
	ss->cap = 0;
}
