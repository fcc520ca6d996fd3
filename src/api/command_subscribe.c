/*
 * command_subscribe.c - subscription.*, which only a socket has, and the filter of a
 * reader, which both kinds of streams read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/command_priv.h"

#include <stdio.h>

/* ---- the filter -------------------------------------------------------------------- */

static void
channel_read(struct call *c, struct protocol_filter *f, struct str *customs, size_t i,
    struct str word)
{
	static const struct str custom = { "custom:", 7 };
	struct str_near near = { .word = param_shown(word) };

	for (unsigned bit = 0; protocol_channel_names[bit] != NULL; bit++) {
		if (str_eq(word, str_of(protocol_channel_names[bit]))) {
			f->channels |= 1u << bit;
			return;
		}
		str_near_try(&near, protocol_channel_names[bit]);
	}
	if (str_starts(word, custom) && word.n > custom.n)
		customs[f->customs_n++] = str_sub(word, custom.n, word.n);
	else
		words_fail(c, "channels", i, "expected values, updates, messages, tools, "
		    "lifecycle, input, checkpoints, tasks, custom or custom:NAME, got "
		    "\"%.*s\"%s%s", FMT(near.word), near.best != NULL ?
		    "; did you mean " : "", near.best != NULL ? near.best : "");
}

static void
channels_read(struct call *c, struct protocol_filter *f)
{
	jnode n = fields_any(c->in, "channels");
	struct words list = words_read(c, "channels", n, LIMIT_FILTER_CHANNELS);
	struct str *customs = arena_alloc(&c->r->arena, (list.n + 1) * sizeof *customs);

	if (c->in->rc == OK && list.n == 0)
		fields_fail(c->in, "channels", ERR_INVALID, "expected an array of at least "
		    "one channel, got %s", json_is_array(n) ? "an empty one" :
		    n == NULL ? "nothing" : json_kind(n));
	f->customs = customs;
	for (size_t i = 0; customs != NULL && c->in->rc == OK && i < list.n; i++)
		channel_read(c, f, customs, i, list.at[i]);
}

static void
namespaces_read(struct call *c, struct protocol_filter *f)
{
	jnode n = fields_any(c->in, "namespaces");
	struct json_iter it = json_each(n);
	struct protocol_prefix *at;
	char place[64];

	if (json_is_null(n))
		return;
	if (!json_is_array(n) || json_count(n) > LIMIT_FILTER_NAMESPACES)
		fields_fail(c->in, "namespaces", ERR_INVALID, "expected an array of at most "
		    "%d namespaces, got %s", LIMIT_FILTER_NAMESPACES,
		    json_is_array(n) ? "a longer one" : json_kind(n));
	at = arena_alloc(&c->r->arena, (json_count(n) + 1) * sizeof *at);
	f->namespaces = at;
	while (at != NULL && c->in->rc == OK && json_next(&it)) {
		struct words list;

		snprintf(place, sizeof place, "namespaces[%zu]", f->namespaces_n);
		if (json_is_null(it.value))
			fields_fail(c->in, place, ERR_INVALID,
			    "expected an array of strings, got null");
		list = words_read(c, place, it.value, LIMIT_NAMESPACE_SEGMENTS);
		at[f->namespaces_n++] = (struct protocol_prefix){ list.at, list.n };
	}
}

int
protocol_filter_read(struct call *c, struct protocol_filter *f, int64_t *since)
{
	*f = (struct protocol_filter){ .depth = -1 };
	*since = -1;
	channels_read(c, f);
	namespaces_read(c, f);
	fields_int(c->in, "depth", 0, INT32_MAX, &f->depth);
	fields_int(c->in, "since", 0, INT64_MAX, since);
	if (c->in->rc == OK && arena_rc(&c->r->arena) != OK)
		fields_fail(c->in, "channels", ERR_TOOBIG, "too large");
	return c->in->rc;
}

/* ---- the commands --------------------------------------------------------------------- */

/* Who opens and ends subscriptions; NULL: nobody does, and x is answered. */
static const struct command_events *
subscriber(struct command *x)
{
	const struct command_events *on = x->by->on;

	if (on != NULL && on->subscribe != NULL)
		return on;
	command_refuse(x, COMMAND_NOT_SUPPORTED, "%s is a command of WebSockets; over HTTP a "
	    "subscription is a POST to /threads/{thread_id}/stream/events, and lasts as long "
	    "as its answer", x->method->name);
	return NULL;
}

int
command_subscribe(struct command *x)
{
	const struct command_events *on = subscriber(x);
	struct protocol_filter f;
	int64_t since;
	int rc;

	if (on == NULL)
		return OK;
	rc = protocol_filter_read(&x->c, &f, &since);
	if (rc == OK)
		on->subscribe(x->by->ctx, x, &f, since);
	return rc;
}

int
command_unsubscribe(struct command *x)
{
	const struct command_events *on = subscriber(x);
	struct call *c = &x->c;
	struct str id = STR_NONE;
	int rc;

	if (on == NULL)
		return OK;
	fields_need_str(c->in, "subscription_id", LIMIT_NAME_BYTES, "a subscription's id",
	    &id);
	rc = c->in->rc;
	if (rc == OK)
		on->unsubscribe(x->by->ctx, x, id);
	return rc;
}

int
command_reconnect(struct command *x)
{
	command_refuse(x, COMMAND_NOT_SUPPORTED, "subscription.reconnect is not supported; "
	    "subscribe anew with `since`, the highest seq that was received");
	return OK;
}
