/*
 * fuzz_hook.c - any text as a webhook's URL, and as webhooks.headers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <arpa/inet.h>

#include "net/route.h"
#include "run/hook.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What the C library would make of it: it reads more spellings than we let pass. */
static bool
is_inside(struct str host)
{
	struct in_addr a;
	char text[ROUTE_HOST_MAX + 1];

	if (host_is_loopback(host) || host_is_private(host))
		return true;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	return inet_aton(text, &a) != 0 &&
	    host_kind_bytes((const uint8_t *)&a, 4) != HOST_PUBLIC;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct hook_rules r = { .max_url_bytes = 1024 };
	struct str text = { (const char *)data, n };
	struct buf lines = BUF(KB);
	struct route to;
	struct err e;

	if (hook_check(&r, text, &e) == OK) {
		assert(route_parse(text, &to, &e) == OK);
		assert(!is_inside(to.host));
		assert(str_index(text, '\n') < 0 && str_index(text, ' ') < 0);
	}
	if (hook_headers_read(text, S("LG_WEBHOOK_"), &lines, &e) == OK)
		assert(lines.n == 0 || str_ends(buf_str(&lines), S("\r\n")));
	buf_release(&lines);
	return 0;
}
