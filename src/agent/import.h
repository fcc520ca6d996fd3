/*
 * import.h - agents as other programs write them down, made into our files.
 *
 *   Markdown   front matter, and the system prompt below; SKILL.md skills
 *   CrewAI     agents.yaml with tasks.yaml
 *   Docker     `agents`, `models` in one YAML file
 *   XState     a machine as JSON
 *
 * What has no meaning here is not guessed: it is left out, with a note that says
 * where it was and why.  What comes out is text of our own language; whoever
 * imports loads it like any other.
 *
 * Threads: any, one at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AGENT_IMPORT_H
#define AGENT_IMPORT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/rc.h"

/* What lies around the file. */
struct import_around {
	/* Appends a file that lies beside the imported one ("tasks.yaml",
	 * "skills/pdf/SKILL.md").  ERR_NOTFOUND and others. */
	int  (*read)(void *ctx, struct str name, struct buf *out);
	bool (*has_tool)(void *ctx, struct str name);        /* that models may call */
	void *ctx;
};

struct import {
	const char *format;                  /* "Markdown" */
	struct imported { struct str id, text; } *agents;    /* YAML; the first calls the
	                                        others */
	size_t agents_n, agents_cap;
	struct str *notes;                   /* `file:line:column: path: words` */
	size_t notes_n, notes_cap;
	struct arena arena;                  /* all of it */
};

/* Release also after an error.  ERR_INVALID: it is of none of these kinds;
 * ERR_SYNTAX, ERR_TOOBIG: with the place. */
int  agent_import(struct import *out, struct str text, struct str file,
    const struct import_around *around, struct err *e);
void import_release(struct import *im);

#endif
