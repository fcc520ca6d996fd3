/*
 * wanted.c - does stored metadata contain what a search asks for?
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store_priv.h"

int
wanted_init(struct wanted *w, struct str metadata, struct db *db, struct err *e)
{
	int rc = OK;

	*w = (struct wanted){ .db = db, .pace = { .go_on = db_go_on, .ctx = db->on } };
	if (metadata.n > 0)
		rc = json_parse(&w->doc, metadata, e);
	if (rc == OK && w->doc.root != NULL && !json_is_object(w->doc.root))
		rc = err_set(e, ERR_INVALID, "metadata: expected an object, got %s",
		    json_kind(w->doc.root));
	return rc;
}

void
wanted_release(struct wanted *w)
{
	json_release(&w->doc);
}

bool
wanted_is_open(const struct wanted *w)
{
	return json_count(w->doc.root) == 0;
}

int
wanted_test(struct wanted *w, struct str stored, bool *yes)
{
	struct json_doc have = { 0 };
	int rc = OK;

	*yes = true;
	if (wanted_is_open(w))
		return OK;
	if (json_pace_steps(&w->pace, stored.n / PACE_PARSED))
		rc = json_parse(&have, stored, NULL);
	*yes = rc == OK && json_contains(have.root, w->doc.root, &w->pace);
	json_release(&have);
	if (w->pace.stopped)
		return w->db->on->pace_rc;
	return rc == OK ? OK : ERR_IO;       /* stored JSON does not parse */
}
