/*
 * reducer.c - see reducer.h; add_messages is in messages.c.
 *
 * A reducer changes the value only after everything that can fail: the caller
 * keeps what it had.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "base/limits.h"
#include "state/state_priv.h"

const char *const reducer_names[] = {
	[REDUCE_LAST] = "last", [REDUCE_MESSAGES] = "messages",
	[REDUCE_APPEND] = "append", [REDUCE_MERGE] = "merge", [REDUCE_SUM] = "sum",
	[REDUCE_MIN] = "min", [REDUCE_MAX] = "max", NULL
};

/* Without decoding: an object whose text has neither the word nor an escape that
 * could spell it. */
static bool
surely_plain(struct val write)
{
	struct str text = val_json_text(write);

	return text.p != NULL && !str_contains(text, S("__overwrite__")) &&
	    !str_contains(text, S("\\u"));
}

bool
reduce_is_overwrite(struct val write, struct val *v)
{
	struct val type;

	*v = VAL_UNDEF;
	if (write.kind != VAL_OBJECT || surely_plain(write))
		return false;
	if (val_count(write) == 1 && val_has(write, S("__overwrite__"))) {
		*v = val_get(write, S("__overwrite__"));
		return true;
	}
	type = val_get(write, S("type"));
	if (type.kind != VAL_STRING || !str_eq(val_str(type), S("__overwrite__")))
		return false;
	*v = val_get(write, S("value"));
	return true;
}

static int
misfit(struct str name, const char *expected, struct val got, struct err *e)
{
	return err_set(e, ERR_INVALID, "%.*s: expected %s, got %s", FMT(name), expected,
	    val_kind_name(got));
}

static bool
is_nothing(struct val v)
{
	return v.kind == VAL_NULL || v.kind == VAL_UNDEFINED;
}

static void
replace(struct val *value, struct val v)
{
	val_drop(*value);
	*value = v;
}

/* ---- one each -------------------------------------------------------------- */

static int
reduce_last(struct str name, struct val *value, struct val write, struct err *e)
{
	(void)name, (void)e;
	replace(value, val_ref(write));
	return OK;
}

static int
reduce_append(struct str name, struct val *value, struct val write, struct err *e)
{
	struct val list = *value;
	size_t more = write.kind == VAL_ARRAY ? val_count(write) : 1;

	if (val_count(list) + more > LIMIT_MESSAGES && list.kind != VAL_OBJECT)
		return err_set(e, ERR_LIMIT, "%.*s: more than %d entries", FMT(name),
		    LIMIT_MESSAGES);
	if (is_nothing(list))
		list = val_array_empty();
	else if (list.kind != VAL_ARRAY)
		return misfit(name, "an array to append to", list, e);
	if (write.kind != VAL_ARRAY)
		list = val_push_take(list, val_ref(write));
	for (size_t i = 0, n = val_count(write); write.kind == VAL_ARRAY && i < n; i++)
		list = val_push_take(list, val_ref(val_at(write, i)));
	*value = list;
	return OK;
}

static int
reduce_merge(struct str name, struct val *value, struct val write, struct err *e)
{
	struct val o = *value;

	if (write.kind != VAL_OBJECT)
		return misfit(name, "an object to merge", write, e);
	if (is_nothing(o))
		return reduce_last(name, value, write, e);
	if (o.kind != VAL_OBJECT)
		return misfit(name, "an object to merge into", o, e);
	for (size_t i = 0, n = val_count(write); i < n; i++)
		o = val_set_take(o, val_key(write, i), val_ref(val_member(write, i)));
	*value = o;
	return OK;
}

static int
check_numbers(struct str name, struct val value, struct val write, struct err *e)
{
	if (!val_is_number(write))
		return misfit(name, "a number", write, e);
	return is_nothing(value) || val_is_number(value) ? OK :
	    misfit(name, "a number to reduce into", value, e);
}

static int
reduce_sum(struct str name, struct val *value, struct val write, struct err *e)
{
	int rc = check_numbers(name, *value, write, e);
	struct val old = *value;
	int64_t i;
	double d;

	if (rc != OK || is_nothing(old))
		return rc == OK ? reduce_last(name, value, write, e) : rc;
	if (old.kind == VAL_INT && write.kind == VAL_INT &&
	    !__builtin_add_overflow(old.u.i, write.u.i, &i)) {
		*value = val_int(i);
		return OK;
	}
	d = val_number(old) + val_number(write);
	if (!isfinite(d))
		return err_set(e, ERR_INVALID, "%.*s: the sum is not a finite number",
		    FMT(name));
	*value = val_double(d);
	return OK;
}

static int
extreme(struct str name, struct val *value, struct val write, int sign, struct err *e)
{
	int rc = check_numbers(name, *value, write, e);

	if (rc == OK && (is_nothing(*value) ||
	    sign * val_number(write) > sign * val_number(*value)))
		*value = write;
	return rc;
}

static int
reduce_min(struct str name, struct val *value, struct val write, struct err *e)
{
	return extreme(name, value, write, -1, e);
}

static int
reduce_max(struct str name, struct val *value, struct val write, struct err *e)
{
	return extreme(name, value, write, 1, e);
}

typedef int reduce_fn(struct str name, struct val *value, struct val write, struct err *e);

static reduce_fn *const reducers[] = {
	[REDUCE_LAST] = reduce_last, [REDUCE_APPEND] = reduce_append,
	[REDUCE_MERGE] = reduce_merge, [REDUCE_SUM] = reduce_sum,
	[REDUCE_MIN] = reduce_min, [REDUCE_MAX] = reduce_max,
};

/* ---- the door -------------------------------------------------------------- */

static int
check_fit(struct str name, struct val old, struct val write, struct err *e)
{
	if (val_depth(write) > LIMIT_JSON_DEPTH)
		return err_set(e, ERR_TOOBIG, "%.*s: nested deeper than %d levels", FMT(name),
		    LIMIT_JSON_DEPTH);
	if (val_bytes(write) > LIMIT_STATE_BYTES ||
	    val_bytes(old) > LIMIT_STATE_BYTES - val_bytes(write))
		return err_set(e, ERR_TOOBIG, "%.*s: more than %d bytes in one thread",
		    FMT(name), LIMIT_STATE_BYTES);
	return OK;
}

/* An overwrite of a list of messages is coerced, but reduced into nothing. */
static int
overwrite(enum reducer r, struct str name, struct val *value, struct val v,
    unsigned known, struct err *e)
{
	struct val list = VAL_UNDEF;
	size_t keep;
	int rc;

	if (r != REDUCE_MESSAGES)
		return reduce_last(name, value, v, e);
	rc = reduce_messages(name, &list, v, known, &keep, e);
	if (rc == OK)
		replace(value, list);
	return rc;
}

int
reduce(enum reducer r, struct str name, struct val *value, struct val write,
    unsigned known, size_t *keep, struct err *e)
{
	size_t front = r == REDUCE_APPEND ? val_count(*value) : 0;
	struct val v;
	bool over = reduce_is_overwrite(write, &v);
	int rc;

	if (over) {
		write = v;
		front = 0;
	}
	rc = check_fit(name, over || r == REDUCE_LAST ? VAL_UNDEF : *value, write, e);
	if (rc != OK)
		return rc;
	if (over)
		rc = overwrite(r, name, value, write, known, e);
	else if (r == REDUCE_MESSAGES)
		rc = reduce_messages(name, value, write, known, &front, e);
	else
		rc = reducers[r](name, value, write, e);
	if (rc == OK && keep != NULL)
		*keep = front;
	return rc;
}
