/*
 * cmd_mail.c - `cohort mail dead` and `cohort mail conversation`: dead letters and the
 * durable messages of a conversation.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "main/cmd.h"
#include "main/mail_remote.h"

const struct flag cmd_mail_flags[] = {
	{ "limit", .kind = FLAG_INT, .value = "N", .min = 1, .max = LIMIT_PAGE_ROWS,
	  .help = "of a list: at most so many" },
	{ "offset", .kind = FLAG_INT, .value = "N", .max = INT32_MAX,
	  .help = "of a list: leave so many out" },
	{ "json", .help = "each as a line of JSON" },
	REMOTE_FLAGS,
	{ NULL }
};

/* ---- lists --------------------------------------------------------------------------- */

static int
list(struct remote *r, const struct flag_line *l, const char *path,
    void (*print)(struct val one), struct err *e)
{
	struct str limit = line_text(l, "limit"), offset = line_text(l, "offset");
	struct buf target = BUF(LIMIT_HTTP_URL_BYTES);
	struct val all = VAL_UNDEF;
	int rc;

	buf_add_fmt(&target, "%s?limit=%.*s&offset=%.*s", path,
	    FMT(limit.p != NULL ? limit : S("100")), FMT(offset.p != NULL ? offset : S("0")));
	rc = remote_value(r, "GET", buf_str(&target), STR_NONE, &all, e);
	for (size_t i = 0; rc == OK && i < val_count(all); i++)
		(line_has(l, "json") ? print_value : print)(val_at(all, i));
	val_drop(all);
	buf_release(&target);
	return rc;
}

static void
print_mail(struct val one)
{
	printf("%-9.*s  ", FMT(entry_text(one, "state")));
	if (val_get(one, S("message")).kind == VAL_OBJECT)
		print_message(val_get(one, S("message")));
	else
		printf("%.*s  its content is not kept\n", FMT(entry_text(one, "message_id")));
}

static void
print_dead(struct val one)
{
	struct val age = val_get(one, S("age"));

	printf("%.*s  %-8.*s  %.0f s  to %.*s  ", FMT(entry_text(one, "message_id")),
	    FMT(entry_text(one, "reason")), val_number(age) / 1000,
	    FMT(entry_text(one, "receiver")));
	if (val_get(one, S("message")).kind == VAL_OBJECT)
		print_message(val_get(one, S("message")));
	else
		putchar('\n');
}

/* ---- the commands ------------------------------------------------------------------------ */

static int
conversation(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES);
	char *id = remote_escape(r, l->operand[0]);
	int rc;

	buf_add_fmt(&path, "/conversations/%s", id);
	rc = list(r, l, path.p, print_mail, e);
	free(id);
	buf_release(&path);
	return rc;
}

static int
dead_list(struct remote *r, const struct flag_line *l, struct err *e)
{
	return list(r, l, "/messages/dead", print_dead, e);
}

static int
dead_one(struct remote *r, const struct flag_line *l, const char *method, const char *more,
    struct err *e)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES);
	char *id = remote_escape(r, l->operand[1]);
	int rc;

	buf_add_fmt(&path, "/messages/dead/%s%s", id, more);
	rc = remote_done(r, method, buf_str(&path), STR_NONE, e);
	free(id);
	buf_release(&path);
	return rc;
}

static int
dead_retry(struct remote *r, const struct flag_line *l, struct err *e)
{
	return dead_one(r, l, "POST", "/retry", e);
}

static int
dead_drop(struct remote *r, const struct flag_line *l, struct err *e)
{
	return dead_one(r, l, "DELETE", "", e);
}

static const struct {
	const char *name;
	size_t operands;
	int (*act)(struct remote *r, const struct flag_line *l, struct err *e);
} dead_actions[] = {
	{ "list", 1, dead_list }, { "retry", 2, dead_retry }, { "drop", 2, dead_drop },
};

static int
dead(struct remote *r, const struct flag_line *l, struct err *e)
{
	for (size_t i = 0; i < COUNT(dead_actions); i++)
		if (str_eq(l->operand[0], str_of(dead_actions[i].name)) &&
		    l->operands_n == dead_actions[i].operands)
			return dead_actions[i].act(r, l, e);
	return err_set(e, ERR_METHOD, "expected list, retry MESSAGE or drop MESSAGE, got "
	    "\"%.*s\" with %zu more", FMT(l->operand[0]), l->operands_n - 1);
}

int
cmd_mail_dead(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, dead);
}

int
cmd_mail_conversation(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, conversation);
}
