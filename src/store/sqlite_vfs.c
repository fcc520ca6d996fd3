/*
 * sqlite_vfs.c - see vfs_priv.h.  A file is the real layer's own, with a copy of
 * its table of methods in which reads, writes and syncs are counted and may fail,
 * and syncs may take longer.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "store/vfs_priv.h"

struct vfs_shim {
	sqlite3_vfs vfs;                     /* pAppData: the shim */
	sqlite3_vfs *real;
	struct vfs_faults *faults;
	char name[40];
};

/* Behind the real layer's part of a file. */
struct shim_tail {
	struct vfs_faults *faults;
	const sqlite3_io_methods *real;
	sqlite3_io_methods methods;
};

static int
tail_offset(const sqlite3_vfs *real)
{
	return (real->szOsFile + 15) & ~15;
}

static struct shim_tail *
tail_of(sqlite3_file *f)
{
	return (struct shim_tail *)((char *)f + tail_offset(sqlite3_vfs_find(NULL)));
}

/* Counts one call; true when it is the one that must fail. */
static bool
fails(_Atomic int64_t *calls, _Atomic int64_t *at)
{
	return atomic_fetch_add(calls, 1) + 1 == atomic_load(at);
}

static int
file_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	struct shim_tail *t = tail_of(f);

	if (fails(&t->faults->reads, &t->faults->fail_read))
		return SQLITE_IOERR_READ;
	return t->real->xRead(f, p, n, at);
}

static int
file_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	struct shim_tail *t = tail_of(f);
	int64_t kill_at = atomic_load(&t->faults->kill_write);

	if (kill_at > 0 && atomic_load(&t->faults->writes) + 1 == kill_at) {
		t->real->xWrite(f, p, n / 2, at);
		raise(SIGKILL);
	}
	if (fails(&t->faults->writes, &t->faults->fail_write))
		return SQLITE_IOERR_WRITE;
	if (atomic_load(&t->faults->full))
		return SQLITE_FULL;
	return t->real->xWrite(f, p, n, at);
}

static int
file_sync(sqlite3_file *f, int flags)
{
	struct shim_tail *t = tail_of(f);
	int64_t ms = atomic_load(&t->faults->sync_delay_ms);
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	if (ms > 0)
		nanosleep(&ts, NULL);
	if (fails(&t->faults->syncs, &t->faults->fail_sync))
		return SQLITE_IOERR_FSYNC;
	return t->real->xSync(f, flags);
}

/* Methods of version 2 map no memory, so every read passes through file_read. */
static int
shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	struct vfs_shim *s = vfs->pAppData;
	struct shim_tail *t = tail_of(f);
	int rc = s->real->xOpen(s->real, name, f, flags, out);

	if (f->pMethods == NULL)
		return rc;
	*t = (struct shim_tail){ s->faults, f->pMethods, *f->pMethods };
	t->methods.iVersion = 2;
	t->methods.xRead = file_read;
	t->methods.xWrite = file_write;
	t->methods.xSync = file_sync;
	f->pMethods = &t->methods;
	return rc;
}

struct vfs_shim *
vfs_shim_new(struct vfs_faults *faults, const char **name)
{
	struct vfs_shim *s = mem_new(struct vfs_shim);

	s->real = sqlite3_vfs_find(NULL);
	s->faults = faults;
	/* The other methods of the real layer work with any sqlite3_vfs: they
	 * deal in names, not in files. */
	s->vfs = *s->real;
	s->vfs.pNext = NULL;
	s->vfs.szOsFile = tail_offset(s->real) + (int)sizeof(struct shim_tail);
	s->vfs.pAppData = s;
	s->vfs.xOpen = shim_open;
	snprintf(s->name, sizeof s->name, "cohort-%p", (void *)s);
	s->vfs.zName = s->name;
	sqlite3_vfs_register(&s->vfs, 0);
	*name = s->name;
	return s;
}

void
vfs_shim_free(struct vfs_shim *s)
{
	if (s == NULL)
		return;
	sqlite3_vfs_unregister(&s->vfs);
	free(s);
}
