/*
 * mcp_priv.h - what the files of the MCP client share.
 *
 *   mcp.c          the door: sessions by spec, who waits for what
 *   mcp_session.c  the protocol: JSON-RPC, initialize, lists, calls
 *   mcp_stdio.c    a server as a process
 *   mcp_http.c     a server at an address
 *   mcp_result.c   results as text for a model
 *
 *             somebody asks            initialized
 *   CLOSED ----------------> OPENING ----------------> READY
 *     ^  ^                      |                        |
 *     |  '----------------------'                        |
 *     |        failed: whoever waits fails               |
 *     '--------------------------------------------------'
 *              ended, idle: what is under way fails
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TOOLS_MCP_PRIV_H
#define TOOLS_MCP_PRIV_H

#include "base/buf.h"
#include "base/check.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/mem.h"
#include "tools/mcp.h"

#define MCP_MARK      0x6d637020u
#define MCP_WAIT_MARK 0x6d637077u

enum mcp_state { MCP_CLOSED, MCP_OPENING, MCP_READY };

struct mcp_session;

/* A request of ours: somebody's, or (done NULL both) the session's own. */
struct mcp_wait {
	unsigned mark;
	struct mcp_session *s;
	struct list in;                      /* the session's waits */
	int64_t id;                          /* 0: not sent yet */
	bool held;                           /* by its link: not on its way, so nothing answers it */
	enum mcp_ask { MCP_INITIALIZE, MCP_LIST, MCP_CALL } ask;
	mcp_listed *listed;
	mcp_called *called;
	void *ctx;
	struct buf params;                   /* CALL: {"name":..,"arguments":..} */
	char traceparent[56];                /* NUL-ended; "": none */
	msec timeout, timeout_max;
	nsec since;                          /* when it was sent */
	struct wheel_timer timer;
	void *post;                          /* mcp_http's */
};

/* The tools, as last told. */
struct mcp_tools {
	struct mcp_tool *at;
	size_t n, cap;
	struct arena texts;
};

struct mcp_link;                             /* how bytes come and go */
struct mcp_link_kind {
	int  (*open)(struct mcp_session *s, struct err *e);
	/* A message of ours, one line; w: the request it is, NULL: a notification or
	 * an answer. */
	int  (*send)(struct mcp_session *s, struct str message, struct mcp_wait *w);
	/* The request w is not waited for any more. */
	void (*forget)(struct mcp_session *s, struct mcp_wait *w);
	void (*ready)(struct mcp_session *s);        /* it is initialized; may be NULL */
	void (*close)(struct mcp_session *s, bool at_once);
};
extern const struct mcp_link_kind mcp_stdio, mcp_http;

struct mcp_session {
	unsigned mark;
	struct mcp *m;
	struct list in;
	struct buf key;                      /* what it is; its texts are in `texts` */
	struct arena texts;
	struct mcp_spec spec;
	const struct mcp_link_kind *kind;
	void *link;                          /* while it is not CLOSED */
	uint64_t opened;                     /* how often it was */
	enum mcp_state state;
	char *version;                       /* of the protocol */
	bool lists, tells_lists;             /* it has tools; it tells when they change */
	bool listing, listed;                /* a list is asked for; tools is right */
	bool changed;                        /* since the list was asked for */
	int64_t next_id;
	struct list waits;
	size_t waits_n;
	struct mcp_tools tools, growing;
	unsigned failures, timeouts;         /* in a row */
	msec retry_at;                       /* wall; before it nobody starts it */
	char *why;                           /* it failed; or NULL */
	struct wheel_timer idle;
	msec unasked_since;
	unsigned unasked;
	unsigned holds;                      /* frames on the stack that use it */
};

struct mcp {
	unsigned mark;
	struct shard *shard;
	struct client *client;
	struct list sessions;
	size_t sessions_n;
};

/* ---- mcp_session.c ---------------------------------------------------------- */

/* Opens it if it is not; what waits is sent when it is ready. */
void mcp_session_want(struct mcp_session *s);
/* From the link: a message; the end of it all (e: why). */
void mcp_session_message(struct mcp_session *s, struct str json);
void mcp_session_ended(struct mcp_session *s, const struct err *e);
/* From the link: this request alone has failed. */
void mcp_wait_failed(struct mcp_wait *w, int rc, const struct err *e);
/* Ends the connection; nobody is told. */
void mcp_session_close(struct mcp_session *s, bool at_once);
void mcp_session_idle(struct mcp_session *s);        /* nobody waits any more */
/* Whoever is called from outside, or calls somebody, stands between these. */
void mcp_session_hold(struct mcp_session *s);
void mcp_session_unhold(struct mcp_session *s);

void mcp_wait_free(struct mcp_wait *w);      /* leaves the session; tells nobody */
void mcp_tools_release(struct mcp_tools *t);

/* ---- mcp_result.c ------------------------------------------------------------ */

/* Text of a tools/call result; *failed: it says isError. */
void mcp_result_add(struct buf *b, jnode result, bool *failed);

#endif
