/*
 * bus_priv.h - what the files of the bus share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLUSTER_BUS_PRIV_H
#define CLUSTER_BUS_PRIV_H

#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/list.h"
#include "cluster/bus.h"

/* What is used of libnats, which is loaded when a server is first told of NATS. */
#define NATS_LIB_MAP(X) \
	X(natsOptions_Create) \
	X(natsOptions_Destroy) \
	X(natsOptions_SetServers) \
	X(natsOptions_SetUserInfo) \
	X(natsOptions_SetToken) \
	X(natsOptions_SetName) \
	X(natsOptions_SetTimeout) \
	X(natsOptions_SetAllowReconnect) \
	X(natsOptions_SetPingInterval) \
	X(natsOptions_SetMaxPingsOut) \
	X(natsOptions_SetIOBufSize) \
	X(natsOptions_SetEventLoop) \
	X(natsOptions_SetSecure) \
	X(natsOptions_LoadCATrustedCertificates) \
	X(natsOptions_LoadCertificatesChain) \
	X(natsOptions_SetUserCredentialsFromFiles) \
	X(natsConnection_Connect) \
	X(natsConnection_IsClosed) \
	X(natsConnection_Buffered) \
	X(natsConnection_Close) \
	X(natsConnection_Destroy) \
	X(natsConnection_GetConnectedUrl) \
	X(natsConnection_GetLastError) \
	X(natsConnection_GetMaxPayload) \
	X(natsConnection_ProcessReadEvent) \
	X(natsConnection_ProcessWriteEvent) \
	X(natsConnection_Publish) \
	X(natsConnection_PublishRequest) \
	X(natsConnection_SubscribeSync) \
	X(natsSubscription_QueuedMsgs) \
	X(natsSubscription_NextMsg) \
	X(natsSubscription_Unsubscribe) \
	X(natsSubscription_Destroy) \
	X(natsMsg_GetSubject) \
	X(natsMsg_GetReply) \
	X(natsMsg_GetData) \
	X(natsMsg_GetDataLength) \
	X(natsMsg_Destroy) \
	X(natsStatus_GetText)

struct nats_lib {
#define X(name) __typeof__(&name) name;
	NATS_LIB_MAP(X)
#undef X
};
extern struct nats_lib nats;

/* Loads it once; ERR_NOTFOUND: the message names the package. */
int nats_lib_load(struct err *e);

/* tls: one of the URLs asks for it. */
int bus_set_servers(natsOptions *opts, struct str urls, bool *tls, struct err *e);
/* ERR_INVALID and what could not be set, unless st is fine. */
int bus_failed(natsStatus st, const char *what, struct str value, struct err *e);

/* What waits to be sent: the subject and the reply as C strings, then the body. */
struct bus_out {
	struct bus_out *next;
	size_t subject, reply, body;         /* lengths without the NULs */
	char text[];
};

/* A message that was received, shared by the ears it is for. */
struct bus_copy {
	atomic_uint refs;
	size_t bytes;
	struct bus_message m;
	char text[];
};
void bus_copy_drop(struct bus_copy *c);

/* What a shard is told, in order. */
struct bus_news {
	enum bus_news_kind {
		NEWS_HEARD,                  /* copy, for ear */
		NEWS_GONE,                   /* nothing follows for ear: freed */
		NEWS_UP, NEWS_DOWN,          /* all watchers */
	} kind;
	struct bus_ear *ear;
	struct bus_copy *copy;
};

struct bus_row {
	struct bus_news *at;
	size_t n, cap;
};

/* A shard's side of the bus. */
struct bus_place {
	struct bus *bus;
	struct shard *shard;
	struct shard_job job;                /* what is coming */
	struct shard_job turn_end;           /* sends what this turn said */
	struct list watchers;                /* the shard's own */
	pthread_mutex_t lock;                /* of what follows */
	struct bus_row coming, spare;        /* spare: empty, kept for its memory */
	size_t bytes;                        /* of the copies that are coming */
	bool posted, up;                     /* up: as the last of `coming` says */
	bool behind;                         /* messages are dropped until it has caught up */
};

struct bus_watcher {
	struct list in;                      /* bus_place.watchers */
	void (*changed)(void *ctx, bool up);
	void *ctx;
	bool up;
};

struct bus_ear {
	struct list in;                      /* bus.arrivals, then bus_subject.ears */
	struct list leaving;                 /* bus.leavers */
	struct list all;                     /* bus.ears */
	struct bus *bus;
	struct bus_place *place;
	char *subject;                       /* with the prefix */
	bool stopped;                        /* the shard's own */
	void (*heard)(void *ctx, const struct bus_message *m);
	void *ctx;
};

/* The bus's thread owns them. */
struct bus_subject {
	struct list in;                      /* bus.subjects */
	struct list ears;
	char *name;
	natsSubscription *sub;               /* NULL: not connected */
};

#define BUS_MARK 0x62757331u

struct bus {
	unsigned mark;
	natsOptions *opts;
	char *prefix;                        /* "cluster." */
	size_t prefix_n;
	pthread_t thread;
	int bell;                            /* eventfd: there is something to do */
	atomic_bool up, closing;
	_Atomic(struct bus_out *) outbox;    /* a stack */
	_Atomic uint64_t waiting, sent, sent_bytes, heard, heard_bytes, dropped, refused,
	    connects;

	pthread_mutex_t lock;                /* of what follows */
	struct list arrivals, leavers, ears;
	struct bus_place *places[LIMIT_SHARDS];
	char server[128];
	char why[160];                       /* it is down */

	/* Who sends holds it: a shard at the end of its turn, or the thread. */
	pthread_mutex_t sending;
	natsConnection *nc;                  /* changed by the thread only */
	struct bus_out *queue, **queue_tail; /* taken from the outbox, oldest first */

	/* The thread's own. */
	struct list subjects;
	int fd;
	atomic_bool want_write;              /* libnats asks from its own threads too */
	nsec next_beat;
	int silent;                          /* beats since something was received */
	bool told_down;                      /* why it cannot connect was logged */
	nsec not_before;                     /* it connects again */
};

void bus_ring(struct bus *b);
/* Sends what waits, unless another thread is at it: then that one is woken. */
void bus_send_now(struct bus *b);
void *bus_thread(void *arg);
/* May messages be sent and received there?  Else bus_why was told. */
bool bus_prove(struct bus *b);
void bus_why(struct bus *b, const char *why);
/* A subject was refused; *why names it. */
bool bus_denied(struct bus *b, const char **why);
natsStatus bus_thread_drives(struct bus *b);     /* its option of libnats */

/* Place. */
struct bus_place *bus_place_new(struct bus *b, struct shard *s, bool up);
void bus_place_free(struct bus_place *p);
/* False: the shard is behind, the copy was not taken. */
bool bus_place_add(struct bus_place *p, struct bus_news news);
void bus_place_tell(struct bus_place *p);    /* posts what was added */
void bus_place_watch(struct bus_place *p, struct bus_watcher *w);

#endif
