/*
 * hear.c - see hear.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/hear.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/scan.h"

/* A message that is told, or waits for its turn. */
struct heard {
	struct heard *next;
	struct buf held;
	bool told;                           /* it was begun */
	bool done;
	size_t id_n;
	char id[];
};

void
hearing_init(struct hearing *h, const struct agent *a)
{
	voices_init(&h->voices, a);
	h->finish = BUF(KB);
	h->first = NULL;
	h->end = &h->first;
	h->n = 0;
}

/* ---- one after the other ------------------------------------------------------------- */

static void
say(struct hearing *h, struct heard *m, struct str raw)
{
	if (raw.n == 0)
		return;
	if (!m->told)
		h->message(h->ctx, (struct str){ m->id, m->id_n });
	m->told = true;
	h->text(h->ctx, raw);
}

static void
drop_first(struct hearing *h)
{
	struct heard *m = h->first;

	h->first = m->next;
	if (h->first == NULL)
		h->end = &h->first;
	h->n--;
	buf_release(&m->held);
	free(m);
}

/* Drops messages that are over; the first of the others is told from now on. */
static void
pass_on(struct hearing *h)
{
	while (h->first != NULL && h->first->done) {
		drop_first(h);
		if (h->first != NULL) {
			say(h, h->first, buf_str(&h->first->held));
			buf_release(&h->first->held);
		}
	}
}

static struct heard *
find(const struct hearing *h, struct str id)
{
	struct heard *m = h->first;

	while (m != NULL && !str_eq((struct str){ m->id, m->id_n }, id))
		m = m->next;
	return m;
}

static struct heard *
add(struct hearing *h, struct str id)
{
	struct heard *m = mem_zero(sizeof *m + id.n);

	if (id.n > 0)
		memcpy(m->id, id.p, id.n);
	m->id_n = id.n;
	m->held = BUF(LIMIT_STATE_BYTES);
	*h->end = m;
	h->end = &m->next;
	h->n++;
	if (h->n > LIMIT_DOOR_VOICES) {
		h->first->done = true;
		pass_on(h);
	}
	return m;
}

static void
piece(struct hearing *h, struct str id, struct str raw, bool done)
{
	struct heard *m = find(h, id);

	if (m == NULL && raw.n > 0)
		m = add(h, id);
	if (m == NULL)
		return;
	if (m == h->first)
		say(h, m, raw);
	else
		buf_add(&m->held, raw);
	m->done = m->done || done;
	pass_on(h);
}

void
hearing_end(struct hearing *h)
{
	while (h->first != NULL) {
		h->first->done = true;
		pass_on(h);
	}
}

void
hearing_release(struct hearing *h)
{
	while (h->first != NULL)
		drop_first(h);
	voices_release(&h->voices);
	buf_release(&h->finish);
}

/* ---- reading frames --------------------------------------------------------------- */

static void
take_content(struct hearing *h, const struct said *p)
{
	struct scan s = scan_of(p->content);
	bool first = true;
	struct str raw;

	if (scan_peek(&s) != '[') {
		piece(h, p->id, said_block(p->content), false);
		return;
	}
	for (scan_open(&s, '['); scan_element(&s, &first) && scan_value(&s, &raw); )
		piece(h, p->id, said_block(raw), false);
}

/* A message that is over, or begins, or is told whole. */
static void
take_message(struct hearing *h, struct str data)
{
	struct said p;

	if (!said_read(data, &p) || !str_eq(p.type, S("ai")))
		return;
	if (p.finish.n > 0) {
		buf_clear(&h->finish);
		buf_add(&h->finish, p.finish);
	}
	take_content(h, &p);
	piece(h, p.id, STR_NONE, p.whole || p.finish.n > 0);
}

void
hearing_take(struct hearing *h, struct str frames)
{
	struct said_frame f;
	struct str id, text;

	while (said_frame(&frames, &f)) {
		if (!str_eq(f.name, S("messages")) || !voices_hear(&h->voices, f.ns))
			continue;
		if (said_delta(f.data, &id, &text))
			piece(h, id, text, false);
		else
			take_message(h, f.data);
	}
}
