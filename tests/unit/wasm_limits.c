/*
 * wasm_limits.c - the words of a guest's policy: what each means, and that what is wrong
 * is refused by name.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "base/limits.h"
#include "wasm/limits.h"

static int
set(struct wasm_limits *l, uint32_t *rate, const char *name, const char *text)
{
	struct err e = { 0 };
	int rc = wasm_limit_set(l, rate, str_of(name), str_of(text), &e);

	if (rc == ERR_INVALID)
		CHECK(str_starts(str_of(e.text), str_of(name)));
	return rc;
}

TEST(wasm_limits_have_units)
{
	struct wasm_limits l = { 0 };
	uint32_t rate = 0;

	CHECK_RC(set(&l, &rate, "memory", "16MB"), OK);
	CHECK(l.pages == 256);
	CHECK_RC(set(&l, &rate, "memory", "1000MB"), OK);
	CHECK(l.pages == 16000);
	CHECK_RC(set(&l, &rate, "memory", "65536"), OK);
	CHECK(l.pages == 1);
	CHECK_RC(set(&l, &rate, "memory", "100 kb"), OK);
	CHECK(l.pages == 1);                 /* whole pages */
	CHECK_RC(set(&l, &rate, "cpu", "5ms"), OK);
	CHECK(l.cpu_us == 5000);
	CHECK_RC(set(&l, &rate, "cpu", "7"), OK);
	CHECK(l.cpu_us == 7000);
	CHECK_RC(set(&l, &rate, "cpu", "250us"), OK);
	CHECK(l.cpu_us == 250);
	CHECK_RC(set(&l, &rate, "cpu", "1s"), OK);
	CHECK(l.cpu_us == 1000000);
	CHECK_RC(set(&l, &rate, "fuel", "2000000000"), OK);
	CHECK(l.fuel == 2000000000);
	CHECK_RC(set(&l, &rate, "depth", "10000"), OK);
	CHECK(l.depth == 10000);
	CHECK_RC(set(&l, &rate, "message", "1MB"), OK);
	CHECK(l.message_bytes == 1048576);
	CHECK_RC(set(&l, &rate, "rate", "100"), OK);
	CHECK(rate == 100);
}

TEST(wasm_limits_refuse_by_name)
{
	static const struct { const char *name, *text; } bad[] = {
		{ "memory", "0" }, { "memory", "1" }, { "memory", "1001MB" },
		{ "memory", "9223372036854775807GB" }, { "memory", "16 megs" },
		{ "memory", "-1" }, { "memory", "" }, { "memory", "MB" }, { "memory", "1.5MB" },
		{ "fuel", "0" }, { "fuel", "2000000001" }, { "fuel", "5MB" }, { "fuel", "1e6" },
		{ "cpu", "0" }, { "cpu", "2s" }, { "cpu", "1001" }, { "cpu", "5m" },
		{ "depth", "0" }, { "depth", "10001" }, { "depth", "ten" },
		{ "message", "0" }, { "message", "2MB" }, { "rate", "0" }, { "rate", "1000001" },
	};
	struct wasm_limits l = { 0 };
	uint32_t rate = 0;

	for (size_t i = 0; i < COUNT(bad); i++)
		CHECK_RC(set(&l, &rate, bad[i].name, bad[i].text), ERR_INVALID);
	CHECK_RC(set(&l, &rate, "colour", "red"), ERR_NOTFOUND);
	CHECK(l.pages == 0 && l.fuel == 0 && l.cpu_us == 0 && rate == 0);
}

TEST(wasm_allow_is_a_mask)
{
	struct err e = { 0 };
	uint32_t mask = 0;

	CHECK_RC(wasm_allow_read(&mask, S("log, send,,reply now_ms"), &e), OK);
	CHECK(mask == (1u << WASM_LOG | 1u << WASM_SEND | 1u << WASM_REPLY | 1u << WASM_NOW_MS));
	mask = 0;
	CHECK_RC(wasm_allow_read(&mask, S("none"), &e), OK);
	CHECK(mask == 0);
	CHECK_RC(wasm_allow_read(&mask, S(""), &e), OK);
	CHECK(mask == 0);
	CHECK_RC(wasm_allow_read(&mask, S("all"), &e), OK);
	CHECK(mask == 127);
	CHECK_RC(wasm_allow_read(&mask, S("log,store_set"), &e), ERR_INVALID);
	CHECK(str_contains(str_of(e.text), S("did you mean \"store_get\"")));
	CHECK_RC(wasm_allow_read(&mask, S("open"), &e), ERR_INVALID);
}

TEST(wasm_limits_are_shown_as_in_force)
{
	struct wasm_limits l = { .pages = 2, .cpu_us = 250 };
	struct buf b = BUF(KB);

	wasm_limits_add_json(&b, &l, 3);
	CHECK_STR(buf_str(&b), "\"memory\":131072,\"fuel\":100000000,\"cpu_us\":250,"
	    "\"depth\":1000,\"message\":1048576,\"rate\":3");
	buf_clear(&b);
	wasm_allow_add_json(&b, WASM_ALLOW_USUAL);
	CHECK_STR(buf_str(&b), "[\"log\",\"now_ms\",\"reply\"]");
	buf_release(&b);
}
