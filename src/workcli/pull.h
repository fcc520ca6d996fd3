/*
 * pull.h - pull and push of the current branch, with the merge driver, installed
 * or not.
 *
 * A clean checkout is rebased, as by `git pull --rebase`.  If it has changes that
 * are not committed, the merge is computed without the checkout, which then moves
 * to it as by `git checkout`: files that the merge does not change, and the index,
 * stay as they are.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKCLI_PULL_H
#define WORKCLI_PULL_H

#include <limits.h>

#include "workcli/git.h"

struct pull {
	struct git git;
	const char *config[4];
	char driver[PATH_MAX + 96], attributes[PATH_MAX + 64], path[PATH_MAX];
	char branch[512], remote[512], merge[512];
	bool upstream;                       /* there is one */
	char state[PATH_MAX];                /* file; see pull_state */
};

void pull_init(struct pull *p, const char *dir);
void pull_release(struct pull *p);

/* Writes .cohort/sync.state, from which the next sync learns what this one did if
 * it is killed: "sync", or "rebase COMMIT".  NULL removes it. */
int pull_state(struct pull *p, const char *what, struct err *e);
/* *killed: the last sync was; a rebase that it began is aborted. */
int pull_recover(struct pull *p, bool *killed, struct err *e);

/* Finds the branch and its upstream.  ERR_INVALID: HEAD is detached;
 * ERR_CONFLICT: a rebase, merge, cherry-pick or revert is in progress. */
int pull_check(struct pull *p, struct err *e);
/* Commits one file on the current branch, by an index of our own: what the user
 * staged stays staged, and the user's index is locked only while it is replaced.
 * It is no error if there is nothing to commit. */
struct pull_commit {
	const char *file, *message;          /* beside git's dir */
	bool made;                           /* out: there was something */
};
int pull_commit(struct pull *p, struct pull_commit *c, struct err *e);

/* ERR_CONFLICT: other files conflict; nothing was changed. */
int pull_run(struct pull *p, struct buf *notes, struct err *e);
bool pull_is_ahead(struct pull *p);
/* *again: another pushed first. */
int pull_push(struct pull *p, bool *again, struct err *e);

#endif
