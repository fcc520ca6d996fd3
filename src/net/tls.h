/*
 * tls.h - certificates of a server: read, chosen by name, replaced while it runs.
 *
 * TLS 1.2 and 1.3, forward secrecy and authenticated ciphers only; no renegotiation, no
 * compression, no early data; ALPN http/1.1.  Tickets resume a session for two hours under keys
 * that change each hour and are never written.
 *
 * What was read is a set: a connection keeps the one that it began with, new ones
 * have the newest.
 *
 * Threads: any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdint.h>
#include "base/rc.h"
#include "base/str.h"
#include "base/clock.h"

struct tls;
struct ssl_st;

enum tls_ask { TLS_ASK_NOTHING, TLS_ASK_OPTIONAL, TLS_ASK_REQUIRED };

struct tls_options {
	/* Comma lists of PEM files, as many keys as certificates: each with its chain.  The first
	 * is for clients that name no host, or one that is in no certificate. */
	struct str certs, keys;
	struct str client_ca;                /* of clients' certificates; empty: none */
	enum tls_ask ask;
};

/* ERR_INVALID, ERR_DENIED (others can read a key), ERR_IO, with the file's name. */
int  tls_new(struct tls **out, const struct tls_options *o, struct err *e);
/* Reads the files again; an error leaves everything as it is. */
int  tls_reload(struct tls *t, struct err *e);
void tls_free(struct tls *t);                /* after its connections; NULL is fine */

/* The certificate that ends first: its file, borrowed until the next reload, and when, in Unix
 * seconds. */
int64_t tls_first_end(struct tls *t, struct str *file);

/* A server's side of a connection on fd; SSL_free it. */
struct ssl_st *tls_accept(struct tls *t, int fd);

/* SHA-256 of the certificate that the client showed and that was verified, now or when the
 * session began, and has not ended since; false: there is none. */
bool tls_client(struct ssl_st *ssl, uint8_t out[32]);

/* Of the process, for metrics. */
extern _Atomic uint64_t tls_handshakes, tls_handshakes_failed, tls_resumed;
extern _Atomic int64_t tls_open_now;
extern _Atomic int64_t tls_ends_at;          /* tls_first_end; 0: no certificate */

#endif
