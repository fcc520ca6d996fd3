/*
 * saver.c - writing what savers of worker graphs put (saver.h).
 *
 * A checkpoint's row names the blob of each of its channels by the checkpoint that wrote
 * it.  Blobs and writes have their checkpoint's id in the key, so they go with it in one
 * range.  A rollback removes checkpoints from the newest on, whose blobs no other one can
 * name; a prune keeps what is named (saver_life.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/saver.h"
#include "store/store_priv.h"

/* ---- what comes from outside ------------------------------------------------ */

static int
text_check(struct err *e, const char *what, struct str s, size_t min, size_t max)
{
	if (s.n >= min && s.n <= max)
		return OK;
	return err_set(e, ERR_INVALID, "%s: expected %zu to %zu bytes, got %zu", what,
	    min, max, s.n);
}

static int
place_check(struct err *e, struct str ns, struct str id)
{
	int rc = checkpoint_ns_check(e, ns);

	return rc != OK ? rc : text_check(e, "checkpoint id", id, 1, LIMIT_SAVER_ID_BYTES);
}

static int
value_check(struct err *e, struct str channel, const struct store_saver_value *v)
{
	int rc = text_check(e, "channel", channel, 1, LIMIT_SAVER_CHANNEL_BYTES);

	return rc != OK ? rc : text_check(e, "type of a value", v->type, 1,
	    LIMIT_SAVER_TYPE_BYTES);
}

static int
put_check(struct err *e, const struct store_saver_put *p)
{
	int rc = place_check(e, p->ns, p->id);

	if (rc == OK)
		rc = text_check(e, "parent's id", p->parent, 0, LIMIT_SAVER_ID_BYTES);
	if (rc == OK && str_eq(p->parent, p->id))
		rc = err_set(e, ERR_INVALID, "checkpoint %.*s is its own parent",
		    FMT(p->id));
	if (rc == OK)
		rc = value_check(e, S("checkpoint"), &p->checkpoint);
	if (rc == OK)
		rc = value_check(e, S("metadata"), &p->metadata);
	for (size_t i = 0; rc == OK && i < p->blobs_n; i++)
		rc = value_check(e, p->blobs[i].channel, &p->blobs[i].value);
	return rc;
}

static int
write_check(struct err *e, const struct store_saver_write *x)
{
	int rc = place_check(e, x->ns, x->id);

	if (rc == OK)
		rc = text_check(e, "task's id", x->task, 1, LIMIT_SAVER_ID_BYTES);
	if (rc == OK)
		rc = text_check(e, "task's path", x->path, 0, LIMIT_SAVER_PATH_BYTES);
	return rc == OK ? value_check(e, x->channel, &x->value) : rc;
}

/* ---- where a channel's value is ---------------------------------------------- */

struct mapping {
	const struct store_saver_put *p;
	struct json_doc versions, parent;    /* the parent's map; or empty */
	struct json_iter before;             /* over that: mostly in the same order */
	size_t named;                        /* blobs that the versions name */
};

static const struct store_saver_blob *
blob_of(const struct store_saver_put *p, struct str channel)
{
	for (size_t i = 0; i < p->blobs_n; i++)
		if (str_eq(p->blobs[i].channel, channel))
			return &p->blobs[i];
	return NULL;
}

static jnode
parent_of(struct mapping *m, struct str channel)
{
	if (json_next(&m->before) && str_eq(json_str(m->before.key), channel))
		return m->before.value;
	return json_get(m->parent.root, channel);
}

static int
channel_map(struct mapping *m, struct str channel, jnode version, struct buf *out,
    struct err *e)
{
	jnode was = parent_of(m, channel);
	struct str from;
	int rc = text_check(e, "channel", channel, 1, LIMIT_SAVER_CHANNEL_BYTES);

	if (rc == OK)
		rc = text_check(e, "version", json_str(version), 0, LIMIT_SAVER_ID_BYTES);
	if (rc != OK)
		return rc;
	if (!json_is_number(version) && !json_is_string(version))
		return err_set(e, ERR_INVALID, "versions.%.*s: expected a number or a "
		    "string, got %s", FMT(channel), json_kind(version));
	json_add_comma(out);
	json_add_str(out, channel);
	json_add_fmt(out, ":[%p", version);
	if (blob_of(m->p, channel) != NULL) {
		m->named++;
		buf_add(out, S(",\"\""));
	} else if (json_count(was) == 2 && json_equal(json_at(was, 0), version)) {
		from = json_str(json_at(was, 1));
		json_add_fmt(out, ",%.*s", FMT(from.n == 0 ? m->p->parent : from));
	}
	buf_add_char(out, ']');
	return OK;
}

static int
channels_map(struct mapping *m, struct buf *out, struct err *e)
{
	struct json_iter it = json_each(m->versions.root);
	int rc = OK;

	if (!json_is_object(m->versions.root))
		return err_set(e, ERR_INVALID, "versions: expected an object, got %s",
		    json_kind(m->versions.root));
	if (it.left > LIMIT_CHANNELS)
		return err_set(e, ERR_LIMIT, "versions: over %d channels", LIMIT_CHANNELS);
	m->before = json_each(m->parent.root);
	buf_add_char(out, '{');
	while (rc == OK && json_next(&it))
		rc = channel_map(m, json_str(it.key), it.value, out, e);
	buf_add_char(out, '}');
	if (rc == OK && m->named < m->p->blobs_n)
		rc = err_set(e, ERR_INVALID, "blobs: one is of a channel that has no "
		    "version, or two are of the same");
	return rc == OK && out->failed ? ERR_TOOBIG : rc;
}

static int
parent_load(struct store *st, int64_t thread, struct mapping *m)
{
	struct query q;
	int rc;

	if (m->p->parent.n == 0)
		return OK;
	q = query_of(&st->w, SQL_SAVER_CHANNELS, db_i64(thread), db_text(m->p->ns),
	    db_str(m->p->parent));
	rc = query_row(&q);
	if (rc == OK && json_parse(&m->parent, query_borrow(&q, 0), NULL) != OK)
		rc = ERR_IO;                 /* damaged */
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* The text of saver_checkpoint.channels, into st->map. */
static int
map_make(struct store *st, int64_t thread, const struct store_saver_put *p, struct err *e)
{
	struct mapping m = { .p = p };
	struct err why;
	int rc;

	buf_clear(&st->map);
	rc = json_parse(&m.versions, p->versions_json.n == 0 ? S("{}") : p->versions_json,
	    &why);
	if (rc != OK)
		rc = err_set(e, ERR_INVALID, "versions: %s", why.text);
	if (rc == OK)
		rc = parent_load(st, thread, &m);
	if (rc == OK)
		rc = channels_map(&m, &st->map, e);
	json_release(&m.versions);
	json_release(&m.parent);
	return rc;
}

/* ---- puts and writes ----------------------------------------------------------- */

int
saver_put(struct store *st, int64_t thread, int64_t run, const struct store_saver_put *p,
    struct err *e)
{
	struct db *db = &st->w;
	int rc = put_check(e, p);

	if (rc == OK)
		rc = map_make(st, thread, p, e);
	if (rc == OK)
		rc = db_run(db, SQL_SAVER_PUT, db_i64(thread), db_text(p->ns),
		    db_str(p->id), p->parent.n == 0 ? db_null() : db_str(p->parent),
		    db_i64(run), db_text(p->checkpoint.type), db_blob(p->checkpoint.body),
		    db_text(p->metadata.type), db_blob(p->metadata.body),
		    db_str(buf_str(&st->map)));
	for (size_t i = 0; rc == OK && i < p->blobs_n; i++) {
		const struct store_saver_blob *b = &p->blobs[i];

		rc = db_run(db, SQL_SAVER_BLOB_PUT, db_i64(thread), db_text(p->ns),
		    db_str(p->id), db_str(b->channel), db_text(b->value.type),
		    db_blob(b->value.body));
	}
	return rc;
}

int
saver_write(struct store *st, int64_t thread, int64_t run,
    const struct store_saver_write *x, struct err *e)
{
	int rc = write_check(e, x);

	return rc != OK ? rc : db_run(&st->w, x->idx < 0 ? SQL_SAVER_WRITE_LAST :
	    SQL_SAVER_WRITE_FIRST, db_i64(thread), db_text(x->ns), db_str(x->id),
	    db_str(x->task), db_i64(x->idx), db_i64(run), db_text(x->path),
	    db_str(x->channel), db_text(x->value.type), db_blob(x->value.body));
}

static size_t
put_bytes(const struct store_saver_put *p)
{
	size_t bytes = 256 + p->ns.n + p->id.n + p->parent.n + p->checkpoint.body.n +
	    p->metadata.body.n + p->versions_json.n;

	for (size_t i = 0; i < p->blobs_n; i++)
		bytes += 96 + p->blobs[i].channel.n + p->blobs[i].value.body.n;
	return bytes;
}

size_t
saver_bytes(const struct store_saver_put *puts, size_t puts_n,
    const struct store_saver_write *writes, size_t writes_n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < puts_n; i++)
		bytes += put_bytes(&puts[i]);
	for (size_t i = 0; i < writes_n; i++)
		bytes += 192 + writes[i].ns.n + writes[i].id.n + writes[i].task.n +
		    writes[i].path.n + writes[i].channel.n + writes[i].value.body.n;
	return bytes;
}

/* ---- threads that tests name ---------------------------------------------------- */

struct uuid
store_saver_thread(owner_t o, struct str name)
{
	/* A name space of our own: a random id. */
	static const struct uuid space = { { 0x5f, 0x0b, 0x2c, 0x6e, 0x91, 0x4d, 0x47, 0xa8,
	    0xb3, 0x70, 0x1d, 0x5e, 0x28, 0xc4, 0x9a, 0x36 } };
	struct buf b = BUF(64 + LIMIT_HTTP_BODY_BYTES);
	struct uuid id;

	buf_add_fmt(&b, "%lld/", (long long)o);
	buf_add(&b, name);
	id = uuid_v5(&space, buf_str(&b));
	buf_release(&b);
	return id;
}

static int
named_thread(struct store *st, struct store_saver_text *x, struct store_thread *t)
{
	struct buf meta = BUF(8 * LIMIT_SAVER_ID_BYTES + 64);
	int rc;

	*t = (struct store_thread){ .id = store_saver_thread(x->cmd.owner, x->thread),
	    .created = x->now, .updated = x->now };
	rc = query_one(query_of(&st->w, SQL_THREAD_GET, db_uuid(&t->id),
	    db_i64(x->cmd.owner)), &store_thread_record, t, &st->scratch);
	if (rc != ERR_NOTFOUND || x->drop)
		return rc;
	json_add_fmt(&meta, "{'saver_thread':%.*s}", FMT(x->thread));
	t->seq = store_seq_next(st, SEQ_THREAD);
	t->metadata_json = arena_str(&st->scratch, buf_str(&meta));
	rc = meta.failed ? ERR_TOOBIG : arena_rc(&st->scratch);
	buf_release(&meta);
	if (rc == OK)
		rc = db_run(&st->w, SQL_THREAD_INSERT, db_i64(t->seq), db_uuid(&t->id),
		    db_i64(x->cmd.owner), db_i64(THREAD_IDLE), db_i64(x->now),
		    db_i64(x->now), db_null(), db_str(t->metadata_json), db_str(S("{}")),
		    db_i64(0), db_i64(0), db_i64(0), db_i64(0));
	return rc == OK ? threads_index(st, x->cmd.owner, t) : rc;
}

static int
saver_text(struct store *st, struct store_cmd *c)
{
	struct store_saver_text *x = (struct store_saver_text *)c;
	int64_t budget = ERASE_NOW;
	struct store_thread t;
	int rc = text_check(&c->err, "thread_id", x->thread, 1, LIMIT_SAVER_ID_BYTES);

	if (rc == OK)
		rc = named_thread(st, x, &t);
	if (x->drop)
		return rc == ERR_NOTFOUND ? OK :
		    rc == OK ? threads_drop(st, c->owner, &t, &budget) : rc;
	for (size_t i = 0; rc == OK && i < x->puts_n; i++)
		rc = saver_put(st, t.seq, 0, &x->puts[i], &c->err);
	for (size_t i = 0; rc == OK && i < x->writes_n; i++)
		rc = saver_write(st, t.seq, 0, &x->writes[i], &c->err);
	return rc;
}

static size_t
saver_text_bytes(const struct store_cmd *c)
{
	const struct store_saver_text *x = (const void *)c;

	return x->thread.n + saver_bytes(x->puts, x->puts_n, x->writes, x->writes_n);
}
OP_LOCK(saver_text, lock_key(l, LOCK_THREAD, x->thread))
const struct op store_op_saver_text = { .run = saver_text, .bytes = saver_text_bytes,
    .locks = saver_text_locks, .numbers = true };
