/*
 * deploy_told.c - modules that another node has put, rolled back and deleted.
 *
 * SPDX-License-Identifier: MIT
 */
#include "deploy_fix.h"

static void
look(struct fix *f)
{
	wasm_desk_look(f->desk[0]);
	turns(f);
}

/* Goal: what is put at one node is built and current at the other after a look; its agents
 * are told of a graceful reload. */
TEST(deploy_told_of_versions)
{
	struct fix f, g;

	fix_open(&f);
	fix_join(&g, &f);
	CHECK_RC(put(&g, 7, "count", "one"), OK);
	find(&f, 7, "count", ERR_NOTFOUND);
	look(&f);
	find(&f, 7, "count", ERR_BUSY);      /* it is being built */
	turns(&f);
	CHECK_INT(find(&f, 7, "count", OK)->number, 1);
	find(&f, 8, "count", ERR_NOTFOUND);
	CHECK_RC(put(&g, 7, "count", "two"), OK);
	CHECK_RC(put(&g, 7, "count", "three"), OK);
	CHECK_INT(current(&f, 7, "count"), 1);
	look(&f);
	CHECK_INT(current(&f, 7, "count"), 3);
	for (int i = 0; i < DESKS; i++)
		CHECK(last(&f, i).from == 1 && last(&f, i).to == 3 &&
		    last(&f, i).strategy == WASM_GRACEFUL);
	CHECK_RC(back(&g, 7, "count", 2), OK);
	look(&f);
	CHECK_INT(current(&f, 7, "count"), 2);
	CHECK_RC(put(&f, 7, "count", "four"), OK);
	CHECK_INT(answer.number, 4);
	look(&g);
	CHECK_INT(current(&g, 7, "count"), 4);
	fix_leave(&g);
	fix_close(&f);
}

/* Goal: what another node deletes, or keeps no more, is no more here. */
TEST(deploy_told_of_ends)
{
	struct fix f, g;

	fix_open(&f);
	fix_join(&g, &f);
	for (int i = 0; i < LIMIT_WASM_VERSIONS + 2; i++) {
		char text[16];

		snprintf(text, sizeof text, "text %d", i);
		CHECK_RC(put(&g, 7, "a", text), OK);
		look(&f);
	}
	SHOWS(&f, 7, "a", "a@5: 3 4 5 promoted");
	CHECK_RC(put(&g, 7, "b", "x"), OK);
	look(&f);
	CHECK_RC(drop(&g, 7, "a"), OK);
	look(&f);
	find(&f, 7, "a", ERR_NOTFOUND);
	find(&f, 7, "b", ERR_BUSY);
	turns(&f);
	CHECK_INT(current(&f, 7, "b"), 1);
	fix_leave(&g);
	fix_close(&f);
}

/* Goal: what another node has just put is found before anybody was told of it. */
TEST(deploy_finds_what_another_node_has_put)
{
	struct fix f, g;

	fix_open(&f);
	f.shared = true;
	fix_restart(&f);
	fix_join(&g, &f);
	find(&f, 7, "count", ERR_NOTFOUND);
	CHECK_RC(put(&g, 7, "count", "one"), OK);
	find(&f, 7, "count", ERR_BUSY);
	turns(&f);
	CHECK_INT(find(&f, 7, "count", OK)->number, 1);
	fix_leave(&g);
	fix_close(&f);
}

/* Goal: what a client asks for here is done to what another node has just made current, and
 * while that is being taken here it waits and is not refused. */
TEST(deploy_waits_for_what_it_is_told)
{
	struct fix f, g;

	fix_open(&f);
	f.shared = true;
	fix_restart(&f);
	fix_join(&g, &f);
	CHECK_RC(put(&f, 7, "count", "one"), OK);
	CHECK_RC(put(&g, 7, "count", "two"), OK);
	CHECK_RC(put(&f, 7, "count", "three"), OK);
	CHECK_INT(answer.number, 3);
	SHOWS(&f, 7, "count", "count@3: 1 2 3");
	CHECK_RC(put(&g, 7, "count", "four"), OK);
	CHECK_RC(back(&f, 7, "count", 0), OK);       /* not from 3 to 2 */
	CHECK_INT(answer.number, 3);
	CHECK_RC(put(&g, 7, "count", "five"), OK);
	wasm_desk_look(f.desk[0]);
	turn(&f);                            /* it is being taken */
	CHECK_RC(back(&f, 7, "count", 4), OK);
	CHECK_INT(current(&f, 7, "count"), 4);
	CHECK_RC(put(&g, 7, "count", "six"), OK);
	CHECK_RC(drop(&f, 7, "count"), OK);
	fix_leave(&g);
	fix_close(&f);
}

static void
on_change(void *ctx)
{
	((struct fix *)ctx)->changes++;
}

/* Goal: a registry says that it wrote rows, and not that it has read them. */
TEST(deploy_tells_of_its_own_changes)
{
	struct fix f, g;

	fix_open(&f);
	f.changed = on_change;
	fix_restart(&f);
	fix_join(&g, &f);
	CHECK_RC(put(&f, 7, "a", "one"), OK);
	CHECK_INT(f.changes, 1);
	CHECK_RC(put(&g, 7, "a", "two"), OK);
	look(&f);
	CHECK_INT(current(&f, 7, "a"), 2);
	CHECK_INT(f.changes, 1);
	CHECK_RC(drop(&f, 7, "a"), OK);
	CHECK_INT(f.changes, 2);
	fix_leave(&g);
	fix_close(&f);
}
