/*
 * tree_yaml.c - YAML to a tree, by libyaml's events; see tree.h for what is
 * refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/tree.h"

#include <yaml.h>

struct reader {
	struct tree_builder b;
	yaml_parser_t yaml;
	yaml_event_t event;
	bool begun, ended;                   /* a document */
	bool loose;
};

static struct tree_place
place_of(yaml_mark_t m)
{
	return (struct tree_place){ (unsigned)m.line + 1, (unsigned)m.column + 1 };
}

static struct tree_place
here(const struct reader *r)
{
	return place_of(r->event.start_mark);
}

static void
refuse(struct reader *r, const char *words)
{
	tree_stop(&r->b, ERR_SYNTAX, here(r), "%s", words);
}

/* Its words, or the problem of the scanner; libyaml gives two places. */
static void
syntax_error(struct reader *r)
{
	const yaml_parser_t *y = &r->yaml;
	struct tree_place at = place_of(y->problem_mark);

	if (y->error == YAML_READER_ERROR)
		at = place_of(y->mark);
	tree_stop(&r->b, ERR_SYNTAX, at, "not YAML: %s%s%s",
	    y->problem != NULL ? y->problem : "it cannot be read",
	    y->context != NULL ? ", " : "", y->context != NULL ? y->context : "");
}

/* ---- plain words ---------------------------------------------------------------- */

static bool
is_one_of(struct str s, const char *const *words)
{
	for (; *words != NULL; words++)
		if (str_eq(s, str_of(*words)))
			return true;
	return false;
}

static bool
all_of(struct str s, const char *set)
{
	for (size_t i = 0; i < s.n; i++)
		if (memchr(set, s.p[i], strlen(set)) == NULL)
			return false;
	return s.n > 0;
}

/* Numbers that YAML has and JSON has not: +1, 012, 0x1f, .5, 1., .inf */
static bool
is_foreign_number(struct str s)
{
	struct str t = s.n > 0 && (s.p[0] == '+' || s.p[0] == '-') ? str_sub(s, 1, SIZE_MAX) : s;
	static const char *const named[] = { ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN",
		NULL };
	double d;

	if (is_one_of(t, named))
		return true;
	if (str_starts(t, S("0x")))
		return all_of(str_sub(t, 2, SIZE_MAX), "0123456789abcdefABCDEF");
	if (str_starts(t, S("0o")))
		return all_of(str_sub(t, 2, SIZE_MAX), "01234567");
	return all_of(t, "0123456789.eE+-") && t.p[0] != '-' && t.p[0] != '+' &&
	    str_to_double(t, &d);
}

static const char *const nulls[] = { "~", "Null", "NULL", NULL };
static const char *const bools[] = { "True", "TRUE", "False", "FALSE", NULL };

/* What to write instead of a word that other readers of YAML take for something
 * else than a string; NULL: it is no such word. */
static const char *
instead_of(struct str s)
{
	return is_one_of(s, nulls) ? "null" : is_one_of(s, bools) ? "true or false" :
	    is_foreign_number(s) ? "a number as in JSON" : NULL;
}

/* ---- events ---------------------------------------------------------------------- */

static bool
is_plain(const struct reader *r)
{
	return r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static void
take_key(struct reader *r, struct str text)
{
	if (is_plain(r) && str_eq(text, S("<<")))
		refuse(r, "merge keys are not supported");
	else if (is_plain(r) && text.n == 0)
		refuse(r, "a key is missing");
	tree_key(&r->b, text, here(r));
}

static void
take_value(struct reader *r, struct str text)
{
	enum tree_kind kind = TREE_STRING;
	const char *instead = NULL;
	struct tree_node *n;

	if (is_plain(r)) {
		if (str_eq(text, S("null")))
			kind = TREE_NULL;
		else if (str_eq(text, S("true")) || str_eq(text, S("false")))
			kind = TREE_BOOL;
		else if (tree_is_number(text))
			kind = TREE_NUMBER;
		else if (r->loose && (text.n == 0 || is_one_of(text, nulls)))
			kind = TREE_NULL;
		else if (r->loose && is_one_of(text, bools))
			kind = TREE_BOOL;
		else if (!r->loose)
			instead = instead_of(text);
	}
	if (is_plain(r) && text.n == 0 && !r->loose)
		refuse(r, "a value is missing: expected null, \"\", [] or {}");
	if (instead != NULL)
		tree_stop(&r->b, ERR_SYNTAX, here(r), "'%.*s' is not a string to every reader of "
		    "YAML: expected %s, or quotes around it", FMT(str_cut(text, 100)), instead);
	n = tree_add(&r->b, kind, here(r));
	if (n == NULL)
		return;
	n->truth = kind == TREE_BOOL && (text.p[0] | 0x20) == 't';
	if (kind >= TREE_NUMBER)
		tree_set_text(&r->b, n, text);
}

static bool
wants_key(const struct reader *r)
{
	return r->b.open != NULL && r->b.open->kind == TREE_MAP && !r->b.has_key;
}

static void
take_scalar(struct reader *r)
{
	struct str text = { (const char *)r->event.data.scalar.value,
	    r->event.data.scalar.length };

	if (r->event.data.scalar.anchor != NULL)
		refuse(r, "anchors are not supported");
	else if (r->event.data.scalar.tag != NULL)
		refuse(r, "tags are not supported");
	else if (wants_key(r))
		take_key(r, text);
	else
		take_value(r, text);
}

static void
take_open(struct reader *r, enum tree_kind kind, const yaml_char_t *anchor,
    const yaml_char_t *tag)
{
	if (anchor != NULL)
		refuse(r, "anchors are not supported");
	else if (tag != NULL)
		refuse(r, "tags are not supported");
	else if (wants_key(r))
		refuse(r, "a key must be plain text");
	else
		tree_add(&r->b, kind, here(r));
}

static void
take_event(struct reader *r)
{
	const yaml_event_t *ev = &r->event;

	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (r->begun)
			refuse(r, "a second document; a file has one");
		if (ev->data.document_start.version_directive != NULL ||
		    ev->data.document_start.tag_directives.start !=
		    ev->data.document_start.tag_directives.end)
			refuse(r, "directives are not supported");
		r->begun = true;
		break;
	case YAML_ALIAS_EVENT:
		refuse(r, "aliases are not supported");
		break;
	case YAML_SCALAR_EVENT:
		take_scalar(r);
		break;
	case YAML_SEQUENCE_START_EVENT:
		take_open(r, TREE_LIST, ev->data.sequence_start.anchor,
		    ev->data.sequence_start.tag);
		break;
	case YAML_MAPPING_START_EVENT:
		take_open(r, TREE_MAP, ev->data.mapping_start.anchor,
		    ev->data.mapping_start.tag);
		break;
	case YAML_SEQUENCE_END_EVENT: case YAML_MAPPING_END_EVENT:
		tree_close(&r->b);
		break;
	case YAML_STREAM_END_EVENT:
		r->ended = true;
		break;
	default:
		break;
	}
}

static int
read(struct tree *t, struct str text, struct str file, bool loose, struct err *e)
{
	struct reader r = { .b = { .t = t, .e = e }, .loose = loose };

	tree_begin(t, file);
	r.b.rc = tree_check_text(t, text, e);
	if (r.b.rc != OK)
		return r.b.rc;
	if (!yaml_parser_initialize(&r.yaml))
		return err_set(e, ERR_LIMIT, "%.*s: not enough memory", FMT(file));
	yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text.p, text.n);
	while (r.b.rc == OK && !r.ended) {
		if (!yaml_parser_parse(&r.yaml, &r.event)) {
			syntax_error(&r);
			break;
		}
		take_event(&r);
		yaml_event_delete(&r.event);
	}
	yaml_parser_delete(&r.yaml);
	if (r.b.rc == OK && t->root == NULL)
		tree_stop(&r.b, ERR_SYNTAX, (struct tree_place){ 1, 1 },
		    "expected a map, got nothing");
	return r.b.rc;
}

int
tree_read_yaml(struct tree *t, struct str text, struct str file, struct err *e)
{
	return read(t, text, file, false, e);
}

int
tree_read_loose(struct tree *t, struct str text, struct str file, struct err *e)
{
	return read(t, text, file, true, e);
}
