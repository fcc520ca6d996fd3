/*
 * wasi.c - what wasi-libc asks of its host, for guests that have none: link it to a guest
 * that uses stdio, time, exit or getenv.  printf writes to the log, a line is an entry;
 * what is not used adds nothing, and no import.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <wasi/api.h>

#include "cohort_guest.h"

#define LINE_BYTES 1000

/* A line is logged when it ends or is full; stdout as info, stderr as error. */
static void
add(int32_t level, const uint8_t *p, size_t n)
{
	static char line[2][LINE_BYTES];
	static uint32_t used[2];
	int to = level == 3;

	for (size_t i = 0; i < n; i++) {
		if (p[i] != '\n')
			line[to][used[to]++] = (char)p[i];
		if (p[i] == '\n' || used[to] == LINE_BYTES) {
			cohort_log(level, line[to], used[to]);
			used[to] = 0;
		}
	}
}

__wasi_errno_t
__wasi_fd_write(__wasi_fd_t fd, const __wasi_ciovec_t *parts, size_t parts_n, __wasi_size_t *done)
{
	*done = 0;
	if (fd != 1 && fd != 2)
		return __WASI_ERRNO_BADF;
	for (size_t i = 0; i < parts_n; i++) {
		add(fd == 1 ? 1 : 3, parts[i].buf, parts[i].buf_len);
		*done += parts[i].buf_len;
	}
	return __WASI_ERRNO_SUCCESS;
}

/* A terminal, so that stdio writes at the end of each line. */
__wasi_errno_t
__wasi_fd_fdstat_get(__wasi_fd_t fd, __wasi_fdstat_t *stat)
{
	if (fd > 2)
		return __WASI_ERRNO_BADF;
	memset(stat, 0, sizeof *stat);
	stat->fs_filetype = __WASI_FILETYPE_CHARACTER_DEVICE;
	return __WASI_ERRNO_SUCCESS;
}

__wasi_errno_t
__wasi_fd_seek(__wasi_fd_t fd, __wasi_filedelta_t by, __wasi_whence_t from, __wasi_filesize_t *at)
{
	(void)fd, (void)by, (void)from, (void)at;
	return __WASI_ERRNO_SPIPE;
}

__wasi_errno_t
__wasi_fd_close(__wasi_fd_t fd)
{
	(void)fd;
	return __WASI_ERRNO_BADF;
}

__wasi_errno_t
__wasi_clock_time_get(__wasi_clockid_t id, __wasi_timestamp_t precision, __wasi_timestamp_t *now)
{
	(void)id, (void)precision;
	*now = (__wasi_timestamp_t)cohort_now_ms() * 1000000;
	return __WASI_ERRNO_SUCCESS;
}

__wasi_errno_t
__wasi_environ_sizes_get(__wasi_size_t *n, __wasi_size_t *bytes)
{
	*n = *bytes = 0;
	return __WASI_ERRNO_SUCCESS;
}

__wasi_errno_t
__wasi_environ_get(uint8_t **at, uint8_t *bytes)
{
	(void)at, (void)bytes;
	return __WASI_ERRNO_SUCCESS;
}

/* exit ends the call and the instance. */
_Noreturn void
__wasi_proc_exit(__wasi_exitcode_t code)
{
	(void)code;
	__builtin_trap();
}
