/*
 * pinned.c - see pinned.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/pinned.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hmac.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

void
say_once(char **said, const char *event, const struct err *e)
{
	if (e != NULL && event != NULL && (*said == NULL || strcmp(*said, e->text) != 0))
		log_error("agents", event, "%s", e->text);
	free(*said);
	*said = e != NULL ? mem_cstr(str_of(e->text)) : NULL;
}

static struct pinned *
find(const struct pinned_list *l, struct str name)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(str_of(l->at[i]->name), name))
			return l->at[i];
	return NULL;
}

/* No agents.lock: no packages. */
static int
lock_read(int at, const char *folder, struct pins *pins, struct err *e)
{
	int fd = openat(at, PACKAGE_LOCK, O_RDONLY | O_NONBLOCK | O_CLOEXEC), rc;
	struct buf text = BUF(LIMIT_PACKAGE_LOCK_BYTES), shown = BUF(64 * KB);
	struct err why;

	*pins = (struct pins){ 0 };
	if (fd < 0 && errno == ENOENT)
		return OK;
	buf_add_fmt(&shown, "%s/" PACKAGE_LOCK, folder);
	buf_add_char(&shown, '\0');
	rc = fd >= 0 ? file_add_fd(fd, &text, NULL, &why) :
	    err_set(&why, ERR_IO, "%s", strerror(errno));
	if (rc != OK)
		err_set(e, rc, "%s: %s", shown.p, why.text);
	else
		rc = pins_read(pins, buf_str(&text), shown.p, e);
	if (fd >= 0)
		close(fd);
	buf_release(&shown);
	buf_release(&text);
	return rc;
}

static int
read_one(struct pinned *p, const struct pin *pin, int at, const char *folder, bool quiet,
    struct err *e)
{
	struct buf shown = BUF(64 * KB);
	int rc;

	buf_add_fmt(&shown, "%s/%s", folder, p->name);
	buf_add_char(&shown, '\0');
	rc = package_read(&p->now, at, p->name, shown.p, e);
	if (rc == OK && !package_has_hash(&p->now, pin->hash)) {
		rc = err_set(e, ERR_CONFLICT, "package '%s': the folder has the hash "
		    "sha256:%.*s, and %s/" PACKAGE_LOCK ":%u wants sha256:%.*s", p->name,
		    PACKAGE_HASH, p->now.hash, folder, pin->line, PACKAGE_HASH, pin->hash);
		package_release(&p->now);
	}
	buf_release(&shown);
	p->state = rc == OK ? PINNED_NEW : PINNED_STAYS;
	say_once(&p->said, quiet ? NULL : "refused", rc == OK ? NULL : e);
	return rc;
}

int
pinned_read(struct pinned_list *l, int at, const char *folder, struct err *e)
{
	struct pins pins;
	struct err why;
	int rc = lock_read(at, folder, &pins, e);

	say_once(&l->said, l->quiet ? NULL : "refused", rc == OK ? NULL : e);
	for (size_t i = 0; i < l->n; i++) {
		l->at[i]->state = rc == OK ? PINNED_GONE : PINNED_STAYS;
		l->at[i]->refused = false;
	}
	for (size_t i = 0; i < pins.n; i++) {
		struct pinned *p = find(l, str_of(pins.at[i].name));
		int one;

		if (p == NULL) {
			mem_grow(l->at, l->n, l->cap);
			p = l->at[l->n++] = mem_new(struct pinned);
			p->name = mem_cstr(str_of(pins.at[i].name));
		}
		one = read_one(p, &pins.at[i], at, folder, l->quiet, &why);
		if (rc == OK && one != OK) {
			rc = one;
			*e = why;
		}
	}
	pins_release(&pins);
	return rc;
}

static void
drop(struct pinned *p)
{
	package_release(&p->good);
	package_release(&p->now);
	free(p->name);
	free(p->said);
	free(p);
}

void
pinned_keep(struct pinned_list *l, bool (*used)(void *ctx, const struct pinned *p), void *ctx)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct pinned *p = l->at[i];

		if (p->state == PINNED_NEW && !p->refused) {
			package_release(&p->good);
			p->good = p->now;
			p->now = (struct package){ 0 };
			for (size_t j = 0; j < p->good.n; j++)
				buf_release(&p->good.files[j].text);
		}
		package_release(&p->now);
		if (p->state == PINNED_GONE && !used(ctx, p))
			drop(p);
		else
			l->at[n++] = p;
	}
	l->n = n;
}

void
pinned_release(struct pinned_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		drop(l->at[i]);
	free(l->at);
	free(l->said);
	*l = (struct pinned_list){ 0 };
}

int
pinned_vouch(const struct pinned_list *l, struct str path, struct str content, struct err *e)
{
	struct str rest = path, name = STR_NONE;
	const struct package_file *f;
	const struct pinned *p;
	uint8_t sum[SHA256_SIZE], want[SHA256_SIZE];

	if (!str_next(&rest, '/', &name) || (p = find(l, name)) == NULL)
		return OK;
	f = package_find(&p->good, rest);
	sha256(content, sum);
	if (f != NULL && hex_decode((struct str){ f->hash, PACKAGE_HASH }, want, sizeof want) &&
	    memcmp(sum, want, sizeof sum) == 0)
		return OK;
	return err_set(e, ERR_CONFLICT, "package '%s': %.*s is not as the hash in " PACKAGE_LOCK
	    " says", p->name, FMT(str_cut(path, 200)));
}
