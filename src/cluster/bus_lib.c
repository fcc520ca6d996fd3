/*
 * bus_lib.c - see bus_priv.h.  A node alone needs no libnats.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <pthread.h>

#include "cluster/bus_priv.h"

struct nats_lib nats;

static struct err failure;

/* Named with its minor version by Debian 12 and 13, without by libnats-dev. */
static void *
open_library(void)
{
	static const char *const names[] = { "libnats.so.3.4", "libnats.so.3.10",
	    "libnats.so" };
	void *lib = NULL;

	for (size_t i = 0; i < sizeof names / sizeof *names && lib == NULL; i++)
		lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	return lib;
}

static void
load(void)
{
	void *lib = open_library();

	if (lib == NULL) {
		err_set(&failure, ERR_NOTFOUND, "the library of NATS is missing (%s): "
		    "install the package libnats3.4", dlerror());
		return;
	}
#define X(name)                                                                  \
	*(void **)&nats.name = dlsym(lib, #name);                                \
	if (nats.name == NULL && failure.code == OK)                             \
		err_set(&failure, ERR_NOTFOUND, "the library of NATS has no "    \
		    #name ": it is older than version 3; install a newer libnats");
	NATS_LIB_MAP(X)
#undef X
}

int
nats_lib_load(struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return failure.code == OK ? OK : err_set(e, failure.code, "%s", failure.text);
}
