/*
 * nats_fix.h - a real NATS server for a unit test, in the test's own directory.  It ends
 * with the test, however that ends.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_NATS_FIX_H
#define TESTS_NATS_FIX_H

#include "base/str.h"

/* args: more options, ended by NULL; or NULL.  A free port the first time, then the
 * same.  Returns when it listens. */
void nats_start(const char *const *args);
void nats_kill(int signal);                  /* SIGKILL: waits until it is gone */
struct str nats_url(void);                   /* nats://127.0.0.1:PORT */
int nats_port(void);

#endif
