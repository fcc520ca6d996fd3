/*
 * inbox.c - messages that clients put into a conversation under way.
 *
 * The next turn takes them.  Each is a record of the task, "inject/N", so a task that
 * is made again finds them; how many a turn has heard is in the turn's result.  What
 * no turn has taken when the task ends goes to the task that comes next (run/inject.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/task_priv.h"

#define RECORD S("inject")

static void
add(struct task *t, struct val message)
{
	mem_grow(t->inbox, t->inbox_n, t->inbox_cap);
	t->inbox[t->inbox_n++] = message;
}

static struct str
key_of(struct buf *b, size_t i)
{
	buf_clear(b);
	buf_add(b, RECORD);
	buf_add_char(b, '/');
	buf_add_u64(b, i);
	return buf_str(b);
}

/* A record of this key may be a tool's, whose call the model has named so. */
void
inbox_init(struct task *t)
{
	struct buf b = BUF(64);
	const struct known *k;
	struct str key;

	for (;;) {
		key = key_of(&b, t->inbox_n);
		k = map_get(&t->known, &key);
		if (k == NULL || !str_eq(k->name, RECORD) || k->result_json.p == NULL)
			break;
		add(t, val_json_trusted(k->result_json));
	}
	buf_release(&b);
}

void
inbox_release(struct task *t)
{
	for (size_t i = 0; i < t->inbox_n; i++)
		val_drop(t->inbox[i]);
	free(t->inbox);
}

bool
inbox_waits(const struct task *t)
{
	return t->heard < t->inbox_n;
}

size_t
task_give(struct task *t, struct val message)
{
	add(t, val_ref(message));
	return t->inbox_n - 1;
}

const struct val *
task_untaken(const struct task *t, size_t *n)
{
	*n = t->inbox_n - t->heard;
	return t->inbox + t->heard;
}

/* So does one whose model is asked again after a pause. */
static bool
piece_talks(const struct piece *p)
{
	unsigned traits = p->run == &task_guard ? run_of(p->spec)->traits : p->run->traits;

	return (traits & TASK_TALKS) != 0 &&
	    (p->state == PIECE_RUNS || p->state == PIECE_READY);
}

static bool
talks(const struct task *t)
{
	for (const struct list *l = t->all.next; l != &t->all; l = l->next) {
		const struct piece *p = CONTAINER_OF(l, struct piece, all);

		if (piece_talks(p))
			return true;
	}
	return false;
}

int
task_event(struct task *t, struct str name, struct val data, struct buf *key)
{
	CHECK_MARK(t, TASK_MARK);
	if (t->over)
		return ERR_CONFLICT;
	if (str_eq(name, S("message")))
		return task_mail_event(t, data, key);
	if (!str_eq(name, RECORD) || !talks(t))
		return ERR_CONFLICT;
	if (t->inbox_n - t->heard >= LIMIT_LLM_INJECTS)
		return ERR_LIMIT;
	key_of(key, t->inbox_n);
	add(t, val_ref(data));
	return OK;
}
