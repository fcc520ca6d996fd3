/*
 * has.c - what this process has under way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/run_priv.h"

bool
runs_has_thread(const struct runs *rs, const struct uuid *thread_id)
{
	return directory_thread(rs->sh->directory, thread_id) != NULL;
}

bool
runs_has_run_of(const struct runs *rs, const struct uuid *thread_id)
{
	return directory_runs_any(rs->sh->directory, thread_id);
}

bool
runs_has_run(const struct runs *rs, const struct uuid *run_id)
{
	return directory_has(rs->sh->directory, run_id);
}

bool
runs_shared_has_run(const struct runs_shared *sh, const struct uuid *run_id)
{
	return directory_has(sh->directory, run_id);
}

bool
runs_shared_has_thread(const struct runs_shared *sh, const struct uuid *thread_id)
{
	return directory_thread(sh->directory, thread_id) != NULL;
}

bool
runs_keep_thread(struct runs *rs, const struct uuid *thread_id)
{
	const struct runs_shared *sh = rs->sh;

	return directory_pin_unless(sh->directory, thread_id, rs, sh->elsewhere,
	    sh->listened_ctx);
}

void
runs_let_thread(struct runs *rs, const struct uuid *thread_id)
{
	directory_unpin(rs->sh->directory, thread_id);
}

void
runs_shared_on_listen(struct runs_shared *sh,
    void (*listened)(void *ctx, const struct uuid *thread_id, bool more),
    bool (*elsewhere)(void *ctx, const struct uuid *thread_id), void *ctx)
{
	sh->listened = listened;
	sh->elsewhere = elsewhere;
	sh->listened_ctx = ctx;
}
