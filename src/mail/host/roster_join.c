/*
 * roster_join.c - agents that are there before the roster has them: those of the store after a
 * start, those that another node had, and runs that become agents.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "base/mem.h"
#include "mail/host/carrier_priv.h"
#include "mail/host/register.h"
#include "mail/host/roster_priv.h"

struct attaching { owner_t owner; struct uuid id; };

/* Its row says that it is here: other nodes may know.  It may have gone meanwhile. */
static void
attached(struct office *o, void *ctx, int rc, const struct err *e)
{
	struct attaching *x = ctx;
	struct office_agent *a = roster_find(o, x->owner, &x->id);

	if (rc == OK && o->all->carrier != NULL)
		carrier_catch_up(o);
	if (a != NULL && rc == OK) {
		a->hidden = false;
		announce_state(a);
	} else if (rc != OK) {
		log_warn("mail", "register", "error=%s", e->text);
	}
	free(x);
}

static void
attach(struct office_agent *a)
{
	struct attaching *x = mem_new(struct attaching);

	*x = (struct attaching){ a->spec.owner, a->spec.id };
	a->registered = true;
	register_put(a->o, &a->spec, true, a->created, attached, x);
}

/* One that another node had comes with its row. */
struct following { struct office *o; struct office_agent **out; int rc; struct err *e; };

static void
follow(void *ctx, const struct register_row *row)
{
	struct following *f = ctx;
	struct office_spec spec = row->spec;

	f->rc = roster_make(f->o, &spec, f->out, f->e);
	if (f->rc == OK) {
		(*f->out)->behind = true;
		(*f->out)->created = row->created;
		(*f->out)->restarts = row->restarts;
	}
}

static int
attach_make(struct office *o, const struct office_spec *spec, struct office_agent **out,
    struct err *e)
{
	struct following f = { .o = o, .out = out, .e = e, .rc = ERR_NOTFOUND };
	struct arena arena = ARENA(LIMIT_STATE_BYTES);
	struct store_mailer m;
	char id[UUID_TEXT];

	uuid_format(&spec->id, id);
	if (office_elsewhere(o, spec->owner, (struct str){ id, UUID_TEXT }, NULL) &&
	    store_mailer_get(o->reader, spec->owner, (struct str){ id, UUID_TEXT }, &arena,
	    &m) == OK)
		register_read(&m, follow, &f);
	arena_release(&arena);
	return f.rc == ERR_NOTFOUND ? roster_make(o, spec, out, e) : f.rc;
}

int
office_attach(struct office *o, const struct office_spec *spec, void *self,
    struct office_agent **out, struct err *e)
{
	int rc = attach_make(o, spec, out, e);

	if (rc != OK)
		return rc;
	(*out)->self = self;
	(*out)->hidden = spec->durable;
	roster_become(*out, AGENT_READY);
	if (spec->durable)
		attach(*out);
	return OK;
}

/* ---- after a start ----------------------------------------------------------------- */

static int
revive(struct office_agent *a, const struct register_row *row, struct err *e)
{
	int rc;

	a->registered = true;
	a->created = row->created;
	a->restarts = row->restarts;
	if (row->state == AGENT_FAILED) {
		a->error = (struct str){ mem_cstr(row->error), row->error.n };
		roster_fail(a);
		return OK;
	}
	rc = roster_start(a, START_RECOVERED, e);
	if (rc == OK && a->ended)
		roster_settle(a);
	return rc;
}

/* Each shard takes its share, whichever order it reads them in. */
static void
recover(void *ctx, const struct register_row *row)
{
	struct office *o = ctx;
	struct office_agent *a;
	struct err e = { 0 };
	int rc;

	if (o->all->at[row->spec.id.b[15] % o->all->shards] != o)
		return;
	rc = roster_make(o, &row->spec, &a, &e);
	if (rc == OK) {
		rc = revive(a, row, &e);
		if (rc != OK)
			office_ended(a, rc, str_of(e.text));
	}
	if (rc != OK)
		log_warn("mail", "agent_lost", "name=%.*s error=%s", FMT(row->spec.name), e.text);
}

struct taking { struct office *o; int rc; };

/* One in memory has gone with its node. */
static void
take_one(void *ctx, const struct register_row *row)
{
	struct taking *x = ctx;
	struct office *o = x->o;
	struct office_agent *a;
	struct err e = { 0 };

	if (!row->spec.durable) {
		register_delete(o, &row->spec, NULL, NULL);
		return;
	}
	x->rc = roster_make(o, &row->spec, &a, &e);
	if (x->rc == OK)
		a->behind = true;
	if (x->rc == OK)
		x->rc = revive(a, row, &e);
	else
		a = NULL;
	if (x->rc == OK)
		return;
	if (a != NULL && x->rc == ERR_CONFLICT)
		roster_yield(a, 0);          /* it has to be made elsewhere */
	else if (a != NULL)
		office_ended(a, x->rc, str_of(e.text));
	log_warn("mail", x->rc == ERR_CONFLICT ? "agent_elsewhere" : "agent_lost",
	    "name=%.*s error=%s", FMT(row->spec.name), e.text);
}

int
roster_take(struct office *o, const struct store_mailer *m)
{
	struct taking x = { .o = o };
	struct mail_ref ref;

	/* Its run may have come before it. */
	if (mail_directory_id(o->all->directory, m->owner, &m->id, &ref) == OK &&
	    !mail_is_away(ref))
		return OK;
	register_read(m, take_one, &x);
	return x.rc;
}

struct office *
roster_home(struct office *o, const struct store_mailer *m)
{
	const struct office_row *row = roster_kind(o, m->kind);
	struct office *home = row == NULL || row->kind->home == NULL ? NULL :
	    row->kind->home(row->ctx, &m->id);

	return home != NULL ? home : o->all->at[m->id.b[15] % o->all->shards];
}

int
office_recover(struct office *o, struct err *e)
{
	int rc = letters_count(o, e);

	return rc == OK ? register_each(o, recover, o, e) : rc;
}
