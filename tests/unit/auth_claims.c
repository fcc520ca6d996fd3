/*
 * auth_claims.c - from claims, and from what a verifier answers, to a principal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "auth/claims_priv.h"
#include "auth/issuer_priv.h"
#include "auth/verifier_priv.h"
#include "base/limits.h"

static struct arena arena = { .max = MB };

static int
principal_of(const char *json, const struct auth_options *o, struct principal *out,
    struct err *e)
{
	struct json_doc d;
	int rc;

	*out = (struct principal){ .expires = NEVER };
	CHECK_RC(json_parse(&d, str_of(json), NULL), OK);
	rc = principal_read(out, S("ann"), d.root, str_of(json), o, &arena, e);
	json_release(&d);
	return rc;
}

TEST(claims_scopes_of_every_kind)
{
	static const struct { const char *json, *scopes; } rows[] = {
		{ "{}", "" },
		{ "{\"scope\":\"a b  c\"}", "a,b,c" },
		{ "{\"scp\":\"a b\"}", "a,b" },
		{ "{\"scp\":[\"a\",\"b c\",7,\"\",\"a\"]}", "a,b c" },
		{ "{\"permissions\":[\"x:y\"],\"scope\":\"z x:y\"}", "z,x:y" },
		{ "{\"scope\":{\"a\":1},\"scp\":null,\"permissions\":true}", "" },
	};
	struct auth_options o = { .org_owns = false };
	struct principal p;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf b = BUF(KB);

		CHECK_RC(principal_of(rows[i].json, &o, &p, NULL), OK);
		for (size_t s = 0; s < p.scopes_n; s++)
			buf_add_fmt(&b, "%s%.*s", s > 0 ? "," : "", FMT(p.scopes[s]));
		CHECK_STR(buf_str(&b), rows[i].scopes);
		CHECK(!principal_has(&p, S("none")));
		CHECK_STR(p.claims_json, rows[i].json);
		buf_release(&b);
	}
	CHECK_RC(principal_of("{\"scope\":\"a b\"}", &o, &p, NULL), OK);
	CHECK(principal_has(&p, S("b")) && !principal_has(&p, S("a b")));
}

TEST(claims_who_owns)
{
	static const struct { const char *claim, *json, *org; } rows[] = {
		{ "org_id", "{\"org_id\":\"acme\"}", "acme" },
		{ "app_metadata.org", "{\"app_metadata\":{\"org\":\"acme\"}}", "acme" },
		{ "https://x.io/org", "{\"https://x.io/org\":\"acme\"}", "acme" },
		{ "a.b.c", "{\"a\":{\"b.c\":\"acme\"}}", "acme" },
		{ "org_id", "{\"org_id\":[\"acme\"]}", "" },
		{ "org_id", "{\"org_id\":\"\"}", "" },
		{ "a.b", "{\"a\":\"acme\"}", "" },
		{ "", "{\"\":\"acme\"}", "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct auth_options o = { .org_claim = str_of(rows[i].claim) };
		struct principal p;
		struct err e;

		CHECK_RC(principal_of(rows[i].json, &o, &p, NULL), OK);
		CHECK_STR(p.subject, "ann");
		CHECK_STR(p.org, rows[i].org);
		o.org_owns = true;
		CHECK_RC(principal_of(rows[i].json, &o, &p, &e), rows[i].org[0] != '\0' ?
		    OK : ERR_DENIED);
		if (rows[i].org[0] != '\0')
			CHECK_STR(p.subject, "acme");
		CHECK_STR(p.user, "ann");
	}
}

TEST(claims_of_a_verifier)
{
	static const struct { int status; const char *body; enum verdict_kind kind; const char *user; } rows[] = {
		{ 200, "{\"id\":\"u\"}", VERDICT_YES, "u" },
		{ 200, "{\"sub\":\"u\",\"id\":null}", VERDICT_YES, "u" },
		{ 200, "{\"user_id\":7}", VERDICT_YES, "7" },
		{ 200, "{\"identity\":\"u\"}", VERDICT_YES, "u" },
		{ 200, "{\"id\":1.5}", VERDICT_DOWN, "" },
		{ 200, "{\"id\":true}", VERDICT_DOWN, "" },
		{ 200, "{\"user\":{\"id\":\"u\"}}", VERDICT_DOWN, "" },
		{ 200, "[]", VERDICT_DOWN, "" },
		{ 200, "", VERDICT_DOWN, "" },
		{ 201, "{\"id\":\"u\"}", VERDICT_DOWN, "" },
		{ 301, "{\"id\":\"u\"}", VERDICT_DOWN, "" },
		{ 401, "{\"id\":\"u\"}", VERDICT_NO, "" },
		{ 403, "", VERDICT_NO, "" },
		{ 404, "", VERDICT_NO, "" },
		{ 408, "", VERDICT_DOWN, "" },
		{ 429, "", VERDICT_DOWN, "" },
		{ 500, "{\"id\":\"u\"}", VERDICT_DOWN, "" },
		{ 0, "", VERDICT_DOWN, "" },
	};
	struct auth_options o = { .cache_ttl = 60000 };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err why = { 0 };
		struct verdict v = verifier_read(rows[i].status, str_of(rows[i].body), &o, 1000, &arena, &why);

		CHECK_INT(v.kind, rows[i].kind);
		CHECK_STR(v.user, rows[i].user);
		CHECK((v.kind == VERDICT_DOWN) == (why.text[0] != '\0'));
		CHECK_INT(v.until, v.kind == VERDICT_YES ? 61000 : v.kind == VERDICT_NO ?
		    1000 + LIMIT_AUTH_NO_MS : 1000 + LIMIT_AUTH_DOWN_MS);
	}
}

/* Goal: many bad answers drive no good one out, and the oldest of a kind goes first. */
TEST(claims_verdicts_are_bounded)
{
	struct verdicts *vs = verdicts_new(100);
	struct verdict v = { .kind = VERDICT_YES, .until = 5, .user = S("ann"),
		.claims_json = S("{}") }, found;
	uint8_t mark[SHA256_SIZE] = { 0 };
	bool asks;

	verdicts_tell(vs, mark, &v);
	for (unsigned i = 1; i < 10000; i++) {
		memcpy(mark, &i, sizeof i);
		CHECK_RC(verdicts_ask(vs, mark, NULL, &asks), OK);
		CHECK(asks);
		CHECK_RC(verdicts_ask(vs, mark, NULL, &asks), OK);
		CHECK(!asks);
		verdicts_tell(vs, mark, &(struct verdict){ .kind = VERDICT_NO });
	}
	CHECK(verdicts_find(vs, mark, &arena, &found) && found.kind == VERDICT_NO);
	mark[0] = 1;
	mark[1] = 0;
	CHECK(!verdicts_find(vs, mark, &arena, &found));
	mark[0] = 0;
	CHECK(verdicts_find(vs, mark, &arena, &found) && found.kind == VERDICT_YES);
	CHECK_STR(found.user, "ann");
	for (unsigned i = 1; i <= LIMIT_AUTH_ASKING + 1; i++) {
		memcpy(mark, &i, sizeof i);
		mark[31] = 1;
		CHECK_RC(verdicts_ask(vs, mark, NULL, &asks), i <= LIMIT_AUTH_ASKING ? OK : ERR_BUSY);
		CHECK(asks == (i <= LIMIT_AUTH_ASKING));
	}
	verdicts_free(vs);
}

TEST(claims_keys_are_kept_within_bounds)
{
	CHECK_INT(issuer_keep_ms(-1), 600000);
	CHECK_INT(issuer_keep_ms(0), LIMIT_JWKS_KEEP_MIN_MS);
	CHECK_INT(issuer_keep_ms(3600), 3600000);
	CHECK_INT(issuer_keep_ms(INT64_MAX), LIMIT_JWKS_KEEP_MAX_MS);
}
