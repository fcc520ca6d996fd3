/*
 * flow_ops.c - the twelve requests of a flow and the checks of their answers.
 *
 * With a mock model the text is known and compared exactly: the answer of a
 * wait, the joined deltas of a stream, the last message of the state.  With a
 * real one it must not be empty.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/flow_priv.h"

#include <string.h>

#include "base/limits.h"

/* Requests. */

static void
add_input(const struct flow_life *v, struct buf *body)
{
	json_add_fmt(body, "'input':{'messages':[{'role':'user',"
	    "'content':'Flow %lld of user %lld says hello.'}]}", (long long)v->round,
	    (long long)v->user);
}

static void
build_assistant(const struct flow_life *v, struct buf *path, struct buf *body)
{
	buf_lit(path, "/assistants");
	json_add_fmt(body, "{'graph_id':%s,'name':'bench-%-s-%lld-%lld'", v->setup->graph,
	    v->setup->run, (long long)v->user, (long long)v->round);
	if (v->setup->model != NULL)
		json_add_fmt(body, ",'config':{'configurable':{'model_name':%s}}",
		    v->setup->model);
	json_add_fmt(body, ",'metadata':{'bench':%s}}", v->setup->run);
}

static void
build_thread(const struct flow_life *v, struct buf *path, struct buf *body)
{
	buf_lit(path, "/threads");
	json_add_fmt(body, "{'metadata':{'bench':%s}}", v->setup->run);
}

static void
build_run_wait(const struct flow_life *v, struct buf *path, struct buf *body)
{
	buf_add_fmt(path, "/threads/%s/runs/wait", v->thread);
	json_add_fmt(body, "{'assistant_id':%s,", v->assistant);
	add_input(v, body);
	buf_add_char(body, '}');
}

static void
build_run_stream(const struct flow_life *v, struct buf *path, struct buf *body)
{
	buf_add_fmt(path, "/threads/%s/runs/stream", v->thread);
	json_add_fmt(body, "{'assistant_id':%s,'stream_mode':['messages-tuple'],",
	    v->assistant);
	add_input(v, body);
	buf_add_char(body, '}');
}

static void
build_state(const struct flow_life *v, struct buf *path, struct buf *body)
{
	(void)body;
	buf_add_fmt(path, "/threads/%s/state", v->thread);
}

static void
build_stateless(const struct flow_life *v, struct buf *path, struct buf *body)
{
	buf_lit(path, "/runs/wait");
	json_add_fmt(body, "{'assistant_id':%s,", v->assistant);
	add_input(v, body);
	buf_add_char(body, '}');
}

static void
add_key(const struct flow_life *v, struct buf *b)
{
	buf_add_fmt(b, "item-%lld", (long long)v->round);
}

static void
add_namespace_key(const struct flow_life *v, struct buf *body)
{
	json_add_fmt(body, "'namespace':['bench',%s,'user-%lld'],'key':'", v->setup->run,
	    (long long)v->user);
	add_key(v, body);
	buf_add_char(body, '"');
}

static void
build_store_put(const struct flow_life *v, struct buf *path, struct buf *body)
{
	buf_lit(path, "/store/items");
	buf_add_char(body, '{');
	add_namespace_key(v, body);
	json_add_fmt(body, ",'value':{'round':%lld,'text':'a note to keep'}}",
	    (long long)v->round);
}

static void
add_store_query(const struct flow_life *v, struct buf *path)
{
	buf_add_fmt(path, "/store/items?namespace=bench.%s.user-%lld&key=", v->setup->run,
	    (long long)v->user);
	add_key(v, path);
}

static void
build_store_get(const struct flow_life *v, struct buf *path, struct buf *body)
{
	(void)body;
	add_store_query(v, path);
}

static void
build_store_search(const struct flow_life *v, struct buf *path, struct buf *body)
{
	buf_lit(path, "/store/items/search");
	json_add_fmt(body, "{%s:['bench',%s,'user-%lld'],'limit':10}",
	    v->setup->sdk_store ? "namespace_prefix" : "namespace", v->setup->run,
	    (long long)v->user);
}

static void
build_store_delete(const struct flow_life *v, struct buf *path, struct buf *body)
{
	if (!v->setup->sdk_store) {
		add_store_query(v, path);
		return;
	}
	buf_lit(path, "/store/items");
	buf_add_char(body, '{');
	add_namespace_key(v, body);
	buf_add_char(body, '}');
}

static void
build_thread_delete(const struct flow_life *v, struct buf *path, struct buf *body)
{
	(void)body;
	buf_add_fmt(path, "/threads/%s", v->thread);
}

static void
build_assistant_delete(const struct flow_life *v, struct buf *path, struct buf *body)
{
	(void)body;
	buf_add_fmt(path, "/assistants/%s", v->assistant);
}

bool
flow_can(const struct flow_life *v, const struct flow_op *op)
{
	return ((op->needs & NEEDS_ASSISTANT) == 0 || v->assistant[0] != '\0') &&
	    ((op->needs & NEEDS_THREAD) == 0 || v->thread[0] != '\0') &&
	    ((op->needs & NEEDS_ACCOUNT) == 0 || v->setup->account != NULL);
}

/* Answers. */

static int
wrong(struct err *e, const char *what, struct str answer)
{
	return err_set(e, ERR_INVALID, "%s in: %.*s", what, FMT(str_sub(answer, 0, 200)));
}

/* Parses the answer and calls look; its result is the error, or NULL. */
static int
with_json(struct flow_life *v, struct str answer, struct err *e,
    const char *(*look)(struct flow_life *v, jnode root))
{
	struct json_doc d;
	const char *what = NULL;
	int rc = json_parse(&d, answer, e);

	if (rc == OK)
		what = look(v, d.root);
	json_release(&d);
	if (rc != OK)
		return wrong(e, "no JSON", answer);
	return what == NULL ? OK : wrong(e, what, answer);
}

static bool
copy_id(jnode n, char out[UUID_TEXT + 1])
{
	struct str s = json_str(n);
	struct uuid u;

	if (!json_is_string(n) || !uuid_parse(s, &u))
		return false;
	memcpy(out, s.p, UUID_TEXT);
	out[UUID_TEXT] = '\0';
	return true;
}

static const char *
look_assistant(struct flow_life *v, jnode root)
{
	return copy_id(json_get(root, S("assistant_id")), v->assistant) ? NULL :
	    "no assistant_id";
}

static const char *
look_thread(struct flow_life *v, jnode root)
{
	return copy_id(json_get(root, S("thread_id")), v->thread) ? NULL : "no thread_id";
}

/* The text of a message: a string, or blocks of text. */
static void
add_content(jnode content, struct buf *out)
{
	struct json_iter it = json_each(content);

	if (json_is_string(content)) {
		buf_add(out, json_str(content));
		return;
	}
	while (json_is_array(content) && json_next(&it)) {
		jnode text = json_get(it.value, S("text"));

		if (json_is_string(text))
			buf_add(out, json_str(text));
	}
}

static bool
words_right(const struct flow_life *v, struct str words)
{
	if (v->setup->response == NULL)
		return str_trim(words).n > 0;
	return str_eq(words, str_of(v->setup->response));
}

static bool
is_ai(jnode message)
{
	struct str type = json_str(json_get(message, S("type")));

	return str_eq(type, S("ai")) || str_eq(type, S("AIMessageChunk")) ||
	    str_eq(type, S("AIMessage"));
}

/* n messages, the last one with the model's text. */
static const char *
look_messages(struct flow_life *v, jnode messages, size_t n)
{
	struct buf words = BUF(LIMIT_SCENARIO_ANSWER_BYTES);
	jnode last;
	bool right;

	if (json_count(messages) != n)
		return "not the right number of messages";
	last = json_at(messages, n - 1);
	add_content(json_get(last, S("content")), &words);
	right = is_ai(last) && words_right(v, buf_str(&words));
	buf_release(&words);
	return right ? NULL : "not the words of the model";
}

static const char *
look_run(struct flow_life *v, jnode root)
{
	return look_messages(v, json_get(root, S("messages")), 2);
}

static const char *
look_state(struct flow_life *v, jnode root)
{
	if (json_count(json_get(root, S("next"))) != 0)
		return "an unfinished state";
	return look_messages(v, json_get(json_get(root, S("values")), S("messages")), 4);
}

static bool
is_item(const struct flow_life *v, jnode item)
{
	struct buf key = BUF(64);
	bool same;

	add_key(v, &key);
	same = str_eq(json_str(json_get(item, S("key"))), buf_str(&key)) &&
	    json_int(json_get(json_get(item, S("value")), S("round"))) == v->round;
	buf_release(&key);
	return same;
}

static const char *
look_item(struct flow_life *v, jnode root)
{
	return is_item(v, root) ? NULL : "not the item";
}

static const char *
look_search(struct flow_life *v, jnode root)
{
	jnode items = json_get(root, S("items"));

	return json_count(items) == 1 && is_item(v, json_at(items, 0)) ? NULL :
	    "not exactly the item";
}

#define CHECK_WITH(name)                                                    \
	static int                                                          \
	check_##name(struct flow_life *v, struct str answer, struct err *e)        \
	{                                                                   \
		return with_json(v, answer, e, look_##name);                \
	}
CHECK_WITH(assistant)
CHECK_WITH(thread)
CHECK_WITH(run)
CHECK_WITH(state)
CHECK_WITH(item)
CHECK_WITH(search)

/* One data line of the stream, after the line of its event. */
static int
stream_line(struct str event, struct str data, struct buf *words, uint64_t *deltas,
    struct err *e)
{
	struct json_doc d;
	jnode chunk;
	int rc = json_parse(&d, data, e);

	if (rc != OK) {
		wrong(e, "no JSON", data);
	} else if (str_eq(event, S("error"))) {
		rc = wrong(e, "an error", data);
	} else if (str_eq(event, S("messages"))) {
		chunk = json_at(d.root, 0);
		if (is_ai(chunk)) {
			size_t before = words->n;

			add_content(json_get(chunk, S("content")), words);
			*deltas += words->n > before;
		}
	}
	json_release(&d);
	return rc;
}

static int
check_stream(struct flow_life *v, struct str answer, struct err *e)
{
	struct buf words = BUF(LIMIT_SCENARIO_ANSWER_BYTES);
	struct str rest = answer, line, event = STR_NONE;
	uint64_t deltas = 0;
	int rc = OK;

	while (rc == OK && str_next(&rest, '\n', &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (str_starts(line, S("event:")))
			event = str_trim(str_sub(line, 6, line.n));
		else if (str_starts(line, S("data:")))
			rc = stream_line(event, str_trim(str_sub(line, 5, line.n)), &words,
			    &deltas, e);
	}
	if (rc == OK && !words_right(v, buf_str(&words)))
		rc = wrong(e, "not the words of the model", buf_str(&words));
	v->deltas = deltas;
	buf_release(&words);
	return rc;
}

enum { BOTH = NEEDS_ASSISTANT | NEEDS_THREAD };

const struct flow_op flow_ops[FLOW_OPS] = {
	{ "create_assistant", { "POST", 4 }, build_assistant, check_assistant, 200, 201 },
	{ "create_thread", { "POST", 4 }, build_thread, check_thread, 200, 201 },
	{ "run_wait", { "POST", 4 }, build_run_wait, check_run, 200, 200, BOTH,
	    .model = true },
	{ "run_stream", { "POST", 4 }, build_run_stream, check_stream, 200, 200, BOTH,
	    .model = true, .stream = true },
	{ "get_state", { "GET", 3 }, build_state, check_state, 200, 200, NEEDS_THREAD },
	{ "stateless_run_wait", { "POST", 4 }, build_stateless, check_run, 200, 200,
	    NEEDS_ASSISTANT, .model = true },
	{ "store_put", { "PUT", 3 }, build_store_put, NULL, 204, 200 },
	{ "store_get", { "GET", 3 }, build_store_get, check_item, 200, 200 },
	{ "store_search", { "POST", 4 }, build_store_search, check_search, 200, 200 },
	{ "store_delete", { "DELETE", 6 }, build_store_delete, NULL, 204, 200 },
	{ "delete_thread", { "DELETE", 6 }, build_thread_delete, NULL, 204, 200,
	    NEEDS_THREAD },
	{ "delete_assistant", { "DELETE", 6 }, build_assistant_delete, NULL, 204, 200,
	    NEEDS_ASSISTANT },
};
