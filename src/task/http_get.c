/*
 * http_get.c - reads a page of a host that the operator of the server allows.
 *
 * Its result is {status, content_type, body, json}: json is the body's value when
 * the server says that it is JSON, else null.  A status of 400 or more is a result,
 * not a failure.  Redirects are not followed: they could lead anywhere.
 *
 * The URL is read strictly, so that nobody else reads another host out of it:
 * http[s]://name[:port][/path][?query], without user names, and of the name only
 * letters, digits, '.' and '-'.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/task_priv.h"

struct get {
	struct piece p;
	struct task_http h;
	struct val url;
	bool under_way;
};

static struct get *
get_of(struct piece *p)
{
	return CONTAINER_OF(p, struct get, p);
}

/* ---- whom it may ask --------------------------------------------------------------- */

static bool
is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    c == '.' || c == '-';
}

static bool
is_path(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= 0x20 || s.p[i] == 0x7f || s.p[i] == '\\')
			return false;
	return s.n == 0 || s.p[0] == '/' || s.p[0] == '?';
}

bool
http_get_authority(struct str url, struct str *out)
{
	struct str own = S(":80"), rest;
	size_t n = 0, digits = 0;

	if (str_starts(url, S("https://"))) {
		own = S(":443");
		rest = str_sub(url, 8, url.n);
	} else if (str_starts(url, S("http://"))) {
		rest = str_sub(url, 7, url.n);
	} else {
		return false;
	}
	while (n < rest.n && is_host_char(rest.p[n]))
		n++;
	*out = str_sub(rest, 0, n);
	if (n < rest.n && rest.p[n] == ':') {
		while (n + 1 + digits < rest.n && rest.p[n + 1 + digits] >= '0' &&
		    rest.p[n + 1 + digits] <= '9')
			digits++;
		if (digits == 0 || digits > 5 || rest.p[n + 1] == '0')
			return false;
		if (!str_eq(str_sub(rest, n, digits + 1), own))
			*out = str_sub(rest, 0, n + 1 + digits);
		n += 1 + digits;
	}
	return out->n > 0 && rest.p[0] != ':' && is_path(str_sub(rest, n, rest.n));
}

/* One of the list: a name, or *.name for all below it; with a port where it is not
 * the scheme's own. */
static bool
entry_allows(struct str entry, struct str authority)
{
	if (!str_starts(entry, S("*.")))
		return entry.n > 0 && str_eq_nocase(entry, authority);
	entry = str_sub(entry, 1, entry.n);
	return entry.n > 1 && authority.n > entry.n &&
	    str_eq_nocase(str_sub(authority, authority.n - entry.n, entry.n), entry);
}

static bool
list_allows(struct str list, struct str authority)
{
	struct str entry;

	while (str_next(&list, ',', &entry))
		if (entry_allows(str_trim(entry), authority))
			return true;
	return false;
}

bool
task_host_allowed(struct str list, struct str url)
{
	struct str authority;

	return http_get_authority(url, &authority) && list_allows(list, authority);
}

/* The capabilities of the agents around it. */
bool
http_get_in_limits(const struct task *t, struct str authority)
{
	for (const struct task_limits *l = t->limits; l != NULL; l = l->up) {
		bool yes = l->own == NULL || !l->own->has_hosts;

		for (size_t i = 0; !yes && i < l->own->hosts_n; i++)
			yes = entry_allows(l->own->hosts[i], authority);
		if (!yes)
			return false;
	}
	return true;
}

int
http_get_check(const struct task *t, struct str url, struct err *e)
{
	struct str authority;

	if (url.n > LIMIT_HTTP_URL_BYTES || !http_get_authority(url, &authority))
		return err_set(e, ERR_INVALID, "expected http[s]://name[:port][/path], got %.*s",
		    FMT(str_cut(url, 100)));
	if (!http_get_in_limits(t, authority))
		return err_set(e, ERR_DENIED, "the agent's capabilities do not allow the "
		    "host %.*s", FMT(authority));
	if (t->host->http != NULL && list_allows(t->host->http_hosts(t->ctx), authority))
		return OK;
	return err_set(e, ERR_DENIED, "the server may not ask %.*s; its setting "
	    "http-hosts lists whom it may", FMT(authority));
}

static bool
may_ask(struct get *g)
{
	struct piece *p = &g->p;
	struct err e;
	int rc = http_get_check(p->task, g->url.kind == VAL_STRING ? val_str(g->url) : STR_NONE,
	    &e);

	if (rc != OK)
		piece_fail(p, "error.execution", rc == ERR_INVALID ? "ValueError" :
		    "NotAllowedError", "line %u: http_get.url: %s", p->spec->line, e.text);
	return rc == OK;
}

/* ---- the answer -------------------------------------------------------------------- */

static struct val
result_make(const struct task_http_answer *a)
{
	struct val result = val_object_empty(), json = VAL_NIL;
	struct buf text = BUF(LIMIT_HTTP_GET_BYTES * 3);
	struct err e;

	buf_add_mended(&text, a->body);
	if (str_contains_nocase(a->content_type, S("json")) &&
	    val_json(&json, buf_str(&text), &e) != OK)
		json = VAL_NIL;
	result = val_set_take(result, S("status"), val_int(a->status));
	result = val_set_take(result, S("content_type"), val_string(a->content_type));
	result = val_set_take(result, S("body"), val_string(buf_str(&text)));
	result = val_set_take(result, S("json"), json);
	buf_release(&text);
	return result;
}

static void
on_answer(struct task_http *h, int rc, const struct task_http_answer *a,
    const struct err *e)
{
	struct get *g = CONTAINER_OF(h, struct get, h);
	struct task *t = g->p.task;

	g->under_way = false;
	if (!task_enter(t))
		return;
	if (rc == OK)
		piece_done(&g->p, result_make(a));
	else
		piece_fail(&g->p, rc == ERR_TIMEOUT ? "error.timeout" : "error.communication",
		    "HttpError", "%.*s: %s", FMT(str_cut(h->url, 200)), e->text);
	task_leave(t);
}

static void
get_start(struct piece *p)
{
	struct get *g = get_of(p);
	struct task *t = p->task;

	if (!piece_eval_text(p, HTTP_GET_URL, &g->url) || !may_ask(g))
		return;
	g->h = (struct task_http){ .url = val_str(g->url), .done = on_answer };
	g->under_way = true;
	t->host->http(t->ctx, &g->h);
}

static void
get_stop(struct piece *p)
{
	struct get *g = get_of(p);

	if (g->under_way)
		p->task->host->http_stop(p->task->ctx, &g->h);
	g->under_way = false;
}

static void
get_release(struct piece *p)
{
	val_drop(get_of(p)->url);
}

const struct task_run task_http_get = {
	.size = sizeof(struct get), .traits = TASK_EFFECT,
	.start = get_start, .stop = get_stop, .release = get_release,
};
