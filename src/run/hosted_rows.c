/*
 * hosted_rows.c - see hosted_rows.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/hosted_rows.h"

#include <stdio.h>
#include <string.h>

#include "base/hmac.h"
#include "base/limits.h"
#include "base/mem.h"
#include "run/saved_priv.h"

#define PATH_BYTES 96

int
hosted_op(jnode body, struct err *e)
{
	static const char *const ops[] = { "get", "list", "put", "writes", NULL };
	int op = -1;
	int rc = json_get_enum(body, "op", "op", ops, -1, &op, e);

	if (rc == OK && op < 0)
		err_set(e, ERR_INVALID, "op: expected \"get\", \"list\", \"put\" or \"writes\"");
	return rc == OK ? op : -1;
}

/* ---- values ------------------------------------------------------------------------ */

/* Base64 of the standard alphabet, padded; false: invalid. */
static bool
base64_decode(struct str s, struct buf *out)
{
	struct buf url = BUF(LIMIT_HTTP_BODY_BYTES);
	bool ok;

	while (s.n > 0 && s.p[s.n - 1] == '=')
		s.n--;
	for (size_t i = 0; i < s.n; i++)
		buf_add_char(&url, s.p[i] == '+' ? '-' : s.p[i] == '/' ? '_' : s.p[i]);
	ok = !url.failed && base64url_decode(buf_str(&url), out);
	buf_release(&url);
	return ok;
}

static void
add_base64(struct buf *b, struct str bytes)
{
	size_t at = b->n;

	base64url_add(b, bytes.p, bytes.n);
	for (size_t i = at; !b->failed && i < b->n; i++)
		b->p[i] = b->p[i] == '-' ? '+' : b->p[i] == '_' ? '/' : b->p[i];
	for (size_t n = b->n - at; n % 4 != 0; n++)
		buf_add_char(b, '=');
}

/* Types that a worker's language would run as a program. */
static bool
is_program(struct str type)
{
	return str_starts(type, S("pickle"));
}

static int
read_bytes(struct arena *a, jnode v, const char *path, struct str *out, struct err *e)
{
	jnode text = json_get(v, S("text")), b64 = json_get(v, S("b64"));
	struct buf bytes = BUF(LIMIT_HTTP_BODY_BYTES);
	int rc = OK;

	if (json_is_string(text) && b64 == NULL)
		*out = arena_str(a, json_str(text));
	else if (!json_is_string(b64) || text != NULL)
		rc = err_set(e, ERR_INVALID, "%s: expected a value {type, text} or {type, b64}",
		    path);
	else if (!base64_decode(json_str(b64), &bytes))
		rc = err_set(e, ERR_INVALID, "%s.b64: not base64", path);
	else
		*out = arena_str(a, buf_str(&bytes));
	buf_release(&bytes);
	return rc;
}

static int
read_value(struct arena *a, jnode v, const char *path, struct store_saver_value *out,
    struct err *e)
{
	jnode type = json_get(v, S("type"));

	if (!json_is_string(type))
		return err_set(e, ERR_INVALID, "%s.type: expected a string, got %s", path,
		    json_kind(type));
	if (is_program(json_str(type)))
		return err_set(e, ERR_INVALID, "%s.type: \"%.*s\" is refused: whoever reads it "
		    "would run it", path, FMT(str_sub(json_str(type), 0, 64)));
	out->type = arena_str(a, json_str(type));
	return read_bytes(a, v, path, &out->body, e);
}

static void
add_value_members(struct buf *b, const struct store_saver_value *v)
{
	json_add_fmt(b, ",'type':%.*s", FMT(v->type));
	if (str_is_utf8(v->body)) {
		json_add_fmt(b, ",'text':%.*s", FMT(v->body));
	} else {
		buf_lit(b, ",\"b64\":\"");
		add_base64(b, v->body);
		buf_add_char(b, '"');
	}
}

static void
add_value(struct buf *b, const char *key, const struct store_saver_value *v)
{
	json_add_key(b, key);
	buf_add_char(b, '{');
	add_value_members(b, v);
	buf_add_char(b, '}');
}

static int
read_text(struct arena *a, jnode from, const char *key, const char *path, bool needed,
    struct str *out, struct err *e)
{
	jnode n = json_get(from, str_of(key));

	*out = STR_NONE;
	if (!needed && json_is_null(n))
		return OK;
	if (!json_is_string(n))
		return err_set(e, ERR_INVALID, "%s%s: expected a string, got %s", path, key,
		    json_kind(n));
	*out = json_str(n).n == 0 ? S("") : arena_str(a, json_str(n));
	return OK;
}

/* ---- lists ----------------------------------------------------------------------------- */

static void
place_clear(struct hosted_place *p)
{
	for (size_t i = 0; i < p->lists_n; i++) {
		free(p->lists[i].channel);
		free(p->lists[i].hashes);
	}
	p->lists_n = 0;
}

void
hosted_lists_release(struct hosted_lists *l)
{
	for (size_t i = 0; i < l->n; i++) {
		place_clear(&l->places[i]);
		free(l->places[i].lists);
		free(l->places[i].ns);
	}
	free(l->places);
	*l = (struct hosted_lists){ 0 };
}

bool
hosted_lists_at(const struct hosted_lists *l, struct str ns, struct uuid *at)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(str_of(l->places[i].ns), ns)) {
			*at = l->places[i].at;
			return true;
		}
	return false;
}

void
hosted_lists_forget(struct hosted_lists *l)
{
	hosted_lists_release(l);
}

static struct hosted_list *
list_of(struct hosted_place *p, struct str channel)
{
	for (size_t i = 0; i < p->lists_n; i++)
		if (str_eq(str_of(p->lists[i].channel), channel))
			return &p->lists[i];
	mem_grow(p->lists, p->lists_n, p->lists_cap);
	p->lists[p->lists_n] = (struct hosted_list){ .channel = mem_cstr(channel) };
	return &p->lists[p->lists_n++];
}

/* What the parent's lists are; nothing if it cannot be read. */
static void
place_load(struct hosted_place *p, const struct hosted_from *from, const struct uuid *parent)
{
	struct arena a = ARENA(LOAD_ARENA);
	struct store_state st;

	place_clear(p);
	p->at = *parent;
	p->input = false;
	if (!uuid_is_zero(parent) && store_state_get(from->reader, from->owner,
	    from->thread_seq, str_of(p->ns), parent, STATE_CHANNELS, &a, &st) == OK)
		for (size_t i = 0; i < st.channels_n; i++) {
			const struct store_channel *c = &st.channels[i];
			struct hosted_list *l;

			if (!c->is_list)
				continue;
			l = list_of(p, c->name);
			l->hashes = mem_alloc((c->entries_n + 1) * sizeof *l->hashes);
			for (; l->n < c->entries_n; l->n++)
				l->hashes[l->n] = str_hash_keyed(c->entries[l->n]);
		}
	arena_release(&a);
}

/* Namespaces come and go (one a call of a sub-graph); the oldest are read again. */
#define PLACES_KEPT 64

static struct hosted_place *
place_of(struct hosted_lists *l, const struct hosted_from *from, struct str ns,
    const struct uuid *parent)
{
	struct hosted_place *p = NULL;

	for (size_t i = 0; i < l->n && p == NULL; i++)
		if (str_eq(str_of(l->places[i].ns), ns))
			p = &l->places[i];
	if (p == NULL && l->n == PLACES_KEPT)
		hosted_lists_release(l);
	if (p == NULL) {
		mem_grow(l->places, l->n, l->cap);
		p = &l->places[l->n++];
		*p = (struct hosted_place){ .ns = mem_cstr(ns) };
		place_load(p, from, parent);
	} else if (!uuid_eq(&p->at, parent)) {
		place_load(p, from, parent);
	}
	return p;
}

static bool
is_list(jnode v)
{
	struct json_iter it = json_each(v);

	if (!json_is_array(v) || json_count(v) == 0)
		return false;
	while (json_next(&it))
		if (!json_is_object(it.value))
			return false;
	return true;
}

static struct str
node_text(struct arena *a, jnode n)
{
	struct buf b = BUF(2 * (size_t)LIMIT_STATE_BYTES);
	struct str text;

	json_add_node(&b, n);
	a->failed |= b.failed;
	text = arena_str(a, buf_str(&b));
	buf_release(&b);
	return text;
}

static void
list_change(struct arena *a, struct hosted_list *l, jnode v, struct store_channel_change *out)
{
	size_t n = json_count(v), at = 0;
	uint64_t *hashes = mem_alloc(n * sizeof *hashes);
	struct str *entries = arena_alloc(a, n * sizeof *entries);
	struct json_iter it = json_each(v);
	struct buf b = BUF(2 * (size_t)LIMIT_STATE_BYTES);
	bool same = true;

	out->kind = STORE_LIST;
	while (json_next(&it) && entries != NULL) {
		buf_clear(&b);
		json_add_node(&b, it.value);
		a->failed |= b.failed;
		hashes[at] = str_hash_keyed(buf_str(&b));
		same = same && at < l->n && l->hashes[at] == hashes[at];
		if (same)
			out->keep++;
		else
			entries[out->entries_n++] = arena_str(a, buf_str(&b));
		at++;
	}
	buf_release(&b);
	out->entries = entries;
	free(l->hashes);
	l->hashes = hashes;
	l->n = at;
}

static void
list_gone(struct hosted_place *p, struct str channel)
{
	for (size_t i = 0; i < p->lists_n; i++)
		if (str_eq(str_of(p->lists[i].channel), channel))
			p->lists[i].n = 0;
}

static void
channel_changes(struct arena *a, struct hosted_place *p, jnode view,
    struct store_checkpoint_put *put)
{
	struct json_iter values = json_each(json_get(view, S("values")));
	struct json_iter gone = json_each(json_get(view, S("gone")));
	struct store_channel_change *all = arena_zero(a, (json_count(json_get(view,
	    S("values"))) + json_count(json_get(view, S("gone"))) + 1) * sizeof *all);

	put->channels = all;
	while (all != NULL && json_next(&values)) {
		struct store_channel_change *x = &all[put->channels_n++];

		x->name = arena_str(a, json_str(values.key));
		if (is_list(values.value)) {
			list_change(a, list_of(p, x->name), values.value, x);
			continue;
		}
		list_gone(p, x->name);
		x->kind = STORE_VALUE;
		x->type = S("json");
		x->body = node_text(a, values.value);
	}
	while (all != NULL && json_next(&gone)) {
		struct store_channel_change *x = &all[put->channels_n++];

		x->name = arena_str(a, json_str(gone.value));
		x->kind = STORE_GONE;
		list_gone(p, x->name);
	}
}

/* ---- put -------------------------------------------------------------------------------- */

static int
read_uuid(struct str text, const char *path, struct uuid *out, struct err *e)
{
	return uuid_parse(text, out) ? OK : err_set(e, ERR_INVALID, "%s: expected a UUID, got "
	    "\"%.*s\"", path, FMT(str_sub(text, 0, 64)));
}

static enum checkpoint_source
source_of(jnode view)
{
	struct str word = json_str(json_get(view, S("source")));

	for (int i = 0; checkpoint_source_names[i] != NULL; i++)
		if (str_eq(word, str_of(checkpoint_source_names[i])))
			return (enum checkpoint_source)i;
	return SOURCE_LOOP;
}

/* No event names the input's own task; its id is only shown. */
static struct str
input_task(struct arena *a, const struct uuid *checkpoint)
{
	struct uuid id = uuid_v5(checkpoint, S("__start__"));
	char text[UUID_TEXT];

	uuid_format(&id, text);
	return arena_fmt(a, "[{\"id\":\"%.*s\",\"name\":\"__start__\"}]", UUID_TEXT, text);
}

/* What it gave: all that is new after it. */
static struct str
input_result(struct arena *a, const struct store_checkpoint_put *c)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct str text;

	buf_add_char(&b, '{');
	for (size_t i = 0; i < c->channels_n; i++) {
		const struct store_channel_change *x = &c->channels[i];

		if (x->kind == STORE_LIST)
			json_add_fmt(&b, ",%.*s:[%u,%zu]", FMT(x->name), x->keep,
			    x->keep + x->entries_n);
		else if (x->kind == STORE_VALUE)
			json_add_fmt(&b, ",%.*s:true", FMT(x->name));
	}
	buf_add_char(&b, '}');
	text = arena_str(a, buf_str(&b));
	buf_release(&b);
	return text;
}

/* What clients see of it. */
static int
take_view(struct changes *x, const struct hosted_from *from, struct hosted_lists *lists,
    const struct store_saver_put *put, jnode view, struct err *e)
{
	struct store_checkpoint_put c = { .ns = put->ns, .created = from->now,
	    .source = source_of(view), .alone = put->parent.n == 0 };
	jnode step = json_get(view, S("step")), parents = json_get(view, S("parents"));
	struct hosted_place *place;
	int rc = read_uuid(put->id, "id", &c.id, e);

	if (rc == OK && put->parent.n > 0)
		rc = read_uuid(put->parent, "parent_id", &c.parent, e);
	if (rc == OK && (!json_is_object(view) || !json_is_object(json_get(view, S("values")))))
		rc = err_set(e, ERR_INVALID, "view: expected {values, source, step}");
	if (rc == OK && (!json_is_int(step) || json_int(step) < INT32_MIN ||
	    json_int(step) > INT32_MAX))
		rc = err_set(e, ERR_INVALID, "view.step: expected an integer, got %s",
		    json_kind(step));
	if (rc != OK)
		return rc;
	c.step = (int)json_int(step);
	place = place_of(lists, from, put->ns, &c.parent);
	channel_changes(&x->arena, place, view, &c);
	if (place->input && c.source == SOURCE_LOOP)
		c.wrote_json = input_result(&x->arena, &c);
	if (c.source == SOURCE_INPUT)
		c.tasks_json = input_task(&x->arena, &c.id);
	place->at = c.id;
	place->input = c.source == SOURCE_INPUT;
	if (json_is_object(parents) && json_count(parents) > 0) {
		struct buf b = BUF(LIMIT_STATE_BYTES);

		json_add_fmt(&b, "{'parents':%p}", (void *)parents);
		c.extra_json = arena_str(&x->arena, buf_str(&b));
		buf_release(&b);
	}
	changes_checkpoint_row(x, &c);
	return OK;
}

static int
read_blobs(struct arena *a, jnode list, struct store_saver_put *put, struct err *e)
{
	struct json_iter it = json_each(list);
	struct store_saver_blob *all = arena_zero(a, (json_count(list) + 1) * sizeof *all);
	char path[PATH_BYTES];
	int rc = OK;

	put->blobs = all;
	while (rc == OK && all != NULL && json_next(&it)) {
		struct store_saver_blob *b = &all[put->blobs_n];

		snprintf(path, sizeof path, "blobs[%zu].", put->blobs_n);
		rc = read_text(a, it.value, "channel", path, true, &b->channel, e);
		path[strlen(path) - 1] = '\0';
		if (rc == OK)
			rc = read_value(a, it.value, path, &b->value, e);
		put->blobs_n++;
	}
	return rc;
}

static int
take_put(struct changes *x, const struct hosted_from *from, struct hosted_lists *lists,
    jnode body, struct err *e)
{
	struct arena *a = &x->arena;
	struct store_saver_put put = { 0 };
	jnode versions, blobs;
	int rc = read_text(a, body, "ns", "", true, &put.ns, e);

	if (rc == OK)
		rc = read_text(a, body, "id", "", true, &put.id, e);
	if (rc == OK)
		rc = read_text(a, body, "parent_id", "", false, &put.parent, e);
	if (rc == OK)
		rc = read_value(a, json_get(body, S("checkpoint")), "checkpoint",
		    &put.checkpoint, e);
	if (rc == OK)
		rc = read_value(a, json_get(body, S("metadata")), "metadata", &put.metadata, e);
	if (rc == OK)
		rc = json_get_object(body, "versions", "versions", &versions, e);
	if (rc == OK)
		rc = json_get_array(body, "blobs", "blobs", &blobs, e);
	if (rc == OK) {
		put.versions_json = versions == NULL ? S("{}") : node_text(a, versions);
		rc = read_blobs(a, blobs, &put, e);
	}
	if (rc == OK && lists != NULL)
		rc = take_view(x, from, lists, &put, json_get(body, S("view")), e);
	if (rc == OK)
		changes_saver_put(x, &put);
	return rc;
}

/* ---- writes ------------------------------------------------------------------------------- */

static int
take_write(struct changes *x, jnode n, struct store_saver_write w, const char *group,
    size_t i, struct err *e)
{
	struct arena *a = &x->arena;
	char path[PATH_BYTES + 32];          /* the group's, and this */
	jnode idx = json_get(n, S("idx"));
	int rc;

	snprintf(path, sizeof path, "%swrites[%zu].", group, i);
	rc = read_text(a, n, "channel", path, true, &w.channel, e);
	if (rc == OK && (!json_is_int(idx) || json_int(idx) < -16 || json_int(idx) > INT32_MAX))
		rc = err_set(e, ERR_INVALID, "%sidx: expected an integer from -16, got %s", path,
		    json_kind(idx));
	path[strlen(path) - 1] = '\0';
	if (rc == OK)
		rc = read_value(a, n, path, &w.value, e);
	w.idx = (int)json_int(idx);
	if (rc == OK)
		changes_saver_write(x, &w);
	return rc;
}

static int
take_group(struct changes *x, jnode n, size_t at, struct err *e)
{
	struct arena *a = &x->arena;
	struct store_saver_write w = { 0 };
	char path[PATH_BYTES];
	struct json_iter it;
	jnode writes;
	size_t i = 0;
	int rc;

	snprintf(path, sizeof path, "groups[%zu].", at);
	rc = read_text(a, n, "ns", path, true, &w.ns, e);
	if (rc == OK)
		rc = read_text(a, n, "id", path, true, &w.id, e);
	if (rc == OK)
		rc = read_text(a, n, "task_id", path, true, &w.task, e);
	if (rc == OK)
		rc = read_text(a, n, "task_path", path, false, &w.path, e);
	if (rc == OK)
		rc = json_get_array(n, "writes", "groups[].writes", &writes, e);
	if (rc != OK)
		return rc;
	for (it = json_each(writes); rc == OK && json_next(&it);)
		rc = take_write(x, it.value, w, path, i++, e);
	return rc;
}

static int
take_writes(struct changes *x, jnode body, struct err *e)
{
	jnode groups;
	struct json_iter it;
	size_t i = 0;
	int rc = json_get_array(body, "groups", "groups", &groups, e);

	if (rc != OK)
		return rc;
	if (groups == NULL)
		return err_set(e, ERR_INVALID, "groups: expected an array");
	for (it = json_each(groups); rc == OK && json_next(&it);)
		rc = take_group(x, it.value, i++, e);
	return rc;
}

int
hosted_rows_take(struct changes *x, const struct hosted_from *from,
    struct hosted_lists *lists, jnode body, struct err *e)
{
	int rc = hosted_op(body, e) == HOSTED_PUT ? take_put(x, from, lists, body, e) :
	    take_writes(x, body, e);

	if (rc == OK && x->arena.failed)
		rc = err_set(e, ERR_TOOBIG, "one step of a graph is too large to be saved");
	return rc;
}

/* ---- what is read ----------------------------------------------------------------------------- */

static void
add_writes(struct buf *b, const struct store_saver_found *f)
{
	json_add_key(b, "writes");
	buf_add_char(b, '[');
	for (size_t i = 0; i < f->writes_n; i++) {
		json_add_fmt(b, ",{'task_id':%.*s,'channel':%.*s,'idx':%d",
		    FMT(f->writes[i].task), FMT(f->writes[i].channel), f->writes[i].idx);
		add_value_members(b, &f->writes[i].value);
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
}

static void
add_found(struct buf *b, const struct store_saver_found *f)
{
	json_add_fmt(b, "{'ns':%.*s,'id':%.*s", FMT(f->ns), FMT(f->id));
	if (f->thread.n > 0)
		json_add_fmt(b, ",'thread_id':%.*s", FMT(f->thread));
	if (f->parent.n > 0)
		json_add_fmt(b, ",'parent_id':%.*s", FMT(f->parent));
	add_value(b, "checkpoint", &f->checkpoint);
	add_value(b, "metadata", &f->metadata);
	json_add_key(b, "blobs");
	buf_add_char(b, '[');
	for (size_t i = 0; i < f->blobs_n; i++) {
		json_add_fmt(b, ",{'channel':%.*s,'version':%-.*s", FMT(f->blobs[i].channel),
		    FMT(f->blobs[i].version_json));
		add_value_members(b, &f->blobs[i].value);
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
	add_writes(b, f);
	buf_add_char(b, '}');
}

int
hosted_rows_get(const struct hosted_from *from, jnode body, struct buf *members,
    struct uuid *found, struct err *e)
{
	struct arena a = ARENA(LOAD_ARENA);
	struct store_saver_found f = { 0 };
	struct uuid id_of;
	struct str ns, id;
	int rc = read_text(&a, body, "ns", "", true, &ns, e);

	if (rc == OK)
		rc = read_text(&a, body, "id", "", false, &id, e);
	if (rc == OK) {
		rc = from->thread_seq == 0 ? ERR_NOTFOUND : store_saver_get(from->reader,
		    from->owner, from->thread_seq, ns, id, &a, &f);
		if (rc != OK && rc != ERR_NOTFOUND)
			err_set(e, rc, "the checkpoint could not be read");
		json_add_key(members, "found");
		if (rc == OK)
			(void)uuid_parse(f.id, found != NULL ? found : &id_of);
		if (rc == OK)
			add_found(members, &f);
		else
			buf_lit(members, "null");
		rc = rc == ERR_NOTFOUND ? OK : rc;
	}
	arena_release(&a);
	return rc;
}

int
hosted_list_read(struct store_saver_list *c, const struct hosted_from *from,
    struct arena *a, jnode body, struct err *e)
{
	jnode filter = NULL;
	int rc;

	c->cmd.op = STORE_SAVER_LIST;
	c->cmd.owner = from->owner;
	c->cmd.arena = a;
	c->thread_seq = from->thread_seq;
	c->any_ns = json_is_null(json_get(body, S("ns")));
	rc = read_text(a, body, "ns", "", false, &c->ns, e);
	if (rc == OK)
		rc = read_text(a, body, "id", "", false, &c->id, e);
	if (rc == OK)
		rc = read_text(a, body, "before", "", false, &c->before, e);
	if (rc == OK)
		rc = json_get_int(body, "limit", "limit", -1, 0, INT32_MAX, &c->limit, e);
	if (rc == OK)
		rc = json_get_object(body, "filter", "filter", &filter, e);
	if (rc == OK && filter != NULL)
		c->filter_json = node_text(a, filter);
	return rc;
}

void
hosted_list_write(const struct store_saver_list *c, struct buf *members)
{
	json_add_key(members, "items");
	buf_add_char(members, '[');
	for (size_t i = 0; i < c->found_n; i++) {
		json_add_comma(members);
		add_found(members, &c->found[i]);
	}
	buf_add_char(members, ']');
	if (c->more && c->found_n > 0)
		json_add_fmt(members, ",'next':%.*s", FMT(c->found[c->found_n - 1].id));
}
