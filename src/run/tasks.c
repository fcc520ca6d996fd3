/*
 * tasks.c - the tasks of a step: made of what the graph says comes next, named,
 * freed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "base/mem.h"
#include "run/scope_priv.h"

void
core_add_write(struct core_task *t, struct str name, struct val value)
{
	struct core_name_value *w;

	mem_grow(t->writes, t->writes_n, t->writes_cap);
	w = &t->writes[t->writes_n++];
	w->name = (struct str){ mem_cstr(name), name.n };
	w->value = value;
}

void
core_task_free(struct core_task *t)
{
	if (t == NULL)
		return;
	while (t->children != NULL) {
		struct scope *child = t->children;

		t->children = child->next;
		scope_free(child);
	}
	for (size_t i = 0; i < t->writes_n; i++) {
		free((char *)t->writes[i].name.p);
		val_drop(t->writes[i].value);
	}
	for (size_t i = 0; i < t->answers_n; i++) {
		free((char *)t->answers[i].key.p);
		val_drop(t->answers[i].value);
	}
	for (size_t i = 0; i < t->records_n; i++) {
		free((char *)t->records[i].key.p);
		free((char *)t->records[i].name.p);
		free((char *)t->records[i].result_json.p);
	}
	free(t->records);
	free(t->writes);
	free(t->answers);
	free((char *)t->name.p);
	free((char *)t->ns.p);
	val_drop(t->input);
	val_drop(t->update);
	val_drop(t->shown);
	free(t);
}

void
tasks_free(struct scope *s)
{
	for (size_t i = 0; i < s->tasks_n; i++)
		core_task_free(s->tasks[i]);
	free(s->tasks);
	s->tasks = NULL;
	s->tasks_n = s->open = 0;
}

void
tasks_drop(struct scope *s, size_t room)
{
	tasks_free(s);
	s->tasks = mem_alloc((room + 1) * sizeof *s->tasks);
}

/* A task's id is the same after a crash: it comes from the checkpoint in which
 * it begins. */
struct uuid
scope_task_id(const struct scope *s, struct str name, bool push, unsigned index)
{
	struct buf b = BUF(LIMIT_NAME_BYTES + LIMIT_CHECKPOINT_NS_BYTES + 32);
	struct uuid id;

	buf_add(&b, str_of(s->ns));
	buf_add_char(&b, '\0');
	buf_add(&b, name);
	if (push)
		buf_add_fmt(&b, "%c%u", '\0', index);
	id = uuid_v5(&s->head, buf_str(&b));
	buf_release(&b);
	return id;
}

struct str
scope_task_ns(const struct scope *s, struct str name, const struct uuid *id)
{
	struct buf b = BUF(LIMIT_NAME_BYTES + LIMIT_CHECKPOINT_NS_BYTES + 64);
	struct str ns;

	buf_add(&b, str_of(s->ns));
	if (b.n > 0)
		buf_add_char(&b, '|');
	buf_add(&b, name);
	buf_add_char(&b, ':');
	uuid_add(&b, id);
	ns = (struct str){ mem_cstr(buf_str(&b)), b.n };
	buf_release(&b);
	return ns;
}

void
scope_prepare(struct scope *s)
{
	const struct graph_task *next;
	size_t n;

	if (s->chart != NULL) {
		chart_prepare(s);
		return;
	}
	n = graph_next(s->graph, &next);
	tasks_drop(s, n);
	for (size_t i = 0; i < n; i++) {
		struct core_task *t = mem_new(struct core_task);
		struct str name = next[i].name;

		t->scope = s;
		t->node = next[i].node;
		t->push = next[i].push;
		t->index = next[i].index;
		t->trigger = next[i].trigger;
		t->input = val_ref(next[i].input);
		t->name = (struct str){ mem_cstr(name), name.n };
		t->id = scope_task_id(s, name, t->push, t->index);
		t->ns = scope_task_ns(s, name, &t->id);
		s->tasks[s->tasks_n++] = t;
	}
}
