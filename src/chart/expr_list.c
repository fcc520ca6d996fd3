/*
 * expr_list.c - the language's functions over arrays and objects; the rows
 * are in expr_func.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/expr_func_priv.h"

#include <string.h>

#include "base/mem.h"

/* Charges for one more element of a new list. */
static int
charge(struct eval *ev)
{
	int rc = eval_steps(ev, 1);

	return rc == OK ? eval_bytes(ev, 16) : rc;
}

/* ---- looking ------------------------------------------------------------- */

int
expr_fn_len(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val v = c->args[0].v;

	if (v.kind == VAL_STRING)
		*out = ref_mine(val_int((int64_t)expr_text_count(val_str(v))));
	else if (v.kind == VAL_ARRAY || v.kind == VAL_OBJECT)
		*out = ref_mine(val_int((int64_t)val_count(v)));
	else
		return eval_fail(ev, c->node, "len wants a string, array or object, got %s",
		    val_kind_name(v));
	return OK;
}

int
expr_fn_end(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val list = c->args[0].v;
	size_t at = c->f->how == AT_START ? 0 : val_count(list) - 1;

	(void)ev;
	*out = ref_mine(val_ref(val_at(list, at)));
	return OK;
}

/* get(x, 'a.b.0', otherwise): the value at a path, or `otherwise`. */
int
expr_fn_get(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val v = c->args[0].v;
	struct str path = val_str(c->args[1].v), part;
	int64_t i;

	while (str_next(&path, '.', &part)) {
		if (v.kind == VAL_ARRAY)
			v = str_to_i64(part, &i) && i >= 0 ? val_at(v, (size_t)i) : VAL_UNDEF;
		else
			v = val_get(v, part);
	}
	if (val_is_nothing(v) && c->n > 2)
		return call_give_share(ev, c->args[2], out);
	return call_give_share(ev, (struct ref){ v, c->args[0].own }, out);
}

int
expr_fn_has(struct eval *ev, const struct call *c, struct ref *out)
{
	(void)ev;
	*out = ref_mine(val_bool(val_has(c->args[0].v, val_str(c->args[1].v))));
	return OK;
}

/* indexOf and contains: of an element in an array, of a text in a text. */
int
expr_fn_index_of(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val v = c->args[0].v, what = c->args[1].v;
	int64_t at = -1;
	bool same = false;
	int rc;

	if (v.kind == VAL_ARRAY) {
		rc = eval_steps(ev, val_count(v));
		for (size_t i = 0; i < val_count(v) && at < 0 && rc == OK; i++) {
			rc = eval_equal(ev, val_at(v, i), what, &same);
			if (same)
				at = (int64_t)i;
		}
	} else {
		rc = call_check(ev, c, 0, 's');
		if (rc == OK)
			rc = call_check(ev, c, 1, 's');
		if (rc == OK)
			at = expr_text_find(val_str(v), val_str(what));
		if (at > 0)
			at = (int64_t)expr_text_count(str_sub(val_str(v), 0, (size_t)at));
	}
	if (rc == OK)
		*out = ref_mine(c->f->how == INDEX_WHERE ? val_int(at) : val_bool(at >= 0));
	return rc;
}

/* ---- lambdas ------------------------------------------------------------- */

/* The lambda's value for element i; without a lambda the element. */
static int
apply(struct eval *ev, const struct call *c, size_t i, struct ref *out)
{
	struct val v = val_at(c->args[0].v, i);

	if (c->lambda == UINT32_MAX) {
		*out = (struct ref){ v, c->args[0].own == OWN_CONST ? OWN_CONST :
			OWN_BORROWED };
		return eval_steps(ev, 1);
	}
	return eval_lambda(ev, c->lambda, v, out);
}

static int
holds(struct eval *ev, const struct call *c, size_t i, bool *yes)
{
	struct ref r;
	int rc = apply(ev, c, i, &r);

	*yes = false;
	if (rc != OK)
		return rc;
	*yes = val_truthy(r.v);
	ref_drop(r);
	return OK;
}

int
expr_fn_map(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val list = val_array_empty();
	int rc = OK;

	for (size_t i = 0; i < val_count(c->args[0].v) && rc == OK; i++) {
		struct ref r;
		struct val v;

		rc = apply(ev, c, i, &r);
		if (rc == OK)
			rc = eval_take(ev, r, &v);
		if (rc != OK)
			break;
		list = val_push_take(list, v);
		rc = charge(ev);
	}
	return call_give_list(list, rc, out);
}

int
expr_fn_filter(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val list = val_array_empty();
	bool yes;
	int rc = OK;

	for (size_t i = 0; i < val_count(c->args[0].v) && rc == OK; i++) {
		rc = holds(ev, c, i, &yes);
		if (rc == OK && yes) {
			list = val_push_take(list, val_ref(val_at(c->args[0].v, i)));
			rc = charge(ev);
		}
	}
	return call_give_list(list, rc, out);
}

/* any, all, count, find: counts elements that match, up to the first if enough. */
int
expr_fn_search(struct eval *ev, const struct call *c, struct ref *out)
{
	size_t enough = c->f->how == SEARCH_COUNT ? SIZE_MAX : 1, found = 0, i = 0;
	struct val list = c->args[0].v;
	bool yes;
	int rc = OK;

	for (; i < val_count(list) && found < enough && rc == OK; i++) {
		rc = holds(ev, c, i, &yes);
		found += rc == OK && yes == (c->f->how != SEARCH_ALL);
	}
	if (rc != OK)
		return rc;
	if (c->f->how == SEARCH_COUNT)
		*out = ref_mine(val_int((int64_t)found));
	else if (c->f->how == SEARCH_FIND)
		*out = ref_mine(found > 0 ? val_ref(val_at(list, i - 1)) : VAL_UNDEF);
	else
		*out = ref_mine(val_bool((found > 0) == (c->f->how == SEARCH_ANY)));
	return OK;
}

int
expr_fn_sum(struct eval *ev, const struct call *c, struct ref *out)
{
	int64_t whole = 0;
	double part = 0;
	bool exact = true;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < val_count(c->args[0].v); i++) {
		struct ref r;

		rc = apply(ev, c, i, &r);
		if (rc != OK)
			break;
		if (!val_is_number(r.v))
			rc = eval_fail(ev, c->node, "sum wants numbers, got %s",
			    val_kind_name(r.v));
		exact = exact && r.v.kind == VAL_INT &&
		    !__builtin_add_overflow(whole, r.v.u.i, &whole);
		part += val_number(r.v);
		ref_drop(r);
	}
	if (rc == OK)
		*out = ref_mine(exact ? val_int(whole) : val_double(part));
	return rc;
}

int
expr_fn_group_by(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val groups = val_object_empty();
	int rc = OK;

	for (size_t i = 0; i < val_count(c->args[0].v) && rc == OK; i++) {
		struct buf key = BUF(LIMIT_NAME_BYTES);
		struct val list;
		struct ref r;

		rc = apply(ev, c, i, &r);
		if (rc != OK)
			break;
		val_add_text(&key, r.v);
		ref_drop(r);
		if (key.failed)
			rc = eval_fail(ev, c->node, "groupBy: the key is too long");
		if (rc == OK)
			rc = eval_bytes(ev, key.n + 96);
		if (rc == OK) {
			/* Without the object's reference the list grows in place. */
			list = val_get(groups, buf_str(&key));
			list = list.kind == VAL_ARRAY ? val_ref(list) : val_array_empty();
			groups = val_set_take(groups, buf_str(&key), VAL_NIL);
			list = val_push_take(list, val_ref(val_at(c->args[0].v, i)));
			groups = val_set_take(groups, buf_str(&key), list);
		}
		buf_release(&key);
	}
	return call_give_list(groups, rc, out);
}

/* ---- order --------------------------------------------------------------- */

struct sortable {
	struct val key, v;           /* key owned, v borrowed */
	size_t at;
};

static bool
before(const struct sortable *a, const struct sortable *b)
{
	int order = val_order(a->key, b->key);

	return order < 0 || (order == 0 && a->at <= b->at);
}

/* Bottom-up merge sort: stable, no recursion, n log n comparisons in the worst
 * case; cost: of one. */
static int
merge_sort(struct eval *ev, struct sortable *list, size_t n, size_t cost)
{
	struct sortable *spare = mem_alloc((n + 1) * sizeof *spare), *from = list, *to = spare;
	int rc = OK;

	for (size_t width = 1; width < n; width *= 2) {
		rc = eval_steps(ev, n * cost);
		if (rc != OK)
			break;
		for (size_t base = 0; base < n; base += 2 * width) {
			size_t mid = base + width < n ? base + width : n;
			size_t end = mid + width < n ? mid + width : n;
			size_t a = base, b = mid;

			for (size_t i = base; i < end; i++)
				to[i] = a < mid && (b >= end || before(&from[a], &from[b])) ?
				    from[a++] : from[b++];
		}
		struct sortable *swap = from;
		from = to;
		to = swap;
	}
	for (size_t i = 0; i < n && from != list; i++)
		list[i] = from[i];
	free(spare);
	return rc;
}

/* Strings are compared fast and mostly differ early. */
static size_t
compare_cost(struct val v)
{
	return 1 + (v.kind < VAL_STRING ? 0 : val_bytes(v) / (v.kind == VAL_STRING ? 1024 : 256));
}

int
expr_fn_sort(struct eval *ev, const struct call *c, struct ref *out)
{
	struct sortable *list;
	struct val sorted = VAL_UNDEF;
	size_t n = val_count(c->args[0].v), done = 0, cost = 1;
	int rc = eval_steps(ev, n);

	if (rc == OK)
		rc = eval_bytes(ev, n * 2 * sizeof *list);
	if (rc != OK)
		return rc;
	list = mem_alloc((n + 1) * sizeof *list);
	for (; done < n && rc == OK; done++) {
		struct ref r = { VAL_UNDEF, OWN_BORROWED };

		list[done] = (struct sortable){ VAL_UNDEF, val_at(c->args[0].v, done), done };
		rc = apply(ev, c, done, &r);
		if (rc == OK)
			rc = eval_take(ev, r, &list[done].key);
		cost = compare_cost(list[done].key) > cost ? compare_cost(list[done].key) : cost;
	}
	if (rc == OK)
		rc = merge_sort(ev, list, n, cost);
	if (rc == OK) {
		sorted = val_array_empty();
		for (size_t i = 0; i < n; i++)
			sorted = val_push_take(sorted, val_ref(list[i].v));
	}
	for (size_t i = 0; i < done; i++)
		val_drop(list[i].key);
	free(list);
	return call_give_list(sorted, rc, out);
}

int
expr_fn_reverse(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val list = val_array_empty();
	int rc = OK;

	for (size_t i = val_count(c->args[0].v); i-- > 0 && rc == OK; ) {
		list = val_push_take(list, val_ref(val_at(c->args[0].v, i)));
		rc = charge(ev);
	}
	return call_give_list(list, rc, out);
}

/* Quadratic in the worst case; every comparison is charged for. */
int
expr_fn_unique(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val list = val_array_empty();
	int rc = OK;

	for (size_t i = 0; i < val_count(c->args[0].v) && rc == OK; i++) {
		struct val v = val_at(c->args[0].v, i);
		bool same = false;
		size_t k = 0;

		for (; k < val_count(list) && rc == OK; k++) {
			rc = eval_equal(ev, val_at(list, k), v, &same);
			if (same)
				break;
		}
		if (rc == OK)
			rc = eval_steps(ev, 1 + k / 8);
		if (rc == OK && !same)
			list = val_push_take(list, val_ref(v));
	}
	return call_give_list(list, rc, out);
}

/* ---- making -------------------------------------------------------------- */

/* Arrays are joined, other values are appended; only strings give a string. */
int
expr_fn_concat(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val list;
	bool text = c->args[0].v.kind == VAL_STRING;
	int rc = OK;

	for (size_t i = 0; i < c->n; i++)
		text = text && c->args[i].v.kind == VAL_STRING;
	if (text) {
		struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);

		for (size_t i = 0; i < c->n; i++)
			buf_add(&b, val_str(c->args[i].v));
		return call_give_text(ev, &b, OK, out);
	}
	list = c->args[0].v.kind == VAL_ARRAY ? val_ref(c->args[0].v) : val_array_empty();
	for (size_t i = c->args[0].v.kind == VAL_ARRAY; i < c->n && rc == OK; i++) {
		struct val v = c->args[i].v;

		rc = eval_bytes(ev, 16 * (val_count(v) + 1));
		if (rc == OK)
			rc = eval_steps(ev, val_count(v) + 1);
		if (rc != OK)
			break;
		if (v.kind != VAL_ARRAY) {
			struct val kept;

			rc = eval_take(ev, (struct ref){ v, c->args[i].own == OWN_CONST ?
			    OWN_CONST : OWN_BORROWED }, &kept);
			if (rc == OK)
				list = val_push_take(list, kept);
		}
		for (size_t k = 0; v.kind == VAL_ARRAY && k < val_count(v); k++)
			list = val_push_take(list, val_ref(val_at(v, k)));
	}
	return call_give_list(list, rc, out);
}

/* flatten(xs): one level. */
int
expr_fn_flatten(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val list = val_array_empty();
	int rc = OK;

	for (size_t i = 0; i < val_count(c->args[0].v) && rc == OK; i++) {
		struct val v = val_at(c->args[0].v, i);

		rc = eval_bytes(ev, 16 * (val_count(v) + 1));
		if (rc == OK)
			rc = eval_steps(ev, val_count(v) + 1);
		for (size_t k = 0; rc == OK && v.kind == VAL_ARRAY && k < val_count(v); k++)
			list = val_push_take(list, val_ref(val_at(v, k)));
		if (rc == OK && v.kind != VAL_ARRAY)
			list = val_push_take(list, val_ref(v));
	}
	return call_give_list(list, rc, out);
}

/* range(n): 0 .. n-1; range(from, to): from .. to-1. */
int
expr_fn_range(struct eval *ev, const struct call *c, struct ref *out)
{
	int64_t from = c->n > 1 ? call_int(c, 0, 0) : 0, to = call_int(c, c->n - 1, 0);
	struct val list = val_array_empty();
	int rc = OK;

	if (to > from && (uint64_t)to - (uint64_t)from > LIMIT_EXPR_STEPS)
		rc = eval_steps(ev, LIMIT_EXPR_STEPS);
	for (int64_t i = from; i < to && rc == OK; i++) {
		list = val_push_take(list, val_int(i));
		rc = charge(ev);
	}
	return call_give_list(list, rc, out);
}

/* A position as JavaScript's slice takes it: negative counts from the end. */
static size_t
clamp(int64_t at, size_t n)
{
	if (at < 0)
		at += (int64_t)n;
	return at < 0 ? 0 : (uint64_t)at > n ? n : (size_t)at;
}

int
expr_fn_slice(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val v = c->args[0].v;
	bool text = v.kind == VAL_STRING;
	size_t n = text ? expr_text_count(val_str(v)) : val_count(v);
	size_t first = clamp(call_int(c, 1, 0), n);
	size_t last = clamp(call_int(c, 2, (int64_t)n), n);
	struct val list;
	int rc = text ? OK : call_check(ev, c, 0, 'a');

	if (rc != OK)
		return rc;
	if (text) {
		struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);
		size_t a = expr_text_offset(val_str(v), first), z = expr_text_offset(val_str(v), last);

		buf_add(&b, str_sub(val_str(v), a, z > a ? z - a : 0));
		return call_give_text(ev, &b, OK, out);
	}
	list = val_array_empty();
	for (size_t i = first; i < last && rc == OK; i++) {
		list = val_push_take(list, val_ref(val_at(v, i)));
		rc = charge(ev);
	}
	return call_give_list(list, rc, out);
}

/* ---- objects ------------------------------------------------------------- */

/* keys, values, entries. */
int
expr_fn_parts(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val list = val_array_empty(), o = c->args[0].v;
	int part = c->f->how, rc = OK;

	for (size_t i = 0; i < val_count(o) && rc == OK; i++) {
		struct val key = part == PART_VALUE ? VAL_UNDEF : val_string(val_key(o, i));
		struct val v = val_ref(val_member(o, i));

		rc = eval_bytes(ev, 64 + val_key(o, i).n);
		if (part == PART_KEY) {
			list = val_push_take(list, key);
			val_drop(v);
		} else if (part == PART_VALUE) {
			list = val_push_take(list, v);
		} else {
			struct val pair = val_push_take(val_array_empty(), key);

			list = val_push_take(list, val_push_take(pair, v));
		}
		if (rc == OK)
			rc = charge(ev);
	}
	return call_give_list(list, rc, out);
}

/* merge(a, b, ...): shallow, later wins; null and undefined are skipped. */
int
expr_fn_merge(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val whole = val_object_empty();
	int rc = OK;

	for (size_t i = 0; i < c->n && rc == OK; i++) {
		struct val o = c->args[i].v;

		if (val_is_nothing(o))
			continue;
		rc = call_check(ev, c, i, 'o');
		for (size_t k = 0; rc == OK && k < val_count(o); k++) {
			rc = eval_bytes(ev, 48 + val_key(o, k).n);
			whole = val_set_take(whole, val_key(o, k), val_ref(val_member(o, k)));
			if (rc == OK)
				rc = charge(ev);
		}
	}
	return call_give_list(whole, rc, out);
}

static bool
is_named(const struct call *c, struct str key)
{
	for (size_t i = 1; i < c->n; i++)
		if (str_eq(val_str(c->args[i].v), key))
			return true;
	return false;
}

/* pick(o, 'a', 'b') keeps these keys, omit(o, 'a', 'b') the others. */
int
expr_fn_keep_keys(struct eval *ev, const struct call *c, struct ref *out)
{
	struct val o = c->args[0].v, whole = val_object_empty();
	bool named = c->f->how == KEEP_NAMED;
	int rc = OK;

	for (size_t i = 0; i < val_count(o) && rc == OK; i++) {
		if (is_named(c, val_key(o, i)) == named)
			whole = val_set_take(whole, val_key(o, i), val_ref(val_member(o, i)));
		rc = charge(ev);
	}
	return call_give_list(whole, rc, out);
}
