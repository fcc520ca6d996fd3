/*
 * models.h - `providers:` and `models:` of cohort.yaml become the registry.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_MODELS_H
#define MAIN_MODELS_H

#include "llm/models.h"
#include "main/config.h"

/* env: for keys that are there, "NAME=value".  Warnings are added to c's.
 * ERR_INVALID names file and line. */
int models_of_config(struct models **out, struct config *c, char **env, struct err *e);

/* The default: the setting, else OpenAI's if it is configured, else the scripted
 * one; a bare name is OpenAI's. */
void models_default(struct buf *out, const struct models *m, const struct config *c);

#endif
