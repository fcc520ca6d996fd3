/*
 * config.h - the settings: one row each.
 *
 * Key `a.b` is `--a-b` on the command line, `COHORT_A_B` in the environment
 * and `a: {b: ...}` (or `a.b: ...`) in cohort.yaml; in this order the first
 * that is set wins, then the row's default.  A langgraph.json stands between the
 * environment and cohort.yaml.  Some rows have aliases,
 * environment variables of other programs; COHORT_ wins over them.  Every value
 * is checked, and the error names its origin.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_CONFIG_H
#define MAIN_CONFIG_H

#include "base/flags.h"
#include "main/config_tree.h"
#include "main/langgraph_json.h"

#define SETTING_MAP(X)                                                        \
	X(CONFIG) X(LANGGRAPH) X(HOST) X(PORT) X(LISTEN) X(TLS_CERT) X(TLS_KEY) X(TLS_CLIENT_CA) X(TLS_CLIENT_AUTH) X(PROXY_TRUSTED) X(PROXY_PROTOCOL) X(DB) X(STORE) X(SHARDS) X(JWT_SECRET)      \
	X(JWT_ISSUER) X(JWT_AUDIENCE) X(API_KEYS)                             \
	X(AUTH_JWKS) X(AUTH_REMOTE_URL) X(AUTH_REMOTE_KEY) X(AUTH_CACHE_KEYS)  \
	X(AUTH_CACHE_TTL_SECONDS) X(AUTH_CACHE_MAX_SIZE) X(AUTH_ORG_CLAIM)     \
	X(AUTH_SCOPE) X(AUTH_LIMITS_CONCURRENCY)                               \
	X(AUTH_LIMITS_REQUESTS) X(AUTH_LIMITS_TOKENS) X(AUTH_LIMITS_RUNS) X(AUTH_LIMITS_THREADS) \
	X(AUTH_LIMITS_STORE_ITEMS) X(AUTH_LIMITS_STORE_BYTES) X(AUTH_LIMITS_AGENTS)  \
	X(AUTH_LIMITS_CRONS) X(AUTH_POLICY) X(AUTH_OPENAPI)             \
	X(AUDIT_FILE) X(INSECURE)                                              \
	X(ALLOWED_HOSTS) X(CORS_ORIGINS)                                      \
	X(HTTP_CORS_ALLOW_ORIGIN_REGEX) X(HTTP_CORS_ALLOW_METHODS)            \
	X(HTTP_CORS_ALLOW_HEADERS) X(HTTP_CORS_ALLOW_CREDENTIALS)             \
	X(HTTP_CORS_EXPOSE_HEADERS) X(HTTP_CORS_MAX_AGE)                      \
	X(HTTP_CONFIGURABLE_HEADERS_INCLUDES)                                 \
	X(HTTP_CONFIGURABLE_HEADERS_EXCLUDES)                                 \
	X(HTTP_LOGGING_HEADERS_INCLUDES) X(HTTP_LOGGING_HEADERS_EXCLUDES)     \
	X(HTTP_MOUNT_PREFIX) X(HTTP_DISABLE_ASSISTANTS)                       \
	X(HTTP_DISABLE_THREADS) X(HTTP_DISABLE_RUNS) X(HTTP_DISABLE_STORE)    \
	X(HTTP_DISABLE_META) X(HTTP_DISABLE_MCP) X(HTTP_DISABLE_A2A)          \
	X(HTTP_DISABLE_UI) X(HTTP_DISABLE_WEBHOOKS)                           \
	X(PLAIN_ERRORS) X(MODEL) X(OPENAI_BASE_URL) X(OPENAI_API_KEY)         \
	X(LLM_SCRIPT) X(AGENTS) X(ASSISTANTS_CONFIG) X(HTTP_HOSTS) X(HTTP_PRIVATE) X(MCP_HOSTS) X(ALLOW_BASE_URL) X(LOG_LEVEL) X(LOG_FORMAT) X(LOG_ACCESS) \
	X(TEST_HOOKS) X(TEST_FSYNC_DELAY_MS) X(TEST_FAIL_STORE_AT) X(TEST_FAIL_START)            \
	X(TEST_ID_SEED) X(TEST_CLOCK_MS) X(TEST_SCAN_MS) X(TEST_MEMORY_BYTES) X(STREAMS_END_EVENT) X(KEEP_PARTIAL) \
	X(STORE_TTL_DEFAULT_TTL) X(STORE_TTL_REFRESH_ON_READ)                 \
	X(STORE_TTL_SWEEP_INTERVAL_MINUTES) X(STORE_INDEX_EMBED)              \
	X(STORE_INDEX_DIMS) X(STORE_INDEX_FIELDS) X(STORE_INDEX_RESET)        \
	X(WEBHOOKS_SECRET) X(WEBHOOKS_ALLOWED_DOMAINS)                        \
	X(WEBHOOKS_ALLOWED_PORTS) X(WEBHOOKS_REQUIRE_HTTPS)                   \
	X(WEBHOOKS_DISABLE_LOOPBACK) X(WEBHOOKS_ALLOW_PRIVATE)                \
	X(WEBHOOKS_MAX_URL_LENGTH) X(WEBHOOKS_HEADERS)                        \
	X(WEBHOOKS_ENV_PREFIX) X(WEBHOOKS_PAYLOAD_FIELDS)                     \
	X(TRANSCRIPT) X(THREADS_TTL_STRATEGY) X(THREADS_TTL_DEFAULT_TTL) \
	X(THREADS_TTL_SWEEP_INTERVAL) X(THREADS_TTL_SWEEP_LIMIT) X(TEST_SWEEP_MS) X(MAIL_SOCKET) X(MAIL_BATCH_SIZE) X(MAIL_BATCH_TIMEOUT) \
	X(CLUSTER_NATS) X(CLUSTER_NATS_CREDS) X(CLUSTER_NATS_CA) X(CLUSTER_NATS_CERT) X(CLUSTER_NATS_KEY) \
	X(CLUSTER_PREFIX) X(CLUSTER_NAME) X(CLUSTER_LEASE) X(CLUSTER_WAIT) X(WORK_PATH) \
	X(LOG_SLOW_REQUEST) X(LOG_SLOW_RUN) X(LOG_SLOW_COMMIT)                                   \
	X(OTEL_ENDPOINT) X(OTEL_HEADERS) X(OTEL_SERVICE_NAME) X(OTEL_SAMPLE) X(OTEL_CONTENT)      \
	X(BACKUP_TO) X(BACKUP_EVERY) X(BACKUP_FULL_EVERY) X(BACKUP_KEEP) X(BACKUP_LOG) X(ENCRYPTION_KEY) \
	X(WORKERS_LEASE) X(WASM_ENABLED) X(WASM_CACHE) X(WASM_HOSTS) X(WASM_MEMORY)

enum setting_id {
#define X(name) SETTING_##name,
	SETTING_MAP(X)
#undef X
	SETTINGS
};

enum setting_type {
	TYPE_TEXT, TYPE_INT, TYPE_BOOL, TYPE_WORD, TYPE_SECRET,
	TYPE_URL                             /* shown without its passwords */
};

struct setting {
	const char *key;                     /* "jwt.secret" */
	enum setting_type type;
	const char *value;                   /* "FILE", shown in help */
	const char *fallback;                /* "" for none */
	int64_t min, max;                    /* TYPE_INT */
	const char *unit;                    /* or NULL */
	const char *const *words;            /* TYPE_WORD, NULL-ended */
	const char *aliases[2];              /* environment variables */
	bool filled;                         /* given, it is not empty: "$UNSET"
	                                        must not turn a check off */
	/* What the type does not say; or NULL.  ERR_INVALID, with the origin in words. */
	int (*check)(struct str text, const char *origin, struct err *e);
	bool reread;                         /* SIGHUP reads again what it names */
	const char *help;
};

extern const struct setting config_settings[SETTINGS];

struct config_value {
	char *text;                          /* never NULL once loaded */
	char *named;                         /* text is what this names (base/secret.h);
	                                        or NULL */
	char *origin;                        /* "default", "--port", "$PORT",
	                                        "cohort.yaml:3" */
	int rank;                            /* of the origin; higher wins */
};

struct config {
	struct config_value at[SETTINGS];
	struct ctree providers, models;      /* of cohort.yaml; see main/models.h */
	char *file;                          /* it; NULL: none was read */
	bool has_keys;                       /* in these trees */
	struct langgraph langgraph;          /* of langgraph.json, beside its settings */
	struct buf warnings;                 /* lines for the user */
};

/* env: NULL-ended "NAME=value" strings.  argv: options, and the path of a langgraph.json.  ERR_INVALID
 * with a message that names the origin.  Release also after an error. */
int  config_load(struct config *c, int argc, char **argv, char **env,
    struct err *e);
/* The same without the checks that only a server needs. */
int  config_read(struct config *c, int argc, char **argv, char **env,
    struct err *e);
void config_release(struct config *c);

/* "COHORT_JWT_SECRET" of "jwt.secret". */
void config_env_name(const struct setting *s, char out[64]);

/* config_secret.c.  Secrets and addresses that are names of secrets get what they stand for;
 * config_load does this for all.  The error begins with the setting and its origin. */
int  config_take_secret(struct config *c, enum setting_id id, char **env, struct err *e);
int  config_take_secrets(struct config *c, char **env, struct err *e);
/* Is it the name of a secret, where the setting may be one? */
bool config_is_named(enum setting_id id, struct str text);
/* What it stands for now; as config_str if it is no name. */
int  config_read_secret(const struct config *c, enum setting_id id, char **env,
    struct buf *out, struct err *e);

/* PostgreSQL, by what the setting `store` says. */
bool config_store_is_server(const struct config *c);
/* config_store.c: checks of rows, and of them together. */
int  config_check_store(struct str text, const char *origin, struct err *e);
int  config_check_nats(struct str text, const char *origin, struct err *e);
int  config_check_prefix(struct str text, const char *origin, struct err *e);
int  config_check_listen(struct str text, const char *origin, struct err *e);
int  config_check_proxies(struct str text, const char *origin, struct err *e);
/* main/tracing.h */
int  config_check_otel_endpoint(struct str text, const char *origin, struct err *e);
int  config_check_otel_headers(struct str text, const char *origin, struct err *e);
int  config_check_otel_sample(struct str text, const char *origin, struct err *e);
int  config_check_name(struct str text, const char *origin, struct err *e);
int  config_check_cluster(const struct config *c, struct err *e);
int  config_check_backup(const struct config *c, struct err *e);
/* `store` from the variables of other programs that name a PostgreSQL, if it is not set.
 * prefix: of the origin; rank: RANK_ALIAS, or that of a langgraph.json. */
int  config_take_database(struct config *c, char **env, const char *prefix, int rank,
    struct err *e);
/* Is a secret in the text itself? */
bool config_has_secret(const struct config *c, enum setting_id id);

struct str config_str(const struct config *c, enum setting_id id);
int64_t config_int(const struct config *c, enum setting_id id);
bool config_bool(const struct config *c, enum setting_id id);
bool config_is_default(const struct config *c, enum setting_id id);

/* Checks a value, and sets it if its rank is not lower than the present one. */
enum config_rank {
	RANK_DEFAULT, RANK_FILE, RANK_LANGGRAPH,
	RANK_LANGGRAPH_ALIAS, RANK_LANGGRAPH_ENV,    /* its `env` */
	RANK_ALIAS, RANK_ENV, RANK_FLAG
};
int config_set(struct config *c, enum setting_id id, struct str text, int rank,
    const char *origin, struct err *e);
/* An error "KEY: words" or "KEY.part: words" about a setting that was set: its origin stands
 * for the key then. */
void config_add_origin(const struct config *c, struct err *e);
/* By key; SETTINGS if there is none. */
enum setting_id config_find(struct str key);
/* The settings as flags: as many rows, in their order. */
const struct flag *config_rows(void);

/* cohort.yaml; see config_file.c.  name: as shown in origins and errors. */
int config_read_yaml(struct config *c, const char *name, struct str text,
    struct err *e);
int config_read_file(struct config *c, const char *path, struct err *e);

/* config_show.c: without secrets, and addresses without passwords. */
/* `key = value  # origin`; secrets as "(set)", or by their names. */
void config_add_text(struct buf *b, const struct config *c);
/* What GET /settings answers; of secrets only whether they are set. */
void config_add_json(struct buf *b, const struct config *c);
void config_add_markdown(struct buf *b);

#endif
