/*
 * once.h - requests that a client may repeat: the header Idempotency-Key.
 *
 * A request that makes something, and brings a key, makes it once: the key is written
 * in the transaction that makes the object.  The same request with the same key is
 * answered with that object, as it is by then; a run is joined, for waiting and
 * streaming too.  Another request with the key is refused (422), as is one that comes
 * while the first is under way (409; the header's draft, draft-ietf-httpapi-
 * idempotency-key-header-07, section 2.6).  A request that failed leaves no key.
 * Keys belong to an owner, a method and a path, and are kept for LIMIT_ONCE_MS.
 *
 * Threads: the call's shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_ONCE_H
#define API_ONCE_H

#include "api/api_priv.h"

/* Handles c, whose body was read: in place of its route's handler if it brings a
 * key.  As a handler. */
int once_handle(struct call *c);

#endif
