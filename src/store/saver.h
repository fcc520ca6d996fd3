/*
 * saver.h - checkpoints of LangGraph graphs that run in workers, as their saver
 * (BaseCheckpointSaver) puts and gets them; and the graphs that workers registered.
 *
 * A *value* is a pair (type, body) of the worker's serialiser: opaque bytes.  A
 * checkpoint of the saver stands beside the one in state.h with the same namespace and
 * id: that one is what clients see, this one is what the graph goes on from.  What
 * removes or copies a thread's checkpoints does so with both.
 *
 *   Names (ids of checkpoints and tasks, channels, namespaces) are text, compared by
 *   their bytes.  The newest of a namespace has the greatest id.
 *   A put brings the values of channels that changed.  Another channel has its
 *   parent's value if it has the parent's version, else none.  (A version alone does
 *   not name a value: two forks count on from the same number.)
 *   Writes come in the order (path, task, idx).  idx >= 0: the first write of
 *   (checkpoint, task, idx) stays; idx < 0: the last one.  A write may come before
 *   its checkpoint.
 *
 * Puts and writes are members of store_changes: RUN_SAVE, RUN_END and STATE_UPDATE
 * write them with the rest, after the checkpoints.  They may be repeated.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SAVER_H
#define STORE_SAVER_H

#include "store/store.h"

struct store_saver_value {
	struct str type, body;               /* "json", "msgpack", ...; bytes */
};

struct store_saver_blob {                    /* of a channel */
	struct str channel;
	struct store_saver_value value;
};

/* All texts are borrowed by the command. */
struct store_saver_put {
	struct str ns, id;
	struct str parent;                   /* of the same namespace; empty: none */
	struct store_saver_value checkpoint, metadata;
	struct str versions_json;            /* channel_versions: {name: number or string} */
	const struct store_saver_blob *blobs;        /* of channels in versions_json */
	size_t blobs_n;
};

struct store_saver_write {
	struct str ns, id;                   /* of the checkpoint */
	struct str task, path;               /* path may be empty */
	int idx;                             /* WRITE_ERROR, ... in state.h */
	struct str channel;
	struct store_saver_value value;
};

/* ---- what is read (a CheckpointTuple): lives in the arena of the read -------- */

struct store_saver_found_blob {
	struct str channel;
	struct str version_json;             /* a number or a string, as it was put */
	struct store_saver_value value;
};
struct store_saver_found {
	int64_t seq;                         /* private */
	struct str ns, id;
	struct str parent;                   /* empty: none */
	struct store_saver_value checkpoint, metadata;
	struct store_saver_found_blob *blobs;        /* of channels that have a value */
	size_t blobs_n;
	struct store_saver_write *writes;    /* in order; ns and id are those above */
	size_t writes_n;
	struct str thread;                   /* of a list over text threads: its name */
};

/* Point reads, inline on a shard. */

/* id empty: the newest of the namespace.  ERR_NOTFOUND: there is none. */
int store_saver_get(struct store_reader *r, owner_t o, int64_t thread_seq, struct str ns,
    struct str id, struct arena *a, struct store_saver_found *out);
/* Has the run left something at the newest checkpoint of the root: is that its own, or
 * has it written to it?  Then a worker goes on from there, with its input taken. */
int store_saver_began(struct store_reader *r, owner_t o, int64_t thread_seq,
    int64_t run_seq, bool *began);

/* STORE_SAVER_LIST, a slow read.  By id, the greatest first.  At most
 * LIMIT_SAVER_PAGE checkpoints and some LIMIT_SAVER_PAGE_BYTES, and no fewer than one; a
 * page ends between two ids, so that `before` its last one is what follows. */
struct store_saver_list {
	struct store_cmd cmd;
	int64_t thread_seq;                  /* 0: of all text threads of the owner */
	bool any_ns;                         /* else `ns` only */
	struct str ns;
	struct str id;                       /* only this one; empty: all */
	struct str before;                   /* only ids less than it; empty: all */
	struct str filter_json;              /* an object: members that metadata (of type
	                                        "json") must have; empty: any */
	int64_t limit;                       /* < 0: none */
	struct store_saver_found *found;     /* out */
	size_t found_n;
	bool more;                           /* out: there are others, within limit */
};

/* ---- threads named by a text: test hooks only -------------------------------- */

/* The id of its thread; store_thread_get then gives the seq for the reads above. */
struct uuid store_saver_thread(owner_t o, struct str name);

/* STORE_SAVER_TEXT: puts and writes on such a thread, which is made if need be; or it
 * goes (drop), which is no error if there is none. */
struct store_saver_text {
	struct store_cmd cmd;
	struct str thread;
	const struct store_saver_put *puts;
	size_t puts_n;
	const struct store_saver_write *writes;
	size_t writes_n;
	bool drop;
	msec now;
};

/* ---- graphs that workers registered ------------------------------------------ */

/* A definition (agent.h, hosted), to be there after a restart without its worker.
 * It belongs to nobody; `key` is the API key that may serve it, or empty. */
struct store_hosted {
	struct str graph_id, key;
	struct str body;                     /* JSON */
	struct str hash;                     /* bytes */
	msec updated;
};
/* STORE_HOSTED_PUT: in place of the one with its graph_id. */
struct store_hosted_put {
	struct store_cmd cmd;
	struct store_hosted h;
};
/* STORE_HOSTED_DELETE.  ERR_NOTFOUND. */
struct store_hosted_delete {
	struct store_cmd cmd;
	struct str graph_id;
};
/* All, by graph_id. */
int store_hosted_all(struct store_reader *r, struct arena *a, struct store_hosted **out,
    size_t *n);

#endif
