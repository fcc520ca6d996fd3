/*
 * mail_away.c - agents of other nodes have refs, and letters that go to other nodes or come
 * from them are in the books.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "mail/away.h"
#include "mail_fix.h"

#include <string.h>

static struct uuid
id_of(uint8_t n)
{
	return (struct uuid){ { 1, [15] = n } };
}

static struct mail_ref
put(struct away *t, uint8_t n, int64_t node, unsigned shard, uint32_t round)
{
	return away_put(t, &(struct away_agent){ .owner = 7, .id = id_of(n), .node = node,
	    .shard = shard, .round = round });
}

/* Goal: a ref is the agent's while it is there, also when it moves; then it leads nowhere,
 * whoever has its place. */
TEST(away_refs)
{
	struct away *t = away_new();
	struct mail_ref a = put(t, 1, 5, 0, 1), b = put(t, 2, 5, 0, 1), c;
	struct away_agent x;
	struct uuid id = id_of(1);

	CHECK(mail_is_away(a) && !mail_is_away(MAIL_NOBODY) && !mail_ref_eq(a, b));
	CHECK(mail_ref_eq(put(t, 1, 6, 0, 1), a));
	CHECK(away_find(t, a, &x) && x.node == 6 && uuid_eq(&x.id, &id));
	away_drop(t, &id);
	CHECK(!away_find(t, a, &x));
	CHECK(!away_by_id(t, &id, &x));
	c = put(t, 3, 5, 0, 1);
	CHECK(c.place == a.place && !mail_ref_eq(c, a));
	CHECK(!away_find(t, a, &x) && away_find(t, c, &x) && x.id.b[15] == 3);
	CHECK_INT(away_count(t), 2);
	away_drop(t, &id);
	CHECK_INT(away_count(t), 2);
	away_free(t);
}

/* Goal: after a telling of all, those that it did not name are found: of its shard only, or of
 * the whole node. */
TEST(away_stale_ones)
{
	struct away *t = away_new();
	struct away_agent *all;
	size_t n;

	put(t, 1, 5, 0, 1);
	put(t, 2, 5, 0, 2);
	put(t, 3, 5, 1, 1);
	put(t, 4, 6, 0, 1);
	all = away_stale(t, 5, 0, 2, &n);
	CHECK_INT(n, 1);
	CHECK(all[0].id.b[15] == 1 && all[0].owner == 7);
	free(all);
	all = away_stale(t, 5, -1, 0, &n);
	CHECK_INT(n, 3);
	free(all);
	CHECK(away_stale(t, 8, -1, 0, &n) == NULL && n == 0);
	away_free(t);
}

/* Goal: no more letters are under way to a mailbox than it takes, and one that was told of as
 * full gets none; after a while without news it is tried again. */
TEST(away_letters_are_as_many_as_the_mailbox_takes)
{
	struct away *t = away_new();
	struct away_agent x = { .owner = 7, .id = { { [15] = 1 } }, .node = 5, .room = 2 };
	struct mail_ref at = away_put(t, &x);

	CHECK_RC(away_send(t, at), OK);
	CHECK_RC(away_send(t, at), OK);
	CHECK_RC(away_send(t, at), ERR_AGAIN);
	away_load(t, &x.id, 1);
	CHECK_RC(away_send(t, at), OK);
	CHECK_RC(away_send(t, at), OK);
	CHECK_RC(away_send(t, at), ERR_AGAIN);
	away_tick(t);
	CHECK_RC(away_send(t, at), OK);
	away_load(t, &x.id, 3);
	CHECK_RC(away_send(t, at), ERR_AGAIN);
	away_tick(t);
	CHECK_RC(away_send(t, at), ERR_AGAIN);
	away_load(t, &x.id, 0);
	away_set_state(t, &x.id, AGENT_DRAINING);
	CHECK_RC(away_send(t, at), ERR_NOTFOUND);
	away_drop(t, &x.id);
	CHECK_RC(away_send(t, at), OK);      /* what became of it is found out on its way */
	away_free(t);
}

static void
count_text(void *ctx, const struct letter *l)
{
	char *texts = ctx;

	texts[strlen(texts)] = letter_packed(l).p[0];
}

/* Goal: an agent that is another node's from now on leaves without a dead letter, and what
 * other nodes send is in the books as come; they balance (fix_close checks). */
TEST(away_letters_leave_and_arrive)
{
	char texts[8] = "";
	struct fix_agent a, b;
	struct fix f;

	fix_open(&f);
	fix_agent_open(&f, &a, 2);
	fix_agent_open(&f, &b, 10);
	a.answer = MAIL_BUSY;
	fix_send_all(&f, &a, "xy");
	fix_later(&f, a.at, 'z', 0, 0);
	CHECK_RC(post_abandon(f.post, a.at, count_text, texts), OK);
	CHECK_STR(str_of(texts), "xyz");
	CHECK_RC(post_abandon(f.post, a.at, NULL, NULL), ERR_NOTFOUND);
	CHECK(a.closed);
	CHECK_INT(fix_books(&f).left, 3);
	CHECK_INT(fix_books(&f).dead, 0);
	post_left(f.post, 2);
	post_passed(f.post);
	post_arrive(f.post, &(struct post_letter){ .to = b.at, .packed = S("q") }, DEAD_STOPPED,
	    f.now);
	post_arrive(f.post, &(struct post_letter){ .packed = S("r") }, DEAD_STOPPED, f.now);
	fix_run(&f);
	CHECK_STR(str_of(b.taken), "q");
	CHECK_INT(f.dead[DEAD_STOPPED], 1);
	CHECK_INT(fix_books(&f).arrived, 2);
	CHECK_INT(fix_books(&f).left, 6);
	fix_close(&f);
}
