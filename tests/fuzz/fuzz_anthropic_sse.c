/*
 * fuzz_anthropic_sse.c - answers of Anthropic's Messages API: see fuzz_wire.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define FUZZED anthropic_provider

#include "fuzz_wire.h"
