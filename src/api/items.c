/*
 * items.c - the long-term store: JSON objects under a namespace and a key.
 *
 * A namespace is a path of labels; inside the house it is one text with dots
 * between, which is why a label has none.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"
#include "api/fields.h"
#include "api/params.h"
#include "base/fields.h"

#define SEARCH_DEFAULT 10

/* ---- namespaces ---------------------------------------------------------- */

static int
label_error(struct call *c, jnode labels)
{
	struct buf all = BUF(256);
	struct json_iter it = json_each(labels);

	while (json_next(&it)) {
		if (all.n > 0)
			buf_lit(&all, ",");
		buf_add(&all, json_str(it.value));
	}
	err_set(&c->err, ERR_INVALID,
	    "Namespace labels cannot be empty or contain periods. Received: %.*s",
	    FMT(buf_str(&all)));
	buf_release(&all);
	return ERR_INVALID;
}

/* An array of labels, joined by dots into the request's arena. */
static int
namespace_read(struct call *c, jnode labels, const char *path, struct str *out)
{
	struct buf *b = &c->api->scratch;
	struct json_iter it;
	size_t i = 0;

	if (!json_is_array(labels))
		return err_set(&c->err, ERR_INVALID,
		    "%s: expected an array of strings, got %s", path,
		    labels == NULL ? "nothing" : json_kind(labels));
	if (json_count(labels) > LIMIT_NAMESPACE_LABELS)
		return err_set(&c->err, ERR_INVALID, "%s: more than %d labels",
		    path, LIMIT_NAMESPACE_LABELS);
	buf_clear(b);
	it = json_each(labels);
	while (json_next(&it)) {
		struct str label = json_str(it.value);

		if (!json_is_string(it.value))
			return err_set(&c->err, ERR_INVALID,
			    "%s[%zu]: expected a string, got %s", path, i,
			    json_kind(it.value));
		if (label.n > LIMIT_NAME_BYTES)
			return err_set(&c->err, ERR_INVALID,
			    "%s[%zu]: longer than %d bytes", path, i,
			    LIMIT_NAME_BYTES);
		if (label.n == 0 || str_index(label, '.') >= 0)
			return label_error(c, labels);
		if (str_index(label, '\0') >= 0)
			return err_set(&c->err, ERR_INVALID,
			    "%s[%zu]: expected no U+0000", path, i);
		if (b->n > 0)
			buf_lit(b, ".");
		buf_add(b, label);
		i++;
	}
	*out = arena_str(&c->r->arena, buf_str(b));
	return OK;
}

/* namespace and key of a body; both are needed. */
static int
place_read(struct call *c, jnode body, struct str *ns, struct str *key)
{
	jnode labels = json_get(body, S("namespace"));
	struct str s;
	int rc;

	if (json_is_array(labels) && json_count(labels) == 0)
		return err_set(&c->err, ERR_SYNTAX, "Namespace is required");
	rc = namespace_read(c, labels, "namespace", ns);
	if (rc == OK)
		rc = json_get_str(body, "key", "key", STR_NONE, LIMIT_NAME_BYTES,
		    &s, &c->err);
	if (rc == OK && s.n == 0)
		return err_set(&c->err, ERR_INVALID,
		    "key: expected a string, got nothing");
	if (rc == OK && str_index(s, '\0') >= 0)
		return err_set(&c->err, ERR_INVALID, "key: expected no U+0000");
	if (rc == OK)
		*key = arena_str(&c->r->arena, s);
	return rc;
}

/* The same from the query: namespace=a.b, repeated, or a JSON array. */
static int
place_query(struct call *c, struct str *ns, struct str *key)
{
	struct buf *b = &c->api->scratch;
	struct str *labels;
	size_t n;
	int rc;

	rc = param_list(c->r, "namespace", &labels, &n, &c->err);
	if (rc < 0)
		return rc;
	buf_clear(b);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_lit(b, ".");
		buf_add(b, labels[i]);
	}
	*ns = arena_str(&c->r->arena, buf_str(b));
	*key = param_str(c->r, "key");
	if (key->n == 0)
		return err_set(&c->err, ERR_INVALID,
		    "key: expected a string, got nothing");
	if (ns->n == 0)
		return err_set(&c->err, ERR_SYNTAX, "Namespace is required");
	return OK;
}

/* ---- showing ------------------------------------------------------------- */

static void
item_add_json(struct buf *b, const struct store_item *item)
{
	struct str rest = item->ns, label;
	size_t n = 0;

	buf_lit(b, "{\"namespace\":[");
	while (rest.n > 0 && str_next(&rest, '.', &label)) {
		if (n++ > 0)
			buf_lit(b, ",");
		json_add_str(b, label);
	}
	json_add_fmt(b, "],'key':%.*s", FMT(item->key));
	add_json_key(b, "value", item->value_json);
	add_time_key(b, "created_at", item->created);
	add_time_key(b, "updated_at", item->updated);
	buf_lit(b, "}");
}

/* ---- handlers ------------------------------------------------------------ */

int
item_put(struct call *c)
{
	jnode body = c->in->node;
	struct store_item_put *op = &c->op.item_put;
	jnode value;
	int rc;

	*op = (struct store_item_put){ 0 };
	rc = field_check(body, FIELD_ITEM, &c->err);
	if (rc == OK)
		rc = place_read(c, body, &op->item.ns, &op->item.key);
	if (rc == OK)
		rc = json_get_object(body, "value", "value", &value, &c->err);
	if (rc == OK && value == NULL)
		rc = err_set(&c->err, ERR_INVALID,
		    "value: expected an object, got nothing");
	if (rc == OK)
		rc = call_text(c, value, "value", STR_NONE,
		    LIMIT_STORE_VALUE_BYTES, &op->item.value_json);
	if (rc < 0)
		return rc;
	op->item.created = op->item.updated = shard_wall(c->api->shard);
	return call_submit(c, STORE_ITEM_PUT, NULL);
}

int
item_get(struct call *c)
{
	struct store_item item;
	struct str ns, key;
	int rc;

	rc = place_query(c, &ns, &key);
	if (rc < 0)
		return rc;
	rc = store_item_get(c->api->reader, c->owner, ns, key, &c->r->arena, &item);
	if (rc < 0 && rc != ERR_NOTFOUND)
		return rc;
	if (!call_has_room(c))
		return OK;
	if (rc == OK)
		item_add_json(call_out(c), &item);
	else
		buf_lit(call_out(c), "null");
	return call_json(c, STR_NONE);
}

int
item_delete(struct call *c)
{
	jnode body = c->in->node;
	struct store_item_delete *op = &c->op.item_delete;
	int rc;

	*op = (struct store_item_delete){ 0 };
	if (body != NULL)
		rc = place_read(c, body, &op->ns, &op->key);
	else
		rc = place_query(c, &op->ns, &op->key);
	return rc < 0 ? rc : call_submit(c, STORE_ITEM_DELETE, NULL);
}

static int
items_found(struct call *c)
{
	const struct store_item_search *op = &c->op.item_search;
	struct buf *b;

	if (!call_has_room(c))
		return OK;
	b = call_out(c);
	buf_lit(b, "{\"items\":[");
	for (size_t i = 0; i < op->items_n; i++) {
		json_add_comma(b);
		item_add_json(b, &op->items[i]);
	}
	buf_lit(b, "]");
	if (op->truncated)
		buf_lit(b, ",\"truncated\":true");
	buf_lit(b, "}");
	return call_json(c, op->truncated ? S("x-search-truncated: 1\r\n") : STR_NONE);
}

/* Older clients call the prefix `namespace`. */
static int
prefix_read(struct call *c, jnode body, struct str *out)
{
	jnode labels = json_get(body, S("namespace_prefix"));

	if (json_is_null(labels) && !json_is_null(json_get(body, S("namespace"))))
		return namespace_read(c, json_get(body, S("namespace")),
		    "namespace", out);
	return namespace_read(c, labels, "namespace_prefix", out);
}

int
item_search(struct call *c)
{
	jnode body = c->in->node;
	struct store_item_search *op = &c->op.item_search;
	struct str query = STR_NONE;
	struct fields f, filter;

	*op = (struct store_item_search){ .limit = SEARCH_DEFAULT };
	fields_open(&f, body, "body", &c->err);
	f.rc = field_check(body, FIELD_SEARCH, &c->err);
	if (f.rc == OK)
		f.rc = prefix_read(c, body, &op->ns);
	fields_object(&f, "filter", &filter);
	if (f.rc == OK)
		f.rc = call_text(c, filter.node, "filter", S("{}"),
		    LIMIT_FILTER_BYTES, &op->filter_json);
	fields_str(&f, "query", LIMIT_FILTER_BYTES, &query);
	fields_int(&f, "limit", 1, LIMIT_PAGE_ROWS, &op->limit);
	fields_int(&f, "offset", 0, INT32_MAX, &op->offset);
	if (f.rc < 0)
		return f.rc;
	op->query = arena_str(&c->r->arena, query);
	return call_submit(c, STORE_ITEM_SEARCH, items_found);
}
