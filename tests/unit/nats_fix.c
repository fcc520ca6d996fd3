/*
 * nats_fix.c - see nats_fix.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nats_fix.h"
#include "harness/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t server;
static int port;
static char url[64];

static struct sockaddr_in
address(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static void
choose_port(void)
{
	struct sockaddr_in a = address();
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
	port = ntohs(a.sin_port);
	close(fd);
}

static bool
listens(void)
{
	struct sockaddr_in a = address();
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool yes = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;

	close(fd);
	return yes;
}

static void
child(const char *const *args)
{
	char text[16];
	char *argv[32] = { "nats-server", "-a", "127.0.0.1", "-p", text };
	int n = 5, log = open("nats.log", O_WRONLY | O_CREAT | O_APPEND, 0600);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(text, sizeof text, "%d", port);
	for (; args != NULL && *args != NULL && n < 31; args++)
		argv[n++] = (char *)(uintptr_t)*args;
	if (log >= 0)
		dup2(log, STDERR_FILENO);
	setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin", 1);
	execvp(argv[0], argv);
	_exit(127);
}

void
nats_start(const char *const *args)
{
	int status;

	if (port == 0)
		choose_port();
	server = fork();
	CHECK(server >= 0);
	if (server == 0)
		child(args);
	while (!listens()) {
		if (waitpid(server, &status, WNOHANG) == server)
			test_fail(__FILE__, __LINE__, "nats-server ended with %d (127: install "
			    "the package nats-server)", WEXITSTATUS(status));
		poll(NULL, 0, 5);
	}
}

void
nats_kill(int signal)
{
	CHECK(kill(server, signal) == 0);
	if (signal == SIGKILL || signal == SIGTERM)
		CHECK(waitpid(server, NULL, 0) == server);
}

struct str
nats_url(void)
{
	snprintf(url, sizeof url, "nats://127.0.0.1:%d", port);
	return str_of(url);
}

int
nats_port(void)
{
	return port;
}

/* LeakSanitizer: libnats 3.4.1 forgets 100 KB, which it would have sent, with each connection
 * that breaks while much waits. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:natsBuf_Create\n";
}
