/*
 * cmd_transcript.c - `cohort transcript THREAD`: what a thread's runs did, a line an
 * entry, indented by where it happened; or as JSON lines.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "main/cmd.h"
#include "main/entry_line.h"
#include "main/pages.h"

const struct flag cmd_transcript_flags[] = {
	{ "run", .kind = FLAG_TEXT, .value = "RUN", .help = "only this run" },
	{ "jsonl", .help = "each entry as a line of JSON" },
	REMOTE_FLAGS,
	{ NULL }
};

struct printer { struct buf b; bool jsonl, colours; };

static int
print(void *ctx, struct val entry)
{
	struct printer *p = ctx;

	buf_clear(&p->b);
	if (p->jsonl)
		val_add_json(&p->b, entry);
	else
		entry_add_line(&p->b, entry, p->colours);
	buf_add_char(&p->b, '\n');
	return fwrite(p->b.p, 1, p->b.n, stdout) == p->b.n ? OK : ERR_CLOSED;
}

int
cmd_transcript(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct printer p = { .b = BUF(16 * MB) };
	struct remote *r = NULL;
	struct flag_line line;
	struct err e = { 0 };
	int rc = line_parse(&line, cmd, argc, argv, &a, &e), code = 0;

	if (rc < 0) {
		arena_release(&a);
		return command_usage_error(cmd->name, &e);
	}
	p.jsonl = line_has(&line, "jsonl");
	p.colours = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
	rc = remote_open_line(&r, &line, &e);
	if (rc == OK)
		rc = pages_each(r, line.operand[0], line_text(&line, "run"), print, &p, &e);
	if (rc != OK && e.text[0] != '\0') {
		fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
		code = 1;
	}
	remote_close(r);
	buf_release(&p.b);
	arena_release(&a);
	return code;
}
