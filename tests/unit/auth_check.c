/*
 * auth_check.c - from headers to a principal; the keys file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "auth/quota_priv.h"
#include "base/hmac.h"
#include "base/limits.h"

#include <sys/stat.h>

#define NOW_MS INT64_C(1700000000000)
#define SECRET S("a-secret-of-at-least-thirty-two-bytes")

/* sha256 of "ck_ann" */
#define ANN "fdf6d4fcd0356ad7131fedc1403fc01254298ea2af80eda70c5a28f0ff2437e6"

static struct arena arena = { .max = MB };

static int
check(struct auth *a, struct str authorization, struct str key, msec now,
    struct principal *who, struct err *e)
{
	struct credentials c = { .authorization = authorization, .api_key = key };

	return auth_check(a, &c, now, &arena, who, e);
}

static void
write_file(const char *path, struct str text)
{
	FILE *f = fopen(path, "w");

	CHECK(f != NULL && fchmod(fileno(f), 0600) == 0);
	CHECK(fwrite(text.p, 1, text.n, f) == text.n);
	CHECK(fclose(f) == 0);
}

static void
add_key_line(struct buf *b, struct str key, struct str owner)
{
	uint8_t hash[SHA256_SIZE];

	sha256(key, hash);
	hex_add(b, hash, sizeof hash);
	buf_add_fmt(b, " %.*s\n", FMT(owner));
}

/* Two keys, ann's and bob's, and tokens. */
static struct auth *
open_auth(void)
{
	struct auth_options o = { .jwt_secret = SECRET, .keys_file = S("keys") };
	struct buf file = BUF(KB);
	struct auth *a;

	buf_lit(&file, "# who may enter\n\n");
	add_key_line(&file, S("ck_ann"), S("ann"));
	add_key_line(&file, S("ck_bob"), S(" bob the builder \r"));
	write_file("keys", str_trim(buf_str(&file)));    /* no newline at the end */
	CHECK_RC(auth_new(&a, &o, NULL), OK);
	CHECK(auth_enabled(a));
	buf_release(&file);
	return a;
}

/* Goal: a key that was taken out of the file lets nobody in any more, and a
 * file with a mistake changes nothing. */
TEST(auth_reads_the_keys_again)
{
	struct auth *a = open_auth();
	struct buf file = BUF(KB);
	struct principal who;
	struct err e = { 0 };

	add_key_line(&file, S("ck_bob"), S("bobby"));
	write_file("keys", buf_str(&file));
	CHECK_RC(auth_reload(a, &e), OK);
	CHECK_RC(check(a, STR_NONE, S("ck_ann"), NOW_MS, &who, &e), ERR_UNAUTH);
	CHECK_RC(check(a, STR_NONE, S("ck_bob"), NOW_MS, &who, &e), OK);
	CHECK_STR(who.subject, "bobby");
	CHECK(who.expires == NEVER);
	write_file("keys", S("nonsense"));
	CHECK_RC(auth_reload(a, &e), ERR_SYNTAX);
	CHECK_RC(check(a, STR_NONE, S("ck_bob"), NOW_MS, &who, &e), OK);
	buf_release(&file);
	auth_free(a);
}

/* Goal: with another secret no token of the old one is taken, also one that was before. */
TEST(auth_takes_another_secret)
{
	static const struct jwt_claims claims = { .sub = S("ann"), .exp = NOW_MS / 1000 + 60 };
	struct auth *a = open_auth();
	struct buf old = BUF(KB), fresh = BUF(KB);
	struct principal who;
	struct err e = { 0 };

	buf_lit(&old, "Bearer ");
	buf_lit(&fresh, "Bearer ");
	jwt_sign(&old, SECRET, &claims);
	jwt_sign(&fresh, S("another-secret-of-more-than-32-bytes"), &claims);
	CHECK_RC(check(a, buf_str(&old), STR_NONE, NOW_MS, &who, &e), OK);
	CHECK_RC(check(a, buf_str(&fresh), STR_NONE, NOW_MS, &who, &e), ERR_UNAUTH);
	auth_set_secret(a, SECRET);
	CHECK_RC(check(a, buf_str(&old), STR_NONE, NOW_MS, &who, &e), OK);
	auth_set_secret(a, S("another-secret-of-more-than-32-bytes"));
	CHECK_RC(check(a, buf_str(&old), STR_NONE, NOW_MS, &who, &e), ERR_UNAUTH);
	CHECK_RC(check(a, buf_str(&fresh), STR_NONE, NOW_MS, &who, &e), OK);
	buf_release(&old);
	buf_release(&fresh);
	auth_free(a);
}

TEST(auth_keys_that_others_can_write_are_refused)
{
	static const struct { mode_t mode; int rc; } rows[] = {
		{ 0600, OK }, { 0400, OK }, { 0640, OK }, { 0644, OK },
		{ 0620, ERR_DENIED }, { 0602, ERR_DENIED }, { 0666, ERR_DENIED },
	};
	struct auth_options o = { .keys_file = S("keys") };
	struct auth *a;

	auth_free(open_auth());
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = { 0 };

		CHECK(chmod("keys", rows[i].mode) == 0);
		CHECK_RC(auth_new(&a, &o, &e), rows[i].rc);
		if (rows[i].rc == OK)
			auth_free(a);
		else
			CHECK(str_contains(str_of(e.text), S("chmod 600")));
	}
}

/* Goal: a worker's key says what it may serve, has the limits of its own line only, and is
 * known by its digest as long as it is in the file. */
TEST(auth_key_of_a_worker)
{
	struct auth_options o = { .keys_file = S("keys"), .limits.concurrency = 3 };
	struct buf file = BUF(KB);
	struct principal who, user;
	struct auth *a;
	uint8_t digest[SHA256_SIZE];

	add_key_line(&file, S("ck_w"), S("w scopes=worker graphs=one,two"));
	add_key_line(&file, S("ck_ann"), S("ann scopes=workers"));
	write_file("keys", buf_str(&file));
	CHECK_RC(auth_new(&a, &o, NULL), OK);
	CHECK_RC(check(a, STR_NONE, S("ck_w"), 0, &who, NULL), OK);
	CHECK(principal_is_worker(&who));
	CHECK_INT(who.graphs_n, 2);
	CHECK_STR(who.graphs[1], "two");
	CHECK_INT(who.limits.concurrency, 0);
	principal_key(&who, digest);
	CHECK(auth_key_valid(a, digest));
	CHECK_RC(check(a, STR_NONE, S("ck_ann"), 0, &user, NULL), OK);
	CHECK(!principal_is_worker(&user));
	CHECK_INT(user.limits.concurrency, 3);

	buf_clear(&file);
	add_key_line(&file, S("ck_ann"), S("ann"));
	write_file("keys", buf_str(&file));
	CHECK_RC(auth_reload(a, NULL), OK);
	CHECK(!auth_key_valid(a, digest));
	buf_release(&file);
	auth_free(a);
}

TEST(auth_off_lets_everybody_in_as_nobody)
{
	struct auth_options o = { .jwt_secret = STR_NONE };
	struct principal who;
	struct auth *a;

	CHECK_RC(auth_new(&a, &o, NULL), OK);
	CHECK(!auth_enabled(a));
	CHECK_RC(check(a, S("Bearer x"), S("y"), NOW_MS, &who, NULL), OK);
	CHECK_STR(who.subject, "");
	CHECK_STR(who.scheme, "none");
	auth_free(a);
	auth_free(NULL);
}

TEST(auth_takes_tokens)
{
	struct jwt_claims claims = { .sub = S("ann"), .exp = NOW_MS / 1000 + 5 };
	struct buf token = BUF(KB), header = BUF(KB);
	struct auth *a = open_auth();
	struct principal who;
	struct err e;

	jwt_sign(&token, SECRET, &claims);
	buf_add_fmt(&header, "bEaReR   %.*s ", FMT(buf_str(&token)));
	CHECK_RC(check(a, buf_str(&header), STR_NONE, NOW_MS, &who, NULL),
	    OK);
	CHECK_STR(who.subject, "ann");
	CHECK_STR(who.scheme, "jwt");
	/* A day later; a good key beside it does not help. */
	CHECK_RC(check(a, buf_str(&header), S("ck_bob"), NOW_MS + 86400000, &who, &e), ERR_UNAUTH);
	CHECK_STR(str_of(e.text), "Failed to verify JWT token: expired");
	CHECK_STR(who.subject, "");
	auth_free(a);
	buf_release(&token);
	buf_release(&header);
}

TEST(auth_takes_keys)
{
	struct auth *a = open_auth();
	struct principal who;

	CHECK_RC(check(a, STR_NONE, S("ck_ann"), NOW_MS, &who, NULL), OK);
	CHECK_STR(who.subject, "ann");
	CHECK_STR(who.scheme, "key");
	CHECK_RC(check(a, S("Bearer ck_bob"), STR_NONE, NOW_MS, &who, NULL),
	    OK);
	CHECK_STR(who.subject, "bob the builder");
	auth_free(a);
}

TEST(auth_refuses_everything_else)
{
	static const char *const headers[][2] = { { "", "" }, { "", "ck_eve" },
		{ "", "ck_an" }, { "", "ck_ann " }, { "Basic YTpi", "" },
		{ "Bearer", "" }, { "Bearer ", "" }, { "Bearer ck_eve", "" },
		{ "Bearerck_ann", "" }, { "ck_ann", "" }, { "Basic YTpi", "ck_ann" } };
	struct auth *a = open_auth();

	for (size_t i = 0; i < COUNT(headers); i++) {
		struct principal who;
		struct err e;

		CHECK_RC(check(a, str_of(headers[i][0]), str_of(headers[i][1]), NOW_MS, &who, &e), ERR_UNAUTH);
		CHECK_STR(str_of(e.text), "Could not validate credentials");
		CHECK_STR(who.subject, "");
	}
	auth_free(a);
}

TEST(auth_keys_file_errors_name_the_line)
{
	static const struct { const char *text, *words; int rc; } cases[] = {
		{ "#\nann\n", "keys:2: expected 64 hex digits, a space and an owner",
		  ERR_SYNTAX },
		{ ANN "\n", "keys:1: expected 64 hex digits, a space and an owner",
		  ERR_SYNTAX },
		{ ANN "ann\n", "keys:1: expected 64 hex digits, a space and an owner",
		  ERR_SYNTAX },
		{ ANN " ann\n" ANN " bob\n", "keys:2: the same key a second time",
		  ERR_SYNTAX },
		{ ANN " ann concurrency=0\n", "keys:1: after the owner: expected "
		  "concurrency=N, requests-per-second=N, tokens-per-day=N, runs=N, threads=N, "
		  "store-items=N, store-bytes=N, agents=N, crons=N, scopes=A,B or graphs=A,B; N "
		  "from 1 on", ERR_SYNTAX },
		{ ANN " ann b rps=5\n", "keys:1: after the owner: expected "
		  "concurrency=N, requests-per-second=N, tokens-per-day=N, runs=N, threads=N, "
		  "store-items=N, store-bytes=N, agents=N, crons=N, scopes=A,B or graphs=A,B; N "
		  "from 1 on", ERR_SYNTAX },
		{ ANN " ann scopes=worker graphs=,\n", "keys:1: after the owner: expected "
		  "concurrency=N, requests-per-second=N, tokens-per-day=N, runs=N, threads=N, "
		  "store-items=N, store-bytes=N, agents=N, crons=N, scopes=A,B or graphs=A,B; N "
		  "from 1 on", ERR_SYNTAX },
		{ ANN " ann cert=00\n", "keys:1: cert=: expected the SHA-256 of a client certificate as "
		  "64 hex digits: openssl x509 -in FILE -outform DER | sha256sum", ERR_SYNTAX },
		{ ANN " ann graphs=a\n", "keys:1: graphs= is of a key with scopes=worker",
		  ERR_SYNTAX },
		{ ANN " ann scopes=threads:read,worker\n", "keys:1: scopes=worker stands alone: a "
		  "worker's key opens nothing else", ERR_SYNTAX },
		{ ANN " \xff\n", "keys:1: the owner's name is too long or not UTF-8",
		  ERR_SYNTAX },
	};
	struct auth_options o = { .keys_file = S("keys") };
	struct auth *a;
	struct err e;

	for (size_t i = 0; i < COUNT(cases); i++) {
		write_file("keys", str_of(cases[i].text));
		CHECK_RC(auth_new(&a, &o, &e), cases[i].rc);
		CHECK(a == NULL);
		CHECK_STR(str_of(e.text), cases[i].words);
	}
	/* An empty file must not mean that no key is needed. */
	write_file("keys", S("# nobody yet\n"));
	CHECK_RC(auth_new(&a, &o, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "keys: no keys in it; `cohort token --api-key "
	    "--sub NAME` makes one");
	o.keys_file = S("missing");
	CHECK_RC(auth_new(&a, &o, &e), ERR_IO);
	CHECK_STR(str_of(e.text), "missing: No such file or directory");
	o.keys_file = S(".");
	CHECK_RC(auth_new(&a, &o, &e), ERR_IO);
}

TEST(auth_keys_file_is_limited)
{
	struct auth_options o = { .keys_file = S("keys") };
	struct buf file = BUF(2 * MB);
	struct auth *a;
	struct err e;

	for (int i = 0; i < LIMIT_API_KEYS; i++)
		buf_add_fmt(&file, "%064x owner\n", i);
	write_file("keys", buf_str(&file));
	CHECK_RC(auth_new(&a, &o, &e), OK);
	auth_free(a);
	buf_add_fmt(&file, "%s owner\n", ANN);
	write_file("keys", buf_str(&file));
	CHECK_RC(auth_new(&a, &o, &e), ERR_SYNTAX);
	CHECK_STR(str_of(e.text), "keys:1001: too many keys");
	while (file.n <= LIMIT_KEYS_FILE_BYTES)
		buf_lit(&file, "# and so on, and so on\n");
	write_file("keys", buf_str(&file));
	CHECK_RC(auth_new(&a, &o, &e), ERR_TOOBIG);
	buf_release(&file);
}

TEST(auth_made_keys_work)
{
	struct buf key = BUF(KB), other = BUF(KB), line = BUF(KB), unused = BUF(KB);
	struct auth_options o = { .keys_file = S("keys") };
	struct principal who;
	struct auth *a;

	CHECK_RC(auth_key_make(&key, &line, S("carol"), STR_NONE, NULL), OK);
	CHECK_RC(auth_key_make(&other, &unused, S("carol"), S("concurrency=2"), NULL), OK);
	CHECK(str_starts(buf_str(&key), S("ck_")) && key.n == 3 + 43);
	CHECK(!str_eq(buf_str(&key), buf_str(&other)));
	CHECK(!str_contains(buf_str(&line), buf_str(&key)));
	write_file("keys", buf_str(&line));
	CHECK_RC(auth_new(&a, &o, NULL), OK);
	CHECK_RC(check(a, STR_NONE, buf_str(&key), NOW_MS, &who, NULL), OK);
	CHECK_STR(who.subject, "carol");
	CHECK_RC(check(a, STR_NONE, buf_str(&other), NOW_MS, &who, NULL),
	    ERR_UNAUTH);
	/* Keys alone: a token has nothing to be checked with. */
	CHECK_RC(check(a, S("Bearer a.b.c"), STR_NONE, NOW_MS, &who, NULL),
	    ERR_UNAUTH);
	auth_free(a);
	buf_release(&key);
	buf_release(&other);
	buf_release(&line);
	buf_release(&unused);
}

/* Goal: the words behind an owner are the key's limits and scopes; names with blanks
 * stay names. */
TEST(auth_keys_have_limits)
{
	static const struct { const char *line, *owner; int64_t limits[3]; size_t scopes; } rows[] = {
		{ ANN " ann\n", "ann", { 7, 0, 0 }, 0 },
		{ ANN " ann smith  concurrency=3\n", "ann smith", { 3, 0, 0 }, 0 },
		{ ANN " a=b scopes=threads:read,x\n", "a=b", { 7, 0, 0 }, 2 },
		{ ANN " ann tokens-per-day=9 requests-per-second=5\n", "ann", { 0, 5, 9 }, 0 },
	};
	struct auth_options o = { .keys_file = S("keys"), .limits.concurrency = 7 };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct principal who;
		struct auth *a;
		struct err e;

		write_file("keys", str_of(rows[i].line));
		CHECK_RC(auth_new(&a, &o, &e), OK);
		CHECK_RC(check(a, STR_NONE, S("ck_ann"), NOW_MS, &who, &e), OK);
		CHECK_STR(who.subject, rows[i].owner);
		CHECK_INT(who.limits.concurrency, rows[i].limits[0]);
		CHECK_INT(who.limits.requests_per_second, rows[i].limits[1]);
		CHECK_INT(who.limits.tokens_per_day, rows[i].limits[2]);
		CHECK_INT(who.scopes_n, rows[i].scopes);
		CHECK(!uuid_is_zero(&who.payer));
		auth_free(a);
	}
}

TEST(auth_limits_are_kept)
{
	struct quotas *qs = quotas_new();
	struct auth_limits two = { .concurrency = 2 }, fast = { .requests_per_second = 4 };
	struct quota *q[8];
	struct uuid ann = { { 1 } }, bob = { { 2 } };
	int64_t retry;
	struct err e;

	CHECK_RC(quotas_enter(qs, &ann, &two, 0, &q[0], &retry, &e), OK);
	CHECK_RC(quotas_enter(qs, &ann, &two, 0, &q[1], &retry, &e), OK);
	CHECK_RC(quotas_enter(qs, &ann, &two, 0, &q[2], &retry, &e), ERR_LIMIT);
	CHECK(str_starts(str_of(e.text), S("concurrency: 2 ")) && retry == 1 && q[2] == NULL);
	quotas_leave(qs, q[1]);
	CHECK_RC(quotas_enter(qs, &ann, &two, 0, &q[1], &retry, &e), OK);
	for (int i = 2; i < 6; i++) {
		CHECK_RC(quotas_enter(qs, &bob, &fast, 0, &q[i], &retry, &e), OK);
		quotas_leave(qs, q[i]);
	}
	CHECK_RC(quotas_enter(qs, &bob, &fast, 249999999, &q[6], &retry, &e), ERR_LIMIT);
	CHECK(str_starts(str_of(e.text), S("requests-per-second: ")));
	CHECK_RC(quotas_enter(qs, &bob, &fast, 250000000, &q[6], &retry, &e), OK);
	quotas_leave(qs, q[6]);
	quotas_leave(qs, q[0]);
	quotas_leave(qs, q[1]);
	/* Who has gone is forgotten. */
	CHECK_RC(quotas_enter(qs, &ann, &two, INT64_C(9000000000), &q[0], &retry, &e), OK);
	CHECK_INT(quotas_count(qs), 1);
	quotas_leave(qs, q[0]);
	quotas_free(qs);
}
