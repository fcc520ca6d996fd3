/*
 * store_quota.c - what an owner may have: the one too many is refused, whoever makes it, and
 * what goes makes room.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include "store/cron.h"
#include "store/items.h"
#include "store/quota.h"

static int64_t
used(struct fix *f, owner_t owner, enum quota_kind q)
{
	int64_t all[QUOTAS] = { 0 };

	CHECK_RC(store_quota_used(f->r, owner, all), OK);
	return all[q];
}

static int
make_thread(struct fix *f, owner_t owner, unsigned n, const struct store_quota *q)
{
	struct store_thread_create c = thread_new(n);

	c.cmd.quota = q;
	f->e.text[0] = '\0';
	c.cmd.rc = fix_do(f, &c, STORE_THREAD_CREATE, owner);
	f->e = c.cmd.err;
	return c.cmd.rc;
}

CONTRACT(quota_of_threads)
{
	const struct store_quota two = { .max[QUOTA_THREADS] = 2 };
	struct store_thread_delete d = { .id = id_of(ID_THREAD, 1) };
	struct store_run_create r = run_new(5, 1);
	struct store_thread_copy copy = { .from = id_of(ID_THREAD, 2), .id = id_of(ID_THREAD, 9),
		.metadata_json = S("{}"), .now = 9000 };

	CHECK_RC(make_thread(f, 7, 1, &two), OK);
	CHECK_RC(make_thread(f, 7, 2, &two), OK);
	CHECK_RC(make_thread(f, 7, 3, &two), ERR_DENIED);
	CHECK_STR(str_of(f->e.text), "threads: these credentials may have 2, and there are 2");
	CHECK_RC(make_thread(f, 8, 4, &two), OK);
	/* A run that makes its thread, and a copy, make threads too. */
	r.create_thread = true;
	r.cmd.quota = copy.cmd.quota = &two;
	CHECK_RC(fix_do(f, &r, STORE_RUN_CREATE, 7), ERR_DENIED);
	CHECK_RC(fix_do(f, &copy, STORE_THREAD_COPY, 7), ERR_DENIED);
	CHECK_INT(used(f, 7, QUOTA_THREADS), 2);
	CHECK_RC(fix_do(f, &d, STORE_THREAD_DELETE, 7), OK);
	CHECK_RC(make_thread(f, 7, 3, &two), OK);
	/* Who has more already may make none, and without a quota everybody may. */
	CHECK_RC(make_thread(f, 7, 5, NULL), OK);
	CHECK_RC(make_thread(f, 7, 6, &two), ERR_DENIED);
	CHECK_INT(used(f, 7, QUOTA_THREADS), 3);
}

/* Goal: what a batch has made before it is written counts. */
CONTRACT(quota_of_threads_in_one_batch)
{
	const struct store_quota two = { .max[QUOTA_THREADS] = 2 };
	struct store_thread_create c[5];
	int made = 0;

	for (unsigned i = 0; i < 5; i++) {
		c[i] = thread_new(i + 1);
		c[i].cmd.quota = &two;
		fix_submit(f, &c[i], STORE_THREAD_CREATE, 7);
	}
	fix_wait(f, f->back + 5);
	for (unsigned i = 0; i < 5; i++)
		made += c[i].cmd.rc == OK;
	CHECK_INT(made, 2);
	CHECK_INT(used(f, 7, QUOTA_THREADS), 2);
}

CONTRACT(quota_of_runs)
{
	const struct store_quota two = { .max[QUOTA_RUNS] = 2 };
	struct store_run first = start_run(f, 7, 1, 1);
	struct store_run_create behind = run_new(1, 2), more = run_new(2, 3);

	start_run(f, 8, 4, 5);
	behind.cmd.quota = more.cmd.quota = &two;
	more.create_thread = true;
	CHECK_RC(fix_do(f, &behind, STORE_RUN_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &more, STORE_RUN_CREATE, 7), ERR_LIMIT);
	CHECK_STR(str_of(more.cmd.err.text), "runs: these credentials may have 2, and there are 2 "
	    "pending or running");
	CHECK_INT(used(f, 7, QUOTA_RUNS), 2);
	CHECK_INT(used(f, 7, QUOTA_THREADS), 1);     /* and no thread was made */
	CHECK_RC(finish_run(f, 7, &first, NULL, 0), OK);
	CHECK_INT(used(f, 7, QUOTA_RUNS), 1);
	CHECK_RC(fix_do(f, &more, STORE_RUN_CREATE, 7), OK);
}

static int
put_item(struct fix *f, const char *key, const char *value, const struct store_quota *q,
    struct err *e)
{
	struct store_item_put p = { .item = { .ns = S("n"), .key = str_of(key),
	    .value_json = str_of(value), .created = 1, .updated = 1 }, .cmd.quota = q };

	p.cmd.rc = fix_do(f, &p, STORE_ITEM_PUT, 7);
	*e = p.cmd.err;
	return p.cmd.rc;
}

CONTRACT(quota_of_items)
{
	const struct store_quota two = { .max = { [QUOTA_STORE_ITEMS] = 2,
	    [QUOTA_STORE_BYTES] = 30 } };
	struct store_item_delete d = { .ns = S("n"), .key = S("a") };
	struct err e;

	CHECK_RC(put_item(f, "a", "{\"v\":\"1234\"}", &two, &e), OK);
	CHECK_RC(put_item(f, "b", "{\"v\":\"1234\"}", &two, &e), OK);
	CHECK_RC(put_item(f, "c", "{}", &two, &e), ERR_DENIED);
	CHECK_STR(str_of(e.text), "store-items: these credentials may have 2, and there are 2");
	CHECK_INT(used(f, 7, QUOTA_STORE_BYTES), 24);
	CHECK_RC(put_item(f, "b", "{\"v\":\"12345678901\"}", &two, &e), ERR_DENIED);
	CHECK_STR(str_of(e.text), "store-bytes: these credentials may have 30, and there are 31 "
	    "with this");
	CHECK_RC(put_item(f, "b", "{\"v\":\"1234567890\"}", &two, &e), OK);
	CHECK_INT(used(f, 7, QUOTA_STORE_BYTES), 30);
	CHECK_RC(fix_do(f, &d, STORE_ITEM_DELETE, 7), OK);
	CHECK_INT(used(f, 7, QUOTA_STORE_BYTES), 18);
	CHECK_INT(used(f, 7, QUOTA_STORE_ITEMS), 1);
	CHECK_RC(put_item(f, "c", "{}", &two, &e), OK);
	/* With too many bytes already a smaller value goes in. */
	CHECK_RC(put_item(f, "c", "{\"v\":\"123456789012345678901234567890\"}", NULL, &e), OK);
	CHECK_RC(put_item(f, "c", "{\"v\":\"12345678901234567890123456789\"}", &two, &e), OK);
	CHECK_RC(put_item(f, "c", "{\"v\":\"123456789012345678901234567890\"}", &two, &e),
	    ERR_DENIED);
}

/* Goal: a restart forgets nothing. */
TEST(quota_after_a_restart)
{
	const struct store_quota two = { .max = { [QUOTA_THREADS] = 2, [QUOTA_STORE_BYTES] = 20 } };
	struct fix f;
	struct err e;

	fix_open(&f, "sqlite");
	CHECK_RC(make_thread(&f, 7, 1, &two), OK);
	CHECK_RC(make_thread(&f, 7, 2, &two), OK);
	CHECK_RC(put_item(&f, "a", "{\"v\":\"1234\"}", &two, &e), OK);
	fix_reopen(&f);
	CHECK_RC(make_thread(&f, 7, 3, &two), ERR_DENIED);
	CHECK_RC(put_item(&f, "b", "{\"v\":\"1234\"}", &two, &e), ERR_DENIED);
	fix_close(&f);
}
