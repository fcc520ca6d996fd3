/*
 * run_agents.c - agents that are runs, with offices on two shards: they write to each
 * other while the server stops and starts again, in the middle of anything.
 *
 * Goal: at the end each has heard each message once, and the rooms close with nothing left.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>

#include "run_fix.h"

#include "base/mem.h"
#include "mail/acl.h"

#define PEERS    4
#define MESSAGES 24

/* Each message names the way that is left. */
static const char peer[] =
    "id: peer\n"
    "context: {got: []}\n"
    "initial: up\n"
    "states:\n"
    "  up:\n"
    "    on:\n"
    "      message.inform:\n"
    "        actions:\n"
    "          - assign: {got: \"concat(got, [event.data.content.id])\"}\n"
    "          - if: len(event.data.content.way) > 0\n"
    "            then:\n"
    "              - send:\n"
    "                  to: \"p${event.data.content.way[0]}\"\n"
    "                  performative: inform\n"
    "                  content: {id: event.data.content.id + 1, way: \"slice(event.data.content.way, 1)\"}\n";

static unsigned
dice(uint64_t *seed, unsigned n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*seed >> 33) % n;
}

/* ---- calls of an office ------------------------------------------------------------- */

struct office_call {
	struct fix *f;
	struct office_spawn spawn;
	struct office_send send;
	const char *name;
	struct str content;
	struct uuid id;
	bool done;
	int rc;
};

static void
call_ends(struct office_call *c, int rc)
{
	pthread_mutex_lock(&c->f->lock);
	c->done = true;
	c->rc = rc;
	fix_changed(c->f);
	pthread_mutex_unlock(&c->f->lock);
}

static bool
call_is_done(void *arg)
{
	return ((struct office_call *)arg)->done;
}

static void
spawned(struct office_spawn *s, int rc, const struct err *e)
{
	(void)e;
	call_ends(CONTAINER_OF(s, struct office_call, spawn), rc);
}

static void
spawn_do(struct desk *d, void *arg)
{
	struct office_call *c = arg;

	c->spawn.spec = (struct office_spec){ .id = c->id, .name = str_of(c->name),
	    .graph_id = S("peer"), .durable = true, .restart = RESTART_NEVER };
	c->spawn.done = spawned;
	office_spawn(d->office, &c->spawn);
}

static void
sent(struct office_send *s, int rc, const struct err *e)
{
	(void)e;
	call_ends(CONTAINER_OF(s, struct office_call, send), rc);
}

static void
send_do(struct desk *d, void *arg)
{
	struct office_call *c = arg;
	struct str to = str_of(c->name);
	const struct acl m = { .act = ACL_INFORM, .receivers = &to, .receivers_n = 1,
	    .content = c->content, .delivery.durable = true };

	c->send = (struct office_send){ .subject = S("tester"), .m = &m, .done = sent };
	office_send(d->office, &c->send);
}

static void
call(struct fix *f, struct desk *d, void (*fn)(struct desk *d, void *arg),
    struct office_call *c)
{
	c->f = f;
	desk_do(d, fn, c);
	fix_until(f, call_is_done, c, "an office's answer");
	CHECK_RC(c->rc, OK);
}

/* ---- what they have heard ------------------------------------------------------------- */

struct heard { struct uuid thread; struct buf values; };

static void
heard_do(struct desk *d, void *arg)
{
	struct heard *h = arg;
	struct arena a = ARENA(MB);
	struct store_thread t;

	buf_clear(&h->values);
	if (store_thread_get(d->reader, 0, &h->thread, &a, &t) == OK)
		thread_values(d->runs, 0, t.seq, &h->values);
	arena_release(&a);
}

static struct val
heard_by(struct fix *f, unsigned no)
{
	struct heard h = { thread_no(no), BUF(MB) };
	struct val values, got;

	desk_do(&f->desks[0], heard_do, &h);
	values = val_json_trusted(buf_str(&h.values));
	got = val_ref(val_get(values, S("got")));
	val_drop(values);
	buf_release(&h.values);
	return got;
}

static size_t
heard_in_all(struct fix *f)
{
	size_t n = 0;

	for (unsigned i = 0; i < PEERS; i++) {
		struct val got = heard_by(f, i);

		n += val_count(got);
		val_drop(got);
	}
	return n;
}

/* Each id once, and where it was meant for: to[id] is the peer, or PEERS. */
static void
check_heard(struct fix *f, const unsigned to[MESSAGES * 8])
{
	bool seen[MESSAGES * 8] = { 0 };

	for (unsigned i = 0; i < PEERS; i++) {
		struct val got = heard_by(f, i);

		for (size_t k = 0; k < val_count(got); k++) {
			int64_t id = val_at(got, k).u.i;

			CHECK(id >= 0 && id < MESSAGES * 8 && !seen[id]);
			CHECK_INT(to[id], i);
			seen[id] = true;
		}
		val_drop(got);
	}
}

/* ---- chaos ------------------------------------------------------------------------------ */

static const char *const names[PEERS] = { "p0", "p1", "p2", "p3" };

/* One message and its way, on which nobody writes to itself; how often it is heard. */
static size_t
post(struct fix *f, unsigned no, unsigned to[MESSAGES * 8], uint64_t *seed)
{
	struct office_call c = { .name = names[dice(seed, PEERS)] };
	unsigned hops = dice(seed, 7);
	struct buf content = BUF(KB);

	to[no * 8] = (unsigned)(c.name[1] - '0');
	buf_add_fmt(&content, "{\"id\":%u,\"way\":[", no * 8);
	for (unsigned i = 1; i <= hops; i++) {
		to[no * 8 + i] = (to[no * 8 + i - 1] + 1 + dice(seed, PEERS - 1)) % PEERS;
		buf_add_fmt(&content, "%s%u", i > 1 ? "," : "", to[no * 8 + i]);
	}
	buf_lit(&content, "]}");
	c.content = buf_str(&content);
	call(f, &f->desks[dice(seed, 2)], send_do, &c);
	buf_release(&content);
	return hops + 1;
}

static void
chaos(uint64_t seed)
{
	unsigned to[MESSAGES * 8];
	size_t want = 0;
	struct fix f;

	for (size_t i = 0; i < COUNT(to); i++)
		to[i] = PEERS;
	fix_open_agents(&f, "sqlite", 2, peer);
	for (unsigned i = 0; i < PEERS; i++) {
		struct office_call c = { .name = names[i], .id = thread_no(i) };

		call(&f, &f.desks[i % 2], spawn_do, &c);
	}
	for (unsigned i = 0; i < MESSAGES; i++) {
		want += post(&f, i, to, &seed);
		if (dice(&seed, 4) != 0 && i + 1 < MESSAGES)
			continue;
		fix_crash(&f);
		/* One that is cut off three times at the same is given up. */
		while (heard_in_all(&f) < want)
			poll(NULL, 0, 1);
		check_heard(&f, to);
	}
	fix_close(&f);
}

/* The database of one is not for another. */
TEST(agents_hear_each_message_once_over_stops_and_starts)
{
	chaos(1);
}

TEST(agents_hear_each_message_once_over_other_stops_and_starts)
{
	chaos(2);
}
