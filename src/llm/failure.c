/*
 * failure.c - what went wrong with a model, as a chart event, as words for
 * people, and as advice: may the same request work a little later?
 *
 * The words are the provider's own, after the status: "500 mock boom".
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "llm/wire_priv.h"
#include "net/http.h"

#define BODY_WORDS 200                       /* of an error that is not JSON */
#define WORDS_BYTES 1024                     /* of one text of an error */
#define WORDS_ROWS  3                        /* of a list of errors */
#define WORDS_DEPTH 6                        /* an error in an error in ... */
#define SECRET_MIN 4                         /* shorter ones are placeholders */
#define BACKOFF_FIRST_MS 500
#define BACKOFF_LAST_MS  8000

static const struct {
	const char *event;
	int rc;
} faults[FAULTS] = {
	[FAULT_BACKEND]         = { "error.llm.backend", ERR_IO },
	[FAULT_RATE_LIMITED]    = { "error.llm.rate_limited", ERR_LIMIT },
	[FAULT_OVERLOADED]      = { "error.llm.overloaded", ERR_BUSY },
	[FAULT_AUTH]            = { "error.llm.auth", ERR_DENIED },
	[FAULT_INVALID_REQUEST] = { "error.llm.invalid_request", ERR_INVALID },
	[FAULT_CONTEXT_LENGTH]  = { "error.llm.context_length", ERR_TOOBIG },
	[FAULT_TIMEOUT]         = { "error.llm.timeout", ERR_TIMEOUT },
	[FAULT_TRANSPORT]       = { "error.llm.transport", ERR_CLOSED },
};

/* Statuses that are not named here: 4xx is our request, the rest is theirs. */
static const struct {
	int status;
	enum llm_fault kind;
	bool transient;
} statuses[] = {
	{ 401, FAULT_AUTH,         false }, { 403, FAULT_AUTH,       false },
	{ 408, FAULT_TIMEOUT,      true },  { 409, FAULT_BACKEND,    true },
	{ 429, FAULT_RATE_LIMITED, true },  { 503, FAULT_OVERLOADED, true },
	{ 504, FAULT_TIMEOUT,      true },  { 529, FAULT_OVERLOADED, true },
};

/* `code` or `type` of an error object that says more than the status. */
static const struct {
	struct str word;
	enum llm_fault kind;
	bool transient;
} codes[] = {
	{ S("context_length_exceeded"), FAULT_CONTEXT_LENGTH,  false },
	{ S("insufficient_quota"),      FAULT_RATE_LIMITED,    false },
	{ S("rate_limit_exceeded"),     FAULT_RATE_LIMITED,    true },
	{ S("rate_limit_error"),        FAULT_RATE_LIMITED,    true },
	{ S("overloaded_error"),        FAULT_OVERLOADED,      true },
	{ S("server_is_overloaded"),    FAULT_OVERLOADED,      true },
	{ S("invalid_api_key"),         FAULT_AUTH,            false },
	{ S("authentication_error"),    FAULT_AUTH,            false },
	{ S("permission_error"),        FAULT_AUTH,            false },
	{ S("invalid_request_error"),   FAULT_INVALID_REQUEST, false },
	{ S("timeout"),                 FAULT_TIMEOUT,         true },
	{ S("server_error"),            FAULT_BACKEND,         true },
	{ S("internal_server_error"),   FAULT_BACKEND,         true },
	{ S("api_error"),               FAULT_BACKEND,         true },
	{ S("timeout_error"),           FAULT_TIMEOUT,         true },
	{ S("not_found_error"),         FAULT_INVALID_REQUEST, false },
	{ S("request_too_large"),       FAULT_CONTEXT_LENGTH,  false },
	{ S("billing_error"),           FAULT_AUTH,            false },
	{ S("INVALID_ARGUMENT"),        FAULT_INVALID_REQUEST, false },
	{ S("RESOURCE_EXHAUSTED"),      FAULT_RATE_LIMITED,    true },
	{ S("UNAVAILABLE"),             FAULT_OVERLOADED,      true },
	{ S("UNAUTHENTICATED"),         FAULT_AUTH,            false },
	{ S("PERMISSION_DENIED"),       FAULT_AUTH,            false },
	{ S("DEADLINE_EXCEEDED"),       FAULT_TIMEOUT,         true },
	{ S("INTERNAL"),                FAULT_BACKEND,         true },
};

/* Servers that have no code for a prompt that is too long say it in words. */
static const struct str too_long[] = {
	S("maximum context length"), S("context window"), S("context length"),
	S("prompt is too long"), S("exceed context limit"),
	S("exceeds the maximum number of tokens"),
};

int
failure_rc(enum llm_fault kind)
{
	assert(kind < FAULTS);
	return faults[kind].rc;
}

const char *
failure_event(enum llm_fault kind)
{
	assert(kind < FAULTS);
	return faults[kind].event;
}

void
failure_set(struct failure *f, enum llm_fault kind, bool transient,
    const char *format, ...)
{
	struct err e;
	va_list ap;

	va_start(ap, format);
	err_vset(&e, failure_rc(kind), format, ap);
	va_end(ap);
	*f = (struct failure){ .kind = kind, .transient = transient, .retry_after = -1,
	    .e = e };
}

static void
of_status(struct failure *f, int status)
{
	f->kind = status >= 400 && status < 500 ? FAULT_INVALID_REQUEST : FAULT_BACKEND;
	f->transient = status >= 500;
	for (size_t i = 0; i < COUNT(statuses); i++)
		if (statuses[i].status == status) {
			f->kind = statuses[i].kind;
			f->transient = statuses[i].transient;
		}
}

static bool
of_code(struct failure *f, jnode code)
{
	if (json_is_int(code) && json_int(code) >= 400 && json_int(code) < 600) {
		of_status(f, (int)json_int(code));
		return true;
	}
	if (!json_is_string(code))
		return false;
	for (size_t i = 0; i < COUNT(codes); i++)
		if (str_eq(json_str(code), codes[i].word)) {
			f->kind = codes[i].kind;
			f->transient = codes[i].transient;
			return true;
		}
	return false;
}

/* What an error object adds to what the status said.  A type that is only
 * another word for "4xx" or "5xx" does not undo a more exact status. */
static void
refine(struct failure *f, jnode error, struct str message, int status)
{
	struct failure said = *f;

	if (of_code(&said, json_get(error, S("code"))) ||
	    of_code(&said, json_get(error, S("type"))) ||
	    of_code(&said, json_get(error, S("status")))) {
		bool vague = said.kind == FAULT_INVALID_REQUEST || said.kind == FAULT_BACKEND;

		if (status == 0 || !vague)
			*f = said;
	}
	if (f->kind != FAULT_INVALID_REQUEST)
		return;
	for (size_t i = 0; i < COUNT(too_long); i++)
		if (str_contains(message, too_long[i]))
			f->kind = FAULT_CONTEXT_LENGTH;
	/* Google answers 400 to an invalid key. */
	if (str_contains(message, S("API key not valid")))
		f->kind = FAULT_AUTH;
}

/* Google says in the error when to try again: "retryDelay":"34.07s". */
static msec
retry_delay(jnode error)
{
	struct json_iter it = json_each(json_get(error, S("details")));
	double seconds;

	while (json_next(&it)) {
		struct str s = text_of(it.value, S("retryDelay"));

		if (s.n > 1 && s.p[s.n - 1] == 's' &&
		    str_to_double(str_sub(s, 0, s.n - 1), &seconds))
			return failure_retry_after(str_sub(s, 0, s.n - 1), 0);
	}
	return -1;
}

/* ---- the provider's words ------------------------------------------------- */

/* Where servers put them, the likeliest first. */
static const char *const word_keys[] = {
	"error", "message", "detail", "msg", "errors", "error_message", "error_msg",
	"errorMessage", "Message", "fault", "faultstring", "error_description",
	"description", "title", "reason", "code", "type", "status",
};

static bool words_add(struct buf *b, jnode n, unsigned depth);

/* FastAPI: [{"loc":["body","stream_options"],"msg":"..."}]: where goes first. */
static void
loc_add(struct buf *b, jnode loc)
{
	struct json_iter it = json_each(loc);
	bool first = true;

	while (json_is_array(loc) && json_next(&it)) {
		if (!first)
			buf_add_char(b, '.');
		first = false;
		if (json_is_string(it.value))
			buf_add(b, json_str(it.value));
		else if (json_is_int(it.value))
			buf_add_i64(b, json_int(it.value));
	}
	if (!first)
		buf_lit(b, ": ");
}

/* OpenRouter: the words of whoever it asked. */
static void
raw_add(struct buf *b, jnode raw, unsigned depth)
{
	struct json_doc d = { 0 };
	size_t from = b->n;

	if (!json_is_string(raw) || json_str(raw).n == 0)
		return;
	buf_lit(b, ": ");
	if (json_parse(&d, json_str(raw), NULL) != OK || !words_add(b, d.root, depth + 1)) {
		buf_cut(b, from);
		buf_lit(b, ": ");
		buf_add(b, str_cut(json_str(raw), BODY_WORDS));
	}
	json_release(&d);
}

static bool
words_of_object(struct buf *b, jnode n, unsigned depth)
{
	size_t from = b->n;

	loc_add(b, json_get(n, S("loc")));
	for (size_t i = 0; i < COUNT(word_keys); i++) {
		jnode v = json_get(n, str_of(word_keys[i]));

		if (!words_add(b, v, depth + 1))
			continue;
		/* {"error":"Unauthorized","message":"..."} says it in two parts. */
		if (i == 0 && json_is_string(v) &&
		    json_is_string(json_get(n, S("message")))) {
			buf_lit(b, ": ");
			buf_add(b, json_str(json_get(n, S("message"))));
		}
		raw_add(b, json_get(json_get(n, S("metadata")), S("raw")), depth);
		return true;
	}
	buf_cut(b, from);
	return false;
}

/* False, and nothing added: there are none. */
static bool
words_add(struct buf *b, jnode n, unsigned depth)
{
	struct json_iter it = json_each(n);
	size_t from = b->n, rows = 0;

	if (depth > WORDS_DEPTH)
		return false;
	if (json_is_string(n)) {
		buf_add(b, str_cut(str_trim(json_str(n)), WORDS_BYTES));
		return b->n > from;
	}
	if (json_is_object(n))
		return words_of_object(b, n, depth);
	while (json_is_array(n) && rows < WORDS_ROWS && json_next(&it)) {
		size_t before = b->n;

		if (rows > 0)
			buf_lit(b, "; ");
		if (words_add(b, it.value, depth + 1))
			rows++;
		else
			buf_cut(b, before);
	}
	return rows > 0;
}

/* The object that may have a code beside the words. */
static jnode
coded(jnode root)
{
	for (unsigned depth = 0; depth < WORDS_DEPTH; depth++) {
		jnode below = json_is_array(root) ? json_at(root, 0) :
		    json_get(root, S("error"));

		if (below == NULL && json_is_object(json_get(root, S("detail"))))
			below = json_get(root, S("detail"));
		if (!json_is_object(below))
			break;
		root = below;
	}
	return root;
}

/* The first line of a body that is no JSON, unless it is a web page. */
static struct str
words_of_text(struct str body)
{
	struct str line = STR_NONE, rest = str_trim(body);

	if (rest.n == 0 || rest.p[0] == '<' || !str_is_utf8(body))
		return STR_NONE;
	str_next(&rest, '\n', &line);
	return str_cut(str_trim(line), BODY_WORDS);
}

void
failure_of_status(struct failure *f, int status, struct str body)
{
	struct buf text = BUF(LIMIT_LLM_BODY_BYTES), words = BUF(WORDS_ROWS * KB * 4);
	struct json_doc d = { 0 };

	buf_add_mended(&text, body);
	*f = (struct failure){ .retry_after = -1 };
	of_status(f, status);
	if (json_parse(&d, buf_str(&text), NULL) == OK)
		words_add(&words, d.root, 0);
	else
		buf_add(&words, words_of_text(buf_str(&text)));
	refine(f, coded(d.root), buf_str(&words), status);
	f->retry_after = retry_delay(coded(d.root));
	if (words.n == 0)
		buf_add(&words, str_of(http_status_text(status)));
	err_set(&f->e, failure_rc(f->kind), "%d %.*s", status, FMT(buf_str(&words)));
	json_release(&d);
	buf_release(&words);
	buf_release(&text);
}

void
failure_of_object(struct failure *f, struct str error)
{
	struct buf words = BUF(WORDS_ROWS * KB * 4);
	struct json_doc d = { 0 };

	*f = (struct failure){ .kind = FAULT_BACKEND, .transient = true,
	    .retry_after = -1 };
	if (json_parse(&d, error, NULL) != OK)
		buf_add(&words, words_of_text(error));
	else if (words_add(&words, d.root, 0))
		refine(f, coded(d.root), buf_str(&words), 0);
	if (words.n == 0)
		buf_lit(&words, "the model reported an error without any words");
	err_set(&f->e, failure_rc(f->kind), "%.*s", FMT(buf_str(&words)));
	json_release(&d);
	buf_release(&words);
}

void
failure_of_transport(struct failure *f, int rc, const struct err *e)
{
	enum llm_fault kind = FAULT_TRANSPORT;

	if (rc == ERR_TIMEOUT)
		kind = FAULT_TIMEOUT;
	else if (rc == ERR_TOOBIG)
		kind = FAULT_BACKEND;
	else if (rc == ERR_INVALID)
		kind = FAULT_INVALID_REQUEST;
	failure_set(f, kind, kind == FAULT_TRANSPORT, "%s", e->text);
}

/* How much of the front of secret the words at p begin with.  The words may
 * have been cut inside of it, so at their very end a part is enough. */
static size_t
secret_at(struct str words, struct str secret)
{
	if (str_starts(words, secret))
		return secret.n;
	return words.n >= SECRET_MIN && str_starts(secret, words) ? words.n : 0;
}

void
failure_redact(struct failure *f, struct str secret)
{
	struct str rest = str_of(f->e.text);
	struct buf clean = BUF(sizeof f->e.text * 4);

	if (secret.n < SECRET_MIN)
		return;
	while (rest.n > 0) {
		size_t n = secret_at(rest, secret);

		if (n > 0) {
			buf_lit(&clean, "[redacted]");
			rest = str_sub(rest, n, rest.n);
		} else {
			buf_add_char(&clean, rest.p[0]);
			rest = str_sub(rest, 1, rest.n);
		}
	}
	err_set(&f->e, f->e.code, "%.*s", FMT(buf_str(&clean)));
	buf_release(&clean);
}

/* ---- when to try again ---------------------------------------------------- */

static int
two(const char *p)
{
	return (p[0] - '0') * 10 + p[1] - '0';
}

/* IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT"; -1 for anything else. */
static msec
http_date(struct str s)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static const char shape[] = "aaa, 00 aaa 0000 00:00:00 GMT";
	const char *month = months;
	msec s_of_day;

	if (s.n != sizeof shape - 1)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		bool digit = s.p[i] >= '0' && s.p[i] <= '9';

		if (shape[i] == '0' ? !digit : shape[i] != 'a' && s.p[i] != shape[i])
			return -1;
	}
	while (*month != '\0' && memcmp(month, s.p + 8, 3) != 0)
		month += 3;
	if (*month == '\0')
		return -1;
	s_of_day = two(s.p + 17) * 3600 + two(s.p + 20) * 60 + two(s.p + 23);
	return (clock_days(two(s.p + 12) * 100 + two(s.p + 14),
	    (int)(month - months) / 3 + 1, two(s.p + 5)) * 86400 + s_of_day) * 1000;
}

static msec
capped(double ms)
{
	return !(ms >= 0) ? -1 : ms > LIMIT_LLM_RETRY_AFTER_MS ?
	    LIMIT_LLM_RETRY_AFTER_MS : (msec)ms;
}

msec
failure_retry_after(struct str value, msec wall)
{
	struct str s = str_trim(value);
	msec date = http_date(s);
	double seconds;

	if (date >= 0)
		return capped(date > wall ? (double)(date - wall) : 0);
	return str_to_double(s, &seconds) ? capped(seconds * 1000) : -1;
}

msec
failure_retry_after_exact(struct str value)
{
	double ms;

	return str_to_double(str_trim(value), &ms) ? capped(ms) : -1;
}

/* Doubling, and a quarter of it more or less so that many do not come back
 * together. */
msec
failure_backoff(unsigned attempt, uint32_t random)
{
	msec base = BACKOFF_FIRST_MS;

	while (attempt-- > 0 && base < BACKOFF_LAST_MS)
		base *= 2;
	return base * 3 / 4 + (msec)(random % (uint32_t)(base / 2));
}
