/*
 * pg_lib.c - see pg_priv.h.  A server with a file of SQLite needs no libpq.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <pthread.h>

#include "store/pg_priv.h"

struct pg_lib pq;

static struct err failure;

static void
load(void)
{
	void *lib = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);

	if (lib == NULL) {
		err_set(&failure, ERR_NOTFOUND, "PostgreSQL's library is missing "
		    "(%s): install the package libpq5", dlerror());
		return;
	}
#define X(name)                                                                \
	*(void **)&pq.name = dlsym(lib, "PQ" #name);                           \
	if (pq.name == NULL)                                                   \
		err_set(&failure, ERR_NOTFOUND, "libpq.so.5 has no PQ" #name   \
		    ": it is older than version 14; install a newer libpq5");
	PG_LIB_MAP(X)
#undef X
}

int
pg_lib_load(struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return failure.code == OK ? OK : err_set(e, failure.code, "%s", failure.text);
}
