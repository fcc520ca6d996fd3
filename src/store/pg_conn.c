/*
 * pg_conn.c - a connection to PostgreSQL: see pg_priv.h.
 *
 * Whatever waits has an end: the server ends a statement itself (statement_timeout), and
 * a server that says nothing for LIMIT_PG_WAIT_MS is lost.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/pg_priv.h"

#define CANCEL_S     1                       /* for a request to stop, behind its answer */
#define AWAY         "PostgreSQL cannot be reached; try again"
#define LOOK_MS      2                       /* between two looks at a slow read, and at what
	                                        is to be done meanwhile */

static int wait_for(struct pg *p);

/* ---- failures --------------------------------------------------------------- */

/* The backend of the connection of this process that was made last: another that has the
 * same one beside it was given it by a pooler between two transactions. */
static _Atomic int newest;

/* Which host of the URL is tried first, of all connections: the next one when one of them
 * came to nothing there, and then the one that answered. */
static _Atomic unsigned first_host;

static _Atomic bool reached;                 /* a server, by this process */

static void
backend_left(const struct pg *p)
{
	int pid = p->pid;

	atomic_compare_exchange_strong(&newest, &pid, 0);
}

/* By the code of the server's words, as PQERRORS_VERBOSE has them: "FATAL:  28P01: ...". */
bool
pg_is_refusal(const char *words)
{
	static const char *const marks[] = {
		":  28",                     /* the user, or its password */
		":  3D",                     /* there is no such database */
		":  42501",                  /* it is not for this user */
		"certificate", "SSL was required",
	};

	for (size_t i = 0; i < COUNT(marks); i++)
		if (strstr(words, marks[i]) != NULL)
			return true;
	return false;
}

int
pg_lose(struct pg *p, const char *why)
{
	size_t n = strcspn(why, "\n");

	p->refused = p->refused || pg_is_refusal(why);
	err_set(&p->on->cause, ERR_BUSY, "PostgreSQL %s: %.*s",
	    p->refused ? "refuses" : "cannot be reached",
	    n == 0 ? 4 : (int)n, n == 0 ? "lost" : why);
	/* It names hosts and addresses: at a start that is for who starts, later for the log. */
	if (p->life == 0)
		p->on->err = p->on->cause;
	else
		err_set(&p->on->err, ERR_BUSY, AWAY);
	p->on->fault = DB_LOST;
	if (p->state == PG_UP)
		log_warn("store", "pg_lost", "use=%d reason=%s", (int)p->use,
		    p->on->cause.text);
	else if (p->life > 0)
		log_fails(&p->not_made, "store", "pg_not_connected", "use=%d reason=%s",
		    (int)p->use, p->on->cause.text);
	if (p->c != NULL)
		pq.finish(p->c);
	backend_left(p);
	p->c = NULL;
	if (p->state == PG_CONNECTING)
		atomic_compare_exchange_strong(&first_host, &p->turn, p->turn + 1);
	p->state = PG_DOWN;
	p->retry_at = clock_mono();
	p->torn |= p->in_tx && !p->own_tx;
	p->in_tx = p->aborted = p->own_tx = false;
	p->got = p->asked = p->sent;
	p->syncs = p->cursors = 0;
	p->keeps = NULL;
	return ERR_BUSY;
}

/* The first two characters of a code are its class. */
static bool
is(const char *code, const char *start)
{
	return strncmp(code, start, strlen(start)) == 0;
}

/* fault DB_SOUND: the statement is to blame. */
static int
judge(const char *code, enum db_fault *fault)
{
	static const struct {
		const char *code;
		int rc;
		enum db_fault fault;
	} codes[] = {
		{ "23", ERR_CONFLICT, DB_SOUND },    /* a constraint */
		{ "22", ERR_INVALID, DB_SOUND },     /* a value */
		{ "54", ERR_TOOBIG, DB_SOUND },      /* a limit of the program */
		{ "57014", ERR_TIMEOUT, DB_SOUND },  /* cancelled, or statement_timeout */
		{ "40", ERR_BUSY, DB_AGAIN },        /* a deadlock, no order */
		{ "55P03", ERR_BUSY, DB_AGAIN },     /* lock_timeout */
		{ "53100", ERR_BUSY, DB_FULL },      /* the disk */
		{ "53", ERR_BUSY, DB_BUSY },         /* memory, connections */
		{ "57P", ERR_BUSY, DB_LOST },        /* it stops, or starts */
		{ "25006", ERR_BUSY, DB_LOST },      /* a server that only reads now */
		{ "25P03", ERR_BUSY, DB_LOST },      /* idle_in_transaction_session_timeout */
		{ "08", ERR_BUSY, DB_LOST },
		{ "42", ERR_IO, DB_SOUND },          /* a bad text */
	};

	for (size_t i = 0; i < COUNT(codes); i++) {
		if (is(code, codes[i].code)) {
			*fault = codes[i].fault;
			return codes[i].rc;
		}
	}
	*fault = DB_BROKEN;
	return ERR_IO;
}

static bool
is_failure(const PGresult *res)
{
	switch (pq.resultStatus(res)) {
	case PGRES_FATAL_ERROR: case PGRES_BAD_RESPONSE: case PGRES_NONFATAL_ERROR:
		return true;
	default:
		return false;
	}
}

/* The next result, without a wait beyond the server's patience.  OK, *out NULL: the end
 * of a statement's. */
static int
next_result(struct pg *p, PGresult **out)
{
	int rc = wait_for(p);

	*out = NULL;
	if (rc != OK)
		return rc;
	*out = pq.getResult(p->c);
	if (*out == NULL)
		p->got++;
	else if (pq.resultStatus(*out) == PGRES_PIPELINE_SYNC)
		p->syncs--;
	return OK;
}

/* Past what else is under way, so that the pipeline works again. */
static int
drain(struct pg *p)
{
	PGresult *res;

	/* One of before may stand ahead of what was sent last. */
	if (pq.pipelineSync(p->c) != 1)
		return pg_lose(p, pq.errorMessage(p->c));
	p->syncs++;
	while (p->syncs > 0) {
		int rc = next_result(p, &res);

		if (rc != OK)
			return rc;
		pq.clear(res);
	}
	p->got = p->asked = p->sent;
	p->keeps = NULL;
	return OK;
}

int
pg_settle(struct pg *p)
{
	return p->got == p->sent && p->syncs == 0 ? OK : drain(p);
}

int
pg_failed(struct pg *p, const PGresult *res)
{
	const char *code = pq.resultErrorField(res, PG_DIAG_SQLSTATE);
	const char *words = pq.resultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	enum db_fault fault;
	int rc = judge(code == NULL ? "08" : code, &fault);
	struct err e;

	err_set(&e, rc, "%s%s%s", words == NULL ? "the connection failed" : words,
	    code == NULL ? "" : " SQLSTATE ", code == NULL ? "" : code);
	if (fault == DB_LOST)
		return pg_lose(p, e.text);
	if (drain(p) != OK)
		return ERR_BUSY;
	p->on->err = e;
	p->aborted = p->in_tx;
	if (fault == DB_SOUND && p->in_tx && p->use == DB_WRITE)
		fault = DB_ABORTED;
	if (fault != DB_SOUND)
		p->on->fault = fault;
	return rc;
}

/* ---- waiting ------------------------------------------------------------------ */

static void *
cancel_main(void *arg)
{
	char words[256];

	pq.cancel(arg, words, sizeof words);
	pq.freeCancel(arg);
	return NULL;
}

/* A slow read is over: the server is asked to stop it, which it answers as it would any
 * failure.  libpq asks by a connection of its own and waits for its end, which a server
 * that stands still never gives: so beside.  False: it was not asked. */
static bool
cancel(struct pg *p, pthread_t *thread)
{
	PGcancel *c = pq.getCancel(p->c);

	if (c == NULL)
		return false;
	if (pthread_create(thread, NULL, cancel_main, c) == 0)
		return true;
	pq.freeCancel(c);
	return false;
}

/* The read is answered.  A request to stop that is still on its way would stop the next
 * statement: then the connection is given up. */
static int
cancel_end(struct pg *p, pthread_t thread)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CANCEL_S;
	if (pthread_timedjoin_np(thread, NULL, &until) == 0)
		return OK;
	pthread_detach(thread);
	return pg_lose(p, "it did not take a request to stop a read in time");
}

/* Of all connections, at most. */
static _Atomic int64_t wait_ms = LIMIT_PG_WAIT_MS;

void
db_server_lease(msec lease)
{
	int64_t half = lease / 2;

	atomic_store(&wait_ms, lease > 0 && half < LIMIT_PG_WAIT_MS ?
	    half : LIMIT_PG_WAIT_MS);
}

/* A part of what the wait for an answer may be. */
static int64_t
of_wait(int64_t ms)
{
	return ms * atomic_load(&wait_ms) / LIMIT_PG_WAIT_MS;
}

nsec
pg_patience(const struct pg *p)
{
	int64_t ms = p->on->patience > 0 ? p->on->patience : of_wait(LIMIT_PG_WAIT_MS);

	return (p->use == DB_SLOW ? 2 * LIMIT_SCAN_MS : ms) * NS_PER_MS;
}

/* Waits for the socket, `ms` at most; reads what has come. */
static int
turn(struct pg *p, int ms)
{
	struct pollfd fd = { .fd = pq.socket(p->c), .events = POLLIN };
	int left = pq.flush(p->c);

	if (left < 0)
		return pg_lose(p, pq.errorMessage(p->c));
	if (left > 0)
		fd.events |= POLLOUT;
	if (poll(&fd, 1, ms) > 0 && (fd.revents & ~POLLOUT) != 0 &&
	    pq.consumeInput(p->c) != 1)
		return pg_lose(p, pq.errorMessage(p->c));
	return OK;
}

/* Until a result can be taken. */
static int
wait_for(struct pg *p)
{
	nsec now, until = 0;
	bool slow = p->use == DB_SLOW, asked = false, cancelled = false;
	pthread_t canceller;
	int rc = OK;

	while (rc == OK && pq.isBusy(p->c)) {
		now = clock_mono();
		if (until == 0) {
			until = now + pg_patience(p);
			p->waits++;
		}
		if (slow && !asked && db_interrupt(p->on)) {
			cancelled = cancel(p, &canceller);
			asked = true;
		}
		if (now >= until)
			rc = pg_lose(p, "it did not answer in time");
		else
			rc = turn(p, slow ? LOOK_MS : (int)((until - now) / NS_PER_MS) + 1);
	}
	if (cancelled && rc == OK)
		return cancel_end(p, canceller);
	if (cancelled)
		pthread_detach(canceller);
	return rc;
}

/* Asks the server to answer what it has.  Inside a transaction too by Sync and not by
 * Flush: behind a Flush the server counts a client that stopped as active, and
 * idle_in_transaction_session_timeout does not end its transaction. */
static int
ask_for_answers(struct pg *p)
{
	if (p->asked == p->sent)
		return OK;
	p->asked = p->sent;
	p->unasked = 0;
	if (pq.pipelineSync(p->c) != 1)
		return pg_lose(p, pq.errorMessage(p->c));
	p->syncs++;
	return OK;
}

static void
note_changes(struct pg *p, PGresult *res)
{
	const char *tag = pq.cmdStatus(res);

	if (!is(tag, "INSERT") && !is(tag, "UPDATE") && !is(tag, "DELETE"))
		return;
	str_to_i64(str_of(pq.cmdTuples(res)), &p->changes);
	if (p->changes > 0)
		p->wrote = p->got + 1;
}

/* The rows of the statement that is next to end, to it if they are kept for it; else
 * they are the last ones' or nobody's. */
static void
hand_over(struct pg *p, PGresult *res, PGresult **last)
{
	struct pg_stmt **at = &p->keeps;

	note_changes(p, res);
	while (*at != NULL && (*at)->no != p->got + 1)
		at = &(*at)->next;
	if (*at != NULL) {
		struct pg_stmt *s = *at;

		*at = s->next;
		s->res = res;
		s->rows = pq.ntuples(res);
		s->row = -1;
	} else if (p->got + 1 == p->sent) {
		pq.clear(*last);
		*last = res;
	} else {
		pq.clear(res);
	}
}

int
pg_wait(struct pg *p, PGresult **out)
{
	PGresult *res = NULL, *last = NULL;
	int rc = OK;

	*out = NULL;
	if (p->got == p->sent && p->syncs == 0)
		return OK;
	rc = ask_for_answers(p);
	while (rc == OK && (p->got < p->sent || p->syncs > 0)) {
		rc = next_result(p, &res);
		if (rc != OK || res == NULL)
			continue;
		if (is_failure(res)) {
			rc = pg_failed(p, res);
			pq.clear(res);
		} else if (pq.resultStatus(res) == PGRES_PIPELINE_SYNC) {
			pq.clear(res);
		} else {
			hand_over(p, res, &last);
		}
	}
	if (rc != OK)
		pq.clear(last);
	else
		*out = last;
	return rc;
}

void
pg_push(struct pg *p)
{
	if (p->c != NULL && ask_for_answers(p) == OK && pq.flush(p->c) < 0)
		pg_lose(p, pq.errorMessage(p->c));
}

int
pg_exec(struct pg *p, const char *text)
{
	PGresult *res, *bad = NULL;
	int rc = p->torn ? ERR_BUSY : pg_up(p, 0);

	if (rc == OK)
		rc = pg_wait(p, &res);
	if (rc != OK)
		return rc;
	pq.clear(res);
	if (drain(p) != OK)
		return ERR_BUSY;
	/* Several statements in a text are only possible outside the pipeline. */
	if (pq.exitPipelineMode(p->c) != 1 || pq.sendQuery(p->c, text) != 1)
		return pg_lose(p, pq.errorMessage(p->c));
	for (rc = wait_for(p); rc == OK; rc = wait_for(p)) {
		res = pq.getResult(p->c);
		if (res == NULL)
			break;
		if (bad == NULL && is_failure(res))
			bad = res;
		else
			pq.clear(res);
	}
	if (rc == OK) {
		p->in_tx = pq.transactionStatus(p->c) != PQTRANS_IDLE;
		if (pq.enterPipelineMode(p->c) != 1)
			rc = pg_lose(p, pq.errorMessage(p->c));
	}
	if (rc == OK && bad != NULL)
		rc = pg_failed(p, bad);
	pq.clear(bad);
	return rc;
}

int
pg_ask(struct pg *p, const char *text, const char *value, char *out, size_t size)
{
	PGresult *res;
	int rc;

	if (pq.sendQueryParams(p->c, text, value != NULL, NULL, &value, NULL, NULL, 0) != 1)
		return pg_lose(p, pq.errorMessage(p->c));
	p->sent++;
	rc = pg_wait(p, &res);
	if (rc == OK && out != NULL)
		snprintf(out, size, "%s", pq.ntuples(res) > 0 ?
		    pq.getvalue(res, 0, 0) : "");
	if (rc == OK)
		pq.clear(res);
	return rc;
}

/* ---- life ----------------------------------------------------------------------- */

/* Statements of one row find it by an index, in the order in which they name the tables,
 * as on SQLite; a plan is made once.  Slow reads are planned with their values.
 *
 * Nothing that changes what a text means, how those plans are or when a connection ends is
 * left to settings of the role or the database; a session that waits for its next command
 * may wait for long. */
static int
session(struct pg *p)
{
	const char *options = pq.options(p->c);
	bool slow = p->use == DB_SLOW;
	char text[1536];

	snprintf(text, sizeof text, "SET client_min_messages = error; SET jit = off;"
	    "SET join_collapse_limit = 1; SET bytea_output = hex; SET DateStyle = ISO;"
	    "SET standard_conforming_strings = on; SET gin_fuzzy_search_limit = 0;"
	    "SET enable_nestloop = on; SET enable_indexscan = on; SET enable_sort = on;"
	    "SET statement_timeout = %lld; SET lock_timeout = %lld;"
	    "SET idle_in_transaction_session_timeout = %lld; SET idle_session_timeout = 0;"
	    "SELECT set_config(name, '0', false) FROM pg_settings"
	    " WHERE name = 'transaction_timeout';"           /* since PostgreSQL 17 */
	    "SET tcp_user_timeout = %lld; SET tcp_keepalives_idle = 1;"
	    "SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 2;"
	    "SET default_transaction_isolation = 'read committed';%s%s%s",
	    (long long)(slow ? LIMIT_SCAN_MS : of_wait(LIMIT_PG_STATEMENT_MS)),
	    (long long)of_wait(LIMIT_PG_LOCK_MS),
	    (long long)(slow ? LIMIT_SCAN_MS : of_wait(LIMIT_PG_IDLE_MS)),
	    (long long)of_wait(LIMIT_PG_WAIT_MS),        /* of the server's socket */
	    slow ? "" : "SET enable_seqscan = off; SET enable_hashjoin = off;"
	    "SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan;",
	    p->use == DB_WRITE ? "SET synchronous_commit = on;" :
	    "SET default_transaction_read_only = on;",
	    options != NULL && strstr(options, "search_path") != NULL ? "" :
	    "SET search_path = cohort;");
	return pg_exec(p, text);
}

/* COMMIT may still be under way in it, and its locks are held until it has ended.  After
 * that its process is no more among those of the server. */
int
pg_end_backend(struct pg *p)
{
	char text[256], there[24] = "1";
	nsec until = clock_mono() + pg_patience(p);
	int rc = OK;

	if (p->pid == 0)
		return OK;
	snprintf(text, sizeof text, "SELECT count(pg_terminate_backend(pid)) FROM"
	    " pg_stat_activity WHERE pid = %d AND backend_start = $1::timestamptz", p->pid);
	while (rc == OK && strcmp(there, "0") != 0) {
		rc = pg_ask(p, text, p->started, there, sizeof there);
		if (rc == OK && strcmp(there, "0") != 0)
			poll(NULL, 0, 2);
		if (rc == OK && clock_mono() > until)
			rc = pg_lose(p, "the connection of before does not end");
	}
	if (rc == OK)
		p->pid = 0;
	return rc;
}

/* By what the server says: a pooler has made up what libpq knows. */
static int
backend_known(struct pg *p)
{
	char text[sizeof p->started + 16], *at = text;
	int rc = pg_ask(p, "SELECT pid || ' ' || backend_start FROM pg_stat_activity"
	    " WHERE pid = pg_backend_pid()", NULL, text, sizeof text);

	if (rc != OK)
		return rc;
	p->pid = (int)strtol(text, &at, 10);
	snprintf(p->started, sizeof p->started, "%s", *at == ' ' ? at + 1 : at);
	if (p->pid == 0 || atomic_exchange(&newest, p->pid) != p->pid)
		return OK;
	p->pid = 0;                          /* it is the other's */
	p->refused = p->refused || p->life <= 1;
	return pg_lose(p, "a pooler in transaction mode is between; it must be in session "
	    "mode, or the URL that of the server itself");
}

static int
greet(struct pg *p)
{
	int rc;

	p->life++;
	p->state = PG_UP;
	atomic_store(&reached, true);
	if (pq.setnonblocking(p->c, 1) != 0 || pq.enterPipelineMode(p->c) != 1)
		return pg_lose(p, pq.errorMessage(p->c));
	rc = session(p);
	/* A role that is another one from its login on does not see what became of the
	 * connections that it logged in with. */
	if (rc == OK)
		rc = pg_exec(p, "SET ROLE NONE");
	if (rc == OK && p->use == DB_WRITE)
		rc = pg_end_backend(p);
	if (rc == OK)
		rc = backend_known(p);
	if (rc == OK)
		rc = pg_exec(p, "RESET ROLE");
	if (rc != OK && p->state == PG_UP) {
		struct err e = p->on->err;           /* a setting that is refused */

		rc = pg_lose(p, e.text);
	}
	if (rc == OK)
		log_works(&p->not_made, "store", "pg_not_connected");
	return rc;
}

static void
connect_begin(struct pg *p)
{
	p->since = clock_mono();
	p->refused = false;
	p->turn = atomic_load(&first_host);
	p->begun = pg_start_begin(p->begun, p->url, p->turn, of_wait(LIMIT_PG_WAIT_MS));
	p->state = PG_CONNECTING;
}

/* Is libpq's connection there?  ERR_AGAIN: not yet. */
static int
begun_look(struct pg *p, nsec until)
{
	nsec end = p->since + pg_patience(p);

	if (p->begun == NULL)
		return pg_lose(p, "there is no thread to connect");
	p->c = pg_start_take(p->begun, until < end ? until : end);
	if (p->c == NULL)
		return clock_mono() < end ? ERR_AGAIN :
		    pg_lose(p, "its name was not found in time");
	pg_start_drop(p->begun);
	p->begun = NULL;
	pq.setErrorVerbosity(p->c, PQERRORS_VERBOSE);        /* pg_is_refusal */
	return OK;
}

/* One look.  ERR_AGAIN: it is under way. */
static int
connect_look(struct pg *p, nsec until, PostgresPollingStatusType *want)
{
	struct pollfd fd = { .events = *want == PGRES_POLLING_READING ? POLLIN : POLLOUT };
	int rc = p->c == NULL ? begun_look(p, until) : OK;
	nsec end = p->since + pg_patience(p), left;

	if (rc != OK)
		return rc;
	left = (until < end ? until : end) - clock_mono();
	fd.fd = pq.socket(p->c);
	if (pq.status(p->c) == CONNECTION_BAD)
		return pg_lose(p, pq.errorMessage(p->c));
	if (poll(&fd, 1, left > 0 ? (int)(left / NS_PER_MS) + 1 : 0) == 0) {
		if (clock_mono() >= end)
			return pg_lose(p, "it did not answer in time");
		return ERR_AGAIN;
	}
	*want = pq.connectPoll(p->c);
	if (*want == PGRES_POLLING_FAILED)
		return pg_lose(p, pq.errorMessage(p->c));
	return *want == PGRES_POLLING_OK ? OK : ERR_AGAIN;
}

static int
unreachable(struct pg *p)
{
	p->on->fault = DB_LOST;
	p->on->err.code = ERR_BUSY;          /* the words say why, since it was lost */
	if (p->on->err.text[0] == '\0')
		err_set(&p->on->err, ERR_BUSY, AWAY);
	return ERR_BUSY;
}

int
pg_up(struct pg *p, nsec until)
{
	PostgresPollingStatusType want = PGRES_POLLING_WRITING;
	int rc = ERR_AGAIN;

	if (p->state == PG_UP)
		return OK;
	do {
		nsec now = clock_mono();

		if (p->state == PG_DOWN && now < p->retry_at) {
			if (until <= p->retry_at)
				break;
			poll(NULL, 0, (int)((p->retry_at - now) / NS_PER_MS) + 1);
		}
		if (p->state == PG_DOWN) {
			connect_begin(p);
			want = PGRES_POLLING_WRITING;
		}
		if (p->state == PG_CONNECTING)
			rc = connect_look(p, until, &want);
		if (rc == OK)
			rc = greet(p);
		if (rc == OK)
			return OK;
		if (p->state == PG_DOWN)
			p->retry_at = p->since + LIMIT_PG_RETRY_MS * NS_PER_MS;
	} while (clock_mono() < until && !(p->refused && p->life <= 1));
	return unreachable(p);
}

/* libpq's own words repeat what it could not read, which may be the password: one with an
 * @ or a / that is not escaped would be taken for the host. */
static int
check_url(const char *url, struct err *e)
{
	const char *rest = strstr(url, "://");
	PQconninfoOption *options = pq.conninfoParse(url, NULL);
	bool good = options != NULL;

	pq.conninfoFree(options);
	if (good && rest != NULL) {
		rest += 3 + strcspn(rest + 3, "@/");
		rest += *rest == '@';
		good = rest[strcspn(rest, "@?")] != '@';
	}
	return good ? OK : err_set(e, ERR_INVALID, "the address of PostgreSQL cannot be read; "
	    "it is postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with %%40 for an @ in its "
	    "parts, %%2F for /, %%3A for :, %%3F for ? and %%25 for %%, or KEY=VALUE pairs with "
	    "quotes ' around values that have blanks");
}

/* For a further connection of a process. */
static _Atomic int64_t open_ms = LIMIT_PG_OPEN_MS;

void
db_server_wait(msec ms)
{
	atomic_store(&open_ms, ms > LIMIT_PG_OPEN_MS ? ms : LIMIT_PG_OPEN_MS);
}

/* The server was there a moment ago: it may be slow, or have too many connections. */
static int
open_further(struct pg *p)
{
	int64_t ms = atomic_load(&open_ms), step = LIMIT_PG_WAIT_MS;
	nsec began = clock_mono(), end = began + ms * NS_PER_MS, now = began;
	int rc;

	for (;;) {
		rc = pg_up(p, end - now < step * NS_PER_MS ? end : now + step * NS_PER_MS);
		now = clock_mono();
		if (rc == OK || p->refused || now >= end)
			return rc;
		log_warn("store", "waits_for_connection", "use=%d waited_ms=%lld at_most_ms=%lld "
		    "reason=%s", (int)p->use, (long long)((now - began) / NS_PER_MS),
		    (long long)ms, p->on->cause.text);
		step = LIMIT_CLUSTER_WAIT_SAY_MS;
	}
}

int
pg_open(struct pg **out, struct db_conn *on, const char *url, enum db_use use)
{
	struct pg *p;
	int rc = pg_lib_load(&on->err);

	if (rc == OK)
		rc = check_url(url, &on->err);
	if (rc != OK)
		return rc;
	p = *out = mem_new(struct pg);
	p->on = on;
	p->use = use;
	p->url = mem_cstr(str_of(url));
	rc = atomic_load(&reached) ? open_further(p) :
	    pg_up(p, clock_mono() + pg_start_hosts(url) * pg_patience(p));
	if (rc != OK && on->cause.text[0] != '\0')
		on->err = on->cause;         /* for who starts */
	if (rc != OK && p->refused)
		rc = on->err.code = ERR_DENIED;
	return rc;
}

void
pg_close(struct pg *p)
{
	if (p->c != NULL)
		pq.finish(p->c);
	backend_left(p);
	pg_start_drop(p->begun);
	free(p->url);
	free(p);
}
