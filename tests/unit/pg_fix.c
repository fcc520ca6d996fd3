/*
 * pg_fix.c - see pg_fix.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/pg_fix.h"

#include <libpq-fe.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/pg_priv.h"

#define SERVER TESTS "/pg/server"

/* Before main: again, below the script. */
__attribute__((constructor)) static void
run_with_a_server(int argc, char **argv)
{
	char **args = mem_zero(((size_t)argc + 4) * sizeof *args);
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (getenv("COHORT_TEST_PG") != NULL || n < 0) {
		free(args);
		return;
	}
	self[n] = '\0';
	args[0] = SERVER;
	args[1] = "run";
	args[2] = self;
	for (int i = 1; i < argc; i++)
		args[i + 2] = argv[i];
	execv(SERVER, args);
	perror(SERVER);
	exit(1);
}

/* ---- statements beside ---------------------------------------------------------- */

/* In a few lines of libpq: it is the driver that is tested. */
static void
ask(const char *url, const char *sql, char *out, size_t size)
{
	const char *const keys[] = { "dbname", NULL }, *const values[] = { url, NULL };
	struct err e;
	PostgresPollingStatusType want = PGRES_POLLING_WRITING;
	PGconn *c;
	PGresult *res;

	CHECK_RC(pg_lib_load(&e), OK);
	c = pq.connectStartParams(keys, values, 1);
	while (want != PGRES_POLLING_OK) {
		want = pq.connectPoll(c);
		if (want == PGRES_POLLING_FAILED)
			test_fail(__FILE__, __LINE__, "%s", pq.errorMessage(c));
	}
	CHECK(pq.sendQuery(c, sql) == 1);
	for (res = pq.getResult(c); res != NULL; res = pq.getResult(c)) {
		if (pq.resultStatus(res) == PGRES_FATAL_ERROR)
			test_fail(__FILE__, __LINE__, "%s: %s", sql, pq.errorMessage(c));
		if (out != NULL && pq.ntuples(res) > 0)
			snprintf(out, size, "%s", pq.getvalue(res, 0, 0));
		pq.clear(res);
	}
	pq.finish(c);
}

void
pg_do(const char *url, const char *sql)
{
	ask(url, sql, NULL, 0);
}

int64_t
pg_number_of(const char *url, const char *sql)
{
	char text[64] = "";
	int64_t v = -1;

	ask(url, sql, text, sizeof text);
	str_to_i64(str_of(text), &v);
	return v;
}

void
pg_fresh(char url[PG_URL_MAX])
{
	static int n;
	char sql[64], schema[40];

	snprintf(schema, sizeof schema, "t%d_%d", (int)getpid(), ++n);
	snprintf(sql, sizeof sql, "CREATE SCHEMA %s", schema);
	snprintf(url, PG_URL_MAX, "%s&options=-csearch_path%%3D%s",
	    getenv("COHORT_TEST_PG"), schema);
	pg_do(url, sql);
}

/* ---- a server of one's own -------------------------------------------------------- */

static void
server(struct pg_own *o, const char *verb)
{
	char text[256], line[PG_URL_MAX] = "";
	int fd[2], status;
	ssize_t n;
	pid_t pid;

	CHECK(pipe(fd) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		dup2(fd[1], 1);
		close(fd[0]);
		close(fd[1]);
		unsetenv("PG_ARGS");
		execl(SERVER, SERVER, verb, o->dir, NULL);
		_exit(127);
	}
	close(fd[1]);
	n = read(fd[0], line, sizeof line - 1);
	close(fd[0]);
	CHECK(waitpid(pid, &status, 0) == pid);
	snprintf(text, sizeof text, "%s %s", verb, o->dir);
	if (status != 0)
		test_fail(__FILE__, __LINE__, "%s: status %d", text, status);
	if (n > 0 && strcmp(verb, "start") == 0) {
		line[strcspn(line, "\n")] = '\0';
		snprintf(o->url, sizeof o->url, "%s", line);
	}
}

void
pg_own_start(struct pg_own *o)
{
	snprintf(o->dir, sizeof o->dir, "/tmp/cohort-pg-own-XXXXXX");
	CHECK(mkdtemp(o->dir) != NULL);
	server(o, "start");
}

void
pg_own_again(struct pg_own *o)
{
	server(o, "start");
}

void
pg_own_stop(struct pg_own *o)
{
	server(o, "stop");
}

void
pg_own_kill(struct pg_own *o)
{
	server(o, "kill");
}

void
pg_own_signal(struct pg_own *o, int sig)
{
	char path[128], children[160], text[32] = "";
	FILE *f;
	int pid;

	snprintf(path, sizeof path, "%s/data/postmaster.pid", o->dir);
	f = fopen(path, "r");
	CHECK(f != NULL && fgets(text, sizeof text, f) != NULL);
	fclose(f);
	pid = (int)strtol(text, NULL, 10);
	CHECK(pid > 1);
	snprintf(children, sizeof children, "/proc/%d/task/%d/children", pid, pid);
	kill(pid, sig);
	f = fopen(children, "r");
	CHECK(f != NULL);
	while (fscanf(f, "%d", &pid) == 1)
		kill(pid, sig);
	fclose(f);
}

void
pg_own_end(struct pg_own *o)
{
	char *const args[] = { "rm", "-rf", o->dir, NULL };
	pid_t pid;

	server(o, "kill");
	pid = fork();
	if (pid == 0) {
		execvp("rm", args);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}
