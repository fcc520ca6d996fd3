/*
 * cmd_backup.c - `cohort backup`, `backup list`, `backup verify` and `restore`.
 *
 * They work on files, with a server running or without one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main/cmd.h"
#include "store/backup.h"

#define TEXT(n, v, h) { n, .kind = FLAG_TEXT, .value = v, .help = h }

const struct flag cmd_backup_flags[] = {
	TEXT("db", "FILE", "the database [cohort.db]; also the tracker's (work.path)"),
	TEXT("to", "DIR", "the folder of its backups"),
	{ "full", .help = "all pages, not only those that changed" },
	{ "quiet", .letter = 'q', .help = "print nothing unless it fails" },
	{ NULL }
};

const struct flag cmd_backup_verify_flags[] = {
	TEXT("scratch", "DIR", "where it is restored for the test [$TMPDIR, or /tmp]"),
	{ NULL }
};

const struct flag cmd_restore_flags[] = {
	TEXT("from", "DIR", "the folder of its backups"),
	TEXT("db", "FILE", "the file to make"),
	TEXT("at", "TIME", "as it was then, as in 2026-12-02T10:00:00Z [the newest]"),
	{ "force", .help = "put a file that is there aside, as FILE.replaced" },
	{ NULL }
};

/* ---- a line ------------------------------------------------------------------------- */

struct job {
	struct arena a;
	struct flag_line line;
	const struct flag_command *cmd;
	struct err e;
};

/* `need`: a flag without which there is nothing to do; or NULL.  < 0: told already. */
static int
job_begin(struct job *j, const struct flag_command *cmd, int argc, char **argv,
    const char *need, const char *what)
{
	int rc;

	*j = (struct job){ .a = ARENA(LINE_BYTES), .cmd = cmd };
	rc = line_parse(&j->line, cmd, argc, argv, &j->a, &j->e);
	if (rc == OK && need != NULL && line_text(&j->line, need).n == 0)
		rc = err_set(&j->e, ERR_INVALID, "--%s %s is missing", need, what);
	if (rc == OK)
		return OK;
	command_usage_error(cmd->name, &j->e);
	arena_release(&j->a);
	return rc;
}

static int
job_end(struct job *j, int rc)
{
	if (rc != OK)
		fprintf(stderr, "cohort %s: %s\n", j->cmd->name, j->e.text);
	arena_release(&j->a);
	return rc == OK ? 0 : 1;
}

static const char *
text_or(const struct job *j, const char *flag, const char *otherwise)
{
	struct str s = line_text(&j->line, flag);

	return s.n > 0 ? s.p : otherwise;
}

static void
print_time(msec at)
{
	char iso[CLOCK_ISO_SIZE];

	clock_write_iso(iso, at);
	printf("%.*s", CLOCK_ISO_SIZE, iso);
}

/* ---- backup ---------------------------------------------------------------------------- */

static void
on_progress(void *ctx, uint64_t done, uint64_t of)
{
	(void)ctx;
	fprintf(stderr, "\r%3d %%", (int)(done * 100 / of));
}

int
cmd_backup(const struct flag_command *cmd, int argc, char **argv)
{
	struct backup_watch watch = { 0 };
	const char *layer = NULL;
	struct backup_made m;
	bool quiet;
	struct job j;
	int rc;

	if (job_begin(&j, cmd, argc, argv, "to", "DIR") < 0)
		return EXIT_USAGE;
	quiet = line_has(&j.line, "quiet");
	if (!quiet && isatty(STDERR_FILENO))
		watch.progress = on_progress;
	rc = cmd_key_layer("COHORT_ENCRYPTION_KEY", &layer, &j.e);
	if (rc == OK)
		rc = backup_make(text_or(&j, "db", "cohort.db"), layer, line_text(&j.line, "to").p,
		    line_has(&j.line, "full"), &watch, &m, &j.e);
	if (watch.progress != NULL)
		fprintf(stderr, "\r     \r");
	if (rc == OK && !quiet)
		printf("%s: %u of %u pages, %lld bytes\n", m.name, m.copied, m.pages,
		    (long long)m.bytes);
	return job_end(&j, rc);
}

/* ---- list, verify ------------------------------------------------------------------------- */

static void
print_item(void *ctx, const struct backup_listed *b)
{
	(void)ctx;
	print_time(b->time);
	printf("  %-9s  %12lld bytes  %s", backup_kinds[b->kind], (long long)b->bytes, b->name);
	if (b->kind == BACKUP_LOG) {
		printf("  %llu commits until ", (unsigned long long)b->transactions);
		print_time(b->until);
	}
	if (b->wrong != NULL)
		printf("  WRONG: %s", b->wrong);
	printf("\n");
}

int
cmd_backup_list(const struct flag_command *cmd, int argc, char **argv)
{
	struct job j;

	if (job_begin(&j, cmd, argc, argv, NULL, NULL) < 0)
		return EXIT_USAGE;
	return job_end(&j, backup_list(j.line.operand[0].p, print_item, NULL, &j.e));
}

int
cmd_backup_verify(const struct flag_command *cmd, int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");
	const char *layer = NULL;
	char folder[BACKUP_PATH_MAX], path[BACKUP_PATH_MAX + 8];
	struct job j;
	int rc;

	if (job_begin(&j, cmd, argc, argv, NULL, NULL) < 0)
		return EXIT_USAGE;
	snprintf(folder, sizeof folder, "%s/cohort-verify-XXXXXX",
	    text_or(&j, "scratch", tmp != NULL ? tmp : "/tmp"));
	if (mkdtemp(folder) == NULL)
		return job_end(&j, err_set(&j.e, ERR_IO, "%s: no folder can be made there",
		    folder));
	snprintf(path, sizeof path, "%s/db", folder);
	rc = cmd_key_layer("COHORT_ENCRYPTION_KEY", &layer, &j.e);
	if (rc == OK)
		rc = backup_verify(j.line.operand[0].p, path, layer, print_item, NULL, &j.e);
	rmdir(folder);
	if (rc == OK)
		printf("all of them are good, and the database they make is whole\n");
	return job_end(&j, rc);
}

/* ---- restore -------------------------------------------------------------------------------- */

static int
restore(struct job *j)
{
	struct str at = line_text(&j->line, "at"), db = line_text(&j->line, "db");
	struct backup_restored out;
	msec when = NEVER;
	int rc;

	rc = backup_restore(line_text(&j->line, "from").p, db.p,
	    at.n > 0 && clock_read_iso(at, &when) ? when : NEVER, line_has(&j->line, "force"),
	    &out, &j->e);
	if (rc != OK)
		return rc;
	printf("%.*s: as of ", FMT(db));
	print_time(out.time);
	printf(", %u pages%s%s\n", out.pages, out.cut ? "; the log stops within a commit, which "
	    "is left out" : "", out.kept ? "; the file of before has .replaced behind its name" :
	    "");
	return OK;
}

int
cmd_restore(const struct flag_command *cmd, int argc, char **argv)
{
	struct str at;
	struct job j;
	msec when;

	if (job_begin(&j, cmd, argc, argv, "from", "DIR") < 0)
		return EXIT_USAGE;
	at = line_text(&j.line, "at");
	if (line_text(&j.line, "db").n == 0)
		err_set(&j.e, ERR_INVALID, "--db FILE is missing");
	else if (at.n > 0 && !clock_read_iso(at, &when))
		err_set(&j.e, ERR_INVALID, "--at: expected a time with its zone, as in "
		    "2026-12-02T10:00:00Z, got \"%.*s\"", FMT(at));
	if (j.e.text[0] != '\0') {
		command_usage_error(cmd->name, &j.e);
		arena_release(&j.a);
		return EXIT_USAGE;
	}
	return job_end(&j, restore(&j));
}
