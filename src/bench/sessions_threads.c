/*
 * sessions_threads.c - the arm chart-mem with a thread a session: each runs its
 * agent by itself (run/solo.h), with an event loop and a model of its own.
 *
 * The core, the kinds of work, the chart and the model are the same as on loops.
 * What a session keeps is in its own memory; there is no store that all share.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "bench/sessions_priv.h"
#include "llm/script.h"
#include "net/shard.h"
#include "run/solo.h"

#define STACK_BYTES (256 * KB)
#define LOOK_EVERY  64

struct fleet {
	struct sessions *s;
	struct agents *agents;
	struct llm_script *script;
	struct tools *tools;
	struct val input;
};

struct lone {
	struct fleet *f;
	struct tally *tally;
	size_t number;
	uint64_t deltas;
};

static void
on_told(void *ctx, const struct run_event *ev)
{
	struct lone *x = ctx;

	if (ev->kind == EVENT_MODEL_END)
		atomic_fetch_add_explicit(&x->tally->turns, 1, memory_order_relaxed);
	if (ev->kind != EVENT_DELTA || ev->u.model.delta->kind != LLM_DELTA_TEXT)
		return;
	sessions_burn(x->f->s->o);
	x->deltas++;
}

static int
lone_run(struct lone *x, struct shard *shard, struct llm *llm, struct err *e)
{
	const struct sessions_options *o = x->f->s->o;
	struct solo_options so = { .agents = x->f->agents,
	    .agent = agents_at(x->f->agents, 0), .input = val_copy(x->f->input),
	    .shard = shard, .llm = llm, .tools = x->f->tools, .told = on_told, .ctx = x };
	struct solo_result r = { 0 };
	int rc = solo_run(&so, &r, e);

	if (rc == OK && r.end != SOLO_SUCCESS)
		rc = err_set(e, ERR_INVALID, "%.*s: %.*s", FMT(r.error),
		    FMT(str_cut(r.message, 200)));
	if (rc == OK && x->deltas != (uint64_t)(o->of.turns * o->of.tokens))
		rc = err_set(e, ERR_INVALID, "%llu deltas instead of %lld",
		    (unsigned long long)x->deltas, (long long)(o->of.turns * o->of.tokens));
	solo_release(&r);
	val_drop(so.input);
	return rc;
}

static void *
lone_main(void *arg)
{
	struct lone *x = arg;
	struct sessions *s = x->f->s;
	nsec due = sessions_due(s, x->number), now = clock_mono();
	struct llm_options lo = { .default_model = S("scripted:turn"),
	    .script = x->f->script };
	struct shard *shard = NULL;
	struct llm *llm = NULL;
	struct err e = { 0 };
	int rc;

	if (due > now) {
		struct timespec t = { (due - now) / NS_PER_S, (due - now) % NS_PER_S };

		nanosleep(&t, NULL);
	}
	rc = shard_new(&shard, 0, &e);
	if (rc == OK)
		rc = llm_new(&llm, shard, NULL, &lo, &e);
	if (rc == OK)
		rc = lone_run(x, shard, llm, &e);
	x->tally->deltas = x->deltas;
	tally_end(x->tally, due, rc, &e);
	llm_free(llm);
	if (shard != NULL)
		shard_free(shard);
	return NULL;
}

static void
fleet_drive(struct fleet *f)
{
	struct sessions *s = f->s;
	size_t c = (size_t)s->o->concurrency, made = 0;
	struct lone *lones = mem_zero(c * sizeof *lones);
	pthread_t *threads = mem_zero(c * sizeof *threads);
	pthread_attr_t attr;
	int rc = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sessions_begin(s);
	for (; made < c; made++) {
		lones[made] = (struct lone){ .f = f, .tally = &s->tally[made],
		    .number = made };
		rc = pthread_create(&threads[made], &attr, lone_main, &lones[made]);
		if (rc != 0)
			break;
		if (made % LOOK_EVERY == 0)
			sessions_look(s);
	}
	for (size_t i = 0; i < made; i++) {
		if (i % LOOK_EVERY == 0)
			sessions_look(s);
		pthread_join(threads[i], NULL);
	}
	sessions_end(s);
	if (rc != 0) {
		s->tally[0].errors += c - made;
		err_set(&s->tally[0].sample, ERR_LIMIT, "threads: the %zuth could not be "
		    "made: %s", made + 1, strerror(rc));
	}
	pthread_attr_destroy(&attr);
	free(lones);
	free(threads);
}

int
sessions_chart_threads(struct sessions *s, struct err *e)
{
	struct fleet f = { .s = s, .agents = agents_new(), .tools = tools_new() };
	struct buf text = BUF(16 * MB);
	int rc = sessions_agents_read(s, f.agents, e);

	sessions_script_text(s->o, &text);
	if (rc == OK)
		rc = script_new(&f.script, buf_str(&text), e);
	buf_clear(&text);
	sessions_input_text(s->o, &text);
	f.input = val_json_trusted(buf_str(&text));
	sessions_tallies(s, (size_t)s->o->concurrency);
	if (rc == OK)
		fleet_drive(&f);
	val_drop(f.input);
	buf_release(&text);
	agents_free(f.agents);
	script_free(f.script);
	tools_free(f.tools);
	return rc;
}
