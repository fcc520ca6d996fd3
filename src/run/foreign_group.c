/*
 * foreign_group.c - readers of a run of another node: those of the same modes are a group,
 * for which its frames are made once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/foreign_priv.h"

#include "base/mem.h"
#include "run/frame_priv.h"

struct foreign_reader {
	struct foreign_reader *next;
	struct bridge *bridge;
};

struct foreign_group {
	struct foreign_group *next;
	bool events;                         /* or they get the end alone */
	unsigned modes;
	bool fed;                            /* feed is open */
	struct tape_feed feed;
	struct foreign_reader *readers;
};

static struct foreign_group *
group_of(struct foreign_readers *l, const struct run_watch *w)
{
	unsigned modes = w->wants_events ? w->modes : 0;
	struct foreign_group *g = l->first;

	while (g != NULL && (g->events != w->wants_events || g->modes != modes))
		g = g->next;
	if (g == NULL) {
		g = mem_new(struct foreign_group);
		g->events = w->wants_events;
		g->modes = modes;
		g->next = l->first;
		l->first = g;
	}
	return g;
}

void
foreign_add(struct foreign_readers *l, struct bridge *r)
{
	struct foreign_group *g = group_of(l, bridge_watch(r));
	struct foreign_reader *x = mem_new(struct foreign_reader);

	x->bridge = r;
	x->next = g->readers;
	g->readers = x;
}

static void
group_free(struct foreign_group *g)
{
	if (g->fed)
		tape_feed_close(&g->feed);
	free(g);
}

static void
group_tidy(struct foreign_group *g)
{
	struct foreign_reader **at = &g->readers;

	while (*at != NULL) {
		struct foreign_reader *x = *at;

		if (!bridge_is_gone(x->bridge)) {
			at = &x->next;
			continue;
		}
		*at = x->next;
		bridge_free(x->bridge);
		free(x);
	}
}

bool
foreign_tidy(struct foreign_readers *l)
{
	struct foreign_group **at = &l->first;

	while (*at != NULL) {
		struct foreign_group *g = *at;

		group_tidy(g);
		if (g->readers != NULL) {
			at = &g->next;
			continue;
		}
		*at = g->next;
		group_free(g);
	}
	return l->first != NULL;
}

/* ---- frames --------------------------------------------------------------------------- */

/* The numbers of the first and the last of whole frames. */
static void
span(struct str frames, int64_t *first, int64_t *last)
{
	struct str frame, event;
	int64_t id;

	*first = *last = -1;
	while (frame_next(&frames, &frame, &event, &id)) {
		*first = *first < 0 ? id : *first;
		*last = id;
	}
}

/* One who came later has read some of them already. */
static void
tell_group(void *ctx, struct str frames)
{
	struct foreign_group *g = ctx;
	struct sse_block *b = sse_block_new(frames);
	int64_t first, last;

	span(frames, &first, &last);
	for (struct foreign_reader *x = g->readers; x != NULL; x = x->next) {
		struct run_watch *w = bridge_watch(x->bridge);

		if (w == NULL)
			continue;
		if (w->after >= first || w->namespaces_n > 0) {
			stream_replay_text(w, frames, &w->after);
		} else {
			w->after = last;
			w->frames(w, b);
		}
	}
	sse_block_drop(b);
}

/* What all its readers have. */
static int64_t
group_after(const struct foreign_group *g)
{
	int64_t after = INT64_MAX;

	for (const struct foreign_reader *x = g->readers; x != NULL; x = x->next) {
		const struct run_watch *w = bridge_watch(x->bridge);

		if (w != NULL && w->after < after)
			after = w->after;
	}
	return after;
}

unsigned
foreign_read(struct foreign_readers *l)
{
	unsigned queries = 0;

	for (struct foreign_group *g = l->first; g != NULL; g = g->next) {
		if (!g->events)
			continue;
		if (!g->fed)
			tape_feed_open(&g->feed, &l->source, g->modes, group_after(g));
		g->fed = true;
		queries += tape_feed_read(&g->feed, tell_group, g);
	}
	return queries;
}

/* ---- the end ---------------------------------------------------------------------------- */

bool
foreign_wait_for_end(const struct foreign_readers *l)
{
	const struct foreign_group *g = l->first;

	while (g != NULL && g->events)
		g = g->next;
	return g != NULL;
}

/* Takes one that has not left; NULL: there is none. */
static struct bridge *
take(struct foreign_readers *l)
{
	while (l->first != NULL) {
		struct foreign_group *g = l->first;
		struct foreign_reader *x = g->readers;
		struct bridge *r;

		if (x == NULL) {
			l->first = g->next;
			group_free(g);
			continue;
		}
		g->readers = x->next;
		r = x->bridge;
		free(x);
		if (!bridge_is_gone(r))
			return r;
		bridge_free(r);
	}
	return NULL;
}

void
foreign_end(struct foreign_readers *l, int rc, const struct run_end *end, const struct err *e)
{
	struct bridge *r;

	while ((r = take(l)) != NULL) {
		struct run_end its = end != NULL ? *end : (struct run_end){ 0 };

		if (bridge_watch(r)->wants_events)
			its.values_json = STR_NONE;
		bridge_end(r, rc, rc == OK ? &its : NULL, e);
	}
}

void
foreign_route(struct foreign_readers *l)
{
	struct bridge *r;

	while ((r = take(l)) != NULL)
		bridge_route(r);
}
