/*
 * merge.c - three files of items become one.
 *
 * Each file is read once for its ids and checked; then the three, sorted, are
 * walked together.  Only where two sides differ from the third is anything
 * decoded again, so that the work is the size of the files and not of what
 * they could have in common.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "work/exchange/exchange.h"
#include "work/exchange/record_priv.h"
#include "work/exchange/rename_priv.h"

enum { BASE, OURS, THEIRS, SIDES };
static const char *const side_names[SIDES] = { "base", "ours", "theirs" };

struct entry {
	struct str id, text;                 /* id: in the arena; text: the line */
	struct str renamed_to;               /* of a tombstone; or p NULL */
	size_t line;
	bool dead;                           /* a tombstone */
};

struct file {
	struct entry *list;                  /* sorted by id */
	size_t n, cap;
	struct renames moves;                /* ids that are others in the result,
	                                        also where the side names them */
};

struct join {
	struct file side[SIDES];
	struct arena names;                  /* ids */
	struct arena a;                      /* of one item */
	struct buf *out, *notes;
	struct merge_count *count;
	struct err *e;
};

/* ---- lines --------------------------------------------------------------------- */

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

bool
exchange_line_is_marker(struct str text)
{
	return str_starts(text, S("<<<<<<< ")) || str_starts(text, S(">>>>>>> ")) ||
	    str_starts(text, S("||||||| ")) || str_eq(text, S("======="));
}

/* Opens one line: release doc in any case. */
static int
import_entry_open(struct join *j, int side, const struct entry *x, struct record *r,
    struct json_doc *doc)
{
	struct err why = { 0 };
	int rc;

	*doc = (struct json_doc){ 0 };
	if (exchange_line_is_marker(x->text))
		return err_set(j->e, ERR_INVALID, "%s: line %zu: a conflict marker of "
		    "git; resolve it first", side_names[side], x->line);
	rc = json_parse(doc, x->text, &why);
	if (rc == OK)
		rc = record_decode(r, doc->root, &j->a, &why);
	if (rc != OK)
		return err_set(j->e, rc == ERR_SYNTAX ? ERR_INVALID : rc,
		    "%s: line %zu: %s", side_names[side], x->line, json_words(why.text));
	return OK;
}

static int
entry_order(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int order = str_cmp(a->id, b->id);

	return order != 0 ? order : a->line < b->line ? -1 : a->line > b->line;
}

/* The text of an item that is on no line. */
static void
entry_take(struct join *j, struct entry *x, const struct record *r)
{
	struct buf b = BUF(2 * (size_t)LIMIT_WORK_ITEM_BYTES);

	record_encode(&b, r);
	x->text = arena_str(&j->names, buf_str(&b));
	x->id = arena_str(&j->names, r->it.id);
	x->dead = r->it.status == STATUS_TOMBSTONE;
	x->renamed_to = x->dead ? tombstone_to(&r->it, &j->names) : STR_NONE;
	buf_release(&b);
}

static void
note_twin(struct join *j, int side, const struct entry *x, const struct entry *y)
{
	buf_add_fmt(j->notes, "%.*s: stood in lines %zu and %zu of %s; merged\n",
	    FMT(x->id), x->line, y->line, side_names[side]);
}

/* Two lines of one side with one id, as a merge by lines leaves them: the same
 * item becomes one; *apart: y is another, and has another id now. */
static int
import_twins_settle(struct join *j, int side, struct entry *x, struct entry *y,
    bool *apart)
{
	struct merge m = { .a = &j->a };
	struct json_doc docs[2] = { 0 };
	struct record a, b, out;
	int rc;

	*apart = false;
	if (str_eq(x->text, y->text))
		return OK;
	arena_clear(&j->a);
	rc = import_entry_open(j, side, x, &a, &docs[0]);
	if (rc == OK)
		rc = import_entry_open(j, side, y, &b, &docs[1]);
	if (rc == OK && record_is_other(&a, &b)) {
		bool later = record_is_later(&b, &a);
		struct record *moved = later ? &b : &a;

		*apart = true;
		if (!later)
			*x = *y;
		moved->it.id = record_other_id(moved, &j->a);
		entry_take(j, y, moved);
		j->count->moved++;
	} else if (rc == OK) {
		note_twin(j, side, x, y);
		record_merge(&out, NULL, &a, &b, &m);
		entry_take(j, x, &out);
	}
	json_release(&docs[0]);
	json_release(&docs[1]);
	return rc;
}

static int
file_settle(struct join *j, int side)
{
	struct file *f = &j->side[side];
	size_t n = 0;
	int rc = OK;

	if (f->n > 1)
		qsort(f->list, f->n, sizeof *f->list, entry_order);
	for (size_t i = 0, last = 0; rc == OK && i < f->n; i++) {
		bool apart = true;

		if (n > 0 && str_eq(f->list[i].id, f->list[last].id))
			rc = import_twins_settle(j, side, &f->list[last], &f->list[i], &apart);
		else
			last = n;
		if (apart)
			f->list[n++] = f->list[i];
	}
	f->n = n;
	return rc;
}

static int
file_sort(struct join *j, int side)
{
	struct file *f = &j->side[side];

	if (f->n > 1)
		qsort(f->list, f->n, sizeof *f->list, entry_order);
	for (size_t i = 1; i < f->n; i++) {
		if (str_eq(f->list[i].id, f->list[i - 1].id))
			return err_set(j->e, ERR_INVALID, "%s: line %zu: %.*s stands in "
			    "line %zu already", side_names[side], f->list[i].line,
			    FMT(f->list[i].id), f->list[i - 1].line);
	}
	return OK;
}

static int
file_read(struct join *j, int side, struct str text)
{
	struct file *f = &j->side[side];
	struct entry x = { .line = 0 };
	struct record r;
	struct json_doc doc;
	int rc = OK;

	while (rc == OK && exchange_line_next(&text, &x.text, &x.line)) {
		arena_clear(&j->a);
		rc = import_entry_open(j, side, &x, &r, &doc);
		if (rc == OK && f->n >= LIMIT_WORK_IMPORT_ITEMS)
			rc = err_set(j->e, ERR_LIMIT, "%s: line %zu: more than %d "
			    "items", side_names[side], x.line,
			    LIMIT_WORK_IMPORT_ITEMS);
		if (rc == OK) {
			x.id = arena_str(&j->names, r.it.id);
			x.dead = r.it.status == STATUS_TOMBSTONE;
			x.renamed_to = x.dead ? tombstone_to(&r.it, &j->names) :
			    STR_NONE;
			mem_grow(f->list, f->n, f->cap);
			f->list[f->n++] = x;
		}
		json_release(&doc);
	}
	if (rc == OK)
		rc = file_settle(j, side);
	return rc == OK ? file_sort(j, side) : rc;
}

static struct entry *
entry_find(const struct file *f, struct str id)
{
	struct entry key = { .id = id };
	size_t low = 0, high = f->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = str_cmp(f->list[mid].id, key.id);

		if (order == 0)
			return &f->list[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* ---- one id, two items ---------------------------------------------------------- */

static void
note_move(struct join *j, const struct record *r, struct str to)
{
	j->count->moved++;
	buf_add_fmt(j->notes, "%.*s: two items had this id; \"%.*s\", the later, is "
	    "now %.*s\n", FMT(r->it.id), FMT(r->it.title), FMT(to));
}

/* Both made it since the base.  Two items?  Then the later one moves. */
static int
pair_check(struct join *j, const struct entry *x, const struct entry *y)
{
	struct record ours, theirs;
	struct json_doc docs[2] = { 0 };
	int rc = import_entry_open(j, OURS, x, &ours, &docs[0]);

	if (rc == OK)
		rc = import_entry_open(j, THEIRS, y, &theirs, &docs[1]);
	if (rc == OK && record_is_other(&ours, &theirs)) {
		bool mine = record_is_later(&ours, &theirs);
		struct record *later = mine ? &ours : &theirs;
		struct file *f = &j->side[mine ? OURS : THEIRS];

		renames_add(&f->moves, x->id, record_other_id(later, &j->names));
		note_move(j, later, f->moves.list[f->moves.n - 1].to);
	}
	json_release(&docs[0]);
	json_release(&docs[1]);
	return rc;
}

static int
pairs_check(struct join *j)
{
	struct file *ours = &j->side[OURS];
	int rc = OK;

	for (size_t i = 0; rc == OK && i < ours->n; i++) {
		struct entry *x = &ours->list[i];
		struct entry *y = entry_find(&j->side[THEIRS], x->id);

		if (y == NULL || str_eq(x->text, y->text) ||
		    entry_find(&j->side[BASE], x->id) != NULL)
			continue;
		arena_clear(&j->a);
		rc = pair_check(j, x, y);
	}
	return rc;
}

/* ---- one item, two ids ------------------------------------------------------------ */

#define CHAIN 100                            /* renames of one item that are followed */

/* What became of the id on a side: its last name there. */
static struct str
name_end(const struct file *f, struct str id)
{
	for (int i = 0; i < CHAIN; i++) {
		const struct entry *x = entry_find(f, id);

		if (x == NULL || x->renamed_to.p == NULL)
			break;
		id = x->renamed_to;
	}
	return id;
}

/* The side (or the base) has the item under its old id, or under another one
 * that it gave it: it gets the one that stays. */
static void
rename_on(struct join *j, int side, struct str id, struct str to)
{
	struct file *f = &j->side[side];
	struct str now = name_end(f, id);
	const struct entry *x = entry_find(f, now), *there = entry_find(f, to);

	if (x == NULL || x->dead || str_eq(now, to) ||
	    (there != NULL && there->renamed_to.p == NULL))
		return;
	renames_add(&f->moves, x->id, to);
}

/* Both gave it another: the tombstone that stays says which holds. */
static const struct entry *
rename_holds(struct join *j, const struct entry *x, const struct entry *y)
{
	struct merge m = { .a = &j->a };
	struct record ours, theirs, out;
	struct json_doc docs[2] = { 0 };
	const struct entry *kept = x;

	if (import_entry_open(j, OURS, x, &ours, &docs[0]) == OK &&
	    import_entry_open(j, THEIRS, y, &theirs, &docs[1]) == OK) {
		record_merge(&out, NULL, &ours, &theirs, &m);
		kept = str_eq(out.it.extra, ours.it.extra) ? x : y;
	}
	json_release(&docs[0]);
	json_release(&docs[1]);
	return kept;
}

static void
renames_find(struct join *j)
{
	for (int s = OURS; s <= THEIRS; s++) {
		const struct file *f = &j->side[s];
		int other = s == OURS ? THEIRS : OURS;

		for (size_t i = 0; i < f->n; i++) {
			const struct entry *x = &f->list[i];
			const struct entry *y = entry_find(&j->side[other], x->id);

			if (x->renamed_to.p == NULL)
				continue;
			arena_clear(&j->a);
			if (y != NULL && y->renamed_to.p != NULL && rename_holds(j,
			    s == OURS ? x : y, s == OURS ? y : x) != x)
				continue;
			rename_on(j, other, x->id, name_end(f, x->id));
			rename_on(j, BASE, x->id, name_end(f, x->id));
		}
	}
}

/* Each once, by its old id. */
static void
renames_unique(struct renames *r)
{
	size_t n = 0;

	renames_sort(r);
	for (size_t i = 0; i < r->n; i++) {
		if (i == 0 || !str_eq(r->list[i].from, r->list[n - 1].from))
			r->list[n++] = r->list[i];
	}
	r->n = n;
}

/* Under their new ids; what stood there was left by an earlier renaming. */
static int
ids_apply(struct join *j, int side)
{
	struct file *f = &j->side[side];
	struct renames back = { 0 };
	size_t n = 0;

	renames_unique(&f->moves);
	if (f->moves.n == 0)
		return OK;
	for (size_t i = 0; i < f->moves.n; i++)
		renames_add(&back, f->moves.list[i].to, f->moves.list[i].from);
	renames_sort(&back);
	for (size_t i = 0; i < f->n; i++) {
		struct entry *x = &f->list[i];
		struct str to = renamed_id(&f->moves, x->id);

		if (x->renamed_to.p != NULL && renamed_id(&back, x->id).p != NULL)
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

	if (rc == OK)
		renames_find(j);
	for (int s = BASE; rc == OK && s < SIDES; s++)
		rc = ids_apply(j, s);
	return rc;
}

/* ---- the walk -------------------------------------------------------------------- */

static int
record_open(struct join *j, int side, const struct entry *x, struct record *r,
    struct json_doc *doc)
{
	const struct file *f = &j->side[side];
	int rc = import_entry_open(j, side, x, r, doc);

	if (rc == OK && !x->dead)
		item_reword(&r->it, &f->moves, &j->a);
	return rc;
}

static void
emit(struct join *j, struct str text)
{
	buf_add(j->out, text);
	buf_add_char(j->out, '\n');
	j->count->items++;
}

/* A line as it is, unless its side gave ids anew. */
static int
emit_entry(struct join *j, int side, const struct entry *x)
{
	struct record r;
	struct json_doc doc;
	int rc;

	if (j->side[side].moves.n == 0) {
		emit(j, x->text);
		return OK;
	}
	rc = record_open(j, side, x, &r, &doc);
	if (rc == OK) {
		record_encode(j->out, &r);
		emit(j, STR_NONE);
	}
	json_release(&doc);
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
emit_merged(struct join *j, const struct entry *const x[SIDES])
{
	struct merge m = { &j->a, note_clash, j };
	struct json_doc docs[SIDES] = { 0 };
	struct record r[SIDES], out;
	int rc = OK;

	for (int s = 0; rc == OK && s < SIDES; s++) {
		if (x[s] != NULL)
			rc = record_open(j, s, x[s], &r[s], &docs[s]);
	}
	if (rc == OK) {
		record_merge(&out, x[BASE] == NULL ? NULL : &r[BASE], &r[OURS],
		    &r[THEIRS], &m);
		record_encode(j->out, &out);
		emit(j, STR_NONE);
	}
	for (int s = 0; s < SIDES; s++)
		json_release(&docs[s]);
	if (rc == OK && j->a.failed)
		rc = err_set(j->e, ERR_TOOBIG, "ours: line %zu: the item is too large",
		    x[OURS]->line);
	return rc;
}

static bool
same_text(const struct entry *x, const struct entry *y)
{
	return x != NULL && y != NULL && str_eq(x->text, y->text);
}

static int
join_one(struct join *j, const struct entry *const x[SIDES])
{
	const struct entry *base = x[BASE], *ours = x[OURS], *theirs = x[THEIRS];

	if (ours != NULL && theirs != NULL) {
		if (same_text(ours, theirs) || same_text(base, theirs))
			return emit_entry(j, OURS, ours);
		if (same_text(base, ours))
			return emit_entry(j, THEIRS, theirs);
		return emit_merged(j, x);
	}
	/* A line that one side took out and the other did not touch is gone. */
	if (ours == NULL && theirs == NULL)
		return OK;
	if (same_text(base, ours) || same_text(base, theirs))
		return OK;
	if (base != NULL) {
		j->count->clashes++;
		buf_add_fmt(j->notes, "%.*s: its line was removed on one side and "
		    "changed on the other; kept\n", FMT(base->id));
	}
	return ours != NULL ? emit_entry(j, OURS, ours) :
	    emit_entry(j, THEIRS, theirs);
}

static int
join_walk(struct join *j)
{
	size_t at[SIDES] = { 0 };
	int rc = OK;

	while (rc == OK) {
		const struct entry *x[SIDES], *least = NULL;

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
	}
	arena_release(&j.names);
	arena_release(&j.a);
	return rc;
}
