/*
 * config.c - see config_priv.h.
 *
 * Merging: assistant <- run; members of `configurable` one by one, assistant
 * <- thread <- run <- headers; the server's own keys come last and cannot be
 * set from outside.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/config_priv.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/frame_priv.h"
#include "work/host/guest.h"

/* Members a client cannot set.  `user_id` is not among them: clients name
 * their users with it, and without one it is who asked. */
static const char *const server_keys[] = {
	"run_id", "thread_id", "graph_id", "assistant_id",
	"langgraph_auth_user", "langgraph_auth_user_id", "langgraph_auth_permissions",
	NULL
};
static const char *const config_keys[] = { "configurable", "metadata", NULL };
static const char *const member_keys[] = {
	"ls_integration", "run_attempt", "langgraph_version", "langgraph_plan",
	"langgraph_host", "thread_id", "run_id", "source", "step", "parents", NULL
};
static const char *const durability_names[] = { "async", "sync", "exit", NULL };

static bool
listed(struct str key, const char *const *list)
{
	for (; list != NULL && *list != NULL; list++)
		if (str_eq(key, str_of(*list)))
			return true;
	return false;
}

/* The members of several objects, later values win; a member stands where its
 * key came first.  The objects are small. */
static void
add_members(struct buf *b, const jnode *objects, size_t n, const char *const *skip)
{
	for (size_t i = 0; i < n; i++) {
		if (!json_is_object(objects[i]))
			continue;
		for (struct json_iter it = json_each(objects[i]); json_next(&it);) {
			struct str key = json_str(it.key);
			jnode value = it.value;
			bool seen = listed(key, skip);

			for (size_t k = 0; k < i && !seen; k++)
				seen = json_get(objects[k], key) != NULL;
			if (seen)
				continue;
			for (size_t k = i + 1; k < n; k++)
				if (json_get(objects[k], key) != NULL)
					value = json_get(objects[k], key);
			if (b->n > 0 && b->p[b->n - 1] != '{')
				buf_add_char(b, ',');
			json_add_str(b, key);
			buf_add_char(b, ':');
			json_add_node(b, value);
		}
	}
}

static void
add_uuid(struct buf *b, const char *key, const struct uuid *id)
{
	json_add_key(b, key);
	buf_add_char(b, '"');
	uuid_add(b, id);
	buf_add_char(b, '"');
}

static void
add_text(struct buf *b, const char *key, struct str s)
{
	json_add_key(b, key);
	json_add_str(b, s);
}

/* ---- writing ------------------------------------------------------------- */

/* What the texts are merged from. */
struct sources {
	struct json_doc assistant_config, assistant_context, assistant_metadata;
	struct json_doc thread_config, thread_metadata, headers, own;
};

static int
parse_object(struct json_doc *d, struct str text, const char *what, struct err *e)
{
	int rc = json_parse(d, text.n > 0 ? text : S("{}"), NULL);

	if (rc == OK && !json_is_object(d->root))
		rc = ERR_INVALID;
	return rc == OK ? OK : err_set(e, ERR_INVALID, "%s: not a JSON object", what);
}

static int
sources_read(struct sources *s, const struct run_request *q,
    const struct store_thread *t, struct err *e)
{
	static const struct store_thread none;
	struct buf own = BUF(LIMIT_METADATA_BYTES);
	int rc;

	t = t != NULL ? t : &none;
	*s = (struct sources){ 0 };
	buf_add_char(&own, '{');
	add_text(&own, "graph_id", q->assistant.graph_id);
	add_uuid(&own, "assistant_id", &q->assistant.id);
	buf_add_char(&own, '}');
	const struct { struct json_doc *d; struct str text; const char *what; } all[] = {
		{ &s->assistant_config, q->assistant.config_json, "assistant.config" },
		{ &s->assistant_context, q->assistant.context_json, "assistant.context" },
		{ &s->assistant_metadata, q->assistant.metadata_json, "assistant.metadata" },
		{ &s->thread_config, t->config_json, "thread.config" },
		{ &s->thread_metadata, t->metadata_json, "thread.metadata" },
		{ &s->headers, q->headers_json, "headers" },
		{ &s->own, buf_str(&own), "ids" },
	};
	rc = OK;
	for (size_t i = 0; i < COUNT(all) && rc == OK; i++)
		rc = parse_object(all[i].d, all[i].text, all[i].what, e);
	buf_release(&own);
	return rc;
}

static void
sources_release(struct sources *s)
{
	struct json_doc *all[] = { &s->assistant_config, &s->assistant_context,
		&s->assistant_metadata, &s->thread_config, &s->thread_metadata,
		&s->headers, &s->own };

	for (size_t i = 0; i < COUNT(all); i++)
		json_release(all[i]);
}

static void
write_metadata(struct buf *b, const struct run_request *q, const struct sources *s)
{
	jnode all[] = { s->assistant_metadata.root, s->own.root,
		s->thread_metadata.root, json_get(q->config, S("metadata")),
		q->metadata, s->own.root };

	buf_add_char(b, '{');
	add_members(b, all, COUNT(all), NULL);
	buf_add_char(b, '}');
}

/* Who asked, as graphs expect it. */
static void
write_user(struct buf *b, struct str subject, bool named)
{
	if (!named)
		add_text(b, "user_id", subject);
	json_add_key(b, "langgraph_auth_user");
	buf_add_char(b, '{');
	add_text(b, "identity", subject);
	add_text(b, "display_name", subject);
	buf_lit(b, ",\"is_authenticated\":true,\"permissions\":[]}");
	add_text(b, "langgraph_auth_user_id", subject);
	buf_lit(b, ",\"langgraph_auth_permissions\":[]");
}

/* Headers win over the body: a proxy in front can vouch for them. */
static void
write_configurable(struct buf *b, const struct run_request *q,
    const struct sources *s, const struct uuid *run_id)
{
	jnode all[] = { json_get(s->assistant_config.root, S("configurable")),
		json_get(s->thread_config.root, S("configurable")),
		json_get(q->config, S("configurable")), s->headers.root };
	bool named = false;

	for (size_t i = 0; i < COUNT(all); i++)
		named = named || json_get(all[i], S("user_id")) != NULL;
	json_add_key(b, "configurable");
	buf_add_char(b, '{');
	add_members(b, all, COUNT(all), server_keys);
	add_uuid(b, "run_id", run_id);
	if (!uuid_is_zero(&q->thread_id))
		add_uuid(b, "thread_id", &q->thread_id);
	add_text(b, "graph_id", q->assistant.graph_id);
	add_uuid(b, "assistant_id", &q->assistant.id);
	if (q->subject.n > 0)
		write_user(b, q->subject, named);
	buf_add_char(b, '}');
}

static void
add_flag(struct buf *b, const char *key, bool value)
{
	json_add_key(b, key);
	buf_add(b, value ? S("true") : S("false"));
}

static void
write_kwargs(struct run_texts *x, const struct run_request *q,
    const struct sources *s, const struct uuid *run_id)
{
	struct buf *b = &x->kwargs;
	/* Of the thread's only `configurable`: one run's recursion_limit or tags
	 * are not the next one's. */
	jnode config[] = { s->assistant_config.root, q->config };
	jnode context[] = { s->assistant_context.root, q->context };

	buf_add_char(b, '{');
	json_add_key(b, "input");
	json_add_node(b, q->input);
	json_add_key(b, "config");
	buf_add_char(b, '{');
	add_members(b, config, COUNT(config), config_keys);
	write_configurable(b, q, s, run_id);
	json_add_key(b, "metadata");
	buf_add(b, buf_str(&x->metadata));
	buf_add_char(b, '}');
	json_add_key(b, "context");
	buf_add_char(b, '{');
	add_members(b, context, COUNT(context), NULL);
	buf_add_char(b, '}');
	json_add_key(b, "stream_mode");
	buf_add(b, q->modes_json.n > 0 ? q->modes_json : S("[\"values\"]"));
	add_flag(b, "temporary", q->stateless && !q->keep);
	add_flag(b, "subgraphs", false);
	add_flag(b, "resumable", q->resumable);
	add_text(b, "durability", str_of(durability_names[q->durability]));
	buf_add_char(b, '}');
}

/* Metadata that every checkpoint of the run shows. */
static void
write_base(struct run_texts *x, const struct run_request *q,
    const struct sources *s, const struct uuid *run_id)
{
	struct json_doc metadata;
	int rc = json_parse(&metadata, buf_str(&x->metadata), NULL);
	jnode all[] = { s->headers.root, rc == OK ? metadata.root : NULL };

	buf_add_char(&x->base, '{');
	add_members(&x->base, all, COUNT(all), member_keys);
	add_text(&x->base, "ls_integration", S("langgraph"));
	buf_lit(&x->base, ",\"run_attempt\":1,\"langgraph_version\":\"" COHORT_VERSION
	    "\",\"langgraph_plan\":\"developer\",\"langgraph_host\":\"self-hosted\"");
	add_uuid(&x->base, "thread_id", &q->thread_id);
	add_uuid(&x->base, "run_id", run_id);
	buf_add_char(&x->base, '}');
	json_release(&metadata);
}

/* What the thread keeps of this run's config: the assistant's own part stays
 * with the assistant. */
static void
write_thread_config(struct run_texts *x, const struct run_request *q,
    const struct sources *s)
{
	jnode configurable[] = { json_get(s->thread_config.root, S("configurable")),
		json_get(q->config, S("configurable")), s->headers.root };
	struct buf *b = &x->thread_config;

	buf_add_char(b, '{');
	add_members(b, &q->config, 1, config_keys);
	json_add_key(b, "configurable");
	buf_add_char(b, '{');
	add_members(b, configurable, COUNT(configurable), server_keys);
	buf_lit(b, "}}");
}

int
run_texts_write(struct run_texts *x, const struct run_request *q,
    const struct store_thread *t, const struct uuid *run_id, struct err *e)
{
	struct sources s;
	jnode ignored;
	int rc;

	*x = (struct run_texts){ BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES),
		BUF(RUN_METADATA_BYTES), BUF(2 * RUN_METADATA_BYTES),
		BUF(RUN_METADATA_BYTES), BUF(RUN_METADATA_BYTES) };
	rc = json_get_object(q->config, "configurable", "config.configurable",
	    &ignored, e);
	if (rc == OK)
		rc = json_get_object(q->config, "metadata", "config.metadata",
		    &ignored, e);
	if (rc != OK)
		return rc;
	rc = sources_read(&s, q, t, e);
	if (rc == OK) {
		write_metadata(&x->metadata, q, &s);
		write_kwargs(x, q, &s, run_id);
		write_base(x, q, &s, run_id);
		write_thread_config(x, q, &s);
		if (t == NULL && q->metadata != NULL)
			json_add_node(&x->thread_metadata, q->metadata);
		if (x->kwargs.failed || x->metadata.failed || x->base.failed ||
		    x->thread_config.failed || x->thread_metadata.failed)
			rc = err_set(e, ERR_TOOBIG, "config and metadata of assistant, "
			    "thread and run: larger than %zu bytes together",
			    RUN_METADATA_BYTES);
	}
	sources_release(&s);
	return rc;
}

void
run_texts_release(struct run_texts *x)
{
	buf_release(&x->kwargs);
	buf_release(&x->metadata);
	buf_release(&x->base);
	buf_release(&x->thread_config);
	buf_release(&x->thread_metadata);
}

void
run_members_write(struct buf *b, struct str metadata_json, int64_t attempt,
    const struct uuid *thread_id, const struct uuid *run_id)
{
	struct json_doc d = { 0 };
	jnode root = NULL;

	if (json_parse(&d, metadata_json, NULL) == OK)
		root = d.root;
	add_members(b, &root, 1, member_keys);
	if (b->n > 0)
		buf_add_char(b, ',');
	buf_add_fmt(b, "\"run_attempt\":%lld,\"langgraph_version\":\"" COHORT_VERSION
	    "\",\"langgraph_plan\":\"developer\",\"langgraph_host\":\"self-hosted\"",
	    (long long)attempt);
	if (!uuid_is_zero(thread_id))
		add_uuid(b, "thread_id", thread_id);
	add_uuid(b, "run_id", run_id);
	json_release(&d);
}

/* ---- reading ------------------------------------------------------------- */

/* A setting is looked up in configurable, then in context. */
struct settings {
	jnode configurable, context;
};

static jnode
where(const struct settings *s, const char *key, const char **path)
{
	bool context = json_is_null(json_get(s->configurable, str_of(key))) &&
	    !json_is_null(json_get(s->context, str_of(key)));

	*path = context ? "context" : "config.configurable";
	return context ? s->context : s->configurable;
}

static int
get_text(const struct settings *s, const char *key, size_t max, struct str *out,
    struct err *e)
{
	const char *base;
	jnode o = where(s, key, &base);
	char path[64];

	snprintf(path, sizeof path, "%s.%s", base, key);
	return json_get_str(o, key, path, STR_NONE, max, out, e);
}

static int
read_numbers(struct plan *p, const struct settings *s, jnode config, struct err *e)
{
	const char *base;
	char path[64];
	jnode o = where(s, "temperature", &base);
	int rc;

	snprintf(path, sizeof path, "%s.temperature", base);
	rc = json_get_number(o, "temperature", path, NAN, 0, 2, &p->temperature, e);
	if (rc != OK)
		return rc;
	o = where(s, "max_tokens", &base);
	snprintf(path, sizeof path, "%s.max_tokens", base);
	rc = json_get_int(o, "max_tokens", path, 0, 1, INT32_MAX, &p->max_tokens, e);
	if (rc != OK)
		return rc;
	return json_get_int(config, "recursion_limit", "config.recursion_limit",
	    LIMIT_RECURSION_DEFAULT, 1, LIMIT_RECURSION_MAX, &p->recursion_limit, e);
}

static int
read_project(struct plan *p, const struct settings *s, struct err *e)
{
	struct err why = { 0 };
	int rc = get_text(s, "work_project", LIMIT_WORK_PROJECT_BYTES,
	    &p->work_project, e);

	if (rc == OK && p->work_project.p != NULL)
		rc = work_project_check(p->work_project, &why);
	if (rc != OK && why.text[0] != '\0')
		err_set(e, rc, "config.configurable.work_%s", why.text);
	return rc;
}

static void
take_tool(struct plan *p, const struct tool *tool)
{
	for (size_t i = 0; i < p->tools_n; i++)
		if (p->tools[i] == tool)
			return;
	p->tools[p->tools_n++] = tool;
}

/* A tool, or a group of them. */
static bool
take_named(struct plan *p, const struct tools *t, struct str name)
{
	bool any = false;

	for (size_t i = 0; i < tools_count(t); i++) {
		const struct tool *tool = tools_at(t, i);

		if (!str_eq(str_of(tool->name), name) && (tool->group == NULL ||
		    !str_eq(str_of(tool->group), name)))
			continue;
		take_tool(p, tool);
		any = true;
	}
	return any;
}

static int
read_tools(struct plan *p, const struct settings *s, const struct tools *t,
    struct err *e)
{
	const char *base;
	jnode o = where(s, "tools", &base), list;
	char path[64];
	size_t n = 0;
	int rc;

	snprintf(path, sizeof path, "%s.tools", base);
	rc = json_get_array(o, "tools", path, &list, e);
	if (rc != OK)
		return rc;
	p->all_tools = list == NULL;
	if (json_count(list) > tools_count(t))
		return err_set(e, ERR_INVALID, "%s: there are only %zu tools", path,
		    tools_count(t));
	if (list != NULL)
		p->tools = mem_alloc((tools_count(t) + 1) * sizeof(struct tool *));
	for (struct json_iter it = json_each(list); json_next(&it); n++) {
		struct str name = json_is_string(it.value) ? json_str(it.value) : STR_NONE;

		if (!take_named(p, t, name))
			return err_set(e, ERR_INVALID, "%s[%zu]: no tool is called \"%.*s\"",
			    path, n, FMT(str_sub(name, 0, 64)));
	}
	return OK;
}

static int
read_input(struct plan *p, jnode input, struct err *e)
{
	jnode messages;

	if (json_is_null(input))
		return OK;
	if (!json_is_object(input))
		return err_set(e, ERR_INVALID, "input: expected an object, got %s",
		    json_kind(input));
	p->has_input = true;
	messages = json_get(input, S("messages"));
	if (json_is_null(messages))
		return OK;
	return message_list_coerce(&p->input, messages, "input.messages", e);
}

static unsigned
read_modes(jnode list)
{
	unsigned modes = 0;

	for (struct json_iter it = json_each(list); json_next(&it);)
		for (unsigned i = 0; stream_mode_names[i] != NULL; i++)
			if (json_is_string(it.value) &&
			    str_eq(json_str(it.value), str_of(stream_mode_names[i])))
				modes |= 1u << i;
	return modes;
}

/* One block for the plan's own copies. */
static void
keep_texts(struct plan *p)
{
	struct str *all[] = { &p->model, &p->base_url, &p->system_prompt,
	    &p->work_project };
	size_t n = 0;
	char *to;

	for (size_t i = 0; i < COUNT(all); i++)
		n += all[i]->n;
	p->text = to = mem_alloc(n + 1);
	for (size_t i = 0; i < COUNT(all); i++) {
		if (all[i]->n > 0)
			memcpy(to, all[i]->p, all[i]->n);
		all[i]->p = to;
		to += all[i]->n;
	}
}

static int
read_all(struct plan *p, jnode root, const struct tools *t, struct err *e)
{
	jnode config = json_get(root, S("config"));
	struct settings s = { json_get(config, S("configurable")),
		json_get(root, S("context")) };
	int word, rc;

	rc = get_text(&s, "model_name", LIMIT_NAME_BYTES, &p->model, e);
	if (rc == OK)
		rc = get_text(&s, "base_url", LIMIT_HTTP_URL_BYTES, &p->base_url, e);
	if (rc == OK)
		rc = get_text(&s, "system_prompt", LIMIT_JSON_STRING_BYTES,
		    &p->system_prompt, e);
	if (rc == OK)
		rc = read_project(p, &s, e);
	if (rc == OK)
		rc = read_numbers(p, &s, config, e);
	if (rc == OK)
		rc = read_tools(p, &s, t, e);
	if (rc == OK)
		rc = read_input(p, json_get(root, S("input")), e);
	if (rc == OK)
		rc = json_get_bool(root, "resumable", "stream_resumable", false,
		    &p->resumable, e);
	if (rc == OK)
		rc = json_get_enum(root, "durability", "durability", durability_names,
		    DURABILITY_ASYNC, &word, e);
	if (rc != OK)
		return rc;
	p->durability = (enum durability)word;
	p->modes = read_modes(json_get(root, S("stream_mode")));
	keep_texts(p);
	return OK;
}

int
plan_read(struct plan **out, struct str kwargs_json, const struct tools *t,
    struct err *e)
{
	struct json_doc d = { 0 };
	struct plan *p = mem_new(struct plan);
	int rc = json_parse(&d, kwargs_json, e);

	if (rc == OK)
		rc = read_all(p, d.root, t, e);
	json_release(&d);
	if (rc != OK) {
		plan_free(p);
		p = NULL;
	}
	*out = p;
	return rc;
}

void
plan_free(struct plan *p)
{
	if (p == NULL)
		return;
	message_list_release(&p->input);
	free(p->tools);
	free(p->text);
	free(p);
}

bool
plan_has_tool(const struct plan *p, const struct tool *tool)
{
	if (p->all_tools)
		return tool->group == NULL;
	for (size_t i = 0; i < p->tools_n; i++)
		if (p->tools[i] == tool)
			return true;
	return false;
}
