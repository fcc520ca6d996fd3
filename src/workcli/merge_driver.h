/*
 * merge_driver.h - the names under which git is told of the merge driver.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKCLI_MERGE_DRIVER_H
#define WORKCLI_MERGE_DRIVER_H

#include "base/rc.h"

#define DRIVER_NAME "cohort-work"
#define DRIVER_TITLE "merges the items of a tracker, field by field"
#define DRIVER_ATTRIBUTE "**/.cohort/issues.jsonl merge=" DRIVER_NAME

/* The command line that git runs: this program. */
int merge_driver_command(char *out, size_t size, struct err *e);

#endif
