/*
 * models.c - the providers of models that there are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "llm/llm_priv.h"

const struct provider *const providers[PROVIDERS] = {
	&openai_provider, &scripted_provider
};
