/*
 * trace.h - the request as a span (trace/trace.h), if it begins a run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_TRACE_H
#define API_TRACE_H

#include "api/api_priv.h"

/* For run_request.trace: the place of this request in a trace; NULL: there are none. */
struct trace_at *call_trace(struct call *c);
/* It is answered. */
void request_trace(struct api *a, const struct http_req *r, int status, nsec took);

#endif
