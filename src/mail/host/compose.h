/*
 * compose.h - messages as agents write and read them: values of a chart.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_COMPOSE_H
#define MAIL_HOST_COMPOSE_H

#include "base/val.h"
#include "mail/post.h"

/* to: addresses with blanks between; fields: an object with content, protocol,
 * conversation_id, ... as the kind of work `message` has them, or UNDEFINED; what is null or
 * an empty text is not given.  now: what relative times (`reply_by: 30s`) count from.  Texts
 * are borrowed from to and fields; content goes to the buffer.  ERR_INVALID with the field. */
int  mail_compose(struct acl *out, struct str to, struct str act, struct val fields, msec now,
    struct acl_room *room, struct buf *content, struct err *e);

/* The event that a message is: `message.inform`, ...; and its data, an object with the members
 * of the JSON form.  It is a view of the letter: end it by val_view_end when the letter goes. */
extern const struct str mail_event_names[ACL_ACTS];
struct val mail_event_data(const struct letter *l);

#endif
