/*
 * policy.c - what a module may have and do: as JSON in the store, and checked.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/deploy/deploy_priv.h"

#include "base/json.h"

#define PAGE_BYTES 65536

void
wasm_policy_write(struct buf *b, const struct wasm_policy *p)
{
	const struct wasm_limits *l = &p->limits;

	json_add_fmt(b, "{'allow':[");
	for (int i = 0; i < WASM_IMPORTS; i++)
		if (p->allow >> i & 1)
			json_add_fmt(b, ",%s", wasm_import_names[i]);
	json_add_fmt(b, "],'tools':[");
	for (size_t i = 0; i < p->tools_n; i++)
		json_add_fmt(b, ",%.*s", FMT(p->tools[i]));
	json_add_fmt(b, "],'pages':%u,'fuel':%lld,'cpu_us':%u,'depth':%u,'host_calls':%u,"
	    "'message_bytes':%u,'rate':%u}", l->pages, (long long)l->fuel, l->cpu_us,
	    l->depth, l->host_calls, l->message_bytes, p->rate);
}

static int
u32_read(jnode o, const char *key, uint32_t *out, struct err *e)
{
	int64_t v = 0;
	int rc = json_get_int(o, key, key, 0, 0, UINT32_MAX, &v, e);

	*out = (uint32_t)v;
	return rc;
}

static int
allow_read(jnode list, uint32_t *out, struct err *e)
{
	struct json_iter it = json_each(list);
	int i;

	while (json_next(&it)) {
		for (i = 0; i < WASM_IMPORTS; i++)
			if (str_eq(json_str(it.value), str_of(wasm_import_names[i])))
				break;
		if (i == WASM_IMPORTS)
			return err_set(e, ERR_INVALID, "allow: there is no import '%.*s'",
			    FMT(json_str(it.value)));
		*out |= 1u << i;
	}
	return OK;
}

int
wasm_policy_read(struct wasm_policy *out, struct str json, struct arena *a, struct err *e)
{
	struct json_doc doc;
	struct json_iter it;
	struct str *tools;
	int rc = json_parse(&doc, json, e);

	*out = (struct wasm_policy){ 0 };
	if (rc == OK)
		rc = allow_read(json_get(doc.root, S("allow")), &out->allow, e);
	if (rc == OK)
		rc = u32_read(doc.root, "pages", &out->limits.pages, e);
	if (rc == OK)
		rc = json_get_int(doc.root, "fuel", "fuel", 0, 0, INT64_MAX,
		    &out->limits.fuel, e);
	if (rc == OK)
		rc = u32_read(doc.root, "cpu_us", &out->limits.cpu_us, e);
	if (rc == OK)
		rc = u32_read(doc.root, "depth", &out->limits.depth, e);
	if (rc == OK)
		rc = u32_read(doc.root, "host_calls", &out->limits.host_calls, e);
	if (rc == OK)
		rc = u32_read(doc.root, "message_bytes", &out->limits.message_bytes, e);
	if (rc == OK)
		rc = u32_read(doc.root, "rate", &out->rate, e);
	it = json_each(rc == OK ? json_get(doc.root, S("tools")) : NULL);
	tools = arena_alloc(a, (it.left + 1) * sizeof *tools);
	for (size_t i = 0; tools != NULL && json_next(&it); i++) {
		tools[i] = arena_str(a, json_str(it.value));
		out->tools_n = i + 1;
	}
	out->tools = tools;
	json_release(&doc);
	return rc == OK ? arena_rc(a) : rc;
}

int
wasm_policy_copy(struct wasm_policy *out, const struct wasm_policy *p, struct arena *a)
{
	struct str *tools = arena_alloc(a, (p->tools_n + 1) * sizeof *tools);

	*out = *p;
	for (size_t i = 0; tools != NULL && i < p->tools_n; i++)
		tools[i] = arena_str(a, p->tools[i]);
	out->tools = tools;
	return arena_rc(a);
}

bool
wasm_policy_has_tool(const struct wasm_policy *p, struct str name)
{
	for (size_t i = 0; i < p->tools_n; i++)
		if (str_eq(p->tools[i], name))
			return true;
	return false;
}

bool
wasm_policy_eq(const struct wasm_policy *a, const struct wasm_policy *b)
{
	struct buf x = BUF(4 * (size_t)LIMIT_WASM_POLICY_BYTES), y = x;
	bool same;

	wasm_policy_write(&x, a);
	wasm_policy_write(&y, b);
	same = !x.failed && !y.failed && str_eq(buf_str(&x), buf_str(&y));
	buf_release(&x);
	buf_release(&y);
	return same;
}

static int
limits_fit(const struct wasm_policy *p, struct err *e)
{
	const struct wasm_limits *l = &p->limits;
	const struct { const char *name; int64_t value, max; } at[] = {
		{ "memory (in pages of 64 KB)", l->pages, LIMIT_WASM_PAGES_MAX },
		{ "fuel", l->fuel, LIMIT_WASM_FUEL_MAX },
		{ "cpu (in us)", l->cpu_us, LIMIT_WASM_CPU_MAX_US },
		{ "depth", l->depth, LIMIT_WASM_DEPTH_MAX },
		{ "host_calls", l->host_calls, LIMIT_WASM_HOST_CALLS },
		{ "message", l->message_bytes, LIMIT_WASM_MESSAGE_BYTES },
		{ "rate", p->rate, LIMIT_WASM_RATE_MAX },
		{ "tools", (int64_t)p->tools_n, LIMIT_WASM_TOOLS },
	};
	size_t bytes = 0;

	for (size_t i = 0; i < COUNT(at); i++)
		if (at[i].value < 0 || at[i].value > at[i].max)
			return err_set(e, ERR_INVALID, "%s: expected at most %lld, got %lld",
			    at[i].name, (long long)at[i].max, (long long)at[i].value);
	for (size_t i = 0; i < p->tools_n; i++)
		bytes += 3 + p->tools[i].n;
	if (bytes > LIMIT_WASM_POLICY_BYTES / 2)
		return err_set(e, ERR_INVALID, "tools: their names are too long, %zu bytes in all",
		    bytes);
	return OK;
}

int
wasm_policy_fits(const struct wasm_policy *p, const struct wasm_facts *f, struct err *e)
{
	uint32_t pages = p->limits.pages > 0 ? p->limits.pages : LIMIT_WASM_PAGES;
	int rc = limits_fit(p, e);

	if (rc != OK || f == NULL)
		return rc;
	for (int i = 0; i < WASM_IMPORTS; i++)
		if (f->imports >> i & 1 && !(p->allow >> i & 1))
			return err_set(e, ERR_INVALID, "the module imports cohort.%s, which "
			    "its policy does not allow: add \"%s\" to allow",
			    wasm_import_names[i], wasm_import_names[i]);
	if (f->pages > pages)
		return err_set(e, ERR_INVALID, "the module begins with %u pages (%u KB) of "
		    "memory; its policy gives it %u: raise memory to %lld bytes", f->pages,
		    f->pages * (PAGE_BYTES / 1024), pages, (long long)f->pages * PAGE_BYTES);
	return OK;
}
