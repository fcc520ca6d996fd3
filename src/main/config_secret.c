/*
 * config_secret.c - settings whose value is the name of a secret.
 *
 * Secrets may be such names, and addresses, whole or for their passwords.  What they stand
 * for is taken when all settings are chosen: a name that loses to another source need not be
 * there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/config.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/secret.h"

bool
config_is_named(enum setting_id id, struct str text)
{
	enum setting_type type = config_settings[id].type;

	return (type == TYPE_SECRET || type == TYPE_URL) && secret_is_named(text);
}

static struct str
name_of(const struct config *c, enum setting_id id)
{
	const struct config_value *v = &c->at[id];

	return str_of(v->named != NULL ? v->named : v->text);
}

int
config_read_secret(const struct config *c, enum setting_id id, char **env, struct buf *out,
    struct err *e)
{
	struct str name = name_of(c, id);
	struct err why = { 0 };
	int rc = OK;

	if (config_is_named(id, name))
		rc = secret_add(out, name, env, &why);
	else
		buf_add(out, name);
	if (rc == OK && out->failed)
		rc = err_set(&why, ERR_INVALID, "it is longer than %zu bytes", out->max);
	return rc == OK ? OK : err_set(e, ERR_INVALID, "%s: %s: %s", config_settings[id].key,
	    c->at[id].origin, why.text);
}

int
config_take_secret(struct config *c, enum setting_id id, char **env, struct err *e)
{
	struct buf b = BUF(LIMIT_SECRET_BYTES);
	struct config_value *v = &c->at[id];
	int rc;

	if (v->named != NULL || !config_is_named(id, str_of(v->text)))
		return OK;
	rc = config_read_secret(c, id, env, &b, e);
	if (rc == OK && config_settings[id].check != NULL)
		rc = config_settings[id].check(buf_str(&b), v->origin, e);
	if (rc == OK) {
		v->named = v->text;
		v->text = mem_cstr(buf_str(&b));
	}
	buf_release(&b);
	return rc;
}

int
config_take_secrets(struct config *c, char **env, struct err *e)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < SETTINGS; i++)
		rc = config_take_secret(c, (enum setting_id)i, env, e);
	return rc;
}
