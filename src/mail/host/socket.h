/*
 * socket.h - agents that are programs on this machine: a Unix socket on which both sides
 * write messages.
 *
 * A connection speaks one of two forms (framing.h), in both directions.  Everything on it is
 * a message: what a client wants of the server is a `request` to `ams` with an object as
 * content, whose answer is an `inform` or a `failure` with its reply_with in in_reply_to:
 *
 *   {"op":"register", "name", "agent_id", "capabilities", "durable", "mailbox_max",
 *    "metadata", "token", "read"}         a new agent of kind external; it is this client
 *   {"op":"attach", "agent", "token", "read"}     this client is an agent that is there
 *   {"op":"ack", "message_ids"} or {"op":"ack", "up_to"}
 *   {"op":"stop"}                         the agent ends, and the connection with it
 *
 * One of the first two comes first; unless `read` is false, what waits in the mailbox follows.
 * Every other message is sent as the agent.  A durable one is answered once it is stored, any
 * other only when it could not be sent; what is ill-formed is answered by `not-understood`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_SOCKET_H
#define MAIL_HOST_SOCKET_H

#include "auth/auth.h"
#include "auth/policy.h"
#include "mail/host/office.h"

struct mail_socket;

/* Takes the name path; see net/pipe.h for what may be wrong with it. */
int  mail_socket_new(struct mail_socket **out, const char *path, struct auth *auth,
    struct policy *policy, struct store *st, unsigned shards, struct err *e);
/* On each shard; when all are there, clients are let in. */
void mail_socket_attach(struct mail_socket *ms, struct office *o, struct store_reader *r);
/* Hangs up; done: nothing of this shard's connections is under way. */
void mail_socket_drain(struct mail_socket *ms, struct shard *s, void (*done)(void *ctx),
    void *ctx);
void mail_socket_free(struct mail_socket *ms);       /* after the shards; NULL: nothing */

#endif
