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
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/frame_priv.h"
#include "trace/at.h"

/* Members a client cannot set.  `user_id` is not among them: clients name
 * their users with it, and without one it is who asked. */
static const char *const server_keys[] = {
	"run_id", "thread_id", "graph_id", "assistant_id",
	"langgraph_auth_user", "langgraph_auth_user_id", "langgraph_auth_permissions",
	"checkpoint_id", "checkpoint_ns", "checkpoint_map", "cron_id", NULL
};
/* Members of a run's metadata that say what only the server knows. */
static const char *const reserved_keys[] = {
	"run_id", "thread_id", "run_attempt", "langgraph_version", "langgraph_plan",
	"langgraph_host", "langgraph_api_url", "langgraph_auth_user",
	"langgraph_auth_user_id", "langgraph_auth_permissions", NULL
};
static const char *const config_keys[] = { "configurable", "metadata", NULL };
static const char *const member_keys[] = {
	"ls_integration", "run_attempt", "langgraph_version", "langgraph_plan",
	"langgraph_host", "thread_id", "run_id", "source", "step", "parents", NULL
};

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
	add_members(b, all, COUNT(all), reserved_keys);
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
	if (!uuid_is_zero(&q->firing.cron))
		add_uuid(b, "cron_id", &q->firing.cron);
	if (q->tracer_project.p != NULL)
		add_text(b, RUN_TRACER_PROJECT, q->tracer_project);
	if (q->tracer_example.p != NULL)
		add_text(b, "langsmith_example_id", q->tracer_example);
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
add_given(struct buf *b, const char *key, jnode n)
{
	if (json_is_null(n))
		return;
	json_add_key(b, key);
	json_add_node(b, n);
}

/* Where it begins and where it stops; only what is asked for. */
static void
write_jump(struct buf *b, const struct run_request *q)
{
	add_given(b, "command", q->command);
	add_given(b, "interrupt_before", q->interrupt_before);
	add_given(b, "interrupt_after", q->interrupt_after);
	if (q->strict_resume)
		add_flag(b, "strict_resume", true);
	if (!uuid_is_zero(&q->checkpoint))
		add_uuid(b, "checkpoint_id", &q->checkpoint);
}

/* Kept with the run, so that its spans are in this trace after a restart, and at another
 * node. */
static void
write_trace(struct buf *b, const struct trace_at *at)
{
	json_add_key(b, "traceparent");
	buf_add_char(b, '"');
	trace_at_add(b, at);
	buf_add_char(b, '"');
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
	add_flag(b, "temporary", q->temporary);
	add_flag(b, "subgraphs", q->subgraphs);
	add_flag(b, "resumable", q->resumable);
	add_text(b, "durability", str_of(durability_names[q->durability]));
	if (q->webhook.n > 0)
		add_text(b, "webhook", q->webhook);
	if (q->trace != NULL)
		write_trace(b, q->trace);
	write_jump(b, q);
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
	jnode own = q->passing ? NULL : q->config;
	jnode configurable[] = { json_get(s->thread_config.root, S("configurable")),
		json_get(own, S("configurable")), s->headers.root };
	struct buf *b = &x->thread_config;

	buf_add_char(b, '{');
	add_members(b, &own, 1, config_keys);
	json_add_key(b, "configurable");
	buf_add_char(b, '{');
	add_members(b, configurable, COUNT(configurable), server_keys);
	buf_lit(b, "}}");
}

/* Of a thread that is made for the run. */
static void
write_thread_metadata(struct buf *b, const struct run_request *q)
{
	struct json_doc stamp = { 0 };

	if (q->stamp_json.n > 0 && json_parse(&stamp, q->stamp_json, NULL) < 0)
		b->failed = true;
	if ((q->metadata != NULL && !q->passing) || stamp.root != NULL)
		json_add_merged(b, q->passing ? NULL : q->metadata, stamp.root);
	json_release(&stamp);
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
		if (t == NULL)
			write_thread_metadata(&x->thread_metadata, q);
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
	buf_lit(b, "\"run_attempt\":");
	buf_add_i64(b, attempt);
	buf_lit(b, ",\"langgraph_version\":\"" COHORT_VERSION
	    "\",\"langgraph_plan\":\"developer\",\"langgraph_host\":\"self-hosted\"");
	if (!uuid_is_zero(thread_id))
		add_uuid(b, "thread_id", thread_id);
	add_uuid(b, "run_id", run_id);
	json_release(&d);
}
