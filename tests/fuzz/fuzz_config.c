/*
 * fuzz_config.c - cohort.yaml from anyone: refused or read, never worse.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>

#include "main/config.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *none[] = { NULL };
	struct config c;
	struct err e;

	if (config_load(&c, 0, none, none, &e) == OK)
		config_read_yaml(&c, "cohort.yaml",
		    (struct str){ (const char *)data, n }, &e);
	config_release(&c);
	return 0;
}
