/*
 * fuzz_work_line.c - the tracker's command lines (one argument a line), the
 * arguments they become, templates and indented JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "workcli/cmd.h"

enum { ARGS_MAX = 64 };

static void
try_format(struct str text)
{
	static const char items[] = "[{\"id\":\"b-1\",\"labels\":[\"x\"],"
	    "\"dependencies\":[{\"issue_id\":\"b-1\",\"depends_on_id\":\"b-1\"}]}]";
	struct buf out = BUF(16 * MB);
	struct cli_format f;
	struct json_doc d = { 0 };
	struct err e = { 0 };

	assert(json_parse(&d, str_of(items), &e) == OK);
	if (cli_format_check(text, &e) == OK) {
		cli_format_init(&f, text);
		if (f.graph)
			cli_format_know(&f, &out, d.root);
		cli_format_add(&f, &out, d.root);
		cli_format_end(&f, &out);
		cli_format_release(&f);
	} else {
		assert(e.text[0] != '\0');
	}
	json_release(&d);
	buf_release(&out);
}

/* What is indented is the same value. */
static void
try_indent(struct str text)
{
	struct buf out = BUF(64 * MB);
	struct json_doc d = { 0 }, again = { 0 };

	if (text.n < 4096 && json_parse(&d, text, NULL) == OK) {
		struct buf compact = BUF(16 * MB);

		json_add_node(&compact, d.root);
		cli_add_indented(&out, buf_str(&compact));
		assert(json_parse(&again, buf_str(&out), NULL) == OK);
		buf_clear(&out);
		json_add_node(&out, again.root);
		assert(str_eq(buf_str(&out), buf_str(&compact)));
		buf_release(&compact);
	}
	json_release(&d);
	json_release(&again);
	buf_release(&out);
}

static void
try_line(int argc, char **argv)
{
	struct arena a = ARENA(MB);
	struct buf args = BUF(MB);
	struct cli_line l;
	struct err e = { 0 };

	buf_add_char(&args, '{');
	if (cli_parse(&l, argc, argv, &a, &e) != OK) {
		assert(e.text[0] != '\0');
	} else if (l.cmd != NULL && !line_has(&l.in, "help") &&
	    args_add_line(&l.in, l.cmd, &args, &e) == OK) {
		buf_add_char(&args, '}');
		assert(json_check(buf_str(&args), &e) == OK);
	}
	buf_release(&args);
	arena_release(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = { (const char *)data, n }, rest = text, part;
	struct arena a = ARENA(4 * MB);
	char *argv[ARGS_MAX];
	int argc = 0;
	nsec t;

	while (argc < ARGS_MAX && str_next(&rest, '\n', &part)) {
		struct str copy = arena_str(&a, part);

		if (a.failed)
			break;
		argv[argc++] = (char *)copy.p;
	}
	try_line(argc, argv);
	try_format(text);
	try_indent(text);
	if (cli_duration(text, &t))
		assert(t > 0);
	arena_release(&a);
	return 0;
}
