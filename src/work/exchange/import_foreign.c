/*
 * import_foreign.c - translates lines of other trackers that use this format.
 *
 * The members `imported_type`, `imported_status` and `imported_dependencies` keep
 * what the line said, so nothing is lost, and an export has it again.  Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/exchange/import_priv.h"

struct word {
	const char *theirs, *ours;
};

static const struct word statuses[] = {
	{ "in-progress", "in_progress" }, { "started", "in_progress" },
	{ "doing", "in_progress" }, { "hooked", "in_progress" },
	{ "review", "in_progress" }, { "in_review", "in_progress" },
	{ "testing", "in_progress" }, { "waiting", "blocked" },
	{ "on_hold", "blocked" }, { "backlog", "open" }, { "todo", "open" },
	{ "ready", "open" }, { "pinned", "open" }, { "frozen", "deferred" },
	{ "icebox", "deferred" }, { "snoozed", "deferred" }, { "done", "closed" },
	{ "completed", "closed" }, { "resolved", "closed" }, { "wontfix", "closed" },
	{ "cancelled", "closed" }, { "canceled", "closed" },
	{ "deleted", "tombstone" }, { NULL, NULL }
};

static const struct word types[] = {
	{ "story", "feature" }, { "enhancement", "feature" }, { "defect", "bug" },
	{ "incident", "bug" }, { "molecule", "epic" }, { "milestone", "epic" },
	{ "convoy", "epic" }, { "maintenance", "chore" }, { "refactor", "chore" },
	{ NULL, NULL }
};

/* A type that blocks stays one that blocks; all others become `related`. */
static const struct word dep_types[] = {
	{ "blocked-by", "blocks" }, { "depends-on", "blocks" },
	{ "conditional-blocks", "blocks" }, { "waits-for", "blocks" },
	{ "parent", "parent-child" }, { "child-of", "parent-child" },
	{ "discovered", "discovered-from" }, { NULL, NULL }
};

/* Of two dependencies on one item the one named first here is kept. */
static const char *const strength[] = {
	"blocks", "parent-child", "discovered-from", "related", "relates-to"
};

static bool
is_word(const char *const *words, struct str s)
{
	for (; *words != NULL; words++) {
		if (str_eq(s, str_of(*words)))
			return true;
	}
	return false;
}

static struct str
our_word(const struct word *words, struct str theirs, const char *fallback)
{
	for (; words->theirs != NULL; words++) {
		if (str_eq_nocase(theirs, str_of(words->theirs)))
			return str_of(words->ours);
	}
	return str_of(fallback);
}

/* Is it an unknown word?  Decoding refuses a value that is no string. */
static bool
is_strange(jnode n, const char *const *ours)
{
	return json_is_string(n) && !is_word(ours, json_str(n)) &&
	    !str_eq(json_str(n), S("tombstone"));
}

/* ---- priorities that were left out ----------------------------------------- */

/* bd always writes these members. */
bool
import_foreign_lacks_priority(jnode item)
{
	static const char *const written[] = { "status", "issue_type",
		"created_at", "updated_at" };

	for (size_t i = 0; i < COUNT(written); i++) {
		if (json_get(item, str_of(written[i])) == NULL)
			return false;
	}
	return json_get(item, S("priority")) == NULL &&
	    !str_eq(json_str(json_get(item, S("status"))), S("tombstone"));
}

/* ---- dependencies ---------------------------------------------------------- */

static size_t
rank(struct str type)
{
	size_t i = 0;

	while (i < COUNT(strength) && !str_eq(type, str_of(strength[i])))
		i++;
	return i;
}

static struct str
our_dep_type(jnode dep)
{
	jnode type = json_get(dep, S("type"));

	if (!json_is_string(type) || json_str(type).n == 0)
		return S("blocks");
	return is_word(work_dep_names, json_str(type)) ? json_str(type) :
	    our_word(dep_types, json_str(type), "related");
}

static struct str
target_of(jnode dep)
{
	return json_str(json_get(dep, S("depends_on_id")));
}

/* Does another of the list name the same target, and take precedence? */
static bool
is_second(jnode list, size_t at)
{
	jnode dep = json_at(list, at);
	size_t mine = rank(our_dep_type(dep)), i = 0;
	struct json_iter it = json_each(list);

	for (; json_next(&it); i++) {
		size_t other = rank(our_dep_type(it.value));

		if (i != at && str_eq(target_of(it.value), target_of(dep)) &&
		    (other < mine || (other == mine && i < at)))
			return true;
	}
	return false;
}

/* Does it have a member that we would drop? */
static bool
dep_has_more(jnode dep)
{
	static const char *const known[] = { "issue_id", "depends_on_id", "type",
		"created_at", "created_by", NULL };
	struct json_iter it = json_each(dep);

	while (json_next(&it)) {
		struct str s = json_str(it.value);

		if (is_word(known, json_str(it.key)) || json_is_null(it.value) ||
		    (json_is_string(it.value) && (s.n == 0 || str_eq(s, S("{}")))))
			continue;
		return true;
	}
	return false;
}

static bool
deps_are_strange(jnode item)
{
	jnode list = json_get(item, S("dependencies"));
	struct str id = json_str(json_get(item, S("id")));
	struct json_iter it = json_each(list);
	bool many = json_count(list) > LIMIT_WORK_DEPS;

	for (size_t i = 0; json_is_array(list) && !many && json_next(&it); i++) {
		jnode type = json_get(it.value, S("type"));

		if (!json_is_object(it.value))
			return false;                /* decoding refuses it */
		if ((type != NULL && is_strange(type, work_dep_names)) ||
		    str_eq(target_of(it.value), id) || dep_has_more(it.value) ||
		    is_second(list, i))
			return true;
	}
	return false;
}

static void
deps_add(struct buf *b, jnode item)
{
	jnode list = json_get(item, S("dependencies"));
	struct str id = json_str(json_get(item, S("id")));
	struct json_iter it = json_each(list);

	buf_add_char(b, '[');
	for (size_t i = 0; json_next(&it); i++) {
		struct json_iter members = json_each(it.value);

		if (str_eq(target_of(it.value), id) || is_second(list, i))
			continue;
		json_add_fmt(b, ",{'type':%.*s", FMT(our_dep_type(it.value)));
		while (json_next(&members)) {
			if (str_eq(json_str(members.key), S("type")))
				continue;
			json_add_fmt(b, ",%p:%p", members.key, members.value);
		}
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
}

/* ---- a line ---------------------------------------------------------------- */

bool
import_foreign_is(jnode item, bool omits_zero)
{
	jnode type = json_get(item, S("issue_type"));
	jnode status = json_get(item, S("status"));

	return json_is_object(item) && ((type != NULL &&
	    is_strange(type, work_type_names)) || (status != NULL &&
	    is_strange(status, work_status_names)) || deps_are_strange(item) ||
	    (omits_zero && import_foreign_lacks_priority(item)));
}

/* Appends our word, and theirs as a member `kept`. */
static void
word_add(struct buf *b, struct str ours, const char *kept, jnode theirs,
    jnode item)
{
	json_add_str(b, ours);
	if (json_get(item, str_of(kept)) != NULL)
		return;
	json_add_fmt(b, ",%s:%p", kept, theirs);
}

static struct str
our_status(jnode item, struct str theirs)
{
	return our_word(statuses, theirs, json_is_null(json_get(item,
	    S("closed_at"))) ? "open" : "closed");
}

static void
member_add(struct buf *b, jnode item, struct str key, jnode value)
{
	struct str s = json_str(value);

	if (str_eq(key, S("issue_type")) && is_strange(value, work_type_names)) {
		word_add(b, our_word(types, s, "task"), "imported_type", value,
		    item);
	} else if (str_eq(key, S("status")) &&
	    is_strange(value, work_status_names)) {
		word_add(b, our_status(item, s), "imported_status", value, item);
	} else if (str_eq(key, S("dependencies")) && deps_are_strange(item)) {
		deps_add(b, item);
		if (json_get(item, S("imported_dependencies")) == NULL)
			json_add_fmt(b, ",'imported_dependencies':%p", value);
	} else {
		json_add_node(b, value);
	}
}

void
import_foreign_translate(struct buf *b, jnode item, bool omits_zero)
{
	struct json_iter it = json_each(item);

	buf_add_char(b, '{');
	while (json_next(&it)) {
		json_add_fmt(b, ",%p:", it.key);
		member_add(b, item, json_str(it.key), it.value);
	}
	if (omits_zero && import_foreign_lacks_priority(item))
		buf_lit(b, ",\"priority\":0");
	buf_add_char(b, '}');
}

/* Warns of each unknown word. */
void
import_foreign_report(struct import *im, jnode item)
{
	jnode type = json_get(item, S("issue_type"));
	jnode status = json_get(item, S("status"));
	struct str id = json_str(json_get(item, S("id")));

	if (type != NULL && is_strange(type, work_type_names))
		import_warn(im, "issue_type: \"%.*s\" of %.*s becomes %.*s; "
		    "imported_type keeps it", FMT(json_str(type)), FMT(id),
		    FMT(our_word(types, json_str(type), "task")));
	if (status != NULL && is_strange(status, work_status_names))
		import_warn(im, "status: \"%.*s\" of %.*s becomes %.*s; "
		    "imported_status keeps it", FMT(json_str(status)), FMT(id),
		    FMT(our_status(item, json_str(status))));
	if (deps_are_strange(item))
		import_warn(im, "dependencies: some of %.*s have an unknown type, are "
		    "duplicates or on itself; imported_dependencies keeps them",
		    FMT(id));
}
