/*
 * mcp_stdio.c - an MCP server as a process: a message a line, on its stdin and
 * stdout.  What it writes to stderr goes to our log.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tools/mcp_priv.h"

#include <string.h>

#include "base/log.h"
#include "net/process.h"

#define GRACE_MS   2000          /* from the end of its input to its end */
#define STDERR_MAX 400           /* of a piece of it in the log */

struct stdio_link {
	struct mcp_session *s;
	struct process *process;
	struct buf line;
};

static void
on_out(void *ctx, struct str bytes)
{
	struct stdio_link *l = ctx;
	struct mcp_session *s = l->s;
	uint64_t opened = s->opened;

	mcp_session_hold(s);
	while (bytes.n > 0 && s->opened == opened && s->link != NULL) {
		ptrdiff_t end = str_index(bytes, '\n');
		struct str part = end < 0 ? bytes : str_sub(bytes, 0, (size_t)end);

		buf_add(&l->line, part);
		bytes = str_sub(bytes, end < 0 ? bytes.n : (size_t)end + 1, bytes.n);
		if (l->line.failed) {
			struct err e;

			err_set(&e, ERR_TOOBIG, "it sent a message of more than %d bytes",
			    LIMIT_MCP_MESSAGE_BYTES);
			mcp_session_ended(s, &e);
		} else if (end >= 0) {
			struct buf line = l->line;

			/* The link may end, and begin anew, in the message. */
			l->line = BUF(LIMIT_MCP_MESSAGE_BYTES);
			if (str_trim(buf_str(&line)).n > 0)
				mcp_session_message(s, str_trim(buf_str(&line)));
			buf_release(&line);
		}
	}
	mcp_session_unhold(s);
}

static void
on_err(void *ctx, struct str bytes)
{
	const struct stdio_link *l = ctx;

	log_info("mcp", "stderr", "server=%.*s text=\"%.*s\"", FMT(l->s->spec.name),
	    FMT(str_cut(str_trim(bytes), STDERR_MAX)));
}

static void
on_gone(void *ctx, const struct err *e)
{
	struct stdio_link *l = ctx;

	l->process = NULL;
	mcp_session_ended(l->s, e);
}

/* What a program needs of our environment, and no secret of ours. */
static const char *const passed[] = { "PATH", "HOME", "LANG", "LC_ALL", "TERM", "TZ", "USER",
	"LOGNAME", "SHELL", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
	"NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "npm_config_cache", "HTTP_PROXY", "HTTPS_PROXY",
	"NO_PROXY", "http_proxy", "https_proxy", "no_proxy" };

static const char *const *
environment(const struct mcp_spec *spec, struct arena *a)
{
	const char **env = arena_zero(a, (COUNT(passed) + spec->env_n + 1) * sizeof *env);
	size_t n = 0;

	for (size_t i = 0; env != NULL && i < COUNT(passed); i++)
		if (getenv(passed[i]) != NULL)
			env[n++] = arena_fmt(a, "%s=%s", passed[i], getenv(passed[i])).p;
	for (size_t i = 0; env != NULL && i < spec->env_n; i++)
		env[n++] = arena_fmt(a, "%.*s=%.*s", FMT(spec->env[i].name),
		    FMT(spec->env[i].value)).p;
	return env;
}

static int
stdio_open(struct mcp_session *s, struct err *e)
{
	const struct process_hooks hooks = { on_out, on_err, on_gone, NULL };
	struct process_hooks mine = hooks;
	struct arena a = ARENA(MB);
	struct stdio_link *l = mem_new(struct stdio_link);
	const char **argv = arena_zero(&a, (s->spec.command_n + 1) * sizeof *argv);
	struct process_options o = { .env = environment(&s->spec, &a) };
	int rc;

	for (size_t i = 0; argv != NULL && i < s->spec.command_n; i++)
		argv[i] = arena_str(&a, s->spec.command[i]).p;
	o.argv = argv;
	o.cwd = s->spec.cwd.n > 0 ? s->spec.cwd.p : NULL;
	l->s = s;
	l->line = BUF(LIMIT_MCP_MESSAGE_BYTES);
	mine.ctx = l;
	rc = a.failed ? err_set(e, ERR_TOOBIG, "its environment is too large") :
	    process_start(&l->process, s->m->shard, &o, &mine, e);
	arena_release(&a);
	if (rc != OK) {
		free(l);
		return rc;
	}
	s->link = l;
	return OK;
}

static int
stdio_send(struct mcp_session *s, struct str message, struct mcp_wait *w)
{
	struct stdio_link *l = s->link;
	struct buf line = BUF(LIMIT_MCP_MESSAGE_BYTES + 1);
	int rc;

	(void)w;
	buf_add(&line, message);
	buf_add_char(&line, '\n');
	rc = line.failed || l->process == NULL ? ERR_CLOSED :
	    process_write(l->process, buf_str(&line));
	buf_release(&line);
	return rc;
}

static void
stdio_forget(struct mcp_session *s, struct mcp_wait *w)
{
	(void)s;
	w->post = NULL;
}

static void
stdio_close(struct mcp_session *s, bool at_once)
{
	struct stdio_link *l = s->link;

	s->link = NULL;
	process_stop(l->process, at_once ? 0 : GRACE_MS);
	buf_release(&l->line);
	free(l);
}

const struct mcp_link_kind mcp_stdio = {
	.open = stdio_open, .send = stdio_send, .forget = stdio_forget, .close = stdio_close,
};
