/*
 * store_saver.c - what savers of worker graphs put is what they get; and the same of a
 * naive model.
 *
 * SPDX-License-Identifier: MIT
 */
#include "saver_fix.h"

/* ---- a checkpoint ------------------------------------------------------------ */

/* Goal: a put comes back as it was put, the newest by default; another owner has
 * nothing. */
CONTRACT(saver_round_trip)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_saver_put p = sput(f, "", 1, 0, "{\"a\":1,\"b\":\"0001.x\"}",
	    BLOBS("a", "[1]", "b", ""));
	struct store_saver_put q = sput(f, "", 2, 1, "{\"a\":1,\"b\":\"0002.x\",\"c\":3.5}",
	    BLOBS("b", "\"two\""));
	struct store_saver_found x;

	p.checkpoint = (struct store_saver_value){ S("msgpack"), { "\x00\xff\n", 3 } };
	CHECK_RC(store_saver_get(f->r, 7, run.thread_seq, S(""), STR_NONE, &f->a, &x),
	    ERR_NOTFOUND);
	CHECK_RC(ssave(f, 7, &run, &p, NULL, 0), OK);
	CHECK_RC(ssave(f, 7, &run, &q, NULL, 0), OK);
	x = sget(f, 7, run.thread_seq, "", 0);
	CHECK(str_eq(x.id, q.id) && str_eq(x.parent, p.id) && x.ns.n == 0);
	CHECK(str_eq(x.metadata.body, q.metadata.body));
	CHECK_STR(svalues(f, &x), "a=[1],b=\"two\"");
	CHECK_STR(x.blobs[0].version_json, "1");
	CHECK_STR(x.blobs[1].version_json, "\"0002.x\"");
	x = sget(f, 7, run.thread_seq, "", 1);
	CHECK(str_eq(x.checkpoint.body, p.checkpoint.body));
	CHECK_STR(x.checkpoint.type, "msgpack");
	CHECK(x.parent.n == 0 && x.writes_n == 0);
	CHECK_STR(svalues(f, &x), "a=[1],b=");
	CHECK_RC(store_saver_get(f->r, 8, run.thread_seq, S(""), p.id, &f->a, &x),
	    ERR_NOTFOUND);
	CHECK_RC(store_saver_get(f->r, 7, run.thread_seq, S("x"), STR_NONE, &f->a, &x),
	    ERR_NOTFOUND);
}

/* Goal: two forks that count to the same version have each its own value, and what is
 * not changed comes from the line of parents; a version without a value has none. */
CONTRACT(saver_forks)
{
	struct store_run run = start_run(f, 7, 1, 1);
	int64_t t = run.thread_seq;
	const struct store_saver_put puts[] = {
		sput(f, "", 1, 0, "{\"a\":1,\"k\":1}", BLOBS("a", "1", "k", "0")),
		sput(f, "", 2, 1, "{\"a\":2,\"k\":1}", BLOBS("a", "2")),
		sput(f, "", 3, 1, "{\"a\":2,\"k\":1}", BLOBS("a", "22")),
		sput(f, "", 4, 3, "{\"a\":2,\"k\":1,\"d\":4}", BLOBS()),
		sput(f, "", 5, 2, "{\"a\":2,\"k\":2}", BLOBS()),
		sput(f, "", 6, 4, "{\"d\":4,\"a\":2}", BLOBS("d", "6")),
		sput(f, "", 7, 99, "{\"a\":2}", BLOBS()),
	};
	static const char *const want[] = { "a=1,k=0", "a=2,k=0", "a=22,k=0", "a=22,k=0",
	    "a=2", "d=6,a=22" };
	struct store_saver_found x;

	for (size_t i = 0; i < COUNT(want); i++)
		CHECK_RC(ssave(f, 7, &run, &puts[i], NULL, 0), OK);
	for (unsigned i = 0; i < COUNT(want); i++) {
		x = sget(f, 7, t, "", i + 1);
		if (!str_eq(svalues(f, &x), str_of(want[i])))
			test_fail(__FILE__, __LINE__, "%u: %.*s", i + 1,
			    FMT(svalues(f, &x)));
	}
	/* Put again: what children have of it stays. */
	CHECK_RC(ssave(f, 7, &run, NULL, NULL, 0), OK);
	{
		struct store_saver_put again[] = { puts[2], puts[6] };
		struct store_run_save save = { .run_seq = run.seq, .thread_seq = t,
		    .changes = { .saver_puts = again, .saver_puts_n = 2 } };

		CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	}
	x = sget(f, 7, t, "", 4);
	CHECK_STR(svalues(f, &x), "a=22,k=0");
	x = sget(f, 7, t, "", 7);            /* its parent is not there */
	CHECK_INT(x.blobs_n, 0);
}

/* Goal: writes come in the order of (path, task, idx) by bytes; below 0 the last one
 * stays, else the first; one may come before its checkpoint; names are text. */
CONTRACT(saver_writes)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_saver_put p = sput(f, "", 1, 0, "{\"__proto__\":1}",
	    BLOBS("__proto__", "1"));
	struct store_saver_write w[] = {
		swrite(f, "", 1, "t2", 0, "x", "1"), swrite(f, "", 1, "t1", 1, "x", "2"),
		swrite(f, "", 1, "t1", 0, "x", "3"), swrite(f, "", 1, "t1", -4, "r", "4"),
		swrite(f, "", 1, "constructor", 2, "x", "5"),
		swrite(f, "", 1, "t0", 0, "x", "6"), swrite(f, "", 1, "t0", 1, "x", "7"),
		swrite(f, "n:1", 1, "t0", 1, "x", "8"),
	};
	struct store_saver_write again[] = { swrite(f, "", 1, "t1", 0, "y", "33"),
	    swrite(f, "", 1, "t1", -4, "q", "44") };
	/* A path beyond the BMP is behind U+FFFD by bytes, before it by UTF-16. */
	static const struct { const char *task; int idx; const char *body; } want[] = {
		{ "constructor", 2, "5" }, { "t1", -4, "44" }, { "t1", 0, "3" },
		{ "t1", 1, "2" }, { "t2", 0, "1" }, { "t0", 0, "6" }, { "t0", 1, "7" },
	};
	struct store_saver_found x;

	w[5].path = S("\xef\xbf\xbd");
	w[6].path = S("\xf0\x9f\x98\x80");
	CHECK_RC(ssave(f, 7, &run, NULL, w, COUNT(w)), OK);
	CHECK_RC(ssave(f, 7, &run, &p, again, COUNT(again)), OK);
	x = sget(f, 7, run.thread_seq, "", 0);
	CHECK_STR(svalues(f, &x), "__proto__=1");
	CHECK_INT(x.writes_n, COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++) {
		CHECK(str_eq(x.writes[i].task, str_of(want[i].task)));
		CHECK_INT(x.writes[i].idx, want[i].idx);
		CHECK(str_eq(x.writes[i].value.body, str_of(want[i].body)));
		CHECK_STR(x.writes[i].value.type, "json");
	}
	CHECK_STR(x.writes[1].channel, "q");
}

/* Goal: what a run left at the newest checkpoint is told from what others left. */
CONTRACT(saver_began)
{
	struct store_run run = start_run(f, 7, 1, 1), next;
	struct store_saver_put p = sput(f, "", 1, 0, "{}", BLOBS());
	struct store_saver_write w = swrite(f, "", 1, "t", -4, "r", "1");
	bool began = true;

	CHECK_RC(store_saver_began(f->r, 7, run.thread_seq, run.seq, &began), OK);
	CHECK(!began);
	CHECK_RC(ssave(f, 7, &run, &p, NULL, 0), OK);
	CHECK_RC(store_saver_began(f->r, 7, run.thread_seq, run.seq, &began), OK);
	CHECK(began);
	CHECK_RC(store_saver_began(f->r, 8, run.thread_seq, run.seq, &began), OK);
	CHECK(!began);
	CHECK_RC(finish_run(f, 7, &run, NULL, 0), OK);
	next = start_run(f, 7, 1, 2);
	CHECK_RC(store_saver_began(f->r, 7, next.thread_seq, next.seq, &began), OK);
	CHECK(!began);
	CHECK_RC(ssave(f, 7, &next, NULL, &w, 1), OK);
	CHECK_RC(store_saver_began(f->r, 7, next.thread_seq, next.seq, &began), OK);
	CHECK(began);
}

/* Goal: what is wrong is named, and nothing of the command is written. */
CONTRACT(saver_refuses)
{
	static char text[LIMIT_SAVER_CHANNEL_BYTES + 1];
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_saver_put good = sput(f, "", 1, 0, "{\"a\":1}", BLOBS("a", "1"));
	struct store_saver_put bad[14];
	struct store_saver_write w[7];

	memset(text, 'x', sizeof text);
	for (size_t i = 0; i < COUNT(bad); i++)
		bad[i] = good;
	for (size_t i = 0; i < COUNT(w); i++)
		w[i] = swrite(f, "", 1, "t", 0, "c", "1");
	bad[0].id = STR_NONE;
	bad[1].id = (struct str){ text, LIMIT_SAVER_ID_BYTES + 1 };
	bad[2].parent = (struct str){ text, LIMIT_SAVER_ID_BYTES + 1 };
	bad[3].parent = bad[3].id;
	bad[4].ns = (struct str){ text, LIMIT_CHECKPOINT_NS_BYTES + 1 };
	bad[5].checkpoint.type = STR_NONE;
	bad[6].metadata.type = (struct str){ text, LIMIT_SAVER_TYPE_BYTES + 1 };
	bad[7].versions_json = S("[1]");
	bad[8].versions_json = S("{\"a\":true}");
	bad[9].versions_json = S("{\"b\":1}");
	bad[10].versions_json = S("{\"a\":1");
	bad[11] = sput(f, "", 1, 0, "{\"a\":1,\"b\":2}", BLOBS("a", "1", "a", "2"));
	bad[12].versions_json = arena_fmt(&f->a, "{\"a\":\"%.*s\"}",
	    LIMIT_SAVER_ID_BYTES + 1, text);
	bad[13].versions_json = arena_fmt(&f->a, "{\"a\":1,\"%.*s\":1}",
	    LIMIT_SAVER_CHANNEL_BYTES + 1, text);
	w[0].id = w[1].task = w[2].channel = w[3].value.type = STR_NONE;
	w[4].path = (struct str){ text, LIMIT_SAVER_PATH_BYTES + 1 };
	w[5].task = (struct str){ text, LIMIT_SAVER_ID_BYTES + 1 };
	w[6].channel = (struct str){ text, LIMIT_SAVER_CHANNEL_BYTES + 1 };
	for (size_t i = 0; i < COUNT(bad) + COUNT(w); i++) {
		bool put = i < COUNT(bad);
		struct store_run_save save = { .run_seq = run.seq,
		    .thread_seq = run.thread_seq, .changes = { .saver_puts =
		    put ? &bad[i] : &good, .saver_puts_n = 1, .saver_writes =
		    put ? NULL : &w[i - COUNT(bad)], .saver_writes_n = !put } };

		if (fix_do(f, &save, STORE_RUN_SAVE, 7) != ERR_INVALID)
			test_fail(__FILE__, __LINE__, "%zu: %s", i, save.cmd.err.text);
	}
	CHECK_INT(count_rows(f, "saver_checkpoint") + count_rows(f, "saver_blob") +
	    count_rows(f, "saver_write"), 0);
	CHECK_RC(ssave(f, 7, &run, &good, NULL, 0), OK);
}

/* ---- lists --------------------------------------------------------------------- */

static struct store_saver_list
list_of(struct fix *f, owner_t o, int64_t thread, const char *ns, const char *filter)
{
	struct store_saver_list x = { .thread_seq = thread, .any_ns = ns == NULL,
	    .ns = str_of(ns), .filter_json = str_of(filter), .limit = -1 };

	CHECK_RC(fix_do(f, &x, STORE_SAVER_LIST, o), OK);
	return x;
}

/* Goal: a list is of one namespace or of all, from the newest; filters compare members;
 * `before` is exclusive; another owner has nothing. */
CONTRACT(saver_lists)
{
	static const struct { const char *ns, *filter; size_t n; } want[] = {
		{ NULL, "", 6 }, { "", "", 3 }, { "a", "", 3 }, { "b", "", 0 },
		{ NULL, "{}", 6 }, { NULL, "{\"step\":3}", 1 },
		{ NULL, "{\"source\":\"loop\"}", 6 }, { NULL, "{\"who\":null}", 6 },
		{ NULL, "{\"absent\":null}", 0 }, { NULL, "{\"step\":3,\"source\":\"x\"}", 0 },
		{ NULL, "{\"__proto__\":{}}", 0 }, { "a", "{\"step\":2}", 1 },
	};
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_saver_list x;

	for (unsigned n = 1; n <= 6; n++) {
		struct store_saver_put p = sput(f, n % 2 ? "" : "a", n, n > 2 ? n - 2 : 0,
		    "{\"c\":1}", n > 2 ? BLOBS() : BLOBS("c", "v"));
		struct store_saver_write w = swrite(f, n % 2 ? "" : "a", n, "t", 0, "c", "1");

		CHECK_RC(ssave(f, 7, &run, &p, &w, 1), OK);
	}
	for (size_t i = 0; i < COUNT(want); i++) {
		x = list_of(f, 7, run.thread_seq, want[i].ns, want[i].filter);
		if (x.found_n != want[i].n || x.more)
			test_fail(__FILE__, __LINE__, "%zu: %zu found", i, x.found_n);
		CHECK_INT(list_of(f, 8, run.thread_seq, want[i].ns, want[i].filter).found_n,
		    0);
	}
	x = list_of(f, 7, run.thread_seq, NULL, "");
	for (unsigned i = 0; i < 6; i++) {
		CHECK(str_eq(x.found[i].id, sid(f, 6 - i)));
		CHECK_STR(svalues(f, &x.found[i]), "c=v");
		CHECK_INT(x.found[i].writes_n, 1);
	}
	x.before = sid(f, 4);
	x.limit = 2;
	CHECK_RC(fix_do(f, &x, STORE_SAVER_LIST, 7), OK);
	CHECK(x.found_n == 2 && !x.more && str_eq(x.found[0].id, sid(f, 3)));
	x.limit = 0;
	CHECK_RC(fix_do(f, &x, STORE_SAVER_LIST, 7), OK);
	CHECK_INT(x.found_n, 0);
	x = (struct store_saver_list){ .thread_seq = run.thread_seq, .any_ns = true,
	    .id = sid(f, 5), .limit = -1 };
	CHECK_RC(fix_do(f, &x, STORE_SAVER_LIST, 7), OK);
	CHECK(x.found_n == 1 && str_eq(x.found[0].id, sid(f, 5)));
	x.filter_json = S("[]");
	CHECK_RC(fix_do(f, &x, STORE_SAVER_LIST, 7), ERR_INVALID);
}

/* Goal: metadata that is no JSON, by its type or its text, matches no filter. */
CONTRACT(saver_filter_of_bytes)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_saver_put p = sput(f, "", 1, 0, "{}", BLOBS());

	p.metadata.type = S("msgpack");
	CHECK_RC(ssave(f, 7, &run, &p, NULL, 0), OK);
	p = sput(f, "", 2, 1, "{}", BLOBS());
	p.metadata.body = S("{\"step\":2");
	CHECK_RC(ssave(f, 7, &run, &p, NULL, 0), OK);
	CHECK_INT(list_of(f, 7, run.thread_seq, NULL, "{\"step\":2}").found_n, 0);
	CHECK_INT(list_of(f, 7, run.thread_seq, NULL, "").found_n, 2);
}

/* Goal: pages are bounded by number and by bytes, one after another they are the whole
 * list, and namesakes in other namespaces are not cut apart. */
CONTRACT(saver_pages)
{
	static char text[1 << 20];
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_saver_list x = { .thread_seq = run.thread_seq, .any_ns = true,
	    .limit = -1 };
	size_t seen = 0, pages = 0;

	for (unsigned n = 1; n <= 210; n++) {
		struct store_saver_put p[2] = { sput(f, "", n, n - 1, "{}", BLOBS()),
		    sput(f, "s", n, n - 1, "{}", BLOBS()) };
		struct store_run_save save = { .run_seq = run.seq, .thread_seq =
		    run.thread_seq, .changes = { .saver_puts = p,
		    .saver_puts_n = n > 205 ? 2 : 1 } };

		if (n <= 6)
			p[0].checkpoint.body = (struct str){ text, sizeof text };
		CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	}
	do {
		CHECK_RC(fix_do(f, &x, STORE_SAVER_LIST, 7), OK);
		CHECK(x.found_n > 0 && x.found_n <= LIMIT_SAVER_PAGE);
		seen += x.found_n;
		pages++;
		x.before = x.found[x.found_n - 1].id;
	} while (x.more);
	CHECK_INT(seen, 215);
	CHECK_INT(pages, 4);                 /* 100, 100, 4 + 5 MB in two */
	x = (struct store_saver_list){ .thread_seq = run.thread_seq, .any_ns = true,
	    .limit = 3 };
	CHECK_RC(fix_do(f, &x, STORE_SAVER_LIST, 7), OK);
	CHECK(x.found_n == 3 && !x.more);
}

/* ---- a model ---------------------------------------------------------------------- */

#define IDS      24
#define CHANNELS 3
#define TASKS    3

struct model {
	struct model_put {
		bool there;
		unsigned parent;
		int version[CHANNELS];       /* 0: not named */
		unsigned from[CHANNELS];     /* whose value it has; 0: none */
	} put[2][IDS];
	int value[2][IDS][CHANNELS];         /* as the checkpoint put it last */
	struct model_write { int value; } write[2][IDS][TASKS][4];   /* idx -2..1 */
};

static unsigned
any(uint64_t *seed, unsigned n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*seed >> 33) % n;
}

static const char *const spaces[] = { "", "a:b" };

/* A put of new values for some channels, with versions that often collide. */
static void
model_put(struct fix *f, struct model *m, const struct store_run *run, uint64_t *seed,
    int value)
{
	unsigned ns = any(seed, 2), n = 1 + any(seed, IDS - 1), parent = any(seed, n);
	struct model_put *p = &m->put[ns][n], was = m->put[ns][parent];
	struct store_saver_put put;
	const char *blobs[2 * CHANNELS + 1] = { NULL };
	static const char *const names[CHANNELS] = { "x", "y", "\"z\xc3\xa4" };
	struct buf versions = BUF(KB);
	size_t b = 0;

	*p = (struct model_put){ .there = true, .parent = parent };
	for (int c = 0; c < CHANNELS; c++) {
		p->version[c] = (int)any(seed, 4);
		if (p->version[c] == 0)
			continue;
		if (any(seed, 2) == 0) {
			p->from[c] = n;
			m->value[ns][n][c] = value * CHANNELS + c;
			blobs[b++] = names[c];
			blobs[b++] = arena_fmt(&f->a, "%d", m->value[ns][n][c]).p;
		} else if (parent > 0 && was.there && was.version[c] == p->version[c])
			p->from[c] = was.from[c];
		json_add_comma(&versions);
		json_add_fmt(&versions, "%s:%d", names[c], p->version[c]);
	}
	put = sput(f, spaces[ns], n, parent, arena_fmt(&f->a, "{%.*s}",
	    FMT(buf_str(&versions))).p, blobs);
	buf_release(&versions);
	CHECK_RC(fix_do(f, &(struct store_run_save){ .run_seq = run->seq, .thread_seq =
	    run->thread_seq, .changes = { .saver_puts = &put, .saver_puts_n = 1 } },
	    STORE_RUN_SAVE, 7), OK);
}

static void
model_write(struct fix *f, struct model *m, const struct store_run *run, uint64_t *seed,
    int value)
{
	static const char *const tasks[TASKS] = { "t", "T", "\xf0\x9f\x98\x80" };
	unsigned ns = any(seed, 2), n = 1 + any(seed, IDS - 1), task = any(seed, TASKS);
	int idx = (int)any(seed, 4) - 2;
	struct model_write *w = &m->write[ns][n][task][idx + 2];
	struct store_saver_write x = swrite(f, spaces[ns], n, tasks[task], idx, "c",
	    arena_fmt(&f->a, "%d", value).p);

	x.path = S("p");
	if (idx < 0 || w->value == 0)
		w->value = value;
	CHECK_RC(ssave(f, 7, run, NULL, &x, 1), OK);
}

static void
model_compare_writes(const struct model *m, unsigned ns, unsigned n,
    const struct store_saver_found *x)
{
	static const int order[TASKS] = { 1, 0, 2 };         /* by bytes */
	size_t at = 0;

	for (int t = 0; t < TASKS; t++)
		for (int i = 0; i < 4; i++) {
			int64_t value = m->write[ns][n][order[t]][i].value, got = 0;

			if (value == 0)
				continue;
			CHECK(at < x->writes_n);
			CHECK(str_to_i64(x->writes[at].value.body, &got));
			CHECK_INT(got, value);
			CHECK_INT(x->writes[at++].idx, i - 2);
		}
	CHECK_INT(x->writes_n, at);
}

static void
model_compare(struct fix *f, const struct model *m, int64_t thread, unsigned ns, unsigned n)
{
	const struct model_put *p = &m->put[ns][n];
	struct store_saver_found x;
	int rc = store_saver_get(f->r, 7, thread, str_of(spaces[ns]), sid(f, n), &f->a, &x);
	size_t at = 0;

	CHECK_RC(rc, p->there ? OK : ERR_NOTFOUND);
	if (rc != OK)
		return;
	CHECK(str_eq(x.parent, p->parent == 0 ? S("") : sid(f, p->parent)));
	for (int c = 0; c < CHANNELS; c++) {
		int64_t got = 0;

		if (p->from[c] == 0)
			continue;
		CHECK(at < x.blobs_n);
		CHECK(str_to_i64(x.blobs[at++].value.body, &got));
		CHECK_INT(got, m->value[ns][p->from[c]][c]);
	}
	CHECK_INT(x.blobs_n, at);
	model_compare_writes(m, ns, n, &x);
}

static void
model_compare_list(struct fix *f, const struct model *m, int64_t thread)
{
	for (unsigned ns = 0; ns < 2; ns++) {
		struct store_saver_list x = list_of(f, 7, thread, spaces[ns], "");
		size_t at = 0;

		for (unsigned n = IDS - 1; n > 0; n--)
			if (m->put[ns][n].there) {
				CHECK(at < x.found_n);
				CHECK(str_eq(x.found[at].id, sid(f, n)));
				model_compare_writes(m, ns, n, &x.found[at++]);
			}
		CHECK_INT(x.found_n, at);
	}
}

/* Goal: whatever is put and written in whatever order, each checkpoint reads as the
 * model has it.  Method: random puts and writes, of which every one is checked. */
TEST(saver_is_like_the_model)
{
	for (uint64_t run_no = 1; run_no <= test_rounds(40); run_no++) {
		struct model m = { 0 };
		uint64_t seed = run_no;
		struct store_run run;
		struct fix f;

		fix_open(&f, "memory");
		run = start_run(&f, 7, 1, 1);
		for (int i = 1; i <= 120; i++) {
			if (any(&seed, 2) == 0)
				model_put(&f, &m, &run, &seed, i);
			else
				model_write(&f, &m, &run, &seed, i);
		}
		for (unsigned n = 1; n < IDS; n++) {
			model_compare(&f, &m, run.thread_seq, 0, n);
			model_compare(&f, &m, run.thread_seq, 1, n);
		}
		model_compare_list(&f, &m, run.thread_seq);
		fix_close(&f);
	}
}
