/*
 * store_crons.c - crons: whose they are, what goes with them, and that each firing
 * has one run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/cron.h"
#include "store_fix.h"

enum { ID_CRON = 77 };

static void
assistant_make(struct fix *f, owner_t owner, unsigned n)
{
	struct store_assistant_create a = assistant_new(n);

	CHECK_RC(fix_do(f, &a, STORE_ASSISTANT_CREATE, owner), OK);
}

static struct store_cron_create
cron_new(unsigned n, msec next)
{
	return (struct store_cron_create){ .c = { .id = id_of(ID_CRON, n),
	    .assistant_id = id_of(ID_ASSISTANT, 1), .schedule = S("0 * * * *"),
	    .enabled = 1, .next = next, .created = n, .updated = n,
	    .payload_json = S("{\"input\":{}}"), .metadata_json = S("{\"a\":1,\"b\":2}") } };
}

static struct store_cron
cron_make(struct fix *f, owner_t owner, unsigned n, msec next)
{
	struct store_cron_create c = cron_new(n, next);

	CHECK_RC(fix_do(f, &c, STORE_CRON_CREATE, owner), OK);
	return c.c;
}

static int
cron_get(struct fix *f, owner_t owner, unsigned n, struct store_cron *out)
{
	struct uuid id = id_of(ID_CRON, n);

	return store_cron_get(f->r, owner, &id, &f->a, out);
}

static struct store_run_create
firing_of(const struct store_cron *c, unsigned run, msec next)
{
	struct store_run_create r = run_new(run, run);

	r.create_thread = true;
	r.firing = (struct store_firing){ .cron = c->id, .version = c->version,
	    .due = c->next, .next = next };
	return r;
}

static size_t
due_at(struct fix *f, msec now, size_t max)
{
	struct store_due *list;
	size_t n = 0;

	CHECK_RC(store_due_get(f->r, now, max, &f->a, &list, &n), OK);
	for (size_t i = 0; i < n; i++) {
		CHECK(list[i].what == DUE_CRON && list[i].due <= now);
		CHECK(i == 0 || list[i - 1].due <= list[i].due);
	}
	return n;
}

CONTRACT(cron_is_kept_and_is_its_owners)
{
	struct store_cron c;
	struct store_cron_delete gone = { .id = id_of(ID_CRON, 1) };

	assistant_make(f, 7, 1);
	c = cron_make(f, 7, 1, 1000);
	CHECK_INT(c.version, 1);
	CHECK_RC(cron_get(f, 7, 1, &c), OK);
	CHECK_STR(c.schedule, "0 * * * *");
	CHECK(c.zone.p == NULL && c.next == 1000 && c.ends == 0 && c.error_json.n == 0);
	CHECK_RC(cron_get(f, 8, 1, &c), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &gone, STORE_CRON_DELETE, 8), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &gone, STORE_CRON_DELETE, 7), OK);
	CHECK_RC(cron_get(f, 7, 1, &c), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &gone, STORE_CRON_DELETE, 7), ERR_NOTFOUND);
}

CONTRACT(cron_needs_an_assistant_and_a_thread_of_its_owner)
{
	struct store_cron_create c = cron_new(1, 1000);
	struct store_thread_create t = thread_new(1);

	CHECK_RC(fix_do(f, &c, STORE_CRON_CREATE, 7), ERR_NOTFOUND);
	assistant_make(f, 7, 1);
	CHECK_RC(fix_do(f, &t, STORE_THREAD_CREATE, 8), OK);
	c = cron_new(1, 1000);
	c.c.thread_id = id_of(ID_THREAD, 1);
	CHECK_RC(fix_do(f, &c, STORE_CRON_CREATE, 7), ERR_NOTFOUND);
	CHECK_INT(count_rows(f, "cron"), 0);
}

CONTRACT(cron_changes_are_seen_by_their_version)
{
	struct store_cron_update u = { .c = cron_new(1, 0).c };
	struct store_cron_update again;

	assistant_make(f, 7, 1);
	cron_make(f, 7, 1, 1000);
	u.c.version = 1;
	u.c.next = 2000;
	u.c.metadata_json = S("{\"b\":3,\"c\":4}");
	again = u;
	CHECK_RC(fix_do(f, &u, STORE_CRON_UPDATE, 7), OK);
	CHECK_INT(u.c.version, 2);
	CHECK_STR(u.c.metadata_json, "{\"a\":1,\"b\":3,\"c\":4}");
	CHECK_RC(fix_do(f, &again, STORE_CRON_UPDATE, 7), ERR_CONFLICT);
	again.c.version = 2;
	CHECK_RC(fix_do(f, &again, STORE_CRON_UPDATE, 8), ERR_NOTFOUND);
}

/* Two tries of one firing, also in one batch; one that was read before a change. */
CONTRACT(cron_firing_has_one_run)
{
	struct store_run_create r[3];
	struct store_cron c, later;
	struct store_cron_update u;

	assistant_make(f, 7, 1);
	c = cron_make(f, 7, 1, 1000);
	for (unsigned i = 0; i < 3; i++) {
		r[i] = firing_of(&c, 1 + i, 2000);
		r[i].cmd.arena = &f->a;
	}
	for (unsigned i = 0; i < 3; i++)
		fix_submit(f, &r[i], STORE_RUN_CREATE, 7);
	fix_wait(f, f->back + 3);
	CHECK_RC(r[0].cmd.rc, OK);
	CHECK_RC(r[1].cmd.rc, ERR_CONFLICT);
	CHECK_RC(r[2].cmd.rc, ERR_CONFLICT);
	CHECK_INT(count_rows(f, "run"), 1);
	CHECK_INT(count_rows(f, "thread"), 1);
	CHECK_RC(cron_get(f, 7, 1, &later), OK);
	CHECK(later.next == 2000 && later.enabled && later.version == 1);
	CHECK_INT(later.updated, 1);

	u = (struct store_cron_update){ .c = later };
	CHECK_RC(fix_do(f, &u, STORE_CRON_UPDATE, 7), OK);
	r[1] = firing_of(&later, 2, 3000);
	CHECK_RC(fix_do(f, &r[1], STORE_RUN_CREATE, 7), ERR_CONFLICT);
	CHECK_INT(count_rows(f, "run"), 1);
}

CONTRACT(cron_without_a_next_firing_is_disabled)
{
	struct store_cron c;
	struct store_run_create r;

	assistant_make(f, 7, 1);
	c = cron_make(f, 7, 1, 1000);
	r = firing_of(&c, 1, 0);
	CHECK_RC(fix_do(f, &r, STORE_RUN_CREATE, 7), OK);
	CHECK_RC(cron_get(f, 7, 1, &c), OK);
	CHECK(!c.enabled && c.next == 0);
	CHECK_INT(due_at(f, INT64_MAX - 1, 10), 0);
}

CONTRACT(cron_missed_firing_says_why)
{
	struct store_cron c;
	struct store_cron_miss m = { .error_json = S("{\"message\":\"full\"}") };
	struct store_run_create r;

	assistant_make(f, 7, 1);
	c = cron_make(f, 7, 1, 1000);
	m.firing = firing_of(&c, 1, 2000).firing;
	CHECK_RC(fix_do(f, &m, STORE_CRON_MISS, 8), ERR_CONFLICT);
	CHECK_RC(fix_do(f, &m, STORE_CRON_MISS, 7), OK);
	CHECK_RC(fix_do(f, &m, STORE_CRON_MISS, 7), ERR_CONFLICT);
	CHECK_RC(cron_get(f, 7, 1, &c), OK);
	CHECK_STR(c.error_json, "{\"message\":\"full\"}");
	CHECK_INT(c.next, 2000);
	r = firing_of(&c, 1, 3000);          /* the next one is well */
	CHECK_RC(fix_do(f, &r, STORE_RUN_CREATE, 7), OK);
	CHECK_RC(cron_get(f, 7, 1, &c), OK);
	CHECK_INT(c.error_json.n, 0);
}

CONTRACT(crons_are_due_in_order_and_in_bounds)
{
	msec next = 0;

	assistant_make(f, 7, 1);
	for (unsigned i = 1; i <= 20; i++)
		cron_make(f, 7, i, 1000 + 10 * (i % 5));
	cron_make(f, 7, 21, 0);
	CHECK_INT(due_at(f, 999, 100), 0);
	CHECK_INT(due_at(f, 1010, 100), 8);
	CHECK_INT(due_at(f, 5000, 7), 7);
	CHECK_INT(due_at(f, 5000, 100), 20);
	CHECK_RC(store_due_next(f->r, &next), OK);
	CHECK_INT(next, 1000);
}

CONTRACT(crons_go_with_their_thread_and_their_assistant)
{
	struct store_thread_create t = thread_new(1);
	struct store_thread_delete dt = { .id = id_of(ID_THREAD, 1) };
	struct store_assistant_delete da = { .id = id_of(ID_ASSISTANT, 1) };
	struct store_cron_create c;
	struct store_cron out;

	assistant_make(f, 7, 1);
	CHECK_RC(fix_do(f, &t, STORE_THREAD_CREATE, 7), OK);
	for (unsigned i = 1; i <= 700; i++) {        /* more than go at once */
		c = cron_new(i, 1000);
		c.c.thread_id = i <= 350 ? t.t.id : (struct uuid){ { 0 } };
		CHECK_RC(fix_do(f, &c, STORE_CRON_CREATE, 7), OK);
	}
	CHECK_RC(fix_do(f, &dt, STORE_THREAD_DELETE, 7), OK);
	CHECK_RC(cron_get(f, 7, 350, &out), ERR_NOTFOUND);
	CHECK_INT(due_at(f, 1000, 1000), 350);
	CHECK_RC(fix_do(f, &da, STORE_ASSISTANT_DELETE, 7), OK);
	CHECK_RC(cron_get(f, 7, 700, &out), ERR_NOTFOUND);
	CHECK_INT(due_at(f, 1000, 1000), 0);
	while (count_rows(f, "cron") > 0) {          /* the rest, along with others */
		struct store_item_put put = { .item = { .ns = S("n"), .key = S("k"),
		    .value_json = S("{}"), .updated = 1 } };

		CHECK_RC(fix_do(f, &put, STORE_ITEM_PUT, 7), OK);
	}
}

CONTRACT(crons_are_searched)
{
	struct store_cron_search s = { .enabled = -1, .page = { .limit = 3,
	    .sort = STORE_SORT_NEXT, .ascending = true } };

	assistant_make(f, 7, 1);
	for (unsigned i = 1; i <= 9; i++)
		cron_make(f, 7, i, 2000 - i);
	CHECK_RC(fix_do(f, &s, STORE_CRON_SEARCH, 7), OK);
	CHECK(s.found_n == 3 && s.total == 9 && s.found[0].next == 1991);
	s.metadata_json = S("{\"a\":2}");
	CHECK_RC(fix_do(f, &s, STORE_CRON_SEARCH, 7), OK);
	CHECK(s.found_n == 0 && s.total == 0);
	s.metadata_json = STR_NONE;
	s.enabled = 0;
	CHECK_RC(fix_do(f, &s, STORE_CRON_SEARCH, 7), OK);
	CHECK_INT(s.total, 0);
	s.enabled = -1;
	CHECK_RC(fix_do(f, &s, STORE_CRON_SEARCH, 8), OK);
	CHECK_INT(s.total, 0);
}

/* Goal: a quota counts an owner's crons, and what goes makes room. */
CONTRACT(quota_of_crons)
{
	const struct store_quota one = { .max[QUOTA_CRONS] = 1 };
	struct store_cron_create a, b;
	struct store_cron_delete d = { .id = id_of(ID_CRON, 1) };

	assistant_make(f, 7, 1);
	a = cron_new(1, 5000);
	b = cron_new(2, 5000);
	a.cmd.quota = b.cmd.quota = &one;
	CHECK_RC(fix_do(f, &a, STORE_CRON_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &b, STORE_CRON_CREATE, 7), ERR_DENIED);
	CHECK_STR(str_of(b.cmd.err.text), "crons: these credentials may have 1, and there are 1");
	CHECK_RC(fix_do(f, &d, STORE_CRON_DELETE, 7), OK);
	CHECK_RC(fix_do(f, &b, STORE_CRON_CREATE, 7), OK);
}
