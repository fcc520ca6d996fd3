/*
 * office.h - agents and their messages on the shards of a server: one office a shard, what they
 * share a process.  Brings clock, timers, other shards and the store to post.h.
 *
 * An accepted message is answered by `done`: a durable one after its commit.  Letters to another
 * shard travel in its mailbox, one post a turn (net/courier.h).
 *
 * Kinds of agents are rows that are added at start: "chart" (a chart in memory, chart_agent.c),
 * "external" (a client's, external.c), "run" (a run on a thread, durable: run/mail.c), "wasm" (a
 * guest in a sandbox, wasm/agent).
 *
 * Threads: an office belongs to its shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_OFFICE_H
#define MAIL_HOST_OFFICE_H

#include "mail/directory.h"
#include "mail/supervise.h"
#include "store/store.h"

struct agents;                               /* agent/agent.h */
struct office;
struct offices;                              /* one a process */

/* Holds agents; the store must outlive it. */
struct offices *offices_new(struct store *st, struct agents *agents);
void offices_free(struct offices *os);       /* after the offices; NULL: nothing */
/* Any thread: agents that are spawned from now on go by these, which are held. */
void offices_set_agents(struct offices *os, struct agents *agents);
/* One a shard; the shards' ids are 0, 1, ... */
int  office_new(struct office **out, struct offices *os, struct shard *s,
    struct store_reader *reader, struct err *e);
/* After a start, when all shards have their offices: makes the durable agents of this one's
 * share, then (when all shards have done that) posts the letters that wait for them.  ERR_IO. */
int  office_recover(struct office *o, struct err *e);
int  office_resume(struct office *o, struct err *e);
/* Takes no more; done when no call is under way. */
void office_drain(struct office *o, void (*done)(void *ctx), void *ctx);
void office_free(struct office *o);          /* on its shard, which goes on; NULL: nothing */

/* ---- kinds --------------------------------------------------------------------- */

struct office_agent;                         /* one agent at home here */

/* Why an agent is started: it is new; the server was started again, and it was there; or its
 * supervisor wants it to live again after its end. */
enum office_start { START_NEW, START_RECOVERED, START_RESTARTED };

/* What every kind can do; the office's side of struct mail_kind.  ctx: what office_kind_add
 * was given on this shard. */
struct office_kind {
	const char *name;
	/* Makes it live.  *self is given back to the others.  Its end, whenever, is told by
	 * office_ended. */
	int  (*start)(void *ctx, struct office_agent *a, void **self, enum office_start how,
	    struct err *e);
	enum mail_taken (*take)(void *self, struct letter *l);
	/* Frees self, after its end too; letters that it holds are given back first.  Never
	 * called from inside start or take. */
	void (*stop)(void *self);
	/* Another node has it from now on: stop follows, and is no end.  May be NULL. */
	void (*yield)(void *self);
	/* What it stands for may have ended at another node: the store says.  May be NULL. */
	void (*look)(void *self);
	/* Where it has to be made; NULL, or not told: anywhere. */
	struct office *(*home)(void *ctx, const struct uuid *id);
	bool durable;                        /* it can be started again from its spec */
	bool modules;                        /* graph_id names something of its own, and no
	                                        definition */
};
void office_kind_add(struct office *o, const struct office_kind *k, void *ctx);

/* Of one agent, by its kind, on its shard. */
const struct office_spec *office_agent_spec(const struct office_agent *a);
const struct agent *office_agent_definition(const struct office_agent *a);   /* or NULL */
struct mail_ref office_agent_ref(const struct office_agent *a);
struct office *office_agent_office(const struct office_agent *a);
struct str office_agent_address(const struct office_agent *a);  /* its name, else its id */
void office_agent_wake(struct office_agent *a);          /* after MAIL_BUSY */
/* A letter of MAIL_HELD was taken for good (its row is gone, if it had one), or not. */
void office_agent_done(struct office_agent *a, struct letter *l);
void office_agent_return(struct office_agent *a, struct letter *l);
/* It was handled, or in vain; if it has a row, the office writes what became of it. */
void office_agent_delivered(struct office_agent *a, struct letter *l);
void office_agent_failed(struct office_agent *a, struct letter *l);
struct post *office_post(struct office *o);
struct shard *office_shard(const struct office *o);

/* An agent as it is asked for, and as it is shown.  Texts are borrowed. */
struct office_spec {
	owner_t owner;
	struct str subject;
	struct uuid id;                      /* zero: a new one; of kind run: its thread's */
	struct str kind;                     /* empty: by graph_id: run, or chart if not durable */
	struct str name, graph_id;           /* graph_id: its definition; empty: external */
	const struct str *capabilities; size_t capabilities_n;
	struct str input_json, config_json, metadata_json;       /* or empty */
	bool durable;
	int64_t agents_max;                  /* that the owner may have here; 0: any */
	uint32_t mailbox_max;                /* 0: the usual */
	enum supervise_restart restart;
	uint32_t restarts_max; msec restarts_window, backoff;
};

struct office_shown {
	struct office_spec spec;
	enum mail_state state;
	struct mail_books books;
	uint32_t waiting, restarts;
	msec created, updated;
	struct str error;                    /* of its last end; or empty */
};

/* In: spec, whose texts are good until done, and done.  The agent is at home here afterwards, its
 * id in spec.id.  done: when it is there (durable: committed), possibly at once.  ERR_CONFLICT: id
 * or name taken; ERR_NOTFOUND: no such definition; ERR_INVALID; ERR_LIMIT; ERR_BUSY: the server stops. */
struct office_spawn {
	struct office_spec spec;
	void (*done)(struct office_spawn *s, int rc, const struct err *e);
	void *office_data;
};
void office_spawn(struct office *o, struct office_spawn *s);
int64_t office_owned(const struct office *o, owner_t owner);     /* how many he has, of all shards */
/* drain: after what waits is delivered, at the latest `deadline` ms from now.  ERR_NOTFOUND;
 * ERR_CONFLICT: it drains already. */
void office_stop(struct office *o, owner_t owner, struct str id_or_name, bool drain, msec deadline,
    void (*done)(void *ctx, int rc, const struct err *e), void *ctx);
void office_ended(struct office_agent *a, int rc, struct str error);     /* by its kind */
/* Somebody who lives on this shard becomes an agent without being spawned (a run of the
 * LangGraph API that hears or writes messages): it has a mailbox at once, a row in the store
 * follows, and both go with office_ended.  spec.restart is RESTART_NEVER.  ERR_CONFLICT. */
int  office_attach(struct office *o, const struct office_spec *spec, void *self,
    struct office_agent **out, struct err *e);
/* Of all shards, in no order; each x is good for its call.  Both are called on this shard. */
void office_list(struct office *o, owner_t owner, void (*each)(void *ctx, const struct office_shown *x),
    void (*end)(void *ctx), void *ctx);
/* x is NULL after an error: ERR_NOTFOUND. */
void office_show(struct office *o, owner_t owner, struct str id_or_name,
    void (*shown)(void *ctx, int rc, const struct office_shown *x, const struct err *e), void *ctx);

/* ---- sending ------------------------------------------------------------------- */

/* One message.  The sender is an agent of the owner (id), or zero: the owner's client, whose
 * address is its subject.  done: on this shard, once, possibly at once.  ERR_INVALID (it is the
 * sender itself; the protocol does not allow it), ERR_NOTFOUND (words with near matches), ERR_AGAIN
 * (full; retry_after), ERR_TOOBIG, ERR_BUSY (the store; the server stops).
 * A client's message to one agent is refused when the mailbox is full.  One to several, and one that
 * an agent sends (`itself`), is kept and tried again; and an agent hears by a `failure` from
 * `ams`, too, that an address leads nowhere. */
struct office_send {
	owner_t owner;
	struct str subject;                  /* of the client */
	struct uuid sender;
	bool itself;                         /* the agent sends, not a client that speaks for it */
	const struct acl *m;                 /* good for the call */
	void (*done)(struct office_send *s, int rc, const struct err *e);
	struct uuid message_id;              /* out */
	uint32_t letters;                    /* out: receivers */
	msec retry_after;                    /* out, of ERR_AGAIN */
	void *office_data;
};
void office_send(struct office *o, struct office_send *s);
/* A message that an agent of this shard writes into the store itself, with the state that it
 * sent it from.  First office_prepare: resolves and checks it as office_send does, sets sender,
 * message_id and created; *out and what it names are in a.  ERR_NOTFOUND, ERR_INVALID,
 * ERR_TOOBIG.  After the commit office_route; after a crash in between office_recover. */
int  office_prepare(struct office *o, const struct office_agent *from, const struct acl *m,
    struct arena *a, struct store_mail *out, struct err *e);
void office_route(struct office *o, owner_t owner, const struct store_mail *m);
/* Prepared, and in no commit: it is written first if another node is to have it. */
void office_post_mail(struct office *o, owner_t owner, const struct store_mail *m);

/* ---- agents of the server ------------------------------------------------------------ */

/* One that every owner finds by its name (15 bytes at most), on each shard.  What its agents
 * send to it is heard on the shard where the sender is at home; a client that is no agent cannot
 * write to it. */
struct office_system {
	const char *name;
	void (*hear)(void *ctx, owner_t owner, const struct uuid *sender, const struct acl *m);
};
void office_system_add(struct office *o, const struct office_system *s, void *ctx);  /* at start */
/* Its answer; receivers, sender and ids are filled in where they are not given.  ERR_NOTFOUND: the
 * agent is gone; ERR_CONFLICT: the conversation is over. */
int  office_system_send(struct office *o, const struct office_system *s, owner_t owner,
    const struct uuid *to, const struct acl *m);

/* ---- books and dead letters ------------------------------------------------------ */

/* The dead letters of a durable message wait for delivery again, or are dropped.  letters: how many
 * it was.  done: on this shard, after the commit.  ERR_NOTFOUND: it has none; ERR_BUSY. */
void office_dead(struct office *o, owner_t owner, const struct uuid *message_id, bool drop,
    void (*done)(void *ctx, int rc, size_t letters, const struct err *e), void *ctx);

struct office_stats { struct mail_books books; uint64_t agents[AGENT_FAILED + 1]; uint64_t talks; uint64_t conns_open, conns_idle, conns_reused; };
void offices_stats(const struct offices *os, struct office_stats *out);  /* any thread */

#endif
