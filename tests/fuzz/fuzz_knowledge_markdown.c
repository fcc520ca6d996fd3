/*
 * fuzz_knowledge_markdown.c - see fuzz_knowledge.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz_knowledge.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	return fuzz_document(KNOWLEDGE_MARKDOWN, data, n);
}
