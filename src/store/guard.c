/*
 * guard.c - see guard.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/guard.h"

#include <assert.h>

static bool
is_scalar(jnode n)
{
	return n != NULL && !json_is_object(n) && !json_is_array(n);
}

static bool
equal(jnode have, jnode want)
{
	if (!is_scalar(have) || !is_scalar(want))
		return false;
	if (json_is_string(have) || json_is_string(want))
		return json_is_string(have) && json_is_string(want) &&
		    str_eq(json_str(have), json_str(want));
	return json_contains(have, want, NULL);
}

static bool
has(jnode list, jnode want)
{
	struct json_iter it = json_each(list);

	while (json_is_array(list) && json_next(&it))
		if (equal(it.value, want))
			return true;
	return false;
}

static bool
contains(jnode have, jnode want)
{
	struct json_iter it = json_each(want);

	if (!json_is_array(want))
		return has(have, want);
	while (json_next(&it))
		if (!has(have, it.value))
			return false;
	return json_count(want) > 0;
}

static bool
field_holds(jnode have, jnode test)
{
	struct json_iter it = json_each(test);
	size_t n = 0;

	if (have == NULL || !json_is_object(test))
		return have != NULL && equal(have, test);
	for (; json_next(&it); n++) {
		bool eq = str_eq(json_str(it.key), S("$eq"));

		if (!eq && !str_eq(json_str(it.key), S("$contains")))
			return false;
		if (eq ? !equal(have, it.value) : !contains(have, it.value))
			return false;
	}
	return n > 0;
}

static bool
any_holds(jnode list, jnode metadata)
{
	struct json_iter it = json_each(list);

	while (json_next(&it))
		if (json_is_object(it.value) && guard_holds(it.value, metadata))
			return true;
	return false;
}

static bool
all_hold(jnode list, jnode metadata)
{
	struct json_iter it = json_each(list);

	while (json_next(&it))
		if (!json_is_object(it.value) || !guard_holds(it.value, metadata))
			return false;
	return json_is_array(list);
}

bool
guard_holds(jnode condition, jnode metadata)
{
	struct json_iter it = json_each(condition);
	bool holds = condition == NULL || json_is_object(condition);

	while (holds && json_next(&it)) {
		struct str key = json_str(it.key);

		holds = str_eq(key, S("$or")) ? any_holds(it.value, metadata) :
		    str_eq(key, S("$and")) ? all_hold(it.value, metadata) :
		    field_holds(json_get(metadata, key), it.value);
	}
	return holds;
}

bool
guard_test(struct str condition, struct str metadata)
{
	struct json_doc want = { 0 }, have = { 0 };
	bool holds;

	if (condition.n == 0)
		return true;
	holds = json_parse(&want, condition, NULL) == OK &&
	    json_parse(&have, metadata, NULL) == OK &&
	    guard_holds(want.root, have.root);
	json_release(&want);
	json_release(&have);
	return holds;
}

bool
guard_item(struct str condition, struct str ns, struct str key, struct str value)
{
	struct buf text = BUF(value.n + 6 * (ns.n + key.n) + KB);
	struct str label;
	bool holds;

	if (condition.n == 0)
		return true;
	assert(value.n >= 2 && value.p[0] == '{');
	/* Of equal keys the last counts: the item's own, not the value's. */
	buf_add(&text, str_sub(value, 0, value.n - 1));
	json_add_fmt(&text, ",'namespace':[");
	while (str_next(&ns, '.', &label))
		json_add_fmt(&text, ",%.*s", FMT(label));
	json_add_fmt(&text, "],'key':%.*s}", FMT(key));
	holds = !text.failed && guard_test(condition, buf_str(&text));
	buf_release(&text);
	return holds;
}

void
guard_add_needed(struct buf *b, jnode condition)
{
	struct json_iter it = json_each(condition);

	buf_add_char(b, '{');
	while (json_next(&it)) {
		jnode eq = json_is_object(it.value) ? json_get(it.value, S("$eq")) : it.value;

		if (is_scalar(eq) && !str_starts(json_str(it.key), S("$")))
			json_add_fmt(b, ",%.*s:%p", FMT(json_str(it.key)), (void *)eq);
	}
	buf_add_char(b, '}');
}
