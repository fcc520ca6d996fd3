/*
 * saver_fix.h - what the tests of savers' rows share: puts and writes with short names.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_SAVER_FIX_H
#define UNIT_SAVER_FIX_H

#include <string.h>

#include "store/saver.h"
#include "store_fix.h"

/* The id of checkpoint n, as text. */
static inline struct str
sid(struct fix *f, unsigned n)
{
	struct uuid id = id_of(ID_CHECKPOINT, n);
	char text[UUID_TEXT];

	uuid_format(&id, text);
	return n == 0 ? STR_NONE : arena_str(&f->a, (struct str){ text, sizeof text });
}

/* versions is what the put names; then pairs (channel, body), ended by NULL. */
static inline struct store_saver_put
sput(struct fix *f, const char *ns, unsigned n, unsigned parent, const char *versions,
    const char *const *blobs)
{
	struct store_saver_blob *b = arena_zero(&f->a, 16 * sizeof *b);
	struct store_saver_put p = { .ns = str_of(ns), .id = sid(f, n),
	    .parent = sid(f, parent), .versions_json = str_of(versions), .blobs = b,
	    .checkpoint = { S("json"), arena_fmt(&f->a, "{\"v\":4,\"n\":%u}", n) },
	    .metadata = { S("json"), arena_fmt(&f->a,
	    "{\"step\":%u,\"source\":\"loop\",\"who\":null}", n) } };

	for (size_t i = 0; blobs[i] != NULL; i += 2)
		b[p.blobs_n++] = (struct store_saver_blob){ str_of(blobs[i]),
		    { S("json"), str_of(blobs[i + 1]) } };
	return p;
}
#define BLOBS(...) (const char *const[]){ __VA_ARGS__ __VA_OPT__(,) NULL }

static inline struct store_saver_write
swrite(struct fix *f, const char *ns, unsigned n, const char *task, int idx,
    const char *channel, const char *body)
{
	return (struct store_saver_write){ .ns = str_of(ns), .id = sid(f, n),
	    .task = str_of(task), .idx = idx, .channel = str_of(channel),
	    .value = { S("json"), str_of(body) } };
}

/* In one RUN_SAVE: a put with the checkpoint that it stands beside, and writes. */
static inline int
ssave(struct fix *f, owner_t o, const struct store_run *run,
    const struct store_saver_put *p, const struct store_saver_write *w, size_t writes)
{
	struct store_checkpoint_put c = { .source = SOURCE_LOOP, .created = 5 };
	struct store_run_save x = { .run_seq = run->seq, .thread_seq = run->thread_seq,
	    .changes = { .saver_puts = p, .saver_puts_n = p != NULL, .saver_writes = w,
	    .saver_writes_n = writes, .checkpoints = &c, .checkpoints_n = p != NULL } };

	if (p != NULL) {
		c.ns = p->ns;
		CHECK(uuid_parse(p->id, &c.id));
		CHECK(p->parent.n == 0 || uuid_parse(p->parent, &c.parent));
	}
	return fix_do(f, &x, STORE_RUN_SAVE, o);
}

static inline struct store_saver_found
sget(struct fix *f, owner_t o, int64_t thread, const char *ns, unsigned n)
{
	struct store_saver_found x;

	CHECK_RC(store_saver_get(f->r, o, thread, str_of(ns), sid(f, n), &f->a, &x), OK);
	return x;
}

/* "a=1,b=2": the channels that have a value. */
static inline struct str
svalues(struct fix *f, const struct store_saver_found *x)
{
	struct buf b = BUF(MB);
	struct str out;

	for (size_t i = 0; i < x->blobs_n; i++)
		buf_add_fmt(&b, "%s%.*s=%.*s", i > 0 ? "," : "", FMT(x->blobs[i].channel),
		    FMT(x->blobs[i].value.body));
	out = arena_str(&f->a, buf_str(&b));
	buf_release(&b);
	return out;
}

#endif
