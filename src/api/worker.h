/*
 * worker.h - what the routes of workers share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_WORKER_H
#define API_WORKER_H

#include "api/api_priv.h"

/* Answers with the code's status, the words of e, and `reason`, which programs read (NULL:
 * none).  Returns OK. */
int worker_fail(struct call *c, int rc, const char *why, const struct err *e);

#endif
