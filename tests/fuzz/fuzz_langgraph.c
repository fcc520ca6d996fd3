/*
 * fuzz_langgraph.c - langgraph.json from anyone: refused or read, never worse.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>

#include "main/config.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = { (const char *)data, n };
	struct env_list lines = { 0 };
	char *none[] = { NULL };
	struct config c;
	struct err e;

	/* `env` may name a file: not one that never ends. */
	if (str_contains(text, S("/dev/")) || str_contains(text, S("/proc/")))
		return 0;
	if (config_load(&c, 0, none, none, &e) == OK)
		langgraph_read(&c, "nowhere/langgraph.json", text, &e);
	config_release(&c);
	env_file_read(&lines, ".env", text, &e);
	env_list_release(&lines);
	return 0;
}
