/*
 * cmd_migrate.c - `cohort migrate`: does to a database file what a server of this version
 * would do when it starts, or only says what that would be.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <unistd.h>

#include "main/cmd.h"
#include "main/config.h"
#include "store/migration.h"
#include "store/store.h"
#include "work/host/guest.h"

enum { EXIT_DUE = 3 };

const struct flag cmd_migrate_flags[] = {
	{ "db", .kind = FLAG_TEXT, .value = "FILE", .help = "the database [cohort.db]" },
	{ "check", .help = "only say what would be done: exit code 0: nothing, 3: steps are to "
	  "come, 1: an error" },
	{ NULL }
};

static void
print_plan(const struct migration *m, struct str db)
{
	printf("%.*s\n", FMT(db));
	for (int i = 0; i < m->n; i++) {
		const struct migration_part *p = &m->part[i];

		printf("  %-8s format %d, this command's %d: ", p->name, p->version, p->newest);
		if (p->version == p->newest)
			printf("nothing to do\n");
		else
			printf("steps %d to %d\n", p->version + 1, p->newest);
	}
	if (m->copies)
		printf("  the file is copied to FILE.bak-vN before: %lld bytes each time, %lld are "
		    "free%s\n", (long long)m->bytes, (long long)m->room,
		    m->bytes > m->room ? ": TOO FEW" : "");
}

static int
migrate(struct str db, const char *layer, const struct store_guest *const *guests, struct err *e)
{
	const struct store_options o = { .driver = S("sqlite"), .path = db,
	    .layer = layer, .guests = guests };
	struct store *st;
	int rc = store_open(&st, &o, e);

	if (rc == OK)
		store_close(st);
	return rc;
}

static int
run(struct str db, bool check, struct err *e, int *code)
{
	struct work_board *board = work_board_new();
	const struct store_guest *const guests[] = { work_board_guest(board), NULL };
	struct migration m;
	const char *layer = NULL;
	int rc = cmd_key_layer("COHORT_ENCRYPTION_KEY", &layer, e);

	if (rc == OK)
		rc = store_migration_look(&m, db.p, layer, guests, e);
	if (rc == OK)
		print_plan(&m, db);
	*code = rc == OK && check && m.due ? EXIT_DUE : 0;
	if (rc == OK && !check && m.due && m.bytes > m.room)
		rc = err_set(e, ERR_LIMIT, "there is no room for the copy that is made first");
	if (rc == OK && !check && m.due) {
		fflush(stdout);
		rc = migrate(db, layer, guests, e);
		if (rc == OK)
			printf("  done\n");
	}
	work_board_free(board);
	return rc;
}

int
cmd_migrate(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line line;
	struct err e = { 0 };
	struct str db;
	int code = 0, rc = line_parse(&line, cmd, argc, argv, &a, &e);

	if (rc < 0) {
		arena_release(&a);
		return command_usage_error(cmd->name, &e);
	}
	db = line_text(&line, "db");
	if (db.n == 0)
		db = S("cohort.db");
	if (config_check_store(db, "--db", NULL) == OK && str_contains(db, S("://")))
		rc = err_set(&e, ERR_INVALID, "the tables of a PostgreSQL are migrated by the first "
		    "node that starts; docs/cluster.md");
	else
		rc = run(db, line_has(&line, "check"), &e, &code);
	if (rc != OK)
		fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
	arena_release(&a);
	return rc == OK ? code : 1;
}
