/*
 * input.c - the text on stdin.
 *
 * The parent process may leave stdin a pipe that never ends: reading from it times
 * out.  A terminal does not time out; a message on stderr says what is awaited.
 *
 * SPDX-License-Identifier: MIT
 */
#include "workcli/cmd.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"

static struct {
	nsec patience;
	bool told;
} in = { .patience = LIMIT_WORK_REQUEST_MS * NS_PER_MS };

void
cli_stdin_patience(nsec longest)
{
	in.patience = longest;
}

int
cli_stdin_given(struct err *e)
{
	return isatty(STDIN_FILENO) ? err_set(e, ERR_SYNTAX, "there is no text on "
	    "stdin: name a file, or - to type it here") : OK;
}

static void
tell(void)
{
	static const char words[] = "Reading from the terminal; Ctrl-D ends it.\n";
	ssize_t n = 0;

	if (!in.told)
		n = write(STDERR_FILENO, words, sizeof words - 1);
	in.told = n >= 0;
}

int
cli_stdin_wait(struct err *e)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	nsec until = clock_mono() + in.patience;

	if (isatty(STDIN_FILENO)) {
		tell();
		return OK;
	}
	for (;;) {
		nsec left = until - clock_mono();
		nsec ms = (left + NS_PER_MS - 1) / NS_PER_MS;
		int n = poll(&p, 1, left <= 0 ? 0 : ms > INT_MAX ? INT_MAX : (int)ms);

		if (n > 0)
			return OK;
		if (n < 0 && errno != EINTR)
			return err_set(e, ERR_IO, "%s", strerror(errno));
		if (n == 0 && left <= 0)
			return err_set(e, ERR_TIMEOUT, "stdin gave nothing for %.3g s "
			    "and did not end; - means a text that ends there",
			    (double)in.patience / (double)NS_PER_S);
	}
}
