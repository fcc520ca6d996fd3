/*
 * relay_fix.c - see relay_fix.h: the bus, and what the nodes' servers answer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "relay_fix.h"

#include <string.h>

struct world world;

struct node *
node_of(int64_t number)
{
	CHECK(number >= 1 && number <= world.n);
	return &world.nodes[number - 1];
}

/* ---- the bus ------------------------------------------------------------------------ */

struct letter {
	struct shard_job job;
	struct relay *to;
	size_t n;
	char bytes[];
};

static void
deliver(struct shard_job *job)
{
	struct letter *x = CONTAINER_OF(job, struct letter, job);

	relay_heard(x->to, (struct str){ x->bytes, x->n });
	free(x);
}

static int
bus_post(void *ctx, int64_t number, unsigned shard, const struct str *pieces, size_t n)
{
	struct node *to = number <= world.n ? node_of(number) : NULL;
	struct letter *x;
	size_t bytes = 0;
	int kind = pieces[0].p[1];

	(void)ctx;
	if (to == NULL)
		return OK;                   /* nobody hears it */
	CHECK(shard < to->s->n);
	atomic_fetch_add(&world.frames[kind], 1);
	if (atomic_load(&world.mute) || atomic_load(&to->gone))
		return OK;
	for (size_t i = 0; i < n; i++)
		bytes += pieces[i].n;
	CHECK(bytes <= 200 * KB);
	x = mem_zero(sizeof *x + bytes);
	x->job.run = deliver;
	x->to = to->relay[shard];
	for (size_t i = 0; i < n; i++) {
		memcpy(x->bytes + x->n, pieces[i].p, pieces[i].n);
		x->n += pieces[i].n;
	}
	if (!atomic_compare_exchange_strong(&world.lose, &kind, 0)) {
		shard_post(to->s->shards[shard], &x->job);
		return OK;
	}
	free(world.lost);
	world.lost = x;
	return OK;
}

static bool
bus_alive(void *ctx, int64_t number)
{
	(void)ctx;
	return number >= 1 && number <= world.n && !atomic_load(&node_of(number)->gone);
}

static size_t
bus_others(void *ctx, int64_t *nodes, size_t max)
{
	const struct node *self = ctx;
	size_t n = 0;

	for (unsigned i = 0; i < world.n && n < max; i++)
		if (&world.nodes[i] != self && bus_alive(ctx, i + 1))
			nodes[n++] = i + 1;
	return n;
}

/* Node 3 has the run "three". */
static bool
bus_has(void *ctx, enum relay_kind kind, struct str key)
{
	const struct node *self = ctx;

	return kind == RELAY_RUN && self->number == 3 && str_eq(key, S("three"));
}

/* ---- nodes ---------------------------------------------------------------------------- */

static void
echo(void *ctx, struct str text)
{
	ws_send_text(((struct node *)ctx)->ws, text);
}

static void
socket_gone(void *ctx, unsigned code)
{
	(void)code;
	serve_tell(((struct node *)ctx)->s, 'w');
}

static const struct ws_events socket_events = { .message = echo, .gone = socket_gone };

static void
found(void *ctx, int64_t node)
{
	struct http_req *r = ctx;

	http_reply(r, 200, S("text/plain"), STR_NONE, arena_fmt(&r->arena, "node %lld",
	    (long long)node));
}

/* /listen/ID: somebody does, POST, or no more, DELETE; /listened/ID: where is it? */
static void
about_listeners(struct node *self, struct relay *rl, struct http_req *r)
{
	struct uuid id;

	CHECK(uuid_parse(str_sub(r->path, r->path.n - UUID_TEXT, UUID_TEXT), &id));
	if (!str_eq(r->method, S("GET")))
		relays_listen(self->all, &id, str_eq(r->method, S("POST")));
	http_reply(r, 200, S("text/plain"), STR_NONE, arena_fmt(&r->arena, "node %lld",
	    (long long)relay_listened(rl, &id)));
}


static void
events_gone(void *ctx)
{
	((struct node *)ctx)->sse = NULL;
}

static void
send_events(struct sse *s)
{
	for (int i = 0; i < EVENTS; i++) {
		char text[] = "data: 000\n\n";
		struct sse_block *b;

		snprintf(text, sizeof text, "data: %03d\n\n", i);
		b = sse_block_new(str_of(text));
		sse_send(s, b);
		sse_block_drop(b);
	}
}

static void
asked(void *ctx, struct str answer)
{
	struct http_req *r = ctx;

	http_reply(r, 200, S("text/plain"), STR_NONE, arena_fmt(&r->arena, "%zu bytes: %.*s",
	    answer.n, FMT(str_sub(answer, 0, 1000))));
}

/* /to/N/X: X of node N.  /ask/N/X: the same, in an answer of ours.  /moved/N: ask node N.
 * /may/N: if it may be asked, else 200. */
static void
handle(struct serve *s, struct http_req *r)
{
	struct node *self = s->user;
	struct relay *rl = self->relay[shard_id(r->shard)];
	struct relay_ask_for q = { .error = S("try again"), .error_type = S("text/plain"),
	    .error_lines = S("Retry-After: 1\r\n"), .body = r->body,
	    .lines = S("X-Tag: by-relay\r\n"), .drops = S("cookie,x-tag") };

	if (str_starts(r->path, S("/to/"))) {
		q.node = r->path.p[4] - '0';
		q.path = str_sub(r->path, 5, r->path.n);
		if (!relay_request(rl, r, &q))
			http_reply(r, 502, STR_NONE, STR_NONE, STR_NONE);
	} else if (str_starts(r->path, S("/ask/"))) {
		q.node = r->path.p[5] - '0';
		q.path = str_sub(r->path, 6, r->path.n);
		if (!relay_ask(rl, r, &q, 2 * MB, asked, r))
			http_reply(r, 502, STR_NONE, STR_NONE, STR_NONE);
	} else if (str_starts(r->path, S("/large/"))) {
		char *text = mem_zero((size_t)(r->path.p[7] - '0') * MB + 1);

		memset(text, 'x', (size_t)(r->path.p[7] - '0') * MB);
		http_reply(r, 200, S("text/plain"), STR_NONE, str_of(text));
		free(text);
	} else if (str_starts(r->path, S("/moved/"))) {
		relay_moved(rl, r, r->path.p[7] - '0');
	} else if (str_starts(r->path, S("/may/"))) {
		if (relay_moves(r, r->path.p[5] - '0'))
			relay_moved(rl, r, r->path.p[5] - '0');
		else
			http_reply(r, 200, S("text/plain"), STR_NONE, S("here"));
	} else if (str_starts(r->path, S("/find/"))) {
		relay_find(rl, RELAY_RUN, str_sub(r->path, 6, r->path.n), found, r);
	} else if (str_starts(r->path, S("/listened/")) || str_starts(r->path, S("/listen/"))) {
		about_listeners(self, rl, r);
	} else if (str_eq(r->path, S("/events"))) {
		self->sse = sse_begin(r, STR_NONE, events_gone, self);
		send_events(self->sse);
	} else if (str_eq(r->path, S("/more"))) {
		send_events(self->sse);
		http_reply(r, 200, STR_NONE, STR_NONE, STR_NONE);
	} else if (str_eq(r->path, S("/end"))) {
		sse_end(self->sse);
		http_reply(r, 200, STR_NONE, STR_NONE, STR_NONE);
	} else if (str_eq(r->path, S("/ws"))) {
		self->ws = ws_begin(r, STR_NONE, STR_NONE, &socket_events, self);
	} else {
		CHECK(r->through == NULL || http_header(r, S("cookie")).n == 0);
		http_reply(r, 200, S("text/plain"), STR_NONE, arena_fmt(&r->arena,
		    "node %lld %.*s %.*s ", (long long)self->number,
		    FMT(http_header(r, S("x-tag"))), FMT(r->body)));
	}
}

static void
make_relay(struct serve *s)
{
	struct node *self = s->user;

	for (unsigned i = 0; i < s->n; i++)
		if (shard_is_current(s->shards[i]))
			self->relay[i] = relay_new(self->all, s->shards[i]);
}

static void
stop_relay(struct serve *s)
{
	struct node *self = s->user;

	for (unsigned i = 0; i < s->n; i++)
		if (shard_is_current(s->shards[i]))
			relay_stop(self->relay[i]);
}

void
nodes_start(unsigned n, unsigned shards)
{
	world.n = n;
	for (unsigned i = 0; i < n; i++) {
		struct node *x = &world.nodes[i];
		const struct relay_bus bus = { bus_post, bus_alive, bus_others, bus_has, x };

		x->number = i + 1;
		x->s = serve_new(shards);
		x->s->handle = handle;
		if (world.heartbeat > 0)
			http_server_limits(x->s->hs)->heartbeat = world.heartbeat;
		x->s->user = x;
		x->all = relays_new(&bus, x->s->hs, shards);
		serve_run(x->s);
		for (unsigned j = 0; j < shards; j++)
			serve_on(x->s, j, make_relay);
		relays_set_node(x->all, x->number);
	}
	for (unsigned i = 0; i < n; i++)
		CHECK_INT(ask(world.nodes[i].s, S("GET /to/1/hello HTTP/1.1\r\nHost: a\r\n\r\n")),
		    i == 0 ? 502 : 200);
}

void
nodes_stop(void)
{
	for (unsigned i = 0; i < world.n; i++)
		for (unsigned j = 0; j < world.nodes[i].s->n; j++)
			serve_on(world.nodes[i].s, j, stop_relay);
	for (unsigned i = 0; i < world.n; i++) {
		struct node *x = &world.nodes[i];

		serve_stop(x->s);
		relay_free(x->relay[0]);
		relay_free(x->relay[1]);
		relays_free(x->all);
	}
	free(world.lost);
}

struct serve *
server(int64_t number)
{
	return node_of(number)->s;
}

void
lost_comes_late(int64_t number)
{
	shard_post(server(number)->shards[0], &world.lost->job);
	world.lost = NULL;
}
