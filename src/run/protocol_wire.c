/*
 * protocol_wire.c - an event of the thread protocol as bytes of a wire.
 *
 * An event is head, data, tail.  Heads are written into a buffer that is kept, the
 * data is in pieces; so one allocation makes an event, the block.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/protocol_priv.h"


#include "base/json.h"

static void
add_id(struct buf *b, const struct protocol_event *e, const struct uuid *run_id)
{
	if (e->life) {
		buf_lit(b, "synth:");
		uuid_add(b, run_id);
		buf_add_char(b, ':');
	} else {
		buf_add_i64(b, e->now);
		buf_add_char(b, '-');
	}
	buf_add_i64(b, e->seq);
}

static void
add_namespace(struct buf *b, struct str ns)
{
	struct str segment;

	buf_add_char(b, '[');
	while (ns.n > 0 && str_next(&ns, '|', &segment)) {
		json_add_comma(b);
		json_add_str(b, segment);
	}
	buf_add_char(b, ']');
}

#define HEAD "{\"type\":\"event\",\"event_id\":\""

/* All in front of the data.  How long the event_id is, which stands behind HEAD. */
static size_t
add_head(struct buf *b, const struct protocol_event *e, const struct uuid *run_id)
{
	size_t id;

	buf_lit(b, HEAD);
	add_id(b, e, run_id);
	id = b->n - S(HEAD).n;
	buf_lit(b, "\",\"seq\":");
	buf_add_i64(b, e->seq);
	buf_lit(b, ",\"method\":\"");
	buf_add(b, str_of(e->method));
	buf_lit(b, "\",\"params\":{\"namespace\":");
	add_namespace(b, e->ns);
	buf_lit(b, ",\"timestamp\":");
	buf_add_i64(b, e->now);
	if (e->node.n > 0) {
		buf_lit(b, ",\"node\":");
		json_add_str(b, e->node);
	}
	buf_lit(b, ",\"data\":");
	return id;
}

/* RFC 6455, section 5.2: one whole text frame, not masked. */
static size_t
frame_header(char out[10], uint64_t n)
{
	unsigned bytes = n < 126 ? 0 : n <= UINT16_MAX ? 2 : 8;

	out[0] = (char)0x81;
	out[1] = (char)(bytes == 0 ? n : bytes == 2 ? 126 : 127);
	for (unsigned i = 0; i < bytes; i++)
		out[2 + i] = (char)(n >> (8 * (bytes - 1 - i)));
	return 2 + bytes;
}

struct sse_block *
protocol_block(enum protocol_wire wire, const struct protocol_event *e,
    const struct uuid *run_id, struct buf *scratch)
{
	struct str head, tail = S("}}");
	char header[10];
	size_t id, bytes;

	buf_clear(scratch);
	id = add_head(scratch, e, run_id);
	head = buf_str(scratch);
	if (wire == PROTOCOL_SSE) {
		const struct str parts[] = { S("event: "), str_of(e->method), S("\ndata: "),
		    head, e->data[0], e->data[1], e->data[2], tail, S("\nid: "),
		    str_sub(head, S(HEAD).n, id), S("\n\n") };

		return sse_block_join(parts, COUNT(parts));
	}
	bytes = head.n + e->data[0].n + e->data[1].n + e->data[2].n + tail.n;
	const struct str parts[] = { { header, frame_header(header, bytes) }, head,
	    e->data[0], e->data[1], e->data[2], tail };

	return sse_block_join(parts, COUNT(parts));
}
