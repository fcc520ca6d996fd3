/*
 * sqlite_crypt.c - a file layer of SQLite that encrypts whole pages; see crypt.h.
 *
 * A page in the file:
 *
 *      0  4068  encrypted
 *   4068    12  the nonce, random at each write
 *   4080    16  the tag
 *
 * SQLite leaves the last 28 bytes of each page alone (its "reserved space").  Of page 1 the
 * first 16 bytes are plain: MAGIC and 8 bytes that name the key.  The tag covers them and the
 * page's number, so a page of elsewhere is noticed; one of before, in its own place, is not.
 *
 * The write-ahead log has the same pages behind its own frames' heads, which are plain (page
 * numbers and checksums).  A page there is bound to its place in the log.
 *
 * Each place has a key of its own, HMAC-SHA256 of the key and the place: so no key meets the
 * same random nonce twice within anything like the 2^32 writes that it may be used for.
 *
 * A page of zeros is one that was never written, and reads as such.  Files of other kinds
 * (a rollback journal, which a file with a log does not have) are passed on as they are;
 * temporary ones are in memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/crypt.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hmac.h"
#include "base/mem.h"
#include "store/backup_priv.h"
#include "store/sqlite_priv.h"

#define MAGIC      "CohortE1"
#define PLAIN      16                        /* of page 1 */
#define NONCE      12
#define TAG        16
#define BODY       (CRYPT_PAGE - CRYPT_SPARE)
#define LOG_HEAD   32
#define FRAME_HEAD 24
#define FRAME      (FRAME_HEAD + CRYPT_PAGE)

enum place { PLACE_FILE = 1, PLACE_LOG, PLACE_SUM, PLACE_NAME };

struct crypt_keys {
	sqlite3_vfs vfs;                     /* pAppData: this */
	sqlite3_vfs *real;
	char name[24];
	uint8_t key[CRYPT_KEY], id[8], sum_key[CRYPT_KEY];
	bool used;
};

static struct crypt_keys layers[CRYPT_LAYERS];
static pthread_mutex_t layers_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- keys ----------------------------------------------------------------------- */

static void
derive(const uint8_t key[CRYPT_KEY], enum place what, uint64_t number, uint8_t out[CRYPT_KEY])
{
	uint8_t text[9] = { (uint8_t)what };

	for (int i = 0; i < 8; i++)
		text[1 + i] = (uint8_t)(number >> 8 * i);
	hmac_sha256((struct str){ (const char *)key, CRYPT_KEY },
	    (struct str){ (const char *)text, sizeof text }, out);
}

int
crypt_key_parse(struct str text, uint8_t key[CRYPT_KEY], struct err *e)
{
	struct buf b = BUF(64), url = BUF(64);
	bool good = hex_decode(text, key, CRYPT_KEY);

	while (str_ends(text, S("=")) && text.n > 43)
		text.n--;
	for (size_t i = 0; !good && text.n == 43 && i < text.n; i++)
		buf_add_char(&url, text.p[i] == '+' ? '-' : text.p[i] == '/' ? '_' : text.p[i]);
	if (!good && text.n == 43 && base64url_decode(buf_str(&url), &b) && b.n == CRYPT_KEY) {
		memcpy(key, b.p, CRYPT_KEY);
		good = true;
	}
	if (b.p != NULL)
		explicit_bzero(b.p, b.n);
	if (url.p != NULL)
		explicit_bzero(url.p, url.n);
	buf_release(&b);
	buf_release(&url);
	return good ? OK : err_set(e, ERR_INVALID, "encryption.key: expected 32 bytes as 64 hex "
	    "digits or in base64, as `openssl rand -hex 32` makes them; got %zu characters",
	    text.n);
}

/* ---- pages ------------------------------------------------------------------------ */

/* The nonce and the tag stand behind the body. */
static bool
gcm(const struct crypt_keys *k, enum place what, uint64_t number, uint8_t *page, size_t from,
    bool seal)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t key[CRYPT_KEY], *nonce = page + BODY, *tag = page + BODY + NONCE;
	int n = 0, ok;

	derive(k->key, what, number, key);
	ok = c != NULL && EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, seal) == 1;
	if (ok && from > 0)
		ok = EVP_CipherUpdate(c, NULL, &n, page, (int)from) == 1;
	if (ok)
		ok = EVP_CipherUpdate(c, page + from, &n, page + from, (int)(BODY - from)) == 1;
	if (ok && !seal)
		ok = EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1;
	if (ok)
		ok = EVP_CipherFinal_ex(c, page + BODY, &n) == 1;
	if (ok && seal)
		ok = EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1;
	EVP_CIPHER_CTX_free(c);
	explicit_bzero(key, sizeof key);
	assert(ok || !seal);
	return ok != 0;
}

static void
seal(const struct crypt_keys *k, enum place what, uint64_t number, const void *page, void *out)
{
	uint8_t *to = out;
	bool first = what == PLACE_FILE && number == 1;

	memcpy(to, page, BODY);
	if (first) {
		memcpy(to, MAGIC, 8);
		memcpy(to + 8, k->id, 8);
	}
	if (RAND_bytes(to + BODY, NONCE) != 1)
		abort();                     /* a nonce that repeats would give the key away */
	gcm(k, what, number, to, first ? PLAIN : 0, true);
}

static bool
is_blank(const uint8_t *page)
{
	return page[0] == 0 && memcmp(page, page + 1, CRYPT_PAGE - 1) == 0;
}

/* In place; SQLite sees zeros where the nonce and the tag are. */
static bool
open_up(const struct crypt_keys *k, enum place what, uint64_t number, uint8_t *page)
{
	bool first = what == PLACE_FILE && number == 1;

	if (is_blank(page))
		return true;
	if (!gcm(k, what, number, page, first ? PLAIN : 0, false))
		return false;
	if (first)
		memcpy(page, "SQLite format 3", PLAIN);
	memset(page + BODY, 0, CRYPT_SPARE);
	return true;
}

void
crypt_seal_page(const struct crypt_keys *k, uint32_t number, const void *page, void *out)
{
	seal(k, PLACE_FILE, number, page, out);
}

bool
crypt_open_page(const struct crypt_keys *k, uint32_t number, void *page)
{
	return open_up(k, PLACE_FILE, number, page);
}

void
crypt_sum(const struct crypt_keys *k, struct str page, uint8_t out[32])
{
	hmac_sha256((struct str){ (const char *)k->sum_key, CRYPT_KEY }, page, out);
}

/* ---- the layer --------------------------------------------------------------------- */

/* Behind the real layer's part of a file. */
struct crypt_tail {
	const struct crypt_keys *keys;
	const sqlite3_io_methods *real;
	sqlite3_io_methods methods;
	bool log;
};

static int
tail_offset(const sqlite3_vfs *real)
{
	return (real->szOsFile + 15) & ~15;
}

static struct crypt_tail *
tail_of(sqlite3_file *f)
{
	return (struct crypt_tail *)((char *)f + tail_offset(layers[0].real));
}

/* SQLite reads whole pages, and parts of the first. */
static int
main_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	struct crypt_tail *t = tail_of(f);
	sqlite3_int64 first = at / CRYPT_PAGE * CRYPT_PAGE;
	uint8_t page[CRYPT_PAGE];
	int rc;

	if (at + n > first + CRYPT_PAGE)
		return SQLITE_IOERR_READ;
	rc = t->real->xRead(f, page, CRYPT_PAGE, first);
	if (rc != SQLITE_OK) {
		memset(to, 0, (size_t)n);
		return rc;
	}
	if (!open_up(t->keys, PLACE_FILE, (uint64_t)(first / CRYPT_PAGE) + 1, page))
		return SQLITE_IOERR_DATA;
	memcpy(to, page + (at - first), (size_t)n);
	return SQLITE_OK;
}

static int
main_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	struct crypt_tail *t = tail_of(f);
	uint8_t page[CRYPT_PAGE];

	if (n != CRYPT_PAGE || at % CRYPT_PAGE != 0)
		return SQLITE_IOERR_WRITE;
	seal(t->keys, PLACE_FILE, (uint64_t)(at / CRYPT_PAGE) + 1, from, page);
	return t->real->xWrite(f, page, CRYPT_PAGE, at);
}

/* Which frame's page begins at this place of the log?  0: none. */
static uint64_t
frame_at(sqlite3_int64 at)
{
	return at < LOG_HEAD + FRAME_HEAD || (at - LOG_HEAD - FRAME_HEAD) % FRAME != 0 ? 0 :
	    (uint64_t)((at - LOG_HEAD - FRAME_HEAD) / FRAME) + 1;
}

/* Heads of the log and of frames, pages, and frames as a whole, in a recovery: of these one
 * that cannot be opened is the end of the log, as its checksum will tell. */
static int
log_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	struct crypt_tail *t = tail_of(f);
	int rc = t->real->xRead(f, to, n, at);

	if (rc != SQLITE_OK || n <= LOG_HEAD)
		return rc;
	if (n == CRYPT_PAGE && frame_at(at) > 0)
		return open_up(t->keys, PLACE_LOG, frame_at(at), to) ? SQLITE_OK :
		    SQLITE_IOERR_DATA;
	if (n == FRAME && frame_at(at + FRAME_HEAD) > 0) {
		uint8_t *page = (uint8_t *)to + FRAME_HEAD;

		if (!open_up(t->keys, PLACE_LOG, frame_at(at + FRAME_HEAD), page))
			memset(to, 0, FRAME);
		return SQLITE_OK;
	}
	return SQLITE_IOERR_READ;
}

/* Zeros are what makes the log's file longer ahead of commits. */
static int
log_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	struct crypt_tail *t = tail_of(f);
	const uint8_t *p = from;
	uint8_t page[CRYPT_PAGE];

	if (n == CRYPT_PAGE && frame_at(at) > 0) {
		/* SQLite's checksum is of the page as it will be read. */
		for (int i = BODY; i < CRYPT_PAGE; i++)
			if (p[i] != 0)
				return SQLITE_IOERR_WRITE;
		seal(t->keys, PLACE_LOG, frame_at(at), from, page);
		return t->real->xWrite(f, page, n, at);
	}
	if (n > LOG_HEAD && (p[0] != 0 || memcmp(p, p + 1, (size_t)n - 1) != 0))
		return SQLITE_IOERR_WRITE;
	return t->real->xWrite(f, from, n, at);
}

/* Methods of version 2 map no memory, so every read passes through ours. */
static int
layer_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	struct crypt_keys *k = vfs->pAppData;
	struct crypt_tail *t = tail_of(f);
	int rc = k->real->xOpen(k->real, name, f, flags, out);

	if (f->pMethods == NULL || (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) == 0)
		return rc;
	*t = (struct crypt_tail){ k, f->pMethods, *f->pMethods,
	    (flags & SQLITE_OPEN_WAL) != 0 };
	t->methods.iVersion = 2;
	t->methods.xRead = t->log ? log_read : main_read;
	t->methods.xWrite = t->log ? log_write : main_write;
	f->pMethods = &t->methods;
	return rc;
}

/* The other methods of the real layer deal in names, not in files. */
static void
layer_make(struct crypt_keys *k, const uint8_t key[CRYPT_KEY])
{
	uint8_t name[CRYPT_KEY];

	k->real = sqlite3_vfs_find(NULL);
	k->vfs = *k->real;
	k->vfs.pNext = NULL;
	k->vfs.szOsFile = tail_offset(k->real) + (int)sizeof(struct crypt_tail);
	k->vfs.pAppData = k;
	k->vfs.xOpen = layer_open;
	memcpy(k->key, key, CRYPT_KEY);
	derive(key, PLACE_NAME, 0, name);
	memcpy(k->id, name, sizeof k->id);
	derive(key, PLACE_SUM, 0, k->sum_key);
	snprintf(k->name, sizeof k->name, CRYPT_NAME "%d", (int)(k - layers));
	k->vfs.zName = k->name;
	k->used = true;
	sqlite3_vfs_register(&k->vfs, 0);
}

const char *
crypt_layer(const uint8_t key[CRYPT_KEY])
{
	struct crypt_keys *found = NULL;

	sqlite3_initialize();
	pthread_mutex_lock(&layers_lock);
	for (int i = 0; i < CRYPT_LAYERS && found == NULL; i++) {
		struct crypt_keys *k = &layers[i];

		if (!k->used)
			layer_make(k, key);
		if (hmac_equal(k->key, key, CRYPT_KEY))
			found = k;
	}
	pthread_mutex_unlock(&layers_lock);
	assert(found != NULL);
	return found->name;
}

struct crypt_keys *
crypt_keys_of(const char *layer)
{
	for (int i = 0; i < CRYPT_LAYERS && layer != NULL; i++)
		if (layers[i].used && strcmp(layers[i].name, layer) == 0)
			return &layers[i];
	return NULL;
}

bool
crypt_is_layer(const char *name)
{
	return crypt_keys_of(name) != NULL;
}

/* ---- files ---------------------------------------------------------------------------- */

int
crypt_check_fd(int fd, const char *path, const char *layer, struct err *e)
{
	const struct crypt_keys *k = crypt_keys_of(layer);
	uint8_t page[CRYPT_PAGE];
	ssize_t n = pread(fd, page, sizeof page, 0);
	bool sealed = n >= PLAIN && memcmp(page, MAGIC, 8) == 0;

	if (n < 0)
		return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	if (n == 0 || (!sealed && k == NULL))
		return OK;
	if (!sealed)
		return err_set(e, ERR_DENIED, "%s is not encrypted, but encryption.key is set: "
		    "cohort encrypt --db %s makes it so", path, path);
	if (k == NULL)
		return err_set(e, ERR_DENIED, "%s is encrypted: set encryption.key", path);
	if (memcmp(page + 8, k->id, sizeof k->id) != 0)
		return err_set(e, ERR_DENIED, "%s is encrypted with another key than "
		    "encryption.key", path);
	return OK;
}

int
crypt_check(const char *path, const char *layer, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return errno == ENOENT ? OK : err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	rc = crypt_check_fd(fd, path, layer, e);
	close(fd);
	return rc;
}

static int
copy_through(const char *path, const char *from, const char *part, const char *to,
    struct err *e)
{
	static const struct db_sql none = { .n = 0 };
	int spare = to == NULL ? 0 : CRYPT_SPARE;
	char *text = sqlite3_mprintf("VACUUM INTO %Q", part);
	int64_t size = 0;
	struct db db;
	int rc = db_open(&db, path, from, &none, DB_WRITE, e);

	if (rc == OK)
		rc = db_read_i64(&db, "PRAGMA page_size", &size, e);
	if (rc == OK && size != CRYPT_PAGE)
		rc = err_set(e, ERR_INVALID, "%s has pages of %lld bytes, not 4096", path,
		    (long long)size);
	if (rc == OK) {
		sqlite3_file_control(sqlite_of(&db), "main", SQLITE_FCNTL_RESERVE_BYTES, &spare);
		rc = db_exec(&db, text, e);
	}
	if (rc == OK)                        /* the log is empty then, and goes with it */
		rc = db_log_move(&db, true) == OK ? OK : db_failed(&db, e);
	db_close(&db);
	sqlite3_free(text);
	return rc;
}

static int
convert(const char *path, const char *from, const char *to, struct err *e)
{
	char part[DB_PATH_MAX + 32], uri[DB_PATH_MAX + 96], log[DB_PATH_MAX + 8];
	int fd, rc;

	snprintf(part, sizeof part, "%s.encrypting", path);
	unlink(part);
	fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, ERR_IO, "%s: %s", part, strerror(errno));
	snprintf(uri, sizeof uri, "file:%s?vfs=%s", part, to == NULL ? sqlite3_vfs_find(NULL)->zName :
	    to);
	rc = copy_through(path, from, uri, to, e);
	if (rc == OK && fsync(fd) != 0)
		rc = err_set(e, ERR_IO, "%s: %s", part, strerror(errno));
	close(fd);
	snprintf(log, sizeof log, "%s-wal", path);
	if (rc == OK && (unlink(log) == 0 || errno == ENOENT) && rename(part, path) != 0)
		rc = err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	if (rc != OK) {
		unlink(part);
		return rc;
	}
	return file_sync_folder_of(path, e);  /* the name is the new file's for good */
}

int
crypt_convert(const char *path, const char *from, const char *to, struct err *e)
{
	int fd, rc;

	if (strlen(path) >= DB_PATH_MAX || strpbrk(path, "?#%") != NULL)
		return err_set(e, ERR_INVALID, "%s: a path without ?, # and %% is needed", path);
	rc = crypt_check(path, from, e);
	if (rc != OK)
		return rc;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", path,
		    strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		rc = err_set(e, ERR_BUSY, "%s is in use by a server: stop it first", path);
	else
		rc = convert(path, from, to, e);
	close(fd);                           /* SQLite has closed the file by now */
	return rc;
}
