/*
 * call.c - one libcurl easy handle: what it sends and what it hears.
 *
 * Handles are kept and used again, with everything that never changes set
 * once; a call sets the rest.  URL, headers and body live in one block, and
 * the list of header lines points into it, so a warm call allocates nothing
 * on our side.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/client_priv.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"

#define CA_FILE       "/etc/ssl/certs/ca-certificates.crt"
#define RECEIVE_BYTES 2048L                  /* libcurl keeps one a transfer; ten tokens */
#define KEEP_TEXT     (16 * KB)              /* a spare keeps no more */

/* Fails only for options libcurl was built without, or for want of memory. */
#define SET(easy, option, value)                                            \
	do {                                                                \
		CURLcode set_ = curl_easy_setopt((easy), (option), (value));\
		assert(set_ == CURLE_OK);                                   \
	} while (0)

static void
value_set(struct header_value *v, struct str text)
{
	v->n = text.n < sizeof v->text ? text.n : sizeof v->text;
	memcpy(v->text, text.p, v->n);
}

static struct str
value_str(const struct header_value *v)
{
	return (struct str){ v->text, v->n };
}

static void
values_clear(struct client_call *call)
{
	call->content_type.n = call->retry_after.n = call->retry_after_ms.n = 0;
	free(call->location);
	free(call->mcp_session);
	call->location = call->mcp_session = NULL;
	call->max_age = -1;
}

struct client_answer
client_call_answer(const struct client_call *call)
{
	return (struct client_answer){
		.status = call->head_done ? call->status : 0,
		.content_type = value_str(&call->content_type),
		.retry_after = value_str(&call->retry_after),
		.retry_after_ms = value_str(&call->retry_after_ms),
		.location = str_of(call->location),
		.mcp_session = str_of(call->mcp_session),
		.max_age = call->max_age,
	};
}

/* "HTTP/1.1 200 OK" or "HTTP/2 200": a new head, maybe after a 100. */
static void
status_line(struct client_call *call, struct str line)
{
	ptrdiff_t blank = str_index(line, ' ');
	uint64_t status = 0;

	if (blank < 0 || !str_to_u64(str_sub(line, (size_t)blank + 1, 3), &status))
		status = 0;
	call->status = (int)status;
	values_clear(call);
}

/* max-age of Cache-Control; no-store and no-cache are 0. */
static void
read_max_age(struct client_call *call, struct str value)
{
	struct str part;

	while (str_next(&value, ',', &part)) {
		part = str_trim(part);
		if (str_eq_nocase(part, S("no-store")) || str_eq_nocase(part, S("no-cache")))
			call->max_age = 0;
		else if (str_eq_nocase(str_sub(part, 0, 8), S("max-age=")) &&
		    call->max_age < 0 && (!str_to_i64(str_sub(part, 8, part.n),
		    &call->max_age) || call->max_age < 0))
			call->max_age = -1;
	}
}

static void
header_line(struct client_call *call, struct str line)
{
	static const struct { struct str name; size_t at; } kept[] = {
		{ { "content-type", 12 }, offsetof(struct client_call, content_type) },
		{ { "retry-after", 11 }, offsetof(struct client_call, retry_after) },
		{ { "retry-after-ms", 14 },
		  offsetof(struct client_call, retry_after_ms) },
	};
	ptrdiff_t colon = str_index(line, ':');
	struct str name = str_sub(line, 0, colon < 0 ? 0 : (size_t)colon), value;

	if (name.n == 0)
		return;
	value = str_trim(str_sub(line, name.n + 1, line.n));
	for (size_t i = 0; i < COUNT(kept); i++)
		if (str_eq_nocase(name, kept[i].name))
			value_set((struct header_value *)(void *)((char *)call +
			    kept[i].at), value);
	if (str_eq_nocase(name, S("location")) && call->location == NULL &&
	    value.n <= LOCATION_MAX)
		call->location = mem_cstr(value);
	if (str_eq_nocase(name, S("cache-control")))
		read_max_age(call, value);
	if (str_eq_nocase(name, S("mcp-session-id")) && call->mcp_session == NULL &&
	    value.n <= LOCATION_MAX)
		call->mcp_session = mem_cstr(value);
}

/* The head is complete: everything but 1xx is final. */
static void
head_end(struct client_call *call)
{
	struct client_answer a;

	if (call->status < 200)
		return;
	call->head_done = true;
	if (call->addresses_serial != 0)
		resolver_known(call->client->resolver, call->name, call->name_port,
		    call->addresses_serial);
	if (call->fd >= 0)
		sockets_proven(&call->client->sockets, call->fd);
	client_call_opened(call);
	a = client_call_answer(call);
	if (call->state == CALL_RUNNING && call->hooks.head != NULL)
		call->hooks.head(call->hooks.ctx, &a);
}

static size_t
on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct client_call *call = ctx;
	struct str line = str_trim((struct str){ p, size * n });

	check_client_call(call);
	call->heard = shard_now(call->client->shard);
	if (call->head_done)
		return size * n;             /* a trailer */
	if (str_starts(line, S("HTTP/")))
		status_line(call, line);
	else if (line.n == 0)
		head_end(call);
	else
		header_line(call, line);
	return size * n;
}

static size_t
on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct client_call *call = ctx;

	check_client_call(call);
	assert(size == 1 && call->body_in <= call->body_max);
	call->heard = shard_now(call->client->shard);
	if (call->state != CALL_RUNNING)
		return n;                    /* cancelled; it ends this turn */
	if (!call->head_done)
		return CURL_WRITEFUNC_ERROR; /* after a 101 */
	if (n > call->body_max - call->body_in) {
		call->fault = err_set(&call->why, ERR_TOOBIG,
		    "answer is longer than %zu bytes", call->body_max);
		return CURL_WRITEFUNC_ERROR;
	}
	call->body_in += n;
	if (call->hooks.data != NULL)
		call->hooks.data(call->hooks.ctx, (struct str){ p, n });
	return n;
}

/* What is really connected to: the last word on it. */
static bool
is_refused(struct client_call *call, const struct curl_sockaddr *a)
{
	const struct sockaddr_in *v4 = (const void *)&a->addr;
	const struct sockaddr_in6 *v6 = (const void *)&a->addr;
	enum host_kind kind = a->family == AF_INET ?
	    host_kind_bytes((const uint8_t *)&v4->sin_addr, 4) :
	    a->family == AF_INET6 ? host_kind_bytes(v6->sin6_addr.s6_addr, 16) : HOST_NAME;

	if (call->proxy != NULL || (call->refuse & HOST_BIT(kind)) == 0)
		return false;
	call->fault = err_set(&call->why, ERR_DENIED, "the host has a %s address",
	    host_kind_names[kind]);
	return true;
}

static curl_socket_t
on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct client_call *call = ctx;
	int fd;

	(void)purpose;
	check_client_call(call);
	if (is_refused(call, a) || !client_call_open(call))
		return CURL_SOCKET_BAD;
	fd = socket(a->family, a->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    a->protocol);
	if (fd < 0) {
		call->starved = errno == EMFILE || errno == ENFILE;
		return CURL_SOCKET_BAD;
	}
	sockets_opened(&call->client->sockets, fd);
	call->fd = fd;
	return fd;
}

static int
on_close(void *ctx, curl_socket_t fd)
{
	struct client *c = ctx;

	sockets_closing(&c->sockets, fd);
	return close(fd);
}

static const char *
ca_file(void)
{
	const char *path = getenv("SSL_CERT_FILE");

	return path != NULL && path[0] != '\0' ? path : CA_FILE;
}

struct client_call *
client_call_new(struct client *c)
{
	CURL *easy = curl_easy_init();
	struct client_call *call;

	assert(easy != NULL);                /* or there is no memory */
	call = mem_new(struct client_call);
	call->mark = CALL_MARK;
	call->client = c;
	call->easy = easy;
	SET(easy, CURLOPT_PRIVATE, call);
	SET(easy, CURLOPT_NOSIGNAL, 1L);
	SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(easy, CURLOPT_CAINFO, ca_file());
	SET(easy, CURLOPT_CAPATH, NULL);     /* else the store is loaded a connection */
	SET(easy, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
	SET(easy, CURLOPT_TCP_NODELAY, 1L);
	SET(easy, CURLOPT_NOPROXY, "");      /* we have decided: not the environment */
	SET(easy, CURLOPT_DNS_CACHE_TIMEOUT, (long)(2 * LIMIT_DNS_TTL_MS / 1000));
	SET(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(easy, CURLOPT_USERAGENT, "cohort/" COHORT_VERSION);
	SET(easy, CURLOPT_ERRORBUFFER, call->curl_error);
	SET(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
	SET(easy, CURLOPT_HEADERFUNCTION, on_header);
	SET(easy, CURLOPT_HEADERDATA, call);
	SET(easy, CURLOPT_WRITEFUNCTION, on_body);
	SET(easy, CURLOPT_WRITEDATA, call);
	SET(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET(easy, CURLOPT_OPENSOCKETDATA, call);
	SET(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	SET(easy, CURLOPT_CLOSESOCKETDATA, c);
	return call;
}

void
client_call_free(struct client_call *call)
{
	check_client_call(call);
	CHECK_END(call);
	curl_easy_cleanup(call->easy);
	values_clear(call);
	free(call->text);
	free(call->lines);
	free(call->addresses.data);
	free(call);
}

void
client_call_reset(struct client_call *call)
{
	if (call->text_cap > KEEP_TEXT) {
		free(call->text);
		call->text = NULL;
		call->text_cap = 0;
	}
	free(call->addresses.data);
	call->addresses.data = NULL;
	call->addresses_serial = 0;
	call->hooks = (struct client_hooks){ 0 };
	call->state = CALL_SPARE;
}

static char *
put(char **at, struct str s)
{
	char *start = *at;

	memcpy(start, s.p == NULL ? "" : s.p, s.n);
	start[s.n] = '\0';
	*at = start + s.n + 1;
	return start;
}

static void
line_add(struct client_call *call, size_t i, char *text)
{
	call->lines[i] = (struct curl_slist){ .data = text };
	if (i > 0)
		call->lines[i - 1].next = &call->lines[i];
}

/* Links the caller's lines, and one that stops libcurl from asking the server
 * whether it wants the body. */
static void
lines_set(struct client_call *call, char *text, size_t n)
{
	static char no_expect[] = "Expect:";
	struct str rest = { text, n }, line;
	size_t count = 2, i = 0;

	for (size_t k = 0; k < n; k++)
		count += text[k] == '\n';
	if (count > call->lines_cap) {
		call->lines = mem_resize(call->lines, count * sizeof *call->lines);
		call->lines_cap = count;
	}
	line_add(call, i++, no_expect);
	while (str_next(&rest, '\n', &line)) {
		char *start = text + (line.p - text);

		if (line.n > 0 && start[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			continue;
		start[line.n] = '\0';
		line_add(call, i++, start);
	}
	assert(i <= call->lines_cap);
}

void
client_call_set(struct client_call *call, const struct client_request *req)
{
	size_t need = req->url.n + req->method.n + req->headers.n + req->body.n + 4;
	char *at, *headers;

	if (need > call->text_cap) {
		free(call->text);
		call->text = mem_alloc(need);
		call->text_cap = need;
	}
	at = call->text;
	call->url = put(&at, req->url);
	call->method = put(&at, req->method);
	headers = put(&at, req->headers);
	call->body = put(&at, req->body);
	call->body_n = req->body.n;
	lines_set(call, headers, req->headers.n);
	call->public_only = req->public_only;
	call->refuse = req->refuse;
	call->body_max = req->body_max > 0 ? req->body_max : LIMIT_LLM_BODY_BYTES;
	call->silence_ms = req->silence_ms > 0 ? req->silence_ms : LIMIT_LLM_SILENCE_MS;
	SET(call->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(req->connect_ms > 0 ?
	    req->connect_ms : LIMIT_LLM_CONNECT_MS));
	call->fd = -1;
	call->starved = call->waited = false;
	call->fault = OK;
	call->status = 0;
	call->head_done = false;
	call->body_in = 0;
	values_clear(call);
	call->curl_error[0] = '\0';
}

static void
arm_method(struct client_call *call)
{
	bool get = strcmp(call->method, "GET") == 0;
	bool head = strcmp(call->method, "HEAD") == 0;

	SET(call->easy, CURLOPT_CUSTOMREQUEST, NULL);
	SET(call->easy, CURLOPT_NOBODY, head ? 1L : 0L);
	if ((get || head) && call->body_n == 0) {
		if (get)
			SET(call->easy, CURLOPT_HTTPGET, 1L);
		return;
	}
	SET(call->easy, CURLOPT_POST, 1L);
	SET(call->easy, CURLOPT_POSTFIELDS, call->body);
	SET(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_n);
	if (strcmp(call->method, "POST") != 0)
		SET(call->easy, CURLOPT_CUSTOMREQUEST, call->method);
}

void
client_call_arm(struct client_call *call)
{
	CURL *easy = call->easy;

	SET(easy, CURLOPT_URL, call->url);
	arm_method(call);
	SET(easy, CURLOPT_HTTPHEADER, call->lines);
	SET(easy, CURLOPT_PROXY, call->proxy != NULL ? call->proxy->url : "");
	SET(easy, CURLOPT_HTTP_VERSION, (long)(call->tls ? CURL_HTTP_VERSION_2TLS :
	    CURL_HTTP_VERSION_1_1));
	/* A connection that is there was not asked for its address. */
	SET(easy, CURLOPT_FRESH_CONNECT, call->refuse != 0 ? 1L : 0L);
	SET(easy, CURLOPT_FORBID_REUSE, call->refuse != 0 ? 1L : 0L);
	/* The first calls to a host wait to see whether it speaks HTTP/2. */
	SET(easy, CURLOPT_PIPEWAIT, call->tls && call->refuse == 0 ? 1L : 0L);
	SET(easy, CURLOPT_RESOLVE, call->addresses_serial != 0 ? &call->addresses : NULL);
}

void
client_call_addresses(struct client_call *call, const struct resolved *a)
{
	assert(a->rc == OK && call->addresses.data == NULL);
	if (a->known)
		return;
	call->addresses.data = mem_cstr(str_of(a->line));
	call->addresses_serial = a->serial;
}

int
client_call_result(const struct client_call *call, CURLcode code, struct err *e)
{
	static const struct { CURLcode code; int rc; } known[] = {
		{ CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT },
		{ CURLE_URL_MALFORMAT, ERR_INVALID },
	};
	int rc = ERR_CLOSED;

	if (call->fault != OK) {
		*e = call->why;
		return call->fault;
	}
	if (!call->head_done && (code == CURLE_OK || code == CURLE_WRITE_ERROR))
		return err_set(e, ERR_CLOSED, "the server sent no answer, only a %d",
		    call->status);
	if (code == CURLE_OK)
		return OK;
	/* The URL's scheme was looked at before: what came was no HTTP/1.x. */
	if (code == CURLE_UNSUPPORTED_PROTOCOL)
		return err_set(e, ERR_CLOSED, "the server does not speak HTTP (%s)",
		    call->curl_error);
	for (size_t i = 0; i < COUNT(known); i++)
		if (known[i].code == code)
			rc = known[i].rc;
	return err_set(e, rc, "%s", call->curl_error[0] != '\0' ? call->curl_error :
	    curl_easy_strerror(code));
}
