/*
 * import.c - decides for each item of a file whether it is new, is merged with
 * ours, or is another item under an id of ours.
 *
 * The base of the three-way merge is the line that both sides had last: work_base
 * has it for each id, else the audit has the item as it was created.  A line that
 * equals its base is skipped.
 *
 * An item is an object in the arguments, or the text of one.  Texts are parsed one
 * by one, so a large file is never in memory as one tree of values.
 *
 * The operation runs in a savepoint, so it writes as it goes, and a failure
 * changes nothing.  One item at a time is in memory: w->a holds it and is cleared
 * before the next.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "work/exchange/import_priv.h"
#include "work/graph.h"

/* ---- words ----------------------------------------------------------------- */

int
import_fail_line(struct import *im, int rc)
{
	struct err why = im->c->err;

	if (rc == OK || rc == ERR_IO || rc == ERR_CANCELLED || rc == ERR_TIMEOUT)
		return rc;
	return work_fail(im->w, rc, "line %zu: %.440s", im->line, json_words(why.text));
}

bool
import_report_begin(struct import *im, struct buf *list)
{
	if (im->reports >= LIMIT_WORK_REPORTS) {
		im->more++;
		return false;
	}
	im->reports++;
	json_add_comma(list);
	return true;
}

void
import_warn(struct import *im, const char *format, ...)
{
	struct buf b = BUF(4 * KB);
	va_list ap;

	if (!import_report_begin(im, &im->warnings))
		return;
	buf_add_fmt(&b, "line %zu: ", im->line);
	va_start(ap, format);
	buf_add_vfmt(&b, format, ap);
	va_end(ap);
	json_add_str(&im->warnings, buf_str(&b));
	buf_release(&b);
}

void
import_report_clash(void *ctx, const struct clash *c)
{
	struct import *im = ctx;
	struct buf *b = &im->conflicts;

	if (!import_report_begin(im, b))
		return;
	json_add_fmt(b, "{'id':%.*s,'field':%s,'ours':%.*s,'theirs':%.*s,'kept':%.*s}",
	    FMT(c->id), c->field, FMT(c->ours), FMT(c->theirs), FMT(c->kept));
}

void
import_report_move(struct import *im, struct str from, struct str to, struct str title)
{
	struct buf *b = &im->renamed;

	if (!import_report_begin(im, b))
		return;
	json_add_fmt(b, "{'old':%.*s,'new':%.*s,'title':%.*s}", FMT(from), FMT(to),
	    FMT(title));
}

/* ---- entries --------------------------------------------------------------- */

static uint64_t
id_hash(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static bool
entry_has_id(const void *value, const void *key)
{
	return str_eq(((const struct entry *)value)->id, *(const struct str *)key);
}

static const void *
entry_id(const void *value)
{
	return &((const struct entry *)value)->id;
}

static int
entry_text(struct import *im, const struct entry *x, struct str *text,
    struct err *e)
{
	const struct work_lines *lines = im->c->lines;
	size_t line;

	*text = x->merged.p != NULL ? x->merged : json_str(x->node);
	return lines == NULL || x->merged.p != NULL ? OK : lines->get(lines->ctx,
	    (size_t)(x - im->list), text, &line, e);
}

/* The first reading warns of the unknown words. */
static int
entry_translate(struct import *im, const struct entry *x, jnode *item,
    struct err *e)
{
	struct json_doc doc = { 0 };
	int rc;

	im->line = x->line;
	if (im->reads && x->id.p == NULL)
		import_foreign_report(im, *item);
	buf_clear(&im->translated);
	import_foreign_translate(&im->translated, *item, im->omits_zero);
	rc = im->translated.failed ? err_set(e, ERR_TOOBIG, "the item is too large") :
	    json_parse(&doc, buf_str(&im->translated), e);
	json_release(&im->doc);
	im->doc = doc;
	*item = doc.root;
	return rc;
}

/* The item: from the arguments, or parsed from the text of its line.  It lives
 * until the next call. */
int
import_entry_value(struct import *im, const struct entry *x, jnode *out, struct err *e)
{
	struct str text;
	int rc = OK;

	*out = x->node;
	if (im->c->lines != NULL || json_is_string(x->node) || x->merged.p != NULL) {
		json_release(&im->doc);
		rc = entry_text(im, x, &text, e);
		if (rc == OK)
			rc = json_parse(&im->doc, text, e);
		*out = im->doc.root;
	}
	/* With --strict unknown words are errors. */
	return rc == OK && import_foreign_is(*out, im->omits_zero) &&
	    (!im->strict || !import_foreign_is(*out, false)) ?
	    entry_translate(im, x, out, e) : rc;
}

/* Decodes the item with the ids it will have. */
int
import_entry_open(struct import *im, const struct entry *x, struct record *r)
{
	struct err e = { 0 };
	jnode item;
	int rc = import_entry_value(im, x, &item, &e);

	im->line = x->line;
	arena_clear(&im->w->a);
	if (rc == OK)
		rc = record_decode(r, item, &im->w->a, &e);
	if (rc == OK && r->it.lease_holder.p != NULL && x->id.p == NULL)
		import_warn(im, "the lease of %.*s is not imported: it belongs "
		    "to the other tracker", FMT(r->it.id));
	if (rc != OK)
		return work_fail(im->w, rc, "line %zu: %.440s", x->line,
		    json_words(e.text));
	if (r->it.status != STATUS_TOMBSTONE)
		rename_in_item(&r->it, &im->moves, &im->w->a);
	r->it.lease_holder = STR_NONE;
	if (x->id.p == NULL)
		return OK;
	r->it.id = x->id;
	return item_drop_dep(im->w, &r->it, x->id);  /* by its new id on itself */
}

/* The line as work_base stores it, in w->scratch. */
static struct str
entry_line(struct import *im, const struct entry *x)
{
	struct err e;
	jnode item;

	buf_clear(&im->w->scratch);
	if (import_entry_value(im, x, &item, &e) == OK)
		json_add_node(&im->w->scratch, item);
	return buf_str(&im->w->scratch);
}

/* In w->a; empty: none. */
int
import_base_get(struct import *im, struct str id, struct str *line)
{
	return record_text(im->w, query_of(&im->w->db, SQL_BASE_GET,
	    db_i64(im->w->t.seq), db_str(id)), line);
}

static int
base_put(struct import *im, const struct entry *x)
{
	int rc = db_run(&im->w->db, SQL_BASE_PUT, db_i64(im->w->t.seq),
	    db_str(x->id), db_str(entry_line(im, x)));

	return rc == OK ? OK : work_fail_db(im->w, rc);
}

/* ---- one id, two items ----------------------------------------------------- */

/* Is the line a different item from the one that both sides had under the id? */
static int
base_is_other(struct import *im, struct record *theirs, bool *known,
    bool *other)
{
	struct json_doc doc = { 0 };
	struct record base;
	struct str line;
	struct err e;
	int rc = import_base_get(im, theirs->it.id, &line);

	*known = *other = false;
	if (rc != OK || line.n == 0)
		return rc;
	*known = record_parse(&base, &doc, line, &im->w->a, &e) == OK;
	*other = *known && record_to_move(&base, theirs) != NULL;
	json_release(&doc);
	return OK;
}

int
import_entry_move(struct import *im, struct entry *x, const struct record *r)
{
	struct str to = record_other_id(r, &im->plan);

	assert(x->id.p != NULL);             /* it has been read */
	if (map_get(&im->ids, &to) != NULL)
		return work_fail(im->w, ERR_CONFLICT, "line %zu: the item needs another "
		    "id, but %.*s is in the import too", x->line, FMT(to));
	import_report_move(im, x->id, to, r->it.title);
	if (map_get(&im->ids, &x->id) == x)
		map_take(&im->ids, &x->id);
	x->id = to;
	map_put(&im->ids, x);
	return OK;
}

/* Two items were created under one id: the later one gets another id. */
static int
pair_check(struct import *im, struct entry *x, struct record *theirs)
{
	struct record ours, *moved;
	struct str from = x->id, to;
	bool known, other;
	int64_t seq;
	int rc = item_seq_exact(im->w, x->id, &seq);

	if (rc == ERR_NOTFOUND)
		return import_rename_follow(im, x);
	if (rc == OK)
		rc = base_is_other(im, theirs, &known, &other);
	if (rc != OK || (known && !other))
		return rc;
	rc = record_load(im->w, seq, &ours);
	moved = rc == OK ? record_to_move(&ours, theirs) : NULL;
	if (moved == NULL)
		return rc;
	if (!known && moved == theirs) {
		rc = import_entry_move(im, x, theirs);
		renames_add(&im->found, from, x->id);
		return rc;
	}
	to = record_other_id(&ours, &im->w->a);
	import_report_move(im, from, to, ours.it.title);
	return import_item_move(im, &ours.it, to);
}

/* ---- what there is --------------------------------------------------------- */

static int
entry_read(struct import *im, struct entry *x)
{
	struct entry *twin;
	struct record r;
	int rc = import_entry_open(im, x, &r);

	if (rc != OK)
		return rc;
	x->id = arena_str(&im->plan, r.it.id);
	if (x->id.p == NULL)
		return work_fail(im->w, ERR_TOOBIG, "the import is too large");
	twin = map_get(&im->ids, &x->id);
	if (twin != NULL)
		return import_twins_settle(im, twin, x, &r);
	map_put(&im->ids, x);
	if (arg_bool(im->c, "skip_existing") || arg_bool(im->c, "base"))
		return OK;
	if (r.it.status != STATUS_TOMBSTONE)
		return pair_check(im, x, &r);
	import_rename_told(im, x, &r);
	return OK;
}

/* A line that equals its base is skipped, even if there is no row: then the item
 * has another id here by now. */
static int
entry_sort(struct import *im, struct entry *x)
{
	struct str line;
	int rc;

	arena_clear(&im->w->a);
	rc = record_row(im->w, x->id, &x->seq);
	if (rc != OK)
		return rc;
	x->kind = x->seq == 0 ? ENTRY_NEW : ENTRY_MERGE;
	if (x->seq != 0 && arg_bool(im->c, "skip_existing")) {
		x->kind = ENTRY_SKIP;
		return OK;
	}
	rc = import_base_get(im, x->id, &line);
	if (rc != OK || line.n == 0)
		return rc;
	if (str_eq(entry_line(im, x), line))
		x->kind = ENTRY_SAME;
	return OK;
}

/* Makes the entries: of the lines, or of the items in the arguments. */
static int
entries_take(struct import *im)
{
	const struct work_lines *lines = im->c->lines;
	jnode items = arg_node(im->c, "items");
	struct json_iter at = json_each(items);
	size_t line = (size_t)arg_int(im->c, "first_line", 1);
	size_t n = lines != NULL ? lines->n : json_count(items);
	struct err e;
	struct str text;
	int rc = OK;

	if (n > LIMIT_WORK_IMPORT_ITEMS)
		return work_fail(im->w, ERR_LIMIT, "items: at most %d, got %zu",
		    LIMIT_WORK_IMPORT_ITEMS, n);
	im->list = mem_zero((n + 1) * sizeof *im->list);
	im->n = n;
	for (size_t i = 0; lines == NULL && json_next(&at); i++)
		im->list[i] = (struct entry){ .node = at.value, .line = line + i };
	for (size_t i = 0; rc == OK && lines != NULL && i < n; i++)
		rc = lines->get(lines->ctx, i, &text, &im->list[i].line, &e);
	return rc == OK ? OK : work_fail(im->w, rc, "%s", e.text);
}

/* bd leaves out zeros: if no line has a priority of 0, and complete items have
 * none, their priority is 0. */
static void
zeros_find(struct import *im)
{
	const struct str key = S("\"priority\"");
	int64_t lack = 0;

	for (size_t i = 0; i < im->n; i++) {
		struct str text = STR_NONE;
		struct err e;
		jnode item = im->list[i].node;
		const char *at;

		if (entry_text(im, &im->list[i], &text, &e) != OK)
			continue;
		at = text.n == 0 ? NULL : memmem(text.p, text.n, key.p, key.n);
		if (at != NULL) {
			text = str_sub(text, (size_t)(at - text.p) + key.n, text.n);
			while (text.n > 0 && (text.p[0] == ':' || text.p[0] == ' '))
				text = str_sub(text, 1, text.n);
			if (str_starts(text, S("0")))
				return;
			continue;
		}
		if (import_entry_value(im, &im->list[i], &item, &e) != OK)
			continue;
		if (json_is_int(json_get(item, S("priority"))) &&
		    json_int(json_get(item, S("priority"))) == 0)
			return;
		lack += import_foreign_lacks_priority(item);
	}
	im->omits_zero = lack > 0;
	if (lack > 0 && import_report_begin(im, &im->warnings))
		buf_add_fmt(&im->warnings, "\"priority: %lld items have none and none "
		    "is 0: the file leaves out zeros, and they are P0\"",
		    (long long)lack);
}

/* bd exports with the items what agents are to remember.  A file that goes through
 * git would lose such a line at the next export: there it is an error. */
static bool
is_no_item(struct import *im, const struct entry *x)
{
	struct err e;
	jnode line;

	if (im->strict || arg_bool(im->c, "resolve_cycles") || arg_bool(im->c, "base") ||
	    import_entry_value(im, x, &line, &e) != OK)
		return false;
	return str_eq(json_str(json_get(line, S("_type"))), S("memory"));
}

/* Is the line at fault, and may it be left out? */
static bool
is_bad(struct import *im, const struct entry *x, int rc)
{
	return (rc == ERR_SYNTAX || rc == ERR_INVALID || rc == ERR_TOOBIG) &&
	    (arg_bool(im->c, "skip_bad") || is_no_item(im, x));
}

/* Treats the line as blank; its error becomes a warning. */
static int
entry_leave_out(struct import *im, struct entry *x)
{
	struct err *e = &im->c->err;

	if (import_report_begin(im, &im->warnings))
		json_add_str(&im->warnings, str_of(e->text));
	*x = (struct entry){ .line = x->line };
	*e = (struct err){ .text = "" };
	im->bad++;
	return OK;
}

static int
entries_read(struct import *im)
{
	int rc = entries_take(im);

	if (rc == OK)
		zeros_find(im);
	im->reads = true;
	for (size_t i = 0; rc == OK && i < im->n; i++) {
		struct entry *x = &im->list[i];

		if (im->c->lines != NULL || !json_is_null(x->node))
			rc = entry_read(im, x);
		if (is_bad(im, x, rc))
			rc = entry_leave_out(im, x);
		if (rc == OK)
			rc = work_tick(im->w, i, IMPORT_STEPS * im->n);
	}
	if (rc == OK)
		rc = import_renames_apply(im);
	for (size_t i = 0; rc == OK && i < im->n; i++) {
		if (im->list[i].id.p != NULL)
			rc = entry_sort(im, &im->list[i]);
		if (rc == OK)
			rc = work_tick(im->w, im->n + i, IMPORT_STEPS * im->n);
	}
	return rc;
}

/* ---- the operation --------------------------------------------------------- */

static int
bases_write(struct import *im)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < im->n; i++) {
		const struct entry *x = &im->list[i];

		if (x->id.p != NULL && x->kind != ENTRY_SKIP &&
		    (x->kind != ENTRY_SAME || arg_bool(im->c, "base")))
			rc = base_put(im, x);
	}
	return rc;
}

static void
answer(struct import *im)
{
	const struct { const char *key; int64_t n; } counts[] = {
		{ "created", im->created }, { "updated", im->updated },
		{ "deleted", im->deleted }, { "unchanged", im->unchanged },
		{ "skipped", im->skipped }, { "bad", im->bad },
	};
	const struct { const char *key; const struct buf *list; } lists[] = {
		{ "conflicts", &im->conflicts }, { "renamed", &im->renamed },
		{ "warnings", &im->warnings },
	};
	struct buf *b = im->c->data;

	buf_add_char(b, '{');
	for (size_t i = 0; i < COUNT(counts) - (im->bad == 0); i++)
		json_add_fmt(b, ",%s:%lld", counts[i].key, (long long)counts[i].n);
	for (size_t i = 0; i < COUNT(lists); i++)
		json_add_fmt(b, ",%s:[%-.*s]", lists[i].key, FMT(buf_str(lists[i].list)));
	if (im->more > 0)
		json_add_fmt(b, ",'more':%llu", (unsigned long long)im->more);
	buf_add_char(b, '}');
}

static int
import_run(struct import *im)
{
	int rc = entries_read(im);

	if (rc == OK && !arg_bool(im->c, "base"))
		rc = import_write(im);
	if (rc == OK)
		rc = bases_write(im);
	if (rc == OK)
		answer(im);
	return rc;
}

/* Runs the import to get its answer, then rolls it back. */
static int
import_dry(struct import *im)
{
	struct work *w = im->w;
	struct tracker t = w->t;
	int rc = work_savepoint_begin(w);

	if (rc != OK)
		return rc;
	rc = work_savepoint_end(w, import_run(im), false);
	graph_drop(w);
	w->t = t;
	return rc;
}

int
op_import(struct work *w, struct work_call *c)
{
	struct import im = { .w = w, .c = c, .strict = arg_bool(c, "strict"),
		.resolve_cycles = arg_bool(c, "resolve_cycles") &&
		    !arg_bool(c, "strict"),
		.plan = ARENA(LIMIT_WORK_MEMORY_BYTES),
		.translated = BUF(2 * (size_t)LIMIT_WORK_ITEM_BYTES),
		.conflicts = BUF(LIMIT_WORK_MEMORY_BYTES),
		.renamed = BUF(LIMIT_WORK_MEMORY_BYTES),
		.warnings = BUF(LIMIT_WORK_MEMORY_BYTES) };
	struct arena call = w->a;
	int rc;

	w->a = ARENA(LIMIT_WORK_MEMORY_BYTES);
	map_init(&im.ids, id_hash, entry_has_id, entry_id);
	rc = arg_bool(c, "dry_run") ? import_dry(&im) : import_run(&im);
	if (rc == OK && (w->a.failed || im.plan.failed || im.conflicts.failed))
		rc = work_fail(w, ERR_TOOBIG, "the import is too large");
	arena_release(&w->a);
	w->a = call;
	if (rc == OK && im.prefix.n > 0 && !arg_bool(c, "dry_run"))
		w->t.prefix = arena_str(&w->a, im.prefix);
	map_release(&im.ids);
	json_release(&im.doc);
	arena_release(&im.plan);
	buf_release(&im.translated);
	buf_release(&im.conflicts);
	buf_release(&im.renamed);
	buf_release(&im.warnings);
	free(im.list);
	free(im.late);
	import_renames_end(&im);
	return rc;
}
