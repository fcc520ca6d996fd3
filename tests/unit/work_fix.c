/*
 * work_fix.c - see work_fix.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work_fix.h"

#include <stdarg.h>
#include <string.h>

void
fix_open(struct fix *f)
{
	memset(f, 0, sizeof *f);
	f->now = 1763700000000;
	f->actor = "ada";
	f->data = BUF(256 * MB);
	CHECK_RC(db_open(&f->db, "work.db", NULL, &work_sql, DB_WRITE, &f->e), OK);
	CHECK_RC(db_exec(&f->db, "PRAGMA synchronous = OFF", &f->e), OK);
	CHECK_RC(db_migrate(&f->db, &work_format, &f->e), OK);
	f->w = work_new(&f->db);
	CHECK_RC(work_tracker_make(f->w, 0, S(""), S("t"), f->now, &f->tracker,
	    &f->e), OK);
}

void
fix_close(struct fix *f)
{
	json_release(&f->doc);
	buf_release(&f->data);
	work_free(f->w);
	db_close(&f->db);
}

void
fix_fill(struct fix *f, bool on)
{
	CHECK_RC(db_exec(&f->db, on ? "BEGIN IMMEDIATE" : "COMMIT", &f->e), OK);
	f->filling = on;
}

int
fix_json(struct fix *f, const char *operation, struct str args)
{
	struct work_call c = { .tracker = f->tracker, .now = ++f->now };
	struct json_doc doc;
	int rc;

	if (json_parse(&doc, args, &f->e) != OK)
		test_fail(__FILE__, __LINE__, "%.*s: %s", FMT(args), f->e.text);
	json_release(&f->doc);
	memset(&f->doc, 0, sizeof f->doc);
	buf_clear(&f->data);
	c.operation = str_of(operation);
	c.args = doc.root;
	c.actor = str_of(f->actor);
	c.data = &f->data;
	if (!f->filling)
		CHECK_RC(db_exec(&f->db, "BEGIN IMMEDIATE", &f->e), OK);
	rc = work_run(f->w, &c);
	if (!f->filling)
		CHECK_RC(db_exec(&f->db, rc == OK ? "COMMIT" : "ROLLBACK", &f->e), OK);
	f->e = c.err;
	json_release(&doc);
	if (f->data.n > 0 && json_parse(&f->doc, buf_str(&f->data), &f->e) != OK)
		test_fail(__FILE__, __LINE__, "answer of %s: %s: %.*s", operation,
		    f->e.text, FMT(buf_str(&f->data)));
	return rc;
}

static int
fix_vcall(struct fix *f, const char *operation, const char *args, va_list ap)
{
	static char text[16 * 1024 * 1024];

	vsnprintf(text, sizeof text, args, ap);
	for (char *p = text; *p != '\0'; p++)
		*p = *p == '\'' ? '"' : *p;
	return fix_json(f, operation, str_of(text));
}

int
fix_call(struct fix *f, const char *operation, const char *args, ...)
{
	va_list ap;
	int rc;

	va_start(ap, args);
	rc = fix_vcall(f, operation, args, ap);
	va_end(ap);
	return rc;
}

void
fix_ok(struct fix *f, const char *operation, const char *args, ...)
{
	va_list ap;
	int rc;

	va_start(ap, args);
	rc = fix_vcall(f, operation, args, ap);
	va_end(ap);
	if (rc != OK)
		test_fail(__FILE__, __LINE__, "%s %s: %s: %s", operation, args,
		    rc_name(rc), f->e.text);
}

struct str
fix_get(struct fix *f, const char *path)
{
	static char text[8][8192];
	static unsigned turn;
	struct str rest = str_of(path), part;
	struct buf b = BUF(1 * MB);
	char *to = text[turn++ % 8];
	jnode n = f->doc.root;
	uint64_t i;

	while (n != NULL && str_next(&rest, '.', &part))
		n = str_to_u64(part, &i) && json_is_array(n) ?
		    json_at(n, (size_t)i) : json_get(n, part);
	if (json_is_string(n))
		buf_add(&b, json_str(n));
	else if (n != NULL)
		json_add_node(&b, n);
	snprintf(to, sizeof text[0], "%.*s", FMT(buf_str(&b)));
	buf_release(&b);
	return str_of(to);
}

const char *
fix_ids(struct fix *f)
{
	static char text[8192];
	struct json_iter it = json_each(f->doc.root);
	size_t at = 0;

	text[0] = '\0';
	while (json_next(&it))
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s",
		    at > 0 ? " " : "", FMT(json_str(json_get(it.value, S("id")))));
	return text;
}

int64_t
fix_count(struct fix *f, const char *sql)
{
	int64_t n = -1;

	CHECK_RC(db_read_i64(&f->db, sql, &n, &f->e), OK);
	return n;
}
