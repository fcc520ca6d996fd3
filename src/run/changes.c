/*
 * changes.c - see changes_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/changes_priv.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "mail/post.h"

#define CHANGES_ARENA (4 * (size_t)LIMIT_STATE_BYTES)

void
changes_init(struct changes *c)
{
	*c = (struct changes){ .arena = ARENA(CHANGES_ARENA) };
}

void
changes_release(struct changes *c)
{
	for (size_t i = 0; i < c->kept_n; i++)
		val_drop(c->kept[i]);
	free(c->kept);
	free(c->answers);
	free(c->drops);
	free(c->checkpoints);
	free(c->writes);
	free(c->records);
	free(c->interrupts);
	free(c->saver_puts);
	free(c->saver_writes);
	free(c->tasks);
	free(c->usage);
	free(c->mails);
	free(c->letters);
	free(c->taken);
	buf_release(&c->transcript);
	arena_release(&c->arena);
	changes_init(c);
}

bool
changes_empty(const struct changes *c)
{
	return c->answers_n + c->drops_n + c->checkpoints_n + c->writes_n +
	    c->records_n + c->interrupts_n + c->mails_n + c->letters_n +
	    c->saver_puts_n + c->saver_writes_n + c->tasks_n == 0 &&
	    !c->void_moved;
}

void
changes_take(struct changes *c, struct changes *to)
{
	*to = *c;
	changes_init(c);
}

int
changes_fill(const struct changes *c, struct store_changes *out, struct err *e)
{
	if (c->arena.failed)
		return err_set(e, ERR_TOOBIG, "one step changes more than %zu bytes",
		    CHANGES_ARENA);
	*out = (struct store_changes){
		.answers = c->answers, .answers_n = c->answers_n,
		.drop_tasks = c->drops, .drop_tasks_n = c->drops_n,
		.checkpoints = c->checkpoints, .checkpoints_n = c->checkpoints_n,
		.writes = c->writes, .writes_n = c->writes_n,
		.records = c->records, .records_n = c->records_n,
		.interrupts = c->interrupts, .interrupts_n = c->interrupts_n,
		.saver_puts = c->saver_puts, .saver_puts_n = c->saver_puts_n,
		.saver_writes = c->saver_writes, .saver_writes_n = c->saver_writes_n,
		.checkpoint_tasks = c->tasks, .checkpoint_tasks_n = c->tasks_n,
		.void_moved = c->void_moved,
		.usage = c->usage, .usage_n = c->usage_n,
		.mails = c->mails, .mails_n = c->mails_n,
		.mails_taken = c->taken, .mails_taken_n = c->taken_n, .mails_now = c->taken_at,
		.transcript = { c->first, c->last, buf_str(&c->transcript) },
	};
	return OK;
}

/* ---- texts ---------------------------------------------------------------------- */

static struct str
copy(struct changes *c, struct str s)
{
	return s.n == 0 ? STR_NONE : arena_str(&c->arena, s);
}

/* What was written, for a row; the buffer is released.  One that grew too large
 * fails the changes as a whole (changes_fill). */
static struct str
taken(struct changes *c, struct buf *b)
{
	struct str text = STR_NONE;

	if (b->failed)
		c->arena.failed = true;
	else
		text = arena_str(&c->arena, buf_str(b));
	buf_release(b);
	return text;
}

/* A value's JSON: its own text if it has one, which is kept by a reference. */
static struct str
text_of(struct changes *c, struct val v)
{
	struct str text = val_json_text(v);
	struct buf b = BUF(LIMIT_STATE_BYTES);

	if (text.n > 0) {
		mem_grow(c->kept, c->kept_n, c->kept_cap);
		c->kept[c->kept_n++] = val_ref(v);
		return text;
	}
	val_add_json(&b, v);
	return taken(c, &b);
}

/* ---- checkpoints ------------------------------------------------------------------- */

static void
list_change(struct changes *c, struct store_channel_change *out,
    const struct channel_change *x)
{
	size_t n = val_count(x->value);
	struct str *entries = arena_alloc(&c->arena, (n - x->keep) * sizeof *entries);

	out->kind = STORE_LIST;
	out->keep = (uint32_t)x->keep;
	if (entries == NULL)
		return;
	for (size_t i = x->keep; i < n; i++)
		entries[i - x->keep] = text_of(c, val_at(x->value, i));
	out->entries = entries;
	out->entries_n = n - x->keep;
}

static void
channel_changes(struct changes *c, struct store_checkpoint_put *p,
    const struct channels *state)
{
	struct store_channel_change *all;
	struct channel_change x;
	size_t at = 0;

	all = arena_alloc(&c->arena, (channels_count(state) + 1) * sizeof *all);
	if (all == NULL)
		return;
	while (channels_change(state, &at, &x)) {
		const struct channel *def = channels_def(state, x.index);
		struct store_channel_change *out = &all[p->channels_n++];

		*out = (struct store_channel_change){ .name = copy(c, def->name) };
		if (x.value.kind == VAL_UNDEFINED) {
			out->kind = STORE_GONE;
		} else if (reducer_is_list(def->reducer) && x.value.kind == VAL_ARRAY) {
			list_change(c, out, &x);
		} else {
			out->kind = STORE_VALUE;
			out->type = S("json");
			out->body = text_of(c, x.value);
		}
	}
	p->channels = all;
}

static void
add_hidden_input(struct buf *b, const struct core_task *t)
{
	if (t->input.kind == VAL_UNDEFINED)
		return;
	buf_lit(b, ",\"input\":");
	val_add_json(b, t->input);
}

static void
add_task(struct buf *b, const struct core_task *t)
{
	buf_lit(b, "{\"id\":\"");
	uuid_add(b, &t->id);
	buf_lit(b, "\",\"name\":");
	json_add_str(b, t->name);
	if (t->push) {
		buf_add_fmt(b, ",\"path\":[\"__pregel_push\",%u]", t->index);
		add_hidden_input(b, t);
	}
	if (t->serial != 0)
		buf_add_fmt(b, ",\"serial\":%llu", (unsigned long long)t->serial);
	buf_add_char(b, '}');
}

static struct str
tasks_text(struct changes *c, const struct core_checkpoint *x)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);

	if (x->tasks_n == 0)
		return STR_NONE;
	for (size_t i = 0; i < x->tasks_n; i++) {
		buf_add_char(&b, i == 0 ? '[' : ',');
		add_task(&b, x->tasks[i]);
	}
	buf_add_char(&b, ']');
	return taken(c, &b);
}

/* What of the channel the task's write is: its new entries or all of it, if they
 * are as they were written; else the write. */
static void
add_wrote(struct buf *b, const struct core_checkpoint *x, size_t index, struct val value)
{
	const struct channel *def = channels_def(x->state, index);
	struct val now = channels_get(x->state, index);
	struct channel_change change;
	size_t at = index;

	if (reducer_is_list(def->reducer) && value.kind == VAL_ARRAY &&
	    channels_change(x->state, &at, &change) && change.index == index &&
	    val_count(change.value) == change.keep + val_count(value)) {
		buf_add_fmt(b, "[%zu,%zu]", change.keep, val_count(change.value));
	} else if (def->reducer == REDUCE_LAST || (value.kind == VAL_ARRAY &&
	    val_count(value) == val_count(now) && val_equal(value, now))) {
		buf_lit(b, "true");
	} else {
		buf_lit(b, "{\"value\":");
		val_add_json(b, value);
		buf_add_char(b, '}');
	}
}

/* The input's update is what a client sent; of other tasks it is their writes,
 * those to one channel together, and of an agent's all that it gave. */
static struct str
wrote_text(struct changes *c, const struct core_checkpoint *x)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	const struct core_task *t = x->wrote;
	bool whole;
	size_t n;

	if (t == NULL)
		return STR_NONE;
	whole = t->node != GRAPH_START && t->update.kind == VAL_OBJECT;
	n = whole ? val_count(t->update) : t->writes_n;
	buf_add_char(&b, '{');
	for (size_t i = 0; i < n; i++) {
		struct str name = whole ? val_key(t->update, i) : t->writes[i].name;
		int at = channels_find(x->state, name);

		if (at == CHANNEL_NONE)
			continue;
		if (b.n > 1)
			buf_add_char(&b, ',');
		json_add_str(&b, name);
		buf_add_char(&b, ':');
		add_wrote(&b, x, (size_t)at, whole ? val_member(t->update, i) :
		    t->writes[i].value);
	}
	buf_add_char(&b, '}');
	return taken(c, &b);
}

/* Parents only of a child: the root has none. */
static struct str
extra_text(struct changes *c, const struct core_checkpoint *x)
{
	struct buf b = BUF(LIMIT_METADATA_BYTES);

	if (val_count(x->parents) == 0)
		return STR_NONE;
	buf_lit(&b, "{\"parents\":");
	val_add_json(&b, x->parents);
	buf_add_char(&b, '}');
	return taken(c, &b);
}

void
changes_checkpoint(struct changes *c, const struct core_checkpoint *x, msec now)
{
	struct store_checkpoint_put *p;

	mem_grow(c->checkpoints, c->checkpoints_n, c->checkpoints_cap);
	p = &c->checkpoints[c->checkpoints_n++];
	*p = (struct store_checkpoint_put){ .id = x->id, .ns = copy(c, x->ns),
	    .parent = x->parent, .step = x->step, .source = x->source,
	    .created = now, .tasks_json = tasks_text(c, x),
	    .snapshot = copy(c, x->snapshot), .wrote_json = wrote_text(c, x),
	    .extra_json = extra_text(c, x) };
	channel_changes(c, p, x->state);
}

/* ---- the others ----------------------------------------------------------------------- */

static void
add_write(struct changes *c, const struct core_task *t, struct str path, int idx,
    struct str channel, struct val value)
{
	mem_grow(c->writes, c->writes_n, c->writes_cap);
	c->writes[c->writes_n++] = (struct store_write){ .task = t->id, .idx = idx,
	    .path = path, .channel = copy(c, channel), .type = S("json"),
	    .body = text_of(c, value) };
}

/* Pulled nodes by name, then sends by index, as texts. */
static struct str
path_text(struct changes *c, const struct core_task *t)
{
	struct buf b = BUF(LIMIT_NAME_BYTES + 64);

	if (t->push)
		buf_add_fmt(&b, "~__pregel_push, %010u", t->index);
	else
		buf_add_fmt(&b, "~__pregel_pull, %.*s", FMT(t->name));
	return taken(c, &b);
}

void
changes_writes(struct changes *c, const struct core_task *t, struct val error)
{
	struct str path = path_text(c, t);

	if (error.kind != VAL_UNDEFINED) {
		add_write(c, t, path, WRITE_ERROR, S("__error__"), error);
		return;
	}
	for (size_t i = 0; i < t->writes_n; i++)
		add_write(c, t, path, (int)i, t->writes[i].name, t->writes[i].value);
	if (t->writes_n == 0)
		add_write(c, t, path, 0, S("__no_writes__"), VAL_NIL);
}

void
changes_carry(struct changes *c, const struct core_task *t, size_t n, struct str name,
    struct val value)
{
	add_write(c, t, path_text(c, t), CARRIED_IDX + (int)n, name, value);
}

void
changes_interrupt(struct changes *c, const struct core_interrupt *i,
    const struct uuid *checkpoint, msec now)
{
	mem_grow(c->interrupts, c->interrupts_n, c->interrupts_cap);
	c->interrupts[c->interrupts_n++] = (struct store_interrupt){ .id = i->id,
	    .ns = copy(c, i->ns), .task = i->task, .checkpoint = *checkpoint,
	    .key = copy(c, i->key), .value_json = text_of(c, i->value),
	    .schema_json = i->schema.kind == VAL_UNDEFINED ? STR_NONE :
	    text_of(c, i->schema), .created = now, .due = i->due,
	    .assignee = copy(c, i->assignee) };
}

void
changes_answer(struct changes *c, const struct uuid *id, struct val value)
{
	mem_grow(c->answers, c->answers_n, c->answers_cap);
	c->answers[c->answers_n++] = (struct store_answer){ .id = *id,
	    .answer_json = text_of(c, value) };
}

void
changes_interrupt_row(struct changes *c, const struct store_interrupt *i)
{
	mem_grow(c->interrupts, c->interrupts_n, c->interrupts_cap);
	c->interrupts[c->interrupts_n++] = *i;
}

/* ---- of a graph in a worker ------------------------------------------------------------ */

void
changes_checkpoint_row(struct changes *c, const struct store_checkpoint_put *p)
{
	mem_grow(c->checkpoints, c->checkpoints_n, c->checkpoints_cap);
	c->checkpoints[c->checkpoints_n++] = *p;
}

void
changes_saver_put(struct changes *c, const struct store_saver_put *p)
{
	mem_grow(c->saver_puts, c->saver_puts_n, c->saver_puts_cap);
	c->saver_puts[c->saver_puts_n++] = *p;
}

void
changes_saver_write(struct changes *c, const struct store_saver_write *w)
{
	mem_grow(c->saver_writes, c->saver_writes_n, c->saver_writes_cap);
	c->saver_writes[c->saver_writes_n++] = *w;
}

void
changes_tasks(struct changes *c, const struct store_checkpoint_tasks *t)
{
	mem_grow(c->tasks, c->tasks_n, c->tasks_cap);
	c->tasks[c->tasks_n++] = *t;
}

void
changes_result(struct changes *c, const struct event_task *t, int idx, struct str channel,
    struct val value)
{
	struct buf path = BUF(LIMIT_NAME_BYTES + 64);

	mem_grow(c->writes, c->writes_n, c->writes_cap);
	buf_add_fmt(&path, "~__pregel_pull, %.*s", FMT(str_cut(t->name, LIMIT_NAME_BYTES)));
	c->writes[c->writes_n++] = (struct store_write){ .task = t->id, .idx = idx,
	    .path = taken(c, &path), .channel = copy(c, channel), .type = S("json"),
	    .body = text_of(c, value) };
}

void
changes_drop(struct changes *c, const struct uuid *task)
{
	mem_grow(c->drops, c->drops_n, c->drops_cap);
	c->drops[c->drops_n++] = *task;
}

void
changes_record(struct changes *c, const struct uuid *task, struct str key,
    struct str name, struct str result)
{
	mem_grow(c->records, c->records_n, c->records_cap);
	c->records[c->records_n++] = (struct store_record){ .task = *task,
	    .key = copy(c, key), .name = copy(c, name),
	    .result = result.p == NULL ? STR_NONE : arena_str(&c->arena, result) };
}

void
changes_mail(struct changes *c, const struct store_mail *m)
{
	mem_grow(c->mails, c->mails_n, c->mails_cap);
	c->mails[c->mails_n++] = *m;
}

void
changes_taken(struct changes *c, const struct letter *l, msec now)
{
	mem_grow(c->letters, c->letters_n, c->letters_cap);
	c->letters[c->letters_n++] = l->number;
	c->taken_at = now;
	if ((l->flags & LETTER_DURABLE) == 0)
		return;
	mem_grow(c->taken, c->taken_n, c->taken_cap);
	c->taken[c->taken_n++] = l->row;
}

void
changes_usage(struct changes *c, msec now, const struct llm_usage *u, struct str model)
{
	int64_t day = now / MS_PER_DAY;
	struct store_usage *at = NULL;

	for (size_t i = 0; i < c->usage_n && at == NULL; i++)
		if (c->usage[i].day == day && str_eq(c->usage[i].model, model))
			at = &c->usage[i];
	if (at == NULL) {
		mem_grow(c->usage, c->usage_n, c->usage_cap);
		at = &c->usage[c->usage_n++];
		*at = (struct store_usage){ .day = day, .model = copy(c, model) };
	}
	at->calls++;
	at->input += u->input_tokens;
	at->cached += u->cached_tokens;
	at->output += u->output_tokens;
	at->reasoning += u->reasoning_tokens;
	at->cost_nano += u->cost_nano;
}

void
changes_transcript(struct changes *c, struct transcript *t)
{
	if (t->on)
		(void)transcript_take(t, &c->transcript, &c->first, &c->last);
}
