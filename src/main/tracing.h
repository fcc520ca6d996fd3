/*
 * tracing.h - traces, by the settings otel.*
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_TRACING_H
#define MAIN_TRACING_H

#include "main/config.h"
#include "trace/trace.h"

/* *out NULL: there are none.  ERR_INVALID. */
int  tracing_open(struct tracing **out, const struct config *c, struct err *e);

#endif
