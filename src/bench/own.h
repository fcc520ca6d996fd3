/*
 * own.h - servers of this executable, started for a measurement and ended with it.
 *
 * Each is a process in a scratch folder, on a free port of the loopback; its output
 * is a file there, whose beginning is told when it does not listen.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_OWN_H
#define BENCH_OWN_H

#include "bench/scratch.h"

struct own_process {
	pid_t pid;                           /* 0: none */
	int port;
	char url[40];                        /* "http://127.0.0.1:PORT" */
};

/* args: the command and its flags, NULL-ended; --port is added.  Waits until it
 * listens.  log: its file in the folder.  ERR_IO; stop it also then. */
int  own_start(struct own_process *p, struct scratch *s, const char *log,
    const char *const *args, struct err *e);
void own_stop(struct own_process *p, struct scratch *s);
void own_kill(struct own_process *p, struct scratch *s);    /* with no time to clean up */

/* A server with an SQLite file whose model is the mock; for --own. */
struct own_servers {
	struct scratch scratch;
	struct own_process mock, server;
};

/* delay_ms, token_ms: of the mock.  Stop them also after errors. */
int  own_servers_start(struct own_servers *o, int64_t delay_ms, int64_t token_ms,
    struct err *e);
void own_servers_stop(struct own_servers *o);

#endif
