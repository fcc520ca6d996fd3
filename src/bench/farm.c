/*
 * farm.c - see farm.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/farm.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"

static enum mail_taken
take_count(void *agent, struct letter *l)
{
	struct farm_agent *a = agent;

	a->taken += letter_packed(l).n > 0;
	return MAIL_TAKEN;
}

const struct mail_kind farm_counting = { "native", take_count, NULL };

static void
on_ready(void *ctx)
{
	(void)ctx;                           /* farm_run follows every batch */
}

static uint64_t
on_random(void *ctx)
{
	struct farm *f = ctx;

	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return f->random;
}

void
farm_open(struct farm *f, const struct mail_kind *kind, size_t n, uint32_t mailbox)
{
	static const struct post_options options = { .mailbox_max = LIMIT_MAILBOX_LETTERS_MAX,
		.tries_max = 3, .retry_first = 1, .retry_max = 8 };
	static const struct post_ops ops = { .ready = on_ready, .random = on_random };

	f->n = n;
	f->random = 88172645463325252;
	f->post = post_new(&options, &ops, f);
	f->agent = aligned_alloc(64, n * sizeof *f->agent);
	hist_clear(&f->times);
	for (size_t i = 0; i < n; i++) {
		struct farm_agent *a = &f->agent[i];

		*a = (struct farm_agent){ .farm = f };
		a->at = post_open(f->post, kind != NULL ? kind : &farm_counting, a, mailbox);
	}
}

void
farm_close(struct farm *f, struct report *r)
{
	struct mail_books b;

	post_check(f->post);
	post_books(f->post, &b);
	if (r != NULL)
		report_check(r, b.sent + b.come == b.delivered + b.dead + b.expired + b.pending + b.gone,
		    "the books balance: %llu sent", (unsigned long long)b.sent);
	post_free(f->post);
	free(f->agent);
	f->post = NULL;
}

struct farm_agent *
farm_pick(struct farm *f)
{
	return &f->agent[(on_random(f) >> 32) * f->n >> 32];
}

void
farm_run(struct farm *f)
{
	while (post_run(f->post, 10000, 1))
		;
}

int
farm_send(struct farm *f, const struct farm_agent *from, const struct farm_agent *to,
    struct mail_text *text, enum acl_act act)
{
	int rc = post_send(f->post, &(struct post_letter){ .from = from->at, .to = to->at, .act = act,
	    .text = text }, 1);

	assert(rc == OK || rc == ERR_AGAIN);
	return rc;
}

struct mail_text *
farm_text(size_t bytes)
{
	struct buf content = BUF(2 * MB), packed = BUF(2 * MB);
	struct acl m = { .act = ACL_INFORM };
	struct mail_text *t;

	for (size_t n = 0; packed.n < bytes; n++) {
		buf_clear(&content);
		buf_clear(&packed);
		buf_lit(&content, "\"");
		for (size_t i = 0; i < n + (bytes > 64 ? bytes - 64 : 0); i++)
			buf_lit(&content, "x");
		buf_lit(&content, "\"");
		m.content = buf_str(&content);
		acl_pack(&m, &packed);
	}
	t = mail_text_new(packed.p, packed.n);
	buf_release(&content);
	buf_release(&packed);
	return t;
}

nsec
farm_lap(nsec *since)
{
	nsec now = clock_thread(), took = now - *since;

	*since = now;
	return took > 0 ? took : 1;
}
