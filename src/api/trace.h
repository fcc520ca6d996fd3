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

/* For log.slow-request: it is whole; a command of the store begins, or is back; it is
 * answered. */
void request_read(const struct api_shared *sh, struct http_req *r);
void request_stores(const struct api_shared *sh, struct http_req *r, bool begins);
void request_tell_slow(const struct api_shared *sh, const struct http_req *r, int status,
    nsec took, size_t bytes_out);

#endif
