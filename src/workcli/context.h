/*
 * context.h - what a command of the tracker works with, and the commands that
 * are more than one operation.
 *
 * They print by appending to x->out (what becomes stdout; cli_flush sends it
 * at once) and x->notes (stderr).  On failure they return a code with words in
 * e, which the caller prints as `Error: words`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKCLI_CONTEXT_H
#define WORKCLI_CONTEXT_H

#include "work/host/client.h"

struct cli_command;
struct cli_host;
struct flag_line;

struct cli_ctx {
	const struct flag_line *line;
	const struct cli_command *cmd;
	const struct cli_host *host;
	const char *program;                 /* "bd" or "cohort work" */
	struct client *client;               /* NULL until it is open */
	struct client_remote remote;
	const struct workspace *workspace;   /* NULL: none, or a server's tracker */
	struct workspace found;              /* where that points to */
	struct str actor;
	bool actor_given;                    /* by --actor or the environment; MCP
	                                        else uses its client's name */
	nsec timeout;
	bool timeout_is_ours;                /* not given */
	bool json, quiet, colour;
	struct buf *out, *notes;
	/* Told how far a long operation is; NULL: nobody is there to see it. */
	void (*progress)(void *ctx, size_t done, size_t total);
	bool unwritten;                      /* stdout did not take it: exit code 1 */
	struct arena *a;
};

/* Writes out and notes where they belong, and empties them. */
void cli_flush(struct cli_ctx *x);

/* ---- sync (sync.c) ----------------------------------------------------- */

struct cli_sync_options {
	struct str message;                  /* of the commit; empty: ours */
	bool dry_run, no_pull, no_push, flush_only;
	bool strict;                         /* cycles and loose dependencies are
	                                        errors */
};
int cli_sync(struct cli_ctx *x, const struct cli_sync_options *o,
    struct err *e);

/* The items of a clone's issues.jsonl, before anything else is done with it. */
int cli_import_first(struct cli_ctx *x, struct err *e);
/* The same into a tracker that init has just made. */
int cli_import_made(struct cli_ctx *x, struct err *e);
/* What a merge by lines did to issues.jsonl is mended: two lines with one id,
 * both sides of a conflict.  Nothing is written where nothing is wrong. */
int cli_mend_file(struct cli_ctx *x, struct err *e);
/* Appends what is wrong with it; nothing if all is well. */
void cli_file_faults(const struct cli_ctx *x, struct buf *out);

/* Items of a beads workspace.  from: its folder, database's folder or .jsonl;
 * empty: the nearest .beads/ from the current folder upwards. */
int cli_import_beads(struct cli_ctx *x, struct str from, bool skip_bad,
    struct err *e);
/* Appends the prefix that its items have; nothing if there are none. */
int cli_beads_prefix(struct buf *out, struct err *e);
/* That nearest folder.  ERR_NOTFOUND: there is none. */
int cli_beads_near(char *out, size_t size, struct err *e);

/* ---- the merge driver (merge_driver.c) ---------------------------------- */

/* Three-way merge of JSONL files; the result is written over `ours`.  What git
 * calls as `merge %O %A %B %P`.  OK (exit 0): it was written; where both sides
 * had changed one field, the later one won and notes has a line.  Else (exit 1)
 * `ours` is as it was and e names file and line.  path: for the notes; may be
 * NULL. */
int cli_merge_files(const char *base, const char *ours, const char *theirs,
    const char *path, struct buf *notes, struct err *e);
/* Tells git of it: .git/info/attributes and the repository's configuration, so
 * that nothing is committed. */
int cli_install_merge_driver(const struct workspace *workspace, struct err *e);
/* NAMED: by .gitattributes, as in a fresh clone, whose configuration does not
 * say what it is. */
enum driver { DRIVER_NONE, DRIVER_NAMED, DRIVER_KNOWN };
enum driver cli_has_merge_driver(const struct workspace *workspace);

/* ---- files of items, for sync and others (files.c) ------------------------- */

/* Gives the export to the sink, some lines at a time: one item a line, sorted by
 * id, all of one moment.  status empty: all.  *n: how many. */
struct cli_sink {
	int (*add)(void *ctx, struct str lines, struct err *e);
	void *ctx;
};
int cli_export(struct client *c, struct str status, const struct cli_sink *sink,
    size_t *n, struct err *e);
/* Appends a file; "-" is stdin.  ERR_TOOBIG past out's maximum. */
int cli_read_file(struct str path, struct buf *out, struct err *e);
/* Appends a file; one that is not there is empty.  ERR_TOOBIG as above. */
int cli_read_present(const char *path, struct buf *out, struct err *e);

struct cli_import_options {
	bool dry_run, skip_existing, strict;
	bool skip_bad;                       /* leave out lines that are no items */
	bool skippable;                      /* the command has --skip-bad */
	bool resolve_cycles;                  /* drop an edge, do not refuse */
	bool base;                           /* only note the lines as what both
	                                        sides have, for the next merge */
};
/* Imports lines in one transaction.  r is the operation's reply; release it.
 * r->data: {"created","updated","deleted","unchanged","skipped":numbers,
 * "conflicts":[{id,field,ours,theirs,kept}],"renamed":[{old,new,title}],
 * "warnings":["line 3: ..."]}; "more": how many reports were left out. */
struct lines;
int cli_import(struct client *c, struct lines *lines,
    const struct cli_import_options *o, struct reply *r);
/* The same of the file at path: the words of a failure begin with it, and end
 * with what one can do about it. */
int cli_import_file(struct client *c, const char *path, struct lines *lines,
    const struct cli_import_options *o, struct reply *r, struct err *e);
/* What one can do; empty: nothing is known. */
const char *cli_bad_line_hint(const struct err *e, bool skippable);
/* Adds that answer to the notes, in words; what people read after an import. */
void cli_import_report(struct cli_ctx *x, const struct reply *r);

/* ---- another way to the tracker (main/work_remote.c, only in cohortd) ---------------- */

int cli_remote_open(struct client_remote *out, struct str url,
    struct str project, struct err *e);
void cli_remote_close(struct client_remote *r);

#endif
