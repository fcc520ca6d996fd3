/*
 * cmd_owner.c - `cohort owner erase`: all that a server has of one owner.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "main/cmd.h"
#include "main/confirm.h"
#include "main/mail_remote.h"

#define ERASE_NS (3600 * (nsec)NS_PER_S)     /* a large file is written anew */

const struct flag cmd_owner_erase_flags[] = { CONFIRM_FLAG, REMOTE_FLAGS, { NULL } };

/* PATH?owner=NAME */
static struct str
path_of(struct buf *b, const struct remote *r, const char *path, struct str owner)
{
	char *text = remote_escape(r, owner);

	buf_clear(b);
	buf_add_fmt(b, "%s%sowner=%s", path,
	    str_index(str_of(path), '?') < 0 ? "?" : "&", text);
	free(text);
	return buf_str(b);
}

static int
erase(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES), question = BUF(2 * LIMIT_NAME_BYTES + KB);
	struct str owner = l->operand[0];
	struct val got = VAL_UNDEF;
	int rc;

	buf_add_fmt(&question, "Remove \"%.*s\" at %.*s, with all threads, runs, items, agents, messages "
	    "and work?", FMT(owner), FMT(remote_url(r)));
	rc = question.failed || owner.n == 0 ? err_set(e, ERR_INVALID, "expected an owner's name") :
	    confirm(l, question.p, e);
	if (rc == OK)
		rc = remote_value_in(r, "POST", path_of(&path, r, "/owner/erase", owner), S("{}"),
		    ERASE_NS, &got, e);
	if (rc == OK)
		print_value(got);
	if (rc == OK && !val_truthy(val_get(got, S("scrubbed"))))
		fprintf(stderr, "his rows are deleted; PostgreSQL keeps their bytes until it has vacuumed "
		    "its tables, and its log and archive until they are over\n");
	val_drop(got);
	buf_release(&path);
	buf_release(&question);
	return rc;
}

int
cmd_owner_erase(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, erase);
}
