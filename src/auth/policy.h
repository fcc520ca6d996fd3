/*
 * policy.h - who may do what, beyond owning it: a file of rules.
 *
 * Owners see only their own objects, with or without a policy.  A policy restricts what the
 * credentials of an owner may do, by the caller's scope, role, subject or organisation
 * (docs/policy.md).  Of the rules that match a caller and an action the most specific counts
 * (threads:read, then threads, *:read, *), of equals the first in the file; without a match,
 * the file's default.
 *
 * Threads: any, also during policy_reload.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_POLICY_H
#define AUTH_POLICY_H

#include "auth/access.h"
#include "auth/auth.h"
#include "base/buf.h"

struct policy;

/* What an allowed caller gets.  Texts are in the arena, or empty. */
struct grant {
	struct str filter_json;              /* a condition: store/guard.h */
	struct str stamp_json;               /* of what is created: its metadata have
	                                        these, whatever the client says */
	/* Of the store, labels with dots between: namespaces begin with `within`; a
	 * request's are put under `prepend`. */
	struct str within, prepend;
};

/* Reads the file.  Errors name file, line and what would be right. */
int  policy_new(struct policy **out, struct str file, struct err *e);
/* Reads it again; after an error the old rules stay. */
int  policy_reload(struct policy *p, struct err *e);
/* The same of a text, for tests; `file` is for errors. */
int  policy_read(struct policy **out, struct str text, struct str file, struct err *e);
void policy_free(struct policy *p);          /* NULL is fine */

/* OK; ERR_DENIED with the words for the client; ERR_TOOBIG: the arena is full. */
int  policy_ask(struct policy *p, enum access a, const struct principal *who,
    struct arena *arena, struct grant *out, struct err *e);
/* Does any rule stamp metadata `key` of a's resource ("threads")?  Then no client may
 * change it. */
bool policy_stamps(struct policy *p, enum access a, struct str key);
/* Appends the names of the actions that no rule matches, with ", " between. */
void policy_add_uncovered(struct policy *p, struct buf *out);

#endif
