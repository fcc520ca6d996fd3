/*
 * rc.h - the vocabulary of failure.
 *
 * A code says what to do next, not where it went wrong; the words for people
 * go into struct err.  One table in api/ turns a code into an HTTP status.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_RC_H
#define BASE_RC_H

#include <stdarg.h>
#include <stddef.h>

#define RC_MAP(X)                                                              \
	X(SYNTAX,    -1,  "malformed input")         /* cannot be parsed */    \
	X(UNAUTH,    -2,  "not authenticated")                                 \
	X(DENIED,    -3,  "not authorized")                                    \
	X(NOTFOUND,  -4,  "not found")               /* or not yours */        \
	X(METHOD,    -5,  "method not allowed")                                \
	X(CONFLICT,  -6,  "conflict")                /* the state forbids it */\
	X(TOOBIG,    -7,  "too large")               /* a size over a limit */ \
	X(INVALID,   -8,  "invalid input")           /* parsed, but wrong */   \
	X(LIMIT,     -9,  "limit reached")           /* a count over a limit */\
	X(HEADERS,   -10, "request headers too large")                         \
	X(IO,        -11, "input/output error")                                \
	X(CLOSED,    -12, "closed by the other side")                          \
	X(BUSY,      -13, "busy, try again")                                   \
	X(TIMEOUT,   -14, "timed out")                                         \
	X(CANCELLED, -15, "cancelled")                                         \
	X(AGAIN,     -16, "not ready yet")           /* the loop calls back */ \
	X(MEDIA,     -17, "unsupported media type")

enum rc {
	OK = 0,
#define X(name, value, text) ERR_##name = value,
	RC_MAP(X)
#undef X
};

/* Text for the person who reads it.  `text` is always NUL-ended. */
struct err {
	int code;
	char text[496];
};

/* The fixed words of a code; "ok" for OK.  Never NULL. */
const char *rc_text(int rc);

/* Short upper-case name, as in "NOTFOUND"; for logs and tests. */
const char *rc_name(int rc);

/* Sets e (may be NULL) and returns rc, so `return err_set(...)` reads well.
 * Cut at the size of text, never in the middle of a UTF-8 sequence. */
int err_set(struct err *e, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int err_vset(struct err *e, int rc, const char *format, va_list ap);

/* The same, and `; did you mean "near"?` with mark around near (NULL: nothing is
 * near); a mark of dashes stands before it only. */
int err_near(struct err *e, int rc, const char *near, const char *mark,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
