/*
 * secret.h - a secret that stands elsewhere: settings, files of agents and command lines
 * name where it is, so that the value is in none of them.
 *
 *   env:NAME          a variable of the environment
 *   file:PATH         a file's content; nobody but its owner and group may read it, and
 *                     nobody but its owner may write it
 *   credential:NAME   a file of $CREDENTIALS_DIRECTORY, where systemd puts credentials
 *
 * One newline at the end of a file ("\n" or "\r\n") is not part of the secret.  An empty
 * one is refused.  In an address the password may be such a name: postgres://ann:env:PW@host;
 * it ends at the @, and what it names is escaped for the address.
 *
 * Words about what is wrong contain the name, never what it stands for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/buf.h"
#include "base/rc.h"

/* Is the text, or a password of an address in it, the name of a secret? */
bool secret_is_named(struct str text);

/* Appends text with what its names stand for; the same text if it has none.  env: NULL-ended
 * "NAME=value" strings.  ERR_INVALID: a variable or a folder is not set, a secret is empty, has a
 * NUL byte or is too long; ERR_NOTFOUND, ERR_IO: of the file; ERR_DENIED: others can read it. */
int secret_add(struct buf *out, struct str text, char **env, struct err *e);

#endif
