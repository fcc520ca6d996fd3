/*
 * http_parse.c - from bytes to a request, strictly.
 *
 * The head is collected first, byte rules checked on the way (lines end in
 * CRLF, no other control bytes, no folded lines), and given to llhttp whole.
 * So it does not matter how a head was cut into reads, and llhttp and this
 * file must agree on where it ends.
 *
 * Bodies are decoded here: the distribution builds llhttp in its loose mode,
 * which does not look at the bytes behind a chunk.  Whatever could be read in
 * two ways is refused; two servers that disagree are a hole.
 *
 * Pure: no sockets, no clock.  One request at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"
#include "base/account.h"
#include "base/hmac.h"
#include "base/mem.h"

#include <assert.h>
#include <llhttp.h>
#include <string.h>

#define HEAD_MAX   (LIMIT_HTTP_URL_BYTES + LIMIT_HTTP_HEADER_BYTES + READ_SIZE)
#define HEAD_KEEP  (8 * KB)                  /* memory kept for the next request */
#define BODY_KEEP  (16 * KB)
#define ARENA_MAX  (4 * (size_t)LIMIT_HTTP_BODY_BYTES)
#define FRAMING_MAX(body) (LIMIT_HTTP_HEADER_BYTES + 8 * (body))

/* Characters of a token (RFC 9110 section 5.6.2) and of a Host. */
#define TOKEN 1
#define HOST  2

static const uint8_t kinds[256] = {
	['!'] = TOKEN | HOST, ['#'] = TOKEN, ['$'] = TOKEN | HOST,
	['%'] = TOKEN | HOST, ['&'] = TOKEN | HOST, ['\''] = TOKEN | HOST,
	['*'] = TOKEN | HOST, ['+'] = TOKEN | HOST, ['-'] = TOKEN | HOST,
	['.'] = TOKEN | HOST, ['^'] = TOKEN, ['_'] = TOKEN | HOST,
	['`'] = TOKEN, ['|'] = TOKEN, ['~'] = TOKEN | HOST,
	['('] = HOST, [')'] = HOST, [';'] = HOST, ['='] = HOST,
	[':'] = HOST, ['['] = HOST, [']'] = HOST,
	['0' ... '9'] = TOKEN | HOST, ['a' ... 'z'] = TOKEN | HOST,
	['A' ... 'Z'] = TOKEN | HOST,
};

static bool
all_of(struct str s, uint8_t kind)
{
	for (size_t i = 0; i < s.n; i++)
		if ((kinds[(unsigned char)s.p[i]] & kind) == 0)
			return false;
	return true;
}

void
http_request_give_back(struct request *q)
{
	size_t holds = request_holds(q);

	if (holds >= q->charged)
		return;
	account_give(&account_bodies, q->charged - holds);
	q->charged = holds;
}

void
http_request_init(struct request *q)
{
	memset(q, 0, sizeof *q);
	q->mark = REQUEST_MARK;
	q->head = BUF(HEAD_MAX);
	q->body = BUF(LIMIT_HTTP_BODY_BYTES);
	q->r.arena = ARENA(ARENA_MAX);
}

/* Keeps what the next request will need again, gives back the rest. */
void
http_request_clear(struct request *q)
{
	struct request old = *q;

	CHECK_MARK(q, REQUEST_MARK);
	if (old.head.cap > HEAD_KEEP)
		buf_release(&old.head);
	if (old.body.cap > BODY_KEEP)
		buf_release(&old.body);
	http_request_give_back(&old);
	buf_clear(&old.head);
	buf_clear(&old.body);
	arena_clear(&old.r.arena);
	memset(q, 0, offsetof(struct request, peer));
	q->mark = REQUEST_MARK;
	q->head = old.head;
	q->body = old.body;
	q->r.arena = old.r.arena;
	q->r.headers = old.r.headers;
	q->headers_cap = old.headers_cap;
	q->charged = old.charged;
	q->l = old.l;
}

void
http_request_drop_parts(struct request *q)
{
	arena_clear(&q->r.arena);
	if (q->body.cap > HEAD_FREE)
		buf_release(&q->body);
	http_request_give_back(q);
	q->r.body = STR_NONE;
	q->r.user = NULL;
}

void
http_request_fit(struct request *q)
{
	http_request_drop_parts(q);
	arena_release(&q->r.arena);
	buf_release(&q->body);
	http_request_give_back(q);
	q->headers_cap = q->r.headers_n;
	q->r.headers = mem_resize(q->r.headers, q->headers_cap * sizeof *q->r.headers);
}

void
http_request_release(struct request *q)
{
	CHECK_MARK(q, REQUEST_MARK);
	CHECK_END(q);
	buf_release(&q->head);
	buf_release(&q->body);
	http_request_give_back(q);
	arena_release(&q->r.arena);
	free(q->r.headers);
	q->r.headers = NULL;
}

void
http_parse_begin(struct http_parse *p, struct request *q)
{
	CHECK_MARK(q, REQUEST_MARK);
	*p = (struct http_parse){ .req = q, .state = IN_BREAKS, .first_line = true };
}

static enum parse_result
refuse(struct http_parse *p, int status, const char *why)
{
	p->state = IN_NOTHING;
	p->status = status;
	p->why = why;
	return PARSE_REFUSED;
}

/* The head, by bytes. */

static enum parse_result
refuse_byte(struct http_parse *p, unsigned char ch)
{
	if (ch == '\n')
		return refuse(p, 400, "a line must end in CR LF");
	return refuse(p, 400, p->first_line ? "a control byte in the request line" :
	    "a control byte in a header");
}

/* Moves over bytes of the head.  PARSE_DONE: over its last one. */
static enum parse_result
scan_head(struct http_parse *p, const char **at, const char *end)
{
	const unsigned char *s = (const unsigned char *)*at;
	const unsigned char *e = (const unsigned char *)end;
	enum parse_result result = PARSE_MORE;

	for (; s < e && result == PARSE_MORE; s++) {
		unsigned char ch = *s;

		if (p->cr) {
			if (ch != '\n')
				return refuse(p, 400, "a bare CR");
			p->cr = false;
			if (p->line == 0)
				result = PARSE_DONE;
			else if (p->first_line)
				p->first_n = p->line;
			p->first_line = false;
			p->line = 0;
		} else if (ch > 0x20 && ch != 0x7f) {
			p->line++;
		} else if (ch == ' ' || (ch == '\t' && !p->first_line)) {
			if (p->line == 0)
				return refuse(p, 400, "a folded or blank header line");
			p->line++;
		} else if (ch == '\r') {
			p->cr = true;
		} else {
			return refuse_byte(p, ch);
		}
	}
	*at = (const char *)s;
	return result;
}

static enum parse_result parse_head(struct http_parse *p);

static enum parse_result
take_head(struct http_parse *p, const char **at, const char *end)
{
	struct buf *head = &p->req->head;
	const char *from = *at;
	enum parse_result result = scan_head(p, at, end);

	if (result == PARSE_REFUSED)
		return result;
	if ((p->first_line ? p->line : p->first_n) > LIMIT_HTTP_URL_BYTES)
		return refuse(p, 414, "the request line is too long");
	buf_add(head, (struct str){ from, (size_t)(*at - from) });
	if (head->failed || head->n - p->first_n > LIMIT_HTTP_HEADER_BYTES)
		return refuse(p, p->first_line ? 414 : 431, "the headers are too large");
	return result == PARSE_DONE ? parse_head(p) : PARSE_MORE;
}

/* The head, by llhttp. */

struct head {
	struct http_parse *p;
	struct str url;
	bool complete, too_many;
};

static int
on_url(llhttp_t *ll, const char *at, size_t n)
{
	struct head *h = ll->data;

	h->url = (struct str){ at, n };
	return 0;
}

static int
on_field(llhttp_t *ll, const char *at, size_t n)
{
	struct head *h = ll->data;
	struct request *q = h->p->req;

	if (q->r.headers_n == LIMIT_HTTP_HEADER_COUNT) {
		h->too_many = true;
		return -1;
	}
	mem_grow(q->r.headers, q->r.headers_n, q->headers_cap);
	q->r.headers[q->r.headers_n++] = (struct http_header){ .name = { at, n } };
	return 0;
}

static int
on_value(llhttp_t *ll, const char *at, size_t n)
{
	struct head *h = ll->data;
	struct http_req *r = &h->p->req->r;

	assert(r->headers_n > 0);
	r->headers[r->headers_n - 1].value = str_trim((struct str){ at, n });
	return 0;
}

static int
on_head(llhttp_t *ll)
{
	struct head *h = ll->data;

	h->complete = true;
	h->p->req->wants_keep = llhttp_should_keep_alive(ll) != 0;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_url = on_url, .on_header_field = on_field, .on_header_value = on_value,
	.on_headers_complete = on_head,
};

static const struct {
	int code, status;
	const char *why;
} head_errors[] = {
	{ HPE_INVALID_METHOD,   400, "unknown method" },
	{ HPE_INVALID_VERSION,  505, "expected HTTP/1.0 or HTTP/1.1" },
	{ HPE_INVALID_URL,      400, "malformed request target" },
	{ HPE_INVALID_CONSTANT, 400, "malformed request line" },
	{ HPE_INVALID_HEADER_TOKEN, 400, "malformed header" },
	{ HPE_INVALID_CONTENT_LENGTH, 400, "malformed Content-Length" },
	{ HPE_INVALID_TRANSFER_ENCODING, 400, "malformed Transfer-Encoding" },
	{ HPE_UNEXPECTED_CONTENT_LENGTH, 400,
	  "several Content-Length, or one beside Transfer-Encoding" },
};

static enum parse_result
refuse_head(struct http_parse *p, const struct head *h, llhttp_t *ll)
{
	if (h->too_many)
		return refuse(p, 431, "too many headers");
	if (str_starts(buf_str(&p->req->head), S("PRI * HTTP/2")))
		return refuse(p, 505, "HTTP/2 is not supported");
	for (size_t i = 0; i < COUNT(head_errors); i++)
		if (head_errors[i].code == (int)llhttp_get_errno(ll))
			return refuse(p, head_errors[i].status, head_errors[i].why);
	return refuse(p, 400, "malformed request");
}

/* What the headers mean. */

struct meaning {
	unsigned hosts, lengths, codings, expects;
	unsigned once[3];                    /* of `single` */
	struct str host, coding, expect;
	bool encoded;
	const char *bad;
};

/* A server that reads the first and one that reads the last would let in
 * different people. */
static const struct {
	struct str name;
	const char *why;
} single[] = {
	{ { "authorization", 13 }, "several Authorization headers; send one" },
	{ { "x-api-key", 9 }, "several X-Api-Key headers; send one" },
	{ { "origin", 6 }, "several Origin headers; send one" },
};

static void
count_single(struct meaning *m, struct str name)
{
	for (size_t i = 0; i < COUNT(single); i++)
		if (str_eq_nocase(name, single[i].name) && m->once[i]++ > 0)
			m->bad = single[i].why;
}

static void
meaning_add(struct meaning *m, struct request *q, const struct http_header *h)
{
	count_single(m, h->name);
	if (h->name.n == 0 || !all_of(h->name, TOKEN))
		m->bad = "malformed header name";
	switch (h->name.n) {
	case 4:
		if (str_eq_nocase(h->name, S("host"))) {
			m->hosts++;
			m->host = h->value;
		}
		break;
	case 6:
		if (str_eq_nocase(h->name, S("expect"))) {
			m->expects++;
			m->expect = h->value;
		}
		break;
	case 14:
		if (str_eq_nocase(h->name, S("content-length"))) {
			m->lengths++;
			q->has_length = true;
			if (!str_to_u64(h->value, &q->length))
				m->bad = "malformed Content-Length";
		}
		break;
	case 16:
		if (str_eq_nocase(h->name, S("content-encoding")) &&
		    !str_eq_nocase(h->value, S("identity")))
			m->encoded = true;
		break;
	case 17:
		if (str_eq_nocase(h->name, S("transfer-encoding"))) {
			m->codings++;
			m->coding = h->value;
		}
		break;
	default:
		break;
	}
}

/* RFC 9112 section 6.1. */
static enum parse_result
check_coding(struct http_parse *p, const struct meaning *m)
{
	struct str rest = m->coding, part = STR_NONE;
	unsigned n = 0, chunked = 0;

	if (p->req->r.http10)
		return refuse(p, 400, "Transfer-Encoding in HTTP/1.0");
	if (m->lengths > 0)
		return refuse(p, 400, "Content-Length beside Transfer-Encoding");
	if (m->codings > 1)
		return refuse(p, 400, "several Transfer-Encoding");
	while (str_next(&rest, ',', &part)) {
		part = str_trim(part);
		chunked += str_eq_nocase(part, S("chunked"));
		n++;
	}
	if (!str_eq_nocase(part, S("chunked")) || chunked > 1)
		return refuse(p, 400, "Transfer-Encoding does not end in one chunked");
	if (n > 1)
		return refuse(p, 501, "a transfer coding other than chunked");
	p->req->chunked = true;
	return PARSE_DONE;
}

static enum parse_result
check_headers(struct http_parse *p, struct str authority)
{
	struct request *q = p->req;
	struct meaning m = { 0 };

	for (size_t i = 0; i < q->r.headers_n; i++)
		meaning_add(&m, q, &q->r.headers[i]);
	if (m.bad != NULL)
		return refuse(p, 400, m.bad);
	if (m.hosts > 1)
		return refuse(p, 400, "several Host headers");
	if (m.hosts == 0 && !q->r.http10)
		return refuse(p, 400, "no Host header");
	if (!all_of(m.host, HOST))
		return refuse(p, 400, "malformed Host");
	if (authority.n > 0 && m.hosts > 0 && !str_eq_nocase(authority, m.host))
		return refuse(p, 400, "Host and the request target differ");
	if (m.lengths > 1)
		return refuse(p, 400, "several Content-Length");
	if (m.codings > 0 && check_coding(p, &m) == PARSE_REFUSED)
		return PARSE_REFUSED;
	if (m.encoded)
		return refuse(p, 415, "a Content-Encoding; send the body as it is");
	if (m.expects > 0 && !q->r.http10) {
		if (m.expects > 1 || !str_eq_nocase(m.expect, S("100-continue")))
			return refuse(p, 417, "an expectation other than 100-continue");
		q->expects = true;
	}
	return PARSE_DONE;
}

/* A slash that is no slash: what stands before this server may take it for
 * one, and then not ask who may go there. */
static bool
hides_slash(struct str s)
{
	for (size_t i = 0; i + 2 < s.n; i++)
		if (s.p[i] == '%' && s.p[i + 1] == '2' && (s.p[i + 2] | 0x20) == 'f')
			return true;
	return false;
}

ptrdiff_t
http_decode(struct str s, char *to, bool form)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char ch = form && s.p[i] == '+' ? ' ' : s.p[i];

		if (ch == '%') {
			if (!hex_decode(str_sub(s, i + 1, 2), &ch, 1) || ch == '\0')
				return -1;
			i += 2;
		}
		to[n++] = ch;
	}
	return (ptrdiff_t)n;
}

static bool
is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '%' || (s.p[i] & 0x80) != 0)
			return false;
	return true;
}

/* Takes scheme and authority off an absolute target (section 3.2.2). */
static const char *
split_target(struct str *url, struct str *authority)
{
	static const struct str scheme = { "http://", 7 };

	*authority = STR_NONE;
	if (str_index(*url, '#') >= 0)
		return "a fragment in the request target";
	if (url->n > 0 && url->p[0] == '/')
		return NULL;
	if (!str_eq_nocase(str_sub(*url, 0, scheme.n), scheme))
		return "the request target must be a path or an http URL";
	*url = str_sub(*url, scheme.n, url->n);
	*authority = *url;
	for (size_t i = 0; i < url->n; i++)
		if (url->p[i] == '/' || url->p[i] == '?') {
			*authority = str_sub(*url, 0, i);
			break;
		}
	*url = str_sub(*url, authority->n, url->n);
	return authority->n == 0 || !all_of(*authority, HOST) ?
	    "malformed authority in the request target" : NULL;
}

/* Fills path and query; the path is decoded in place. */
static enum parse_result
check_target(struct http_parse *p, struct str url, struct str *authority)
{
	struct http_req *r = &p->req->r;
	const char *bad;
	ptrdiff_t mark, n;
	char *to;

	if (str_eq(url, S("*")) && str_eq(r->method, S("OPTIONS"))) {
		*authority = STR_NONE;
		r->path = url;
		return PARSE_DONE;
	}
	bad = split_target(&url, authority);
	if (bad != NULL)
		return refuse(p, 400, bad);
	mark = str_index(url, '?');
	r->path = mark < 0 ? url : str_sub(url, 0, (size_t)mark);
	r->query = mark < 0 ? STR_NONE : str_sub(url, (size_t)mark + 1, url.n);
	if (r->path.n == 0)
		r->path = S("/");
	if (hides_slash(r->path))
		return refuse(p, 400, "%2F in the path: no part of a path holds a slash");
	if (!is_plain(r->path)) {
		to = p->req->head.p + (r->path.p - p->req->head.p);
		n = http_decode(r->path, to, false);
		r->path.n = n < 0 ? 0 : (size_t)n;
		if (n < 0 || !str_is_utf8(r->path))
			return refuse(p, 400, "a malformed escape in the path");
	}
	if (!is_plain(r->query)) {
		to = arena_alloc(&r->arena, r->query.n);
		n = to == NULL ? -1 : http_decode(r->query, to, false);
		if (n < 0 || !str_is_utf8((struct str){ to, (size_t)n }))
			return refuse(p, 400, "a malformed escape in the query");
	}
	return PARSE_DONE;
}

static enum parse_result
parse_head(struct http_parse *p)
{
	struct request *q = p->req;
	struct head h = { .p = p };
	struct str head = buf_str(&q->head), authority;
	enum parse_result result;
	llhttp_t ll;

	llhttp_init(&ll, HTTP_REQUEST, &settings);
	ll.data = &h;
	llhttp_execute(&ll, head.p, head.n);
	if (!h.complete || llhttp_get_error_pos(&ll) != head.p + head.n)
		return refuse_head(p, &h, &ll);
	if (ll.http_major != 1 || ll.http_minor > 1)
		return refuse(p, 505, "expected HTTP/1.0 or HTTP/1.1");
	q->r.http10 = ll.http_minor == 0;
	q->r.method = str_of(llhttp_method_name((llhttp_method_t)ll.method));
	q->r.head_only = ll.method == HTTP_HEAD;
	q->r.keep_alive = q->wants_keep;
	if (q->r.method.n + h.url.n + sizeof "  HTTP/1.1" - 1 != p->first_n)
		return refuse(p, 400, "malformed request line");
	if (ll.method == HTTP_CONNECT)
		return refuse(p, 405, "CONNECT is not supported");
	result = check_target(p, h.url, &authority);
	if (result == PARSE_DONE)
		result = check_headers(p, authority);
	if (result == PARSE_REFUSED)
		return result;
	p->left = q->length;
	p->state = q->chunked || q->length > 0 ? AT_BODY : IN_NOTHING;
	return p->state == AT_BODY ? PARSE_HEAD : PARSE_DONE;
}

/* The body. */

bool
http_parse_allow(struct http_parse *p, size_t body_max)
{
	struct request *q = p->req;

	assert(p->state == AT_BODY);
	p->body_max = body_max < LIMIT_HTTP_BODY_BYTES ? body_max : LIMIT_HTTP_BODY_BYTES;
	if (p->body_max == 0 || q->length > p->body_max) {
		refuse(p, 413, p->body_max == 0 ? "no body is expected here" :
		    "the body is too large");
		return false;
	}
	p->state = q->chunked ? IN_SIZE_FIRST : IN_LENGTH;
	return true;
}

bool
http_parse_can_skip(const struct http_parse *p)
{
	assert(p->state == AT_BODY);
	return !p->req->chunked && !p->req->expects && p->left <= LIMIT_HTTP_SKIP_BYTES;
}

void
http_parse_skip(struct http_parse *p)
{
	assert(p->state == AT_BODY && p->left > 0);
	p->req = NULL;
	p->state = IN_LENGTH;
}

static enum parse_result
body_done(struct http_parse *p)
{
	if (p->req != NULL)
		p->req->r.body = buf_str(&p->req->body);
	p->state = IN_NOTHING;
	return PARSE_DONE;
}

/* Takes the bytes of the body or the chunk that are here. */
static void
take_data(struct http_parse *p, const char **at, const char *end)
{
	size_t n = (size_t)(end - *at);

	n = p->left < n ? (size_t)p->left : n;
	if (p->req != NULL)
		buf_add(&p->req->body, (struct str){ *at, n });
	*at += n;
	p->left -= n;
}

static enum parse_result
chunk_digit(struct http_parse *p, unsigned char ch)
{
	p->left = p->left << 4 | (unsigned)str_hex_digit((char)ch);
	if (p->left > p->body_max - p->req->body.n)
		return refuse(p, 413, "the body is too large");
	p->state = IN_SIZE;
	return PARSE_MORE;
}

static enum parse_result
chunk_move(struct http_parse *p, bool fits, enum parse_state to)
{
	if (!fits)
		return refuse(p, 400, "malformed chunk");
	p->state = to;
	return PARSE_MORE;
}

/* One byte between the data of two chunks. */
static enum parse_result
chunk_byte(struct http_parse *p, unsigned char ch)
{
	bool visible = (ch >= 0x20 && ch != 0x7f) || ch == '\t';

	switch (p->state) {
	case IN_SIZE_FIRST:
	case IN_SIZE:
		if (str_hex_digit((char)ch) >= 0)
			return chunk_digit(p, ch);
		if (ch == ';' && p->state == IN_SIZE)
			return chunk_move(p, true, IN_EXTENSION);
		return chunk_move(p, ch == '\r' && p->state == IN_SIZE, AT_SIZE_LF);
	case IN_EXTENSION:
		return chunk_move(p, visible || ch == '\r',
		    ch == '\r' ? AT_SIZE_LF : IN_EXTENSION);
	case AT_SIZE_LF:
		return chunk_move(p, ch == '\n', p->left > 0 ? IN_DATA : IN_TRAILER_FIRST);
	case AT_DATA_CR:
		return chunk_move(p, ch == '\r', AT_DATA_LF);
	case AT_DATA_LF:
		return chunk_move(p, ch == '\n', IN_SIZE_FIRST);
	case IN_TRAILER_FIRST:
		if (ch == '\r')
			return chunk_move(p, true, AT_END_LF);
		return chunk_move(p, (kinds[ch] & TOKEN) != 0, IN_TRAILER);
	case IN_TRAILER:
		return chunk_move(p, visible || ch == '\r',
		    ch == '\r' ? AT_TRAILER_LF : IN_TRAILER);
	case AT_TRAILER_LF:
		return chunk_move(p, ch == '\n', IN_TRAILER_FIRST);
	case AT_END_LF:
		return ch == '\n' ? body_done(p) : chunk_move(p, false, AT_END_LF);
	default:
		assert(false && "a state without framing bytes");
		return PARSE_REFUSED;
	}
}

static enum parse_result
take_chunks(struct http_parse *p, const char **at, const char *end)
{
	enum parse_result result = PARSE_MORE;

	while (*at < end && result == PARSE_MORE) {
		if (p->state == IN_DATA) {
			take_data(p, at, end);
			if (p->left == 0)
				p->state = AT_DATA_CR;
			continue;
		}
		p->framing++;
		if (p->framing > FRAMING_MAX(p->req->body.n))
			return refuse(p, 413, "too much chunk framing");
		result = chunk_byte(p, (unsigned char)*(*at)++);
	}
	return result;
}

enum parse_result
http_parse_feed(struct http_parse *p, const char **at, const char *end)
{
	assert(p->state != IN_NOTHING && p->state != AT_BODY);
	assert(p->req != NULL || p->state == IN_LENGTH);
	while (p->state == IN_BREAKS && *at < end) {
		if (**at != '\r' && **at != '\n')
			p->state = IN_HEAD;
		else
			(*at)++;
	}
	if (p->state == IN_BREAKS)
		return PARSE_MORE;
	if (p->state == IN_HEAD)
		return take_head(p, at, end);
	if (p->state != IN_LENGTH)
		return take_chunks(p, at, end);
	take_data(p, at, end);
	return p->left == 0 ? body_done(p) : PARSE_MORE;
}
