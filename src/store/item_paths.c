/*
 * item_paths.c - the parts of a store item's value that it is found by.
 *
 * A path leads from the value to some of its parts: names, separated by dots, each
 * followed by any number of places:
 *
 *   $            all of it
 *   a.b          a member of a member
 *   a[0] a[-1]   an element, from the front or from the end
 *   a[*] *       all elements, or all members
 *
 * What a path does not find is no error: values of one namespace differ.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store_priv.h"

/* ---- one step --------------------------------------------------------------- */

struct step {
	struct str name;                     /* or what is between the brackets */
	bool place;
	bool all;
	int64_t at;                          /* of a place that is not all */
};

/* Takes the first step off a path that has one.  False: it is no path. */
static bool
step_next(struct str *path, struct step *s)
{
	size_t n = 0;

	*s = (struct step){ .place = path->p[0] == '[' };
	if (s->place) {
		ptrdiff_t end = str_index(*path, ']');

		if (end < 0)
			return false;
		s->name = str_sub(*path, 1, (size_t)end - 1);
		n = (size_t)end + 1;
	} else {
		while (n < path->n && path->p[n] != '.' && path->p[n] != '[')
			n++;
		s->name = str_sub(*path, 0, n);
	}
	*path = str_sub(*path, n, path->n);
	s->all = str_eq(s->name, S("*"));
	if (s->name.n == 0 || (s->place ? !s->all && !str_to_i64(s->name, &s->at) :
	    str_index(s->name, ']') >= 0))
		return false;
	if (path->n == 0 || path->p[0] == '[')
		return true;
	n = path->p[0] == '.';
	*path = str_sub(*path, n, path->n);
	return n == 1 && path->n > 0 && path->p[0] != '[';
}

int
item_path_check(struct str path, struct err *e)
{
	bool is_path = path.n > 0;
	struct str rest = path;
	struct step s;

	if (str_eq(path, S("$")))
		return OK;
	if (path.n > LIMIT_NAME_BYTES)
		return err_set(e, ERR_INVALID, "longer than %d bytes", LIMIT_NAME_BYTES);
	if (str_index(path, '{') >= 0)
		return err_set(e, ERR_INVALID, "expected one path, got several in braces: "
		    "write each as a path of its own");
	while (is_path && rest.n > 0)
		is_path = step_next(&rest, &s);
	if (!is_path)
		return err_set(e, ERR_INVALID,
		    "expected a path, such as $, a.b, a[0] or a[*].b");
	return OK;
}

/* ---- walking ---------------------------------------------------------------- */

struct walk {
	jnode *out;
	size_t n, max;
};

static jnode
step_one(jnode at, const struct step *s)
{
	int64_t n = (int64_t)json_count(at), i = s->at < 0 ? s->at + n : s->at;

	if (!s->place)
		return json_is_object(at) ? json_get(at, s->name) : NULL;
	return json_is_array(at) && i >= 0 && i < n ? json_at(at, (size_t)i) : NULL;
}

static void
walk(struct walk *w, jnode at, struct str path)
{
	struct json_iter it;
	struct step s;

	if (at == NULL || w->n == w->max)
		return;
	if (path.n == 0) {
		if (!json_is_null(at))
			w->out[w->n++] = at;
		return;
	}
	if (!step_next(&path, &s))
		path = STR_NONE;
	if (!s.all) {
		walk(w, step_one(at, &s), path);
		return;
	}
	for (it = json_each(at); w->n < w->max && json_next(&it); )
		walk(w, it.value, path);
}

size_t
item_parts(jnode value, jnode paths, jnode *out, size_t max)
{
	struct walk w = { out, 0, max };
	struct json_iter it;

	if (paths == NULL)
		walk(&w, value, STR_NONE);
	for (it = json_each(paths); json_next(&it); ) {
		struct str path = json_str(it.value);

		walk(&w, value, str_eq(path, S("$")) ? STR_NONE : path);
	}
	return w.n;
}
