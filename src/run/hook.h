/*
 * hook.h - calls to servers of others about what has ended here: webhooks of runs, and
 * whatever else is to reach a URL that a client gave (push notifications).
 *
 * A message is a row of the store until it was delivered, or given up: five tries in
 * an hour.  A webhook's row is written in the transaction that ends its run, however it
 * ends.  Delivery is at least once: a receiver recognizes copies by x-cohort-delivery.
 *
 *   POST url
 *   content-type: application/json
 *   x-cohort-delivery: <id>                   the same for each try
 *   x-cohort-timestamp: <seconds since 1970>
 *   x-cohort-signature: sha256=<hex of HMAC-SHA256(secret, timestamp "." body)>
 *
 * A URL is checked when it is given, and again before each try; the address that is
 * connected to is checked as well (net/host.h), so a name whose address changes in
 * between leads nowhere.  Redirects are not followed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_HOOK_H
#define RUN_HOOK_H

#include "base/buf.h"
#include "base/rc.h"
#include "store/hook.h"

struct runs;
struct runs_shared;

/* The operator's word.  Texts are borrowed and outlive the runs. */
struct hook_rules {
	struct str allowed_domains;          /* "a.example,*.b.example"; empty: all */
	struct str allowed_ports;            /* "443,8443"; empty: all */
	bool require_https;
	bool allow_loopback, allow_private;
	size_t max_url_bytes;
	struct str payload_fields;           /* of a webhook's body, "run_id,status";
	                                        empty: all */
	struct str secret;                   /* empty: not signed */
	struct str headers;                  /* lines "Name: value\r\n" */
};

/* Are the lists well-formed?  For the start of a server; e names the setting. */
int  hook_rules_check(const struct hook_rules *r, struct err *e);
/* Reads {"Name": "text ${{ env.NAME }}"} as header lines.  Only variables whose names
 * begin with env_prefix are read; getenv's.  Empty json: none. */
int  hook_headers_read(struct str json, struct str env_prefix, struct buf *out,
    struct err *e);

/* May a message go there?  ERR_INVALID with "webhook: " and words. */
int  hook_check(const struct hook_rules *r, struct str url, struct err *e);
/* hook_check with the rules of this server, for the webhook of a run or of a cron.
 * ERR_INVALID also if the server sends none. */
int  runs_check_hook(const struct runs *rs, struct str url, struct err *e);
/* A run got a webhook after it had begun. */
void runs_expect_hook(struct runs *rs);

/* Before the shards run.  add_run writes the members of h->run as GET of a run shows
 * them, without braces; the status of one that was rolled back is "rollback".  For a row
 * with push_json it writes the whole body.  Without this call no message goes out, and
 * no URL is accepted. */
void runs_shared_set_hooks(struct runs_shared *sh, const struct hook_rules *r,
    void (*add_run)(struct buf *b, const struct store_hook *h));

/* Sends body to url, which hook_check let pass.  headers: further lines, or empty.
 * thread_seq: the message goes with the thread; 0: with none.  Texts are copied.
 * done(ctx, rc), may be NULL: the row is written, so that it will be delivered. */
struct hook_message {
	owner_t owner;
	int64_t thread_seq;
	struct uuid id;
	struct str url, headers, body;
};
void hook_send(struct runs *rs, const struct hook_message *m,
    void (*done)(void *ctx, int rc), void *ctx);

/* Messages delivered, tries that failed, messages given up.  Any thread. */
struct hooks_stats { uint64_t delivered, failed, dropped; };
void hooks_stats(const struct runs *rs, struct hooks_stats *out);     /* the process's */

#endif
