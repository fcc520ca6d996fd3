/*
 * lock.h - what a host process gives up before it runs a guest.
 *
 * lock_early: no core files, nobody may trace it or read its memory, it is the first to go
 * when memory is short, it ends with its parent.  lock_in: from then on only the system calls
 * that the loop, the timer and the allocator make; any other ends the process at once.
 * Neither can be undone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_LOCK_H
#define HOST_LOCK_H

#include <stdbool.h>
#include "base/rc.h"

int lock_early(bool idle, struct err *e);    /* idle: runs only when no other wants the CPU */
int lock_in(struct err *e);

/* A build with ASan opens files of /proc when a guest is stopped: it is not locked in. */
#if defined(__SANITIZE_ADDRESS__)
#define LOCKED_IN false
#else
#define LOCKED_IN true
#endif

#endif
