/*
 * protocol_filter.c - which events of the thread protocol a reader wants.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/subscribe.h"

const char *const protocol_channel_names[] = {
	"values", "updates", "messages", "tools", "lifecycle", "input", "checkpoints",
	"tasks", "custom", NULL
};

static bool
channel_matches(const struct protocol_filter *f, unsigned channel, struct str custom)
{
	if ((f->channels & channel) != 0)
		return true;
	if (channel != CHANNEL_CUSTOM || custom.n == 0)
		return false;
	for (size_t i = 0; i < f->customs_n; i++)
		if (str_eq(f->customs[i], custom))
			return true;
	return false;
}

/* "agent" is "agent:6f1c"; "agent:6f1c" is that one only. */
static bool
segment_matches(struct str wanted, struct str segment)
{
	ptrdiff_t id = str_index(segment, ':');

	return str_eq(wanted, segment) || (id >= 0 && str_index(wanted, ':') < 0 &&
	    str_eq(wanted, str_sub(segment, 0, (size_t)id)));
}

static bool
prefix_matches(const struct protocol_prefix *p, struct str ns, int64_t depth)
{
	struct str segment;
	size_t at = 0;

	for (; ns.n > 0 && str_next(&ns, '|', &segment); at++)
		if (at < p->n && !segment_matches(p->at[at], segment))
			return false;
	return at >= p->n && (depth < 0 || at - p->n <= (uint64_t)depth);
}

bool
protocol_matches(const struct protocol_filter *f, unsigned channel, struct str custom,
    struct str ns)
{
	static const struct protocol_prefix root;

	if (!channel_matches(f, channel, custom))
		return false;
	if (f->namespaces_n == 0)
		return prefix_matches(&root, ns, f->depth);
	for (size_t i = 0; i < f->namespaces_n; i++)
		if (prefix_matches(&f->namespaces[i], ns, f->depth))
			return true;
	return false;
}

int64_t
protocol_seq(struct str event_id)
{
	size_t at = event_id.n;
	int64_t seq;

	while (at > 0 && event_id.p[at - 1] != '-' && event_id.p[at - 1] != ':')
		at--;
	if (at == 0 || !str_to_i64(str_sub(event_id, at, event_id.n), &seq) || seq < 0)
		return -1;
	return seq;
}
