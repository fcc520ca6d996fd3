/*
 * vfs_priv.h - a file layer that fails on purpose, for tests.
 *
 * Sits between SQLite and the real file layer of one store.  In production it
 * is not there at all.  Counters count from 1; a `fail` number of 0 means
 * never.  Fields may be changed at any time, from any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_VFS_PRIV_H
#define STORE_VFS_PRIV_H

#include <stdatomic.h>
#include <stdint.h>

struct vfs_shim;

struct vfs_faults {
	_Atomic int64_t sync_delay_ms;
	_Atomic int64_t writes, syncs, reads;        /* calls so far */
	_Atomic int64_t fail_write, fail_sync, fail_read;    /* at this call */
	_Atomic int64_t kill_write;                  /* the process dies halfway in it */
	_Atomic bool full;                           /* every write: disk full */
};

/* faults must outlive the shim.  Returns the shim; its VFS name in *name. */
struct vfs_shim *vfs_shim_new(struct vfs_faults *faults, const char **name);
void vfs_shim_free(struct vfs_shim *s);      /* all its files are closed */

#endif
