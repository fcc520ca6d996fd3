/*
 * main_work.c - the tracker's command line: what people type, the arguments it
 * becomes, and what they read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "main/cmd.h"
#include "workcli/cmd.h"

#define ARGS(...) (char *[]){ __VA_ARGS__ __VA_OPT__(,) NULL }

static struct arena a = ARENA(4 * MB);

static int
parse(struct cli_line *l, char **argv, struct err *e)
{
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	return cli_parse(l, argc, argv, &a, e);
}

/* The arguments of the operation; the error's words when there are none. */
static struct str
args(char **argv)
{
	static struct buf b = BUF(MB);
	struct cli_line l;
	struct err e = { 0 };

	buf_clear(&b);
	if (parse(&l, argv, &e) < 0 || args_add_line(&l.in, l.cmd, &b, &e) < 0)
		return arena_str(&a, str_of(e.text));
	return buf_str(&b);
}

TEST(work_flags_as_pflag_reads_them)
{
	static const char want[] = "\"priority\":1,\"labels\":[\"a\",\"b\",\"c\"]";

	CHECK_STR(args(ARGS("list", "-p1", "-l", "a,b", "-lc")), want);
	CHECK_STR(args(ARGS("list", "-p", "1", "--label=a", "--label", " b , ,c")), want);
	CHECK_STR(args(ARGS("list", "-p=1", "--label", "a,b,c")), want);
	CHECK_STR(args(ARGS("--json", "list", "--priority=P1", "-l", "a,b,c")), want);
	CHECK_STR(args(ARGS("list", "-p3", "-l", "a,b,c", "-p1")),
	    "\"labels\":[\"a\",\"b\",\"c\"],\"priority\":1");
}

TEST(work_switches_and_the_end_of_flags)
{
	struct cli_line l;
	struct err e;

	CHECK_RC(parse(&l, ARGS("delete", "-fq", "a", "--json=false", "b"), &e), OK);
	CHECK(line_has(&l.in, "force") && line_has(&l.in, "quiet"));
	CHECK(!line_has(&l.in, "json"));
	CHECK_INT(l.in.operands_n, 2);
	CHECK_RC(parse(&l, ARGS("create", "--", "--json"), &e), OK);
	CHECK(!line_has(&l.in, "json"));
	CHECK_STR(l.in.operand[0], "--json");
	CHECK_RC(parse(&l, ARGS("export", "-s", "open"), &e), OK);
	CHECK_STR(line_text(&l.in, "status"), "open");
	CHECK_RC(parse(&l, ARGS("create", "-", "-d", "-"), &e), OK);
	CHECK_STR(line_text(&l.in, "description"), "-");
	CHECK_RC(parse(&l, ARGS("create", "t", "-d", ""), &e), OK);
	CHECK_STR(args(ARGS("update", "x", "-a", "")), "\"assignee\":\"\"");
}

TEST(work_commands_of_two_words)
{
	struct cli_line l;
	struct err e;

	CHECK_RC(parse(&l, ARGS("dep", "--json", "add", "a", "b", "-t", "related"), &e),
	    OK);
	CHECK_STR(str_of(l.cmd->name), "dep add");
	CHECK_RC(parse(&l, ARGS("comments", "bd-1"), &e), OK);
	CHECK_STR(str_of(l.cmd->name), "comments");
	CHECK_STR(l.in.operand[0], "bd-1");
	CHECK_RC(parse(&l, ARGS("comments", "add", "bd-1", "hi", "you"), &e), OK);
	CHECK_STR(str_of(l.cmd->name), "comments add");
	CHECK_STR(args(ARGS("comments", "add", "bd-1", "hi", "you")),
	    "\"id\":\"bd-1\",\"text\":\"hi you\"");
	CHECK_RC(parse(&l, ARGS("dep"), &e), ERR_METHOD);
	CHECK_RC(parse(&l, ARGS("dep", "--help"), &e), OK);
	CHECK(line_has(&l.in, "help") && l.cmd == NULL);
	CHECK_STR(l.group, "dep");
}

TEST(work_operands_become_arguments)
{
	CHECK_STR(args(ARGS("dep", "add", "a", "b")),
	    "\"from_id\":\"a\",\"to_id\":\"b\"");
	CHECK_STR(args(ARGS("delete", "a", "b", "-f")),
	    "\"ids\":[\"a\",\"b\"],\"force\":true");
	CHECK_STR(args(ARGS("search", "two", "\"words\"")),
	    "\"query\":\"two \\\"words\\\"\"");
	CHECK_STR(args(ARGS("create", "T", "--deps", "blocks:a,b", "-e", "30")),
	    "\"title\":\"T\",\"dependencies\":[\"blocks:a\",\"b\"],"
	    "\"estimated_minutes\":30");
	CHECK_STR(args(ARGS("list", "-s", "all", "-n", "5")),
	    "\"status\":\"all\",\"limit\":5");
	CHECK_STR(args(ARGS("list", "-s", "open,closed", "--no-assignee", "-r", "--flat",
	    "--updated-after", "30d", "--sort", "updated", "--parent", "e")),
	    "\"status\":\"open,closed\",\"no_assignee\":true,\"reverse\":true,"
	    "\"updated_after\":\"30d\",\"sort\":\"updated\",\"parent\":\"e\"");
	CHECK_STR(args(ARGS("update", "a", "--add-label", "x,y", "--add-label", "z",
	    "--set-labels", "", "--append-notes", "n")),
	    "\"add_labels\":[\"x\",\"y\",\"z\"],\"set_labels\":[],"
	    "\"append_notes\":\"n\"");
	CHECK_STR(args(ARGS("claim", "--ready", "--lease", "1m30s")),
	    "\"ready\":true,\"lease_ms\":90000");
	CHECK_STR(args(ARGS("create", "T", "--acceptance", "a",
	    "--acceptance-criteria", "b")),
	    "\"title\":\"T\",\"acceptance_criteria\":\"b\"");
}

TEST(work_usage_errors_say_what_would_be_right)
{
	CHECK_STR(args(ARGS("list", "--lable", "x")),
	    "unknown flag: --lable; did you mean --label?");
	CHECK_STR(args(ARGS("list", "--jsno")),
	    "unknown flag: --jsno; did you mean --json?");
	CHECK_STR(args(ARGS("list", "-x")), "unknown shorthand flag: -x");
	CHECK_STR(args(ARGS("list", "-p")), "flag needs an argument: --priority N");
	CHECK_STR(args(ARGS("list", "-p", "high")),
	    "--priority takes a number, not \"high\"");
	CHECK_STR(args(ARGS("craete")),
	    "unknown command \"craete\"; did you mean \"create\"?");
	CHECK_STR(args(ARGS("dep", "ad", "a", "b")),
	    "unknown command \"dep ad\"; did you mean \"dep add\"?");
	CHECK_STR(args(ARGS("create", "Fix", "login")),
	    "unexpected \"login\"; a text with blanks needs quotes");
	CHECK_STR(args(ARGS("show")), "show needs ID...");
	CHECK_STR(args(ARGS("info", "--whats-new")),
	    "--whats-new: help lists all commands");
	CHECK_STR(args(ARGS("dep", "add", "a", "b", "-t", "relates-to")),
	    "\"from_id\":\"a\",\"to_id\":\"b\",\"dep_type\":\"relates-to\"");
	CHECK_STR(args(ARGS("create", "T", "--deps", "relates-to:a,b")),
	    "\"title\":\"T\",\"dependencies\":[\"relates-to:a\",\"b\"]");
	CHECK_STR(args(ARGS("compact", "--all")),
	    "there is no compact: nothing is ever summarised away; closed items "
	    "cost nothing");
	CHECK_STR(args(ARGS("create", "T", "-d", "\xff")), "--description: not UTF-8");
	CHECK_STR(args(ARGS("create", "\xff")), "\"\xff\": not UTF-8");
}

TEST(work_durations)
{
	static const struct { const char *text; nsec want; } good[] = {
		{ "1ns", 1 }, { "5us", 5000 }, { "20ms", 20 * NS_PER_MS },
		{ "5s", 5 * NS_PER_S }, { "1m30s", 90 * NS_PER_S },
		{ "1.5h", 5400 * NS_PER_S }, { ".5s", NS_PER_S / 2 },
	};
	static const char *const bad[] = { "", "5", "s", "5x", "-1s", "1.2.3s", "0s",
		"5 s", "999999999h", "1e3s" };
	nsec t;

	for (size_t i = 0; i < COUNT(good); i++) {
		CHECK(cli_duration(str_of(good[i].text), &t));
		CHECK_INT(t, good[i].want);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		CHECK(!cli_duration(str_of(bad[i]), &t));
}

/* ---- what is printed ------------------------------------------------------------- */

/* Prints canned data as the command's people read it. */
static struct str
printed(char **argv, const char *data)
{
	static struct cli_line l;
	static struct buf out, notes;
	struct cli_ctx x = { .line = &l.in, .program = "bd", .out = &out,
		.notes = &notes, .a = &a };
	struct json_doc d;
	struct err e;

	CHECK_RC(parse(&l, argv, &e), OK);
	buf_release(&out);
	out = BUF(MB);
	x.cmd = l.cmd;
	x.quiet = line_has(&l.in, "quiet");
	CHECK_RC(json_parse(&d, str_of(data), &e), OK);
	cli_print(&x, d.root);
	json_release(&d);
	return buf_str(&out);
}

#define ITEM(id, priority, type, title, more)                                 \
	"{\"id\":\"" id "\",\"title\":\"" title "\",\"status\":\"open\","      \
	"\"priority\":" priority ",\"issue_type\":\"" type "\"" more "}"

TEST(work_templates_take_parts_of_an_answer)
{
	struct cli_line l;
	struct buf out = BUF(KB), json = BUF(KB);
	struct cli_ctx x = { .line = &l.in, .program = "bd", .out = &out, .a = &a };
	struct json_doc d;
	struct err e;

	CHECK_RC(parse(&l, ARGS("label", "add", "1", "a\"b"), &e), OK);
	CHECK_RC(json_parse(&d, S("{\"id\":\"x\\ny\",\"n\":7,\"lease\":{\"holder\":"
	    "\"ann\"},\"zero\":0,\"empty\":\"\",\"none\":[],\"list\":[{\"k\":1},{\"k\":2}],"
	    "\"priority\":1,\"closed_at\":\"2026-01-02T03:04:05Z\"}"), &e), OK);
	cli_add_fmt(&x, d.root, "<program> <$>: <id> <n><absent> <id:5>|<lease.holder> "
	    "<priority> <closed_at>");
	CHECK_STR(buf_str(&out), "bd a\"b: x y 7 x y  |ann P1 2026-01-02 03:04 UTC");
	buf_clear(&out);
	cli_add_if(&x, d.root, "zero", "<zero>");
	cli_add_if(&x, d.root, "empty", "never");
	cli_add_if(&x, d.root, "none", "never");
	cli_add_if(&x, d.root, "absent", "never");
	cli_add_each(&x, json_get(d.root, S("list")), " <k>");
	CHECK_STR(buf_str(&out), "0 1 2");
	cli_add_shape(&x, json_get(d.root, S("lease")), "{'a':<holder>,'b':<absent>,"
	    "'c':<$>,'d':<*>}", &json);
	CHECK_STR(buf_str(&json), "{\"a\":\"ann\",\"b\":null,\"c\":\"a\\\"b\","
	    "\"d\":{\"holder\":\"ann\"}}");
	json_release(&d);
	buf_release(&out);
	buf_release(&json);
}

TEST(work_lists_stand_in_columns)
{
	CHECK_STR(printed(ARGS("list"), "[" ITEM("bd-a3f8", "0", "bug", "One",
	    ",\"assignee\":\"ann\",\"labels\":[\"x\",\"y\"]") ","
	    ITEM("bd-1", "2", "feature", "T\xc3\xa4st\\u001b[2J", "") "]"),
	    "bd-a3f8  P0  bug      open  One  @ann  [x y]\n"
	    "bd-1     P2  feature  open  T\xc3\xa4st [2J\n");
	CHECK_STR(printed(ARGS("list"), "[]"),
	    "No issues found. Make one: bd create \"Title\"\n");
	CHECK_STR(printed(ARGS("ready", "-q"), "[]"), "");
	CHECK_STR(printed(ARGS("ready"), "[" ITEM("bd-1", "1", "task", "T", "") "]"),
	    "\xf0\x9f\x93\x8b Ready work (1 issue with no blockers):\n\n"
	    "bd-1  P1  task  T\n");
	CHECK_STR(printed(ARGS("blocked"), "[" ITEM("bd-1", "1", "task", "T",
	    ",\"blocked_by_count\":2,\"blocked_by\":[\"bd-2\",\"bd-3\"]") "]"),
	    "\xf0\x9f\x9a\xab Blocked issues (1):\n\nbd-1  P1  task  open  T\n"
	    "  Blocked by 2 open dependencies: [bd-2 bd-3]\n");
}

TEST(work_show_prints_what_is_there)
{
	CHECK_STR(printed(ARGS("show", "bd-1"), "{\"id\":\"bd-1\",\"title\":\"T\","
	    "\"description\":\"What\\nto do\",\"notes\":\"N\",\"status\":\"open\","
	    "\"priority\":1,\"issue_type\":\"bug\",\"estimated_minutes\":90,"
	    "\"created_at\":\"2026-11-21T00:15:07.580Z\","
	    "\"updated_at\":\"2026-11-21T01:15:07-07:30\",\"labels\":[\"a\"],"
	    "\"dependencies\":[" ITEM("bd-2", "0", "task", "U",
	    ",\"dependency_type\":\"related\"") "],\"comments\":[{\"author\":\"ann\","
	    "\"text\":\"hi\",\"created_at\":\"2026-11-21T02:15:07Z\"}]}"),
	    "\nbd-1: T\nStatus: open\nPriority: P1\nType: bug\nEstimated: 90 minutes\n"
	    "Created: 2026-11-21 00:15 UTC\nUpdated: 2026-11-21 01:15 -07:30\n"
	    "\nDescription:\nWhat\nto do\n\nNotes:\nN\n\nLabels:  [a]\n"
	    "\nRelated (1):\n  \xe2\x86\x94 bd-2: U [P0] (open)\n"
	    "\nComments (1):\n[ann] at 2026-11-21 02:15 UTC\n  hi\n\n");
}

TEST(work_changes_are_confirmed)
{
	CHECK_STR(printed(ARGS("create", "T"), ITEM("bd-1", "2", "task", "T", "")),
	    "\xe2\x9c\x93 Created issue: bd-1\n  Title: T\n  Priority: P2\n"
	    "  Status: open\n");
	CHECK_STR(printed(ARGS("create", "T", "-q"), ITEM("bd-1", "2", "task", "T", "")),
	    "bd-1\n");
	CHECK_STR(printed(ARGS("close", "bd-1"), ITEM("bd-1", "2", "task", "T",
	    ",\"claimed\":null")),
	    "\xe2\x9c\x93 Closed bd-1: Closed\nNo ready work is left to claim.\n");
	CHECK_STR(printed(ARGS("label", "add", "1", "ui"),
	    ITEM("bd-1", "2", "task", "T", "")),
	    "\xe2\x9c\x93 Added label 'ui' to bd-1\n");
	CHECK_STR(printed(ARGS("delete", "1"), "{\"deleted\":false,\"issues\":["
	    ITEM("bd-1", "2", "task", "T", "") "],\"dependents\":[],"
	    "\"dependencies\":[],\"dependencies_removed\":0}"),
	    "DELETE PREVIEW\n\nIssues to delete:\n  bd-1: T\n\nNothing is deleted yet. "
	    "To delete: bd delete 1 --force\n");
}

TEST(work_json_is_indented_as_go_does)
{
	struct buf b = BUF(KB);

	cli_add_indented(&b, S("{\"a\":[],\"b\":{},\"c\":[1,\"x,[\\\"\",{\"d\":null}]}"));
	CHECK_STR(buf_str(&b), "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n"
	    "    \"x,[\\\"\",\n    {\n      \"d\": null\n    }\n  ]\n}\n");
	buf_release(&b);
}

static struct str
formatted(const char *format)
{
	static const char items[] = "[{\"id\":\"b-1\",\"title\":\"A \\\"q\\\"\","
	    "\"priority\":1,\"labels\":[\"x\",\"y\"],\"dependency_records\":["
	    "{\"issue_id\":\"b-1\",\"depends_on_id\":\"b-2\",\"type\":\"blocks\"},"
	    "{\"issue_id\":\"b-1\",\"depends_on_id\":\"b-9\",\"type\":\"related\"}]},"
	    "{\"id\":\"b-2\",\"title\":\"B\",\"priority\":0}]";
	static struct buf b = BUF(MB);
	struct cli_format f;
	struct json_doc d;
	struct err e;

	CHECK_RC(cli_format_check(str_of(format), &e), OK);
	CHECK_RC(json_parse(&d, str_of(items), &e), OK);
	buf_clear(&b);
	cli_format_init(&f, str_of(format));
	if (f.graph)
		cli_format_know(&f, &b, d.root);
	cli_format_add(&f, &b, d.root);
	cli_format_end(&f, &b);
	cli_format_release(&f);
	json_release(&d);
	return buf_str(&b);
}

TEST(work_list_formats)
{
	struct err e;

	CHECK_STR(formatted("digraph"), "b-1 b-2\n");
	CHECK_STR(formatted("{{.ID}}:{{ .Priority }} {{.Labels}}."),
	    "b-1:1 x,y.\nb-2:0 .\n");
	CHECK_STR(formatted("{{.IssueID}}>{{.DependsOnID}} {{.Issue.Title}}"),
	    "b-1>b-2 A \"q\"\nb-1>b-9 A \"q\"\n");
	CHECK(str_contains(formatted("dot"), S("  \"b-1\" [label=\"A \\\"q\\\"\"];\n")));
	CHECK(str_contains(formatted("dot"),
	    S("  \"b-1\" -> \"b-2\" [label=\"blocks\", color=red, style=bold];\n}\n")));
	CHECK(!str_contains(formatted("dot"), S("b-9")));
	CHECK_RC(cli_format_check(S("{{.Nope}}"), &e), ERR_INVALID);
	CHECK_RC(cli_format_check(S("{{.ID"), &e), ERR_INVALID);
	CHECK_RC(cli_format_check(S("compact"), &e), ERR_INVALID);
}

/* ---- the table ---------------------------------------------------------------------- */

static bool
is_operation(const char *name)
{
	for (size_t i = 0; work_operation(i) != NULL; i++) {
		if (strcmp(work_operation(i), name) == 0)
			return true;
	}
	return false;
}

static void
check_flag(const struct cli_command *c, const struct flag *f)
{
	CHECK(f->help != NULL && f->help[0] != '\0');
	CHECK((f->kind == FLAG_SWITCH) == (f->value == NULL));
	CHECK(f->arg == NULL || (c != NULL && c->operation != NULL));
	CHECK(f->state == FLAG_SUPPORTED || f->arg == NULL);
}

TEST(work_table_is_whole)
{
	for (const struct flag *f = cli_globals; f->name != NULL; f++)
		check_flag(NULL, f);
	for (size_t i = 0; i < cli_commands_n; i++) {
		const struct cli_command *c = &cli_commands[i];

		for (const struct flag *f = cli_row(c).own; f && f->name != NULL; f++)
			check_flag(c, f);
		CHECK((c->refused != NULL) == (c->run == NULL));
		CHECK(c->operation == NULL || is_operation(c->operation));
		CHECK(c->run != cli_run_one || c->print != NULL || c->text != NULL);
		CHECK(cli_command_find(str_of(c->name)) == c);
	}
}

TEST(work_help_names_every_command_and_flag)
{
	struct buf man = BUF(MB), md = BUF(MB), help = BUF(MB);

	cli_add_man(&man);
	cli_add_markdown(&md);
	cli_add_help(&help, "bd", STR_NONE);
	for (size_t i = 0; i < cli_commands_n; i++) {
		const struct cli_command *c = &cli_commands[i];

		CHECK(str_contains(buf_str(&md), str_of(c->name)));
		if (c->refused != NULL)
			continue;
		CHECK(str_contains(buf_str(&help), str_of(c->name)));
		for (const struct flag *f = cli_row(c).own; f && f->name != NULL; f++)
			CHECK(str_contains(buf_str(&md), str_of(f->name)));
	}
	CHECK(str_starts(buf_str(&man), S(".TH COHORT-WORK 1")));
	CHECK(!man.failed && !md.failed && !help.failed);
	buf_release(&man);
	buf_release(&md);
	buf_release(&help);
}

TEST(work_columns_of_wide_letters)
{
	CHECK(cli_text_width(S("abc")) == 3);
	CHECK(cli_text_width(S("\xc3\xa9")) == 1);                  /* e with an accent */
	CHECK(cli_text_width(S("e\xcc\x81")) == 1);                 /* and in two */
	CHECK(cli_text_width(S("\xe6\xbc\xa2\xe5\xad\x97")) == 4); /* two of Chinese */
	CHECK(cli_text_width(S("\xf0\x9f\x9a\x80")) == 2);         /* a rocket */
	CHECK(cli_text_width(S("\xff\xfe")) == 2);                 /* not UTF-8 */
}

TEST(work_names_what_was_meant)
{
	CHECK_STR(str_of(cli_command_near(S("done"))), "close");
	CHECK_STR(str_of(cli_command_near(S("heartbeat"))), "claim");
	CHECK_STR(str_of(cli_command_near(S("crate"))), "create");
	CHECK(cli_command_near(S("xyzzy-plugh")) == NULL);
	for (size_t i = 0; i < cli_commands_n; i++)
		CHECK(cli_command_find(str_of(cli_command_near(
		    str_of(cli_commands[i].name)))) != NULL);
}
