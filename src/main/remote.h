/*
 * remote.h - a command asks a server: one request after another over a connection
 * that is kept.
 *
 * COHORT_API_KEY and COHORT_TOKEN, if set, authenticate the requests.  With https:// a file
 * COHORT_CA (or SSL_CERT_FILE) has the certificates that the server's is checked with, and
 * COHORT_CERT and COHORT_CERT_KEY (or one file with both) are the client's own.  unix:PATH is a
 * socket that the server listens on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_REMOTE_H
#define MAIN_REMOTE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/rc.h"

struct remote;

/* max: bytes of the largest answer.  ERR_INVALID: url is none, or a variable of the
 * environment has bytes that no header may have. */
int  remote_open(struct remote **out, struct str url, size_t max, struct err *e);
/* The same without what the environment has: for a server that is not Cohort's. */
int  remote_open_bare(struct remote **out, struct str url, size_t max, struct err *e);
/* Appended to the query of every request from now on: "owner=ann", escaped. */
void remote_set_query(struct remote *r, struct str query);
int  remote_add_header(struct remote *r, const char *name, struct str value,
    struct err *e);                          /* ERR_INVALID: control characters */
void remote_close(struct remote *r);         /* NULL: nothing */
/* Of bodies; at the start application/json. */
void remote_set_type(struct remote *r, const char *type);
/* Instead of COHORT_TOKEN. */
void remote_set_token(struct remote *r, struct str token);
struct str remote_url(const struct remote *r);
char *remote_escape(const struct remote *r, struct str s);   /* for a query; free() it */
/* MARK NAME=VALUE, escaped; nothing for an empty value. */
bool remote_add_parameter(const struct remote *r, struct buf *b, char mark, const char *name,
    struct str value);                       /* was it added? */
/* BEFORE ID BEHIND, escaped. */
void remote_add_path(const struct remote *r, struct buf *b, const char *before, struct str id,
    const char *behind);

/* body empty: none.  timeout 0: none.  OK: *status and the answer, which is borrowed
 * until the next call.  Else the connection failed, and e names the URL. */
int  remote_ask(struct remote *r, const char *method, struct str path, struct str body,
    nsec timeout, long *status, struct str *answer, struct err *e);
/* What an answer that is not the expected one means; root: its JSON, or NULL. */
int  remote_refused(const struct remote *r, long status, jnode root, const char *what_404,
    struct err *e);

#endif
