/*
 * letters_bench.c - what durable messages cost the store.
 *
 *   letters-bench [-f FILE] [-n MESSAGES] [-r RECEIVERS] [-b BYTES]
 *
 * Puts the messages, a command each, up to BATCH of them under way; reads all letters as a
 * start does; says of each, in commands of BATCH letters, that it was taken.  Prints the time
 * and the bytes of the file for each message.  FILE must not exist; it stays.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/mail.h"

#define BATCH 256

struct bench {
	struct store *st;
	struct shard *shard;
	const char *file;
	size_t n, receivers, bytes;
	size_t under_way, letters;
	struct store_mail_became *became;    /* of all letters */
};

struct message {
	struct store_mail_put cmd;
	struct bench *b;
	struct store_mail mail;
};

struct taken {
	struct store_mail_set cmd;
	struct bench *b;
};

static void
check(const struct store_cmd *c)
{
	if (c->rc == OK)
		return;
	fprintf(stderr, "%s: %s\n", rc_name(c->rc), c->err.text);
	exit(1);
}

static void
put_came(struct store_cmd *c)
{
	struct message *m = CONTAINER_OF(c, struct message, cmd.cmd);

	check(c);
	m->b->under_way--;
	free(m);
}

static void
taken_came(struct store_cmd *c)
{
	struct taken *t = CONTAINER_OF(c, struct taken, cmd.cmd);

	check(c);
	t->b->under_way--;
	free(t);
}

static void
submit(struct bench *b, struct store_cmd *c, enum store_op op,
    void (*came)(struct store_cmd *c))
{
	c->op = op;
	c->done = came;
	b->under_way++;
	c->rc = store_submit(b->st, b->shard, c, true);
	check(c);
	while (b->under_way >= BATCH)
		shard_turn(b->shard);
}

static void
settle(struct bench *b)
{
	while (b->under_way > 0)
		shard_turn(b->shard);
}

static void
put_all(struct bench *b, const struct uuid *to, struct str packed)
{
	for (size_t i = 0; i < b->n; i++) {
		struct message *m = mem_new(struct message);

		m->b = b;
		m->cmd.mails = &m->mail;
		m->cmd.mails_n = 1;
		m->mail = (struct store_mail){ .id = uuid_v7(), .sender = to[0], .to = to,
		    .to_n = b->receivers, .packed = packed, .created = 1,
		    .conversation = S("7a0e9a4e-8f0a-4ad7-9c9e-2f5a8f0c1d2e") };
		submit(b, &m->cmd.cmd, STORE_MAIL_PUT, put_came);
	}
	settle(b);
}

static void
see(void *ctx, const struct store_letter *l)
{
	struct bench *b = ctx;

	b->became[b->letters++] = (struct store_mail_became){ .number = l->number,
	    .state = MAIL_DELIVERED };
}

static void
take_all(struct bench *b)
{
	for (size_t i = 0; i < b->letters; i += BATCH) {
		struct taken *t = mem_new(struct taken);

		t->b = b;
		t->cmd.at = b->became + i;
		t->cmd.n = b->letters - i < BATCH ? b->letters - i : BATCH;
		t->cmd.now = 1;
		submit(b, &t->cmd.cmd, STORE_MAIL_SET, taken_came);
		settle(b);
	}
}

static void
report(struct bench *b, const char *what, nsec since)
{
	double ms = (double)(clock_mono() - since) / NS_PER_MS;
	struct stat s = { 0 };

	store_close(b->st);                  /* the log is in the file then */
	stat(b->file, &s);
	printf("%-8s %8.1f ms %8.2f us/message %8lld bytes/message\n", what, ms,
	    1000 * ms / (double)b->n, (long long)s.st_size / (long long)b->n);
}

int
main(int argc, char **argv)
{
	struct store_options o = { .driver = S("sqlite") };
	struct bench b = { .n = 100000, .receivers = 1, .bytes = 300, .file = "letters.db" };
	struct store_reader *r;
	struct uuid *to;
	struct err e;
	nsec since;
	int opt;

	while ((opt = getopt(argc, argv, "f:n:r:b:")) != -1) {
		switch (opt) {
		case 'f': b.file = optarg; break;
		case 'n': b.n = strtoul(optarg, NULL, 10); break;
		case 'r': b.receivers = strtoul(optarg, NULL, 10); break;
		case 'b': b.bytes = strtoul(optarg, NULL, 10); break;
		default: return 2;
		}
	}
	o.path = str_of(b.file);
	to = mem_alloc(b.receivers * sizeof *to);
	for (size_t i = 0; i < b.receivers; i++)
		to[i] = uuid_v7();
	b.became = mem_alloc(b.n * b.receivers * sizeof *b.became);
	if (shard_new(&b.shard, 0, &e) != OK || store_open(&b.st, &o, &e) != OK)
		goto fail;
	since = clock_mono();
	put_all(&b, to, (struct str){ mem_zero(b.bytes), b.bytes });
	report(&b, "put", since);
	since = clock_mono();
	if (store_open(&b.st, &o, &e) != OK || store_reader_open(b.st, &r, &e) != OK ||
	    store_letters_each(r, see, &b) != OK)
		goto fail;
	store_reader_close(r);
	report(&b, "recover", since);
	if (store_open(&b.st, &o, &e) != OK)
		goto fail;
	since = clock_mono();
	take_all(&b);
	report(&b, "taken", since);
	shard_free(b.shard);
	return 0;
fail:
	fprintf(stderr, "%s\n", e.text);
	return 1;
}
