/*
 * str.c - borrowed text: compare, cut, read numbers, hash.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/str.h"
#include "base/id.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct str
str_of(const char *cstr)
{
	return cstr == NULL ? STR_NONE : (struct str){ cstr, strlen(cstr) };
}

bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static unsigned char
lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool
str_contains_nocase(struct str s, struct str needle)
{
	for (size_t i = 0; i + needle.n <= s.n; i++) {
		size_t j = 0;

		while (j < needle.n && lower(s.p[i + j]) == lower(needle.p[j]))
			j++;
		if (j == needle.n)
			return true;
	}
	return false;
}

bool
str_eq_nocase(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

int
str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n == 0 ? 0 : memcmp(a.p, b.p, n);

	return d != 0 ? d : a.n < b.n ? -1 : a.n > b.n;
}

bool
str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq(str_sub(s, 0, prefix.n), prefix);
}

bool
str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n &&
	    str_eq(str_sub(s, s.n - suffix.n, suffix.n), suffix);
}

bool
str_contains(struct str s, struct str needle)
{
	if (needle.n == 0)
		return true;
	return s.n >= needle.n && memmem(s.p, s.n, needle.p, needle.n) != NULL;
}

bool
str_char_in(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

ptrdiff_t
str_index(struct str s, char c)
{
	const char *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);

	return at == NULL ? -1 : at - s.p;
}

struct str
str_sub(struct str s, size_t from, size_t n)
{
	if (from >= s.n)
		return (struct str){ s.p == NULL ? NULL : s.p + s.n, 0 };
	return (struct str){ s.p + from, n < s.n - from ? n : s.n - from };
}

struct str
str_put(char **to, struct str s)
{
	struct str copy = { *to, s.n };

	if (s.n > 0)
		memcpy(*to, s.p, s.n);
	*to += s.n;
	return copy;
}

struct str
str_cut(struct str s, size_t max)
{
	size_t n = s.n < max ? s.n : max, from = n, need;
	unsigned char lead;

	while (from > 0 && n - from < 3 && ((unsigned char)s.p[from - 1] & 0xc0) == 0x80)
		from--;
	if (from == 0)
		return str_sub(s, 0, n);
	lead = (unsigned char)s.p[--from];
	need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	return str_sub(s, 0, n - from < need ? from : n);
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str
str_trim(struct str s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s.p++, s.n--;
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* The rest is spent when p is NULL: an empty rest with a pointer is the empty
 * part after a last separator. */
bool
str_next(struct str *rest, char sep, struct str *part)
{
	ptrdiff_t at;

	if (rest->p == NULL)
		return false;
	at = str_index(*rest, sep);
	if (at < 0) {
		*part = *rest;
		*rest = STR_NONE;
		return true;
	}
	*part = str_sub(*rest, 0, (size_t)at);
	*rest = (struct str){ rest->p + at + 1, rest->n - (size_t)at - 1 };
	return true;
}

/* ---- numbers --------------------------------------------------------------- */

bool
str_to_u64(struct str s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d = (unsigned)(unsigned char)s.p[i] - '0';

		if (d > 9 || v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*out = v;
	return true;
}

bool
str_to_i64(struct str s, int64_t *out)
{
	bool minus = s.n > 0 && s.p[0] == '-';
	uint64_t v, most = (uint64_t)INT64_MAX + (minus ? 1 : 0);

	if (!str_to_u64(str_sub(s, minus ? 1 : 0, s.n), &v) || v > most)
		return false;
	*out = minus ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

/* strtod, minus what is no decimal: blanks, hex, inf, nan. */
bool
str_to_double(struct str s, double *out)
{
	char text[512];                      /* longer than any exact double */
	char *end;
	double d;

	if (s.n == 0 || s.n >= sizeof text)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (memchr("+-.0123456789eE", s.p[i], 15) == NULL)
			return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	d = strtod(text, &end);
	if (end != text + s.n || !isfinite(d))
		return false;
	*out = d;
	return true;
}

/* ---- UTF-8 ----------------------------------------------------------------- */

/* Length of the valid multi-byte sequence at p, 0 when there is none
 * (table 3-7 of the Unicode standard). */
static size_t
utf8_length(const unsigned char *p, size_t n)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t want;

	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	want = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (n < want || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < want; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return want;
}

size_t
str_characters(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

bool
str_is_utf8(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i = 0;

	while (i < s.n) {
		uint64_t word;
		size_t n;

		if (i + 8 <= s.n) {
			memcpy(&word, p + i, 8);
			if ((word & UINT64_C(0x8080808080808080)) == 0) {
				i += 8;
				continue;
			}
		}
		n = p[i] < 0x80 ? 1 : utf8_length(p + i, s.n - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

size_t
str_utf8_step(struct str s)
{
	if (s.n == 0)
		return 0;
	if ((unsigned char)s.p[0] < 0x80)
		return 1;
	return utf8_length((const unsigned char *)s.p, s.n);
}

/* ---- hashes ---------------------------------------------------------------- */

static uint64_t
fold(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "as SipHash reads words");

/* The last n < 8 bytes as a word, padded with zeros; the loads overlap. */
static uint64_t
tail_word(const char *p, size_t n)
{
	uint32_t low, high;

	if (n >= 4) {
		memcpy(&low, p, 4);
		memcpy(&high, p + n - 4, 4);
		return low | (uint64_t)high << (n - 4) * 8;
	}
	if (n == 0)
		return 0;
	return (uint64_t)(unsigned char)p[0] |
	    (uint64_t)(unsigned char)p[n / 2] << n / 2 * 8 |
	    (uint64_t)(unsigned char)p[n - 1] << (n - 1) * 8;
}

/* Eight bytes a step, multiplied and folded. */
uint32_t
str_hash(struct str s)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t h = fold(s.n ^ UINT64_C(0xa0761d6478bd642f), odd), word;
	size_t i = 0;

	for (; i + 8 <= s.n; i += 8) {
		memcpy(&word, s.p + i, 8);
		h = fold(h ^ word, odd);
	}
	if (i < s.n)
		h = fold(h ^ tail_word(s.p + i, s.n - i), UINT64_C(0xe7037ed1a0b428db));
	return (uint32_t)(h ^ h >> 32);
}

static uint64_t sip_key[2];
static atomic_bool sip_ready;

static void
sip_init(void)
{
	id_random(sip_key, sizeof sip_key);
	atomic_store_explicit(&sip_ready, true, memory_order_release);
}

#define ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))

static inline void
sip_round(uint64_t v[4])
{
	v[0] += v[1], v[1] = ROTL(v[1], 13), v[1] ^= v[0], v[0] = ROTL(v[0], 32);
	v[2] += v[3], v[3] = ROTL(v[3], 16), v[3] ^= v[2];
	v[0] += v[3], v[3] = ROTL(v[3], 21), v[3] ^= v[0];
	v[2] += v[1], v[1] = ROTL(v[1], 17), v[1] ^= v[2], v[2] = ROTL(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein 2012): one round a word, three at the end. */
uint64_t
str_hash_keyed(struct str s)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	uint64_t v[4], word;
	size_t i = 0;

	if (!atomic_load_explicit(&sip_ready, memory_order_acquire))
		pthread_once(&once, sip_init);
	v[0] = sip_key[0] ^ UINT64_C(0x736f6d6570736575);
	v[1] = sip_key[1] ^ UINT64_C(0x646f72616e646f6d);
	v[2] = sip_key[0] ^ UINT64_C(0x6c7967656e657261);
	v[3] = sip_key[1] ^ UINT64_C(0x7465646279746573);
	for (; i + 8 <= s.n; i += 8) {
		memcpy(&word, s.p + i, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = tail_word(s.n == 0 ? "" : s.p + i, s.n - i) | (uint64_t)s.n << 56;
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int r = 0; r < 3; r++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- did you mean ---------------------------------------------------------- */

#define DISTANCE_BYTES 128                   /* names a person typed */

unsigned
str_distance(struct str a, struct str b, unsigned max)
{
	unsigned row[DISTANCE_BYTES + 1];
	size_t gap = a.n > b.n ? a.n - b.n : b.n - a.n;

	if (str_eq(a, b))
		return 0;
	if (gap > max || a.n > DISTANCE_BYTES || b.n > DISTANCE_BYTES)
		return max + 1;
	for (size_t j = 0; j <= b.n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a.n; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.n; j++) {
			unsigned best = diagonal + (a.p[i - 1] != b.p[j - 1]);

			diagonal = row[j];
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (diagonal + 1 < best)
				best = diagonal + 1;
			row[j] = best;
		}
	}
	return row[b.n] > max ? max + 1 : row[b.n];
}

void
str_near_try(struct str_near *n, const char *name)
{
	struct str s = str_of(name);
	unsigned max = (unsigned)(s.n > n->word.n ? s.n : n->word.n) / 3 + 1;
	unsigned d = str_distance(n->word, s, max);

	if (n->word.n > 1 && str_starts(s, n->word))
		d = 1;                       /* begun, not mistyped */
	if (d > max || (n->best != NULL && d >= n->distance))
		return;
	n->best = name;
	n->distance = d;
}

const void *
str_near_row(struct str_near *n, const void *rows, size_t size)
{
	for (const char *at = rows; *(const char *const *)at != NULL; at += size) {
		const char *name = *(const char *const *)at;

		if (str_eq(n->word, str_of(name)))
			return at;
		str_near_try(n, name);
	}
	return NULL;
}
