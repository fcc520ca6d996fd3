/*
 * vfs.c - see vfs_priv.h.  Every method passes through, except that reads,
 * writes and syncs are counted and may fail, and syncs may take longer.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "store/vfs_priv.h"

struct vfs_shim {
	sqlite3_vfs vfs;                     /* pAppData: the shim */
	sqlite3_vfs *real;
	struct vfs_faults *faults;
	char name[40];
};

struct shim_file {
	sqlite3_file base;
	struct vfs_faults *faults;
	sqlite3_file *real;                  /* right behind this struct */
};

static sqlite3_file *
real_of(sqlite3_file *f)
{
	return ((struct shim_file *)f)->real;
}

static struct vfs_faults *
faults_of(sqlite3_file *f)
{
	return ((struct shim_file *)f)->faults;
}

/* Counts one call; true when it is the one that must fail. */
static bool
fails(_Atomic int64_t *calls, _Atomic int64_t *at)
{
	return atomic_fetch_add(calls, 1) + 1 == atomic_load(at);
}

static int
file_close(sqlite3_file *f)
{
	return real_of(f)->pMethods->xClose(real_of(f));
}

static int
file_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	struct vfs_faults *x = faults_of(f);

	if (fails(&x->reads, &x->fail_read))
		return SQLITE_IOERR_READ;
	return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

static int
file_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	struct vfs_faults *x = faults_of(f);

	if (fails(&x->writes, &x->fail_write))
		return SQLITE_IOERR_WRITE;
	if (atomic_load(&x->full))
		return SQLITE_FULL;
	return real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
}

static int
file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int
file_sync(sqlite3_file *f, int flags)
{
	struct vfs_faults *x = faults_of(f);
	int64_t ms = atomic_load(&x->sync_delay_ms);
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	if (ms > 0)
		nanosleep(&t, NULL);
	if (fails(&x->syncs, &x->fail_sync))
		return SQLITE_IOERR_FSYNC;
	return real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int
file_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int
file_lock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int
file_unlock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int
file_reserved(sqlite3_file *f, int *out)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int
file_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int
file_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int
file_traits(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int
file_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

static int
file_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}

static void
file_shm_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int
file_shm_unmap(sqlite3_file *f, int drop)
{
	return real_of(f)->pMethods->xShmUnmap(real_of(f), drop);
}

/* Version 2: no memory mapping, so every read passes through file_read. */
static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = file_close, .xRead = file_read, .xWrite = file_write,
	.xTruncate = file_truncate, .xSync = file_sync, .xFileSize = file_size,
	.xLock = file_lock, .xUnlock = file_unlock,
	.xCheckReservedLock = file_reserved, .xFileControl = file_control,
	.xSectorSize = file_sector, .xDeviceCharacteristics = file_traits,
	.xShmMap = file_shm_map, .xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier, .xShmUnmap = file_shm_unmap,
};

static int
shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	struct vfs_shim *s = vfs->pAppData;
	struct shim_file *file = (struct shim_file *)f;
	int rc;

	file->base.pMethods = NULL;
	file->faults = s->faults;
	file->real = (sqlite3_file *)&file[1];
	rc = s->real->xOpen(s->real, name, file->real, flags, out);
	if (file->real->pMethods != NULL)
		file->base.pMethods = &methods;
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
	s->vfs.szOsFile += (int)sizeof(struct shim_file);
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
