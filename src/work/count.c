/*
 * count.c - how many items there are of what list would show, also by group.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "base/mem.h"
#include "work/listing.h"
#include "work/work_priv.h"

const char *const work_group_names[] = {
	"status", "priority", "type", "assignee", "label", NULL
};
enum { BY_STATUS, BY_PRIORITY, BY_TYPE, BY_ASSIGNEE, BY_LABEL };

struct group {
	struct str name;                     /* as in the body: escaped */
	int64_t n;
};

struct counting {
	int by;                              /* -1: all in one */
	int64_t total;
	struct group *groups;                /* sorted by name */
	size_t n, cap;
};

/* Where the group of that name is, or would be. */
static size_t
group_index(const struct counting *t, struct str name)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (str_cmp(t->groups[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void
group_add(struct work *w, struct counting *t, struct str name)
{
	size_t i = group_index(t, name);

	if (i == t->n || !str_eq(t->groups[i].name, name)) {
		mem_grow(t->groups, t->n, t->cap);
		memmove(&t->groups[i + 1], &t->groups[i],
		    (t->n++ - i) * sizeof *t->groups);
		t->groups[i] = (struct group){ .name = arena_str(&w->a, name) };
	}
	t->groups[i].n++;
}

/* An array of strings, as a body has its labels. */
static void
labels_add(struct work *w, struct counting *t, struct str array)
{
	struct str label;

	if (array.n < 2) {
		group_add(w, t, S("(no labels)"));
		return;
	}
	for (size_t at = 0; body_element(array, &at, &label); )
		group_add(w, t, str_sub(label, 1, label.n - 2));
}

static int
count_add(struct work *w, struct listing *l, int64_t seq, struct str body)
{
	static const struct str keys[] = { [BY_STATUS] = S("status"),
		[BY_TYPE] = S("issue_type"), [BY_ASSIGNEE] = S("assignee") };
	struct counting *t = l->ctx;
	char priority[] = "P0";
	struct str name;

	(void)seq;
	t->total++;
	if (t->by < 0)
		return OK;
	if (t->by == BY_LABEL) {
		labels_add(w, t, body_value(body, S("labels")));
		return OK;
	}
	priority[1] = (char)('0' + l->last.priority);
	name = t->by == BY_PRIORITY ? str_of(priority) : body_text(body, keys[t->by]);
	group_add(w, t, name.p == NULL ? S("(unassigned)") : name);
	return OK;
}

static void
counts_add(struct buf *b, const struct counting *t)
{
	if (t->by < 0) {
		json_add_fmt(b, "{'count':%lld}", (long long)t->total);
		return;
	}
	json_add_fmt(b, "{'total':%lld,'groups':[", (long long)t->total);
	for (size_t i = 0; i < t->n; i++)
		json_add_fmt(b, ",{'group':'%-.*s','count':%lld}",
		    FMT(t->groups[i].name), (long long)t->groups[i].n);
	buf_lit(b, "]}");
}

int
op_count(struct work *w, struct work_call *c)
{
	struct counting t = { .by = arg_word(c, "by", work_group_names, -1) };
	struct listing l = { .left = INT64_MAX, .rows = INT64_MAX, .add = count_add,
		.ctx = &t };
	int rc = filter_take(w, &l.f);

	if (rc == OK)
		rc = listing_each(w, &l);
	if (rc == OK)
		counts_add(c->data, &t);
	free(t.groups);
	return rc;
}
