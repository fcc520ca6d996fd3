/*
 * oversight.c - see oversight.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/oversight.h"

#include "base/log.h"

/* An action without any rule may have been forgotten, whatever the default. */
static void
tell_uncovered(struct policy *p)
{
	struct buf actions = BUF(4 * KB);

	policy_add_uncovered(p, &actions);
	if (actions.n > 0)
		log_warn("auth", "policy_uncovered", "no_rule_is_about=\"%.*s\"",
		    FMT(buf_str(&actions)));
	buf_release(&actions);
}

static int
open_policy(struct oversight *o, bool known, struct err *e)
{
	struct str file = config_str(o->config, SETTING_AUTH_POLICY);
	int rc;

	if (file.n == 0)
		return OK;
	if (!known)
		return err_set(e, ERR_INVALID, "%s: a policy is about who asks, and nobody "
		    "has credentials: set jwt.secret or api-keys too",
		    o->config->at[SETTING_AUTH_POLICY].origin);
	rc = policy_new(&o->policy, file, e);
	if (rc == OK)
		tell_uncovered(o->policy);
	return rc;
}

int
oversight_open(struct oversight *o, const struct config *c, bool known, struct err *e)
{
	struct str file = config_str(c, SETTING_AUDIT_FILE);
	int rc;

	o->config = c;
	rc = open_policy(o, known, e);
	return rc == OK && file.n > 0 ? audit_open(&o->audit, file, e) : rc;
}

void
oversight_note(struct oversight *o, const char *what, const struct err *e)
{
	struct audit_line x = { .id = uuid_v7(), .at = clock_wall_ms(), .phase = "reloaded",
	    .action = what, .error = str_of(e->text) };

	if (o->audit != NULL)
		audit_write(o->audit, &x);
}

static void
reload_policy(struct oversight *o)
{
	struct err e = { .text = "" };

	if (policy_reload(o->policy, &e) < 0) {
		log_error("main", "reload_failed", "error=%s", e.text);
	} else {
		log_info("main", "reloaded", "policy=%s",
		    o->config->at[SETTING_AUTH_POLICY].text);
		tell_uncovered(o->policy);
	}
	oversight_note(o, "policy", &e);
}

void
oversight_reload(struct oversight *o)
{
	struct err e = { .text = "" };

	if (o->audit != NULL && audit_reopen(o->audit, &e) < 0)
		log_error("main", "reload_failed", "error=%s", e.text);
	if (o->policy != NULL)
		reload_policy(o);
}

void
oversight_close(struct oversight *o)
{
	policy_free(o->policy);
	audit_close(o->audit);
}
