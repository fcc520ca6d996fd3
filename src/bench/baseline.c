/*
 * baseline.c - see baseline.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/baseline.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "bench/commit.h"
#include "bench/machine.h"
#include "bench/report.h"

#define FILE_BYTES   (1 * MB)
#define NAME_MAX_LEN 60
#define TIMEOUT_MS   (24 * 3600 * 1000)      /* of a command line that has no row */

bool
baseline_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= NAME_MAX_LEN && name[0] != '.' && name[0] != '-' &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

static int
path_of(const char *dir, const char *name, const char *file, char out[WB_PATH], struct err *e)
{
	if (!baseline_name(name))
		return err_set(e, ERR_INVALID, "a baseline's name has up to %d letters, digits, "
		    "'.', '_' and '-': \"%.80s\"", NAME_MAX_LEN, name);
	if ((size_t)snprintf(out, WB_PATH, "%s/baselines/%s/%s", dir, name, file) >= WB_PATH)
		return err_set(e, ERR_TOOBIG, "%s: too long a path", dir);
	return OK;
}

bool
baseline_is(const char *dir, const char *name)
{
	char path[WB_PATH];
	struct err e;

	return path_of(dir, name, "baseline.json", path, &e) == OK && access(path, R_OK) == 0;
}

/* ---- saving ---------------------------------------------------------------------- */

static int
copy_file(const char *from, const char *to, struct err *e)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
	struct stat st = { 0 };
	off_t at = 0;
	ssize_t n = 1;

	if (in >= 0 && fstat(in, &st) == 0)
		out = open(to, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0755);
	while (out >= 0 && at < st.st_size && n > 0)
		n = sendfile(out, in, &at, (size_t)(st.st_size - at));
	if (in >= 0)
		close(in);
	if (out < 0 || at < st.st_size)
		err_set(e, ERR_IO, "%s to %s: %s", from, to, strerror(errno));
	if (out >= 0)
		close(out);
	return out >= 0 && at >= st.st_size ? OK : ERR_IO;
}

static void
add_rows(const struct campaign *c, struct buf *out)
{
	for (size_t i = 0; i < c->bouts_n; i++) {
		if (c->bout[i].args[0] == NULL)
			continue;
		json_add_fmt(out, ",{'id':%s,'args':[", c->bout[i].id);
		for (const char *const *a = c->bout[i].args[0]; *a != NULL; a++)
			json_add_fmt(out, ",%s", *a);
		buf_lit(out, "]}");
	}
}

static int
save_list(const char *dir, const char *name, const struct campaign *c, struct err *e)
{
	struct buf b = BUF(FILE_BYTES), date = BUF(64);
	char path[WB_PATH];
	int rc = path_of(dir, name, "baseline.json", path, e);

	clock_add_iso(&date, clock_wall_ms());
	json_add_fmt(&b, "{'schema':%d,'baseline':%s,'version':%s,'commit':%s,'date':%.*s,"
	    "'machine':", REPORT_SCHEMA, name, COHORT_VERSION, COHORT_COMMIT,
	    FMT(buf_str(&date)));
	machine_add_json(&b);
	json_add_fmt(&b, ",'rows':[");
	add_rows(c, &b);
	buf_lit(&b, "]}\n");
	if (rc == OK)
		rc = file_put(path, buf_str(&b), e);
	buf_release(&b);
	buf_release(&date);
	return rc;
}

int
baseline_save(const char *dir, const char *name, const struct campaign *c, struct err *e)
{
	char path[WB_PATH], thin[WB_PATH];
	int rc = path_of(dir, name, "cohortd", path, e);

	if (rc != OK)
		return rc;
	report_make_folders(path);
	unlink(path);                        /* it may be this executable, or run */
	rc = copy_file("/proc/self/exe", path, e);
	if (rc == OK && file_beside("cohort", "../../bin/", thin, sizeof thin, e) == OK) {
		path_of(dir, name, "cohort", path, e);
		unlink(path);
		rc = copy_file(thin, path, e);
	}
	/* Last: with it the baseline is whole. */
	return rc == OK ? save_list(dir, name, c, e) : rc;
}

/* ---- using ----------------------------------------------------------------------- */

static int
none(const char *dir, const char *name, struct err *e)
{
	struct buf known = BUF(KB);
	char path[WB_PATH];
	struct dirent *d;
	DIR *folder;

	snprintf(path, sizeof path, "%s/baselines", dir);
	folder = opendir(path);
	for (d = folder != NULL ? readdir(folder) : NULL; d != NULL; d = readdir(folder))
		if (d->d_name[0] != '.')
			buf_add_fmt(&known, "%s%s", known.n > 0 ? ", " : "", d->d_name);
	if (folder != NULL)
		closedir(folder);
	err_set(e, ERR_NOTFOUND, "no baseline \"%s\" in %s; there %s %.*s", name, path,
	    known.n > 0 ? "are" : "is", FMT(known.n > 0 ? buf_str(&known) : S("none")));
	buf_release(&known);
	return ERR_NOTFOUND;
}

static int
list_read(const char *dir, const char *name, struct json_doc *d, struct err *e)
{
	struct buf text = BUF(FILE_BYTES);
	char path[WB_PATH];
	int rc = path_of(dir, name, "baseline.json", path, e);

	if (rc == OK && access(path, R_OK) != 0)
		return none(dir, name, e);
	if (rc == OK)
		rc = file_add(path, &text, e);
	if (rc == OK)
		rc = json_parse(d, buf_str(&text), e);
	if (rc == OK && !json_is_array(json_get(d->root, S("rows"))))
		rc = err_set(e, ERR_INVALID, "%s: no \"rows\"", path);
	buf_release(&text);
	return rc;
}

static int
side_set(const char *dir, const char *name, jnode list, struct campaign *c, struct err *e)
{
	struct side *s = &c->side[1];
	int rc = path_of(dir, name, "cohortd", s->path, e);

	snprintf(s->name, sizeof s->name, "%s", name);
	snprintf(s->version, sizeof s->version, "%.*s", FMT(json_str(json_get(list, S("version")))));
	snprintf(s->commit, sizeof s->commit, "%.*s", FMT(json_str(json_get(list, S("commit")))));
	if (rc == OK && access(s->path, X_OK) != 0)
		rc = err_set(e, ERR_IO, "%s: %s", s->path, strerror(errno));
	c->sides_n = 2;
	return rc;
}

static const char *const *
args_of(jnode row, struct arena *a)
{
	const char **out = arena_zero(a, MEASURE_ARGS * sizeof *out);
	struct json_iter it = json_each(json_get(row, S("args")));
	size_t n = 0;

	while (json_next(&it) && n + 1 < MEASURE_ARGS)
		out[n++] = arena_str(a, json_str(it.value)).p;
	return out;
}

static bool
same_args(const char *const *a, const char *const *b)
{
	while (*a != NULL && *b != NULL && strcmp(*a, *b) == 0)
		a++, b++;
	return *a == NULL && *b == NULL;
}

static void
add_line(const char *const *args, struct buf *out)
{
	for (; *args != NULL; args++)
		buf_add_fmt(out, " %s", *args);
}

/* Figures of two command lines say nothing. */
static int
row_use(struct bout *b, jnode row, struct campaign *c, const char *name, struct err *e)
{
	struct buf line = BUF(4 * KB);

	b->args[1] = args_of(row, &c->arena);
	if (b->args[0][0] != NULL && b->args[0][1] != NULL && b->args[0][2] == NULL)
		b->args[0] = b->args[1];     /* "bench NAME" alone: as the baseline */
	if (same_args(b->args[0], b->args[1]))
		return OK;
	add_line(b->args[1], &line);
	err_set(e, ERR_INVALID, "baseline \"%s\" was saved of another command line: cohort%.*s",
	    name, FMT(buf_str(&line)));
	buf_release(&line);
	return ERR_INVALID;
}

int
baseline_use(const char *dir, const char *name, struct campaign *c, struct err *e)
{
	struct json_doc d = { 0 };
	int rc = list_read(dir, name, &d, e);
	size_t found = 0;

	if (rc == OK)
		rc = side_set(dir, name, d.root, c, e);
	for (size_t i = 0; i < c->bouts_n && rc == OK; i++) {
		struct json_iter it = json_each(json_get(d.root, S("rows")));

		while (json_next(&it) && rc == OK && c->bout[i].args[0] != NULL)
			if (str_eq(json_str(json_get(it.value, S("id"))), str_of(c->bout[i].id))) {
				rc = row_use(&c->bout[i], it.value, c, name, e);
				found++;
			}
	}
	if (rc == OK && found == 0)
		rc = err_set(e, ERR_NOTFOUND, "baseline \"%s\" has none of these workloads", name);
	json_release(&d);
	return rc;
}

int
baseline_bouts(const char *dir, const char *name, struct campaign *c, struct str only,
    struct err *e)
{
	struct json_doc d = { 0 };
	struct json_iter it;
	bool on[SUITE_ROWS];
	int rc = suite_only(only, on, e);

	if (rc == OK)
		rc = list_read(dir, name, &d, e);
	if (rc == OK)
		rc = side_set(dir, name, d.root, c, e);
	c->bout = arena_zero(&c->arena, (json_count(json_get(d.root, S("rows"))) + 1) *
	    sizeof *c->bout);
	it = json_each(json_get(d.root, S("rows")));
	while (rc == OK && json_next(&it)) {
		struct str id = json_str(json_get(it.value, S("id")));
		const struct workload *w = suite_find(id);
		struct bout *b = &c->bout[c->bouts_n];

		if (only.n > 0 && (w == NULL || !on[w - suite_rows]))
			continue;
		snprintf(b->id, sizeof b->id, "%.*s", FMT(str_cut(id, MEASURE_ID - 1)));
		b->row = w != NULL ? w : suite_find_command(id);
		b->timeout = TIMEOUT_MS;
		b->args[0] = b->args[1] = args_of(it.value, &c->arena);
		c->bouts_n++;
	}
	if (rc == OK && c->bouts_n == 0)
		rc = err_set(e, ERR_NOTFOUND, "baseline \"%s\" has none of these workloads", name);
	json_release(&d);
	return rc;
}
