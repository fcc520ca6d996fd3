/*
 * prime.c - one page for an agent that starts: what the tracker is, the
 * commands it needs, and where things stand.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "workcli/cmd.h"

#define READY_SHOWN 5
#define HELD_SHOWN  20

static const char head[] =
"# Work tracker\n\n"
"Items with dependencies, shared by everybody who works here. Do not keep your\n"
"own list: what is to be done, found or decided goes in here.\n\n"
"  cohort work ready                          what can be worked on now\n"
"  cohort work claim --ready                  take the first of it; nobody else can\n"
"  cohort work show ID                        all of an item\n"
"  cohort work search WORDS                   is it there already?\n"
"  cohort work create \"Title\" -d TEXT -p 0..4 -t bug --deps discovered-from:ID\n"
"  cohort work dep add ID DEPENDS-ON          ID waits for DEPENDS-ON\n"
"  cohort work update ID --notes TEXT -p N    and other fields; `blocked`: what waits\n"
"  cohort work comment ID TEXT                what the next one should know\n"
"  cohort work close ID -r REASON --claim-next\n"
"  cohort work release ID                     give it back\n"
"  cohort work batch -f FILE                  many at once, all or none: a line each,\n"
"    {\"operation\":\"create\",\"args\":{\"title\":\"A\"}}   {\"$ref\":0} is its id below\n"
"  cohort work sync                           exchange with git\n\n"
"Each takes --json. Who you are: --actor NAME or $BD_ACTOR. Your claim ends after 30\n"
"minutes; `claim ID` again keeps it (--lease 2h: for longer). Long texts: -d - reads\n"
"stdin. Types: bug, feature, task, epic, chore. Exit code 0: done; 1: an error,\n"
"in words on stderr. `cohort work help COMMAND`: more.\n";

struct facts {
	struct reply stats, ready, held;
};

static int
facts_read(struct cli_ctx *x, struct facts *f)
{
	struct buf args = BUF(4 * KB);
	int rc = cli_call(x, "stats", STR_NONE, &f->stats);

	if (rc == OK) {
		json_add_fmt(&args, "{'limit':%d}", READY_SHOWN);
		rc = cli_call(x, "ready", buf_str(&args), &f->ready);
	}
	if (rc == OK) {
		buf_clear(&args);
		json_add_fmt(&args, "{'status':'in_progress','limit':%d,"
		    "'assignee':%.*s}", HELD_SHOWN, FMT(x->actor));
		rc = cli_call(x, "list", buf_str(&args), &f->held);
	}
	buf_release(&args);
	return rc;
}

static void
add_items(struct buf *b, const char *title, jnode list, const char *none)
{
	struct json_iter at = json_each(list);

	buf_add_fmt(b, "\n%s\n", title);
	if (json_count(list) == 0)
		buf_add_fmt(b, "  %s\n", none);
	while (json_next(&at)) {
		buf_add_fmt(b, "  %.*s [P%lld] ", FMT(json_str(json_get(at.value,
		    S("id")))), (long long)cli_get_int(at.value, "priority", 0));
		cli_add_line(b, json_str(json_get(at.value, S("title"))));
		buf_add_char(b, '\n');
	}
}

static void
print_text(struct cli_ctx *x, const struct facts *f)
{
	struct buf title = BUF(2 * KB);

	buf_add(x->out, str_of(head));
	cli_add_fmt(x, f->stats.data, "\nNow: <total_issues> items: <open_issues> open "
	    "(<ready_issues> ready), <in_progress_issues> in progress, "
	    "<closed_issues> closed; <blocked_issues> blocked.\n");
	add_items(x->out, "Ready, first first:", f->ready.data, "nothing");
	buf_lit(&title, "You (");
	cli_add_line(&title, x->actor);
	buf_lit(&title, ") work on:");
	add_items(x->out, title.p, f->held.data, "nothing");
	buf_release(&title);
}

static void
print_json(struct cli_ctx *x, const struct facts *f)
{
	cli_add_json(x, "{'text':%s,'actor':%.*s,'stats':%-.*s,'ready':%-.*s,"
	    "'in_progress':%-.*s}", head, FMT(x->actor), FMT(f->stats.data_text),
	    FMT(f->ready.data_text), FMT(f->held.data_text));
}

int
cli_run_prime(struct cli_ctx *x)
{
	struct facts f = { 0 };
	int rc = facts_read(x, &f);

	if (rc == OK && x->json)
		print_json(x, &f);
	else if (rc == OK)
		print_text(x, &f);
	reply_release(&f.stats);
	reply_release(&f.ready);
	reply_release(&f.held);
	return rc;
}
