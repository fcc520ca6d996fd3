/*
 * oversight.h - the policy and the audit log of a server, as its settings say.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_OVERSIGHT_H
#define MAIN_OVERSIGHT_H

#include "auth/audit.h"
#include "auth/policy.h"
#include "main/config.h"

struct oversight {
	const struct config *config;
	struct policy *policy;               /* NULL: none */
	struct audit *audit;                 /* NULL: none */
};

/* known: there are credentials.  Errors name the setting or the file. */
int  oversight_open(struct oversight *o, const struct config *c, bool known,
    struct err *e);
/* Reads and opens the files again; a mistake is logged, and what was stays. */
void oversight_reload(struct oversight *o);
/* Writes down that `what` was read again, or why it was not (e->text). */
void oversight_note(struct oversight *o, const char *what, const struct err *e);
void oversight_close(struct oversight *o);

#endif
