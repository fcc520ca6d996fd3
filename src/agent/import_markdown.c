/*
 * import_markdown.c - an agent as front matter and a system prompt below it; with
 * skills, each a SKILL.md of its own.
 *
 * Front matter is YAML, but many files have lines in it that no reader of YAML
 * takes ("description: Use this when: ..."); then it is read line by line.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "agent/import_priv.h"
#include "base/json.h"
#include "base/limits.h"

#define MAX_TURNS 25             /* of an agent with tools that names no number */

static const char screen[] = "it is for the screen of another program";
static const char process[] = "it is about how another program runs the agent";
static const char approval[] = "say `approval: true` of a tool under `tools`";

static const struct import_key keys[] = {
	{ "name", NULL }, { "description", NULL }, { "tools", NULL }, { "allowed-tools", NULL },
	{ "model", NULL }, { "skills", NULL }, { "temperature", NULL }, { "maxTurns", NULL },
	{ "max_turns", NULL }, { "steps", NULL }, { "mcpServers", NULL }, { "mcp-servers", NULL },
	{ "disallowedTools", "a model gets the tools that are named, and no others" },
	{ "permissionMode", approval }, { "permission", approval }, { "permissions", approval },
	{ "color", screen }, { "icon", screen }, { "argument-hint", screen },
	{ "handoffs", screen }, { "tags", screen }, { "category", screen },
	{ "user-invocable", process }, { "disable-model-invocation", process },
	{ "hooks", "nothing runs commands around tools here" },
	{ "memory", "say `store` in the agent" }, { "background", process },
	{ "isolation", process }, { "effort", process }, { "mode", process },
	{ "target", process }, { "infer", process }, { "initialPrompt", process },
	{ "hidden", process }, { "disable", process }, { "disabled", process },
	{ "context", process }, { "agent", process }, { "agents", process },
	{ "applyTo", process }, { "globs", process }, { "alwaysApply", process },
	{ "top_p", "models are asked without it" }, { "license", "it is no part of an agent" },
	{ "author", "it is no part of an agent" }, { "version", "it is no part of an agent" },
	{ "compatibility", process }, { "metadata", "it is no part of an agent" },
	{ NULL, NULL }
};

/* ---- front matter --------------------------------------------------------------- */

/* The head with its first `---` (which begins a document of YAML, too), so that
 * lines keep their numbers; the body after the second. */
static bool
split(struct str text, struct str *head, struct str *body)
{
	struct str rest, line;

	if (str_starts(text, S("\xef\xbb\xbf")))
		text = str_sub(text, 3, SIZE_MAX);
	rest = text;
	if (!str_next(&rest, '\n', &line) || !str_eq(str_trim(line), S("---")))
		return false;
	while (str_next(&rest, '\n', &line))
		if (str_eq(str_trim(line), S("---"))) {
			*head = (struct str){ text.p, (size_t)(line.p - text.p) };
			*body = rest.p != NULL ? str_trim(rest) : STR_NONE;
			return true;
		}
	return false;
}

/* Length of the key at the beginning of a line; 0: there is none. */
static size_t
key_length(struct str line)
{
	size_t n = 0;

	while (n < line.n && ((line.p[n] | 0x20) >= 'a' || line.p[n] == '-' || line.p[n] == '_'))
		n++;
	return n > 0 && n < line.n && line.p[n] == ':' ? n : 0;
}

static struct str
unquoted(struct str s)
{
	s = str_trim(s);
	return s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0] ?
	    str_sub(s, 1, s.n - 2) : s;
}

/* `key: the rest of the line`, with the lines below that have no key. */
static int
read_lines(struct tree *t, struct str head, struct str file, struct err *e)
{
	struct tree_builder b = { .t = t, .e = e };
	struct str rest = head, line;
	unsigned number = 0;

	tree_begin(t, file);
	b.rc = tree_check_text(t, head, e);
	tree_add(&b, TREE_MAP, (struct tree_place){ 1, 1 });
	while (b.rc == OK && str_next(&rest, '\n', &line)) {
		size_t key = key_length(line);
		struct str value = line;
		struct tree_node *n;

		number++;
		if (key == 0)
			continue;
		for (struct str at = rest, next; str_next(&at, '\n', &next) &&
		    key_length(next) == 0 && !str_eq(str_trim(next), S("---"));)
			value.n = (size_t)(next.p + next.n - value.p);
		tree_key(&b, str_sub(line, 0, key), (struct tree_place){ number, 1 });
		n = tree_add(&b, TREE_STRING, (struct tree_place){ number, (unsigned)key + 3 });
		if (n != NULL)
			tree_set_text(&b, n, unquoted(str_sub(value, key + 1, SIZE_MAX)));
	}
	tree_close(&b);
	return b.rc;
}

static int
read_head(struct tree *t, struct str head, struct str file, struct err *e)
{
	int rc = tree_read_loose(t, head, file, e);

	if (rc == OK && t->root->kind == TREE_MAP)
		return OK;
	tree_release(t);
	return read_lines(t, head, file, e);
}

/* ---- tools and skills -------------------------------------------------------------- */

/* "Bash(git *)" is the tool Bash. */
static void
add_tool(struct importer *im, struct import_names *names, const struct tree_node *n,
    struct str name)
{
	ptrdiff_t paren = str_index(name, '(');

	name = unquoted(paren < 0 ? name : str_sub(name, 0, (size_t)paren));
	if (name.n > 0)
		import_tool(im, names, n, name);
}

/* "a, b", [a, b] or {a: true}. */
static void
add_tools(struct importer *im, struct import_names *names, const struct tree_node *n)
{
	struct str rest, part;

	if (n == NULL)
		return;
	if (n->kind == TREE_STRING) {
		rest = unquoted(n->text);
		if (str_starts(rest, S("[")) && str_ends(rest, S("]")))
			rest = str_sub(rest, 1, rest.n - 2);
		while (str_next(&rest, str_index(rest, '\n') >= 0 &&
		    str_index(rest, ',') < 0 ? '\n' : ',', &part))
			add_tool(im, names, n, str_starts(str_trim(part), S("- ")) ?
			    str_sub(str_trim(part), 2, SIZE_MAX) : str_trim(part));
		return;
	}
	for (const struct tree_node *c = n->first; c != NULL; c = c->next)
		if (n->kind == TREE_MAP && (c->kind != TREE_BOOL || c->truth))
			add_tool(im, names, c, c->key);
		else if (n->kind == TREE_LIST && c->kind == TREE_STRING)
			add_tool(im, names, c, c->text);
}

struct skills { struct buf *list, *bodies; size_t n; };

/* One line for the system prompt, and the text for who asks for it. */
static void
add_skill(struct importer *im, struct skills *s, const struct tree_node *n, struct str name)
{
	const struct import_around *a = im->around;
	struct str path = arena_fmt(&im->out->arena, "skills/%.*s/SKILL.md", FMT(name));
	struct buf text = BUF(LIMIT_AGENT_BYTES);
	struct tree t = { 0 };
	struct str head, body;
	struct err e;

	if (name.n == 0)
		return;
	if (str_index(name, '/') >= 0 || str_contains(name, S("..")) || a->read == NULL ||
	    a->read(a->ctx, path, &text) != OK || !split(buf_str(&text), &head, &body)) {
		import_note(im, n, "left out: there is no skill in %.*s", FMT(path));
	} else if (read_head(&t, head, path, &e) == OK) {
		const struct tree_node *about = tree_get(&t, t.root, S("description"));

		buf_add_fmt(s->list, "- %.*s: %.*s\n", FMT(name), about != NULL &&
		    about->kind == TREE_STRING ? (int)about->text.n : 0,
		    about != NULL ? about->text.p : "");
		buf_add(s->bodies, s->n++ > 0 ? S(", ") : STR_NONE);
		write_literal(s->bodies, name);
		buf_lit(s->bodies, ": ");
		write_literal(s->bodies, body);
	} else {
		import_note(im, n, "left out: %s", e.text);
	}
	tree_release(&t);
	buf_release(&text);
}

static void
add_skills(struct importer *im, struct skills *s, const struct tree_node *n)
{
	struct str rest, part;

	if (n == NULL)
		return;
	rest = n->kind == TREE_STRING ? n->text : STR_NONE;
	while (str_next(&rest, ',', &part))
		add_skill(im, s, n, str_trim(part));
	for (const struct tree_node *c = n->first; c != NULL; c = c->next)
		if (c->kind == TREE_STRING)
			add_skill(im, s, c, c->text);
}

/* ---- the agent --------------------------------------------------------------------- */

/* {command, args, env} or {url, headers}, as our own `mcp` has it. */
static void
write_server(struct importer *im, struct writer *w, const struct tree_node *n,
    struct import_names *names)
{
	static const struct import_key known[] = { { "command", NULL }, { "args", NULL },
		{ "env", NULL }, { "url", NULL }, { "headers", NULL },
		{ "type", "it follows from the other keys" }, { "tools", NULL }, { NULL, NULL } };
	const struct tree_node *args = tree_get(im->t, n, S("args"));
	struct str command = import_text(im, n, "command"), url = import_text(im, n, "url");

	import_check_keys(im, n, known);
	if (command.n == 0 && url.n == 0) {
		import_note(im, n, "left out: a server needs 'command' or 'url'");
		return;
	}
	import_names_add(im, names, import_id(im, n->key));
	write_open(w, import_id(im, n->key));
	if (command.n > 0) {
		struct buf b = BUF(MB);

		json_add_str(&b, command);
		for (const struct tree_node *c = args != NULL ? args->first : NULL; c != NULL;
		    c = c->next) {
			buf_lit(&b, ", ");
			json_add_str(&b, c->text);
		}
		write_raw(w, S("command"), "[%s]", b.n > 0 ? b.p : "");
		buf_release(&b);
	} else {
		write_text(w, S("url"), url);
	}
	for (const char *const *k = (const char *const []){ "env", "headers", "tools", NULL };
	    *k != NULL; k++)
		if (tree_get(im->t, n, str_of(*k)) != NULL)
			write_node(w, str_of(*k), tree_get(im->t, n, str_of(*k)));
	write_close(w);
}

static void
write_servers(struct importer *im, struct writer *w, const struct tree_node *n,
    struct import_names *names)
{
	if (n == NULL)
		return;
	if (n->kind != TREE_MAP) {
		import_note(im, n, "left out: servers by name alone; write them under `mcp`");
		return;
	}
	write_open(w, S("mcp"));
	for (const struct tree_node *c = n->first; c != NULL; c = c->next)
		write_server(im, w, c, names);
	write_close(w);
}

static const struct tree_node *
either(const struct importer *im, const char *a, const char *b)
{
	const struct tree_node *n = tree_get(im->t, im->t->root, str_of(a));

	return n != NULL ? n : tree_get(im->t, im->t->root, str_of(b));
}

static void
write_llm(struct importer *im, struct writer *w, struct str system,
    const struct import_names *names)
{
	const struct tree_node *root = im->t->root;
	const struct tree_node *model = tree_get(im->t, root, S("model"));
	const struct tree_node *heat = tree_get(im->t, root, S("temperature"));
	int64_t turns = import_int(im, root, "maxTurns");

	if (turns == 0)
		turns = import_int(im, root, "max_turns");
	if (turns == 0)
		turns = import_int(im, root, "steps");
	write_open(w, S("llm"));
	if (model != NULL && model->kind == TREE_STRING && model->text.n > 0 &&
	    !str_eq(model->text, S("inherit")))
		write_text(w, S("model"), import_model(im, model, unquoted(model->text)));
	if (heat != NULL && heat->kind == TREE_NUMBER)
		write_raw(w, S("temperature"), "%.*s", FMT(heat->text));
	write_prompt(w, S("system"), system);
	if (names->n > 0) {
		write_names(w, S("tools"), names);
		write_raw(w, S("max_turns"), "%lld", (long long)(turns > 0 ? turns : MAX_TURNS));
	}
	write_close(w);
}

static void
write_skills(struct writer *w, const struct skills *s)
{
	struct buf b = BUF(16 * MB);

	buf_add_fmt(&b, "{%.*s}[input.name] ?? 'There is no skill by that name.'",
	    FMT(buf_str(s->bodies)));
	write_open(w, S("tools"));
	write_open(w, S("skill"));
	write_text(w, S("description"), S("Returns the instructions of a skill by its name."));
	write_raw(w, S("schema"), "{type: object, properties: {name: {type: string}}, "
	    "required: [name]}");
	write_text(w, S("reply"), buf_str(&b));
	write_close(w);
	write_close(w);
	w->b->failed = w->b->failed || b.failed;
	buf_release(&b);
}

static void
write_agent(struct importer *im, struct str file, struct str body)
{
	const struct tree_node *root = im->t->root;
	struct buf out = BUF(16 * MB), list = BUF(MB), bodies = BUF(16 * MB);
	struct buf system = BUF(16 * MB);
	struct skills skills = { &list, &bodies, 0 };
	struct writer w = { .b = &out };
	struct import_names names = { 0 };
	struct str name = import_text(im, root, "name"), id;
	const char *slash = memrchr(file.p, '/', file.n);
	struct str base = slash == NULL ? file :
	    str_sub(file, (size_t)(slash + 1 - file.p), SIZE_MAX);
	ptrdiff_t dot = str_index(base, '.');

	id = import_id(im, name.n > 0 ? name : dot > 0 ? str_sub(base, 0, (size_t)dot) : base);
	import_check_keys(im, root, keys);
	write_text(&w, S("id"), id);
	if (name.n > 0 && !str_eq(name, id))
		write_text(&w, S("name"), name);
	if (import_text(im, root, "description").n > 0)
		write_text(&w, S("description"), import_text(im, root, "description"));
	write_open(&w, S("state"));
	write_raw(&w, S("messages"), "{reducer: messages}");
	write_close(&w);
	write_servers(im, &w, either(im, "mcpServers", "mcp-servers"), &names);
	add_tools(im, &names, either(im, "tools", "allowed-tools"));
	add_skills(im, &skills, tree_get(im->t, root, S("skills")));
	buf_add(&system, body);
	if (skills.n > 0) {
		import_names_add(im, &names, S("skill"));
		buf_add_fmt(&system, "\n\nSkills; ask for one with the tool `skill` before you "
		    "need it:\n%.*s", FMT(buf_str(&list)));
		write_skills(&w, &skills);
	}
	write_open(&w, S("nodes"));
	write_open(&w, S("agent"));
	write_llm(im, &w, str_trim(buf_str(&system)), &names);
	write_close(&w);
	write_close(&w);
	buf_lit(&out, "edges:\n  - [START, agent]\n");
	import_add(im, id, &out);
	buf_release(&out);
	buf_release(&list);
	buf_release(&bodies);
	buf_release(&system);
}

int
import_markdown(struct importer *im, struct str text, struct str file, struct err *e)
{
	struct tree t = { 0 };
	struct str head, body;
	int rc;

	if (!split(text, &head, &body))
		return err_set(e, ERR_INVALID, "%.*s:1:1: no front matter: expected a line "
		    "`---`, keys, and a line `---`", FMT(file));
	if (body.n == 0)
		return err_set(e, ERR_INVALID, "%.*s: nothing below the front matter: expected "
		    "the system prompt", FMT(file));
	rc = read_head(&t, head, file, e);
	im->t = &t;
	if (rc == OK)
		write_agent(im, file, body);
	tree_release(&t);
	return rc;
}
