/*
 * fuzz_gemini_sse.c - answers of Gemini's generateContent: see fuzz_wire.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define FUZZED gemini_provider

#include "fuzz_wire.h"
