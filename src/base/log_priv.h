/*
 * log_priv.h - between the log and its JSON form.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_LOG_PRIV_H
#define BASE_LOG_PRIV_H

#include "base/buf.h"
#include "base/log.h"

/* Appends the line (without its newline) as an object of at most max bytes;
 * members that do not fit are left out, and "cut":true says so. */
void log_json_add(struct buf *out, struct str line, size_t max);

#endif
