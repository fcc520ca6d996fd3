/*
 * http_tls.c - the wire of a connection that is a socket with TLS.
 *
 *   silent ---- first bytes ----> shaking ---- done ----> open
 *      |                             |
 *      +-- plain HTTP: told, gone    +-- failed, too slow, no room: gone
 *
 * OpenSSL reads from and writes to the socket itself, so that nothing is copied on the way:
 * a record is decrypted into the shard's buffer, and made from the answer's own bytes, or
 * where they are many small pieces from the shard's record buffer.
 *
 * A client that has said nothing has no SSL yet.  From its first bytes on it is charged to
 * account_tls, more while it shakes hands; when there is no room, the oldest of those
 * that do goes.
 *
 * A write that the socket did not take is repeated with the same bytes in front, as half a
 * record may be out: they stay first in the connection's queue.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"
#include "base/account.h"
#include "base/log.h"
#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define RECORDS_MAX 16                       /* read in one event */

static const struct wire tls_wire;

static void on_event(uv_poll_t *poll, int status, int events);

/* Watches for what is wanted now. */
static void
watch(struct http_conn *c)
{
	struct http_tls *t = &c->tls;
	int events = 0;

	if (http_conn_is_closed(c))
		return;
	if (!t->eof && (t->reads || !t->open))
		events |= UV_READABLE;
	if (t->writes || t->read_writes)
		events |= UV_WRITABLE;
	if (events == t->armed)
		return;
	t->armed = events;
	if (events == 0)
		uv_poll_stop(&t->poll);
	else
		uv_poll_start(&t->poll, events, on_event);
}

/* ---- room ------------------------------------------------------------------------- */

static bool
charge(struct http_conn *c, size_t bytes)
{
	struct http_tls *t = &c->tls;

	if (bytes > t->charged && !account_take(&account_tls, bytes - t->charged))
		return false;
	if (bytes < t->charged)
		account_give(&account_tls, t->charged - bytes);
	t->charged = bytes;
	return true;
}

/* Others that shake hands go first, the oldest of them; then nobody. */
static bool
room_to_shake(struct http_conn *c)
{
	if (charge(c, LIMIT_TLS_HANDSHAKE_BYTES))
		return true;
	http_listener_shed_opening(c->l, c);
	return charge(c, LIMIT_TLS_HANDSHAKE_BYTES);
}

/* ---- the handshake ------------------------------------------------------------------ */

/* The answer to plain HTTP, which the client may read: so what it has sent is read first. */
static void
tell_plain(struct http_conn *c)
{
	static const char words[] = "this port speaks TLS: use https://";
	const struct http_hooks *hooks = &c->l->hs->hooks;
	struct buf *body = &c->l->errors, head = BUF(KB);
	struct str type = STR_NONE;
	char text[KB];

	buf_clear(body);
	hooks->error_body(hooks->ctx, 400, str_of(words), body, &type);
	buf_add_fmt(&head, "HTTP/1.1 400 Bad Request\r\nContent-Type: %.*s\r\nContent-Length: %zu\r\n"
	    "Connection: close\r\n\r\n%.*s", FMT(type), body->n, FMT(buf_str(body)));
	while (recv(c->tls.fd, text, sizeof text, MSG_DONTWAIT) == (ssize_t)sizeof text)
		;
	(void)!send(c->tls.fd, head.p, head.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(c->tls.fd, SHUT_WR);
	buf_release(&head);
	http_conn_drop(c);
}

/* False: the connection is gone, or nothing has come. */
static bool
begin(struct http_conn *c)
{
	char first;
	ssize_t n = recv(c->tls.fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n == 1 && first >= 'A' && first <= 'Z') {
		tell_plain(c);
		return false;
	}
	if (n <= 0) {
		http_conn_drop(c);
		return false;
	}
	if (!room_to_shake(c)) {
		log_warn("net", "handshake_refused", "peer=%s reason=%s", c->peer,
		    "too many are under way");
		http_conn_reset(c);
		return false;
	}
	c->tls.ssl = tls_accept(c->l->hs->tls, c->tls.fd);
	return true;
}

static void
count_failed(struct http_conn *c)
{
	unsigned long why = ERR_peek_error();
	const char *words = why == 0 ? NULL : ERR_reason_error_string(why);

	atomic_fetch_add_explicit(&tls_handshakes_failed, 1, memory_order_relaxed);
	log_info("net", "handshake_failed", "peer=%s reason=%s", c->peer,
	    words == NULL ? "the client left" : words);
}

bool
http_tls_shakes(const struct http_conn *c)
{
	return c->wire == &tls_wire && !c->tls.open && c->tls.charged > 0;
}

void
http_tls_slow(struct http_conn *c)
{
	log_info("net", "handshake_slow", "peer=%s", c->peer);
	http_conn_drop(c);
}

/* True: the connection is open. */
static bool
shake(struct http_conn *c)
{
	struct http_tls *t = &c->tls;
	int rc;

	if (t->ssl == NULL && !begin(c))
		return false;
	t->read_writes = false;
	ERR_clear_error();
	rc = SSL_do_handshake(t->ssl);
	if (rc != 1) {
		rc = SSL_get_error(t->ssl, rc);
		t->read_writes = rc == SSL_ERROR_WANT_WRITE;
		if (rc == SSL_ERROR_WANT_READ || rc == SSL_ERROR_WANT_WRITE)
			return false;
		count_failed(c);
		t->broken = true;
		http_conn_drop(c);
		return false;
	}
	t->open = t->reads = c->secure = true;
	c->certified = tls_client(t->ssl, c->cert);
	charge(c, LIMIT_TLS_CONN_BYTES);
	atomic_fetch_add_explicit(&tls_handshakes, 1, memory_order_relaxed);
	if (SSL_session_reused(t->ssl))
		atomic_fetch_add_explicit(&tls_resumed, 1, memory_order_relaxed);
	http_conn_opened(c);
	return true;
}

/* ---- reading ------------------------------------------------------------------------ */

/* A client that ends without a word of TLS has ended; what it sent is whole by HTTP's own
 * framing, or is none. */
static void
read_ended(struct http_conn *c, int rc)
{
	struct http_tls *t = &c->tls;

	switch (SSL_get_error(t->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return;
	case SSL_ERROR_WANT_WRITE:
		t->read_writes = true;
		return;
	case SSL_ERROR_ZERO_RETURN:
		break;
	default:
		t->broken = true;
		if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
			break;
		http_conn_lost(c);
		return;
	}
	t->eof = true;
	http_conn_eof(c);
}

static void
read_some(struct http_conn *c)
{
	struct http_tls *t = &c->tls;
	size_t n;
	int rc;

	t->read_writes = false;
	for (int i = 0; i < RECORDS_MAX && t->reads && !t->eof; i++) {
		ERR_clear_error();
		rc = SSL_read_ex(t->ssl, c->l->read, sizeof c->l->read, &n);
		if (rc != 1) {
			read_ended(c, rc);
			return;
		}
		http_conn_bytes(c, c->l->read, n);
		if (http_conn_is_closed(c) || !SSL_has_pending(t->ssl))
			return;
	}
	/* The socket may be empty, and OpenSSL is not. */
	if (t->reads && !t->eof)
		shard_at_turn_end(c->l->shard, &t->more);
}

static void
read_more(struct shard_job *job)
{
	struct http_conn *c = CONTAINER_OF(job, struct http_conn, tls.more);

	CHECK_MARK(c, CONN_MARK);
	if (c->tls.gone) {
		http_conn_closed(c);
		return;
	}
	if (http_conn_is_closed(c))
		return;
	read_some(c);
	watch(c);
}

static void
tls_read(struct http_conn *c, bool on)
{
	struct http_tls *t = &c->tls;

	t->reads = on;
	if (on && t->open && !t->eof && SSL_has_pending(t->ssl))
		shard_at_turn_end(c->l->shard, &t->more);
	watch(c);
}

static void
on_event(uv_poll_t *poll, int status, int events)
{
	struct http_conn *c = CONTAINER_OF(poll, struct http_conn, tls.poll);
	struct http_tls *t = &c->tls;

	CHECK_MARK(c, CONN_MARK);
	if (status < 0) {
		t->armed = 0;                /* libuv has stopped it */
		t->broken = true;
		http_conn_lost(c);
		return;
	}
	if (!t->open) {
		if (!shake(c)) {
			watch(c);
			return;
		}
		events |= UV_READABLE;       /* its first request may have come along */
	} else if ((events & UV_WRITABLE) != 0 && t->writes) {
		t->writes = false;
		http_conn_written(c, 0, 0);
	}
	if (!http_conn_is_closed(c) && t->reads && !t->eof &&
	    ((events & UV_READABLE) != 0 || t->read_writes))
		read_some(c);
	watch(c);
}

/* ---- writing ------------------------------------------------------------------------ */

/* The next bytes for one record: a piece itself, or small ones gathered. */
static struct str
next_record(struct http_conn *c, const uv_buf_t **iov, unsigned *n, size_t *skip)
{
	char *to = c->l->record;
	size_t filled = 0, part;

	while (*n > 0 && (*iov)->len == *skip) {
		++*iov;
		--*n;
		*skip = 0;
	}
	if (*n == 0)
		return STR_NONE;
	part = (*iov)->len - *skip;
	if (*n == 1 || part >= RECORD_SIZE)
		return (struct str){ (*iov)->base + *skip, part };
	for (unsigned i = 0; i < *n && filled < RECORD_SIZE; i++) {
		size_t from = i == 0 ? *skip : 0;

		part = (*iov)[i].len - from;
		if (part > RECORD_SIZE - filled)
			part = RECORD_SIZE - filled;
		memcpy(to + filled, (*iov)[i].base + from, part);
		filled += part;
	}
	return (struct str){ to, filled };
}

static void
skip_written(const uv_buf_t **iov, unsigned *n, size_t *skip, size_t written)
{
	*skip += written;
	while (*n > 0 && *skip >= (*iov)->len) {
		*skip -= (*iov)->len;
		++*iov;
		--*n;
	}
}

static int
tls_send(struct http_conn *c, const uv_buf_t *iov, unsigned n)
{
	struct http_tls *t = &c->tls;
	size_t skip = 0, total = 0, written;
	struct str record;
	int rc;

	if (t->broken || !t->open)
		return UV_EPIPE;
	while ((record = next_record(c, &iov, &n, &skip)).n > 0) {
		ERR_clear_error();
		rc = SSL_write_ex(t->ssl, record.p, record.n, &written);
		if (rc == 1) {
			total += written;
			skip_written(&iov, &n, &skip, written);
			continue;
		}
		rc = SSL_get_error(t->ssl, rc);
		if (rc == SSL_ERROR_WANT_WRITE || rc == SSL_ERROR_WANT_READ)
			break;
		t->broken = true;
		return UV_EPIPE;
	}
	return total > 0 ? (int)total : UV_EAGAIN;
}

/* What waits stays in the connection's queue, and is sent from there. */
static int
tls_wait(struct http_conn *c, const uv_buf_t *iov, unsigned n)
{
	(void)iov, (void)n;
	c->tls.writes = true;
	watch(c);
	return 0;
}

static size_t
tls_waiting(const struct http_conn *c)
{
	return c->writing;
}

/* ---- the end ------------------------------------------------------------------------ */

static void
say_goodbye(struct http_tls *t)
{
	if (!t->open || t->broken)
		return;
	ERR_clear_error();
	if (SSL_shutdown(t->ssl) < 0)
		ERR_clear_error();
	t->broken = true;
}

static bool
tls_shut(struct http_conn *c)
{
	say_goodbye(&c->tls);
	return shutdown(c->tls.fd, SHUT_WR) == 0;
}

static bool
tls_silent(const struct http_conn *c)
{
	char byte;

	return (c->tls.ssl == NULL || !SSL_has_pending(c->tls.ssl)) &&
	    recv(c->tls.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

static void
on_closed(uv_handle_t *h)
{
	struct http_conn *c = CONTAINER_OF((uv_poll_t *)h, struct http_conn, tls.poll);
	struct http_tls *t = &c->tls;

	SSL_free(t->ssl);
	t->ssl = NULL;
	close(t->fd);
	atomic_fetch_sub_explicit(&tls_open_now, 1, memory_order_relaxed);
	t->gone = true;
	if (t->more.next == NULL)
		http_conn_closed(c);         /* else read_more does */
}

static void
tls_close(struct http_conn *c, bool reset)
{
	const struct linger now = { .l_onoff = 1 };

	if (reset)
		setsockopt(c->tls.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	else
		say_goodbye(&c->tls);
	charge(c, 0);
	uv_close((uv_handle_t *)&c->tls.poll, on_closed);
}

static const struct wire tls_wire = {
	.send = tls_send, .wait = tls_wait, .waiting = tls_waiting,
	.read = tls_read, .shut = tls_shut, .silent = tls_silent,
	.close = tls_close, .descriptor = true, .opens = true,
};

void
http_tls_accept(struct http_door *d, int fd, const struct sockaddr_storage *peer)
{
	struct http_conn *c = http_conn_new(d->l, &tls_wire);

	http_conn_name_peer(c, peer);
	http_tls_begin(c, fd);
}

void
http_tls_begin(struct http_conn *c, int fd)
{
	int rc;

	c->wire = &tls_wire;
	c->tls = (struct http_tls){ .fd = fd, .more.run = read_more };
	atomic_fetch_add_explicit(&tls_open_now, 1, memory_order_relaxed);
	rc = uv_poll_init(shard_loop(c->l->shard), &c->tls.poll, fd);
	assert(rc == 0);                     /* a new socket can be polled */
	(void)rc;
	watch(c);
}
