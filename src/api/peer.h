/*
 * peer.h - requests that belong to another node.
 *
 * A thread is its node's while a run of it is under way there, or somebody listens to it
 * there (store/node.h); a worker and its tasks are of the node where it registered, which
 * their ids name; an agent is where the directory says; a run without a thread is found by
 * asking.  A request about any of them is served there (cluster/relay.h), so that every protocol behaves as on one node.
 * What its client showed as a session or a ticket goes along as the credentials that these
 * stand for.  Where the other node cannot be reached, the request goes on here, by what
 * the store has.
 *
 * Threads: the call's shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_PEER_H
#define API_PEER_H

#include "api/api_priv.h"

/* By the path.  True: another node answers c, or that is not known yet; then `here` is called
 * if none does, as a handler. */
bool peer_by_path(struct call *c, int (*here)(struct call *c));
/* By ids in the body: `body` as it came, its document.  True: another node answers c. */
bool peer_by_body(struct call *c, struct str body, jnode root);

/* A client of ours reads the thread, or may soon: requests about it are to come here.  Counts. */
void peer_listens(struct api *a, const struct uuid *thread_id, bool more);

/* A request that came from another node: what its client showed there, into c->shows. */
void peer_shows(struct call *c);

#endif
