/*
 * saver_text.h - the saver without a task: threads are named by any text.  For suites that
 * validate checkpointers, behind test hooks only: such a suite lists without a thread, and
 * deletes threads, which no task's token may.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_SAVER_TEXT_H
#define RUN_SAVER_TEXT_H

#include "base/json.h"
#include "net/shard.h"
#include "store/store.h"

struct saver_text_from {
	struct store *store;
	struct shard *shard;
	struct store_reader *reader;
	owner_t owner;
};

/* A body of POST /tasks/test/saver: get, list, put, writes with `thread_id`, and
 * delete_thread.  done: once, now or later; members: of the answer's object. */
void saver_text(const struct saver_text_from *from, jnode body,
    void (*done)(void *ctx, int rc, struct str members, const struct err *e), void *ctx);

#endif
