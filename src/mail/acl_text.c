/*
 * acl_text.c - reads the string encoding of FIPA00070.
 *
 * Beside what the grammar has, it takes what tools of FIPA write: acts and names of parameters
 * in any case; an agent as a bare word or string, and several in parentheses without `set`
 * (FIPA 97); words that begin with a digit (ids); content that is an expression in parentheses.
 * In a string a backslash stands for itself, but before a quote: then the quote does.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "mail/acl_priv.h"

#define SHOWN 64                             /* bytes of a text in an error */

enum token_kind { T_END, T_OPEN, T_CLOSE, T_NAME, T_WORD, T_STRING };

struct token {
	enum token_kind kind;
	struct str text;                     /* decoded; a name without its colon */
	const char *at;
};

struct reader {
	const char *begin, *p, *end;
	struct acl *m;
	struct acl_room *room;
	struct arena *a;
	struct err *e;
	msec now;
	bool trusted, json;                  /* content is JSON text */
	uint32_t given;                      /* tags, as bits */
	uint32_t given_words;                /* rows of envelope[] */
};

static int
fail_at(struct reader *r, const char *at, const char *words)
{
	return err_set(r->e, ERR_SYNTAX, "byte %zu: %s", (size_t)(at - r->begin) + 1, words);
}

/* ---- tokens -------------------------------------------------------------------- */

static bool
is_blank(char c)
{
	return (unsigned char)c <= ' ';
}

/* After the quote at r->p: up to the next one without a backslash before it. */
static int
string_token(struct reader *r, struct token *t)
{
	const char *from = ++r->p;
	size_t escapes = 0;
	char *to;

	for (; r->p < r->end && *r->p != '"'; r->p++)
		if (*r->p == '\\' && r->p + 1 < r->end && r->p[1] == '"')
			escapes++, r->p++;
	if (r->p == r->end)
		return fail_at(r, t->at, "a string that has no end; expected a quote without "
		    "a backslash before it");
	t->text = (struct str){ from, (size_t)(r->p++ - from) };
	if (escapes == 0)
		return OK;
	to = arena_alloc(r->a, t->text.n);
	if (to == NULL)
		return ERR_TOOBIG;
	t->text.n = 0;
	for (const char *c = from; c < r->p - 1; c++) {
		c += *c == '\\' && c[1] == '"';
		to[t->text.n++] = *c;
	}
	t->text.p = to;
	return OK;
}

/* #5"abcde */
static int
counted_token(struct reader *r, struct token *t)
{
	const char *digits = ++r->p;
	uint64_t n;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	if (r->p == r->end || *r->p != '"' ||
	    !str_to_u64((struct str){ digits, (size_t)(r->p - digits) }, &n))
		return fail_at(r, t->at, "expected #LENGTH\" and so many bytes");
	r->p++;
	if (n > (size_t)(r->end - r->p))
		return fail_at(r, t->at, "a string of more bytes than follow it");
	t->text = (struct str){ r->p, n };
	r->p += n;
	return OK;
}

static int
next_token(struct reader *r, struct token *t)
{
	while (r->p < r->end && is_blank(*r->p))
		r->p++;
	*t = (struct token){ .kind = T_END, .at = r->p };
	if (r->p == r->end)
		return OK;
	if (*r->p == '(' || *r->p == ')') {
		t->kind = *r->p++ == '(' ? T_OPEN : T_CLOSE;
		return OK;
	}
	t->kind = T_STRING;
	if (*r->p == '"')
		return string_token(r, t);
	if (*r->p == '#')
		return counted_token(r, t);
	t->kind = *r->p == ':' ? T_NAME : T_WORD;
	r->p += t->kind == T_NAME;
	t->text.p = r->p;
	while (r->p < r->end && !is_blank(*r->p) && *r->p != '(' && *r->p != ')')
		r->p++;
	t->text.n = (size_t)(r->p - t->text.p);
	return OK;
}

static int
need_open(struct reader *r, const char *words)
{
	struct token t;
	int rc = next_token(r, &t);

	return rc != OK || t.kind == T_OPEN ? rc : fail_at(r, t.at, words);
}

/* A word or a string. */
static int
need_plain(struct reader *r, struct token *t)
{
	int rc = next_token(r, t);

	return rc != OK || t->kind == T_WORD || t->kind == T_STRING ? rc :
	    fail_at(r, t->at, "expected a word or a string");
}

/* Any expression, its first token read already: to its end. */
static int
skip_expression(struct reader *r, struct token t)
{
	size_t depth = 0;
	int rc = OK;

	for (;;) {
		depth += t.kind == T_OPEN;
		if (t.kind == T_END || (t.kind == T_CLOSE && depth == 0) ||
		    (t.kind == T_NAME && depth == 0))
			return fail_at(r, t.at, "expected an expression");
		depth -= t.kind == T_CLOSE;
		if (depth == 0)
			return OK;
		rc = next_token(r, &t);
		if (rc != OK)
			return rc;
	}
}

/* ---- values --------------------------------------------------------------------- */

/* In e are words without a path: puts the parameter in front. */
static int
of_param(struct reader *r, struct str name, int rc)
{
	struct err words;

	if (rc == OK || r->e == NULL)
		return rc;
	words = *r->e;
	return err_set(r->e, rc, ":%.*s: %s", FMT(str_cut(name, SHOWN)), words.text);
}

/* The parts of (agent-identifier ...) after its word.  Only the name matters here:
 * transport addresses and resolvers say how to reach an agent elsewhere. */
static int
read_identifier(struct reader *r, struct str *name)
{
	struct token t, value;
	int rc = next_token(r, &t);

	*name = STR_NONE;
	while (rc == OK && t.kind == T_NAME) {
		bool is_name = str_eq_nocase(t.text, S("name"));

		rc = is_name ? need_plain(r, &value) : next_token(r, &value);
		if (rc == OK && is_name)
			*name = value.text;
		else if (rc == OK)
			rc = skip_expression(r, value);
		if (rc == OK)
			rc = next_token(r, &t);
	}
	if (rc == OK && t.kind != T_CLOSE)
		return fail_at(r, t.at, "expected a parameter of the agent-identifier, or )");
	if (rc == OK && name->p == NULL)
		return fail_at(r, t.at, "an agent-identifier without :name");
	return rc;
}

static int
take_agent(struct reader *r, struct str address, struct str *out, size_t max, size_t *n)
{
	if (*n == max)
		return err_set(r->e, ERR_LIMIT, "expected at most %zu %s, got more%s", max,
		    max == 1 ? "agent" : "agents",
		    max == 1 ? "" : "; an address all:NAME reaches more");
	out[(*n)++] = address;
	return OK;
}

/* Agents up to the ) of a set, the first token read already. */
static int
read_set(struct reader *r, struct token t, struct str *out, size_t max, size_t *n)
{
	int rc = OK;

	while (rc == OK && t.kind != T_CLOSE) {
		struct str name = t.text;

		if (t.kind == T_OPEN) {
			rc = need_plain(r, &t);
			if (rc == OK && !str_eq_nocase(t.text, S("agent-identifier")))
				rc = fail_at(r, t.at, "expected agent-identifier");
			if (rc == OK)
				rc = read_identifier(r, &name);
		} else if (t.kind != T_WORD && t.kind != T_STRING) {
			rc = fail_at(r, t.at, "expected an agent or )");
		}
		if (rc == OK)
			rc = take_agent(r, name, out, max, n);
		if (rc == OK)
			rc = next_token(r, &t);
	}
	return rc;
}

/* One agent, or a set of up to max. */
static int
read_agents(struct reader *r, struct str *out, size_t max, size_t *n)
{
	struct token t;
	struct str name;
	int rc = next_token(r, &t);

	*n = 0;
	if (rc != OK)
		return rc;
	if (t.kind == T_WORD || t.kind == T_STRING)
		return take_agent(r, t.text, out, max, n);
	if (t.kind != T_OPEN)
		return fail_at(r, t.at, "expected (agent-identifier :name NAME), or a set of them");
	rc = next_token(r, &t);
	if (rc != OK)
		return rc;
	if (t.kind == T_WORD && str_eq_nocase(t.text, S("agent-identifier"))) {
		rc = read_identifier(r, &name);
		return rc == OK ? take_agent(r, name, out, max, n) : rc;
	}
	if (t.kind == T_WORD && (str_eq_nocase(t.text, S("set")) ||
	    str_eq_nocase(t.text, S("sequence"))))
		rc = next_token(r, &t);
	return rc == OK ? read_set(r, t, out, max, n) : rc;
}

/* Digits of a date into `shape`, whose # stand for them; false: others, or not all. */
static bool
fill(struct str s, const char *shape, char *out, struct str *rest)
{
	size_t n = 0;

	for (; *shape != '\0'; shape++, out++) {
		*out = *shape;
		if (*shape != '#' && *shape != 'T')
			continue;
		if (n == s.n || (*shape == '#' ? s.p[n] < '0' || s.p[n] > '9' :
		    (s.p[n] & ~0x20) != 'T'))
			return false;
		if (*shape == '#')
			*out = s.p[n];
		n++;
	}
	*rest = str_sub(s, n, s.n);
	return true;
}

static msec
number_at(const char *p, int digits)
{
	msec n = 0;

	for (int i = 0; i < digits; i++)
		n = n * 10 + (p[i] - '0');
	return n;
}

/* +00000000T000015000: a time from now, its months of 30 days and years of 365. */
static bool
relative_date(struct str s, msec now, msec *out)
{
	char d[] = "####-##-##T##:##:##.###";
	const msec day = 24 * 3600 * 1000;
	struct str rest;
	msec t;

	if (!fill(str_sub(s, 1, s.n), "####-##-##T##:##:##.###", d, &rest) || rest.n > 0)
		return false;
	t = (number_at(d, 4) * 365 + number_at(d + 5, 2) * 30 + number_at(d + 8, 2)) * day +
	    number_at(d + 11, 2) * 3600000 + number_at(d + 14, 2) * 60000 +
	    number_at(d + 17, 2) * 1000 + number_at(d + 20, 3);
	*out = s.p[0] == '-' ? now - t : now + t;
	return true;
}

/* 20261130T120000000Z; without milliseconds too.  Without Z it is the server's local time,
 * which is UTC. */
static bool
absolute_date(struct str s, msec *out)
{
	char d[] = "####-##-##T##:##:##.###Z";
	struct str rest;
	size_t n = sizeof d - 2;

	if (!fill(s, "####-##-##T##:##:##.###", d, &rest)) {
		if (!fill(s, "####-##-##T##:##:##", d, &rest))
			return false;
		n = strlen("####-##-##T##:##:##");
	}
	d[n] = 'Z';
	return (rest.n == 0 || (rest.n == 1 && (rest.p[0] & ~0x20) == 'Z')) &&
	    clock_read_iso((struct str){ d, n + 1 }, out);
}

static int
read_date(struct reader *r, msec *out)
{
	struct token t;
	bool relative, good;
	int rc = need_plain(r, &t);

	if (rc != OK)
		return rc;
	relative = t.text.n > 0 && (t.text.p[0] == '+' || t.text.p[0] == '-');
	good = relative ? relative_date(t.text, r->now, out) :
	    absolute_date(t.text, out) || clock_read_iso(t.text, out);
	if (!good || *out <= 0 || *out > ACL_TIME_MAX)
		return err_set(r->e, ERR_INVALID, "expected a date as in 20261130T120000000Z, or "
		    "+00000000T000015000 from now, got \"%.*s\"", FMT(str_cut(t.text, SHOWN)));
	return OK;
}

/* ---- expressions as JSON ----------------------------------------------------------- */

static int expression_json(struct reader *r, struct token t, unsigned depth, struct buf *out);

/* The string after (json, which is the text of a value, and the ). */
static int
value_json(struct reader *r, struct str text, struct buf *out)
{
	struct token t;
	int rc = json_check(text, r->e);

	buf_add(out, str_trim(text));
	if (rc == OK)
		rc = next_token(r, &t);
	return rc == OK && t.kind != T_CLOSE ? fail_at(r, t.at, "expected )") : rc;
}

/* After its (: (json "TEXT") is that value, anything else an array. */
static int
list_json(struct reader *r, unsigned depth, struct buf *out)
{
	struct token t, value;
	int rc = next_token(r, &t);

	buf_add_char(out, '[');
	if (rc == OK && t.kind == T_WORD && str_eq(t.text, S("json"))) {
		rc = next_token(r, &value);
		if (rc == OK && value.kind == T_STRING) {
			buf_cut(out, out->n - 1);
			return value_json(r, value.text, out);
		}
		json_add_str(out, t.text);
		t = value;
	}
	while (rc == OK && t.kind != T_CLOSE) {
		json_add_comma(out);
		rc = expression_json(r, t, depth + 1, out);
		if (rc == OK)
			rc = next_token(r, &t);
	}
	buf_add_char(out, ']');
	return rc;
}

static int
expression_json(struct reader *r, struct token t, unsigned depth, struct buf *out)
{
	if (depth > LIMIT_ACL_DEPTH)
		return fail_at(r, t.at, "an expression of more than 16 levels");
	switch (t.kind) {
	case T_OPEN:
		return list_json(r, depth, out);
	case T_STRING:
		json_add_str(out, t.text);
		return OK;
	case T_WORD:
		if (((t.text.p[0] >= '0' && t.text.p[0] <= '9') || t.text.p[0] == '-') &&
		    json_check(t.text, NULL) == OK)
			buf_add(out, t.text);
		else
			json_add_str(out, t.text);
		return OK;
	default:
		return fail_at(r, t.at, "expected an expression");
	}
}

static int
read_extra(struct reader *r, struct str name)
{
	struct buf b = BUF(LIMIT_ACL_CONTENT_BYTES);
	struct token t;
	int rc = acl_check_extra_name(name, r->e);

	for (size_t i = 0; rc == OK && i < r->m->extras_n; i++)
		if (str_eq_nocase(r->room->extras[i].name, name))
			rc = err_set(r->e, ERR_INVALID, "given twice");
	if (rc == OK)
		rc = next_token(r, &t);
	if (rc == OK)
		rc = expression_json(r, t, 0, &b);
	if (rc == OK && b.failed)
		rc = err_set(r->e, ERR_TOOBIG, "too large");
	if (rc == OK)
		rc = acl_put_extra(r->m, r->room, name, arena_str(r->a, buf_str(&b)), r->e);
	buf_release(&b);
	return rc;
}

/* ---- parameters --------------------------------------------------------------------- */

static int
read_text(struct reader *r, const struct acl_param *p)
{
	struct str *s = acl_str_at(r->m, p);
	struct token t;
	size_t n;
	int rc;

	if (p == &acl_params[ACL_SENDER] || p->kind == ACL_AS_ADDRESS) {
		rc = read_agents(r, s, 1, &n);
	} else {
		rc = need_plain(r, &t);
		*s = rc == OK ? t.text : STR_NONE;
	}
	if (rc != OK || s->n == 0)
		return rc;
	return p->kind == ACL_AS_ADDRESS ? acl_check_address(*s, r->e) :
	    p == &acl_params[ACL_TRACE] ? acl_check_trace(*s, r->e) : acl_check_text(*s, r->e);
}

static int
read_receivers(struct reader *r)
{
	size_t n;
	int rc = read_agents(r, r->room->receivers, LIMIT_ACL_RECEIVERS, &n);

	for (size_t i = 0; rc == OK && i < n; i++)
		rc = acl_check_address(r->room->receivers[i], r->e);
	r->m->receivers_n = rc == OK ? n : 0;
	return rc;
}

/* A string, or an expression as it is written. */
static int
read_content(struct reader *r)
{
	struct token t;
	int rc = next_token(r, &t);

	if (rc == OK)
		rc = skip_expression(r, t);
	if (rc == OK)
		r->m->content = t.kind == T_OPEN ?
		    (struct str){ t.at, (size_t)(r->p - t.at) } : t.text;
	return rc;
}

static int
read_id(struct reader *r)
{
	struct token t;
	int rc = need_plain(r, &t);

	if (rc == OK && (!uuid_parse(t.text, &r->m->message_id) || uuid_is_zero(&r->m->message_id)))
		return err_set(r->e, ERR_INVALID, "expected a UUID, got \"%.*s\"",
		    FMT(str_cut(t.text, SHOWN)));
	return rc;
}

static int
read_param(struct reader *r, const struct acl_param *p)
{
	uint32_t bit = UINT32_C(1) << (p - acl_params);
	int rc;

	if (r->given & bit)
		return err_set(r->e, ERR_INVALID, "given twice");
	r->given |= bit;
	switch (p->kind) {
	case ACL_AS_TEXT: case ACL_AS_ADDRESS:
		return read_text(r, p);
	case ACL_AS_ADDRESSES:
		return read_receivers(r);
	case ACL_AS_TIME:
		rc = read_date(r, acl_time_at(r->m, p));
		return rc == OK && p == &acl_params[ACL_CREATED] && !r->trusted ?
		    err_set(r->e, ERR_INVALID, "the server sets it; expected a message "
		    "without one") : rc;
	case ACL_AS_ID:
		return read_id(r);
	default:
		assert(p->kind == ACL_AS_JSON);
		return read_content(r);
	}
}

/* ---- the envelope -------------------------------------------------------------------- */

static const struct { const char *word; int64_t min, max; } envelope[] = {
	{ "x-priority", 0, ACL_PRIORITIES - 1 }, { "x-max-retries", 1, ACL_RETRIES_MAX },
	{ "x-ttl", 1, ACL_TTL_MAX }, { "x-receipt", 0, 1 }, { "x-durable", 0, 1 },
	{ "x-content", 0, 1 },
};
enum { E_PRIORITY, E_RETRIES, E_TTL, E_RECEIPT, E_DURABLE, E_CONTENT };

static int
envelope_find(struct str name)
{
	for (size_t i = 0; i < COUNT(envelope); i++)
		if (str_eq_nocase(name, str_of(envelope[i].word)))
			return (int)i;
	return -1;
}

static bool
envelope_value(int row, struct str s, int64_t *out)
{
	nsec ns;

	*out = str_eq_nocase(s, S("true")) || str_eq_nocase(s, S("json"));
	if (row == E_CONTENT)
		return str_eq_nocase(s, S("json"));
	if (row == E_RECEIPT || row == E_DURABLE)
		return str_eq_nocase(s, S("true")) || str_eq_nocase(s, S("false"));
	if (row == E_TTL && clock_parse(s, NS_PER_MS, &ns)) {
		*out = ns / NS_PER_MS;
		return true;
	}
	return str_to_i64(s, out);
}

static int
read_envelope(struct reader *r, int row)
{
	struct acl_delivery *d = &r->m->delivery;
	struct token t;
	int64_t v;
	int rc;

	if (r->given_words & 1u << row)
		return err_set(r->e, ERR_INVALID, "given twice");
	r->given_words |= 1u << row;
	rc = need_plain(r, &t);
	if (rc != OK)
		return rc;
	if (!envelope_value(row, t.text, &v) || v < envelope[row].min || v > envelope[row].max)
		return err_set(r->e, ERR_INVALID, row == E_CONTENT ? "expected json" :
		    row >= E_RECEIPT ? "expected true or false" :
		    "expected a number from %lld to %lld", (long long)envelope[row].min,
		    (long long)envelope[row].max);
	switch (row) {
	case E_PRIORITY: d->priority = (uint8_t)v; break;
	case E_RETRIES: d->max_retries = (uint8_t)v; break;
	case E_TTL: d->ttl = v; break;
	case E_RECEIPT: d->receipt = v != 0; break;
	case E_DURABLE: d->durable = v != 0; break;
	default: r->json = true; break;
	}
	return OK;
}

/* ---- the message ------------------------------------------------------------------------ */

static int
unknown_param(struct reader *r, struct str name)
{
	struct str_near near = { .word = str_cut(name, SHOWN) };

	for (int tag = ACL_SENDER; tag < ACL_TAGS; tag++)
		if (acl_params[tag].word != NULL)
			str_near_try(&near, acl_params[tag].word);
	return err_near(r->e, ERR_INVALID, near.best, "\"",
	    "unknown parameter; one's own begin with x-");
}

static int
read_any(struct reader *r, struct str name)
{
	int row = envelope_find(name);

	if (row >= 0)
		return read_envelope(r, row);
	for (int tag = ACL_MESSAGE_ID; tag < ACL_TAGS; tag++)
		if (acl_params[tag].word != NULL &&
		    str_eq_nocase(name, str_of(acl_params[tag].word)))
			return read_param(r, &acl_params[tag]);
	return acl_is_extra(name) ? read_extra(r, name) : unknown_param(r, name);
}

static int
read_act(struct reader *r)
{
	struct token t;
	int rc = need_open(r, "expected ( and a communicative act"), act;

	if (rc == OK)
		rc = next_token(r, &t);
	if (rc != OK)
		return rc;
	if (t.kind != T_WORD)
		return fail_at(r, t.at, "expected a communicative act, as in (inform ...)");
	act = acl_act_find(t.text);
	if (act < 0)
		return acl_bad_act(t.text, r->e);
	r->m->act = (enum acl_act)act;
	return OK;
}

static int
read_message(struct reader *r)
{
	struct token t;
	int rc = read_act(r);

	if (rc == OK)
		rc = next_token(r, &t);
	while (rc == OK && t.kind == T_NAME) {
		rc = of_param(r, t.text, read_any(r, t.text));
		if (rc == OK)
			rc = next_token(r, &t);
	}
	if (rc == OK && t.kind != T_CLOSE)
		return fail_at(r, t.at, "expected a :parameter or )");
	if (rc == OK)
		rc = next_token(r, &t);
	return rc == OK && t.kind != T_END ?
	    fail_at(r, t.at, "expected nothing after the message") : rc;
}

/* What content is depends on language, which may stand behind it. */
static int
settle_content(struct reader *r)
{
	struct buf b = BUF(LIMIT_HTTP_BODY_BYTES);
	struct str *c = &r->m->content;
	int rc = OK;

	if ((r->given & UINT32_C(1) << ACL_CONTENT) == 0)
		return r->json ? err_set(r->e, ERR_INVALID, "is missing") : OK;
	if (r->json || acl_is_json(r->m)) {
		*c = str_trim(*c);
		rc = json_check(*c, r->e);
	} else {
		json_add_str(&b, *c);
		*c = arena_str(r->a, buf_str(&b));
	}
	buf_release(&b);
	return rc == OK ? acl_check_content(*c, r->e) : rc;
}

int
acl_from_text(struct acl *out, struct str text, bool trusted, msec now, struct arena *a,
    struct acl_room *room, struct err *e)
{
	struct reader r = { .begin = text.p, .p = text.p, .end = text.p + text.n, .m = out,
	    .room = room, .a = a, .e = e, .now = now, .trusted = trusted };
	int rc;

	*out = (struct acl){ .receivers = room->receivers, .extras = room->extras };
	if (!str_is_utf8(text))
		return err_set(e, ERR_SYNTAX, "expected UTF-8");
	rc = read_message(&r);
	if (rc == OK)
		rc = of_param(&r, S("content"), settle_content(&r));
	if (rc == OK && out->receivers_n == 0 && !trusted)
		return err_set(e, ERR_INVALID, ":receiver: missing; expected an agent, as in "
		    "(agent-identifier :name NAME)");
	if (rc == OK && arena_rc(a) != OK)
		return err_set(e, ERR_TOOBIG, "message: too large");
	return rc;
}
