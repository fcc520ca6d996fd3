/*
 * serve.c - `cohort serve`: settings, signals, a summary of the server.
 *
 * SIGTERM and SIGINT finish requests and runs first; a second one exits at
 * once, which loses nothing that was acknowledged.  SIGHUP reads the keys file
 * again.  systemd (Type=notify) is told when the server is ready and stops.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/limits.h"
#include "base/log.h"
#include "main/cmd.h"
#include "main/config.h"
#include "main/models.h"
#include "main/notify.h"
#include "main/wire.h"

struct serving {
	struct node *node;
	struct config config;
	struct models *models;
	uv_signal_t term, intr, hup;
	bool asked;
};

extern char **environ;

static void
print_status(void *ctx)
{
	struct serving *s = ctx;
	struct config *c = &s->config;
	struct str host = config_str(c, SETTING_HOST);
	const struct node_status n = node_status(s->node);
	bool memory = str_eq(config_str(c, SETTING_STORE), S("memory"));
	bool v6 = str_index(host, ':') >= 0;

	printf("Cohort " COHORT_VERSION "\n"
	    "  url          http://%s%.*s%s:%u%s\n"
	    "  database     %s%s\n"
	    "  shards       %u\n", v6 ? "[" : "", FMT(host), v6 ? "]" : "",
	    n.port, c->at[SETTING_HTTP_MOUNT_PREFIX].text, memory ? "memory (gone when it stops)" :
	    c->at[SETTING_DB].text, memory ? "" : " (sqlite)",
	    n.shards);
	printf("  model        %.*s%s\n", FMT(n.model),
	    !n.scripted ? "" :
	    " (canned answers; for a real model set OPENAI_API_KEY, or "
	    "--openai-base-url, and --model)");
	printf("  auth         %s\n", n.auth ? "on" :
	    config_bool(c, SETTING_INSECURE) ? "off (--insecure)" :
	    "off (loopback only)");
	printf("  connections  up to %zu (%zu open files allowed)\n", n.files.clients,
	    n.files.allowed);
	if (n.recovered > 0)
		printf("  recovered    %zu threads with runs to finish\n", n.recovered);
	fflush(stdout);
	notify_service("READY=1");
}

static void
on_stop(uv_signal_t *handle, int number)
{
	struct serving *s = handle->data;

	if (s->asked) {
		log_warn("main", "stops_now", "signal=%d reason=%s", number,
		    "asked twice; what is under way is cut off");
		_exit(0);
	}
	s->asked = true;
	log_info("main", "draining", "signal=%d at_most_ms=%d", number,
	    LIMIT_HTTP_DRAIN_MS);
	notify_service("STOPPING=1");
	node_drain(s->node);
}

static void
on_hangup(uv_signal_t *handle, int number)
{
	struct serving *s = handle->data;

	(void)number;
	node_reload(s->node);
}

/* The handles of `s` and their callbacks. */
#define SIGNALS(s) { { &(s)->term, SIGTERM, on_stop },                       \
	{ &(s)->intr, SIGINT, on_stop }, { &(s)->hup, SIGHUP, on_hangup } }

struct watched {
	uv_signal_t *handle;
	int number;
	uv_signal_cb act;
};

static void
watch_signals(struct serving *s)
{
	struct watched at[] = SIGNALS(s);

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < COUNT(at); i++) {
		uv_signal_init(shard_loop(node_shard(s->node)), at[i].handle);
		at[i].handle->data = s;
		uv_signal_start(at[i].handle, at[i].act, at[i].number);
		uv_unref((uv_handle_t *)at[i].handle);
	}
}

/* Handles must be closed before their loop is. */
static void
forget_signals(struct serving *s)
{
	struct watched at[] = SIGNALS(s);

	for (size_t i = 0; i < COUNT(at); i++)
		uv_close((uv_handle_t *)at[i].handle, NULL);
}

static void
print_warnings(const struct config *c)
{
	struct str rest = buf_str(&c->warnings), line;

	while (str_next(&rest, '\n', &line)) {
		if (line.n > 0)
			fprintf(stderr, "cohort serve: %.*s\n", FMT(line));
	}
}

int
cmd_serve(const struct flag_command *cmd, int argc, char **argv)
{
	struct serving s = { 0 };
	struct err e = { 0 };
	int rc;

	/* Before libuv's pool wakes up: two threads do for files and names. */
	setenv("UV_THREADPOOL_SIZE", "2", 0);
	rc = config_load(&s.config, argc, argv, environ, &e);
	if (rc < 0) {
		config_release(&s.config);
		return command_usage_error(cmd->name, &e);
	}
	langgraph_export(&s.config.langgraph);
	rc = models_of_config(&s.models, &s.config, environ, &e);
	print_warnings(&s.config);
	log_level_parse(config_str(&s.config, SETTING_LOG_LEVEL), &log_threshold);
	log_as_json = str_eq(config_str(&s.config, SETTING_LOG_FORMAT), S("json"));
	if (rc == OK)
		rc = node_new(&s.node, &s.config, s.models, &e);
	if (rc == OK) {
		watch_signals(&s);
		rc = node_run(s.node, print_status, &s, &e);
		forget_signals(&s);
		node_free(s.node);
		log_info("main", "stopped", "rc=%s", rc_name(rc));
	}
	if (rc < 0) {
		config_add_origin(&s.config, &e);
		fprintf(stderr, "cohort serve: %s\n", e.text);
	}
	models_free(s.models);
	config_release(&s.config);
	return rc < 0 ? 1 : 0;
}
