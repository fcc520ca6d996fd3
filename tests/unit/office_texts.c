/*
 * office_texts.c - the agents of the office's tests, and a client that reads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "office_fix.h"

#include <string.h>

#include "base/mem.h"

/* Counts what it is told, and answers a request. */
#define ECHO \
	"<scxml xmlns='http://www.w3.org/2005/07/scxml' version='1.0' name='echo'>" \
	"<datamodel><data id='n' expr='0'/></datamodel>" \
	"<state id='s'>" \
	"<transition event='message.inform' cond='event.data.content &lt; 100'>" \
	"<assign location='n' expr='n + 1'/></transition>" \
	"<transition event='message.request'>" \
	"<send type='fipa' event='inform' targetexpr='event.data.sender'>" \
	"<param name='content' expr='n'/>" \
	"<param name='in_reply_to' expr='event.data.reply_with'/></send></transition>" \
	"<transition event='message.cancel' target='end'/>" \
	"<transition event='message.confirm' cond='event.data.content.again'>" \
	"<raise event='x'/></transition>" \
	"</state><final id='end'/></scxml>"

#define MANAGER \
	"id: manager\n" \
	"context: {bids: [], best: null, client: null, n: 0}\n" \
	"initial: idle\n" \
	"states:\n" \
	"  idle:\n" \
	"    on:\n" \
	"      message.request:\n" \
	"        target: bidding\n" \
	"        actions:\n" \
	"          - assign: {client: event.data, n: event.data.content.bidders}\n" \
	"          - send: {to: 'all:dig', performative: cfp, protocol: fipa-contract-net,\n" \
	"              conversation_id: net, reply_by: 60s, content: {what: \"'a hole'\"}}\n" \
	"  bidding:\n" \
	"    on:\n" \
	"      message.propose:\n" \
	"        actions:\n" \
	"          - assign: {bids: 'concat(bids, [event.data])'}\n" \
	"          - if: best == null || event.data.content.price < best.content.price\n" \
	"            then: [{assign: {best: event.data}}]\n" \
	"    always: {guard: len(bids) == n, target: award}\n" \
	"  award:\n" \
	"    entry:\n" \
	"      - foreach:\n" \
	"          over: bids\n" \
	"          as: bid\n" \
	"          do:\n" \
	"            - if: bid.sender == best.sender\n" \
	"              then: [{reply: {message: bid, performative: accept-proposal}}]\n" \
	"              else: [{reply: {message: bid, performative: reject-proposal}}]\n" \
	"    on:\n" \
	"      message.inform:\n" \
	"        - actions: {reply: {message: client, performative: inform,\n" \
	"            content: event.data.content.dug}}\n"

#define DIGGER \
	"id: digger\n" \
	"context: {price: 0, lost: 0}\n" \
	"initial: idle\n" \
	"states:\n" \
	"  idle:\n" \
	"    on:\n" \
	"      message.cfp:\n" \
	"        - actions: {reply: {performative: propose, content: {price: price}}}\n" \
	"      message.accept-proposal:\n" \
	"        - actions: {reply: {performative: inform, content: {dug: price}}}\n" \
	"      message.reject-proposal:\n" \
	"        - actions: {assign: {lost: lost + 1}}\n"

/* Calls for one proposal with a deadline that is soon over. */
#define HASTY \
	"id: hasty\n" \
	"initial: idle\n" \
	"states:\n" \
	"  idle:\n" \
	"    on:\n" \
	"      message.request:\n" \
	"        - actions: {send: {to: slow, performative: cfp, protocol: fipa-contract-net,\n" \
	"            conversation_id: net, reply_by: 30ms, content: 1}}\n"

/* Proposes when it is told to, and tells who told it that it was rejected. */
#define SLOW \
	"id: slow\n" \
	"context: {call: null}\n" \
	"initial: idle\n" \
	"states:\n" \
	"  idle:\n" \
	"    on:\n" \
	"      message.cfp: [{actions: {assign: {call: event.data}}}]\n" \
	"      message.confirm: [{actions: {reply: {message: call, performative: propose,\n" \
	"        content: 1}}}]\n" \
	"      message.reject-proposal: [{actions: {send: {to: ann, performative: inform,\n" \
	"        content: \"'rejected'\"}}}]\n"

/* Fails when it is told to, by work without end. */
#define FRAGILE \
	"id: fragile\n" \
	"context: {n: 0}\n" \
	"initial: well\n" \
	"states:\n" \
	"  well: {on: {message.cancel: looping, message.inform: [{actions: {assign: {n: n + 1}}}],\n" \
	"    message.request: [{actions: {reply: {performative: inform, content: n}}}]}}\n" \
	"  looping: {always: {target: looping, internal: false}}\n"

/* Sends to nobody, and tells what it hears of it. */
#define LOST \
	"id: lost\n" \
	"initial: idle\n" \
	"states:\n" \
	"  idle:\n" \
	"    on:\n" \
	"      message.request: [{actions: {send: {to: ann2, performative: inform}}}]\n" \
	"      error.communication: [{actions: {send: {to: ann, performative: inform,\n" \
	"        content: event.data.to}}}]\n"

const char *const office_texts[] = { ECHO, MANAGER, DIGGER, HASTY, SLOW, FRAGILE, LOST, NULL };

struct office_spec
chart(const char *name)
{
	return (struct office_spec){ .owner = 1, .name = str_of(name), .graph_id = S("echo") };
}

struct office_spec
agent_of(const char *name, const char *graph)
{
	return (struct office_spec){ .owner = 1, .name = str_of(name), .graph_id = str_of(graph) };
}

/* ---- a client's mailbox ------------------------------------------------------------ */

static void
on_opened(struct external_reader *r, int rc, const struct uuid *id, const struct err *e)
{
	struct inbox *x = CONTAINER_OF(r, struct inbox, r);

	(void)id, (void)e;
	pthread_mutex_lock(&x->f->lock);
	x->rc = rc;
	x->opened++;
	office_changed(x->f);
	pthread_mutex_unlock(&x->f->lock);
}

static void
on_come(struct external_reader *r, const struct external_letter *at, size_t n)
{
	struct inbox *x = CONTAINER_OF(r, struct inbox, r);
	struct acl_room room;
	struct acl m;
	struct err e;

	pthread_mutex_lock(&x->f->lock);
	for (size_t i = 0; i < n; i++) {
		CHECK_RC(acl_unpack(&m, at[i].packed, &room, &e), OK);
		CHECK(m.content.n < sizeof x->content);
		memcpy(x->content, m.content.p, m.content.n);
		x->content[m.content.n] = '\0';
		x->act = m.act;
		snprintf(x->sender, sizeof x->sender, "%.*s", FMT(m.sender));
		x->last = at[i].message_id;
		snprintf(x->all + strlen(x->all), sizeof x->all - strlen(x->all), "%.*s",
		    FMT(m.content));
	}
	x->n += n;
	office_changed(x->f);
	pthread_mutex_unlock(&x->f->lock);
}

static void
on_ended(struct external_reader *r, int rc)
{
	struct inbox *x = CONTAINER_OF(r, struct inbox, r);

	pthread_mutex_lock(&x->f->lock);
	x->ended = rc == OK ? 1 : rc;
	office_changed(x->f);
	pthread_mutex_unlock(&x->f->lock);
}

static void
open_inbox(struct office_desk *d, void *arg)
{
	struct inbox *x = arg;

	external_open(d->office, &x->r);
}

static bool
inbox_opened(void *arg)
{
	return ((struct inbox *)arg)->opened > 0;
}

void
inbox_open(struct office_fix *f, unsigned desk, struct inbox *x, const char *agent)
{
	*x = (struct inbox){ .f = f, .r = { .owner = 1, .agent = str_of(agent), .room = MB,
	    .opened = on_opened, .come = on_come, .ended = on_ended } };
	office_do(f, desk, open_inbox, x);
	office_until(f, inbox_opened, x);
}

static void
do_close(struct office_desk *d, void *arg)
{
	struct inbox *x = arg;

	(void)d;
	external_close(&x->r);
}

bool
inbox_ended(void *arg)
{
	return ((struct inbox *)arg)->ended != 0;
}

bool
inbox_has_one(void *arg)
{
	return ((struct inbox *)arg)->n > 0;
}

void
spawn_ann(struct office_fix *f, struct inbox *in)
{
	const struct office_spec ann = { .owner = 1, .name = S("ann") };

	CHECK_RC(office_spawn_wait(f, 0, &ann, NULL), OK);
	inbox_open(f, 0, in, "ann");
	CHECK_RC(in->rc, OK);
}

void
inbox_close(struct office_fix *f, unsigned desk, struct inbox *x)
{
	office_do(f, desk, do_close, x);
	office_until(f, inbox_ended, x);
}
