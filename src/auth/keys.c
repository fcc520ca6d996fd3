/*
 * keys.c - see keys_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/keys_priv.h"
#include "base/file.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_RANDOM_BYTES 32

/* ---- the file -------------------------------------------------------------- */

/* Whoever can write the file can grant access. */
static int
check_mode(int fd, struct str path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, ERR_IO, "%.*s: %s", FMT(path), strerror(errno));
	if (!S_ISREG(st.st_mode))
		return OK;                   /* a pipe of the caller's: /dev/fd/3 */
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return err_set(e, ERR_DENIED, "%.*s: owned by another user (uid %u), "
		    "who could grant access; chown it", FMT(path),
		    (unsigned)st.st_uid);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(e, ERR_DENIED, "%.*s: writable by others, who could "
		    "grant access; chmod 600 it", FMT(path));
	if ((st.st_mode & (S_IRGRP | S_IROTH)) != 0)
		log_warn("auth", "file_readable", "file=%.*s "
		    "reason=\"others can read it; better chmod 600\"", FMT(path));
	return OK;
}

int
auth_file_add(struct str path, struct buf *b, struct err *e)
{
	char *name = mem_cstr(path);
	int fd = open(name, O_RDONLY | O_CLOEXEC), rc;
	struct err why;

	free(name);
	if (fd < 0)
		return err_set(e, ERR_IO, "%.*s: %s", FMT(path), strerror(errno));
	rc = check_mode(fd, path, e);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	rc = file_add_fd(fd, b, NULL, &why);
	if (rc < 0)
		err_set(e, rc, "%.*s: %s", FMT(path), why.text);
	close(fd);
	return rc;
}

static const struct { const char *name; size_t at; } limit_words[] = {
	{ "concurrency", offsetof(struct auth_limits, concurrency) },
	{ "requests-per-second", offsetof(struct auth_limits, requests_per_second) },
	{ "tokens-per-day", offsetof(struct auth_limits, tokens_per_day) },
#define X(id, name) { name, offsetof(struct auth_limits, stored.max[QUOTA_##id]) },
	QUOTA_MAP(X)
#undef X
};

static const char bad_word[] = "after the owner: expected concurrency=N, "
    "requests-per-second=N, tokens-per-day=N, runs=N, threads=N, store-items=N, store-bytes=N, "
    "agents=N, crons=N, scopes=A,B or graphs=A,B; N from 1 on";
static const char bad_cert[] = "cert=: expected the SHA-256 of a client certificate as 64 hex "
    "digits: openssl x509 -in FILE -outform DER | sha256sum";
static const char bad_graphs[] = "graphs= is of a key with scopes=worker";
static const char bad_worker[] = "scopes=worker stands alone: a worker's key opens nothing "
    "else";

static bool
set_limit(struct key *k, struct str name, struct str value)
{
	int64_t n;

	for (size_t i = 0; i < COUNT(limit_words); i++) {
		if (!str_eq(name, str_of(limit_words[i].name)))
			continue;
		if (!str_to_i64(value, &n) || n < 1 || n > LIMIT_KEY_NUMBER)
			return false;
		memcpy((char *)&k->limits + limit_words[i].at, &n, sizeof n);
		k->limited = true;
		return true;
	}
	return false;
}

/* `name=value ...`; NULL, or what is wrong. */
static const char *
read_words(struct key *k, struct str rest)
{
	struct str word, name;

	while (str_next(&rest, ' ', &word)) {
		if (word.n == 0)
			continue;
		str_next(&word, '=', &name);
		if (str_eq(name, S("scopes")) && word.n > 0)
			k->scopes = word;
		else if (str_eq(name, S("graphs")) && word.n > 0)
			k->graphs = word;
		else if (str_eq(name, S("cert"))) {
			k->bound = hex_decode(word, k->cert, sizeof k->cert);
			if (!k->bound)
				return bad_cert;
		}
		else if (!set_limit(k, name, word))
			return bad_word;
	}
	rest = k->graphs;
	while (str_next(&rest, ',', &word))
		if (word.n == 0)
			return bad_word;
	if (k->graphs.n > 0 && !str_eq(k->scopes, S(SCOPE_WORKER)))
		return bad_graphs;
	rest = k->scopes;
	while (str_next(&rest, ',', &word))
		if (str_eq(word, S(SCOPE_WORKER)) && !str_eq(k->scopes, word))
			return bad_worker;
	return NULL;
}

/* Where the words begin: behind the owner, whose name may have blanks. */
static size_t
owner_length(struct str s)
{
	size_t n = s.n;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == ' ' && i + 1 < s.n && s.p[i + 1] != ' ')
			n = i;
		else if (s.p[i] == '=' && n < s.n)
			return n;
	}
	return s.n;
}

/* `<64 hex> <owner> [name=value ...]`; blank lines and lines that begin with # are
 * skipped.  Returns what is wrong with the line, or NULL. */
static const char *
add_line(struct keys *k, struct str line)
{
	struct key key = { .limited = false };
	struct str s = str_trim(line), owner = str_trim(str_sub(s, 2 * SHA256_SIZE, s.n)), words;
	const char *wrong;

	if (s.n == 0 || s.p[0] == '#')
		return NULL;
	if (!hex_decode(str_sub(s, 0, 2 * SHA256_SIZE), key.hash, SHA256_SIZE) ||
	    owner.n == 0 || owner.p == s.p + 2 * SHA256_SIZE)
		return "expected 64 hex digits, a space and an owner";
	words = str_sub(owner, owner_length(owner), owner.n);
	owner = str_trim(str_sub(owner, 0, owner_length(owner)));
	if (owner.n > LIMIT_NAME_BYTES || !str_is_utf8(owner))
		return "the owner's name is too long or not UTF-8";
	wrong = read_words(&key, words);
	if (wrong != NULL)
		return wrong;
	for (size_t i = 0; i < k->n; i++)
		if (hmac_equal(k->list[i].hash, key.hash, SHA256_SIZE))
			return "the same key a second time";
	if (k->n == LIMIT_API_KEYS)
		return "too many keys";
	mem_grow(k->list, k->n, k->cap);
	key.owner = (struct str){ mem_cstr(owner), owner.n };
	key.scopes = (struct str){ mem_cstr(key.scopes), key.scopes.n };
	key.graphs = (struct str){ mem_cstr(key.graphs), key.graphs.n };
	k->list[k->n++] = key;
	return NULL;
}

int
keys_load(struct keys *k, struct str path, struct err *e)
{
	struct buf text = BUF(LIMIT_KEYS_FILE_BYTES);
	struct str rest, line;
	const char *wrong = NULL;
	int rc = auth_file_add(path, &text, e), number = 0;

	*k = (struct keys){ NULL, 0, 0 };
	rest = buf_str(&text);
	while (rc == OK && wrong == NULL && str_next(&rest, '\n', &line)) {
		number++;
		wrong = add_line(k, line);
	}
	buf_release(&text);
	if (wrong != NULL)
		rc = err_set(e, ERR_SYNTAX, "%.*s:%d: %s", FMT(path), number, wrong);
	else if (rc == OK && k->n == 0)
		rc = err_set(e, ERR_INVALID, "%.*s: no keys in it; `cohort token "
		    "--api-key --sub NAME` makes one", FMT(path));
	if (rc < 0)
		keys_release(k);
	return rc;
}

void
keys_release(struct keys *k)
{
	for (size_t i = 0; i < k->n; i++) {
		free((char *)(uintptr_t)k->list[i].owner.p);
		free((char *)(uintptr_t)k->list[i].scopes.p);
		free((char *)(uintptr_t)k->list[i].graphs.p);
	}
	free(k->list);
	*k = (struct keys){ NULL, 0, 0 };
}

/* ---- asking ---------------------------------------------------------------- */

/* Compares every entry, found or not: the time tells only how many there are. */
const struct key *
keys_find(const struct keys *k, const uint8_t hash[SHA256_SIZE])
{
	size_t found = k->n;

	for (size_t i = 0; i < k->n; i++)
		if (hmac_equal(k->list[i].hash, hash, SHA256_SIZE))
			found = i;
	return found < k->n ? &k->list[found] : NULL;
}

int
auth_key_make(struct buf *key, struct buf *line, struct str owner, struct str words,
    struct err *e)
{
	uint8_t bytes[KEY_RANDOM_BYTES], hash[SHA256_SIZE];
	size_t start = key->n;
	struct key unused = { .limited = false };
	const char *wrong = read_words(&unused, words);

	if (wrong != NULL)
		return err_set(e, ERR_INVALID, "%s", wrong);
	id_random(bytes, sizeof bytes);
	buf_lit(key, KEY_PREFIX);
	base64url_add(key, bytes, sizeof bytes);
	explicit_bzero(bytes, sizeof bytes);
	sha256(str_sub(buf_str(key), start, key->n), hash);
	hex_add(line, hash, sizeof hash);
	buf_add_fmt(line, " %.*s%s%.*s", FMT(owner), words.n > 0 ? " " : "", FMT(words));
	return OK;
}
