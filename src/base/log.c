/*
 * log.c - one event, one line, one write(2) to stderr.
 *
 * The format is walked conversion by conversion, because the end of a value
 * must be known to quote it: a value from outside can hold blanks, quotes and
 * line ends, and must not be able to forge a field or a line.  Text between
 * conversions is ours and goes out as it is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log_priv.h"
#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096                  /* within PIPE_BUF: never torn */
#define VALUE_MAX      1024
#define SPEC_MAX       24

enum log_level log_threshold = LOG_INFO;
bool log_as_json = false;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

struct line {
	size_t n;
	char text[LINE_MAX_BYTES];
};

/* Appends what fits; one byte is kept for the newline. */
static void
line_add(struct line *l, struct str s)
{
	size_t room = sizeof l->text - 1 - l->n;
	size_t n = s.n < room ? s.n : room;

	if (n > 0)
		memcpy(l->text + l->n, s.p, n);
	l->n += n;
}

static bool
is_bare(char c)
{
	return c > ' ' && c != '"' && c != '=' && c != '\\' && c != 0x7f;
}

static void
add_quoted(struct line *l, struct str s)
{
	line_add(l, S("\""));
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		char escape[8];

		if (c == '"' || c == '\\')
			snprintf(escape, sizeof escape, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			snprintf(escape, sizeof escape, "\\x%02x", c);
		else
			snprintf(escape, sizeof escape, "%c", c);
		line_add(l, str_of(escape));
	}
	line_add(l, S("\""));
}

static void
add_value(struct line *l, struct str s)
{
	bool bare = s.n > 0;

	for (size_t i = 0; i < s.n && bare; i++)
		bare = is_bare(s.p[i]) || (s.p[i] & 0x80) != 0;
	if (bare)
		line_add(l, s);
	else
		add_quoted(l, s);
}

/* ---- the format ------------------------------------------------------------ */

struct spec {
	char text[SPEC_MAX];                 /* "%-8.3f", stars kept */
	size_t n;
	int stars;
	char size[3];                        /* "", h, hh, l, ll, z, j, t */
	char letter;
};

/* Reads the conversion that starts at p ('%'); returns what follows it. */
static const char *
spec_read(const char *p, struct spec *s)
{
	const char *start = p++;
	size_t n;

	*s = (struct spec){ .n = 0 };
	for (; strchr("-+ #0123456789.*", *p) != NULL && *p != '\0'; p++)
		s->stars += *p == '*';
	for (n = 0; n < 2 && *p != '\0' && strchr("hlzjt", *p) != NULL; n++)
		s->size[n] = *p++;
	s->letter = *p++;
	s->n = (size_t)(p - start);
	assert(s->letter != '\0' && s->n < SPEC_MAX && s->stars <= 2);
	memcpy(s->text, start, s->n);
	return p;
}

/* snprintf with the stars of the conversion filled in. */
#define PRINT(arg)                                                            \
	(s->stars == 0 ? snprintf(out, VALUE_MAX, s->text, (arg)) :           \
	    s->stars == 1 ? snprintf(out, VALUE_MAX, s->text, star[0], (arg)) : \
	    snprintf(out, VALUE_MAX, s->text, star[0], star[1], (arg)))

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

/* Formats one conversion, taking its arguments from *ap. */
static int
spec_print(const struct spec *s, char out[VALUE_MAX], va_list *ap)
{
	int star[2] = { 0, 0 };

	for (int i = 0; i < s->stars; i++)
		star[i] = va_arg(*ap, int);
	switch (s->letter) {
	case 's':
		return PRINT(va_arg(*ap, const char *));
	case 'p':
		return PRINT(va_arg(*ap, void *));
	case 'a': case 'e': case 'f': case 'g':
	case 'A': case 'E': case 'F': case 'G':
		return PRINT(va_arg(*ap, double));
	case 'c': case 'd': case 'i': case 'o': case 'u': case 'x': case 'X':
		break;
	default:
		abort();                     /* a conversion no log line has */
	}
	/* On Linux long long, intmax_t, size_t, ptrdiff_t and long are passed
	 * alike, or as wide as their size says. */
	if (strcmp(s->size, "ll") == 0 || s->size[0] == 'j')
		return PRINT(va_arg(*ap, long long));
	if (s->size[0] == 'l' || s->size[0] == 'z' || s->size[0] == 't')
		return PRINT(va_arg(*ap, long));
	return PRINT(va_arg(*ap, int));
}

#pragma GCC diagnostic pop

static void
add_fields(struct line *l, const char *format, va_list *ap)
{
	char value[VALUE_MAX];

	while (*format != '\0') {
		size_t plain = strcspn(format, "%");
		struct spec spec;
		int n;

		line_add(l, (struct str){ format, plain });
		format += plain;
		if (*format == '\0')
			break;
		if (format[1] == '%') {
			line_add(l, S("%"));
			format += 2;
			continue;
		}
		format = spec_read(format, &spec);
		n = spec_print(&spec, value, ap);
		n = n < 0 ? 0 : n < VALUE_MAX ? n : VALUE_MAX - 1;
		add_value(l, (struct str){ value, (size_t)n });
	}
}

static void
line_begin(struct line *l, enum log_level level, const char *room, const char *event)
{
	char stamp[CLOCK_ISO_SIZE];

	l->n = 0;
	clock_write_iso(stamp, clock_wall_ms());
	line_add(l, (struct str){ stamp, sizeof stamp });
	line_add(l, S(" "));
	line_add(l, str_of(level_names[level]));
	line_add(l, S(" "));
	line_add(l, str_of(room));
	line_add(l, S(" "));
	line_add(l, str_of(event));
}

/* A lost log line has no one to tell. */
static void
bytes_write(const char *bytes, size_t n)
{
	ssize_t rc;

	do
		rc = write(STDERR_FILENO, bytes, n);
	while (rc < 0 && errno == EINTR);
}

static void
line_write(struct line *l)
{
	struct buf json = BUF(LINE_MAX_BYTES);

	if (!log_as_json) {
		l->text[l->n++] = '\n';
		bytes_write(l->text, l->n);
		return;
	}
	log_json_add(&json, (struct str){ l->text, l->n }, LINE_MAX_BYTES - 1);
	buf_add_char(&json, '\n');
	bytes_write(json.p, json.n);
	buf_release(&json);
}

static void
write_event(enum log_level level, const char *room, const char *event,
    const char *format, va_list *ap)
{
	struct line l;

	line_begin(&l, level, room, event);
	if (format[0] != '\0') {
		line_add(&l, S(" "));
		add_fields(&l, format, ap);
	}
	line_write(&l);
}

/* ---- repeated lines --------------------------------------------------------- */

#define COUNTERS 256                         /* more events than there are */

struct counter {
	const char *room, *event;            /* literals; NULL: free */
	enum log_level level;
	nsec until;                          /* the period's end */
	unsigned shown, hidden;
};

static pthread_mutex_t counters_lock = PTHREAD_MUTEX_INITIALIZER;
static struct counter counters[COUNTERS];
static _Atomic nsec due = NEVER;

/* NULL when the table is full. */
static struct counter *
counter_of(const char *room, const char *event)
{
	uint64_t h = str_hash(str_of(event));

	for (size_t i = 0; i < COUNTERS; i++) {
		struct counter *c = &counters[(h + i) % COUNTERS];

		if (c->event == NULL)
			*c = (struct counter){ .room = room, .event = event };
		if (strcmp(c->event, event) == 0 && strcmp(c->room, room) == 0)
			return c;
	}
	return NULL;
}

static void
flush_all(void)
{
	log_flush(NEVER);
}

/* Whether the line is to be written; else it is counted. */
static bool
is_shown(enum log_level level, const char *room, const char *event, nsec now)
{
	static bool at_exit;
	struct counter *c = counter_of(room, event);

	if (c == NULL)
		return true;
	if (now >= c->until && c->hidden == 0) {
		c->until = now + LIMIT_LOG_PERIOD_MS * NS_PER_MS;
		c->shown = 0;
	}
	if (c->shown < LIMIT_LOG_BURST) {
		c->shown++;
		return true;
	}
	c->hidden++;
	c->level = level;
	if (c->until < atomic_load(&due))
		atomic_store(&due, c->until);
	if (!at_exit)
		at_exit = atexit(flush_all) == 0;
	return false;
}

nsec
log_due(void)
{
	return atomic_load_explicit(&due, memory_order_relaxed);
}

void
log_flush(nsec now)
{
	nsec next = NEVER;

	if (log_due() == NEVER || log_due() > now)
		return;
	pthread_mutex_lock(&counters_lock);
	for (struct counter *c = counters; c < counters + COUNTERS; c++) {
		char text[40];
		struct line l;

		if (c->hidden == 0)
			continue;
		if (c->until > now) {
			next = c->until < next ? c->until : next;
			continue;
		}
		snprintf(text, sizeof text, " suppressed=%u", c->hidden);
		line_begin(&l, c->level, c->room, c->event);
		line_add(&l, str_of(text));
		line_write(&l);
		c->hidden = c->shown = 0;
		c->until = 0;
	}
	atomic_store(&due, next);
	pthread_mutex_unlock(&counters_lock);
}

void
log_event(enum log_level level, const char *room, const char *event,
    const char *format, ...)
{
	bool shown;
	int saved = errno;
	nsec now;
	va_list ap;

	if (level > log_threshold)
		return;
	now = clock_mono();
	log_flush(now);
	pthread_mutex_lock(&counters_lock);
	shown = is_shown(level, room, event, now);
	pthread_mutex_unlock(&counters_lock);
	if (shown) {
		va_start(ap, format);
		write_event(level, room, event, format, &ap);
		va_end(ap);
	}
	errno = saved;
}

void
log_each(enum log_level level, const char *room, const char *event,
    const char *format, ...)
{
	int saved = errno;
	va_list ap;

	if (level > log_threshold)
		return;
	va_start(ap, format);
	write_event(level, room, event, format, &ap);
	va_end(ap);
	errno = saved;
}

/* ---- failures that go on ------------------------------------------------------ */

void
log_fails(struct log_spell *s, const char *room, const char *event, const char *format, ...)
{
	int saved = errno;
	nsec now = clock_mono();
	va_list ap;

	if (s->times++ == 0)
		s->began = now;
	else if (now - s->told < LIMIT_LOG_AGAIN_MS * NS_PER_MS)
		return;
	s->told = now;
	if (LOG_WARN > log_threshold)
		return;
	va_start(ap, format);
	write_event(LOG_WARN, room, event, format, &ap);
	va_end(ap);
	errno = saved;
}

void
log_works(struct log_spell *s, const char *room, const char *event)
{
	if (s->times > 1)
		log_info(room, event, "over=true times=%llu ms=%lld",
		    (unsigned long long)s->times,
		    (long long)((clock_mono() - s->began) / NS_PER_MS));
	s->times = 0;
}

bool
log_level_parse(struct str s, enum log_level *out)
{
	for (size_t i = 0; i < COUNT(level_names); i++) {
		if (str_eq_nocase(s, str_of(level_names[i]))) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* Four bytes of a long secret tell two apart and help no one guess. */
struct log_redacted
log_redact(struct str secret)
{
	struct log_redacted r;

	if (secret.n == 0)
		snprintf(r.text, sizeof r.text, "unset");
	else if (secret.n < 16)
		snprintf(r.text, sizeof r.text, "set");
	else
		snprintf(r.text, sizeof r.text, "%.*s...(%zu)", 4, secret.p, secret.n);
	return r;
}
