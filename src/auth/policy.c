/*
 * policy.c - which rule counts, and what it gives to who asks.
 *
 * A reference to a value that the caller does not have (a claim, an organisation) does
 * not become empty text: the caller is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/keys_priv.h"
#include "auth/policy_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

/* ---- life ------------------------------------------------------------------------ */

static int
rules_load(struct rules *r, const char *file, struct err *e)
{
	int rc;

	*r = (struct rules){ .text = BUF(LIMIT_POLICY_BYTES), .tree.file = str_of(file) };
	rc = auth_file_add(str_of(file), &r->text, e);
	if (rc == OK)
		rc = rules_read(r, e);
	if (rc < 0)
		rules_release(r);
	return rc;
}

static struct policy *
policy_make(struct str file)
{
	struct policy *p = mem_new(struct policy);

	p->file = mem_cstr(file);
	pthread_rwlock_init(&p->lock, NULL);
	return p;
}

int
policy_new(struct policy **out, struct str file, struct err *e)
{
	struct policy *p = policy_make(file);
	int rc = rules_load(&p->rules, p->file, e);

	*out = p;
	if (rc < 0) {
		policy_free(p);
		*out = NULL;
	}
	return rc;
}

int
policy_read(struct policy **out, struct str text, struct str file, struct err *e)
{
	struct policy *p = policy_make(file);
	int rc;

	p->rules = (struct rules){ .text = BUF(LIMIT_POLICY_BYTES),
	    .tree.file = str_of(p->file) };
	buf_add(&p->rules.text, text);
	rc = p->rules.text.failed ? err_set(e, ERR_TOOBIG, "%s: larger than %zu bytes",
	    p->file, (size_t)LIMIT_POLICY_BYTES) : rules_read(&p->rules, e);
	*out = p;
	if (rc < 0) {
		policy_free(p);
		*out = NULL;
	}
	return rc;
}

int
policy_reload(struct policy *p, struct err *e)
{
	struct rules fresh, old;
	int rc = rules_load(&fresh, p->file, e);

	if (rc < 0)
		return rc;
	pthread_rwlock_wrlock(&p->lock);
	old = p->rules;
	p->rules = fresh;
	pthread_rwlock_unlock(&p->lock);
	rules_release(&old);
	return OK;
}

void
policy_free(struct policy *p)
{
	if (p == NULL)
		return;
	rules_release(&p->rules);
	pthread_rwlock_destroy(&p->lock);
	free(p->file);
	free(p);
}

/* ---- choosing the rule ----------------------------------------------------------- */

static bool
has(const struct principal *who, enum who w, struct str name)
{
	switch (w) {
	case WHO_SCOPE:
		return principal_has(who, name);
	case WHO_ROLE:
		return str_eq(who->role, name);
	case WHO_SUBJECT:
		return str_eq(who->user, name);
	case WHO_ORG:
		return str_eq(who->org, name);
	case WHO_N:
		break;
	}
	return false;
}

static bool
is_about(const struct rule *x, const struct principal *who)
{
	for (int w = 0; w < WHO_N; w++) {
		const struct tree_node *n = x->who[w];
		bool one = n == NULL;

		if (n != NULL && n->kind == TREE_STRING)
			one = has(who, (enum who)w, n->text);
		for (const struct tree_node *k = n == NULL ? NULL : n->first;
		    !one && k != NULL; k = k->next)
			one = has(who, (enum who)w, k->text);
		if (!one)
			return false;
	}
	return true;
}

static const struct rule *
rule_for(const struct rules *r, enum access a, const struct principal *who)
{
	const struct rule *best = NULL;

	for (size_t i = 0; i < r->n; i++) {
		const struct rule *x = &r->at[i];

		if (x->level[a] > (best == NULL ? LEVEL_NONE : best->level[a]) &&
		    is_about(x, who))
			best = x;
	}
	return best;
}

/* ---- references -------------------------------------------------------------------- */

struct filling {
	const struct principal *who;
	struct json_doc claims;
	struct str missing;                  /* the first reference without a value */
};

/* A value, as a scalar's text or as JSON. */
static void
reference_add(struct filling *f, struct str name, bool json, struct buf *b)
{
	const struct str *known = reference_text(f->who, name);
	jnode claim = known != NULL ? NULL : json_get(f->claims.root,
	    str_sub(name, sizeof "claims." - 1, name.n));
	struct str text = known != NULL ? *known : json_str(claim);

	if (text.n > 0 && json)
		json_add_str(b, text);
	else if (text.n > 0)
		buf_add(b, text);
	else if (!json_is_null(claim) && !json_is_string(claim) &&
	    (json || json_count(claim) == 0))
		json_add_node(b, claim);
	else if (f->missing.n == 0)
		f->missing = name;
}

static void
text_add(struct filling *f, struct str text, struct buf *b)
{
	struct str rest = text, before, name;

	while (rest.n > 0 && reference_next(&rest, &before, &name)) {
		buf_add(b, before);
		if (name.n > 0)
			reference_add(f, name, false, b);
	}
}

/* A text that is one reference and nothing else keeps the value's JSON type. */
static void
string_add(struct filling *f, struct str text, struct buf *b)
{
	struct str rest = text, before, name;
	struct buf whole = BUF(LIMIT_METADATA_BYTES);

	if (reference_next(&rest, &before, &name) && before.n == 0 && rest.n == 0 &&
	    name.n > 0) {
		reference_add(f, name, true, b);
		return;
	}
	text_add(f, text, &whole);
	json_add_str(b, buf_str(&whole));
	b->failed |= whole.failed;
	buf_release(&whole);
}

static void
node_add(struct filling *f, const struct tree_node *n, struct buf *b)
{
	if (n->kind == TREE_STRING) {
		string_add(f, n->text, b);
		return;
	}
	if (n->kind != TREE_LIST && n->kind != TREE_MAP) {
		tree_add_json(b, n);
		return;
	}
	buf_add_char(b, n->kind == TREE_MAP ? '{' : '[');
	for (const struct tree_node *k = n->first; k != NULL; k = k->next) {
		json_add_comma(b);
		if (n->kind == TREE_MAP)
			json_add_fmt(b, "%.*s:", FMT(k->key));
		node_add(f, k, b);
	}
	buf_add_char(b, n->kind == TREE_MAP ? '}' : ']');
}

static struct str
json_fill(struct filling *f, const struct tree_node *n, struct arena *arena)
{
	struct buf b = BUF(LIMIT_METADATA_BYTES);
	struct str out = STR_NONE;

	if (n == NULL)
		return STR_NONE;
	node_add(f, n, &b);
	if (b.failed && f->missing.n == 0)
		f->missing = S("room for it");
	else
		out = arena_str(arena, buf_str(&b));
	buf_release(&b);
	return out;
}

/* A value with dots inside would become two labels: refused. */
static struct str
labels_fill(struct filling *f, const struct tree_node *n, struct arena *arena,
    struct err *e)
{
	struct buf b = BUF(LIMIT_NAMESPACE_LABELS * (LIMIT_NAME_BYTES + 1));
	struct str out;

	for (const struct tree_node *k = n == NULL ? NULL : n->first; k != NULL; k = k->next) {
		size_t from = b.n + (k != n->first);
		struct str label;

		if (k != n->first)
			buf_add_char(&b, '.');
		text_add(f, k->text, &b);
		label = str_sub(buf_str(&b), from, b.n);
		if (f->missing.n == 0 && (label.n == 0 || label.n > LIMIT_NAME_BYTES ||
		    str_index(label, '.') >= 0 || str_index(label, '\0') >= 0))
			err_set(e, ERR_INVALID, "Namespace labels cannot be empty or contain "
			    "periods. Received: %.*s", FMT(str_cut(label, 80)));
	}
	if (b.failed)
		err_set(e, ERR_INVALID, "the namespace is longer than %zu bytes", b.max);
	out = arena_str(arena, buf_str(&b));
	buf_release(&b);
	return out;
}

/* ---- asking ------------------------------------------------------------------------ */

static int
denied(struct err *e)
{
	return err_set(e, ERR_DENIED, "Not authorized");
}

static int
grant_fill(const struct rule *x, const struct principal *who, struct arena *arena,
    struct grant *out, struct err *e)
{
	struct filling f = { .who = who };
	struct err why = { .code = OK };

	if (who->claims_json.n > 0 && json_parse(&f.claims, who->claims_json, NULL) < 0)
		return denied(e);
	out->filter_json = json_fill(&f, x->filter, arena);
	out->stamp_json = json_fill(&f, x->stamp, arena);
	out->within = labels_fill(&f, x->within, arena, &why);
	out->prepend = labels_fill(&f, x->prepend, arena, &why);
	if (f.missing.n > 0)
		log_warn("auth", "reference_missing", "line=%u reference=%.*s subject=%.*s",
		    x->node->at.line, FMT(f.missing), FMT(who->user));
	json_release(&f.claims);
	if (f.missing.n > 0)
		return denied(e);
	if (why.code != OK) {
		*e = why;
		return why.code;
	}
	return arena_rc(arena);
}

int
policy_ask(struct policy *p, enum access a, const struct principal *who,
    struct arena *arena, struct grant *out, struct err *e)
{
	const struct rule *x;
	int rc = OK;

	assert(a > ACCESS_NONE && a < ACCESS_N);
	*out = (struct grant){ .filter_json = STR_NONE };
	pthread_rwlock_rdlock(&p->lock);
	x = rule_for(&p->rules, a, who);
	if (x == NULL ? !p->rules.allows : x->denies)
		rc = denied(e);
	else if (x != NULL)
		rc = grant_fill(x, who, arena, out, e);
	pthread_rwlock_unlock(&p->lock);
	return rc;
}

bool
policy_stamps(struct policy *p, enum access a, struct str key)
{
	bool found = false;

	pthread_rwlock_rdlock(&p->lock);
	for (size_t i = 0; !found && i < p->rules.n; i++) {
		const struct rule *x = &p->rules.at[i];
		bool about = false;

		for (enum access b = ACCESS_NONE + 1; b < ACCESS_N; b++)
			about = about || (x->level[b] != LEVEL_NONE &&
			    str_eq(access_resource(b), access_resource(a)));
		found = about && x->stamp != NULL &&
		    tree_get(&p->rules.tree, x->stamp, key) != NULL;
	}
	pthread_rwlock_unlock(&p->lock);
	return found;
}

void
policy_add_uncovered(struct policy *p, struct buf *out)
{
	pthread_rwlock_rdlock(&p->lock);
	for (enum access a = ACCESS_NONE + 1; a < ACCESS_N; a++) {
		bool covered = a == WORKERS_SERVE;   /* no policy is asked */

		for (size_t i = 0; !covered && i < p->rules.n; i++)
			covered = p->rules.at[i].level[a] != LEVEL_NONE;
		if (!covered)
			buf_add_fmt(out, "%s%s", out->n > 0 ? ", " : "", access_name(a));
	}
	pthread_rwlock_unlock(&p->lock);
}
