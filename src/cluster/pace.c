/*
 * pace.c - see pace.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/pace.h"

#include "base/limits.h"

#define BEAT_MIN     (20 * NS_PER_MS)        /* between beats that fail */
#define REJOIN_MS    250
#define TAKE_MS      100                     /* another node is taking the rest */
#define FEW          16                      /* nodes that need not wait for each other */
#define NODE_MS      10                      /* of a list, for each node that is in it */
#define TOLD_MS      2                       /* of the time over which lists are spread */
#define RUN_MS       10                      /* of a comparison, for each run */

static nsec
lease_ns(const struct pace *p)
{
	return p->lease * NS_PER_MS;
}

void
pace_begin(struct pace *p, nsec sent)
{
	p->until = sent + lease_ns(p) / 8 * 7;
	p->next = sent + lease_ns(p) / 4;
}

bool
pace_is_stale(const struct pace *p, nsec sent, nsec now)
{
	return now - sent > lease_ns(p) / 2;
}

nsec
pace_patience(const struct pace *p, nsec now)
{
	nsec left = p->until - now;

	return left < lease_ns(p) / 4 ? left : lease_ns(p) / 4;
}

enum pace_beat
pace_beaten(struct pace *p, int rc, nsec sent, nsec now)
{
	nsec pause = lease_ns(p) / 32 > BEAT_MIN ? lease_ns(p) / 32 : BEAT_MIN;

	if (rc == OK) {
		pace_begin(p, sent);
		return PACE_HELD;
	}
	if (rc == ERR_NOTFOUND || now >= p->until) {
		p->next = NEVER;
		return PACE_LOST;
	}
	p->next = now + pause < p->until ? now + pause : p->until;
	return PACE_RETRY;
}

msec
pace_rejoin(void)
{
	return REJOIN_MS;
}

nsec
pace_spares(msec lease, nsec now)
{
	return now + lease * NS_PER_MS / 2;
}

/* A quarter of the lease, a second at most; not all nodes at once. */
msec
pace_look(msec lease, uint32_t any)
{
	msec ms = lease / 4 < LIMIT_NODE_LOOK_MS ? lease / 4 : LIMIT_NODE_LOOK_MS;

	return ms - ms / 8 + (msec)(any % (uint32_t)(ms / 4 + 1));
}

msec
pace_list(msec lease, size_t nodes)
{
	return nodes < FEW ? 0 : clock_least((msec)nodes * NODE_MS, lease / 3);
}

msec
pace_told(msec lease, size_t nodes, uint32_t any)
{
	msec spread = nodes < FEW ? 0 : clock_least((msec)nodes * TOLD_MS, lease / 4);

	return (msec)(any % (uint32_t)(spread + 1));
}

msec
pace_compare(size_t runs, bool up, uint32_t any)
{
	msec ms = up ? (msec)runs * RUN_MS : 0;

	return ms - ms / 4 + (msec)(any % (uint32_t)(ms / 2 + 1));
}

bool
pace_is_over(enum node_state state, msec left, bool spare)
{
	return state != NODE_LIVE || (left < 0 && !spare);
}

msec
pace_take_again(bool more, size_t some, size_t nodes, uint32_t any)
{
	return !more ? -1 : some > 0 ? 0 : TAKE_MS + (msec)(any % (uint32_t)nodes);
}
