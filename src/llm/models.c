/*
 * models.c - see models.h; and the table of providers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "llm/models.h"

#include <assert.h>

#include "base/limits.h"
#include "base/mem.h"
#include "llm/llm_priv.h"

#define TEXT_BYTES ((size_t)4 * MB)          /* of all settings together */

const struct provider *const providers[PROVIDERS] = {
	&openai_provider, &azure_provider, &anthropic_provider, &gemini_provider,
	&scripted_provider
};

struct entry {
	struct llm_target target;            /* all but the model's name */
	struct lane lane;
	int64_t concurrency, requests, tokens;
};

enum link { LINK_NONE, LINK_NOW, LINK_DONE };

struct alias {
	struct models_alias said;
	struct llm_target *targets;          /* flat */
	size_t targets_n;
	enum link link;
};

struct models {
	struct arena texts;
	struct entry **entries;              /* they do not move */
	size_t entries_n, entries_cap;
	struct alias *aliases;
	size_t aliases_n, aliases_cap;
};

/* In this process a call holds no socket. */
static int64_t
usual_concurrency(const struct provider *p)
{
	return p->wire == NULL ? LIMIT_LIVE_RUNS : LIMIT_LLM_CONCURRENCY;
}

/* ---- entries ---------------------------------------------------------------------- */

static struct entry *
entry_find(const struct models *m, struct str name)
{
	for (size_t i = 0; i < m->entries_n; i++) {
		const struct llm_target *t = &m->entries[i]->target;

		if (str_eq(t->entry, name) || (name.n > 0 &&
		    str_eq(t->entry, t->provider->name) && str_eq(t->provider->also, name)))
			return m->entries[i];
	}
	return NULL;
}

static const struct provider *
provider_find(struct str type)
{
	for (size_t i = 0; i < PROVIDERS; i++)
		if (str_eq(providers[i]->name, type) ||
		    (type.n > 0 && str_eq(providers[i]->also, type)))
			return providers[i];
	return NULL;
}

static struct entry *
entry_add(struct models *m, struct str name, const struct provider *p)
{
	struct entry *x = mem_new(struct entry);

	x->target = (struct llm_target){
		.provider = p, .lane = &x->lane, .entry = arena_str(&m->texts, name),
		.base_url = str_of(p->base_url), .has = LLM_HAS_USUAL,
		.price_input = -1, .price_cached = -1, .price_output = -1,
	};
	x->concurrency = usual_concurrency(x->target.provider);
	lane_init(&x->lane, m->entries_n, x->concurrency, 0, 0);
	mem_grow(m->entries, m->entries_n, m->entries_cap);
	m->entries[m->entries_n++] = x;
	return x;
}

struct models *
models_new(void)
{
	struct models *m = mem_new(struct models);

	m->texts = ARENA(TEXT_BYTES);
	for (size_t i = 0; i < PROVIDERS; i++)
		entry_add(m, providers[i]->name, providers[i]);
	return m;
}

void
models_free(struct models *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->entries_n; i++) {
		lane_release(&m->entries[i]->lane);
		free(m->entries[i]);
	}
	for (size_t i = 0; i < m->aliases_n; i++)
		free(m->aliases[i].targets);
	free(m->entries);
	free(m->aliases);
	arena_release(&m->texts);
	free(m);
}

/* A key goes into a header line as it is. */
static int
key_check(struct str key, struct err *e)
{
	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] <= ' ' || key.p[i] > '~')
			return err_set(e, ERR_INVALID,
			    "api_key: a blank or a byte that is not ASCII");
	return OK;
}

static int
name_check(struct str name, struct err *e)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == ':')
			return err_set(e, ERR_INVALID, "name: expected letters, digits, "
			    "\".\", \"-\" and \"_\"");
	return name.n > 0 && name.n <= LIMIT_NAME_BYTES ? OK :
	    err_set(e, ERR_INVALID, "name: expected 1 to %d bytes", LIMIT_NAME_BYTES);
}

static int
type_unknown(struct str type, struct err *e)
{
	struct buf known = BUF(KB);

	for (size_t i = 0; i < PROVIDERS; i++)
		buf_add_fmt(&known, "%s%.*s", i > 0 ? ", " : "", FMT(providers[i]->name));
	err_set(e, ERR_INVALID, "type: expected one of %.*s%s%.*s%s", FMT(buf_str(&known)),
	    type.n > 0 ? ", not \"" : "", FMT(type), type.n > 0 ? "\"" : "");
	buf_release(&known);
	return ERR_INVALID;
}

static int
entry_make(struct models *m, const struct models_entry *x, struct entry **out,
    struct err *e)
{
	const struct provider *p;
	int rc = name_check(x->name, e);

	if (rc != OK)
		return rc;
	*out = entry_find(m, x->name);
	p = provider_find(x->type.n > 0 || *out != NULL ? x->type : x->name);
	if (*out != NULL)
		return x->type.n == 0 || p == (*out)->target.provider ? OK :
		    err_set(e, ERR_INVALID, "type: \"%.*s\" is a provider of its own type; "
		    "give the entry another name", FMT(x->name));
	if (p == NULL)
		return type_unknown(x->type, e);
	if (m->entries_n == LIMIT_PROVIDERS)
		return err_set(e, ERR_LIMIT, "name: there may be %d providers",
		    LIMIT_PROVIDERS);
	*out = entry_add(m, x->name, p);
	return OK;
}

static void
keep(struct models *m, struct str *to, struct str s)
{
	if (s.n > 0)
		*to = arena_str(&m->texts, s);
}

int
models_entry(struct models *m, const struct models_entry *x, struct err *e)
{
	struct str url = llm_without_slash(x->base_url);
	struct entry *to;
	int rc = entry_make(m, x, &to, e);

	if (rc == OK && url.n > 0)
		rc = url_check(url, e);
	if (rc == OK)
		rc = key_check(x->api_key, e);
	if (rc != OK)
		return rc;
	keep(m, &to->target.base_url, url);
	keep(m, &to->target.api_key, x->api_key);
	keep(m, &to->target.api_version, x->api_version);
	to->concurrency = x->concurrency > 0 ? x->concurrency : to->concurrency;
	to->requests = x->requests_per_minute > 0 ? x->requests_per_minute : to->requests;
	to->tokens = x->tokens_per_minute > 0 ? x->tokens_per_minute : to->tokens;
	lane_release(&to->lane);
	lane_init(&to->lane, to->lane.index, to->concurrency, to->requests, to->tokens);
	return m->texts.failed ? err_set(e, ERR_LIMIT, "the settings are too long") : OK;
}

bool
models_key_env(size_t i, struct str *entry, const char *const **names)
{
	if (i >= PROVIDERS)
		return false;
	*entry = providers[i]->name;
	*names = providers[i]->key_env;
	return true;
}

/* ---- names ------------------------------------------------------------------------ */

/* LangChain's names of providers that are not here.  Any other word before a
 * colon belongs to the model's own name, as in qwen2.5:7b. */
static const char *const absent_providers[] = {
	"azure_ai", "bedrock", "bedrock_converse",
	"cohere", "deepseek", "fireworks", "google", "google_anthropic_vertex",
	"google_vertexai", "groq", "huggingface", "ibm",
	"mistralai", "nvidia", "ollama", "openrouter", "perplexity", "together",
	"upstage", "xai",
};

static bool
is_absent(struct str provider)
{
	for (size_t i = 0; i < COUNT(absent_providers); i++)
		if (str_eq(str_of(absent_providers[i]), provider))
			return true;
	return false;
}

/* "openai" of "openai:gpt-4o" and of "openai". */
static struct str
first_word(struct str model)
{
	ptrdiff_t colon = str_index(model, ':');

	return colon < 0 ? model : str_sub(model, 0, (size_t)colon);
}

static bool
names_provider(const struct models *m, struct str model)
{
	struct str word = first_word(model);

	return entry_find(m, word) != NULL || (word.n < model.n && is_absent(word));
}

static struct alias *
alias_find(const struct models *m, struct str name)
{
	for (size_t i = 0; name.n > 0 && i < m->aliases_n; i++)
		if (str_eq(m->aliases[i].said.name, name))
			return &m->aliases[i];
	return NULL;
}

bool
models_name(const struct models *m, struct str model)
{
	return alias_find(m, model) != NULL || names_provider(m, model);
}

static int
no_provider(struct str provider, struct err *e)
{
	return err_set(e, ERR_INVALID, "model: the provider \"%.*s\" is not known; if it "
	    "has an OpenAI-compatible address, set it in cohort.yaml as providers: "
	    "{%.*s: {type: openai, base_url: URL, api_key: env:NAME}}",
	    FMT(provider), FMT(provider));
}

/* "provider:name" as a target; the name is borrowed. */
static int
target_of(const struct models *m, struct str model, struct llm_target *out, struct err *e)
{
	struct str word = first_word(model);
	const struct entry *x = entry_find(m, word);

	if (x == NULL)
		return no_provider(word, e);
	*out = x->target;
	out->name = word.n == model.n ? STR_NONE : str_sub(model, word.n + 1, model.n);
	if (out->name.n == 0 && x->target.provider->needs_name)
		return err_set(e, ERR_INVALID, "model: no name; expected %.*s:NAME",
		    FMT(word));
	if (out->base_url.n == 0 && x->target.provider->needs_name)
		return err_set(e, ERR_INVALID, "model: the provider \"%.*s\" has no base_url",
		    FMT(word));
	return OK;
}

int
models_resolve(const struct models *m, struct str model, struct str fallback,
    struct models_found *out, struct err *e)
{
	const struct alias *a;

	*out = (struct models_found){ .n = 1 };
	if (model.n == 0)
		model = fallback;
	if (model.n > LIMIT_NAME_BYTES)
		return err_set(e, ERR_INVALID, "model: longer than %d bytes",
		    LIMIT_NAME_BYTES);
	a = alias_find(m, model);
	if (a != NULL) {
		assert(a->link == LINK_DONE);
		out->targets = a->targets;
		out->n = a->targets_n;
		return OK;
	}
	if (names_provider(m, model))
		return target_of(m, model, &out->one, e);
	/* A bare name is a model of the default's provider. */
	if (alias_find(m, fallback) != NULL)
		out->one = alias_find(m, fallback)->targets[0];
	else if (!names_provider(m, fallback))
		out->one = entry_find(m, openai_provider.name)->target;
	else if (entry_find(m, first_word(fallback)) == NULL)
		return no_provider(first_word(fallback), e);
	else
		out->one = entry_find(m, first_word(fallback))->target;
	out->one.alias = STR_NONE;
	out->one.name = model;
	if (model.n == 0 && out->one.provider->needs_name)
		return err_set(e, ERR_INVALID, "model: no name; expected %.*s:NAME",
		    FMT(out->one.entry));
	return OK;
}

void
models_split(const struct models *m, struct str model, struct str fallback,
    struct str *provider, struct str *name)
{
	struct models_found found;

	if (models_resolve(m, model, fallback, &found, NULL) == OK) {
		const struct llm_target *t = found.targets != NULL ? found.targets : &found.one;

		*provider = t->provider->name;
		*name = t->name;
		return;
	}
	model = model.n > 0 ? model : fallback;
	*provider = first_word(model);
	*name = provider->n == model.n ? STR_NONE : str_sub(model, provider->n + 1, model.n);
}

/* ---- aliases ---------------------------------------------------------------------- */

static int
alias_check(const struct models *m, const struct models_alias *x, struct err *e)
{
	int rc = name_check(x->name, e);

	if (rc == OK && entry_find(m, x->name) != NULL)
		rc = err_set(e, ERR_INVALID, "name: \"%.*s\" is a provider", FMT(x->name));
	if (rc == OK && alias_find(m, x->name) != NULL)
		rc = err_set(e, ERR_INVALID, "name: \"%.*s\" is there twice", FMT(x->name));
	if (rc == OK && x->targets_n == 0)
		rc = err_set(e, ERR_INVALID, "targets: expected one or more of provider:name");
	if (rc == OK && m->aliases_n == LIMIT_MODEL_ALIASES)
		rc = err_set(e, ERR_LIMIT, "name: there may be %d aliases",
		    LIMIT_MODEL_ALIASES);
	return rc;
}

int
models_alias(struct models *m, const struct models_alias *x, struct err *e)
{
	struct str *targets;
	int rc = alias_check(m, x, e);

	if (rc != OK)
		return rc;
	targets = arena_alloc(&m->texts, x->targets_n * sizeof *targets);
	if (targets == NULL)
		return err_set(e, ERR_LIMIT, "the settings are too long");
	for (size_t i = 0; i < x->targets_n; i++)
		targets[i] = arena_str(&m->texts, x->targets[i]);
	mem_grow(m->aliases, m->aliases_n, m->aliases_cap);
	m->aliases[m->aliases_n] = (struct alias){ .said = *x };
	m->aliases[m->aliases_n].said.name = arena_str(&m->texts, x->name);
	m->aliases[m->aliases_n].said.targets = targets;
	m->aliases_n++;
	return m->texts.failed ? err_set(e, ERR_LIMIT, "the settings are too long") : OK;
}

static int
add_target(struct alias *a, const struct llm_target *t, struct err *e)
{
	if (a->targets_n == LIMIT_MODEL_TARGETS)
		return err_set(e, ERR_LIMIT, "targets: more than %d with those of other "
		    "aliases", LIMIT_MODEL_TARGETS);
	a->targets[a->targets_n++] = *t;
	return OK;
}

static int link_alias(struct models *m, struct alias *a, struct err *e);

static int
link_target(struct models *m, struct alias *a, struct str word, struct err *e)
{
	struct alias *other = alias_find(m, word);
	struct str_near near = { .word = word };
	struct llm_target t;

	if (other != NULL) {
		int rc = link_alias(m, other, e);

		for (size_t i = 0; rc == OK && i < other->targets_n; i++)
			rc = add_target(a, &other->targets[i], e);
		return rc;
	}
	if (str_index(word, ':') < 0) {
		for (size_t i = 0; i < m->aliases_n; i++)
			str_near_try(&near, m->aliases[i].said.name.p);
		return err_near(e, ERR_INVALID, near.best, "\"", "targets: expected "
		    "provider:name or another alias, not \"%.*s\"", FMT(word));
	}
	return target_of(m, word, &t, e) != OK ? ERR_INVALID : add_target(a, &t, e);
}

/* What an alias says of its targets; of those of other aliases it says only what it
 * has words for. */
static void
describe(struct llm_target *t, const struct models_alias *said, bool own)
{
	t->alias = said->name;
	if (said->has_told)
		t->has = said->has | LLM_HAS_STREAM;
	if (!own && said->price_input < 0)
		return;
	t->price_input = said->price_input;
	t->price_cached = said->price_cached;
	t->price_output = said->price_output;
}

static int
link_alias(struct models *m, struct alias *a, struct err *e)
{
	const struct models_alias *said = &a->said;
	int rc = OK;

	if (a->link == LINK_DONE)
		return OK;
	if (a->link == LINK_NOW)
		return err_set(e, ERR_INVALID, "targets: a cycle: \"%.*s\" leads back to "
		    "itself", FMT(said->name));
	a->link = LINK_NOW;
	a->targets = mem_zero(LIMIT_MODEL_TARGETS * sizeof *a->targets);
	for (size_t i = 0; rc == OK && i < said->targets_n; i++) {
		size_t from = a->targets_n;
		bool own = alias_find(m, said->targets[i]) == NULL;

		rc = link_target(m, a, said->targets[i], e);
		for (size_t k = from; k < a->targets_n; k++)
			describe(&a->targets[k], said, own);
	}
	a->link = LINK_DONE;
	return rc;
}

int
models_link(struct models *m, struct str *which, struct err *e)
{
	for (size_t i = 0; i < m->aliases_n; i++) {
		int rc = link_alias(m, &m->aliases[i], e);

		*which = m->aliases[i].said.name;
		if (rc != OK)
			return rc;
	}
	return OK;
}

/* ---- what they can do ------------------------------------------------------------- */

const char *const models_has_words = "tools, vision, json_schema, reasoning";

static const struct { const char *word; unsigned has; } abilities[] = {
	{ "tools", LLM_HAS_TOOLS }, { "vision", LLM_HAS_VISION },
	{ "json_schema", LLM_HAS_JSON_SCHEMA }, { "reasoning", LLM_HAS_REASONING },
};

unsigned
models_has_word(struct str word)
{
	for (size_t i = 0; i < COUNT(abilities); i++)
		if (str_eq(str_of(abilities[i].word), word))
			return abilities[i].has;
	return 0;
}

static void
add_has(struct buf *b, unsigned has)
{
	size_t from = b->n;

	for (size_t i = 0; i < COUNT(abilities); i++)
		if ((has & abilities[i].has) != 0)
			buf_add_fmt(b, "%s%s", b->n > from ? ", " : "", abilities[i].word);
}

int
models_can(const struct models *m, struct str model, struct str fallback, unsigned needs,
    struct err *e)
{
	struct models_found found;
	struct buf has = BUF(KB), lacks = BUF(KB);
	int rc = models_resolve(m, model, fallback, &found, e);

	model = model.n > 0 ? model : fallback;
	for (size_t i = 0; rc == OK && i < found.n; i++) {
		const struct llm_target *t = found.targets != NULL ? &found.targets[i] :
		    &found.one;

		if ((needs & ~t->has) == 0)
			continue;
		add_has(&lacks, needs & ~t->has);
		add_has(&has, needs | t->has);
		rc = t->alias.n > 0 ? err_set(e, ERR_INVALID, "the model \"%.*s\" is not "
		    "declared to have %.*s; if it does: models: {%.*s: {targets: [...], has: "
		    "[%.*s]}} in cohort.yaml", FMT(model), FMT(buf_str(&lacks)), FMT(model),
		    FMT(buf_str(&has))) : err_set(e, ERR_INVALID, "the model \"%.*s\" is not "
		    "declared to have %.*s; if it does, give it an alias: models: {NAME: "
		    "{targets: [%.*s:%.*s], has: [%.*s]}} in cohort.yaml, and use that",
		    FMT(model), FMT(buf_str(&lacks)), FMT(t->entry), FMT(t->name),
		    FMT(buf_str(&has)));
	}
	buf_release(&has);
	buf_release(&lacks);
	return rc;
}

/* ---- showing ---------------------------------------------------------------------- */

size_t
models_aliases(const struct models *m)
{
	return m->aliases_n;
}

struct str
models_alias_name(const struct models *m, size_t i)
{
	assert(i < m->aliases_n);
	return m->aliases[i].said.name;
}

void
models_add_targets(struct buf *b, const struct models *m, size_t i)
{
	const struct alias *a = &m->aliases[i];

	for (size_t k = 0; k < a->targets_n; k++)
		buf_add_fmt(b, "%s%.*s:%.*s", k > 0 ? ", " : "", FMT(a->targets[k].entry),
		    FMT(a->targets[k].name));
}

void
models_add_has(struct buf *b, const struct models *m, size_t i)
{
	add_has(b, m->aliases[i].targets[0].has);
}

size_t
models_entries(const struct models *m)
{
	return m->entries_n;
}

void
models_add_entry(struct buf *b, const struct models *m, size_t i)
{
	const struct entry *x = m->entries[i];
	const struct llm_target *t = &x->target;

	buf_add_fmt(b, "%.*s: %.*s", FMT(t->entry), FMT(t->provider->name));
	if (t->base_url.n > 0)
		buf_add_fmt(b, ", %.*s, %s", FMT(t->base_url),
		    t->api_key.n > 0 ? "key" : "no key");
	if (t->api_version.n > 0)
		buf_add_fmt(b, ", api_version %.*s", FMT(t->api_version));
	if (x->concurrency != usual_concurrency(x->target.provider))
		buf_add_fmt(b, ", %lld at once", (long long)x->concurrency);
	if (x->requests > 0)
		buf_add_fmt(b, ", %lld requests a minute", (long long)x->requests);
	if (x->tokens > 0)
		buf_add_fmt(b, ", %lld tokens a minute", (long long)x->tokens);
}

void
models_waits(const struct models *m, int64_t *calls, int64_t *ms)
{
	*calls = *ms = 0;
	for (size_t i = 0; i < m->entries_n; i++) {
		*calls += atomic_load(&m->entries[i]->lane.waiting);
		*ms += atomic_load(&m->entries[i]->lane.waited_ms);
	}
}

size_t
models_lanes(const struct models *m)
{
	return m->entries_n;
}
