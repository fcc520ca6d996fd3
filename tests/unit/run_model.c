/*
 * run_model.c - random threads of random agents, in the simulator and told by the
 * plain interpreter (run_sim.h).
 *
 * Goal: runs with input, answers, updates, jumps and breakpoints, forks and edits,
 * in any order of their tasks' ends and through crashes between any two effects,
 * come to the history that Pregel's steps come to.
 * RUN_MODEL_CASES=100000 RUN_MODEL_SEED=7 build/unit-run model
 * With RUN_MODEL_SHOW=1 each case is told, and how to play it alone (part 0).
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_sim.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/scan.h"

enum { OPS = 7, PARTS = 8, WAITING = 32 };

struct thread {
	struct sim_agent *spec;
	struct sim sim;
	struct ref *ref;
	unsigned run;
	bool persists;                       /* sub-agents may; then without branches:
	                                        whose a state is, is not known yet */
	/* of the run at hand */
	struct core_request q;
	struct sim_plan plan;
	struct val owned[8];
	size_t owned_n;
	struct core_name_value update[2];
	struct core_goto gotos[2];
	struct str stops[2];
	int chosen;
};

static struct val
own(struct thread *th, struct val v)
{
	CHECK(th->owned_n < COUNT(th->owned));
	return th->owned[th->owned_n++] = v;
}

static void
thread_open(struct thread *th, unsigned levels, struct sim_rules rules)
{
	*th = (struct thread){ .persists = pick(3) == 0 };
	th->spec = sim_agent_random(levels, pick(3) == 0, th->persists);
	sim_init(&th->sim, th->spec, rules);
	th->ref = ref_new(th->spec, rules, &th->sim);
}

static void
thread_close(struct thread *th)
{
	ref_free(th->ref);
	sim_release(&th->sim);
	sim_agent_free(th->spec);
}

/* ---- requests --------------------------------------------------------------------- */

static struct val
random_values(bool odd)
{
	struct val v = val_set_take(val_object_empty(), S("n"), val_int(pick(4)));

	if (pick(2) == 0)
		v = val_set_take(v, S("log"), val_push_take(val_array_empty(),
		    val_int(pick(100))));
	if (pick(3) == 0)
		v = val_set_take(v, S("l"), val_int(pick(9)));
	if (pick(3) == 0)
		v = val_set_take(v, S("e"), val_int(pick(9)));
	if (odd && pick(3) == 0)
		v = val_set_take(v, S("lo"), val_int(pick(40)));
	if (odd && pick(3) == 0)
		v = val_set_take(v, S("nothing"), val_int(1));
	return v;
}

static struct str
random_node(const struct thread *th)
{
	return str_of(sim_node_name((int)pick((unsigned)th->spec->nodes_n)));
}

/* A node whose agent keeps its state is called once at a time. */
static void
random_goto(const struct thread *th, struct core_goto *g)
{
	unsigned node = pick((unsigned)th->spec->nodes_n);

	g->node = str_of(sim_node_name((int)node));
	g->input = pick(2) == 0 && !th->spec->node[node].persist ? val_int(pick(9)) :
	    VAL_UNDEF;
}

static void
ask_command(struct thread *th, unsigned what)
{
	struct core_request *q = &th->q;
	static const char *const names[] = { "n", "l", "e", "log" };

	for (unsigned i = 0; (what & 1) && i < 1 + pick(2); i++)
		th->update[q->update_n++] = (struct core_name_value){
		    str_of(names[pick(COUNT(names))]), val_int(pick(9)) };
	for (unsigned i = 0; (what & 2) && i < 1 + pick(2); i++)
		random_goto(th, &th->gotos[q->gotos_n++]);
	q->update = th->update;
	q->gotos = th->gotos;
	q->has_command = true;
}

static struct val
random_answer(void)
{
	static const enum val_kind kinds[] = { VAL_INT, VAL_BOOL, VAL_STRING, VAL_OBJECT };

	switch (kinds[pick(COUNT(kinds))]) {
	case VAL_INT:    return val_int(pick(3));
	case VAL_BOOL:   return val_bool(false);
	case VAL_STRING: return val_string(S(""));
	default:         return val_set_take(val_object_empty(), S("a"), val_int(1));
	}
}

static struct val
map_set(struct val map, const struct uuid *id, struct val value)
{
	char hex[33];

	for (size_t k = 0; k < 16; k++)
		snprintf(hex + 2 * k, 3, "%02x", id->b[k]);
	return val_set_take(map, str_of(hex), value);
}

/* By ids: some of those that wait, and one that does not. */
static struct val
random_map(const struct uuid *ids, size_t n)
{
	struct val map = val_object_empty();

	for (size_t i = 0; i < n; i++)
		if (i == 0 || pick(2) == 0)
			map = map_set(map, &ids[i], random_answer());
	if (pick(8) == 0)
		map = val_set_take(map, S("0123456789abcdef0123456789abcdef"), val_int(1));
	return map;
}

static void
ask_resume(struct thread *th)
{
	struct uuid ids[WAITING];
	size_t n = ref_waiting(th->ref, ids, COUNT(ids));

	if (n == 0 || pick(8) == 0 || (n == 1 && pick(2) == 0))
		th->q.resume = own(th, random_answer());
	else
		th->q.resume = own(th, random_map(ids, n));
	ask_command(th, pick(4) == 0 ? 1 : 0);
}

/* Of a checkpoint that is not the head: its questions may be answered anew. */
static void
ask_resume_old(struct thread *th)
{
	const struct sim_checkpoint *c = sim_checkpoint_at(&th->sim, STR_NONE,
	    (size_t)th->chosen);
	struct { size_t task; unsigned key; const struct sim_interrupt *x; } open[16];
	struct val value = own(th, random_answer()), map = val_object_empty();
	bool one = pick(2) == 0;
	size_t n = 0;

	for (size_t i = 0; i < c->tasks_n; i++)
		for (unsigned k = 0; k < ASKS && n < COUNT(open); k++) {
			open[n].task = i;
			open[n].key = k;
			open[n].x = sim_asked(&th->sim, &c->tasks[i].id, k);
			n += open[n].x != NULL && open[n].x->state != ASK_VOID;
		}
	if (one && n > 1)
		ref_give_several(th->ref);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && (one || pick(2) == 0))
			continue;
		ref_give(th->ref, open[i].task, open[i].key, value);
		map = map_set(map, &open[i].x->i.id, val_ref(value));
	}
	th->q.resume = one || n == 0 ? value : map;
	(void)own(th, map);
	ask_command(th, pick(4) == 0 ? 1 : 0);
}

static void
ask_stops(struct thread *th, struct core_stops *out, size_t at)
{
	out->given = pick(4) == 0;
	if (!out->given)
		return;
	out->all = pick(4) == 0;
	th->stops[at] = random_node(th);
	out->at = &th->stops[at];
	out->n = 1;
}

static void
request_random(struct thread *th)
{
	struct core_request *q = &th->q;
	size_t n = ref_checkpoints(th->ref);
	unsigned what = pick(10);

	*q = (struct core_request){ .input = VAL_UNDEF, .resume = VAL_UNDEF,
	    .config = VAL_UNDEF, .context = VAL_UNDEF };
	q->recursion_limit = pick(6) == 0 ? 1 + (int64_t)pick(6) : 12;
	th->chosen = -1;
	if (n > 1 && !th->persists && pick(6) == 0)
		th->chosen = (int)pick((unsigned)n - 1);
	if (n == 0 || what < 3)
		q->input = own(th, random_values(true));
	else if (what < 7 && (th->chosen < 0 || th->chosen == (int)n - 1))
		ask_resume(th);
	else if (what < 5)
		ask_resume_old(th);
	else if (what == 7)
		ask_command(th, 1 + pick(3));
	if (th->chosen >= 0)
		q->checkpoint = sim_checkpoint_at(&th->sim, STR_NONE,
		    (size_t)th->chosen)->id;
	ask_stops(th, &q->before, 0);
	ask_stops(th, &q->after, 1);
	q->exit = pick(8) == 0;
}

static void
plan_random(struct thread *th)
{
	struct sim_plan *p = &th->plan;

	*p = (struct sim_plan){ .ordered = th->q.exit };
	th->sim.by_batch = pick(2) == 0;
	if (th->q.exit)
		return;
	if (pick(2) == 0)
		p->crashes_n = 1 + pick(3);
	for (size_t i = 0; i < p->crashes_n; i++)
		p->crash[i] = pick(th->sim.by_batch ? 6 : 24);
	if (pick(8) == 0)
		p->cancel = 1 + pick(6);
}

static void
show_request(const struct thread *th)
{
	const struct core_request *q = &th->q;
	struct buf b = BUF(MB);

	if (getenv("RUN_MODEL_SHOW") == NULL)
		return;
	buf_add_fmt(&b, "run %u at %d limit %lld%s input ", th->run, th->chosen,
	    (long long)q->recursion_limit, q->exit ? " exit" : "");
	val_add_json(&b, q->input);
	buf_add_fmt(&b, "%s", q->has_command ? " command resume " : "");
	val_add_json(&b, q->resume);
	for (size_t i = 0; i < q->update_n; i++) {
		buf_add_fmt(&b, " %.*s=", FMT(q->update[i].name));
		val_add_json(&b, q->update[i].value);
	}
	for (size_t i = 0; i < q->gotos_n; i++) {
		buf_add_fmt(&b, " goto %.*s ", FMT(q->gotos[i].node));
		val_add_json(&b, q->gotos[i].input);
	}
	if (q->before.given)
		buf_add_fmt(&b, " before %.*s%s", FMT(th->stops[0]), q->before.all ? "*" : "");
	if (q->after.given)
		buf_add_fmt(&b, " after %.*s%s", FMT(th->stops[1]), q->after.all ? "*" : "");
	for (size_t i = 0; i < th->plan.crashes_n; i++)
		buf_add_fmt(&b, " crash %zu%s", th->plan.crash[i],
		    th->sim.by_batch ? "b" : "");
	buf_add_fmt(&b, " cancel %zu\n", th->plan.cancel);
	fprintf(stderr, "%s", b.p);
	buf_release(&b);
}

/* ---- cases --------------------------------------------------------------------------- */

/* crash: of its own choice, or -1. */
static void
play_run(struct thread *th, int crash)
{
	th->owned_n = 0;
	request_random(th);
	plan_random(th);
	if (crash >= 0)
		th->plan = (struct sim_plan){ .crashes_n = !th->q.exit, .ordered = th->q.exit,
		    .crash = { (size_t)crash } };
	th->run++;
	show_request(th);
	sim_run(&th->sim, &th->q, th->run, &th->plan);
	ref_run(th->ref, &th->q, th->chosen, th->run, &th->plan);
	for (size_t i = 0; i < th->owned_n; i++)
		val_drop(th->owned[i]);
}

static void
play_edit(struct thread *th)
{
	static const char *const special[] = { "__copy__", "__input__", "__end__", NULL };
	struct edit_update u[2] = { { VAL_NIL, STR_NONE }, { VAL_NIL, STR_NONE } };
	size_t n = ref_checkpoints(th->ref), many = 1;
	struct uuid id = { 0 };
	unsigned what = pick(8);
	int at = -1, rc, want;
	struct err e = { 0 };

	if (n > 0 && !th->persists && pick(3) == 0) {
		at = (int)pick((unsigned)n);
		id = sim_checkpoint_at(&th->sim, STR_NONE, (size_t)at)->id;
	}
	if (what < COUNT(special)) {
		u[0].as_node = special[what] != NULL ? str_of(special[what]) : STR_NONE;
		if (what == 1)
			u[0].values = random_values(true);
	} else {
		many = 1 + (pick(3) == 0);
		for (size_t i = 0; i < many; i++)
			u[i] = (struct edit_update){ random_values(true), random_node(th) };
	}
	th->run++;
	if (getenv("RUN_MODEL_SHOW") != NULL)
		fprintf(stderr, "edit %u at %d %.*s %s\n", th->run, at, FMT(u[0].as_node),
		    many > 1 ? "and another" : "");
	rc = sim_edit(&th->sim, u, many, &id, th->run, &e);
	want = ref_edit(th->ref, u, many, at, th->run);
	if ((rc == OK) != (want == OK))
		test_fail(__FILE__, __LINE__, "edit %u: %s %s", th->run, rc_name(rc), e.text);
	val_drop(u[0].values);
	val_drop(u[1].values);
}

static void
case_open(struct thread *th, uint64_t seed)
{
	struct sim_rules rules;

	chance_seed(seed);
	rules = (struct sim_rules){ .asks = pick(2) == 0 ? 3 : 8,
	    .fails = pick(3) == 0 ? 9 : 0 };
	thread_open(th, pick(3), rules);
}

static void
play_ops(struct thread *th, unsigned n)
{
	for (unsigned op = 0; op < n; op++) {
		if (op > 0 && pick(6) == 0)
			play_edit(th);
		else
			play_run(th, -1);
		ref_compare(th->ref);
	}
}

static void
play_case(uint64_t seed)
{
	struct thread th;

	case_open(&th, seed);
	play_ops(&th, OPS);
	thread_close(&th);
}

/* True: the last run crashed when it had left so many effects. */
static bool
play_prefix(uint64_t seed, int effects)
{
	struct thread th;
	bool died;

	case_open(&th, seed);
	play_ops(&th, 1 + (unsigned)(seed % 4));
	play_run(&th, effects);
	ref_compare(th.ref);
	died = th.sim.died;
	thread_close(&th);
	return died;
}

static uint64_t
number_of(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 10) : fallback;
}

static void
play_part(unsigned part)
{
	uint64_t n = number_of("RUN_MODEL_CASES", test_rounds(3000)) / PARTS;
	uint64_t seed = number_of("RUN_MODEL_SEED", 1) + part * n;

	if (getenv("RUN_MODEL_CASES") != NULL)
		alarm(0);                    /* as many as somebody wants */
	for (uint64_t i = 0; i < n; i++) {
		if (getenv("RUN_MODEL_SHOW") != NULL)
			fprintf(stderr, "RUN_MODEL_CASES=%d RUN_MODEL_SEED=%" PRIu64 "\n",
			    PARTS, seed + i);
		play_case(seed + i);
	}
}

/* Goal: wherever a run is cut off, what it left leads to the same end. */
TEST(run_model_every_prefix_leads_to_the_same_end)
{
	uint64_t n = number_of("RUN_MODEL_CASES", test_rounds(3000)) / 20;
	uint64_t seed = number_of("RUN_MODEL_SEED", 1);

	for (uint64_t i = 0; i < n; i++)
		for (int k = 0; play_prefix(seed + i, k); k++)
			CHECK(k < 2000);
}

/* ---- what tasks spend -------------------------------------------------------------------- */

/* Of the tasks that the checkpoints name, each once: those that never came to be in a
 * checkpoint were not, whatever they did before a crash. */
static int64_t
plain_sum(const struct sim *s, int64_t *turns)
{
	int64_t tokens = 0;

	*turns = 0;
	for (size_t i = 0; i < s->checkpoints_n; i++) {
		const struct sim_checkpoint *c = &s->checkpoints[i];

		for (size_t k = 0; k < c->tasks_n; k++) {
			size_t p = s->paid_n;

			while (p > 0 && !uuid_eq(&s->paid[p - 1].task, &c->tasks[k].id))
				p--;
			tokens += p > 0 ? s->paid[p - 1].tokens : 0;
			*turns += p > 0;
		}
	}
	return tokens;
}

/* The counters of the root's newest checkpoint. */
static struct val
counted(const struct sim *s)
{
	const struct sim_checkpoint *c = sim_checkpoint_at(s, STR_NONE,
	    sim_count(s, STR_NONE) - 1);

	return val_json_trusted(scan_find(c->snapshot, S("spent")));
}

/* Goal: over crashes, with tasks side by side and sub-agents that keep their state or
 * do not, the counter is the plain sum of what the tasks have spent. */
TEST(run_model_counts_what_tasks_spend)
{
	uint64_t n = number_of("RUN_MODEL_CASES", test_rounds(3000)) / 3, whole = 0;

	for (uint64_t seed = 1; seed <= n; seed++) {
		struct thread th;
		struct val all, spent;
		int64_t turns, tokens;

		chance_seed(seed);
		thread_open(&th, pick(3), (struct sim_rules){ 0 });
		th.q = (struct core_request){ .input = val_object_empty(),
		    .resume = VAL_UNDEF, .config = VAL_UNDEF, .context = VAL_UNDEF,
		    .recursion_limit = 25 };
		th.plan = (struct sim_plan){ .crashes_n = pick(5) };
		for (size_t i = 0; i < th.plan.crashes_n; i++)
			th.plan.crash[i] = pick(40);
		sim_run(&th.sim, &th.q, ++th.run, &th.plan);
		if (th.sim.end == CORE_SUCCESS) {
			whole++;
			tokens = plain_sum(&th.sim, &turns);
			all = counted(&th.sim);
			spent = val_at(all, 0);
			CHECK_INT(val_at(spent, 0).u.i, turns);
			CHECK_INT(val_at(spent, 2).u.i, tokens);
			val_drop(all);
		}
		val_drop(th.q.input);
		thread_close(&th);
	}
	CHECK(whole > n / 4);
}

/* ---- two at once ------------------------------------------------------------------------ */

/* START leads to a and b; both ask, twice at most, or neither does. */
static void
thread_of_two(struct thread *th, bool asks)
{
	struct sim_agent *a = mem_zero(sizeof *a);

	a->nodes_n = 2;
	a->edges_n = 2;
	for (int i = 0; i < 2; i++)
		a->edge[i] = (struct sim_edge){ .from = { AT_START }, .from_n = 1, .to = i };
	*th = (struct thread){ .spec = a };
	sim_init(&th->sim, a, (struct sim_rules){ .asks = asks });
	th->ref = ref_new(a, th->sim.rules, &th->sim);
	th->q = (struct core_request){ .input = VAL_UNDEF, .resume = VAL_UNDEF,
	    .config = VAL_UNDEF, .context = VAL_UNDEF, .recursion_limit = 9 };
}

static void
run_two(struct thread *th, struct val input, struct val resume)
{
	th->q.input = input;
	th->q.resume = resume;
	th->q.has_command = resume.kind != VAL_UNDEFINED;
	th->run++;
	sim_run(&th->sim, &th->q, th->run, &th->plan);
	ref_run(th->ref, &th->q, -1, th->run, &th->plan);
	ref_compare(th->ref);
	val_drop(input);
	val_drop(resume);
}

/* Goal: the process dies when one of two tasks has ended; the other alone begins
 * again (the simulator checks that none begins that is done). */
TEST(run_model_a_task_that_is_done_does_not_run_again)
{
	for (size_t i = 0; i < 64; i++) {
		size_t crash = i % 4;
		struct thread th;

		chance_seed(i);
		thread_of_two(&th, false);
		th.sim.by_batch = true;
		th.plan = (struct sim_plan){ .crashes_n = 1, .crash = { crash } };
		run_two(&th, val_object_empty(), VAL_UNDEF);
		/* start | one ends | the other, and the run: after the first it is
		 * one begin less, before that two more */
		CHECK_INT(th.sim.begun, crash == 0 ? 4 : crash == 1 ? 4 : crash == 2 ? 3 :
		    2);
		thread_close(&th);
	}
}

/* Goal: two questions at once are answered in any order, one of them twice. */
TEST(run_model_two_questions_are_answered_in_any_order)
{
	for (uint64_t seed = 0; seed < 64; seed++) {
		struct uuid ids[WAITING], first;
		struct thread th;
		size_t n, rounds = 0;

		chance_seed(seed);
		thread_of_two(&th, true);
		run_two(&th, val_object_empty(), VAL_UNDEF);
		while ((n = ref_waiting(th.ref, ids, COUNT(ids))) > 0) {
			if (n > 1) {         /* nobody knows which one is meant */
				run_two(&th, VAL_UNDEF, val_int(1));
				CHECK_INT(th.sim.end, CORE_ERROR);
				CHECK_INT(ref_waiting(th.ref, ids, COUNT(ids)), n);
			}
			first = ids[pick((unsigned)n)];
			run_two(&th, VAL_UNDEF, map_set(val_object_empty(), &first,
			    val_int((int64_t)rounds)));
			run_two(&th, VAL_UNDEF, map_set(val_object_empty(), &first,
			    val_int(99)));       /* again: it is not asked any more */
			th.q.strict_resume = true;
			run_two(&th, VAL_UNDEF, map_set(val_object_empty(), &first,
			    val_int(99)));
			th.q.strict_resume = false;
			rounds++;
		}
		CHECK(rounds >= 2 && rounds <= 4);
		thread_close(&th);
	}
}

#define PART(number) \
	TEST(run_model_is_pregel_ ## number) { play_part(number); }
PART(0) PART(1) PART(2) PART(3) PART(4) PART(5) PART(6) PART(7)
