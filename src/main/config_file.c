/*
 * config_file.c - cohort.yaml: mappings and plain values, and two trees.
 *
 * Nested keys join with dots, so `jwt: {secret: x}` and `jwt.secret: x` are
 * the same.  What is below `providers` and `models` is kept as a tree
 * (config_tree.h) for main/models.c.  Elsewhere sequences, and anchors, aliases, tags and several documents are
 * refused, as are unknown and repeated keys; every error names the line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "base/file.h"
#include "base/mem.h"

#define FILE_MAX  (256 * KB)
#define DEPTH_MAX 4

struct reader {
	struct config *c;
	const char *name;                    /* of the file */
	yaml_parser_t yaml;
	yaml_event_t event;
	bool seen[SETTINGS];
	struct buf key;                      /* joined by dots */
	size_t parent[DEPTH_MAX];            /* length of key before each level */
	size_t depth;
	bool wants_value;                    /* key holds a whole key */
	struct ctree *tree;                  /* the one at hand; NULL: none */
	struct err *e;
};

static int
fail(struct reader *r, const char *text)
{
	return err_set(r->e, ERR_INVALID, "%s:%zu: %s", r->name,
	    r->event.start_mark.line + 1, text);
}

static int
unknown_key(struct reader *r)
{
	struct str key = buf_str(&r->key);
	struct str_near near = { .word = key };

	for (size_t i = 0; i < SETTINGS; i++)
		str_near_try(&near, config_settings[i].key);
	str_near_try(&near, "providers");
	str_near_try(&near, "models");
	return err_near(r->e, ERR_INVALID, near.best, "", "%s:%zu: unknown setting \"%.*s\"",
	    r->name, r->event.start_mark.line + 1, FMT(key));
}

static int
take_key(struct reader *r, struct str text)
{
	if (r->key.n > 0)
		buf_lit(&r->key, ".");
	buf_add(&r->key, text);
	if (r->key.failed)
		return fail(r, "a key is too long");
	r->wants_value = true;
	return OK;
}

static int
take_value(struct reader *r, struct str text)
{
	enum setting_id id = config_find(buf_str(&r->key));
	char origin[300];

	if (id == SETTINGS)
		return unknown_key(r);
	if (id == SETTING_CONFIG)
		return fail(r, "a settings file cannot name another");
	if (r->seen[id])
		return fail(r, "this setting is given twice");
	r->seen[id] = true;
	snprintf(origin, sizeof origin, "%s:%zu", r->name,
	    r->event.start_mark.line + 1);
	buf_cut(&r->key, r->parent[r->depth - 1]);
	r->wants_value = false;
	return config_set(r->c, id, text, RANK_FILE, origin, r->e);
}

/* ---- trees ----------------------------------------------------------------- */

static struct ctree *
tree_of(struct reader *r)
{
	struct str key = buf_str(&r->key);

	if (r->depth != 1 || !r->wants_value)
		return NULL;
	return str_eq(key, S("providers")) ? &r->c->providers :
	    str_eq(key, S("models")) ? &r->c->models : NULL;
}

/* An event inside a tree, or the one that begins it. */
static int
take_in_tree(struct reader *r, struct ctree *t, const char **words)
{
	unsigned line = (unsigned)r->event.start_mark.line + 1;
	struct str text;

	switch (r->event.type) {
	case YAML_SCALAR_EVENT:
		text = (struct str){ (const char *)r->event.data.scalar.value,
		    r->event.data.scalar.length };
		*words = r->event.data.scalar.anchor != NULL ? "anchors are not supported" :
		    r->event.data.scalar.tag != NULL ? "tags are not supported" :
		    memchr(text.p, '\0', text.n) != NULL ? "a value holds a NUL byte" : NULL;
		return *words != NULL ? ERR_INVALID : ctree_text(t, text, line, words);
	case YAML_MAPPING_START_EVENT:
		*words = r->event.data.mapping_start.anchor != NULL ?
		    "anchors are not supported" : r->event.data.mapping_start.tag != NULL ?
		    "tags are not supported" : NULL;
		return *words != NULL ? ERR_INVALID :
		    ctree_open(t, CNODE_MAP, line, words);
	case YAML_SEQUENCE_START_EVENT:
		*words = r->event.data.sequence_start.anchor != NULL ?
		    "anchors are not supported" : r->event.data.sequence_start.tag != NULL ?
		    "tags are not supported" : NULL;
		return *words != NULL ? ERR_INVALID :
		    ctree_open(t, CNODE_LIST, line, words);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		ctree_close(t);
		return OK;
	default:
		*words = "aliases are not supported";
		return ERR_INVALID;
	}
}

static int
tree_event(struct reader *r, struct ctree *t)
{
	const char *words = NULL;
	bool begins = r->tree == NULL;

	if (begins && t->root != NULL)
		return fail(r, "this setting is given twice");
	if (begins && r->event.type != YAML_MAPPING_START_EVENT)
		return fail(r, "expected a map of names");
	r->tree = t;
	if (take_in_tree(r, t, &words) != OK)
		return fail(r, words);
	if (t->depth > 0)
		return OK;
	r->tree = NULL;
	buf_cut(&r->key, r->parent[r->depth - 1]);
	r->wants_value = false;
	return OK;
}

/* ---- plain settings ---------------------------------------------------------- */

static int
take_scalar(struct reader *r)
{
	struct str text = { (const char *)r->event.data.scalar.value,
	    r->event.data.scalar.length };

	if (r->event.data.scalar.anchor != NULL)
		return fail(r, "anchors are not supported");
	if (r->event.data.scalar.tag != NULL)
		return fail(r, "tags are not supported");
	if (memchr(text.p, '\0', text.n) != NULL)
		return fail(r, "a value holds a NUL byte");
	if (r->depth == 0) {
		/* An empty document is one empty scalar. */
		return text.n == 0 ? OK : fail(r, "expected `key: value` lines");
	}
	return r->wants_value ? take_value(r, text) : take_key(r, text);
}

static int
take_mapping(struct reader *r)
{
	if (r->event.data.mapping_start.anchor != NULL)
		return fail(r, "anchors are not supported");
	if (r->event.data.mapping_start.tag != NULL)
		return fail(r, "tags are not supported");
	if (r->depth > 0 && !r->wants_value)
		return fail(r, "a key must be plain text");
	if (r->depth == DEPTH_MAX)
		return fail(r, "nested too deeply");
	r->parent[r->depth++] = r->key.n;
	r->wants_value = false;
	return OK;
}

static void
end_mapping(struct reader *r)
{
	r->depth--;
	if (r->depth > 0)
		buf_cut(&r->key, r->parent[r->depth - 1]);
	r->wants_value = false;
}

static int
take_event(struct reader *r)
{
	struct ctree *t = r->tree != NULL ? r->tree : tree_of(r);

	if (t != NULL)
		return tree_event(r, t);
	switch (r->event.type) {
	case YAML_SCALAR_EVENT:
		return take_scalar(r);
	case YAML_MAPPING_START_EVENT:
		return take_mapping(r);
	case YAML_MAPPING_END_EVENT:
		end_mapping(r);
		return OK;
	case YAML_SEQUENCE_START_EVENT:
		return fail(r, "lists are not supported");
	case YAML_ALIAS_EVENT:
		return fail(r, "aliases are not supported");
	default:
		return OK;
	}
}

static int
read_events(struct reader *r)
{
	size_t documents = 0;
	int rc = OK;

	while (rc == OK) {
		bool end;

		if (!yaml_parser_parse(&r->yaml, &r->event))
			return err_set(r->e, ERR_INVALID, "%s:%zu: %s", r->name,
			    r->yaml.problem_mark.line + 1,
			    r->yaml.problem != NULL ? r->yaml.problem : "bad YAML");
		end = r->event.type == YAML_STREAM_END_EVENT;
		if (r->event.type == YAML_DOCUMENT_START_EVENT && ++documents > 1)
			rc = fail(r, "one document only");
		else
			rc = take_event(r);
		yaml_event_delete(&r->event);
		if (end)
			break;
	}
	return rc;
}

int
config_read_yaml(struct config *c, const char *name, struct str text,
    struct err *e)
{
	struct reader r = { .c = c, .name = name, .key = BUF(256), .e = e };
	int rc;

	free(c->file);
	c->file = mem_cstr(str_of(name));
	if (!yaml_parser_initialize(&r.yaml))
		return err_set(e, ERR_IO, "%s: no memory for the parser", name);
	yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text.p, text.n);
	rc = read_events(&r);
	yaml_parser_delete(&r.yaml);
	buf_release(&r.key);
	return rc;
}

static void
warn_readable(struct config *c, const char *path)
{
	struct stat st;
	bool secret = false;

	for (size_t i = 0; i < SETTINGS; i++)
		secret = secret || (c->at[i].rank == RANK_FILE &&
		    config_has_secret(c, (enum setting_id)i));
	if (secret && stat(path, &st) == 0 && (st.st_mode & (S_IRGRP | S_IROTH)) != 0)
		buf_add_fmt(&c->warnings, "%s holds a secret, and other users can "
		    "read it: chmod 600 %s\n", path, path);
}

int
config_read_file(struct config *c, const char *path, struct err *e)
{
	struct buf text = BUF(FILE_MAX);
	int rc;

	rc = file_add(path, &text, e);
	if (rc == OK)
		rc = config_read_yaml(c, path, buf_str(&text), e);
	if (rc == OK)
		warn_readable(c, path);
	buf_release(&text);
	return rc;
}
