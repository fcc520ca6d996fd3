/*
 * once.c - see once.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/once.h"

#include <string.h>

#include "base/hmac.h"

#define KEY_MAX 255                          /* bytes */

/* A handler that creates an object, where its command has the object's id, and the handler
 * that shows the object (c->once.id) when the request is repeated; NULL: keys are refused. */
static const struct once_row {
	handler *make;
	size_t id_at;
	handler *again;
} rows[] = {
	{ api_thread_create, offsetof(struct store_thread_create, t.id), api_thread_again },
	{ api_thread_copy, offsetof(struct store_thread_copy, id), api_thread_again },
	{ api_assistant_create, offsetof(struct store_assistant_create, a.id),
	  api_assistant_again },
	{ api_cron_create, offsetof(struct store_cron_create, c.id), api_cron_again },
	{ api_run_start, offsetof(struct store_run_create, run.id), api_run_again },
	{ api_run_batch, 0, NULL },
};

static const struct once_row *
row_find(const struct call *c)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].make == c->route->handle)
			return &rows[i];
	return NULL;
}

static int
key_check(struct call *c, struct str key, const struct once_row *row)
{
	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] < '!' || key.p[i] > '~')
			return err_set(&c->err, ERR_INVALID, "Idempotency-Key: expected "
			    "printable ASCII without spaces");
	if (key.n > KEY_MAX)
		return err_set(&c->err, ERR_INVALID, "Idempotency-Key: longer than %d bytes",
		    KEY_MAX);
	if (row->again == NULL ||
	    (row->make == api_run_start && uuid_is_zero(&c->thread_id)))
		return err_set(&c->err, ERR_INVALID, "Idempotency-Key: a run without a thread "
		    "is not kept and cannot be told again; leave the key out, or start the "
		    "run on a thread");
	return OK;
}

/* The key stands for one method and one path. */
static void
once_fill(struct call *c, struct str key, const struct once_row *row)
{
	struct buf b = BUF(SIZE_MAX / 2);

	buf_add_fmt(&b, "%.*s %.*s\n%.*s", FMT(c->r->method), FMT(c->r->path), FMT(key));
	sha256(buf_str(&b), c->once.key);
	buf_release(&b);
	sha256(c->r->body, c->once.request);
	c->once.id_at = row->id_at;
	c->once.now = shard_wall(c->api->shard);
}

int
once_handle(struct call *c)
{
	const struct once_row *row = row_find(c);
	struct str key = row == NULL ? STR_NONE : http_header(c->r, S("idempotency-key"));
	uint8_t request[sizeof c->once.request];
	int rc;

	if (key.n == 0)
		return c->route->handle(c);
	rc = key_check(c, key, row);
	if (rc < 0)
		return rc;
	once_fill(c, key, row);
	memcpy(request, c->once.request, sizeof request);
	rc = store_once_get(c->api->reader, c->owner, &c->once);
	if (rc == ERR_NOTFOUND) {
		c->with_key = true;
		return row->make(c);
	}
	if (rc < 0)
		return rc;
	if (memcmp(request, c->once.request, sizeof request) != 0)
		return err_set(&c->err, ERR_INVALID, "Idempotency-Key: it came with another "
		    "body before; a new request needs a new key");
	c->repeated = true;
	return row->again(c);
}
