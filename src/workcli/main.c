/*
 * main.c - a command of the tracker from its line to its exit code.
 *
 * Output is collected and written at the end, or when a command calls cli_flush:
 * stdout gets answers and nothing else, stderr the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "workcli/cmd.h"

#include <assert.h>
#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"

/* ---- progress ------------------------------------------------------------------------- */

#define SHOW_EVERY (200 * NS_PER_MS)

static nsec progress_shown;                  /* 0: nothing is shown */

/* Overwrites the line it wrote before. */
static void
progress_show(void *ctx, size_t done, size_t total)
{
	const struct cli_ctx *x = ctx;
	nsec now = clock_mono();

	if (progress_shown != 0 && now - progress_shown < SHOW_EVERY)
		return;
	progress_shown = now;
	fprintf(stderr, "\r%s: %zu %%\033[K", x->cmd->name,
	    done >= total ? 100 : done * 100 / total);
}

static void
progress_hide(void)
{
	if (progress_shown != 0)
		fputs("\r\033[K", stderr);
	progress_shown = 0;
}

void
cli_flush(struct cli_ctx *x)
{
	progress_hide();
	if (x->out->failed)
		buf_lit(x->notes, "Error: the answer is too large to print\n");
	if (file_write(STDOUT_FILENO, buf_str(x->out)) < 0) {
		buf_add_fmt(x->notes, "Error: stdout: %s\n", strerror(errno));
		x->unwritten = true;
	}
	x->unwritten |= x->out->failed;
	file_write(STDERR_FILENO, buf_str(x->notes));
	buf_clear(x->out);
	buf_clear(x->notes);
}

int
cli_fail(struct cli_ctx *x, int rc, const char *format, ...)
{
	struct buf words = BUF(64 * KB);
	va_list ap;

	va_start(ap, format);
	buf_add_vfmt(&words, format, ap);
	va_end(ap);
	buf_lit(x->notes, "Error: ");
	cli_add_lines(x->notes, buf_str(&words));
	buf_add_char(x->notes, '\n');
	buf_release(&words);
	return rc;
}

void
cli_print(struct cli_ctx *x, jnode data)
{
	const char *template = x->quiet ? x->cmd->quiet : x->cmd->text;

	if (x->cmd->none != NULL && json_is_array(data) && json_count(data) == 0)
		cli_add_fmt(x, data, x->quiet ? "" : x->cmd->none);
	else if (x->cmd->print != NULL)
		x->cmd->print(x, data);
	else if (template != NULL)
		cli_add_fmt(x, data, template);
}

void
cli_json(struct cli_ctx *x, jnode data, struct str data_text, struct buf *out)
{
	if (x->cmd->json != NULL)
		x->cmd->json(x, data, out);
	else if (x->cmd->shape != NULL)
		cli_add_shape(x, data, x->cmd->shape, out);
	else
		buf_add(out, data_text);
}

void
cli_show(struct cli_ctx *x, const struct reply *r)
{
	struct buf json = BUF(LIMIT_WORK_OUT_BYTES);

	if (x->json) {
		cli_json(x, r->data, r->data_text, &json);
		cli_add_indented(x->out, buf_str(&json));
	} else {
		cli_print(x, r->data);
	}
	buf_release(&json);
}

/* ---- who, where, how long ----------------------------------------------------------- */

static struct str
env(const char *name)
{
	const char *s = getenv(name);

	return s != NULL && s[0] != '\0' ? str_of(s) : STR_NONE;
}

/* A flag, else the first of the variables that is set. */
static struct str
setting(const struct flag_line *l, const char *flag, const char *first,
    const char *second)
{
	struct str s = line_text(l, flag);

	if (s.p == NULL)
		s = env(first);
	if (s.p == NULL && second != NULL)
		s = env(second);
	return s;
}

static struct str
actor_of(struct cli_ctx *x)
{
	struct str s = setting(x->line, "actor", "BD_ACTOR", "COHORT_ACTOR");
	const struct passwd *pw;

	x->actor_given = s.n > 0;
	if (s.n == 0)
		s = env("USER");
	if (s.n > 0)
		return s;
	pw = getpwuid(getuid());
	return pw != NULL ? arena_str(x->a, str_of(pw->pw_name)) :
	    arena_fmt(x->a, "uid-%lu", (unsigned long)getuid());
}

static int
read_timeout(struct cli_ctx *x, struct err *e)
{
	struct str s = setting(x->line, "timeout", "COHORT_TIMEOUT", NULL);

	x->timeout = LIMIT_WORK_REQUEST_MS * NS_PER_MS;
	x->timeout_is_ours = s.p == NULL;
	if (s.p != NULL && !cli_duration(s, &x->timeout))
		return err_set(e, ERR_INVALID,
		    "--timeout takes a time such as 5s or 200ms, not \"%.*s\"", FMT(s));
	return OK;
}

static struct str
server_of(const struct cli_ctx *x)
{
	return setting(x->line, "server", "COHORT_WORK_SERVER", NULL);
}

/* The error for a missing workspace says how to make one. */
static int
workspace_missing(const struct cli_ctx *x, struct err *e)
{
	char beads[DB_PATH_MAX];
	struct err none;

	if (cli_beads_near(beads, sizeof beads, &none) == OK)
		return err_set(e, ERR_NOTFOUND, "no .cohort/ here or above; '%s init "
		    "--from-beads' makes one with the items of %s", x->program, beads);
	return err_set(e, ERR_NOTFOUND, "no .cohort/ here or above; make one with "
	    "'%s init'", x->program);
}

static int
open_home(struct cli_ctx *x, struct err *e)
{
	struct str db = setting(x->line, "db", "COHORT_WORK_DB", "BEADS_DB");
	char cwd[DB_PATH_MAX];
	int rc;

	if (x->workspace != NULL)
		return OK;
	if (getcwd(cwd, sizeof cwd) == NULL)
		return err_set(e, ERR_IO, "the current folder: %s", strerror(errno));
	rc = workspace_find(&x->found, cwd, db, e);
	if (rc == OK)
		x->workspace = &x->found;
	if (rc == OK && x->cmd->run == cli_run_doctor && line_has(x->line, "fix"))
		rc = cli_mend_file(x, e);
	if (rc == OK && workspace_is_first(x->workspace))
		rc = cli_import_first(x, e);
	return rc == ERR_NOTFOUND && db.n == 0 ? workspace_missing(x, e) : rc;
}

int
cli_open_client(struct cli_ctx *x, struct err *e)
{
	struct client_options o = {
		.actor = x->actor,
		.timeout = x->timeout,
		.timeout_is_ours = x->timeout_is_ours,
		.progress = x->progress,
		.progress_ctx = x,
		.no_daemon = line_has(x->line, "no-daemon"),
		.once = line_text(x->line, "once"),
	};
	struct str project = setting(x->line, "project", "COHORT_WORK_PROJECT", NULL);
	struct str url = server_of(x);
	int rc;

	assert(x->client == NULL);
	if (url.n > 0) {
		if (x->host->remote_open == NULL)
			return err_set(e, ERR_IO, "--server needs cohortd");
		rc = x->host->remote_open(&x->remote, url,
		    project.p != NULL ? project : S(""), e);
		o.remote = &x->remote;
	} else {
		rc = open_home(x, e);
		o.workspace = x->workspace;
	}
	return rc < 0 ? rc : client_open(&x->client, &o, e);
}

int
cli_call(struct cli_ctx *x, const char *operation, struct str args,
    struct reply *r)
{
	int rc;

	assert(x->client != NULL);
	rc = client_call(x->client, operation, args, r);
	if (rc == OK)
		return OK;
	cli_fail(x, rc, "%s", r->err.text);
	if (str_ends(str_of(r->err.text), S("of another program")))
		buf_add_fmt(x->notes, "--db and $BEADS_DB name a tracker of ours; the "
		    "items of a .beads/ come with '%s init --from-beads'.\n", x->program);
	return rc;
}

/* ---- one command ------------------------------------------------------------------------ */

static int
exit_code(int rc)
{
	return rc == OK ? 0 : rc == ERR_TIMEOUT ? EXIT_TIMEOUT : 1;
}

static int
usage_error(struct cli_ctx *x, const struct err *e)
{
	bool known = x->cmd != NULL && x->cmd->refused == NULL;

	cli_fail(x, e->code, "%s", e->text);
	if (known) {
		struct flag_command row = cli_row(x->cmd);

		flags_add_usage(x->notes, x->program, &row);
	}
	buf_add_fmt(x->notes, "Try '%s help%s%s'.\n", x->program, known ? " " : "",
	    known ? x->cmd->name : "");
	return exit_code(e->code);
}

static int
needs_open(struct cli_ctx *x, struct err *e)
{
	enum cli_need need = x->cmd->need;

	if (need >= NEED_WORKSPACE && server_of(x).n > 0)
		return err_set(e, ERR_INVALID, "%s works on a workspace; a server's "
		    "tracker has none", x->cmd->name);
	return need == NEED_NOTHING ? OK :
	    need == NEED_WORKSPACE ? open_home(x, e) : cli_open_client(x, e);
}

static int
command_run(struct cli_ctx *x)
{
	struct err e = { 0 };
	int rc;

	rc = read_timeout(x, &e);
	if (rc < 0)
		return usage_error(x, &e);
	cli_stdin_patience(x->timeout);
	rc = args_read_bodies(x->line, x->a, &e);
	if (rc == OK)
		rc = needs_open(x, &e);
	if (rc < 0)
		return exit_code(cli_fail(x, rc, "%s", e.text));
	rc = x->cmd->run(x);
	return exit_code(rc);
}

/* Prints help, or runs the command. */
static int
line_run(struct cli_ctx *x, struct str group, const struct err *parsed)
{
	if (parsed->code != OK)
		return usage_error(x, parsed);
	if (line_has(x->line, "help") && x->cmd != NULL) {
		cli_add_command_help(x->out, x->program, x->cmd);
		return 0;
	}
	if (line_has(x->line, "version"))
		return exit_code(cli_run_version(x));
	if (x->cmd == NULL) {
		cli_add_help(x->out, x->program, group);
		return 0;
	}
	x->actor = actor_of(x);
	if (!str_is_utf8(x->actor))
		return exit_code(cli_fail(x, ERR_INVALID,
		    "the actor's name is not UTF-8"));
	if (server_of(x).n > 0 && x->cmd->need == NEED_CLIENT &&
	    x->host->remote_open == NULL && x->host->become != NULL)
		return x->host->become();
	return command_run(x);
}

static void
ctx_init(struct cli_ctx *x, const struct cli_line *line, const char *program)
{
	const struct flag_line *l = &line->in;

	x->line = l;
	x->cmd = line->cmd;
	x->program = program;
	x->json = line_has(l, "json");
	x->quiet = line_has(l, "quiet");
	x->progress = !x->quiet && isatty(STDERR_FILENO) ? progress_show :
	    NULL;
	x->colour = !line_has(l, "no-color") && env("NO_COLOR").p == NULL &&
	    isatty(STDOUT_FILENO);
}

bool
cli_is_bd(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	return strcmp(slash != NULL ? slash + 1 : argv0, "bd") == 0;
}

int
cli_main(int argc, char **argv, const char *program, const struct cli_host *host)
{
	struct arena a = ARENA(LIMIT_WORK_OUT_BYTES);
	struct buf out = BUF(LIMIT_WORK_OUT_BYTES), notes = BUF(LIMIT_WORK_OUT_BYTES);
	struct cli_ctx x = { .host = host, .out = &out, .notes = &notes, .a = &a };
	struct cli_line l;
	struct err e = { 0 };
	int code;

	cli_parse(&l, argc, argv, &a, &e);
	ctx_init(&x, &l, program);
	code = line_run(&x, l.group, &e);
	cli_flush(&x);
	if (code == 0 && x.unwritten)
		code = 1;
	client_close(x.client);
	if (x.remote.ctx != NULL)
		host->remote_close(&x.remote);
	buf_release(&out);
	buf_release(&notes);
	arena_release(&a);
	return code;
}
