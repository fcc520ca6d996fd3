/*
 * llm_fix.c - see llm_fix.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "llm_fix.h"

#include <arpa/inet.h>
#include <math.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

/* ---- a server that reads a request, says what it was told, and closes ------ */

static size_t
content_length(const char *head)
{
	const char *at = strcasestr(head, "content-length:");

	return at == NULL ? 0 : (size_t)strtoul(at + 15, NULL, 10);
}

static void
read_request(int fd, struct buf *out)
{
	size_t from = out->n;

	for (;;) {
		char *room = buf_room(out, 4096), *end;
		ssize_t n = read(fd, room, 4095);

		if (n <= 0)
			return;
		buf_added(out, (size_t)n);
		end = strstr(out->p + from, "\r\n\r\n");
		if (end != NULL &&
		    out->n >= (size_t)(end + 4 - out->p) + content_length(out->p + from))
			return;
	}
}

static void *
serve(void *arg)
{
	struct server *s = arg;

	for (;;) {
		int fd = accept(s->fd, NULL, NULL);
		const char *reply;

		if (fd < 0)
			return NULL;
		reply = s->replies[s->n++];
		buf_add_char(&s->requests, '\x01');
		read_request(fd, &s->requests);
		if (reply != NULL && write(fd, reply, strlen(reply)) < 0)
			perror("write");
		shutdown(fd, SHUT_WR);
		close(fd);
	}
}

static void
server_start(struct server *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof a;

	s->requests = BUF(MB);
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(bind(s->fd, (struct sockaddr *)&a, size) == 0 && listen(s->fd, 16) == 0);
	CHECK(getsockname(s->fd, (struct sockaddr *)&a, &size) == 0);
	snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/v1", ntohs(a.sin_port));
	CHECK(pthread_create(&s->thread, NULL, serve, s) == 0);
}

/* Afterwards `requests` and `n` may be read. */
static void
server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

/* ---- one llm on one shard --------------------------------------------------- */

static void
on_stop(struct shard_job *job)
{
	shard_stop(CONTAINER_OF(job, struct bed, stop)->shard);
}

static void
over(struct bed *bed)
{
	if (--bed->live == 0)
		shard_at_turn_end(bed->shard, &bed->stop);
}

static void
on_delta(void *ctx, const struct llm_delta *d)
{
	static const char *const names[] = { "start", "text", "think", "tool", "finish",
	    "usage" };
	struct heard *h = ctx;

	CHECK(h->done == 0);
	buf_add_fmt(&h->log, "%s %.*s%.*s%.*s;", names[d->kind], FMT(d->text_raw),
	    FMT(d->name_raw), FMT(d->args_raw));
	if (++h->deltas == h->cancel_at) {
		llm_cancel(h->call);
		over(h->bed);
	}
}

static void
on_done(void *ctx, int rc, const struct llm_answer *a, const char *event,
    const struct err *e)
{
	struct heard *h = ctx;

	h->done++;
	h->rc = rc;
	if (rc == OK) {
		buf_add(&h->message, a->message_json);
	} else {
		snprintf(h->event, sizeof h->event, "%s", event);
		snprintf(h->words, sizeof h->words, "%s", e->text);
	}
	over(h->bed);
}

void
bed_open(struct bed *b, struct llm_options *o)
{
	struct err e;

	CHECK_RC(client_global_init(&e), OK);
	CHECK_RC(shard_new(&b->shard, 0, &e), OK);
	CHECK_RC(client_new(&b->client, b->shard, &e), OK);
	server_start(&b->server);
	b->stop.run = on_stop;
	o->openai_base_url = str_of(b->server.url);
	if (o->openai_api_key.p == NULL)
		o->openai_api_key = S(KEY);
	if (o->default_model.p == NULL)
		o->default_model = S("openai:gpt-4o");
	CHECK_RC(llm_new(&b->llm, b->shard, b->client, o, &e), OK);
}

void
bed_close(struct bed *b)
{
	llm_free(b->llm);
	client_free(b->client);
	shard_free(b->shard);
	server_stop(&b->server);
	buf_release(&b->server.requests);
}

struct heard
heard_new(struct bed *b)
{
	return (struct heard){ .log = BUF(MB), .message = BUF(MB), .bed = b };
}

void
heard_release(struct heard *h)
{
	buf_release(&h->log);
	buf_release(&h->message);
}

struct llm_call *
begin(struct bed *b, struct heard *h, const struct llm_request *rq)
{
	const struct llm_hooks hooks = { on_delta, on_done, h };
	struct err e = { 0 };

	h->call = llm_start(b->llm, rq, &hooks, &e);
	if (h->call == NULL)
		test_fail(__FILE__, __LINE__, "llm_start: %s", e.text);
	b->live++;
	return h->call;
}

static const struct str hi = S("{\"content\":\"hi\",\"type\":\"human\"}");

struct llm_request *
request(const char *model, const char *base_url)
{
	static struct llm_request rq;

	rq = (struct llm_request){ .model = str_of(model), .base_url = str_of(base_url),
	    .temperature = NAN, .messages = &hi, .messages_n = 1, .stream = true };
	return &rq;
}

const char *
error_reply(int status, const char *more, const char *body)
{
	static char texts[REPLIES_MAX][1024], *text;
	static size_t used;

	text = texts[used++ % REPLIES_MAX];
	snprintf(text, sizeof texts[0], "HTTP/1.1 %d Odd\r\nContent-Type: application/json\r\n"
	    "%sConnection: close\r\nContent-Length: %zu\r\n\r\n%s", status, more,
	    strlen(body), body);
	return text;
}
