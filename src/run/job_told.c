/*
 * job_told.c - ids of messages that readers of a run have seen, so that none is told
 * twice.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "run/job_priv.h"

bool
job_was_told(const struct job *j, struct str id)
{
	const char *at = j->told.p, *end = at + j->told.n;

	if (id.n == 0 || j->told.n == 0)
		return false;
	while (end - at > (ptrdiff_t)id.n) {
		const char *hit = memmem(at, (size_t)(end - at), id.p, id.n);

		if (hit == NULL)
			return false;
		if (hit > j->told.p && hit[-1] == '\n' && hit + id.n < end &&
		    hit[id.n] == '\n')
			return true;
		at = hit + 1;
	}
	return false;
}

void
job_note_told(struct job *j, const struct run_event *ev, struct str id)
{
	if ((ev->ns.n > 0 && !j->plan->subgraphs) || id.n == 0)
		return;                      /* nobody sees it */
	if (j->told.n == 0)
		buf_add_char(&j->told, '\n');
	buf_add(&j->told, id);
	buf_add_char(&j->told, '\n');
}
