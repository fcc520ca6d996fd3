/*
 * account.c - see account.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/account.h"

#include <assert.h>
#include <linux/limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

struct account account_files = { .name = "files", .capacity = SIZE_MAX };
struct account account_bodies = { .name = "bodies", .capacity = SIZE_MAX };
struct account account_output = { .name = "output", .capacity = SIZE_MAX };
struct account account_tls = { .name = "tls", .capacity = SIZE_MAX };
struct account account_mail = { .name = "mail", .capacity = SIZE_MAX };
struct account account_vectors = { .name = "vectors", .capacity = SIZE_MAX };

void
account_set_capacity(struct account *a, size_t capacity)
{
	atomic_store_explicit(&a->capacity, capacity, memory_order_relaxed);
}

static size_t
capacity_of(const struct account *a)
{
	return atomic_load_explicit(&a->capacity, memory_order_relaxed);
}

bool
account_take(struct account *a, size_t n)
{
	size_t used = account_used(a), capacity = capacity_of(a);

	assert(a->name != NULL);
	do {
		if (used > capacity || n > capacity - used)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&a->used, &used, used + n,
	    memory_order_relaxed, memory_order_relaxed));
	return true;
}

bool
account_charge(struct account *a, size_t n)
{
	return atomic_fetch_add_explicit(&a->used, n, memory_order_relaxed) + n <=
	    capacity_of(a);
}

void
account_give(struct account *a, size_t n)
{
	size_t was = atomic_fetch_sub_explicit(&a->used, n, memory_order_relaxed);

	assert(was >= n);
}

size_t
account_used(const struct account *a)
{
	return atomic_load_explicit(&a->used, memory_order_relaxed);
}

size_t
account_room(const struct account *a)
{
	size_t used = account_used(a), capacity = capacity_of(a);

	return used < capacity ? capacity - used : 0;
}

/* ---- the process's memory ------------------------------------------------ */

/* The number in a file of one line; UINT64_MAX when it is "max", or is not
 * there. */
static uint64_t
number_in(const char *path)
{
	char text[32], *end;
	uint64_t v;

	file_head(path, text, sizeof text);
	v = strtoull(text, &end, 10);
	return end == text ? UINT64_MAX : v;
}

/* The smallest limit from group up to the root.  group is cut as we go. */
static uint64_t
smallest_limit(const char *mount, char *group, const char *file)
{
	uint64_t best = UINT64_MAX;

	for (;;) {
		char path[PATH_MAX];
		char *slash = strrchr(group, '/');
		uint64_t v;

		if (snprintf(path, sizeof path, "%s%s/%s", mount, group, file) <
		    (int)sizeof path) {
			v = number_in(path);
			best = v < best ? v : best;
		}
		if (slash == NULL)
			return best;
		*slash = '\0';
	}
}

/* Lines "0::/group" (v2) and "N:...,memory,...:/group" (v1). */
static uint64_t
limit_of_groups(void)
{
	char line[PATH_MAX];
	uint64_t best = UINT64_MAX;
	FILE *f = fopen("/proc/self/cgroup", "re");

	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		char *kinds = strchr(line, ':');
		char *group = kinds == NULL ? NULL : strchr(kinds + 1, ':');
		uint64_t v = UINT64_MAX;

		if (group == NULL)
			continue;
		*group++ = '\0';
		group[strcspn(group, "\n")] = '\0';
		if (kinds[1] == '\0')
			v = smallest_limit("/sys/fs/cgroup", group, "memory.max");
		else if (strstr(kinds + 1, "memory") != NULL)
			v = smallest_limit("/sys/fs/cgroup/memory", group,
			    "memory.limit_in_bytes");
		best = v < best ? v : best;
	}
	if (f != NULL)
		fclose(f);
	return best;
}

uint64_t
account_memory_limit(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	uint64_t machine = pages > 0 && size > 0 ?
	    (uint64_t)pages * (uint64_t)size : UINT64_C(1) << 30;
	uint64_t groups = limit_of_groups();

	return groups < machine ? groups : machine;
}

size_t
account_share(uint64_t memory, size_t most)
{
	return memory / 4 < most ? (size_t)(memory / 4) : most;
}
