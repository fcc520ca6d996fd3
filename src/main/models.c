/*
 * models.c - see models.h.  Keys are taken from the environment and from files
 * here; what is wrong with one is said without it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/models.h"

#include <string.h>
#include <sys/stat.h>

#include "base/env.h"
#include "base/limits.h"
#include "base/secret.h"
#include "llm/llm.h"

#define MODEL_OPENAI   "openai:gpt-4o-mini"
#define MODEL_SCRIPTED "scripted:default"
#define KEY_BYTES      (16 * KB)
#define PRICE_MAX      1e6                   /* USD a million tokens */

struct reader {
	struct models *m;
	struct config *c;
	char **env;
	struct err *e;
	struct buf key;                      /* of the provider at hand */
	const char *what;                    /* "providers" */
	struct str name;                     /* of the one at hand */
};

static int refuse(struct reader *r, const struct cnode *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* cohort.yaml:7: providers.azure-eu.api_key: ... */
static int
refuse(struct reader *r, const struct cnode *at, const char *format, ...)
{
	struct err words;
	va_list ap;

	va_start(ap, format);
	err_vset(&words, ERR_INVALID, format, ap);
	va_end(ap);
	return err_set(r->e, ERR_INVALID, "%s:%u: %s%s%.*s: %s", r->c->file, at->line,
	    r->what, r->name.n > 0 ? "." : "", FMT(r->name), words.text);
}

static const char *
kind_of(const struct cnode *n)
{
	return n->kind == CNODE_TEXT ? "a text" : n->kind == CNODE_MAP ? "a map" : "a list";
}

/* ---- fields ----------------------------------------------------------------------- */

enum field_type { FIELD_TEXT, FIELD_KEY, FIELD_COUNT, FIELD_ANY };

struct field {
	const char *name;
	enum field_type type;
	size_t at;                           /* of a struct str or an int64_t */
};

static int
count_of(struct reader *r, const struct cnode *n, int64_t *out)
{
	if (str_to_i64(n->text, out) && *out > 0 && *out <= INT32_MAX)
		return OK;
	return refuse(r, n, "%.*s: expected a number from 1 to %d, not \"%.*s\"",
	    FMT(n->key), INT32_MAX, FMT(str_cut(n->text, 40)));
}

static void
warn_mode(struct reader *r, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & (S_IRGRP | S_IROTH)) != 0)
		buf_add_fmt(&r->c->warnings, "%s holds a secret, and other users can "
		    "read it: chmod 600 %s\n", path, path);
}

/* The key itself, or its name (base/secret.h). */
static int
key_of(struct reader *r, const struct cnode *n, struct str *out)
{
	struct err why;

	buf_clear(&r->key);
	if (!secret_is_named(n->text))
		r->c->has_keys = true;
	if (secret_add(&r->key, n->text, r->env, &why) != OK)
		return refuse(r, n, "api_key: %s", why.text);
	*out = str_trim(buf_str(&r->key));
	return out->n > 0 ? OK : refuse(r, n, "api_key: it is empty");
}

static int
take_field(struct reader *r, const struct cnode *n, const struct field *f, void *to)
{
	if (f->type == FIELD_ANY) {
		*(const struct cnode **)((char *)to + f->at) = n;
		return OK;
	}
	if (n->kind != CNODE_TEXT)
		return refuse(r, n, "%.*s: expected a text, not %s", FMT(n->key), kind_of(n));
	if (f->type == FIELD_COUNT)
		return count_of(r, n, (int64_t *)(void *)((char *)to + f->at));
	if (f->type == FIELD_KEY)
		return key_of(r, n, (struct str *)(void *)((char *)to + f->at));
	*(struct str *)(void *)((char *)to + f->at) = n->text;
	return OK;
}

/* The members of a map into a struct. */
static int
take_fields(struct reader *r, const struct cnode *map, const struct field *fields,
    size_t n, void *to)
{
	int rc = OK;

	for (const struct cnode *x = map->first; rc == OK && x != NULL; x = x->next) {
		struct str_near near = { .word = x->key };
		size_t i = 0;

		while (i < n && !str_eq(str_of(fields[i].name), x->key))
			str_near_try(&near, fields[i++].name);
		if (i < n)
			rc = take_field(r, x, &fields[i], to);
		else
			rc = near.best != NULL ? refuse(r, x, "unknown key \"%.*s\"; did you "
			    "mean %s?", FMT(x->key), near.best) :
			    refuse(r, x, "unknown key \"%.*s\"", FMT(x->key));
	}
	return rc;
}

/* ---- providers -------------------------------------------------------------------- */

static int
take_provider(struct reader *r, const struct cnode *n)
{
	static const struct field fields[] = {
#define F(name, type) { #name, type, offsetof(struct models_entry, name) }
		F(type, FIELD_TEXT), F(base_url, FIELD_TEXT), F(api_key, FIELD_KEY),
		F(api_version, FIELD_TEXT), F(concurrency, FIELD_COUNT),
		F(requests_per_minute, FIELD_COUNT), F(tokens_per_minute, FIELD_COUNT),
#undef F
	};
	struct models_entry x = { .name = n->key };
	struct err why;
	int rc;

	r->name = n->key;
	if (n->kind != CNODE_MAP)
		return refuse(r, n, "expected a map as in {type: openai, base_url: URL, "
		    "api_key: env:NAME}, not %s", kind_of(n));
	rc = take_fields(r, n, fields, COUNT(fields), &x);
	if (rc == OK && models_entry(r->m, &x, &why) != OK)
		rc = refuse(r, n, "%s", why.text);
	return rc;
}

/* ---- models ----------------------------------------------------------------------- */

struct alias_fields { const struct cnode *targets, *price, *has; };

static int
take_targets(struct reader *r, const struct cnode *n, struct str *list, size_t max,
    size_t *out)
{
	if (n->kind == CNODE_TEXT)
		list[(*out)++] = n->text;
	for (const struct cnode *x = n->first; x != NULL; x = x->next) {
		if (n->kind != CNODE_LIST || x->kind != CNODE_TEXT)
			return refuse(r, x, "targets: expected a list of provider:name");
		if (*out == max)
			return refuse(r, x, "targets: there may be %zu", max);
		list[(*out)++] = x->text;
	}
	return OK;
}

/* USD a million tokens; as nano-USD a token. */
static int
price_of(struct reader *r, const struct cnode *n, int64_t *out)
{
	double usd;

	if (n->kind != CNODE_TEXT || !str_to_double(n->text, &usd) || !(usd >= 0) ||
	    usd > PRICE_MAX)
		return refuse(r, n, "price.%.*s: expected USD a million tokens, as in 0.15",
		    FMT(n->key));
	*out = (int64_t)(usd * 1000 + 0.5);
	return OK;
}

static int
take_price(struct reader *r, const struct cnode *n, struct models_alias *x)
{
	struct { const struct cnode *input, *cached, *output; } p = { 0 };
	const struct field fields[] = { { "input", FIELD_ANY, 0 },
	    { "cached", FIELD_ANY, sizeof(void *) }, { "output", FIELD_ANY, 2 * sizeof(void *) } };
	int rc;

	if (n == NULL)
		return OK;
	if (n->kind != CNODE_MAP)
		return refuse(r, n, "price: expected {input: USD, cached: USD, output: USD} a "
		    "million tokens");
	rc = take_fields(r, n, fields, COUNT(fields), &p);
	if (rc == OK && (p.input == NULL || p.output == NULL))
		rc = refuse(r, n, "price: expected both input and output");
	if (rc == OK)
		rc = price_of(r, p.input, &x->price_input);
	if (rc == OK)
		rc = price_of(r, p.output, &x->price_output);
	if (rc == OK && p.cached != NULL)
		rc = price_of(r, p.cached, &x->price_cached);
	return rc;
}

static int
take_has(struct reader *r, const struct cnode *n, struct models_alias *x)
{
	if (n == NULL)
		return OK;
	x->has_told = true;
	if (n->kind != CNODE_LIST)
		return refuse(r, n, "has: expected a list of %s", models_has_words);
	for (const struct cnode *w = n->first; w != NULL; w = w->next) {
		unsigned has = w->kind == CNODE_TEXT ? models_has_word(w->text) : 0;

		if (has == 0)
			return refuse(r, w, "has: expected a list of %s, not \"%.*s\"",
			    models_has_words, FMT(w->text));
		x->has |= has;
	}
	return OK;
}

static int
take_alias(struct reader *r, const struct cnode *n)
{
	static const struct field fields[] = {
#define F(name) { #name, FIELD_ANY, offsetof(struct alias_fields, name) }
		F(targets), F(price), F(has),
#undef F
	};
	struct str targets[LIMIT_MODEL_TARGETS];
	struct models_alias x = { .name = n->key, .targets = targets, .price_input = -1,
	    .price_cached = -1, .price_output = -1 };
	struct alias_fields f = { .targets = n };
	struct err why;
	int rc = OK;

	r->name = n->key;
	if (n->kind == CNODE_MAP) {
		f.targets = NULL;
		rc = take_fields(r, n, fields, COUNT(fields), &f);
		if (rc == OK && f.targets == NULL)
			rc = refuse(r, n, "expected targets: [provider:name, ...]");
	}
	if (rc == OK)
		rc = take_targets(r, f.targets, targets, COUNT(targets), &x.targets_n);
	if (rc == OK)
		rc = take_price(r, f.price, &x);
	if (rc == OK)
		rc = take_has(r, f.has, &x);
	if (rc == OK && models_alias(r->m, &x, &why) != OK)
		rc = refuse(r, n, "%s", why.text);
	return rc;
}

static int
link_all(struct reader *r)
{
	struct str which = STR_NONE;
	struct err why;

	if (models_link(r->m, &which, &why) == OK)
		return OK;
	r->name = which;
	return refuse(r, cnode_find(r->c->models.root, which), "%s", why.text);
}

/* ---- both ------------------------------------------------------------------------- */

static int
take_all(struct reader *r, const struct ctree *t, const char *what,
    int (*take)(struct reader *r, const struct cnode *n))
{
	int rc = OK;

	r->what = what;
	r->name = STR_NONE;
	for (const struct cnode *n = t->root != NULL ? t->root->first : NULL;
	    rc == OK && n != NULL; n = n->next)
		rc = take(r, n);
	return rc;
}

/* Keys in the variables that other clients read them from too; OpenAI's and its
 * address are settings. */
static int
take_env(struct reader *r)
{
	struct models_entry openai = { .name = S("openai"),
	    .base_url = config_str(r->c, SETTING_OPENAI_BASE_URL),
	    .api_key = str_trim(config_str(r->c, SETTING_OPENAI_API_KEY)) };
	const char *const *names;
	struct str entry;
	int rc = models_entry(r->m, &openai, r->e);

	for (size_t i = 0; rc == OK && models_key_env(i, &entry, &names); i++) {
		struct models_entry x = { .name = entry };

		for (size_t k = 0; k < 2 && names[k] != NULL && x.api_key.n == 0; k++)
			x.api_key = str_trim(str_of(env_find(r->env, str_of(names[k]))));
		if (!str_eq(entry, openai.name) && x.api_key.n > 0)
			rc = models_entry(r->m, &x, r->e);
	}
	return rc;
}

int
models_of_config(struct models **out, struct config *c, char **env, struct err *e)
{
	struct reader r = { .m = models_new(), .c = c, .env = env, .e = e,
	    .key = BUF(KEY_BYTES) };
	int rc = take_env(&r);

	if (rc == OK)
		rc = take_all(&r, &c->providers, "providers", take_provider);
	if (rc == OK)
		rc = take_all(&r, &c->models, "models", take_alias);
	if (rc == OK)
		rc = link_all(&r);
	if (rc == OK && c->has_keys)
		warn_mode(&r, c->file);
	buf_release(&r.key);
	if (rc != OK) {
		models_free(r.m);
		r.m = NULL;
	}
	*out = r.m;
	return rc;
}

void
models_default(struct buf *out, const struct models *m, const struct config *c)
{
	struct str asked = config_str(c, SETTING_MODEL);
	bool openai = config_str(c, SETTING_OPENAI_API_KEY).n > 0 ||
	    !config_is_default(c, SETTING_OPENAI_BASE_URL);

	*out = BUF(KB);
	if (asked.n == 0) {
		buf_add(out, openai ? S(MODEL_OPENAI) : S(MODEL_SCRIPTED));
		return;
	}
	if (!models_name(m, asked))
		buf_lit(out, "openai:");
	buf_add(out, asked);
}
