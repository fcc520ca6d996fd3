/*
 * table.c - the tracker's commands and flags: all that can be typed.
 *
 * The words are bd's where bd had them.  A flag that feeds an argument of its
 * command's operation has kind and help from there (work/table.c).  One that has
 * no effect here, or is refused, says why; docs/work.md is made from this table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "workcli/cmd.h"

#include <assert.h>

#define ROW(flag, l, k, v, a, h) { .name = flag, .letter = l, .kind = k,      \
	.value = v, .arg = a, .help = h }
/* An argument of the operation, which says its kind and its help; ALSO: with help
 * of its own. */
#define ALSO(name, letter, value, arg, help)                                  \
	ROW(name, letter, FLAG_ARG, value, arg, help)
#define ARG(name, letter, value, arg) ALSO(name, letter, value, arg, NULL)
#define BODY(name, letter, arg, help)                                         \
	ROW(name, letter, FLAG_BODY, "TEXT|-", arg, help)
#define BODY_FILE                                                             \
	ROW("body-file", 0, FLAG_BODY_FILE, "FILE", "description",            \
	    "the description from a file; - is stdin")
#define BODY_STDIN { .name = "stdin", .kind = FLAG_SWITCH, .fallback = "-",   \
	.arg = "description", .help = "the description from stdin" }
#define PRIORITY ROW("priority", 'p', FLAG_PRIORITY, "N", "priority", NULL)
#define LIMIT    ARG("limit", 'n', "N", "limit")
/* Of the command, not of its operation. */
#define SWITCH(name, letter, help)                                            \
	ROW(name, letter, FLAG_SWITCH, NULL, NULL, help)
#define TEXT(name, letter, value, help)                                       \
	ROW(name, letter, FLAG_TEXT, value, NULL, help)
#define NUMBER(name, letter, value, help)                                     \
	ROW(name, letter, FLAG_INT, value, NULL, help)
#define TIME(name, letter, value, help)                                       \
	ROW(name, letter, FLAG_TIME, value, NULL, help)
#define UNUSED(flag, k, v, why, s) { .name = flag, .kind = k, .value = v,     \
	.help = why, .state = s }
#define IGNORED(name, value, why)                                             \
	UNUSED(name, FLAG_TEXT, value, why, FLAG_IGNORED)
#define IGNORED_SHORT(flag, l, why) { .name = flag, .letter = l,              \
	.help = why, .state = FLAG_IGNORED }
#define IGNORED_SWITCH(name, why)                                             \
	UNUSED(name, FLAG_SWITCH, NULL, why, FLAG_IGNORED)
#define REFUSED(name, value, why)                                             \
	UNUSED(name, FLAG_TEXT, value, why, FLAG_REFUSED)
#define REFUSED_SWITCH(name, why)                                             \
	UNUSED(name, FLAG_SWITCH, NULL, why, FLAG_REFUSED)
#define FLAGS(...) (struct flag[]){ __VA_ARGS__, { NULL } }

const struct flag cli_globals[] = {
	TEXT("db", 0, "FILE", "the workspace's database (default: the nearest "
	    ".cohort/ upwards, also $COHORT_WORK_DB, $BEADS_DB)"),
	TEXT("actor", 0, "NAME", "who does this, for the audit (default: "
	    "$BD_ACTOR, $COHORT_ACTOR, $USER)"),
	SWITCH("json", 0, "print JSON"),
	SWITCH("no-daemon", 0, "work on the file directly, start no daemon "
	    "(also $COHORT_NO_DAEMON; with $CI one that is there is asked)"),
	TIME("timeout", 0, "TIME", "of each request, as 5s or 200ms (default "
	    "30s, also $COHORT_TIMEOUT); past it exit code 124"),
	TEXT("server", 0, "URL", "use the tracker of a server (also "
	    "$COHORT_WORK_SERVER)"),
	TEXT("project", 0, "NAME", "which tracker of that server (also "
	    "$COHORT_WORK_PROJECT)"),
	TEXT("once", 0, "KEY", "do it once: a second call with this key gets "
	    "the first one's answer"),
	SWITCH("quiet", 'q', "say only what was asked for: create prints the id"),
	SWITCH("no-color", 0, "no colour on a terminal (also $NO_COLOR)"),
	SWITCH("help", 'h', "explain the command"),
	SWITCH("version", 'V', "print the version, as bd's and ours"),
	IGNORED_SWITCH("no-auto-flush", "nothing is flushed: files are written by "
	    "export and sync"),
	IGNORED_SWITCH("no-auto-import", "nothing is imported behind one's back: "
	    "import and sync do that"),
	IGNORED_SWITCH("sandbox", "no-daemon does it"),
	{ NULL }
};

static struct flag create_flags[] = {
	ALSO("title", 0, "TEXT", "title", "the title, instead of the operand"),
	BODY("description", 'd', "description", NULL),
	BODY_FILE, BODY_STDIN, PRIORITY,
	ARG("type", 't', "TYPE", "issue_type"),
	ARG("assignee", 'a', "NAME", "assignee"),
	ARG("labels", 'l', "LABEL,...", "labels"),
	ALSO("label", 0, "LABEL,...", "labels", "another name of --labels"),
	ARG("deps", 0, "TYPE:ID,...", "dependencies"),
	ARG("parent", 0, "ID", "parent"),
	ARG("id", 0, "ID", "id"),
	ARG("external-ref", 0, "TEXT", "external_ref"),
	BODY("design", 0, "design", NULL),
	BODY("acceptance", 0, "acceptance_criteria", NULL),
	BODY("acceptance-criteria", 0, "acceptance_criteria",
	    "another name of --acceptance"),
	BODY("notes", 0, "notes", NULL),
	ARG("estimate", 'e', "MINUTES", "estimated_minutes"),
	TEXT("file", 'f', "FILE.md", "many at once, all or none: each `## Title` is "
	    "one; - is stdin"),
	SWITCH("silent", 0, "print only the id, as --quiet does"),
	IGNORED_SWITCH("force", "an id with another prefix needs no force"),
	{ NULL }
};

static struct flag update_flags[] = {
	ARG("status", 's', "STATUS", "status"),
	PRIORITY,
	ARG("title", 0, "TEXT", "title"),
	BODY("description", 'd', "description", NULL),
	BODY_FILE, BODY_STDIN,
	ARG("type", 't', "TYPE", "issue_type"),
	ALSO("assignee", 'a', "NAME", "assignee", "who works on it; \"\" is nobody"),
	BODY("design", 0, "design", NULL),
	BODY("notes", 0, "notes", NULL),
	BODY("append-notes", 0, "append_notes", NULL),
	BODY("acceptance-criteria", 0, "acceptance_criteria", NULL),
	BODY("acceptance", 0, "acceptance_criteria",
	    "another name of --acceptance-criteria"),
	ARG("external-ref", 0, "TEXT", "external_ref"),
	ARG("estimate", 'e', "MINUTES", "estimated_minutes"),
	ARG("add-label", 0, "LABEL,...", "add_labels"),
	ARG("remove-label", 0, "LABEL,...", "remove_labels"),
	ARG("set-labels", 0, "LABEL,...", "set_labels"),
	ARG("parent", 0, "ID", "parent"),
	ARG("claim", 0, NULL, "claim"),
	{ NULL }
};

/* What one chooses items by: in ready and claim, and in lists and counts. */
#define SOME_ITEMS PRIORITY,                                                  \
	ARG("assignee", 'a', "NAME", "assignee"),                             \
	ARG("type", 't', "TYPE", "issue_type"),                               \
	ARG("label", 'l', "LABEL,...", "labels"),                             \
	ARG("label-any", 0, "LABEL,...", "labels_any"),                       \
	ARG("parent", 0, "ID", "parent")
#define LISTED_ITEMS ARG("status", 's', "STATUS,...", "status"), SOME_ITEMS,  \
	ARG("no-assignee", 0, NULL, "no_assignee"),                           \
	ARG("title", 0, "TEXT", "title"),                                     \
	ARG("id", 0, "ID,...", "ids"),                                        \
	ARG("updated-after", 0, "TIME", "updated_after"),                     \
	ARG("updated-before", 0, "TIME", "updated_before")

static struct flag list_flags[] = {
	LISTED_ITEMS,
	ARG("sort", 0, "ORDER", "sort"),
	ARG("reverse", 'r', NULL, "reverse"),
	LIMIT,
	TEXT("format", 0, "FORMAT", "json, dot, digraph, or a template such as "
	    "'{{.ID}} {{.Title}}'"),
	IGNORED_SWITCH("all", "closed ones are listed anyway"),
	IGNORED_SWITCH("flat", "a list is flat"),
	IGNORED_SWITCH("tree", "a list is flat; dep tree ID shows what is below an "
	    "item"),
	{ NULL }
};

static struct flag count_flags[] = {
	LISTED_ITEMS,
	SWITCH("by-status", 0, "a count for each status"),
	SWITCH("by-priority", 0, "a count for each priority"),
	SWITCH("by-type", 0, "a count for each type"),
	SWITCH("by-assignee", 0, "a count for each assignee"),
	SWITCH("by-label", 0, "a count for each label"),
	{ NULL }
};

static struct flag claim_flags[] = {
	ARG("ready", 0, NULL, "ready"),
	SOME_ITEMS,
	ARG("unassigned", 'u', NULL, "no_assignee"),
	ROW("lease", 0, FLAG_TIME, "TIME", "lease_ms", NULL),
	{ NULL }
};

static struct flag comment_flags[] = {
	TEXT("file", 'f', "FILE", "take the text from it; - is stdin"),
	ARG("author", 'a', "NAME", "author"),
	{ NULL }
};

static struct flag sync_flags[] = {
	TEXT("message", 'm', "TEXT", "of the commit"),
	SWITCH("dry-run", 0, "only say what would be done"),
	SWITCH("no-pull", 0, "leave out the pull"),
	SWITCH("no-push", 0, "leave out the push"),
	SWITCH("flush-only", 0, "only write the file that goes into git"),
	SWITCH("strict", 0, "a cycle of dependencies that clones closed together, "
	    "or one on an item that is not there, is an error"),
	{ NULL }
};

static struct flag daemon_flags[] = {
	SWITCH("foreground", 0, "stay, and log to stderr (also "
	    "$BD_DAEMON_FOREGROUND)"),
	SWITCH("status", 0, "is there one?"),
	SWITCH("stop", 0, "ask it to stop, and wait until it has"),
	TEXT("log", 0, "FILE", "log there instead of .cohort/work.log"),
	TIME("interval", 0, "TIME", "sync with git so often (default 5m with one "
	    "of the next two, else never)"),
	SWITCH("auto-commit", 0, "commit at each interval"),
	SWITCH("auto-push", 0, "and pull and push"),
	SWITCH("health", 0, "the same as --status"),
	SWITCH("background", 0, "be the daemon, with a log file for its words; "
	    "how commands start one"),
	REFUSED_SWITCH("global", "each workspace has a daemon of its own"),
	REFUSED_SWITCH("migrate-to-global", "each workspace has a daemon of its own"),
	REFUSED_SWITCH("metrics", "the daemon counts nothing; see stats and doctor"),
	{ NULL }
};

#define NO_ITEMS "No issues found. Make one: <program> create \"Title\"\n"

const struct cli_command cli_commands[] = {
	{ "init", "", 0, 0, NULL, "make a workspace here",
	    "Makes .cohort/ with an empty tracker. A second time is no error and "
	    "changes nothing.",
	    FLAGS(TEXT("prefix", 'p', "WORD", "of the ids (default: the folder's "
	        "name)"),
	      SWITCH("from-beads", 0, "and import the items of the nearest "
	        ".beads/"),
	      SWITCH("skip-bad", 0, "with --from-beads: leave out lines that "
	        "are no items"),
	      SWITCH("merge-driver", 0, "and tell git how to merge the exported "
	        "file")),
	    NEED_NOTHING, NULL, cli_run_init },
	{ "create", "[TITLE]", 0, 1, "title", "make an item, or many from a file", NULL,
	    create_flags, NEED_CLIENT, "create", cli_run_create,
	    .text = "<ok> Created issue: <id>\n  Title: <title>\n"
	    "  Priority: <priority>\n  Status: <status>\n", .quiet = "<id>\n" },
	{ "list", "", 0, 0, NULL, "list items",
	    "Ordered by priority, then the newest first.",
	    list_flags, NEED_CLIENT, "list", cli_run_list, cli_print_items, .none = NO_ITEMS },
	{ "children", "ID", 1, 1, "parent", "list the children of an item", NULL,
	    FLAGS(IGNORED_SWITCH("pretty", "children are listed as all items are")),
	    NEED_CLIENT, "list", cli_run_pages, cli_print_items,
	    .none = NO_ITEMS },
	{ "count", "", 0, 0, NULL, "count items", NULL, count_flags,
	    NEED_CLIENT, "count", cli_run_count, cli_print_count },
	{ "stale", "", 0, 0, NULL, "list what has not changed for long",
	    "The oldest first.",
	    FLAGS(NUMBER("days", 'd', "N", "for so many days (default 30)"),
	      TEXT("status", 's', "STATUS", "open, in_progress, blocked or "
	        "deferred (default: all of them)"),
	      NUMBER("limit", 'n', "N", "at most so many (default 50)")),
	    NEED_CLIENT, "list", cli_run_stale, cli_print_stale,
	    .none = "\xe2\x9c\xa8 No stale issues found\n" },
	{ "show", "ID...", 1, -1, NULL, "show all of an item", NULL, NULL,
	    NEED_CLIENT, "show", cli_run_array, cli_print_show },
	{ "update", "ID...", 1, -1, NULL, "change fields of items", NULL, update_flags,
	    NEED_CLIENT, "update", cli_run_update,
	    .text = "<ok> Updated issue: <id>\n" },
	{ "close", "ID...", 1, -1, NULL, "close items", NULL,
	    FLAGS(ARG("reason", 'r', "TEXT", "reason"),
	      ARG("claim-next", 0, NULL, "claim_next"),
	      ARG("suggest-next", 0, NULL, "suggest_next"),
	      IGNORED_SHORT("force", 'f', "nothing keeps an item from being closed")),
	    NEED_CLIENT, "close", cli_run_close, cli_print_closed },
	{ "reopen", "ID...", 1, -1, NULL, "open items again", NULL,
	    FLAGS(ARG("reason", 'r', "TEXT", "reason")),
	    NEED_CLIENT, "reopen", cli_run_array, cli_print_reopened },
	{ "ready", "", 0, 0, NULL, "list what can be worked on now",
	    "Open, and nothing open blocks them or an item above them. Ordered by "
	    "priority, then the oldest first.",
	    FLAGS(LIMIT, SOME_ITEMS, ARG("unassigned", 'u', NULL, "no_assignee"),
	      ARG("sort", 's', "POLICY", "sort"),
	      { .name = "claim", .kind = FLAG_SWITCH, .arg = "ready",
	        .help = "claim the first of them, atomically" }),
	    NEED_CLIENT, "ready", cli_run_ready, cli_print_ready,
	    .none = "\xe2\x9c\xa8 No ready work found. What is held, and by what: "
	    "<program> blocked\n" },
	{ "blocked", "", 0, 0, NULL, "list what waits, and for what",
	    "Also the children of a blocked item.",
	    FLAGS(LIMIT),
	    NEED_CLIENT, "blocked", cli_run_pages, cli_print_blocked,
	    .none = "\xe2\x9c\xa8 No blocked issues\n" },
	{ "claim", "[ID...]", 0, -1, NULL, "take items, atomically",
	    "Of many who try, one gets it. It is yours until its lease ends; another "
	    "claim of yours is a heartbeat that extends the lease. Nothing ready is no "
	    "error: with --json null.",
	    claim_flags, NEED_CLIENT, "claim", cli_run_claim, cli_print_claimed },
	{ "release", "ID...", 1, -1, NULL, "give claimed items back", NULL,
	    FLAGS(ARG("force", 'f', NULL, "force")),
	    NEED_CLIENT, "release", cli_run_each,
	    .text = "<ok> Released <id>\n" },
	{ "stats", "", 0, 0, NULL, "count items", NULL, NULL,
	    NEED_CLIENT, "stats", cli_run_one, cli_print_stats },
	{ "status", "", 0, 0, NULL, "count items, as stats",
	    "With --json the counts are under \"summary\".",
	    FLAGS(IGNORED_SWITCH("all", "all items are counted anyway"),
	      IGNORED_SWITCH("no-activity", "git is not asked what it was done with"),
	      IGNORED_SWITCH("no-blocked", "blocked items are counted as fast as others"),
	      REFUSED_SWITCH("assigned", "count --assignee NAME --by-status does it")),
	    NEED_CLIENT, "stats", cli_run_one, cli_print_stats,
	    .shape = "{'summary':<*>}" },
	{ "search", "WORDS...", 1, -1, "query+", "find items that contain all words",
	    "In id, title, description, design, acceptance criteria and notes, in any "
	    "case.",
	    FLAGS(ARG("status", 's', "STATUS,...", "status"), LIMIT),
	    NEED_CLIENT, "search", cli_run_pages, cli_print_items,
	    .none = "No issue contains that.\n" },
	{ "dep add", "ID DEPENDS-ON", 2, 2, "from_id to_id",
	    "make an item depend on another", NULL,
	    FLAGS(ARG("type", 't', "TYPE", "dep_type")),
	    NEED_CLIENT, "dep_add", cli_run_one,
	    .text = "<ok> Added dependency: <issue_id> depends on <depends_on_id> "
	    "(<type>)\n", .shape = "{'depends_on_id':<depends_on_id>,"
	    "'issue_id':<issue_id>,'status':'added','type':<type>}" },
	{ "dep remove", "ID DEPENDS-ON", 2, 2, "from_id to_id",
	    "remove a dependency", NULL, NULL,
	    NEED_CLIENT, "dep_remove", cli_run_one,
	    .text = "<ok> Removed dependency: <issue_id> no longer depends on "
	    "<depends_on_id>\n", .shape = "{'depends_on_id':<depends_on_id>,"
	    "'issue_id':<issue_id>,'status':'removed'}" },
	{ "dep list", "ID", 1, 1, "id", "list what an item depends on", NULL,
	    FLAGS(TEXT("direction", 0, "WAY", "down (default), or up: what "
	        "depends on it"),
	      TEXT("type", 't', "TYPE", "only of this type")),
	    NEED_CLIENT, "show", cli_run_dep_list, cli_print_dep_list, cli_json_dep_list },
	{ "dep relate", "ID ID", 2, 2, "from_id to_id", "link two items, blocking none",
	    NULL, NULL, NEED_CLIENT, "dep_add", cli_run_relate,
	    .text = "<ok> Linked <issue_id> \xe2\x86\x94 <depends_on_id>\n",
	    .shape = "{'id1':<issue_id>,'id2':<depends_on_id>,'related':true}" },
	{ "dep unrelate", "ID ID", 2, 2, "from_id to_id", "remove such a link", NULL,
	    NULL, NEED_CLIENT, "dep_remove", cli_run_unrelate,
	    .text = "<ok> Unlinked <issue_id> \xe2\x86\x94 <depends_on_id>\n",
	    .shape = "{'id1':<issue_id>,'id2':<depends_on_id>,'unrelated':true}" },
	{ "dep tree", "ID", 1, 1, "id", "show what an item depends on, level by level",
	    NULL,
	    FLAGS(ARG("max-depth", 'd', "N", "max_depth"),
	      ARG("reverse", 0, NULL, "reverse"),
	      IGNORED_SWITCH("show-all-paths", "an item is shown once; with --json "
	        "\"repeated\" names it where it would stand again")),
	    NEED_CLIENT, "dep_tree", cli_run_one, cli_print_tree },
	{ "dep cycles", "", 0, 0, NULL, "find cycles of dependencies",
	    "There are none: what would make one is refused.", NULL,
	    NEED_CLIENT, "dep_cycles", cli_run_one, cli_print_cycles },
	{ "label add", "ID... LABEL", 2, -1, NULL, "label items", NULL, NULL,
	    NEED_CLIENT, "label_add", cli_run_label,
	    .text = "<ok> Added label '<$>' to <id>\n",
	    .shape = "{'issue_id':<id>,'label':<$>,'status':'added'}" },
	{ "label remove", "ID... LABEL", 2, -1, NULL, "take a label off items", NULL,
	    NULL, NEED_CLIENT, "label_remove", cli_run_label,
	    .text = "<ok> Removed label '<$>' from <id>\n",
	    .shape = "{'issue_id':<id>,'label':<$>,'status':'removed'}" },
	{ "label list", "ID", 1, 1, "id", "list the labels of an item", NULL, NULL,
	    NEED_CLIENT, "label_list", cli_run_one, cli_print_labels,
	    .none = "<$> has no labels\n" },
	{ "label list-all", "", 0, 0, NULL, "count all labels", NULL, NULL,
	    NEED_CLIENT, "label_list_all", cli_run_one, cli_print_all_labels,
	    .none = "No labels found\n" },
	{ "comment", "ID [TEXT...]", 1, -1, "id text+", "comment on an item", NULL,
	    comment_flags, NEED_CLIENT, "comment", cli_run_comments_add,
	    .text = "Comment added to <issue_id>\n" },
	{ "comments add", "ID [TEXT...]", 1, -1, "id text+", "comment on an item", NULL,
	    comment_flags, NEED_CLIENT, "comment", cli_run_comments_add,
	    .text = "Comment added to <issue_id>\n" },
	{ "comments", "ID", 1, 1, "id", "list the comments on an item", NULL, NULL,
	    NEED_CLIENT, "comment_list", cli_run_one, cli_print_comments,
	    .none = "No comments on <$>\n" },
	{ "delete", "ID...", 1, -1, "ids*", "delete items; a preview without --force",
	    NULL,
	    FLAGS(ARG("force", 'f', NULL, "force"),
	      SWITCH("dry-run", 0, "only the preview, also with --force"),
	      REFUSED_SWITCH("cascade", "delete what depends on it by its ids, which "
	        "the preview shows"),
	      REFUSED("from-file", "FILE", "give the ids: delete $(cat FILE)")),
	    NEED_CLIENT, "delete", cli_run_delete, cli_print_deleted, cli_json_deleted },
	{ "history", "[ID]", 0, 1, "id", "show what happened to an item, or to all", NULL,
	    FLAGS(LIMIT, ARG("after", 0, "SEQ", "after")),
	    NEED_CLIENT, "history", cli_run_one, cli_print_events },
	{ "events", "", 0, 0, NULL, "follow what happens", "One event a line, with "
	    "--json one object a line, until it is interrupted.",
	    FLAGS(NUMBER("after", 0, "SEQ", "what came after this number first "
	        "(default: only what is new)"),
	      NUMBER("limit", 'n', "N", "end after so many")),
	    NEED_CLIENT, "history", cli_run_events, cli_print_events },
	{ "batch", "", 0, 0, NULL, "run many operations in one transaction",
	    "The file has an array of {\"operation\",\"args\"}, or one such object a "
	    "line. {\"$ref\":0} in args is the id that the first one gave.",
	    FLAGS(TEXT("file", 'f', "FILE", "the operations; - (default) is stdin"),
	      ARG("partial", 0, NULL, "partial")),
	    NEED_CLIENT, "batch", cli_run_batch, cli_print_batch },
	{ "export", "", 0, 0, NULL, "write all items as JSONL",
	    "One item a line, sorted by id: equal trackers give equal bytes.",
	    FLAGS(TEXT("output", 'o', "FILE", "write there (default: stdout)"),
	      ARG("status", 's', "STATUS", "status"),
	      TEXT("format", 'f', "FORMAT", "jsonl, which is the only one"),
	      SWITCH("force", 0, "also over a file that has more items")),
	    NEED_CLIENT, "export", cli_run_export },
	{ "import", "[FILE]", 0, 1, NULL, "read items from JSONL",
	    "One transaction. An item that is here already is merged field by field: "
	    "the later edit wins.",
	    FLAGS(TEXT("input", 'i', "FILE", "read it (default: stdin)"),
	      ARG("dry-run", 0, NULL, "dry_run"),
	      ARG("skip-existing", 's', NULL, "skip_existing"),
	      ARG("strict", 0, NULL, "strict"),
	      SWITCH("skip-bad", 0, "leave out lines that are no items, each "
	        "told with its number"),
	      IGNORED_SWITCH("resolve-collisions", "two items that were made under one "
	        "id are told apart anyway: the later one gets another id"),
	      REFUSED_SWITCH("rename-on-import", "ids of any prefix are imported as "
	        "they are; see rename-prefix")),
	    NEED_CLIENT, "import", cli_run_import },
	{ "rename-prefix", "PREFIX", 1, 1, "prefix", "give all ids another prefix", NULL,
	    FLAGS(ARG("dry-run", 0, NULL, "dry_run")),
	    NEED_CLIENT, "rename_prefix", cli_run_one, cli_print_renamed, cli_json_renamed },
	{ "sync", "", 0, 0, NULL, "export, commit, pull, merge, push", NULL, sync_flags,
	    NEED_CLIENT, NULL, cli_run_sync },
	{ "merge", "BASE OURS THEIRS [PATH]", 3, 4, NULL,
	    "merge exported files, for git", "What `init --merge-driver` tells git to "
	    "call. The result is written over OURS, and what both sides changed is told. "
	    "Exit code 1: a file could not be read, and OURS is as it was.", NULL,
	    NEED_NOTHING, NULL, cli_run_merge },
	{ "config get", "KEY", 1, 1, NULL, "print a setting", NULL, NULL,
	    NEED_CLIENT, "config_list", cli_run_one, cli_print_setting, cli_json_setting },
	{ "config set", "KEY VALUE", 2, 2, "key value", "keep a setting",
	    "For programs that keep their own here: no command depends on one.", NULL,
	    NEED_CLIENT, "config_set", cli_run_one, .text = "Set <key> = <value>\n" },
	{ "config unset", "KEY", 1, 1, "key", "remove a setting", NULL, NULL,
	    NEED_CLIENT, "config_set", cli_run_one, .text = "Unset <key>\n",
	    .shape = "{'key':<key>}" },
	{ "config list", "", 0, 0, NULL, "list all settings", NULL, NULL,
	    NEED_CLIENT, "config_list", cli_run_one, cli_print_config },
	{ "info", "", 0, 0, NULL, "tell which tracker this is",
	    "Whether a daemon runs is told by daemon --status.",
	    FLAGS(IGNORED_SWITCH("schema", "the schema's version is told anyway"),
	      REFUSED_SWITCH("whats-new", "help lists all commands")),
	    NEED_CLIENT, "info", cli_run_one, .text = "\nDatabase: <database>\n"
	    "Issue prefix: <prefix>\nIssues: <items>\nEvents: <events>\n"
	    "Schema: <schema>\nVersion: <version>\n\n",
	    .shape = "{'config':{'issue_prefix':<prefix>},'database_path':<database>,"
	    "'event_count':<events>,'issue_count':<items>,'schema_version':<schema>,"
	    "'version':<version>}" },
	{ "where", "", 0, 0, NULL, "tell where the workspace is", NULL, NULL,
	    NEED_CLIENT_HERE, "info", cli_run_one, .text = "<workspace>\n"
	    "  prefix: <prefix>\n  database: <database>\n", .quiet = "<workspace>\n",
	    .shape = "{'path':<workspace>,'prefix':<prefix>,'database_path':<database>}" },
	{ "epic status", "", 0, 0, NULL, "tell how far the epics are",
	    "Of those that are not closed, how many of their children are.",
	    FLAGS(SWITCH("eligible-only", 0, "only those whose children are all "
	        "closed")),
	    NEED_CLIENT, "list", cli_run_epic_status, cli_print_epics,
	    .none = "No open epics found\n" },
	{ "dolt", "[WORDS...]", 0, -1, NULL, "do nothing: there is no Dolt here",
	    "For programs that push, pull or commit a Dolt database after a change; "
	    "sync exchanges with git.",
	    FLAGS(IGNORED_SWITCH("force", "nothing is done"),
	      { .name = "message", .letter = 'm', .kind = FLAG_TEXT, .value = "TEXT",
	        .help = "nothing is done", .state = FLAG_IGNORED }),
	    NEED_NOTHING, NULL, cli_run_nothing,
	    .text = "Nothing to do: every change is stored when its command ends.\n",
	    .shape = "{'status':'nothing to do'}" },
	{ "prime", "", 0, 0, NULL, "one page of context for an agent's start", NULL,
	    NULL, NEED_CLIENT, NULL, cli_run_prime },
	{ "quickstart", "", 0, 0, NULL, "the first steps", NULL, NULL,
	    NEED_NOTHING, NULL, cli_run_quickstart },
	{ "doctor", "", 0, 0, NULL, "check the workspace, recount everything",
	    "Exit code 1: something is wrong.",
	    FLAGS(SWITCH("fix", 0, "and repair what can be")),
	    NEED_WORKSPACE, "recount", cli_run_doctor },
	{ "daemon", "", 0, 0, NULL, "start, stop, or ask the workspace's daemon", NULL,
	    daemon_flags, NEED_WORKSPACE, NULL, cli_run_daemon },
	{ "mcp", "", 0, 0, NULL, "serve MCP on stdin and stdout", NULL, NULL,
	    NEED_CLIENT, NULL, cli_run_mcp },
	{ "version", "", 0, 0, NULL, "print the version", NULL, NULL,
	    NEED_NOTHING, NULL, cli_run_version },
	{ "help", "[COMMAND]", 0, 2, NULL, "explain a command", NULL,
	    FLAGS(SWITCH("man", 0, "print the manual page"),
	      SWITCH("markdown", 0, "print the tables of docs/work.md"),
	      TEXT("completion", 0, "SHELL", "print what bash completes")),
	    NEED_NOTHING, NULL, cli_run_help },
#define NO(name, why) { name, "", 0, -1, NULL, NULL, NULL, NULL, NEED_NOTHING, NULL, \
	NULL, NULL, NULL, why }
	NO("compact", "nothing is ever summarised away; closed items cost nothing"),
	NO("restore", "nothing was compacted; history ID shows what an item was"),
	NO("renumber", "ids are not counted, so they have no gaps; and others may "
	    "hold them"),
	NO("duplicates", "search finds alike items; close one and say why"),
	NO("epic close-eligible", "epic status --eligible-only lists them; close them "
	    "by their ids"),
	NO("remember", "what the next agent needs is an item, or a comment on one"),
	NO("memories", "search finds items, their notes and what they describe"),
	NO("recall", "search finds items, their notes and what they describe"),
	NO("forget", "nothing was remembered; delete removes an item"),
	NO("setup", "an editor or agent needs no hook: prime tells it all, mcp serves "
	    "it"),
	NO("repos", "each workspace is asked by itself: --db or its folder"),
	NO("onboard", "see prime and quickstart"),
};
const size_t cli_commands_n = COUNT(cli_commands);

/* Kind and help of a flag are its argument's, where it has none of its own. */
static void
flags_complete(const struct cli_command *c)
{
	static const int kinds[] = { [ARG_TEXT] = FLAG_TEXT, [ARG_INT] = FLAG_INT,
		[ARG_BOOL] = FLAG_SWITCH, [ARG_TEXTS] = FLAG_LIST,
		[ARG_WORD] = FLAG_TEXT, [ARG_WORDS] = FLAG_TEXT,
		[ARG_TIME] = FLAG_TEXT };
	const struct work_arg *args = work_args(str_of(c->operation)), *a;

	for (struct flag *f = c->flags; f != NULL && f->name != NULL; f++) {
		if (f->help != NULL && f->kind != FLAG_ARG)
			continue;
		a = work_arg_find(args, str_of(f->arg));
		assert(a != NULL);
		if (f->kind == FLAG_ARG)
			f->kind = kinds[a->kind];
		if (f->help == NULL)
			f->help = a->help;
	}
}

struct flag_command
cli_row(const struct cli_command *c)
{
	flags_complete(c);
	return (struct flag_command){ c->name, c->operands, c->min, c->max,
		c->refused == NULL ? c->summary : NULL,
		c->refused == NULL ? c->detail : c->refused, c->flags };
}

static struct flag_command
row_at(size_t i)
{
	return cli_row(&cli_commands[i]);
}

const struct flag_commands cli_list = { COUNT(cli_commands), row_at };
