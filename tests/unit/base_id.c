/*
 * base_id.c - ids: their text, their order, their randomness.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/id.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct str
text_of(struct uuid u, char out[UUID_TEXT])
{
	uuid_format(&u, out);
	return (struct str){ out, UUID_TEXT };
}

TEST(uuid_v5_of_graph_names)
{
	struct uuid ns, u;
	char text[UUID_TEXT];

	CHECK(uuid_parse(S("6ba7b821-9dad-11d1-80b4-00c04fd430c8"), &ns));
	u = uuid_v5(&ns, S("agent"));
	CHECK_STR(text_of(u, text), "fe096781-5601-53d2-b2f6-0d3403f7e9ca");
}

TEST(uuid_text_round_trip)
{
	static const char *const bad[] = { "", "fe096781-5601-53d2-b2f6-0d3403f7e9c",
		"fe096781-5601-53d2-b2f6-0d3403f7e9caa", "fe096781 5601-53d2-b2f6-0d3403f7e9ca",
		"fe096781-5601-53d2-b2f6-0d3403f7e9cg", "fe096781-560-153d2-b2f6-0d3403f7e9ca",
		"{e096781-5601-53d2-b2f6-0d3403f7e9ca", "fe0967815601-53d2-b2f6-0d3403f7e9-ca",
		"fe09678--5601-53d2-b2f6-0d3403f7e9ca" };
	struct uuid u, v;
	char text[UUID_TEXT];
	struct buf b = BUF(64);

	CHECK(uuid_parse(S("FE096781-5601-53D2-B2F6-0D3403F7E9CA"), &u));
	CHECK_STR(text_of(u, text), "fe096781-5601-53d2-b2f6-0d3403f7e9ca");
	uuid_add(&b, &u);
	CHECK(uuid_parse(buf_str(&b), &v) && uuid_eq(&u, &v));
	CHECK(uuid_hash(&u) == uuid_hash(&v));
	CHECK(!uuid_is_zero(&u));
	memset(&v, 0, sizeof v);
	CHECK(uuid_is_zero(&v) && !uuid_eq(&u, &v));
	for (size_t i = 0; i < COUNT(bad); i++)
		CHECK(!uuid_parse(str_of(bad[i]), &v));
	buf_release(&b);
}

TEST(uuid_v6_carries_the_step)
{
	char text[UUID_TEXT];

	CHECK_STR(str_sub(text_of(uuid_v6(1), text), 18, 6), "-8001-");
	CHECK_STR(str_sub(text_of(uuid_v6((unsigned)-1), text), 18, 6), "-bfff-");
	CHECK_STR(str_sub(text_of(uuid_v6(0x4005), text), 18, 6), "-8005-");
	CHECK(text[14] == '6');
}

TEST(uuid_versions_and_variants)
{
	for (int i = 0; i < 100; i++) {
		struct uuid four = uuid_v4(), seven = uuid_v7();

		CHECK(four.b[6] >> 4 == 4 && four.b[8] >> 6 == 2);
		CHECK(seven.b[6] >> 4 == 7 && seven.b[8] >> 6 == 2);
	}
}

TEST(uuid_v7_tells_its_time)
{
	msec before = clock_wall_ms();
	struct uuid u = uuid_v7();

	CHECK(uuid_v7_time(&u) >= before);
	CHECK(uuid_v7_time(&u) <= clock_wall_ms() + 1);
}

/* As after a restart with a clock that was set back by a day. */
TEST(uuid_floor_holds_when_the_clock_steps_back)
{
	msec tomorrow = clock_wall_ms() + 86400000;
	struct uuid six, seven, later;

	id_seed_floor(tomorrow);
	seven = uuid_v7();
	CHECK_INT(uuid_v7_time(&seven), tomorrow + 1);
	later = uuid_v7();
	CHECK(memcmp(seven.b, later.b, 16) < 0);
	id_seed_floor(0);                    /* never lowers */
	seven = uuid_v7();
	CHECK(memcmp(later.b, seven.b, 16) < 0);
	six = uuid_v6(0);
	later = uuid_v6(0);
	CHECK(memcmp(six.b, later.b, 16) < 0);
}

#define THREADS 4
#define EACH    20000

struct maker {
	pthread_t thread;
	struct uuid v6[EACH], v7[EACH];
};

static void *
make_many(void *arg)
{
	struct maker *m = arg;

	for (int i = 0; i < EACH; i++) {
		m->v6[i] = uuid_v6((unsigned)(EACH - i));
		m->v7[i] = uuid_v7();
	}
	return NULL;
}

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct uuid));
}

/* The first 8 bytes hold time and version: equal ones would be out of order
 * half of the time. */
static void
check_strictly_ordered(struct maker *makers, bool six)
{
	static struct uuid all[THREADS * EACH];

	for (int t = 0; t < THREADS; t++) {
		struct uuid *made = six ? makers[t].v6 : makers[t].v7;

		for (int i = 1; i < EACH; i++)
			CHECK(memcmp(made[i - 1].b, made[i].b, 8) < 0);
		memcpy(all + t * EACH, made, sizeof makers[t].v6);
	}
	qsort(all, COUNT(all), sizeof all[0], by_bytes);
	for (size_t i = 1; i < COUNT(all); i++)
		CHECK(memcmp(all[i - 1].b, all[i].b, 8) < 0);
}

TEST(uuid_order_is_strict_over_threads)
{
	static struct maker makers[THREADS];

	for (int t = 0; t < THREADS; t++)
		CHECK(pthread_create(&makers[t].thread, NULL, make_many, &makers[t]) == 0);
	for (int t = 0; t < THREADS; t++)
		pthread_join(makers[t].thread, NULL);
	check_strictly_ordered(makers, true);
	check_strictly_ordered(makers, false);
}

TEST(id_seed_repeats)
{
	uint8_t a[40], b[40], c[40];

	id_seed_random(42);
	id_random(a, sizeof a);
	id_seed_random(42);
	id_random(b, sizeof b);
	id_random(c, sizeof c);
	CHECK(memcmp(a, b, sizeof a) == 0);
	CHECK(memcmp(b, c, sizeof b) != 0);
}

/* A forked child must not go on with its parent's buffered bytes. */
TEST(id_random_differs_in_a_forked_child)
{
	uint8_t mine[16], childs[16];
	int pipes[2], status;
	pid_t pid;

	id_random(mine, 1);                  /* fills the buffer */
	CHECK(pipe(pipes) == 0);
	pid = fork();
	if (pid == 0) {
		id_random(childs, sizeof childs);
		_exit(write(pipes[1], childs, sizeof childs) != sizeof childs);
	}
	id_random(mine, sizeof mine);
	CHECK(read(pipes[0], childs, sizeof childs) == sizeof childs);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(memcmp(mine, childs, sizeof mine) != 0);
}
