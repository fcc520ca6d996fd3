/*
 * id.c - UUIDs of versions 4, 6 and 7, and random bytes.
 *
 * Order: each of v6 and v7 keeps the last time it gave out in one process-wide
 * atomic; a new id takes the clock or last + 1, whichever is later.  For v7
 * that number is milliseconds << 12 with the fraction of the millisecond in
 * the low 12 bits (RFC 9562, section 6.2, method 3); for v6 it is the 100 ns
 * count since 1582.  Two ids never share it, so text order is the order of
 * making.
 *
 * Random bytes: a buffer per thread, filled by getrandom(2), dropped in a
 * forked child.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/id.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* ---- random bytes ---------------------------------------------------------- */

#define POOL_BYTES 512
#define SPLITMIX_STEP UINT64_C(0x9e3779b97f4a7c15)

struct pool {
	unsigned forks;                      /* when it was filled */
	size_t left;
	uint8_t bytes[POOL_BYTES];
};

static _Thread_local struct pool pool;
static atomic_uint forks = 1;                /* an empty pool is of fork 0 */
static atomic_bool seeded;
static _Atomic uint64_t seed_state;

static void
forked(void)
{
	atomic_fetch_add(&forks, 1);
}

__attribute__((constructor)) static void
watch_forks(void)
{
	if (pthread_atfork(NULL, NULL, forked) != 0)
		abort();
}

static void
read_random(void *out, size_t n)
{
	uint8_t *p = out;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {              /* never go on with guessable ids */
			static const char words[] = "cohort: the system gives no "
			    "random bytes\n";

			if (write(STDERR_FILENO, words, sizeof words - 1) < 0)
				_exit(134);
			abort();
		}
		p += got;
		n -= (size_t)got;
	}
}

/* SplitMix64 on one shared counter: the same seed gives one thread the same
 * bytes, and many threads never the same ones. */
static void
seeded_random(void *out, size_t n)
{
	uint8_t *p = out;

	while (n > 0) {
		uint64_t z = atomic_fetch_add(&seed_state, SPLITMIX_STEP) + SPLITMIX_STEP;
		size_t part = n < sizeof z ? n : sizeof z;

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		z ^= z >> 31;
		memcpy(p, &z, part);
		p += part;
		n -= part;
	}
}

void
id_seed_random(uint64_t seed)
{
	atomic_store(&seed_state, seed);
	atomic_store(&seeded, true);
}

void
id_random(void *out, size_t n)
{
	unsigned now = atomic_load_explicit(&forks, memory_order_relaxed);

	if (atomic_load_explicit(&seeded, memory_order_relaxed)) {
		seeded_random(out, n);
		return;
	}
	if (n > POOL_BYTES / 4) {
		read_random(out, n);
		return;
	}
	if (pool.left < n || pool.forks != now) {
		read_random(pool.bytes, POOL_BYTES);
		pool.left = POOL_BYTES;
		pool.forks = now;
	}
	pool.left -= n;
	memcpy(out, pool.bytes + pool.left, n);
	memset(pool.bytes + pool.left, 0, n);    /* keys may be made of these */
}

/* ---- making ---------------------------------------------------------------- */

#define GREGORIAN_100NS UINT64_C(122192928000000000)     /* 1582 to 1970 */
#define TICKS_PER_MS    10000

static _Atomic uint64_t last_v6, last_v7;

static void
put_bytes(uint8_t *to, uint64_t v, int n)
{
	while (n-- > 0) {
		to[n] = (uint8_t)v;
		v >>= 8;
	}
}

static void
set_version(struct uuid *u, unsigned version)
{
	u->b[6] = (uint8_t)((u->b[6] & 0x0f) | version << 4);
	u->b[8] = (uint8_t)((u->b[8] & 0x3f) | 0x80);
}

/* The later of now and one past the last. */
static uint64_t
next_time(_Atomic uint64_t *last, uint64_t now)
{
	uint64_t before = atomic_load_explicit(last, memory_order_relaxed), next;

	do
		next = now > before ? now : before + 1;
	while (!atomic_compare_exchange_weak(last, &before, next));
	return next;
}

static void
raise_floor(_Atomic uint64_t *last, uint64_t floor)
{
	uint64_t before = atomic_load(last);

	while (before < floor && !atomic_compare_exchange_weak(last, &before, floor))
		continue;
}

void
id_seed_floor(msec wall)
{
	uint64_t ms = wall < 0 ? 0 : (uint64_t)wall + 1;

	raise_floor(&last_v7, (ms << 12) - 1);
	raise_floor(&last_v6, ms * TICKS_PER_MS + GREGORIAN_100NS - 1);
}

struct uuid
uuid_v4(void)
{
	struct uuid u;

	id_random(u.b, sizeof u.b);
	set_version(&u, 4);
	return u;
}

struct uuid
uuid_v6(unsigned clock_seq)
{
	uint64_t t = next_time(&last_v6, (uint64_t)clock_wall() / 100 + GREGORIAN_100NS);
	struct uuid u;

	put_bytes(u.b, t >> 12, 6);
	put_bytes(u.b + 6, t & 0xfff, 2);
	put_bytes(u.b + 8, clock_seq & 0x3fff, 2);
	id_random(u.b + 10, 6);
	u.b[10] |= 1;                        /* multicast: no real MAC address */
	set_version(&u, 6);
	return u;
}

struct uuid
uuid_v7(void)
{
	uint64_t ns = (uint64_t)clock_wall(), ms = ns / NS_PER_MS;
	uint64_t fraction = (ns % NS_PER_MS << 12) / NS_PER_MS;
	uint64_t t = next_time(&last_v7, ms << 12 | fraction);
	struct uuid u;

	put_bytes(u.b, t >> 12, 6);
	put_bytes(u.b + 6, t & 0xfff, 2);
	id_random(u.b + 8, 8);
	set_version(&u, 7);
	return u;
}

msec
uuid_v7_time(const struct uuid *u)
{
	int64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | u->b[i];
	return ms;
}

/* ---- text ------------------------------------------------------------------ */

static const uint8_t group_start[] = { 0, 4, 6, 8, 10 };

bool
uuid_parse(struct str s, struct uuid *out)
{
	const char *p = s.p;
	struct uuid u;

	if (s.n != UUID_TEXT || p[8] != '-' || p[13] != '-' || p[18] != '-' ||
	    p[23] != '-')
		return false;
	for (size_t i = 0, group = 1; i < sizeof u.b; i++, p += 2) {
		int high, low;

		if (group < COUNT(group_start) && i == group_start[group]) {
			group++;
			p++;
		}
		high = str_hex_digit(p[0]);
		low = str_hex_digit(p[1]);
		if (high < 0 || low < 0)
			return false;
		u.b[i] = (uint8_t)(high << 4 | low);
	}
	*out = u;
	return true;
}

void
uuid_format(const struct uuid *u, char out[UUID_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	char *p = out;

	for (size_t i = 0, group = 1; i < sizeof u->b; i++) {
		if (group < COUNT(group_start) && i == group_start[group]) {
			group++;
			*p++ = '-';
		}
		*p++ = digits[u->b[i] >> 4];
		*p++ = digits[u->b[i] & 15];
	}
}

void
uuid_add(struct buf *b, const struct uuid *u)
{
	char *to = buf_room(b, UUID_TEXT);

	if (to == NULL)
		return;
	uuid_format(u, to);
	buf_added(b, UUID_TEXT);
}

bool
uuid_eq(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool
uuid_is_zero(const struct uuid *u)
{
	static const struct uuid zero;

	return uuid_eq(u, &zero);
}

uint64_t
uuid_hash(const struct uuid *u)
{
	return str_hash_keyed((struct str){ (const char *)u->b, sizeof u->b });
}
