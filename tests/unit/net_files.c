/*
 * net_files.c - descriptors: what they are planned for, and who gives one up
 * for whom.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net_serve.h"
#include "harness/test.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "net/client.h"
#include "net/files_priv.h"
#include "unit/net_peer.h"

#define HELLO "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"

/* The plan. */

TEST(files_plan_keeps_what_is_needed)
{
	static const size_t allowed[] = { 64, 100, 200, 1024, 65536, 1 << 20 };
	struct files_plan p;
	struct err e;

	for (size_t i = 0; i < COUNT(allowed); i++) {
		for (unsigned shards = 1; shards <= 8; shards++) {
			CHECK_RC(files_plan_divide(&p, allowed[i], 3, shards, &e), OK);
			CHECK(p.shards >= 1 && p.shards <= shards);
			CHECK(p.clients >= LIMIT_HTTP_CONNS_MIN);
			CHECK(p.clients <= LIMIT_HTTP_CONNS);
			CHECK(p.clients < p.shared);         /* models get some */
			CHECK(p.clients <= p.shared - p.shared / 4);
			CHECK_INT(p.shared + 3 + LIMIT_FILES_PROCESS +
			    LIMIT_FILES_SPARE + p.shards * LIMIT_FILES_SHARD, allowed[i]);
		}
	}
	CHECK_RC(files_plan_divide(&p, 1 << 20, 3, 4, &e), OK);
	CHECK_INT(p.clients, LIMIT_HTTP_CONNS);
	CHECK_INT(p.shards, 4);
	CHECK_RC(files_plan_divide(&p, 64, 3, 4, &e), OK);
	CHECK_INT(p.shards, 2);
}

/* The number it asks for is the least that does. */
TEST(files_plan_says_how_many_are_needed)
{
	struct files_plan p;
	struct err e;
	unsigned needed;

	for (size_t open = 3; open < 50; open += 7) {
		CHECK_RC(files_plan_divide(&p, 20, open, 4, &e), ERR_LIMIT);
		CHECK(sscanf(e.text, "20 open files are allowed, and at least %u",
		    &needed) == 1);
		CHECK_RC(files_plan_divide(&p, needed, open, 4, &e), OK);
		CHECK_INT(p.clients, LIMIT_HTTP_CONNS_MIN);
		CHECK_RC(files_plan_divide(&p, needed - 1, open, 4, &e), ERR_LIMIT);
	}
}

/* Who asks for a model's answer must be able to get one. */
TEST(files_of_the_account_are_shared_by_clients_and_models)
{
	account_set_capacity(&account_files, 100);
	CHECK_INT(files_clients_max(), 75);
	CHECK_INT(files_models_kept(), 50);
	account_set_capacity(&account_files, 2);
	CHECK_INT(files_clients_max(), 1);
	CHECK_INT(files_models_kept(), 1);
	account_set_capacity(&account_files, 1);
	CHECK_INT(files_clients_max(), 0);
	CHECK_INT(files_models_kept(), 1);
	account_set_capacity(&account_files, SIZE_MAX);
	CHECK_INT(files_clients_max(), LIMIT_HTTP_CONNS);
	CHECK_INT(files_models_kept(), LIMIT_LLM_CONCURRENCY);
}

/* Lenders. */

struct lent {
	struct shard *shard;
	struct shard_job after;
	size_t asked, yielded;
};

static void
on_yield(void *ctx, size_t n)
{
	struct lent *x = ctx;

	x->asked++;
	x->yielded += n;
}

static void
on_after(struct shard_job *job)
{
	shard_stop(CONTAINER_OF(job, struct lent, after)->shard);
}

/* However many ask before it runs, a lender is asked once, and again later. */
TEST(files_lender_is_asked_once_at_a_time)
{
	struct lent x = { .after.run = on_after };
	struct files_lender *fl;
	struct err e;

	CHECK_RC(shard_new(&x.shard, 0, &e), OK);
	fl = files_lender_new(x.shard, FILES_CLIENTS, on_yield, &x);
	files_ask(FILES_MODELS);             /* none is idle */
	files_lender_set(fl, 20);
	for (int i = 0; i < 3; i++)
		files_ask(FILES_MODELS);
	shard_post(x.shard, &x.after);
	shard_run(x.shard);
	CHECK_INT(x.asked, 1);
	CHECK_INT(x.yielded, 20 / 8 + 1);
	shard_free(x.shard);

	CHECK_RC(shard_new(&x.shard, 0, &e), OK);
	files_lender_free(fl);
	fl = files_lender_new(x.shard, FILES_MODELS, on_yield, &x);
	files_lender_set(fl, 100000);
	files_ask(FILES_CLIENTS);            /* models are not asked for clients */
	files_ask(FILES_MODELS);
	shard_post(x.shard, &x.after);
	shard_run(x.shard);
	CHECK_INT(x.asked, 2);
	CHECK_INT(x.yielded, 20 / 8 + 1 + 32);
	files_lender_free(fl);
	shard_free(x.shard);
}

/* Clients. */

static int
greet(struct serve *s)
{
	int fd = dial(s);

	say(fd, S(HELLO));
	CHECK_INT(hear_status(fd), 200);
	return fd;
}

static bool
is_silent(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
}

TEST(files_of_the_idlest_client_go_to_a_new_one)
{
	struct serve *s = serve_new(1);
	int first, second, third;

	account_set_capacity(&account_files, 2);
	http_server_limits(s->hs)->idle_min = 0;
	serve_run(s);
	first = greet(s);
	second = greet(s);
	CHECK(is_silent(first) && is_silent(second));    /* none asked for more */
	third = greet(s);
	CHECK(hear_end(first));
	CHECK(is_silent(second));
	say(second, S(HELLO));
	CHECK_INT(hear_status(second), 200);             /* it is the youngest now */
	first = greet(s);
	CHECK(hear_end(third));
	CHECK_INT(account_used(&account_files), 2);
	close(first);
	close(second);
	serve_stop(s);
	CHECK_INT(account_used(&account_files), 0);
}

/* The same for the cap of connections, with files to spare, on two shards. */
TEST(files_past_the_cap_the_idlest_client_goes)
{
	struct serve *s = serve_new(2);

	http_server_limits(s->hs)->conns = 3;
	http_server_limits(s->hs)->idle_min = 0;
	serve_run(s);
	for (int i = 0; i < 40; i++)
		greet(s);
	CHECK(http_server_conns(s->hs) <= 3);
	serve_stop(s);
	CHECK_INT(account_used(&account_files), 0);
}

static void
release_held(struct serve *s)
{
	http_reply(s->held, 204, STR_NONE, STR_NONE, STR_NONE);
}

/* One under way is never closed for another; who comes waits, and one that was
 * idle for a moment only is as good as busy. */
TEST(files_of_busy_and_fresh_clients_are_kept)
{
	struct serve *s = serve_new(1);
	int held, fresh, late;

	account_set_capacity(&account_files, 2);
	http_server_limits(s->hs)->idle_min = 3600 * 1000;
	serve_run(s);
	held = dial(s);
	say(held, S("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"));
	serve_wait(s, 'h');
	fresh = greet(s);
	serve_wait(s, 'd');
	late = dial(s);
	say(late, S(HELLO));
	say(fresh, S(HELLO));
	CHECK_INT(hear_status(fresh), 200);
	CHECK(is_silent(held) && is_silent(late));
	close(fresh);
	CHECK_INT(hear_status(late), 200);
	close(late);
	serve_on(s, 0, release_held);
	CHECK_INT(hear_status(held), 204);
	close(held);
	serve_stop(s);
}

/* Models. */

#define CALLS 4

struct asker {
	struct client *client;
	const char *url;
	msec silence;
	unsigned n;                          /* calls at once */
	int rc[CALLS];
	char why[CALLS][512];
	unsigned begun, ended;
};

struct one {
	struct serve *s;
	unsigned i;
};

static void
on_asker_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	struct one *one = ctx;
	struct asker *x = one->s->user;

	(void)a;
	x->rc[one->i] = rc;
	snprintf(x->why[one->i], sizeof x->why[0], "%s", e->text);
	if (++x->ended == x->n)
		serve_tell(one->s, 'c');
}

static void
asker_go(struct serve *s)
{
	static struct one ones[CALLS];
	struct asker *x = s->user;
	struct client_request req = { .method = S("GET"), .url = str_of(x->url),
		.silence_ms = x->silence };

	if (x->client == NULL)
		CHECK_RC(client_new(&x->client, s->shards[0], NULL), OK);
	x->ended = 0;
	for (unsigned i = 0; i < x->n; i++) {
		ones[i] = (struct one){ s, i };
		client_start(x->client, &req,
		    &(struct client_hooks){ .done = on_asker_done, .ctx = &ones[i] });
	}
}

static void
asker_end(struct serve *s)
{
	struct asker *x = s->user;

	client_free(x->client);
}

static struct serve *
serve_asker(struct asker *x, struct peer *p)
{
	static char url[64];
	struct serve *s;

	CHECK_RC(client_global_init(NULL), OK);
	snprintf(url, sizeof url, "http://127.0.0.1:%u/", p->port);
	x->url = url;
	s = serve_start(1);
	s->user = x;
	return s;
}

/* Answers once CALLS are there, so that each has a connection of its own. */
static void
serve_together(struct peer *p, int fd, int nth)
{
	char request[4096];

	(void)nth;
	while (peer_request(p, fd, request, sizeof request)) {
		while (p->requests % CALLS != 0)
			sched_yield();
		peer_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	}
}

TEST(files_of_idle_models_go_to_clients_first)
{
	struct asker x = { .n = CALLS };
	struct peer *p = peer_start(serve_together, NULL);
	struct serve *s = serve_asker(&x, p);
	int fds[CALLS + 1];

	serve_on(s, 0, asker_go);
	serve_wait(s, 'c');
	for (unsigned i = 0; i < CALLS; i++)
		CHECK_RC(x.rc[i], OK);
	CHECK_INT(p->conns, CALLS);
	CHECK_INT(account_used(&account_files), CALLS);
	account_set_capacity(&account_files, CALLS + 1);
	for (unsigned i = 0; i < COUNT(fds); i++)
		fds[i] = greet(s);
	CHECK_INT(account_used(&account_files), CALLS + 1);
	for (unsigned i = 0; i < COUNT(fds); i++)
		CHECK(is_silent(fds[i]));
	serve_on(s, 0, asker_end);
	CHECK_INT(account_used(&account_files), CALLS + 1);
	for (unsigned i = 0; i < COUNT(fds); i++)
		close(fds[i]);
	serve_stop(s);
	CHECK_INT(account_used(&account_files), 0);
}

/* And the other way round: a call takes that of a client which is idle. */
TEST(files_of_idle_clients_go_to_models)
{
	struct asker x = { .n = 1 };
	struct peer *p = peer_start(peer_serve_count, NULL);
	struct serve *s = serve_asker(&x, p);
	int idle;

	account_set_capacity(&account_files, 1);
	http_server_limits(s->hs)->idle_min = 0;
	idle = greet(s);
	serve_on(s, 0, asker_go);
	serve_wait(s, 'c');
	CHECK_RC(x.rc[0], OK);
	CHECK(hear_end(idle));
	serve_on(s, 0, asker_end);
	serve_stop(s);
	CHECK_INT(account_used(&account_files), 0);
}

/* A call without a descriptor waits; each that ends lets one go on. */
TEST(files_are_waited_for_by_calls)
{
	struct asker x = { .n = CALLS, .silence = 60000 };
	struct peer *p = peer_start(peer_serve_count, NULL);
	struct serve *s = serve_asker(&x, p);

	account_set_capacity(&account_files, 0);
	serve_on(s, 0, asker_go);
	account_set_capacity(&account_files, 1);
	serve_wait(s, 'c');
	for (unsigned i = 0; i < CALLS; i++)
		CHECK_RC(x.rc[i], OK);
	CHECK_INT(p->conns, 1);
	serve_on(s, 0, asker_end);
	serve_stop(s);
	CHECK_INT(account_used(&account_files), 0);
}

TEST(files_are_not_waited_for_without_end)
{
	struct asker x = { .n = 2, .silence = 30 };
	struct peer *p = peer_start(peer_serve_count, NULL);
	struct serve *s = serve_asker(&x, p);

	account_set_capacity(&account_files, 0);
	serve_on(s, 0, asker_go);
	serve_wait(s, 'c');
	CHECK_RC(x.rc[0], ERR_TIMEOUT);
	CHECK_RC(x.rc[1], ERR_TIMEOUT);
	CHECK_STR(str_of(x.why[0]), "no open file was free for a connection in 30 ms");
	CHECK_INT(p->conns, 0);
	serve_on(s, 0, asker_end);
	serve_stop(s);
}

/* What fails to connect, or is freed under way, gives back what it took. */
TEST(files_of_failed_connections_come_back)
{
	struct asker x = { .n = CALLS, .silence = 60000 };
	struct peer *p = peer_start(peer_serve_count, NULL);
	struct serve *s = serve_asker(&x, p);

	account_set_capacity(&account_files, 100);
	peer_refuse(p);
	for (int i = 0; i < 3; i++) {
		serve_on(s, 0, asker_go);
		serve_wait(s, 'c');
		CHECK_RC(x.rc[0], ERR_CLOSED);
		CHECK_INT(account_used(&account_files), 0);
	}
	account_set_capacity(&account_files, 0);
	serve_on(s, 0, asker_go);            /* they wait */
	serve_on(s, 0, asker_end);
	CHECK_INT(account_used(&account_files), 0);
	serve_stop(s);
}
