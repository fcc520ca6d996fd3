/*
 * acl.h - the message of agents: FIPA ACL (FIPA00061, FIPA00037), and its three
 * written forms.
 *
 * A struct acl borrows all its texts.  A *packed* message is the one form that
 * lies in memory, in the store and on a socket (binary framing): the parameters
 * that were given, each as tag, length, bytes; acl_unpack only points into it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_ACL_H
#define MAIL_ACL_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/rc.h"

/* The communicative acts, in the order of FIPA00037. */
enum acl_act {
	ACL_ACCEPT_PROPOSAL, ACL_AGREE, ACL_CANCEL, ACL_CFP, ACL_CONFIRM, ACL_DISCONFIRM,
	ACL_FAILURE, ACL_INFORM, ACL_INFORM_IF, ACL_INFORM_REF, ACL_NOT_UNDERSTOOD,
	ACL_PROPAGATE, ACL_PROPOSE, ACL_PROXY, ACL_QUERY_IF, ACL_QUERY_REF, ACL_REFUSE,
	ACL_REJECT_PROPOSAL, ACL_REQUEST, ACL_REQUEST_WHEN, ACL_REQUEST_WHENEVER,
	ACL_SUBSCRIBE,
	ACL_ACTS
};
extern const char *const acl_act_names[];    /* "accept-proposal", ...; NULL-ended */
int  acl_act_find(struct str name);          /* any case; -1: none */

/* How it is to be delivered; what is 0 (or false) was not given. */
struct acl_delivery {
	uint8_t priority;                    /* 0 (usual) .. 3 (first) */
	bool durable;
	bool receipt;                        /* the sender hears of the delivery */
	uint8_t max_retries;
	msec ttl;
};

/* An address, as text: an agent's id or name, `cap:NAME` or `cap:NAME:VERSION` (one
 * that can do it), `all:NAME[:VERSION]` (everyone who can). */
struct acl {
	enum acl_act act;
	struct str sender;                   /* set by the server, never by a client */
	const struct str *receivers;         /* LIMIT_ACL_RECEIVERS at most */
	size_t receivers_n;
	struct str reply_to;
	struct str content;                  /* JSON text of one value; empty: none */
	struct str language, encoding, ontology, protocol, conversation_id, reply_with,
	    in_reply_to;                     /* p NULL: not given */
	msec reply_by;                       /* Unix ms; 0: none */
	const struct acl_extra { struct str name, value; } *extras;  /* x-...; JSON texts */
	size_t extras_n;
	struct uuid message_id;              /* v7; zero: not set yet */
	msec created;
	struct str trace;                    /* W3C traceparent */
	struct acl_delivery delivery;
};

/* What is lent to a struct acl while it is used: receivers and extras. */
struct acl_room { struct str receivers[LIMIT_ACL_RECEIVERS]; struct acl_extra extras[LIMIT_ACL_EXTRAS]; };

/* From one JSON object, as clients send it.  Strict: an unknown member, a wrong type, an
 * unknown act is ERR_INVALID with its path ("receiver[2]: ...").  `sender`,
 * `message_id` and `created_at` of a client are refused unless trusted.  Texts are
 * borrowed from the document or copied to a. */
struct arena;
int  acl_from_json(struct acl *out, jnode object, bool trusted, struct arena *a,
    struct acl_room *room, struct err *e);
void acl_add_json(const struct acl *m, struct buf *out);

/* FIPA00070, the string encoding: (request :sender (agent-identifier :name a) ...). */
int  acl_from_text(struct acl *out, struct str text, struct arena *a, struct acl_room *room,
    struct err *e);
void acl_add_text(const struct acl *m, struct buf *out);

/* Packed.  acl_unpack is strict (lengths, order, UTF-8, no tag twice) and allocates nothing.
 * A frame on a socket is: length (4 bytes, big endian, of what follows), packed. */
void acl_pack(const struct acl *m, struct buf *out);
int  acl_unpack(struct acl *out, struct str packed, struct acl_room *room, struct err *e);

/* A reply to m as FIPA wants it: act, conversation_id, protocol, in_reply_to, receiver
 * (reply_to, or else the sender); borrows from m. */
void acl_reply(struct acl *out, const struct acl *m, enum acl_act act, struct acl_room *room);

#endif
