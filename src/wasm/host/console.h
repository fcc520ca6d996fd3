/*
 * console.h - one object tried by hand, and by the tests of the language.
 *
 * Lines come on descriptor 0; each is answered by one line on descriptor 1, after lines for
 * what the guest logs and says.  Numbers of a guest are the hex digits of their bits.
 *
 *   invoke NAME HEX...   calls an export:  = i32:0000002a f64:4045000000000000
 *   call TEXT            a message:        = 0, after log LEVEL TEXT, send TEXT, reply TEXT
 *   new                  a fresh instance: = (also the answer before the first line)
 *   save, restore        = BYTES HASH; the last that was saved, in a fresh instance
 *   state                = pages=N memory=HASH g0=HEX ...
 *   fuel N, cpu US, depth N, pages N, calls N (of the host), message BYTES, allow MASK:
 *                        limits, from the next call or `new` on: =
 *   Else: trap NAME TEXT, or error TEXT.  A trap keeps the instance, as the language has it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_CONSOLE_H
#define HOST_CONSOLE_H

#include "base/rc.h"

/* Loads, locks the process in, and serves until the lines end. */
int console_run(const char *path, struct err *e);

#endif
