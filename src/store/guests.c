/*
 * guests.c - rooms above with tables in the store's file (store_guest).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "store/store_priv.h"

int
guests_open(struct store *st, const struct store_guest *const *guests,
    struct err *e)
{
	int rc = OK;

	for (; rc == OK && guests != NULL && *guests != NULL; guests++) {
		const struct store_guest *g = *guests;

		assert(st->seats_n < STORE_GUESTS);
		rc = db_migrate_room(&st->w, g->name, g->format, e);
		if (rc == OK)
			st->seats[st->seats_n++] = (struct store_seat){ g,
			    g->open(&st->w), g->open(&st->slow) };
	}
	return rc;
}

void
guests_close(struct store *st)
{
	while (st->seats_n > 0) {
		struct store_seat *s = &st->seats[--st->seats_n];

		s->guest->close(s->w);
		s->guest->close(s->slow);
	}
}

const struct store_guest *
store_guest(const struct store *st, const char *name)
{
	for (size_t i = 0; i < st->seats_n; i++)
		if (strcmp(st->seats[i].guest->name, name) == 0)
			return st->seats[i].guest;
	return NULL;
}

struct store *
store_guest_home(struct store *st, const char *name)
{
	return store_guest(st, name) != NULL || st->guest_house == NULL ? st :
	    st->guest_house;
}

static const struct store_seat *
seat_of(const struct store *st, const struct store_guest *g)
{
	size_t i = 0;

	while (i < st->seats_n && st->seats[i].guest != g)
		i++;
	assert(i < st->seats_n);             /* store_options names it */
	return &st->seats[i];
}

static size_t
guest_bytes(const struct store_cmd *c)
{
	return c->guest->bytes(c);
}

/* An ERR_IO is the medium's, whether or not a statement said so. */
static int
guest_write(struct store *st, struct store_cmd *c)
{
	int rc = c->guest->run(seat_of(st, c->guest)->w, c);

	if (rc == ERR_IO && !db_broken(&st->w)) {
		st->w.on->fault = DB_BROKEN;
		err_set(&st->w.on->err, rc, "%s", c->err.text);
	}
	return rc;
}
const struct op store_op_guest_write = { .run = guest_write,
    .bytes = guest_bytes };

static int
guest_read(struct store *st, struct store_cmd *c)
{
	return c->guest->run(seat_of(st, c->guest)->slow, c);
}
const struct op store_op_guest_read = { .run = guest_read,
    .bytes = guest_bytes, .lane = OP_READ };
