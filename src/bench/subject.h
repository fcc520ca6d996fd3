/*
 * subject.h - a process that measures: its output, its RESULT line, how it ended.
 *
 * Its stdout is read whole; of its stderr the end is kept, as the words of a
 * failure.  It is told to stop (SIGTERM) when this process ends.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/rc.h"

#define SUBJECT_OUT_BYTES (16 * MB)

struct subject {
	const char *const *argv;             /* NULL-ended; argv[0]: a path, or in PATH */
	msec timeout;                        /* then it is killed */
	const char *skip;                    /* stderr that begins so is progress, not kept;
	                                        or NULL */
	/* In the child before exec; not 0: it exits with 126.  May be NULL. */
	int (*enter)(void *ctx);
	/* Every 100 ms while it runs; may be NULL. */
	void (*tick)(void *ctx);
	void *ctx;
	/* out */
	struct buf out, words;
	int code, signal;                    /* one of them, or 0 */
	bool timed_out;
	nsec took;
};

/* Release also after errors.  ERR_IO: it could not be started. */
int  subject_run(struct subject *c, struct err *e);
void subject_release(struct subject *c);

/* The last line that begins with "RESULT {", without "RESULT "; STR_NONE. */
struct str subject_result(const struct subject *c);
/* Why it failed, in a line: the end of its stderr, else its code or signal. */
void subject_why(const struct subject *c, struct buf *out);

#endif
