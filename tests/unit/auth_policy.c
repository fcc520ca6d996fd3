/*
 * auth_policy.c - which rule counts, what it gives, and what a policy file may not
 * say.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "auth/policy.h"

static struct policy *
policy(const char *text)
{
	struct policy *p;
	struct err e = { .text = "" };

	if (policy_read(&p, str_of(text), S("p.yaml"), &e) < 0)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	return p;
}

/* A caller with these scopes, "a b". */
static struct principal
caller(const char *subject, const char *role, struct str *scopes, const char *text)
{
	struct principal who = { .user = str_of(subject), .role = str_of(role),
	    .scopes = scopes };
	struct str rest = str_of(text), part;

	while (str_next(&rest, ' ', &part))
		scopes[who.scopes_n++] = part;
	return who;
}

static int
ask(struct policy *p, enum access a, const struct principal *who, struct grant *g)
{
	static struct arena arena;
	struct err e;

	arena_release(&arena);
	arena = ARENA(1 * MB);
	return policy_ask(p, a, who, &arena, g, &e);
}

TEST(policy_most_specific_rule_counts)
{
	static const struct {
		const char *scopes;
		enum access access;
		int rc;
	} rows[] = {
		{ "", THREADS_READ, ERR_DENIED },        /* the default */
		{ "admin", STORE_PUT, OK },              /* * */
		{ "admin", THREADS_DELETE, ERR_DENIED }, /* threads:delete, for all */
		{ "reader", THREADS_READ, OK },          /* *:read */
		{ "reader", THREADS_SEARCH, ERR_DENIED },
		{ "writer", THREADS_SEARCH, OK },        /* threads */
		{ "reader writer", ASSISTANTS_READ, OK },
		{ "write", THREADS_SEARCH, ERR_DENIED }, /* no scope begins another */
		{ "muted reader", THREADS_READ, ERR_DENIED },    /* threads before *:read */
	};
	struct policy *p = policy("default: deny\nrules:\n"
	    "  - deny: threads:delete\n"
	    "  - scope: muted\n    deny: [threads]\n"
	    "  - scope: admin\n    allow: '*'\n"
	    "  - scope: [reader, viewer]\n    allow: ['*:read']\n"
	    "  - scope: writer\n    allow: threads\n");

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str scopes[4];
		struct principal who = caller("ann", "", scopes, rows[i].scopes);
		struct grant g;
		int rc = ask(p, rows[i].access, &who, &g);

		if (rc != rows[i].rc)
			test_fail(__FILE__, __LINE__, "\"%s\" %s: %s", rows[i].scopes,
			    access_name(rows[i].access), rc_name(rc));
	}
	policy_free(p);
}

TEST(policy_first_of_equal_rules_counts)
{
	static const struct { const char *text; int rc; } rows[] = {
		{ "default: deny\nrules:\n  - scope: a\n    deny: threads:read\n"
		    "  - scope: b\n    allow: threads:read\n", ERR_DENIED },
		{ "default: deny\nrules:\n  - scope: b\n    allow: threads:read\n"
		    "  - scope: a\n    deny: threads:read\n", OK },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct policy *p = policy(rows[i].text);
		struct str scopes[2];
		struct principal who = caller("ann", "", scopes, "a b");
		struct grant g;

		CHECK_RC(ask(p, THREADS_READ, &who, &g), rows[i].rc);
		policy_free(p);
	}
}

TEST(policy_all_conditions_of_a_rule_must_hold)
{
	struct policy *p = policy("default: deny\nrules:\n"
	    "  - scope: s\n    role: editor\n    subject: [ann, bob]\n    allow: '*'\n");
	struct str scopes[1];
	struct principal who = caller("ann", "editor", scopes, "s");
	struct grant g;

	CHECK_RC(ask(p, WORK_READ, &who, &g), OK);
	who.user = S("carol");
	CHECK_RC(ask(p, WORK_READ, &who, &g), ERR_DENIED);
	who = caller("bob", "viewer", scopes, "s");
	CHECK_RC(ask(p, WORK_READ, &who, &g), ERR_DENIED);
	who = caller("bob", "editor", scopes, "");
	CHECK_RC(ask(p, WORK_READ, &who, &g), ERR_DENIED);
	policy_free(p);
}

TEST(policy_fills_in_references)
{
	struct policy *p = policy("default: deny\nrules:\n"
	    "  - allow: threads\n"
	    "    filter: { owner: '${subject}', team: { $contains: '${claims.teams}' }, "
	    "$or: [ { level: 3 }, { tag: 'u-${subject}-${claims.n}' } ] }\n"
	    "    stamp: { owner: '${subject}' }\n"
	    "  - allow: store\n    namespace: [users, '${subject}']\n");
	struct principal who = { .user = S("an\"n"),
	    .claims_json = S("{\"teams\":[\"a\",\"b\"],\"n\":7}") };
	struct grant g;

	CHECK_RC(ask(p, THREADS_READ, &who, &g), OK);
	CHECK_STR(g.filter_json, "{\"owner\":\"an\\\"n\",\"team\":{\"$contains\":[\"a\",\"b\"]},"
	    "\"$or\":[{\"level\":3},{\"tag\":\"u-an\\\"n-7\"}]}");
	CHECK_STR(g.stamp_json, "{\"owner\":\"an\\\"n\"}");
	CHECK_RC(ask(p, STORE_GET, &who, &g), OK);
	CHECK_STR(g.within, "users.an\"n");
	policy_free(p);
}

/* A value that is not there is not the empty one, which others may have. */
TEST(policy_refuses_a_caller_without_what_a_rule_needs)
{
	struct policy *p = policy("default: allow\nrules:\n"
	    "  - allow: threads\n    filter: { team: '${claims.team}' }\n"
	    "  - allow: assistants\n    stamp: { org: '${org}' }\n"
	    "  - allow: store\n    namespace: ['${claims.team}']\n");
	static const char *const claims[] = { "", "{}", "{\"team\":null}", "{\"team\":\"\"}" };
	struct grant g;

	for (size_t i = 0; i < COUNT(claims); i++) {
		struct principal who = { .user = S("ann"),
		    .claims_json = str_of(claims[i]) };

		CHECK_RC(ask(p, THREADS_READ, &who, &g), ERR_DENIED);
		CHECK_RC(ask(p, ASSISTANTS_CREATE, &who, &g), ERR_DENIED);
		CHECK_RC(ask(p, STORE_GET, &who, &g), ERR_DENIED);
		CHECK_RC(ask(p, WORK_READ, &who, &g), OK);
	}
	policy_free(p);
}

/* A subject with a dot would be two labels, and reach into another's. */
TEST(policy_checks_labels_again_when_they_are_filled_in)
{
	struct policy *p = policy("default: deny\nrules:\n"
	    "  - allow: store\n    prepend: ['${subject}']\n");
	struct principal who = { .user = S("a.b") };
	struct grant g;

	CHECK_RC(ask(p, STORE_PUT, &who, &g), ERR_INVALID);
	who.user = S("a_%b");
	CHECK_RC(ask(p, STORE_PUT, &who, &g), OK);
	CHECK_STR(g.prepend, "a_%b");
	policy_free(p);
}

static const struct { const char *text, *words; } wrong[] = {
	{ "rules: []\n", "expected default: allow or deny" },
	{ "default: deny\n", "expected rules" },
	{ "default: maybe\nrules: []\n", "p.yaml:1:10: default: expected allow or deny, "
	    "got \"maybe\"" },
	{ "default: deny\nrules: x\n", "expected a list of at most 256 rules" },
	{ "default: deny\nrule: []\nrules: []\n", "did you mean 'rules'?" },
	{ "default: deny\nrules:\n  - alow: threads\n", "expected allow or deny, "
	    "got neither" },
	{ "default: deny\nrules:\n  - allow: threads\n    deny: store\n", "got both" },
	{ "default: deny\nrules:\n  - allow: thread\n", "p.yaml:3:12: rules[0].allow: no "
	    "action is called \"thread\"" },
	{ "default: deny\nrules:\n  - allow: threads:raed\n", "did you mean "
	    "threads:read" },
	{ "default: deny\nrules:\n  - allow: '*:fly'\n", "no action is called" },
	{ "default: deny\nrules:\n  - allow: 'thr*'\n", "no action is called" },
	{ "default: deny\nrules:\n  - allow: []\n", "at least one action" },
	{ "default: deny\nrules:\n  - allow: threads\n    roles: x\n", "\"roles\" is not "
	    "known here; did you mean 'role'?" },
	{ "default: deny\nrules:\n  - allow: threads\n    role: ''\n", "an empty one" },
	{ "default: deny\nrules:\n  - allow: threads\n    role: []\n", "an empty one" },
	{ "default: deny\nrules:\n  - allow: threads\n    scope: 7\n", "expected a string "
	    "or a list" },
	{ "default: deny\nrules:\n  - allow: work\n    filter: { a: 1 }\n", "work:read has "
	    "no metadata to filter by" },
	{ "default: deny\nrules:\n  - allow: '*'\n    stamp: { a: 1 }\n", "no metadata to "
	    "stamp" },
	{ "default: deny\nrules:\n  - allow: threads\n    namespace: [a]\n", "has no "
	    "namespaces" },
	{ "default: deny\nrules:\n  - deny: threads\n    filter: { a: 1 }\n", "only who "
	    "and deny" },
	{ "default: deny\nrules:\n  - allow: threads\n    filter: {}\n", "got none" },
	{ "default: deny\nrules:\n  - allow: threads\n    filter: { a: { $ne: 1 } }\n",
	    "expected $eq or $contains, got $ne" },
	{ "default: deny\nrules:\n  - allow: threads\n    filter: { $not: [] }\n",
	    "expected a metadata key, $and or $or, got $not" },
	{ "default: deny\nrules:\n  - allow: threads\n    filter: { $or: [] }\n",
	    "an empty one" },
	{ "default: deny\nrules:\n  - allow: threads\n    filter: { a: [1] }\n",
	    "expected a string, a number" },
	{ "default: deny\nrules:\n  - allow: threads\n    filter: { a: '${user}' }\n",
	    "got ${user}" },
	{ "default: deny\nrules:\n  - allow: threads\n    filter: { a: '${claims.}' }\n",
	    "got ${claims.}" },
	{ "default: deny\nrules:\n  - allow: threads\n    filter: { a: '${subject' }\n",
	    "expected a } after ${" },
	{ "default: deny\nrules:\n  - allow: threads\n    filter: { a: '${}' }\n",
	    "got ${}" },
	{ "default: deny\nrules:\n  - allow: store\n    prepend: [a.b]\n", "no dots" },
	{ "default: deny\nrules:\n  - allow: store\n    prepend: []\n", "an empty one" },
	{ "default: deny\nrules:\n  - allow: '*'\n  - allow: '*'\n    role: x\n",
	    "p.yaml:4:5: rules[1]: this rule is never used: the one of line 3" },
	{ "default: deny\nrules:\n  - allow: threads:read\n    role: x\n"
	    "  - deny: threads:read\n    role: x\n", "never used" },
	{ "default: deny\nrules:\n  - allow: '*:read'\n  - deny: ['*']\n"
	    "  - allow: [threads, assistants]\n  - deny: ['*:search']\n"
	    "  - allow: threads\n    scope: a\n", "never used" },
	{ "[1]\n", "expected default and rules" },
	{ "default: deny\ndefault: allow\nrules: []\n", "default" },
};

TEST(policy_tells_what_is_wrong_and_where)
{
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct policy *p;
		struct err e = { .text = "" };
		int rc = policy_read(&p, str_of(wrong[i].text), S("p.yaml"), &e);

		if (rc == OK || p != NULL || strstr(e.text, wrong[i].words) == NULL ||
		    strstr(e.text, "p.yaml:") == NULL)
			test_fail(__FILE__, __LINE__, "%s: %s", wrong[i].text, e.text);
	}
}

TEST(policy_tells_what_no_rule_is_about)
{
	struct policy *p = policy("default: deny\nrules:\n"
	    "  - allow: [assistants, threads, store, agents, messages, work, usage, admin, "
	    "sessions, workers, wasm, crons:read, crons:search]\n");
	struct buf b = BUF(1 * KB);

	policy_add_uncovered(p, &b);
	CHECK_STR(buf_str(&b), "crons:create, crons:update, crons:delete, cluster:read, settings:read, owners:erase");
	buf_release(&b);
	policy_free(p);
}

TEST(policy_knows_what_is_stamped)
{
	struct policy *p = policy("default: deny\nrules:\n"
	    "  - allow: threads:create\n    stamp: { owner: '${subject}' }\n"
	    "  - allow: assistants\n");

	CHECK(policy_stamps(p, THREADS_UPDATE, S("owner")));
	CHECK(!policy_stamps(p, THREADS_UPDATE, S("other")));
	CHECK(!policy_stamps(p, ASSISTANTS_UPDATE, S("owner")));
	policy_free(p);
}
