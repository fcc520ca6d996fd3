/*
 * bus_prove.c - whether a server of NATS that took a connection is of use.
 *
 * A user's permissions may deny the subjects, which a server says to nobody but the
 * connection, later and beside; a server may be set to refuse messages of our size.  Nodes
 * that took such a bus for one that is up would wait for answers that cannot come, where
 * without it they work through the store.  So a message goes through it to ourselves first,
 * behind the subscriptions, whose refusals come before it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/bus_priv.h"
#include "base/clock.h"
#include "base/id.h"

#include <poll.h>
#include <stdio.h>

void
bus_why(struct bus *b, const char *why)
{
	pthread_mutex_lock(&b->lock);
	snprintf(b->why, sizeof b->why, "%s", why);
	pthread_mutex_unlock(&b->lock);
}

bool
bus_denied(struct bus *b, const char **why)
{
	return nats.natsConnection_GetLastError(b->nc, why) == NATS_NOT_PERMITTED &&
	    *why != NULL;
}

static bool
came_back(natsSubscription *sub)
{
	natsMsg *msg = NULL;

	if (nats.natsSubscription_NextMsg(&msg, sub, 0) != NATS_OK)
		return false;
	nats.natsMsg_Destroy(msg);
	return true;
}

/* One turn of what the bus's thread does when the bus is up. */
static void
turn(struct bus *b)
{
	struct pollfd p = { .fd = b->fd, .events = POLLIN };

	if (nats.natsConnection_Buffered(b->nc) > 0)
		nats.natsConnection_ProcessWriteEvent(b->nc);
	if (nats.natsConnection_Buffered(b->nc) > 0)
		p.events |= POLLOUT;
	if (poll(&p, 1, LIMIT_BUS_RETRY_MS) > 0 && (p.revents & ~POLLOUT) != 0)
		nats.natsConnection_ProcessReadEvent(b->nc);
}

static bool
echo(struct bus *b)
{
	nsec until = clock_mono() + LIMIT_BUS_CONNECT_MS * NS_PER_MS;
	natsSubscription *sub = NULL;
	char subject[128];
	const char *why;
	uint64_t random;
	bool back = false;

	id_random(&random, sizeof random);
	snprintf(subject, sizeof subject, "%sprobe.%016llx", b->prefix,
	    (unsigned long long)random);
	if (nats.natsConnection_SubscribeSync(&sub, b->nc, subject) != NATS_OK)
		return false;
	if (nats.natsConnection_Publish(b->nc, subject, "", 0) == NATS_OK)
		for (back = came_back(sub); !back && clock_mono() < until &&
		    !nats.natsConnection_IsClosed(b->nc) && !bus_denied(b, &why) &&
		    !atomic_load(&b->closing);
		    back = came_back(sub))
			turn(b);
	nats.natsSubscription_Unsubscribe(sub);
	nats.natsSubscription_Destroy(sub);
	return back;
}

bool
bus_prove(struct bus *b)
{
	int64_t most = nats.natsConnection_GetMaxPayload(b->nc);
	const char *why = NULL;
	char text[128];
	bool back;

	if (most < LIMIT_BUS_MESSAGE_BYTES) {
		snprintf(text, sizeof text, "its max_payload is %lld, and %d is needed",
		    (long long)most, LIMIT_BUS_MESSAGE_BYTES);
		bus_why(b, text);
		return false;
	}
	back = echo(b);
	if (!bus_denied(b, &why) && back)
		return true;
	bus_why(b, why != NULL ? why : "nothing that is sent comes back");
	return false;
}
