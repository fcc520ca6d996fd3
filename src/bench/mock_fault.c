/*
 * mock_fault.c - faults of the mock, on request.
 *
 * The last user message of a request names a fault: "mock:429".  With a count,
 * "mock:429x2", only the first two requests with that text fail, to test
 * retries.  --faults applies each fault to a share of all requests.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/mock_priv.h"

#include <string.h>

#include "base/mem.h"

#define TALLIES_MAX 1024                     /* texts with a count; the oldest goes */

struct mock_tally {
	uint64_t text;                       /* hash */
	int64_t seen;
};

static const struct mock_fault none = { .name = "none" };

static const struct mock_fault faults[] = {
	{ "400", "400 invalid_request_error", .status = 400,
	    .type = "invalid_request_error" },
	{ "401", "401 authentication_error", .status = 401,
	    .type = "authentication_error" },
	{ "429", "429 rate_limit_error with Retry-After: 1", .status = 429,
	    .type = "rate_limit_error", .retry_after = true },
	{ "500", "500 server_error", .status = 500, .type = "server_error" },
	{ "503", "503 service_unavailable", .status = 503, .type = "service_unavailable" },
	{ "529", "529 overloaded_error", .status = 529, .type = "overloaded_error" },
	{ "drop", "the connection is closed without an answer", .drop = true },
	{ "reset", "the connection is closed half-way", .midway = MIDWAY_RESET },
	{ "stall", "nothing more comes after half of it", .midway = MIDWAY_STALL },
	{ "malformed", "half-way there is a chunk that is not JSON",
	    .midway = MIDWAY_BREAK },
	{ "error-in-stream", "half-way there is an error object, and no more",
	    .midway = MIDWAY_ERROR },
	{ "no-done", "the stream ends without its end mark", .no_end = true },
	{ "bad-args", "a tool call whose arguments are cut JSON", .bad_args = true },
	{ "think", "thoughts before the answer, signed; they are checked when they come back",
	    .thinks = true },
	{ "slow-start", "the first token (or the answer) takes --slow-ms", .slow = true },
};

void
mock_llm_faults_help(struct buf *out)
{
	for (size_t i = 0; i < COUNT(faults); i++)
		buf_add_fmt(out, "  mock:%-18s %s\n", faults[i].name, faults[i].help);
	buf_add_fmt(out, "  mock:%-18s %s\n", "NAMExN",
	    "only the first N requests with that text");
}

static const struct mock_fault *
fault_named(struct str name)
{
	for (size_t i = 0; i < COUNT(faults); i++)
		if (str_eq(name, str_of(faults[i].name)))
			return &faults[i];
	return NULL;
}

int
mock_faults_parse(const char *text, double **rates, struct err *e)
{
	struct str rest = str_of(text), part;
	double sum = 0;

	*rates = mem_zero(COUNT(faults) * sizeof **rates);
	while (rest.n > 0 && str_next(&rest, ',', &part)) {
		ptrdiff_t equals = str_index(part, '=');
		struct str name = str_trim(str_sub(part, 0, equals < 0 ? part.n :
		    (size_t)equals));
		const struct mock_fault *f = fault_named(name);
		double rate = 0;

		if (f == NULL)
			return err_set(e, ERR_INVALID, "--faults: no fault \"%.*s\"",
			    FMT(name));
		if (equals < 0 || !str_to_double(str_trim(str_sub(part,
		    (size_t)equals + 1, part.n)), &rate) || !(rate >= 0 && rate <= 1))
			return err_set(e, ERR_INVALID, "--faults: %.*s needs a share "
			    "from 0 to 1, as in %.*s=0.1", FMT(name), FMT(name));
		(*rates)[f - faults] = rate;
		sum += rate;
	}
	return sum <= 1 ? OK : err_set(e, ERR_INVALID,
	    "--faults: the shares sum to more than 1");
}

/* xorshift64*, seeded a shard: the same options give the same faults. */
uint64_t
mock_random(struct mock_shard *ms)
{
	uint64_t x = ms->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	ms->random = x;
	return x * UINT64_C(2685821657736338717);
}

static const struct mock_fault *
fault_drawn(struct mock_shard *ms)
{
	double x;

	if (ms->mock->o.faults == NULL)
		return &none;
	x = (double)(mock_random(ms) >> 11) / (double)(UINT64_C(1) << 53);
	for (size_t i = 0; i < COUNT(faults); i++) {
		if (x < ms->mock->rates[i])
			return &faults[i];
		x -= ms->mock->rates[i];
	}
	return &none;
}

/* Counts this text; true for the first `limit` times. */
static bool
tally_within(struct mock_llm *m, struct str text, int64_t limit)
{
	uint64_t key = str_hash_keyed(text);
	struct mock_tally *t = NULL;
	bool within;

	pthread_mutex_lock(&m->lock);
	if (m->tallies == NULL)
		m->tallies = mem_zero(TALLIES_MAX * sizeof *m->tallies);
	for (size_t i = 0; i < TALLIES_MAX && i < m->tallies_n; i++)
		if (m->tallies[i].text == key)
			t = &m->tallies[i];
	if (t == NULL) {
		t = &m->tallies[m->tallies_n++ % TALLIES_MAX];
		*t = (struct mock_tally){ .text = key };
	}
	within = ++t->seen <= limit;
	pthread_mutex_unlock(&m->lock);
	return within;
}

/* "429", or "429x2" while its text was seen at most twice. */
static const struct mock_fault *
fault_asked(struct mock_llm *m, struct str word, struct str text)
{
	const struct mock_fault *f = fault_named(word);
	ptrdiff_t x = str_index(word, 'x');
	int64_t limit;

	if (f != NULL || x < 0)
		return f;
	f = fault_named(str_sub(word, 0, (size_t)x));
	if (f == NULL || !str_to_i64(str_sub(word, (size_t)x + 1, word.n), &limit))
		return NULL;
	return tally_within(m, text, limit) ? f : &none;
}

const struct mock_fault *
mock_fault_pick(struct mock_shard *ms, struct str role, struct str last)
{
	static const struct str mark = { "mock:", 5 };
	const struct mock_fault *f = NULL;
	const char *at;
	struct str word;

	at = last.n == 0 || !str_eq(role, S("user")) ? NULL :
	    memmem(last.p, last.n, mark.p, mark.n);
	if (at == NULL)
		return fault_drawn(ms);
	word = str_sub(last, (size_t)(at - last.p) + mark.n, last.n);
	for (size_t i = 0; i < word.n; i++)
		if (!str_char_in(word.p[i], "abcdefghijklmnopqrstuvwxyz0123456789-"))
			word.n = i;
	f = fault_asked(ms->mock, word, last);
	return f != NULL ? f : fault_drawn(ms);
}
