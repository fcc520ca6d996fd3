/*
 * store_bench.c - what an agent flow costs the writer.
 *
 *   store-bench [-d sqlite|memory] [-f FILE] [-n ROUNDS] [-u USERS]
 *
 * A flow is ten commands: assistant, thread, twice a run (create, end with
 * three steps and two messages), item put and delete, and both deletes.  All
 * users go through it in step, so USERS is about the size of a batch.  Prints
 * the CPU of the writer's thread and the commits, per flow and by stage.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/assistant.h"
#include "store/store_priv.h"

enum stage {
	ASSISTANT, THREAD, RUN_1, END_1, RUN_2, END_2, PUT, DELETE_ITEM,
	DELETE_THREAD, DELETE_ASSISTANT, STAGES
};

static const struct {
	const char *name;
	enum store_op op;
} stages[STAGES] = {
	{ "assistant create", STORE_ASSISTANT_CREATE },
	{ "thread create", STORE_THREAD_CREATE },
	{ "run create 1", STORE_RUN_CREATE }, { "run end 1", STORE_RUN_END },
	{ "run create 2", STORE_RUN_CREATE }, { "run end 2", STORE_RUN_END },
	{ "item put", STORE_ITEM_PUT }, { "item delete", STORE_ITEM_DELETE },
	{ "thread delete", STORE_THREAD_DELETE },
	{ "assistant delete", STORE_ASSISTANT_DELETE },
};

struct user {
	union {
		struct store_cmd cmd;
		struct store_assistant_create assistant;
		struct store_thread_create thread;
		struct store_run_create run;
		struct store_run_end finish;
		struct store_item_put put;
		struct store_item_delete item;
		struct store_thread_delete thread_gone;
		struct store_assistant_delete assistant_gone;
	} u;
	struct uuid assistant, thread;
	int64_t run_seq, thread_seq;
	struct store_checkpoint_put steps[3];
	struct store_channel_change changes[3];
	struct str messages[2];
	struct arena arena;
	char key[32];
};

struct bench {
	struct store *st;
	struct shard *shard;
	struct user *users;
	size_t n;
	nsec cpu[STAGES], wall[STAGES];
	char text[1024];
};

#define METADATA S("{\"created_by\":\"bench\",\"purpose\":\"a flow of an agent\"}")
#define TASK(name) S("[{\"id\":\"11111111-1111-4111-8111-111111111111\",\"name\":" \
	"\"" name "\"}]")
#define KWARGS   S("{\"input\":{\"messages\":[{\"role\":\"user\",\"content\":" \
    "\"What is the weather in Paris?\"}]},\"config\":{\"configurable\":{}}," \
    "\"stream_mode\":[\"values\"],\"durability\":\"async\"}")
#define BASE     S("{\"graph_id\":\"agent\",\"created_by\":\"system\"," \
    "\"run_attempt\":1,\"langgraph_version\":\"0\",\"parents\":{}}")

static void
came(struct store_cmd *c)
{
	if (c->rc != OK) {
		fprintf(stderr, "%s: %s\n", rc_name(c->rc), c->err.text);
		exit(1);
	}
}

static nsec
writer_cpu(const struct bench *b)
{
	struct timespec t;
	clockid_t clock;

	pthread_getcpuclockid(b->st->writer, &clock);
	clock_gettime(clock, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void
fill_run(struct bench *b, struct user *u, msec now)
{
	(void)b;
	u->u.run.run = (struct store_run){
		.id = uuid_v7(), .thread_id = u->thread, .assistant_id = u->assistant,
		.graph_id = S("agent"), .kwargs_json = KWARGS,
		.metadata_json = METADATA, .base_json = BASE, .created = now,
		.updated = now,
	};
}

static void
fill_finish(struct bench *b, struct user *u, msec now, uint32_t keep)
{
	u->messages[0] = (struct str){ b->text, 180 };
	u->messages[1] = (struct str){ b->text, 420 };
	for (unsigned i = 0; i < 3; i++) {
		u->changes[i] = (struct store_channel_change){ .name = S("messages"),
		    .kind = STORE_LIST, .keep = i == 2 ? keep + 1 : keep,
		    .entries = u->messages + (i == 2), .entries_n = 1 };
		u->steps[i] = (struct store_checkpoint_put){
			.id = uuid_v6(i - 1), .step = (int)i - 1,
			.source = i == 0 ? SOURCE_INPUT : SOURCE_LOOP,
			.tasks_json = i == 0 ? TASK("__start__") : i == 1 ?
			    TASK("agent") : S(""),
			.snapshot = { b->text, 200 }, .created = now,
			.wrote_json = i == 0 ? S("") : S("{\"messages\":[0,1]}"),
			.channels = &u->changes[i], .channels_n = i > 0,
		};
	}
	u->u.finish.run_seq = u->run_seq;
	u->u.finish.thread_seq = u->thread_seq;
	u->u.finish.changes.checkpoints = u->steps;
	u->u.finish.changes.checkpoints_n = 3;
	u->u.finish.status = RUN_SUCCESS;
	u->u.finish.thread_status = THREAD_IDLE;
	u->u.finish.now = now;
}

static void
fill(struct bench *b, struct user *u, enum stage s, msec now)
{
	if (s == END_1 || s == END_2) {
		u->run_seq = u->u.run.run.seq;
		u->thread_seq = u->u.run.run.thread_seq;
	}
	arena_clear(&u->arena);
	memset(&u->u, 0, sizeof u->u);
	switch (s) {
	case ASSISTANT:
		u->assistant = uuid_v7();
		u->u.assistant.a = (struct store_assistant){
			.id = u->assistant, .graph_id = S("agent"), .name = S("bench"),
			.metadata_json = METADATA, .created = now, .updated = now,
		};
		break;
	case THREAD:
		u->thread = uuid_v7();
		u->u.thread.t = (struct store_thread){ .id = u->thread,
		    .metadata_json = METADATA, .created = now, .updated = now };
		break;
	case RUN_1: case RUN_2:
		fill_run(b, u, now);
		break;
	case END_1: case END_2:
		fill_finish(b, u, now, s == END_1 ? 0 : 2);
		break;
	case PUT:
		u->u.put.item = (struct store_item){ .ns = S("bench.flow"),
		    .key = str_of(u->key), .value_json = KWARGS, .created = now,
		    .updated = now };
		break;
	case DELETE_ITEM:
		u->u.item.ns = S("bench.flow");
		u->u.item.key = str_of(u->key);
		break;
	case DELETE_THREAD:
		u->u.thread_gone.id = u->thread;
		break;
	default:
		u->u.assistant_gone.id = u->assistant;
	}
}

static void
stage_run(struct bench *b, enum stage s, msec now)
{
	nsec cpu, wall;

	for (size_t i = 0; i < b->n; i++)
		fill(b, &b->users[i], s, now);
	cpu = writer_cpu(b);
	wall = clock_mono();
	/* All but the last are lazy, so that a round is a batch. */
	for (size_t i = 0; i < b->n; i++) {
		struct store_cmd *c = &b->users[i].u.cmd;

		c->op = stages[s].op;
		c->done = came;
		c->arena = &b->users[i].arena;
		c->lazy = i + 1 < b->n;
		store_submit(b->st, b->shard, c, true);
	}
	while (b->users[b->n - 1].u.cmd.under_way)   /* they come in order */
		shard_turn(b->shard);
	b->cpu[s] += writer_cpu(b) - cpu;
	b->wall[s] += clock_mono() - wall;
}

static void
report(const struct bench *b, size_t rounds)
{
	double flows = (double)(rounds * b->n);
	nsec cpu = 0, wall = 0;
	struct store_stats x;

	for (int s = 0; s < STAGES; s++) {
		printf("%-18s %8.1f us CPU %8.1f us\n", stages[s].name,
		    (double)b->cpu[s] / flows / 1e3, (double)b->wall[s] / flows / 1e3);
		cpu += b->cpu[s];
		wall += b->wall[s];
	}
	store_stats(b->st, &x);
	printf("%-18s %8.1f us CPU %8.1f us, %.2f commits of %.1f us\n", "flow",
	    (double)cpu / flows / 1e3, (double)wall / flows / 1e3,
	    (double)x.commits / flows, (double)x.commit_ns_sum / 1e3 /
	    (double)x.commits);
}

int
main(int argc, char **argv)
{
	struct store_options o = { .driver = S("sqlite"), .path = S("bench.db") };
	struct bench b = { .n = 1 };
	size_t rounds = 1000;
	struct err e;
	int opt;

	while ((opt = getopt(argc, argv, "d:f:n:u:")) != -1) {
		switch (opt) {
		case 'd': o.driver = str_of(optarg); break;
		case 'f': o.path = str_of(optarg); break;
		case 'n': rounds = strtoul(optarg, NULL, 10); break;
		case 'u': b.n = strtoul(optarg, NULL, 10); break;
		default: return 2;
		}
	}
	if (shard_new(&b.shard, 0, &e) != OK || store_open(&b.st, &o, &e) != OK) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	memset(b.text, 'x', sizeof b.text);
	b.users = mem_zero(b.n * sizeof *b.users);
	for (size_t i = 0; i < b.n; i++) {
		b.users[i].arena = ARENA(1 * MB);
		snprintf(b.users[i].key, sizeof b.users[i].key, "item-%zu", i);
	}
	for (size_t r = 0; r < rounds; r++)
		for (enum stage s = 0; s < STAGES; s++)
			stage_run(&b, s, (msec)r);
	report(&b, rounds);
	store_close(b.st);
	shard_free(b.shard);
	for (size_t i = 0; i < b.n; i++)
		arena_release(&b.users[i].arena);
	free(b.users);
	return 0;
}
