/*
 * run_hook.c - to whom messages may go, and what goes with them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <stdlib.h>
#include <string.h>

#include "net/host.h"
#include "run/hook.h"

static struct hook_rules
rules(void)
{
	return (struct hook_rules){ .max_url_bytes = 200 };
}

static int
check(const struct hook_rules *r, const char *url, struct err *e)
{
	return hook_check(r, str_of(url), e);
}

TEST(hook_public_urls_pass)
{
	static const char *const good[] = { "https://hooks.example/x?y=z#f",
		"http://hooks.example", "https://Hooks.Example:8443/", "HTTPS://a_b.example/",
		"http://8.8.8.8/", "http://[2606:4700::1]:80/x", "https://xn--bcher-kva.example/" };
	struct hook_rules r = rules();
	struct err e;

	for (size_t i = 0; i < COUNT(good); i++)
		CHECK_RC(check(&r, good[i], &e), OK);
}

/* Each spelling of an address that somebody has got past a check with. */
static const struct { const char *url, *words; } inside[] = {
	{ "http://127.0.0.1/", "is a loopback address" },
	{ "http://127.1.2.3:8080/x", "is a loopback address" },
	{ "http://[::1]/", "is a loopback address" },
	{ "http://localhost:2024/threads", "is a loopback address" },
	{ "http://LocalHost./", "is a loopback address" },
	{ "http://x.localhost/", "is a loopback address" },
	{ "http://[::ffff:127.0.0.1]/", "is a loopback address" },
	{ "http://[::ffff:7f00:1]/", "is a loopback address" },
	{ "http://[64:ff9b::7f00:1]/", "is a loopback address" },
	{ "http://[2002:7f00:1::]/", "is a loopback address" },
	{ "http://10.0.0.1/", "is a private address" },
	{ "http://172.16.0.1/", "is a private address" },
	{ "http://192.168.1.1/", "is a private address" },
	{ "http://100.64.0.1/", "is a private address" },
	{ "http://[fd00::1]/", "is a private address" },
	{ "http://[::ffff:192.168.0.1]/", "is a private address" },
	{ "http://169.254.169.254/latest/meta-data", "is a link-local address" },
	{ "http://[fe80::1]/", "is a link-local address" },
	/* public reports: OneUptime 2578, LibreFang 2411, LSPanel 51, langgraph's GHSA-2c9q */
	{ "http://[::ffff:127.0.0.1]:3000/x", "is a loopback address" },
	{ "http://[::ffff:169.254.169.254]/", "is a link-local address" },
	{ "http://[fd12:3456:789a::1]:8080/", "is a private address" },
	{ "/internal/truncate", "a whole URL" },
	{ "http://0.0.0.0/", "is a reserved address" },
	{ "http://0.1.2.3/", "is a reserved address" },
	{ "http://[::]/", "is a reserved address" },
	{ "http://[::127.0.0.1]/", "is a reserved address" },
	{ "http://224.0.0.1/", "is a reserved address" },
	{ "http://[ff02::1]/", "is a reserved address" },
	{ "http://255.255.255.255/", "is a reserved address" },
	{ "http://[2001:0:7f00:1::]/", "is a reserved address" },
	{ "http://[fec0::1]/", "is a reserved address" },
	{ "http://2130706433/", "is no host name" },
	{ "http://0x7f000001/", "is no host name" },
	{ "http://0X7F.0.0.1/", "is no host name" },
	{ "http://0177.0.0.1/", "is no host name" },
	{ "http://127.1/", "is no host name" },
	{ "http://127.0.0.1./", "is a loopback address" },
	{ "http://1.2.3.4.5/", "is no host name" },
	{ "http://127.0.0.1%2f@x.example/", "has a user name" },
	{ "http://%31%32%37.0.0.1/", "is no host name" },
	{ "http://127%2e0.0.1/", "is no host name" },
	{ "http://[fe80::1%25eth0]/", "bad address" },
	{ "http://user@hooks.example/", "has a user name" },
	{ "http://user:pw@hooks.example/", "has a user name" },
	{ "http://hooks.example@127.0.0.1/", "has a user name" },
	{ "http://hooks.example\\@127.0.0.1/", "must be percent-encoded" },
	{ "http://hooks.example /", "must be percent-encoded" },
	{ "http://hooks.example/a\r\nX: y", "must be percent-encoded" },
	{ "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/", "must be percent-encoded" },
	{ "http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/", "must be percent-encoded" },
	{ "/threads", "a whole URL" },
	{ "//127.0.0.1/", "a whole URL" },
	{ "hooks.example/x", "must begin with http" },
	{ "ftp://hooks.example/", "must begin with http" },
	{ "file:///etc/passwd", "must begin with http" },
	{ "gopher://127.0.0.1:6379/_", "must begin with http" },
	{ "http:127.0.0.1/", "must begin with http" },
	{ "http:///x", "no host" },
	{ "http://", "no host" },
	{ "http://?x", "no host" },
	{ "http://hooks.example?x", "behind the host" },
	{ "http://hooks.example:0/", "bad port" },
	{ "http://hooks.example:99999/", "bad port" },
	{ "http://hooks.example:80:80/", "bad port" },
	{ "http://[::1/", "no ]" },
};

TEST(hook_urls_that_lead_inside_are_refused)
{
	struct hook_rules r = rules();

	for (size_t i = 0; i < COUNT(inside); i++) {
		struct err e = { 0 };

		CHECK_RC(check(&r, inside[i].url, &e), ERR_INVALID);
		CHECK(strncmp(e.text, "webhook: ", 9) == 0);
		if (strstr(e.text, inside[i].words) == NULL)
			printf("%s: %s\n", inside[i].url, e.text);
		CHECK(strstr(e.text, inside[i].words) != NULL);
	}
}

TEST(hook_rules_of_the_operator)
{
	struct hook_rules r = rules();
	struct err e;

	r.allow_loopback = true;
	CHECK_RC(check(&r, "http://127.0.0.1:9/", &e), OK);
	CHECK_RC(check(&r, "http://localhost/", &e), OK);
	CHECK_RC(check(&r, "http://10.0.0.1/", &e), ERR_INVALID);
	r = rules();
	r.allow_private = true;
	CHECK_RC(check(&r, "http://10.0.0.1/", &e), OK);
	CHECK_RC(check(&r, "http://[fd00::1]/", &e), OK);
	CHECK_RC(check(&r, "http://127.0.0.1/", &e), ERR_INVALID);
	CHECK_RC(check(&r, "http://169.254.169.254/", &e), ERR_INVALID);
	CHECK_RC(check(&r, "http://0.0.0.0/", &e), ERR_INVALID);
	r = rules();
	r.require_https = true;
	CHECK_RC(check(&r, "http://a.example/", &e), ERR_INVALID);
	CHECK_RC(check(&r, "https://a.example/", &e), OK);
	r = rules();
	r.allowed_ports = S("443, 8443");
	CHECK_RC(check(&r, "https://a.example/", &e), OK);
	CHECK_RC(check(&r, "http://a.example:8443/", &e), OK);
	CHECK_RC(check(&r, "http://a.example/", &e), ERR_INVALID);
	r = rules();
	r.max_url_bytes = 20;
	CHECK_RC(check(&r, "http://a.example/xyz", &e), OK);
	CHECK_RC(check(&r, "http://a.example/xyzz", &e), ERR_INVALID);
}

/* A star stands for what is below, not for the name itself, and for whole labels. */
TEST(hook_domains)
{
	struct hook_rules r = rules();
	struct err e;

	r.allowed_domains = S("a.example, *.b.example");
	CHECK_RC(check(&r, "http://A.example/", &e), OK);
	CHECK_RC(check(&r, "http://a.example./", &e), OK);
	CHECK_RC(check(&r, "http://x.a.example/", &e), ERR_INVALID);
	CHECK_RC(check(&r, "http://x.b.example/", &e), OK);
	CHECK_RC(check(&r, "http://y.x.B.example/", &e), OK);
	CHECK_RC(check(&r, "http://b.example/", &e), ERR_INVALID);
	CHECK_RC(check(&r, "http://xb.example/", &e), ERR_INVALID);
	CHECK_RC(check(&r, "http://b.example.evil.example/", &e), ERR_INVALID);
}

TEST(hook_settings_are_checked)
{
	static const struct { struct hook_rules r; const char *setting; } bad[] = {
		{ { .allowed_domains = { "http://a.example", 16 } }, "allowed-domains" },
		{ { .allowed_domains = { "a.example,,b.example", 20 } }, "allowed-domains" },
		{ { .allowed_ports = { "http", 4 } }, "allowed-ports" },
		{ { .allowed_ports = { "70000", 5 } }, "allowed-ports" },
		{ { .payload_fields = { "run_id,stat", 11 } }, "payload-fields" },
	};
	const struct hook_rules good = { .allowed_domains = S("a.example,*.b.example,8.8.8.8"),
		.allowed_ports = S("80,443"), .payload_fields = S("run_id, status,values") };
	struct err e;

	CHECK_RC(hook_rules_check(&good, &e), OK);
	for (size_t i = 0; i < COUNT(bad); i++) {
		CHECK_RC(hook_rules_check(&bad[i].r, &e), ERR_INVALID);
		CHECK(strstr(e.text, bad[i].setting) != NULL);
	}
}

TEST(hook_headers)
{
	static const char *const bad[] = { "[]", "{\"A\":1}", "{\"A b\":\"x\"}", "{\"\":\"x\"}",
		"{\"Host\":\"x\"}", "{\"Content-Type\":\"x\"}", "{\"X-Cohort-Signature\":\"x\"}",
		"{\"A\":\"x\\r\\nB: y\"}", "{\"A\":\"${{ env.PATH }}\"}", "{\"A\":\"${{ env.LG_WEBHOOK_A\"}",
		"{\"A\":\"${{ secrets.LG_WEBHOOK_A }}\"}", "{\"A\":\"${{ env.LG_WEBHOOK_UNSET }}\"}",
		"{\"A\":\"${{ env.LG_WEBHOOK_LINES }}\"}", "{" };
	struct buf b = BUF(KB);
	struct err e;

	setenv("LG_WEBHOOK_A", "one", 1);
	setenv("LG_WEBHOOK_LINES", "one\r\nX: y", 1);
	CHECK_RC(hook_headers_read(S(""), S("LG_WEBHOOK_"), &b, &e), OK);
	CHECK_INT(b.n, 0);
	CHECK_RC(hook_headers_read(S("{\"Authorization\":\"Bearer ${{ env.LG_WEBHOOK_A }}-"
	    "${{env.LG_WEBHOOK_A}}$\",\"X-B\":\"\"}"), S("LG_WEBHOOK_"), &b, &e), OK);
	CHECK(str_eq(buf_str(&b), S("Authorization: Bearer one-one$\r\nX-B: \r\n")));
	for (size_t i = 0; i < COUNT(bad); i++) {
		buf_clear(&b);
		CHECK_RC(hook_headers_read(str_of(bad[i]), S("LG_WEBHOOK_"), &b, &e),
		    ERR_INVALID);
		CHECK(strstr(e.text, "webhooks.headers") != NULL);
	}
	buf_release(&b);
}

TEST(host_numbers)
{
	static const char *const yes[] = { "1", "2130706433", "0x7f.1", "0x7F000001", "127.1",
		"0177.0.0.1", "1.2.3.4.5", "127.0.0.1.", "a.0x1", "256.1.1.1" };
	static const char *const no[] = { "127.0.0.1", "::1", "a1", "1a", "0x", "0xg", "a.1b",
		"1.example", "", "." };

	for (size_t i = 0; i < COUNT(yes); i++)
		CHECK(host_is_number(str_of(yes[i])));
	for (size_t i = 0; i < COUNT(no); i++)
		CHECK(!host_is_number(str_of(no[i])));
}
