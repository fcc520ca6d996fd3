/*
 * socket.h - WebSockets of the thread protocol: GET /threads/{thread_id}/stream/events.
 *
 * Threads: the call's shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_SOCKET_H
#define API_SOCKET_H

#include "api/api_priv.h"

/* Does c begin a WebSocket?  Then it is refused as those are, with a close frame, code
 * 4000 + status: a browser's page sees no status of a handshake.  c is gone. */
bool socket_refuse(struct call *c, int status, struct str words);

#endif
