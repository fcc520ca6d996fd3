/*
 * send_priv.h - a message on its way into letters: what send.c and letters.c share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_SEND_PRIV_H
#define MAIL_HOST_SEND_PRIV_H

#include "mail/host/converse.h"
#include "mail/host/office_priv.h"

#define SOME_TARGETS 16

/* A message while office_send is at work with it. */
struct sending {
	struct office *o;
	struct uuid sender;                  /* zero: a client */
	struct mail_ref from;
	struct acl m;
	char sender_text[UUID_TEXT];
	struct buf name;                     /* of a sender of another shard */
	struct target *at, first[SOME_TARGETS];
	size_t n, cap;
	bool to_itself;
	int64_t row;                         /* of the first letter in the store; 0: none */
	struct talks_seen *seen;             /* of its conversation; or NULL */
};

void sending_begin(struct sending *x, struct office *o, const struct acl *m);
void sending_end(struct sending *x);
void sending_target(void *ctx, const struct uuid *id, struct mail_ref ref);  /* ctx: x */
/* Its text is shared by all letters; to be dropped when they are sent. */
struct post_letter sending_letter(const struct sending *x);
/* To all targets: into their mailboxes, or (those of other nodes) told that it is written. */
void sending_go(struct sending *x);

#endif
