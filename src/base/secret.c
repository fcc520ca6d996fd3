/*
 * secret.c - see secret.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/env.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/url.h"

#define ENV        S("env:")
#define FILE_AT    S("file:")
#define CREDENTIAL S("credential:")
#define FOLDER     "CREDENTIALS_DIRECTORY"

static bool
is_name(struct str s)
{
	return str_starts(s, ENV) || str_starts(s, FILE_AT) || str_starts(s, CREDENTIAL);
}

static int
from_env(struct buf *out, struct str name, char **env, struct err *e)
{
	const char *value = env_find(env, name);

	if (name.n == 0)
		return err_set(e, ERR_INVALID, "expected env:NAME, with a variable's name");
	if (value == NULL || value[0] == '\0')
		return err_set(e, ERR_INVALID, "$%.*s is not set", FMT(str_cut(name, 100)));
	buf_add(out, str_of(value));
	return OK;
}

/* The folder of systemd's credentials is the service's alone, and its files have access
 * lists, which a mode shows as the group's. */
static int
check_mode(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? err_set(e, ERR_INVALID, "%s is a folder", path) :
		    OK;                      /* a pipe of the caller's: /dev/fd/3 */
	if ((st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)) != 0)
		return err_set(e, ERR_DENIED, "%s: %s, and it holds a secret: chmod 600 (or 640) "
		    "it", path, (st.st_mode & S_IROTH) != 0 ? "all users can read it" :
		    "others can write it");
	return OK;
}

static void
drop_newline(struct buf *b)
{
	if (str_ends(buf_str(b), S("\n")))
		buf_cut(b, b->n - 1);
	if (str_ends(buf_str(b), S("\r")))
		buf_cut(b, b->n - 1);
}

static void
wipe(struct buf *b)
{
	if (b->n > 0)
		explicit_bzero(b->p, b->n);
	buf_release(b);
}

static int
from_file(struct buf *out, const char *path, struct err *e)
{
	struct buf text = BUF(LIMIT_SECRET_BYTES);
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;
	struct err why;

	if (fd < 0)
		return err_set(e, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", path,
		    strerror(errno));
	rc = check_mode(fd, path, e);
	if (rc == OK) {
		rc = file_add_fd(fd, &text, NULL, &why);
		if (rc != OK)
			err_set(e, rc, "%s: %s", path, why.text);
	}
	close(fd);
	drop_newline(&text);
	if (rc == OK && text.n == 0)
		rc = err_set(e, ERR_INVALID, "%s is empty", path);
	if (rc == OK && memchr(text.p, '\0', text.n) != NULL)
		rc = err_set(e, ERR_INVALID, "%s: expected a text, it holds a NUL byte", path);
	if (rc == OK)
		buf_add(out, buf_str(&text));
	wipe(&text);
	return rc;
}

static int
from_credential(struct buf *out, struct str name, char **env, struct err *e)
{
	const char *folder = env_find(env, S(FOLDER));
	struct buf path = BUF(4 * KB);
	int rc;

	if (name.n == 0 || name.p[0] == '.' || str_index(name, '/') >= 0)
		return err_set(e, ERR_INVALID, "expected credential:NAME, as LoadCredential= of "
		    "the service names it, got \"credential:%.*s\"", FMT(str_cut(name, 100)));
	if (folder == NULL || folder[0] == '\0')
		return err_set(e, ERR_INVALID, "credential:%.*s: $" FOLDER " is not set; systemd "
		    "sets it for a service with LoadCredential=", FMT(str_cut(name, 100)));
	buf_add_fmt(&path, "%s/%.*s", folder, FMT(name));
	rc = path.failed ? err_set(e, ERR_INVALID, "credential: the path is too long") :
	    from_file(out, path.p, e);
	buf_release(&path);
	return rc;
}

/* What a name stands for. */
static int
add_named(struct buf *out, struct str s, char **env, struct err *e)
{
	char *path;
	int rc;

	if (str_index(s, '\0') >= 0)
		return err_set(e, ERR_INVALID, "the name of a secret has a NUL byte");
	if (str_starts(s, ENV))
		return from_env(out, str_sub(s, ENV.n, s.n), env, e);
	if (str_starts(s, CREDENTIAL))
		return from_credential(out, str_sub(s, CREDENTIAL.n, s.n), env, e);
	path = mem_cstr(str_sub(s, FILE_AT.n, s.n));
	rc = path[0] != '\0' ? from_file(out, path, e) :
	    err_set(e, ERR_INVALID, "expected file:PATH, with a file's path");
	free(path);
	return rc;
}

/* ---- passwords of addresses --------------------------------------------------- */

/* The next name that is a password in s: from *from to *to, both 0 if there is none. */
static bool
find_password(struct str s, size_t start, size_t *from, size_t *to)
{
	for (size_t i = start; i + 3 < s.n; i++) {
		size_t at = i + 3;
		ptrdiff_t end;

		if (!str_starts(str_sub(s, i, s.n), S("://")))
			continue;
		while (at < s.n && strchr(":/@?,", s.p[at]) == NULL)
			at++;
		end = str_index(str_sub(s, at, s.n), '@');
		if (at == s.n || s.p[at] != ':' || end < 0 ||
		    !is_name(str_sub(s, at + 1, s.n)))
			continue;
		*from = at + 1;
		*to = at + (size_t)end;
		return true;
	}
	return false;
}

bool
secret_is_named(struct str text)
{
	size_t from, to;

	return is_name(text) || find_password(text, 0, &from, &to);
}

int
secret_add(struct buf *out, struct str text, char **env, struct err *e)
{
	struct buf one = BUF(LIMIT_SECRET_BYTES);
	size_t done = 0, from, to;
	int rc = OK;

	if (is_name(text)) {
		rc = add_named(out, text, env, e);
		done = text.n;
	}
	while (rc == OK && find_password(text, done, &from, &to)) {
		rc = add_named(&one, str_sub(text, from, to - from), env, e);
		buf_add(out, str_sub(text, done, from - done));
		url_add_escaped(out, buf_str(&one));
		buf_clear(&one);
		done = to;
	}
	wipe(&one);
	buf_add(out, str_sub(text, done, text.n));
	if (rc == OK && out->failed)
		rc = err_set(e, ERR_INVALID, "the secret is longer than %zu bytes", out->max);
	return rc;
}
