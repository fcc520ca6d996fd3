/*
 * changes_priv.h - what a run is about to write: the core's effects as rows.
 *
 * It owns every text it names, or a reference to the value that has it, until
 * changes_release; so it can cross to the writer as it is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_CHANGES_PRIV_H
#define RUN_CHANGES_PRIV_H

#include "base/arena.h"
#include "run/core_priv.h"
#include "store/saver.h"

#define MS_PER_DAY 86400000

struct changes {
	struct arena arena;
	struct val *kept;                    /* their texts are in the rows */
	size_t kept_n, kept_cap;
	struct store_answer *answers;
	size_t answers_n, answers_cap;
	struct uuid *drops;
	size_t drops_n, drops_cap;
	struct store_checkpoint_put *checkpoints;
	size_t checkpoints_n, checkpoints_cap;
	struct store_write *writes;
	size_t writes_n, writes_cap;
	struct store_record *records;
	size_t records_n, records_cap;
	struct store_interrupt *interrupts;
	size_t interrupts_n, interrupts_cap;
	/* of a graph in a worker */
	struct store_saver_put *saver_puts;
	size_t saver_puts_n, saver_puts_cap;
	struct store_saver_write *saver_writes;
	size_t saver_writes_n, saver_writes_cap;
	struct store_checkpoint_tasks *tasks;
	size_t tasks_n, tasks_cap;
	bool void_moved;
	struct store_usage *usage;           /* it alone is no change: it waits for one */
	size_t usage_n, usage_cap;
	struct store_mail *mails;            /* messages that are sent */
	size_t mails_n, mails_cap;
	uint64_t *letters;                   /* that are taken: numbers of the post */
	size_t letters_n, letters_cap;
	int64_t *taken;                      /* those of them that the store has: their rows */
	size_t taken_n, taken_cap;
	msec taken_at;
	struct buf transcript;               /* a row, with entries first..last */
	int64_t first, last;
};

void changes_init(struct changes *c);
void changes_release(struct changes *c);
bool changes_empty(const struct changes *c);
/* Moves all of it to `to`; c is empty then. */
void changes_take(struct changes *c, struct changes *to);
/* As the store wants it; borrowed from c.  ERR_TOOBIG: it did not fit the arena. */
int  changes_fill(const struct changes *c, struct store_changes *out, struct err *e);

void changes_checkpoint(struct changes *c, const struct core_checkpoint *x, msec now);
void changes_writes(struct changes *c, const struct core_task *t, struct val error);
/* The nth write of commands into the step of t; kept among t's writes. */
#define CARRIED_IDX 1000000
void changes_carry(struct changes *c, const struct core_task *t, size_t n,
    struct str name, struct val value);
void changes_interrupt(struct changes *c, const struct core_interrupt *i,
    const struct uuid *checkpoint, msec now);
void changes_answer(struct changes *c, const struct uuid *id, struct val value);
void changes_drop(struct changes *c, const struct uuid *task);
void changes_record(struct changes *c, const struct uuid *task, struct str key,
    struct str name, struct str result);     /* result.p NULL: started */
/* A message; its texts are in c->arena.  A letter that was taken, at that time. */
struct letter;
void changes_mail(struct changes *c, const struct store_mail *m);
void changes_taken(struct changes *c, const struct letter *l, msec now);
/* A model was called. */
void changes_usage(struct changes *c, msec now, const struct llm_usage *u,
    struct str model);

/* Of a graph in a worker.  Texts lie in c->arena: a checkpoint as clients see it, what the
 * saver keeps, the tasks of a checkpoint that is there, a channel that a task wrote (UNDEF:
 * nothing at all), a question. */
void changes_checkpoint_row(struct changes *c, const struct store_checkpoint_put *p);
void changes_saver_put(struct changes *c, const struct store_saver_put *p);
void changes_saver_write(struct changes *c, const struct store_saver_write *w);
void changes_tasks(struct changes *c, const struct store_checkpoint_tasks *t);
void changes_result(struct changes *c, const struct event_task *t, int idx,
    struct str channel, struct val value);
void changes_interrupt_row(struct changes *c, const struct store_interrupt *i);

/* What the transcript has; no change by itself. */
void changes_transcript(struct changes *c, struct transcript *t);

#endif
