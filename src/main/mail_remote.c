/*
 * mail_remote.c - see mail_remote.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/mail_remote.h"

#include <stdio.h>

#include "main/cmd.h"

#define ASK_NS (3700 * (nsec)NS_PER_S)       /* an agent may drain for an hour */

int
remote_command(const struct flag_command *cmd, int argc, char **argv,
    int (*act)(struct remote *r, const struct flag_line *line, struct err *e))
{
	struct arena a = ARENA(LINE_BYTES);
	struct remote *r = NULL;
	struct flag_line line;
	struct err e = { 0 };
	int rc = line_parse(&line, cmd, argc, argv, &a, &e);

	if (rc == OK)
		rc = line_check_values(&line, &e);
	if (rc < 0) {
		arena_release(&a);
		return command_usage_error(cmd->name, &e);
	}
	rc = remote_open_line(&r, &line, &e);
	if (rc == OK)
		rc = act(r, &line, &e);
	if (rc != OK && rc != ERR_METHOD)
		fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
	remote_close(r);
	arena_release(&a);
	return rc == ERR_METHOD ? command_usage_error(cmd->name, &e) : rc == OK ? 0 : 1;
}

int
remote_done(struct remote *r, const char *method, struct str path, struct str body,
    struct err *e)
{
	struct json_doc d = { 0 };
	struct err why;
	struct str answer;
	long status;
	int rc = remote_ask(r, method, path, body, ASK_NS, &status, &answer, e);

	if (rc != OK || status == 200 || status == 204)
		return rc;
	(void)json_parse(&d, answer, &why);
	rc = remote_refused(r, status, d.root, "", e);
	json_release(&d);
	return rc;
}

void
print_value(struct val v)
{
	struct buf b = BUF(64 * MB);

	val_add_json(&b, v);
	buf_add_char(&b, '\n');
	fwrite(b.p, 1, b.n, stdout);
	buf_release(&b);
}

void
print_message(struct val m)
{
	struct val content = val_get(m, S("content"));
	struct str sender = entry_text(m, "sender"), conversation =
	    entry_text(m, "conversation_id"), reply = entry_text(m, "reply_with");
	struct buf b = BUF(64 * MB);

	buf_add_fmt(&b, "%.*s  %.*s  %.*s", FMT(entry_text(m, "created_at")),
	    FMT(sender.n > 0 ? sender : S("-")), FMT(entry_text(m, "performative")));
	if (conversation.n > 0)
		buf_add_fmt(&b, "  conversation=%.*s", FMT(conversation));
	if (reply.n > 0)
		buf_add_fmt(&b, "  reply-with=%.*s", FMT(reply));
	if (content.kind != VAL_UNDEFINED) {
		buf_lit(&b, "  ");
		val_add_json(&b, content);
	}
	buf_add_char(&b, '\n');
	fwrite(b.p, 1, b.n, stdout);
	buf_release(&b);
}
