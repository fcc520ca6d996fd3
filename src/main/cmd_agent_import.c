/*
 * cmd_agent_import.c - other programs' agents as files of ours.
 *
 * What comes out is loaded before it is written, so that a file of ours is never one
 * that the server refuses; what was left out is told line by line on stderr.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/import.h"
#include "base/file.h"
#include "base/limits.h"
#include "main/agent_tools.h"
#include "main/cmd.h"
#include "task/kinds.h"
#include "tools/tools.h"

const struct flag cmd_agent_import_flags[] = {
	{ "out", .kind = FLAG_TEXT, .value = "FOLDER",
	    .help = "write a file for each agent there; those that exist stay" },
	{ "force", .help = "write over files that exist" },
	{ NULL }
};

struct around { const char *file; struct tools *tools; };

static int
read_beside(void *ctx, struct str name, struct buf *out)
{
	const struct around *a = ctx;
	const char *slash = strrchr(a->file, '/');
	struct buf path = BUF(64 * KB);
	struct err e;
	int rc;

	if (slash != NULL)
		buf_add(&path, (struct str){ a->file, (size_t)(slash + 1 - a->file) });
	buf_add(&path, name);
	rc = path.failed ? ERR_TOOBIG : file_add(path.p, out, &e);
	buf_release(&path);
	return rc;
}

static bool
has_tool(void *ctx, struct str name)
{
	const struct around *a = ctx;

	return tools_find(a->tools, name) != NULL;
}

/* All of them as one set, so that those that call each other are found. */
static int
check(const struct import *im, struct err *e)
{
	struct agents *set = agents_new();
	int rc = OK;

	for (size_t i = 0; i < im->agents_n && rc == OK; i++) {
		struct buf file = BUF(KB);
		struct agent *a;

		buf_add_fmt(&file, "%.*s.yaml", FMT(im->agents[i].id));
		rc = agent_load_checked(&a, im->agents[i].text, buf_str(&file), e);
		if (rc == OK)
			rc = agents_add(set, a, e);
		buf_release(&file);
	}
	if (rc == OK)
		rc = agents_link(set, e);
	agents_free(set);
	return rc;
}

static int
write_file(const char *folder, const struct imported *a, bool force, struct err *e)
{
	struct buf path = BUF(64 * KB);
	int fd, rc = OK;

	buf_add_fmt(&path, "%s/%.*s.yaml", folder, FMT(a->id));
	fd = open(path.p, O_WRONLY | O_CREAT | O_CLOEXEC | (force ? O_TRUNC : O_EXCL), 0644);
	if (fd < 0)
		rc = err_set(e, ERR_IO, "%s: %s%s", path.p, strerror(errno),
		    errno == EEXIST ? "; --force writes over it" : "");
	if (rc == OK && file_write(fd, a->text) != OK)
		rc = err_set(e, ERR_IO, "%s: %s", path.p, strerror(errno));
	if (fd >= 0 && close(fd) != 0 && rc == OK)
		rc = err_set(e, ERR_IO, "%s: %s", path.p, strerror(errno));
	if (rc == OK) {
		printf("%s\n", path.p);
		fflush(stdout);              /* before what is told of all of them */
	}
	buf_release(&path);
	return rc;
}

static int
write_all(const struct flag_line *line, const struct import *im, struct err *e)
{
	struct str folder = line_text(line, "out");
	int rc = OK;

	if (folder.n == 0 && im->agents_n > 1)
		return err_set(e, ERR_INVALID, "there are %zu agents in it: give --out FOLDER, "
		    "where each becomes a file", im->agents_n);
	if (folder.n == 0) {
		fwrite(im->agents[0].text.p, 1, im->agents[0].text.n, stdout);
		return OK;
	}
	if (mkdir(folder.p, 0755) != 0 && errno != EEXIST)
		return err_set(e, ERR_IO, "%s: %s", folder.p, strerror(errno));
	for (size_t i = 0; i < im->agents_n && rc == OK; i++)
		rc = write_file(folder.p, &im->agents[i], line_has(line, "force"), e);
	return rc;
}

static int
import(const struct flag_line *line)
{
	struct around around = { .file = line->operand[0].p, .tools = tools_new() };
	struct import_around a = { read_beside, has_tool, &around };
	struct buf text = BUF(LIMIT_AGENT_BYTES);
	struct import im = { 0 };
	struct err e = { 0 };
	int rc = file_add(around.file, &text, &e);

	if (rc == OK)
		rc = agent_import(&im, buf_str(&text), line->operand[0], &a, &e);
	for (size_t i = 0; i < im.notes_n; i++)
		fprintf(stderr, "%.*s\n", FMT(im.notes[i]));
	if (rc == OK)
		rc = check(&im, &e);
	if (rc == OK)
		rc = write_all(line, &im, &e);
	if (rc != OK)
		fprintf(stderr, "cohort agent import: %s\n", e.text);
	else
		fprintf(stderr, "%s: %zu agent%s; %zu thing%s left out or changed\n", im.format,
		    im.agents_n, im.agents_n == 1 ? "" : "s", im.notes_n,
		    im.notes_n == 1 ? "" : "s");
	import_release(&im);
	tools_free(around.tools);
	buf_release(&text);
	return rc == OK ? 0 : 1;
}

int
cmd_agent_import(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line line;
	struct err e = { 0 };
	int code = line_parse(&line, cmd, argc, argv, &a, &e) < 0 ?
	    command_usage_error(cmd->name, &e) : import(&line);

	arena_release(&a);
	return code;
}
