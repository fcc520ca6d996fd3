/*
 * http_reply.c - answers: head, body, stream; and query parameters.
 *
 * An answer leaves in one write when the kernel takes it: the head is made in
 * the listener's scratch buffer, a small body is appended to it, a large one
 * goes beside it.  A streamed answer's head and writes wait for the end of
 * the turn and leave together.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SMALL_BODY (4 * KB)                  /* cheaper copied than a second piece */
#define CLIENT_LEFT 499                      /* in metrics only; never on the wire */

static const char *const status_text[600] = {
	[100] = "Continue", [101] = "Switching Protocols",
	[200] = "OK", [201] = "Created", [202] = "Accepted", [204] = "No Content",
	[206] = "Partial Content",
	[301] = "Moved Permanently", [302] = "Found", [303] = "See Other",
	[304] = "Not Modified", [307] = "Temporary Redirect",
	[308] = "Permanent Redirect",
	[400] = "Bad Request", [401] = "Unauthorized", [402] = "Payment Required",
	[403] = "Forbidden", [404] = "Not Found", [405] = "Method Not Allowed",
	[406] = "Not Acceptable", [408] = "Request Timeout", [409] = "Conflict",
	[410] = "Gone", [411] = "Length Required", [412] = "Precondition Failed",
	[413] = "Content Too Large", [414] = "URI Too Long",
	[415] = "Unsupported Media Type", [416] = "Range Not Satisfiable",
	[417] = "Expectation Failed", [421] = "Misdirected Request",
	[422] = "Unprocessable Content", [425] = "Too Early",
	[426] = "Upgrade Required", [428] = "Precondition Required",
	[429] = "Too Many Requests", [431] = "Request Header Fields Too Large",
	[499] = "Client Closed Request",
	[500] = "Internal Server Error", [501] = "Not Implemented",
	[502] = "Bad Gateway", [503] = "Service Unavailable",
	[504] = "Gateway Timeout", [505] = "HTTP Version Not Supported",
	[507] = "Insufficient Storage",
};

const char *
http_status_text(int status)
{
	if (status < 0 || (size_t)status >= COUNT(status_text) ||
	    status_text[status] == NULL)
		return "Unknown";
	return status_text[status];
}

/* Reading the request. */

struct str
http_header(const struct http_req *r, struct str name)
{
	for (size_t i = 0; i < r->headers_n; i++)
		if (str_eq_nocase(r->headers[i].name, name))
			return r->headers[i].value;
	return STR_NONE;
}

static struct str
decode_form(struct arena *a, struct str s)
{
	char *to;
	ptrdiff_t n;

	if (str_index(s, '%') < 0 && str_index(s, '+') < 0)
		return s;
	to = arena_alloc(a, s.n);
	n = to == NULL ? -1 : http_decode(s, to, true);
	return n < 0 ? STR_NONE : (struct str){ to, (size_t)n };
}

struct buf
http_take_body(struct http_req *r)
{
	struct request *q = request_of(r);
	struct buf taken = q->body;

	q->body = BUF(taken.max);
	http_request_give_back(q);
	return taken;
}

bool
http_query(struct http_req *r, struct str name, size_t nth, struct str *out)
{
	struct str rest = r->query, part;

	*out = STR_NONE;
	while (str_next(&rest, '&', &part)) {
		ptrdiff_t mark = str_index(part, '=');
		struct str key = mark < 0 ? part : str_sub(part, 0, (size_t)mark);

		if (!str_eq(decode_form(&r->arena, key), name) || nth-- > 0)
			continue;
		*out = mark < 0 ? S("") :
		    decode_form(&r->arena, str_sub(part, (size_t)mark + 1, part.n));
		return true;
	}
	return false;
}

/* Writing the head. */

/* IMF-fixdate (RFC 9110 section 5.6.7), made once a second. */
static struct str
date_header(struct http_listener *l)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	msec second = shard_wall(l->shard) / 1000;
	time_t t = (time_t)second;
	struct tm tm;

	if (second != l->date_at || l->date[0] == '\0') {
		gmtime_r(&t, &tm);
		snprintf(l->date, sizeof l->date, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
		    days + (ptrdiff_t)3 * tm.tm_wday, tm.tm_mday,
		    months + (ptrdiff_t)3 * tm.tm_mon, (tm.tm_year + 1900) % 10000,
		    tm.tm_hour, tm.tm_min, tm.tm_sec);
		l->date_at = second;
	}
	return str_of(l->date);
}

/* Bodies end with the head for these, whatever the headers say. */
static bool
has_no_body(int status)
{
	return status < 200 || status == 204 || status == 304;
}

/* Starts the head in the listener's scratch buffer. */
static struct buf *
begin_head(struct request *q, int status, struct str content_type, struct str extra)
{
	struct buf *b = &q->l->scratch;

	assert(status >= 200 && status <= 599);
	assert(extra.n == 0 || str_ends(extra, S("\r\n")));
	assert(str_index(content_type, '\n') < 0);
	q->r.status = status;
	q->close = !q->r.keep_alive || (q->l->draining &&
	    !(q->r.conn != NULL && http_listener_hands_over(q->l, q->r.conn)));
	buf_clear(b);
	buf_lit(b, "HTTP/1.1 ");
	buf_add_u64(b, (uint64_t)status);
	buf_add_char(b, ' ');
	buf_add(b, str_of(http_status_text(status)));
	buf_lit(b, "\r\nDate: ");
	buf_add(b, date_header(q->l));
	if (content_type.n > 0) {
		buf_lit(b, "\r\nContent-Type: ");
		buf_add(b, content_type);
	}
	if (q->close)
		buf_lit(b, "\r\nConnection: close");
	else if (q->r.http10)
		buf_lit(b, "\r\nConnection: keep-alive");
	return b;
}

static void
end_head(struct buf *b, struct str extra)
{
	buf_lit(b, "\r\n");
	buf_add(b, extra);
	buf_lit(b, "\r\n");
	assert(!b->failed);                  /* heads are ours, and small */
}

/* Answers. */

/* The request is over: tell, and give it back. */
void
http_request_end(struct request *q)
{
	const struct http_hooks *hooks = &q->l->hs->hooks;

	if (hooks->done != NULL && q->r.status != 0)
		hooks->done(hooks->ctx, &q->r, q->r.status, q->bytes_out);
	http_listener_return(q->l, q);
}

/* The client may have the last byte from now on. */
static void
tell_end(struct request *q)
{
	const struct http_hooks *hooks = &q->l->hs->hooks;

	if (hooks->ends != NULL)
		hooks->ends(hooks->ctx, &q->r);
}

static void
end_unheard(struct request *q)
{
	q->answered = true;
	if (q->r.status == 0)
		q->r.status = CLIENT_LEFT;
	http_request_end(q);
}

void
http_reply(struct http_req *r, int status, struct str content_type,
    struct str extra, struct str body)
{
	struct request *q = request_of(r);
	struct http_conn *c = r->conn;
	bool sends = !r->head_only && !has_no_body(status) && body.n > 0;
	struct piece pieces[2];
	struct buf *b;

	assert(!q->answered && !r->streaming);
	if (c == NULL) {
		end_unheard(q);
		return;
	}
	b = begin_head(q, status, content_type, extra);
	if (!has_no_body(status)) {
		buf_lit(b, "\r\nContent-Length: ");
		buf_add_u64(b, body.n);
	}
	end_head(b, extra);
	if (sends && body.n <= SMALL_BODY) {
		buf_add(b, body);
		sends = false;
	}
	pieces[0] = (struct piece){ b->p, b->n, NULL };
	pieces[1] = (struct piece){ body.p, body.n, NULL };
	tell_end(q);
	http_conn_send(c, pieces, sends ? 2 : 1);
	http_conn_answering(c);
}

/* The server's own refusal; the connection ends with it. */
void
http_refuse(struct http_conn *c, int status, struct str why)
{
	const struct http_hooks *hooks = &c->l->hs->hooks;
	struct str content_type = S("text/plain; charset=utf-8");
	struct request *q = c->req;
	struct buf *out = &c->l->errors, lines = BUF(8 * KB);

	buf_clear(out);
	hooks->error_body(hooks->ctx, status, why, out, &content_type);
	buf_add(&lines, hooks->error_lines);
	if (status == 503)
		buf_lit(&lines, "retry-after: 1\r\n");
	q->refused = true;
	q->r.keep_alive = false;
	http_reply(&q->r, status, content_type, buf_str(&lines), buf_str(out));
	buf_release(&lines);
}

/* `fixed` and `extra` are both whole header lines. */
void
http_stream_open(struct http_req *r, int status, struct str content_type,
    struct str fixed, struct str extra)
{
	struct request *q = request_of(r);
	struct http_conn *c = r->conn;
	struct buf *b;

	assert(!q->answered && !r->streaming);
	r->streaming = true;
	if (c == NULL)
		return;
	q->framed = !r->http10;
	if (!q->framed)
		r->keep_alive = false;
	b = begin_head(q, status, content_type, extra);
	if (q->framed)
		buf_lit(b, "\r\nTransfer-Encoding: chunked");
	if (fixed.n > 0) {
		buf_lit(b, "\r\n");
		buf_add(b, str_sub(fixed, 0, fixed.n - 2));
	}
	end_head(b, extra);
	http_conn_queue(c, buf_str(b));
	if (c->eof)
		http_conn_fail(c);                /* nobody will read a stream */
}

void
http_stream_begin(struct http_req *r, int status, struct str content_type,
    struct str extra)
{
	http_stream_open(r, status, content_type, STR_NONE, extra);
}

void
http_upgrade(struct http_req *r, struct str lines)
{
	struct request *q = request_of(r);
	struct buf *b;

	assert(!q->answered && !r->streaming && !r->http10);
	assert(str_ends(lines, S("\r\n")));
	r->streaming = true;
	if (r->conn == NULL)
		return;
	b = &q->l->scratch;
	r->status = 101;
	q->close = true;
	buf_clear(b);
	buf_lit(b, "HTTP/1.1 101 Switching Protocols\r\nDate: ");
	buf_add(b, date_header(q->l));
	end_head(b, lines);
	http_conn_queue(r->conn, buf_str(b));
	http_conn_upgrade(r->conn);
	if (r->conn->eof)
		http_conn_fail(r->conn);
}

void
http_stream_write(struct http_req *r, struct str bytes)
{
	struct request *q = request_of(r);
	struct http_conn *c = r->conn;
	char size[24];
	int n;

	assert(r->streaming && !q->answered);
	if (c == NULL || c->failed || bytes.n == 0 || r->head_only)
		return;
	if (!q->framed) {
		http_conn_queue(c, bytes);
		return;
	}
	n = snprintf(size, sizeof size, "%zx\r\n", bytes.n);
	http_conn_queue(c, (struct str){ size, (size_t)n });
	http_conn_queue(c, bytes);
	http_conn_queue(c, S("\r\n"));
}

size_t
http_stream_queued(const struct http_req *r)
{
	return r->conn == NULL ? 0 : r->conn->out.bytes;
}

void
http_stream_end(struct http_req *r)
{
	struct request *q = request_of(r);
	struct http_conn *c = r->conn;

	assert(r->streaming && !q->answered);
	if (c == NULL) {
		end_unheard(q);
		return;
	}
	tell_end(q);
	if (q->framed && !r->head_only)
		http_conn_queue(c, S("0\r\n\r\n"));
	http_conn_schedule(c);
	http_conn_answering(c);
}

void
http_stream_abort(struct http_req *r)
{
	struct request *q = request_of(r);

	assert(r->streaming && !q->answered);
	if (r->conn == NULL)
		end_unheard(q);
	else
		http_conn_reset(r->conn);
}

static void
tell_late(struct shard_job *job)
{
	struct request *q = CONTAINER_OF(job, struct request, late);

	if (q->dead) {
		http_listener_return(q->l, q);
	} else if (q->r.gone != NULL && !q->gone_told) {
		q->gone_told = true;
		q->r.gone(&q->r);
	}
}

void
http_left_by_eof(struct http_req *r)
{
	request_of(r)->left_by_eof = true;
	if (r->conn != NULL && r->conn->eof)
		http_conn_fail(r->conn);
}

void
http_on_gone(struct http_req *r, void (*fn)(struct http_req *r))
{
	struct request *q = request_of(r);

	r->gone = fn;
	q->gone_told = false;
	if (r->conn != NULL)
		return;
	q->late.run = tell_late;
	shard_at_turn_end(r->shard, &q->late);
}
