/*
 * config_store.c - where state lives, and what joins several nodes: what these settings
 * may be, alone and together.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/config.h"

#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/limits.h"
#include "base/url.h"

/* ---- values ------------------------------------------------------------------ */

static bool
is_server(struct str text)
{
	return str_starts(text, S("postgres://")) || str_starts(text, S("postgresql://")) ||
	    (!str_contains(text, S("://")) &&
	    (str_contains(text, S("host=")) || str_contains(text, S("dbname="))));
}

bool
config_store_is_server(const struct config *c)
{
	return is_server(config_str(c, SETTING_STORE));
}

bool
config_has_secret(const struct config *c, enum setting_id id)
{
	struct str text = config_str(c, id);

	if (c->at[id].named != NULL || config_is_named(id, text))
		return false;
	return (config_settings[id].type == TYPE_SECRET && text.n > 0) ||
	    (config_settings[id].type == TYPE_URL && url_has_secret(text));
}

/* "ORIGIN: expected WHAT, got ..." without passwords. */
static int
refuse(struct str text, const char *origin, const char *what, struct err *e)
{
	struct buf shown = BUF(2 * text.n + 64);
	int rc;

	url_add_shown(&shown, text);
	rc = err_set(e, ERR_INVALID, "%s: expected %s, got \"%.*s\"", origin, what,
	    FMT(buf_str(&shown)));
	buf_release(&shown);
	return rc;
}

int
config_check_store(struct str text, const char *origin, struct err *e)
{
	if (str_eq(text, S("sqlite")) || str_eq(text, S("memory")) || is_server(text))
		return OK;
	if (str_starts(text, S("postgres+")) || str_starts(text, S("postgresql+")))
		return refuse(text, origin, "postgresql:// without the name of a driver", e);
	return refuse(text, origin, "sqlite, memory or "
	    "postgres://USER:PASSWORD@HOST/DATABASE", e);
}

int
config_check_nats(struct str text, const char *origin, struct err *e)
{
	struct str rest = text, one;

	while (str_next(&rest, ',', &one)) {
		one = str_trim(one);
		if (one.n == 0 || (str_contains(one, S("://")) &&
		    !str_starts(one, S("nats://")) && !str_starts(one, S("tls://"))))
			return refuse(text, origin, "addresses as in "
			    "nats://a:4222,tls://b:4222", e);
	}
	return OK;
}

static bool
is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (memchr("-_.", s.p[i], 3) == NULL && !(s.p[i] >= '0' && s.p[i] <= '9') &&
		    !((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z'))
			return false;
	return s.n <= LIMIT_CLUSTER_NAME_BYTES;
}

/* As a NATS subject's tokens, of which none is empty. */
int
config_check_prefix(struct str text, const char *origin, struct err *e)
{
	if (is_name(text) && text.n > 0 && text.p[0] != '.' && !str_ends(text, S(".")) &&
	    !str_contains(text, S("..")))
		return OK;
	return err_set(e, ERR_INVALID, "%s: expected letters, digits, - and _, in parts with "
	    "a dot between them, at most %d in all; got \"%.*s\"", origin,
	    LIMIT_CLUSTER_NAME_BYTES, FMT(text));
}

int
config_check_name(struct str text, const char *origin, struct err *e)
{
	if (is_name(text))
		return OK;
	return err_set(e, ERR_INVALID, "%s: expected at most %d letters, digits, -, _ and "
	    "dots, got \"%.*s\"", origin, LIMIT_CLUSTER_NAME_BYTES, FMT(text));
}

/* ---- variables of other programs ------------------------------------------------ */

static const char *const database_env[] = { "DATABASE_URL", "DATABASE_URI",
	"POSTGRES_URI" };

int
config_take_database(struct config *c, char **env, const char *prefix, int rank,
    struct err *e)
{
	for (size_t i = 0; i < COUNT(database_env); i++) {
		const char *text = env_find(env, str_of(database_env[i]));
		char origin[80];
		int rc;

		if (text == NULL || text[0] == '\0' || !config_is_default(c, SETTING_STORE))
			continue;
		snprintf(origin, sizeof origin, "%s%s", prefix, database_env[i]);
		if (!is_server(str_of(text)))
			return refuse(str_of(text), origin, "a PostgreSQL, as in "
			    "postgres://USER@HOST/DATABASE (to go on without it: "
			    "--store sqlite)", e);
		if (!config_is_default(c, SETTING_DB))
			return err_set(e, ERR_INVALID, "%s names a PostgreSQL and %s a file: "
			    "say --store sqlite, or leave out %s", origin,
			    c->at[SETTING_DB].origin, config_settings[SETTING_DB].key);
		rc = config_set(c, SETTING_STORE, str_of(text), rank, origin, e);
		if (rc < 0)
			return rc;
	}
	return OK;
}

/* ---- together ------------------------------------------------------------------ */

int
config_check_backup(const struct config *c, struct err *e)
{
	static const enum setting_id more[] = { SETTING_BACKUP_EVERY, SETTING_BACKUP_FULL_EVERY,
		SETTING_BACKUP_KEEP, SETTING_BACKUP_LOG };
	struct str store = config_str(c, SETTING_STORE);
	bool on = config_str(c, SETTING_BACKUP_TO).n > 0;

	for (size_t i = 0; i < COUNT(more) && !on; i++)
		if (!config_is_default(c, more[i]))
			return err_set(e, ERR_INVALID, "%s: %s needs backup.to, the folder of the "
			    "backups", c->at[more[i]].origin, config_settings[more[i]].key);
	if (config_str(c, SETTING_ENCRYPTION_KEY).n > 0 && !str_eq(store, S("sqlite")))
		return err_set(e, ERR_INVALID, "%s: encryption.key is for a database file: encrypt "
		    "PostgreSQL's disk; store memory is on none",
		    c->at[SETTING_ENCRYPTION_KEY].origin);
	if (on && config_store_is_server(c))
		return err_set(e, ERR_INVALID, "%s: backup.to is for a database file; back "
		    "PostgreSQL up with its own tools: pg_basebackup and WAL archiving (the "
		    "tracker's file: cohort backup --db)", c->at[SETTING_BACKUP_TO].origin);
	if (on && str_eq(store, S("memory")))
		return err_set(e, ERR_INVALID, "%s: backup.to is for a database file: with store "
		    "memory there is none", c->at[SETTING_BACKUP_TO].origin);
	return OK;
}

int
config_check_cluster(const struct config *c, struct err *e)
{
	static const enum setting_id many[] = { SETTING_CLUSTER_NATS, SETTING_CLUSTER_PREFIX,
		SETTING_CLUSTER_NAME, SETTING_CLUSTER_LEASE, SETTING_CLUSTER_WAIT,
		SETTING_WORK_PATH };
	static const enum setting_id nats[] = { SETTING_CLUSTER_NATS_CREDS,
		SETTING_CLUSTER_NATS_CA, SETTING_CLUSTER_NATS_CERT, SETTING_CLUSTER_NATS_KEY };
	bool server = config_store_is_server(c);

	for (size_t i = 0; i < COUNT(many) && !server; i++)
		if (!config_is_default(c, many[i]))
			return err_set(e, ERR_INVALID, "%s: %s needs a store that nodes can "
			    "share: with --store %s there is one node; set store to "
			    "postgres://USER@HOST/DATABASE", c->at[many[i]].origin,
			    config_settings[many[i]].key, c->at[SETTING_STORE].text);
	for (size_t i = 0; i < COUNT(nats); i++)
		if (!config_is_default(c, nats[i]) && config_str(c, SETTING_CLUSTER_NATS).n == 0)
			return err_set(e, ERR_INVALID, "%s: %s needs cluster.nats",
			    c->at[nats[i]].origin, config_settings[nats[i]].key);
	if (config_is_default(c, SETTING_CLUSTER_NATS_CERT) !=
	    config_is_default(c, SETTING_CLUSTER_NATS_KEY))
		return err_set(e, ERR_INVALID, "cluster.nats-cert and cluster.nats-key need "
		    "each other");
	/* A file's `db` may stay there when a flag names a PostgreSQL. */
	if (server && !config_is_default(c, SETTING_DB) &&
	    c->at[SETTING_DB].rank >= c->at[SETTING_STORE].rank)
		return err_set(e, ERR_INVALID, "%s: with PostgreSQL there is no database "
		    "file: leave out db (work.path is the tracker's file)",
		    c->at[SETTING_DB].origin);
	if (server && !config_is_default(c, SETTING_TEST_FSYNC_DELAY_MS))
		return err_set(e, ERR_INVALID, "%s: with PostgreSQL there is no database file "
		    "that could be slow", c->at[SETTING_TEST_FSYNC_DELAY_MS].origin);
	return OK;
}
