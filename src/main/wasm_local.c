/*
 * wasm_local.c - see wasm_local.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/wasm_local.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"

#define START 200                            /* bytes that tell a text from a module */

/* Makes the folder of path and those around it that are missing. */
static int
make_folders(char *path, struct err *e)
{
	if (path[0] == '\0')
		return OK;
	for (char *at = strchr(path + 1, '/');; at = strchr(at + 1, '/')) {
		int rc;

		if (at != NULL)
			*at = '\0';
		rc = mkdir(path, 0700);
		if (rc != 0 && errno != EEXIST)
			return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
		if (at == NULL)
			return OK;
		*at = '/';
	}
}

int
wasm_local_cache_user(char *out, size_t size, struct err *e)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n;

	if (base != NULL && base[0] == '/')
		n = snprintf(out, size, "%s/cohort/wasm", base);
	else if (home != NULL && home[0] == '/')
		n = snprintf(out, size, "%s/.cache/cohort/wasm", home);
	else
		return err_set(e, ERR_INVALID, "there is no folder for compiled modules: HOME "
		    "is not set");
	if (n < 0 || (size_t)n >= size)
		return err_set(e, ERR_TOOBIG, "the path of the folder for compiled modules is "
		    "too long");
	return make_folders(out, e);
}

int
wasm_local_cache(const struct flag_line *l, char *out, size_t size, struct err *e)
{
	struct str given = line_text(l, "cache");
	char *whole;
	int rc;

	if (given.n == 0)
		return wasm_local_cache_user(out, size, e);
	if (given.n >= size)
		return err_set(e, ERR_TOOBIG, "--cache: the path is too long");
	snprintf(out, size, "%.*s", FMT(given));
	rc = make_folders(out, e);
	if (rc < 0 || out[0] == '/')
		return rc;
	whole = realpath(out, NULL);
	if (whole == NULL || strlen(whole) >= size)
		rc = err_set(e, ERR_IO, "--cache: %s: %s", out, strerror(errno));
	else
		memcpy(out, whole, strlen(whole) + 1);
	free(whole);
	return rc;
}

int
wasm_local_limits(const struct flag_line *l, struct wasm_limits *out, uint32_t *rate,
    struct err *e)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < l->given_n; i++) {
		struct str name = str_of(l->given[i].flag->name);

		if (str_eq(name, S("message")))
			continue;            /* the message itself */
		if (str_eq(name, S("message-max")))
			name = S("message");
		rc = wasm_limit_set(out, rate, name, l->given[i].value, e);
		if (rc == ERR_NOTFOUND)
			rc = OK;             /* another flag */
	}
	return rc;
}

int
wasm_local_read(struct buf *out, struct str path, struct err *e)
{
	char name[4096], cache[4096];
	struct buf text;
	struct err why = { 0 };
	struct str start;
	int rc;

	snprintf(name, sizeof name, "%.*s", FMT(path));
	*out = BUF(LIMIT_WASM_MODULE_BYTES);
	rc = file_add(name, out, e);
	start = str_trim(str_sub(buf_str(out), 0, START));
	if (rc < 0 || start.n == 0 || (start.p[0] != '(' && start.p[0] != ';'))
		return rc;               /* the check of modules refuses anything else */
	text = *out;
	*out = BUF(LIMIT_WASM_MODULE_BYTES);
	rc = wasm_local_cache_user(cache, sizeof cache, e);
	if (rc == OK)
		rc = wasm_text_read(cache, buf_str(&text), out, &why);
	if (rc < 0)
		err_set(e, rc, "%s: %s", name, why.text);
	buf_release(&text);
	return rc;
}

struct waiting {
	struct wasm_build build;
	bool done;
	int rc;
	struct wasm_code *code;
	struct err err;
};

static void
built(struct wasm_build *b, int rc, struct wasm_code *code, const struct err *e)
{
	struct waiting *w = CONTAINER_OF(b, struct waiting, build);

	w->done = true;
	w->rc = rc;
	w->code = code;
	if (rc < 0)
		w->err = *e;
}

int
wasm_local_build(struct wasm_code **out, struct shard *s, const struct wasm_local_build *b,
    nsec *took, struct err *e)
{
	struct waiting w = { .build = { .bytes = b->bytes, .compiler = b->compiler,
	    .any = b->any, .done = built } };
	nsec began = clock_mono();
	int rc = wasm_build_cached(out, b->cache, b->bytes, b->any, e);

	*took = 0;
	if (rc == OK && (*out)->compiler == b->compiler)
		return OK;
	if (rc == OK)
		wasm_code_drop(*out);
	*out = NULL;
	if (rc != OK && rc != ERR_NOTFOUND)
		return rc;
	wasm_build_start(s, b->cache, &w.build);
	while (!w.done)
		shard_turn(s);
	if (w.rc < 0) {
		*e = w.err;
		return w.rc;
	}
	*took = clock_mono() - began;
	*out = w.code;
	return OK;
}

int
wasm_local_host(char *out, size_t size, struct err *e)
{
	return file_beside("cohort-wasm-host", "../libexec/cohort/", out, size, e);
}
