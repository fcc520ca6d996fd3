/*
 * fuzz_url.c - any text as a URL, and as no_proxy for a host.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = { (const char *)data, n };
	struct proxies p = { 0 };
	struct route r, host = { .host = S("api.example"), .port = 80 };
	struct err e;

	if (route_parse(text, &r, &e) == OK) {
		assert(r.host.n > 0 && r.host.n <= ROUTE_HOST_MAX && r.port > 0);
		assert(r.host.p >= text.p && r.host.p + r.host.n <= text.p + text.n);
		host_is_loopback(r.host);
		host = r;
	}
	p.plain.url = p.tls.url = mem_cstr(S("http://proxy"));
	p.bypass = mem_cstr(text);
	proxies_pick(&p, &host);
	free(p.bypass);
	free(p.plain.url);
	return 0;
}
