/*
 * agents.c - see agents.h.
 *
 * A set is tried with every change; what makes it fail is taken back, and the
 * rest is tried again:
 *
 *   a changed file does not compile, or has an id that is taken, or calls what
 *   is not there                           that file is as it was
 *   a changed file of a package                 so are all files of the package
 *   a file that has not changed calls what is not there any more
 *                                          every change waits
 *
 * So a try ends at the latest with the set as it was.  Changes that were not taken
 * are tried again whenever the folder is read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/agent_solo.h"
#include "main/agent_tools.h"
#include "main/agents.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/langgraph_json.h"
#include "main/needs.h"
#include "main/pinned.h"
#include "main/wasm_folder.h"
#include "task/kinds.h"

/* A text of a file; p NULL: there is none. */
struct text { char *p; size_t n; };

struct file {
	char *path, *name;                   /* name: in path */
	const struct graph_file *as;         /* of langgraph.json; NULL: of the folder */
	struct pinned *in;                   /* the package that it is of; NULL: of none */
	struct text good;                    /* in the set */
	struct text now;                     /* on the disk */
	bool fresh;                          /* `now` is to be taken */
	char *said;                          /* what was wrong, when it was logged last */
};

struct folder {
	char *path;                          /* NULL: none */
	const struct models *models;         /* that their needs are checked against */
	struct str model;                    /* the default */
	struct file *files;                  /* by name */
	size_t n, cap;
	struct agents *set;
	struct pinned_list pinned;
	char *said;                          /* of changes that wait */
};

/* ---- texts ----------------------------------------------------------------- */

static struct str
str_of_text(const struct text *t)
{
	return (struct str){ t->p, t->n };
}

static void
text_drop(struct text *t)
{
	free(t->p);
	*t = (struct text){ 0 };
}

static bool
text_same(const struct text *a, const struct text *b)
{
	return (a->p == NULL) == (b->p == NULL) &&
	    str_eq(str_of_text(a), str_of_text(b));
}

/* ---- the folder -------------------------------------------------------------- */

bool
folder_takes(struct str name)
{
	static const char *const endings[] = { ".yaml", ".yml", ".json", ".scxml" };

	for (size_t i = 0; i < COUNT(endings); i++) {
		struct str end = str_of(endings[i]);

		/* Tests of an agent, beside it, are no agent. */
		if (str_ends(name, end) && name.p[0] != '.')
			return !str_ends(str_sub(name, 0, name.n - end.n), S(".tests"));
	}
	return false;
}

/* The file of that name, made if it is new. */
static struct file *
file_at(struct folder *f, const char *name)
{
	struct buf path = BUF(64 * KB);
	size_t at = 0;

	while (at < f->n && (f->files[at].as != NULL || strcmp(f->files[at].name, name) < 0))
		at++;
	if (at < f->n && strcmp(f->files[at].name, name) == 0)
		return &f->files[at];
	mem_grow(f->files, f->n, f->cap);
	memmove(f->files + at + 1, f->files + at, (f->n - at) * sizeof f->files[0]);
	f->n++;
	buf_add_fmt(&path, "%s/%s", f->path, name);
	f->files[at] = (struct file){ .path = mem_cstr(buf_str(&path)) };
	f->files[at].name = f->files[at].path + strlen(f->path) + 1;
	buf_release(&path);
	return &f->files[at];
}

/* Of the open folder `at`, so that all are of the same one when a link to it changes. */
static int
add_text_of(const struct file *x, int at, struct buf *text, struct err *e)
{
	struct err why;
	int fd, rc;

	if (x->as != NULL)
		return file_add(x->path, text, e);
	/* A pipe may have no writer. */
	fd = openat(at, x->name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", x->path,
		    strerror(errno));
	rc = file_add_fd(fd, text, NULL, &why);
	close(fd);
	return rc == OK ? OK : err_set(e, rc, "%s: %s", x->path, why.text);
}

/* What cannot be read is as it was. */
static void
file_read(struct file *x, int at, bool quiet)
{
	struct buf text = BUF(LIMIT_AGENT_BYTES);
	struct err e;
	int rc = add_text_of(x, at, &text, &e);

	if (rc == OK)
		x->now = (struct text){ mem_cstr(buf_str(&text)), text.n };
	x->fresh = rc == OK ? !text_same(&x->now, &x->good) :
	    rc == ERR_NOTFOUND && x->good.p != NULL;
	if (rc == ERR_NOTFOUND && x->good.p == NULL)
		say_once(&x->said, "", NULL);
	else if (rc != OK && rc != ERR_NOTFOUND)
		say_once(&x->said, quiet ? NULL : "refused", &e);
	buf_release(&text);
}

/* ---- packages ------------------------------------------------------------------ */

/* The bytes that were hashed; what is longer than an agent may be fails when it is compiled. */
static void
file_of_package(struct file *x)
{
	const struct package_file *p = x->in->state != PINNED_NEW ? NULL :
	    package_find(&x->in->now, str_of(x->name + strlen(x->in->name) + 1));

	if (p != NULL)
		x->now = (struct text){ mem_cstr(buf_str(&p->text)), p->text.n };
	else if (x->good.p == NULL)
		say_once(&x->said, "", NULL);
	x->fresh = x->in->state != PINNED_STAYS && !text_same(&x->now, &x->good);
}

static void
add_files_of(struct folder *f, struct pinned *in)
{
	for (size_t i = 0; in->state == PINNED_NEW && i < in->now.n; i++) {
		struct buf name = BUF(SIZE_MAX / 2);

		if (str_index(str_of(in->now.files[i].path), '/') >= 0 ||
		    !folder_takes(str_of(in->now.files[i].path)))
			continue;
		buf_add_fmt(&name, "%s/%s", in->name, in->now.files[i].path);
		buf_add_char(&name, '\0');
		file_at(f, name.p)->in = in;
		buf_release(&name);
	}
}

static bool
has_files_of(void *ctx, const struct pinned *in)
{
	const struct folder *f = ctx;

	for (size_t i = 0; i < f->n; i++)
		if (f->files[i].in == in)
			return true;
	return false;
}

/* ---- reading it ------------------------------------------------------------------ */

static int
scan_names(struct folder *f, int at, struct err *e)
{
	struct dirent **names = NULL;
	int n = at >= 0 ? scandirat(at, ".", &names, NULL, alphasort) : -1;

	if (n < 0)
		return err_set(e, errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
		    "agents: %s: %s", f->path, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (folder_takes(str_of(names[i]->d_name)))
			(void)file_at(f, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return OK;
}

/* *pins: what is wrong with agents.lock or a package, if anything is. */
static int
scan(struct folder *f, struct err *pins, struct err *e)
{
	int at = f->path != NULL ? open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int rc = f->path != NULL ? scan_names(f, at, e) : OK;

	*pins = (struct err){ 0 };
	if (rc == OK && f->path != NULL)
		(void)pinned_read(&f->pinned, at, f->path, pins);
	for (size_t i = 0; rc == OK && i < f->pinned.n; i++)
		add_files_of(f, f->pinned.at[i]);
	for (size_t i = 0; rc == OK && i < f->n; i++)
		if (f->files[i].in != NULL)
			file_of_package(&f->files[i]);
		else
			file_read(&f->files[i], at, f->pinned.quiet);
	if (at >= 0)
		close(at);
	return rc;
}

/* ---- a set ---------------------------------------------------------------------- */

static int
add_text(struct agents *set, struct str text, struct str file, struct err *e)
{
	struct agent *a;
	int rc = agent_load_checked(&a, text, file, e);

	return rc == OK ? agents_add(set, a, e) : rc;
}

/* The id of the text in a file of that name, which counts when the text has none. */
static int
has_own_id(struct str text, const struct graph_file *as, bool *own, struct err *e)
{
	const char *ending = strrchr(as->path, '.');
	struct buf file = BUF(SIZE_MAX / 2);
	struct agent *a;
	int rc;

	buf_add_fmt(&file, "%s%s", as->id, ending != NULL ? ending : "");
	rc = agent_load_checked(&a, text, buf_str(&file), e);
	buf_release(&file);
	if (rc != OK)
		return rc;
	*own = !str_eq(a->id, str_of(as->id));
	agent_free(a);
	return OK;
}

/* An agent under the name that langgraph.json gives it.  Its text keeps its own id, and a
 * run is kept by its text, so the two must not differ. */
static int
add_named(struct agents *set, struct str text, const struct graph_file *as, struct err *e)
{
	struct agent *a;
	bool own = false, renamed;
	int rc = agent_load_checked(&a, text, str_of(as->path), e);

	if (rc == OK)
		rc = has_own_id(text, as, &own, e);
	if (rc != OK)
		return rc;
	if (own) {
		err_set(e, ERR_INVALID, "%s: has the id '%.*s', and graphs.%s of langgraph.json "
		    "names it '%s'; change one of them", as->path, FMT(str_cut(a->id, 60)),
		    as->id, as->id);
		agent_free(a);
		return ERR_INVALID;
	}
	renamed = str_eq(a->name, a->id);
	a->id = arena_str(&a->arena, str_of(as->id));
	if (renamed)
		a->name = a->id;
	if (as->description != NULL)
		a->description = arena_str(&a->arena, str_of(as->description));
	return agents_add(set, a, e);
}

/* The files that are fresh, or those that are not.  *bad: which failed. */
static int
add_files(struct folder *f, struct agents *set, bool fresh, struct file **bad,
    struct err *e)
{
	for (size_t i = 0; i < f->n; i++) {
		struct file *x = &f->files[i];
		const struct text *t = fresh ? &x->now : &x->good;
		int rc = OK;

		if (x->fresh == fresh && t->p != NULL && x->as != NULL)
			rc = add_named(set, str_of_text(t), x->as, e);
		else if (x->fresh == fresh && t->p != NULL)
			rc = add_text(set, str_of_text(t), str_of(x->path), e);
		if (rc != OK) {
			*bad = x;
			return rc;
		}
	}
	return OK;
}

static struct file *
file_of(struct folder *f, const struct agent *a)
{
	for (size_t i = 0; i < f->n; i++)
		if (a != NULL && str_eq(str_of(f->files[i].path), a->file))
			return &f->files[i];
	return NULL;
}

/* What has changed comes last, so that a conflict is told of it. */
static int
make(struct folder *f, struct agents **out, struct file **bad, struct err *e)
{
	struct agents *set = agents_new();
	const struct agent_builtin *b;
	size_t i = 0;
	const struct agent *a = NULL;
	int rc;

	*bad = NULL;
	rc = add_files(f, set, false, bad, e);
	if (rc == OK)
		rc = add_files(f, set, true, bad, e);
	for (b = agent_builtin_at(0); b != NULL && rc == OK; b = agent_builtin_at(++i))
		if (agents_find(set, str_of(b->id)) == NULL)
			rc = add_text(set, str_of(b->text), str_of(b->file), e);
	if (rc == OK) {
		rc = agents_link(set, e);
		*bad = file_of(f, agents_refused(set));
	}
	if (rc == OK && f->models != NULL) {
		rc = needs_check(set, f->models, f->model, &a, e);
		*bad = rc == OK ? NULL : file_of(f, a);
	}
	if (rc != OK) {
		agents_free(set);
		set = NULL;
	}
	*out = set;
	return rc;
}

/* Takes back what made it fail. */
static void
take_back(struct folder *f, struct file *bad, const struct err *e)
{
	if (bad != NULL && bad->fresh) {
		say_once(&bad->said, "refused", e);
		bad->fresh = false;
		for (size_t i = 0; bad->in != NULL && i < f->n; i++)
			if (f->files[i].in == bad->in)
				f->files[i].fresh = false;
		if (bad->in != NULL)
			bad->in->refused = true;
		return;
	}
	say_once(&f->said, "changes_wait", e);
	for (size_t i = 0; i < f->n; i++)
		f->files[i].fresh = false;
	for (size_t i = 0; i < f->pinned.n; i++)
		f->pinned.at[i]->refused = true;
}

/* ---- taking it ---------------------------------------------------------------------- */

static void
file_drop(struct file *x)
{
	free(x->path);
	free(x->said);
	text_drop(&x->good);
	text_drop(&x->now);
}

static void
tell(const struct agents *set, const struct file *x, bool first)
{
	size_t i = 0;

	if (x->now.p == NULL) {
		log_info("agents", "removed", "file=%s", x->path);
		return;
	}
	while (i < agents_count(set) && !str_eq(agents_at(set, i)->file, str_of(x->path)))
		i++;
	if (i < agents_count(set) && !first)
		log_info("agents", "reloaded", "file=%s id=%.*s hash=%.*s", x->path,
		    FMT(agents_at(set, i)->id), (int)sizeof agents_at(set, i)->hash,
		    agents_at(set, i)->hash);
}

/* The texts of the set; files that are gone are forgotten. */
static void
keep(struct folder *f, bool first)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		struct file *x = &f->files[i];

		if (x->fresh) {
			tell(f->set, x, first);
			say_once(&x->said, "", NULL);
			text_drop(&x->good);
			x->good = x->now;
			x->now = (struct text){ 0 };
		}
		text_drop(&x->now);
		x->fresh = false;
		if (x->good.p != NULL || x->said != NULL || x->as != NULL)
			f->files[n++] = *x;
		else
			file_drop(x);
	}
	f->n = n;
	pinned_keep(&f->pinned, has_files_of, f);
}

static bool
any_fresh(const struct folder *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->files[i].fresh)
			return true;
	return false;
}

/* One try less than there are files at most. */
static bool
take(struct folder *f, bool first)
{
	struct agents *set = NULL;
	struct file *bad;
	struct err e = { 0 };
	bool waits = false;

	while ((any_fresh(f) || first) && make(f, &set, &bad, &e) != OK) {
		waits = waits || bad == NULL || !bad->fresh;
		take_back(f, bad, &e);
	}
	if (!waits)
		say_once(&f->said, "", NULL);
	if (set != NULL) {
		agents_free(f->set);
		f->set = set;
	}
	keep(f, first);
	return set != NULL;
}

/* ---- the door -------------------------------------------------------------------------- */

/* Before those of the folder. */
static void
add_more(struct folder *f, const struct langgraph *more)
{
	for (size_t i = 0; i < more->graphs_n; i++) {
		mem_grow(f->files, f->n, f->cap);
		f->files[f->n] = (struct file){ .as = &more->graphs[i],
			.path = mem_cstr(str_of(more->graphs[i].path)) };
		f->files[f->n].name = f->files[f->n].path;
		f->n++;
	}
}

/* The operator named these files, so none may be missing. */
static int
check_more(const struct folder *f, const char *by, struct err *e)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct file *x = &f->files[i];

		if (x->as != NULL && x->good.p == NULL)
			return err_set(e, ERR_INVALID, "%s: graphs.%s: %s%s", by, x->as->id,
			    x->said != NULL ? x->said : x->path,
			    x->said != NULL ? "" : ": no such file");
	}
	return OK;
}

int
folder_open(struct folder **out, struct str path, const struct langgraph *more,
    const struct models *m, struct str model, struct err *e)
{
	struct folder *f = mem_new(struct folder);
	struct err pins;
	int rc = OK;

	f->models = m;
	f->model = model;
	*out = f;
	if (path.n > 0)
		f->path = mem_cstr(path);
	add_more(f, more);
	rc = scan(f, &pins, e);
	if (rc == OK && pins.code != OK) {
		*e = pins;
		rc = pins.code;
	}
	if (rc == OK)
		(void)take(f, true);
	if (rc == OK)
		rc = check_more(f, more->file, e);
	if (rc != OK) {
		folder_free(f);
		*out = NULL;
	}
	return rc;
}

void
folder_free(struct folder *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->n; i++)
		file_drop(&f->files[i]);
	free(f->files);
	free(f->path);
	free(f->said);
	pinned_release(&f->pinned);
	agents_free(f->set);
	free(f);
}

bool
folder_read(struct folder *f)
{
	struct err e, pins;

	if (f->path == NULL)
		return false;
	if (scan(f, &pins, &e) == OK)
		return take(f, false);
	log_error("agents", "unreadable", "%s", e.text);
	return false;
}

struct agents *
folder_agents(const struct folder *f)
{
	return f->set;
}

const char *
folder_path(const struct folder *f)
{
	return f->path;
}

int
folder_vouch(const struct folder *f, struct str path, struct str content, struct err *e)
{
	struct str folder = str_of(f->path);

	if (folder.n == 0 || !str_starts(path, folder) || path.n <= folder.n ||
	    path.p[folder.n] != '/')
		return OK;
	return pinned_vouch(&f->pinned, str_sub(path, folder.n + 1, path.n), content, e);
}

/* ---- checking ---------------------------------------------------------------------------- */

/* By itself, so that all mistakes are told. */
static bool
check_file(const struct file *x, void (*told)(void *ctx, const char *text), void *ctx)
{
	struct agent *a = NULL;
	struct err e;
	int rc = x->said != NULL ? err_set(&e, ERR_IO, "%s", x->said) :
	    agent_load_checked(&a, str_of_text(&x->now), str_of(x->path), &e);

	if (rc == OK && a->tests.kind != VAL_UNDEFINED)
		rc = agent_tests_check(a->tests, a->file, &e);
	if (rc == OK)
		rc = guest_files_check(a, &e);
	if (rc != OK)
		told(ctx, e.text);
	agent_free(a);
	return rc == OK;
}

bool
folder_check(struct str path, void (*told)(void *ctx, const char *text), void *ctx)
{
	struct folder *f = mem_new(struct folder);
	struct file *bad;
	struct err e, pins;
	bool good = true;
	int rc;

	f->path = mem_cstr(path);
	f->pinned.quiet = true;
	rc = scan(f, &pins, &e);
	for (size_t i = 0; rc == OK && i < f->n; i++)
		good = check_file(&f->files[i], told, ctx) && good;
	if (rc == OK && pins.code != OK) {
		e = pins;
		rc = pins.code;
	}
	if (rc == OK && f->n == 0)
		rc = err_set(&e, ERR_INVALID, "there is no agent's file in it, and no package of "
		    PACKAGE_LOCK);
	if (rc == OK && good)
		rc = make(f, &f->set, &bad, &e);
	if (rc != OK)
		told(ctx, e.text);
	folder_free(f);
	return good && rc == OK;
}
