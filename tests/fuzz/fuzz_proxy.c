/*
 * fuzz_proxy.c - what a proxy says of its client: the header of the PROXY protocol, the same
 * however it was cut into reads and never asking for what is behind it; headers of a request;
 * lists of trusted networks.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "net/proxy.h"

static void
check_hop(const struct proxy_hop *hop)
{
	char text[PROXY_HOP_TEXT];

	assert(hop->n == 0 || hop->n == 4 || hop->n == 16);
	proxy_hop_text(hop, text);
	assert(strlen(text) < sizeof text);
}

/* Bytes are given as they are asked for, at most `step` at a time; how many were. */
static size_t
read_header(struct str all, size_t step, enum proxy_got *got)
{
	char *copy = malloc(all.n + 1);
	struct proxy_hop client;
	const char *why;
	size_t n = 0, need;

	assert(copy != NULL);
	for (;;) {
		*got = proxy_read((struct str){ copy, n }, &need, &client, &why);
		if (*got != PROXY_MORE)
			break;
		assert(need > 0 && n + need <= LIMIT_PROXY_BYTES);
		need = need < step ? need : step;
		if (need > all.n - n)
			break;
		memcpy(copy + n, all.p + n, need);
		n += need;
	}
	if (*got == PROXY_CLIENT)
		check_hop(&client);
	assert(*got != PROXY_BAD || why != NULL);
	free(copy);
	return n;
}

static void
read_request(struct str text, struct str name)
{
	const struct http_header headers[] = { { name, text }, { S("x-forwarded-proto"), text } };
	struct proxy_trust *t = NULL;
	struct proxy_told told;
	struct err e;

	for (size_t n = 1; n <= 2; n++) {
		proxy_forwarded(NULL, headers, n, &told);
		if (told.has_client)
			check_hop(&told.client);
	}
	if (proxy_trust_new(&t, S("10.0.0.0/8,::1"), &e) == OK)
		proxy_forwarded(t, headers, 1, &told);
	proxy_trust_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct proxy_trust *t = NULL;
	struct proxy_hop hop = { .n = 4 };
	enum proxy_got whole, pieces;
	size_t n = read_header(text, size + 1, &whole);
	struct err e;

	if (whole != PROXY_MORE && whole != PROXY_BAD) {
		assert(read_header(text, 1, &pieces) == n && pieces == whole);
		assert(read_header(str_sub(text, 0, n), size + 1, &pieces) == n && pieces == whole);
	}
	read_request(text, S("x-forwarded-for"));
	read_request(text, S("forwarded"));
	if (proxy_trust_new(&t, text, &e) == OK)
		proxy_trusts(t, &hop);
	proxy_trust_free(t);
	return 0;
}
