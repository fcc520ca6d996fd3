/*
 * llm_prepare.c - what has to be known before a request can be built, and may take
 * its time: each step of the table has done its part when it returns true, or goes
 * on later and calls llm_prepare_next then.
 *
 * After the last one the model is asked.  A step that fails its piece returns false
 * and calls nothing; what it waits for it leaves in the piece's stop.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/llm_priv.h"
#include "task/mcp_priv.h"
#include "task/worker_priv.h"

static bool (*const steps[])(struct llm_piece *w) = {
	llm_listen, mcp_prepare, worker_prepare, llm_cut,
};

/* A step that ends at once does not nest the next one. */
static void
prepare(struct llm_piece *w)
{
	while (w->step < COUNT(steps)) {
		size_t step = w->step++;

		if (!steps[step](w) || w->p.state != PIECE_RUNS || w->p.task->over)
			return;
	}
	llm_ask(w);
}

void
llm_prepare_begin(struct llm_piece *w)
{
	w->step = 0;
	prepare(w);
}

void
llm_prepare_next(struct llm_piece *w)
{
	if (w->p.state == PIECE_RUNS && !w->p.task->over)
		prepare(w);
}
