/*
 * office_priv.h - what the files of the office share.
 *
 *   office.c    offices and their turns: deliver, timers, published figures
 *   roster.c    agents: spawned, stopped, restarted by their supervisors
 *   roster_join.c, roster_stop.c   (roster_priv.h)
 *   register.c  durable ones as rows of the store
 *   spec.c      copies of what an agent is asked for and shown as
 *   show.c      agents of all shards, shown and listed
 *   external.c  the kind "external": clients that read a mailbox
 *   chart_agent.c       the kind "chart": a chart in memory
 *   send.c      a message: addresses, checks, letters
 *   letters.c   letters that the store has
 *   converse.c  conversations that follow a protocol
 *   system.c    agents of the server itself
 *   carrier.c   letters and agents of several nodes
 *   carrier_wait.c      answers that wait for another node
 *   carrier_stop.c      agents of other nodes that are to stop
 *   announce.c  who is at home on which node
 *   notice.c    what `ams` tells senders: failures, receipts
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_OFFICE_PRIV_H
#define MAIL_HOST_OFFICE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "mail/away.h"
#include "mail/host/durable.h"
#include "mail/host/office.h"
#include "net/courier.h"

#define AMS S("ams")                         /* the address of the office itself */

/* ---- a process ------------------------------------------------------------------- */

struct offices {
	struct store *store;
	struct mail_directory *directory;
	struct conversations *conversations;
	_Atomic uint64_t changes;            /* of the directory: who caches a ref looks */
	_Atomic uint64_t agents_n;           /* of all shards */
	pthread_mutex_t owned_lock;          /* of owned */
	struct map owned;                    /* how many of them each owner has (owned.c) */
	uint32_t batch_size;                 /* of external.c's readers that say nothing; set */
	msec batch_timeout;                  /* before the shards run */
	pthread_mutex_t lock;                /* of agents */
	struct agents *agents;               /* the newest; held */
	struct office *at[LIMIT_SHARDS];     /* by the shard's id */
	_Atomic unsigned shards;
	_Atomic int64_t stored;              /* the last letter that was there at the start */
	struct carrier *carrier;             /* other nodes; NULL: alone */
};

/* owned.c, any thread.  max 0: any number; ERR_DENIED, with words. */
void owned_init(struct offices *os);
void owned_release(struct offices *os);
int  owned_add(struct offices *os, owner_t owner, int64_t max, struct err *e);
void owned_drop(struct offices *os, owner_t owner);

/* ---- a shard --------------------------------------------------------------------- */

#define STATS_WORDS (sizeof(struct office_stats) / sizeof(uint64_t))

/* What other threads read: odd while it is written. */
struct published { _Atomic uint64_t turn, at[STATS_WORDS]; };

struct office_row { const struct office_kind *kind; void *ctx; };

/* An agent of the server, here. */
struct office_system_row {
	struct office *o;
	const struct office_system *system;
	void *ctx;
	struct uuid id;
	struct mail_ref ref;
};

#define KINDS_MAX   8
#define SYSTEMS_MAX 4

struct office {
	struct offices *all;
	struct shard *shard;
	struct store_reader *reader;
	struct post *post;
	struct durable *durable;
	struct courier courier;
	struct office_row kinds[KINDS_MAX];
	size_t kinds_n;
	struct office_system_row systems[SYSTEMS_MAX];       /* the same on all shards */
	size_t systems_n;
	struct map agents;                   /* by id */
	struct shard_job deliver;            /* at the end of a turn */
	struct wheel_timer due;              /* of the post */
	msec due_at;                         /* what it is set to; NEVER: it is not */
	struct buf packed, content;          /* of the message that is being sent */
	struct news {                        /* for other nodes */
		struct buf ops;              /* of this turn */
		uint64_t number;             /* of the last that was told */
		int64_t wakes[4];            /* nodes that have letters; 0: all nodes */
		size_t wakes_n;
	} news;
	struct sweep *sweep;                 /* over.c; NULL: none is under way */
	struct list waits;                   /* carrier_wait.c */
	struct list stops;                   /* carrier_stop.c */
	uint64_t waits_no;
	struct office_stats stats;           /* books are taken when it is published */
	struct published published;
	struct list links;                   /* of external.c, to readers here */
	size_t busy;                         /* calls under way */
	bool draining;                       /* no calls are taken */
	bool still;                          /* nothing is delivered, no timer does anything */
	bool closed;                         /* it is freed at the end of this turn */
	void (*drained)(void *ctx);
	void *drained_ctx;
};

static inline msec
office_now(const struct office *o)
{
	return shard_wall(o->shard);
}

/* Before anybody sends: which letters are those of before the start.  ERR_IO. */
int  letters_count(struct office *o, struct err *e);
/* Delivers and publishes at the end of this turn. */
void office_stir(struct office *o);
void office_busy(struct office *o);          /* a call is under way */
void office_idle(struct office *o);          /* it was answered */
static inline void
office_mail(struct office *from, struct office *to, struct parcel *p)
{
	courier_send(&from->courier, to->shard, to, p);
}

/* Where an agent of the owner is at home.  ERR_NOTFOUND, with words. */
int  office_find(struct office *o, owner_t owner, struct str id_or_name, struct uuid *id,
    struct office **home, struct err *e);

/* ---- agents ---------------------------------------------------------------------- */

struct office_agent {
	struct office *o;
	const struct office_row *row;
	void *self;                          /* NULL: it does not live */
	struct mail_ref ref;
	uint8_t state;
	bool acting;                         /* its kind is at work with it */
	bool ended;                          /* told while it was */
	bool registered;                     /* it has a row in the store */
	bool announced;                      /* to other nodes */
	bool hidden;                         /* not to be, yet: its row is under way */
	bool behind;                         /* letters of before it came here are not read yet */
	int64_t *owed;                       /* those that must not overtake them */
	size_t owed_n, owed_cap;
	int end_rc;
	struct str error;                    /* of its last end; owned */
	struct agents *set;                  /* held; NULL: without a definition */
	const struct agent *definition;
	struct supervisor supervisor;
	struct wheel_timer timer;            /* next start, or the drain's deadline */
	struct stopping *stopping;           /* who is told when it has ended */
	uint32_t restarts;
	msec created, updated;
	char id_text[UUID_TEXT];
	struct office_spec spec;             /* texts behind this struct */
};

/* Another node has it (0: which is not known); a is freed.  Not from inside its kind. */
void roster_yield(struct office_agent *a, int64_t node);
void roster_yield_all(struct office *o);
/* Makes one that was another node's.  ERR_CONFLICT: it has to be made on another shard. */
int  roster_take(struct office *o, const struct store_mailer *m);
struct office *roster_home(struct office *o, const struct store_mailer *m);
struct office_agent *roster_find(struct office *o, owner_t owner, const struct uuid *id);
bool roster_is_full(struct office *o, struct mail_ref at);
void roster_free(struct office *o);

/* ---- copies ---------------------------------------------------------------------- */

/* The bytes of a spec's texts, and the copy of them to room: spec then points there. */
size_t spec_bytes(const struct office_spec *s);
void spec_keep(struct office_spec *s, void *room);

/* ---- sending ----------------------------------------------------------------------- */

/* The agent itself sends.  ERR_NOTFOUND: `ams` has told it; other codes as office_send. */
int  office_agent_send(struct office_agent *a, const struct acl *m, struct err *e);

/* A letter of another node, for an agent here; to nobody: it is dead for this reason. */
void letter_arrives(struct office *o, const struct store_letter *s, struct mail_ref to,
    enum mail_dead_reason why);
struct mail_ref letter_place(struct office *o, const struct store_letter *s);

/* An agent of the server, as the sender at `from` reaches it.  False: there is none of this name
 * (or id), or the sender has no mailbox. */
struct target;
bool system_named(const struct office *o, struct str name);
bool system_has(const struct office *o, struct mail_ref at);     /* the mailbox is one's */
bool system_find(struct office *o, struct str name, struct mail_ref from, struct target *out);
bool system_by_id(struct office *o, const struct uuid *id, struct mail_ref from,
    struct target *out);

/* What `ams` tells the sender of m (to: its mailbox; MAIL_NOBODY hears nothing): a failure,
 * or that the message was delivered.  reason: one word.  words: for people, or empty. */
void notice_send(struct office *o, struct mail_ref to, const struct acl *m, enum acl_act act,
    const char *reason, struct str words);
/* The same of a letter. */
void notice_letter(struct office *o, const struct letter *l, enum acl_act act,
    const char *reason);

#endif
