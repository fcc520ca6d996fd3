/*
 * client_priv.h - a call of the HTTP client and the client it belongs to.
 *
 *              name known            added to libcurl
 *   RESOLVING ------------> QUEUED ------------------> RUNNING
 *       |                     |  ^                        |
 *       | failed      cancel  |  | bad URL, no address    | message, silence
 *       v                     v  |                        v
 *     QUEUED (fault set)    DROPPED                     (gone)
 *
 * QUEUED and DROPPED calls stand in the client's queue, which is worked off
 * once a turn, outside of libcurl: it may not be entered from its own
 * callbacks, and client_start may not call back.
 *
 * A RUNNING call that found no free descriptor for its connection is WAITING
 * until it is QUEUED again.  The account of descriptors is charged by the call
 * for each socket it opens, until its answer begins or it ends; from then on by
 * the watch of the socket that answered.  libcurl closes the others without
 * telling.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_CLIENT_PRIV_H
#define NET_CLIENT_PRIV_H

#include <curl/curl.h>

#include "base/check.h"
#include "base/list.h"
#include "net/client.h"
#include "net/files_priv.h"
#include "net/resolve_priv.h"
#include "net/route.h"
#include "net/sockets_priv.h"

enum call_state {
	CALL_SPARE, CALL_RESOLVING, CALL_QUEUED, CALL_RUNNING, CALL_WAITING, CALL_DROPPED
};

#define CLIENT_MARK 0x636c6965u
#define CALL_MARK   0x63616c6cu

#define HEADER_VALUE_MAX 128                 /* of those we hand out */
#define LOCATION_MAX     1024                /* a longer one counts as none */

struct header_value {
	char text[HEADER_VALUE_MAX];
	size_t n;
};

struct client_call {
	unsigned mark;
	struct client *client;
	struct list in;                      /* the live calls, or the spares */
	struct client_call *queue_next;
	enum call_state state;
	CURL *easy;
	struct client_hooks hooks;
	struct resolve_waiter waiter;
	struct wheel_timer silence;
	nsec heard;
	msec silence_ms;
	const struct proxy *proxy;
	bool tls, added;                     /* added: libcurl has it */
	bool public_only;
	unsigned refuse;

	char *text;                          /* URL, method, header lines, body */
	size_t text_cap;
	char *url, *method, *body;           /* into text */
	size_t body_n, body_max;
	struct curl_slist *lines;            /* an array, linked */
	size_t lines_cap;
	struct str name;                     /* that is resolved: host or proxy */
	uint16_t name_port;
	struct curl_slist addresses;         /* CURLOPT_RESOLVE; data is ours */
	uint64_t addresses_serial;           /* 0: it carries none */

	int fd;                              /* the last one libcurl named; -1 */
	unsigned opened;                     /* sockets it has charged */
	bool starved;                        /* there was no descriptor for one */
	bool waited;                         /* it was WAITING before */
	int fault;                           /* why we end it ourselves; OK */
	struct err why;
	int status;                          /* of the head under way, then final */
	bool head_done;
	size_t body_in;
	struct header_value content_type, retry_after, retry_after_ms;
	char *location, *mcp_session;        /* NULL: none */
	int64_t max_age;                     /* -1: none */
	char curl_error[CURL_ERROR_SIZE];
};

struct client {
	unsigned mark;
	struct shard *shard;
	CURLM *multi;
	struct sockets sockets;
	struct resolver *resolver;
	struct proxies proxies;
	struct wheel_timer timer;            /* libcurl's own */
	struct shard_job turn;
	struct list live, spares;
	struct client_call *queue, **queue_end;
	struct client_call *waiting, **waiting_end;
	struct wheel_timer retry;            /* while there are waiting ones */
	struct files_lender *lender;         /* of the idle connections */
	CURL *closer;                        /* see client_yield; made when needed */
	unsigned spares_n;
	bool inside;                         /* libcurl is on the stack */
	bool kick;                           /* it wants to be called this turn */
	bool turn_set, closing;
};

/* True at every door, and when libcurl calls back. */
static inline void
check_client_call(const struct client_call *call)
{
	CHECK_MARK(call, CALL_MARK);
	CHECK_MARK(call->client, CLIENT_MARK);
	assert(call->state <= CALL_DROPPED);
	assert(!call->added || call->state == CALL_RUNNING || call->state == CALL_DROPPED);
	assert(call->opened == 0 || call->added);
	assert(call->fault <= OK);
}

/* client.c: lets libcurl act on a descriptor or on its timer. */
void client_act(struct client *c, int fd, int events);
void client_queue(struct client_call *call);    /* QUEUED or DROPPED */

/* client_files.c: descriptors. */
void client_lend(struct client *c);          /* tells how many are idle */
void client_files_init(struct client *c);
void client_files_release(struct client *c); /* before libcurl's handle goes */
bool client_call_open(struct client_call *call);    /* may it open one more socket? */
void client_call_opened(struct client_call *call);  /* its answer begins, or it ends */
void client_call_wait(struct client_call *call);    /* starved, and out of libcurl */
void client_wake(struct client *c);          /* a connection may be free */

/* call.c: one libcurl easy handle. */
struct client_call *client_call_new(struct client *c);
void client_call_free(struct client_call *call);
void client_call_set(struct client_call *call, const struct client_request *req);
void client_call_addresses(struct client_call *call, const struct resolved *a);
void client_call_arm(struct client_call *call);     /* sets the easy handle's options */
void client_call_reset(struct client_call *call);   /* before it becomes a spare */
int  client_call_result(const struct client_call *call, CURLcode code, struct err *e);
struct client_answer client_call_answer(const struct client_call *call);

#endif
