/*
 * bench_ramp.c - the ramp's judgements: causes of collapse, the knee, control
 * groups, and what is typed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <signal.h>
#include <string.h>

#include "base/mem.h"
#include "bench/ramp_priv.h"

TEST(ramp_causes_are_told_apart)
{
	static const struct {
		struct ramp_end end;
		enum collapse cause;
	} rows[] = {
		{ { .said = true }, COLLAPSE_NONE },
		{ { .timed_out = true, .said = true }, COLLAPSE_TIMEOUT },
		{ { .said = true, .errors = 5, .sample = { "timeout: 5 sessions had not", 27 } },
		    COLLAPSE_TIMEOUT },
		{ { .signal = SIGKILL }, COLLAPSE_OOM },
		{ { .code = 137 }, COLLAPSE_OOM },
		{ { .kills = 1, .signal = SIGTERM }, COLLAPSE_OOM },
		{ { .signal = SIGABRT, .words = { "out of memory", 13 } }, COLLAPSE_OOM },
		{ { .said = true, .errors = 1, .sample = { "threads: the 9th could not", 26 } },
		    COLLAPSE_THREADS },
		{ { .code = 1, .words = { "4000 streams need 12128 open files", 34 } },
		    COLLAPSE_FILES },
		{ { .said = true, .errors = 3, .sample = { "answered 500", 12 } },
		    COLLAPSE_ERRORS },
		{ { .code = 2, .words = { "no arm", 6 } }, COLLAPSE_EXIT },
		{ { .signal = SIGSEGV }, COLLAPSE_EXIT },
		{ { .said = false }, COLLAPSE_EXIT },
	};
	char why[200];

	for (size_t i = 0; i < COUNT(rows); i++) {
		CHECK_INT(ramp_cause(&rows[i].end, why), rows[i].cause);
		CHECK((why[0] != '\0') == (rows[i].cause != COLLAPSE_NONE) ||
		    rows[i].cause == COLLAPSE_TIMEOUT);
	}
}

TEST(ramp_reads_a_result_line)
{
	struct ramp_step s = { 0 };
	struct err e;

	CHECK_RC(ramp_read(&s, S("{\"arm\":\"hand\",\"C\":5,\"ok\":5,\"errors\":0,"
	    "\"latency_infl\":1.5,\"cpu_ms_per_turn\":0.25,\"peak_rss_mb\":10.5,"
	    "\"peak_threads\":3}"), &e), OK);
	CHECK_INT(s.ok, 5);
	CHECK_INT(s.threads, 3);
	CHECK(s.infl > 1.49 && s.infl < 1.51 && s.cpu_ms_turn > 0.24);
	CHECK_RC(ramp_read(&s, S("{\"workload\":\"flow\"}"), &e), ERR_INVALID);
	CHECK(ramp_read(&s, S("{"), &e) != OK);
	CHECK(ramp_read(&s, S("nothing"), &e) != OK);
}

TEST(ramp_knee_is_the_last_below)
{
	struct ramp_step s[4] = {
		{ .c = 500, .infl = 1.1 }, { .c = 1000, .infl = 1.4 },
		{ .c = 2000, .infl = 3 }, { .c = 4000, .cause = COLLAPSE_OOM },
	};
	struct ramp_knee k = ramp_knee(s, 4);

	CHECK_INT(k.below, 1000);
	CHECK_INT(k.completes, 2000);
	k = ramp_knee(s, 0);
	CHECK_INT(k.below, 0);
	s[0].infl = 2;                       /* one that is fast behind a slow one is luck */
	k = ramp_knee(s, 4);
	CHECK_INT(k.below, 0);
	CHECK_INT(k.completes, 2000);
}

#define V2_GROUPS "0::/user.slice/a\n"
#define V2_MOUNTS "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
#define V1_GROUPS "9:name=systemd:/x\n6:memory:/box\n4:cpu,cpuacct:/box\n0::/\n"
#define V1_MOUNTS "33 32 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup " \
	"rw,cpu,cpuacct\n34 32 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"

TEST(box_finds_groups_of_both_versions)
{
	char path[BOX_PATH];

	CHECK(box_group_path(S(V2_MOUNTS), S(V2_GROUPS), "", path));
	CHECK_STR(str_of(path), "/sys/fs/cgroup/user.slice/a");
	CHECK(box_group_path(S(V1_MOUNTS), S(V1_GROUPS), "cpu", path));
	CHECK_STR(str_of(path), "/sys/fs/cgroup/cpu,cpuacct/box");
	CHECK(box_group_path(S(V1_MOUNTS), S(V1_GROUPS), "memory", path));
	CHECK_STR(str_of(path), "/sys/fs/cgroup/memory/box");
	/* Version 2's group without its mount, and a container's own root. */
	CHECK(!box_group_path(S(V1_MOUNTS), S(V1_GROUPS), "", path));
	CHECK(!box_group_path(S(V1_MOUNTS), S(V1_GROUPS), "pids", path));
	CHECK(box_group_path(S("34 32 0:30 /docker/1 /sys/fs/cgroup/memory rw - cgroup cgroup "
	    "rw,memory\n"), S("6:memory:/docker/1\n"), "memory", path));
	CHECK_STR(str_of(path), "/sys/fs/cgroup/memory");
	CHECK(!box_group_path(STR_NONE, STR_NONE, "", path));
	CHECK(!box_group_path(S("x"), S("::\n:\n"), "", path));
}

TEST(box_sizes_are_read)
{
	static const struct { const char *text; uint64_t bytes; } good[] = {
		{ "2G", 2048 * MB }, { "512m", 512 * MB }, { "1073741824", 1024 * MB }, { "16384k", 16 * MB },
	};
	static const char *const bad[] = { "", "G", "-1G", "1", "2GB", "x", "99999999999T" };
	uint64_t bytes;
	double cpus;
	struct err e;

	for (size_t i = 0; i < COUNT(good); i++) {
		CHECK_RC(box_memory_parse(good[i].text, &bytes, &e), OK);
		CHECK(bytes == good[i].bytes);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		CHECK_RC(box_memory_parse(bad[i], &bytes, &e), ERR_INVALID);
	CHECK_RC(box_cpus_parse("0.5", &cpus, &e), OK);
	CHECK_RC(box_cpus_parse("nan", &cpus, &e), ERR_INVALID);
	CHECK_RC(box_cpus_parse("0", &cpus, &e), ERR_INVALID);
	CHECK_RC(box_cpus_parse("1e9", &cpus, &e), ERR_INVALID);
}

TEST(ramp_steps_must_rise)
{
	int64_t c[RAMP_STEPS];
	struct err e;
	size_t n;

	CHECK_RC(ramp_steps_parse("500, 1000,2000", c, &n, &e), OK);
	CHECK_INT((long long)n, 3);
	CHECK_INT(c[2], 2000);
	CHECK_RC(ramp_steps_parse("2,1", c, &n, &e), ERR_INVALID);
	CHECK_RC(ramp_steps_parse("", c, &n, &e), ERR_INVALID);
	CHECK_RC(ramp_steps_parse("0", c, &n, &e), ERR_INVALID);
	CHECK_RC(ramp_steps_parse("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,"
	    "23,24,25,26,27,28,29,30,31,32,33", c, &n, &e), ERR_LIMIT);
}

TEST(ramp_an_image_is_run_with_the_box)
{
	struct ramp_options o = { .of = { .arm = "hand", .durability = "async", .turns = 6,
	    .tokens = 50, .ttft = 200, .token_ms = 5 }, .image = "bench", .docker = "podman" };
	struct ramp *r = mem_new(struct ramp);
	struct arena a = ARENA(64 * KB);
	const char *args[RAMP_ARGS];
	size_t n = 0;
	bool box = false, scratch = false;

	r->o = &o;
	r->cpus = 2;
	r->memory = 2048 * MB;
	ramp_args(r, &r->side[0], 8000, args, &a);
	for (; args[n] != NULL; n++) {
		box = box || strcmp(args[n], "--memory=2147483648") == 0;
		scratch = scratch || strcmp(args[n], "--scratch") == 0;
	}
	CHECK(strcmp(args[0], "podman") == 0 && strcmp(args[1], "run") == 0);
	CHECK(box && !scratch);
	arena_release(&a);
	free(r);
}
