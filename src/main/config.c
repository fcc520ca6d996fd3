/*
 * config.c - how the value of a setting is chosen; see config.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/mem.h"
#include "main/ways.h"

#define DEFAULT_FILE "cohort.yaml"

/* ---- names --------------------------------------------------------------- */

/* "jwt-secret" of "jwt.secret". */
static void
flag_name(const struct setting *s, char out[64])
{
	snprintf(out, 64, "%s", s->key);
	for (char *p = out; *p != '\0'; p++) {
		if (*p == '.')
			*p = '-';
	}
}

void
config_env_name(const struct setting *s, char out[64])
{
	snprintf(out, 64, "COHORT_%s", s->key);
	for (char *p = out; *p != '\0'; p++) {
		if (*p == '.' || *p == '-')
			*p = '_';
		else if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 32);
	}
}

enum setting_id
config_find(struct str key)
{
	size_t i = 0;

	while (i < SETTINGS && !str_eq(str_of(config_settings[i].key), key))
		i++;
	return (enum setting_id)i;
}

const struct flag *
config_rows(void)
{
	static struct flag rows[SETTINGS + 1];
	static char name[SETTINGS][64];

	for (size_t i = 0; rows[SETTINGS - 1].name == NULL && i < SETTINGS; i++) {
		const struct setting *s = &config_settings[i];

		flag_name(s, name[i]);
		rows[i] = (struct flag){ name[i], .value = s->value, .help = s->help,
			.fallback = s->fallback, .min = s->min, .max = s->max,
			.unit = s->unit, .words = s->words, .kind =
			s->type == TYPE_INT ? FLAG_INT :
			s->type == TYPE_BOOL ? FLAG_SWITCH : FLAG_TEXT };
	}
	return rows;
}

/* ---- values -------------------------------------------------------------- */

int
config_set(struct config *c, enum setting_id id, struct str text, int rank,
    const char *origin, struct err *e)
{
	struct config_value *v = &c->at[id];
	int rc;

	assert(id < SETTINGS);
	if (config_settings[id].filled && text.n == 0 && rank != RANK_DEFAULT)
		return err_set(e, ERR_INVALID,
		    "%s: empty; leave it out to do without", origin);
	rc = flag_check(&config_rows()[id], text, origin, e);
	if (rc == OK && rank != RANK_DEFAULT && config_settings[id].check != NULL &&
	    !config_is_named(id, text))
		rc = config_settings[id].check(text, origin, e);
	if (rc < 0 || (v->text != NULL && rank < v->rank))
		return rc;
	free(v->text);
	free(v->origin);
	free(v->named);
	v->named = NULL;
	v->text = mem_cstr(text);
	v->origin = mem_cstr(str_of(origin));
	v->rank = rank;
	return OK;
}

struct str
config_str(const struct config *c, enum setting_id id)
{
	return str_of(c->at[id].text);
}

int64_t
config_int(const struct config *c, enum setting_id id)
{
	int64_t i = 0;

	assert(config_settings[id].type == TYPE_INT);
	str_to_i64(config_str(c, id), &i);   /* checked when it was set */
	return i;
}

bool
config_bool(const struct config *c, enum setting_id id)
{
	bool b = false;

	assert(config_settings[id].type == TYPE_BOOL);
	flag_switch(config_str(c, id), &b);
	return b;
}

bool
config_is_default(const struct config *c, enum setting_id id)
{
	return c->at[id].rank == RANK_DEFAULT;
}

/* ---- where values come from ---------------------------------------------- */

/* All users can read arguments in /proc, only the owner the environment. */
static void
warn_visible(struct config *c, enum setting_id id)
{
	char name[64];

	config_env_name(&config_settings[id], name);
	buf_add_fmt(&c->warnings, "--%s: everyone on this machine can read a "
	    "command line; better $%s or " DEFAULT_FILE "\n", config_rows()[id].name,
	    name);
}

static int
read_flags(struct config *c, int argc, char **argv, struct err *e)
{
	const struct flag_command cmd = { .own = config_rows(), .max = 1 };
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line l;
	int rc = line_parse(&l, &cmd, argc, argv, &a, e);

	for (size_t i = 0; rc == OK && i < l.given_n; i++) {
		enum setting_id id = (enum setting_id)(l.given[i].flag - cmd.own);
		char origin[80];

		snprintf(origin, sizeof origin, "--%s", cmd.own[id].name);
		rc = config_set(c, id, l.given[i].value, RANK_FLAG, origin, e);
		if (rc == OK && config_has_secret(c, id))
			warn_visible(c, id);
	}
	if (rc == OK && l.operands_n > 0 && !str_ends(l.operand[0], S(".json")))
		rc = err_set(e, ERR_INVALID, "unexpected \"%.*s\"; expected the path of a "
		    "langgraph.json", FMT(l.operand[0]));
	if (rc == OK && l.operands_n > 0)
		rc = config_set(c, SETTING_LANGGRAPH, l.operand[0], RANK_FLAG,
		    "the command line", e);
	arena_release(&a);
	return rc;
}

/* Where variables come from. */
struct env_source { char **env; const char *prefix; int alias_rank, rank; };

static int
read_env_name(struct config *c, enum setting_id id, const struct env_source *from,
    const char *name, int rank, struct err *e)
{
	const char *text = env_find(from->env, str_of(name));
	char origin[300];

	/* Empty means unset, as in every shell script. */
	if (text == NULL || text[0] == '\0')
		return OK;
	snprintf(origin, sizeof origin, "%s%s", from->prefix, name);
	return config_set(c, id, str_of(text), rank, origin, e);
}

static int
read_env(struct config *c, const struct env_source *from, struct err *e)
{
	char name[64];
	int rc = OK;

	for (size_t i = 0; rc == OK && i < SETTINGS; i++) {
		const struct setting *s = &config_settings[i];

		for (size_t a = 0; rc == OK && a < COUNT(s->aliases); a++) {
			if (s->aliases[a] != NULL)
				rc = read_env_name(c, (enum setting_id)i, from,
				    s->aliases[a], from->alias_rank, e);
		}
		config_env_name(s, name);
		if (rc == OK)
			rc = read_env_name(c, (enum setting_id)i, from, name,
			    from->rank, e);
	}
	return rc;
}

static const char *
env_at(size_t i)
{
	static char name[SETTINGS][64];

	config_env_name(&config_settings[i], name[i]);
	return name[i];
}

/* Variables of commands that ask a server, and of the tracker's, which may be set
 * in the shell that starts a server. */
static const char *const command_env[] = {
	"COHORT_ACTOR", "COHORT_API_KEY", "COHORT_CA", "COHORT_CERT", "COHORT_CERT_KEY",
	"COHORT_NO_DAEMON", "COHORT_PASSWORD", "COHORT_TIMEOUT",
	"COHORT_TOKEN", "COHORT_WORK_DB", "COHORT_WORK_GIT_TIMEOUT",
	"COHORT_WORK_IDLE", "COHORT_WORK_PROJECT", "COHORT_WORK_SERVER",
	"COHORT_WORK_SYNC",
};

static bool
is_known_env(struct str name)
{
	for (size_t i = 0; i < SETTINGS; i++)
		if (str_eq(str_of(env_at(i)), name))
			return true;
	for (size_t i = 0; i < COUNT(command_env); i++)
		if (str_eq(str_of(command_env[i]), name))
			return true;
	return false;
}

/* An unknown COHORT_ variable is most likely misspelt. */
static void
warn_unknown_env(struct config *c, char **env)
{
	for (; *env != NULL; env++) {
		struct str rest = str_of(*env), name;
		struct str_near near;
		struct err e;

		if (!str_next(&rest, '=', &name) || !str_starts(name, S("COHORT_")) ||
		    is_known_env(name))
			continue;
		near = (struct str_near){ .word = name };
		for (size_t i = 0; i < SETTINGS; i++)
			str_near_try(&near, env_at(i));
		err_near(&e, ERR_INVALID, near.best, "", "%.*s is not a setting", FMT(name));
		buf_add_fmt(&c->warnings, "%s\n", e.text);
	}
}

/* RFC 7518 section 3.2: the secret must be as long as the hash. */
static void
warn_short_secret(struct config *c)
{
	size_t n = config_str(c, SETTING_JWT_SECRET).n;

	if (n > 0 && n < JWT_SECRET_BYTES)
		buf_add_fmt(&c->warnings, "%s: a secret of %zu bytes can be guessed; "
		    "HS256 needs %d\n", c->at[SETTING_JWT_SECRET].origin, n,
		    JWT_SECRET_BYTES);
}

/* Without auth a page's requests cannot be told from its reader's. */
static void
warn_open_pages(struct config *c)
{
	static const enum setting_id auth[] = { SETTING_JWT_SECRET, SETTING_API_KEYS,
		SETTING_AUTH_JWKS, SETTING_AUTH_REMOTE_URL };
	struct str rest = config_str(c, SETTING_CORS_ORIGINS), origin;
	bool any = false;

	for (size_t i = 0; i < COUNT(auth); i++)
		if (config_str(c, auth[i]).n > 0)
			return;
	while (rest.n > 0 && str_next(&rest, ',', &origin))
		any = any || str_eq(str_trim(origin), S("*"));
	if (any)
		buf_add_fmt(&c->warnings, "%s: without auth, every page that is open in a "
		    "browser on this machine may use the server; name the origins\n",
		    c->at[SETTING_CORS_ORIGINS].origin);
}

/* api.openai.com needs a key; another server may not. */
static void
warn_no_key(struct config *c)
{
	if (str_starts(config_str(c, SETTING_MODEL), S("openai:")) &&
	    config_str(c, SETTING_OPENAI_API_KEY).n == 0 &&
	    config_is_default(c, SETTING_OPENAI_BASE_URL))
		buf_add_fmt(&c->warnings, "%s: %s without OPENAI_API_KEY or "
		    "--openai-base-url: %s will refuse every call\n",
		    c->at[SETTING_MODEL].origin, c->at[SETTING_MODEL].text,
		    config_settings[SETTING_OPENAI_BASE_URL].fallback);
}

static int
read_settings_file(struct config *c, struct err *e)
{
	if (config_str(c, SETTING_CONFIG).n > 0)
		return config_read_file(c, c->at[SETTING_CONFIG].text, e);
	if (access(DEFAULT_FILE, F_OK) == 0)
		return config_read_file(c, DEFAULT_FILE, e);
	return OK;
}

/* langgraph.json, and what its `env` sets. */
static int
read_langgraph(struct config *c, struct err *e)
{
	const char *path = c->at[SETTING_LANGGRAPH].text;
	struct buf prefix = BUF(SIZE_MAX / 2);
	struct env_source from = { .alias_rank = RANK_LANGGRAPH_ALIAS,
		.rank = RANK_LANGGRAPH_ENV };
	int rc;

	if (path[0] == '\0')
		return OK;
	rc = langgraph_read_file(c, path, e);
	buf_add_fmt(&prefix, "%s: env.%c", path, '\0');
	from.env = c->langgraph.env.at;
	from.prefix = prefix.p;
	if (rc == OK && from.env != NULL)
		rc = read_env(c, &from, e);
	buf_release(&prefix);
	return rc;
}

/* Variables of other programs that this one would silently ignore. */
static int
check_foreign_env(const struct config *c, char **env, struct err *e)
{
	static const struct {
		const char *name, *why;
		bool auth;                   /* jwt.secret or --insecure settles it */
	} rows[] = {
		{ "SUPABASE_URL", "tokens of that project are checked with its JWT "
		    "secret, its JWK set or by itself: set SUPABASE_JWT_SECRET, "
		    "auth.jwks or auth.remote-url, or say --insecure to serve without "
		    "auth", true },
		{ "SUPABASE_KEY", "tokens of that project are checked with its JWT "
		    "secret, its JWK set or by itself: set SUPABASE_JWT_SECRET, "
		    "auth.jwks or auth.remote-url, or say --insecure to serve without "
		    "auth", true },
		{ "LANGFUSE_SECRET_KEY", "traces are not exported yet and would be "
		    "missing there; unset it to go on", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *value = env_find(env, str_of(rows[i].name));

		if (value == NULL || value[0] == '\0' || (rows[i].auth &&
		    (config_str(c, SETTING_JWT_SECRET).n > 0 ||
		    config_str(c, SETTING_AUTH_JWKS).n > 0 ||
		    config_str(c, SETTING_AUTH_REMOTE_URL).n > 0 ||
		    config_bool(c, SETTING_INSECURE))))
			continue;
		return err_set(e, ERR_INVALID, "$%s is set, but %s", rows[i].name,
		    rows[i].why);
	}
	return OK;
}

/* Tokens are checked by the verifier or here, never by both. */
static int
check_auth(const struct config *c, struct err *e)
{
	static const enum setting_id verifier[] = { SETTING_AUTH_REMOTE_KEY,
		SETTING_AUTH_CACHE_KEYS, SETTING_AUTH_CACHE_TTL_SECONDS };
	struct str remote = config_str(c, SETTING_AUTH_REMOTE_URL);

	if (remote.n > 0 && (config_str(c, SETTING_JWT_SECRET).n > 0 ||
	    config_str(c, SETTING_AUTH_JWKS).n > 0))
		return err_set(e, ERR_INVALID, "%s: a verifier judges all tokens: leave "
		    "out jwt.secret and auth.jwks", c->at[SETTING_AUTH_REMOTE_URL].origin);
	if (remote.n > 0 && !str_starts(remote, S("https://")) &&
	    !str_starts(remote, S("http://")))
		return err_set(e, ERR_INVALID, "%s: expected an address, as in "
		    "https://x.supabase.co/auth/v1/user, got \"%.*s\"",
		    c->at[SETTING_AUTH_REMOTE_URL].origin, FMT(remote));
	for (size_t i = 0; remote.n == 0 && i < COUNT(verifier); i++)
		if (!config_is_default(c, verifier[i]))
			return err_set(e, ERR_INVALID, "%s: %s needs auth.remote-url",
			    c->at[verifier[i]].origin, config_settings[verifier[i]].key);
	return OK;
}

/* Checks of more than one setting. */
static int
check_together(const struct config *c, struct err *e)
{
	static const enum setting_id hooks[] = {
		SETTING_TEST_FSYNC_DELAY_MS, SETTING_TEST_SCAN_MS, SETTING_TEST_SWEEP_MS,
		SETTING_TEST_FAIL_STORE_AT, SETTING_TEST_ID_SEED,
		SETTING_TEST_CLOCK_MS,
		SETTING_TEST_MEMORY_BYTES, SETTING_TEST_FAIL_START
	};
	static const enum setting_id claims[] = {
		SETTING_JWT_ISSUER, SETTING_JWT_AUDIENCE
	};
	int rc;

	for (size_t i = 0; i < COUNT(hooks); i++) {
		bool text = config_settings[hooks[i]].type == TYPE_TEXT;

		if ((text ? config_str(c, hooks[i]).n > 0 : config_int(c, hooks[i]) != 0) &&
		    !config_bool(c, SETTING_TEST_HOOKS))
			return err_set(e, ERR_INVALID, "%s needs --test-hooks",
			    c->at[hooks[i]].origin);
	}
	for (size_t i = 0; i < COUNT(claims); i++) {
		if (config_str(c, claims[i]).n > 0 &&
		    config_str(c, SETTING_JWT_SECRET).n == 0 &&
		    config_str(c, SETTING_AUTH_JWKS).n == 0)
			return err_set(e, ERR_INVALID, "%s: %s needs jwt.secret or "
			    "auth.jwks: without them no token is read",
			    c->at[claims[i]].origin, config_settings[claims[i]].key);
	}
	rc = check_auth(c, e);
	if (rc == OK)
		rc = ways_check(c, e);
	if (rc == OK)
		rc = config_check_backup(c, e);
	return rc == OK ? config_check_cluster(c, e) : rc;
}

int
config_read(struct config *c, int argc, char **argv, char **env, struct err *e)
{
	int rc = OK;

	*c = (struct config){ .warnings = BUF(16 * KB) };
	for (size_t i = 0; rc == OK && i < SETTINGS; i++)
		rc = config_set(c, (enum setting_id)i, str_of(config_settings[i].fallback),
		    RANK_DEFAULT, "default", e);
	assert(rc == OK);
	rc = read_flags(c, argc, argv, e);
	if (rc == OK)
		rc = read_env(c, &(struct env_source){ env, "$", RANK_ALIAS, RANK_ENV }, e);
	if (rc == OK)
		rc = read_settings_file(c, e);
	return rc == OK ? read_langgraph(c, e) : rc;
}

int
config_load(struct config *c, int argc, char **argv, char **env, struct err *e)
{
	int rc = config_read(c, argc, argv, env, e);

	if (rc == OK)
		rc = config_take_database(c, env, "$", RANK_ALIAS, e);
	if (rc == OK && c->langgraph.env.at != NULL)
		rc = config_take_database(c, c->langgraph.env.at, "env.", RANK_LANGGRAPH_ALIAS, e);
	if (rc == OK)
		rc = config_take_secrets(c, env, e);
	if (rc == OK)
		rc = check_foreign_env(c, env, e);
	if (rc == OK && c->langgraph.env.at != NULL)
		rc = check_foreign_env(c, c->langgraph.env.at, e);
	if (rc == OK)
		rc = check_together(c, e);
	if (rc == OK) {
		warn_unknown_env(c, env);
		if (c->langgraph.env.at != NULL)
			warn_unknown_env(c, c->langgraph.env.at);
		warn_open_pages(c);
		warn_short_secret(c);
		warn_no_key(c);
	}
	return rc;
}

void
config_release(struct config *c)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		free(c->at[i].text);
		free(c->at[i].origin);
		free(c->at[i].named);
	}
	ctree_release(&c->providers);
	ctree_release(&c->models);
	langgraph_release(&c->langgraph);
	free(c->file);
	buf_release(&c->warnings);
}

void
config_add_origin(const struct config *c, struct err *e)
{
	struct str text = str_of(e->text);

	for (size_t i = 0; i < SETTINGS; i++) {
		size_t n = strlen(config_settings[i].key);
		struct err was = *e;

		if (c->at[i].text == NULL || c->at[i].rank == RANK_DEFAULT ||
		    !str_starts(text, str_of(config_settings[i].key)) ||
		    (text.p[n] != ':' && text.p[n] != '.'))
			continue;
		err_set(e, ERR_INVALID, "%s%s", c->at[i].origin, was.text + n);
		return;
	}
}

/* ---- showing ------------------------------------------------------------- */

void
config_add_markdown(struct buf *b)
{
	buf_lit(b, "| key in cohort.yaml | option | environment | default | "
	    "range | meaning |\n|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct setting *s = &config_settings[i];
		char flag[64], env[64];

		flag_name(s, flag);
		config_env_name(s, env);
		buf_add_fmt(b, "| `%s` | `--%s` | `%s`", s->key, flag, env);
		for (size_t a = 0; a < COUNT(s->aliases); a++) {
			if (s->aliases[a] != NULL)
				buf_add_fmt(b, ", `%s`", s->aliases[a]);
		}
		buf_add_fmt(b, " | %s | ", s->fallback);
		if (s->type == TYPE_INT && s->max < INT64_MAX)
			buf_add_fmt(b, "%lld to %lld %s", (long long)s->min,
			    (long long)s->max, s->unit != NULL ? s->unit : "");
		for (size_t w = 0; s->words != NULL && s->words[w] != NULL; w++)
			buf_add_fmt(b, "%s%s", w > 0 ? ", " : "", s->words[w]);
		buf_add_fmt(b, " | %s |\n", s->help);
	}
}
