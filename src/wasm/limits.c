/*
 * limits.c - see limits.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/limits.h"

#include "base/json.h"
#include "base/limits.h"

#define PAGE_BYTES 65536
#define SHOWN      64                        /* bytes of a wrong value that are repeated */

enum { MEMORY, FUEL, CPU, DEPTH, MESSAGE, RATE, NAMES };

const char *const wasm_limit_names[] = {
	[MEMORY] = "memory", [FUEL] = "fuel", [CPU] = "cpu", [DEPTH] = "depth",
	[MESSAGE] = "message", [RATE] = "rate", [NAMES] = NULL
};

struct unit { const char *name; int64_t times; };

static const struct unit bytes[] = {
	{ "KB", 1024 }, { "MB", 1024 * 1024 }, { "GB", 1024 * 1024 * 1024 }, { "B", 1 },
	{ "", 1 }, { NULL, 0 }
}, microseconds[] = {
	{ "us", 1 }, { "ms", 1000 }, { "s", 1000000 }, { "", 1000 }, { NULL, 0 }
}, plain[] = {
	{ "", 1 }, { NULL, 0 }
};

static const struct {
	const struct unit *units;
	int64_t min, max;                    /* in the smallest unit */
	const char *words;                   /* what would be right */
} rules[NAMES] = {
	[MEMORY] = { bytes, PAGE_BYTES, (int64_t)LIMIT_WASM_PAGES_MAX * PAGE_BYTES,
	    "64KB to 1000MB" },
	[FUEL] = { plain, 1, LIMIT_WASM_FUEL_MAX, "a whole number from 1 to 2000000000" },
	[CPU] = { microseconds, 1, LIMIT_WASM_CPU_MAX_US, "1us to 1s" },
	[DEPTH] = { plain, 1, LIMIT_WASM_DEPTH_MAX, "a whole number from 1 to 10000" },
	[MESSAGE] = { bytes, 1, LIMIT_WASM_MESSAGE_BYTES, "1 to 1MB" },
	[RATE] = { plain, 1, LIMIT_WASM_RATE_MAX, "a whole number from 1 to 1000000" },
};

/* A number and its unit, in the smallest one; -1: not an amount. */
static int64_t
amount(struct str text, const struct unit *units)
{
	size_t digits = 0;
	int64_t n;

	text = str_trim(text);
	while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
		digits++;
	if (!str_to_i64(str_sub(text, 0, digits), &n))
		return -1;
	text = str_trim(str_sub(text, digits, text.n));
	for (; units->name != NULL; units++)
		if (str_eq_nocase(text, str_of(units->name)))
			return n > INT64_MAX / units->times ? -1 : n * units->times;
	return -1;
}

int
wasm_limit_set(struct wasm_limits *l, uint32_t *rate, struct str name, struct str text,
    struct err *e)
{
	int64_t n;
	int which = 0;

	while (which < NAMES && !str_eq(name, str_of(wasm_limit_names[which])))
		which++;
	if (which == NAMES)
		return ERR_NOTFOUND;
	n = amount(text, rules[which].units);
	if (n < rules[which].min || n > rules[which].max)
		return err_set(e, ERR_INVALID, "%s: expected %s, got \"%.*s\"",
		    wasm_limit_names[which], rules[which].words, FMT(str_cut(text, SHOWN)));
	switch (which) {
	case MEMORY: l->pages = (uint32_t)(n / PAGE_BYTES); break;
	case FUEL: l->fuel = n; break;
	case CPU: l->cpu_us = (uint32_t)n; break;
	case DEPTH: l->depth = (uint32_t)n; break;
	case MESSAGE: l->message_bytes = (uint32_t)n; break;
	default: *rate = (uint32_t)n;
	}
	return OK;
}

static int
allow_one(uint32_t *mask, struct str name, struct err *e)
{
	struct str_near near = { .word = name };

	for (int i = 0; i < WASM_IMPORTS; i++) {
		if (str_eq(name, str_of(wasm_import_names[i]))) {
			*mask |= 1u << i;
			return OK;
		}
		str_near_try(&near, wasm_import_names[i]);
	}
	if (str_eq(name, S("all")))
		*mask = (1u << WASM_IMPORTS) - 1;
	else if (!str_eq(name, S("none")))
		return err_near(e, ERR_INVALID, near.best, "\"", "allow: expected log, now_ms, "
		    "send, reply, store_get, store_put, tool_call, all or none, got \"%.*s\"",
		    FMT(str_cut(name, SHOWN)));
	return OK;
}

int
wasm_allow_read(uint32_t *mask, struct str names, struct err *e)
{
	struct str part, name;
	int rc = OK;

	while (rc == OK && str_next(&names, ',', &part))
		while (rc == OK && str_next(&part, ' ', &name))
			if (name.n > 0)
				rc = allow_one(mask, name, e);
	return rc;
}

void
wasm_limits_add_json(struct buf *b, const struct wasm_limits *l, uint32_t rate)
{
	json_add_fmt(b, "'memory':%lld,'fuel':%lld,'cpu_us':%u,'depth':%u,'message':%u,"
	    "'rate':%u", (long long)(l->pages > 0 ? l->pages : LIMIT_WASM_PAGES) * PAGE_BYTES,
	    (long long)(l->fuel > 0 ? l->fuel : LIMIT_WASM_FUEL),
	    l->cpu_us > 0 ? l->cpu_us : LIMIT_WASM_CPU_US,
	    l->depth > 0 ? l->depth : LIMIT_WASM_DEPTH,
	    l->message_bytes > 0 ? l->message_bytes : LIMIT_WASM_MESSAGE_BYTES, rate);
}

void
wasm_allow_add_json(struct buf *b, uint32_t mask)
{
	buf_add_char(b, '[');
	for (int i = 0; i < WASM_IMPORTS; i++)
		if (mask >> i & 1)
			json_add_fmt(b, ",%s", wasm_import_names[i]);
	buf_add_char(b, ']');
}
