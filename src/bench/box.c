/*
 * box.c - see box.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/box.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define GROUP      "cohort-bench-"
#define PERIOD_US  100000
#define MOUNTS     (64 * KB)
#define CPUS_MAX   1024

const char *const box_names[] = { "cgroup v2", "cgroup v1", "rlimits" };

/* ---- what is typed ---------------------------------------------------------- */

int
box_cpus_parse(const char *text, double *out, struct err *e)
{
	if (!str_to_double(str_of(text), out) || !(*out >= 0.1 && *out <= CPUS_MAX))
		return err_set(e, ERR_INVALID, "--cpus: expected 0.1 to %d, got \"%.40s\"",
		    CPUS_MAX, text);
	return OK;
}

int
box_memory_parse(const char *text, uint64_t *out, struct err *e)
{
	static const struct { char letter; unsigned bits; } units[] = {
		{ 'k', 10 }, { 'm', 20 }, { 'g', 30 }, { 't', 40 },
	};
	struct str s = str_of(text);
	unsigned bits = 0;

	for (size_t i = 0; s.n > 0 && i < COUNT(units); i++)
		if ((s.p[s.n - 1] | 0x20) == units[i].letter)
			bits = units[i].bits;
	if (bits > 0)
		s.n--;
	if (!str_to_u64(s, out) || *out > (UINT64_MAX >> 1) >> bits ||
	    *out << bits < 16 * MB)
		return err_set(e, ERR_INVALID, "--memory: expected 16M and more, as in 2G, "
		    "got \"%.40s\"", text);
	*out <<= bits;
	return OK;
}

/* ---- where groups are --------------------------------------------------------- */

static bool
in_list(struct str list, struct str word)
{
	struct str part;

	while (str_next(&list, ',', &part))
		if (str_eq(part, word))
			return true;
	return false;
}

/* "12:cpu,cpuacct:/path"; "0::/path" is version 2's. */
static bool
group_of(struct str groups, const char *controller, struct str *out)
{
	struct str line, number, list;

	while (str_next(&groups, '\n', &line)) {
		if (!str_next(&line, ':', &number) || !str_next(&line, ':', &list))
			continue;
		if (controller[0] == '\0' ? list.n == 0 : in_list(list, str_of(controller))) {
			*out = line;
			return true;
		}
	}
	return false;
}

/* "36 35 0:31 ROOT MOUNT OPTIONS ... - TYPE SOURCE SUPER-OPTIONS" */
static bool
mount_of(struct str line, const char *controller, struct str *root, struct str *at)
{
	const char *dash = memmem(line.p, line.n, " - ", 3);
	struct str left, right, word = STR_NONE, type = STR_NONE;

	if (dash == NULL)
		return false;
	left = (struct str){ line.p, (size_t)(dash - line.p) };
	right = (struct str){ dash + 3, line.n - left.n - 3 };
	for (int i = 0; i < 5 && str_next(&left, ' ', &word); i++) {
		if (i == 3)
			*root = word;
		*at = word;
	}
	str_next(&right, ' ', &type);
	if (controller[0] == '\0')
		return str_eq(type, S("cgroup2"));
	str_next(&right, ' ', &word);
	return str_eq(type, S("cgroup")) && in_list(right, str_of(controller));
}

bool
box_group_path(struct str mounts, struct str groups, const char *controller,
    char out[BOX_PATH])
{
	struct str line, root = STR_NONE, at = STR_NONE, group;

	if (!group_of(groups, controller, &group))
		return false;
	while (str_next(&mounts, '\n', &line)) {
		if (!mount_of(line, controller, &root, &at))
			continue;
		/* Inside of a container the mount shows the group itself as its root. */
		if (root.n > 1 && str_starts(group, root))
			group = str_sub(group, root.n, group.n);
		if (str_eq(group, S("/")))
			group = STR_NONE;
		return (size_t)snprintf(out, BOX_PATH, "%.*s%.*s", FMT(at), FMT(group)) <
		    BOX_PATH;
	}
	return false;
}

/* ---- files of a group ---------------------------------------------------------- */

static bool
group_write(const char *folder, const char *name, const char *text)
{
	char path[BOX_PATH + 64];
	int fd;
	bool fine;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	fine = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return fine;
}

static uint64_t
group_number(const char *folder, const char *name, const char *key)
{
	char path[BOX_PATH + 64], text[4096];
	struct str rest, line;
	uint64_t out = 0;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	rest = file_head(path, text, sizeof text);
	while (str_next(&rest, '\n', &line))
		if (str_starts(line, str_of(key)) && str_to_u64(str_trim(str_sub(line,
		    strlen(key), line.n)), &out))
			return out;
	return 0;
}

/* Groups of benchmarks that have ended without removing them. */
static void
sweep(const char *parent)
{
	DIR *d = opendir(parent);
	struct dirent *entry;
	char path[BOX_PATH + 300];

	while (d != NULL && (entry = readdir(d)) != NULL) {
		long pid;

		if (strncmp(entry->d_name, GROUP, sizeof GROUP - 1) != 0)
			continue;
		pid = strtol(entry->d_name + sizeof GROUP - 1, NULL, 10);
		if (pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH) {
			snprintf(path, sizeof path, "%s/%s", parent, entry->d_name);
			rmdir(path);
		}
	}
	if (d != NULL)
		closedir(d);
}

static bool
group_new(const char *parent, char out[BOX_PATH])
{
	sweep(parent);
	return (size_t)snprintf(out, BOX_PATH, "%.400s/" GROUP "%d", parent,
	    (int)getpid()) < BOX_PATH && (mkdir(out, 0755) == 0 || errno == EEXIST);
}

static bool
make_v2(struct box *b, const char *own)
{
	char text[64];
	bool fine;

	/* Where it is delegated to us, or we are root at the top. */
	group_write(own, "cgroup.subtree_control", "+cpu +memory");
	if (!group_new(own, b->cpu))
		return false;
	memcpy(b->mem, b->cpu, sizeof b->mem);
	snprintf(text, sizeof text, "%.0f %d", b->cpus * PERIOD_US, PERIOD_US);
	fine = group_write(b->cpu, "cpu.max", text);
	snprintf(text, sizeof text, "%llu", (unsigned long long)b->memory);
	fine = fine && group_write(b->mem, "memory.max", text);
	group_write(b->mem, "memory.swap.max", "0");
	if (!fine)
		rmdir(b->cpu);
	return fine;
}

static bool
make_v1(struct box *b, const char *cpu, const char *mem)
{
	char text[64];
	bool fine;

	if (!group_new(cpu, b->cpu))
		return false;
	if (!group_new(mem, b->mem)) {
		rmdir(b->cpu);
		return false;
	}
	snprintf(text, sizeof text, "%d", PERIOD_US);
	group_write(b->cpu, "cpu.cfs_period_us", text);
	snprintf(text, sizeof text, "%.0f", b->cpus * PERIOD_US);
	fine = group_write(b->cpu, "cpu.cfs_quota_us", text);
	snprintf(text, sizeof text, "%llu", (unsigned long long)b->memory);
	fine = fine && group_write(b->mem, "memory.limit_in_bytes", text);
	if (!fine) {
		rmdir(b->cpu);
		rmdir(b->mem);
	}
	return fine;
}

void
box_make(struct box *b, double cpus, uint64_t memory)
{
	static char mounts_text[MOUNTS];
	char groups_text[8192], cpu[BOX_PATH], mem[BOX_PATH];
	struct str mounts = file_head("/proc/self/mountinfo", mounts_text,
	    sizeof mounts_text);
	struct str groups = file_head("/proc/self/cgroup", groups_text,
	    sizeof groups_text);

	*b = (struct box){ .cpus = cpus, .memory = memory };
	if (box_group_path(mounts, groups, "", cpu) && make_v2(b, cpu)) {
		b->kind = BOX_CGROUP2;
	} else if (box_group_path(mounts, groups, "cpu", cpu) &&
	    box_group_path(mounts, groups, "memory", mem) && make_v1(b, cpu, mem)) {
		b->kind = BOX_CGROUP1;
	} else {
		b->kind = BOX_RLIMIT;
		snprintf(b->why, sizeof b->why, "no control group could be made (%s); the "
		    "address space and the processors of each process are limited instead",
		    geteuid() == 0 ? "none is writable" : "not root, none is delegated");
	}
}

void
box_remove(struct box *b)
{
	if (b->kind == BOX_RLIMIT)
		return;
	/* The last process of a group may take a moment to be gone. */
	for (int i = 0; i < 50 && rmdir(b->cpu) != 0 && errno == EBUSY; i++)
		usleep(20000);
	if (b->kind == BOX_CGROUP1)
		for (int i = 0; i < 50 && rmdir(b->mem) != 0 && errno == EBUSY; i++)
			usleep(20000);
}

static int
enter_rlimits(const struct box *b)
{
	struct rlimit l = { b->memory, b->memory };
	cpu_set_t have, want;
	int n = (int)(b->cpus + 0.999);

	CPU_ZERO(&want);
	if (sched_getaffinity(0, sizeof have, &have) == 0) {
		for (int i = 0; i < CPU_SETSIZE && n > 0; i++)
			if (CPU_ISSET(i, &have)) {
				CPU_SET(i, &want);
				n--;
			}
		sched_setaffinity(0, sizeof want, &want);
	}
	return setrlimit(RLIMIT_AS, &l);
}

int
box_enter(const struct box *b)
{
	if (b->kind == BOX_RLIMIT)
		return enter_rlimits(b);
	if (!group_write(b->cpu, "cgroup.procs", "0"))
		return -1;
	return b->kind == BOX_CGROUP2 || group_write(b->mem, "cgroup.procs", "0") ? 0 : -1;
}

uint64_t
box_kills(const struct box *b)
{
	if (b->kind == BOX_CGROUP2)
		return group_number(b->mem, "memory.events", "oom_kill ");
	if (b->kind == BOX_CGROUP1)
		return group_number(b->mem, "memory.oom_control", "oom_kill ");
	return 0;
}
