/*
 * pool_frame.c - what a host process says.
 *
 * It is not trusted.  A frame counts only if its row below allows it in the state in which
 * its instance is; all else is a breach, which ends the process: a process that keeps to
 * the protocol never does it.  The body is a copy, so it does not change under the checks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/pool_priv.h"

#include <assert.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

#define SPARE_CALLS 16                       /* frames of a call over its host calls */

static const char *const trap_texts[] = {
#define X(name, text) text,
	WASM_TRAP_MAP(X)
#undef X
};

static const char *const frame_names[] = {
	"none",
#define X(name) #name,
	WASM_FRAME_MAP(X)
#undef X
};

struct said {                                /* a frame at hand */
	struct host *h;
	struct wasm_instance *i;             /* NULL: it stops, or the frame is of none */
	const struct wasm_frame *f;
	struct str body;
	struct err *e;
};

static int
breach(const struct said *s, const char *what)
{
	return err_set(s->e, ERR_INVALID, "it broke the protocol with %s: %s",
	    frame_names[s->f->type], what);
}

/* Costs as the host reports them, clamped to possible values. */

static bool
read_cost(const struct said *s, struct wasm_cost *out)
{
	nsec most = shard_now(s->h->pool->shard) - s->i->since + NS_PER_MS;
	struct wasm_cost_frame c;

	if (s->body.n < sizeof c)
		return false;
	memcpy(&c, s->body.p, sizeof c);
	if (c.fuel < 0)
		return false;
	*out = (struct wasm_cost){
		.fuel = c.fuel < s->i->limits.fuel ? c.fuel : s->i->limits.fuel,
		.cpu = c.cpu_ns < (uint64_t)most ? (nsec)c.cpu_ns : most,
		.pages = c.pages < s->i->limits.pages ? c.pages : s->i->limits.pages,
		.host_calls = c.host_calls < s->i->limits.host_calls ? c.host_calls :
		    s->i->limits.host_calls };
	TALLY(s->h->pool->fuel, (uint64_t)out->fuel);
	TALLY(s->h->pool->cpu, (uint64_t)out->cpu);
	return true;
}

/* Rows. */

/* The words of the host about a module. */
static int
not_loaded(const struct said *s)
{
	struct buf text = BUF(4096);

	s->h->bad_object = (uint32_t)s->f->a;
	buf_add_mended(&text, str_cut(s->body, 400));
	err_set(s->e, ERR_IO, "a module cannot be loaded: %.*s", FMT(buf_str(&text)));
	buf_release(&text);
	return ERR_IO;
}

static int
on_ready(const struct said *s)
{
	struct host *h = s->h;

	if (h->state != HOST_STARTS)
		return breach(s, "it was ready before");
	if (s->f->b != WASM_PROTOCOL)
		return err_set(s->e, ERR_INVALID, "it speaks protocol %llu, this server %d: they are "
		    "of different versions", (unsigned long long)s->f->b, WASM_PROTOCOL);
	if (s->body.n > 0 && s->f->a >= 0 && (size_t)s->f->a < h->objects_n)
		return not_loaded(s);
	if (s->f->a < 0 || (size_t)s->f->a != h->objects_n || s->body.n > 0)
		return breach(s, "another number of modules than it was given");
	h->state = HOST_LIVES;
	host_owes(h, -1);
	group_ready(h);
	return OK;
}

static int
on_started(const struct said *s)
{
	struct wasm_instance *i = s->i;
	struct err none = { .code = OK };

	if (i->state == ARRIVES && i->next == s->h) {
		move_end(i, true, false);
		move_all(i->group);
		return OK;
	}
	if (i->state != STARTS || i->host != s->h)
		return breach(s, "the instance is not starting");
	instance_become(i, IDLE);
	if (i->started) {
		move_resume(i);
		return OK;
	}
	i->started = true;
	i->hooks.started(i->arg, OK, &none);
	return OK;
}

static int
on_done(const struct said *s)
{
	struct wasm_instance *i = s->i;
	struct wasm_cost cost;

	if (i->state != CALLS || i->host != s->h || s->f->call != i->call)
		return breach(s, "no such call is under way");
	if (s->body.n != sizeof(struct wasm_cost_frame) || !read_cost(s, &cost))
		return breach(s, "no cost");
	instance_become(i, IDLE);
	move_begin(i);                       /* first: the hook may bring the next call */
	i->hooks.done(i->arg, s->f->a, &cost);
	return OK;
}

/* The words of the host, or of the trap. */
static struct str
trap_text(const struct said *s, struct buf *mended)
{
	struct str text = str_sub(s->body, sizeof(struct wasm_cost_frame), SIZE_MAX);

	buf_add_mended(mended, str_cut(text, 1000));
	if (mended->n == 0 || mended->p[0] == '\0')
		return str_of(trap_texts[s->f->a]);
	return buf_str(mended);
}

static void
tell_trap(const struct said *s, struct wasm_instance *i, const struct wasm_cost *cost)
{
	struct buf mended = BUF(4096);
	struct str text = trap_text(s, &mended);
	struct err e;

	if (i->started) {
		i->hooks.trapped(i->arg, (enum wasm_trap)s->f->a, text, cost);
	} else {
		/* A full host process is no fault of the guest: it may be tried again. */
		int rc = err_set(&e, s->f->a == WASM_TRAP_HOST_MEMORY ? ERR_LIMIT : ERR_INVALID, "%.*s", FMT(text));

		i->started = true;
		i->hooks.started(i->arg, rc, &e);
	}
	buf_release(&mended);
}

static int
on_trapped(const struct said *s)
{
	struct wasm_instance *i = s->i;
	struct wasm_cost cost;

	if (s->f->a <= WASM_TRAP_NONE || s->f->a >= WASM_TRAPS)
		return breach(s, "no such trap");
	if (!read_cost(s, &cost))
		return breach(s, "no cost");
	if (i->state == ARRIVES && i->next == s->h) {
		log_warn("wasm", "move", "module=%.16s error=%s", i->unit->code->hash,
		    trap_texts[s->f->a]);
		move_end(i, false, true);
		return OK;
	}
	if ((i->state != CALLS && i->state != ASKS && i->state != STARTS) || i->host != s->h ||
	    (i->state != STARTS && s->f->call != i->call))
		return breach(s, "no such call is under way");
	TALLY(s->h->pool->traps[s->f->a], 1);
	if (s->f->a == WASM_TRAP_FUEL || s->f->a == WASM_TRAP_TIME)
		pool_offend(i);
	instance_leave(i, false);
	i->state = LOST;                     /* told now, in no list */
	tell_trap(s, i, &cost);
	return OK;
}

/* During a call, or (log) a start. */
static int
check_said(const struct said *s, enum wasm_import import)
{
	struct wasm_instance *i = s->i;

	if (i->state == ARRIVES && i->next == s->h && import == WASM_LOG)
		return OK;
	if (i->host != s->h || !((i->state == CALLS && s->f->call == i->call) ||
	    (i->state == STARTS && import == WASM_LOG)))
		return breach(s, "no such call is under way");
	if ((i->allow & 1u << import) == 0)
		return breach(s, "the module is not allowed that");
	if (i->said++ > i->limits.host_calls + SPARE_CALLS)
		return breach(s, "more host calls than its limit");
	if (s->body.n > (size_t)i->limits.message_bytes + LIMIT_WASM_KEY_BYTES)
		return breach(s, "it is larger than its limit");
	return OK;
}

static int
on_log(const struct said *s)
{
	if (s->f->a < 0 || s->f->a > 3)
		return breach(s, "no such level");
	if (check_said(s, WASM_LOG) != OK)
		return ERR_INVALID;
	s->i->hooks.log(s->i->arg, s->f->a, s->body);
	return OK;
}

static int
on_send(const struct said *s)
{
	if (check_said(s, WASM_SEND) != OK)
		return ERR_INVALID;
	s->i->hooks.send(s->i->arg, s->body);
	return OK;
}

static int
on_reply(const struct said *s)
{
	if (check_said(s, WASM_REPLY) != OK)
		return ERR_INVALID;
	s->i->hooks.reply(s->i->arg, s->body);
	return OK;
}

static int
on_ask(const struct said *s)
{
	struct wasm_ask q;

	if (s->f->a != WASM_STORE_GET && s->f->a != WASM_STORE_PUT && s->f->a != WASM_TOOL_CALL)
		return breach(s, "no such question");
	if (s->f->b > s->body.n)
		return breach(s, "a text longer than the frame");
	if (check_said(s, (enum wasm_import)s->f->a) != OK)
		return ERR_INVALID;
	q = (struct wasm_ask){ .what = (enum wasm_import)s->f->a,
		.name = str_sub(s->body, 0, (size_t)s->f->b),
		.body = str_sub(s->body, (size_t)s->f->b, SIZE_MAX) };
	instance_become(s->i, ASKS);
	s->i->hooks.ask(s->i->arg, &q);
	return OK;
}

/* The whole checkpoint has arrived, or it failed. */
static void
tell_saved(struct wasm_instance *i, bool possible)
{
	struct buf image = i->image;
	int rc = !possible || image.failed ? ERR_TOOBIG : OK;

	i->image = BUF(LIMIT_WASM_IMAGE_BYTES);
	instance_become(i, IDLE);
	move_begin(i);
	i->hooks.saved(i->arg, rc, rc == OK ? buf_str(&image) : STR_NONE);
	buf_release(&image);
}

static int
on_saved(const struct said *s)
{
	struct wasm_instance *i = s->i;
	bool last = s->f->a == 1 || s->f->b == 1;

	if ((i->state != SAVES && i->state != LEAVES) || i->host != s->h)
		return breach(s, "no SAVE is under way");
	if (s->f->a < 0 || s->f->a > 1 || s->f->b > 1 || (s->body.n == 0 && !last) ||
	    s->body.n > PART_BYTES)
		return breach(s, "a part of a checkpoint with an invalid position or size");
	if (s->f->b == 0 && s->body.n > LIMIT_WASM_IMAGE_BYTES - i->image.n)
		return breach(s, "a checkpoint over the limit");
	if (s->f->b == 0) {
		buf_add(&i->image, s->body);
		if (i->state == LEAVES)
			i->group->moves_bytes += s->body.n;
	}
	if (!last)
		return OK;
	if (i->state == SAVES)
		tell_saved(i, s->f->b == 0);
	else
		move_saved(i, s->f->b == 0);
	return OK;
}

/* Of a number that stops.  Its frames under way are dropped. */
static int
on_stopping(const struct said *s)
{
	struct host *h = s->h;

	if (s->f->type == WASM_READY_FRAME)
		return breach(s, "it was ready before");
	if (s->f->type != WASM_GONE_FRAME)
		return OK;
	if (s->body.n > 0)
		return breach(s, "with a body");
	h->stopping--;
	host_owes(h, -1);
	host_number_free(h, s->f->agent);
	if (!list_empty(&h->group->waiting) || h != h->group->current)
		group_work(h->group);
	return OK;
}

static int
on_gone(const struct said *s)
{
	return breach(s, "the instance is not stopping");
}

static int (*const rows[WASM_FRAMES])(const struct said *s) = {
	[WASM_READY_FRAME] = on_ready,
	[WASM_STARTED_FRAME] = on_started,
	[WASM_DONE_FRAME] = on_done,
	[WASM_TRAPPED_FRAME] = on_trapped,
	[WASM_GONE_FRAME] = on_gone,
	[WASM_LOG_FRAME] = on_log,
	[WASM_SEND_FRAME] = on_send,
	[WASM_REPLY_FRAME] = on_reply,
	[WASM_ASK_FRAME] = on_ask,
	[WASM_SAVED_FRAME] = on_saved,
};

int
frame_take(struct host *h, const struct wasm_frame *f, struct str body, struct err *e)
{
	struct said s = { .h = h, .f = f, .body = body, .e = e };

	CHECK_MARK(h, HOST_MARK);
	if (f->type >= WASM_FRAMES || rows[f->type] == NULL || f->zero != 0)
		return err_set(e, ERR_INVALID, "it broke the protocol with a frame of type %u",
		    f->type);
	if (f->type == WASM_READY_FRAME)
		return on_ready(&s);
	if (h->state != HOST_LIVES)
		return breach(&s, "before it was ready");
	if (h->quits || f->agent >= h->slots_n)
		return breach(&s, "no such instance");
	if (h->slots[f->agent].stopping)
		return on_stopping(&s);
	s.i = h->slots[f->agent].i;
	if (s.i == NULL)
		return breach(&s, "no such instance");
	return rows[f->type](&s);
}
