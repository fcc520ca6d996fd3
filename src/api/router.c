/*
 * router.c - see router.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/router.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };

/* One path with its rows, by method. */
struct pattern {
	struct str segment[ROUTE_SEGMENTS];
	unsigned params;                     /* bit i: segment i is a {param} */
	const struct route *by_method[COUNT(methods)];
};

struct router {
	struct pattern *at[ROUTE_SEGMENTS + 1];      /* by number of segments */
	size_t n[ROUTE_SEGMENTS + 1], cap[ROUTE_SEGMENTS + 1];
};

/* Splits the path into *n segments; "/" has none.  False: no pattern matches
 * it, as it has too many segments or an empty one. */
static bool
split(struct str path, struct str segment[ROUTE_SEGMENTS], size_t *n)
{
	struct str rest, part;

	*n = 0;
	if (path.n == 0 || path.p[0] != '/')
		return false;
	if (path.n == 1)
		return true;
	rest = str_sub(path, 1, path.n - 1);
	while (str_next(&rest, '/', &part)) {
		if (*n == ROUTE_SEGMENTS || part.n == 0)
			return false;
		segment[(*n)++] = part;
	}
	return path.p[path.n - 1] != '/';
}

static int
method_index(struct str method)
{
	if (str_eq(method, S("HEAD")))
		return 0;
	for (size_t i = 0; i < COUNT(methods); i++) {
		if (str_eq(method, str_of(methods[i])))
			return (int)i;
	}
	return -1;
}

static bool
same_shape(const struct pattern *a, const struct pattern *b, size_t n)
{
	if (a->params != b->params)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!(a->params >> i & 1) && !str_eq(a->segment[i], b->segment[i]))
			return false;
	}
	return true;
}

/* Literal before param, from the left: a smaller reversed bit pattern. */
static bool
more_literal(const struct pattern *a, const struct pattern *b)
{
	unsigned differ = a->params ^ b->params;

	return differ != 0 && (b->params & (differ & (~differ + 1))) != 0;
}

/* The pattern of p's shape, inserted in order if it is new. */
static struct pattern *
pattern_place(struct router *rt, const struct pattern *p, size_t n)
{
	size_t i;

	for (i = 0; i < rt->n[n]; i++) {
		if (same_shape(&rt->at[n][i], p, n))
			return &rt->at[n][i];
	}
	mem_grow(rt->at[n], rt->n[n], rt->cap[n]);
	for (i = rt->n[n]; i > 0 && more_literal(p, &rt->at[n][i - 1]); i--)
		rt->at[n][i] = rt->at[n][i - 1];
	rt->at[n][i] = *p;
	rt->n[n]++;
	return &rt->at[n][i];
}

struct router *
router_new(const struct route *table, size_t n)
{
	struct router *rt = mem_new(struct router);

	for (size_t i = 0; i < n; i++) {
		struct pattern p = { 0 }, *at;
		size_t segments;
		int m = method_index(str_of(table[i].method));
		bool fits = split(str_of(table[i].path), p.segment, &segments);

		assert(fits && m >= 0);
		(void)fits;
		for (size_t j = 0; j < segments; j++) {
			if (p.segment[j].p[0] == '{')
				p.params |= 1u << j;
		}
		at = pattern_place(rt, &p, segments);
		assert(at->by_method[m] == NULL);
		at->by_method[m] = &table[i];
	}
	return rt;
}

void
router_free(struct router *rt)
{
	if (rt == NULL)
		return;
	for (size_t i = 0; i <= ROUTE_SEGMENTS; i++)
		free(rt->at[i]);
	free(rt);
}

static bool
pattern_matches(const struct pattern *p, const struct str *segment, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!(p->params >> i & 1) && !str_eq(p->segment[i], segment[i]))
			return false;
	}
	return true;
}

static const struct pattern *
pattern_find(const struct router *rt, struct str path,
    struct str segment[ROUTE_SEGMENTS])
{
	size_t n;

	if (!split(path, segment, &n))
		return NULL;
	for (size_t i = 0; i < rt->n[n]; i++) {
		if (pattern_matches(&rt->at[n][i], segment, n))
			return &rt->at[n][i];
	}
	return NULL;
}

int
router_find(const struct router *rt, struct str method, struct str path,
    const struct route **route, struct str param[ROUTE_PARAMS])
{
	struct str segment[ROUTE_SEGMENTS];
	bool slash = path.n > 1 && path.p[path.n - 1] == '/';
	const struct pattern *p = pattern_find(rt, slash ? str_sub(path, 0, path.n - 1) :
	    path, segment);
	int m = method_index(method);
	size_t n = 0;

	*route = NULL;
	if (p == NULL)
		return ERR_NOTFOUND;
	if (m < 0 || p->by_method[m] == NULL)
		return slash ? ERR_NOTFOUND : ERR_METHOD;
	if (slash && !(p->by_method[m]->flags & ROUTE_SLASH))
		return ERR_NOTFOUND;
	for (size_t i = 0; i < ROUTE_SEGMENTS; i++) {
		if (!(p->params >> i & 1))
			continue;
		assert(n < ROUTE_PARAMS);
		param[n++] = segment[i];
	}
	*route = p->by_method[m];
	return OK;
}

void
router_allow(const struct router *rt, struct str path, struct buf *out)
{
	struct str segment[ROUTE_SEGMENTS];
	const struct pattern *p = pattern_find(rt, path, segment);

	if (p == NULL)
		return;
	for (size_t i = 0; i < COUNT(methods); i++) {
		if (p->by_method[i] == NULL)
			continue;
		buf_add(out, str_of(methods[i]));
		buf_add(out, i == 0 ? S(", HEAD, ") : S(", "));
	}
	buf_lit(out, "OPTIONS");
}
