/*
 * url.h - addresses of databases and message servers, which hold passwords.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_URL_H
#define BASE_URL_H

#include "base/buf.h"

/* Addresses, one or several with commas, or PostgreSQL's key=value text, as people may
 * see them: passwords are ***, and so is a user without a password that is not
 * PostgreSQL's (NATS has tokens there).  What is hidden may be more than the password,
 * never less. */
void url_add_shown(struct buf *b, struct str text);
bool url_has_secret(struct str text);
/* Percent-encoded, but for unreserved characters (RFC 3986, section 2.3). */
void url_add_escaped(struct buf *b, struct str s);

#endif
