/*
 * store_longest.c - what an index has of texts from outside, at its longest and of bytes that
 * cannot be packed: an entry of a btree of PostgreSQL has at most 2,704 bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "saver_fix.h"
#include "store/items.h"
#include "store/mail.h"

/* n letters and digits in no order. */
static struct str
noise(struct fix *f, size_t n)
{
	static const char of[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	static uint64_t x = 88172645463325252;
	struct str s = { arena_zero(&f->a, n + 1), n };

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		((char *)s.p)[i] = of[x >> 58];
	}
	return s;
}

/* Goal: checkpoints of a graph nested as deep as it may be are saved and found, those of a
 * worker too; one level more is refused with what is wrong. */
CONTRACT(longest_checkpoint_namespace)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct str ns = noise(f, LIMIT_CHECKPOINT_NS_PUT_BYTES), id = noise(f, LIMIT_SAVER_ID_BYTES);
	struct store_saver_put p = sput(f, ns.p, 1, 0, "{\"a\":1}", BLOBS("a", "1"));
	struct store_saver_write w = swrite(f, ns.p, 1, "t", 0, "c", "2");
	struct store_run_save x = { .run_seq = run.seq, .thread_seq = run.thread_seq,
	    .changes = { .saver_puts = &p, .saver_puts_n = 1, .saver_writes = &w,
	    .saver_writes_n = 1 } };
	struct store_saver_found got;

	CHECK_RC(ssave(f, 7, &run, &p, NULL, 0), OK);
	p.id = w.id = id;
	w.task = noise(f, LIMIT_SAVER_ID_BYTES);
	w.path = noise(f, LIMIT_SAVER_PATH_BYTES);
	w.channel = noise(f, LIMIT_SAVER_CHANNEL_BYTES);
	CHECK_RC(fix_do(f, &x, STORE_RUN_SAVE, 7), OK);
	CHECK_RC(store_saver_get(f->r, 7, run.thread_seq, ns, id, &f->a, &got), OK);
	CHECK(got.writes_n == 1 && str_eq(got.writes[0].task, w.task));
	p.ns = noise(f, LIMIT_CHECKPOINT_NS_PUT_BYTES + 1);
	CHECK_RC(fix_do(f, &x, STORE_RUN_SAVE, 7), ERR_INVALID);
	CHECK(str_starts(str_of(x.cmd.err.text), S("namespace: ")));
	p.ns = noise(f, LIMIT_CHECKPOINT_NS_BYTES);
	CHECK_RC(fix_do(f, &x, STORE_RUN_SAVE, 7), ERR_INVALID);
}

/* Goal: the same of an item's namespace and key: the field is named. */
CONTRACT(longest_item_namespace)
{
	struct store_item_put p = { .item = { .ns = noise(f, LIMIT_ITEM_NAMESPACE_BYTES),
	    .key = noise(f, LIMIT_NAME_BYTES), .value_json = S("{}"), .created = 1,
	    .updated = 1 } };
	struct store_item_search s = { .ns = p.item.ns, .limit = 2 };

	CHECK_RC(fix_do(f, &p, STORE_ITEM_PUT, 7), OK);
	CHECK_RC(fix_do(f, &s, STORE_ITEM_SEARCH, 7), OK);
	CHECK(s.items_n == 1 && str_eq(s.items[0].key, p.item.key));
	p.item.ns = noise(f, LIMIT_ITEM_NAMESPACE_BYTES + 1);
	CHECK_RC(fix_do(f, &p, STORE_ITEM_PUT, 7), ERR_INVALID);
	CHECK(str_starts(str_of(p.cmd.err.text), S("namespace: ")));
	p.item.ns = noise(f, LIMIT_NAMESPACE_BYTES);
	CHECK_RC(fix_do(f, &p, STORE_ITEM_PUT, 7), ERR_INVALID);
}

/* Goal: owners, agents, conversations and who is asked at their longest. */
CONTRACT(longest_names)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_interrupt i = { .id = id_of(9, 1), .task = id_of(9, 2), .key = S("0"),
	    .value_json = S("1"), .created = 1, .assignee = noise(f, LIMIT_NAME_BYTES) };
	struct store_run_save save = { .run_seq = run.seq, .thread_seq = run.thread_seq,
	    .changes = { .interrupts = &i, .interrupts_n = 1 } };
	struct store_owner_intern o = { .subject = noise(f, 2 * LIMIT_NAME_BYTES) };
	struct uuid to = id_of(ID_CHECKPOINT, 1);
	struct store_mail m = { .id = id_of(ID_CHECKPOINT, 2), .to = &to, .to_n = 1,
	    .sender = to, .conversation = noise(f, LIMIT_ACL_PARAM_BYTES),
	    .packed = S("packed"), .created = 1 };
	struct store_mail_put put = { .mails = &m, .mails_n = 1 };
	struct store_mail_list list = { .conversation = m.conversation, .limit = 2 };
	struct store_mailer_put a = { .m = { .id = to, .name = noise(f, LIMIT_NAME_BYTES),
	    .kind = S("run"), .graph_id = noise(f, LIMIT_NAME_BYTES), .spec_json = S("{}"),
	    .state = 2, .created = 1, .updated = 1 } };

	CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	CHECK_RC(fix_do(f, &o, STORE_OWNER_INTERN, 0), OK);
	CHECK_RC(fix_do(f, &put, STORE_MAIL_PUT, 7), OK);
	CHECK_RC(fix_do(f, &list, STORE_MAIL_LIST, 7), OK);
	CHECK_INT(list.found_n, 1);
	CHECK_RC(fix_do(f, &a, STORE_MAILER_PUT, 7), OK);
}
