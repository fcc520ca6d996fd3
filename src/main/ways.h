/*
 * ways.h - the ways into a server, as its settings say: host and port, and `listen`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_WAYS_H
#define MAIN_WAYS_H

#include "base/limits.h"
#include "main/config.h"
#include "net/http.h"
#include "net/tls.h"

struct ways {
	struct http_listen at[LIMIT_LISTEN];         /* borrow from the settings */
	size_t n;
};

/* The first is host and port. */
void ways_of(struct ways *w, const struct config *c);
/* May it be reached from other machines? */
bool ways_is_near(const struct http_listen *at);
/* Settings of TLS without which others are of no use.  ERR_INVALID. */
int  ways_check(const struct config *c, struct err *e);
/* *out is NULL: the settings name no certificate. */
int  ways_tls(struct tls **out, const struct config *c, struct err *e);
/* "http://127.0.0.1:2024", "unix:/run/cohort.sock". */
void ways_add_url(struct buf *b, const struct http_listen *at, uint16_t port);

#endif
