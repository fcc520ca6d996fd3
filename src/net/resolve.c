/*
 * resolve.c - see resolve_priv.h.
 *
 * A look-up outlives its resolver when the resolver is freed in between: the
 * thread pool still writes into it.  It is detached then, and its callback
 * frees it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/resolve_priv.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "net/route.h"

#define ADDRS_MAX 8                          /* libcurl tries them in turn */
#define KEY_MAX   (ROUTE_HOST_MAX + 8)       /* ":65535" and the NUL */
#define LINE_MAX_BYTES ((size_t)1024)

struct lookup {
	uv_getaddrinfo_t req;
	struct entry *entry;                 /* NULL: the resolver is gone */
};

struct entry {
	struct resolver *owner;
	char key[KEY_MAX];                   /* "host:port", in small letters */
	nsec until;
	struct lookup *lookup;               /* while one is under way */
	struct list waiting;
	struct resolved answer;
};

#define RESOLVER_MARK 0x7265736fu

struct resolver {
	unsigned mark;
	struct shard *shard;
	struct map entries;
	uint64_t serial;
	struct resolved full;                /* what to say when the table is full */
};

static void
check_resolver(const struct resolver *r)
{
	CHECK_MARK(r, RESOLVER_MARK);
	assert(r->entries.n <= LIMIT_DNS_NAMES);
}

static uint64_t
key_hash(const void *key)
{
	return str_hash_keyed(str_of(key));
}

static bool
key_eq(const void *value, const void *key)
{
	return strcmp(((const struct entry *)value)->key, key) == 0;
}

static const void *
key_of(const void *value)
{
	return ((const struct entry *)value)->key;
}

struct resolver *
resolver_new(struct shard *s)
{
	struct resolver *r = mem_new(struct resolver);

	r->mark = RESOLVER_MARK;
	r->shard = s;
	map_init(&r->entries, key_hash, key_eq, key_of);
	r->full.rc = err_set(&r->full.why, ERR_LIMIT, "too many host names in use");
	return r;
}

static void
entry_free(struct entry *en)
{
	assert(list_empty(&en->waiting));
	if (en->lookup != NULL) {
		en->lookup->entry = NULL;
		uv_cancel((uv_req_t *)&en->lookup->req);
	}
	free(en->answer.line);
	free(en);
}

void
resolver_free(struct resolver *r)
{
	struct entry *en;
	size_t at = 0;

	if (r == NULL)
		return;
	check_resolver(r);
	for (en = map_each(&r->entries, &at); en != NULL; en = map_each(&r->entries, &at))
		entry_free(en);
	map_release(&r->entries);
	CHECK_END(r);
	free(r);
}

void
resolver_forget(struct resolve_waiter *w)
{
	list_remove(&w->in);
}

/* Appends the addresses of ai, IPv6 in brackets; how many. */
static unsigned
add_addresses(struct buf *line, const struct addrinfo *ai)
{
	unsigned n = 0;

	for (; ai != NULL && n < ADDRS_MAX; ai = ai->ai_next) {
		char text[INET6_ADDRSTRLEN];
		bool v6 = ai->ai_family == AF_INET6;

		if (getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof text,
		    NULL, 0, NI_NUMERICHOST) != 0 || strchr(text, '%') != NULL)
			continue;            /* libcurl's line has no room for a scope */
		buf_add_fmt(line, v6 ? "%s[%s]" : "%s%s", n > 0 ? "," : "", text);
		n++;
	}
	return n;
}

static void
answer_set(struct entry *en, int status, const struct addrinfo *ai)
{
	struct resolved *a = &en->answer;
	struct buf line = BUF(LINE_MAX_BYTES);
	msec keep = LIMIT_DNS_TTL_MS;

	free(a->line);
	*a = (struct resolved){ .serial = ++en->owner->serial };
	buf_add_fmt(&line, "+%s:", en->key);
	if (status != 0)
		a->rc = err_set(&a->why, ERR_CLOSED, "cannot resolve %s: %s", en->key,
		    uv_strerror(status));
	else if (add_addresses(&line, ai) == 0 || line.failed)
		a->rc = err_set(&a->why, ERR_CLOSED, "cannot resolve %s: no address",
		    en->key);
	if (a->rc == OK) {
		a->line = line.p;
	} else {
		keep = LIMIT_DNS_FAIL_MS;
		buf_release(&line);
	}
	en->until = shard_now(en->owner->shard) + keep * NS_PER_MS;
}

/* Takes the list over first: a callback may ask again for the same name. */
static void
answer_tell(struct entry *en)
{
	struct list told;

	list_init(&told);
	list_move(&told, &en->waiting);
	while (!list_empty(&told)) {
		struct resolve_waiter *w = CONTAINER_OF(told.next,
		    struct resolve_waiter, in);

		resolver_forget(w);
		w->done(w, &en->answer);
	}
}

static void
looked_up(uv_getaddrinfo_t *req, int status, struct addrinfo *ai)
{
	struct lookup *l = CONTAINER_OF(req, struct lookup, req);
	struct entry *en = l->entry;

	assert(en == NULL || en->lookup == l);
	free(l);
	if (en != NULL) {
		en->lookup = NULL;
		answer_set(en, status, ai);
		answer_tell(en);
	}
	uv_freeaddrinfo(ai);
}

/* False when the look-up could not even be queued; the answer is set then. */
static bool
lookup_start(struct entry *en)
{
	static const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_ADDRCONFIG,
	};
	struct lookup *l = mem_new(struct lookup);
	char host[KEY_MAX];
	int rc;

	snprintf(host, sizeof host, "%.*s", (int)(strrchr(en->key, ':') - en->key),
	    en->key);
	l->entry = en;
	rc = uv_getaddrinfo(shard_loop(en->owner->shard), &l->req, looked_up, host,
	    NULL, &hints);
	if (rc != 0) {
		free(l);
		answer_set(en, rc, NULL);
		return false;
	}
	en->lookup = l;
	return true;
}

/* Makes room for one more name; false when every entry is in use. */
static bool
room_for_one(struct resolver *r)
{
	struct entry *en, *oldest = NULL;
	size_t at = 0;

	if (r->entries.n < LIMIT_DNS_NAMES)
		return true;
	for (en = map_each(&r->entries, &at); en != NULL; en = map_each(&r->entries, &at))
		if (en->lookup == NULL && (oldest == NULL || en->until < oldest->until))
			oldest = en;
	if (oldest == NULL)
		return false;
	map_take(&r->entries, oldest->key);
	entry_free(oldest);
	return true;
}

static void
key_write(char key[KEY_MAX], struct str host, uint16_t port)
{
	assert(host.n > 0 && host.n <= ROUTE_HOST_MAX);
	snprintf(key, KEY_MAX, "%.*s:%u", FMT(host), port);
	for (char *p = key; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + ('a' - 'A'));
}

/* Found or made; NULL when the table is full. */
static struct entry *
entry_of(struct resolver *r, struct str host, uint16_t port)
{
	struct entry *en;
	char key[KEY_MAX];

	key_write(key, host, port);
	en = map_get(&r->entries, key);
	if (en != NULL)
		return en;
	if (!room_for_one(r))
		return NULL;
	en = mem_new(struct entry);
	en->owner = r;
	memcpy(en->key, key, sizeof key);
	list_init(&en->waiting);
	map_put(&r->entries, en);
	return en;
}

struct resolved *
resolver_get(struct resolver *r, struct str host, uint16_t port,
    struct resolve_waiter *w)
{
	struct entry *en;

	check_resolver(r);
	en = entry_of(r, host, port);
	if (en == NULL)
		return &r->full;
	if (en->lookup == NULL) {
		if (shard_now(r->shard) < en->until)
			return &en->answer;
		if (!lookup_start(en))
			return &en->answer;
	}
	assert(w->done != NULL);
	list_append(&en->waiting, &w->in);
	return NULL;
}

void
resolver_known(struct resolver *r, struct str host, uint16_t port, uint64_t serial)
{
	struct entry *en;
	char key[KEY_MAX];

	key_write(key, host, port);
	en = map_get(&r->entries, key);
	if (en != NULL && en->answer.serial == serial)
		en->answer.known = true;
}
