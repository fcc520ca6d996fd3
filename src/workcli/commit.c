/*
 * commit.c - commits one file while the user works in the checkout (see pull.h).
 *
 * The tree is made in a private index and the branch moves by compare and swap.
 * The user's index must have the file's new state, or the user's next commit would
 * revert it: it is copied, the copy is changed, and replaces it under git's lock,
 * which is held only for the rename.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "workcli/context.h"
#include "workcli/pull.h"

#define INDEX "cohort-work.index"            /* in git's folder; removed by the next */
#define MOVES 20                             /* tries while others move the branch */

struct making {
	struct pull *p;
	struct pull_commit *c;
	struct err *e;
	char own[PATH_MAX], index[PATH_MAX], lock[PATH_MAX + 8];
	char head[128], tree[128], made[128];        /* head "": no commit yet */
};

/* ---- the tree and the branch ----------------------------------------------- */

static void
own_remove(const struct making *m)
{
	char lock[PATH_MAX + 8];

	unlink(m->own);
	snprintf(lock, sizeof lock, "%s.lock", m->own);
	unlink(lock);
}

static int
tree_make(struct making *m)
{
	struct git *g = &m->p->git;
	struct err none;
	int rc;

	own_remove(m);
	if (GIT_ASK(g, &none, m->head, "rev-parse", "-q", "--verify", "HEAD") != OK &&
	    git_is_stopping())
		return err_set(m->e, none.code, "%s", none.text);
	g->index = m->own;
	rc = m->head[0] != '\0' ? GIT(g, m->e, "read-tree", m->head) :
	    GIT(g, m->e, "read-tree", "--empty");
	if (rc == OK)
		rc = GIT(g, m->e, "update-index", "--add", "--", m->c->file);
	if (rc == OK)
		rc = GIT_ASK(g, m->e, m->tree, "write-tree");
	g->index = NULL;
	own_remove(m);
	return rc;
}

/* Does the tree differ from the commit's? */
static bool
tree_is_new(struct making *m)
{
	char spec[160];
	struct err none;

	if (m->head[0] == '\0')
		return true;
	snprintf(spec, sizeof spec, "%s^{tree}", m->head);
	return GIT(&m->p->git, &none, "rev-parse", spec) != OK ||
	    !str_eq(git_out(&m->p->git), str_of(m->tree));
}

/* Signed if commit.gpgsign is set. */
static int
commit_make(struct making *m)
{
	struct git *g = &m->p->git;
	const char *args[10] = { "commit-tree" };
	struct err none;
	size_t n = 1;

	if (GIT(g, &none, "config", "--bool", "commit.gpgsign") == OK &&
	    str_eq(git_out(g), S("true")))
		args[n++] = "-S";
	if (m->head[0] != '\0') {
		args[n++] = "-p";
		args[n++] = m->head;
	}
	args[n++] = "-m";
	args[n++] = m->c->message;
	args[n++] = m->tree;
	return git_ask(g, m->made, sizeof m->made, args, m->e);
}

/* *again: somebody else moved the branch. */
static int
branch_move(struct making *m, bool *again)
{
	static const char nothing[] = "0000000000000000000000000000000000000000";
	struct git *g = &m->p->git;
	int rc = GIT(g, m->e, "update-ref", "-m", "commit: work: sync", "HEAD",
	    m->made, m->head[0] != '\0' ? m->head : nothing);

	*again = rc != OK && g->err.n > 0 && strstr(g->err.p, "but expected") != NULL;
	return rc;
}

/* ---- the user's index ------------------------------------------------------ */

/* stat comes first, so that index_swap sees a change during the read. */
static int
index_copy(struct making *m, struct stat *st)
{
	struct buf b = BUF(SIZE_MAX / 4);
	struct err e;
	int to, rc = stat(m->index, st) == 0 ? file_add(m->index, &b, &e) :
	    errno == ENOENT ? ERR_NOTFOUND : ERR_IO;

	if (rc == OK) {
		unlink(m->own);
		to = open(m->own, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		rc = to >= 0 ? file_write(to, buf_str(&b)) : ERR_IO;
		if (to >= 0)
			close(to);
	}
	buf_release(&b);
	return rc;
}

/* Replaces the user's index, unless it changed since it was copied. */
static int
index_swap(struct making *m, const struct stat *was)
{
	struct stat now;
	bool same;

	if (link(m->own, m->lock) != 0)
		return errno == EEXIST ? ERR_BUSY : ERR_IO;
	same = stat(m->index, &now) == 0 ? now.st_ino == was->st_ino &&
	    now.st_size == was->st_size && now.st_mtim.tv_sec ==
	    was->st_mtim.tv_sec && now.st_mtim.tv_nsec == was->st_mtim.tv_nsec :
	    was->st_ino == 0;
	if (same && rename(m->lock, m->index) == 0)
		return OK;
	unlink(m->lock);
	return same ? ERR_IO : ERR_BUSY;
}

static int
index_follow(struct making *m)
{
	struct git *g = &m->p->git;
	struct stat was = { .st_ino = 0 };
	int rc = ERR_BUSY;

	for (int i = 0; rc == ERR_BUSY && i < MOVES; i++) {
		rc = git_lock_wait(m->lock, g->tells, m->e);
		if (rc != OK)
			return rc;
		own_remove(m);
		rc = index_copy(m, &was);
		if (rc == ERR_NOTFOUND)
			rc = OK;             /* it has none yet: ours is the first */
		g->index = m->own;
		if (rc == OK)
			rc = GIT(g, m->e, "update-index", "--add", "--", m->c->file);
		g->index = NULL;
		if (rc != OK)
			break;
		rc = index_swap(m, &was);
	}
	own_remove(m);
	return rc == OK || m->e->text[0] != '\0' ? rc : err_set(m->e, rc,
	    "%s: %s", m->index, rc == ERR_BUSY ? "another git is running" :
	    strerror(errno));
}

/* ---- all of it ------------------------------------------------------------- */

static int
making_begin(struct making *m)
{
	struct git *g = &m->p->git;
	int rc = git_path(g, INDEX, m->own, sizeof m->own, m->e);

	if (rc == OK)
		rc = git_path(g, "index", m->index, sizeof m->index, m->e);
	snprintf(m->lock, sizeof m->lock, "%s.lock", m->index);
	return rc;
}

/* Waits for the lock of a user's git before the branch moves, so that it does not
 * move under a commit that is being made. */
int
pull_commit(struct pull *p, struct pull_commit *c, struct err *e)
{
	struct making m = { .p = p, .c = c, .e = e };
	bool again = true;
	int rc;

	assert(c->file[0] != '/' && c->message[0] != '\0');
	rc = making_begin(&m);

	for (int i = 0; rc == OK && again && i < MOVES; i++) {
		again = false;
		rc = tree_make(&m);
		c->made = rc == OK && tree_is_new(&m);
		if (rc != OK || !c->made)
			break;
		rc = git_lock_wait(m.lock, p->git.tells, e);
		if (rc == OK)
			rc = commit_make(&m);
		if (rc == OK)
			rc = branch_move(&m, &again);
		rc = again ? OK : rc;
	}
	if (rc == OK && again)
		return err_set(e, ERR_BUSY, "other commits keep moving the branch; "
		    "sync again");
	if (rc == OK)
		rc = index_follow(&m);
	return rc;
}
