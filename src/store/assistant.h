/*
 * assistant.h - commands about assistants and their versions (assistants.c, versions.c,
 * find_assistants.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_ASSISTANT_H
#define STORE_ASSISTANT_H

#include "store/store.h"

/* CONFLICT unless do_nothing, which returns the existing one in `a`. */
struct store_assistant_create {
	struct store_cmd cmd;
	struct store_assistant a;            /* in, and out */
	bool do_nothing;
	bool system;                         /* visible to every owner; start-up only */
};

/* Fields with p == NULL stay; metadata merges shallowly.  A new version, numbered
 * after the highest there is.  ERR_CONFLICT: there are LIMIT_ASSISTANT_VERSIONS. */
struct store_assistant_update {
	struct store_cmd cmd;
	struct store_assistant a;            /* id in; all out */
	msec now;
};

/* A version of before becomes the current one, under its number.  ERR_NOTFOUND. */
struct store_assistant_latest {
	struct store_cmd cmd;
	struct uuid id;
	int64_t version;
	msec now;
	struct store_assistant a;            /* out */
};

/* Nothing is done while one of its runs is under way; the caller cancels those first.
 * With threads it is done in several commands, the assistant goes with the last one.
 * ERR_CONFLICT: a run of another assistant is under way on one of the threads. */
struct store_assistant_delete {
	struct store_cmd cmd;
	struct uuid id;
	bool threads;                        /* also those whose metadata name it */
	void *ctx;                           /* the caller's */
	bool busy;                           /* out: a run of it is under way */
	bool more;                           /* out: ask again for the rest */
	struct uuid *gone;                   /* out: threads that went with this command */
	size_t gone_n;
};

/* The owner's and the system's.  name: a part of it, in any case. */
struct store_assistant_search {
	struct store_cmd cmd;
	struct str metadata_json, graph_id, name;
	struct store_page page;              /* not by STATUS */
	struct store_assistant *found;       /* out */
	size_t found_n;
	int64_t total;
};

/* Of an assistant that the owner may see, the newest first.  `created` of each is
 * its own, `updated` 0.  ERR_NOTFOUND: no such assistant. */
struct store_assistant_versions {
	struct store_cmd cmd;
	struct uuid id;
	struct str metadata_json;            /* containment; empty: all */
	int64_t limit, offset;
	struct store_assistant *found;       /* out */
	size_t found_n;
	bool more;                           /* out: there are others behind */
};

#endif
