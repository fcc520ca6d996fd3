/*
 * use_page.c - the tool http_get: a model reads a page of a host that the operator of
 * the server and the agent's capabilities allow.
 *
 * What it reads is text: HTML as it is, cut at LIMIT_TOOL_PAGE_BYTES.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/use_priv.h"

static void
refuse(struct task_use *u, struct str words)
{
	use_heard(u, &(struct call_end){ .ran = true, .refused = true, .journal = true,
	    .content = words });
}

static bool
is_text(struct str type)
{
	static const char *const parts[] = { "json", "xml", "javascript", "yaml",
		"x-www-form-urlencoded" };

	if (type.n == 0 || str_starts(type, S("text/")))
		return true;
	for (size_t i = 0; i < COUNT(parts); i++)
		if (str_contains_nocase(type, str_of(parts[i])))
			return true;
	return false;
}

static void
add_page(struct buf *b, const struct task_http_answer *a)
{
	struct buf text = BUF(LIMIT_HTTP_GET_BYTES * 3);
	struct str cut;

	if (a->status != 200)
		buf_add_fmt(b, "HTTP status %d%s\n", a->status, a->status >= 300 &&
		    a->status < 400 ? " (redirects are not followed)" : "");
	buf_add_mended(&text, a->body);
	cut = str_cut(buf_str(&text), LIMIT_TOOL_PAGE_BYTES);
	buf_add(b, cut);
	if (cut.n < text.n)
		buf_add_fmt(b, "\n[cut: %zu bytes, the limit is %d]", text.n,
		    LIMIT_TOOL_PAGE_BYTES);
	buf_release(&text);
}

static void
on_page(struct task_http *h, int rc, const struct task_http_answer *a, const struct err *e)
{
	struct task_use *u = CONTAINER_OF(h, struct task_use, http);
	struct task *t = u->task;
	struct buf b = BUF(LIMIT_TOOL_RESULT_BYTES);
	struct call_end end = { .ran = true, .journal = true, .again = true };

	u->http_open = false;
	if (u->ended || !task_enter(t)) {
		buf_release(&b);
		return;
	}
	if (rc == ERR_TOOBIG)
		end.refused = true;
	if (rc != OK) {
		buf_add_fmt(&b, "Error: %.*s: %s", FMT(str_cut(h->url, 200)), e->text);
	} else if (!is_text(a->content_type)) {
		end.refused = true;
		buf_add_fmt(&b, "Error: the page is %.*s; only text can be read",
		    FMT(str_cut(a->content_type, 100)));
	} else {
		end.ok = a->status < 400;
		end.refused = a->status >= 400 && a->status < 500 && a->status != 429;
		add_page(&b, a);
	}
	end.content = buf_str(&b);
	use_heard(u, &end);
	buf_release(&b);
	task_leave(t);
}

void
use_page(struct task_use *u)
{
	struct task *t = u->task;
	struct val args = val_json_trusted(str_of(u->args));
	struct err e = { 0 };

	free(u->url);
	u->url = mem_cstr(val_str(val_get(args, S("url"))));
	val_drop(args);
	if (http_get_check(t, str_of(u->url), &e) != OK) {
		refuse(u, str_of(e.text));
		return;
	}
	u->http = (struct task_http){ .url = str_of(u->url), .done = on_page };
	u->http_open = true;
	t->host->http(t->ctx, &u->http);
}
