/*
 * pull.h - pull and push of the current branch, with the merge driver in
 * force whether or not the repository knows it.
 *
 * A clean checkout is rebased, as `git pull --rebase` does.  With changes that
 * are not committed a rebase would have to put them away; there the merge is
 * made beside the checkout, which then moves to it as `git checkout` moves: the
 * index and the files that the merge does not concern stay as they are.
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

/* While a sync is under way .cohort/sync.state says what it is at, for the next
 * one, should this one be killed: "sync", or "rebase COMMIT".  NULL: it is
 * over. */
int pull_state(struct pull *p, const char *what, struct err *e);
/* Was one killed?  Then what it had begun in the checkout is taken back. */
int pull_recover(struct pull *p, bool *killed, struct err *e);

/* Which branch, whose upstream; ERR_INVALID: none, HEAD is detached;
 * ERR_CONFLICT while a rebase or a merge of
 * somebody is not finished. */
int pull_check(struct pull *p, struct err *e);
/* A commit of one file, as it lies there, on the current branch: through an index
 * of our own, so that what the user has staged stays staged, and the user's git
 * meets no lock but for the moment in which the finished index takes its place.
 * Nothing to commit is no error. */
struct pull_commit {
	const char *file, *message;          /* beside git's dir */
	bool made;                           /* out: there was something */
};
int pull_commit(struct pull *p, struct pull_commit *c, struct err *e);

/* ERR_CONFLICT: other files conflict; all is as it was. */
int pull_run(struct pull *p, struct buf *notes, struct err *e);
bool pull_is_ahead(struct pull *p);
/* *again: another pushed first. */
int pull_push(struct pull *p, bool *again, struct err *e);

#endif
