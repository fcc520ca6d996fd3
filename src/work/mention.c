/*
 * mention.c - ids in the texts of an item, put into other words.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/item.h"

static bool
in_id(char c)
{
	return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') ||
	    c == '_' || c == '-';
}

/* The length of the id at the start of s: what may be in one, less the dots at
 * its end, which are the sentence's. */
static size_t
id_span(struct str s)
{
	size_t n = 0;

	while (n < s.n && (in_id(s.p[n]) || s.p[n] == '.'))
		n++;
	while (n > 0 && (s.p[n - 1] == '.' || s.p[n - 1] == '-'))
		n--;
	return n;
}

/* At an id's start; appends it or what takes its place. */
static int
span_add(const struct mention *m, struct str id, struct buf *out, bool *changed)
{
	size_t before = out->n;
	int rc = id.n <= LIMIT_WORK_ID_BYTES ? m->put(m->ctx, id, out) : OK;

	if (out->n == before)
		buf_add(out, id);
	else
		*changed = true;
	return rc;
}

static int
text_rewrite(struct arena *a, const struct mention *m, struct str *text)
{
	struct buf out = BUF(LIMIT_WORK_TEXT_BYTES * 8);
	bool changed = false;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < text->n; ) {
		size_t n = i == 0 || !in_id(text->p[i - 1]) ?
		    id_span(str_sub(*text, i, text->n - i)) : 0;

		if (n == 0) {
			buf_add_char(&out, text->p[i++]);
			continue;
		}
		rc = span_add(m, str_sub(*text, i, n), &out, &changed);
		i += n;
	}
	/* What would be too long is left as it is: it is only a mention. */
	if (rc == OK && changed && !out.failed && out.n <= m->max)
		*text = arena_str(a, buf_str(&out));
	buf_release(&out);
	return rc;
}

int
mentions_rewrite(struct arena *a, struct item *it, struct mention *m, bool title,
    bool *changed)
{
	struct str *texts[] = { &it->description, &it->design, &it->acceptance,
		&it->notes };
	struct str was = it->title;
	int rc = OK;

	*changed = false;
	m->max = LIMIT_WORK_TITLE_BYTES;
	if (title)
		rc = text_rewrite(a, m, &it->title);
	*changed = it->title.p != was.p;
	m->max = LIMIT_WORK_TEXT_BYTES;
	for (size_t i = 0; rc == OK && i < COUNT(texts); i++) {
		was = *texts[i];
		if (was.p != NULL && str_index(was, '-') >= 0)
			rc = text_rewrite(a, m, texts[i]);
		*changed |= texts[i]->p != was.p;
	}
	return rc;
}
