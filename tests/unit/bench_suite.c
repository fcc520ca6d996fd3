/*
 * bench_suite.c - the table of workloads: its rows, grades, selection.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "bench/suite.h"

TEST(suite_rows_are_whole)
{
	CHECK(suite_rows_n <= SUITE_ROWS);
	for (size_t i = 0; i < suite_rows_n; i++) {
		const struct workload *w = &suite_rows[i];

		CHECK(w->title != NULL && w->group < SUITE_GROUPS);
		CHECK(suite_find(str_of(w->id)) == w);
		CHECK(strchr(w->id, ' ') == NULL);
		if (w->words == NULL)
			continue;
		CHECK(w->measures != NULL && w->not_measures != NULL && w->seconds > 0);
		CHECK(w->metric[0].key != NULL && w->metric[SUITE_METRICS - 1].key == NULL);
	}
}

TEST(suite_grades_by_the_page)
{
	static const struct {
		enum suite_core core;
		double value;
		enum suite_grade grade;
	} rows[] = {
		{ CORE_THROUGHPUT, 100000, GRADE_TARGET }, { CORE_THROUGHPUT, 99999, GRADE_ACCEPTABLE },
		{ CORE_THROUGHPUT, 49999, GRADE_CRITICAL }, { CORE_THROUGHPUT, 9999, GRADE_FAILED },
		{ CORE_P50, 1, GRADE_TARGET }, { CORE_P50, 1.01, GRADE_ACCEPTABLE },
		{ CORE_P50, 5.01, GRADE_CRITICAL }, { CORE_P50, 10.01, GRADE_FAILED },
		{ CORE_P99, 10, GRADE_TARGET }, { CORE_P99, 100.1, GRADE_FAILED },
		{ CORE_SPAWN, 499, GRADE_ACCEPTABLE }, { CORE_MEMORY, 60, GRADE_CRITICAL },
		{ CORE_CPU, 4.9, GRADE_TARGET }, { CORE_RECOVERY, 121, GRADE_CRITICAL },
		{ CORE_TASKS, 1, GRADE_NONE }, { CORE_NONE, 1, GRADE_NONE },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_INT(suite_grade(rows[i].core, rows[i].value), rows[i].grade);
}

TEST(suite_targets_of_ours)
{
	struct suite_metric up = { "a_per_s", "/s", UP, 5, 0, 0 };
	struct suite_metric down = { "a_us", "us", DOWN, 5, 0, 0 };
	struct suite_metric none = { "a_us", "us", DOWN, 0, 0, 0 };

	CHECK(suite_met(&up, 5) && !suite_met(&up, 4.9));
	CHECK(suite_met(&down, 5) && !suite_met(&down, 5.1));
	CHECK(suite_met(&none, 1e9));
}

TEST(suite_only_names_a_near_id)
{
	bool on[SUITE_ROWS];
	struct err e;
	size_t n = 0;

	CHECK_RC(suite_only(S("b1, sessions-HAND"), on, &e), OK);
	for (size_t i = 0; i < suite_rows_n; i++)
		n += on[i];
	CHECK_INT(n, 2);
	CHECK_RC(suite_only(S("sessions-hend"), on, &e), ERR_INVALID);
	CHECK(strstr(e.text, "did you mean \"sessions-hand\"") != NULL);
	CHECK_RC(suite_only(STR_NONE, on, &e), OK);
	CHECK(on[0] && on[suite_rows_n - 1]);
}
