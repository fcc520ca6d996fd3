/*
 * net_client.c - the HTTP client against a peer of plain sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "net/client.h"
#include "net/resolve_priv.h"
#include "net/route.h"
#include "unit/net_peer.h"

/* One call and what became of it. */
struct seen {
	struct client_call *call;
	bool head, done;
	int rc, status;
	char body[256], type[64], retry[32], why[512];
	size_t body_n;
	struct client *then_client;          /* start this one from done */
	const char *then_url;
	struct seen *then;
	struct seen *cancel;                 /* cancel this one from data */
};

static struct shard *shard;
static struct client *client;
static int open_calls;

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WATCHED_BY_TSAN
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define WATCHED_BY_TSAN
#endif

#ifndef WATCHED_BY_TSAN
static atomic_int threads_made;

/* Stands in front of the library's, for libuv and libcurl as well.  The thread
 * sanitizer stands there itself: under it nothing is counted. */
int
pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
	atomic_fetch_add(&threads_made, 1);
	return real(t, attr, fn, arg);
}
#endif

static void start(struct seen *s, const char *url, const struct client_request *with);

static void
on_head(void *ctx, const struct client_answer *a)
{
	struct seen *s = ctx;

	CHECK(!s->head);
	s->head = true;
	s->status = a->status;
	snprintf(s->type, sizeof s->type, "%.*s", FMT(a->content_type));
	snprintf(s->retry, sizeof s->retry, "%.*s", FMT(a->retry_after));
}

static void
close_call(void)
{
	if (--open_calls == 0)
		shard_stop(shard);
}

static void
on_data(void *ctx, struct str bytes)
{
	struct seen *s = ctx;

	CHECK(s->body_n + bytes.n < sizeof s->body);
	memcpy(s->body + s->body_n, bytes.p, bytes.n);
	s->body_n += bytes.n;
	if (s->cancel != NULL) {
		client_cancel(s->cancel->call);
		s->cancel = NULL;
		close_call();
	}
}

static void
on_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	struct seen *s = ctx;

	CHECK(!s->done);
	CHECK(rc != OK || a->status == s->status);
	s->done = true;
	s->rc = rc;
	snprintf(s->why, sizeof s->why, "%s", e->text);
	if (s->then != NULL)
		start(s->then, s->then_url, NULL);
	close_call();
}

static void
start(struct seen *s, const char *url, const struct client_request *with)
{
	struct client_hooks hooks = { on_head, on_data, on_done, s };
	struct client_request req = { .method = S("GET") };

	if (with != NULL)
		req = *with;
	req.url = str_of(url);
	open_calls++;
	s->call = client_start(client, &req, &hooks);
	CHECK(s->call != NULL && !s->done);
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

static void
run(void)
{
	shard_run(shard);
	CHECK_INT(open_calls, 0);
}

static const char *
url_of(const struct peer *p, const char *path)
{
	static char text[4][256];
	static int at;
	char *out = text[at++ % 4];

	snprintf(out, sizeof text[0], "http://127.0.0.1:%u%s", p->port, path);
	return out;
}

TEST(client_reuses_a_kept_connection)
{
	struct peer *p;
	struct seen s[3] = { 0 };

	setup();
	p = peer_start(peer_serve_count, NULL);
	s[0].then = &s[1];
	s[1].then = &s[2];
	s[0].then_url = s[1].then_url = url_of(p, "/again");
	start(&s[0], url_of(p, "/"), NULL);
	run();
	for (size_t i = 0; i < COUNT(s); i++) {
		CHECK_RC(s[i].rc, OK);
		CHECK_INT(s[i].status, 200);
		CHECK_INT(s[i].body[0], '1' + (int)i);
		CHECK_STR(str_of(s[i].type), "text/plain");
	}
	CHECK_INT(p->conns, 1);
	teardown();
}

static void
serve_echo_request(struct peer *p, int fd, int nth)
{
	static const char answer[] =
	    "HTTP/1.1 100 Continue\r\n\r\n"
	    "HTTP/1.1 429 Too Many Requests\r\nRETRY-AFTER:  7 \r\n"
	    "Transfer-Encoding: chunked\r\n\r\n4\r\nslow\r\n0\r\n\r\n";

	(void)nth;
	if (peer_request(p, fd, p->user, 8192))
		peer_write(fd, answer);
	peer_wait_closed(fd);
}

/* What goes out is what was asked for, no more; what comes back is told once,
 * without the interim head. */
TEST(client_sends_what_it_was_given)
{
	static char sent[8192];
	struct peer *p;
	struct seen s = { 0 };
	struct client_request req = {
		.method = S("POST"), .body = S("{\"a\":1}"),
		.headers = S("Authorization: Bearer k\r\nContent-Type: application/json\r\n"),
	};

	setup();
	p = peer_start(serve_echo_request, sent);
	start(&s, url_of(p, "/v1/x?y=1"), &req);
	run();
	CHECK_RC(s.rc, OK);
	CHECK_INT(s.status, 429);
	CHECK_STR(str_of(s.retry), "7");
	CHECK_STR(((struct str){ s.body, s.body_n }), "slow");
	CHECK(strncmp(sent, "POST /v1/x?y=1 HTTP/1.1\r\n", 25) == 0);
	CHECK(strstr(sent, "\r\nAuthorization: Bearer k\r\n") != NULL);
	CHECK(strstr(sent, "\r\nContent-Type: application/json\r\n") != NULL);
	CHECK(strstr(sent, "\r\nContent-Length: 7\r\n") != NULL);
	CHECK(strstr(sent, "Expect") == NULL);
	CHECK(strstr(sent, "\r\n\r\n{\"a\":1}") != NULL);
	teardown();
}

static void
serve_one_then_close(struct peer *p, int fd, int nth)
{
	char request[8192];

	(void)nth;
	if (peer_request(p, fd, request, sizeof request))
		peer_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
}

/* The peer closes after each answer without a word: the next call must not
 * fail on the dead connection. */
TEST(client_survives_a_kept_connection_that_was_closed)
{
	struct peer *p;
	struct seen s[3] = { 0 };

	setup();
	p = peer_start(serve_one_then_close, NULL);
	s[0].then = &s[1];
	s[1].then = &s[2];
	s[0].then_url = s[1].then_url = url_of(p, "/");
	start(&s[0], url_of(p, "/"), NULL);
	run();
	for (size_t i = 0; i < COUNT(s); i++)
		CHECK_RC(s[i].rc, OK);
	CHECK_INT(p->requests, 3);
	teardown();
}

static void
serve_cut_short(struct peer *p, int fd, int nth)
{
	char request[8192];

	(void)nth;
	if (peer_request(p, fd, request, sizeof request))
		peer_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}

TEST(client_reports_an_answer_that_was_cut_short)
{
	struct peer *p;
	struct seen s = { 0 };

	setup();
	p = peer_start(serve_cut_short, NULL);
	start(&s, url_of(p, "/"), NULL);
	run();
	CHECK_RC(s.rc, ERR_CLOSED);
	CHECK(s.head && s.why[0] != '\0');
	CHECK_STR(((struct str){ s.body, s.body_n }), "half");
	teardown();
}

static void
serve_silence(struct peer *p, int fd, int nth)
{
	char request[8192];

	(void)nth;
	if (peer_request(p, fd, request, sizeof request))
		peer_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	peer_wait_closed(fd);
}

TEST(client_gives_up_on_silence)
{
	struct client_request req = { .method = S("GET"), .silence_ms = 30 };
	struct peer *p;
	struct seen s = { 0 };

	setup();
	p = peer_start(serve_silence, NULL);
	start(&s, url_of(p, "/"), &req);
	run();
	CHECK_RC(s.rc, ERR_TIMEOUT);
	CHECK(strstr(s.why, "30 ms") != NULL);
	teardown();
}

TEST(client_stops_at_the_maximum_of_the_body)
{
	struct client_request req = { .method = S("GET"), .body_max = 3 };
	struct peer *p;
	struct seen s = { 0 };

	setup();
	p = peer_start(serve_silence, NULL);
	start(&s, url_of(p, "/"), &req);
	run();
	CHECK_RC(s.rc, ERR_TOOBIG);
	CHECK_INT(s.body_n, 0);
	teardown();
}

TEST(client_refuses_what_is_no_http_url)
{
	static const char *const urls[] = {
		"file:///etc/passwd", "http://", "http://h:99999/", "http://a b/", "gopher://x",
		"http://[::1/", "",
	};
	struct seen s[COUNT(urls)] = { 0 };

	setup();
	for (size_t i = 0; i < COUNT(urls); i++)
		start(&s[i], urls[i], NULL);
	run();
	for (size_t i = 0; i < COUNT(urls); i++)
		CHECK_RC(s[i].rc, ERR_INVALID);
	teardown();
}

TEST(client_reports_a_refused_connection)
{
	struct peer *p;
	struct seen s = { 0 };

	setup();
	p = peer_start(peer_serve_count, NULL);
	peer_refuse(p);
	start(&s, url_of(p, "/"), NULL);
	run();
	CHECK_RC(s.rc, ERR_CLOSED);
	CHECK_INT(s.status, 0);
	teardown();
}

static void
serve_stream(struct peer *p, int fd, int nth)
{
	char request[8192];

	(void)nth;
	if (peer_request(p, fd, request, sizeof request))
		peer_write(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "1\r\nx\r\n");
	peer_wait_closed(fd);
}

/* Cancelling from the data hook: of the call itself, and of another. */
TEST(client_cancels_from_inside_a_hook)
{
	struct peer *p;
	struct seen self = { 0 }, other = { 0 }, third = { 0 };

	setup();
	p = peer_start(serve_stream, NULL);
	self.cancel = &self;
	start(&self, url_of(p, "/"), NULL);
	run();
	CHECK(!self.done && self.head);
	teardown();

	setup();
	other.cancel = &third;
	start(&other, url_of(p, "/"), NULL);
	start(&third, url_of(p, "/"), NULL);
	open_calls--;                        /* other never ends */
	shard_run(shard);
	CHECK(!other.done && !third.done);
	teardown();
}

static void
cancel_late(struct shard_job *job)
{
	(void)job;
	shard_stop(shard);
}

TEST(client_cancels_before_anything_was_sent)
{
	struct shard_job job = { .run = cancel_late };
	struct peer *p;
	struct seen literal = { 0 }, named = { 0 };
	char url[128];

	setup();
	p = peer_start(peer_serve_count, NULL);
	snprintf(url, sizeof url, "http://localhost:%u/", p->port);
	start(&literal, url_of(p, "/"), NULL);
	start(&named, url, NULL);
	client_cancel(literal.call);
	client_cancel(named.call);
	shard_post(shard, &job);
	shard_run(shard);
	CHECK(!literal.done && !named.done);
	CHECK_INT(p->conns, 0);
	teardown();
}

TEST(client_free_ends_calls_in_silence)
{
	struct shard_job job = { .run = cancel_late };
	struct peer *p;
	struct seen s[4] = { 0 };

	setup();
	p = peer_start(serve_stream, NULL);
	for (size_t i = 0; i < COUNT(s); i++)
		start(&s[i], url_of(p, "/"), NULL);
	shard_post(shard, &job);
	shard_run(shard);
	teardown();
	for (size_t i = 0; i < COUNT(s); i++)
		CHECK(!s[i].done);
}

static void
free_with_queue(struct shard_job *job)
{
	(void)job;
	client_free(client);
	shard_stop(shard);
}

/* The end of the turn comes to the client after its calls are gone. */
TEST(client_is_freed_in_a_turn_that_queued_calls)
{
	struct shard_job job = { .run = free_with_queue };
	struct peer *p;
	struct seen s[4] = { 0 };

	setup();
	p = peer_start(peer_serve_count, NULL);
	for (size_t i = 0; i < COUNT(s); i++)
		start(&s[i], url_of(p, "/"), NULL);
	client_cancel(s[3].call);
	shard_post(shard, &job);
	shard_run(shard);
	for (size_t i = 0; i < COUNT(s); i++)
		CHECK(!s[i].done);
	CHECK_INT(p->conns, 0);
	shard_free(shard);
}

/* A name from the hosts file, as "localhost" is a case of its own in libcurl. */
static bool
host_name(char *out, size_t size)
{
	struct route r = { 0 };

	if (gethostname(out, size) != 0)
		return false;
	r.host = str_of(out);
	return !host_is_loopback(r.host) && !host_is_literal(r.host);
}

TEST(client_knows_private_addresses)
{
	static const char *const private[] = { "127.0.0.1", "10.1.2.3", "172.31.0.1",
		"192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
		"255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "ff02::1",
		"::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::" };
	static const char *const public[] = { "8.8.8.8", "172.32.0.1", "100.128.0.1",
		"2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "example.com" };

	for (size_t i = 0; i < COUNT(private); i++)
		CHECK(host_is_private(str_of(private[i])));
	for (size_t i = 0; i < COUNT(public); i++)
		CHECK(!host_is_private(str_of(public[i])));
}

TEST(client_tells_the_address_of_a_peer)
{
	CHECK_STR(host_of_peer(S("127.0.0.1:4242")), "127.0.0.1");
	CHECK_STR(host_of_peer(S("[fe80::1]:80")), "fe80::1");
	CHECK_STR(host_of_peer(S("unix")), "unix");
	CHECK_STR(host_of_peer(S("")), "");
}

/* libcurl's own resolver would make a thread for each of these. */
TEST(client_makes_no_thread_a_name)
{
	enum { CALLS = 200 };
	static struct seen s[CALLS];
	char name[64], url[128];
	struct peer *p;

	if (!host_name(name, sizeof name))
		return;
	setenv("UV_THREADPOOL_SIZE", "2", 1);
	setup();
	p = peer_start(serve_one_then_close, NULL);
	snprintf(url, sizeof url, "http://%s:%u/", name, p->port);
	for (int i = 0; i < CALLS; i++)
		start(&s[i], url, NULL);
	run();
	for (int i = 0; i < CALLS; i++)
		CHECK(s[i].rc == OK || s[i].rc == ERR_CLOSED);
	if (s[0].rc == OK)
		CHECK_INT(p->requests, CALLS);
	/* Beside the peer's own: the loop's pool, once. */
#ifndef WATCHED_BY_TSAN
	CHECK_INT(threads_made - 1 - p->conns, 2);
#endif
	teardown();
}

TEST(client_reports_a_name_that_is_none)
{
	struct seen s[2] = { 0 };

	setup();
	s[0].then = &s[1];
	s[0].then_url = "http://no-such-host.invalid/";
	start(&s[0], "http://no-such-host.invalid/", NULL);
	run();
	CHECK_RC(s[0].rc, ERR_CLOSED);
	CHECK(strstr(s[0].why, "no-such-host.invalid") != NULL);
	CHECK_RC(s[1].rc, ERR_CLOSED);
	teardown();
}

static struct shard *names_shard;

struct asking {
	struct resolve_waiter waiter;
	struct wheel_timer again;
	struct resolver *r;
	unsigned failed, kept;
};

static void
ask_name(struct wheel_timer *t)
{
	struct asking *x = CONTAINER_OF(t, struct asking, again);
	struct resolved *a = resolver_get(x->r, S("no-such-host.invalid"), 80, &x->waiter);

	if (a == NULL)
		return;
	CHECK_RC(a->rc, ERR_CLOSED);
	x->kept++;
	shard_timer_set(names_shard, t, 20);
}

static void
name_failed(struct resolve_waiter *w, struct resolved *a)
{
	struct asking *x = CONTAINER_OF(w, struct asking, waiter);

	CHECK_RC(a->rc, ERR_CLOSED);
	/* However it is written. */
	CHECK(resolver_get(x->r, S("No-Such-Host.INVALID"), 80, NULL) != NULL);
	if (++x->failed == 2)
		shard_stop(names_shard);
	else
		shard_timer_set(names_shard, &x->again, 0);
}

/* A name that is not there is not looked up by every call; but its server may
 * come back, and then it is found soon. */
TEST(resolver_asks_again_for_a_name_that_failed)
{
	struct asking x = { .waiter.done = name_failed, .again.fire = ask_name };
	struct err e;

	CHECK_RC(shard_new(&names_shard, 0, &e), OK);
	x.r = resolver_new(names_shard);
	shard_timer_set(names_shard, &x.again, 0);
	shard_run(names_shard);
	CHECK(x.kept > 1);
	resolver_free(x.r);
	shard_free(names_shard);
}

TEST(client_does_many_at_once)
{
	enum { CALLS = 300 };
	static struct seen s[CALLS];
	struct client_request req = { .method = S("POST"), .body = S("0123456789") };
	struct peer *p;

	setup();
	p = peer_start(peer_serve_count, NULL);
	for (int i = 0; i < CALLS; i++)
		start(&s[i], url_of(p, "/"), &req);
	run();
	for (int i = 0; i < CALLS; i++)
		CHECK_RC(s[i].rc, OK);
	CHECK_INT(p->requests, CALLS);
	teardown();
}

static bool
direct(const struct proxies *px, const char *url)
{
	struct route r;

	CHECK_RC(route_parse(str_of(url), &r, NULL), OK);
	return proxies_pick(px, &r) == NULL;
}

TEST(proxy_comes_from_the_environment)
{
	struct proxies px;
	struct err e;

	setenv("http_proxy", "proxy.example:3128", 1);
	setenv("HTTPS_PROXY", "http://u:p@tls.example", 1);
	setenv("no_proxy", "internal.example, .corp, 10.0.0.0/8", 1);
	CHECK_RC(proxies_load(&px, &e), OK);
	CHECK_STR(px.plain.route.host, "proxy.example");
	CHECK_INT(px.plain.route.port, 3128);
	CHECK_STR(px.tls.route.host, "tls.example");
	CHECK(!direct(&px, "http://api.example/"));
	CHECK(!direct(&px, "https://notinternal.example/"));
	CHECK(direct(&px, "https://internal.example/"));
	CHECK(direct(&px, "https://a.INTERNAL.example/"));
	CHECK(direct(&px, "http://x.corp/"));
	CHECK(direct(&px, "http://10.9.8.7:80/"));
	CHECK(!direct(&px, "http://11.9.8.7/"));
	CHECK(direct(&px, "http://localhost:11434/"));
	CHECK(direct(&px, "http://127.9.9.9/"));
	CHECK(direct(&px, "http://[::1]:80/"));
	proxies_release(&px);

	setenv("https_proxy", "socks4://x", 1);
	CHECK_RC(proxies_load(&px, &e), ERR_INVALID);
}

static void
serve_as_proxy(struct peer *p, int fd, int nth)
{
	serve_echo_request(p, fd, nth);
}

/* The proxy resolves the host's name; we only the proxy's. */
TEST(client_goes_through_a_proxy)
{
	static char sent[8192];
	struct peer *p;
	struct seen s = { 0 };
	char value[64];

	p = peer_start(serve_as_proxy, sent);
	snprintf(value, sizeof value, "http://127.0.0.1:%u", p->port);
	setenv("http_proxy", value, 1);
	unsetenv("no_proxy");
	unsetenv("NO_PROXY");
	setup();
	start(&s, "http://api.no-such-host.invalid/v1", NULL);
	run();
	CHECK_RC(s.rc, OK);
	CHECK_INT(s.status, 429);
	CHECK(strncmp(sent, "GET http://api.no-such-host.invalid/v1 HTTP/1.1", 47) == 0);
	teardown();
}

TEST(route_reads_urls)
{
	struct route r;

	CHECK_RC(route_parse(S("HTTPS://User:pw@Example.com:8443/v1?x=1"), &r, NULL), OK);
	CHECK_STR(r.host, "Example.com");
	CHECK_INT(r.port, 8443);
	CHECK(r.tls && !r.literal);
	CHECK_STR(r.path, "/v1?x=1");
	CHECK_RC(route_parse(S("http://[2001:db8::1]"), &r, NULL), OK);
	CHECK_STR(r.host, "2001:db8::1");
	CHECK_INT(r.port, 80);
	CHECK(r.literal);
	CHECK_RC(route_parse(S("http://h:0/"), &r, NULL), ERR_INVALID);
	CHECK_RC(route_parse(S("http://:80/"), &r, NULL), ERR_INVALID);
	CHECK_RC(route_parse(S("http://good.example\\@evil.example/"), &r, NULL),
	    ERR_INVALID);
}
