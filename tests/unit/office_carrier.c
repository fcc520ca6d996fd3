/*
 * office_carrier.c - letters between nodes whose commands fail.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "agent/agent.h"
#include "base/mem.h"
#include "mail/host/carrier_priv.h"
#include "store/mail.h"
#include "store/node.h"

#define MOVE    4                            /* which write command that is: two joins, MAIL_PUT */

struct fix {
	struct store *st;
	struct store_reader *r;
	struct shard *shard;
	struct agents *agents;
	struct offices *all;
	struct office *office;
	int64_t us, other;                   /* nodes */
	bool came;
};

static void
tell(void *ctx, int64_t node, struct str bytes)
{
	(void)ctx, (void)node, (void)bytes;
}

static bool
alive(void *ctx, int64_t node)
{
	(void)ctx, (void)node;
	return true;
}

static struct store_cmd *done;

static void
cmd_done(struct store_cmd *c)
{
	done = c;
}

static void
cmd_do(struct fix *f, struct store_cmd *c, enum store_op op)
{
	c->op = op;
	c->owner = 7;
	c->done = cmd_done;
	done = NULL;
	CHECK_RC(store_submit(f->st, f->shard, c, false), OK);
	while (done != c)
		shard_turn(f->shard);
	CHECK_RC(c->rc, OK);
}

static int64_t
join(struct fix *f, const char *name)
{
	struct store_node_join x = { .name = str_of(name), .info = S("{}"), .lease = 60000 };

	cmd_do(f, &x.cmd, STORE_NODE_JOIN);
	return x.node;
}

static void
fix_open(struct fix *f, int64_t fail_at)
{
	const struct store_options o = { .driver = S("memory"), .fail_at = fail_at };
	struct err e;

	*f = (struct fix){ 0 };
	CHECK_RC(shard_new(&f->shard, 0, &e), OK);
	CHECK_RC(store_open(&f->st, &o, &e), OK);
	CHECK_RC(store_reader_open(f->st, &f->r, &e), OK);
	f->us = join(f, "us");
	f->other = join(f, "other");
	store_set_node(f->st, f->us);
	f->agents = agents_new();
	f->all = offices_new(f->st, f->agents);
	offices_set_carrier(f->all, &(struct office_carrier){ tell, alive, f });
	CHECK_RC(office_new(&f->office, f->all, f->shard, f->r, &e), OK);
}

static void
came(void *ctx)
{
	((struct fix *)ctx)->came = true;
}

/* In a turn of the shard, as everything of an office. */
struct doing { struct shard_job job; struct fix *f; int64_t row; };

static void
do_drain(struct shard_job *job)
{
	struct fix *f = CONTAINER_OF(job, struct doing, job)->f;

	office_drain(f->office, came, f);
}

static void
do_free(struct shard_job *job)
{
	struct fix *f = CONTAINER_OF(job, struct doing, job)->f;

	office_free(f->office);
	f->came = true;
}

static void
do_nothing(struct shard_job *job)
{
	CONTAINER_OF(job, struct doing, job)->f->came = true;
}

static void
fix_close(struct fix *f)
{
	static void (*const steps[])(struct shard_job *job) = { do_drain, do_free, do_nothing };

	for (size_t i = 0; i < COUNT(steps); i++) {
		struct doing x = { .job.run = steps[i], .f = f };

		f->came = false;
		shard_post(f->shard, &x.job);
		while (!f->came)
			shard_turn(f->shard);
	}
	offices_free(f->all);
	agents_free(f->agents);
	store_reader_close(f->r);
	store_close(f->st);
	shard_free(f->shard);
}

/* A letter that waits on this node; its number. */
static int64_t
put(struct fix *f)
{
	const struct uuid to = { { 9 } };
	const int64_t node = f->us;
	struct store_mail m = { .id = { { 1 } }, .to = &to, .nodes = &node, .to_n = 1,
	    .packed = S("packed"), .created = 1 };
	struct store_mail_put x = { .mails = &m, .mails_n = 1 };

	cmd_do(f, &x.cmd, STORE_MAIL_PUT);
	return m.first;
}

/* What a node that looks for its letters finds. */
static size_t
letters_of(struct fix *f, int64_t node)
{
	struct arena a = ARENA(MB);
	struct store_mail_come x = { .cmd.arena = &a, .limit = 10 };

	store_set_node(f->st, node);
	cmd_do(f, &x.cmd, STORE_MAIL_COME);
	store_set_node(f->st, f->us);
	arena_release(&a);
	return x.letters_n;
}

static void
do_move(struct shard_job *job)
{
	struct doing *x = CONTAINER_OF(job, struct doing, job);

	carrier_move(x->f->office, x->row, x->f->other);
}

/* As at a tick: until all that is to be done has been done, or has failed. */
static void
tick(struct fix *f)
{
	struct carrier *c = f->all->carrier;

	c->left = 10;
	carrier_look(f->office);
	while (c->busy || (c->left > 0 && c->letters))
		shard_turn(f->shard);
}

/* Goal: a letter that is to be another node's gets there though the store failed at first:
 * nobody else knows that it is to move. */
TEST(carrier_moves_a_letter_after_a_failure)
{
	struct fix f;
	struct doing x = { .job.run = do_move, .f = &f };

	fix_open(&f, MOVE);
	x.row = put(&f);
	shard_post(f.shard, &x.job);
	while (!f.all->carrier->letters)
		shard_turn(f.shard);
	tick(&f);
	CHECK(f.all->carrier->letters);
	tick(&f);
	CHECK(!f.all->carrier->letters);
	CHECK_INT(letters_of(&f, f.other), 1);
	fix_close(&f);
}
