/*
 * cmd_doctor.c - `cohort doctor`: reads the settings as `cohort serve` would, and looks for
 * what is known to go wrong.  Exit code 0: all is well, 1: warnings, 2: errors.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "main/cmd.h"
#include "main/doctor.h"
#include "workcli/cmd.h"
#include "net/client.h"

extern char **environ;

const struct flag cmd_doctor_flags[] = {
	{ "json", .help = "findings as one JSON array" },
	{ "offline", .help = "ask no model, database server, NATS or collector" },
	{ NULL }
};

static const char *const level_names[] = { "ok", "warn", "error" };

void
doctor_find(struct doctor *d, enum doctor_level level, const char *area, const char *why,
    const char *todo, const char *format, ...)
{
	struct buf said = BUF(4 * KB), what = BUF(4 * KB);
	va_list ap;

	va_start(ap, format);
	buf_add_vfmt(&said, format, ap);
	va_end(ap);
	cli_add_line(&what, buf_str(&said));
	d->count[level]++;
	if (d->json)
		json_add_fmt(&d->out, ",{'level':%s,'area':%s,'what':%.*s,'why':%s,'do':%s}",
		    level_names[level], area, FMT(buf_str(&what)), why, todo);
	else
		buf_add_fmt(&d->out, "%-5s  %-9s  %.*s\n", level_names[level], area,
		    FMT(buf_str(&what)));
	if (!d->json && why[0] != '\0')
		buf_add_fmt(&d->out, "                  %s\n", why);
	if (!d->json && todo[0] != '\0')
		buf_add_fmt(&d->out, "                  do: %s\n", todo);
	buf_release(&said);
	buf_release(&what);
}

static void
look(struct doctor *d)
{
	struct str rest = buf_str(&d->config->warnings), line;

	doctor_find(d, DOCTOR_OK, "settings", "", "", "they are read%s%s", d->config->file != NULL ?
	    ", with " : "", d->config->file != NULL ? d->config->file : "");
	while (rest.n > 0 && str_next(&rest, '\n', &line))
		if (line.n > 0)
			doctor_find(d, DOCTOR_WARN, "settings", "the server says this at its start",
			    "", "%.*s", FMT(line));
	doctor_host(d);
	doctor_files(d);
	if (!d->offline)
		doctor_net(d);
}

int
cmd_doctor(const struct flag_command *cmd, int argc, char **argv)
{
	struct doctor d = { .out = BUF(4 * MB) };
	char **own = mem_zero(((size_t)argc + 1) * sizeof *own);
	struct config c = { 0 };
	struct err e = { 0 };
	int rc;

	(void)cmd;
	for (int i = 0; i < argc; i++)
		own[i] = argv[i];
	d.json = command_take_flag(&argc, own, "--json");
	d.offline = command_take_flag(&argc, own, "--offline");
	d.config = &c;
	rc = config_load(&c, argc, own, environ, &e);
	if (rc == OK && client_global_init(&e) == OK)
		look(&d);
	else
		doctor_find(&d, DOCTOR_ERROR, "settings", "the server does not start",
		    "correct it; docs/settings.md has all settings", "%s", e.text);
	if (d.json)
		printf("[%.*s]\n", FMT(buf_str(&d.out)));
	else
		printf("%.*s%u error%s, %u warning%s\n", FMT(buf_str(&d.out)),
		    d.count[DOCTOR_ERROR], d.count[DOCTOR_ERROR] == 1 ? "" : "s",
		    d.count[DOCTOR_WARN], d.count[DOCTOR_WARN] == 1 ? "" : "s");
	config_release(&c);
	buf_release(&d.out);
	free(own);
	return d.count[DOCTOR_ERROR] > 0 ? 2 : d.count[DOCTOR_WARN] > 0 ? 1 : 0;
}
