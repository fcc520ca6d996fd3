/*
 * node_self.c - which process of which machine a node is, so that who starts after it on
 * the same machine knows at once that it is dead.
 *
 * A mark is "BOOT NAMESPACE PID START": the boot of the machine, the namespace of the
 * process's number, the number, and when the process began (in ticks since the boot).
 * Only Linux has all of them; without them nodes wait for the lease.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "cluster/node_priv.h"

#define TEXT_MAX 4096
#define START    20                          /* field of stat, behind the name, from 1 */

/* When a process of this number began; false: unknown: there is none, or /proc hides
 * those of other users (hidepid, systemd's ProtectProc). */
static bool
started(long pid, unsigned long long *out)
{
	struct buf b = BUF(TEXT_MAX);
	char path[64];
	const char *at;
	struct err e;
	bool found = false;

	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	if (file_add(path, &b, &e) == OK) {
		buf_add_char(&b, '\0');
		at = strrchr(b.p, ')');      /* the name may have spaces */
		for (int i = 0; at != NULL && i < START; i++)
			at = strchr(at + 1, ' ');
		found = at != NULL && sscanf(at, "%llu", out) == 1;
	}
	buf_release(&b);
	return found;
}

static bool
exists(long pid)
{
	return kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

/* "BOOT NAMESPACE "; false: unknown. */
static bool
machine(struct buf *b)
{
	struct stat s;
	struct err e;

	if (file_add("/proc/sys/kernel/random/boot_id", b, &e) != OK ||
	    stat("/proc/self/ns/pid", &s) < 0)
		return false;
	while (b->n > 0 && b->p[b->n - 1] == '\n')
		b->n--;
	buf_add_fmt(b, " %llu ", (unsigned long long)s.st_ino);
	return true;
}

void
self_add_mark(struct buf *b)
{
	unsigned long long start = 0;
	struct buf m = BUF(TEXT_MAX);

	if (machine(&m) && started((long)getpid(), &start)) {
		buf_add(b, buf_str(&m));
		buf_add_fmt(b, "%ld %llu", (long)getpid(), start);
	}
	buf_release(&m);
}

bool
self_is_dead(struct str mark)
{
	unsigned long long then = 0, now = 0;
	struct buf m = BUF(TEXT_MAX);
	char rest[64] = "";
	long pid = 0;
	bool dead = false;

	if (machine(&m) && str_starts(mark, buf_str(&m))) {
		snprintf(rest, sizeof rest, "%.*s", FMT(str_sub(mark, m.n, mark.n)));
		dead = sscanf(rest, "%ld %llu", &pid, &then) == 2 &&
		    pid > 0 && (!exists(pid) || (started(pid, &now) && now != then));
	}
	buf_release(&m);
	return dead;
}
