/*
 * run_chaos.c - many clients at once on two shards: they start runs on few
 * threads, join each other's, leave and cancel, in no order.
 *
 * Goal: every reader hears exactly one end, unless it left; when all is over
 * nothing is left over on any shard, and every thread is idle.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "run_fix.h"

#define RULES "{\"rules\":[" \
	"{\"match\":\"tools\",\"tool_calls\":[{\"name\":\"echo\"},{\"name\":\"note\"}]}," \
	"{\"match\":\"fail\",\"status\":500}," \
	"{\"match\":\"hold\",\"reply\":\"one two three\",\"token_ms\":600000}" \
	"],\"default\":{\"reply\":\"a b c d e f g h .\"}}"

#define EARS 160
#define THREADS 5

static const char *const says[] = {
	SAY("x"), SAY("tools"), SAY("fail"), SAY("hold"), SAY("y")
};

static uint32_t
dice(uint64_t *seed, uint32_t n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % n;
}

static void
start_one(struct fix *f, struct ear *x, uint64_t *seed)
{
	struct ask a = { .thread = thread_no(dice(seed, THREADS)),
	    .input = says[dice(seed, COUNT(says))], .modes = 1u + dice(seed, 15),
	    .stateless = dice(seed, 5) == 0, .resumable = dice(seed, 2) == 0,
	    .cancel_on_gone = dice(seed, 2) == 0,
	    .durability = (enum durability)dice(seed, 3) };
	struct desk *d = &f->desks[dice(seed, 2)];

	if (dice(seed, 2) == 0)
		CHECK_RC(ear_start(x, d, a), OK);
	else
		CHECK_RC(ear_wait_start(x, d, a), OK);
}

static bool
knows_its_run(struct fix *f, const struct ear *x)
{
	bool known;

	pthread_mutex_lock(&f->lock);
	known = !uuid_is_zero(&x->run_id);
	pthread_mutex_unlock(&f->lock);
	return known;
}

struct rest {
	size_t busy, runs, live, waiting;
};

static void
rest_of(struct desk *d, void *arg)
{
	struct rest *r = arg;

	*r = (struct rest){ d->runs->busy, d->runs->runs.n, d->runs->live,
	    d->runs->waiting != NULL };
}

static void
chaos(uint64_t seed, size_t cap)
{
	struct ear *x = mem_zero(EARS * sizeof *x);
	struct rest rest;
	struct fix f;
	size_t n = 0;

	fix_open(&f, "memory", 2, RULES);
	for (int i = 0; i < 2; i++)
		f.desks[i].runs->live_max = cap;
	while (n < EARS) {
		struct ear *other = n > 0 ? &x[dice(&seed, (uint32_t)n)] : NULL;
		uint32_t what = dice(&seed, 10);

		if (other == NULL || what < 4) {
			start_one(&f, &x[n++], &seed);
		} else if (what < 7 && knows_its_run(&f, other)) {
			ear_join(&x[n++], &f.desks[dice(&seed, 2)], other,
			    dice(&seed, 16), (int64_t)dice(&seed, 8) - 1);
		} else if (what == 7 && !other->left && knows_its_run(&f, other)) {
			ear_leave(other);
		} else if (knows_its_run(&f, other)) {
			order_cancel_and_wait(&f.desks[dice(&seed, 2)], other);
		}
	}
	/* Those that hold would hold for ever; cancelling one lets the next in. */
	for (size_t round = 0; round < 2; round++)
		for (size_t i = 0; i < n; i++)
			if (x[i].left || ear_until_known(&x[i]))
				order_cancel_and_wait(&f.desks[i % 2], &x[i]);
	for (size_t i = 0; i < n; i++) {
		if (!x[i].left)
			ear_until_any_end(&x[i]);
		ear_free(&x[i]);
	}
	for (int i = 0; i < 2; i++) {
		do
			desk_do(&f.desks[i], rest_of, &rest);
		while (rest.busy > 0);       /* the last commands come back */
		CHECK_INT(rest.runs, 0);
		CHECK_INT(rest.live, 0);
		CHECK_INT(rest.waiting, 0);
	}
	free(x);
	fix_close(&f);
}

TEST(chaos_leaves_nothing_behind)
{
	for (uint64_t seed = 1; seed <= 4; seed++)
		chaos(seed, 0);
}

TEST(chaos_with_few_places_leaves_nothing_behind)
{
	for (uint64_t seed = 11; seed <= 14; seed++)
		chaos(seed, 3);
}
