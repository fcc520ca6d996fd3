/*
 * pull.c - see pull.h.
 *
 * Git gets the driver by `-c`, and its attribute by core.attributesFile, a file of
 * ours that begins with the user's own; the user's configuration does not change.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "workcli/cmd.h"
#include "workcli/merge_driver.h"
#include "workcli/context.h"
#include "workcli/replace.h"
#include "workcli/pull.h"

#define ATTRIBUTES "sync.attributes"

void
pull_init(struct pull *p, const char *dir)
{
	memset(p, 0, sizeof *p);
	git_init(&p->git, dir);
	snprintf(p->state, sizeof p->state, "%.*s/sync.state", PATH_MAX - 16, dir);
}

void
pull_release(struct pull *p)
{
	git_release(&p->git);
	if (p->path[0] != '\0')
		unlink(p->path);
}

/* ---- the driver ------------------------------------------------------------ */

static void
user_attributes(struct pull *p, struct buf *b)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char path[PATH_MAX];
	struct err e;
	bool given = GIT_ASK(&p->git, &e, path, "config", "--type=path",
	    "core.attributesFile") == OK;

	if (!given && config != NULL && config[0] != '\0')
		snprintf(path, sizeof path, "%s/git/attributes", config);
	else if (!given && home != NULL)
		snprintf(path, sizeof path, "%s/.config/git/attributes", home);
	if (path[0] != '\0' && cli_read_present(path, b, &e) != OK)
		buf_clear(b);
	if (b->n > 0 && b->p[b->n - 1] != '\n')
		buf_add_char(b, '\n');
}

static int
driver_prepare(struct pull *p, struct err *e)
{
	static const char key[] = "merge." DRIVER_NAME ".driver=";
	struct buf b = BUF(1 * MB);
	int rc;

	if (p->path[0] != '\0')
		return OK;
	memcpy(p->driver, key, sizeof key);
	rc = merge_driver_command(p->driver + sizeof key - 1, sizeof p->driver -
	    sizeof key + 1, e);
	user_attributes(p, &b);
	buf_lit(&b, DRIVER_ATTRIBUTE "\n");
	if (snprintf(p->path, sizeof p->path, "%s/" ATTRIBUTES, p->git.dir) >=
	    (int)sizeof p->path)
		rc = err_set(e, ERR_TOOBIG, "the workspace's path is too long");
	if (rc == OK)
		rc = replace_file(p->path, buf_str(&b), e);
	buf_release(&b);
	snprintf(p->attributes, sizeof p->attributes, "core.attributesFile=%s",
	    p->path);
	p->config[0] = p->driver;
	p->config[1] = p->attributes;
	p->config[2] = "merge." DRIVER_NAME ".name=" DRIVER_TITLE;
	p->config[3] = NULL;
	return rc;
}

/* ---- what there is --------------------------------------------------------- */

/* Is there such a file in git's folder? */
static bool
git_has_file(struct pull *p, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	struct err e;

	return git_path(&p->git, name, path, sizeof path, &e) == OK &&
	    stat(path, &st) == 0;
}

static int
upstream_find(struct pull *p, struct err *why)
{
	char key[600];
	struct err e;

	if (GIT_ASK(&p->git, &e, p->branch, "symbolic-ref", "-q", "--short",
	    "HEAD") != OK)
		return git_is_stopping() ? err_set(why, e.code, "%s", e.text) :
		    err_set(why, ERR_INVALID, "HEAD is detached: a commit of sync "
		    "would be on no branch\nHint: check out a branch, or use sync "
		    "--flush-only");
	snprintf(key, sizeof key, "branch.%s.remote", p->branch);
	if (GIT_ASK(&p->git, &e, p->remote, "config", key) != OK)
		return OK;
	snprintf(key, sizeof key, "branch.%s.merge", p->branch);
	if (GIT_ASK(&p->git, &e, p->merge, "config", key) != OK)
		return OK;
	p->upstream = true;
	return OK;
}

int
pull_check(struct pull *p, struct err *e)
{
	static const struct { const char *file, *what; } busy[] = {
		{ "rebase-merge", "a rebase" }, { "rebase-apply", "a rebase" },
		{ "MERGE_HEAD", "a merge" }, { "CHERRY_PICK_HEAD", "a cherry-pick" },
		{ "REVERT_HEAD", "a revert" },
	};

	for (size_t i = 0; i < COUNT(busy); i++) {
		if (git_has_file(p, busy[i].file))
			return err_set(e, ERR_CONFLICT, "%s is in progress in this "
			    "checkout; finish it, then sync", busy[i].what);
	}
	return upstream_find(p, e);
}

/* ---- one that was killed --------------------------------------------------- */

int
pull_state(struct pull *p, const char *what, struct err *e)
{
	if (what != NULL)
		return replace_file(p->state, str_of(what), e);
	return unlink(p->state) == 0 || errno == ENOENT ? OK :
	    err_set(e, ERR_IO, "%s: %s", p->state, strerror(errno));
}

/* Did we begin the rebase that is under way? */
static bool
rebase_is_ours(struct pull *p, struct str state)
{
	struct buf head = BUF(4 * KB);
	char path[PATH_MAX];
	struct err e;
	bool ours = str_starts(state, S("rebase ")) && git_path(&p->git,
	    "rebase-merge/orig-head", path, sizeof path, &e) == OK &&
	    cli_read_present(path, &head, &e) == OK && str_eq(str_trim(buf_str(&head)),
	    str_trim(str_sub(state, 7, state.n)));

	buf_release(&head);
	return ours;
}

int
pull_recover(struct pull *p, bool *killed, struct err *e)
{
	struct buf b = BUF(4 * KB);
	char path[PATH_MAX];
	int rc = cli_read_present(p->state, &b, e);

	*killed = rc == OK && b.n > 0;
	if (*killed) {
		if (snprintf(path, sizeof path, "%s/" ATTRIBUTES, p->git.dir) <
		    (int)sizeof path) {
			unlink(path);
			replace_sweep(path);
		}
		if (rebase_is_ours(p, buf_str(&b)))
			rc = GIT(&p->git, e, "rebase", "--abort");
	}
	buf_release(&b);
	return rc;
}

bool
pull_is_ahead(struct pull *p)
{
	struct err e;

	if (!git_has(&p->git, "@{upstream}"))
		return true;                 /* its first push */
	return GIT(&p->git, &e, "rev-list", "--count", "@{upstream}..HEAD") == OK &&
	    !str_eq(git_out(&p->git), S("0"));
}

/* ---- pull: the checkout is clean ------------------------------------------- */

static int
conflict(struct pull *p, struct err *e)
{
	char text[300];
	struct err ignored;
	size_t n = 0;

	GIT_ASK(&p->git, &ignored, text, "diff", "--name-only", "--diff-filter=U");
	for (; text[n] != '\0'; n++)
		text[n] = text[n] == '\n' ? ' ' : text[n];
	GIT(&p->git, &ignored, "rebase", "--abort");
	if (e->code == ERR_TIMEOUT || git_is_stopping())
		return e->code;
	if (n == 0)
		return err_set(e, ERR_INVALID, "pulling: the rebase failed and was "
		    "aborted\nHint: see what 'git pull --rebase' says");
	return err_set(e, ERR_CONFLICT, "pulling: conflicts in %s; the rebase was "
	    "aborted, nothing was changed\nHint: resolve conflicts manually with "
	    "'git pull --rebase', then sync again", text);
}

static int
pull_clean(struct pull *p, struct buf *notes, struct err *e)
{
	char head[128], state[160];
	struct err again;
	int rc = GIT_ASK(&p->git, e, head, "rev-parse", "HEAD");

	snprintf(state, sizeof state, "rebase %s\n", head);
	if (rc == OK)
		rc = pull_state(p, state, e);
	if (rc != OK)
		return rc;
	rc = GIT(&p->git, e, "rebase", "-q", "--no-verify", "--no-autostash",
	    "@{upstream}");
	/* The notes of the merge driver. */
	if (p->git.err.n > 0 && rc == OK)
		cli_add_lines(notes, buf_str(&p->git.err));
	if (rc == OK)
		return pull_state(p, "sync\n", e);
	p->git.tidying = true;
	if (git_has_file(p, "rebase-merge") || git_has_file(p, "rebase-apply"))
		rc = conflict(p, e);
	p->git.tidying = false;
	pull_state(p, "sync\n", &again);
	return rc;
}

/* ---- pull: there are changes ----------------------------------------------- */

/* Do all our commits change nothing but the file?  Then one commit on top of
 * theirs replaces them, as a rebase would. */
static bool
only_the_file(struct pull *p)
{
	struct err e;
	struct str rest, line;

	if (GIT(&p->git, &e, "rev-list", "--merges", "-n", "1",
	    "@{upstream}..HEAD") != OK || p->git.out.n > 0)
		return false;
	if (GIT(&p->git, &e, "log", "--format=", "--name-only",
	    "@{upstream}..HEAD") != OK)
		return false;
	rest = git_out(&p->git);
	while (str_next(&rest, '\n', &line)) {
		if (line.n > 0 && !str_ends(line, S("/issues.jsonl")) &&
		    !str_eq(line, S("issues.jsonl")))
			return false;
	}
	return true;
}

static int
pull_beside(struct pull *p, struct buf *notes, struct err *e)
{
	char head[128], tree[128], made[128], message[256];
	bool flat = only_the_file(p);
	int rc = GIT_ASK(&p->git, e, head, "rev-parse", "HEAD");

	if (rc != OK)
		return rc;
	rc = GIT_ASK(&p->git, e, tree, "merge-tree", "--write-tree", head, "@{upstream}");
	if (rc != OK)
		return p->git.status == 1 ? err_set(e, ERR_CONFLICT, "pulling: commits "
		    "here conflict with the remote; nothing was changed\n"
		    "Hint: resolve conflicts manually with 'git pull --rebase', then "
		    "sync again") : rc;
	if (p->git.err.n > 0)
		cli_add_lines(notes, buf_str(&p->git.err));
	tree[strcspn(tree, "\n")] = '\0';
	rc = GIT_ASK(&p->git, e, message, "log", "-1", "--format=%s", head);
	if (rc == OK)
		rc = flat ? GIT_ASK(&p->git, e, made, "commit-tree", tree, "-p",
		    "@{upstream}", "-m", message) : GIT_ASK(&p->git, e, made,
		    "commit-tree", tree, "-p", head, "-p", "@{upstream}", "-m",
		    "work: merge of the remote's items");
	if (rc == OK)
		rc = GIT(&p->git, e, "rev-parse", "HEAD");
	if (rc == OK && !str_eq(git_out(&p->git), str_of(head)))
		rc = err_set(e, ERR_CONFLICT, "pulling: another commit was made here in "
		    "the meantime; sync again");
	return rc != OK ? rc : GIT(&p->git, e, "checkout", "-q", "-B", p->branch, made);
}

/* Is the range of commits empty? */
static bool
count_is_zero(struct pull *p, const char *range)
{
	struct err e;

	return GIT(&p->git, &e, "rev-list", "--count", range) == OK &&
	    str_eq(git_out(&p->git), S("0"));
}

int
pull_run(struct pull *p, struct buf *notes, struct err *e)
{
	struct err ignored;
	bool clean;
	int rc;

	assert(p->upstream);
	rc = driver_prepare(p, e);
	p->git.config = p->config;
	if (rc == OK)
		rc = GIT(&p->git, e, "fetch", "-q", "--", p->remote);
	if (rc == OK && !git_has(&p->git, "@{upstream}"))
		return OK;                   /* nobody pushed yet */
	if (rc != OK || count_is_zero(p, "HEAD..@{upstream}"))
		return rc;
	if (count_is_zero(p, "@{upstream}..HEAD") || !git_has(&p->git, "HEAD"))
		return GIT(&p->git, e, "merge", "-q", "--ff-only", "@{upstream}");
	clean = GIT(&p->git, &ignored, "diff", "--quiet", "--ignore-submodules",
	    "HEAD") == OK;
	if (clean && !only_the_file(p))
		return pull_clean(p, notes, e);
	rc = pull_beside(p, notes, e);
	/* An old git without merge-tree --write-tree. */
	return rc != OK && clean && p->git.status == 129 ?
	    pull_clean(p, notes, e) : rc;
}

/* ---- push ------------------------------------------------------------------ */

int
pull_push(struct pull *p, bool *again, struct err *e)
{
	static const char *const words[] = { "fetch first", "non-fast-forward",
		"cannot lock ref", "failed to update ref", "stale info" };
	char refspec[600];
	int rc;

	assert(p->upstream);                 /* pull_check found one */
	snprintf(refspec, sizeof refspec, "HEAD:%s", p->merge);
	rc = GIT(&p->git, e, "push", "-q", "--", p->remote, refspec);
	for (size_t i = 0; rc != OK && i < COUNT(words); i++)
		*again = *again || (p->git.err.n > 0 &&
		    strstr(p->git.err.p, words[i]) != NULL);
	return rc;
}
