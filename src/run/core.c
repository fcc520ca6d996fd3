/*
 * core.c - a run: where it begins, what it is asked, how it ends.
 *
 * A run begins in one of these ways, decided in begin():
 *
 *   its own head     it was here before a crash, and goes on
 *   command          resume, update, goto on what stands
 *   input            starts over from START with the state as it is
 *   nothing          what stands goes on (a breakpoint, a failed node)
 *
 * "What stands" is the head, or the checkpoint that was chosen.  Of a chosen one
 * that is not the head a fork is made first, unless answers are given for it or
 * it is itself an update or a fork.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>

#include "base/hmac.h"
#include "base/limits.h"
#include "base/mem.h"
#include "run/scope_priv.h"

#define MANY_TEXT "When there are multiple pending interrupts, you must specify " \
	"the interrupt id when resuming. Docs: " \
	"https://docs.langchain.com/oss/javascript/langgraph/interrupts"

/* ---- life --------------------------------------------------------------------- */

struct core *
core_new(const struct agent *a, const struct core_request *q,
    const struct core_effects *fx, void *ctx)
{
	struct core *c = mem_new(struct core);

	c->agent = a;
	c->q = q;
	c->fx = fx;
	c->ctx = ctx;
	return c;
}

void
core_free(struct core *c)
{
	if (c == NULL)
		return;
	scope_free(c->root);
	while (c->kept != NULL) {
		struct scope *s = c->kept;

		c->kept = s->next;
		scope_free(s);
	}
	for (size_t i = 0; i < c->given_n; i++) {
		free(c->given[i].key);
		val_drop(c->given[i].value);
	}
	free(c->given);
	free(c);
}

void
core_end(struct core *c, enum core_end end, const struct core_error *error)
{
	assert(!c->over);
	c->over = true;
	if (c->root != NULL)
		scope_save(c->root);
	c->fx->end(c->ctx, end, error);
}

void
core_stop(struct core *c)
{
	if (c->root != NULL && !c->over)
		scope_stop(c->root);
	c->over = true;
}

const struct channels *
core_state(const struct core *c)
{
	return c->root != NULL ? c->root->state : NULL;
}

struct val
core_waits(const struct core *c)
{
	struct val all = VAL_UNDEF;

	for (size_t i = 0; c->root != NULL && i < c->root->tasks_n; i++)
		all = core_join(all, c->root->tasks[i]->shown);
	return all;
}

static void
fail(struct core *c, struct str name, const char *message)
{
	struct core_error error = { .name = name, .message = str_of(message) };

	core_end(c, CORE_ERROR, &error);
}

/* ---- jumps ------------------------------------------------------------------------ */

int
core_jump(struct scope *s, struct str name, struct val input, struct buf *channel,
    struct val *value, struct err *e)
{
	*value = VAL_NIL;
	if (str_eq(name, S("__start__"))) {
		buf_add(channel, name);
		return OK;
	}
	if (graph_find(s->def, name) < 0)
		return err_set(e, ERR_INVALID, "goto: no node is called \"%.*s\"",
		    FMT(str_sub(name, 0, 64)));
	if (input.kind == VAL_UNDEFINED) {
		buf_lit(channel, "branch:to:");
		buf_add(channel, name);
		return OK;
	}
	buf_lit(channel, "__pregel_tasks");
	*value = val_set_take(val_object_empty(), S("node"), val_string(name));
	*value = val_set_take(*value, S("input"), val_ref(input));
	return OK;
}

/* ---- answers ---------------------------------------------------------------------------- */

void
core_add_answer(struct core_task *t, struct str key, struct val value)
{
	for (size_t i = 0; i < t->answers_n; i++)
		if (str_eq(t->answers[i].key, key))
			return;
	mem_grow(t->answers, t->answers_n, t->answers_cap);
	t->answers[t->answers_n++] = (struct task_answer){
	    .key = { mem_cstr(key), key.n }, .value = val_ref(value) };
}

static struct str
keep(struct str s)
{
	return s.p == NULL ? STR_NONE : (struct str){ mem_cstr(s), s.n };
}

void
core_copy_records(struct core_task *t, const struct core_saved_task *x)
{
	t->records = mem_alloc((x->records_n + 1) * sizeof *t->records);
	for (size_t i = 0; i < x->records_n; i++)
		t->records[t->records_n++] = (struct task_record){
		    keep(x->records[i].key), keep(x->records[i].name),
		    keep(x->records[i].result_json) };
}

static bool
is_hex32(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (str_hex_digit(s.p[i]) < 0 || (s.p[i] >= 'A' && s.p[i] <= 'F'))
			return false;
	return s.n == 32;
}

bool
core_is_resume_map(struct val v)
{
	if (v.kind != VAL_OBJECT || val_count(v) == 0)
		return false;
	for (size_t i = 0; i < val_count(v); i++)
		if (!is_hex32(val_key(v, i)))
			return false;
	return true;
}

static void
give(struct core *c, const struct core_interrupt *i, struct val value)
{
	c->given = mem_resize(c->given, (c->given_n + 1) * sizeof *c->given);
	c->given[c->given_n++] = (struct given){ .from = i, .task = i->task,
	    .key = mem_cstr(i->key), .value = val_ref(value) };
}

/* Of a chosen checkpoint all are answered anew, else those that wait. */
static bool
is_open(const struct core *c, const struct core_interrupt *i)
{
	return c->afresh || i->waits;
}

static const struct core_interrupt *
find_shown(const struct core_interrupt *list, size_t n, struct str hex)
{
	struct uuid id;

	if (!hex_decode(hex, id.b, sizeof id.b))
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (uuid_eq(&list[i].id, &id))
			return &list[i];
	return NULL;
}

/* Is it an answer to what was asked?  False: the run has failed. */
static bool
fits(struct core *c, const struct core_interrupt *i, struct val value)
{
	struct err e;

	if (task_answer_check(i->value, value, &e) == OK)
		return true;
	fail(c, S("ValueError"), e.text);
	return false;
}

static const struct core_interrupt *
find_open(const struct core *c, const struct core_interrupt *list, size_t n, struct str hex)
{
	const struct core_interrupt *w = find_shown(list, n, hex);

	return w != NULL && is_open(c, w) ? w : NULL;
}

/* Which answers find no question, and the questions that wait. */
static void
refuse(struct core *c, const struct core_interrupt *list, size_t n)
{
	struct val unknown = val_array_empty(), pending = val_array_empty();

	for (size_t i = 0; i < val_count(c->q->resume); i++)
		if (find_open(c, list, n, val_key(c->q->resume, i)) == NULL)
			unknown = val_push_take(unknown,
			    val_string(val_key(c->q->resume, i)));
	for (size_t i = 0; i < n; i++)
		if (is_open(c, &list[i]))
			pending = val_push_take(pending, core_show_interrupt(&list[i]));
	core_tell_refused(c, unknown, pending);
	val_drop(unknown);
	val_drop(pending);
}

static bool
give_map(struct core *c, const struct core_interrupt *list, size_t n)
{
	struct val map = c->q->resume;
	char text[160];

	core_tell_answered(c);
	for (size_t i = 0; i < val_count(map); i++) {
		const struct core_interrupt *w = find_open(c, list, n, val_key(map, i));

		if (w != NULL && !fits(c, w, val_member(map, i)))
			return false;
		if (w != NULL || !c->q->strict_resume)
			continue;
		snprintf(text, sizeof text, "Unknown or already-consumed interrupt: %.*s",
		    FMT(val_key(map, i)));
		refuse(c, list, n);
		fail(c, S("UnknownInterruptError"), text);
		return false;
	}
	for (size_t i = 0; i < val_count(map); i++) {
		const struct core_interrupt *w = find_open(c, list, n, val_key(map, i));

		if (w != NULL)
			give(c, w, val_member(map, i));
	}
	return true;
}

static bool
give_one(struct core *c, const struct core_interrupt *list, size_t n)
{
	const struct core_interrupt *one = NULL;
	size_t open = 0;

	for (size_t i = 0; i < n; i++)
		if (is_open(c, &list[i]) && open++ == 0)
			one = &list[i];
	if (open > 1) {
		fail(c, c->q->strict_resume ? S("UnknownInterruptError") :
		    S("RuntimeError"), MANY_TEXT);
		return false;
	}
	if (one != NULL && !fits(c, one, c->q->resume))
		return false;
	if (one != NULL)
		give(c, one, c->q->resume);
	return true;
}

/* The command's answers find those that wait, or those of a chosen checkpoint.
 * False: the run has failed, and nothing was taken. */
static bool
take_answers(struct core *c, const struct core_saved *saved)
{
	const struct core_interrupt *list = saved != NULL ? saved->interrupts : NULL;
	size_t n = saved != NULL ? saved->interrupts_n : 0;

	if (c->q->resume.kind == VAL_UNDEFINED)
		return true;
	if (!c->afresh && c->fx->waiting(c->ctx, &list, &n) != OK) {
		fail(c, S("StorageError"), "the thread's interrupts could not be read");
		return false;
	}
	if (saved == NULL || saved->tasks_n == 0)
		n = 0;                       /* nothing goes on: what else is open was left */
	return core_is_resume_map(c->q->resume) ? give_map(c, list, n) :
	    give_one(c, list, n);
}

/* ---- what is kept of a run that has no checkpoint yet ------------------------------- */

/* A run that goes on in a step that is there already leaves a mark in it: after a
 * crash its command is not taken twice, and what of the step is done stays done.
 * Answers for a chosen checkpoint are kept likewise: their questions are gone. */
#define MARK   S("__run__")
#define ANSWER S("__answer__")

static struct val
id_value(const struct uuid *id)
{
	char text[UUID_TEXT];

	uuid_format(id, text);
	return val_string((struct str){ text, UUID_TEXT });
}

static bool
is_marked(const struct core *c, const struct core_saved *saved)
{
	struct val own = id_value(&c->q->run_id);
	bool yes = false;

	for (size_t i = 0; saved != NULL && i < saved->carried_n; i++)
		yes = yes || (str_eq(saved->carried[i].name, MARK) &&
		    val_equal(saved->carried[i].value, own));
	val_drop(own);
	return yes;
}

static void
recall_answers(struct core *c, const struct core_saved *saved)
{
	for (size_t i = 0; i < saved->carried_n; i++) {
		struct val v = saved->carried[i].value;
		struct core_interrupt asked = { 0 };

		if (!str_eq(saved->carried[i].name, ANSWER) ||
		    !uuid_parse(val_str(val_get(v, S("task"))), &asked.task))
			continue;
		asked.key = val_str(val_get(v, S("key")));
		give(c, &asked, val_get(v, S("value")));
		c->given[c->given_n - 1].from = NULL;
	}
}

/* Kept with a task that the checkpoint knows. */
static void
carry(struct core *c, const struct core_saved *saved, size_t n, struct str name,
    struct val value)
{
	const struct scope *s = c->root;

	for (size_t i = 0; i < s->tasks_n; i++)
		if (uuid_eq(&s->tasks[i]->id, &saved->tasks[0].id)) {
			c->fx->carry(c->ctx, s->tasks[i], n, name, value);
			return;
		}
}

/* Tasks of a chosen checkpoint begin anew under their old ids: what they left
 * goes.  Returns how many writes are kept with the step. */
static size_t
mark(struct core *c, const struct core_saved *saved)
{
	struct val own = id_value(&c->q->run_id);
	size_t n = c->afresh ? 0 : saved->carried_n;

	for (size_t i = 0; c->afresh && i < c->root->tasks_n; i++)
		c->fx->drop(c->ctx, c->root->tasks[i]);
	if (c->afresh)
		c->fx->void_all(c->ctx);
	if (saved->tasks_n > 0)
		carry(c, saved, n++, MARK, own);
	val_drop(own);
	return n;
}

static size_t
keep_answers(struct core *c, const struct core_saved *saved, size_t n)
{
	for (size_t i = 0; i < c->given_n; i++) {
		const struct given *g = &c->given[i];
		struct val v;

		if (!c->afresh) {
			c->fx->answer(c->ctx, g->from, g->value);
			continue;
		}
		v = val_set_take(val_object_empty(), S("task"), id_value(&g->task));
		v = val_set_take(v, S("key"), val_string(str_of(g->key)));
		v = val_set_take(v, S("value"), val_ref(g->value));
		carry(c, saved, n++, ANSWER, v);
		val_drop(v);
	}
	return n;
}

/* ---- beginning ------------------------------------------------------------------------------ */

/* anew: it does not go on where it stood, which an agent that has changed since may
 * not have any more; the values are what counts. */
static bool
restore_as(struct core *c, const struct core_saved *saved, bool anew)
{
	struct err e;

	c->root = scope_new(c, c->agent, STR_NONE, &e);
	if (c->root != NULL && (saved == NULL ||
	    scope_restore(c->root, saved, &e) == OK || anew))
		return true;
	fail(c, S("GraphError"), e.text);
	return false;
}

static bool
restore(struct core *c, const struct core_saved *saved)
{
	return restore_as(c, saved, false);
}

/* The step goes on with what the command wrote into it. */
static void
stay(struct core *c, const struct core_saved *saved, const struct core_name_value *all,
    size_t n)
{
	size_t at;

	scope_prepare(c->root);
	if (c->marked)
		return;
	at = keep_answers(c, saved, mark(c, saved));
	for (size_t i = 0; i < n; i++)
		carry(c, saved, at + i, all[i].name, all[i].value);
}

static void
values_free(struct core_name_value *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free((char *)all[i].name.p);
		val_drop(all[i].value);
	}
	free(all);
}

/* What a checkpoint was to take, if START comes next; or UNDEF.  The caller drops
 * it. */
static struct val
input_of(const struct core_saved *saved)
{
	const struct core_saved_task *t = saved->tasks;
	struct val input = val_object_empty();

	if (saved->input.kind != VAL_UNDEFINED || saved->tasks_n != 1 || !t->done ||
	    !str_eq(t->name, S("__start__"))) {
		val_drop(input);
		return val_ref(saved->input);
	}
	for (size_t i = 0; i < t->writes_n; i++)
		if (!graph_channel_is_control(t->writes[i].name))
			input = val_set_take(input, t->writes[i].name,
			    val_ref(t->writes[i].value));
	return input;
}

static bool
takes_input(const struct core_saved *saved)
{
	for (size_t i = 0; i < saved->tasks_n; i++)
		if (str_eq(saved->tasks[i].name, S("__start__")))
			return true;
	return false;
}

/* The same of one that this run has put beside another before a crash: what that
 * one was to take. */
static struct val
input_again(struct core *c, const struct core_saved *saved)
{
	struct core_saved *before = NULL;
	struct val input = input_of(saved);
	bool own = uuid_eq(&saved->run_id, &c->q->run_id);

	if (c->q->input.kind != VAL_UNDEFINED) {
		val_drop(input);
		return val_ref(c->q->input);
	}
	if (input.kind == VAL_UNDEFINED && own && takes_input(saved) &&
	    !uuid_is_zero(&saved->parent) &&
	    c->fx->load(c->ctx, STR_NONE, &saved->parent, &before) == OK && before != NULL)
		input = input_of(before);
	c->fx->release(c->ctx, before);
	return input.kind != VAL_UNDEFINED ? input : VAL_NIL;
}

static bool
command_is_new(struct core *c, const struct core_saved *saved)
{
	if (!c->marked)
		return take_answers(c, saved);
	recall_answers(c, saved);
	return true;
}

static void
begin_command(struct core *c, const struct core_saved *saved)
{
	const struct core_request *q = c->q;
	struct core_name_value *all;
	struct val input;
	struct err e;
	size_t n;
	int rc;

	if (saved == NULL && q->update_n == 0 && q->gotos_n == 0) {
		fail(c, S("EmptyInputError"), "there is nothing to resume");
		return;
	}
	if (!restore(c, saved) || !command_is_new(c, saved))
		return;
	all = NULL;
	n = 0;
	rc = c->marked ? OK : barrier_command(c->root, q, &all, &n, &e);
	if (rc != OK) {
		fail(c, S("InvalidUpdateError"), e.text);
	} else if (q->resume.kind == VAL_UNDEFINED || saved == NULL ||
	    (saved->tasks_n == 0 && n > 0)) {
		c->fx->void_all(c->ctx);
		scope_checkpoint(c->root, SOURCE_INPUT, NULL);
	} else {
		stay(c, saved, all, n);
	}
	values_free(all, n);
	input = saved != NULL ? input_of(saved) : VAL_UNDEF;
	if (rc == OK)
		scope_resume(c->root, saved, input);
	val_drop(input);
}

/* What stands goes on.  Of a chosen checkpoint that is not the head no task
 * counts as done. */
static void
begin_again(struct core *c, const struct core_saved *saved)
{
	struct val input;

	if (!restore(c, saved))
		return;
	if (c->afresh && saved->source != SOURCE_UPDATE && saved->source != SOURCE_FORK) {
		c->fx->void_all(c->ctx);
		if (c->root->chart != NULL)
			chart_fork(c->root);
		scope_checkpoint(c->root, SOURCE_FORK, NULL);
	} else {
		scope_prepare(c->root);
		if (c->afresh)
			(void)mark(c, saved);
	}
	input = input_again(c, saved);
	scope_resume(c->root, saved, input);
	val_drop(input);
}

static void
begin_input(struct core *c, const struct core_saved *saved)
{
	if (!restore_as(c, saved, true))
		return;
	if (saved != NULL && saved->tasks_n > 0)
		c->fx->void_all(c->ctx);
	scope_begin(c->root, c->q->input);
}

static void
begin(struct core *c, const struct core_saved *saved)
{
	const struct core_request *q = c->q;
	bool own = saved != NULL && uuid_eq(&saved->run_id, &q->run_id);

	c->marked = is_marked(c, saved);
	c->afresh = saved != NULL && !saved->head && !c->marked;
	c->forked = !uuid_is_zero(&q->checkpoint) && (own || (saved != NULL && !saved->head));
	if (own)
		begin_again(c, saved);
	else if (q->has_command)
		begin_command(c, saved);
	else if (q->input.kind != VAL_UNDEFINED)
		begin_input(c, saved);
	else if (saved == NULL)
		fail(c, S("EmptyInputError"),
		    "Received no input writes for \"__start__\"");
	else
		begin_again(c, saved);
}

static bool
load_own_head(struct core *c, struct core_saved **saved)
{
	static const struct uuid head;

	return c->fx->load(c->ctx, STR_NONE, &head, saved) == OK;
}

void
core_start(struct core *c)
{
	const struct core_request *q = c->q;
	struct core_saved *saved = NULL;
	bool chosen = !uuid_is_zero(&q->checkpoint);

	if (!load_own_head(c, &saved)) {
		fail(c, S("StorageError"), "the thread could not be read");
		return;
	}
	/* The head is looked at first: an earlier attempt may have left it. */
	if (chosen && (saved == NULL || !uuid_eq(&saved->run_id, &q->run_id))) {
		c->fx->release(c->ctx, saved);
		saved = NULL;
		if (c->fx->load(c->ctx, STR_NONE, &q->checkpoint, &saved) != OK ||
		    saved == NULL) {
			fail(c, S("InvalidCheckpointError"),
			    "the thread has no such checkpoint");
			return;
		}
	}
	begin(c, saved);
	c->fx->release(c->ctx, saved);
}

/* ---- children --------------------------------------------------------------------------------- */

/* The first child of a task has the task's own namespace; another has its number
 * or place in the task behind it. */
static void
child_namespace(struct buf *b, const struct core_task *t, const struct task_child *call)
{
	if (call->persist) {
		buf_add(b, str_of(t->scope->ns));
		if (b->n > 0)
			buf_add_char(b, '|');
		buf_add(b, t->name);
	} else {
		buf_add(b, t->ns);
	}
	if (call->key.n == 0 || str_eq(call->key, S("0")))
		return;
	buf_add_char(b, '|');
	for (size_t i = 0; i < call->key.n; i++)
		buf_add_char(b, call->key.p[i] == '/' ? '.' : call->key.p[i]);
}

/* *kept: it has its state. */
static struct scope *
child_make(struct core_task *t, struct task_child *call, bool *kept, struct err *e)
{
	struct core *c = t->scope->core;
	struct buf ns = BUF(LIMIT_CHECKPOINT_NS_PUT_BYTES);
	struct scope *s = NULL;
	unsigned depth = 0;

	child_namespace(&ns, t, call);
	for (const struct scope *up = t->scope; up != NULL; up = up->up)
		depth++;
	if (depth > LIMIT_AGENT_NESTING)
		err_set(e, ERR_LIMIT, "agents call agents over more than %d levels",
		    LIMIT_AGENT_NESTING);
	else if (ns.failed)
		err_set(e, ERR_LIMIT, "the names of the nodes that agents are called from, "
		    "with the ids of their tasks, are over %d bytes, which is the most that is "
		    "saved", LIMIT_CHECKPOINT_NS_PUT_BYTES);
	else
		s = scope_kept(c, call, buf_str(&ns));
	*kept = s != NULL;
	if (s == NULL && !ns.failed && depth <= LIMIT_AGENT_NESTING)
		s = scope_new(c, call->agent, buf_str(&ns), e);
	buf_release(&ns);
	if (s == NULL)
		return NULL;
	s->up = t->scope;
	s->parent = t;
	s->call = call;
	s->next = t->children;
	t->children = s;
	call->host_data = s;
	s->limits.up = &s->up->limits;
	budget_open(s);
	return s;
}

/* Ids of checkpoints rise. */
static bool
is_later(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->b, b->b, sizeof a->b) > 0;
}

/* What a child left.  One that keeps its state finds, in a run that began at a
 * chosen checkpoint, what it was before that.  ERR_IO. */
static int
child_load(const struct scope *s, struct core_saved **saved)
{
	static const struct uuid head;
	const struct core *c = s->core;
	const struct uuid *chosen = &c->q->checkpoint;
	struct core_saved *later;
	int rc = c->fx->load(c->ctx, str_of(s->ns), &head, saved);
	bool forked = s->call->persist && c->forked;

	while (rc == OK && forked && *saved != NULL && is_later(&(*saved)->id, chosen) &&
	    !uuid_eq(&(*saved)->run_id, &c->q->run_id)) {
		later = *saved;
		*saved = NULL;
		if (!uuid_is_zero(&later->parent))
			rc = c->fx->load(c->ctx, str_of(s->ns), &later->parent, saved);
		c->fx->release(c->ctx, later);
	}
	return rc;
}

/* It goes on where this call of it was; one that keeps its state may have been
 * called before, in an earlier step. */
static void
child_begin(struct scope *s, const struct core_saved *saved)
{
	struct val input = val_ref(s->call->input);
	bool resumes = saved != NULL && (s->call->persist ?
	    is_later(&saved->id, &s->up->head) : !s->core->afresh);
	struct err e;

	if (saved != NULL && scope_restore(s, saved, &e) != OK && resumes) {
		scope_fail(s, S("GraphError"), str_of(e.text), NULL);
	} else if (resumes) {
		scope_prepare(s);
		budget_tell_up(s);
		scope_resume(s, saved, input);
	} else {
		scope_begin(s, input);
	}
	val_drop(input);
}

void
core_child(struct core_task *t, struct task_child *call)
{
	struct core *c = t->scope->core;
	struct task_error refused = { .event = S("error.execution"),
	    .name = S("GraphError") };
	struct core_saved *saved = NULL;
	struct scope *s;
	struct err e;
	bool kept;

	s = child_make(t, call, &kept, &e);
	if (s == NULL) {
		refused.message = str_of(e.text);
		call->done(call, CHILD_FAILED, VAL_UNDEF, VAL_UNDEF, &refused);
		return;
	}
	if ((t->again || call->persist) && !kept && child_load(s, &saved) != OK) {
		scope_fail(s, S("StorageError"), S("the sub-agent's state could not be "
		    "read"), NULL);
		return;
	}
	child_begin(s, saved);
	c->fx->release(c->ctx, saved);
}

void
core_child_stop(struct core_task *t, struct task_child *call)
{
	struct scope *s = call->host_data, **at = &t->children;

	if (s == NULL)
		return;
	scope_stop(s);
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	call->host_data = NULL;
	scope_free(s);
}
