/*
 * process.c - child processes, by libuv.
 *
 *            exit, end of stdout, process_stop        closed handles
 *   LIVES ------------------------------------> ENDS ---------------> freed
 *
 * A process that was stopped with a grace time lives on, without hooks, until it
 * exits or the time is over.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/process.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <uv.h>

#include "base/account.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"

#define PROCESS_MARK 0x70726f63u
#define FILES        4           /* three pipes, and libuv's own while it starts */
#define CHUNK        (16 * KB)
#define LATE_MS      100         /* twice, between the end of its output and its exit */

struct process {
	unsigned mark;
	struct shard *shard;
	struct process_hooks hooks;
	uv_process_t child;
	uv_pipe_t in, out, err;
	uv_timer_t kill;
	size_t queued;               /* bytes that wait for its stdin */
	unsigned handles;            /* not closed yet */
	bool ending, stopped;        /* stopped: no hook any more */
	bool eof, exited;            /* the end of its stdout; it has exited */
	bool in_ends;                /* its stdin is closed when nothing is queued */
	bool late;                   /* one LATE_MS is over */
	msec exit_ms;                /* of its options */
	long long code;              /* exited: its status; below 0: -signal */
	char chunk[CHUNK];
};

struct input { uv_write_t w; struct process *p; size_t n; char bytes[]; };

static void
closed(uv_handle_t *h)
{
	struct process *p = h->data;

	CHECK_MARK(p, PROCESS_MARK);
	if (--p->handles > 0)
		return;
	account_give(&account_files, FILES);
	CHECK_END(p);
	free(p);
}

static void
close_one(void *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, closed);
}

/* The group may live longer than the child, whose handle stays until it has exited:
 * a handle that is closed before takes no status, and a zombie would remain. */
static void
end(struct process *p)
{
	if (p->ending)
		return;
	p->ending = true;
	if (p->child.pid > 0 && kill(-p->child.pid, SIGKILL) != 0 && !p->exited)
		(void)kill(p->child.pid, SIGKILL);   /* it has no group yet */
	close_one(&p->in);
	close_one(&p->out);
	close_one(&p->err);
	close_one(&p->kill);
	if (p->exited || p->child.pid == 0)
		close_one(&p->child);
}

static void
tell_gone(struct process *p)
{
	struct process_hooks hooks = p->hooks;
	bool told = p->stopped;
	struct err e;

	p->stopped = true;
	end(p);
	if (told)
		return;
	if (!p->exited)
		err_set(&e, ERR_CLOSED, "it closed its output");
	else if (p->code < 0)
		err_set(&e, ERR_CLOSED, "it was ended by signal %lld", -p->code);
	else
		err_set(&e, ERR_CLOSED, "it exited with %lld", p->code);
	hooks.gone(hooks.ctx, &e);
}

/* Not at the first call: where the loop stood still, what it waits for may be there
 * and not read yet. */
static void
on_late(uv_timer_t *t)
{
	struct process *p = t->data;

	if (p->late)
		tell_gone(p);
	p->late = true;
}

/* The end of the output and of the process come in any order, and one of them may
 * not come: what it started may hold its pipes, or it lives on without them. */
static void
one_of_two(struct process *p)
{
	if (p->eof && p->exited)
		tell_gone(p);
	else if (!p->stopped)
		uv_timer_start(&p->kill, on_late, p->eof && p->exit_ms > 0 ?
		    (uint64_t)p->exit_ms : LATE_MS, LATE_MS);
}

static void
exited(uv_process_t *child, int64_t status, int sig)
{
	struct process *p = child->data;

	CHECK_MARK(p, PROCESS_MARK);
	p->exited = true;
	p->code = sig != 0 ? -sig : (long long)status;
	if (p->ending)
		close_one(&p->child);
	else if (p->stopped)
		end(p);
	else
		one_of_two(p);
}

static void
on_kill(uv_timer_t *t)
{
	end(t->data);
}

static void
on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct process *p = h->data;

	(void)hint;
	*buf = uv_buf_init(p->chunk, sizeof p->chunk);
}

static void
on_out(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct process *p = s->data;

	CHECK_MARK(p, PROCESS_MARK);
	if (n > 0 && !p->stopped) {
		p->hooks.out(p->hooks.ctx, (struct str){ buf->base, (size_t)n });
	} else if (n < 0) {
		uv_read_stop(s);
		p->eof = true;
		one_of_two(p);
	}
}

static void
on_err(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct process *p = s->data;

	CHECK_MARK(p, PROCESS_MARK);
	if (n > 0 && !p->stopped && p->hooks.err != NULL)
		p->hooks.err(p->hooks.ctx, (struct str){ buf->base, (size_t)n });
	else if (n < 0)
		uv_read_stop(s);
}

static int
start_rc(int why)
{
	return why == UV_ENOENT ? ERR_NOTFOUND : why == UV_EACCES ? ERR_DENIED :
	    why == UV_EMFILE || why == UV_ENFILE || why == UV_EAGAIN ? ERR_LIMIT : ERR_IO;
}

static void
init(struct process *p, struct uv_loop_s *loop)
{
	uv_pipe_init(loop, &p->in, 0);
	uv_pipe_init(loop, &p->out, 0);
	uv_pipe_init(loop, &p->err, 0);
	uv_timer_init(loop, &p->kill);
	p->in.data = p->out.data = p->err.data = p->kill.data = p->child.data = p;
	p->handles = 5;
}

int
process_start(struct process **out, struct shard *s, const struct process_options *o,
    const struct process_hooks *hooks, struct err *e)
{
	struct process *p;
	uv_stdio_container_t io[3 + PROCESS_FDS];
	uv_process_options_t u = { .file = o->argv[0], .args = (char **)o->argv,
		.env = (char **)o->env, .cwd = o->cwd, .exit_cb = exited, .stdio = io,
		.stdio_count = 3 + (int)o->fds_n, .flags = o->same_session ? 0 : UV_PROCESS_DETACHED };
	int rc;

	*out = NULL;
	assert(o->fds_n <= PROCESS_FDS);
	if (!account_take(&account_files, FILES))
		return err_set(e, ERR_LIMIT, "no descriptors are free for its pipes");
	p = mem_new(struct process);
	p->mark = PROCESS_MARK;
	p->shard = s;
	p->hooks = *hooks;
	p->exit_ms = o->exit_ms;
	init(p, shard_loop(s));
	io[0] = (uv_stdio_container_t){ UV_CREATE_PIPE | UV_READABLE_PIPE,
		{ .stream = (uv_stream_t *)&p->in } };
	io[1] = (uv_stdio_container_t){ UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		{ .stream = (uv_stream_t *)&p->out } };
	io[2] = (uv_stdio_container_t){ UV_CREATE_PIPE | UV_WRITABLE_PIPE,
		{ .stream = (uv_stream_t *)&p->err } };
	for (size_t i = 0; i < o->fds_n; i++)
		io[3 + i] = (uv_stdio_container_t){ UV_INHERIT_FD, { .fd = o->fds[i] } };
	rc = uv_spawn(shard_loop(s), &p->child, &u);
	if (rc != 0) {
		p->child.pid = 0;
		p->stopped = true;
		end(p);
		return err_set(e, start_rc(rc), "%s cannot be started: %s", o->argv[0],
		    uv_strerror(rc));
	}
	uv_read_start((uv_stream_t *)&p->out, on_alloc, on_out);
	uv_read_start((uv_stream_t *)&p->err, on_alloc, on_err);
	*out = p;
	return OK;
}

static void
written(uv_write_t *w, int status)
{
	struct input *in = CONTAINER_OF(w, struct input, w);
	struct process *p = in->p;

	(void)status;                        /* its end is told by its output */
	p->queued -= in->n;
	free(in);
	if (p->in_ends && p->queued == 0)
		close_one(&p->in);
}

int
process_write(struct process *p, struct str bytes)
{
	struct input *in;
	uv_buf_t buf;

	CHECK_MARK(p, PROCESS_MARK);
	if (p->queued + bytes.n > LIMIT_PROCESS_QUEUE_BYTES)
		return ERR_LIMIT;
	in = mem_alloc(sizeof *in + bytes.n);
	in->p = p;
	in->n = bytes.n;
	memcpy(in->bytes, bytes.p, bytes.n);
	buf = uv_buf_init(in->bytes, (unsigned)bytes.n);
	p->queued += bytes.n;
	if (uv_write(&in->w, (uv_stream_t *)&p->in, &buf, 1, written) != 0) {
		p->queued -= bytes.n;
		free(in);
		return ERR_CLOSED;
	}
	return OK;
}

void
process_close_input(struct process *p)
{
	CHECK_MARK(p, PROCESS_MARK);
	p->in_ends = true;
	if (p->queued == 0)
		close_one(&p->in);
}

int
process_status(const struct process *p)
{
	CHECK_MARK(p, PROCESS_MARK);
	return p->exited && p->code >= 0 ? (int)p->code : -1;
}

void
process_signal(struct process *p, int number)
{
	CHECK_MARK(p, PROCESS_MARK);
	if (p->child.pid > 0 && !p->exited)
		(void)uv_process_kill(&p->child, number);
}

int
process_id(const struct process *p)
{
	CHECK_MARK(p, PROCESS_MARK);
	return p->exited ? 0 : p->child.pid;
}

void
process_stop(struct process *p, msec grace)
{
	if (p == NULL)
		return;
	CHECK_MARK(p, PROCESS_MARK);
	p->stopped = true;
	if (grace == 0) {
		end(p);
		return;
	}
	close_one(&p->in);
	uv_timer_start(&p->kill, on_kill, (uint64_t)grace, 0);
}
