/*
 * items.c - see items.h.
 *
 * With an embedding model a put goes to it before it goes to the store, and a search
 * with a query too: what is acknowledged is on disk with its vectors, and what fails
 * has changed nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/items.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "run/changes_priv.h"
#include "run/run_priv.h"

void
runs_shared_set_items(struct runs_shared *sh, const struct items_rules *rules)
{
	sh->items = *rules;
}

const struct items_rules *
runs_items(const struct runs *rs)
{
	return &rs->sh->items;
}

int
items_open(struct runs *rs, struct err *e)
{
	const struct items_rules *rules = &rs->sh->items;

	if (rules->embed.n == 0)
		return OK;
	return embedder_new(&rs->embedder, rs->llm, rules->embed, rules->dims, e);
}

/* ---- embedding ---------------------------------------------------------------------- */

/* A command on its way to the store. */
struct embedding {
	struct runs *rs;
	struct store_cmd *cmd;
	size_t bytes;                        /* of its vectors */
};

static void
come_back(struct store_cmd *c, int rc, const struct err *e)
{
	c->under_way = false;
	c->rc = rc;
	c->err = *e;
	c->done(c);
}

/* What the embedding of a command took, on its owner's account. */
struct bill {
	struct store_usage_add c;
	struct store_usage usage;
	struct runs *rs;
};

static void
bill_done(struct store_cmd *c)
{
	struct bill *b = CONTAINER_OF(c, struct bill, c.cmd);
	struct runs *rs = b->rs;

	if (c->rc != OK)
		log_error("items", "usage_lost", "rc=%s reason=%s", rc_name(c->rc),
		    c->err.text);
	free(b);
	runs_busy(rs, -1);
}

static void
bill(struct runs *rs, owner_t owner, const struct llm_usage *u)
{
	struct bill *b = mem_new(struct bill);

	*b = (struct bill){ .rs = rs, .usage = { .day = shard_wall(rs->shard) / MS_PER_DAY,
	    .model = rs->sh->items.embed, .calls = 1, .input = u->input_tokens,
	    .cost_nano = u->cost_nano }, .c = { .usage_n = 1, .cmd = { .lazy = true,
	    .op = STORE_USAGE_ADD, .owner = owner, .done = bill_done } } };
	b->c.usage = &b->usage;
	runs_count_usage(rs, u);
	runs_busy(rs, 1);
	if (store_submit(rs->sh->store, rs->shard, &b->c.cmd, true) != OK) {
		free(b);
		runs_busy(rs, -1);
	}
}

static void
embedded(void *ctx, int rc, const float *vectors, const struct llm_usage *u,
    const struct err *e)
{
	struct embedding *x = ctx;
	struct runs *rs = x->rs;
	struct store_cmd *c = x->cmd;
	struct str bytes = { (const char *)vectors, x->bytes };
	struct err words = { 0 };

	if (e != NULL)
		words = *e;
	if (rc == OK)
		bill(rs, c->owner, u);
	if (rc == OK) {
		bytes = arena_str(c->arena, bytes);
		rc = arena_rc(c->arena);
	}
	if (rc == OK && c->op == STORE_ITEM_PUT)
		((struct store_item_put *)c)->vectors = bytes;
	else if (rc == OK)
		((struct store_item_search *)c)->vector = bytes;
	c->under_way = false;
	if (rc == OK) {
		rc = store_submit(rs->sh->store, rs->shard, c, false);
		if (rc != OK)
			err_set(&words, rc, "the store is busy; try again");
	}
	free(x);
	if (rc != OK)
		come_back(c, rc, &words);
	runs_busy(rs, -1);
}

/* The command's memory must last; it comes back as from the store. */
static int
embed(struct runs *rs, struct store_cmd *c, const struct str *texts, size_t n)
{
	struct embedding *x = mem_new(struct embedding);
	const struct embed_hooks hooks = { embedded, x };

	*x = (struct embedding){ rs, c,
	    n * (size_t)rs->sh->items.dims * sizeof(float) };
	if (embed_start(rs->embedder, texts, n, &hooks, &c->err) == NULL) {
		free(x);
		return c->err.code;
	}
	c->under_way = true;
	runs_busy(rs, 1);
	return OK;
}

/* What is embedded of a value: its parts, text as it is, anything else as JSON. */
static int
put_texts(const struct store_item_put *x, struct str *texts, size_t *n)
{
	struct json_doc value = { 0 }, paths = { 0 };
	jnode parts[LIMIT_ITEM_PARTS];
	struct buf b = BUF(LIMIT_STORE_VALUE_BYTES * 2);
	int rc = json_parse(&value, x->item.value_json, NULL);

	*n = 0;
	if (rc == OK && x->paths_json.n > 0)
		rc = json_parse(&paths, x->paths_json, NULL);
	if (rc == OK)
		*n = item_parts(value.root, paths.root, parts, COUNT(parts));
	for (size_t i = 0; i < *n; i++) {
		buf_clear(&b);
		if (json_is_string(parts[i]))
			buf_add(&b, json_str(parts[i]));
		else
			json_add_node(&b, parts[i]);
		texts[i] = arena_str(x->cmd.arena, buf_str(&b));
	}
	json_release(&value);
	json_release(&paths);
	buf_release(&b);
	return rc == OK ? arena_rc(x->cmd.arena) : rc;
}

/* ---- submitting ---------------------------------------------------------------------- */

static int
put_submit(struct runs *rs, struct store_item_put *x)
{
	const struct items_rules *rules = &rs->sh->items;
	struct str texts[LIMIT_ITEM_PARTS];
	size_t n = 0;
	int rc = OK;

	if (x->item.ttl == ITEM_TTL_DEFAULT)
		x->item.ttl = rules->ttl;
	if (x->paths_json.p == NULL && rules->fields_json.n > 0)
		x->paths_json = rules->fields_json;
	if (rs->embedder != NULL)
		rc = put_texts(x, texts, &n);
	if (rc != OK)
		return rc;
	return n > 0 ? embed(rs, &x->cmd, texts, n) :
	    store_submit(rs->sh->store, rs->shard, &x->cmd, false);
}

int
items_submit(struct runs *rs, struct store_cmd *c)
{
	struct store_item_search *s = (struct store_item_search *)c;

	if (c->op == STORE_ITEM_PUT)
		return put_submit(rs, (struct store_item_put *)c);
	if (c->op == STORE_ITEM_SEARCH && rs->embedder != NULL &&
	    str_trim(s->query).n > 0)
		return embed(rs, c, &s->query, 1);
	return store_submit(rs->sh->store, rs->shard, c, false);
}

/* ---- reading --------------------------------------------------------------------------- */

struct reading {
	struct store_item_refresh c;
	struct runs *rs;
	struct store_item items[];           /* without their texts */
};

static void
reading_done(struct store_cmd *c)
{
	struct reading *x = CONTAINER_OF(c, struct reading, c.cmd);
	struct runs *rs = x->rs;

	if (c->rc != OK)
		log_error("items", "refresh_lost", "rc=%s reason=%s", rc_name(c->rc),
		    c->err.text);
	free(x);
	runs_busy(rs, -1);
}

void
items_touch(struct runs *rs, owner_t owner, const struct store_item *items, size_t n)
{
	msec now = shard_wall(rs->shard);
	struct reading *x;

	if (!rs->sh->items.refresh)
		return;
	x = mem_alloc(sizeof *x + n * sizeof x->items[0]);
	*x = (struct reading){ .rs = rs, .c = { .items = x->items, .now = now, .cmd = {
	    .op = STORE_ITEM_REFRESH, .owner = owner, .lazy = true, .done = reading_done } } };
	for (size_t i = 0; i < n; i++)
		if (store_item_refreshes(&items[i], now))
			x->items[x->c.items_n++] = (struct store_item){ .seq = items[i].seq,
			    .ttl = items[i].ttl, .expires = items[i].expires };
	runs_busy(rs, 1);
	if (x->c.items_n == 0 ||
	    store_submit(rs->sh->store, rs->shard, &x->c.cmd, false) != OK) {
		free(x);
		runs_busy(rs, -1);
	}
}
