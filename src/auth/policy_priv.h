/*
 * policy_priv.h - the rules of a policy file.
 *
 * Filters, stamps and namespaces of a rule stay nodes of the file's tree; references in
 * them are replaced for each caller.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_POLICY_PRIV_H
#define AUTH_POLICY_PRIV_H

#include <pthread.h>

#include "agent/tree.h"
#include "auth/policy.h"

enum who { WHO_SCOPE, WHO_ROLE, WHO_SUBJECT, WHO_ORG, WHO_N };

/* How exactly a rule names an action. */
enum level { LEVEL_NONE, LEVEL_ALL, LEVEL_ACTION, LEVEL_RESOURCE, LEVEL_EXACT };

struct rule {
	const struct tree_node *node;
	/* A string, or a list of which the caller has one.  NULL: any caller. */
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
	bool allows;                         /* the default, when no rule matches */
};

struct policy {
	char *file;
	pthread_rwlock_t lock;               /* of rules */
	struct rules rules;
};

/* Reads r->text; errors name r->tree.file.  Release also after errors. */
int  rules_read(struct rules *r, struct err *e);
void rules_release(struct rules *r);

/* Splits a text at its references: the text before one, and its name without ${}; name.p
 * NULL: the text has ended.  False: it ends inside a reference. */
bool reference_next(struct str *rest, struct str *before, struct str *name);
/* The text that a reference (not to a claim) stands for; NULL: there is no such name. */
const struct str *reference_text(const struct principal *who, struct str name);

#endif
