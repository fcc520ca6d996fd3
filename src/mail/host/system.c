/*
 * system.c - agents of the server itself, which every owner finds by name (`work`).
 *
 * One has a mailbox on each shard, and a message goes to the one on its sender's: there the
 * sender is at home, so its owner is known.  Its id is its name, filled up with zeros.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "mail/host/converse.h"
#include "mail/host/office_priv.h"

static struct uuid
id_of(const struct office_system *s)
{
	struct uuid id = { 0 };

	memcpy(id.b, s->name, strnlen(s->name, sizeof id.b));
	return id;
}

/* The sender may have stopped since. */
static enum mail_taken
take(void *ctx, struct letter *l)
{
	struct office_system_row *row = ctx;
	const struct office_agent *from = post_agent(row->o->post, l->from);
	struct acl_room room;
	struct acl m;

	if (from == NULL || acl_unpack(&m, letter_packed(l), &room, NULL) != OK)
		return MAIL_REFUSED;
	row->system->hear(row->ctx, from->spec.owner, &from->spec.id, &m);
	return MAIL_TAKEN;
}

static const struct mail_kind kind = { .name = "system", .take = take };

void
office_system_add(struct office *o, const struct office_system *s, void *ctx)
{
	struct office_system_row *row = &o->systems[o->systems_n++];

	assert(o->systems_n <= COUNT(o->systems));
	*row = (struct office_system_row){ o, s, ctx, id_of(s), MAIL_NOBODY };
	row->ref = post_open(o->post, &kind, row, LIMIT_MAILBOX_LETTERS_MAX);
}

static bool
place(struct office *o, const struct office_system_row *row, struct mail_ref from,
    struct target *out)
{
	const struct office *home = mail_ref_eq(from, MAIL_NOBODY) || mail_is_away(from) ? NULL :
	    o->all->at[from.shard];

	if (home == NULL)
		return false;
	*out = (struct target){ row->id, home->systems[row - o->systems].ref };
	return true;
}

bool
system_named(const struct office *o, struct str name)
{
	for (size_t i = 0; i < o->systems_n; i++)
		if (str_eq(str_of(o->systems[i].system->name), name))
			return true;
	return false;
}

bool
system_has(const struct office *o, struct mail_ref at)
{
	for (size_t i = 0; i < o->systems_n; i++)
		if (mail_ref_eq(o->systems[i].ref, at))
			return true;
	return false;
}

bool
system_find(struct office *o, struct str name, struct mail_ref from, struct target *out)
{
	for (size_t i = 0; i < o->systems_n; i++)
		if (str_eq(str_of(o->systems[i].system->name), name))
			return place(o, &o->systems[i], from, out);
	return false;
}

bool
system_by_id(struct office *o, const struct uuid *id, struct mail_ref from, struct target *out)
{
	for (size_t i = 0; i < o->systems_n; i++)
		if (uuid_eq(&o->systems[i].id, id))
			return place(o, &o->systems[i], from, out);
	return false;
}

int
office_system_send(struct office *o, const struct office_system *s, owner_t owner,
    const struct uuid *to, const struct acl *m)
{
	struct office_system_row *row = o->systems;
	struct target target = { .id = *to };
	struct talks_seen *seen;
	struct buf packed = BUF(LIMIT_ACL_BYTES);
	struct acl n = *m;
	int answer, rc;

	while (row->system != s)
		row++;
	rc = mail_directory_id(o->all->directory, owner, to, &target.ref);
	if (rc == OK && mail_is_away(target.ref))
		rc = ERR_NOTFOUND;           /* it writes to its own node's */
	if (rc != OK)
		return rc;
	n.sender = str_of(s->name);
	n.message_id = uuid_v7();
	n.created = office_now(o);
	rc = converse(o, owner, &n, &row->id, &target, 1, &seen, &answer, NULL);
	free(seen);
	if (rc != OK)
		return rc;
	acl_pack(&n, &packed);
	if (!packed.failed) {
		const struct post_letter l = { .from = row->ref, .to = target.ref, .act = n.act,
			.packed = buf_str(&packed) };

		post_send_later(o->post, &l, n.created);
		office_stir(o);
	}
	rc = packed.failed ? ERR_TOOBIG : OK;
	buf_release(&packed);
	return rc;
}
