/*
 * skim.h - finding where arrays and objects end in JSON text that is known to
 * be well-formed, because this program wrote it or scan.h has checked it.
 *
 * Only quotes, backslashes and brackets are looked at, 64 bytes at a time;
 * several times faster than scan.h, and it checks nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_SKIM_H
#define BASE_SKIM_H

#include "base/str.h"

/* p is at { or [.  The byte after the bracket that closes it, NULL: there is
 * none before `end`.  *depth: its levels, 1 for one without others in it. */
const char *skim_container(const char *p, const char *end, unsigned *depth);

#endif
