/*
 * login.h - a bearer token by GoTrue's password grant, as Supabase's Auth has it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_LOGIN_H
#define MAIN_LOGIN_H

#include "base/buf.h"
#include "base/rc.h"

/* Asks URL/auth/v1/token, or URL/token if that is not there (or URL ends with /auth/v1).
 * anon_key may be empty.  The password comes from $COHORT_PASSWORD, else from the
 * terminal without an echo, else it is the first line of stdin.  ERR_UNAUTH: refused. */
int login_token(struct str url, struct str email, struct str anon_key, struct buf *token,
    struct err *e);

#endif
