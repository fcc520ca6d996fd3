/*
 * acl_bench.c - what it takes to write and read a message of 1 KB in each of its forms, and to
 * look up a conversation.
 *
 *   acl-bench [CONVERSATIONS]
 *
 * Prints the best and the median of 11 rounds, in nanoseconds for one message.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mail/talks.h"

#define ROUNDS 11
#define TIMES  20000
#define NOW    INT64_C(1764504000000)

/* All forms of one message, and what they are read into. */
struct bench {
	struct acl m, read;
	struct acl_room room, read_room;
	struct buf packed, json, text, out;
	struct arena a;
	struct talks *talks;
	size_t conversations, next;
};

static void
pack(struct bench *b)
{
	buf_clear(&b->out);
	acl_pack(&b->m, &b->out);
}

static void
must(int rc)
{
	if (rc != OK)
		abort();
}

static void
unpack(struct bench *b)
{
	must(acl_unpack(&b->read, buf_str(&b->packed), &b->read_room, NULL));
}

static void
read_frame(struct bench *b)
{
	must(acl_from_frame(&b->read, buf_str(&b->packed), &b->read_room, NULL));
}

static void
write_json(struct bench *b)
{
	buf_clear(&b->out);
	acl_add_json(&b->m, &b->out);
}

static void
read_json(struct bench *b)
{
	struct json_doc d;

	arena_clear(&b->a);
	must(json_parse(&d, buf_str(&b->json), NULL));
	must(acl_from_json(&b->read, d.root, false, &b->a, &b->read_room, NULL));
	json_release(&d);
}

static void
write_text(struct bench *b)
{
	buf_clear(&b->out);
	acl_add_text(&b->m, &b->out);
}

static void
read_text(struct bench *b)
{
	arena_clear(&b->a);
	must(acl_from_text(&b->read, buf_str(&b->text), false, NOW, &b->a, &b->read_room, NULL));
}

/* A request and its answer, of one of so many conversations. */
static void
converse(struct bench *b)
{
	struct uuid ann = { { 1 } }, bob = { { 2 } };
	struct acl m = { .act = ACL_REQUEST, .protocol = S("fipa-request") };
	struct talks_seen seen;
	char id[24];
	int answer;

	b->next = (b->next + 7919) % b->conversations;
	m.conversation_id = (struct str){ id, (size_t)snprintf(id, sizeof id, "c%zu", b->next) };
	must(talks_see(b->talks, 1, &m, &ann, &bob, NOW, &seen, &answer, NULL));
	m.act = ACL_INFORM;
	must(talks_see(b->talks, 1, &m, &bob, &ann, NOW, &seen, &answer, NULL));
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
measure(struct bench *b, const char *name, void (*one)(struct bench *b), size_t bytes)
{
	double ns[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		nsec from = clock_thread();

		for (int i = 0; i < TIMES; i++)
			one(b);
		ns[round] = (double)(clock_thread() - from) / TIMES;
	}
	qsort(ns, ROUNDS, sizeof ns[0], by_value);
	printf("%-14s %8.0f ns best %8.0f ns median %8zu bytes\n", name, ns[0], ns[ROUNDS / 2], bytes);
}

/* 1 KB of content: an object with a text and a few numbers. */
static void
make(struct bench *b, struct buf *content)
{
	buf_lit(content, "{\"task\":\"paint\",\"walls\":[1,2,3,4],\"note\":\"");
	while (content->n < 1000)
		buf_lit(content, "the north wall is \\\"blue\\\", not white. ");
	buf_lit(content, "\"}");
	b->room.receivers[0] = S("0197c9f0-5d2c-7f6a-8a51-1f2d3c4b5a69");
	b->m = (struct acl){ .act = ACL_REQUEST, .receivers = b->room.receivers, .receivers_n = 1,
	    .content = buf_str(content), .protocol = S("fipa-request"),
	    .conversation_id = S("house-7"), .reply_with = S("q1"), .language = S("json"),
	    .ontology = S("houses"), .reply_by = NOW + 30000, .message_id = uuid_v7(),
	    .delivery = { .priority = 1, .ttl = 30000 } };
	acl_pack(&b->m, &b->packed);
	acl_add_json(&b->m, &b->json);
	acl_add_text(&b->m, &b->text);
}

int
main(int argc, char **argv)
{
	struct bench *b = mem_new(struct bench);
	struct buf content = BUF(MB);

	b->packed = b->json = b->text = b->out = BUF(MB);
	b->a = ARENA(MB);
	b->conversations = argc > 1 ? strtoul(argv[1], NULL, 10) : 50000;
	b->talks = talks_new(b->conversations + 1, NOW);
	make(b, &content);
	measure(b, "pack", pack, b->packed.n);
	measure(b, "unpack", unpack, b->packed.n);
	measure(b, "read frame", read_frame, b->packed.n);
	measure(b, "write JSON", write_json, b->json.n);
	measure(b, "read JSON", read_json, b->json.n);
	measure(b, "write text", write_text, b->text.n);
	measure(b, "read text", read_text, b->text.n);
	measure(b, "conversation", converse, 0);
	talks_free(b->talks);
	arena_release(&b->a);
	buf_release(&content);
	buf_release(&b->packed);
	buf_release(&b->json);
	buf_release(&b->text);
	buf_release(&b->out);
	free(b);
	return 0;
}
