/*
 * api_origin.c - which pages may speak to a server, and under which names.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "api/cors.h"
#include "api/mount.h"

static const struct origin_rules open_loopback = { .check_host = true };

static int
check(const struct origin_rules *r, const char *host, const char *origin)
{
	struct err e = { 0 };
	int rc = origin_check(r, str_of(host), str_of(origin), false, &e);

	CHECK(rc == OK || str_contains(str_of(e.text), S("--")));
	return rc;
}

/* Goal: a name that an attacker can point at 127.0.0.1 is not ours. */
TEST(origin_host_is_a_loopback_name)
{
	static const struct { const char *host; int rc; } rows[] = {
		{ "127.0.0.1:2024", OK }, { "localhost", OK }, { "LOCALHOST:1", OK },
		{ "[::1]:2024", OK }, { "127.1.2.3", OK }, { "localhost.:80", OK },
		{ "app.localhost:2024", OK },
		{ "evil.example", ERR_DENIED }, { "127.0.0.1.evil.example", ERR_DENIED },
		{ "127.evil.example", ERR_DENIED }, { "localhost.evil.example", ERR_DENIED },
		{ "evil.localhost.example", ERR_DENIED }, { "xlocalhost", ERR_DENIED },
		{ "0.0.0.0:2024", ERR_DENIED }, { "10.0.0.1", ERR_DENIED },
		{ "[::]:2024", ERR_DENIED }, { "[::1", ERR_DENIED },
		{ "127.0.0.1:80@evil.example", ERR_DENIED }, { "", OK },   /* HTTP/1.0, which no browser speaks */
		{ "[::1]evil.example", ERR_DENIED }, { "2130706433", ERR_DENIED },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_RC(check(&open_loopback, rows[i].host, ""), rows[i].rc);
}

TEST(origin_of_a_page_is_loopback_or_listed)
{
	static const struct { const char *origin; int rc; } rows[] = {
		{ "", OK }, { "http://localhost:3000", OK }, { "http://127.0.0.1", OK },
		{ "https://[::1]:8443", OK }, { "https://chat.example.org", OK },
		{ "HTTPS://Chat.Example.org", OK }, { "http://b.example:81", OK },
		{ "null", ERR_DENIED }, { "https://evil.example", ERR_DENIED },
		{ "http://chat.example.org", ERR_DENIED },
		{ "https://chat.example.org:444", ERR_DENIED },
		{ "https://chat.example.org.evil.example", ERR_DENIED },
		{ "http://localhost.evil.example", ERR_DENIED },
		{ "http://localhost@evil.example", ERR_DENIED },
		{ "http://evil.example/localhost", ERR_DENIED },
		{ "file://localhost", ERR_DENIED },
		{ "chrome-extension://localhost", ERR_DENIED }, { "*", ERR_DENIED },
	};
	struct origin_rules r = open_loopback;

	r.cors_origins = S("https://chat.example.org, http://b.example:81,");
	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_RC(check(&r, "localhost", rows[i].origin), rows[i].rc);
}

/* Goal: what each setting changes, and what not. */
TEST(origin_rules_by_setting)
{
	struct origin_rules insecure = { 0 };
	struct origin_rules auth = { .auth = true, .check_host = true };
	struct origin_rules listing = auth, hosts = open_loopback;
	struct err e;

	CHECK_RC(check(&insecure, "my.host", ""), OK);
	CHECK_RC(check(&insecure, "my.host", "https://evil.example"), ERR_DENIED);
	CHECK_RC(check(&insecure, "my.host", "http://my.host"), ERR_DENIED);
	CHECK_RC(check(&auth, "my.host", "https://any.example"), OK);
	CHECK_RC(origin_check(&auth, S("my.host"), S("https://any.example"), true, &e),
	    ERR_DENIED);
	CHECK_RC(origin_check(&auth, S("my.host"), S("http://localhost:1"), true, &e), OK);
	listing.cors_origins = S("https://chat.example.org");
	CHECK_RC(check(&listing, "my.host", "https://chat.example.org"), OK);
	CHECK_RC(check(&listing, "my.host", "https://any.example"), ERR_DENIED);
	hosts.allowed_hosts = S("agents.example.org,b.example:81");
	CHECK_RC(check(&hosts, "agents.example.org:2024", ""), OK);
	CHECK_RC(check(&hosts, "b.example:81", ""), OK);
	CHECK_RC(check(&hosts, "b.example:82", ""), ERR_DENIED);
	CHECK_RC(check(&hosts, "c.example", ""), ERR_DENIED);
}

TEST(origin_settings_that_match_nothing_are_refused)
{
	static const struct { const char *hosts, *origins; int rc; } rows[] = {
		{ "", "", OK }, { "a.example, b:1", "https://a, http://b:1", OK },
		{ "", "*", OK }, { "", "*.example", ERR_INVALID }, { "", "null", ERR_INVALID },
		{ "", "chat.example.org", ERR_INVALID },
		{ "", "https://chat.example.org/", ERR_INVALID },
		{ "https://a.example", "", ERR_INVALID }, { "a/b", "", ERR_INVALID },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct origin_rules r = { .allowed_hosts = str_of(rows[i].hosts),
		    .cors_origins = str_of(rows[i].origins) };
		struct err e = { 0 };

		CHECK_RC(origin_rules_check(&r, &e), rows[i].rc);
	}
}

/* Goal: the expression is of the whole origin, and only of a dialect that is the same for
 * everyone. */
TEST(origin_by_expression)
{
	static const struct { const char *regex, *origin; int rc; } rows[] = {
		{ "https://.*\\.example\\.org", "https://a.example.org", OK },
		{ "^https://.*\\.example\\.org$", "https://a.example.org", OK },
		{ "https://.*\\.example\\.org", "https://a.example.org.evil", ERR_DENIED },
		{ "https://a|https://b", "https://b", OK },
		{ "https://a|https://b", "https://bc", ERR_DENIED },
		{ "https://a\\.b", "https://axb", ERR_DENIED },
		{ "https://\\d", NULL, ERR_INVALID }, { "(a)\\1", NULL, ERR_INVALID },
		{ "(?:a)", NULL, ERR_INVALID }, { "(a", NULL, ERR_INVALID },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct origin_rules r = open_loopback;
		struct origin_pattern *p = NULL;
		struct err e = { 0 };
		int rc = origin_pattern_new(&p, str_of(rows[i].regex), &e);

		r.pattern = p;
		CHECK_RC(rc == OK ? check(&r, "127.0.0.1", rows[i].origin) : rc, rows[i].rc);
		CHECK(rc == OK || str_starts(str_of(e.text), S("http.cors.allow-origin-regex: ")));
		origin_pattern_free(p);
	}
}

TEST(origin_any_is_any_and_names_nobody)
{
	struct origin_rules r = open_loopback;

	r.cors_origins = S("*");
	CHECK_RC(check(&r, "127.0.0.1", "https://a.example"), OK);
	CHECK(!origin_is_named(&r, S("https://a.example")));
	CHECK(!origin_is_named(&r, S("*")));
}

/* Goal: credentials are for pages that somebody named. */
TEST(cors_credentials_need_names)
{
	static const struct { const char *origins; bool credentials; int rc; } rows[] = {
		{ "", false, OK }, { "*", false, OK }, { "https://a", true, OK },
		{ "", true, ERR_INVALID }, { "*", true, ERR_INVALID },
		{ "https://a,*", true, ERR_INVALID },
	};
	struct err e = { 0 };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct origin_rules o = { .cors_origins = str_of(rows[i].origins) };
		struct cors_rules c = { .credentials = rows[i].credentials };

		CHECK_RC(cors_rules_check(&c, &o, &e), rows[i].rc);
	}
	for (size_t i = 0; i < 2; i++) {
		struct origin_rules o = { 0 };
		struct origin_pattern *p;

		CHECK_RC(origin_pattern_new(&p, i == 0 ? S("https://[a-z]+\\.a\\.example|null") :
		    S("https?://.*"), &e), OK);
		o.pattern = p;
		CHECK_RC(cors_rules_check(&(struct cors_rules){ .credentials = true }, &o, &e),
		    i == 0 ? OK : ERR_INVALID);
		CHECK(!origin_is_named(&o, S("null")));
		origin_pattern_free(p);
	}
	CHECK_RC(cors_rules_check(&(struct cors_rules){ .expose = S("a\r\nb") },
	    &(struct origin_rules){ 0 }, &e), ERR_INVALID);
}

TEST(mount_prefix_comes_off_whole_segments)
{
	static const struct { const char *prefix, *path, *rest; } rows[] = {
		{ "", "/ok", "/ok" }, { "/a", "/a/ok", "/ok" }, { "/a", "/a", "/" },
		{ "/a", "/a/", "/" }, { "/a/b", "/a/b/ok", "/ok" }, { "/a", "/ab/ok", NULL },
		{ "/a", "/ok", NULL }, { "/a", "/", NULL },
	};
	static const char *const bad[] = { "a", "/", "/a/", "/a//b", "/a b", "/a?b", "/{a}" };
	struct err e = { 0 };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str path = str_of(rows[i].path);

		CHECK(mount_strip(str_of(rows[i].prefix), &path) == (rows[i].rest != NULL));
		CHECK_STR(path, rows[i].rest != NULL ? rows[i].rest : rows[i].path);
		CHECK_RC(mount_check(str_of(rows[i].prefix), &e), OK);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		CHECK_RC(mount_check(str_of(bad[i]), &e), ERR_INVALID);
}

TEST(route_groups)
{
	static const struct { const char *path; enum route_group group; } rows[] = {
		{ "/assistants/search", GROUP_ASSISTANTS }, { "/threads", GROUP_THREADS },
		{ "/threads/x/state", GROUP_THREADS }, { "/threads/x/runs", GROUP_RUNS },
		{ "/threads/x/runs/wait", GROUP_RUNS }, { "/threads/x/stream", GROUP_RUNS },
		{ "/threads/runs", GROUP_THREADS }, { "/runs/crons", GROUP_RUNS },
		{ "/store/items", GROUP_STORE }, { "/info", GROUP_META }, { "/ok", ROUTE_GROUPS },
		{ "/", ROUTE_GROUPS }, { "/mcp", GROUP_MCP }, { "/a2a/x", GROUP_A2A },
		{ "/.well-known/agent-card.json", GROUP_A2A }, { "/ui", GROUP_UI },
		{ "/ui/app.js", GROUP_UI }, { "/work/rpc", ROUTE_GROUPS },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_INT(route_group(str_of(rows[i].path)), rows[i].group);
}
