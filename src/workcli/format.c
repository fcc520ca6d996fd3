/*
 * format.c - `list --format`: graphs for graphviz and others, templates.
 *
 * A template is a text with fields such as {{.Title}}, named as in bd's Go
 * templates.  If it has fields of a dependency (.IssueID, .DependsOnID, .Type,
 * .Issue.X, .Dependency.X), it is applied to each dependency, as in bd; else to
 * each item.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/limits.h"
#include "workcli/cmd.h"

static const struct field { const char *name, *key; } fields[] = {
	{ "ID", "id" }, { "Title", "title" }, { "Description", "description" },
	{ "Design", "design" }, { "AcceptanceCriteria", "acceptance_criteria" },
	{ "Notes", "notes" }, { "Status", "status" }, { "Priority", "priority" },
	{ "IssueType", "issue_type" }, { "Assignee", "assignee" },
	{ "EstimatedMinutes", "estimated_minutes" }, { "CreatedAt", "created_at" },
	{ "UpdatedAt", "updated_at" }, { "ClosedAt", "closed_at" },
	{ "ExternalRef", "external_ref" }, { "Labels", "labels" },
};
static const struct field edge_fields[] = {
	{ "IssueID", "issue_id" }, { "DependsOnID", "depends_on_id" },
	{ "Type", "type" }, { "CreatedBy", "created_by" },
};

static const char *
key_of(const struct field *table, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(name, str_of(table[i].name)))
			return table[i].key;
	}
	return NULL;
}

/* The JSON key of a field, and whether it is one of the edge or of the item.
 * inside: the text between {{ and }}.  NULL: no such field. */
static const char *
field_key(struct str inside, bool *of_edge)
{
	struct str name = str_trim(inside);
	bool whole = str_starts(name, S(".Issue."));
	const char *key;

	*of_edge = true;
	if (whole)
		return key_of(fields, COUNT(fields), str_sub(name, 7, name.n));
	if (str_starts(name, S(".Dependency.")))
		name = str_sub(name, 11, name.n);
	if (!str_starts(name, S(".")))
		return NULL;
	name = str_sub(name, 1, name.n);
	key = key_of(edge_fields, COUNT(edge_fields), name);
	if (key != NULL)
		return key;
	*of_edge = false;
	return key_of(fields, COUNT(fields), name);
}

/* Cuts the text before the next field, and the field, off *rest.  field.p NULL:
 * there is no field.  False: {{ without }}. */
static bool
template_next(struct str *rest, struct str *text, struct str *field)
{
	const char *open = rest->n == 0 ? NULL : memmem(rest->p, rest->n, "{{", 2);
	const char *close;

	*field = STR_NONE;
	*text = *rest;
	if (open == NULL) {
		rest->n = 0;
		return true;
	}
	close = memmem(open, (size_t)(rest->p + rest->n - open), "}}", 2);
	if (close == NULL)
		return false;
	text->n = (size_t)(open - rest->p);
	*field = (struct str){ open + 2, (size_t)(close - open) - 2 };
	*rest = str_sub(*rest, (size_t)(close - rest->p) + 2, rest->n);
	return true;
}

static bool
is_preset(struct str format)
{
	return str_eq(format, S("dot")) || str_eq(format, S("digraph"));
}

int
cli_format_check(struct str format, struct err *e)
{
	struct str rest = format, text, field;
	bool any = false, of_edge;

	if (is_preset(format))
		return OK;
	while (rest.n > 0) {
		if (!template_next(&rest, &text, &field))
			return err_set(e, ERR_INVALID, "--format: {{ without }}");
		if (field.p == NULL)
			break;
		any = true;
		if (field_key(field, &of_edge) == NULL)
			return err_set(e, ERR_INVALID, "--format: no field {{%.*s}}; the "
			    "fields are .ID, .Title, .Status, .Priority, .IssueType, "
			    ".Assignee, .Labels, ..., and of a dependency .IssueID, "
			    ".DependsOnID, .Type", FMT(field));
	}
	if (!any)
		return err_set(e, ERR_INVALID, "--format takes json, dot, digraph or a "
		    "template such as '{{.ID}} {{.Title}}', not \"%.*s\"", FMT(format));
	return OK;
}

/* ---- templates -------------------------------------------------------------------- */

static void
add_value(struct buf *b, jnode v)
{
	struct json_iter it = json_each(v);
	bool first = true;

	if (json_is_string(v)) {
		cli_add_line(b, json_str(v));
	} else if (json_is_array(v)) {
		while (json_next(&it)) {
			if (!first)
				buf_add_char(b, ',');
			first = false;
			cli_add_line(b, json_str(it.value));
		}
	} else if (!json_is_null(v)) {
		json_add_node(b, v);
	}
}

static void
template_add(struct buf *b, struct str rest, jnode item, jnode edge)
{
	struct str text, field;

	while (rest.n > 0 && template_next(&rest, &text, &field)) {
		bool of_edge = false;
		const char *key = NULL;

		buf_add(b, text);
		if (field.p == NULL)
			break;
		key = field_key(field, &of_edge);
		if (of_edge && str_starts(str_trim(field), S(".Issue.")))
			of_edge = false;
		add_value(b, json_get(of_edge ? edge : item, str_of(key)));
	}
	buf_add_char(b, '\n');
}

static bool
is_of_edges(struct str format)
{
	struct str text, field;
	bool of_edge = false;

	while (!of_edge && format.n > 0 && template_next(&format, &text, &field) &&
	    field.p != NULL)
		field_key(field, &of_edge);
	return of_edge;
}

/* ---- graphs -------------------------------------------------------------------------- */

static const struct look { const char *type, *colour, *style; } looks[] = {
	{ "blocks", "red", "bold" }, { "parent-child", "blue", "solid" },
	{ "discovered-from", "green", "dashed" }, { "related", "gray", "dashed" },
	{ "relates-to", "gray", "dashed" },
};

static void
dot_add_edge(struct buf *b, jnode edge)
{
	struct str type = cli_get_str(edge, "type");
	const char *colour = "black", *style = "solid";

	for (size_t i = 0; i < COUNT(looks); i++) {
		if (!str_eq(type, str_of(looks[i].type)))
			continue;
		colour = looks[i].colour;
		style = looks[i].style;
	}
	json_add_fmt(b, "  %.*s -> %.*s [label=%.*s, color=%-s, style=%-s];\n",
	    FMT(cli_get_str(edge, "issue_id")), FMT(cli_get_str(edge, "depends_on_id")),
	    FMT(type), colour, style);
}

static void
dot_add_nodes(struct buf *b, jnode items, bool first)
{
	struct json_iter it = json_each(items);

	if (first)
		buf_lit(b, "digraph dependencies {\n  rankdir=TB;\n"
		    "  node [shape=box, style=rounded];\n\n");
	while (json_next(&it))
		json_add_fmt(b, "  %.*s [label=%.*s];\n", FMT(cli_get_str(it.value, "id")),
		    FMT(cli_get_str(it.value, "title")));
}

/* The ids of the listed items: only edges between them are drawn. */
static uint64_t
id_hash(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static bool
id_eq(const void *value, const void *key)
{
	return str_eq(*(const struct str *)value, *(const struct str *)key);
}

static const void *
id_of(const void *value)
{
	return value;
}

void
cli_format_init(struct cli_format *f, struct str format)
{
	*f = (struct cli_format){ .format = format, .graph = is_preset(format),
		.ids = ARENA(LIMIT_WORK_MEMORY_BYTES) };
	map_init(&f->listed, id_hash, id_eq, id_of);
}

void
cli_format_release(struct cli_format *f)
{
	map_release(&f->listed);
	arena_release(&f->ids);
}

void
cli_format_know(struct cli_format *f, struct buf *b, jnode items)
{
	struct json_iter it = json_each(items);

	if (str_eq(f->format, S("dot")))
		dot_add_nodes(b, items, !f->begun);
	f->begun = true;
	while (json_next(&it)) {
		struct str *id = arena_alloc(&f->ids, sizeof *id);

		if (id == NULL)
			return;
		*id = arena_str(&f->ids, cli_get_str(it.value, "id"));
		map_put(&f->listed, id);
	}
}

static void
edge_add(const struct cli_format *f, struct buf *b, jnode item, jnode edge)
{
	struct str target = cli_get_str(edge, "depends_on_id");

	if (!f->graph) {
		template_add(b, f->format, item, edge);
		return;
	}
	if (map_get(&f->listed, &target) == NULL)
		return;
	if (str_eq(f->format, S("dot"))) {
		dot_add_edge(b, edge);
		return;
	}
	buf_add(b, cli_get_str(edge, "issue_id"));
	buf_add_char(b, ' ');
	buf_add(b, cli_get_str(edge, "depends_on_id"));
	buf_add_char(b, '\n');
}

void
cli_format_add(struct cli_format *f, struct buf *b, jnode items)
{
	bool edges = f->graph || is_of_edges(f->format);
	struct json_iter it = json_each(items);

	if (f->begun && str_eq(f->format, S("dot")))
		buf_add_char(b, '\n');
	f->begun = false;
	while (json_next(&it)) {
		struct json_iter deps = json_each(json_get(it.value,
		    S("dependency_records")));

		if (!edges)
			template_add(b, f->format, it.value, NULL);
		while (edges && json_next(&deps))
			edge_add(f, b, it.value, deps.value);
	}
}

void
cli_format_end(struct cli_format *f, struct buf *b)
{
	if (str_eq(f->format, S("dot")))
		buf_lit(b, "}\n");
}
