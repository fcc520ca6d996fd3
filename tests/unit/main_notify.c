/*
 * main_notify.c - what a service manager hears.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "main/notify.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Goal: a state arrives whole, under a path as in the abstract space. */
TEST(notify_reaches_the_socket_it_was_told)
{
	char name[64], text[64];

	for (int abstract = 0; abstract < 2; abstract++) {
		struct sockaddr_un at = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
		ssize_t n;

		snprintf(name, sizeof name, abstract ? "@cohort-%d" : "/tmp/cohort-%d",
		    (int)getpid());
		memcpy(at.sun_path, name, strlen(name));
		if (abstract)
			at.sun_path[0] = '\0';
		unlink(name);
		CHECK(bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(
		    struct sockaddr_un, sun_path) + strlen(name))) == 0);
		setenv("NOTIFY_SOCKET", name, 1);
		notify_service("READY=1");
		n = recv(fd, text, sizeof text, MSG_DONTWAIT);
		CHECK(n == 7 && memcmp(text, "READY=1", 7) == 0);
		close(fd);
		unlink(name);
		notify_service("STOPPING=1");        /* nobody is there: a warning */
	}
	unsetenv("NOTIFY_SOCKET");
	notify_service("READY=1");
	setenv("NOTIFY_SOCKET", "relative", 1);
	notify_service("READY=1");
}
