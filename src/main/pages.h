/*
 * pages.h - what commands read of a server: a thread's transcript, page after page;
 * answers as values.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_PAGES_H
#define MAIN_PAGES_H

#include "base/flags.h"
#include "base/val.h"
#include "main/remote.h"

/* --url and --token of a command. */
#define REMOTE_URL "http://127.0.0.1:2024"
#define REMOTE_FLAGS                                                              \
	{ "url", "COHORT_URL", .kind = FLAG_TEXT, .value = "URL", .fallback = REMOTE_URL, \
	  .help = "the server's address" },                                       \
	{ "token", .kind = FLAG_TEXT, .value = "TOKEN",                           \
	  .help = "authenticates; better COHORT_TOKEN or COHORT_API_KEY in the environment" }
int  remote_open_line(struct remote **out, const struct flag_line *line, struct err *e);

/* An answer of status 200 as a value, owned by the caller.  body empty: none. */
int  remote_value(struct remote *r, const char *method, struct str path, struct str body,
    struct val *out, struct err *e);
/* The same, in so long; else within a minute. */
int  remote_value_in(struct remote *r, const char *method, struct str path, struct str body,
    nsec timeout, struct val *out, struct err *e);

/* Each entry of a thread's transcript, in order; run empty: of all runs.  Stops at the
 * first code that is not OK. */
int  pages_each(struct remote *r, struct str thread, struct str run,
    int (*each)(void *ctx, struct val entry), void *ctx, struct err *e);

/* A string member, or empty; borrowed. */
struct str entry_text(struct val entry, const char *name);
bool entry_is(struct val entry, const char *kind);

#endif
