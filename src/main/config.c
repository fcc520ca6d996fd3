/*
 * config.c - the table of settings and how a value is chosen; see config.h.
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
#include "base/limits.h"
#include "base/mem.h"

#define DEFAULT_FILE "cohort.yaml"

static const char *const store_words[] = { "sqlite", "memory", NULL };
static const char *const level_words[] = {
	"error", "warn", "info", "debug", NULL
};

static const char *const ttl_words[] = { "delete", "keep_latest", NULL };
static const char *const scope_words[] = { "user", "org", NULL };
static const char *const switch_words[] = { "on", "off", NULL };
static const char *const format_words[] = { "text", "json", NULL };

const struct setting config_settings[SETTINGS] = {
	[SETTING_CONFIG] = { "config", TYPE_TEXT, "FILE", "",
	    .help = "settings file (cohort.yaml if it is there)" },
	[SETTING_LANGGRAPH] = { "langgraph", TYPE_TEXT, "FILE", "",
	    .help = "a langgraph.json with more settings (docs/langgraph-json.md); serve takes it "
	    "as its operand too" },
	[SETTING_HOST] = { "host", TYPE_TEXT, "ADDRESS", "127.0.0.1",
	    .help = "address to listen on" },
	[SETTING_PORT] = { "port", TYPE_INT, "N", "2024", 0, 65535,
	    .aliases = { "PORT" }, .help = "port to listen on; 0: any free one" },
	[SETTING_DB] = { "db", TYPE_TEXT, "FILE", "cohort.db",
	    .help = "database file" },
	[SETTING_STORE] = { "store", TYPE_WORD, "KIND", "sqlite",
	    .words = store_words, .help = "where state lives: sqlite or memory" },
	[SETTING_SHARDS] = { "shards", TYPE_INT, "N", "0", 0, LIMIT_SHARDS,
	    .help = "event loops; 0: one a core, at most 4" },
	[SETTING_JWT_SECRET] = { "jwt.secret", TYPE_SECRET, "SECRET", "",
	    .aliases = { "SUPABASE_JWT_SECRET" }, .filled = true,
	    .help = "accept HS256 tokens signed with this" },
	[SETTING_JWT_ISSUER] = { "jwt.issuer", TYPE_TEXT, "NAME", "",
	    .filled = true, .help = "require this iss of tokens" },
	[SETTING_JWT_AUDIENCE] = { "jwt.audience", TYPE_TEXT, "NAME", "",
	    .filled = true, .help = "require this aud of tokens" },
	[SETTING_API_KEYS] = { "api-keys", TYPE_TEXT, "FILE", "",
	    .filled = true, .help = "accept the API keys of this file" },
	[SETTING_AUTH_JWKS] = { "auth.jwks", TYPE_TEXT, "FILE|URL", "", .filled = true,
	    .help = "accept tokens signed with the keys of this JWK set" },
	[SETTING_AUTH_REMOTE_URL] = { "auth.remote-url", TYPE_TEXT, "URL", "", .filled = true,
	    .help = "verify credentials by asking this address, as GoTrue's /auth/v1/user" },
	[SETTING_AUTH_REMOTE_KEY] = { "auth.remote-key", TYPE_SECRET, "KEY", "",
	    .help = "sent to it as the header apikey" },
	[SETTING_AUTH_CACHE_KEYS] = { "auth.cache-keys", TYPE_TEXT, "LIST", "authorization",
	    .filled = true, .help = "headers that it is sent; answers are cached by their values" },
	[SETTING_AUTH_CACHE_TTL_SECONDS] = { "auth.cache-ttl-seconds", TYPE_INT, "N", "60", 1,
	    86400, "s", .help = "its answers are cached for so long" },
	[SETTING_AUTH_CACHE_MAX_SIZE] = { "auth.cache-max-size", TYPE_INT, "N", "10000", 100,
	    1000000, "answers", .help = "that are cached, and verified tokens" },
	[SETTING_AUTH_ORG_CLAIM] = { "auth.org-claim", TYPE_TEXT, "NAME", "org_id",
	    .help = "the claim with the caller's organisation, as in app_metadata.org_id" },
	[SETTING_AUTH_SCOPE] = { "auth.scope", TYPE_WORD, "WHO", "user", .words = scope_words,
	    .help = "who owns what callers make: user, or their organisation: org" },
	[SETTING_AUTH_LIMITS_CONCURRENCY] = { "auth.limits.concurrency", TYPE_INT, "N", "0", 0,
	    LIMIT_KEY_NUMBER, "requests", .help = "at once, of a user, and of a key without "
	    "limits of its own; 0: any" },
	[SETTING_AUTH_LIMITS_REQUESTS] = { "auth.limits.requests-per-second", TYPE_INT, "N", "0",
	    0, LIMIT_KEY_NUMBER, "requests", .help = "the same, in a second" },
	[SETTING_AUTH_LIMITS_TOKENS] = { "auth.limits.tokens-per-day", TYPE_INT, "N", "0", 0,
	    LIMIT_KEY_NUMBER, "tokens", .help = "the same, of models in a day (UTC)" },
	[SETTING_AUTH_POLICY] = { "auth.policy", TYPE_TEXT, "FILE", "",
	    .filled = true, .help = "rules of who may do what (docs/policy.md)" },
	[SETTING_AUTH_OPENAPI] = { "auth.openapi", TYPE_TEXT, "JSON", "",
	    .help = "what /openapi.json says of credentials: {\"securitySchemes\": {}, \"security\": []}" },
	[SETTING_AUDIT_FILE] = { "audit.file", TYPE_TEXT, "FILE", "",
	    .filled = true, .help = "append a line for each change of what others rely on, and for each refusal" },
	[SETTING_INSECURE] = { "insecure", TYPE_BOOL, NULL, "false",
	    .help = "allow other addresses than loopback without auth" },
	[SETTING_ALLOWED_HOSTS] = { "allowed-hosts", TYPE_TEXT, "LIST", "",
	    .help = "without auth: names beside localhost that clients may use" },
	[SETTING_CORS_ORIGINS] = { "cors-origins", TYPE_TEXT, "LIST", "",
	    .help = "pages that may call, beside those on localhost; *: any" },
	[SETTING_HTTP_CORS_ALLOW_ORIGIN_REGEX] = { "http.cors.allow-origin-regex", TYPE_TEXT,
	    "REGEX", "", .help = "and these: a POSIX extended expression for the whole origin" },
	[SETTING_HTTP_CORS_ALLOW_METHODS] = { "http.cors.allow-methods", TYPE_TEXT, "LIST", "",
	    .help = "methods that a preflight is told; empty: those of the API" },
	[SETTING_HTTP_CORS_ALLOW_HEADERS] = { "http.cors.allow-headers", TYPE_TEXT, "LIST", "",
	    .help = "request headers that a preflight is told; empty: what it asks for" },
	[SETTING_HTTP_CORS_ALLOW_CREDENTIALS] = { "http.cors.allow-credentials", TYPE_BOOL, NULL,
	    "false", .help = "pages of cors-origins and the expression may send cookies" },
	[SETTING_HTTP_CORS_EXPOSE_HEADERS] = { "http.cors.expose-headers", TYPE_TEXT, "LIST", "",
	    .help = "answer headers that pages may read, beside those of the API" },
	[SETTING_HTTP_CORS_MAX_AGE] = { "http.cors.max-age", TYPE_INT, "N", "86400", 0, 31536000,
	    "s", .help = "a browser keeps a preflight's answer" },
	[SETTING_HTTP_CONFIGURABLE_HEADERS_INCLUDES] = { "http.configurable-headers.includes",
	    TYPE_TEXT, "LIST", "", .help = "request headers that runs see, as in x-user-id,x-app-*; "
	    "empty: x-* and user-agent" },
	[SETTING_HTTP_CONFIGURABLE_HEADERS_EXCLUDES] = { "http.configurable-headers.excludes",
	    TYPE_TEXT, "LIST", "", .help = "but not these" },
	[SETTING_HTTP_LOGGING_HEADERS_INCLUDES] = { "http.logging-headers.includes", TYPE_TEXT,
	    "LIST", "", .help = "request headers in the log's line of a request; empty: none" },
	[SETTING_HTTP_LOGGING_HEADERS_EXCLUDES] = { "http.logging-headers.excludes", TYPE_TEXT,
	    "LIST", "", .help = "but not these" },
	[SETTING_HTTP_MOUNT_PREFIX] = { "http.mount-prefix", TYPE_TEXT, "PATH", "",
	    .help = "all paths begin with this, as in /api" },
#define DISABLE(id, name, what) [SETTING_HTTP_DISABLE_##id] = { "http.disable-" name,          \
	    TYPE_BOOL, NULL, "false", .help = what }
	DISABLE(ASSISTANTS, "assistants", "/assistants answers 404"),
	DISABLE(THREADS, "threads", "/threads answers 404, but for the runs of threads"),
	DISABLE(RUNS, "runs", "/runs and the runs and streams of threads answer 404"),
	DISABLE(STORE, "store", "/store answers 404"),
	DISABLE(META, "meta", "/info, /metrics, /docs and /openapi.json answer 404"),
	DISABLE(MCP, "mcp", "/mcp answers 404"),
	DISABLE(A2A, "a2a", "/a2a and its cards answer 404"),
	DISABLE(UI, "ui", "/ui answers 404: there is no console"),
	DISABLE(WEBHOOKS, "webhooks", "runs with a webhook are refused, and none is sent"),
#undef DISABLE
	[SETTING_PLAIN_ERRORS] = { "plain-errors", TYPE_BOOL, NULL, "false",
	    .help = "errors as bare text instead of JSON" },
	[SETTING_STREAMS_END_EVENT] = { "streams.end-event", TYPE_BOOL, NULL,
	    "true", .help = "streams of runs end with an event `end`" },
	[SETTING_KEEP_PARTIAL] = { "keep-partial", TYPE_BOOL, NULL, "true",
	    .help = "what a model had said when its run was cancelled or failed stays in the thread" },
	[SETTING_TRANSCRIPT] = { "transcript", TYPE_WORD, "WHEN", "on",
	    .words = switch_words, .help = "runs keep a transcript: on or off" },
	[SETTING_THREADS_TTL_STRATEGY] = { "threads.ttl.strategy", TYPE_WORD, "WHAT",
	    "delete", .words = ttl_words, .help = "what happens to a thread when "
	    "threads.ttl.default-ttl is over: delete, or keep_latest: only its newest state stays" },
	[SETTING_THREADS_TTL_DEFAULT_TTL] = { "threads.ttl.default-ttl", TYPE_INT, "N", "0", 0,
	    LIMIT_THREAD_TTL_MINUTES, "minutes", .help = "a thread that is made without a ttl "
	    "lives so long; 0: until it is deleted" },
	[SETTING_THREADS_TTL_SWEEP_INTERVAL] = { "threads.ttl.sweep-interval-minutes", TYPE_INT,
	    "N", "5", 1, LIMIT_SWEEP_MINUTES, "minutes", .help = "between two looks for threads "
	    "whose time is over" },
	[SETTING_THREADS_TTL_SWEEP_LIMIT] = { "threads.ttl.sweep-limit", TYPE_INT, "N", "1000", 1,
	    LIMIT_SWEEP_ROWS, "threads", .help = "that one look takes, at most" },
	[SETTING_MAIL_SOCKET] = { "mail.socket", TYPE_TEXT, "PATH", "",
	    .help = "Unix socket for agents that are programs on this machine; none if empty" },
	[SETTING_MAIL_BATCH_SIZE] = { "mail.batch-size", TYPE_INT, "N", "100", 1, LIMIT_MAIL_BATCH,
	    "letters", .help = "handed to a reader of a mailbox at once, at most" },
	[SETTING_MAIL_BATCH_TIMEOUT] = { "mail.batch-timeout", TYPE_INT, "N", "0", 0,
	    LIMIT_MAIL_BATCH_MS, "ms", .help = "a letter waits until batch-size of them are there; "
	    "0: until the end of the turn" },
	[SETTING_WORKERS_LEASE] = { "workers.lease", TYPE_INT, "N", "20000", LIMIT_WORKER_LEASE_MIN_MS,
	    LIMIT_WORKER_LEASE_MS, "ms", .help = "a worker outside that is silent for so long loses "
	    "its tasks" },
	[SETTING_WASM_ENABLED] = { "wasm.enabled", TYPE_BOOL, NULL, "true",
	    .help = "agents may be modules of WebAssembly, which clients deploy" },
	[SETTING_WASM_CACHE] = { "wasm.cache", TYPE_TEXT, "DIR", "", .help = "where compiled "
	    "modules are kept; empty: the folder wasm beside the database" },
	[SETTING_WASM_HOSTS] = { "wasm.hosts", TYPE_INT, "N", "0", 0, LIMIT_WASM_HOSTS,
	    "processes", .help = "that run guests, at most; 0: twice the cores" },
	[SETTING_WASM_MEMORY] = { "wasm.memory", TYPE_INT, "N", "4096", 16,
	    LIMIT_WASM_MEMORY_MB, "MB", .help = "of all guests in one host process" },
	[SETTING_STORE_TTL_DEFAULT_TTL] = { "store.ttl.default-ttl", TYPE_TEXT, "MINUTES", "",
	    .help = "store items without a ttl live so long, as in 90 or 0.5; empty: they do not end" },
	[SETTING_STORE_TTL_REFRESH_ON_READ] = { "store.ttl.refresh-on-read", TYPE_BOOL, NULL,
	    "true", .help = "reading a store item begins its ttl anew, where the request says nothing" },
	[SETTING_STORE_TTL_SWEEP_INTERVAL_MINUTES] = { "store.ttl.sweep-interval-minutes",
	    TYPE_TEXT, "MINUTES", "5", .help = "items whose time is over are removed so often; nobody "
	    "finds them before" },
	[SETTING_STORE_INDEX_EMBED] = { "store.index.embed", TYPE_TEXT, "MODEL", "",
	    .help = "embedding model of store items, as in openai:text-embedding-3-small; empty: "
	    "queries look for words" },
	[SETTING_STORE_INDEX_DIMS] = { "store.index.dims", TYPE_INT, "N", "0", 0,
	    LIMIT_VECTOR_DIMS, "dims", .help = "numbers of one of its vectors" },
	[SETTING_STORE_INDEX_FIELDS] = { "store.index.fields", TYPE_TEXT, "LIST", "$",
	    .help = "paths of what store items are found by, as in text,notes[*].title; $: all" },
	[SETTING_STORE_INDEX_RESET] = { "store.index.reset", TYPE_BOOL, NULL, "false",
	    .help = "drop the vectors of another model at the start; items get new ones when "
	    "they are put" },
	[SETTING_MODEL] = { "model", TYPE_TEXT, "NAME", "",
	    .aliases = { "MODEL_NAME" },
	    .help = "default model, as in openai:gpt-4o" },
	[SETTING_OPENAI_BASE_URL] = { "openai.base-url", TYPE_TEXT, "URL",
	    "https://api.openai.com/v1", .aliases = { "OPENAI_BASE_URL" },
	    .help = "where the OpenAI interface is" },
	[SETTING_OPENAI_API_KEY] = { "openai.api-key", TYPE_SECRET, "KEY", "",
	    .aliases = { "OPENAI_API_KEY" }, .help = "its key" },
	[SETTING_LLM_SCRIPT] = { "llm.script", TYPE_TEXT, "FILE", "",
	    .help = "what the scripted model says" },
	[SETTING_AGENTS] = { "agents", TYPE_TEXT, "DIR", "",
	    .help = "folder of agents as files" },
	[SETTING_ASSISTANTS_CONFIG] = { "assistants.config", TYPE_TEXT, "JSON", "",
	    .aliases = { "LANGGRAPH_CONFIG" }, .help = "config and context of the assistants that "
	    "agents get when they are new, as in {\"agent\": {\"configurable\": {}, \"context\": {}}}" },
	[SETTING_HTTP_HOSTS] = { "http-hosts", TYPE_TEXT, "LIST", "",
	    .help = "hosts that agents may read with http_get, as in "
	    "a.example,*.b.example:8080" },
	[SETTING_HTTP_PRIVATE] = { "http-private", TYPE_BOOL, NULL, "false",
	    .help = "let names in http-hosts and mcp-hosts have private addresses" },
	[SETTING_MCP_HOSTS] = { "mcp-hosts", TYPE_TEXT, "LIST", "",
	    .help = "hosts of MCP servers that clients may name in mcp_config, as in "
	    "mcp.example.com,127.0.0.1:8080" },
	[SETTING_WEBHOOKS_SECRET] = { "webhooks.secret", TYPE_SECRET, "SECRET", "",
	    .filled = true, .help = "sign webhooks with this" },
	[SETTING_WEBHOOKS_ALLOWED_DOMAINS] = { "webhooks.allowed-domains", TYPE_TEXT,
	    "LIST", "", .help = "hosts that webhooks may go to, as in a.example,*.b.example; "
	    "empty: any public one" },
	[SETTING_WEBHOOKS_ALLOWED_PORTS] = { "webhooks.allowed-ports", TYPE_TEXT, "LIST", "",
	    .help = "their ports; empty: any" },
	[SETTING_WEBHOOKS_REQUIRE_HTTPS] = { "webhooks.require-https", TYPE_BOOL, NULL,
	    "false", .help = "refuse http: URLs of webhooks" },
	[SETTING_WEBHOOKS_DISABLE_LOOPBACK] = { "webhooks.disable-loopback", TYPE_BOOL, NULL,
	    "true", .help = "refuse webhooks to this machine: 127.0.0.0/8, ::1, localhost" },
	[SETTING_WEBHOOKS_ALLOW_PRIVATE] = { "webhooks.allow-private", TYPE_BOOL, NULL,
	    "false", .help = "let webhooks go to private networks: 10.0.0.0/8, fc00::/7, ..." },
	[SETTING_WEBHOOKS_MAX_URL_LENGTH] = { "webhooks.max-url-length", TYPE_INT, "N", "2048",
	    16, LIMIT_HOOK_URL_BYTES, "bytes", .help = "of a webhook" },
	[SETTING_WEBHOOKS_HEADERS] = { "webhooks.headers", TYPE_SECRET, "JSON", "",
	    .help = "sent with webhooks: {\"Authorization\": \"Bearer ${{ env.LG_WEBHOOK_X }}\"}" },
	[SETTING_WEBHOOKS_ENV_PREFIX] = { "webhooks.env-prefix", TYPE_TEXT, "PREFIX",
	    "LG_WEBHOOK_", .filled = true,
	    .help = "only variables that begin so may be used in webhooks.headers" },
	[SETTING_WEBHOOKS_PAYLOAD_FIELDS] = { "webhooks.payload-fields", TYPE_TEXT, "LIST", "",
	    .help = "members of a webhook's body, as in run_id,status; empty: all" },
	[SETTING_ALLOW_BASE_URL] = { "allow-base-url", TYPE_BOOL, NULL, "false",
	    .help = "let a run name its own model server" },
	[SETTING_LOG_LEVEL] = { "log.level", TYPE_WORD, "LEVEL", "info",
	    .words = level_words, .help = "error, warn, info or debug" },
	[SETTING_LOG_FORMAT] = { "log.format", TYPE_WORD, "FORM", "text",
	    .words = format_words, .help = "lines of text, or JSON objects" },
	[SETTING_LOG_ACCESS] = { "log.access", TYPE_BOOL, NULL, "false",
	    .help = "log each request with its status and time" },
	[SETTING_TEST_HOOKS] = { "test-hooks", TYPE_BOOL, NULL, "false",
	    .help = "allow the test.* settings; loopback only" },
	[SETTING_TEST_FSYNC_DELAY_MS] = { "test.fsync-delay-ms", TYPE_INT, "N",
	    "0", 0, 10000, "ms", .help = "added to every commit" },
	[SETTING_TEST_SCAN_MS] = { "test.scan-ms", TYPE_INT, "N",
	    "0", 0, 10000, "ms", .help = "a search is cut so soon; 0: as the limits say" },
	[SETTING_TEST_SWEEP_MS] = { "test.sweep-ms", TYPE_INT, "N",
	    "0", 0, 100000, "ms", .help = "sweeps come so often; 0: as their settings say" },
	[SETTING_TEST_FAIL_STORE_AT] = { "test.fail-store-at", TYPE_INT, "N",
	    "0", 0, INT64_MAX, .help = "the nth write fails" },
	[SETTING_TEST_CLOCK_MS] = { "test.clock-ms", TYPE_INT, "N", "0",
	    -INT64_C(3155760000000), INT64_C(3155760000000), "ms",
	    .help = "the wall clock is so far ahead; negative: behind" },
	[SETTING_TEST_ID_SEED] = { "test.id-seed", TYPE_INT, "N", "0", 0,
	    INT64_MAX, .help = "makes ids repeatable" },
	[SETTING_TEST_MEMORY_BYTES] = { "test.memory-bytes", TYPE_INT, "N", "0", 0,
	    INT64_MAX, .help = "the memory that accounts are sized by" },
};

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

/* "COHORT_JWT_SECRET" of "jwt.secret". */
static void
env_name(const struct setting *s, char out[64])
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
	if (rc < 0 || (v->text != NULL && rank < v->rank))
		return rc;
	free(v->text);
	free(v->origin);
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

	env_name(&config_settings[id], name);
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
		if (rc == OK && config_settings[id].type == TYPE_SECRET)
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

static const char *
env_find(char **env, const char *name)
{
	size_t n = strlen(name);

	for (; *env != NULL; env++) {
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	}
	return NULL;
}

/* Where variables come from. */
struct env_source { char **env; const char *prefix; int alias_rank, rank; };

static int
read_env_name(struct config *c, enum setting_id id, const struct env_source *from,
    const char *name, int rank, struct err *e)
{
	const char *text = env_find(from->env, name);
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
		env_name(s, name);
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

	env_name(&config_settings[i], name[i]);
	return name[i];
}

/* Variables of the tracker's commands (src/workcli, src/work), which may be set
 * in the shell that starts a server. */
static const char *const tracker_env[] = {
	"COHORT_ACTOR", "COHORT_API_KEY", "COHORT_NO_DAEMON", "COHORT_PASSWORD", "COHORT_TIMEOUT",
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
	for (size_t i = 0; i < COUNT(tracker_env); i++)
		if (str_eq(str_of(tracker_env[i]), name))
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
		{ "DATABASE_URL", "this version keeps its state in a file of its own "
		    "(--db) and would not use that database; unset it to go on", false },
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
		const char *value = env_find(env, rows[i].name);

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
		SETTING_TEST_MEMORY_BYTES
	};
	static const enum setting_id claims[] = {
		SETTING_JWT_ISSUER, SETTING_JWT_AUDIENCE
	};

	for (size_t i = 0; i < COUNT(hooks); i++) {
		if (config_int(c, hooks[i]) != 0 &&
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
	return check_auth(c, e);
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
config_add_text(struct buf *b, const struct config *c)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct config_value *v = &c->at[i];
		bool hidden = config_settings[i].type == TYPE_SECRET && v->text[0] != '\0';

		buf_add_fmt(b, "%-20s = %-28s # %s\n", config_settings[i].key,
		    hidden ? "(set)" : v->text, v->origin);
	}
}

void
config_add_markdown(struct buf *b)
{
	buf_lit(b, "| key in cohort.yaml | option | environment | default | "
	    "range | meaning |\n|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct setting *s = &config_settings[i];
		char flag[64], env[64];

		flag_name(s, flag);
		env_name(s, env);
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
