/*
 * options.c - see options.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/account.h"
#include "base/limits.h"
#include "base/mem.h"
#include "store/crypt.h"

/* The folder of the database must exist: a misspelt path would put the data
 * somewhere else. */
static int
check_folder(const struct config *c, enum setting_id file, struct err *e)
{
	char *path = mem_cstr(config_str(c, file)), *slash = strrchr(path, '/');
	struct stat st;
	int rc = OK;

	if (slash != NULL && slash != path) {
		*slash = '\0';
		if (stat(path, &st) < 0)
			rc = err_set(e, ERR_NOTFOUND, "%s: the folder %s: %s",
			    c->at[file].origin, path, strerror(errno));
		else if (!S_ISDIR(st.st_mode))
			rc = err_set(e, ERR_INVALID, "%s: %s is not a folder",
			    c->at[file].origin, path);
	}
	free(path);
	return rc;
}

int
options_store(const struct config *c, struct store_options *o, struct err *e)
{
	bool server = config_store_is_server(c);
	uint8_t key[CRYPT_KEY];
	int rc;

	*o = (struct store_options){
		.driver = server ? S("postgres") : config_str(c, SETTING_STORE),
		.path = config_str(c, server ? SETTING_STORE : SETTING_DB),
		.fsync_delay_ms = config_int(c, SETTING_TEST_FSYNC_DELAY_MS),
		.scan_ms = config_int(c, SETTING_TEST_SCAN_MS),
		.slow_ms = config_int(c, SETTING_LOG_SLOW_COMMIT),
		.fail_at = config_int(c, SETTING_TEST_FAIL_STORE_AT),
		.thread_ttl = { config_int(c, SETTING_THREADS_TTL_DEFAULT_TTL) * 60 * 1000,
		    str_eq(config_str(c, SETTING_THREADS_TTL_STRATEGY), S("keep_latest")) ?
		    TTL_KEEP_LATEST : TTL_DELETE },
		.backup = { .to = config_str(c, SETTING_BACKUP_TO),
		    .every = config_int(c, SETTING_BACKUP_EVERY) * 60 * 1000,
		    .full_every = config_int(c, SETTING_BACKUP_FULL_EVERY) * 3600 * 1000,
		    .keep_days = config_int(c, SETTING_BACKUP_KEEP),
		    .log = config_bool(c, SETTING_BACKUP_LOG) },
	};
	rc = str_eq(o->driver, S("sqlite")) ? check_folder(c, SETTING_DB, e) : OK;
	if (rc == OK && config_str(c, SETTING_ENCRYPTION_KEY).n > 0) {
		rc = crypt_key_parse(config_str(c, SETTING_ENCRYPTION_KEY), key, e);
		o->layer = rc == OK ? crypt_layer(key) : NULL;
		explicit_bzero(key, sizeof key);
	}
	return rc;
}

int
options_guest_house(const struct config *c, struct store_options *o, struct err *e)
{
	*o = (struct store_options){ .driver = S("sqlite"),
		.path = config_str(c, SETTING_WORK_PATH) };
	return check_folder(c, SETTING_WORK_PATH, e);
}

struct auth_options
options_auth(const struct config *c)
{
	return (struct auth_options){
		.jwt_secret = config_str(c, SETTING_JWT_SECRET),
		.issuer = config_str(c, SETTING_JWT_ISSUER),
		.audience = config_str(c, SETTING_JWT_AUDIENCE),
		.keys_file = config_str(c, SETTING_API_KEYS),
		.org_claim = config_str(c, SETTING_AUTH_ORG_CLAIM),
		.org_owns = str_eq(config_str(c, SETTING_AUTH_SCOPE), S("org")),
		.jwks = config_str(c, SETTING_AUTH_JWKS),
		.remote_url = config_str(c, SETTING_AUTH_REMOTE_URL),
		.remote_key = config_str(c, SETTING_AUTH_REMOTE_KEY),
		.cache_keys = config_str(c, SETTING_AUTH_CACHE_KEYS),
		.cache_ttl = config_int(c, SETTING_AUTH_CACHE_TTL_SECONDS) * 1000,
		.cache_max = (size_t)config_int(c, SETTING_AUTH_CACHE_MAX_SIZE),
		.limits = {
			.concurrency = config_int(c, SETTING_AUTH_LIMITS_CONCURRENCY),
			.requests_per_second = config_int(c, SETTING_AUTH_LIMITS_REQUESTS),
			.tokens_per_day = config_int(c, SETTING_AUTH_LIMITS_TOKENS),
			.stored.max = {
#define X(id, name) [QUOTA_##id] = config_int(c, SETTING_AUTH_LIMITS_##id),
				QUOTA_MAP(X)
#undef X
			},
		},
	};
}

int
options_hooks(const struct config *c, struct hook_rules *rules, struct buf *headers,
    struct err *e)
{
	int rc;

	*headers = BUF((size_t)LIMIT_HOOK_HEADER_BYTES);
	rc = hook_headers_read(config_str(c, SETTING_WEBHOOKS_HEADERS),
	    config_str(c, SETTING_WEBHOOKS_ENV_PREFIX), headers, e);
	*rules = (struct hook_rules){
		.allowed_domains = config_str(c, SETTING_WEBHOOKS_ALLOWED_DOMAINS),
		.allowed_ports = config_str(c, SETTING_WEBHOOKS_ALLOWED_PORTS),
		.require_https = config_bool(c, SETTING_WEBHOOKS_REQUIRE_HTTPS),
		.allow_loopback = !config_bool(c, SETTING_WEBHOOKS_DISABLE_LOOPBACK),
		.allow_private = config_bool(c, SETTING_WEBHOOKS_ALLOW_PRIVATE),
		.max_url_bytes = (size_t)config_int(c, SETTING_WEBHOOKS_MAX_URL_LENGTH),
		.payload_fields = config_str(c, SETTING_WEBHOOKS_PAYLOAD_FIELDS),
		.secret = config_str(c, SETTING_WEBHOOKS_SECRET),
		.headers = buf_str(headers),
	};
	return rc == OK ? hook_rules_check(rules, e) : rc;
}

void
options_http(const struct config *c, struct api_options *o)
{
	static const enum setting_id off[ROUTE_GROUPS] = {
#define X(id, name) [GROUP_##id] = SETTING_HTTP_DISABLE_##id,
		ROUTE_GROUP_MAP(X)
#undef X
	};

	o->cors = (struct cors_rules){
		.methods = config_str(c, SETTING_HTTP_CORS_ALLOW_METHODS),
		.headers = config_str(c, SETTING_HTTP_CORS_ALLOW_HEADERS),
		.expose = config_str(c, SETTING_HTTP_CORS_EXPOSE_HEADERS),
		.credentials = config_bool(c, SETTING_HTTP_CORS_ALLOW_CREDENTIALS),
		.max_age_s = config_int(c, SETTING_HTTP_CORS_MAX_AGE),
	};
	o->configurable = (struct header_rules){
		config_str(c, SETTING_HTTP_CONFIGURABLE_HEADERS_INCLUDES),
		config_str(c, SETTING_HTTP_CONFIGURABLE_HEADERS_EXCLUDES) };
	o->logged = (struct header_rules){
		config_str(c, SETTING_HTTP_LOGGING_HEADERS_INCLUDES),
		config_str(c, SETTING_HTTP_LOGGING_HEADERS_EXCLUDES) };
	o->prefix = config_str(c, SETTING_HTTP_MOUNT_PREFIX);
	for (size_t i = 0; i < ROUTE_GROUPS; i++)
		o->groups_off |= config_bool(c, off[i]) ? 1u << i : 0;
	o->openapi = config_str(c, SETTING_AUTH_OPENAPI);
	o->assistants = config_str(c, SETTING_ASSISTANTS_CONFIG);
}

void
options_set_accounts(const struct config *c)
{
	uint64_t memory = (uint64_t)config_int(c, SETTING_TEST_MEMORY_BYTES);

	if (memory == 0)
		memory = account_memory_limit();
	account_set_capacity(&account_bodies, account_share(memory, LIMIT_HTTP_BODIES_BYTES));
	account_set_capacity(&account_output, account_share(memory, LIMIT_HTTP_OUTPUT_BYTES));
	account_set_capacity(&account_tls, account_share(memory, LIMIT_TLS_BYTES));
	account_set_capacity(&account_mail, account_share(memory, LIMIT_MAIL_BYTES));
	account_set_capacity(&account_vectors, account_share(memory, LIMIT_VECTORS_BYTES));
}
