/*
 * remote.c - see remote.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/remote.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"

#define SHOWN 200                            /* bytes of an unknown answer */

struct remote {
	CURL *curl;
	struct curl_slist *headers;
	char *base;                          /* without a slash at its end */
	char *query;                         /* of every request; NULL: nothing */
	char *path;                          /* of a Unix socket; or NULL */
	struct buf answer;
	bool bare;                           /* not Cohort's: it gets no certificate of ours */
	char words[CURL_ERROR_SIZE];         /* of libcurl */
};

/* ---- making ------------------------------------------------------------------ */

static int
url_check(struct str url, struct err *e)
{
	struct str rest;

	if (str_starts(url, S("unix:")))
		return url.n > 5 && url.n <= LIMIT_HTTP_URL_BYTES ? OK : err_set(e, ERR_INVALID,
		    "server: expected unix:PATH, with the path of a socket");
	if (str_starts(url, S("http://")))
		rest = str_sub(url, 7, url.n);
	else if (str_starts(url, S("https://")))
		rest = str_sub(url, 8, url.n);
	else
		return err_set(e, ERR_INVALID, "server: expected http://HOST, "
		    "https://HOST or unix:PATH, got \"%.*s\"", FMT(str_sub(url, 0, SHOWN)));
	if (rest.n == 0 || rest.p[0] == '/' || url.n > LIMIT_HTTP_URL_BYTES)
		return err_set(e, ERR_INVALID, "server: \"%.*s\" names no host",
		    FMT(str_sub(url, 0, SHOWN)));
	/* A password would show in errors and in the list of processes. */
	if (str_index(str_sub(rest, 0, str_index(rest, '/') < 0 ? rest.n :
	    (size_t)str_index(rest, '/')), '@') >= 0)
		return err_set(e, ERR_INVALID, "server: expected no name and password "
		    "in the URL; COHORT_TOKEN or COHORT_API_KEY has them");
	for (size_t i = 0; i < url.n; i++)
		if ((unsigned char)url.p[i] <= 0x20 || url.p[i] == '?' || url.p[i] == '#')
			return err_set(e, ERR_INVALID, "server: \"%.*s\": expected no "
			    "blank, '?' or '#'", FMT(str_sub(url, 0, SHOWN)));
	return OK;
}

/* name: of where the value comes from, for errors. */
static int
header_add(struct remote *r, const char *name, const char *head, struct str value,
    struct err *e)
{
	struct buf b = BUF(LIMIT_HTTP_HEADER_BYTES);

	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] < 0x20 || value.p[i] == 0x7f)
			return err_set(e, ERR_INVALID,
			    "%s: expected no control characters", name);
	buf_add(&b, str_of(head));
	buf_add(&b, value);
	if (!b.failed)
		r->headers = curl_slist_append(r->headers, b.p);
	buf_release(&b);
	return OK;
}

/* Adds a header from the environment, if the variable is set. */
static int
header_env(struct remote *r, const char *name, const char *head, struct err *e)
{
	struct str value = str_of(getenv(name));

	return value.n == 0 ? OK : header_add(r, name, head, value, e);
}

int
remote_add_header(struct remote *r, const char *name, struct str value, struct err *e)
{
	char head[64];

	snprintf(head, sizeof head, "%s: ", name);
	return header_add(r, name, head, value, e);
}

static size_t
on_bytes(char *p, size_t size, size_t n, void *ctx)
{
	struct remote *r = ctx;

	buf_add(&r->answer, (struct str){ p, size * n });
	return r->answer.failed ? 0 : size * n;
}


struct str
remote_url(const struct remote *r)
{
	return str_of(r->base);
}

char *
remote_escape(const struct remote *r, struct str s)
{
	/* A length of 0 would mean: up to the NUL. */
	char *escaped = s.n == 0 ? NULL : curl_easy_escape(r->curl, s.p, (int)s.n);
	char *out = mem_cstr(str_of(escaped != NULL ? escaped : ""));

	curl_free(escaped);
	return out;
}

bool
remote_add_parameter(const struct remote *r, struct buf *b, char mark, const char *name,
    struct str value)
{
	char *text;

	if (value.n == 0)
		return false;
	text = remote_escape(r, value);
	buf_add_fmt(b, "%c%s=%s", mark, name, text);
	free(text);
	return true;
}

void
remote_add_path(const struct remote *r, struct buf *b, const char *before, struct str id,
    const char *behind)
{
	char *text = remote_escape(r, id);

	buf_add_fmt(b, "%s%s%s", before, text, behind);
	free(text);
}

/* ---- asking ------------------------------------------------------------------- */

static int
transport_error(const struct remote *r, CURLcode code, nsec timeout, struct err *e)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(e, ERR_TIMEOUT, "%s: no answer in %.3g s",
		    r->base, (double)timeout / NS_PER_S);
	case CURLE_COULDNT_CONNECT:
		return err_set(e, ERR_CLOSED, "%s: cannot connect; is the server "
		    "up?", r->base);
	case CURLE_COULDNT_RESOLVE_HOST:
		return err_set(e, ERR_CLOSED, "%s: there is no such host",
		    r->base);
	case CURLE_WRITE_ERROR:
		return err_set(e, ERR_TOOBIG, "%s: the answer is larger than %zu "
		    "bytes", r->base, r->answer.max);
	case CURLE_PEER_FAILED_VERIFICATION:
		return err_set(e, ERR_CLOSED, "%s: its certificate is not good: %s; COHORT_CA names a "
		    "file of those to trust", r->base, r->words);
	default:
		return err_set(e, ERR_CLOSED, "%s: %s", r->base,
		    r->words[0] != '\0' ? r->words : curl_easy_strerror(code));
	}
}

static const struct { long status; int rc; const char *words; } statuses[] = {
	{ 401, ERR_UNAUTH, "; set COHORT_API_KEY or COHORT_TOKEN" },
	{ 403, ERR_DENIED, "" },
	{ 404, ERR_NOTFOUND, "" },
	{ 413, ERR_TOOBIG, "" },
	{ 429, ERR_BUSY, "" },
	{ 503, ERR_BUSY, "" },
	{ 504, ERR_TIMEOUT, "" },
};

/* Words of ours in answers are {"detail": ...}. */
int
remote_refused(const struct remote *r, long status, jnode root, const char *what_404,
    struct err *e)
{
	struct str detail = json_str(json_get(root, S("detail")));
	const char *words = "";
	int rc = status == 422 || status == 400 ? ERR_INVALID : ERR_CLOSED;

	for (size_t i = 0; i < COUNT(statuses); i++) {
		if (statuses[i].status != status)
			continue;
		rc = statuses[i].rc;
		words = statuses[i].words;
	}
	if (status == 404)
		words = what_404;
	return err_set(e, rc, "%s answered %ld%s%.*s%s", r->base, status,
	    detail.n > 0 ? ": " : "", FMT(str_sub(detail, 0, SHOWN)), words);
}

/* As the environment says: whose certificates are good, and our own. */
static void
set_tls(const struct remote *r)
{
	const char *ca = getenv("COHORT_CA"), *cert = getenv("COHORT_CERT");
	const char *key = getenv("COHORT_CERT_KEY");

	if (ca == NULL || ca[0] == '\0')
		ca = getenv("SSL_CERT_FILE");
	if (ca != NULL && ca[0] != '\0')
		curl_easy_setopt(r->curl, CURLOPT_CAINFO, ca);
	if (r->bare || cert == NULL || cert[0] == '\0')
		return;
	curl_easy_setopt(r->curl, CURLOPT_SSLCERT, cert);
	curl_easy_setopt(r->curl, CURLOPT_SSLKEY, key != NULL && key[0] != '\0' ? key : cert);
}

static void
curl_setup(struct remote *r, const char *method, const char *url, struct str body)
{
	CURL *c = r->curl;

	curl_easy_reset(c);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, r->headers);
	if (body.n > 0) {
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.p);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
	}
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, r->words);
	if (r->path != NULL)
		curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, r->path);
	set_tls(r);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "cohort/" COHORT_VERSION);
}

int
remote_ask(struct remote *r, const char *method, struct str path, struct str body,
    nsec timeout, long *status, struct str *answer, struct err *e)
{
	struct buf url = BUF(4 * LIMIT_HTTP_URL_BYTES);
	long ms = (long)(timeout / NS_PER_MS);
	CURLcode code;

	if (timeout > 0 && ms == 0)          /* for curl 0 means no timeout */
		return transport_error(r, CURLE_OPERATION_TIMEDOUT, timeout, e);
	buf_clear(&r->answer);
	r->answer.failed = false;
	buf_add(&url, r->path != NULL ? S("http://localhost") : str_of(r->base));
	buf_add(&url, path);
	if (r->query != NULL)
		buf_add_fmt(&url, "%c%s", str_index(path, '?') < 0 ? '?' : '&', r->query);
	curl_setup(r, method, url.p, body);
	curl_easy_setopt(r->curl, CURLOPT_TIMEOUT_MS, ms);
	curl_easy_setopt(r->curl, CURLOPT_CONNECTTIMEOUT_MS, ms);
	code = curl_easy_perform(r->curl);
	buf_release(&url);
	if (code != CURLE_OK)
		return transport_error(r, code, timeout, e);
	*status = 0;
	curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, status);
	*answer = buf_str(&r->answer);
	return OK;
}

/* ---- life --------------------------------------------------------------------- */

void
remote_set_token(struct remote *r, struct str token)
{
	struct buf b = BUF(LIMIT_HTTP_HEADER_BYTES);

	buf_lit(&b, "Authorization: Bearer ");
	buf_add(&b, token);
	if (token.n > 0 && !b.failed)
		r->headers = curl_slist_append(r->headers, b.p);
	buf_release(&b);
}

void
remote_set_query(struct remote *r, struct str query)
{
	free(r->query);
	r->query = mem_cstr(query);
}

void
remote_set_type(struct remote *r, const char *type)
{
	struct buf b = BUF(KB);

	buf_add_fmt(&b, "Content-Type: %s", type);
	free(r->headers->data);              /* the first; see remote_open_bare */
	r->headers->data = mem_cstr(buf_str(&b));
	buf_release(&b);
}

int
remote_open_bare(struct remote **out, struct str url, size_t max, struct err *e)
{
	struct remote *r = mem_new(struct remote);
	int rc = url_check(url, e);

	curl_global_init(CURL_GLOBAL_DEFAULT);
	r->answer = BUF(max);
	r->curl = curl_easy_init();
	if (rc == OK && r->curl == NULL)
		rc = err_set(e, ERR_IO, "libcurl does not start");
	while (str_ends(url, S("/")))
		url.n--;
	r->base = mem_cstr(url);
	r->bare = true;
	if (str_starts(url, S("unix:")))
		r->path = mem_cstr(str_sub(url, str_starts(url, S("unix:///")) ? 7 : 5, url.n));
	r->headers = curl_slist_append(NULL, "Content-Type: application/json");
	r->headers = curl_slist_append(r->headers, "Expect:");
	*out = r;
	if (rc != OK) {
		remote_close(r);
		*out = NULL;
	}
	return rc;
}

int
remote_open(struct remote **out, struct str url, size_t max, struct err *e)
{
	int rc = remote_open_bare(out, url, max, e);

	if (rc == OK) {
		(*out)->bare = false;
		rc = header_env(*out, "COHORT_API_KEY", "x-api-key: ", e);
	}
	if (rc == OK)
		rc = header_env(*out, "COHORT_TOKEN", "Authorization: Bearer ", e);
	if (rc != OK) {
		remote_close(*out);
		*out = NULL;
	}
	return rc;
}

void
remote_close(struct remote *r)
{
	if (r == NULL)
		return;
	curl_easy_cleanup(r->curl);
	curl_slist_free_all(r->headers);
	buf_release(&r->answer);
	free(r->base);
	free(r->query);
	free(r->path);
	free(r);
	curl_global_cleanup();
}
