/*
 * net_tls.c - TLS of the HTTP server: handshakes, their time and room, bytes both ways.
 * What certificates are refused and chosen is tests/e2e/tls.mjs's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net_serve.h"
#include "harness/test.h"
#include "base/account.h"
#include "base/mem.h"
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

/* A key and a certificate of itself, in files. */
static void
make_pair(const char *cert, const char *key)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	FILE *f;

	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, k);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	    (const unsigned char *)"here", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	CHECK(X509_sign(x, k, EVP_sha256()) > 0);
	f = fopen(cert, "w");
	CHECK(PEM_write_X509(f, x) == 1);
	fclose(f);
	f = fdopen(open(key, O_CREAT | O_WRONLY, 0600), "w");
	CHECK(PEM_write_PrivateKey(f, k, NULL, NULL, 0, NULL, NULL) == 1);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(k);
}

static struct tls *
make_tls(void)
{
	struct tls *t;
	struct err e;

	make_pair("c.pem", "k.pem");
	CHECK_RC(tls_new(&t, &(struct tls_options){ .certs = S("c.pem"), .keys = S("k.pem") }, &e),
	    OK);
	return t;
}

static struct serve *
serve_tls(struct tls *t)
{
	const struct http_listen at = { .host = S("127.0.0.1"), .tls = true };

	return serve_with(1, &(struct http_options){ .at = &at, .at_n = 1, .shards = 1, .tls = t });
}

static SSL *
client(int fd)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);

	SSL_CTX_free(ctx);
	SSL_set_fd(ssl, fd);
	SSL_set_connect_state(ssl);
	return ssl;
}

static void
hear_tls(SSL *ssl, size_t n)
{
	char text[16 * KB];
	size_t got;

	while (n > 0) {
		CHECK(SSL_read_ex(ssl, text, sizeof text < n ? sizeof text : n, &got) == 1);
		n -= got;
	}
}

/* Reads an answer's head and returns its length of body. */
static size_t
hear_head(SSL *ssl)
{
	char text[4 * KB] = "";
	size_t n = 0, got;
	const char *at;

	while (strstr(text, "\r\n\r\n") == NULL) {
		CHECK(n < sizeof text - 1 && SSL_read_ex(ssl, text + n, 1, &got) == 1);
		text[++n] = '\0';
	}
	CHECK(strncmp(text, "HTTP/1.1 200", 12) == 0);
	at = strcasestr(text, "content-length: ");
	CHECK(at != NULL);
	return (size_t)strtoul(at + 16, NULL, 10);
}

/* Bodies around the size of a record, each on the same connection; the answer is the body with
 * "POST  " before it. */
TEST(tls_carries_bodies_of_all_sizes)
{
	static const size_t sizes[] = { 0, 1, 16383, 16384, 16385, 100000, 1000000 };
	struct tls *t = make_tls();
	struct serve *s = serve_tls(t);
	int fd;
	SSL *ssl;

	serve_run(s);
	fd = dial(s);
	ssl = client(fd);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		char *body = mem_alloc(sizes[i] + 1), head[100];
		size_t n;
		int head_n = snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\nhost: x\r\n"
		    "content-length: %zu\r\n\r\n", sizes[i]);

		memset(body, 'b', sizes[i]);
		CHECK(SSL_write_ex(ssl, head, (size_t)head_n, &n) == 1);
		CHECK(sizes[i] == 0 || SSL_write_ex(ssl, body, sizes[i], &n) == 1);
		n = hear_head(ssl);
		CHECK_INT(n, sizes[i] + 6);
		CHECK_INT(account_used(&account_tls), LIMIT_TLS_CONN_BYTES);
		hear_tls(ssl, n);
		free(body);
	}
	CHECK(SSL_shutdown(ssl) >= 0);
	SSL_free(ssl);
	close(fd);
	serve_stop(s);
	CHECK_INT(account_used(&account_tls), 0);
	tls_free(t);
}

/* Not: it has said nothing for as long as we wait. */
static bool
is_cut(int fd)
{
	char text[8];
	ssize_t n = recv(fd, text, sizeof text, 0);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

TEST(tls_cuts_a_slow_handshake)
{
	struct tls *t = make_tls();
	struct serve *s = serve_tls(t);
	int silent, half;

	http_server_limits(s->hs)->handshake = 20;
	serve_run(s);
	silent = dial(s);
	half = dial(s);
	say(half, S("\x16\x03\x01\x02"));
	CHECK(is_cut(silent));
	CHECK(is_cut(half));
	close(silent);
	close(half);
	serve_stop(s);
	tls_free(t);
}

/* With room for two handshakes the third one cuts the first, and the last is served. */
TEST(tls_gives_up_the_oldest_handshake_for_a_new_one)
{
	struct tls *t = make_tls();
	struct serve *s = serve_tls(t);
	int fd[3], last;
	SSL *ssl;
	size_t n;

	http_server_limits(s->hs)->handshake = 60000;
	account_set_capacity(&account_tls, 2 * LIMIT_TLS_HANDSHAKE_BYTES);
	serve_run(s);
	for (int i = 0; i < 3; i++) {
		fd[i] = dial(s);
		say(fd[i], S("\x16\x03\x01\x02"));
	}
	CHECK(is_cut(fd[0]));
	last = dial(s);
	ssl = client(last);
	CHECK(SSL_write_ex(ssl, "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n", 32, &n) == 1);
	CHECK_INT(hear_head(ssl), 5);
	SSL_free(ssl);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	close(last);
	serve_stop(s);
	tls_free(t);
}

TEST(tls_port_tells_plain_http)
{
	struct tls *t = make_tls();
	struct serve *s = serve_tls(t);

	serve_run(s);
	CHECK_INT(ask(s, S("GET / HTTP/1.1\r\nhost: x\r\n\r\n")), 400);
	CHECK_INT(ask(s, S("\x80\x2e\x01\x00\x02 SSL 2")), 0);
	serve_stop(s);
	tls_free(t);
}

/* What a drain finds: silent, half a handshake, idle; none of them holds it up. */
TEST(tls_drains_handshakes_and_idle_connections)
{
	struct tls *t = make_tls();
	struct serve *s = serve_tls(t);
	int silent, half, idle;
	SSL *ssl;
	size_t n;

	serve_run(s);
	silent = dial(s);
	half = dial(s);
	say(half, S("\x16\x03"));
	idle = dial(s);
	ssl = client(idle);
	CHECK(SSL_write_ex(ssl, "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n", 32, &n) == 1);
	hear_tls(ssl, hear_head(ssl));
	serve_stop(s);
	SSL_free(ssl);
	close(silent);
	close(half);
	close(idle);
	tls_free(t);
}

/* Certificates are replaced while others shake hands. */
TEST(tls_reloads_under_handshakes)
{
	struct tls *t = make_tls();
	struct serve *s = serve_tls(t);
	struct str file;
	struct err e;
	int fd[10];
	SSL *ssl[10];
	size_t n;

	serve_run(s);
	for (size_t i = 0; i < COUNT(fd); i++) {
		fd[i] = dial(s);
		ssl[i] = client(fd[i]);
		CHECK(i % 2 == 0 || SSL_do_handshake(ssl[i]) == 1);
		CHECK_RC(tls_reload(t, &e), OK);
	}
	close(open("c.pem", O_TRUNC | O_WRONLY));
	CHECK_RC(tls_reload(t, &e), ERR_INVALID);
	CHECK(tls_first_end(t, &file) > 0);
	for (size_t i = 0; i < COUNT(fd); i++) {
		CHECK(SSL_write_ex(ssl[i], "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n", 32, &n) == 1);
		hear_tls(ssl[i], hear_head(ssl[i]));
		SSL_free(ssl[i]);
		close(fd[i]);
	}
	serve_stop(s);
	tls_free(t);
}
