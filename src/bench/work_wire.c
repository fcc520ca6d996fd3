/*
 * work_wire.c - minimal clients of the daemon's socket, so that the daemon is
 * measured.
 *
 * The time of an answer is taken when its line end was read, before it is
 * parsed.  Answers come in the order of the requests; any other is an error.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/work_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench/machine.h"
#include "rpc/rpc.h"

#define OUT_MAX     (64 * MB)
#define IN_MAX      (256 * MB)
#define READ_BYTES  (256 * KB)
#define SILENCE     (60 * NS_PER_S)
#define LOOK        (60 * NS_PER_MS / 1000)  /* as the command line's client */
#define HEAD_BYTES  160                      /* request_id and success are there */

int
agent_open(struct agent *a, const struct space *p, size_t index, struct err *e)
{
	struct rpc_client c;
	int rc = rpc_connect(&c, p->sock, IN_MAX, NEVER, e);

	*a = (struct agent){ .fd = c.fd, .index = index, .out = BUF(OUT_MAX),
		.in = BUF(IN_MAX) };
	snprintf(a->actor, sizeof a->actor, "agent-%zu", index);
	return rc;
}

void
agent_close(struct agent *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	buf_release(&a->out);
	buf_release(&a->in);
}

static void
request_add(struct agent *a, const struct ask *q)
{
	struct asked *slot = &a->ring[a->asks % WB_DEPTH_MAX];
	struct buf *b = &a->out;

	json_add_fmt(b, "{'operation':%s,'args':{%-.*s},'actor':%s,'request_id':'%llu'",
	    q->operation, FMT(q->args != NULL ? buf_str(q->args) : STR_NONE), a->actor,
	    (unsigned long long)a->asks);
	if (q->deadline > 0)
		json_add_fmt(b, ",'deadline_ms':%lld", (long long)q->deadline);
	buf_lit(b, "}\n");
	*slot = (struct asked){ .at = clock_mono(), .tag = q->tag };
	a->asks++;
}

/* OK: all was sent, or (not with wait) as much as fits. */
static int
flush(struct agent *a, bool wait, struct err *e)
{
	while (a->sent < a->out.n) {
		ssize_t n = send(a->fd, a->out.p + a->sent, a->out.n - a->sent,
		    MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));

		if (n > 0)
			a->sent += (size_t)n;
		else if (n < 0 && errno == EAGAIN && !wait)
			return OK;
		else if (n < 0 && errno != EINTR)
			return err_set(e, ERR_CLOSED, "the daemon closed the connection: %s",
			    strerror(errno));
	}
	buf_clear(&a->out);
	a->sent = 0;
	return OK;
}

/* ERR_AGAIN: there is nothing now. */
static int
receive(struct agent *a, struct err *e)
{
	char *at;
	ssize_t n;

	if (a->seen == a->in.n) {
		buf_clear(&a->in);
		a->seen = 0;
	} else if (a->seen > a->in.n / 2) {
		buf_drop_front(&a->in, a->seen);
		a->seen = 0;
	}
	at = buf_room(&a->in, READ_BYTES);
	if (at == NULL)
		return err_set(e, ERR_TOOBIG, "an answer of more than %zu bytes", IN_MAX);
	do
		n = recv(a->fd, at, READ_BYTES, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		a->read_at = clock_mono();
		buf_added(&a->in, (size_t)n);
		return OK;
	}
	if (n < 0 && errno == EAGAIN)
		return ERR_AGAIN;
	return err_set(e, ERR_CLOSED, "the daemon closed the connection%s%s", n < 0 ? ": " : "",
	    n < 0 ? strerror(errno) : "");
}

static bool
line_next(struct agent *a, struct str *line)
{
	struct str rest = { a->in.p + a->seen, a->in.n - a->seen };
	ptrdiff_t end = a->in.n > a->seen ? str_index(rest, '\n') : -1;

	if (end < 0)
		return false;
	*line = str_sub(rest, 0, (size_t)end);
	a->seen += (size_t)end + 1;
	return true;
}

/* The next complete answer in the buffer.  ERR_AGAIN: none. */
static int
answer_next(struct agent *a, struct answer *r, struct err *e)
{
	struct str line, head;
	struct asked *slot;
	char id[48];

	do {
		if (!line_next(a, &line))
			return ERR_AGAIN;
		head = str_sub(line, 0, HEAD_BYTES);
	} while (str_contains(head, S("\"progress\":")) &&
	    !str_contains(head, S("\"success\":")));
	slot = &a->ring[a->answers % WB_DEPTH_MAX];
	snprintf(id, sizeof id, "\"request_id\":\"%llu\"", (unsigned long long)a->answers);
	if (a->answers == a->asks || !str_contains(head, str_of(id)))
		return err_set(e, ERR_INVALID, "not the answer to request %llu: %.*s",
		    (unsigned long long)a->answers, FMT(head));
	a->answers++;
	*r = (struct answer){ .line = line, .at = a->read_at, .tag = slot->tag };
	r->took = r->at - slot->at;
	r->success = str_contains(head, S("\"success\":true"));
	return OK;
}

int
agent_ask(struct agent *a, const struct ask *q, bool watch, struct answer *r,
    struct err *e)
{
	struct pollfd look = { .fd = a->fd, .events = POLLIN };
	nsec until;
	int rc;

	request_add(a, q);
	rc = flush(a, true, e);
	until = clock_mono() + (watch ? LOOK : 0);
	while (rc == OK) {
		rc = receive(a, e);
		if (rc == ERR_AGAIN && clock_mono() >= until)
			rc = poll(&look, 1, (int)(SILENCE / NS_PER_MS)) == 0 ?
			    err_set(e, ERR_TIMEOUT, "no answer to %s", q->operation) : OK;
		else if (rc == ERR_AGAIN)
			rc = OK;
		if (rc != OK)
			break;
		rc = answer_next(a, r, e);
		if (rc != ERR_AGAIN)
			break;
		rc = OK;
	}
	return rc;
}

void
answer_words(const struct answer *r, struct err *e)
{
	struct json_doc d = { 0 };
	struct err bad;

	if (json_parse(&d, r->line, &bad) != OK)
		err_set(e, ERR_INVALID, "not JSON: %s", bad.text);
	else
		err_set(e, ERR_INVALID, "%.*s (%.*s)",
		    FMT(json_str(json_get(d.root, S("error")))),
		    FMT(json_str(json_get(d.root, S("code")))));
	json_release(&d);
}

struct str
answer_id(jnode data)
{
	jnode id = json_get(data, S("id"));

	return json_is_string(id) ? json_str(id) : STR_NONE;
}

int
agent_call(struct agent *a, const char *operation, struct json_doc *d,
    struct err *e, const char *args_format, ...)
{
	struct buf args = BUF(OUT_MAX);
	struct ask q = { .operation = operation, .args = &args, .deadline = 300000 };
	struct answer r;
	va_list ap;
	int rc;

	va_start(ap, args_format);
	buf_add_vfmt(&args, args_format, ap);
	va_end(ap);
	rc = agent_ask(a, &q, true, &r, e);
	buf_release(&args);
	if (rc != OK)
		return rc;
	if (!r.success) {
		struct err words;

		answer_words(&r, &words);
		return err_set(e, ERR_INVALID, "%s: %.400s", operation, words.text);
	}
	return d != NULL ? json_parse(d, r.line, e) : OK;
}

/* Crowds. */

struct gate {
	struct crowd *c;
	struct agent *agent;
	struct buf args;
	int epoll;
};

static bool
is_live(const struct agent *a)
{
	return a->fd >= 0 && (!a->spent || a->answers < a->asks);
}

/* Sends as many requests as the depth allows. */
static int
agent_fill(struct gate *g, struct agent *a, struct err *e)
{
	struct crowd *c = g->c;

	while (!a->spent && a->asks - a->answers < c->depth) {
		struct ask q = { .args = &g->args };

		buf_clear(&g->args);
		if (!c->next(c->ctx, a, &q)) {
			a->spent = true;
			break;
		}
		request_add(a, &q);
		c->asked++;
	}
	return flush(a, false, e);
}

static int
agent_hear(struct gate *g, struct agent *a, struct err *e)
{
	struct crowd *c = g->c;
	struct answer r;
	int rc = receive(a, e), gone = rc;

	while (rc != ERR_AGAIN) {
		rc = answer_next(a, &r, e);
		if (rc == OK) {
			c->answered++;
			rc = c->answer(c->ctx, a, &r, e);
		}
		if (rc != OK && rc != ERR_AGAIN)
			return rc;
	}
	return gone == ERR_AGAIN ? OK : gone;
}

/* Waits for room to send only while bytes are unsent. */
static void
agent_arm(struct gate *g, struct agent *a)
{
	bool unsent = a->sent < a->out.n;
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = a->index };

	if (unsent == a->armed)
		return;
	if (unsent)
		ev.events |= EPOLLOUT;
	epoll_ctl(g->epoll, EPOLL_CTL_MOD, a->fd, &ev);
	a->armed = unsent;
}

static int
agent_turn(struct gate *g, struct agent *a, struct err *e)
{
	int rc = agent_hear(g, a, e);

	if (rc == OK)
		rc = agent_fill(g, a, e);
	if (rc == OK)
		agent_arm(g, a);
	return rc;
}

static int
gate_open(struct gate *g, struct err *e)
{
	int rc = OK;

	g->epoll = epoll_create1(EPOLL_CLOEXEC);
	g->agent = mem_zero(g->c->n * sizeof *g->agent);
	for (size_t i = 0; i < g->c->n; i++)
		g->agent[i].fd = -1;
	for (size_t i = 0; i < g->c->n && rc == OK; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.u64 = i };

		rc = agent_open(&g->agent[i], g->c->space, i, e);
		if (rc == OK)
			epoll_ctl(g->epoll, EPOLL_CTL_ADD, g->agent[i].fd, &ev);
	}
	return rc;
}

static void
gate_close(struct gate *g)
{
	for (size_t i = 0; i < g->c->n; i++)
		agent_close(&g->agent[i]);
	if (g->epoll >= 0)
		close(g->epoll);
	buf_release(&g->args);
	free(g->agent);
}

static int
gate_loop(struct gate *g, struct err *e)
{
	struct epoll_event ev[WB_AGENTS_MAX];
	int rc = OK;

	while (rc == OK) {
		size_t live = 0;
		int n;

		for (size_t i = 0; i < g->c->n; i++)
			live += is_live(&g->agent[i]);
		if (live == 0)
			break;
		n = epoll_wait(g->epoll, ev, WB_AGENTS_MAX, (int)(SILENCE / NS_PER_MS));
		if (n == 0)
			rc = err_set(e, ERR_TIMEOUT, "no answer for a minute");
		for (int i = 0; i < n && rc == OK; i++)
			rc = agent_turn(g, &g->agent[ev[i].data.u64], e);
	}
	return rc;
}

static double
daemon_cpu(const struct space *p)
{
	struct machine_usage u = { 0 };

	if (p->daemon > 0)
		machine_usage(p->daemon, &u);
	return u.cpu_s;
}

int
crowd_run(struct crowd *c, struct err *e)
{
	struct gate g = { .c = c, .args = BUF(OUT_MAX), .epoll = -1 };
	double before = daemon_cpu(c->space);
	nsec cpu;
	int rc = gate_open(&g, e);

	c->asked = c->answered = 0;
	cpu = clock_cpu();
	c->began = clock_mono();
	for (size_t i = 0; i < c->n && rc == OK; i++) {
		rc = agent_fill(&g, &g.agent[i], e);
		if (rc == OK)
			agent_arm(&g, &g.agent[i]);
	}
	if (rc == OK)
		rc = gate_loop(&g, e);
	c->ended = clock_mono();
	c->cpu = clock_cpu() - cpu;
	c->daemon_cpu_s = daemon_cpu(c->space) - before;
	gate_close(&g);
	return rc;
}
