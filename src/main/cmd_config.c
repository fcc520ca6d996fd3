/*
 * cmd_config.c - `cohort config`: the settings in effect, and the tables the
 * documentation is made from.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "base/limits.h"
#include "bench/suite.h"
#include "bench/watch.h"
#include "mail/protocol.h"
#include "main/cmd.h"
#include "main/config.h"

extern char **environ;

const struct flag cmd_config_flags[] = {
	{ "limits", .help = "print the table of limits" },
	{ "settings", .help = "print the table of settings" },
	{ "langgraph-json", .help = "print the table of the keys of langgraph.json" },
	{ "routes", .help = "print the table of routes" },
	{ "compat", .help = "print how much of the LangGraph API each route is" },
	{ "metrics", .help = "print the table of metrics" },
	{ "protocols", .help = "print the tables of the protocols that messages are checked by" },
	{ "alerts", .help = "print the table of alerting rules" },
	{ "openai", .help = "print the table of the parameters of OpenAI's interface" },
	{ "workloads", .help = "print the table of the benchmark suite" },
	{ NULL }
};

static void
add_limits(struct buf *b)
{
	buf_lit(b, "| limit | value | unit | why |\n|---|---:|---|---|\n");
	for (size_t i = 0; i < limits_n; i++)
		buf_add_fmt(b, "| `%s` | %lld | %s | %s |\n", limits[i].name,
		    (long long)limits[i].value, limits[i].unit, limits[i].why);
}

static const struct { const char *option; void (*add)(struct buf *b); } tables[] = {
	{ "--limits", add_limits },
	{ "--settings", config_add_markdown },
	{ "--langgraph-json", langgraph_add_markdown },
	{ "--routes", api_add_routes_markdown },
	{ "--compat", api_add_compat_markdown },
	{ "--commands", api_add_commands_markdown },
	{ "--metrics", api_add_metrics_markdown },
	{ "--protocols", protocol_add_docs },
	{ "--alerts", watch_add_alerts_markdown },
	{ "--openai", api_add_openai_markdown },
	{ "--workloads", suite_add_markdown },
};

static int
print_settings(const struct flag_command *cmd, int argc, char **argv, struct buf *b)
{
	struct config c;
	struct err e = { 0 };
	int rc;

	rc = config_load(&c, argc, argv, environ, &e);
	if (rc == OK) {
		config_add_text(b, &c);
		fprintf(stderr, "%.*s", FMT(buf_str(&c.warnings)));
	}
	config_release(&c);
	return rc < 0 ? command_usage_error(cmd->name, &e) : 0;
}

int
cmd_config(const struct flag_command *cmd, int argc, char **argv)
{
	struct buf b = BUF(MB);
	bool table = false;
	int code = 0;

	for (size_t i = 0; argc == 1 && i < COUNT(tables); i++) {
		if (strcmp(argv[0], tables[i].option) != 0)
			continue;
		tables[i].add(&b);
		table = true;
	}
	if (!table)
		code = print_settings(cmd, argc, argv, &b);
	if (b.n > 0)
		fwrite(b.p, 1, b.n, stdout);
	buf_release(&b);
	return code;
}
