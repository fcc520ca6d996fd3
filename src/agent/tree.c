/*
 * tree.c - see tree.h.
 *
 * Recursion is bounded by LIMIT_AGENT_DEPTH, which the builder checks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/tree.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

#define TREE_MEMORY (64 * (size_t)LIMIT_AGENT_BYTES)
#define PATH_BYTES  160                      /* of a path in an error */

/* ---- building -------------------------------------------------------------- */

/* A node is its own key: the map it is in, and its key there. */
static uint64_t
node_hash(const void *key)
{
	const struct tree_node *n = key;

	return str_hash_keyed(n->key) ^
	    ((uintptr_t)n->up >> 4) * UINT64_C(0x9e3779b97f4a7c15);
}

static bool
node_eq(const void *value, const void *key)
{
	const struct tree_node *a = value, *b = key;

	return a->up == b->up && str_eq(a->key, b->key);
}

static const void *
node_key(const void *value)
{
	return value;
}

void
tree_begin(struct tree *t, struct str file)
{
	*t = (struct tree){ .file = file, .arena = ARENA(TREE_MEMORY) };
	map_init(&t->by_key, node_hash, node_eq, node_key);
}

void
tree_release(struct tree *t)
{
	map_release(&t->by_key);
	arena_release(&t->arena);
}

int
tree_check_text(struct tree *t, struct str text, struct err *e)
{
	struct tree_builder b = { .t = t, .e = e };

	if (text.n > LIMIT_AGENT_BYTES)
		tree_stop(&b, ERR_TOOBIG, (struct tree_place){ 1, 1 }, "the text has %zu bytes; "
		    "expected at most %d", text.n, LIMIT_AGENT_BYTES);
	else if (!str_is_utf8(text))
		tree_stop(&b, ERR_SYNTAX, (struct tree_place){ 1, 1 },
		    "the text is not valid UTF-8");
	else if (str_trim(text).n == 0)
		tree_stop(&b, ERR_SYNTAX, (struct tree_place){ 1, 1 },
		    "expected a map, got nothing");
	return b.rc;
}

void
tree_stop(struct tree_builder *b, int rc, struct tree_place at, const char *format, ...)
{
	struct err words;
	va_list ap;

	if (b->rc != OK)
		return;
	va_start(ap, format);
	err_vset(&words, rc, format, ap);
	va_end(ap);
	b->rc = err_set(b->e, rc, "%.*s:%u:%u: %s", FMT(b->t->file), at.line, at.column,
	    words.text);
}

/* No name in an agent is as long as a text may be. */
static bool
check_key(struct tree_builder *b, struct str key, struct tree_place at)
{
	const struct tree_node *twin = tree_get(b->t, b->open, key);

	if (key.n > LIMIT_NAME_BYTES)
		tree_stop(b, ERR_TOOBIG, at, "a key of %zu bytes; expected at most %d", key.n,
		    LIMIT_NAME_BYTES);
	else if (key.n > 0 && memchr(key.p, '\0', key.n) != NULL)
		tree_stop(b, ERR_SYNTAX, at, "a key holds a NUL character");
	else if (twin != NULL)
		tree_stop(b, ERR_INVALID, at, "the key '%.*s' is given twice; first in line %u",
		    FMT(str_cut(key, 100)), twin->key_at.line);
	return b->rc == OK;
}

void
tree_key(struct tree_builder *b, struct str key, struct tree_place at)
{
	if (b->rc != OK || !check_key(b, key, at))
		return;
	b->key = arena_str(&b->t->arena, key);
	b->key_at = at;
	b->has_key = true;
}

struct tree_node *
tree_add(struct tree_builder *b, enum tree_kind kind, struct tree_place at)
{
	struct tree_node *n = b->rc == OK ? arena_new(&b->t->arena, struct tree_node) : NULL;

	if (b->rc == OK && (n == NULL || ++b->t->nodes > LIMIT_AGENT_VALUES))
		tree_stop(b, ERR_TOOBIG, at, "more than %d values", LIMIT_AGENT_VALUES);
	if (b->rc == OK && kind >= TREE_LIST && ++b->depth > LIMIT_AGENT_DEPTH)
		tree_stop(b, ERR_TOOBIG, at, "nested deeper than %d levels", LIMIT_AGENT_DEPTH);
	if (b->rc != OK)
		return NULL;
	*n = (struct tree_node){ .kind = kind, .at = at, .up = b->open };
	if (b->open == NULL) {
		b->t->root = n;
	} else {
		n->index = b->open->n++;
		if (b->open->last != NULL)
			b->open->last->next = n;
		else
			b->open->first = n;
		b->open->last = n;
	}
	if (b->has_key) {
		n->key = b->key;
		n->key_at = b->key_at;
		b->has_key = false;
		map_put(&b->t->by_key, n);
	}
	if (kind >= TREE_LIST)
		b->open = n;
	return n;
}

void
tree_close(struct tree_builder *b)
{
	if (b->rc != OK)
		return;
	assert(b->open != NULL && b->depth > 0);
	b->depth--;
	b->open = (struct tree_node *)b->open->up;
}

void
tree_set_text(struct tree_builder *b, struct tree_node *n, struct str text)
{
	double d;

	if (b->rc != OK)
		return;
	if (text.n > 0 && memchr(text.p, '\0', text.n) != NULL)
		tree_stop(b, ERR_SYNTAX, n->at, "a text holds a NUL character");
	else if (n->kind == TREE_NUMBER && (!str_to_double(text, &d) || !isfinite(d)))
		tree_stop(b, ERR_INVALID, n->at, "the number %.*s is out of range",
		    FMT(str_cut(text, 100)));
	n->text = arena_str(&b->t->arena, text);
}

static size_t
digits(struct str s, size_t at)
{
	size_t n = 0;

	while (at + n < s.n && s.p[at + n] >= '0' && s.p[at + n] <= '9')
		n++;
	return n;
}

bool
tree_is_number(struct str s)
{
	size_t at = s.n > 0 && s.p[0] == '-', n = digits(s, at);

	if (n == 0 || (n > 1 && s.p[at] == '0'))
		return false;
	at += n;
	if (at < s.n && s.p[at] == '.') {
		n = digits(s, at + 1);
		if (n == 0)
			return false;
		at += 1 + n;
	}
	if (at < s.n && (s.p[at] | 0x20) == 'e') {
		at++;
		at += at < s.n && (s.p[at] == '+' || s.p[at] == '-');
		n = digits(s, at);
		if (n == 0)
			return false;
		at += n;
	}
	return at == s.n;
}

/* ---- reading ----------------------------------------------------------------- */

struct tree_node *
tree_get(const struct tree *t, const struct tree_node *map, struct str key)
{
	const struct tree_node probe = { .up = map, .key = key };

	return map_get(&t->by_key, &probe);
}

const char *
tree_kind_name(const struct tree_node *n)
{
	static const char *const names[] = {
		[TREE_NULL] = "null", [TREE_BOOL] = "a boolean", [TREE_NUMBER] = "a number",
		[TREE_STRING] = "a string", [TREE_LIST] = "a list", [TREE_MAP] = "a map",
	};

	return names[n->kind];
}

void
tree_add_path(struct buf *b, const struct tree_node *n)
{
	const struct tree_node *chain[LIMIT_AGENT_DEPTH + 1];
	size_t count = 0;

	for (; n->up != NULL; n = n->up) {
		assert(count < COUNT(chain));
		chain[count++] = n;
	}
	while (count-- > 0) {
		if (chain[count]->up->kind == TREE_LIST) {
			buf_add_fmt(b, "[%zu]", chain[count]->index);
			continue;
		}
		if (b->n > 0)
			buf_add_char(b, '.');
		buf_add(b, chain[count]->key);
	}
}

int
tree_vfail(const struct tree *t, const struct tree_node *n, bool on_key,
    const char *near, struct err *e, const char *format, va_list ap)
{
	struct tree_place at = on_key ? n->key_at : n->at;
	struct buf path = BUF(LIMIT_AGENT_DEPTH * (LIMIT_NAME_BYTES + 16));
	struct err words;
	int rc;

	err_vset(&words, ERR_INVALID, format, ap);
	tree_add_path(&path, on_key ? n->up : n);
	if (path.n > 0)
		buf_lit(&path, ": ");
	struct str shown = path.n <= PATH_BYTES ? buf_str(&path) :
	    str_sub(buf_str(&path), path.n - PATH_BYTES, SIZE_MAX);
	while (shown.n > 0 && ((unsigned char)shown.p[0] & 0xc0) == 0x80)
		shown = str_sub(shown, 1, SIZE_MAX);
	rc = err_near(e, ERR_INVALID, near, "'", "%.*s:%u:%u: %.*s%s", FMT(t->file), at.line,
	    at.column, FMT(shown), words.text);
	buf_release(&path);
	return rc;
}

int
tree_fail(const struct tree *t, const struct tree_node *n, struct err *e,
    const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	tree_vfail(t, n, false, NULL, e, format, ap);
	va_end(ap);
	return ERR_INVALID;
}

/* ---- as values and as text ------------------------------------------------------ */

static struct val
number_val(struct str text)
{
	int64_t i = 0;
	double d = 0;

	if (str_to_i64(text, &i))
		return val_int(i);
	str_to_double(text, &d);
	return val_double(d);
}

struct val
tree_val(const struct tree_node *n)
{
	struct val out;

	switch (n->kind) {
	case TREE_BOOL:
		return val_bool(n->truth);
	case TREE_NUMBER:
		return number_val(n->text);
	case TREE_STRING:
		return val_string(n->text);
	case TREE_LIST:
		out = val_array_empty();
		for (const struct tree_node *c = n->first; c != NULL; c = c->next)
			out = val_push_take(out, tree_val(c));
		return out;
	case TREE_MAP:
		out = val_object_empty();
		for (const struct tree_node *c = n->first; c != NULL; c = c->next)
			out = val_set_take(out, c->key, tree_val(c));
		return out;
	default:
		return VAL_NIL;
	}
}

static int
by_key(const void *a, const void *b)
{
	const struct tree_node *const *x = a, *const *y = b;

	return str_cmp((*x)->key, (*y)->key);
}

static void add_json(struct buf *b, const struct tree_node *n, bool as_written);

static void
add_map(struct buf *b, const struct tree_node *n, bool as_written)
{
	const struct tree_node **list = mem_alloc((n->n + 1) * sizeof *list);
	size_t count = 0;

	for (const struct tree_node *c = n->first; c != NULL; c = c->next) {
		as_written = as_written || str_eq(c->key, S("states")) ||
		    (n->up == NULL && str_eq(c->key, S("hosted")));
		list[count++] = c;
	}
	if (!as_written)
		qsort(list, count, sizeof *list, by_key);
	buf_add_char(b, '{');
	for (size_t i = 0; i < count; i++) {
		json_add_comma(b);
		json_add_str(b, list[i]->key);
		buf_add_char(b, ':');
		add_json(b, list[i], as_written);
	}
	buf_add_char(b, '}');
	free(list);
}

static void
add_json(struct buf *b, const struct tree_node *n, bool as_written)
{
	struct val v;

	if (n->kind == TREE_MAP) {
		add_map(b, n, as_written);
	} else if (n->kind == TREE_LIST) {
		buf_add_char(b, '[');
		for (const struct tree_node *c = n->first; c != NULL; c = c->next) {
			if (c != n->first)
				buf_add_char(b, ',');
			add_json(b, c, as_written);
		}
		buf_add_char(b, ']');
	} else {
		v = tree_val(n);
		val_add_json(b, v);
		val_drop(v);
	}
}

void
tree_add_json(struct buf *b, const struct tree_node *n)
{
	add_json(b, n, false);
}
