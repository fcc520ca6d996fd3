/*
 * import.c - which program wrote a file, and what all importers do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/import_priv.h"

#include <stdlib.h>

#include "base/limits.h"

#define IMPORT_MEMORY (64 * (size_t)LIMIT_AGENT_BYTES)

void
import_note(struct importer *im, const struct tree_node *n, const char *format, ...)
{
	struct import *out = im->out;
	struct buf b = BUF(64 * KB), path = BUF(64 * KB);
	va_list ap;

	buf_add_fmt(&b, "%.*s:%u:%u: ", FMT(im->t->file),
	    n->key.n > 0 ? n->key_at.line : n->at.line,
	    n->key.n > 0 ? n->key_at.column : n->at.column);
	if (n->up != NULL) {
		tree_add_path(&path, n);
		buf_add_fmt(&b, "%.*s: ", FMT(str_starts(buf_str(&path), S(".")) ?
		    str_sub(buf_str(&path), 1, SIZE_MAX) : buf_str(&path)));
	}
	buf_release(&path);
	va_start(ap, format);
	buf_add_vfmt(&b, format, ap);
	va_end(ap);
	if (arena_grow(&out->arena, out->notes, out->notes_n, out->notes_cap))
		out->notes[out->notes_n++] = arena_str(&out->arena, buf_str(&b));
	buf_release(&b);
}

void
import_check_keys(struct importer *im, const struct tree_node *map,
    const struct import_key *known)
{
	if (map->kind != TREE_MAP)
		return;
	for (const struct tree_node *n = map->first; n != NULL; n = n->next) {
		const struct import_key *k = known;

		while (k->name != NULL && !str_eq(str_of(k->name), n->key))
			k++;
		if (k->name == NULL)
			import_note(im, n, "left out: the key is not known");
		else if (k->why != NULL)
			import_note(im, n, "left out: %s", k->why);
	}
}

struct str
import_text(const struct importer *im, const struct tree_node *map, const char *key)
{
	const struct tree_node *n = tree_get(im->t, map, str_of(key));

	return n != NULL && n->kind == TREE_STRING ? n->text : STR_NONE;
}

int64_t
import_int(const struct importer *im, const struct tree_node *map, const char *key)
{
	const struct tree_node *n = tree_get(im->t, map, str_of(key));
	int64_t value;

	return n != NULL && n->kind == TREE_NUMBER && str_to_i64(n->text, &value) &&
	    value > 0 ? value : 0;
}

struct str
import_id(struct importer *im, struct str name)
{
	char *id = arena_alloc(&im->out->arena, name.n + 6);
	size_t n = 0;

	if (id == NULL)
		return S("agent");
	for (size_t i = 0; i < name.n && n < LIMIT_NAME_BYTES; i++) {
		char c = name.p[i];
		bool ok = (c >= '0' && c <= '9') || c == '_' || c == '-' ||
		    ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

		if (ok)
			id[n++] = c;
		else if (n > 0 && id[n - 1] != '-')
			id[n++] = '-';
	}
	while (n > 0 && id[n - 1] == '-')
		n--;
	return n > 0 ? (struct str){ id, n } : S("agent");
}

/* Names of providers as other programs have them. */
static const struct { const char *theirs, *ours; } providers[] = {
	{ "openai", "openai" }, { "anthropic", "anthropic" }, { "google", "google_genai" },
	{ "gemini", "google_genai" }, { "google-genai", "google_genai" },
	{ "vertex_ai", "google_genai" }, { "azure", "azure_openai" },
};

struct str
import_model(struct importer *im, const struct tree_node *n, struct str model)
{
	ptrdiff_t slash = str_index(model, '/');
	struct str provider = slash < 0 ? STR_NONE : str_sub(model, 0, (size_t)slash);

	for (size_t i = 0; i < COUNT(providers); i++)
		if (str_eq(provider, str_of(providers[i].theirs)))
			return arena_fmt(&im->out->arena, "%s:%.*s", providers[i].ours,
			    FMT(str_sub(model, provider.n + 1, SIZE_MAX)));
	if (provider.n > 0)
		import_note(im, n, "'%.*s' is no provider here: give the model '%.*s' under "
		    "`models` of cohort.yaml", FMT(provider), FMT(model));
	else if (str_index(model, '-') < 0)
		import_note(im, n, "'%.*s' is kept as an alias: say under `models` of cohort.yaml "
		    "which model it is", FMT(model));
	return model;
}

void
import_names_add(struct importer *im, struct import_names *names, struct str name)
{
	if (names->n > LIMIT_AGENT_TOOLS)    /* more than an agent may have */
		return;
	for (size_t i = 0; i < names->n; i++)
		if (str_eq(names->at[i], name))
			return;
	if (arena_grow(&im->out->arena, names->at, names->n, names->cap))
		names->at[names->n++] = arena_str(&im->out->arena, name);
}

/* Tools of other programs that are here under another name. */
static const struct { const char *theirs, *ours; } tools[] = {
	{ "WebFetch", "http_get" }, { "webfetch", "http_get" }, { "web_fetch", "http_get" },
	{ "fetch", "http_get" }, { "calculator", "calculate" },
};

void
import_tool(struct importer *im, struct import_names *names, const struct tree_node *n,
    struct str name)
{
	const struct import_around *a = im->around;
	struct str ours = name;

	for (size_t i = 0; i < COUNT(tools); i++)
		if (str_eq(name, str_of(tools[i].theirs)))
			ours = str_of(tools[i].ours);
	if (a->has_tool != NULL && a->has_tool(a->ctx, ours))
		import_names_add(im, names, ours);
	else
		import_note(im, n, "left out: there is no tool '%.*s'", FMT(str_cut(name, 100)));
}

void
import_add(struct importer *im, struct str id, const struct buf *text)
{
	struct import *out = im->out;

	out->arena.failed = out->arena.failed || text->failed;
	if (arena_grow(&out->arena, out->agents, out->agents_n, out->agents_cap))
		out->agents[out->agents_n++] = (struct imported){ id,
			arena_str(&out->arena, buf_str(text)) };
}

/* ---- whose file it is ------------------------------------------------------------- */

static bool
every_map_has(const struct tree *t, const struct tree_node *root, const char *a,
    const char *b)
{
	const struct tree_node *n = root->kind == TREE_MAP ? root->first : NULL;

	for (; n != NULL; n = n->next)
		if (n->kind != TREE_MAP || (tree_get(t, n, str_of(a)) == NULL &&
		    tree_get(t, n, str_of(b)) == NULL))
			return false;
	return root->kind == TREE_MAP && root->n > 0;
}

static int
import_tree(struct importer *im, struct str file, struct err *e)
{
	const struct tree *t = im->t;
	const struct tree_node *root = t->root, *agents = tree_get(t, root, S("agents"));

	if (root->kind == TREE_MAP && agents != NULL && agents->kind == TREE_MAP) {
		im->out->format = "Docker Agent";
		return import_docker(im, root, e);
	}
	if (root->kind == TREE_MAP && tree_get(t, root, S("states")) != NULL) {
		im->out->format = "XState";
		return import_xstate(im, root, e);
	}
	if (every_map_has(t, root, "role", "backstory") ||
	    every_map_has(t, root, "description", "expected_output")) {
		im->out->format = "CrewAI";
		return import_crew(im, root, file, e);
	}
	return err_set(e, ERR_INVALID, "%.*s: not an agent of a known kind: expected Markdown "
	    "with front matter, agents.yaml or tasks.yaml of CrewAI, `agents` of Docker Agent, "
	    "or a machine of XState as JSON", FMT(file));
}

int
agent_import(struct import *out, struct str text, struct str file,
    const struct import_around *around, struct err *e)
{
	struct importer im = { .out = out, .around = around };
	struct tree t = { 0 };
	int rc;

	*out = (struct import){ .arena = ARENA(IMPORT_MEMORY) };
	if (text.n > LIMIT_AGENT_BYTES)
		return err_set(e, ERR_TOOBIG, "%.*s: more than %d bytes", FMT(file),
		    LIMIT_AGENT_BYTES);
	if (str_ends(file, S(".md")) || str_ends(file, S(".mdc"))) {
		out->format = "Markdown";
		rc = import_markdown(&im, text, file, e);
	} else {
		rc = str_ends(file, S(".json")) ? tree_read_json(&t, text, file, e) :
		    tree_read_loose(&t, text, file, e);
		im.t = &t;
		if (rc == OK)
			rc = import_tree(&im, file, e);
		tree_release(&t);
	}
	if (rc == OK && out->arena.failed)
		rc = err_set(e, ERR_TOOBIG, "%.*s: too large to be imported", FMT(file));
	if (rc == OK && out->agents_n > LIMIT_AGENTS)
		rc = err_set(e, ERR_LIMIT, "%.*s: %zu agents; expected at most %d", FMT(file),
		    out->agents_n, LIMIT_AGENTS);
	return rc;
}

void
import_release(struct import *im)
{
	arena_release(&im->arena);
}
