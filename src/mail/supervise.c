/*
 * supervise.c - see supervise.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/supervise.h"

#include <assert.h>

#include "base/limits.h"
#include "mail/backoff.h"

const char *const supervise_restart_names[] = { "never", "on_failure", "always", NULL };

void
supervise_begin(struct supervisor *s, const struct supervise_rule *rule)
{
	assert(rule->when <= RESTART_ALWAYS);
	assert(rule->window >= 0 && rule->backoff >= 0);
	*s = (struct supervisor){ .rule = *rule };
}

msec
supervise_ended(struct supervisor *s, bool failed, uint64_t random, msec now)
{
	const struct supervise_rule *rule = &s->rule;
	msec pause;

	if (rule->when == RESTART_NEVER || (rule->when == RESTART_ON_FAILURE && !failed))
		return SUPERVISE_OVER;
	if (s->count == 0 || (rule->window > 0 && now - s->since >= rule->window)) {
		s->since = now;
		s->count = 0;
	}
	if (s->count == rule->max)
		return SUPERVISE_OVER;
	s->count++;
	if (rule->window > 0 && now - s->began >= rule->window)
		s->row = 0;
	pause = backoff_pause(rule->backoff, LIMIT_AGENT_PAUSE_MS, s->row++, random);
	s->began = now + pause;
	return pause;
}
