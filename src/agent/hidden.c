/*
 * hidden.c - channels that nobody declares: what an llm keeps between its questions.
 *
 *	llm_keep_NAME      a conversation of its own (`keep`)
 *	llm_summary_PATH   what stands for the part of one that is cut off (`truncate`)
 *
 * They are private, so clients and callers do not see them; but they are part of every
 * checkpoint, and so of forks, copies and the history.
 *
 * A channel of `keep: session` is named by the place of the llm in the file: another
 * place is another conversation.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/load_priv.h"

#include "base/mem.h"

struct found {
	const struct tree_node *n;           /* the llm's map */
	struct str keep, summary;            /* names; empty: none */
	bool state;                          /* keep: state, which needs no channel */
};

struct hunt {
	struct load *l;
	struct found *at;
	size_t n, cap;
};

/* A chart's data have names that are words: other bytes are _xx, '_' is two. */
static void
add_word(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9'))
			buf_add_char(b, c);
		else if (c == '_')
			buf_lit(b, "__");
		else
			buf_add_fmt(b, "_%02x", (unsigned char)c);
	}
}

static void
add_path(struct buf *b, const struct tree_node *n)
{
	if (n->up == NULL)
		return;
	add_path(b, n->up);
	buf_lit(b, "_2e");
	if (n->up->kind == TREE_MAP)
		add_word(b, n->key);
	else
		buf_add_u64(b, n->index);
}

static struct str
named(struct load *l, const char *what, struct str name, const struct tree_node *n)
{
	struct buf b = BUF(LIMIT_AGENT_BYTES);
	struct str s;

	buf_add(&b, str_of(what));
	if (n != NULL)
		add_path(&b, n);
	else
		add_word(&b, name);
	s = load_str(l, buf_str(&b));
	buf_release(&b);
	return s;
}

/* One llm: what it wants.  Of another type than it must be is said where it is read. */
static void
look(struct hunt *h, const struct tree_node *n)
{
	const struct tree_node *keep = tree_get(h->l->t, n, S("keep"));
	const struct tree_node *cut = tree_get(h->l->t, n, S("truncate"));
	const struct tree_node *summary = cut != NULL && cut->kind == TREE_MAP ?
	    tree_get(h->l->t, cut, S("summary")) : NULL;
	struct found f = { .n = n };

	if (keep != NULL && keep->kind == TREE_STRING && !str_eq(keep->text, S("state")))
		f.keep = str_eq(keep->text, S("session")) ?
		    named(h->l, "llm_keep_", STR_NONE, n->up) :
		    named(h->l, "llm_keep_", keep->text, NULL);
	if (summary != NULL && (summary->kind != TREE_BOOL || summary->truth))
		f.summary = named(h->l, "llm_summary_", STR_NONE, n->up);
	f.state = keep != NULL && keep->kind == TREE_STRING && f.keep.n == 0;
	if (f.keep.n == 0 && f.summary.n == 0 && !f.state)
		return;
	mem_grow(h->at, h->n, h->cap);
	h->at[h->n++] = f;
}

/* Agents in place have channels of their own.  Recursion is bounded by
 * LIMIT_AGENT_DEPTH. */
static void
hunt(struct hunt *h, const struct tree_node *n)
{
	for (const struct tree_node *c = n->first; c != NULL; c = c->next) {
		bool in_map = n->kind == TREE_MAP;

		if (in_map && (str_eq(c->key, S("agent")) || str_eq(c->key, S("chart"))) &&
		    c->kind == TREE_MAP)
			continue;
		if (in_map && str_eq(c->key, S("llm")) && c->kind == TREE_MAP)
			look(h, c);
		else if (c->kind == TREE_MAP || c->kind == TREE_LIST)
			hunt(h, c);
	}
}

static int
channel(struct load *l, struct channel *all, size_t *n, struct str name, bool messages)
{
	struct channel *c;

	for (size_t i = 0; i < *n; i++)
		if (str_eq(all[i].name, name))
			return (int)i;
	c = &all[*n];
	*c = (struct channel){ .name = name, .private = true,
		.reducer = messages ? REDUCE_MESSAGES : REDUCE_LAST,
		.initial = messages ? load_val(l, val_array_empty()) : VAL_UNDEF,
		.schema = VAL_UNDEF };
	return (int)(*n)++;
}

/* After the file's channels, and what is said of them. */
void
load_hidden(struct load *l, const struct tree_node *n)
{
	struct hunt h = { .l = l };
	struct channel *all;
	size_t count = l->a->channels_n;

	hunt(&h, n);
	if (h.n == 0)
		return;
	all = load_alloc(l, count + 2 * h.n, sizeof *all);
	for (size_t i = 0; i < count; i++) {
		all[i] = l->a->channels[i];
		if (str_starts(all[i].name, S("llm_keep_")) ||
		    str_starts(all[i].name, S("llm_summary_")))
			load_fail(l, n, "the channel '%.*s' has a name of a conversation that "
			    "is kept; expected one that begins otherwise",
			    FMT(str_cut(all[i].name, 100)));
	}
	l->hidden = load_alloc(l, h.n, sizeof *l->hidden);
	for (size_t i = 0; i < h.n; i++) {
		struct load_hidden_of *x = &l->hidden[l->hidden_n++];

		x->n = h.at[i].n;
		x->keep = h.at[i].state ? AGENT_KEEP_STATE : h.at[i].keep.n == 0 ?
		    AGENT_KEEP_NONE : channel(l, all, &count, h.at[i].keep, true);
		x->summary = h.at[i].summary.n == 0 ? -1 :
		    channel(l, all, &count, h.at[i].summary, false);
	}
	if (count > LIMIT_AGENT_CHANNELS)
		load_fail(l, n, "%zu channels, with those of conversations that are kept; "
		    "expected at most %d", count, LIMIT_AGENT_CHANNELS);
	l->a->channels = all;
	l->a->channels_n = count;
	free(h.at);
}

void
load_hidden_find(const struct load *l, const struct tree_node *n, struct agent_work *w)
{
	for (size_t i = 0; i < l->hidden_n; i++)
		if (l->hidden[i].n == n) {
			w->keep = l->hidden[i].keep;
			w->summary = l->hidden[i].summary;
		}
}
