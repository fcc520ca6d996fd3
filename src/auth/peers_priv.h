/*
 * peers_priv.h - sessions and tickets that other nodes made (auth.h).
 *
 * Threads: any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_PEERS_PRIV_H
#define AUTH_PEERS_PRIV_H

#include "auth/session_priv.h"

struct peers;

struct peers *peers_new(struct passes *sessions, struct passes *tickets,
    const struct auth_peers *p);
void peers_free(struct peers *p);            /* NULL is fine */
bool peers_up(const struct peers *p);        /* NULL: no */
/* As auth_ask, for the session or ticket that c lacks. */
int  peers_ask(struct peers *p, const struct credentials *c, struct auth_wait *w);
void peers_heard(struct peers *p, uint64_t from, struct str word, msec now);
void peers_changed(struct peers *p, bool up);
void peers_tell_end(struct peers *p, const uint8_t mark[SHA256_SIZE]);       /* of a session */
bool peers_await_end(struct peers *p, struct auth_wait *w);  /* as auth_session_end_wait */

#endif
