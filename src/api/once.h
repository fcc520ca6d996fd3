/*
 * once.h - requests that a client may repeat: the header Idempotency-Key.
 *
 * The key is written in the transaction that creates the object.  The same request with
 * the same key is answered with that object, in its present state; a run is joined, for
 * waiting and streaming too.  A different request with the key is refused (422), as is one
 * that comes while the first is under way (409; draft-ietf-httpapi-idempotency-key-
 * header-07, section 2.6).  A request that failed leaves no key.
 * Keys belong to an owner, a method and a path, and are kept for LIMIT_ONCE_MS.
 *
 * Threads: the call's shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_ONCE_H
#define API_ONCE_H

#include "api/api_priv.h"

/* The handler of every route: calls the route's own, unless the request repeats a key. */
int once_handle(struct call *c);

#endif
