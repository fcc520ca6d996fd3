/*
 * serve.c - `cohort serve`: settings, signals, a summary of the server.
 *
 * SIGTERM and SIGINT finish requests and runs first; a second one exits at
 * once, which loses nothing that was acknowledged.  SIGHUP reads the keys file
 * and certificates again.  systemd (Type=notify) is told when the server is ready and stops.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/url.h"
#include "main/cmd.h"
#include "main/config.h"
#include "main/models.h"
#include "main/notify.h"
#include "main/serve.h"
#include "main/upgrade.h"
#include "main/ways.h"
#include "main/wire.h"
#include "net/host.h"

struct serving {
	struct node *node;
	struct config *config;
	const struct serve_with *with;
	struct models *models;
	uv_signal_t term, intr, hup, usr2;
	bool asked;
	bool upgrades;                       /* it becomes another program at its end */
	int sockets[LIMIT_UPGRADE_SOCKETS];  /* inherited, then those to hand over */
	size_t sockets_n;
};

extern char **environ;

/* Where its state is, without passwords. */
static void
add_database(struct buf *b, const struct config *c)
{
	struct str store = config_str(c, SETTING_STORE), nats = config_str(c, SETTING_CLUSTER_NATS);

	if (str_eq(store, S("memory")))
		buf_lit(b, "memory (gone when it stops)");
	else if (!config_store_is_server(c))
		buf_add_fmt(b, "%s (sqlite)", c->at[SETTING_DB].text);
	else
		url_add_shown(b, store);
	if (nats.n > 0) {
		buf_lit(b, "\n  nats         ");
		url_add_shown(b, nats);
	}
}

static void
print_status(void *ctx)
{
	struct serving *s = ctx;
	const struct config *c = s->config;
	const struct node_status n = node_status(s->node);
	struct buf db = BUF(8 * KB), urls = BUF(8 * KB);
	const struct http_listen first = { .host = config_str(c, SETTING_HOST),
	    .tls = config_str(c, SETTING_TLS_CERT).n > 0 };

	add_database(&db, c);
	ways_add_url(&urls, &first, (uint16_t)n.port);
	buf_add(&urls, config_str(c, SETTING_HTTP_MOUNT_PREFIX));
	node_add_urls(s->node, "\n               ", &urls);
	printf("Cohort " COHORT_VERSION "\n"
	    "  url          %.*s\n"
	    "  database     %.*s\n"
	    "  shards       %u\n", FMT(buf_str(&urls)), FMT(buf_str(&db)), n.shards);
	buf_release(&db);
	buf_release(&urls);
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
	upgrade_arrived();
	notify_service("READY=1");
	if (s->with->listening != NULL)
		s->with->listening(s->with->ctx, s->node);
}

void
serve_add_url(struct buf *b, const struct config *c, const struct node *node)
{
	struct http_listen at = { .host = config_str(c, SETTING_HOST),
	    .tls = config_str(c, SETTING_TLS_CERT).n > 0 };

	/* Where it listens on every address, this is one of them. */
	if (host_is_any(at.host))
		at.host = str_index(at.host, ':') >= 0 ? S("::1") : S("127.0.0.1");
	ways_add_url(b, &at, (uint16_t)node_status(node).port);
	buf_add(b, config_str(c, SETTING_HTTP_MOUNT_PREFIX));
}

static void
on_stop(uv_signal_t *handle, int number)
{
	struct serving *s = handle->data;

	if (s->asked) {
		log_warn("main", "stops_now", "signal=%d reason=%s", number,
		    "asked twice; what is under way is cut off");
		if (s->with->cut != NULL)
			s->with->cut(s->with->ctx);
		_exit(0);
	}
	s->asked = true;
	s->upgrades = false;
	log_info("main", "draining", "signal=%d at_most_ms=%d", number,
	    LIMIT_HTTP_DRAIN_MS);
	notify_service("STOPPING=1");
	if (s->with->stopping == NULL || !s->with->stopping(s->with->ctx))
		node_drain(s->node);
}

static void
on_hangup(uv_signal_t *handle, int number)
{
	struct serving *s = handle->data;

	(void)number;
	node_reload(s->node);
}

/* The program on disk would start: now nothing but the store and the sockets is in its way. */
static void
on_asked(void *ctx, const struct err *e)
{
	struct serving *s = ctx;

	if (s->asked)
		return;
	if (e != NULL) {
		log_error("main", "upgrade_refused", "error=%s", e->text);
		return;
	}
	s->upgrades = true;
	notify_service("RELOADING=1");
	s->sockets_n = node_hand_over(s->node, s->sockets, COUNT(s->sockets));
	log_info("main", "upgrading", "from=%s sockets=%zu at_most_ms=%d", COHORT_VERSION,
	    s->sockets_n, LIMIT_UPGRADE_DRAIN_MS);
}

static void
on_upgrade(uv_signal_t *handle, int number)
{
	struct serving *s = handle->data;
	struct err e = { 0 };
	int rc = OK;

	(void)number;
	if (!s->with->upgrades)
		rc = err_set(&e, ERR_METHOD, "this command serves a folder of files that change, "
		    "and does not become another one");
	else if (s->asked || s->upgrades)
		rc = err_set(&e, ERR_BUSY, "it ends already");
	else
		rc = upgrade_ask(node_shard(s->node), on_asked, s, &e);
	if (rc < 0)
		log_error("main", "upgrade_refused", "error=%s", e.text);
}

/* ---- before there is a loop -------------------------------------------------- */

/* A start may wait for its database: it is ended by a signal then, and nothing is under way.
 * A first process of a container is not by default. */
static sigset_t
stop_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	return set;
}

static void *
start_main(void *arg)
{
	sigset_t set = stop_signals();
	int number = 0;

	(void)arg;
	if (sigwait(&set, &number) == 0) {
		log_info("main", "stopped", "signal=%d reason=%s", number,
		    "asked before it served");
		_exit(0);
	}
	return NULL;
}

/* The node, while a thread waits for signals, which others that begin here leave to it. */
static int
open_node(struct serving *s, struct err *e)
{
	sigset_t set = stop_signals();
	pthread_t thread;
	int rc;

	pthread_sigmask(SIG_BLOCK, &set, NULL);
	rc = pthread_create(&thread, NULL, start_main, NULL);
	if (rc != 0)
		return err_set(e, ERR_IO, "thread: %s", strerror(rc));
	rc = node_new(&s->node, s->config, s->models, s->sockets, s->sockets_n, e);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	return rc;
}

static void
let_signals(void)
{
	sigset_t set = stop_signals();

	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* The handles of `s` and their callbacks. */
#define SIGNALS(s) { { &(s)->term, SIGTERM, on_stop },                       \
	{ &(s)->intr, SIGINT, on_stop }, { &(s)->hup, SIGHUP, on_hangup },     \
	{ &(s)->usr2, SIGUSR2, on_upgrade } }

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
print_warnings(const char *command, const struct config *c)
{
	struct str rest = buf_str(&c->warnings), line;

	while (str_next(&rest, '\n', &line)) {
		if (line.n > 0)
			fprintf(stderr, "cohort %s: %.*s\n", command, FMT(line));
	}
}

static void
set_log(const struct config *c)
{
	log_level_parse(config_str(c, SETTING_LOG_LEVEL), &log_threshold);
	log_as_json = str_eq(config_str(c, SETTING_LOG_FORMAT), S("json"));
}

int
serve_run(const struct flag_command *cmd, struct config *c, const struct serve_with *with)
{
	struct serving s = { .config = c, .with = with };
	struct err e = { 0 };
	int rc = upgrade_take(s.sockets, COUNT(s.sockets), &s.sockets_n, &e);

	langgraph_export(&c->langgraph);
	if (rc == OK)
		rc = models_of_config(&s.models, c, environ, &e);
	print_warnings(cmd->name, c);
	set_log(c);
	if (rc == OK)
		rc = open_node(&s, &e);
	if (rc == OK)
		watch_signals(&s);
	let_signals();
	if (rc == OK) {
		rc = node_run(s.node, print_status, &s, &e);
		forget_signals(&s);
		upgrade_forget();
		if (s.upgrades)
			s.sockets_n += node_connections(s.node, s.sockets + s.sockets_n,
			    COUNT(s.sockets) - s.sockets_n);
		node_free(s.node);
		log_info("main", "stopped", "rc=%s", rc_name(rc));
	}
	if (rc == OK && s.upgrades)
		rc = upgrade_go(s.sockets, s.sockets_n, &e);
	if (rc < 0) {
		config_add_origin(c, &e);
		fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
		upgrade_back(&e);
	}
	models_free(s.models);
	return rc < 0 ? 1 : 0;
}

/* ---- --check ------------------------------------------------------------------- */

const struct flag cmd_serve_flags[] = {
	{ "check", .help = "say whether it would start: read all that the settings name, but open "
	    "no database and no port" },
	{ NULL }
};

static int
serve_check(const struct flag_command *cmd, struct config *c)
{
	struct models *models = NULL;
	struct err e = { 0 };
	int rc;

	langgraph_export(&c->langgraph);
	rc = models_of_config(&models, c, environ, &e);
	print_warnings(cmd->name, c);
	set_log(c);
	if (rc == OK)
		rc = node_check(c, models, &e);
	models_free(models);
	if (rc == OK) {
		printf("ok\n");
		return 0;
	}
	config_add_origin(c, &e);
	fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
	return 1;
}

int
cmd_serve(const struct flag_command *cmd, int argc, char **argv)
{
	static const struct serve_with alone = { .upgrades = true };
	struct config c = { 0 };
	struct err e = { 0 };
	bool check = command_take_flag(&argc, argv, "--check");
	int code;

	/* Before libuv's pool wakes up: two threads do for files and names. */
	setenv("UV_THREADPOOL_SIZE", "2", 0);
	/* Until it can follow it. */
	signal(SIGUSR2, SIG_IGN);
	if (config_load(&c, argc, argv, environ, &e) < 0) {
		config_release(&c);
		return command_usage_error(cmd->name, &e);
	}
	langgraph_add_code(&c.warnings, &c.langgraph);
	code = check ? serve_check(cmd, &c) : serve_run(cmd, &c, &alone);
	config_release(&c);
	return code;
}
