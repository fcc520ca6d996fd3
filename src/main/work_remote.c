/*
 * work_remote.c - a server's tracker: each request is one POST to its /work/rpc,
 * over a connection that is kept.
 *
 * COHORT_API_KEY and COHORT_TOKEN, if set, authenticate the requests.
 *
 * An answer of the tracker (it has `success`) is passed on whatever its status;
 * any other, of a proxy or a server without a tracker, becomes an error that names
 * the URL.
 *
 * SPDX-License-Identifier: MIT
 */
#include "workcli/context.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"

#define ANSWER_MAX ((size_t)LIMIT_WORK_MEMORY_BYTES)
#define SHOWN      200                       /* bytes of an unknown answer */

struct remote {
	CURL *curl;
	struct curl_slist *headers;
	char *url;                           /* with the route and the project */
	struct str shown;                    /* without */
	struct buf answer;
};

/* ---- making ------------------------------------------------------------------ */

static int
url_check(struct str url, struct err *e)
{
	struct str rest;

	if (str_starts(url, S("http://")))
		rest = str_sub(url, 7, url.n);
	else if (str_starts(url, S("https://")))
		rest = str_sub(url, 8, url.n);
	else
		return err_set(e, ERR_INVALID, "server: expected http://HOST or "
		    "https://HOST, got \"%.*s\"", FMT(str_sub(url, 0, SHOWN)));
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

static int
url_make(struct remote *r, struct str url, struct str project, struct err *e)
{
	char *escaped = curl_easy_escape(r->curl, project.p, (int)project.n);
	struct buf b = BUF(2 * LIMIT_HTTP_URL_BYTES);

	while (str_ends(url, S("/")))
		url.n--;
	buf_add(&b, url);
	buf_lit(&b, "/work/rpc");
	if (project.n > 0 && escaped != NULL) {
		buf_lit(&b, "?project=");
		buf_add(&b, str_of(escaped));
	}
	curl_free(escaped);
	r->url = mem_cstr(buf_str(&b));
	r->shown = (struct str){ r->url, url.n };
	buf_release(&b);
	if (project.n > LIMIT_WORK_PROJECT_BYTES)
		return err_set(e, ERR_INVALID, "project: longer than %d bytes",
		    LIMIT_WORK_PROJECT_BYTES);
	return OK;
}

/* Adds a header from the environment, if the variable is set. */
static int
header_env(struct remote *r, const char *name, const char *head, struct err *e)
{
	struct str value = str_of(getenv(name));
	struct buf b = BUF(LIMIT_HTTP_HEADER_BYTES);

	if (value.n == 0)
		return OK;
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

static size_t
on_bytes(char *p, size_t size, size_t n, void *ctx)
{
	struct remote *r = ctx;

	buf_add(&r->answer, (struct str){ p, size * n });
	return r->answer.failed ? 0 : size * n;
}

static void
curl_setup(struct remote *r)
{
	CURL *c = r->curl;

	curl_easy_setopt(c, CURLOPT_URL, r->url);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, r->headers);
	curl_easy_setopt(c, CURLOPT_POST, 1L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "cohort/" COHORT_VERSION);
}

/* ---- asking ------------------------------------------------------------------- */

static int
transport_error(const struct remote *r, CURLcode code, nsec timeout, struct err *e)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(e, ERR_TIMEOUT, "%.*s: no answer in %.3g s",
		    FMT(r->shown), (double)timeout / NS_PER_S);
	case CURLE_COULDNT_CONNECT:
		return err_set(e, ERR_CLOSED, "%.*s: cannot connect; is the server "
		    "up?", FMT(r->shown));
	case CURLE_COULDNT_RESOLVE_HOST:
		return err_set(e, ERR_CLOSED, "%.*s: there is no such host",
		    FMT(r->shown));
	case CURLE_WRITE_ERROR:
		return err_set(e, ERR_TOOBIG, "%.*s: the answer is larger than %zu "
		    "bytes", FMT(r->shown), ANSWER_MAX);
	default:
		return err_set(e, ERR_CLOSED, "%.*s: %s", FMT(r->shown),
		    curl_easy_strerror(code));
	}
}

static const struct { long status; int rc; const char *words; } statuses[] = {
	{ 401, ERR_UNAUTH, "; set COHORT_API_KEY or COHORT_TOKEN" },
	{ 403, ERR_DENIED, "" },
	{ 404, ERR_CLOSED, "; it has no tracker" },
	{ 413, ERR_TOOBIG, "" },
	{ 429, ERR_BUSY, "" },
	{ 503, ERR_BUSY, "" },
	{ 504, ERR_TIMEOUT, "" },
};

/* Not an answer of the tracker. */
static int
strange_answer(const struct remote *r, long status, jnode root, struct err *e)
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
	return err_set(e, rc, "%.*s answered %ld%s%.*s%s", FMT(r->shown), status,
	    detail.n > 0 ? ": " : "", FMT(str_sub(detail, 0, SHOWN)), words);
}

static int
take_answer(struct remote *r, struct buf *response, struct err *e)
{
	struct json_doc d = { 0 };
	long status = 0;
	int rc = OK;

	curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
	if (json_parse(&d, buf_str(&r->answer), NULL) != OK ||
	    !json_is_bool(json_get(d.root, S("success"))))
		rc = strange_answer(r, status, d.root, e);
	else
		json_add_node(response, d.root);     /* as one line */
	json_release(&d);
	if (rc == OK && response->failed)
		rc = err_set(e, ERR_TOOBIG, "%.*s: the answer is too large",
		    FMT(r->shown));
	return rc;
}

static int
exchange(void *ctx, struct str request, nsec timeout, struct buf *response,
    struct err *e)
{
	struct remote *r = ctx;
	long ms = (long)(timeout / NS_PER_MS);
	CURLcode code;

	if (timeout > 0 && ms == 0)          /* for curl 0 means no timeout */
		return transport_error(r, CURLE_OPERATION_TIMEDOUT, timeout, e);
	buf_clear(&r->answer);
	r->answer.failed = false;
	curl_easy_setopt(r->curl, CURLOPT_POSTFIELDS, request.p);
	curl_easy_setopt(r->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request.n);
	curl_easy_setopt(r->curl, CURLOPT_TIMEOUT_MS, ms);
	curl_easy_setopt(r->curl, CURLOPT_CONNECTTIMEOUT_MS, ms);
	code = curl_easy_perform(r->curl);
	return code != CURLE_OK ? transport_error(r, code, timeout, e) :
	    take_answer(r, response, e);
}

/* ---- life --------------------------------------------------------------------- */

int
cli_remote_open(struct client_remote *out, struct str url, struct str project,
    struct err *e)
{
	struct remote *r = mem_new(struct remote);
	int rc = url_check(url, e);

	curl_global_init(CURL_GLOBAL_DEFAULT);
	*out = (struct client_remote){ .exchange = exchange, .ctx = r };
	r->answer = BUF(ANSWER_MAX);
	r->curl = curl_easy_init();
	if (rc == OK && r->curl == NULL)
		rc = err_set(e, ERR_IO, "libcurl does not start");
	if (rc == OK)
		rc = url_make(r, url, project, e);
	r->headers = curl_slist_append(NULL, "Content-Type: application/json");
	r->headers = curl_slist_append(r->headers, "Expect:");
	if (rc == OK)
		rc = header_env(r, "COHORT_API_KEY", "x-api-key: ", e);
	if (rc == OK)
		rc = header_env(r, "COHORT_TOKEN", "Authorization: Bearer ", e);
	if (rc == OK)
		curl_setup(r);
	else
		cli_remote_close(out);
	return rc;
}

void
cli_remote_close(struct client_remote *out)
{
	struct remote *r = out->ctx;

	if (r == NULL)
		return;
	curl_easy_cleanup(r->curl);
	curl_slist_free_all(r->headers);
	buf_release(&r->answer);
	free(r->url);
	free(r);
	curl_global_cleanup();
	*out = (struct client_remote){ 0 };
}
