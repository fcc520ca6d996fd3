/*
 * langgraph_json.h - langgraph.json: the settings of an Agent Server, as its clients'
 * projects have them, set on this server.
 *
 * A table has a row for each key: the setting it sets, or why it has no effect here, or why
 * it is refused.  What cannot be honoured is refused, and so is an unknown key: a file that
 * is taken does what it says.  Paths in the file are relative to its folder.
 *
 * Its settings win over those of cohort.yaml, not over the environment and flags; the
 * variables of its `env` count as the environment where that does not have them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_LANGGRAPH_JSON_H
#define MAIN_LANGGRAPH_JSON_H

#include "base/buf.h"
#include "base/rc.h"
#include "main/env_file.h"

struct config;

/* A row of `graphs`: an agent's file. */
struct graph_file { char *id, *path, *description; };        /* description NULL: none */

/* One that is code: an external worker serves it. */
enum code_lang { CODE_JS, CODE_PYTHON, CODE_LANGS };
struct graph_code {
	char *id, *path;                     /* "./src/agent.ts:graph", as in the file */
	enum code_lang lang;
};

struct langgraph {
	char *file;                          /* NULL: there is none */
	struct graph_file *graphs;
	size_t graphs_n, graphs_cap;
	struct graph_code *code;
	size_t code_n, code_cap;
	struct env_list env;
};

/* Sets what the file says in c; name: as shown in errors, `ERR: name: key: words`.  What has
 * no effect here is a line of c->warnings.  ERR_INVALID; ERR_NOTFOUND, ERR_IO: the file. */
int  langgraph_read(struct config *c, const char *name, struct str text, struct err *e);
int  langgraph_read_file(struct config *c, const char *path, struct err *e);
void langgraph_release(struct langgraph *l);

/* Puts `env` into this process's environment, where it is not set.  Before threads. */
void langgraph_export(const struct langgraph *l);

/* Of a file of code, by the end of its name. */
bool code_lang_of(struct str file, enum code_lang *lang);
bool langgraph_has_code(const struct langgraph *l, enum code_lang lang);
/* A line for each language: which graphs are code, and what serves them. */
void langgraph_add_code(struct buf *b, const struct langgraph *l);

/* The table as documentation. */
void langgraph_add_markdown(struct buf *b);

#endif
