/*
 * wasm_pool_breach.c - a host process that breaks the protocol, in each way: it is killed,
 * its instances are told, the server and the other processes live.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm_pool_fix.h"

#include <string.h>

#include "base/limits.h"

static const struct { const char *message, *told; } breaches[] = {
	{ "unknown type", "a frame of type" },
	{ "a frame of the server's", "a frame of type" },
	{ "ready again", "it was ready before" },
	{ "unknown agent", "no such instance" },
	{ "free agent", "no such instance" },
	{ "done without cost", "no cost" },
	{ "done of another call", "no such call" },
	{ "no such trap", "no such trap" },
	{ "trap below zero", "no such trap" },
	{ "bad level", "no such level" },
	{ "bad question", "no such question" },
	{ "long question", "a text longer than the frame" },
	{ "not allowed", "not allowed" },
	{ "started again", "is not starting" },
	{ "gone unasked", "is not stopping" },
	{ "saved unasked", "no SAVE is under way" },
	{ "too large", "larger than its limit" },
	{ "bad position", "it wrote an invalid" },
	{ "stdout", "stdout" },
	{ "flood", "more host calls" },
	{ "bell", "nothing" },        /* too often; a slow machine: and says nothing */
};

TEST(wasm_pool_each_breach_ends_the_process_and_nothing_else)
{
	struct wasm_code *code = fix_code("echo");
	struct guest other = { 0 };
	int64_t owner = 2;

	fix_open(NULL);
	fix_start(&other, owner, code);
	for (size_t k = 0; k < COUNT(breaches); k++) {
		struct guest g = { 0 }, beside = { 0 };

		fix_start(&g, 1, code);
		fix_start(&beside, 1, code);
		UNTIL(beside.started == 1 && g.started == 1 && other.started == 1);
		fix_call(&g, breaches[k].message);
		UNTIL(g.trapped == 1 && beside.trapped == 1);
		if (strstr(g.text, breaches[k].told) == NULL)
			test_fail(__FILE__, __LINE__, "%s: told \"%s\"", breaches[k].message, g.text);
		CHECK(g.why == WASM_TRAP_OTHER && g.done == 0);
		wasm_instance_free(g.i);
		wasm_instance_free(beside.i);
		fix_call(&other, "x");
		UNTIL(other.done == (int)k + 1);
	}
	CHECK(other.trapped == 0);
	wasm_instance_free(other.i);
	fix_close();
}
