/*
 * fuzz_relay.c - frames of another node: whatever they say, in whatever order, what is
 * sent back is well-formed, and nothing of it is left when the relay stops.
 *
 * A record is a byte, a length (2, little endian) and a frame.  The byte's lowest bit: the
 * frame goes as it is; else its version, node, epoch and number are made those that come
 * next, so that what is behind them is reached.  Before the first one a request of a
 * client of this node has gone to the other one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "cluster/relay_priv.h"
#include "net/http.h"
#include "net/sse.h"
#include "net/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct {
	struct shard *shard;
	struct http_server *hs;
	struct relays *all;
	struct relay *relay;
	struct http_port *client;            /* NULL: it was closed */
	struct shard_job job;
	struct str input;
	bool done;
	struct ws *ws;
} at;

/* ---- the bus: nodes 2 and 3 live ------------------------------------------------------- */

static void
check_sent(struct str bytes)
{
	struct frame f;

	assert(frame_read(bytes, &f));
	assert(f.node == 1 && f.kind > 0 && f.kind < FRAME_KINDS && f.number > 0);
	assert(f.payload.n <= 2 * PIECE_MAX);
}

static int
bus_send_to(void *ctx, int64_t node, unsigned shard, const struct str *pieces, size_t n)
{
	struct buf whole = BUF(MB);

	(void)ctx, (void)node, (void)shard;
	for (size_t i = 0; i < n; i++)
		buf_add(&whole, pieces[i]);
	check_sent(buf_str(&whole));
	buf_release(&whole);
	return OK;
}

static bool
bus_alive(void *ctx, int64_t node)
{
	(void)ctx;
	return node == 2 || node == 3;
}

static size_t
bus_others(void *ctx, int64_t *nodes, size_t max)
{
	(void)ctx;
	nodes[0] = 2;
	return max > 0;
}

static bool
bus_has(void *ctx, enum relay_kind kind, struct str key)
{
	(void)ctx, (void)kind;
	return key.n > 0;
}

/* ---- the server ------------------------------------------------------------------------ */

static size_t
on_head(void *ctx, struct http_req *r)
{
	(void)ctx, (void)r;
	return 64 * KB;
}

static void
on_error(void *ctx, int status, struct str message, struct buf *out, struct str *type)
{
	(void)ctx, (void)status;
	buf_add(out, message);
	*type = S("text/plain");
}

static void
on_gone(void *ctx)
{
	(void)ctx;
}

static void
on_socket_gone(void *ctx, unsigned code)
{
	(void)ctx, (void)code;
	at.ws = NULL;
}

static void
on_message(void *ctx, struct str text)
{
	(void)ctx;
	ws_send_text(at.ws, text);
}

static const struct ws_events socket_events = { .message = on_message, .gone = on_socket_gone };

/* A request of a client of ours comes by a port here too, and goes to node 2. */
static void
send_on(struct http_req *r)
{
	struct relay_ask_for q = { .node = 2, .path = r->path, .body = r->body,
	    .error = S("away"), .error_type = S("text/plain") };

	r->through = NULL;
	if (!relay_request(at.relay, r, &q))
		http_reply(r, 502, STR_NONE, STR_NONE, STR_NONE);
}

static void
on_request(void *ctx, struct http_req *r)
{
	struct err e;

	(void)ctx;
	if (str_eq(r->path, S("/out"))) {
		send_on(r);
	} else if (str_eq(r->path, S("/moved"))) {
		relay_moved(at.relay, r, 3);
	} else if (str_eq(r->path, S("/events"))) {
		sse_begin(r, STR_NONE, on_gone, NULL);
	} else if (str_eq(r->path, S("/ws")) && at.ws == NULL && ws_check(r, &e) == 0) {
		at.ws = ws_begin(r, STR_NONE, STR_NONE, &socket_events, NULL);
	} else {
		http_reply(r, 200, S("text/plain"), STR_NONE, r->body);
	}
}

/* ---- the client of ours ---------------------------------------------------------------- */

static size_t
client_write(void *ctx, const struct str *pieces, size_t n)
{
	size_t bytes = 0;

	(void)ctx;
	for (size_t i = 0; i < n; i++)
		bytes += pieces[i].n;
	return bytes;
}

static void
client_paused(void *ctx, bool paused)
{
	(void)ctx, (void)paused;
}

static void
client_idle(void *ctx, struct str beat, msec every)
{
	(void)ctx;
	assert(beat.n > 0 && beat.n <= HTTP_PORT_BEAT && every > 0);
}

static void
client_closed(void *ctx, enum http_port_end how)
{
	(void)ctx, (void)how;
	at.client = NULL;
}

static const struct http_port_ops client_ops = {
	.write = client_write, .paused = client_paused, .idle = client_idle,
	.closed = client_closed,
};

/* ---- frames ------------------------------------------------------------------------------ */

/* What was read is what is written. */
static void
check_read(struct str bytes)
{
	char head[FRAME_HEAD];
	struct frame f, g;

	if (!frame_read(bytes, &f))
		return;
	frame_write(head, &f);
	assert(frame_read((struct str){ head, sizeof head }, &g));
	g.payload = f.payload;
	assert(f.kind == g.kind && f.opener == g.opener && f.arg == g.arg &&
	    f.shard == g.shard && f.node == g.node && f.epoch == g.epoch &&
	    f.base_epoch == g.base_epoch && f.base_number == g.base_number &&
	    f.number == g.number && f.id == g.id && f.value == g.value);
}

static void
hear(struct str frame, bool as_it_is, uint64_t *number)
{
	char *copy = mem_alloc(frame.n + 1);
	struct frame f;

	memcpy(copy, frame.p, frame.n);
	if (!as_it_is && frame.n >= FRAME_HEAD) {
		copy[0] = 1;                 /* the version */
		memset(copy + 8, 0, 8);
		copy[8] = 2;
		memset(copy + 16, 7, 4);
		if (frame_read((struct str){ copy, frame.n }, &f)) {
			f.number = ++*number;
			f.shard %= 2;
			frame_write(copy, &f);
		}
	}
	check_read((struct str){ copy, frame.n });
	relay_heard(at.relay, (struct str){ copy, frame.n });
	free(copy);
}

static void
on_freed(struct shard_job *job)
{
	(void)job;
	relay_free(at.relay);
	at.done = true;
}

static void
on_input(struct shard_job *job)
{
	const unsigned char *p = (const unsigned char *)at.input.p;
	uint64_t numbers[2] = { 0 };

	(void)job;
	at.relay = relay_new(at.all, at.shard);
	at.client = http_port_open(at.hs, at.shard, S("peer"), &client_ops, &at);
	http_port_bytes(at.client, S("GET /out HTTP/1.1\r\nHost: a\r\n\r\n"));
	for (size_t i = 0; i + 3 <= at.input.n;) {
		size_t n = p[i + 1] | (size_t)p[i + 2] << 8;
		struct str frame = str_sub(at.input, i + 3, n);

		hear(frame, p[i] & 1, &numbers[frame.n > 4 ? frame.p[4] & 1 : 0]);
		i += 3 + n;
	}
	if (at.client != NULL)
		http_port_drop(at.client);
	relay_stop(at.relay);
	/* What ended tells so at the end of this turn. */
	at.job.run = on_freed;
	shard_post(at.shard, &at.job);
}

/* ---- beginning ----------------------------------------------------------------------------- */

static void
on_start(struct shard_job *job)
{
	struct err e;
	int rc;

	(void)job;
	rc = http_server_attach(at.hs, at.shard, &e);
	assert(rc == OK);
	at.done = true;
}

/* Until a job says that it is done. */
static void
run_job(void (*run)(struct shard_job *job))
{
	at.done = false;
	at.job.run = run;
	shard_post(at.shard, &at.job);
	while (!at.done)
		shard_turn(at.shard);
}

static void
open_once(void)
{
	static const struct http_hooks hooks = {
		.head = on_head, .handle = on_request, .error_body = on_error,
	};
	static const struct relay_bus bus = {
		.send = bus_send_to, .alive = bus_alive, .others = bus_others, .has = bus_has,
	};
	struct err e;
	int rc;

	if (at.shard != NULL)
		return;
	log_threshold = LOG_ERROR;
	rc = shard_new(&at.shard, 0, &e);
	assert(rc == OK);
	rc = http_server_new(&at.hs, S("127.0.0.1"), 0, &hooks, &e);
	assert(rc == OK);
	at.all = relays_new(&bus, at.hs, 2);
	relays_set_node(at.all, 1);
	run_job(on_start);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	open_once();
	at.input = (struct str){ (const char *)data, n };
	run_job(on_input);
	return 0;
}
