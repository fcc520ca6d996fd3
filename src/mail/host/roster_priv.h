/*
 * roster_priv.h - what the files of the roster share:
 *
 *   roster.c       an agent's life: made, started, ended, gone
 *   roster_join.c  those that are there already: after a start, of another node, of a run
 *   roster_stop.c  who wants one to stop
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_ROSTER_PRIV_H
#define MAIL_HOST_ROSTER_PRIV_H

#include "mail/host/office_priv.h"

/* Who wants an agent to stop; travels to its shard and back. */
struct stopping {
	struct parcel parcel;
	struct stopping *next;
	struct office *from;
	owner_t owner;
	struct uuid id;
	bool drain;
	msec deadline;
	void (*done)(void *ctx, int rc, const struct err *e);
	void *ctx;
	int rc;
	struct err err;
};

/* Who asked is told, and x is freed. */
void roster_answer(struct office *o, struct stopping *x);
void roster_become(struct office_agent *a, enum mail_state state);
/* Puts it in the roster; *out is not started yet. */
int  roster_make(struct office *o, const struct office_spec *s, struct office_agent **out,
    struct err *e);
int  roster_start(struct office_agent *a, enum office_start how, struct err *e);
/* After its end: again, later, or never. */
void roster_settle(struct office_agent *a);
/* It is gone for good.  a may be freed. */
void roster_leave(struct office_agent *a);
void roster_fail(struct office_agent *a);
/* NULL: there is no kind of this name. */
const struct office_row *roster_kind(const struct office *o, struct str name);

#endif
