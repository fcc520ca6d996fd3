/*
 * test.h - the unit test runner: each test in a process of its own, in an
 * empty directory of its own, several at a time.
 *
 *   TEST(buf_keeps_its_maximum)
 *   {
 *           ...
 *           CHECK(b.failed);
 *   }
 *
 * Link the file and the test is found.  A test fails by a CHECK, a signal, an
 * exit code other than 0, or after 20 s.  `unit-x [-v] [-j N] [PATTERN...]`
 * (-v: each with its seconds of CPU).
 * The directories are in $TMPDIR, or in memory, or in /tmp.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HARNESS_TEST_H
#define HARNESS_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include "base/rc.h"
#include "base/str.h"

struct test {
	const char *name, *file;
	void (*run)(void);
	struct test *next;
};

void test_register(struct test *t);

/* Of n random cases, or n tries at a race: so many as a sanitizer's build has time for, which
 * takes some five times as long for each.  The others run them all. */
unsigned test_rounds(unsigned n);

/* The test that runs takes as long as it takes: for what is asked for by hand. */
void test_unlimited(void);

_Noreturn void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define TEST(id)                                                            \
	static void test_##id(void);                                        \
	static struct test entry_##id = { #id, __FILE__, test_##id, NULL }; \
	__attribute__((constructor)) static void register_##id(void)        \
	{                                                                   \
		test_register(&entry_##id);                                 \
	}                                                                   \
	static void test_##id(void)

#define CHECK(condition)                                                    \
	do {                                                                \
		if (!(condition))                                           \
			test_fail(__FILE__, __LINE__, "%s", #condition);    \
	} while (0)

/* Evaluates once; shows both codes. */
#define CHECK_RC(expression, expected)                                      \
	do {                                                                \
		int rc_ = (expression);                                     \
		if (rc_ != (expected))                                      \
			test_fail(__FILE__, __LINE__, "%s: got %s, not %s", \
			    #expression, rc_name(rc_), rc_name(expected));  \
	} while (0)

/* Compares a str with a literal; shows both. */
#define CHECK_STR(actual, literal)                                          \
	do {                                                                \
		struct str a_ = (actual), b_ = str_of(literal);             \
		if (!str_eq(a_, b_))                                        \
			test_fail(__FILE__, __LINE__,                       \
			    "%s:\n   got \"%.*s\"\n   not \"%.*s\"",        \
			    #actual, FMT(a_), FMT(b_));                     \
	} while (0)

#define CHECK_INT(actual, expected)                                         \
	do {                                                                \
		long long a_ = (long long)(actual);                         \
		long long b_ = (long long)(expected);                       \
		if (a_ != b_)                                               \
			test_fail(__FILE__, __LINE__, "%s: got %lld, not %lld", \
			    #actual, a_, b_);                               \
	} while (0)

#endif
