/*
 * cmd_owner.c - `cohort owner export|erase`: all that a server has of one owner.
 *
 * An export asks by the routes that every client has, page after page, and writes what comes as
 * it is.  The file appears whole or not at all.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "main/bulk.h"
#include "main/cmd.h"
#include "main/confirm.h"
#include "main/mail_remote.h"

#define ERASE_NS (3600 * (nsec)NS_PER_S)     /* a large file is written anew */
#define PAGE     100                         /* of what may be large */

const struct flag cmd_owner_erase_flags[] = { CONFIRM_FLAG, REMOTE_FLAGS, { NULL } };
const struct flag cmd_owner_export_flags[] = {
	{ "to", .kind = FLAG_TEXT, .value = "FILE", .help = "where to; it must not be there yet" },
	{ "projects", .kind = FLAG_TEXT, .value = "LIST", .fallback = "default",
	  .help = "of the tracker" },
	REMOTE_FLAGS,
	{ NULL }
};

/* ---- export ------------------------------------------------------------------------- */

struct out {
	struct remote *r;
	FILE *file;
	struct err *e;
	int64_t lines;
};

static int
put(struct out *o, const char *kind, struct val v)
{
	struct buf b = BUF(256 * MB);

	json_add_fmt(&b, "{'kind':%s,'value':", kind);
	val_add_json(&b, v);
	buf_lit(&b, "}\n");
	if (b.failed || fwrite(b.p, 1, b.n, o->file) != b.n) {
		buf_release(&b);
		return err_set(o->e, ERR_IO, "the file: %s", strerror(errno));
	}
	buf_release(&b);
	o->lines++;
	return OK;
}

/* All pages of a list; at: of its answer, NULL: that is the list.  body NULL: a GET.  then,
 * if any, is called for each. */
static int
put_pages(struct out *o, const char *kind, struct str path, const char *body, const char *at,
    int (*then)(struct out *o, struct val one))
{
	struct buf target = BUF(LIMIT_HTTP_URL_BYTES), text = BUF(LIMIT_HTTP_URL_BYTES);
	int64_t offset = 0, n = PAGE;
	int rc = OK;

	while (rc == OK && n == PAGE) {
		struct val page = VAL_UNDEF, list;

		buf_clear(&target);
		buf_clear(&text);
		if (body != NULL)
			buf_add_fmt(&text, "{\"limit\":%d,\"offset\":%lld%s}", PAGE,
			    (long long)offset, body);
		buf_add(&target, path);
		if (body == NULL)
			buf_add_fmt(&target, "?limit=%d&offset=%lld", PAGE, (long long)offset);
		rc = remote_value(o->r, body != NULL ? "POST" : "GET", buf_str(&target),
		    buf_str(&text), &page, o->e);
		list = at == NULL ? page : val_get(page, str_of(at));
		n = (int64_t)val_count(list);
		for (int64_t i = 0; rc == OK && i < n; i++) {
			rc = put(o, kind, val_at(list, (size_t)i));
			if (rc == OK && then != NULL)
				rc = then(o, val_at(list, (size_t)i));
		}
		offset += n;
		val_drop(page);
	}
	buf_release(&target);
	buf_release(&text);
	return rc;
}

/* BEFORE id BEHIND */
static struct str
path_with(struct out *o, struct buf *b, const char *before, struct str id, const char *behind)
{
	buf_clear(b);
	remote_add_path(o->r, b, before, id, behind);
	return buf_str(b);
}

static int
put_versions(struct out *o, struct val one)
{
	struct buf b = BUF(LIMIT_HTTP_URL_BYTES);
	int rc = put_pages(o, "assistant_version", path_with(o, &b, "/assistants/",
	    entry_text(one, "assistant_id"), "/versions"), "", NULL, NULL);

	buf_release(&b);
	return rc;
}

/* Past states, each page before the last of the one before. */
static int
put_states(struct out *o, struct str thread)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES), body = BUF(4 * KB);
	struct str target = path_with(o, &path, "/threads/", thread, "/history");
	size_t n = PAGE;
	int rc = OK;

	buf_add_fmt(&body, "{\"limit\":%d}", PAGE);
	while (rc == OK && n == PAGE) {
		struct val page = VAL_UNDEF, last;

		rc = remote_value(o->r, "POST", target, buf_str(&body), &page, o->e);
		n = val_count(page);
		for (size_t i = 0; rc == OK && i < n; i++)
			rc = put(o, "state", val_at(page, i));
		last = n > 0 ? val_get(val_at(page, n - 1), S("checkpoint")) : VAL_UNDEF;
		buf_clear(&body);
		json_add_fmt(&body, "{'limit':%d,'before':{'configurable':{'checkpoint_id':%.*s}}}",
		    PAGE, FMT(entry_text(last, "checkpoint_id")));
		val_drop(page);
	}
	buf_release(&path);
	buf_release(&body);
	return rc;
}

static int
put_entry(void *ctx, struct val entry)
{
	return put(ctx, "transcript", entry);
}

static int
put_thread(struct out *o, struct val one)
{
	struct str id = entry_text(one, "thread_id");
	struct buf b = BUF(LIMIT_HTTP_URL_BYTES);
	int rc = put_pages(o, "run", path_with(o, &b, "/threads/", id, "/runs"), NULL, NULL,
	    NULL);

	if (rc == OK)
		rc = put_states(o, id);
	if (rc == OK)
		rc = pages_each(o->r, id, STR_NONE, put_entry, o, o->e);
	buf_release(&b);
	return rc;
}

/* An item with its dependencies and comments. */
static int
put_item(struct out *o, struct str id, struct str project)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES);
	struct val v = VAL_UNDEF;
	int rc;

	path_with(o, &path, "/work/items/", id, "");
	remote_add_parameter(o->r, &path, '?', "project", project);
	rc = remote_value(o->r, "GET", buf_str(&path), STR_NONE, &v, o->e);
	if (rc == OK)
		rc = put(o, "work", v);
	val_drop(v);
	buf_release(&path);
	return rc;
}

static int
put_work(struct out *o, struct str projects)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES);
	struct str project;
	int rc = OK;

	while (rc == OK && projects.n > 0 && str_next(&projects, ',', &project)) {
		struct val all = VAL_UNDEF;

		rc = remote_value(o->r, "GET", path_with(o, &path,
		    "/work/items?all=true&limit=0&project=", project, ""), STR_NONE, &all, o->e);
		for (size_t i = 0; rc == OK && i < val_count(all); i++)
			rc = put_item(o, entry_text(val_at(all, i), "id"), project);
		val_drop(all);
	}
	buf_release(&path);
	return rc;
}

static int
put_one(struct out *o, const char *kind, const char *path)
{
	struct val v = VAL_UNDEF;
	int rc = remote_value(o->r, "GET", str_of(path), STR_NONE, &v, o->e);

	if (rc == OK)
		rc = put(o, kind, v);
	val_drop(v);
	return rc;
}

static int
put_all(struct out *o, const struct flag_line *l)
{
	static const struct {
		const char *kind, *path, *body, *at;
		int (*then)(struct out *o, struct val one);
	} lists[] = {
		{ "assistant", "/assistants/search", "", NULL, put_versions },
		{ "thread", "/threads/search", "", NULL, put_thread },
		{ "item", "/store/items/search", ",\"namespace_prefix\":[]", "items", NULL },
		{ "cron", "/runs/crons/search", "", NULL, NULL },
		{ "agent", "/agents/search", "", NULL, NULL },
		{ "message", "/messages", NULL, NULL, NULL },
	};
	struct str projects = line_text(l, "projects");
	int rc = OK;

	for (size_t i = 0; rc == OK && i < COUNT(lists); i++)
		rc = put_pages(o, lists[i].kind, str_of(lists[i].path), lists[i].body,
		    lists[i].at, lists[i].then);
	if (rc == OK)
		rc = put_work(o, projects.n > 0 ? projects : S("default"));
	if (rc == OK)
		rc = put_one(o, "modules", "/wasm/modules");
	if (rc == OK)
		rc = put_one(o, "usage", "/usage?group_by=day&limit=1000");
	return rc;
}

static int
export(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct str to = line_text(l, "to");
	struct out o = { .r = r, .e = e };
	struct buf part = BUF(LIMIT_HTTP_URL_BYTES);
	int fd = -1, rc = OK;

	if (to.n == 0)
		return err_set(e, ERR_METHOD, "flag needed: --to FILE");
	if (access(to.p, F_OK) == 0)
		return err_set(e, ERR_INVALID, "%s is there already", to.p);
	if (l->operands_n > 0)
		rc = bulk_about(r, l->operand[0], e);
	buf_add_fmt(&part, "%s.part", to.p);
	if (rc == OK)
		fd = open(part.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (rc == OK && (fd < 0 || (o.file = fdopen(fd, "w")) == NULL))
		rc = err_set(e, ERR_IO, "%s: %s", part.p, strerror(errno));
	if (rc == OK)
		rc = put_all(&o, l);
	if (rc == OK && (fflush(o.file) != 0 || fsync(fd) != 0))
		rc = err_set(e, ERR_IO, "%s: %s", part.p, strerror(errno));
	if (o.file != NULL)
		fclose(o.file);
	if (rc == OK && rename(part.p, to.p) != 0)
		rc = err_set(e, ERR_IO, "%s: %s", to.p, strerror(errno));
	if (rc == OK)
		printf("%lld lines in %s\n", (long long)o.lines, to.p);
	else if (fd >= 0)
		unlink(part.p);
	buf_release(&part);
	return rc;
}

/* ---- erasing ------------------------------------------------------------------------- */

static int
erase(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct buf question = BUF(2 * LIMIT_NAME_BYTES + LIMIT_HTTP_URL_BYTES);
	struct str owner = l->operand[0];
	struct val got = VAL_UNDEF;
	int rc = bulk_about(r, owner, e);

	buf_add_fmt(&question, "Remove \"%.*s\" at %.*s, with all threads, runs, items, agents, messages "
	    "and work?", FMT(owner), FMT(remote_url(r)));
	if (rc == OK)
		rc = confirm(l, question.p, e);
	if (rc == OK)
		rc = remote_value_in(r, "POST", S("/owner/erase"), S("{}"), ERASE_NS, &got, e);
	if (rc == OK)
		print_value(got);
	if (rc == OK && !val_truthy(val_get(got, S("scrubbed"))))
		fprintf(stderr, "his rows are deleted; PostgreSQL keeps their bytes until it has vacuumed "
		    "its tables, and its log and archive until they are over\n");
	val_drop(got);
	buf_release(&question);
	return rc;
}

int
cmd_owner_export(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, export);
}

int
cmd_owner_erase(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, erase);
}
