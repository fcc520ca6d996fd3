/*
 * items.c - the long-term store: JSON objects under a namespace and a key.
 *
 * A namespace is a path of labels.  Internally it is one string with dots
 * between the labels, so a label has no dots.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"
#include "run/items.h"

#define SEARCH_DEFAULT     10
#define NAMESPACES_DEFAULT 100

/* ---- namespaces ---------------------------------------------------------- */

/* Labels with `dot` between, in the request's arena. */
static struct str
labels_join(struct call *c, struct words labels, char dot)
{
	struct buf *b = &c->api->scratch;

	buf_clear(b);
	for (size_t i = 0; i < labels.n; i++) {
		if (i > 0)
			buf_add_char(b, dot);
		buf_add(b, labels.at[i]);
	}
	return arena_str(&c->r->arena, buf_str(b));
}

static void
labels_check(struct call *c, const char *key, struct words labels)
{
	for (size_t i = 0; i < labels.n; i++) {
		struct str label = labels.at[i];

		if (label.n > LIMIT_NAME_BYTES)
			words_fail(c, key, i, "longer than %d bytes", LIMIT_NAME_BYTES);
		if (c->in->rc == OK && (label.n == 0 || str_index(label, '.') >= 0))
			c->in->rc = err_set(&c->err, ERR_INVALID, "Namespace labels "
			    "cannot be empty or contain periods. Received: %.*s",
			    FMT(labels_join(c, labels, ',')));
	}
}

/* An array of labels, which must be there. */
static void
namespace_read(struct call *c, const char *key, struct str *out)
{
	jnode array = fields_any(c->in, key);
	struct words labels = words_read(c, key, array, LIMIT_NAMESPACE_LABELS);

	if (json_is_null(array))
		fields_fail(c->in, key, ERR_INVALID,
		    "expected an array of strings, got %s", json_kind(array));
	labels_check(c, key, labels);
	*out = labels_join(c, labels, '.');
}

static void
ns_check(struct call *c, struct str ns)
{
	if (c->in->rc == OK && ns.n == 0)
		c->in->rc = err_set(&c->err, ERR_SYNTAX, "Namespace is required");
}

/* namespace and key of a body; both are needed. */
static void
place_read(struct call *c, struct str *ns, struct str *key)
{
	namespace_read(c, "namespace", ns);
	ns_check(c, *ns);
	call_read_str(c, "key", LIMIT_NAME_BYTES, key);
	if (key->n == 0)
		fields_fail(c->in, "key", ERR_INVALID, "expected a string, got nothing");
}

/* The same from the query: namespace=a.b, repeated, or a JSON array. */
static void
place_query(struct call *c, struct str *ns, struct str *key)
{
	*ns = labels_join(c, param_list(c, "namespace"), '.');
	*key = param_str(c, "key");
	if (key->n == 0)
		fields_fail(c->in, "key", ERR_INVALID, "expected a string, got nothing");
	ns_check(c, *ns);
}

/* ---- put, get, delete ------------------------------------------------------ */

/* Minutes, and parts of them. */
static void
ttl_read(struct call *c, msec *out)
{
	jnode n = fields_any(c->in, "ttl");
	double ms = json_is_number(n) ? json_number(n) * 60000 : 0;

	*out = ITEM_TTL_DEFAULT;
	if (json_is_null(n))
		return;
	if (!json_is_number(n))
		fields_fail(c->in, "ttl", ERR_INVALID, "expected a number of minutes, got %s",
		    json_kind(n));
	else if (!(ms >= 1 && ms <= (double)LIMIT_ITEM_TTL_MS))
		fields_fail(c->in, "ttl", ERR_INVALID,
		    "expected minutes from 1/60000 to %lld, got %g",
		    (long long)(LIMIT_ITEM_TTL_MS / 60000), json_number(n));
	else
		*out = (msec)ms;
}

/* What the item is found by: false: nothing; paths: these parts of its value. */
static void
index_read(struct call *c, struct str *paths_json)
{
	jnode n = fields_any(c->in, "index");
	struct words paths = { 0 };

	*paths_json = STR_NONE;
	if (json_is_null(n))
		return;
	if (json_is_array(n))
		paths = words_read(c, "index", n, LIMIT_ITEM_PATHS);
	else if (!json_is_bool(n) || json_bool(n))
		fields_fail(c->in, "index", ERR_INVALID,
		    "expected false or an array of paths, got %s",
		    json_is_bool(n) ? "true" : json_kind(n));
	buf_clear(&c->api->scratch);
	buf_lit(&c->api->scratch, "[");
	for (size_t i = 0; i < paths.n; i++) {
		struct err e;

		if (item_path_check(paths.at[i], &e) != OK)
			words_fail(c, "index", i, "%s", e.text);
		json_add_fmt(&c->api->scratch, ",%.*s", FMT(paths.at[i]));
	}
	buf_lit(&c->api->scratch, "]");
	*paths_json = arena_str(&c->r->arena, buf_str(&c->api->scratch));
}

int
api_item_put(struct call *c)
{
	struct store_item_put *op = &c->op.item_put;
	msec now = shard_wall(c->api->shard);

	*op = (struct store_item_put){ .item = { .created = now, .updated = now } };
	place_read(c, &op->item.ns, &op->item.key);
	call_read_object(c, "value", LIMIT_STORE_VALUE_BYTES, &op->item.value_json);
	if (op->item.value_json.n == 0)
		fields_fail(c->in, "value", ERR_INVALID,
		    "expected an object, got nothing");
	ttl_read(c, &op->item.ttl);
	index_read(c, &op->paths_json);
	call_namespace(c, false, &op->item.ns);
	if (c->in->rc == OK)
		c->in->rc = call_may_item(c, op->item.ns, op->item.key, op->item.value_json);
	return call_submit_item(c, STORE_ITEM_PUT, NULL);
}

static int
item_refreshed(struct call *c)
{
	return call_object(c, item_members, c->op.item_refresh.items);
}

int
api_item_get(struct call *c)
{
	struct store_item *item = arena_new(&c->r->arena, struct store_item);
	bool refresh = runs_items(c->api->runs)->refresh;
	msec now = shard_wall(c->api->shard);
	struct str ns, key;
	int rc;

	place_query(c, &ns, &key);
	call_namespace(c, false, &ns);
	param_bool(c, "refresh_ttl", &refresh);
	if (c->in->rc < 0)
		return c->in->rc;
	rc = item == NULL ? ERR_TOOBIG : store_item_get(c->api->reader, c->owner, ns, key,
	    now, &c->r->arena, item);
	if (rc == OK && call_may_item(c, ns, key, STR_NONE) != OK)
		rc = ERR_NOTFOUND;
	if (rc == OK && refresh && store_item_refreshes(item, now)) {
		c->op.item_refresh = (struct store_item_refresh){ .items = item,
		    .items_n = 1, .now = now };
		return call_submit(c, STORE_ITEM_REFRESH, item_refreshed);
	}
	if (rc == OK)
		return call_object(c, item_members, item);
	if (rc != ERR_NOTFOUND)
		return rc;
	buf_lit(call_out(c), "null");
	return call_json(c, STR_NONE);
}

int
api_item_delete(struct call *c)
{
	struct store_item_delete *op = &c->op.item_delete;

	*op = (struct store_item_delete){ 0 };
	if (c->in->node != NULL)
		place_read(c, &op->ns, &op->key);
	else
		place_query(c, &op->ns, &op->key);
	call_namespace(c, false, &op->ns);
	if (c->in->rc == OK)
		c->in->rc = call_may_item(c, op->ns, op->key, STR_NONE);
	return call_submit(c, STORE_ITEM_DELETE, NULL);
}

/* ---- search ----------------------------------------------------------------- */

/* The items are in c->op.item_refresh, with or without a refresh. */
static int
items_show(struct call *c)
{
	const struct store_item_refresh *op = &c->op.item_refresh;
	struct buf *b;

	if (!call_has_room(c))
		return OK;
	b = call_out(c);
	json_add_fmt(b, "{'items':[");
	for (size_t i = 0; i < op->items_n; i++)
		members_add(b, item_members, MEMBERS_ALL, &op->items[i]);
	json_add_fmt(b, c->truncated ? "],'truncated':true}" : "]}");
	return call_json(c, c->truncated ? S("x-search-truncated: 1\r\n") : STR_NONE);
}

static int
items_found(struct call *c)
{
	const struct store_item_search *op = &c->op.item_search;
	struct store_item_refresh again = { .items = op->items, .items_n = op->items_n,
	    .now = op->now };
	bool refresh = false;

	c->truncated = op->truncated;
	for (size_t i = 0; c->refresh && !refresh && i < op->items_n; i++)
		refresh = store_item_refreshes(&op->items[i], op->now);
	c->op.item_refresh = again;
	return refresh ? call_submit(c, STORE_ITEM_REFRESH, items_show) : items_show(c);
}

int
api_item_search(struct call *c)
{
	struct store_item_search *op = &c->op.item_search;
	/* Older clients call the prefix `namespace`. */
	bool old = json_is_null(json_get(c->in->node, S("namespace_prefix"))) &&
	    !json_is_null(json_get(c->in->node, S("namespace")));

	*op = (struct store_item_search){ .limit = SEARCH_DEFAULT,
	    .now = shard_wall(c->api->shard), .filter_json = S("{}") };
	c->refresh = runs_items(c->api->runs)->refresh;
	namespace_read(c, old ? "namespace" : "namespace_prefix", &op->ns);
	call_namespace(c, true, &op->ns);
	call_read_object(c, "filter", LIMIT_FILTER_BYTES, &op->filter_json);
	call_read_str(c, "query", LIMIT_FILTER_BYTES, &op->query);
	fields_int(c->in, "limit", 1, LIMIT_PAGE_ROWS, &op->limit);
	fields_int(c->in, "offset", 0, INT32_MAX, &op->offset);
	fields_bool(c->in, "refresh_ttl", &c->refresh);
	return call_submit_item(c, STORE_ITEM_SEARCH, items_found);
}

/* ---- namespaces --------------------------------------------------------------- */

static int
namespaces_found(struct call *c)
{
	const struct store_namespace_list *op = &c->op.namespace_list;
	struct buf *b;

	if (!call_has_room(c))
		return OK;
	b = call_out(c);
	json_add_fmt(b, "{'namespaces':[");
	for (size_t i = 0; i < op->paths_n; i++) {
		struct str rest = op->paths[i], label;

		json_add_fmt(b, ",[");
		while (str_next(&rest, '\0', &label))
			json_add_fmt(b, ",%.*s", FMT(label));
		buf_lit(b, "]");
	}
	json_add_fmt(b, op->truncated ? "],'truncated':true}" : "]}");
	return call_json(c, op->truncated ? S("x-search-truncated: 1\r\n") : STR_NONE);
}

/* Labels to match, of which `*` is any. */
static void
match_read(struct call *c, const char *key, struct str *out)
{
	struct words labels = call_read_list(c, key, LIMIT_NAMESPACE_LABELS);

	labels_check(c, key, labels);
	*out = labels_join(c, labels, '\0');
}

int
api_namespace_list(struct call *c)
{
	struct store_namespace_list *op = &c->op.namespace_list;

	*op = (struct store_namespace_list){ .limit = NAMESPACES_DEFAULT,
	    .now = shard_wall(c->api->shard) };
	match_read(c, "prefix", &op->prefix);
	call_namespaces(c, &op->prefix);
	match_read(c, "suffix", &op->suffix);
	fields_int(c->in, "max_depth", 1, LIMIT_NAMESPACE_LABELS, &op->max_depth);
	fields_int(c->in, "limit", 1, LIMIT_PAGE_ROWS, &op->limit);
	fields_int(c->in, "offset", 0, INT32_MAX, &op->offset);
	return call_submit(c, STORE_NAMESPACE_LIST, namespaces_found);
}
