/*
 * fuzz_policy.c - a policy file from anyone: refused, or every caller gets an answer
 * whose filter and stamp are JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdlib.h>

#include "auth/policy.h"
#include "base/json.h"
#include "store/guard.h"

static void
check(struct str json)
{
	struct json_doc d = { 0 };

	if (json.n > 0 && (json_parse(&d, json, NULL) < 0 || !json_is_object(d.root)))
		abort();
	json_release(&d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct str scopes[] = { { "reader", 6 }, { "admin", 5 } };
	struct principal who = { .user = S("ann"), .org = S("acme"), .role = S("user"),
	    .scopes = scopes, .scopes_n = COUNT(scopes),
	    .claims_json = S("{\"team\":\"x\",\"teams\":[\"a\"],\"n\":1}") };
	struct policy *p;
	struct err e;

	if (policy_read(&p, (struct str){ (const char *)data, n }, S("p"), &e) < 0)
		return 0;
	for (enum access a = ACCESS_NONE + 1; a < ACCESS_N; a++) {
		struct arena arena = ARENA(1 * MB);
		struct grant g;

		if (policy_ask(p, a, &who, &arena, &g, &e) == OK) {
			check(g.filter_json);
			check(g.stamp_json);
			guard_test(g.filter_json, S("{\"owner\":\"ann\"}"));
		}
		arena_release(&arena);
	}
	policy_free(p);
	return 0;
}
