/*
 * hand.h - the commands of the tracker that are more than one operation:
 * what they get in hand, and what each promises.  local.c calls them.
 *
 * They print by appending to h->out (what becomes stdout; work_flush sends it
 * at once) and h->notes (stderr).  On failure they return a code with words in
 * e, which the caller prints as `Error: words`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_WORK_HAND_H
#define MAIN_WORK_HAND_H

#include "work/client.h"

struct work_hand {
	struct client *client;               /* open */
	const struct home *home;             /* NULL: the tracker of a server */
	struct str actor;
	bool actor_given;                    /* by --actor or the environment's
	                                        BD_ACTOR; MCP else uses its client's name */
	bool json, quiet;
	struct buf *out, *notes;
	/* Told how far a long operation is; NULL: nobody is there to see it. */
	void (*progress)(void *ctx, size_t done, size_t total);
	void *progress_ctx;
	bool unwritten;                      /* stdout did not take it: exit code 1 */
};

/* Writes out and notes where they belong, and empties them. */
void work_flush(struct work_hand *h);

/* ---- sync (sync.c) ----------------------------------------------------- */

struct work_sync_options {
	struct str message;                  /* of the commit; empty: ours */
	bool dry_run, no_pull, no_push, flush_only;
	bool strict;                         /* rings and loose dependencies are
	                                        errors */
};
int work_sync(struct work_hand *h, const struct work_sync_options *o,
    struct err *e);

/* The items of a clone's issues.jsonl, before anything else is done with it. */
int work_import_first(struct work_hand *h, struct err *e);
/* The same into a tracker that init has just made. */
int work_import_made(struct work_hand *h, struct err *e);
/* What a merge by lines did to issues.jsonl is mended: two lines with one id,
 * both sides of a conflict.  Nothing is written where nothing is wrong. */
int work_mend_file(struct work_hand *h, struct err *e);
/* Appends what is wrong with it; nothing if all is well. */
void work_file_faults(const struct work_hand *h, struct buf *out);

/* Items of a beads workspace.  from: its folder, database's folder or .jsonl;
 * empty: the nearest .beads/ from the current folder upwards. */
int work_import_beads(struct work_hand *h, struct str from, bool skip_bad,
    struct err *e);
/* Appends the prefix that its items have; nothing if there are none. */
int work_beads_prefix(struct buf *out, struct err *e);
/* That nearest folder.  ERR_NOTFOUND: there is none. */
int work_beads_near(char *out, size_t size, struct err *e);

/* ---- the merge driver (merge_driver.c) ---------------------------------- */

/* Three-way merge of JSONL files; the result is written over `ours`.  What git
 * calls as `merge %O %A %B %P`.  OK (exit 0): it was written; where both sides
 * had changed one field, the later one won and notes has a line.  Else (exit 1)
 * `ours` is as it was and e names file and line.  path: for the notes; may be
 * NULL. */
int work_merge_files(const char *base, const char *ours, const char *theirs,
    const char *path, struct buf *notes, struct err *e);
/* Tells git of it: .git/info/attributes and the repository's configuration, so
 * that nothing is committed. */
int work_install_merge_driver(const struct home *home, struct err *e);
/* NAMED: by .gitattributes, as in a fresh clone, whose configuration does not
 * say what it is. */
enum driver { DRIVER_NONE, DRIVER_NAMED, DRIVER_KNOWN };
enum driver work_has_merge_driver(const struct home *home);

/* ---- for agents ---------------------------------------------------------------- */

int work_prime(struct work_hand *h, struct err *e);          /* prime.c */
/* Serves MCP on stdin and stdout until stdin ends. */
int work_mcp(struct work_hand *h, struct err *e);            /* mcp.c */

/* ---- files of items, for sync and others (files.c) ------------------------- */

/* Gives the export to the sink, some lines at a time: one item a line, sorted by
 * id, all of one moment.  status empty: all.  *n: how many. */
struct work_sink {
	int (*add)(void *ctx, struct str lines, struct err *e);
	void *ctx;
};
int work_export(struct client *c, struct str status, const struct work_sink *sink,
    size_t *n, struct err *e);
/* Appends a file; "-" is stdin.  ERR_TOOBIG past out's maximum. */
int work_read_file(struct str path, struct buf *out, struct err *e);
/* Appends a file; one that is not there is empty.  ERR_TOOBIG as above. */
int work_read_present(const char *path, struct buf *out, struct err *e);

struct work_import_options {
	bool dry_run, skip_existing, strict;
	bool skip_bad;                       /* leave out lines that are no items */
	bool resolve_rings;                  /* drop an edge, do not refuse */
	bool base;                           /* only note the lines as what both
	                                        sides have, for the next merge */
};
/* Imports lines in one transaction.  r is the operation's reply; release it.
 * r->data: {"created","updated","deleted","unchanged","skipped":numbers,
 * "conflicts":[{id,field,ours,theirs,kept}],"renamed":[{old,new,title}],
 * "warnings":["line 3: ..."]}; "more": how many reports were left out. */
struct lines;
int work_import(struct client *c, struct lines *lines,
    const struct work_import_options *o, struct reply *r);
/* What one can do about an import's failure; empty: nothing is known.
 * skippable: the command has --skip-bad. */
const char *work_bad_line_hint(const struct err *e, bool skippable);
/* Appends that answer in words; what people read after an import. */
void work_import_report(const struct reply *r, struct buf *b);

/* ---- another way to the tracker (remote.c, only in cohortd) ---------------- */

int work_remote_open(struct client_remote *out, struct str url,
    struct str project, struct err *e);
void work_remote_close(struct client_remote *r);

#endif
