/*
 * framing.h - where a message ends in a stream of bytes.
 *
 * The first byte tells which of two forms a connection speaks: `{`: a message is a line of
 * JSON; else a frame, length (4 bytes, big endian, of what follows) and packed message.  No
 * frame that is not too long begins with `{`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_FRAMING_H
#define MAIL_HOST_FRAMING_H

#include "base/rc.h"
#include "base/str.h"

enum framing { FRAMING_UNKNOWN, FRAMING_LINES, FRAMING_FRAMES };

/* How much of `in` the first message takes; 0: its end has not come.  *message: its bytes,
 * without head or line end; empty for a blank line, which keeps a connection alive.
 * ERR_TOOBIG: it is longer than max, and nothing behind it can be read.  ERR_INVALID: a frame
 * of no bytes, which took its head. */
int framing_next(enum framing *f, struct str in, size_t max, struct str *message,
    size_t *taken);

#endif
