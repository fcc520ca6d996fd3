/*
 * merge.c - three files of items become one.
 *
 * Each file is read once: its lines are checked and their ids kept.  Then the
 * three sorted lists are walked together, and only items that both sides changed
 * are decoded again.  An import into a database in memory would need nine times
 * the processor time, and would write unchanged lines anew.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "work/exchange/exchange.h"
#include "work/exchange/record_priv.h"
#include "work/exchange/rename_priv.h"

enum { BASE, OURS, THEIRS, SIDES };
static const char *const side_names[SIDES] = { "base", "ours", "theirs" };

struct line {
	struct str id, text;                 /* id: in join.names */
	struct str renamed_to;               /* of a tombstone; or p NULL */
	size_t number;
	bool dead;                           /* a tombstone */
};

struct file {
	struct line *list;                   /* sorted by id */
	size_t n, cap;
	struct renames moves;                /* ids that change in the result, in
	                                        lines and in references to them */
};

struct join {
	struct file side[SIDES];
	struct record r[SIDES];              /* the lines that are open, */
	struct json_doc doc[SIDES];          /* each with its document */
	struct arena names;                  /* ids */
	struct arena a;                      /* of the open lines */
	struct buf *out, *notes;
	struct merge_count *count;
	struct err *e;
};

/* ---- lines ----------------------------------------------------------------- */

bool
exchange_line_next(struct str *rest, struct str *text, size_t *line)
{
	while (str_next(rest, '\n', text)) {
		++*line;
		*text = str_trim(*text);
		if (text->n > 0)
			return true;
	}
	return false;
}

enum marker
exchange_line_marker(struct str text)
{
	return str_starts(text, S("<<<<<<< ")) ? MARKER_OURS :
	    str_starts(text, S("||||||| ")) ? MARKER_BASE :
	    str_eq(text, S("=======")) ? MARKER_THEIRS :
	    str_starts(text, S(">>>>>>> ")) ? MARKER_END : MARKER_NONE;
}

/* Opens a line of a side as j->r[slot]. */
static int
line_open(struct join *j, int side, const struct line *x, int slot)
{
	struct err why = { 0 };
	int rc = exchange_line_marker(x->text) != MARKER_NONE ? err_set(&why, ERR_INVALID,
	    "a conflict marker of git; resolve it first") :
	    record_parse(&j->r[slot], &j->doc[slot], x->text, &j->a, &why);

	if (rc == OK)
		return OK;
	return err_set(j->e, rc == ERR_SYNTAX ? ERR_INVALID : rc, "%s: line %zu: %s",
	    side_names[side], x->number, json_words(why.text));
}

/* Opens two lines, of any sides, as j->r[OURS] and j->r[THEIRS]. */
static int
pair_open(struct join *j, int side, const struct line *x, int other,
    const struct line *y)
{
	int rc;

	arena_clear(&j->a);
	rc = line_open(j, side, x, OURS);
	return rc == OK ? line_open(j, other, y, THEIRS) : rc;
}

static int
id_order(const void *left, const void *right)
{
	const struct line *a = left, *b = right;

	return str_cmp(a->id, b->id);
}

static int
line_order(const void *left, const void *right)
{
	const struct line *a = left, *b = right;
	int order = id_order(a, b);

	return order != 0 ? order : a->number < b->number ? -1 : a->number > b->number;
}

static struct line *
line_find(const struct file *f, struct str id)
{
	struct line key = { .id = id };

	return f->n == 0 ? NULL :
	    bsearch(&key, f->list, f->n, sizeof key, id_order);
}

/* Notes what is needed of a record after its line is closed. */
static void
line_note(struct join *j, struct line *x, const struct record *r)
{
	x->id = arena_str(&j->names, r->it.id);
	x->dead = r->it.status == STATUS_TOMBSTONE;
	x->renamed_to = x->dead ? record_renamed_to(&r->it, &j->names) : STR_NONE;
}

/* Makes a line of a record. */
static void
line_make(struct join *j, struct line *x, const struct record *r)
{
	struct buf b = BUF(2 * (size_t)LIMIT_WORK_ITEM_BYTES);

	record_encode(&b, r);
	x->text = arena_str(&j->names, buf_str(&b));
	line_note(j, x, r);
	buf_release(&b);
}

/* Two lines of one side have one id, as a merge by lines leaves them.  The same
 * item is merged into x; *apart: y is another item, and has another id now. */
static int
twins_settle(struct join *j, int side, struct line *x, struct line *y, bool *apart)
{
	struct merge m = { .a = &j->a };
	struct record out, *moved;
	int rc;

	*apart = false;
	if (str_eq(x->text, y->text))
		return OK;
	rc = pair_open(j, side, x, side, y);
	if (rc != OK)
		return rc;
	moved = record_to_move(&j->r[OURS], &j->r[THEIRS]);
	*apart = moved != NULL;
	if (moved != NULL) {
		if (moved == &j->r[OURS])
			*x = *y;
		moved->it.id = record_other_id(moved, &j->a);
		line_make(j, y, moved);
		j->count->moved++;
		return OK;
	}
	buf_add_fmt(j->notes, "%.*s: stood in lines %zu and %zu of %s; merged\n",
	    FMT(x->id), x->number, y->number, side_names[side]);
	record_merge(&out, NULL, &j->r[OURS], &j->r[THEIRS], &m);
	line_make(j, x, &out);
	return OK;
}

static int
file_sort(struct join *j, int side)
{
	struct file *f = &j->side[side];

	if (f->n > 1)
		qsort(f->list, f->n, sizeof *f->list, line_order);
	for (size_t i = 1; i < f->n; i++) {
		if (str_eq(f->list[i].id, f->list[i - 1].id))
			return err_set(j->e, ERR_INVALID, "%s: line %zu: %.*s is in "
			    "line %zu already", side_names[side], f->list[i].number,
			    FMT(f->list[i].id), f->list[i - 1].number);
	}
	return OK;
}

static int
file_settle(struct join *j, int side)
{
	struct file *f = &j->side[side];
	size_t n = 0;
	int rc = OK;

	if (f->n > 1)
		qsort(f->list, f->n, sizeof *f->list, line_order);
	for (size_t i = 0, last = 0; rc == OK && i < f->n; i++) {
		bool apart = true;

		if (n > 0 && str_eq(f->list[i].id, f->list[last].id))
			rc = twins_settle(j, side, &f->list[last], &f->list[i], &apart);
		else
			last = n;
		if (apart)
			f->list[n++] = f->list[i];
	}
	f->n = n;
	return rc == OK ? file_sort(j, side) : rc;
}

static int
file_read(struct join *j, int side, struct str text)
{
	struct file *f = &j->side[side];
	struct line x = { .number = 0 };
	int rc = OK;

	while (rc == OK && exchange_line_next(&text, &x.text, &x.number)) {
		arena_clear(&j->a);
		rc = line_open(j, side, &x, side);
		if (rc == OK && f->n >= LIMIT_WORK_IMPORT_ITEMS)
			rc = err_set(j->e, ERR_LIMIT, "%s: line %zu: more than %d "
			    "items", side_names[side], x.number,
			    LIMIT_WORK_IMPORT_ITEMS);
		if (rc == OK) {
			line_note(j, &x, &j->r[side]);
			mem_grow(f->list, f->n, f->cap);
			f->list[f->n++] = x;
		}
	}
	return rc == OK ? file_settle(j, side) : rc;
}

/* ---- one id, two items ----------------------------------------------------- */

/* Both created an item of this id since the base; the later one moves. */
static int
pair_check(struct join *j, const struct line *x, const struct line *y)
{
	const struct record *moved;
	struct str to;
	int rc = pair_open(j, OURS, x, THEIRS, y);

	moved = rc == OK ? record_to_move(&j->r[OURS], &j->r[THEIRS]) : NULL;
	if (moved == NULL)
		return rc;
	to = record_other_id(moved, &j->names);
	renames_add(&j->side[moved == &j->r[OURS] ? OURS : THEIRS].moves, x->id, to);
	j->count->moved++;
	buf_add_fmt(j->notes, "%.*s: two items had this id; \"%.*s\", the later, is "
	    "now %.*s\n", FMT(x->id), FMT(moved->it.title), FMT(to));
	return OK;
}

static int
pairs_check(struct join *j)
{
	const struct file *ours = &j->side[OURS];
	int rc = OK;

	for (size_t i = 0; rc == OK && i < ours->n; i++) {
		const struct line *x = &ours->list[i];
		const struct line *y = line_find(&j->side[THEIRS], x->id);

		if (y != NULL && !str_eq(x->text, y->text) &&
		    line_find(&j->side[BASE], x->id) == NULL)
			rc = pair_check(j, x, y);
	}
	return rc;
}

/* ---- one item, two ids ----------------------------------------------------- */

/* The id to which the file renamed this one; p NULL: it did not. */
static struct str
name_next(const struct file *f, struct str id)
{
	const struct line *x = line_find(f, id);

	return x != NULL ? x->renamed_to : STR_NONE;
}

/* Both renamed it: the tombstone that wins the merge has the id. */
static struct str
name_choose(struct join *j, struct str id)
{
	const struct line *x = line_find(&j->side[OURS], id);
	const struct line *y = line_find(&j->side[THEIRS], id);
	struct merge m = { .a = &j->a };
	struct record out;

	if (pair_open(j, OURS, x, THEIRS, y) != OK)
		return x->renamed_to;
	record_merge(&out, NULL, &j->r[OURS], &j->r[THEIRS], &m);
	return str_eq(out.it.extra, j->r[OURS].it.extra) ? x->renamed_to :
	    y->renamed_to;
}

/* Follows renames on both sides to the last id. */
static struct str
name_end(struct join *j, struct str id)
{
	for (int i = 0; i < RENAMES_CHAIN; i++) {
		struct str x = name_next(&j->side[OURS], id);
		struct str y = name_next(&j->side[THEIRS], id);

		if (x.p == NULL && y.p == NULL)
			break;
		id = x.p == NULL ? y : y.p == NULL ? x : name_choose(j, id);
	}
	return id;
}

/* Renames the item in a file that has it under its old id, or under one that it
 * gave it itself. */
static void
rename_in(struct file *f, struct str id, struct str to)
{
	struct str next = id;
	const struct line *x, *there = line_find(f, to);

	for (int i = 0; i < RENAMES_CHAIN && next.p != NULL; i++) {
		id = next;
		next = name_next(f, id);
	}
	x = line_find(f, id);
	if (x != NULL && !x->dead && !str_eq(id, to) &&
	    (there == NULL || there->renamed_to.p != NULL))
		renames_add(&f->moves, x->id, to);
}

static void
renames_find(struct join *j, int side)
{
	const struct file *f = &j->side[side];

	for (size_t i = 0; i < f->n; i++) {
		struct str id = f->list[i].id, to;

		if (f->list[i].renamed_to.p == NULL)
			continue;
		to = name_end(j, id);
		for (int s = BASE; s < SIDES; s++)
			rename_in(&j->side[s], id, to);
	}
}

/* Puts lines under their new ids, in place of tombstones of earlier renames. */
static int
ids_apply(struct join *j, int side)
{
	struct file *f = &j->side[side];
	struct renames back;
	size_t n = 0;

	renames_unique(&f->moves);
	if (f->moves.n == 0)
		return OK;
	back = renames_back(&f->moves);
	for (size_t i = 0; i < f->n; i++) {
		struct line *x = &f->list[i];
		struct str to = renames_get(&f->moves, x->id);

		if (x->renamed_to.p != NULL && renames_get(&back, x->id).p != NULL)
			continue;
		if (to.p != NULL && !x->dead)
			x->id = to;
		f->list[n++] = *x;
	}
	f->n = n;
	renames_release(&back);
	return file_sort(j, side);
}

static int
ids_settle(struct join *j)
{
	int rc = pairs_check(j);

	if (rc == OK) {
		renames_find(j, OURS);
		renames_find(j, THEIRS);
	}
	for (int s = BASE; rc == OK && s < SIDES; s++)
		rc = ids_apply(j, s);
	return rc;
}

/* ---- the walk -------------------------------------------------------------- */

/* Opens a line with the ids of the result. */
static int
record_open(struct join *j, int side, const struct line *x)
{
	struct record *r = &j->r[side];
	int rc = line_open(j, side, x, side);

	if (rc == OK && !x->dead)
		rename_in_item(&r->it, &j->side[side].moves, &j->a);
	return rc;
}

static void
emit_text(struct join *j, struct str text)
{
	buf_add(j->out, text);
	buf_add_char(j->out, '\n');
	j->count->items++;
}

static void
emit_record(struct join *j, const struct record *r)
{
	record_encode(j->out, r);
	emit_text(j, STR_NONE);
}

/* Writes a line unchanged, unless ids change on its side. */
static int
emit_line(struct join *j, int side, const struct line *x)
{
	int rc = OK;

	if (j->side[side].moves.n == 0) {
		emit_text(j, x->text);
		return OK;
	}
	rc = record_open(j, side, x);
	if (rc == OK)
		emit_record(j, &j->r[side]);
	return rc;
}

static struct str
cut(struct str s)
{
	size_t n = 0, step;

	if (s.n <= 60)
		return s;
	while (n < 57 && (step = str_utf8_step(str_sub(s, n, s.n))) > 0)
		n += step;
	return str_sub(s, 0, n);
}

static void
note_clash(void *ctx, const struct clash *c)
{
	struct join *j = ctx;
	struct str lost = str_eq(c->kept, c->ours) ? c->theirs : c->ours;

	j->count->clashes++;
	buf_add_fmt(j->notes, "%.*s: %s: changed on both sides; kept \"%.*s\", the "
	    "later, over \"%.*s\"\n", FMT(c->id), c->field, FMT(cut(c->kept)),
	    FMT(cut(lost)));
}

static int
emit_merged(struct join *j, const struct line *const x[SIDES])
{
	struct merge m = { &j->a, note_clash, j };
	struct record out;
	int rc = OK;

	for (int s = 0; rc == OK && s < SIDES; s++) {
		if (x[s] != NULL)
			rc = record_open(j, s, x[s]);
	}
	if (rc != OK)
		return rc;
	record_merge(&out, x[BASE] == NULL ? NULL : &j->r[BASE], &j->r[OURS],
	    &j->r[THEIRS], &m);
	emit_record(j, &out);
	return j->a.failed ? err_set(j->e, ERR_TOOBIG, "ours: line %zu: the item is "
	    "too large", x[OURS]->number) : OK;
}

static bool
same_text(const struct line *x, const struct line *y)
{
	return x != NULL && y != NULL && str_eq(x->text, y->text);
}

static int
join_one(struct join *j, const struct line *const x[SIDES])
{
	const struct line *base = x[BASE], *ours = x[OURS], *theirs = x[THEIRS];

	if (ours != NULL && theirs != NULL) {
		/* The base cannot refer to items that a side created. */
		if (same_text(base, ours) && same_text(base, theirs))
			return emit_line(j, BASE, base);
		if (same_text(ours, theirs) || same_text(base, theirs))
			return emit_line(j, OURS, ours);
		if (same_text(base, ours))
			return emit_line(j, THEIRS, theirs);
		return emit_merged(j, x);
	}
	/* One side removed the line and the other did not change it. */
	if (ours == NULL && theirs == NULL)
		return OK;
	if (same_text(base, ours) || same_text(base, theirs))
		return OK;
	if (base != NULL) {
		j->count->clashes++;
		buf_add_fmt(j->notes, "%.*s: its line was removed on one side and "
		    "changed on the other; kept\n", FMT(base->id));
	}
	return ours != NULL ? emit_line(j, OURS, ours) :
	    emit_line(j, THEIRS, theirs);
}

static int
join_walk(struct join *j)
{
	size_t at[SIDES] = { 0 };
	int rc = OK;

	while (rc == OK) {
		const struct line *x[SIDES], *least = NULL;

		for (int s = 0; s < SIDES; s++) {
			x[s] = at[s] < j->side[s].n ? &j->side[s].list[at[s]] : NULL;
			if (x[s] != NULL && (least == NULL ||
			    str_cmp(x[s]->id, least->id) < 0))
				least = x[s];
		}
		if (least == NULL)
			break;
		for (int s = 0; s < SIDES; s++) {
			if (x[s] != NULL && !str_eq(x[s]->id, least->id))
				x[s] = NULL;
			at[s] += x[s] != NULL;
		}
		arena_clear(&j->a);
		rc = join_one(j, x);
	}
	if (rc == OK && (j->out->failed || j->names.failed))
		rc = err_set(j->e, ERR_TOOBIG, "the merged file is too large");
	return rc;
}

int
exchange_merge(struct str base, struct str ours, struct str theirs, struct buf *out,
    struct buf *notes, struct merge_count *n, struct err *e)
{
	struct join j = { .out = out, .notes = notes, .count = n, .e = e,
		.names = ARENA(4 * (size_t)LIMIT_WORK_MEMORY_BYTES),
		.a = ARENA(LIMIT_WORK_MEMORY_BYTES) };
	const struct str texts[SIDES] = { base, ours, theirs };
	int rc = OK;

	*n = (struct merge_count){ 0 };
	for (int s = 0; rc == OK && s < SIDES; s++)
		rc = file_read(&j, s, texts[s]);
	if (rc == OK)
		rc = ids_settle(&j);
	if (rc == OK)
		rc = join_walk(&j);
	for (int s = 0; s < SIDES; s++) {
		free(j.side[s].list);
		renames_release(&j.side[s].moves);
		json_release(&j.doc[s]);
	}
	arena_release(&j.names);
	arena_release(&j.a);
	return rc;
}
