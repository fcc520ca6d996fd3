/*
 * partial_priv.h - the arguments of a tool call while they are still coming.
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_PARTIAL_PRIV_H
#define RUN_PARTIAL_PRIV_H

#include "base/buf.h"

/* Appends what can be read of the cut-off JSON object `text` as a whole one:
 * open strings and containers are closed, an unfinished key is left out;
 * empty text is {}.  False (and nothing appended): it is not an object. */
bool partial_object(struct str text, struct buf *out);

#endif
