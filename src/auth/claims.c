/*
 * claims.c - see claims_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/claims_priv.h"

#include "base/limits.h"
#include "base/mem.h"

jnode
claim_at(jnode claims, struct str path)
{
	jnode n = json_get(claims, path);
	struct str first;

	if (n != NULL || str_index(path, '.') < 0)
		return n;
	str_next(&path, '.', &first);
	return claim_at(json_get(claims, first), path);
}

/* ---- scopes ---------------------------------------------------------------- */

struct scopes {
	struct str *at;
	size_t n, cap;
	struct arena *arena;
};

static bool
listed(const struct str *list, size_t n, struct str s)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i], s))
			return true;
	return false;
}

bool
principal_has(const struct principal *p, struct str scope)
{
	return listed(p->scopes, p->scopes_n, scope);
}

struct principal *
principal_copy(const struct principal *p, bool whole)
{
	struct principal from = *p, *copy;
	struct str *texts[] = { &from.scheme, &from.shown, &from.subject, &from.user, &from.org,
	    &from.name, &from.email, &from.role, &from.claims_json };
	size_t n = whole ? from.scopes_n : 0, size = sizeof *copy + n * sizeof *p->scopes;
	struct str *scopes;
	char *to;

	for (size_t i = 2; !whole && i < COUNT(texts); i++)
		*texts[i] = STR_NONE;
	for (size_t i = 0; i < COUNT(texts); i++)
		size += texts[i]->n;
	for (size_t i = 0; i < n; i++)
		size += p->scopes[i].n;
	copy = mem_alloc(size);
	scopes = (struct str *)(copy + 1);
	to = (char *)(scopes + n);
	for (size_t i = 0; i < COUNT(texts); i++)
		*texts[i] = str_put(&to, *texts[i]);
	for (size_t i = 0; i < n; i++)
		scopes[i] = str_put(&to, p->scopes[i]);
	from.scopes = scopes;
	from.scopes_n = n;
	from.graphs = NULL;                  /* read while a worker registers only */
	from.graphs_n = 0;
	*copy = from;
	return copy;
}

static void
add_scope(struct scopes *s, struct str scope)
{
	if (scope.n == 0 || listed(s->at, s->n, scope) || s->n == LIMIT_AUTH_SCOPES ||
	    !arena_grow(s->arena, s->at, s->n, s->cap))
		return;
	s->at[s->n++] = arena_str(s->arena, scope);
}

static struct scopes
read_words(struct str words, struct arena *arena)
{
	struct scopes s = { .arena = arena };
	struct str word;

	while (str_next(&words, ',', &word))
		add_scope(&s, word);
	return s;
}

void
principal_scopes(struct principal *out, struct str words, struct arena *arena)
{
	struct scopes s = read_words(words, arena);

	out->scopes = s.at;
	out->scopes_n = s.n;
}

void
principal_graphs(struct principal *out, struct str words, struct arena *arena)
{
	struct scopes s = read_words(words, arena);

	out->graphs = s.at;
	out->graphs_n = s.n;
}

bool
principal_is_worker(const struct principal *p)
{
	return str_eq(p->scheme, S("key")) && principal_has(p, S(SCOPE_WORKER));
}

void
principal_key(const struct principal *p, uint8_t out[SHA256_SIZE])
{
	if (str_eq(p->scheme, S("key")))
		memcpy(out, p->mark, SHA256_SIZE);
	else
		memset(out, 0, SHA256_SIZE);
}

/* One text of words, or an array of texts. */
static void
add_scopes(struct scopes *s, jnode n)
{
	struct json_iter it = json_each(n);
	struct str rest = json_str(n), word;

	while (json_is_string(n) && str_next(&rest, ' ', &word))
		add_scope(s, word);
	while (json_is_array(n) && json_next(&it))
		add_scope(s, json_str(it.value));
}

static void
read_scopes(struct principal *out, jnode claims, struct arena *arena)
{
	static const char *const names[] = { "scope", "scp", "permissions" };
	struct scopes s = { .arena = arena };

	for (size_t i = 0; i < COUNT(names); i++)
		add_scopes(&s, json_get(claims, str_of(names[i])));
	out->scopes = s.at;
	out->scopes_n = s.n;
}

/* ---- the rest -------------------------------------------------------------- */

/* The first of these claims that is a text. */
static struct str
read_text(jnode claims, const char *const *names, struct arena *arena)
{
	for (; *names != NULL; names++) {
		jnode n = json_get(claims, str_of(*names));

		if (json_is_string(n) && json_str(n).n > 0)
			return arena_str(arena, json_str(n));
	}
	return STR_NONE;
}

static int
choose_owner(struct principal *out, const struct auth_options *o, struct err *e)
{
	out->subject = out->user;
	if (!o->org_owns)
		return OK;
	if (out->org.n == 0 || out->org.n > LIMIT_NAME_BYTES)
		return err_set(e, ERR_DENIED, "the credentials name no usable organisation "
		    "(claim %.*s)", FMT(o->org_claim));
	out->subject = out->org;
	return OK;
}

int
principal_read(struct principal *out, struct str user, jnode claims, struct str json,
    const struct auth_options *o, struct arena *arena, struct err *e)
{
	static const char *const names[] = { "name", "display_name", NULL };
	static const char *const emails[] = { "email", NULL }, *const roles[] = { "role", NULL };
	jnode org = o->org_claim.n > 0 ? claim_at(claims, o->org_claim) : NULL;

	out->user = arena_str(arena, user);
	if (json_is_string(org))
		out->org = arena_str(arena, json_str(org));
	read_scopes(out, claims, arena);
	out->name = read_text(claims, names, arena);
	out->email = read_text(claims, emails, arena);
	out->role = read_text(claims, roles, arena);
	out->claims_json = arena_str(arena, json);
	if (arena->failed)
		return err_set(e, ERR_TOOBIG, "no room for the claims");
	return choose_owner(out, o, e);
}
