/*
 * own.c - see own.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/own.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

#define ARGS_MAX    32
#define WAIT_MS     20
#define WAIT_ROUNDS 1000                     /* for a process to listen */

static int
free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = -1;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
	    getsockname(fd, (struct sockaddr *)&at, &n) == 0)
		port = ntohs(at.sin_port);
	if (fd >= 0)
		close(fd);
	return port;
}

static bool
listens(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes = fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0;

	if (fd >= 0)
		close(fd);
	return yes;
}

static pid_t
spawn(struct scratch *s, const char *path, const char *const *args)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		if (chdir(s->root) == 0)
			execv("/proc/self/exe", (char *const *)args);
		_exit(127);
	}
	if (pid > 0)
		scratch_tell(s, pid);
	return pid;
}

static int
await(struct own_process *p, const char *path, const char *log, struct err *e)
{
	char text[2048];
	int status;

	for (int i = 0; i < WAIT_ROUNDS; i++) {
		if (listens(p->port))
			return OK;
		if (waitpid(p->pid, &status, WNOHANG) == p->pid) {
			p->pid = 0;
			break;
		}
		usleep(WAIT_MS * 1000);
	}
	return err_set(e, ERR_IO, "%s does not listen: %.*s", log,
	    FMT(str_cut(str_trim(file_head(path, text, sizeof text)), 300)));
}

int
own_start(struct own_process *p, struct scratch *s, const char *log,
    const char *const *args, struct err *e)
{
	const char *argv[ARGS_MAX + 4] = { "cohort" };
	char path[WB_PATH + 32], port[16];
	size_t n = 1;

	while (*args != NULL && n < ARGS_MAX)
		argv[n++] = *args++;
	p->port = free_port();
	snprintf(port, sizeof port, "%d", p->port);
	snprintf(path, sizeof path, "%s/%s", s->root, log);
	snprintf(p->url, sizeof p->url, "http://127.0.0.1:%d", p->port);
	argv[n++] = "--port";
	argv[n++] = port;
	p->pid = spawn(s, path, argv);
	if (p->pid < 0) {
		p->pid = 0;
		return err_set(e, ERR_IO, "fork: %s", strerror(errno));
	}
	return await(p, path, log, e);
}

static void
own_end(struct own_process *p, struct scratch *s, int signal)
{
	if (p->pid <= 0)
		return;
	kill(p->pid, signal);
	waitpid(p->pid, NULL, 0);
	scratch_tell(s, -p->pid);
	p->pid = 0;
}

void
own_stop(struct own_process *p, struct scratch *s)
{
	own_end(p, s, SIGTERM);
}

void
own_kill(struct own_process *p, struct scratch *s)
{
	own_end(p, s, SIGKILL);
}

int
own_servers_start(struct own_servers *o, int64_t delay_ms, int64_t token_ms,
    struct err *e)
{
	char delay[24], token[24], url[64];
	const char *mock[] = { "mock-llm", "--delay-ms", delay, "--stream-delay-ms", token,
	    NULL };
	const char *server[] = { "serve", "--db", "bench.db", "--openai-base-url", url,
	    "--openai-api-key", "none", "--model", "openai:mock-gpt-4o", "--insecure", NULL };
	int rc = scratch_make(&o->scratch, NULL, false, e);

	snprintf(delay, sizeof delay, "%lld", (long long)delay_ms);
	snprintf(token, sizeof token, "%lld", (long long)token_ms);
	if (rc == OK)
		rc = own_start(&o->mock, &o->scratch, "mock-llm", mock, e);
	snprintf(url, sizeof url, "%s/v1", o->mock.url);
	if (rc == OK)
		rc = own_start(&o->server, &o->scratch, "serve", server, e);
	return rc;
}

void
own_servers_stop(struct own_servers *o)
{
	own_stop(&o->server, &o->scratch);
	own_stop(&o->mock, &o->scratch);
	scratch_remove(&o->scratch);
}
