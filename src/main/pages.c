/*
 * pages.c - see pages.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/pages.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#define ANSWER_MAX (256 * MB)
#define ANSWER_NS  (60 * (nsec)NS_PER_S)
#define PAGE       1000                      /* entries */

int
remote_open_line(struct remote **out, const struct flag_line *line, struct err *e)
{
	struct str url = line_text(line, "url");
	int rc;

	if (url.n == 0)
		url = str_of(getenv("COHORT_URL"));
	rc = remote_open(out, url.n > 0 ? url : S(REMOTE_URL), ANSWER_MAX, e);
	if (rc == OK)
		remote_set_token(*out, line_text(line, "token"));
	return rc;
}

static int
read_answer(const struct remote *r, long status, struct str answer, struct val *out,
    struct err *e)
{
	struct json_doc d = { 0 };
	struct err why;
	int rc = OK;

	if (status != 200) {
		(void)json_parse(&d, answer, &why);
		rc = remote_refused(r, status, d.root, "", e);
		json_release(&d);
		return rc;
	}
	rc = val_json(out, answer, &why);
	return rc == OK ? OK : err_set(e, rc, "%.*s: its answer is not JSON: %s",
	    FMT(remote_url(r)), why.text);
}

int
remote_value_in(struct remote *r, const char *method, struct str path, struct str body,
    nsec timeout, struct val *out, struct err *e)
{
	struct str answer;
	long status;
	int rc = remote_ask(r, method, path, body, timeout, &status, &answer, e);

	*out = VAL_UNDEF;
	return rc == OK ? read_answer(r, status, answer, out, e) : rc;
}

int
remote_value(struct remote *r, const char *method, struct str path, struct str body,
    struct val *out, struct err *e)
{
	return remote_value_in(r, method, path, body, ANSWER_NS, out, e);
}

struct str
entry_text(struct val entry, const char *name)
{
	struct val v = val_get(entry, str_of(name));

	return v.kind == VAL_STRING ? val_str(v) : STR_NONE;
}

bool
entry_is(struct val entry, const char *kind)
{
	return str_eq(entry_text(entry, "kind"), str_of(kind));
}

static int
page_each(struct val page, int (*each)(void *ctx, struct val entry), void *ctx,
    struct buf *after)
{
	size_t n = val_count(page);
	struct val last = val_at(page, n - 1);
	int rc = OK;

	for (size_t i = 0; rc == OK && i < n; i++)
		rc = each(ctx, val_at(page, i));
	buf_clear(after);
	buf_lit(after, "&after=");
	buf_add(after, entry_text(last, "run_id"));
	buf_add_char(after, ':');
	val_add_json(after, val_get(last, S("seq")));
	return rc;
}

int
pages_each(struct remote *r, struct str thread, struct str run,
    int (*each)(void *ctx, struct val entry), void *ctx, struct err *e)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES), after = BUF(KB);
	char *id = remote_escape(r, thread), *of = remote_escape(r, run);
	struct val page;
	bool more = true;
	int rc = OK;

	while (rc == OK && more) {
		buf_clear(&path);
		buf_add_fmt(&path, "/threads/%s/transcript?limit=%d%s%s%.*s", id, PAGE,
		    run.n > 0 ? "&run_id=" : "", of, FMT(buf_str(&after)));
		rc = remote_value(r, "GET", buf_str(&path), STR_NONE, &page, e);
		more = rc == OK && val_count(page) > 0;
		if (more)
			rc = page_each(page, each, ctx, &after);
		val_drop(page);
	}
	free(id);
	free(of);
	buf_release(&path);
	buf_release(&after);
	return rc;
}
