/*
 * socket_priv.h - what the two files of the socket share: socket.c has clients and their
 * messages, socket_ask.c what they ask of the server.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_SOCKET_PRIV_H
#define MAIL_HOST_SOCKET_PRIV_H

#include "base/arena.h"
#include "mail/host/external.h"
#include "mail/host/framing.h"
#include "mail/host/office_priv.h"
#include "mail/host/socket.h"
#include "net/pipe.h"

/* What the socket has on one shard. */
struct bay {
	struct mail_socket *ms;
	struct office *o;
	struct store_reader *reader;
	struct arena arena;                  /* of one message that is read */
	struct buf out;                      /* of one that is written */
	struct sent *spares;
	size_t spares_n, clients;
	bool hung_up;                        /* tell when no client is left */
	void (*drained)(void *ctx);
	void *drained_ctx;
};

struct mail_socket {
	struct auth *auth;
	struct policy *policy;               /* NULL: none */
	struct store *store;
	struct pipe_server *pipe;
	unsigned shards;
	struct bay bay[];
};

enum client_state { CLIENT_STRANGER, CLIENT_AGENT, CLIENT_GONE };

struct client {
	struct bay *bay;
	struct pipe_conn *pipe;              /* NULL: gone */
	enum framing framing;
	enum client_state state;
	char *subject;
	owner_t owner;
	struct uuid agent;
	unsigned sends;                      /* under way */
	/* what it asks of the server, one at a time */
	bool asking, reads, stopping;        /* reads: it wants its mailbox */
	struct arena arena;
	struct str reply_with, attach;       /* attach: to this agent; empty: a new one */
	struct office_spawn spawn;
	struct store_owner_intern intern;
	/* its mailbox */
	struct external_reader reader;
	bool reading, opening;               /* `ended` will come; `opened`, too */
	int64_t owed;                        /* room to be given back */
	struct wheel_timer expiry;           /* its token ends, or has to be looked at */
	struct credentials shows;            /* while it asks to be let in */
	struct auth_wait auth_wait;
	struct principal who;                /* for auth_again: other texts are gone */
	char *shown;
};

/* socket.c */
void client_tell(struct client *c, enum acl_act act, struct str in_reply_to,
    struct str content);
/* {"code":"...","detail":"..."}; retry_after 0: none. */
void client_tell_error(struct client *c, enum acl_act act, struct str in_reply_to, int rc,
    const char *words, msec retry_after);
/* Something began or ended: more is read or not; c may be freed. */
void client_settle(struct client *c);
void client_read_mailbox(struct client *c, struct str agent);

/* socket_ask.c */
bool client_is_ask(const struct acl *m);
void client_ask(struct client *c, const struct acl *m);
void client_opened(struct client *c, int rc, const struct uuid *id, const struct err *e);

#endif
