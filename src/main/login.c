/*
 * login.c - see login.h.
 *
 * The password is never an argument, which other users of the machine could read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/login.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "main/remote.h"
#include "net/route.h"

#define ANSWER_MAX   (256 * KB)
#define PASSWORD_MAX 1024
#define TIMEOUT      (30 * NS_PER_S)
#define GRANT        "/token?grant_type=password"

/* ---- the password --------------------------------------------------------------- */

static int
read_line(FILE *in, char out[PASSWORD_MAX], struct err *e)
{
	size_t n;

	if (fgets(out, PASSWORD_MAX, in) == NULL)
		return err_set(e, ERR_INVALID, "no password: set $COHORT_PASSWORD, or type "
		    "it, or send it to stdin");
	n = strlen(out);
	if (n == PASSWORD_MAX - 1 && out[n - 1] != '\n')
		return err_set(e, ERR_TOOBIG, "the password is longer than %d bytes",
		    PASSWORD_MAX - 2);
	out[strcspn(out, "\r\n")] = '\0';
	return OK;
}

static int
ask_terminal(struct str email, char out[PASSWORD_MAX], struct err *e)
{
	struct termios shown, hidden;
	int rc;

	if (tcgetattr(STDIN_FILENO, &shown) != 0)
		return err_set(e, ERR_IO, "the terminal: %s", strerror(errno));
	fprintf(stderr, "Password of %.*s: ", FMT(email));
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	rc = read_line(stdin, out, e);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	fputc('\n', stderr);
	return rc;
}

static int
read_password(struct str email, char out[PASSWORD_MAX], struct err *e)
{
	const char *env = getenv("COHORT_PASSWORD");
	int rc = OK;

	if (env == NULL || env[0] == '\0')
		rc = isatty(STDIN_FILENO) ? ask_terminal(email, out, e) :
		    read_line(stdin, out, e);
	else if (strlen(env) >= PASSWORD_MAX)
		rc = err_set(e, ERR_TOOBIG, "$COHORT_PASSWORD is longer than %d bytes",
		    PASSWORD_MAX - 1);
	else
		memcpy(out, env, strlen(env) + 1);
	if (rc == OK && out[0] == '\0')
		rc = err_set(e, ERR_INVALID, "the password is empty");
	return rc;
}

/* ---- the grant ------------------------------------------------------------------- */

/* The message of an error; versions of GoTrue have it under different keys. */
static struct str
words_of(jnode root)
{
	static const char *const keys[] = { "msg", "error_description", "message", "detail",
		"error" };

	for (size_t i = 0; i < COUNT(keys); i++) {
		struct str words = json_str(json_get(root, str_of(keys[i])));

		if (words.n > 0)
			return str_cut(words, 200);
	}
	return S("it does not say why");
}

/* Printable ASCII without spaces: safe in a header, a shell and a terminal. */
static bool
is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
			return false;
	return s.n > 0;
}

static int
read_answer(struct str url, long status, struct str answer, struct buf *token,
    struct err *e)
{
	struct json_doc d = { 0 };
	struct err why;
	struct str got;
	int rc = json_parse(&d, answer, &why);

	if (status != 200) {
		rc = err_set(e, status == 400 || status == 401 || status == 403 ? ERR_UNAUTH :
		    ERR_CLOSED, "%.*s answered %ld: %.*s", FMT(url), status,
		    FMT(words_of(rc == OK ? d.root : NULL)));
		json_release(&d);
		return rc;
	}
	got = json_str(json_get(d.root, S("access_token")));
	if (rc != OK || !is_token(got))
		rc = err_set(e, ERR_CLOSED, "%.*s answered without an access_token; is it a "
		    "GoTrue server?", FMT(url));
	else
		buf_add(token, got);
	json_release(&d);
	return rc;
}

static int
ask(struct remote *r, struct str body, struct buf *token, struct err *e)
{
	static const char *const paths[] = { "/auth/v1" GRANT, GRANT };
	struct str answer;
	long status = 404;
	int rc = OK;

	for (size_t i = str_ends(remote_url(r), S("/auth/v1")) ? 1 : 0;
	    rc == OK && status == 404 && i < COUNT(paths); i++)
		rc = remote_ask(r, "POST", str_of(paths[i]), body, TIMEOUT, &status, &answer,
		    e);
	return rc == OK ? read_answer(remote_url(r), status, answer, token, e) : rc;
}

static void
warn_plain(struct str url)
{
	struct route r;

	if (route_parse(url, &r, NULL) == OK && !r.tls && !host_is_loopback(r.host))
		fprintf(stderr, "cohort token: the password goes to %.*s unencrypted; better "
		    "https\n", FMT(r.host));
}

int
login_token(struct str url, struct str email, struct str anon_key, struct buf *token,
    struct err *e)
{
	char password[PASSWORD_MAX] = "";
	struct buf body = BUF(16 * KB);
	struct remote *r = NULL;
	int rc = remote_open_bare(&r, url, ANSWER_MAX, e);

	if (rc == OK && anon_key.n > 0)
		rc = remote_add_header(r, "apikey", anon_key, e);
	if (rc == OK)
		rc = read_password(email, password, e);
	if (rc == OK) {
		warn_plain(url);
		json_add_fmt(&body, "{'email':%.*s,'password':%s}", FMT(email), password);
		rc = ask(r, buf_str(&body), token, e);
	}
	explicit_bzero(password, sizeof password);
	if (body.p != NULL)
		explicit_bzero(body.p, body.n);
	buf_release(&body);
	remote_close(r);
	return rc;
}
