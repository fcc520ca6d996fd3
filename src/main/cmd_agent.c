/*
 * cmd_agent.c - agents as files: check them, show one, test them, print their JSON
 * Schema.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "main/agent_solo.h"
#include "main/agent_tools.h"
#include "main/agents.h"
#include "main/cmd.h"
#include "main/wasm_folder.h"
#include "task/kinds.h"

#define SHOWN_BYTES (16 * MB)
#define ACTIVE_MAX  64

const struct flag cmd_agent_show_flags[] = {
	{ "dot", .help = "as a graph for Graphviz" },
	{ "mermaid", .help = "as a flowchart for Mermaid" },
	{ "svg", .help = "as a picture" },
	{ "html", .help = "as a page with the picture" },
	{ "active", .kind = FLAG_TEXT, .value = "NAMES", .help = "nodes or states that are "
	    "marked in it, with commas" },
	{ "json", .help = "as canonical JSON, of which the hash is" },
	{ NULL }
};

const struct flag cmd_agent_schema_flags[] = {
	{ "markdown", .help = "the kinds of work as a table, instead" },
	{ NULL }
};

static int
load(const char *path, struct agent **out, struct err *e)
{
	struct buf text = BUF(LIMIT_AGENT_BYTES);
	int rc = file_add(path, &text, e);

	*out = NULL;
	if (rc == OK)
		rc = agent_load_checked(out, buf_str(&text), str_of(path), e);
	buf_release(&text);
	return rc;
}

/* Every file by itself, so that all errors are seen; then who calls whom. */
static int
check(const struct flag_line *line)
{
	struct agents *set = agents_new();
	struct err e = { 0 };
	int bad = 0;

	for (int i = 0; i < (int)line->operands_n; i++) {
		struct agent *a;
		int rc = load(line->operand[i].p, &a, &e);

		if (rc == OK)
			rc = agents_add(set, a, &e);
		if (rc == OK && a->tests.kind != VAL_UNDEFINED)
			rc = agent_tests_check(a->tests, a->file, &e);
		if (rc == OK)
			rc = guest_files_check(a, &e);
		if (rc != OK)
			fprintf(stderr, "%s\n", e.text);
		bad += rc != OK;
	}
	if (bad == 0 && agents_link(set, &e) != OK) {
		fprintf(stderr, "%s\n", e.text);
		bad++;
	}
	for (size_t i = 0; bad == 0 && i < agents_count(set); i++) {
		const struct agent *a = agents_at(set, i);

		printf("%.*s: agent %.*s, %zu node%s, ", FMT(a->file), FMT(a->id), a->nodes_n,
		    a->nodes_n == 1 ? "" : "s");
		if (a->chart != NULL)
			puts("a chart");
		else
			printf("%zu edge%s\n", a->edges_n, a->edges_n == 1 ? "" : "s");
	}
	agents_free(set);
	return bad == 0 ? 0 : 1;
}

/* --svg, --html */
static int
draw(const struct flag_line *line, const struct agent *a, struct buf *out, struct err *e)
{
	struct str rest = line_text(line, "active"), active[ACTIVE_MAX], word;
	size_t n = 0;

	while (str_next(&rest, ',', &word)) {
		if (n == ACTIVE_MAX)
			return err_set(e, ERR_LIMIT, "--active: more than %d names", ACTIVE_MAX);
		active[n++] = str_trim(word);
	}
	return (line_has(line, "html") ? agent_add_html : agent_add_svg)(out, a, active, n, e);
}

static int
show(const struct flag_line *line)
{
	struct buf out = BUF(SHOWN_BYTES);
	struct agent *a;
	struct err e = { 0 };
	int rc = load(line->operand[0].p, &a, &e);

	if (rc != OK) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	if (line_has(line, "svg") || line_has(line, "html"))
		rc = draw(line, a, &out, &e);
	else if (line_has(line, "dot"))
		agent_add_dot(&out, a);
	else if (line_has(line, "mermaid"))
		agent_add_mermaid(&out, a);
	else if (line_has(line, "json"))
		buf_add_fmt(&out, "%.*s\n", FMT(a->json));
	else
		agent_add_outline(&out, a);
	if (rc == OK)
		fwrite(out.p, 1, out.n, stdout);
	else
		fprintf(stderr, "cohort agent show: %s\n", e.text);
	buf_release(&out);
	agent_free(a);
	return rc == OK ? 0 : 1;
}

static int
run(const struct flag_command *cmd, int argc, char **argv,
    int (*act)(const struct flag_line *line))
{
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line line;
	struct err e = { 0 };
	int code = line_parse(&line, cmd, argc, argv, &a, &e) < 0 ?
	    command_usage_error(cmd->name, &e) : act(&line);

	arena_release(&a);
	return code;
}

int
cmd_agent_check(const struct flag_command *cmd, int argc, char **argv)
{
	return run(cmd, argc, argv, check);
}

int
cmd_agent_show(const struct flag_command *cmd, int argc, char **argv)
{
	return run(cmd, argc, argv, show);
}

static int
schema(const struct flag_line *line)
{
	struct buf out = BUF(SHOWN_BYTES);

	(line_has(line, "markdown") ? agent_add_kinds : agent_add_schema)(&out, &task_kinds);
	fwrite(out.p, 1, out.n, stdout);
	buf_release(&out);
	return 0;
}

int
cmd_agent_schema(const struct flag_command *cmd, int argc, char **argv)
{
	return run(cmd, argc, argv, schema);
}

/* ---- tests ----------------------------------------------------------------------- */

/* NAME.tests.yaml beside NAME.yaml and NAME.scxml.  ERR_NOTFOUND: there is none. */
static int
read_beside(const char *path, struct buf *name, struct val *out, struct err *e)
{
	const char *dot = strrchr(path, '.');
	struct buf text = BUF(LIMIT_AGENT_BYTES);
	int rc;

	buf_add_fmt(name, "%.*s.tests%s", dot == NULL ? (int)strlen(path) :
	    (int)(dot - path), path, dot == NULL ? "" :
	    strcmp(dot, ".scxml") == 0 ? ".yaml" : dot);
	buf_add_char(name, '\0');
	*out = VAL_UNDEF;
	rc = name->failed ? ERR_NOTFOUND : file_add(name->p, &text, e);
	if (rc == OK)
		rc = agent_read_data(out, buf_str(&text), str_of(name->p), e);
	buf_release(&text);
	return rc;
}

/* Those in the file, then those beside it. */
static int
test_file(struct agent_tests *done, const struct solo_room *room, const char *path,
    struct err *e)
{
	struct agent_file f;
	struct val beside = VAL_UNDEF;
	struct buf name = BUF(64 * KB);
	unsigned before = done->passed + done->failed;
	int rc = agent_file_open(&f, path, e);

	if (rc != OK)
		return rc;
	if (f.agent->tests.kind != VAL_UNDEFINED)
		rc = agent_tests_run(done, &f, room, f.agent->tests,
		    f.agent->file, e);
	if (rc == OK) {
		rc = read_beside(path, &name, &beside, e);
		if (rc == OK)
			rc = agent_tests_run(done, &f, room, beside, str_of(name.p), e);
		else if (rc == ERR_NOTFOUND)
			rc = OK;
	}
	if (rc == OK && done->passed + done->failed == before)
		printf("# %s has no tests\n", path);
	val_drop(beside);
	buf_release(&name);
	agent_file_close(&f);
	return rc;
}

/* A file, or every agent's file of a folder. */
static bool
test_path(struct agent_tests *done, const struct solo_room *room, const char *path)
{
	struct dirent **names;
	struct err e = { 0 };
	int n = scandir(path, &names, NULL, alphasort);
	bool good = true;

	if (n < 0) {
		good = test_file(done, room, path, &e) == OK;
		if (!good)
			fprintf(stderr, "%s\n", e.text);
		return good;
	}
	for (int i = 0; i < n; i++) {
		char file[4096 + 64];

		snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
		if (folder_takes(str_of(names[i]->d_name)) &&
		    test_file(done, room, file, &e) != OK) {
			fprintf(stderr, "%s\n", e.text);
			good = false;
		}
		free(names[i]);
	}
	free(names);
	return good;
}

static int
test(const struct flag_line *line)
{
	struct agent_tests done = { 0 };
	struct solo_room room;
	struct err e = { 0 };
	bool bad = false;

	if (log_threshold == LOG_INFO)       /* retries are not the tests' output */
		log_threshold = LOG_WARN;
	if (solo_room_open(&room, S("scripted:test"), STR_NONE, &e) != OK) {
		fprintf(stderr, "cohort agent test: %s\n", e.text);
		return 1;
	}
	for (size_t i = 0; i < line->operands_n; i++)
		bad = !test_path(&done, &room, line->operand[i].p) || bad;
	printf("%u passed, %u failed\n", done.passed, done.failed);
	solo_room_close(&room);
	return bad || done.failed > 0 ? 1 : 0;
}

int
cmd_agent_test(const struct flag_command *cmd, int argc, char **argv)
{
	return run(cmd, argc, argv, test);
}
