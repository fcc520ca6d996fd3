/*
 * fuzz_mail_socket.c - bytes of a client on the Unix socket: where its messages end does not
 * depend on how the bytes come; what they hold is read as the server reads it, with the
 * agent that a client asks to be.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "mail/host/framing.h"
#include "mail/host/spec_read.h"

#define MAX (64 * KB)

/* What an agent is asked for as. */
static void
read_spec(struct str content)
{
	struct arena a = ARENA(4 * MB);
	struct office_spec s = { 0 };
	struct json_doc d = { 0 };
	struct fields f;
	struct err e = { 0 };

	if (json_parse(&d, content, &e) == OK) {
		fields_open(&f, d.root, "content", &e);
		office_spec_read(&f, &a, &s);
		if (fields_end(&f) == OK)
			for (size_t i = 0; i < s.capabilities_n; i++)
				assert(s.capabilities[i].n <= LIMIT_NAME_BYTES);
		else
			assert(e.text[0] != '\0');
	}
	json_release(&d);
	arena_release(&a);
}

static void
read_message(enum framing form, struct str bytes)
{
	struct arena a = ARENA(4 * MB);
	struct json_doc d = { 0 };
	struct acl_room room;
	struct acl m;
	struct err e = { 0 };
	int rc;

	if (form == FRAMING_FRAMES) {
		rc = acl_from_frame(&m, bytes, &room, &e);
	} else {
		rc = json_parse(&d, bytes, &e);
		if (rc == OK)
			rc = acl_from_json(&m, d.root, false, &a, &room, &e);
	}
	assert(rc == OK || e.text[0] != '\0');
	if (rc == OK && m.content.n > 0)
		read_spec(m.content);
	json_release(&d);
	arena_release(&a);
}

/* Messages of the whole; *end: the code that ended them. */
static size_t
split(struct str in, size_t step, uint32_t *sum, int *end, bool read)
{
	enum framing form = FRAMING_UNKNOWN;
	size_t from = 0, to = 0, n = 0, taken;
	struct str message;

	for (*end = OK; *end != ERR_TOOBIG && (to < in.n || from < to); ) {
		*end = framing_next(&form, str_sub(in, from, to - from), MAX, &message, &taken);
		if (*end == ERR_TOOBIG)
			break;
		assert(taken <= to - from && message.n <= taken);
		assert((*end == ERR_INVALID) == (taken == 4 && form == FRAMING_FRAMES));
		if (taken == 0 && to == in.n)
			break;
		if (taken == 0) {
			to = in.n - to < step ? in.n : to + step;
			continue;
		}
		from += taken;
		*sum = *sum * 31 + str_hash(message) + (uint32_t)taken;
		n++;
		if (read)
			read_message(form, message);
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data, size };
	uint32_t whole = 0, parts = 0;
	int end_whole, end_parts;
	size_t n = split(in, size + 1, &whole, &end_whole, true);

	assert(split(in, 1 + size % 7, &parts, &end_parts, false) == n);
	assert(whole == parts && end_whole == end_parts);
	return 0;
}
