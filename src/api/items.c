/*
 * items.c - the long-term store: JSON objects under a namespace and a key.
 *
 * A namespace is a path of labels.  Internally it is one string with dots
 * between the labels, so a label has no dots.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#define SEARCH_DEFAULT 10

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
		if (str_index(label, '\0') >= 0)
			words_fail(c, key, i, "expected no U+0000");
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
	if (str_index(*key, '\0') >= 0)
		fields_fail(c->in, "key", ERR_INVALID, "expected no U+0000");
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

/* ---- handlers ------------------------------------------------------------ */

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
	return call_submit(c, STORE_ITEM_PUT, NULL);
}

int
api_item_get(struct call *c)
{
	struct store_item item;
	struct str ns, key;
	int rc;

	place_query(c, &ns, &key);
	if (c->in->rc < 0)
		return c->in->rc;
	rc = store_item_get(c->api->reader, c->owner, ns, key, &c->r->arena, &item);
	if (rc == OK)
		return call_object(c, item_members, &item);
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
	return call_submit(c, STORE_ITEM_DELETE, NULL);
}

static int
items_found(struct call *c)
{
	const struct store_item_search *op = &c->op.item_search;
	struct buf *b;

	if (!call_has_room(c))
		return OK;
	b = call_out(c);
	json_add_fmt(b, "{'items':[");
	for (size_t i = 0; i < op->items_n; i++)
		members_add(b, item_members, MEMBERS_ALL, &op->items[i]);
	json_add_fmt(b, op->truncated ? "],'truncated':true}" : "]}");
	return call_json(c, op->truncated ? S("x-search-truncated: 1\r\n") : STR_NONE);
}

int
api_item_search(struct call *c)
{
	struct store_item_search *op = &c->op.item_search;
	/* Older clients call the prefix `namespace`. */
	bool old = json_is_null(json_get(c->in->node, S("namespace_prefix"))) &&
	    !json_is_null(json_get(c->in->node, S("namespace")));

	*op = (struct store_item_search){ .limit = SEARCH_DEFAULT,
	    .filter_json = S("{}") };
	namespace_read(c, old ? "namespace" : "namespace_prefix", &op->ns);
	call_read_object(c, "filter", LIMIT_FILTER_BYTES, &op->filter_json);
	call_read_str(c, "query", LIMIT_FILTER_BYTES, &op->query);
	fields_int(c->in, "limit", 1, LIMIT_PAGE_ROWS, &op->limit);
	fields_int(c->in, "offset", 0, INT32_MAX, &op->offset);
	return call_submit(c, STORE_ITEM_SEARCH, items_found);
}
