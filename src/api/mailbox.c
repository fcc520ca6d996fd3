/*
 * mailbox.c - a client reads the mailbox of its agent: as a stream, or as a long poll.
 *
 *           opened            the client left, another reader, agent stopped, drain
 *   ASKED ----------> OPEN --------------------------------------------> LEAVING
 *     | refused        (a poll: the first letters, or its time is over)     | ended
 *     v                                                                     v
 *  (answered)                                                            (freed)
 *
 * A stream gives room for further letters back when the client has taken most of what was
 * sent; so what waits for a slow one has a bound, and the rest stays in the mailbox.  The
 * id of an event is its message_id: a stream that comes back with Last-Event-ID acks all up
 * to it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/client.h"

#include <assert.h>

#include "base/mem.h"
#include "mail/host/external.h"

#define QUEUED_MAX  (32 * KB)                /* unsent bytes; over it no room is given */
#define QUEUED_MS   20                       /* until the next look at them */
#define LOOK_MS     20                       /* a poll that does not wait looks so long */
#define GATHER_MS   1                        /* from its first letter to its answer */
#define POLL_BYTES  (int64_t)MB              /* of letters in one answer; the last may be
                                                larger */
#define POLL_MAX    100                      /* letters, where the caller says nothing */

struct mailbox {
	struct mailbox *next, *prev;         /* of its api */
	struct api *api;
	struct client client;                /* a poll's WAITS; both NULL: it leaves */
	struct http_req *r;
	struct external_reader reader;
	struct wheel_timer timer;            /* a poll's time; the client is slow */
	int64_t owed;                        /* room to be given back */
	uint32_t letters;                    /* a poll has */
	struct buf text;                     /* of events, or of a poll's answer */
	bool poll, leaving, reading;         /* reading: `ended` will come */
	msec wait;
};

static void
check_mailbox(const struct mailbox *m)
{
	assert(m->api != NULL && m->r != NULL);
	assert(m->next == NULL || m->next->prev == m);
	assert((m->prev == NULL ? m->api->mailboxes : m->prev->next) == m);
}

/* ---- leaving ------------------------------------------------------------------- */

static void
mailbox_free(struct mailbox *m)
{
	struct api *a = m->api;

	check_mailbox(m);
	if (m->prev != NULL)
		m->prev->next = m->next;
	else
		a->mailboxes = m->next;
	if (m->next != NULL)
		m->next->prev = m->prev;
	buf_release(&m->text);
	free(m);
	api_drained(a);
}

/* After client_leave. */
static void
mailbox_leave(struct mailbox *m)
{
	check_mailbox(m);
	assert(!m->leaving);
	m->leaving = true;
	shard_timer_cancel(m->api->shard, &m->timer);
	if (m->reading)
		external_close(&m->reader);
	else
		mailbox_free(m);
}

static void
client_gone(struct client *cl, bool expired)
{
	(void)expired;
	mailbox_leave(CONTAINER_OF(cl, struct mailbox, client));
}

static void poll_answer(struct mailbox *m);

/* The client may come back at once, or is told why not.  What a poll has got is its
 * answer. */
static void
mailbox_end(struct mailbox *m, int rc, const char *words)
{
	struct call *c = m->client.call;
	struct sse *sse = m->client.sse;

	if (m->poll && m->letters > 0) {
		poll_answer(m);
		return;
	}
	client_leave(&m->client);
	mailbox_leave(m);
	if (c != NULL)
		call_finish(c, err_set(&c->err, rc, "%s", words));
	else
		sse_end(sse);
}

static void
reader_ended(struct external_reader *r, int rc)
{
	struct mailbox *m = CONTAINER_OF(r, struct mailbox, reader);

	m->reading = false;
	if (m->leaving)
		mailbox_free(m);
	else if (rc == ERR_CONFLICT)
		mailbox_end(m, rc, "another reader of this mailbox came");
	else
		mailbox_end(m, ERR_NOTFOUND, "the agent has stopped");
}

void
mailboxes_end(struct api *a)
{
	struct mailbox *m, *next;

	for (m = a->mailboxes; m != NULL; m = next) {
		next = m->next;
		if (!m->leaving)
			mailbox_end(m, ERR_BUSY, "the server is stopping");
	}
}

/* ---- a stream -------------------------------------------------------------------- */

static void
give_room(struct mailbox *m)
{
	if (m->owed == 0)
		return;
	if (http_stream_queued(m->r) > QUEUED_MAX) {
		shard_timer_set(m->api->shard, &m->timer, QUEUED_MS);
		return;
	}
	external_room(&m->reader, m->owed);
	m->owed = 0;
}

static void
on_slow(struct wheel_timer *t)
{
	give_room(CONTAINER_OF(t, struct mailbox, timer));
}

static void
add_message(struct buf *b, const struct external_letter *l)
{
	struct acl_room room;
	struct acl m;

	if (acl_unpack(&m, l->packed, &room, NULL) == OK)
		acl_add_json(&m, b);
	else
		buf_lit(b, "null");          /* it was packed here: cannot be */
}

static void
stream_letters(struct mailbox *m, const struct external_letter *at, size_t n)
{
	struct sse_block *block;

	buf_clear(&m->text);
	for (size_t i = 0; i < n; i++) {
		buf_lit(&m->text, "event: message\nid: ");
		uuid_add(&m->text, &at[i].message_id);
		buf_lit(&m->text, "\ndata: ");
		add_message(&m->text, &at[i]);
		buf_lit(&m->text, "\n\n");
		m->owed += (int64_t)at[i].packed.n;
	}
	block = sse_block_new(buf_str(&m->text));
	sse_send(m->client.sse, block);
	sse_block_drop(block);
	if (m->text.cap > QUEUED_MAX)
		buf_release(&m->text);
	if (!wheel_armed(&m->timer))
		give_room(m);
}

/* ---- a poll ------------------------------------------------------------------------ */

static void
poll_answer(struct mailbox *m)
{
	struct call *c = m->client.call;
	struct buf *b = call_out(c);

	buf_add_char(b, '[');
	buf_add(b, buf_str(&m->text));
	buf_add_char(b, ']');
	client_leave(&m->client);
	mailbox_leave(m);
	call_finish(c, call_json(c, STR_NONE));
}

/* What waits comes one after another. */
static void
poll_letters(struct mailbox *m, const struct external_letter *at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_add_comma(&m->text);
		add_message(&m->text, &at[i]);
	}
	m->letters += (uint32_t)n;
	if (m->letters == m->reader.letters_max)
		poll_answer(m);
	else if (m->letters == n)
		shard_timer_set(m->api->shard, &m->timer, GATHER_MS);
}

/* What waits for others to be handed over with comes now. */
static void
on_time(struct wheel_timer *t)
{
	struct mailbox *m = CONTAINER_OF(t, struct mailbox, timer);

	if (m->letters > 0 || !external_flush(&m->reader))
		poll_answer(m);
}

/* ---- the reader --------------------------------------------------------------------- */

static void
reader_opened(struct external_reader *r, int rc, const struct uuid *id, const struct err *e)
{
	struct mailbox *m = CONTAINER_OF(r, struct mailbox, reader);
	struct call *c = m->client.call;

	(void)id;
	check_mailbox(m);
	if (rc < 0) {
		m->reading = false;
		client_leave(&m->client);
		mailbox_leave(m);
		call_fail(c, rc, e);
	} else if (m->poll) {
		m->timer.fire = on_time;
		shard_timer_set(m->api->shard, &m->timer, m->wait);
	} else {
		m->timer.fire = on_slow;
		client_stream(&m->client, call_cors(c));
	}
}

static void
reader_came(struct external_reader *r, const struct external_letter *at, size_t n)
{
	struct mailbox *m = CONTAINER_OF(r, struct mailbox, reader);

	check_mailbox(m);
	(m->poll ? poll_letters : stream_letters)(m, at, n);
}

/* How a mailbox is read; as the client asked. */
struct asked {
	struct call *c;
	bool poll;
	msec wait;
	int64_t max;                         /* letters; 0: any number */
	int64_t batch_size;                  /* 0: as the server is set */
	msec batch_timeout;                  /* BATCH_SET: as the server is set */
};

static void
mailbox_open(const struct asked *q)
{
	struct call *c = q->c;
	struct api *a = c->api;
	struct mailbox *m = mem_new(struct mailbox);

	m->api = a;
	m->r = c->r;
	m->poll = q->poll;
	m->wait = q->wait > LOOK_MS ? q->wait : LOOK_MS;
	m->text = BUF(SIZE_MAX / 2);       /* what comes is bounded by the room */
	m->reader = (struct external_reader){ .owner = c->owner, .agent = c->param[0],
	    .room = q->poll ? POLL_BYTES : LIMIT_MAILBOX_ROOM_BYTES,
	    .letters_max = (uint32_t)q->max,
	    .batch_size = (uint32_t)q->batch_size, .batch_timeout = q->batch_timeout,
	    .opened = reader_opened, .come = reader_came, .ended = reader_ended };
	m->next = a->mailboxes;
	if (m->next != NULL)
		m->next->prev = m;
	a->mailboxes = m;
	client_wait(&m->client, c, client_gone);
	if (q->poll && q->wait > LOOK_MS)
		http_left_by_eof(c->r);
	m->reading = true;
	external_open(a->office, &m->reader);
}

static void
resumed(void *ctx, int rc, size_t n, const struct err *e)
{
	const struct asked *q = ctx;
	struct call *c = q->c;

	(void)n;
	if (rc < 0)
		call_fail(c, rc, e);
	else if (c->api->draining)
		call_finish(c, err_set(&c->err, ERR_BUSY, "the server is stopping"));
	else
		mailbox_open(q);
}

/* Acks all up to the last message that the client has. */
static int
stream_resume(struct asked *q, struct str last)
{
	struct call *c = q->c;
	struct uuid id;

	if (!uuid_parse(last, &id))
		return err_set(&c->err, ERR_INVALID, "Last-Event-ID: expected a message_id, got "
		    "\"%.*s\"", FMT(param_shown(last)));
	external_ack(c->api->office, c->owner, c->param[0], &id, 1, true, resumed, q);
	return OK;
}

static void
read_asked(struct call *c, struct asked *q)
{
	int64_t wait = -1, max = -1;

	param_int(c, "wait", 0, LIMIT_MAILBOX_WAIT_MS, &wait);
	param_int(c, "max", 1, LIMIT_PAGE_ROWS, &max);
	param_int(c, "batch_size", 1, LIMIT_MAIL_BATCH, &q->batch_size);
	param_int(c, "batch_timeout", 0, LIMIT_MAIL_BATCH_MS, &q->batch_timeout);
	if (!q->poll && (wait >= 0 || max >= 0))
		fields_fail(c->in, wait >= 0 ? "wait" : "max", ERR_INVALID,
		    "a stream takes none: it is a poll's");
	q->wait = wait;
	q->max = max > 0 ? max : q->poll ? POLL_MAX : 0;
}

int
api_mailbox_read(struct call *c)
{
	bool stream = str_contains_nocase(http_header(c->r, S("accept")),
	    S("text/event-stream"));
	struct str last = http_header(c->r, S("last-event-id"));
	struct asked *q = arena_new(&c->r->arena, struct asked);

	if (q == NULL)
		return err_set(&c->err, ERR_TOOBIG, "too large");
	*q = (struct asked){ .c = c, .poll = !stream, .batch_timeout = BATCH_SET };
	read_asked(c, q);
	if (!stream && last.n > 0)
		fields_fail(c->in, "Last-Event-ID", ERR_INVALID,
		    "a poll takes none: ask for text/event-stream, or ack by message_ids");
	if (c->in->rc == OK && c->api->draining)
		c->in->rc = err_set(&c->err, ERR_BUSY, "the server is stopping");
	if (c->in->rc != OK)
		return c->in->rc;
	c->in = NULL;
	if (stream && last.n > 0)
		return stream_resume(q, last);
	mailbox_open(q);
	return OK;
}

/* ---- acks ------------------------------------------------------------------------------ */

static void
acked(void *ctx, int rc, size_t n, const struct err *e)
{
	struct call *c = ctx;

	if (rc < 0) {
		call_fail(c, rc, e);
		return;
	}
	json_add_fmt(call_out(c), "{'acked':%zu}", n);
	call_finish(c, call_json(c, STR_NONE));
}

int
api_mailbox_ack(struct call *c)
{
	struct words list = call_read_list(c, "message_ids", LIMIT_PAGE_ROWS);
	struct uuid *ids;

	fields_end(c->in);
	if (c->in->rc == OK && list.n == 0)
		fields_fail(c->in, "message_ids", ERR_INVALID,
		    "expected an array of message_ids, got none");
	ids = call_parse_ids(c, "message_ids", list);
	if (ids == NULL)
		return c->in->rc;
	external_ack(c->api->office, c->owner, c->param[0], ids, list.n, false, acked, c);
	c->in = NULL;
	return OK;
}
