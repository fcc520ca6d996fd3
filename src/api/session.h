/*
 * session.h - whose request it is, and sessions of browsers.
 *
 * A request shows credentials in its headers, or is a browser's with the cookie of a
 * session, or begins a WebSocket with a ticket; the first of them counts.  This is the
 * one place where they are read.
 *
 * A browser sends a cookie by itself, so a request that has nothing else must come from a
 * page of this server's own: `Sec-Fetch-Site: same-origin`, or an Origin that is the
 * Host's (403).  One that changes something, or begins a WebSocket, must say so; any
 * other may come without both, as older browsers send it.  Its body is JSON, if it has
 * one (415).
 *
 * The cookie is `__Host-cohort-session` and Secure; where the server is known by a
 * loopback name, `cohort-session` and not Secure, which not all browsers take there.
 * A request is asked for the one that its Host would have been given.
 *
 * A ticket comes as the subprotocol `cohort.ticket.TICKET` or as what follows
 * `/threads/{thread_id}/stream/events/`.  It is taken off the path before anything else
 * sees the request.
 *
 * Threads: the call's shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_SESSION_H
#define API_SESSION_H

#include "api/api_priv.h"

/* Takes a ticket off r's path; STR_NONE: there is none.  To be called before routing. */
struct str ticket_cut(struct http_req *r);

/* Fills c->shows from the request, with c->ticket.  ERR_UNAUTH: a session or ticket that
 * is over; ERR_DENIED: a foreign page; ERR_MEDIA. */
int  call_shows(struct call *c);

/* Header lines of a 401: they delete the cookie if its session has ended.  The cookie
 * stays if other credentials were bad. */
struct str session_over_lines(const struct call *c);

/* What a WebSocket's handshake answers as Sec-WebSocket-Protocol: the first that was
 * offered and is no ticket; else the ticket, because a browser closes the connection if the
 * server selects none of the offered protocols.  STR_NONE: none was offered. */
struct str session_protocol(const struct http_req *r);

/* Does this header have a session or a ticket in it?  Such are never shown or logged. */
bool session_is_in(const struct http_header *h);

#endif
