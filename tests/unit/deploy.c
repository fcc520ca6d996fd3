/*
 * deploy.c - modules by owner and name: what is put is its owner's, builds by itself, keeps its
 * last versions, and is there after a restart; modules of the folder.
 *
 * SPDX-License-Identifier: MIT
 */
#include "deploy_fix.h"

/* ---- putting -------------------------------------------------------------------------------- */

/* Goal: a module is its owner's; a new version is current at once, and both desks are told. */
TEST(deploy_put)
{
	struct wasm_release *r;
	struct fix f;

	fix_open(&f);
	CHECK_RC(put(&f, 7, "count", "one"), OK);
	CHECK_INT(answer.number, 1);
	r = find(&f, 7, "count", OK);
	CHECK(r->number == 1 && r->owner == 7 && !r->folder);
	find(&f, 8, "count", ERR_NOTFOUND);
	CHECK(!str_contains(str_of(f.e.text), S("did you mean")));
	find(&f, 7, "cuont", ERR_NOTFOUND);
	CHECK(str_contains(str_of(f.e.text), S("did you mean 'count'")));
	CHECK_RC(put(&f, 7, "count", "two"), OK);
	CHECK_INT(find(&f, 7, "count", OK)->number, 2);
	turns(&f);
	for (int i = 0; i < DESKS; i++) {
		CHECK_INT(f.heard[i][0].from, 0);
		CHECK(last(&f, i).from == 1 && last(&f, i).to == 2);
		CHECK_INT(last(&f, i).strategy, WASM_GRACEFUL);
	}
	CHECK_RC(put_how(&f, 7, "count", "three",
	    (struct wasm_reload){ .strategy = WASM_IMMEDIATE }), OK);
	turns(&f);
	CHECK(last(&f, 1).strategy == WASM_IMMEDIATE && last(&f, 1).to == 3);
	SHOWS(&f, 7, "count", "count@3: 1 2 3 promoted: version 3 after 2");
	fix_close(&f);
}

/* Goal: gcc's code takes tcc's place without anybody asking, for all desks. */
TEST(deploy_gcc_follows)
{
	struct wasm_release *r;
	struct wasm_code *c;
	struct fix f;

	fix_open(&f);
	world.gcc_waits = true;
	CHECK_RC(put(&f, 7, "a", "one"), OK);
	r = find(&f, 7, "a", OK);
	c = wasm_release_code(r);
	world.gcc_waits = false;
	turns(&f);
	CHECK_INT(world.replaced, DESKS);
	CHECK_INT(c->compiler, WASM_TCC);    /* what was held is what it was */
	code_drop(c);
	c = wasm_release_code(r);
	CHECK_INT(c->compiler, WASM_GCC);
	code_drop(c);
	fix_close(&f);
}

/* Goal: gcc's code comes later when too many builds wait. */
TEST(deploy_gcc_follows_later)
{
	struct fix f;

	fix_open(&f);
	world.gcc_full = true;
	CHECK_RC(put(&f, 7, "a", "one"), OK);
	turns(&f);
	CHECK_INT(world.started[WASM_GCC], 1);
	world.gcc_full = false;
	UNTIL(&f, world.replaced == DESKS);
	CHECK_RC(put(&f, 7, "a", "two"), OK);
	world.gcc_full = true;
	CHECK_RC(put(&f, 7, "a", "three"), OK);
	turns(&f);
	fix_close(&f);                       /* while it waits */
}

/* Goal: what cannot be built or started, or does what its policy does not allow, is refused
 * with words, and what was current stays. */
TEST(deploy_refuses)
{
	struct fix f;

	fix_open(&f);
	CHECK_RC(put(&f, 7, "a", "bad one"), ERR_INVALID);
	CHECK(str_contains(str_of(answer.e.text), S("section 7, offset 3")));
	find(&f, 7, "a", ERR_NOTFOUND);
	CHECK_RC(put(&f, 7, "a", "good"), OK);
	CHECK_RC(put(&f, 7, "a", "trap"), ERR_INVALID);
	CHECK(str_contains(str_of(answer.e.text), S("cannot be started: out of fuel")));
	CHECK_RC(put(&f, 7, "a", "send"), ERR_INVALID);
	CHECK(str_contains(str_of(answer.e.text), S("imports cohort.send")));
	CHECK_INT(current(&f, 7, "a"), 1);
	SHOWS(&f, 7, "a", "a@1: 1 rolled_back: the module imports");
	CHECK_RC(put(&f, 7, "../a", "x"), ERR_INVALID);
	CHECK_RC(put(&f, 7, "", "x"), ERR_INVALID);
	CHECK_RC(put(&f, 7, "a", ""), ERR_INVALID);
	CHECK_RC(put_how(&f, 7, "a", "x", (struct wasm_reload){ .strategy = WASM_SPLIT }),
	    ERR_INVALID);
	CHECK(str_contains(str_of(answer.e.text), S("percent")));
	CHECK_INT(current(&f, 7, "a"), 1);
	fix_close(&f);
}

/* Goal: without tcc gcc builds; without both it says what is missing. */
TEST(deploy_compilers)
{
	struct fix f;

	fix_open(&f);
	world.no_tcc = true;
	CHECK_RC(put(&f, 7, "a", "one"), OK);
	CHECK_INT(world.started[WASM_GCC], 1);
	world.no_gcc = true;
	CHECK_RC(put(&f, 7, "a", "two"), ERR_NOTFOUND);
	CHECK(str_contains(str_of(answer.e.text), S("apt install")));
	CHECK_INT(current(&f, 7, "a"), 1);
	fix_close(&f);
}

/* Goal: of two changes at once one is refused, and nothing is torn. */
TEST(deploy_one_at_a_time)
{
	static struct wasm_put second;
	struct fix f;

	fix_open(&f);
	put_begin(&f, 0, 7, "a", "stuck", (struct wasm_reload){ 0 });
	turns(&f);
	CHECK(!answer.done);
	second = (struct wasm_put){ .owner = 7, .name = S("a"), .bytes = S("two"),
	    .done = on_put };
	wasm_desk_put(f.desk[1], &second);
	UNTIL(&f, answer.done);
	CHECK_RC(answer.rc, ERR_CONFLICT);
	answer.done = false;
	fix_close(&f);                       /* the first one: the server stops */
	CHECK(answer.done);
	CHECK_RC(answer.rc, ERR_BUSY);
}

/* ---- versions ---------------------------------------------------------------------------------- */

/* Goal: three versions are kept, and those that somebody uses as long as he does. */
TEST(deploy_versions)
{
	struct wasm_release *r;
	struct fix f;

	fix_open(&f);
	for (char b[] = "1"; b[0] <= '4'; b[0]++) {
		CHECK_RC(put(&f, 7, "a", b), OK);
		if (b[0] == '2')
			find(&f, 7, "a", OK);
	}
	turns(&f);
	SHOWS(&f, 7, "a", "a@4: 2 3 4");
	CHECK_RC(put(&f, 7, "a", "5"), OK);
	turns(&f);
	SHOWS(&f, 7, "a", "a@5: 2 3 4 5");
	wasm_release_drop(f.held[--f.held_n]);
	CHECK_RC(wasm_desk_find_number(f.desk[0], 7, S("a"), 1, &r, &f.e), ERR_NOTFOUND);
	CHECK_RC(wasm_desk_find_number(f.desk[0], 7, S("a"), 3, &r, &f.e), OK);
	CHECK_INT(r->number, 3);
	wasm_release_drop(r);
	CHECK_RC(put(&f, 7, "a", "6"), OK);
	turns(&f);
	SHOWS(&f, 7, "a", "a@6: 4 5 6");
	fix_close(&f);
}

/* Goal: back to the one before, or to one that is named, also after a restart. */
TEST(deploy_rollback)
{
	struct fix f;

	fix_open(&f);
	CHECK_RC(put(&f, 7, "a", "1"), OK);
	CHECK_RC(back(&f, 7, "a", 0), ERR_CONFLICT);
	CHECK_RC(put(&f, 7, "a", "2"), OK);
	CHECK_RC(put(&f, 7, "a", "3"), OK);
	CHECK_RC(back(&f, 8, "a", 0), ERR_NOTFOUND);
	CHECK_RC(back(&f, 7, "a", 9), ERR_NOTFOUND);
	CHECK_RC(back(&f, 7, "a", 0), OK);
	CHECK_INT(answer.number, 2);
	turns(&f);
	CHECK(last(&f, 0).from == 3 && last(&f, 0).to == 2);
	SHOWS(&f, 7, "a", "rolled_back: version 2 after 3, asked for");
	fix_restart(&f);
	world.cached = true;
	CHECK_INT(current(&f, 7, "a"), 2);
	CHECK_RC(back(&f, 7, "a", 3), OK);
	CHECK_INT(current(&f, 7, "a"), 3);
	fix_close(&f);
}

/* Goal: nobody's module is taken from under his agents, and nobody takes another's. */
TEST(deploy_delete)
{
	struct fix f;

	fix_open(&f);
	CHECK_RC(put(&f, 7, "a", "1"), OK);
	find(&f, 7, "a", OK);
	CHECK_RC(drop(&f, 7, "a"), ERR_CONFLICT);
	CHECK(str_contains(str_of(answer.e.text), S("used by agents")));
	CHECK_RC(drop(&f, 8, "a"), ERR_NOTFOUND);
	turns(&f);
	wasm_release_drop(f.held[--f.held_n]);
	CHECK_RC(drop(&f, 7, "a"), OK);
	find(&f, 7, "a", ERR_NOTFOUND);
	fix_restart(&f);
	find(&f, 7, "a", ERR_NOTFOUND);
	CHECK_RC(put(&f, 7, "a", "1"), OK);
	fix_close(&f);
}

/* Goal: after a restart a module is there: at once if the cache has it, else when it is built,
 * which is told. */
TEST(deploy_restart)
{
	struct fix f;

	fix_open(&f);
	CHECK_RC(put(&f, 7, "a", "1"), OK);
	turns(&f);
	world.no_gcc = true;
	fix_restart(&f);
	find(&f, 7, "a", ERR_BUSY);
	find(&f, 7, "a", ERR_BUSY);
	UNTIL(&f, f.heard_n[0] > 0 && f.heard_n[1] > 0);
	CHECK(last(&f, 1).from == 0 && last(&f, 1).to == 1);
	CHECK_INT(find(&f, 7, "a", OK)->number, 1);
	fix_restart(&f);
	world.cached = true;
	CHECK_INT(find(&f, 7, "a", OK)->number, 1);
	fix_restart(&f);
	world.cached = false;
	world.no_tcc = true;
	find(&f, 7, "a", ERR_BUSY);
	UNTIL(&f, f.heard_n[0] > 0);
	find(&f, 7, "a", ERR_NOTFOUND);      /* not tried again at once */
	CHECK(str_contains(str_of(f.e.text), S("apt install")));
	fix_close(&f);
}

/* Goal: a version that two ask for at once is built for both; one of the codes is used, and is
 * compiled by gcc once. */
TEST(deploy_built_twice)
{
	size_t tcc, gcc;
	struct fix f;

	fix_open(&f);
	CHECK_RC(put(&f, 7, "a", "1"), OK);
	turns(&f);
	fix_restart(&f);
	tcc = world.started[WASM_TCC];
	gcc = world.started[WASM_GCC];
	find(&f, 7, "a", ERR_BUSY);
	CHECK_RC(back(&f, 7, "a", 1), OK);
	turns(&f);
	CHECK_INT(world.started[WASM_TCC] - tcc, 2);
	CHECK_INT(world.started[WASM_GCC] - gcc, 1);
	find(&f, 7, "a", OK);
	fix_close(&f);
}

/* ---- the folder ------------------------------------------------------------------------------ */

static void
folder(struct fix *f, const char *name, const char *bytes)
{
	struct wasm_folder_module m = { .name = str_of(name), .bytes = str_of(bytes) };

	wasm_deploy_folder(f->d, &m, name == NULL ? 0 : 1);
	turns(f);
}

/* Goal: a module of the folder is everybody's, but for owners who have one of that name; it is
 * reloaded when it changes and not when it does not; a bad change leaves the old one. */
TEST(deploy_folder)
{
	struct fix f;

	fix_open(&f);
	folder(&f, "a", "1");
	CHECK_INT(find(&f, 7, "a", OK)->number, 1);
	CHECK(find(&f, 8, "a", OK)->folder);
	CHECK_RC(put(&f, 7, "a", "mine"), OK);
	CHECK(!find(&f, 7, "a", OK)->folder);
	CHECK(find(&f, 8, "a", OK)->folder);
	turns(&f);
	f.heard_n[1] = 0;
	folder(&f, "a", "1");
	CHECK_INT(f.heard_n[1], 0);
	folder(&f, "a", "2");
	CHECK(last(&f, 1).from == 1 && last(&f, 1).to == 2);
	folder(&f, "a", "trap");
	CHECK_INT(find(&f, 8, "a", OK)->number, 2);
	SHOWS(&f, 8, "a", "a@2: 1 2 3 rolled_back: module 'a' cannot be started");
	CHECK_RC(drop(&f, 8, "a"), ERR_CONFLICT);
	CHECK_RC(back(&f, 8, "a", 0), ERR_CONFLICT);
	CHECK_RC(drop(&f, 7, "a"), ERR_CONFLICT);
	folder(&f, NULL, NULL);
	find(&f, 8, "a", ERR_NOTFOUND);
	CHECK(!find(&f, 7, "a", OK)->folder);
	fix_close(&f);
}

/* Goal: what the folder has at the start is built when there is a desk; one that is bad says
 * why to who asks for it. */
TEST(deploy_folder_at_start)
{
	struct wasm_folder_module m[] = { { .name = S("good"), .bytes = S("1") },
	    { .name = S("stops"), .bytes = S("trap") }, { .name = S("wrong"), .bytes = S("bad") } };
	struct fix f;

	fix_open(&f);
	wasm_deploy_folder(f.d, m, COUNT(m));
	find(&f, 7, "good", ERR_NOTFOUND);   /* not heard of yet */
	shard_turn(f.shard[0]);
	find(&f, 7, "good", ERR_BUSY);
	turns(&f);
	turns(&f);
	CHECK(find(&f, 7, "good", OK)->folder);
	find(&f, 7, "stops", ERR_INVALID);
	CHECK(str_contains(str_of(f.e.text), S("cannot be started")));
	CHECK_INT(f.heard_n[1], COUNT(m));   /* who waits for one hears of its end, too */
	find(&f, 7, "wrong", ERR_INVALID);
	CHECK(str_contains(str_of(f.e.text), S("section 7")));
	fix_close(&f);
}
