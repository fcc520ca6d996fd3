/*
 * cmd_chart.c - `cohort chart run FILE`: a chart by itself, to its end, with
 * events from the command line and from stdin.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "chart/chart.h"
#include "chart/sim.h"
#include "main/cmd.h"

const struct flag cmd_chart_run_flags[] = {
	{ "virtual", .help = "let the clock jump to the next delayed event" },
	{ "event", .kind = FLAG_TEXT, .value = "NAME[=JSON]", .help = "send this when the "
	    "chart is stable, before the clock moves; repeatable; - reads such lines "
	    "from stdin" },
	{ "quiet", .help = "do not show what the chart logs" },
	{ NULL }
};

/* The events of the command line, in order; `-` stands for lines of stdin. */
struct outside {
	const struct flag_line *args;
	size_t at;                   /* of the given flags */
	bool lines;                  /* reading lines of stdin */
	unsigned line;
	char *text;                  /* getline's */
	size_t text_cap;
};

/* `NAME` or `NAME=JSON`. */
static int
read_event(struct str text, struct str *name, struct val *data, struct err *e)
{
	ptrdiff_t eq = str_index(text, '=');
	struct err why = { 0 };

	*name = str_trim(eq < 0 ? text : str_sub(text, 0, (size_t)eq));
	*data = VAL_UNDEF;
	if (!chart_is_event_name(*name))
		return err_set(e, ERR_INVALID, "'%.*s' is not an event: NAME or NAME=JSON, "
		    "the name without blanks and '*'", FMT(str_sub(text, 0, 100)));
	if (eq >= 0 && json_text_to_val(str_sub(text, (size_t)eq + 1, SIZE_MAX), data,
	    &why) != OK)
		return err_set(e, ERR_INVALID, "event %.*s: its data is not JSON: %s",
		    FMT(*name), why.text);
	return OK;
}

/* The next line of stdin that is not empty.  ERR_NOTFOUND at its end. */
static int
next_line(struct outside *o, struct str *name, struct val *data, struct err *e)
{
	ssize_t n;
	struct str text;
	struct err why;

	do {
		n = getline(&o->text, &o->text_cap, stdin);
		if (n < 0)
			return ERR_NOTFOUND;
		o->line++;
		text = str_trim((struct str){ o->text, (size_t)n });
	} while (text.n == 0);
	if (read_event(text, name, data, &why) == OK)
		return OK;
	return err_set(e, ERR_INVALID, "stdin, line %u: %s", o->line, why.text);
}

/* The next --event of the command line.  ERR_NOTFOUND: no more. */
static int
next_flag(struct outside *o, struct str *text)
{
	while (o->at < o->args->given_n) {
		const struct flag_given *g = &o->args->given[o->at++];

		*text = g->value;
		if (str_eq(str_of(g->flag->name), S("event")))
			return OK;
	}
	return ERR_NOTFOUND;
}

static int
next_event(void *ctx, struct str *name, struct val *data, struct err *e)
{
	struct outside *o = ctx;
	struct str text;

	for (;;) {
		int rc = o->lines ? next_line(o, name, data, e) : next_flag(o, &text);

		if (o->lines && rc != ERR_NOTFOUND)
			return rc;
		if (!o->lines && rc != OK)
			return rc;
		if (!o->lines && !str_eq(text, S("-")))
			return read_event(text, name, data, e);
		o->lines = !o->lines;
	}
}

/* Checks all events before the chart runs. */
static int
check_events(const struct flag_line *args, struct err *e)
{
	struct outside o = { .args = args };
	struct str text, name;
	struct val data;
	int rc = OK;

	while (rc == OK && next_flag(&o, &text) == OK) {
		if (str_eq(text, S("-")))
			continue;
		rc = read_event(text, &name, &data, e);
		val_drop(data);
	}
	return rc;
}

static int
chart_run(const struct flag_command *cmd, const struct flag_line *line)
{
	struct outside outside = { .args = line };
	struct sim_options o = { .warn = stderr, .next = next_event, .ctx = &outside };
	struct buf final_id = BUF(4 * KB);
	struct err e = { 0 };
	int rc;

	o.real = !line_has(line, "virtual");
	o.log = line_has(line, "quiet") ? NULL : stderr;
	rc = sim_run(line->operand[0], &o, &final_id, &e);
	if (rc == OK)
		printf("%.*s\n", FMT(buf_str(&final_id)));
	else
		fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
	buf_release(&final_id);
	free(outside.text);
	return rc == OK ? 0 : 1;
}

int
cmd_chart_run(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line line;
	struct err e = { 0 };
	int rc, code;

	rc = line_parse(&line, cmd, argc, argv, &a, &e);
	if (rc == OK)
		rc = check_events(&line, &e);
	code = rc < 0 ? command_usage_error(cmd->name, &e) : chart_run(cmd, &line);
	arena_release(&a);
	return code;
}
