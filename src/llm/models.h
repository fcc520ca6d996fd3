/*
 * models.h - which models there are: providers with their addresses, keys and
 * limits, and aliases, each an ordered list of targets.
 *
 * Filled in once (models_entry, models_alias, models_link), then only read: every
 * llm of the process shares it, and with it the lanes in which the calls to a
 * provider wait for their turn.  Keys are in memory here and go nowhere but
 * into the requests to their provider.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LLM_MODELS_H
#define LLM_MODELS_H

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"

struct models;

/* What a model or its server can do. */
enum {
	LLM_HAS_TOOLS = 1, LLM_HAS_VISION = 2, LLM_HAS_JSON_SCHEMA = 4,
	LLM_HAS_REASONING = 8, LLM_HAS_STREAM = 16,
	LLM_HAS_USUAL = LLM_HAS_TOOLS | LLM_HAS_STREAM   /* without a word about it */
};

/* Empty texts and zeros: as the entry is already, or the type's own. */
struct models_entry {
	struct str name, type;               /* type empty: what the name is */
	struct str base_url, api_key, api_version;
	int64_t concurrency, requests_per_minute, tokens_per_minute;
};

struct models_alias {
	struct str name;
	const struct str *targets;           /* provider:name, or other aliases */
	size_t targets_n;
	bool has_told;                       /* else `has` means nothing */
	unsigned has;
	/* Nano-USD a token; -1: not told. */
	int64_t price_input, price_cached, price_output;
};

struct models *models_new(void);             /* the providers that are built in */
void models_free(struct models *m);          /* NULL is fine */

/* Copied.  ERR_INVALID: the words begin with the field. */
int models_entry(struct models *m, const struct models_entry *x, struct err *e);
int models_alias(struct models *m, const struct models_alias *x, struct err *e);
/* After the last of them: whom aliases mean.  ERR_INVALID: an alias that is
 * part of a cycle, or names nobody; *which is the alias. */
int models_link(struct models *m, struct str *which, struct err *e);

/* The built-in entries that want a key and the variables it is in: for i = 0, 1, ...
 * until false. */
bool models_key_env(size_t i, struct str *entry, const char *const **names);

/* Is it an alias, or does it begin with a provider, supported or not ("openai:x",
 * "azure-eu:x", "bedrock:x", "scripted")?  Else the whole of it is a model's
 * name: "qwen2.5:7b". */
bool models_name(const struct models *m, struct str model);

/* Can every target of `model` (empty: of `fallback`) do this?  ERR_INVALID: what
 * is not declared, and how to declare it. */
int models_can(const struct models *m, struct str model, struct str fallback,
    unsigned needs, struct err *e);
/* "tools", "vision", "json_schema", "reasoning"; 0: none of them. */
unsigned models_has_word(struct str word);
extern const char *const models_has_words;   /* all of them, for errors */

/* For `cohort models` and `cohort config`; no keys. */
size_t models_aliases(const struct models *m);
struct str models_alias_name(const struct models *m, size_t i);
/* "openai:gpt-4o-mini, azure-eu:gpt-4o-mini" */
void models_add_targets(struct buf *b, const struct models *m, size_t i);
/* "tools, vision" */
void models_add_has(struct buf *b, const struct models *m, size_t i);
size_t models_entries(const struct models *m);
/* Name, type, base_url, limits; "key" or "no key". */
void models_add_entry(struct buf *b, const struct models *m, size_t i);

/* Calls that wait now for a turn at a provider, and milliseconds waited so far. */
void models_waits(const struct models *m, int64_t *calls, int64_t *ms);

#endif
