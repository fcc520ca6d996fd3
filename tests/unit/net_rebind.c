/*
 * net_rebind.c - a client that may not connect to some kinds of addresses, against
 * names whose addresses change.  The names under .rebind are looked up here, in place of
 * the C library.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "net/client.h"
#include "net/host.h"
#include "unit/net_peer.h"

typedef int look_up(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static const char *addresses[3];             /* of every such name; NULL-ended */
static atomic_int looked_up;

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
    struct addrinfo **out)
{
	struct str host = str_of(name);
	look_up *real;
	int rc = 0;

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (!str_ends(host, S(".rebind")))
		return real(name, service, hints, out);
	atomic_fetch_add(&looked_up, 1);
	for (size_t i = 0; rc == 0 && addresses[i] != NULL; i++) {
		rc = real(addresses[i], service, hints, out);
		while (rc == 0 && *out != NULL)
			out = &(*out)->ai_next;
	}
	return rc;
}

static struct shard *shard;
static struct client *client;

struct answer {
	bool done;
	int rc, status;
	char why[512];
};

static void
on_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	struct answer *to = ctx;

	to->done = true;
	to->rc = rc;
	to->status = a->status;
	snprintf(to->why, sizeof to->why, "%s", rc == OK ? "" : e->text);
}

struct question {
	struct shard_job job;
	const struct client_hooks *hooks;
	const struct client_request *req;
};

static void
on_turn(struct shard_job *job)
{
	const struct question *q = (const void *)job;

	client_start(client, q->req, q->hooks);
}

static struct answer
ask(const char *host, const struct peer *p, unsigned refuse)
{
	struct answer a = { 0 };
	char url[128];
	const struct client_hooks hooks = { .done = on_done, .ctx = &a };
	struct client_request req = { .method = S("GET"), .refuse = refuse };
	struct question q = { { .run = on_turn }, &hooks, &req };

	snprintf(url, sizeof url, "http://%s:%u/", host, p->port);
	req.url = str_of(url);
	shard_post(shard, &q.job);
	while (!a.done)
		shard_turn(shard);
	return a;
}

static void
setup(void)
{
	struct err e;

	CHECK_RC(client_global_init(&e), OK);
	CHECK_RC(shard_new(&shard, 0, &e), OK);
	CHECK_RC(client_new(&client, shard, &e), OK);
}

static void
teardown(void)
{
	client_free(client);
	shard_free(shard);
}

#define LOOPBACK HOST_BIT(HOST_LOOPBACK)
#define METADATA HOST_BIT(HOST_LINK_LOCAL)

TEST(client_refuses_addresses_however_they_are_named)
{
	static const char *const hosts[] = { "127.0.0.1", "127.1.2.3", "[::1]",
		"[::ffff:127.0.0.1]", "localhost", "one.rebind",
		/* forms that the C library or libcurl read as an address */
		"0x7f.1", "2130706433", "0177.0.0.1", "127.1" };
	struct peer *p;

	setup();
	p = peer_start(peer_serve_count, NULL);
	addresses[0] = "127.0.0.1";
	for (size_t i = 0; i < COUNT(hosts); i++) {
		struct answer a = ask(hosts[i], p, HOST_NOT_PUBLIC);

		CHECK_RC(a.rc, ERR_DENIED);
		CHECK(strstr(a.why, "loopback address") != NULL);
	}
	CHECK_INT(p->conns, 0);
	teardown();
}

/* What was looked up is what is connected to: there is no second look-up that could
 * say something else. */
TEST(client_connects_to_the_address_that_it_checked)
{
	struct peer *p;
	struct answer a;

	setup();
	p = peer_start(peer_serve_count, NULL);
	addresses[0] = "127.0.0.1";
	a = ask("once.rebind", p, METADATA);
	CHECK_RC(a.rc, OK);
	CHECK_INT(a.status, 200);
	CHECK_INT(looked_up, 1);
	addresses[0] = "169.254.169.254";
	a = ask("once.rebind", p, METADATA);
	CHECK_RC(a.rc, OK);
	CHECK_INT(looked_up, 1);
	teardown();
	/* When its time is over the name is looked up again, and judged again. */
	setup();
	a = ask("once.rebind", p, METADATA);
	CHECK_RC(a.rc, ERR_DENIED);
	CHECK(strstr(a.why, "once.rebind has the link-local address 169.254.169.254") != NULL);
	CHECK_INT(looked_up, 2);
	teardown();
}

/* One bad address is enough: which one is tried first is the network's choice.  A good
 * IPv4 and a bad IPv6 address, too (VibeNVR 297). */
TEST(client_refuses_a_name_with_mixed_addresses)
{
	struct peer *p;
	struct answer a;

	setup();
	p = peer_start(peer_serve_count, NULL);
	addresses[0] = "127.0.0.1";
	addresses[1] = "169.254.169.254";
	a = ask("mixed.rebind", p, METADATA);
	CHECK_RC(a.rc, ERR_DENIED);
	addresses[1] = "fe80::1";
	CHECK_RC(ask("both.rebind", p, METADATA).rc, ERR_DENIED);
	addresses[1] = NULL;
	CHECK_RC(ask("one.rebind", p, METADATA).rc, OK);
	CHECK_INT(p->conns, 1);
	teardown();
}

/* A connection that somebody else made was not judged. */
TEST(client_takes_no_kept_connection_past_the_check)
{
	struct peer *p;

	setup();
	p = peer_start(peer_serve_count, NULL);
	addresses[0] = "127.0.0.1";
	CHECK_RC(ask("kept.rebind", p, 0).rc, OK);
	CHECK_RC(ask("kept.rebind", p, LOOPBACK).rc, ERR_DENIED);
	CHECK_RC(ask("127.0.0.1", p, 0).rc, OK);
	CHECK_RC(ask("127.0.0.1", p, LOOPBACK).rc, ERR_DENIED);
	CHECK_RC(ask("127.0.0.1", p, METADATA).rc, OK);
	CHECK_RC(ask("127.0.0.1", p, 0).rc, OK);
	CHECK_INT(p->requests, 4);
	CHECK_INT(p->conns, 3);              /* the one with a check is its own */
	teardown();
}
