/*
 * knowledge_lanes.h - many writes to a server at once, over several connections.
 *
 * The server commits together what comes together, so eight connections write several
 * times as much a second as one.  A write that finds it busy is made again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_KNOWLEDGE_LANES_H
#define MAIN_KNOWLEDGE_LANES_H

#include "base/flags.h"
#include "base/rc.h"

struct lanes;

int  lanes_open(struct lanes **out, const struct flag_line *line, struct err *e);
void lanes_close(struct lanes *s);           /* waits for what is under way; NULL: nothing */
/* method is static, body is copied.  Waits for room. */
void lanes_send(struct lanes *s, const char *method, struct str body);
/* All that was sent is done, or the first failure since lanes_open. */
int  lanes_wait(struct lanes *s, struct err *e);

#endif
