/*
 * machine.c - see machine.h.  Linux only: it reads /proc and /sys.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/account.h"
#include "base/file.h"
#include "base/json.h"

uint64_t
machine_files_raise(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0)
		return 0;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
	getrlimit(RLIMIT_NOFILE, &l);
	return l.rlim_cur;
}

/* The value behind "name" and blanks or a colon, up to the end of the line. */
static struct str
value_of(struct str text, const char *name)
{
	struct str line;

	while (str_next(&text, '\n', &line)) {
		ptrdiff_t colon = str_index(line, ':');

		if (colon > 0 && str_eq(str_trim(str_sub(line, 0, (size_t)colon)),
		    str_of(name)))
			return str_trim(str_sub(line, (size_t)colon + 1, line.n));
	}
	return STR_NONE;
}

/* The number at the start of "123 kB". */
static int64_t
number_of(struct str value)
{
	size_t n = 0;
	uint64_t out;

	while (n < value.n && value.p[n] >= '0' && value.p[n] <= '9')
		n++;
	return str_to_u64(str_sub(value, 0, n), &out) ? (int64_t)out : 0;
}

/* cgroup v2, else v1: quota / period in cores; 0: none. */
static double
cpu_limit(void)
{
	char text[128];
	struct str s = file_head("/sys/fs/cgroup/cpu.max", text, sizeof text);
	ptrdiff_t blank = str_index(s, ' ');
	int64_t quota, period;

	if (blank > 0) {
		quota = number_of(s);
		period = number_of(str_sub(s, (size_t)blank + 1, s.n));
	} else {
		quota = number_of(file_head("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", text,
		    sizeof text));
		period = number_of(file_head("/sys/fs/cgroup/cpu/cpu.cfs_period_us", text,
		    sizeof text));
	}
	return quota > 0 && period > 0 ? (double)quota / (double)period : 0;
}

/* "Debian GNU/Linux 13 (trixie)" of os-release(5); the kernel's name at least. */
static struct str
os_name(char *text, size_t size, const struct utsname *u)
{
	struct str rest = file_head("/etc/os-release", text, size), line;

	while (str_next(&rest, '\n', &line)) {
		if (str_starts(line, S("PRETTY_NAME=\"")) && line.n > 14)
			return str_sub(line, 13, line.n - 14);
	}
	return str_of(u->sysname);
}

void
machine_add_json(struct buf *out)
{
	char cpu[8192], mem[4096], os[4096];
	struct utsname u = { 0 };
	struct rlimit l = { 0 };
	struct str model = value_of(file_head("/proc/cpuinfo", cpu, sizeof cpu), "model name");
	struct str total = value_of(file_head("/proc/meminfo", mem, sizeof mem), "MemTotal");
	struct str name;

	uname(&u);
	getrlimit(RLIMIT_NOFILE, &l);
	name = os_name(os, sizeof os, &u);
	json_add_fmt(out, "{'cpu':%.*s,'os':%.*s,'cores':%ld,'memory_mb':%lld,'kernel':%s,"
	    "'cpu_limit':%.2f,'memory_limit_mb':%lld,'files':%llu}",
	    FMT(model.n > 0 ? model : str_of(u.machine)), FMT(name),
	    sysconf(_SC_NPROCESSORS_ONLN), (long long)(number_of(total) / 1024), u.release,
	    cpu_limit(), (long long)(account_memory_limit() / MB), (unsigned long long)l.rlim_cur);
}

/* Fields 14 and 15 of stat, behind the name that may hold anything. */
static double
cpu_seconds(struct str stat)
{
	const char *end = stat.n == 0 ? NULL : strrchr(stat.p, ')');
	struct str rest, field;
	double ticks = 0;

	if (end == NULL)
		return 0;
	rest = str_of(end + 2);
	for (int i = 3; i <= 15 && str_next(&rest, ' ', &field); i++)
		if (i >= 14)
			ticks += (double)number_of(field);
	return ticks / (double)sysconf(_SC_CLK_TCK);
}

bool
machine_usage_quick(int64_t pid, struct machine_usage *out)
{
	char path[64], text[4096];
	struct str status;

	snprintf(path, sizeof path, "/proc/%lld/status", (long long)pid);
	status = file_head(path, text, sizeof text);
	*out = (struct machine_usage){ .threads = number_of(value_of(status, "Threads")),
	    .rss_kb = number_of(value_of(status, "VmRSS")) };
	return status.n > 0;
}

int64_t
machine_bytes_written(int64_t pid)
{
	char path[64], text[1024];

	snprintf(path, sizeof path, "/proc/%lld/io", (long long)pid);
	return number_of(value_of(file_head(path, text, sizeof text), "write_bytes"));
}

bool
machine_usage(int64_t pid, struct machine_usage *out)
{
	char path[64], text[4096];
	struct str rollup;

	if (!machine_usage_quick(pid, out))
		return false;
	snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
	out->cpu_s = cpu_seconds(file_head(path, text, sizeof text));
	snprintf(path, sizeof path, "/proc/%lld/smaps_rollup", (long long)pid);
	rollup = file_head(path, text, sizeof text);
	if (rollup.n > 0) {
		out->rss_kb = number_of(value_of(rollup, "Rss"));
		out->private_dirty_kb = number_of(value_of(rollup, "Private_Dirty"));
	}
	return true;
}
