/*
 * policy_priv.h - the rules of a policy file.
 *
 * What a rule writes (filter, stamp, namespaces) stays as it stands in the file's
 * tree; its references are filled in when somebody asks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_POLICY_PRIV_H
#define AUTH_POLICY_PRIV_H

#include <pthread.h>

#include "agent/tree.h"
#include "auth/policy.h"

enum who { WHO_SCOPE, WHO_ROLE, WHO_SUBJECT, WHO_ORG, WHO_N };
extern const char *const policy_who_names[WHO_N];

/* How exactly a rule names an action. */
enum level { LEVEL_NONE, LEVEL_ALL, LEVEL_ACTION, LEVEL_RESOURCE, LEVEL_EXACT };

struct rule {
	const struct tree_node *node;
	/* A string, or a list of them: the caller has one.  NULL: any caller. */
	const struct tree_node *who[WHO_N];
	bool denies;
	uint8_t level[ACCESS_N];             /* enum level */
	const struct tree_node *filter, *stamp, *within, *prepend;       /* or NULL */
};

struct rules {
	struct buf text;
	struct tree tree;
	struct rule *at;
	size_t n;
	bool allows;                         /* where no rule is about it */
};

struct policy {
	char *file;
	pthread_rwlock_t lock;               /* of rules */
	struct rules rules;
};

/* r->text and r->tree.file are there.  Release also after errors. */
int  rules_read(struct rules *r, struct err *e);
void rules_release(struct rules *r);

/* "threads" of threads:read. */
struct str access_resource(enum access a);
struct str access_action(enum access a);

/* The parts of a text with references: the text before one, and its name without
 * ${}; p NULL when the text is at its end.  False: it ends inside a reference. */
bool reference_next(struct str *rest, struct str *before, struct str *name);

#endif
