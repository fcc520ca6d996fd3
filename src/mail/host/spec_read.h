/*
 * spec_read.h - an agent as clients ask for it, in JSON: what HTTP and the socket share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_SPEC_READ_H
#define MAIL_HOST_SPEC_READ_H

#include "base/arena.h"
#include "base/fields.h"
#include "mail/host/office.h"

/* The members agent_id, name, capabilities, durable, mailbox_max and metadata; what is not
 * there leaves *out as it was.  Failures stay in f, and texts are copied to a. */
void office_spec_read(struct fields *f, struct arena *a, struct office_spec *out);
/* n as text, at most max bytes; null: nothing. */
void office_json_read(struct fields *f, struct arena *a, const char *key, size_t max,
    struct str *out);

#endif
