/*
 * cmd_new.c - `cohort new`: a folder with what a project begins with.  Its files are those of
 * src/main/new, with the project's name in the place of @NAME@.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "main/cmd.h"

#define NAME S("@NAME@")

static const struct text { const char *name, *id, *text; } texts[] = {
#include "main/new_rows.h"
};

/* Folders stand before what is in them. */
static const struct place {
	const char *text;                    /* NULL: a folder */
	const char *path, *words;
} places[] = {
	{ "README.md",    "README.md",           "what is here, and how to begin" },
	{ NULL,           "agents",              NULL },
	{ "agent.yaml",   "agents/@NAME@.yaml",  "an agent, with its tests" },
	{ NULL,           "evals",               NULL },
	{ "eval.yaml",    "evals/@NAME@.yaml",   "an eval of it" },
	{ "cases.jsonl",  "evals/@NAME@.jsonl",  "the cases of the eval" },
	{ "cohort.yaml",  "cohort.yaml",         "settings of the server" },
	{ "demo.json",    "demo.json",           "what the scripted model answers" },
	{ "compose.yaml", "compose.yaml",        "the server in a container" },
	{ "gitignore",    ".gitignore",          "what stays out of git" },
};

static void
add_named(struct buf *out, struct str text, struct str name)
{
	while (text.n > 0) {
		bool here = str_starts(text, NAME);
		size_t n = here ? NAME.n : 1;

		buf_add(out, here ? name : str_sub(text, 0, 1));
		text = str_sub(text, n, text.n);
	}
}

static struct str
text_of(const char *name)
{
	size_t i = 0;

	while (strcmp(texts[i].name, name) != 0)
		i++;
	return str_of(texts[i].text);
}

/* The path of a place in the folder; it ends with a NUL. */
static const char *
path_of(struct buf *b, const struct place *p, const char *folder, struct str name)
{
	buf_clear(b);
	buf_add_fmt(b, "%s/", folder);
	add_named(b, str_of(p->path), name);
	buf_add_char(b, '\0');
	return b->p;
}

static int
make(const struct place *p, const char *path, struct str name, struct err *e)
{
	struct buf text = BUF(64 * KB);
	int rc;

	if (p->text == NULL)
		return mkdir(path, 0777) == 0 ? OK :
		    err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	add_named(&text, text_of(p->text), name);
	rc = file_put(path, buf_str(&text), e);
	buf_release(&text);
	return rc;
}

/* All of it, or nothing. */
static int
make_all(const char *folder, struct str name, struct err *e)
{
	struct buf path = BUF(64 * KB);
	size_t made = 0;
	int rc = OK;

	if (mkdir(folder, 0777) != 0)
		return err_set(e, errno == EEXIST ? ERR_CONFLICT : ERR_IO, "%s: %s", folder,
		    errno == EEXIST ? "it is there already" : strerror(errno));
	while (rc == OK && made < COUNT(places)) {
		rc = make(&places[made], path_of(&path, &places[made], folder, name), name, e);
		made++;
	}
	while (rc != OK && made > 0)
		remove(path_of(&path, &places[--made], folder, name));
	if (rc != OK)
		rmdir(folder);
	buf_release(&path);
	return rc;
}

static void
tell(const char *folder, struct str name)
{
	struct buf line = BUF(64 * KB);

	printf("%s has\n", folder);
	for (size_t i = 0; i < COUNT(places); i++) {
		if (places[i].text == NULL)
			continue;
		buf_clear(&line);
		add_named(&line, str_of(places[i].path), name);
		printf("  %-*.*s  %s\n", 30, FMT(buf_str(&line)), places[i].words);
	}
	printf("\nNow\n  cd %s\n  cohort agent test agents/%.*s.yaml\n"
	    "  cohort eval run evals/%.*s.yaml\n  cohort serve\n", folder, FMT(name), FMT(name));
	buf_release(&line);
}

/* Of agents, without what a file's name may not have, and what YAML takes for a value. */
static bool
is_name(struct str s)
{
	if (str_eq(s, S("true")) || str_eq(s, S("false")) || str_eq(s, S("null")))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i], letter = (char)(c | 0x20);

		if (!(letter >= 'a' && letter <= 'z') &&
		    (i == 0 || (!(c >= '0' && c <= '9') && c != '-' && c != '_')))
			return false;
	}
	return s.n > 0 && s.n <= LIMIT_NAME_BYTES;
}

static int
run(struct str folder, struct err *e)
{
	struct str rest = folder, part, name = STR_NONE;
	int rc;

	while (str_next(&rest, '/', &part))
		if (part.n > 0)
			name = part;
	if (!is_name(name))
		return err_set(e, ERR_INVALID, "'%.*s' is not a name: expected letters, digits, "
		    "'-' and '_', and a letter first", FMT(str_cut(name, 100)));
	rc = make_all(folder.p, name, e);   /* an argument: it ends */
	if (rc == OK)
		tell(folder.p, name);
	return rc;
}

int
cmd_new(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line line;
	struct err e = { 0 };
	int rc = line_parse(&line, cmd, argc, argv, &a, &e);

	if (rc < 0) {
		arena_release(&a);
		return command_usage_error(cmd->name, &e);
	}
	rc = run(line.operand[0], &e);
	if (rc != OK)
		fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
	arena_release(&a);
	return rc == OK ? 0 : 1;
}
