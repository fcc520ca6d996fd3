/*
 * work_parity.c - P1: a command says the same with and without the daemon.
 *
 * Two workspaces get the same commands, one through its daemon and one without;
 * what they print and their exit codes must be alike, the digits of times
 * apart.  What only reads is also run both ways on the first workspace, and
 * must then be the same to the byte.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/work_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define OUT_BYTES (64 * MB)
#define WORDS     10

static const struct parity {
	bool reads;
	const char *words[WORDS];
} script[] = {
	{ false, { "create", "an epic", "--id", "w-e", "-t", "epic", "-p", "1" } },
	{ false, { "create", "first task", "--id", "w-1", "-d", "what to do", "--json" } },
	{ false, { "create", "second task", "--id", "w-2", "--deps", "blocks:w-1",
	    "-l", "ui,api" } },
	{ false, { "create", "third task", "--id", "w-3", "--deps", "parent-child:w-e" } },
	{ false, { "create", "again", "--id", "w-1" } },
	{ false, { "create", "", "--id", "w-4" } },
	{ false, { "create", "bad", "--id", "w-4", "-p", "9" } },
	{ true, { "list" } }, { true, { "list", "--json" } },
	{ true, { "list", "-l", "ui", "--json" } }, { true, { "list", "-s", "open" } },
	{ true, { "list", "--title", "second" } }, { true, { "list", "-s", "nonsense" } },
	{ true, { "ready" } }, { true, { "ready", "--json" } },
	{ true, { "ready", "-n", "1" } }, { true, { "blocked" } },
	{ true, { "blocked", "--json" } }, { true, { "show", "w-2" } },
	{ true, { "show", "w-2", "--json" } }, { true, { "show", "w-nothing" } },
	{ true, { "show", "w-nothing", "--json" } }, { true, { "stats" } },
	{ true, { "stats", "--json" } }, { true, { "dep", "tree", "w-2" } },
	{ true, { "dep", "tree", "w-2", "--json" } }, { true, { "dep", "cycles" } },
	{ false, { "dep", "add", "w-1", "w-2" } },
	{ false, { "dep", "add", "w-3", "w-2", "--type", "related", "--json" } },
	{ false, { "dep", "remove", "w-3", "w-2" } },
	{ false, { "label", "add", "w-3", "later" } },
	{ true, { "label", "list", "w-3" } }, { true, { "label", "list-all" } },
	{ true, { "label", "list-all", "--json" } },
	{ false, { "label", "remove", "w-3", "later" } },
	{ false, { "update", "w-1", "--claim", "--json" } },
	{ false, { "update", "w-1", "-s", "in_progress", "-a", "someone", "-p", "0" } },
	{ false, { "update", "w-nothing", "-p", "0" } },
	{ false, { "comment", "w-1", "a remark" } },
	{ true, { "show", "w-1", "--json" } },
	{ false, { "close", "w-1", "-r", "done" } },
	{ false, { "close", "w-2", "--json" } },
	{ false, { "reopen", "w-2" } },
	{ true, { "search", "task" } }, { true, { "search", "task", "--json" } },
	{ true, { "export" } },
	{ false, { "delete", "w-3" } }, { false, { "delete", "w-3", "--force" } },
	{ true, { "list", "--json" } }, { true, { "stats" } },
	{ true, { "lsit" } }, { true, { "list", "--stauts", "open" } },
};

/* Digits of RFC 3339 times and of "2026-01-02 15:04" become 0. */
static void
mask_times(struct buf *b)
{
	static const char shape[] = "dddd-dd-dd?dd:dd";
	size_t n = sizeof shape - 1;

	for (size_t i = 0; i + n <= b->n; i++) {
		size_t k = 0;

		while (k < n && (shape[k] == '?' || (shape[k] == 'd' ?
		    isdigit((unsigned char)b->p[i + k]) != 0 : b->p[i + k] == shape[k])))
			k++;
		if (k < n)
			continue;
		for (k = i; k < b->n && strchr("0123456789-:.T ", b->p[k]) != NULL; k++)
			if (isdigit((unsigned char)b->p[k]))
				b->p[k] = '0';
	}
}

struct said {
	struct buf out;
	int code;
};

static int
say(struct said *s, struct place *p, const char *const *words, const char *last,
    struct err *e)
{
	struct run r = { .place = p, .args = words, .last = last, .out = &s->out };
	int rc;

	s->out = BUF(OUT_BYTES);
	rc = run_process(&r, e);
	s->code = r.code;
	return rc;
}

static bool
same(const struct said *a, const struct said *b)
{
	return a->code == b->code && str_eq(buf_str(&a->out), buf_str(&b->out));
}

/* Keeps what differed, for the report. */
static void
differs(struct trial *t, const struct parity *row, const struct said *a,
    const struct said *b)
{
	struct err why;

	err_set(&why, ERR_CONFLICT, "%s %s: with the daemon %d \"%.120s\", without %d "
	    "\"%.120s\"", row->words[0], row->words[1] != NULL ? row->words[1] : "",
	    a->code, a->out.n > 0 ? a->out.p : "", b->code, b->out.n > 0 ? b->out.p : "");
	fprintf(stderr, "  %s\n", why.text);
	trial_error(t, NULL, &why);
}

static int
row_run(struct trial *t, const struct parity *row, struct place p[2], int *different,
    struct err *e)
{
	struct said said[3] = { { .code = 0 } };
	int rc = say(&said[0], &p[0], row->words, NULL, e);

	if (rc == OK)
		rc = say(&said[1], &p[1], row->words, "--no-daemon", e);
	if (rc == OK && row->reads)
		rc = say(&said[2], &p[0], row->words, "--no-daemon", e);
	if (rc == OK && row->reads && !same(&said[0], &said[2])) {
		differs(t, row, &said[0], &said[2]);
		(*different)++;
	}
	mask_times(&said[0].out);
	mask_times(&said[1].out);
	if (rc == OK && !same(&said[0], &said[1])) {
		differs(t, row, &said[0], &said[1]);
		(*different)++;
	}
	for (size_t i = 0; i < COUNT(said); i++)
		buf_release(&said[i].out);
	return rc;
}

int
load_p1(struct trial *t, struct err *e)
{
	int rc, different = 0, reads = 0;
	struct place p[2];

	/* The folder's name must not show. */
	rc = place_new(&p[0], &t->scratch, t->tool, true, e);
	if (rc != OK)
		return rc;
	rc = place_new(&p[1], &t->scratch, t->tool, false, e);
	for (size_t i = 0; i < COUNT(script) && rc == OK; i++) {
		rc = row_run(t, &script[i], p, &different, e);
		reads += script[i].reads;
	}
	rc = place_close(&p[0], rc, e);
	if (rc == OK)
		trial_check(t, different == 0, "%zu commands by both ways, %d of them on one "
		    "workspace to the byte: %d differ", COUNT(script), reads, different);
	return rc;
}
