/*
 * llm_fix.h - what the tests of whole calls share: a server that reads a
 * request, says what it was told and closes, and one llm on one shard that
 * asks it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_LLM_FIX_H
#define UNIT_LLM_FIX_H

#include <pthread.h>

#include "harness/test.h"
#include "llm/wire_priv.h"

#define KEY "sk-test-0123456789"
#define REPLIES_MAX 8

struct server {
	int fd;
	char url[64];
	const char *replies[REPLIES_MAX];    /* NULL-ended; the last stays */
	pthread_t thread;
	struct buf requests;                 /* all of them, each after a '\x01' */
	size_t n;
};

struct heard {
	struct buf log;
	int rc, done;
	char event[64], words[512];
	struct buf message;
	size_t deltas, cancel_at;            /* 0: never */
	struct llm_call *call;
	struct bed *bed;
};

struct bed {
	struct server server;
	struct shard *shard;
	struct client *client;
	struct llm *llm;
	size_t live;                         /* calls that are not over */
	struct shard_job stop;
};

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n" \
    "Connection: close\r\n\r\n"
#define TOKENS "data: {\"id\":\"c-1\",\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n" \
    "data: {\"id\":\"c-1\",\"choices\":[{\"delta\":{\"content\":\"lo\"}}]}\n\n"
#define TAIL "data: {\"id\":\"c-1\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" \
    "data: [DONE]\n\n"
#define HELLO OK_HEAD TOKENS TAIL
#define HELLO_LOG "start ;text Hel;text lo;finish ;"
#define WHOLE "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" \
    "{\"id\":\"c-2\",\"choices\":[{\"message\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]}"

void bed_open(struct bed *b, struct llm_options *o);
void bed_close(struct bed *b);

struct heard heard_new(struct bed *b);
void heard_release(struct heard *h);

struct llm_call *begin(struct bed *b, struct heard *h, const struct llm_request *rq);
/* One to the named model, good until the next one. */
struct llm_request *request(const char *model, const char *base_url);
/* Good until REPLIES_MAX others were made. */
const char *error_reply(int status, const char *more, const char *body);

#endif
