/*
 * changes.c - writing what a step leaves: checkpoints and what belongs to them.
 *
 * While a command runs, each namespace that it touches has a *place*: the
 * checkpoint that the next one follows, with its channels.  A new checkpoint
 * takes these and what changes.  New entries of a list are held back, so that
 * several checkpoints of one command leave one row.
 *
 *   The lists of a namespace's newest checkpoint end where it says; only these
 *   are appended to.  A checkpoint that follows an older one takes a new list,
 *   based on the old, wherever that has gone on.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "store/node.h"
#include "store/store_priv.h"

/* ---- places ---------------------------------------------------------------- */

/* Reads a place by its query: seq, uuid, run, channels, ... */
static int
place_load(struct changing *w, struct place *p, struct query q)
{
	int rc = query_row(&q);

	p->seq = 0;
	p->id = (struct uuid){ { 0 } };
	p->text = STR_NONE;
	if (rc == OK) {
		p->seq = query_i64(&q, 0);
		p->id = query_uuid(&q, 1);
		p->text = query_str(&q, 3, &w->st->scratch);
	}
	query_end(&q);
	p->parsed = false;
	return rc;
}

/* The channels are only looked at when a checkpoint follows. */
static int
place_parse(struct changing *w, struct place *p)
{
	int rc;

	if (p->parsed)
		return OK;
	p->parsed = true;
	rc = channels_parse(&p->channels, p->text, &w->st->scratch);
	for (size_t i = 0; i < p->channels.n; i++)
		p->channels.at[i].stale = p->older;
	return rc;
}

struct place *
place_root(struct changing *w)
{
	assert(w->n > 0 && w->places[0].ns.n == 0);
	return &w->places[0];
}

static int
place_add(struct changing *w, struct str ns, struct place **out)
{
	if (!arena_grow(&w->st->scratch, w->places, w->n, w->cap))
		return ERR_TOOBIG;
	*out = &w->places[w->n++];
	**out = (struct place){ .ns = ns };
	return OK;
}

/* At the head of the namespace, unless this command has moved it already. */
static int
place_of(struct changing *w, struct str ns, struct place **out)
{
	int rc;

	for (size_t i = 0; i < w->n; i++) {
		*out = &w->places[i];
		if (str_eq((*out)->ns, ns))
			return OK;
	}
	rc = place_add(w, ns, out);
	if (rc == OK)
		rc = place_load(w, *out, query_of(&w->st->w, SQL_PLACE_HEAD,
		    db_i64(w->thread), db_text(ns)));
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
changing_open(struct changing *w, struct store *st, struct store_cmd *c,
    owner_t owner, int64_t thread)
{
	struct place *root;
	int rc;

	*w = (struct changing){ .st = st, .c = c, .owner = owner, .thread = thread };
	rc = place_add(w, S(""), &root);
	if (rc == OK)
		rc = place_load(w, root, query_of(&st->w, SQL_PLACE_HEAD,
		    db_i64(thread), db_text(S(""))));
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* Is it this node that has the run?  One that was parked, and goes on before another
 * node has woken it, is taken back. */
static int
run_check_node(struct changing *w)
{
	int64_t us = w->st->us;

	if (w->node == us)
		return OK;
	if (w->node != -us)
		return err_set(&w->c->err, ERR_CANCELLED, "another server has the run");
	w->node = us;
	return node_set(w->st, w->thread, us);
}

/* The same in one statement with the run's state. */
int
changing_open_run(struct changing *w, struct store *st, struct store_cmd *c,
    int64_t run, int64_t thread)
{
	struct place *root;
	struct query q;
	int64_t status = 0;
	int rc;

	*w = (struct changing){ .st = st, .c = c, .owner = c->owner, .run = run,
	    .thread = thread };
	rc = place_add(w, S(""), &root);
	if (rc != OK)
		return rc;
	q = query_of(&st->w, SQL_RUN_OPEN, db_i64(run), db_i64(thread),
	    db_i64(c->owner));
	rc = query_row(&q);
	if (rc == OK) {
		status = query_i64(&q, 0);
		root->seq = query_i64(&q, 1);
		root->id = query_uuid(&q, 2);
		root->text = query_str(&q, 3, &st->scratch);
		w->payer = query_uuid(&q, 4);
		w->has_hook = query_i64(&q, 5) != 0;
		w->temporary = query_i64(&q, 6) != 0;
		w->node = query_i64(&q, 7);
	}
	query_end(&q);
	if (rc == OK && status != RUN_RUNNING)
		rc = err_set(&c->err, ERR_CONFLICT, "the run is %s, not running",
		    run_status_names[status]);
	return rc == OK && st->us != NODE_ALONE ? run_check_node(w) : rc;
}

/* ---- lists ----------------------------------------------------------------- */

static int
held_flush(struct changing *w, struct channel_ref *r)
{
	size_t n = r->held_n;

	r->held_n = 0;
	return n == 0 ? OK : lists_append(w->st, r->list, r->len - (uint32_t)n, r->held, n);
}

static int
place_flush(struct changing *w, struct place *p)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < p->channels.n; i++)
		rc = held_flush(w, &p->channels.at[i]);
	return rc;
}

static int
entries_hold(struct changing *w, struct channel_ref *r, const struct str *entries,
    size_t n)
{
	struct str *held = arena_alloc(&w->st->scratch, (r->held_n + n) * sizeof *held);

	if (held == NULL)
		return ERR_TOOBIG;
	if (r->held_n > 0)
		memcpy(held, r->held, r->held_n * sizeof *held);
	memcpy(held + r->held_n, entries, n * sizeof *held);
	r->held = held;
	r->held_n += n;
	r->len += (uint32_t)n;
	return OK;
}

/* A new list with what stays of the one before. */
static int
list_renew(struct changing *w, struct channel_ref *r, uint32_t keep, bool empty)
{
	int rc = held_flush(w, r);

	if (rc == OK)
		rc = empty ? lists_begin_empty(w->st, w->thread, &r->list) :
		    lists_begin(w->st, w->thread, r->list, keep, &r->list);
	r->is_list = true;
	r->len = keep;
	return rc;
}

/* A list of an older checkpoint, which may have gone on since. */
static int
list_settle(struct changing *w, struct channel_ref *r, bool *changed)
{
	uint32_t end = 0;
	int rc;

	if (!r->is_list || !r->stale)
		return OK;
	r->stale = false;
	rc = lists_end(&w->st->w, r->list, &end);
	if (rc == OK && end < r->len)
		rc = ERR_IO;                         /* damaged */
	if (rc != OK || end == r->len)
		return rc;
	*changed = true;
	return list_renew(w, r, r->len, r->len == 0);
}

static int
lists_settle(struct changing *w, struct place *p, bool *changed)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < p->channels.n; i++)
		rc = list_settle(w, &p->channels.at[i], changed);
	return rc;
}

static int
list_change(struct changing *w, const struct store_checkpoint_put *p,
    struct channel_ref *r, const struct store_channel_change *x)
{
	uint32_t len = r->is_list ? r->len : 0;
	bool changed;
	int rc;

	if (x->keep > len)
		return err_set(&w->c->err, ERR_INVALID, "step %d keeps %u entries of %u "
		    "in channel %.*s", p->step, x->keep, len, FMT(r->name));
	if (x->keep + x->entries_n > LIMIT_MESSAGES)
		return err_set(&w->c->err, ERR_LIMIT, "over %d entries in channel %.*s",
		    LIMIT_MESSAGES, FMT(r->name));
	if (!r->is_list || x->keep < len)
		rc = list_renew(w, r, x->keep, x->keep + x->entries_n == 0);
	else
		rc = list_settle(w, r, &changed);
	r->stale = false;
	return rc == OK && x->entries_n > 0 ?
	    entries_hold(w, r, x->entries, x->entries_n) : rc;
}

int
place_rebase(struct changing *w, struct str ns, const struct channel_map **now)
{
	struct place *p;
	bool changed = false;
	int rc = place_of(w, ns, &p);

	if (rc == OK) {
		p->older = true;
		rc = place_parse(w, p);
	}
	if (rc == OK)
		rc = lists_settle(w, p, &changed);
	*now = rc == OK ? &p->channels : NULL;
	if (rc != OK || !changed)
		return rc;
	buf_clear(&w->st->map);
	channels_add_json(&w->st->map, &p->channels);
	return db_run(&w->st->w, SQL_CHECKPOINT_REBASE, db_str(buf_str(&w->st->map)),
	    db_i64(p->seq));
}

/* ---- checkpoints ----------------------------------------------------------- */

static int
value_change(struct changing *w, const struct store_checkpoint_put *p, int64_t seq,
    struct channel_ref *r, const struct store_channel_change *x)
{
	int rc = held_flush(w, r);

	r->is_list = false;
	r->list = 0;
	r->len = 0;
	r->value = seq;
	return rc != OK ? rc : db_run(&w->st->w, SQL_CHANNEL_INSERT, db_i64(w->thread),
	    db_text(p->ns), db_str(r->name), db_i64(seq), db_text(x->type),
	    db_blob(x->body));
}

static int
channel_gone(struct changing *w, struct channel_map *c, struct channel_ref *r)
{
	int rc = held_flush(w, r);
	size_t at = (size_t)(r - c->at);

	memmove(r, r + 1, (--c->n - at) * sizeof *r);
	return rc;
}

static struct str
name_escaped(struct arena *a, struct str name)
{
	struct buf b = BUF(8 * LIMIT_NAME_BYTES);
	struct str out = name;
	bool plain = true;

	for (size_t i = 0; i < name.n; i++)
		plain = plain && (unsigned char)name.p[i] >= 0x20 &&
		    name.p[i] != '"' && name.p[i] != '\\';
	if (plain)
		return out;
	json_add_escaped(&b, name);
	out = b.failed ? STR_NONE : arena_str(a, buf_str(&b));
	buf_release(&b);
	return out;
}

static int
channel_change(struct changing *w, const struct store_checkpoint_put *p,
    struct place *at, int64_t seq, const struct store_channel_change *x)
{
	struct str name = name_escaped(&w->st->scratch, x->name);
	struct channel_map *c = &at->channels;
	struct channel_ref *r = channels_ref(c, name);

	if (name.n == 0 || x->name.n > LIMIT_NAME_BYTES)
		return err_set(&w->c->err, ERR_INVALID, "a channel's name: expected 1 "
		    "to %d bytes, got %zu", LIMIT_NAME_BYTES, x->name.n);
	if (r != NULL && r->changed == seq)
		return err_set(&w->c->err, ERR_INVALID, "channel %.*s is changed twice "
		    "in step %d", FMT(name), p->step);
	if (x->kind == STORE_GONE)
		return r == NULL ? OK : channel_gone(w, c, r);
	if (r == NULL) {
		if (c->n >= LIMIT_CHANNELS)
			return err_set(&w->c->err, ERR_LIMIT, "over %d channels",
			    LIMIT_CHANNELS);
		if (!arena_grow(&w->st->scratch, c->at, c->n, c->cap))
			return ERR_TOOBIG;
		r = &c->at[c->n++];
		*r = (struct channel_ref){ .name = name };
	}
	r->changed = seq;
	return x->kind == STORE_LIST ? list_change(w, p, r, x) :
	    value_change(w, p, seq, r, x);
}

/* Moves the place to before the first checkpoint. */
static int
place_begin(struct changing *w, struct place *p)
{
	int rc = place_flush(w, p);

	*p = (struct place){ .ns = p->ns, .parsed = true };
	return rc;
}

/* Moves the place to the parent that is named. */
static int
place_follow(struct changing *w, struct place *p, const struct uuid *parent)
{
	int rc;

	if (uuid_is_zero(parent) || uuid_eq(parent, &p->id))
		return place_parse(w, p);
	rc = place_flush(w, p);
	if (rc == OK)
		rc = place_load(w, p, query_of(&w->st->w, SQL_PLACE_FIND,
		    db_i64(w->thread), db_text(p->ns), db_uuid(parent)));
	if (rc == ERR_NOTFOUND)
		return err_set(&w->c->err, rc, "the checkpoint to go on from is not "
		    "there");
	p->older = true;
	return rc == OK ? place_parse(w, p) : rc;
}

static struct db_value
optional(struct str s)
{
	return db_str(s.n == 0 ? STR_NONE : s);
}

static int
checkpoint_insert(struct changing *w, const struct place *at, int64_t seq,
    const struct store_checkpoint_put *p)
{
	struct buf *map = &w->st->map;

	buf_clear(map);
	channels_add_json(map, &at->channels);
	if (map->failed)
		return ERR_TOOBIG;
	return db_run(&w->st->w, SQL_CHECKPOINT_INSERT, db_i64(seq),
	    db_uuid(&p->id), db_i64(w->thread), db_text(p->ns), db_i64(at->seq),
	    db_i64(w->run), db_i64(p->step), db_i64(p->source), db_i64(p->created),
	    db_str(buf_str(map)), optional(p->tasks_json), optional(p->snapshot),
	    optional(p->wrote_json), optional(p->extra_json));
}

int
checkpoint_ns_check(struct err *e, struct str ns)
{
	if (ns.n <= LIMIT_CHECKPOINT_NS_PUT_BYTES)
		return OK;
	return err_set(e, ERR_INVALID, "namespace: it has %zu bytes; longer than %d, for "
	    "indexes of PostgreSQL, a checkpoint's is read and no longer saved", ns.n,
	    LIMIT_CHECKPOINT_NS_PUT_BYTES);
}

static int
checkpoint_put(struct changing *w, const struct store_checkpoint_put *p, int64_t seq)
{
	struct place *at;
	bool changed;
	int rc;

	assert(!uuid_is_zero(&p->id));
	rc = checkpoint_ns_check(&w->c->err, p->ns);
	if (rc != OK)
		return rc;
	rc = place_of(w, p->ns, &at);
	if (rc == OK)
		rc = p->alone ? place_begin(w, at) : place_follow(w, at, &p->parent);
	for (size_t i = 0; rc == OK && i < p->channels_n; i++)
		rc = channel_change(w, p, at, seq, &p->channels[i]);
	if (rc == OK && at->older)
		rc = lists_settle(w, at, &changed);
	if (rc == OK)
		rc = checkpoint_insert(w, at, seq, p);
	at->older = false;
	if (rc != OK)
		return rc;
	at->seq = seq;
	at->id = p->id;
	if (p->ns.n == 0)
		w->updated = p->created;
	return OK;
}

/* ---- the rest -------------------------------------------------------------- */

static int
write_put(struct changing *w, const struct store_write *x)
{
	return db_run(&w->st->w, x->idx < 0 ? SQL_WRITE_LAST : SQL_WRITE_FIRST,
	    db_i64(w->thread), db_uuid(&x->task), db_i64(x->idx), db_text(x->path),
	    db_text(x->channel), db_text(x->type), db_blob(x->body), db_i64(w->run));
}

int
record_put(struct store *st, int64_t run, int64_t thread, const struct store_record *x)
{
	return db_run(&st->w, SQL_RECORD_PUT, db_i64(thread), db_uuid(&x->task),
	    db_text(x->key), db_i64(run), db_str(x->name), db_str(x->result));
}

static int
interrupt_put(struct changing *w, const struct store_interrupt *x)
{
	struct place found, *at = &found;
	int rc = uuid_is_zero(&x->checkpoint) ? place_of(w, x->ns, &at) :
	    place_load(w, at, query_of(&w->st->w, SQL_PLACE_FIND, db_i64(w->thread),
	    db_text(x->ns), db_uuid(&x->checkpoint)));

	if (rc == ERR_NOTFOUND)
		return err_set(&w->c->err, rc, "an interrupt's checkpoint is not there");
	return rc != OK ? rc : db_run(&w->st->w, x->anew ? SQL_INTERRUPT_ANEW :
	    SQL_INTERRUPT_INSERT,
	    db_i64(w->thread), db_uuid(&x->id), db_i64(w->owner), db_text(x->ns),
	    db_uuid(&x->task), db_i64(at->seq), db_i64(w->run), db_text(x->key),
	    db_text(x->value_json), optional(x->schema_json), db_i64(x->created),
	    x->due == 0 ? db_null() : db_i64(x->due), optional(x->assignee));
}

static int
tasks_put(struct changing *w, const struct store_checkpoint_tasks *x)
{
	struct place found, *at = &found;
	int rc = uuid_is_zero(&x->checkpoint) ? place_of(w, x->ns, &at) :
	    place_load(w, at, query_of(&w->st->w, SQL_PLACE_FIND, db_i64(w->thread),
	    db_text(x->ns), db_uuid(&x->checkpoint)));

	if (rc == ERR_NOTFOUND)
		return OK;
	if (rc == OK && w->run != 0)
		rc = db_run(&w->st->w, SQL_CHECKPOINT_BEFORE_PUT, db_i64(at->seq),
		    db_i64(w->run));
	return rc != OK ? rc : db_run(&w->st->w, SQL_CHECKPOINT_TASKS,
	    optional(x->tasks_json), db_str(x->snapshot), db_i64(at->seq));
}

static int
savers_write(struct changing *w, const struct store_changes *x)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < x->checkpoint_tasks_n; i++)
		rc = tasks_put(w, &x->checkpoint_tasks[i]);
	for (size_t i = 0; rc == OK && i < x->saver_puts_n; i++)
		rc = saver_put(w->st, w->thread, w->run, &x->saver_puts[i], &w->c->err);
	for (size_t i = 0; rc == OK && i < x->saver_writes_n; i++)
		rc = saver_write(w->st, w->thread, w->run, &x->saver_writes[i],
		    &w->c->err);
	return rc;
}

static int
rest_write(struct changing *w, const struct store_changes *x)
{
	int rc = savers_write(w, x);

	for (size_t i = 0; rc == OK && i < x->writes_n; i++)
		rc = write_put(w, &x->writes[i]);
	for (size_t i = 0; rc == OK && i < x->records_n; i++)
		rc = record_put(w->st, w->run, w->thread, &x->records[i]);
	for (size_t i = 0; rc == OK && i < x->interrupts_n; i++)
		rc = interrupt_put(w, &x->interrupts[i]);
	if (rc == OK && x->interrupts_n > 0)
		rc = interrupts_check(w->st, w->thread, &w->c->err);
	for (size_t i = 0; rc == OK && i < x->void_interrupts_n; i++)
		rc = db_run(&w->st->w, SQL_INTERRUPT_VOID, db_i64(w->thread),
		    db_uuid(&x->void_interrupts[i]));
	if (rc == OK)
		rc = usage_add(w->st, w->owner, w->thread, w->run, &w->payer, x->usage,
		    x->usage_n);
	if (rc == OK && x->mails_taken_n > 0)
		rc = mails_taken(w->st, w->owner, x->mails_taken, x->mails_taken_n,
		    x->mails_now);
	if (rc == OK)
		rc = mails_put(w->st, w->owner, w->c->node, x->mails, x->mails_n);
	return rc == OK && x->void_moved ? interrupts_void_moved(w->st, w->thread) : rc;
}

static bool
checkpoint_is_there(struct changing *w, const struct store_checkpoint_put *p)
{
	return query_any(query_of(&w->st->w, SQL_PLACE_FIND, db_i64(w->thread),
	    db_text(p->ns), db_uuid(&p->id))) == OK;
}

int
changes_write(struct changing *w, struct store_changes *x)
{
	int rc = interrupts_answer(w->st, w->c, w->thread, w->run, x->answers,
	    x->answers_n);

	for (size_t i = 0; rc == OK && i < x->drop_tasks_n; i++)
		rc = task_drop(w->st, w->thread, &x->drop_tasks[i]);
	for (size_t i = 0; rc == OK && i < x->checkpoints_n; i++) {
		int64_t seq = store_seq_next(w->st, SEQ_CHECKPOINT);

		if (i == 0)
			x->first_seq = seq;
		if (x->saver_puts_n == 0 || !checkpoint_is_there(w, &x->checkpoints[i]))
			rc = checkpoint_put(w, &x->checkpoints[i], seq);
	}
	for (size_t i = 0; rc == OK && i < w->n; i++)
		rc = place_flush(w, &w->places[i]);
	if (rc == OK)
		rc = rest_write(w, x);
	return rc == OK && x->transcript.bytes.n > 0 ? transcript_put(w->st, w->run, x) : rc;
}

/* ---- what it weighs in the queue ------------------------------------------- */

static size_t
checkpoint_bytes(const struct store_checkpoint_put *p)
{
	size_t bytes = 256 + p->ns.n + p->tasks_json.n + p->snapshot.n +
	    p->wrote_json.n + p->extra_json.n;

	for (size_t i = 0; i < p->channels_n; i++) {
		const struct store_channel_change *x = &p->channels[i];

		bytes += 64 + x->name.n + x->body.n;
		for (size_t j = 0; j < x->entries_n; j++)
			bytes += x->entries[j].n;
	}
	return bytes;
}

size_t
changes_bytes(const struct store_changes *x)
{
	size_t bytes = 64 * (x->drop_tasks_n + x->void_interrupts_n) +
	    x->transcript.bytes.n + mails_bytes(x->mails, x->mails_n) +
	    8 * x->mails_taken_n;

	for (size_t i = 0; i < x->checkpoints_n; i++)
		bytes += checkpoint_bytes(&x->checkpoints[i]);
	bytes += saver_bytes(x->saver_puts, x->saver_puts_n, x->saver_writes,
	    x->saver_writes_n);
	for (size_t i = 0; i < x->checkpoint_tasks_n; i++)
		bytes += 128 + x->checkpoint_tasks[i].tasks_json.n +
		    x->checkpoint_tasks[i].snapshot.n;
	for (size_t i = 0; i < x->writes_n; i++)
		bytes += 128 + x->writes[i].body.n;
	for (size_t i = 0; i < x->records_n; i++)
		bytes += 128 + x->records[i].key.n + x->records[i].result.n;
	for (size_t i = 0; i < x->interrupts_n; i++)
		bytes += 256 + x->interrupts[i].value_json.n +
		    x->interrupts[i].schema_json.n;
	for (size_t i = 0; i < x->usage_n; i++)
		bytes += 96 + x->usage[i].model.n;
	for (size_t i = 0; i < x->answers_n; i++)
		bytes += 64 + x->answers[i].answer_json.n;
	return bytes;
}
