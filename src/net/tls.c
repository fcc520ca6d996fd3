/*
 * tls.c - see tls.h.
 *
 * Each pair of files is an SSL_CTX; the first makes connections, and the name that a client
 * asks for (SNI) moves them to another.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/limits.h"
#include "base/mem.h"
#include "net/tls_ticket.h"

#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CIPHERS_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS     "X25519:P-256:P-384"

_Atomic uint64_t tls_handshakes, tls_handshakes_failed, tls_resumed;
_Atomic int64_t tls_open_now, tls_ends_at;

struct tls_cert {
	SSL_CTX *ctx;
	X509 *leaf;                          /* of ctx */
	int64_t ends;
};

struct tls_set {
	atomic_uint refs;
	struct tls *t;
	struct tls_cert *at;
	size_t n;
};

struct tls {
	char **certs, **keys, *client_ca;
	size_t n;
	enum tls_ask ask;
	struct tickets *tickets;
	pthread_mutex_t lock;                /* of set */
	struct tls_set *set;
};

/* ---- sets ------------------------------------------------------------------- */

static int set_index = -1;                   /* of an SSL's own set */
static pthread_once_t index_once = PTHREAD_ONCE_INIT;

static void
set_drop(struct tls_set *s)
{
	if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < s->n; i++)
		SSL_CTX_free(s->at[i].ctx);
	free(s->at);
	free(s);
}

static void
drop_with_ssl(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	(void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
	set_drop(ptr);
}

static void
make_index(void)
{
	set_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, drop_with_ssl);
}

static struct tls_set *
set_hold(struct tls *t)
{
	struct tls_set *s;

	pthread_mutex_lock(&t->lock);
	s = t->set;
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	pthread_mutex_unlock(&t->lock);
	return s;
}

/* ---- what a handshake asks ---------------------------------------------------- */

static int
on_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_set *s = SSL_get_ex_data(ssl, set_index);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert, (void)arg;
	if (name == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	for (size_t i = 0; i < s->n; i++)
		if (X509_check_host(s->at[i].leaf, name, 0, 0, NULL) == 1) {
			SSL_set_SSL_CTX(ssl, s->at[i].ctx);
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_NOACK;
}

/* A client that speaks other protocols only is told so (RFC 7301 section 3.2). */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
    unsigned in_n, void *arg)
{
	static const unsigned char ours[] = "\010http/1.1";

	(void)ssl, (void)arg;
	return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_n, ours,
	    sizeof ours - 1, in, in_n) == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK :
	    SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int
on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int seal)
{
	const struct tls_set *s = SSL_get_ex_data(ssl, set_index);

	return tickets_key(s->t->tickets, (int64_t)time(NULL), name, iv, cipher, mac, seal);
}

/* ---- files ------------------------------------------------------------------- */

/* The last reason that OpenSSL gave. */
static const char *
reason(void)
{
	const char *words = ERR_reason_error_string(ERR_peek_last_error());

	return words == NULL ? "it cannot be read" : words;
}

/* Who owns it alone may read it; a group may where it is root's. */
static int
check_mode(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return OK;                   /* a pipe of the caller's */
	if ((st.st_mode & (S_IRWXO | S_IWGRP)) != 0 ||
	    ((st.st_mode & S_IRGRP) != 0 && st.st_uid == geteuid()))
		return err_set(e, ERR_DENIED, "%s: others than its owner can use it (mode %03o), "
		    "and it holds a private key: chmod 600 it", path, st.st_mode & 0777);
	return OK;
}

static int
no_password(char *out, int size, int rw, void *ctx)
{
	bool *asked = ctx;

	(void)out, (void)size, (void)rw;
	*asked = true;
	return -1;
}

static int
read_key(const struct tls_cert *c, const char *path, const char *cert, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = OK;
	bool asked = false;
	EVP_PKEY *key = NULL;
	FILE *f;

	if (fd < 0)
		return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	rc = check_mode(fd, path, e);
	f = rc == OK ? fdopen(fd, "r") : NULL;
	if (f == NULL) {
		close(fd);
		return rc == OK ? err_set(e, ERR_IO, "%s: %s", path, strerror(errno)) : rc;
	}
	key = PEM_read_PrivateKey(f, NULL, no_password, &asked);
	fclose(f);
	if (asked)
		rc = err_set(e, ERR_INVALID, "%s: the key is encrypted; a server has nobody to "
		    "ask for its password: openssl pkey -in IT -out PLAIN", path);
	else if (key == NULL)
		rc = err_set(e, ERR_INVALID, "%s: expected a private key in PEM: %s", path,
		    reason());
	else if (X509_check_private_key(c->leaf, key) != 1 ||
	    SSL_CTX_use_PrivateKey(c->ctx, key) != 1)
		rc = err_set(e, ERR_INVALID, "%s: the key is not that of the certificate in %s",
		    path, cert);
	EVP_PKEY_free(key);
	return rc;
}

static int
read_clients(SSL_CTX *ctx, const struct tls *t, struct err *e)
{
	STACK_OF(X509_NAME) *names;

	if (t->ask == TLS_ASK_NOTHING)
		return OK;
	names = SSL_load_client_CA_file(t->client_ca);
	if (names == NULL || SSL_CTX_load_verify_file(ctx, t->client_ca) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return err_set(e, ERR_INVALID, "%s: expected certificates in PEM: %s", t->client_ca,
		    access(t->client_ca, R_OK) != 0 ? strerror(errno) : reason());
	}
	SSL_CTX_set_client_CA_list(ctx, names);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (t->ask == TLS_ASK_REQUIRED ?
	    SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
	return OK;
}

static SSL_CTX *
make_context(void)
{
	static const unsigned char here[] = "cohort";
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL)
		abort();                     /* no memory */
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_cipher_list(ctx, CIPHERS_12);
	SSL_CTX_set_ciphersuites(ctx, CIPHERS_13);
	SSL_CTX_set1_groups_list(ctx, GROUPS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, here, sizeof here - 1);
	SSL_CTX_set_timeout(ctx, 2 * LIMIT_TLS_TICKET_MS / 1000);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	return ctx;
}

static int64_t
end_of(const X509 *cert)
{
	struct tm tm = { 0 };

	return ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static int
read_pair(struct tls_cert *c, const struct tls *t, size_t i, struct err *e)
{
	int rc;

	c->ctx = make_context();
	if (access(t->certs[i], R_OK) != 0)
		return err_set(e, ERR_IO, "%s: %s", t->certs[i], strerror(errno));
	if (SSL_CTX_use_certificate_chain_file(c->ctx, t->certs[i]) != 1)
		return err_set(e, ERR_INVALID, "%s: expected a certificate in PEM and those "
		    "that signed it: %s", t->certs[i], reason());
	c->leaf = SSL_CTX_get0_certificate(c->ctx);
	c->ends = end_of(c->leaf);
	rc = read_key(c, t->keys[i], t->certs[i], e);
	return rc == OK ? read_clients(c->ctx, t, e) : rc;
}

static int
read_set(struct tls_set **out, struct tls *t, struct err *e)
{
	struct tls_set *s = mem_new(struct tls_set);
	int rc = OK;

	ERR_clear_error();
	atomic_init(&s->refs, 1);
	s->t = t;
	s->at = mem_zero(t->n * sizeof *s->at);
	for (; rc == OK && s->n < t->n; s->n++)
		rc = read_pair(&s->at[s->n], t, s->n, e);
	ERR_clear_error();
	if (rc != OK) {
		set_drop(s);
		return rc;
	}
	*out = s;
	return OK;
}

/* ---- life -------------------------------------------------------------------- */

/* Of a comma list; how many. */
static size_t
split(struct str list, char ***out)
{
	size_t n = 0, cap = 0;
	struct str one;

	while (list.n > 0 && str_next(&list, ',', &one)) {
		one = str_trim(one);
		if (one.n == 0)
			continue;
		mem_grow(*out, n, cap);
		(*out)[n++] = mem_cstr(one);
	}
	return n;
}

static void
free_list(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

int
tls_reload(struct tls *t, struct err *e)
{
	struct tls_set *fresh = NULL, *old;
	struct str file;
	int rc = read_set(&fresh, t, e);

	if (rc != OK)
		return rc;
	pthread_mutex_lock(&t->lock);
	old = t->set;
	t->set = fresh;
	pthread_mutex_unlock(&t->lock);
	set_drop(old);
	/* A ticket says that a client's certificate was good: for those who were trusted then. */
	if (t->ask != TLS_ASK_NOTHING)
		tickets_forget(t->tickets);
	atomic_store_explicit(&tls_ends_at, tls_first_end(t, &file), memory_order_relaxed);
	return OK;
}

int
tls_new(struct tls **out, const struct tls_options *o, struct err *e)
{
	struct tls *t = mem_new(struct tls);
	size_t keys;
	int rc;

	*out = NULL;
	pthread_once(&index_once, make_index);
	pthread_mutex_init(&t->lock, NULL);
	t->tickets = tickets_new();
	t->ask = o->ask;
	t->client_ca = mem_cstr(o->client_ca);
	t->n = split(o->certs, &t->certs);
	keys = split(o->keys, &t->keys);
	if (t->n == 0 || t->n != keys || t->n > LIMIT_TLS_CERTIFICATES) {
		rc = err_set(e, ERR_INVALID, "expected a key for each certificate, and 1 to %d of "
		    "them, got %zu certificates and %zu keys", LIMIT_TLS_CERTIFICATES, t->n, keys);
		free_list(t->keys, keys);
		t->keys = NULL;
		free_list(t->certs, t->n);
		t->certs = NULL;
		t->n = 0;
	} else {
		rc = tls_reload(t, e);
	}
	if (rc != OK)
		tls_free(t);
	else
		*out = t;
	return rc;
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	set_drop(t->set);
	tickets_free(t->tickets);
	free_list(t->certs, t->n);
	free_list(t->keys, t->n);
	free(t->client_ca);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

int64_t
tls_first_end(struct tls *t, struct str *file)
{
	struct tls_set *s = set_hold(t);
	size_t first = 0;
	int64_t ends;

	for (size_t i = 1; i < s->n; i++)
		if (s->at[i].ends < s->at[first].ends)
			first = i;
	*file = str_of(t->certs[first]);
	ends = s->at[first].ends;
	set_drop(s);
	return ends;
}

struct ssl_st *
tls_accept(struct tls *t, int fd)
{
	struct tls_set *s = set_hold(t);
	SSL *ssl = SSL_new(s->at[0].ctx);

	if (ssl == NULL || SSL_set_ex_data(ssl, set_index, s) != 1 || SSL_set_fd(ssl, fd) != 1)
		abort();                     /* no memory */
	SSL_set_accept_state(ssl);
	return ssl;
}

bool
tls_client(struct ssl_st *ssl, uint8_t out[32])
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	unsigned n = 32;

	return cert != NULL && SSL_get_verify_result(ssl) == X509_V_OK &&
	    X509_cmp_current_time(X509_get0_notAfter(cert)) > 0 &&
	    X509_digest(cert, EVP_sha256(), out, &n) == 1;
}
