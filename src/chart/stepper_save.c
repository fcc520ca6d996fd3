/*
 * stepper_save.c - a stepper as JSON, and back.
 *
 *	{"session":{...},"output":1,"numbers":2,
 *	 "members":[{"number":1,"parent":0,"serial":2,"session":{...}},
 *	            {"number":2,"parent":1,"serial":1}],
 *	 "queue":[{"to":0,"name":"e","data":1,...},{"to":2,"start":true}],
 *	 "timers":[{"from":0,"due":1500,"name":"t",...}]}
 *
 * A member without "session" has not started.  Parts that are empty are left
 * out: of a chart at rest only "session" remains.
 *
 * Restoring starts at the top: each session says which invokes run in it
 * (EFFECT_INVOKE), and those that are charts are found among the members.  An
 * invoke whose end is in the queue is over.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/snapshot_priv.h"
#include "chart/stepper_priv.h"

#include <assert.h>

/* ---- writing ------------------------------------------------------------- */

static void
add_members(struct buf *b, const struct chart_stepper *st)
{
	json_add_fmt(b, ",'numbers':%u", st->numbers);
	if (st->members_n == 1)
		return;
	json_add_fmt(b, ",'members':[");
	for (const struct member *m = st->top->next; m != NULL; m = m->next) {
		assert(m->parent != NULL && m->cancelled == 0);
		json_add_fmt(b, ",{'number':%u,'parent':%u,'serial':%u", m->number,
		    m->parent->number, m->serial);
		if (m->started) {
			json_add_fmt(b, ",'session':");
			session_save(m->s, b);
		}
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
}

static void
add_deliveries(struct buf *b, const char *name, const struct delivery *first)
{
	if (first == NULL)
		return;
	json_add_fmt(b, ",%s:[", name);
	for (const struct delivery *j = first; j != NULL; j = j->next) {
		if (j->to == NULL)
			json_add_fmt(b, ",{'from':%u,'due':%lld", j->from->number,
			    (long long)j->due);
		else
			json_add_fmt(b, ",{'to':%u", j->to->number);
		if (j->start)
			json_add_fmt(b, ",'start':true");
		if (j->serial > 0)
			json_add_fmt(b, ",'serial':%u", j->serial);
		if (j->tie != TIE_NONE)
			json_add_fmt(b, ",'tie':%d", j->tie);
		for (size_t i = 0; i < DELIVERY_VALS; i++)
			snapshot_add_val(b, delivery_names[i], j->vals[i]);
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
}

static void
save(const struct chart_stepper *st, void (*session)(const struct session *s,
    struct buf *out), struct buf *out)
{
	assert(st->top->started);
	buf_lit(out, "{\"session\":");
	session(st->top->s, out);
	snapshot_add_val(out, "output", st->output);
	if (st->numbers > 0)
		add_members(out, st);
	add_deliveries(out, "queue", st->queue);
	add_deliveries(out, "timers", st->timers);
	buf_add_char(out, '}');
}

void
stepper_save(const struct chart_stepper *st, struct buf *out)
{
	save(st, session_save, out);
}

void
stepper_save_bare(const struct chart_stepper *st, struct buf *out)
{
	save(st, session_save_bare, out);
}

/* ---- reading ------------------------------------------------------------- */

static bool
is_number(jnode o, const char *key, uint32_t n)
{
	jnode v = json_get(o, str_of(key));

	return json_is_int(v) && json_int(v) == n;
}

/* Is the end of this invoke in the queue? */
static bool
has_ended(const struct chart_stepper *st, uint32_t member, uint32_t serial)
{
	struct json_iter it = json_each(json_get(st->saved, S("queue")));

	while (json_next(&it))
		if (is_number(it.value, "to", member) && is_number(it.value, "serial", serial) &&
		    json_int(json_get(it.value, S("tie"))) >= TIE_ERROR)
			return true;
	return false;
}

static jnode
saved_member(const struct chart_stepper *st, uint32_t parent, uint32_t serial)
{
	struct json_iter it = json_each(json_get(st->saved, S("members")));

	while (json_next(&it))
		if (is_number(it.value, "parent", parent) && is_number(it.value, "serial", serial))
			return it.value;
	return NULL;
}

static void
refuse(struct chart_stepper *st, const char *what, struct str name)
{
	struct reading r = { .e = st->e };

	if (st->rc == OK)
		snapshot_misfit(&r, what, name);
	if (st->rc == OK)
		st->rc = r.rc;
}

static void
member_again(struct member *m, const struct effect *f, jnode node)
{
	struct chart_stepper *st = m->st;
	int64_t number = json_int(json_get(node, S("number")));
	jnode session = json_get(node, S("session"));
	const struct chart *chart;
	struct effect_sink sink;
	struct member *child;
	struct chart *own;
	struct err e;
	int rc;

	if (number < 1 || number > st->numbers || member_numbered(st, (uint32_t)number) != NULL) {
		refuse(st, "the number of the session of", f->invokeid);
		return;
	}
	rc = stepper_chart(m, f, &chart, &own, &e);
	if (rc != OK) {
		stepper_invoke_failed(m, f->invokeid, f->serial, rc, str_of(e.text));
		st->lost = true;
		return;
	}
	child = member_new(st, m, chart, f, (uint32_t)number);
	child->chart = own;
	child->started = session != NULL;
	if (session == NULL)
		return;
	session_free(child->s);
	child->s = NULL;
	sink = member_sink(child);
	rc = session_restore_node(&child->s, chart, val_str(child->id), session, &sink, st->e);
	if (st->rc == OK)
		st->rc = rc;
}

void
stepper_invoke_again(struct member *m, const struct effect *f)
{
	struct chart_stepper *st = m->st;
	jnode node;

	if (st->rc != OK || has_ended(st, m->number, f->serial))
		return;
	if (!chart_is_chart_type(f->type)) {
		stepper_begin(m, f, true);
		return;
	}
	node = saved_member(st, m->number, f->serial);
	if (node != NULL)
		member_again(m, f, node);
	else
		refuse(st, "no session for the invoke", f->invokeid);
}

static struct member *
read_member(struct chart_stepper *st, jnode o, const char *key)
{
	jnode n = json_get(o, str_of(key));
	int64_t number = json_int(n);

	return json_is_int(n) && number >= 0 && number <= st->numbers ?
	    member_numbered(st, (uint32_t)number) : NULL;
}

/* The parts that events and timers have both. */
static struct delivery *
read_delivery(struct chart_stepper *st, jnode o)
{
	struct reading r = { .e = st->e };
	struct delivery *j = delivery_new(NULL, STR_NONE, VAL_UNDEF);
	int64_t tie = json_int(json_get(o, S("tie")));

	j->start = json_bool(json_get(o, S("start")));
	j->serial = snapshot_read_count(&r, o, S("serial"));
	if (tie < TIE_NONE || tie > TIE_DONE)
		snapshot_misfit(&r, "an event's", S("tie"));
	j->tie = (enum chart_tie)tie;
	for (size_t i = 0; i < DELIVERY_VALS; i++) {
		j->vals[i] = snapshot_read_val(&r, o, delivery_names[i]);
		if (&j->vals[i] != &j->data && j->vals[i].kind != VAL_UNDEFINED &&
		    j->vals[i].kind != VAL_STRING)
			snapshot_misfit(&r, "an event's", str_of(delivery_names[i]));
	}
	if (st->rc == OK)
		st->rc = r.rc;
	return j;
}

/* A member starts once, before its events. */
static bool
may_take(const struct member *m, const struct delivery *j)
{
	return m != NULL && (!j->start || (!m->started && m->waiting == 0));
}

/* The events of a session that could not be restored are dropped with it. */
static void
read_queue(struct chart_stepper *st)
{
	struct json_iter it = json_each(json_get(st->saved, S("queue")));

	while (st->rc == OK && json_next(&it)) {
		struct member *to = read_member(st, it.value, "to");
		struct delivery *j = read_delivery(st, it.value);

		if (!may_take(to, j)) {
			if (to != NULL || !st->lost)
				refuse(st, "nobody to take", val_text(j->name));
			delivery_free(j);
			continue;
		}
		j->to = to;
		delivery_post(st, j);
	}
}

static void
read_timers(struct chart_stepper *st)
{
	struct json_iter it = json_each(json_get(st->saved, S("timers")));

	while (st->rc == OK && json_next(&it)) {
		struct delivery *j = read_delivery(st, it.value);

		j->from = read_member(st, it.value, "from");
		j->due = json_int(json_get(it.value, S("due")));
		if (j->due < 0 || j->due == STEPPER_NEVER)
			refuse(st, "the time of", val_text(j->name));
		if (j->from == NULL || j->start) {
			if (j->start || !st->lost)
				refuse(st, "nobody who sent", val_text(j->name));
			delivery_free(j);
			continue;
		}
		delivery_delay(st, j);
	}
}

static void
read_stepper(struct chart_stepper *st, const struct chart *c, struct str id, jnode root)
{
	struct reading r = { .e = st->e };
	struct effect_sink sink = member_sink(st->top);
	int rc = OK;

	st->saved = root;
	st->numbers = snapshot_read_count(&r, root, S("numbers"));
	st->output = snapshot_read_val(&r, root, "output");
	st->top->started = true;
	st->rc = r.rc;
	if (st->rc == OK)
		rc = session_restore_node(&st->top->s, c, id,
		    json_get(root, S("session")), &sink, st->e);
	if (st->rc == OK)
		st->rc = rc;
	read_queue(st);
	read_timers(st);
	st->saved = NULL;
	st->e = NULL;
}

int
stepper_restore(struct chart_stepper **out, const struct chart *c, struct str id,
    struct str snapshot, const struct stepper_ops *ops, void *ctx, struct err *e)
{
	struct chart_stepper *st;
	struct json_doc doc;
	int rc = json_parse(&doc, snapshot, e);

	*out = NULL;
	if (rc == OK && !json_is_object(doc.root))
		rc = err_set(e, ERR_INVALID, "a snapshot is an object");
	if (rc == OK) {
		st = stepper_make(c, id, ops, ctx);
		st->e = e;
		read_stepper(st, c, id, doc.root);
		rc = st->rc;
		if (rc == OK)
			*out = st;
		else
			stepper_free(st);
	}
	json_release(&doc);
	return rc;
}
