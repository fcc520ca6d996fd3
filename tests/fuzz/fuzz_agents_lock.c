/*
 * fuzz_agents_lock.c - agents.lock from anyone: what is read has whole hashes and names of
 * folders, each once.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdint.h>

#include "base/limits.h"
#include "main/package.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct pins pins;
	struct err e;

	if (pins_read(&pins, (struct str){ (const char *)data, n }, "agents.lock", &e) != OK)
		return 0;
	assert(pins.n <= LIMIT_PACKAGES);
	for (size_t i = 0; i < pins.n; i++) {
		struct str name = str_of(pins.at[i].name);

		assert(package_path_check(name, &e) == OK && !package_ignores_path(name));
		assert(str_index(name, '/') < 0 && pins.at[i].line > 0);
		for (size_t j = 0; j < i; j++)
			assert(!str_eq(name, str_of(pins.at[j].name)));
	}
	pins_release(&pins);
	return 0;
}
