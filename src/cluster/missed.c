/*
 * missed.c - see missed.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/missed.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

static bool
is_same(const struct store_lost *a, const struct store_lost *b)
{
	return a->thread_seq == b->thread_seq && a->run_seq == b->run_seq;
}

/* Since when it is missed: one of those of the piece, which begin at *i. */
static nsec
since(const struct missed *m, size_t *i, size_t end, const struct store_lost *r, nsec now)
{
	while (*i < end && m->at[*i].run.thread_seq < r->thread_seq)
		++*i;
	return *i < end && is_same(&m->at[*i].run, r) ? m->at[*i].since : now;
}

size_t
missed_look(struct missed *m, int64_t after, int64_t last,
    const struct store_lost *now_missed, size_t n, nsec now, struct store_lost *out)
{
	struct missed next = { 0 };
	size_t begin = 0, end, behind, room, lost_n = 0;

	while (begin < m->n && m->at[begin].run.thread_seq <= after)
		begin++;
	for (end = begin; end < m->n && m->at[end].run.thread_seq <= last; )
		end++;
	if (n == 0 && end == begin)
		return 0;
	behind = m->n - end;
	room = LIMIT_NODE_MISSED - begin - behind;
	next.at = mem_zero((begin + behind + (n < room ? n : room) + 1) * sizeof *next.at);
	if (begin > 0)
		memcpy(next.at, m->at, begin * sizeof *next.at);
	next.n = begin;
	for (size_t i = 0, at = begin; i < n; i++) {
		nsec then = since(m, &at, end, &now_missed[i], now);

		if (now - then >= MISSED_MS * NS_PER_MS)
			out[lost_n++] = now_missed[i];
		else if (next.n - begin < room)
			next.at[next.n++] = (struct missed_run){ now_missed[i], then };
	}
	if (behind > 0)
		memcpy(next.at + next.n, m->at + end, behind * sizeof *next.at);
	next.n += behind;
	free(m->at);
	*m = next;
	if (m->n == 0)
		missed_clear(m);
	return lost_n;
}

void
missed_clear(struct missed *m)
{
	free(m->at);
	*m = (struct missed){ 0 };
}
