/*
 * policy_read.c - reads a policy file; errors name file and line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/policy_priv.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"

/* ---- references ---------------------------------------------------------------- */

bool
reference_next(struct str *rest, struct str *before, struct str *name)
{
	size_t i = 0, end;

	while (i < rest->n && !str_starts(str_sub(*rest, i, 2), S("${")))
		i++;
	*before = str_sub(*rest, 0, i);
	*name = STR_NONE;
	if (i == rest->n) {
		*rest = STR_NONE;
		return true;
	}
	for (end = i + 2; end < rest->n && rest->p[end] != '}'; end++)
		;
	if (end == rest->n)
		return false;
	*name = str_sub(*rest, i + 2, end - i - 2);
	*rest = str_sub(*rest, end + 1, rest->n);
	return true;
}

const struct str *
reference_text(const struct principal *who, struct str name)
{
	const struct { const char *name; const struct str *text; } texts[] = {
		{ "subject", &who->user }, { "org", &who->org }, { "email", &who->email },
		{ "role", &who->role },
	};

	for (size_t i = 0; i < COUNT(texts); i++)
		if (str_eq(name, str_of(texts[i].name)))
			return texts[i].text;
	return NULL;
}

static bool
reference_known(struct str name)
{
	static const struct principal nobody;

	return reference_text(&nobody, name) != NULL ||
	    (str_starts(name, S("claims.")) && name.n > 7);
}

static int
text_check(const struct rules *r, const struct tree_node *n, struct err *e)
{
	struct str rest = n->text, before, name;

	while (rest.n > 0) {
		if (!reference_next(&rest, &before, &name))
			return tree_fail(&r->tree, n, e, "expected a } after ${");
		if (name.p != NULL && !reference_known(name))
			return tree_fail(&r->tree, n, e, "expected ${subject}, ${org}, "
			    "${email}, ${role} or ${claims.NAME}, got ${%.*s}",
			    FMT(str_cut(name, 60)));
	}
	return OK;
}

/* ---- shapes -------------------------------------------------------------------- */

/* n's key is wrong. */
static int __attribute__((format(printf, 5, 6)))
fail_key(const struct rules *r, const struct tree_node *n, struct err *e,
    const char *near, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	tree_vfail(&r->tree, n, true, near, e, format, ap);
	va_end(ap);
	return ERR_INVALID;
}

static int
scalar_check(const struct rules *r, const struct tree_node *n, struct err *e)
{
	if (n->kind == TREE_STRING)
		return text_check(r, n, e);
	if (n->kind == TREE_LIST || n->kind == TREE_MAP)
		return tree_fail(&r->tree, n, e, "expected a string, a number, true, false "
		    "or null, got %s", tree_kind_name(n));
	return OK;
}

static int
texts_check(const struct rules *r, const struct tree_node *n, bool references,
    struct err *e)
{
	int rc = OK;

	if (n->kind != TREE_LIST || n->n == 0)
		return tree_fail(&r->tree, n, e, "expected a list of strings, got %s",
		    n->kind == TREE_LIST ? "an empty one" : tree_kind_name(n));
	for (const struct tree_node *k = n->first; rc == OK && k != NULL; k = k->next) {
		if (k->kind != TREE_STRING || k->text.n == 0)
			return tree_fail(&r->tree, k, e, "expected a string, got %s",
			    k->kind == TREE_STRING ? "an empty one" : tree_kind_name(k));
		if (references)
			rc = text_check(r, k, e);
	}
	return rc;
}

static int
field_check(const struct rules *r, const struct tree_node *n, struct err *e)
{
	int rc = OK;

	if (n->kind != TREE_MAP)
		return scalar_check(r, n, e);
	if (n->n == 0)
		return tree_fail(&r->tree, n, e, "expected $eq or $contains, got nothing");
	for (const struct tree_node *k = n->first; rc == OK && k != NULL; k = k->next) {
		bool contains = str_eq(k->key, S("$contains"));

		if (!contains && !str_eq(k->key, S("$eq")))
			return fail_key(r, k, e, NULL, "expected $eq or $contains, got %.*s",
			    FMT(str_cut(k->key, 60)));
		if (!contains || k->kind != TREE_LIST)
			rc = scalar_check(r, k, e);
		else if (k->n == 0)
			rc = tree_fail(&r->tree, k, e, "expected at least one value");
		for (const struct tree_node *v = k->first; contains && rc == OK &&
		    v != NULL; v = v->next)
			rc = scalar_check(r, v, e);
	}
	return rc;
}

static int filter_check(const struct rules *r, const struct tree_node *n, struct err *e);

static int
filters_check(const struct rules *r, const struct tree_node *n, struct err *e)
{
	int rc = OK;

	if (n->kind != TREE_LIST || n->n == 0)
		return tree_fail(&r->tree, n, e, "expected a list of filters, got %s",
		    n->kind == TREE_LIST ? "an empty one" : tree_kind_name(n));
	for (const struct tree_node *k = n->first; rc == OK && k != NULL; k = k->next)
		rc = filter_check(r, k, e);
	return rc;
}

/* Its depth is the tree's, which has a bound. */
static int
filter_check(const struct rules *r, const struct tree_node *n, struct err *e)
{
	int rc = OK;

	if (n->kind != TREE_MAP || n->n == 0)
		return tree_fail(&r->tree, n, e, "expected metadata keys with their values, "
		    "got %s", n->kind == TREE_MAP ? "none" : tree_kind_name(n));
	for (const struct tree_node *k = n->first; rc == OK && k != NULL; k = k->next) {
		if (str_eq(k->key, S("$and")) || str_eq(k->key, S("$or")))
			rc = filters_check(r, k, e);
		else if (str_starts(k->key, S("$")))
			rc = fail_key(r, k, e, NULL, "expected a metadata key, $and or $or, "
			    "got %.*s", FMT(str_cut(k->key, 60)));
		else
			rc = field_check(r, k, e);
	}
	return rc;
}

static int
stamp_check(const struct rules *r, const struct tree_node *n, struct err *e)
{
	int rc = OK;

	if (n->kind != TREE_MAP || n->n == 0)
		return tree_fail(&r->tree, n, e, "expected metadata keys with their values, "
		    "got %s", n->kind == TREE_MAP ? "none" : tree_kind_name(n));
	for (const struct tree_node *k = n->first; rc == OK && k != NULL; k = k->next)
		rc = scalar_check(r, k, e);
	return rc;
}

static int
labels_check(const struct rules *r, const struct tree_node *n, struct err *e)
{
	int rc = texts_check(r, n, true, e);

	for (const struct tree_node *k = n->first; rc == OK && k != NULL; k = k->next) {
		struct str rest = k->text, before, name;

		while (rc == OK && rest.n > 0 && reference_next(&rest, &before, &name))
			if (str_index(before, '.') >= 0)
				rc = tree_fail(&r->tree, k, e, "a label has no dots; make it "
				    "two labels");
	}
	return rc;
}

/* ---- actions -------------------------------------------------------------------- */

static enum level
level_of(struct str word, enum access a)
{
	struct str action = access_action(a);

	if (str_eq(word, str_of(access_name(a))))
		return LEVEL_EXACT;
	if (str_eq(word, access_resource(a)))
		return LEVEL_RESOURCE;
	if (str_starts(word, S("*:")) && str_eq(str_sub(word, 2, word.n), action))
		return LEVEL_ACTION;
	return str_eq(word, S("*")) ? LEVEL_ALL : LEVEL_NONE;
}

static int
action_read(struct rules *r, struct rule *x, const struct tree_node *n, struct err *e)
{
	struct str_near near = { .word = n->text };
	bool known = false;

	if (n->kind != TREE_STRING)
		return tree_fail(&r->tree, n, e, "expected an action, as threads:read, "
		    "threads, *:read or *; got %s", tree_kind_name(n));
	for (enum access a = ACCESS_NONE + 1; a < ACCESS_N; a++) {
		enum level level = level_of(n->text, a);

		known = known || level != LEVEL_NONE;
		if (level > x->level[a])
			x->level[a] = (uint8_t)level;
		str_near_try(&near, access_name(a));
	}
	if (known)
		return OK;
	return tree_fail(&r->tree, n, e, "no action is called \"%.*s\"; expected "
	    "resource:action, resource, *:action or *%s%s", FMT(str_cut(n->text, 60)),
	    near.best != NULL ? "; did you mean " : "", near.best != NULL ? near.best : "");
}

static int
actions_read(struct rules *r, struct rule *x, const struct tree_node *n, struct err *e)
{
	int rc = OK;

	if (n->kind != TREE_LIST)
		return action_read(r, x, n, e);
	if (n->n == 0)
		return tree_fail(&r->tree, n, e, "expected at least one action");
	for (const struct tree_node *k = n->first; rc == OK && k != NULL; k = k->next)
		rc = action_read(r, x, k, e);
	return rc;
}

/* Each action of the rule must be on a resource that has what n is about. */
static int
reach_check(struct rules *r, const struct rule *x, const struct tree_node *n,
    const char *const *resources, const char *what, struct err *e)
{
	for (enum access a = ACCESS_NONE + 1; n != NULL && a < ACCESS_N; a++) {
		bool has = false;

		for (size_t i = 0; resources[i] != NULL; i++)
			has = has || str_eq(access_resource(a), str_of(resources[i]));
		has = has && (n != x->filter || a != STORE_LIST_NAMESPACES);
		if (x->level[a] != LEVEL_NONE && !has)
			return fail_key(r, n, e, NULL, "%s has no %s; give it a rule of its own",
			    access_name(a), what);
	}
	return OK;
}

static int
reaches_check(struct rules *r, const struct rule *x, struct err *e)
{
	static const char *const filtered[] = { "assistants", "threads", "crons", "store",
	    NULL };
	static const char *const stamped[] = { "assistants", "threads", "crons", NULL };
	static const char *const named[] = { "store", NULL };
	int rc = reach_check(r, x, x->filter, filtered, "metadata to filter by", e);

	if (rc == OK)
		rc = reach_check(r, x, x->stamp, stamped, "metadata to stamp", e);
	if (rc == OK)
		rc = reach_check(r, x, x->within, named, "namespaces", e);
	return rc == OK ? reach_check(r, x, x->prepend, named, "namespaces", e) : rc;
}

/* ---- a rule ------------------------------------------------------------------------ */

static int
who_read(struct rules *r, struct rule *x, const struct tree_node *n, enum who w,
    struct err *e)
{
	x->who[w] = n;
	if (n->kind == TREE_LIST)
		return texts_check(r, n, false, e);
	if (n->kind != TREE_STRING || n->text.n == 0)
		return tree_fail(&r->tree, n, e, "expected a string or a list of them, "
		    "got %s", n->kind == TREE_STRING ? "an empty one" : tree_kind_name(n));
	return OK;
}

enum { KEY_ALLOW = WHO_N, KEY_DENY, KEY_FILTER, KEY_STAMP, KEY_NAMESPACE, KEY_PREPEND,
    KEYS };
/* The first are enum who. */
static const char *const rule_keys[KEYS] = { "scope", "role", "subject", "org", "allow",
    "deny", "filter", "stamp", "namespace", "prepend" };

static int
key_read(struct rules *r, struct rule *x, const struct tree_node *n, struct err *e)
{
	struct str_near near = { .word = n->key };
	int key = 0;

	while (key < KEYS && !str_eq(n->key, str_of(rule_keys[key])))
		str_near_try(&near, rule_keys[key++]);
	switch (key) {
	case KEY_ALLOW:
	case KEY_DENY:
		x->denies = key == KEY_DENY;
		return actions_read(r, x, n, e);
	case KEY_FILTER:
		x->filter = n;
		return filter_check(r, n, e);
	case KEY_STAMP:
		x->stamp = n;
		return stamp_check(r, n, e);
	case KEY_NAMESPACE:
		x->within = n;
		return labels_check(r, n, e);
	case KEY_PREPEND:
		x->prepend = n;
		return labels_check(r, n, e);
	case KEYS:
		return fail_key(r, n, e, near.best, "\"%.*s\" is not known here",
		    FMT(str_cut(n->key, 60)));
	}
	return who_read(r, x, n, (enum who)key, e);
}

static int
rule_read(struct rules *r, struct rule *x, const struct tree_node *n, struct err *e)
{
	bool allow = tree_get(&r->tree, n, S("allow")) != NULL;
	bool deny = tree_get(&r->tree, n, S("deny")) != NULL;
	int rc = OK;

	x->node = n;
	if (n->kind != TREE_MAP)
		return tree_fail(&r->tree, n, e, "expected a rule: who, and allow or deny; "
		    "got %s", tree_kind_name(n));
	if (allow == deny)
		return tree_fail(&r->tree, n, e, "expected allow or deny, got %s",
		    allow ? "both" : "neither");
	for (const struct tree_node *k = n->first; rc == OK && k != NULL; k = k->next)
		rc = key_read(r, x, k, e);
	if (rc == OK && deny && (x->filter != NULL || x->stamp != NULL ||
	    x->within != NULL || x->prepend != NULL))
		return tree_fail(&r->tree, n, e, "a rule that denies has only who and deny");
	return rc == OK ? reaches_check(r, x, e) : rc;
}

/* ---- rules that are never used ----------------------------------------------------- */

static bool
same_words(const struct tree_node *a, const struct tree_node *b)
{
	struct buf x = BUF(64 * KB), y = BUF(64 * KB);
	bool same;

	tree_add_json(&x, a);
	tree_add_json(&y, b);
	same = !x.failed && !y.failed && str_eq(buf_str(&x), buf_str(&y));
	buf_release(&x);
	buf_release(&y);
	return same;
}

/* Does a match every caller that b matches? */
static bool
covers(const struct rule *a, const struct rule *b)
{
	for (int w = 0; w < WHO_N; w++)
		if (a->who[w] != NULL && (b->who[w] == NULL ||
		    !same_words(a->who[w], b->who[w])))
			return false;
	return true;
}

/* A rule that decides every request of action a that `x` matches. */
static const struct rule *
shadow_of(const struct rules *r, const struct rule *x, enum access a)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct rule *other = &r->at[i];

		if (other != x && (other->level[a] > x->level[a] ||
		    (other < x && other->level[a] == x->level[a])) && covers(other, x))
			return other;
	}
	return NULL;
}

static int
used_check(const struct rules *r, const struct rule *x, struct err *e)
{
	const struct rule *shadow = NULL;

	for (enum access a = ACCESS_NONE + 1; a < ACCESS_N; a++) {
		if (x->level[a] == LEVEL_NONE)
			continue;
		shadow = shadow_of(r, x, a);
		if (shadow == NULL)
			return OK;
	}
	return tree_fail(&r->tree, x->node, e, "this rule is never used: the one of line %u "
	    "counts before it", shadow->node->at.line);
}

/* ---- the file --------------------------------------------------------------------- */

static int
word_read(const struct rules *r, const struct tree_node *n, const char *yes,
    const char *no, bool *out, struct err *e)
{
	*out = n->kind == TREE_STRING && str_eq(n->text, str_of(yes));
	if (*out || (n->kind == TREE_STRING && str_eq(n->text, str_of(no))))
		return OK;
	if (n->kind != TREE_STRING)
		return tree_fail(&r->tree, n, e, "expected %s or %s, got %s", yes, no,
		    tree_kind_name(n));
	return tree_fail(&r->tree, n, e, "expected %s or %s, got \"%.*s\"", yes, no,
	    FMT(str_cut(n->text, 40)));
}

static int
list_read(struct rules *r, const struct tree_node *n, struct err *e)
{
	int rc = OK;

	if (n->kind != TREE_LIST || n->n > LIMIT_POLICY_RULES)
		return tree_fail(&r->tree, n, e, "expected a list of at most %d rules, got %s",
		    LIMIT_POLICY_RULES, n->kind == TREE_LIST ? "a longer one" :
		    tree_kind_name(n));
	r->at = mem_zero((n->n + 1) * sizeof *r->at);
	for (const struct tree_node *k = n->first; rc == OK && k != NULL; k = k->next)
		rc = rule_read(r, &r->at[r->n++], k, e);
	for (size_t i = 0; rc == OK && i < r->n; i++)
		rc = used_check(r, &r->at[i], e);
	return rc;
}

static int
top_read(struct rules *r, const struct tree_node *n, struct err *e)
{
	static const char *const keys[] = { "default", "rules" };
	struct str_near near = { .word = n->key };

	if (str_eq(n->key, S("default")))
		return word_read(r, n, "allow", "deny", &r->allows, e);
	if (str_eq(n->key, S("rules")))
		return list_read(r, n, e);
	for (size_t i = 0; i < COUNT(keys); i++)
		str_near_try(&near, keys[i]);
	return fail_key(r, n, e, near.best, "\"%.*s\" is not known here",
		    FMT(str_cut(n->key, 60)));
}

int
rules_read(struct rules *r, struct err *e)
{
	int rc = tree_read_yaml(&r->tree, buf_str(&r->text), r->tree.file, e);
	const struct tree_node *root = r->tree.root;

	if (rc == OK && root->kind != TREE_MAP)
		rc = tree_fail(&r->tree, root, e, "expected default and rules, got %s",
		    tree_kind_name(root));
	if (rc == OK && tree_get(&r->tree, root, S("default")) == NULL)
		rc = tree_fail(&r->tree, root, e, "expected default: allow or deny, which "
		    "is for all that no rule is about");
	if (rc == OK && tree_get(&r->tree, root, S("rules")) == NULL)
		rc = tree_fail(&r->tree, root, e, "expected rules, a list");
	for (const struct tree_node *k = rc == OK ? root->first : NULL; rc == OK && k != NULL;
	    k = k->next)
		rc = top_read(r, k, e);
	return rc;
}

void
rules_release(struct rules *r)
{
	tree_release(&r->tree);
	buf_release(&r->text);
	free(r->at);
	*r = (struct rules){ .n = 0 };
}
