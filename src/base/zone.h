/*
 * zone.h - time zones of the IANA database, as the system's files have them
 * (TZif, RFC 9636; after their last transition the POSIX rule of the footer).
 *
 * A zone is a line of *spans*: stretches of time with one offset from UTC.
 *
 * Pure but for zone_load, which reads a file.  A loaded zone does not change and may
 * be read by any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include <stdint.h>
#include "base/rc.h"
#include "base/str.h"

#define ZONE_NAME_MAX 64                     /* bytes */

struct zone;

/* A span with t in it: [begin, end), seconds since 1970; INT64_MIN and INT64_MAX where
 * there is no other before or behind.  offset: of its local time, seconds east. */
struct zone_span {
	int64_t begin, end;
	int32_t offset;
};

/* By name ("Europe/Berlin"); an empty one and "UTC" need no file.  ERR_INVALID: there
 * is no such zone; ERR_IO: it cannot be read, or the system has no time zones. */
int zone_load(struct zone **out, struct str name, struct err *e);
/* Of a file's bytes.  ERR_INVALID: not TZif, or with leap seconds. */
int zone_parse(struct zone **out, struct str bytes, struct err *e);
void zone_free(struct zone *z);              /* NULL is fine */

struct zone_span zone_at(const struct zone *z, int64_t t);

#endif
