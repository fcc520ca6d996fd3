/*
 * eval_files.c - see eval_files.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/eval_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hmac.h"
#include "bench/report.h"
#include "workcli/replace.h"

#define PATH_BYTES   4096
#define RESULT_BYTES (2 * (size_t)LIMIT_EVAL_RESULT_BYTES)

static struct str
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? S(".") : (struct str){ path, (size_t)(slash - path) + (slash == path) };
}

/* ---- an eval --------------------------------------------------------------------------- */

/* A path beside the eval's file. */
static void
path_beside(struct buf *out, const struct eval_files *f, struct str name)
{
	if (name.n > 0 && name.p[0] != '/' && strcmp(f->folder.p, ".") != 0)
		buf_add_fmt(out, "%s/", f->folder.p);
	buf_add(out, name);
}

static void
set_hash(struct eval_files *f)
{
	uint8_t digest[SHA256_SIZE];
	struct buf hex = BUF(sizeof f->hash);

	sha256(buf_str(&f->dataset), digest);
	hex_add(&hex, digest, sizeof digest);
	memcpy(f->hash, hex.p, sizeof f->hash - 1);
	f->hash[sizeof f->hash - 1] = '\0';
	buf_release(&hex);
}

int
eval_files_read(struct eval_files *f, const char *path, struct err *e)
{
	int rc;

	*f = (struct eval_files){ .text = BUF(LIMIT_AGENT_BYTES + 1),
		.dataset = BUF((size_t)LIMIT_EVAL_DATASET_BYTES), .folder = BUF(PATH_BYTES),
		.dataset_path = BUF(PATH_BYTES), .script_path = BUF(PATH_BYTES),
		.agent_path = BUF(PATH_BYTES) };
	buf_add(&f->folder, folder_of(path));
	rc = f->folder.failed ? err_set(e, ERR_TOOBIG, "too long a path") :
	    file_add(path, &f->text, e);
	if (rc == OK)
		rc = eval_read(&f->v, buf_str(&f->text), str_of(path), e);
	if (rc != OK)
		return rc;
	path_beside(&f->dataset_path, f, f->v.dataset);
	if (f->v.script.n > 0)
		path_beside(&f->script_path, f, f->v.script);
	path_beside(&f->agent_path, f, f->v.agent);
	if (f->dataset_path.failed || f->script_path.failed || f->agent_path.failed)
		return err_set(e, ERR_TOOBIG, "%s: too long a path", path);
	rc = file_add(f->dataset_path.p, &f->dataset, e);
	if (rc == OK)
		rc = eval_cases_read(&f->cases, buf_str(&f->dataset), buf_str(&f->dataset_path),
		    e);
	if (rc == OK)
		rc = eval_cases_check(&f->cases, &f->v, buf_str(&f->dataset_path), e);
	if (rc == OK)
		set_hash(f);
	return rc;
}

void
eval_files_release(struct eval_files *f)
{
	eval_release(&f->v);
	eval_cases_release(&f->cases);
	buf_release(&f->text);
	buf_release(&f->dataset);
	buf_release(&f->folder);
	buf_release(&f->dataset_path);
	buf_release(&f->script_path);
	buf_release(&f->agent_path);
}

/* ---- results ------------------------------------------------------------------------------ */

/* 2026-12-03T00-11-22.123Z.json: names in the order of time, without ':'. */
int
eval_result_path(struct buf *out, const char *dir, const struct eval_result *r, struct err *e)
{
	char time[64];

	snprintf(time, sizeof time, "%.*s", FMT(r->started));
	for (char *p = time; *p != '\0'; p++)
		if (*p == ':')
			*p = '-';
	buf_add_fmt(out, "%s/%.*s/%s.json", dir, FMT(r->eval), time);
	if (out->failed)
		return err_set(e, ERR_TOOBIG, "%s: too long a path", dir);
	report_make_folders(out->p);
	return OK;
}

int
eval_result_put(struct eval_result *r, const char *path, struct err *e)
{
	struct buf text = BUF(RESULT_BYTES);
	int rc;

	eval_result_add_json(&text, r);
	rc = text.failed ? err_set(e, ERR_TOOBIG, "%s: too large", path) :
	    replace_file(path, buf_str(&text), e);
	buf_release(&text);
	return rc;
}

int
eval_result_get(struct eval_result *r, const char *path, struct err *e)
{
	struct buf text = BUF(RESULT_BYTES);
	int rc = file_add(path, &text, e);

	if (rc == OK)
		rc = eval_result_read(r, buf_str(&text), str_of(path), e);
	buf_release(&text);
	return rc;
}

static int
is_result(const struct dirent *d)
{
	return str_ends(str_of(d->d_name), S(".json"));
}

int
eval_result_newest(struct buf *out, const char *path, struct err *e)
{
	struct str folder = folder_of(path);
	const char *own = strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
	struct dirent **names;
	struct buf dir = BUF(PATH_BYTES);
	int n;

	buf_add(&dir, folder);
	n = dir.failed ? -1 : scandir(dir.p, &names, is_result, alphasort);
	for (int i = n - 1; i >= 0; i--) {
		if (out->n == 0 && strcmp(names[i]->d_name, own) != 0)
			buf_add_fmt(out, "%s/%s", dir.p, names[i]->d_name);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	buf_release(&dir);
	return out->n > 0 && !out->failed ? OK : err_set(e, ERR_NOTFOUND, "%.*s: there is no other "
	    "result", FMT(folder));
}
