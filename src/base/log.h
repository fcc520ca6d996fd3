/*
 * log.h - events, one line each: `ts level room event key=value ...`.
 *
 * Values are quoted when they need it; control bytes are escaped.  Never log
 * a secret: log_redact() gives the form that may be shown.  Any thread; one
 * write(2) a line.
 *
 * An event that repeats does not fill the disk: of LOG_BURST lines in
 * LOG_PERIOD_MS the rest is counted, and told by one line when the period is
 * over: `ts level room event suppressed=N`.  log_at and log_debug are not
 * limited: somebody asked for each of their lines.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/clock.h"
#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

extern enum log_level log_threshold;         /* set once at start */
extern bool log_as_json;                     /* likewise: an object a line */

/* The format is `key=%d other=%s`; each value is one conversion.
 * log_event(LOG_INFO, "net", "listening", "port=%d host=%s", port, host) */
void log_event(enum log_level level, const char *room, const char *event,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same without a limit: for lines that are the purpose of a setting. */
void log_each(enum log_level level, const char *room, const char *event,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Of work that is tried again and again, and fails for a while: a line when that begins, one each
 * LOG_AGAIN_MS, and one when it works again: `room event over=true times=N ms=M`.  Zeroed at
 * first; of one thread at a time.
 *   if (rc != OK)
 *           log_fails(&x->unread, "hook", "not_read", "rc=%s", rc_name(rc));
 *   else
 *           log_works(&x->unread, "hook", "not_read"); */
struct log_spell {
	nsec began, told;
	uint64_t times;                      /* 0: it works */
};
void log_fails(struct log_spell *s, const char *room, const char *event, const char *format,
    ...) __attribute__((format(printf, 4, 5)));
void log_works(struct log_spell *s, const char *room, const char *event);

/* When the next count of suppressed lines is due (monotonic), or NEVER. */
nsec log_due(void);
/* Tells the counts that are due; NEVER: all of them. */
void log_flush(nsec now);

/* log_redact(key).text: "unset", "set", or the first four bytes and length. */
struct log_redacted { char text[40]; };
struct log_redacted log_redact(struct str secret);

bool log_level_parse(struct str s, enum log_level *out);

#define log_error(...) log_event(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_event(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_event(LOG_INFO, __VA_ARGS__)
/* log_each, and evaluates its values only when the level is shown. */
#define log_at(level, ...) \
	(log_threshold >= (level) ? log_each((level), __VA_ARGS__) : (void)0)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

#endif
