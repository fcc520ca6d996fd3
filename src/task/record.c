/*
 * record.c - keys, and what earlier attempts left: records and answers.
 *
 * The record of a piece: {"result": ..., "writes": [[channel, value], ...]}, and what
 * it spent if a budget counts that (spend.c).  The record of a tool call is its
 * message.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/task_priv.h"

/* ---- keys ------------------------------------------------------------------------ */

/* A long one, as the id of a tool call may be, by its hash: keys stand in an index. */
static void
add_part(struct buf *b, struct str part)
{
	static const struct uuid parts = { { 0 } };
	struct uuid hash;

	if (part.n == 0)
		return;
	if (b->n > 0)
		buf_add_char(b, '/');
	if (part.n > LIMIT_NAME_BYTES) {
		hash = uuid_v5(&parts, part);
		uuid_add(b, &hash);
	} else {
		buf_add(b, part);
	}
}

static void
add_place(struct buf *b, const struct piece *p)
{
	if (p->up == NULL)
		return;
	add_place(b, p->up);
	if (p->up->run == &task_guard && p->index == 0)
		return;                      /* the first attempt is named as its guard */
	add_part(b, str_of(p->up->run->segment));
	if (b->n > 0)
		buf_add_char(b, '/');
	buf_add_u64(b, p->index);
}

void
piece_add_key(struct buf *b, const struct piece *p, struct str part)
{
	add_place(b, p);
	add_part(b, part);
}

const char *
piece_kind(const struct piece *p)
{
	return p->spec->kind->name;
}

/* ---- what is known --------------------------------------------------------------- */

static uint64_t
key_hash(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static bool
key_eq(const void *value, const void *key)
{
	return str_eq(((const struct known *)value)->key, *(const struct str *)key);
}

static const void *
key_of(const void *value)
{
	return &((const struct known *)value)->key;
}

void
records_init(struct task *t, const struct task_spec *s)
{
	t->arena = ARENA(SIZE_MAX / 2);
	map_init(&t->known, key_hash, key_eq, key_of);
	for (size_t i = 0; i < s->records_n; i++) {
		const struct task_record *r = &s->records[i];
		struct known *k = arena_new(&t->arena, struct known);

		k->key = arena_str(&t->arena, r->key);
		k->name = arena_str(&t->arena, r->name);
		if (r->result_json.p != NULL)
			k->result_json = arena_str(&t->arena, r->result_json);
		map_put(&t->known, k);
	}
	inbox_init(t);
	t->answers_n = s->answers_n;
	if (s->answers_n > 0)
		t->answers = arena_zero(&t->arena, s->answers_n * sizeof *t->answers);
	for (size_t i = 0; i < s->answers_n; i++)
		t->answers[i] = (struct task_answer){
		    arena_str(&t->arena, s->answers[i].key),
		    val_ref(s->answers[i].value) };
}

void
records_release(struct task *t)
{
	for (size_t i = 0; i < t->answers_n; i++)
		val_drop(t->answers[i].value);
	for (size_t i = 0; i < t->interrupts_n; i++) {
		val_drop(t->interrupts[i].value);
		val_drop(t->interrupts[i].schema);
	}
	free(t->interrupts);
	free(t->kept);
	inbox_release(t);
	task_mail_release(t);
	map_release(&t->known);
	arena_release(&t->arena);
}

const struct known *
record_find(const struct piece *p, struct str part)
{
	struct buf key = BUF(KEY_BYTES);
	const struct known *k;
	struct str text;

	if (p->task->known.n == 0)
		return NULL;
	piece_add_key(&key, p, part);
	text = buf_str(&key);
	k = map_get(&p->task->known, &text);
	buf_release(&key);
	return k;
}

/* ---- again --------------------------------------------------------------------------- */

/* One of the writes: [name, value, known?]. */
static bool
repeat_write(struct piece *p, struct val w)
{
	struct val name = val_at(w, 0), known = val_at(w, 2);
	int channel = name.kind != VAL_STRING ? CHANNEL_NONE :
	    channels_find(p->task->view.state, val_str(name));

	/* A channel that the agent does not have any more. */
	if (channel == CHANNEL_NONE)
		return true;
	/* Ids that were new then may be in the state by now. */
	return piece_write(p, (unsigned)channel, val_ref(val_at(w, 1)),
	    known.kind == VAL_INT ? (unsigned)known.u.i & ~(unsigned)REDUCE_NEW_IDS : 0);
}

bool
record_repeat(struct piece *p)
{
	const struct known *k = record_find(p, STR_NONE);
	struct val record, writes;
	bool fits = true;

	if (k == NULL || k->result_json.p == NULL || (p->run->traits & TASK_PURE) != 0)
		return false;
	record = val_json_trusted(k->result_json);
	writes = val_get(record, S("writes"));
	for (size_t i = 0; i < val_count(writes) && fits; i++)
		fits = repeat_write(p, val_at(writes, i));
	if (fits) {
		p->recorded = true;
		spend_read_record(p, record);
		if (p->run == &task_llm)
			p->task->heard += val_count(val_get(val_get(record, S("result")),
			    S("heard")));
		piece_done(p, val_ref(val_get(record, S("result"))));
	}
	val_drop(record);
	return true;
}

/* ---- done ----------------------------------------------------------------------------- */

static void
add_record(struct buf *b, const struct piece *p)
{
	const struct view *v = p->view;

	json_add_fmt(b, "{'result':");
	val_add_json(b, p->result);
	json_add_fmt(b, ",'writes':[");
	for (size_t i = p->wrote; i < v->n; i++) {
		const struct task_write *w = &v->writes[i];

		json_add_fmt(b, ",[%.*s,",
		    FMT(channels_def(p->task->view.state, w->channel)->name));
		val_add_json(b, w->value);
		if (w->known != 0)
			json_add_fmt(b, ",%u", w->known);
		buf_add_char(b, ']');
	}
	buf_add_char(b, ']');
	spend_add_record(b, p);
	buf_add_char(b, '}');
}

static void
keep(struct task *t, struct str key, struct str name, struct str json)
{
	mem_grow(t->kept, t->kept_n, t->kept_cap);
	t->kept[t->kept_n++] = (struct task_record){ arena_str(&t->arena, key),
	    arena_str(&t->arena, name), arena_str(&t->arena, json) };
}

void
record_part(struct piece *p, struct str part, struct str name, struct str json)
{
	struct task *t = p->task;
	struct buf key = BUF(KEY_BYTES);

	piece_add_key(&key, p, part);
	if (t->host->record_done != NULL)
		t->host->record_done(t->ctx, buf_str(&key), name, json);
	else
		keep(t, buf_str(&key), name, json);
	buf_release(&key);
}

/* Alone in its task, its end is told by what it wrote. */
void
record_piece(struct piece *p)
{
	struct task *t = p->task;
	bool journal = (p->run->traits & TASK_EFFECT) != 0 && !p->cheap &&
	    t->host->record_done != NULL;
	struct buf key = BUF(KEY_BYTES), json = BUF(LIMIT_STATE_BYTES);

	if (piece_is_whole(p) || (p->run->traits & (TASK_CONTAINER | TASK_PURE)) != 0 ||
	    (!journal && !t->may_wait) || p->recorded)
		return;
	piece_add_key(&key, p, STR_NONE);
	add_record(&json, p);
	if (json.failed || key.failed)
		;                            /* done again then */
	else if (journal)
		t->host->record_done(t->ctx, buf_str(&key), str_of(piece_kind(p)),
		    buf_str(&json));
	else
		keep(t, buf_str(&key), str_of(piece_kind(p)), buf_str(&json));
	buf_release(&key);
	buf_release(&json);
}

/* ---- events for the chart --------------------------------------------------------------- */

bool
piece_may_post(const struct piece *p)
{
	return p->task->host->post != NULL && p->task->agent->chart != NULL;
}

void
piece_post(struct piece *p, struct str part, struct str json, struct val events,
    bool again)
{
	struct task *t = p->task;
	size_t n = val_count(events);
	struct task_event *ev = mem_zero((n + 1) * sizeof *ev);
	struct buf key = BUF(KEY_BYTES);

	for (size_t i = 0; i < n; i++)
		ev[i] = (struct task_event){ val_str(val_get(val_at(events, i), S("name"))),
		    val_get(val_at(events, i), S("data")) };
	piece_add_key(&key, p, part);
	if (t->host->record_done == NULL && !again)
		keep(t, buf_str(&key), S("events"), json);
	t->host->post(t->ctx, buf_str(&key), json, ev, n, again);
	buf_release(&key);
	free(ev);
}
