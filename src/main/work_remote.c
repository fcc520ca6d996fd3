/*
 * work_remote.c - a server's tracker: each request is one POST to its /work/rpc.
 *
 * An answer of the tracker (it has `success`) is passed on whatever its status;
 * any other, of a proxy or a server without a tracker, becomes an error that names
 * the URL.
 *
 * SPDX-License-Identifier: MIT
 */
#include "workcli/context.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "main/remote.h"

#define ANSWER_MAX ((size_t)LIMIT_WORK_MEMORY_BYTES)

struct tracker {
	struct remote *remote;
	char *path;                          /* with the project */
};

static int
take_answer(struct tracker *t, long status, struct str answer, struct buf *response,
    struct err *e)
{
	struct json_doc d = { 0 };
	int rc = OK;

	if (json_parse(&d, answer, NULL) != OK ||
	    !json_is_bool(json_get(d.root, S("success"))))
		rc = remote_refused(t->remote, status, d.root, "; it has no tracker", e);
	else
		json_add_node(response, d.root);     /* as one line */
	json_release(&d);
	if (rc == ERR_NOTFOUND)
		rc = e->code = ERR_CLOSED;
	if (rc == OK && response->failed)
		rc = err_set(e, ERR_TOOBIG, "%.*s: the answer is too large",
		    FMT(remote_url(t->remote)));
	return rc;
}

static int
exchange(void *ctx, struct str request, nsec timeout, struct buf *response,
    struct err *e)
{
	struct tracker *t = ctx;
	struct str answer;
	long status;
	int rc = remote_ask(t->remote, "POST", str_of(t->path), request, timeout, &status,
	    &answer, e);

	return rc == OK ? take_answer(t, status, answer, response, e) : rc;
}

static int
path_make(struct tracker *t, struct str project, struct err *e)
{
	struct buf b = BUF(2 * LIMIT_HTTP_URL_BYTES);
	char *escaped = remote_escape(t->remote, project);

	buf_lit(&b, "/work/rpc");
	if (project.n > 0) {
		buf_lit(&b, "?project=");
		buf_add(&b, str_of(escaped));
	}
	t->path = mem_cstr(buf_str(&b));
	free(escaped);
	buf_release(&b);
	return project.n <= LIMIT_WORK_PROJECT_BYTES ? OK : err_set(e, ERR_INVALID,
	    "project: longer than %d bytes", LIMIT_WORK_PROJECT_BYTES);
}

int
cli_remote_open(struct client_remote *out, struct str url, struct str project,
    struct err *e)
{
	struct tracker *t = mem_new(struct tracker);
	int rc = remote_open(&t->remote, url, ANSWER_MAX, e);

	*out = (struct client_remote){ .exchange = exchange, .ctx = t };
	if (rc == OK)
		rc = path_make(t, project, e);
	if (rc != OK)
		cli_remote_close(out);
	return rc;
}

void
cli_remote_close(struct client_remote *out)
{
	struct tracker *t = out->ctx;

	if (t == NULL)
		return;
	remote_close(t->remote);
	free(t->path);
	free(t);
	*out = (struct client_remote){ 0 };
}
