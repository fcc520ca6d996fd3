/*
 * cmd_agent_sync.c - `cohort agent sync`: the server's folder of agents is what a git
 * repository has; `cohort agent rollback`: what it was before.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "main/agents.h"
#include "main/cmd.h"
#include "main/versions.h"
#include "workcli/git.h"

struct sync_options {
	const char *ref, *path;
	msec watch;
	bool force;
};

#define AT(field) .at = offsetof(struct sync_options, field)
const struct flag cmd_agent_sync_flags[] = {
	{ "ref", .kind = FLAG_TEXT, .value = "REF", .help = "a branch, a tag or the id of a commit "
	    "(default: the repository's HEAD)", AT(ref) },
	{ "path", .kind = FLAG_TEXT, .value = "FOLDER", .help = "only this folder of the "
	    "repository", AT(path) },
	{ "watch", .kind = FLAG_MS, .fallback = "0", .value = "TIME", .help = "go on, and look "
	    "again every so often, as in 30s", AT(watch) },
	{ "force", .help = "also what `cohort agent rollback` took back", AT(force) },
	{ NULL }
};
#undef AT

struct sync {
	const struct flag_command *cmd;
	struct git_folder from;
	struct sync_options o;
	struct str folder;
	struct versions v;
	char commit[GIT_ID_BYTES];
	struct package old, new;             /* old: empty if there was none */
};

/* ---- words --------------------------------------------------------------------------- */

/* The folder that is made is of no interest to who reads it. */
static void
tell(void *ctx, const char *text)
{
	const struct sync *s = ctx;
	struct buf line = BUF(64 * KB);
	const char *at;
	size_t n = strlen(s->v.next);

	for (; (at = strstr(text, s->v.next)) != NULL; text = at + n + (at[n] == '/'))
		buf_add_fmt(&line, "%.*s", (int)(at - text), text);
	buf_add_fmt(&line, "%s", text);
	fprintf(stderr, "cohort %s: %.12s: %.*s\n", s->cmd->name, s->commit,
	    FMT(buf_str(&line)));
	buf_release(&line);
}

static void
tell_files(const struct package *old, const struct package *new)
{
	for (size_t i = 0, j = 0; i < old->n || j < new->n; ) {
		const char *a = i < old->n ? old->files[i].path : NULL;
		const char *b = j < new->n ? new->files[j].path : NULL;
		int order = a == NULL ? 1 : b == NULL ? -1 : strcmp(a, b);

		if (order < 0)
			printf("  removed  %s\n", a);
		else if (order > 0)
			printf("  added    %s\n", b);
		else if (memcmp(old->files[i].hash, new->files[j].hash, PACKAGE_HASH) != 0)
			printf("  changed  %s\n", a);
		i += order <= 0;
		j += order >= 0;
	}
}

static void
tell_switch(const struct sync *s, const char *before)
{
	struct buf source = BUF(SIZE_MAX / 2);

	git_folder_add_source(&source, s->from.source);
	printf("%s: %.12s -> %.12s of %.*s%s%s%s%s\n", s->v.link,
	    before != NULL ? version_commit(before) : "nothing", version_commit(s->v.now),
	    FMT(buf_str(&source)), s->o.ref != NULL ? " " : "", s->o.ref != NULL ? s->o.ref : "",
	    s->o.path != NULL ? ", " : "", s->o.path != NULL ? s->o.path : "");
	tell_files(&s->old, &s->new);
	printf("  sha256:%.*s\n", PACKAGE_HASH, s->new.hash);
	fflush(stdout);
	buf_release(&source);
}

static void
tell_same(const struct sync *s, const char *words)
{
	printf("%s: %.12s, %s\n", s->v.link, s->commit, words);
	fflush(stdout);
}

/* ---- one time -------------------------------------------------------------------------- */

static int
take(struct sync *s, struct err *e)
{
	struct err none;
	char *before = NULL;
	int rc = git_folder_take(&s->from, s->v.next, s->commit, e);

	if (rc == OK)
		rc = package_read(&s->new, AT_FDCWD, s->v.next, "the commit", e);
	if (rc != OK)
		return rc;
	/* One that was changed by hand may be no package any more: it is replaced. */
	if (package_read(&s->old, AT_FDCWD, s->v.link, s->v.link, &none) == OK &&
	    package_has_hash(&s->old, s->new.hash)) {
		if (s->o.watch == 0)
			tell_same(s, "nothing has changed");
		return OK;
	}
	if (!s->o.force && versions_are_held(&s->v, s->new.hash)) {
		if (s->o.watch == 0)
			tell_same(s, "was taken back by `cohort agent rollback`; --force takes it "
			    "again");
		return OK;
	}
	if (!folder_check(str_of(s->v.next), tell, s))
		return err_set(e, ERR_INVALID, "the commit %.12s is not taken; %s stays as it is",
		    s->commit, s->v.link);
	if (s->v.now != NULL)
		before = mem_cstr(str_of(s->v.now));
	rc = versions_switch(&s->v, s->commit, e);
	if (rc == OK)
		tell_switch(s, before);
	free(before);
	return rc;
}

static int
once(struct sync *s, struct err *e)
{
	int rc = versions_open(&s->v, s->folder, true, e);

	s->from.cache = s->v.cache;
	s->commit[0] = '\0';
	if (rc == OK)
		rc = take(s, e);
	package_release(&s->old);
	package_release(&s->new);
	versions_close(&s->v);
	return rc;
}

static void
fail(const struct sync *s, const struct err *e)
{
	fprintf(stderr, "cohort %s: %s\n", s->cmd->name, e->text);
}

static void
pause_until(msec ms)
{
	nsec until = clock_mono() + ms * NS_PER_MS;

	while (!git_is_stopping() && clock_mono() < until)
		git_pause_ms(200);
}

/* The same failure is told once. */
static int
watch(struct sync *s)
{
	struct err e, last = { 0 };

	while (!git_is_stopping()) {
		if (once(s, &e) == OK) {
			last.text[0] = '\0';
		} else if (!git_is_stopping() && strcmp(last.text, e.text) != 0) {
			fail(s, &e);
			last = e;
		}
		pause_until(s->o.watch);
	}
	return 0;
}

static int
check(const struct sync *s, const struct flag_line *line, struct err *e)
{
	int rc = git_folder_check(&s->from, e);

	if (rc == OK && line_has(line, "watch") && s->o.watch < LIMIT_AGENT_SYNC_WATCH_MIN_MS)
		rc = err_set(e, ERR_INVALID, "--watch: expected %d ms at least",
		    LIMIT_AGENT_SYNC_WATCH_MIN_MS);
	return rc;
}

int
cmd_agent_sync(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct sync s = { .cmd = cmd };
	struct flag_line line;
	struct err e = { 0 };
	int code = 0;

	if (line_parse(&line, cmd, argc, argv, &a, &e) < 0 ||
	    flags_default(cmd_agent_sync_flags, &s.o, &e) < 0 ||
	    flags_store(cmd_agent_sync_flags, &line, &s.o, &e) < 0) {
		arena_release(&a);
		return command_usage_error(cmd->name, &e);
	}
	s.from.source = line.operand[0].p;   /* arguments: they end */
	s.folder = line.operand[1];
	s.from.ref = s.o.ref;
	s.from.path = s.o.path;
	git_catch_signals();
	if (check(&s, &line, &e) != OK) {
		arena_release(&a);
		return command_usage_error(cmd->name, &e);
	}
	if (s.o.watch > 0)
		code = watch(&s);
	else if (once(&s, &e) != OK)
		code = 1;
	if (code != 0)
		fail(&s, &e);
	arena_release(&a);
	return code;
}

/* ---- back ---------------------------------------------------------------------------------- */

int
cmd_agent_rollback(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line line;
	struct versions v;
	struct err e = { 0 };
	int rc;

	if (line_parse(&line, cmd, argc, argv, &a, &e) < 0) {
		arena_release(&a);
		return command_usage_error(cmd->name, &e);
	}
	rc = versions_open(&v, line.operand[0], false, &e);
	if (rc == OK)
		rc = versions_back(&v, &e);
	if (rc == OK)
		printf("%s: back to %.12s\n", v.link, version_commit(v.now));
	else
		fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
	versions_close(&v);
	arena_release(&a);
	return rc == OK ? 0 : 1;
}
