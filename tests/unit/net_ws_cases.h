/*
 * net_ws_cases.h - frames that WebSocket clients send, and what they mean.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_NET_WS_CASES_H
#define TESTS_NET_WS_CASES_H

#include "base/buf.h"

/* wanted: text(T) ping(P) pong(P) close(CODE,REASON) bad(CODE), as they come. */
struct ws_case {
	const char *name;
	struct str frames, wanted;
};

#define WS_CASE_MESSAGE 100000               /* limits the cases are made for */
#define WS_CASE_FRAMES  50

extern const struct ws_case ws_cases[];
extern const size_t ws_cases_n;

void ws_case_add(struct buf *b, struct str frames);      /* their bytes */
/* what(payload), with *N for N times x. */
void ws_case_say(struct buf *b, const char *what, struct str payload);

#endif
