/*
 * confirm.h - a command asks before it does what cannot be undone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_CONFIRM_H
#define MAIN_CONFIRM_H

#include "base/flags.h"
#include "base/rc.h"

#define CONFIRM_FLAG { "yes", .help = "do not ask" }

/* OK: --yes is given, or who sits at the terminal has said so.  ERR_CLOSED: he has not;
 * ERR_INVALID: there is nobody to ask. */
int confirm(const struct flag_line *line, const char *question, struct err *e);

#endif
