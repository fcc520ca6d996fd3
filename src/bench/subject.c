/*
 * subject.c - see subject.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_BYTES 8192
#define TAIL_BYTES  400
#define TICK_MS     100
#define GRACE_MS    5000                     /* from SIGTERM to SIGKILL */

_Noreturn static void
child_main(const struct subject *c, int out, int words, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	dup2(out, STDOUT_FILENO);
	dup2(words, STDERR_FILENO);
	if (c->enter != NULL && c->enter(c->ctx) != 0)
		_exit(126);
	execvp(c->argv[0], (char *const *)c->argv);
	fprintf(stderr, "%s: %s\n", c->argv[0], strerror(errno));
	_exit(127);
}

static void
keep(struct subject *c, bool is_words, struct str part)
{
	struct buf *b = is_words ? &c->words : &c->out;

	if (is_words && c->skip != NULL && str_starts(part, str_of(c->skip)))
		return;
	buf_add(b, part);
	if (is_words && b->n > WORDS_BYTES / 2)
		buf_drop_front(b, b->n - WORDS_BYTES / 2);
}

/* Reads both ends until they close.  False: it took too long. */
static bool
read_both(struct subject *c, int out, int words, nsec end)
{
	struct pollfd p[2] = { { out, POLLIN, 0 }, { words, POLLIN, 0 } };
	char part[4096];

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (clock_mono() >= end)
			return false;
		if (poll(p, 2, TICK_MS) < 0 && errno != EINTR)
			return false;
		if (c->tick != NULL)
			c->tick(c->ctx);
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (p[i].fd < 0 || p[i].revents == 0)
				continue;
			n = read(p[i].fd, part, sizeof part);
			if (n > 0)
				keep(c, i == 1, (struct str){ part, (size_t)n });
			else if (n == 0 || errno != EINTR)
				p[i].fd = -1;
		}
	}
	return true;
}

int
subject_run(struct subject *c, struct err *e)
{
	int out[2], words[2], status = 0;
	pid_t parent = getpid(), pid;
	nsec began = clock_mono();

	c->out = BUF(SUBJECT_OUT_BYTES);
	c->words = BUF(WORDS_BYTES);
	if (pipe2(out, O_CLOEXEC) != 0)
		return err_set(e, ERR_IO, "a pipe: %s", strerror(errno));
	if (pipe2(words, O_CLOEXEC) != 0) {
		close(out[0]);
		close(out[1]);
		return err_set(e, ERR_IO, "a pipe: %s", strerror(errno));
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child_main(c, out[1], words[1], parent);
	close(out[1]);
	close(words[1]);
	if (pid > 0 && !read_both(c, out[0], words[0], began + c->timeout * NS_PER_MS)) {
		c->timed_out = true;
		kill(pid, SIGTERM);
		if (!read_both(c, out[0], words[0], clock_mono() + GRACE_MS * NS_PER_MS))
			kill(pid, SIGKILL);
	}
	close(out[0]);
	close(words[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return err_set(e, ERR_IO, "%s: %s", c->argv[0], strerror(errno));
	c->took = clock_mono() - began;
	c->signal = WIFSIGNALED(status) && !c->timed_out ? WTERMSIG(status) : 0;
	c->code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	return OK;
}

void
subject_release(struct subject *c)
{
	buf_release(&c->out);
	buf_release(&c->words);
}

struct str
subject_result(const struct subject *c)
{
	struct str text = buf_str(&c->out), line, last = STR_NONE;

	while (str_next(&text, '\n', &line))
		if (str_starts(line, S("RESULT {")))
			last = str_sub(line, 7, line.n);
	return last;
}

void
subject_why(const struct subject *c, struct buf *out)
{
	struct str words = str_trim(buf_str(&c->words));

	if (words.n > TAIL_BYTES)
		words = str_sub(words, words.n - TAIL_BYTES, words.n);
	if (c->timed_out)
		buf_add_fmt(out, "timed out after %lld s", (long long)(c->timeout / 1000));
	else if (c->signal != 0)
		buf_add_fmt(out, "ended by signal %d", c->signal);
	else
		buf_add_fmt(out, "exit code %d", c->code);
	if (words.n > 0)
		buf_add_fmt(out, ": %.*s", FMT(words));
}
