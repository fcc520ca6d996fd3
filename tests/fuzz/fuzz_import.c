/*
 * fuzz_import.c - another program's agent: refused with a place, or text of ours
 * that the loader takes or refuses with a place.  The first byte says what the file
 * is called; what stands after a line of `%%` lies beside it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "agent/import.h"
#include "task/kinds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int
read_beside(void *ctx, struct str name, struct buf *out)
{
	(void)name;
	buf_add(out, *(const struct str *)ctx);
	return out->n > 0 ? OK : ERR_NOTFOUND;
}

static bool
has_tool(void *ctx, struct str name)
{
	(void)ctx;
	return str_eq(name, S("current_time"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const files[] = { "a.md", "agents.yaml", "m.json", "tasks.yaml" };
	struct str text = { (const char *)data, n }, beside = STR_NONE;
	struct import_around around = { read_beside, has_tool, &beside };
	struct import im;
	struct err e = { 0 };
	const char *cut;

	if (n == 0)
		return 0;
	text = str_sub(text, 1, SIZE_MAX);
	cut = memmem(text.p, text.n, "\n%%\n", 4);
	if (cut != NULL) {
		beside = str_sub(text, (size_t)(cut + 4 - text.p), SIZE_MAX);
		text.n = (size_t)(cut + 1 - text.p);
	}
	if (agent_import(&im, text, str_of(files[data[0] % 4]), &around, &e) == OK) {
		assert(im.agents_n > 0 && im.format != NULL);
		for (size_t i = 0; i < im.agents_n; i++) {
			struct agent *a;

			if (agent_load(&a, im.agents[i].text, S("out.yaml"), &task_kinds, &e) == OK)
				agent_free(a);
			else
				assert(str_starts(str_of(e.text), S("out.yaml:")));
		}
	} else {
		assert(e.text[0] != '\0');
	}
	import_release(&im);
	return 0;
}
