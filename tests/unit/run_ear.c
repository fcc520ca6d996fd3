/*
 * run_ear.c - watchers that remember what they heard; see run_fix.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "run/frame_priv.h"
#include "run_fix.h"

static void
on_started(struct run_watch *w, const struct uuid *thread_id,
    const struct uuid *run_id)
{
	struct ear *x = CONTAINER_OF(w, struct ear, w);

	CHECK(shard_is_current(x->d->shard));
	pthread_mutex_lock(&x->d->f->lock);
	x->started = true;
	x->thread_id = *thread_id;
	x->run_id = *run_id;
	fix_changed(x->d->f);
	pthread_mutex_unlock(&x->d->f->lock);
}

static void
on_frames(struct run_watch *w, struct sse_block *b)
{
	struct ear *x = CONTAINER_OF(w, struct ear, w);

	CHECK(shard_is_current(x->d->shard));
	CHECK(!x->ended && !x->left);
	pthread_mutex_lock(&x->d->f->lock);
	buf_add(&x->text, (struct str){ b->bytes, b->n });
	fix_changed(x->d->f);
	pthread_mutex_unlock(&x->d->f->lock);
}

static void
on_end(struct run_watch *w, int rc, const struct run_end *end, const struct err *e)
{
	struct ear *x = CONTAINER_OF(w, struct ear, w);

	CHECK(shard_is_current(x->d->shard));
	CHECK(!x->ended && !x->left);
	pthread_mutex_lock(&x->d->f->lock);
	x->ended = true;
	x->rc = rc;
	x->e = *e;
	if (end != NULL) {
		x->status = end->status;
		buf_add(&x->values, end->values_json);
		buf_add(&x->error, end->error_json);
	}
	fix_changed(x->d->f);
	pthread_mutex_unlock(&x->d->f->lock);
}

void (*ear_frames)(struct run_watch *w, struct sse_block *b);

static void
ear_init(struct ear *x, struct desk *d, unsigned modes, bool events)
{
	*x = (struct ear){ .d = d, .text = BUF(64 * MB), .values = BUF(64 * MB),
	    .error = BUF(1 * MB) };
	x->w = (struct run_watch){ .modes = modes, .after = -1, .wants_events = events,
	    .started = on_started, .frames = ear_frames != NULL ? ear_frames : on_frames,
	    .end = on_end };
}

struct start_call {
	struct ear *x;
	struct ask a;
	int rc;
};

static void
add_modes(struct buf *b, unsigned modes)
{
	buf_add_char(b, '[');
	for (unsigned i = 0; stream_mode_names[i] != NULL; i++) {
		if ((modes & 1u << i) == 0)
			continue;
		if (b->n > 1)
			buf_add_char(b, ',');
		json_add_str(b, str_of(stream_mode_names[i]));
	}
	buf_add_char(b, ']');
}

static void
start_do(struct desk *d, void *arg)
{
	struct start_call *c = arg;
	struct buf modes = BUF(256);
	struct json_doc input = { 0 }, config = { 0 }, command = { 0 };
	struct run_request q = { .thread_id = c->a.thread, .stateless = c->a.stateless,
	    .keep = c->a.keep, .create_thread = !c->a.no_create,
	    .resumable = c->a.resumable, .multitask = c->a.multitask,
	    .durability = c->a.durability, .modes = c->a.modes, .headers_json = S("{}") };

	q.assistant = (struct store_assistant){ .graph_id = c->a.graph != NULL ?
	    str_of(c->a.graph) : S("agent"),
	    .config_json = S("{}"), .context_json = S("{}"),
	    .metadata_json = S("{\"created_by\":\"system\"}") };
	q.assistant.id = runs_assistant_id(q.assistant.graph_id);
	if (c->a.input != NULL)
		CHECK_RC(json_parse(&input, str_of(c->a.input), NULL), OK);
	if (c->a.config != NULL)
		CHECK_RC(json_parse(&config, str_of(c->a.config), NULL), OK);
	if (c->a.command != NULL)
		CHECK_RC(json_parse(&command, str_of(c->a.command), NULL), OK);
	q.command = command.root;
	q.input = input.root;
	q.config = config.root;
	add_modes(&modes, c->a.modes);
	q.modes_json = buf_str(&modes);
	c->rc = run_start(d->runs, &q, &c->x->w, NULL, NULL, &c->x->e);
	json_release(&input);
	json_release(&config);
	json_release(&command);
	buf_release(&modes);
}

static int
start(struct ear *x, struct desk *d, struct ask a, bool events)
{
	struct start_call c = { x, a, OK };

	ear_init(x, d, a.modes, events);
	x->w.cancel_on_gone = a.cancel_on_gone;
	desk_do(d, start_do, &c);
	return c.rc;
}

int
ear_start(struct ear *x, struct desk *d, struct ask a)
{
	return start(x, d, a, true);
}

int
ear_wait_start(struct ear *x, struct desk *d, struct ask a)
{
	return start(x, d, a, false);
}

struct join_call {
	struct ear *x;
	struct uuid run_id, thread_id;
};

static void
join_do(struct desk *d, void *arg)
{
	struct join_call *c = arg;

	run_join(d->runs, 0, &c->thread_id, &c->run_id, &c->x->w);
}

void
ear_join(struct ear *x, struct desk *d, const struct ear *of, unsigned modes,
    int64_t after)
{
	struct join_call c = { x, of->run_id, { { 0 } } };

	ear_init(x, d, modes, modes != 0);
	x->w.after = after;
	x->run_id = of->run_id;
	x->thread_id = of->thread_id;
	desk_do(d, join_do, &c);
}

static void
leave_do(struct desk *d, void *arg)
{
	struct ear *x = arg;

	(void)d;
	run_unwatch(&x->w);
	x->left = true;
}

void
ear_leave(struct ear *x)
{
	desk_do(x->d, leave_do, x);
}

void
ear_free(struct ear *x)
{
	buf_release(&x->text);
	buf_release(&x->values);
	buf_release(&x->error);
}

struct cancel_call {
	struct fix *f;
	struct uuid run_id, thread_id;
	bool done;
	int rc;
};

static void
cancelled(void *ctx, int rc)
{
	struct cancel_call *c = ctx;

	pthread_mutex_lock(&c->f->lock);
	c->rc = rc;
	c->done = true;
	fix_changed(c->f);
	pthread_mutex_unlock(&c->f->lock);
}

static bool
is_cancelled(void *arg)
{
	return ((struct cancel_call *)arg)->done;
}

static void
cancel_do(struct desk *d, void *arg)
{
	struct cancel_call *c = arg;

	run_cancel(d->runs, 0, &c->thread_id, &c->run_id, 0, STR_NONE,
	    cancelled, c);
}

int
order_cancel_and_wait(struct desk *d, const struct ear *of)
{
	struct cancel_call c = { .f = d->f, .run_id = of->run_id };

	desk_do(d, cancel_do, &c);
	fix_until(d->f, is_cancelled, &c, "cancelled");
	return c.rc;
}

static bool
is_started(void *arg)
{
	struct ear *x = arg;

	return x->started || x->ended;
}

bool
ear_until_known(struct ear *x)
{
	fix_until(x->d->f, is_started, x, "started or ended");
	return x->started;
}

void
ear_until_started(struct ear *x)
{
	fix_until(x->d->f, is_started, x, "started");
	CHECK(x->started);
}

struct needle {
	struct ear *x;
	struct str text;
};

static bool
has_text(void *arg)
{
	struct needle *n = arg;

	return str_contains(buf_str(&n->x->text), n->text);
}

void
ear_until_text(struct ear *x, const char *text)
{
	struct needle n = { x, str_of(text) };

	fix_until(x->d->f, has_text, &n, text);
}

static bool
is_ended(void *arg)
{
	return ((struct ear *)arg)->ended;
}

void
ear_until_any_end(struct ear *x)
{
	fix_until(x->d->f, is_ended, x, "the end");
}

void
ear_until_rc(struct ear *x, int rc)
{
	fix_until(x->d->f, is_ended, x, "the end");
	if (x->rc != rc)
		test_fail(__FILE__, __LINE__, "end: %s %s, not %s", rc_name(x->rc),
		    x->e.text, rc_name(rc));
}

void
ear_until_end(struct ear *x)
{
	ear_until_rc(x, OK);
}

struct str
ear_text(struct ear *x)
{
	struct str s;

	pthread_mutex_lock(&x->d->f->lock);
	s = arena_str(&x->d->f->arena, buf_str(&x->text));
	pthread_mutex_unlock(&x->d->f->lock);
	return s;
}

bool
ear_has(struct ear *x, const char *needle)
{
	return str_contains(ear_text(x), str_of(needle));
}

struct str
ear_events(struct ear *x)
{
	struct str rest = ear_text(x), frame, event, last = STR_NONE, result;
	struct buf b = BUF(64 * KB);
	size_t same = 0;
	bool more = true;
	int64_t id;

	while (more) {
		more = frame_next(&rest, &frame, &event, &id);
		if (more && same > 0 && str_eq(event, last)) {
			same++;
			continue;
		}
		if (same > 1)
			buf_add_fmt(&b, "*%zu", same);
		if (more && same > 0)
			buf_add_char(&b, ' ');
		if (more)
			buf_add(&b, event);
		last = event;
		same = 1;
	}
	result = arena_str(&x->d->f->arena, buf_str(&b));
	buf_release(&b);
	return result;
}

void
ear_check_ids(struct ear *x, int64_t first)
{
	struct str rest = ear_text(x), frame, event;
	int64_t id;

	while (frame_next(&rest, &frame, &event, &id)) {
		CHECK_INT(id, first);
		first++;
	}
}
