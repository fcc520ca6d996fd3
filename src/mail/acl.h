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
	bool receipt;                        /* the sender is told when it is delivered */
	uint8_t max_retries;
	msec ttl;
};

/* An address, as text: an agent's id or name, `cap:NAME` or `cap:NAME:VERSION` (one
 * that can do it), `all:NAME[:VERSION]` (everyone who can).  A name has no blanks, control
 * characters, quotes or parentheses, and is no UUID. */
enum acl_address_kind { ACL_TO_ID, ACL_TO_NAME, ACL_TO_ONE, ACL_TO_ALL };
struct acl_address {
	enum acl_address_kind kind;
	struct uuid id;                      /* of ACL_TO_ID */
	struct str name, version;            /* an agent's or a capability's; version may be empty */
};
/* ERR_INVALID: the words begin with "expected". */
int  acl_address_parse(struct str s, struct acl_address *out, struct err *e);

/* An empty text is one that was not given. */
struct acl {
	enum acl_act act;
	struct str sender;                   /* set by the server, never by a client */
	const struct str *receivers;         /* LIMIT_ACL_RECEIVERS at most; 0 from a trusted reader */
	size_t receivers_n;
	struct str reply_to;
	struct str content;                  /* JSON text of one value; empty: none */
	struct str language, encoding, ontology, protocol, conversation_id, reply_with,
	    in_reply_to;
	msec reply_by;                       /* Unix ms; 0: none */
	const struct acl_extra { struct str name, value; } *extras;  /* x-...; the value is JSON text */
	size_t extras_n;
	struct uuid message_id;              /* v7; zero: not set yet */
	msec created;
	struct str trace;                    /* W3C traceparent */
	struct acl_delivery delivery;
};

/* What is lent to a struct acl while it is used: receivers and extras. */
struct acl_room { struct str receivers[LIMIT_ACL_RECEIVERS]; struct acl_extra extras[LIMIT_ACL_EXTRAS]; };

/* From one JSON object, as clients send it.  Strict: an unknown member, a wrong type, an
 * unknown act is ERR_INVALID with its path ("receiver.2: ..."); too many are ERR_LIMIT, too
 * long a content ERR_TOOBIG.  From a client (not trusted) there is at least one receiver, and
 * `sender` and `created_at` are refused; a message_id is its own (a repeated one is the same
 * message).  Texts are borrowed from the document or copied to a. */
struct arena;
int  acl_from_json(struct acl *out, jnode object, bool trusted, struct arena *a,
    struct acl_room *room, struct err *e);
void acl_add_json(const struct acl *m, struct buf *out);

/* FIPA00070, the string encoding: (request :sender (agent-identifier :name a) ...).
 * ERR_SYNTAX names the byte; a wrong value is as above, with the parameter (":reply-by: ...").
 * now: what a relative date is counted from.  A client's :sender is read, as FIPA's tools always
 * write one: compare it with acl_check_sender.
 * Content is a string; with `:language json` (or application/json), or `:x-content json`, it is
 * the text of a JSON value.  The envelope's parts are :x-message-id, :x-created-at, :x-trace,
 * :x-priority, :x-ttl, :x-receipt, :x-max-retries, :x-durable. */
int  acl_from_text(struct acl *out, struct str text, bool trusted, msec now, struct arena *a,
    struct acl_room *room, struct err *e);
void acl_add_text(const struct acl *m, struct buf *out);
/* A sender that a client gave is the one it is: nothing, id or name. */
int  acl_check_sender(const struct acl *m, const struct uuid *id, struct str name,
    struct err *e);

/* Packed: version, act, then the parameters by their tags (acl_priv.h), each as tag, length
 * (LEB128), bytes.  One message has one packed form, and acl_unpack takes no other: lengths,
 * order, UTF-8, no tag twice.  It allocates nothing.  That content is JSON and an address well
 * formed it does not look at: what is packed here is. */
void acl_pack(const struct acl *m, struct buf *out);
int  acl_unpack(struct acl *out, struct str packed, struct acl_room *room, struct err *e);

/* The content, of what was packed here, or empty. */
struct str acl_peek_content(struct str packed);
/* One parameter that is a text, or the content, by its name in the JSON form, of what was packed
 * here.  *out is empty: it was not given.  False: it is of another kind, or unknown. */
bool acl_peek(struct str packed, struct str name, struct str *out);
/* The message_id alone, of what was packed here; false: it has none. */
bool acl_peek_id(struct str packed, struct uuid *out);

/* A frame on a socket is: length (4 bytes, big endian, of what follows), packed.  This reads
 * what follows, from a client: as acl_unpack, and all that acl_from_json checks. */
#define ACL_FRAME_HEAD 4
int  acl_from_frame(struct acl *out, struct str packed, struct acl_room *room, struct err *e);
void acl_add_frame(const struct acl *m, struct buf *out);

/* A reply to m as FIPA wants it: act, conversation_id, protocol, in_reply_to, receiver
 * (reply_to, or else the sender); borrows from m. */
void acl_reply(struct acl *out, const struct acl *m, enum acl_act act, struct acl_room *room);

#endif
