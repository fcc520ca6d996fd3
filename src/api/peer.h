/*
 * peer.h - requests that belong to another node.
 *
 * A thread is its node's while a run of it is under way there, or somebody listens to it
 * there (store/node.h); a worker and its tasks are of the node where it registered, which
 * their ids name; an agent is where the directory says; a run without a thread is found by
 * asking.  A request about any of them is served there
 * (cluster/relay.h), so that every protocol behaves as on one node.  What all nodes have a part
 * of is asked of all.
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

/* Asks all other nodes that can be reached what c asks, with this body; how many.  answered is
 * called for each, in a later turn, with the body of its answer, or nothing; all of them are at
 * most max. */
size_t peer_ask_all(struct call *c, struct str body, size_t max,
    void (*answered)(void *ctx, struct str body), void *ctx);
/* The same, where it matters alone that they have done it: done, at once if there are none. */
void peer_wait_all(struct call *c, struct str body, void (*done)(void *ctx), void *ctx);
/* Does another node ask?  Then c is about what is here. */
bool peer_asks(const struct call *c);

/* Has another node taken the thread of c, which began here and could not be done?  True: it
 * answers c.  Only for a route whose body is kept (ROUTE_KEEPS). */
bool peer_took(struct call *c);

/* A client of ours reads the thread, or may soon: requests about it are to come here.  Counts. */
void peer_listens(struct api *a, const struct uuid *thread_id, bool more);

/* A request that came from another node: what its client showed there, into c->shows. */
void peer_shows(struct call *c);

#endif
