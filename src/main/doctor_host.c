/*
 * doctor_host.c - the machine: descriptors, memory, clock, kernel settings.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <time.h>

#include "base/file.h"
#include "main/doctor.h"

#define FILES_LEAST  4096                    /* about 3,000 clients */
#define MEMORY_LEAST (256 * (int64_t)MB)

/* The first line of a small file of the kernel; false: there is none. */
static bool
line_of(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "re");
	bool read = f != NULL && fgets(out, (int)size, f) != NULL;

	if (f != NULL)
		fclose(f);
	if (read)
		out[strcspn(out, "\n")] = '\0';
	return read;
}

static void
look_at_files(struct doctor *d)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return;
	if (r.rlim_max != RLIM_INFINITY && r.rlim_max < FILES_LEAST)
		doctor_find(d, DOCTOR_WARN, "limits", "each client and each call of a model is an "
		    "open file; past the limit clients wait", "raise LimitNOFILE of the service, or "
		    "`ulimit -Hn`", "%llu open files are allowed", (unsigned long long)r.rlim_max);
	else
		doctor_find(d, DOCTOR_OK, "limits", "", "", "%llu open files are allowed",
		    (unsigned long long)r.rlim_max);
}

/* Of the process' own group (version 2), else of the machine. */
static void
look_at_memory(struct doctor *d)
{
	char line[512], path[600], text[64];
	int64_t max = -1;

	if (line_of("/proc/self/cgroup", line, sizeof line) && strncmp(line, "0::", 3) == 0) {
		snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", line + 3);
		if (line_of(path, text, sizeof text) && !str_to_i64(str_of(text), &max))
			max = -1;            /* "max" */
	}
	if (max >= 0 && max < MEMORY_LEAST)
		doctor_find(d, DOCTOR_WARN, "memory", "a few large states together take that; the "
		    "kernel kills the server then", "raise MemoryMax or the container's limit",
		    "the group may have %lld MB", (long long)(max / 1000000));
	else if (max >= 0)
		doctor_find(d, DOCTOR_OK, "memory", "", "", "the group may have %lld MB",
		    (long long)(max / 1000000));
	if (line_of("/proc/sys/vm/overcommit_memory", text, sizeof text) && text[0] == '2' &&
	    config_bool(d->config, SETTING_WASM_ENABLED))
		doctor_find(d, DOCTOR_WARN, "memory", "each guest in a sandbox reserves 8 GiB of "
		    "addresses, which this mode refuses", "sysctl vm.overcommit_memory=0, or "
		    "wasm.enabled: false", "vm.overcommit_memory is 2");
	if (line_of("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof line) &&
	    strstr(line, "[always]") != NULL)
		doctor_find(d, DOCTOR_WARN, "memory", "small states grow to pages of 2 MB, which are "
		    "made while requests wait", "echo madvise > "
		    "/sys/kernel/mm/transparent_hugepage/enabled", "transparent huge pages: always");
}

static void
look_at_clock(struct doctor *d)
{
	struct timex t = { 0 };
	int state = adjtimex(&t);

	if (time(NULL) < 1735689600)         /* 2025 */
		doctor_find(d, DOCTOR_ERROR, "clock", "tokens, leases and ids go by it",
		    "set the clock", "it is before 2025");
	else if (state == TIME_ERROR || (t.status & STA_UNSYNC) != 0)
		doctor_find(d, DOCTOR_WARN, "clock", "tokens end too early or late, and rows of "
		    "several nodes are out of order", "start chrony or systemd-timesyncd",
		    "nothing keeps it in step with others");
	else
		doctor_find(d, DOCTOR_OK, "clock", "", "", "it is kept in step");
}

void
doctor_host(struct doctor *d)
{
	look_at_files(d);
	look_at_memory(d);
	look_at_clock(d);
}
