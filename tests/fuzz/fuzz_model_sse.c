/*
 * fuzz_model_sse.c - answers of chat completions: see fuzz_wire.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define FUZZED openai_provider

#include "fuzz_wire.h"
