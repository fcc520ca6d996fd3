/*
 * langgraph_json.c - see langgraph_json.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/langgraph_json.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "main/agents.h"
#include "main/config.h"

#define FILE_MAX (256 * KB)

enum key_kind {
	KEY_OBJECT,                          /* its members have rows */
	KEY_TEXT, KEY_PATH, KEY_MODEL, KEY_NUMBER, KEY_BOOL,
	KEY_LIST,                            /* of texts or numbers */
	KEY_JSON,                            /* an object as it is */
	KEY_GRAPHS, KEY_ENV,
	KEY_TRUE,                            /* only true: false is not supported */
	KEY_IDLE,                            /* has no effect here */
	KEY_REFUSED
};

static const char *const kind_names[] = {
	"an object", "a string", "a path", "a string", "a number", "true or false", "an array", "an object",
	"an object", "an object or a path", "true", "", "",
};

/* help: of a refused key what would be right. */
static const struct key {
	const char *path;
	enum key_kind kind;
	enum setting_id setting;
	const char *help;
} keys[] = {
#define SET(kind, id) KEY_##kind, SETTING_##id
#define OTHER(kind) KEY_##kind, SETTINGS
	{ "graphs", OTHER(GRAPHS), "agents by name: the path of an agent file, or {path, "
	    "description}; a file's id is that name, or it has none. Code (`agent.py:graph`, "
	    "`agent.ts:graph`) is served by a worker, which `cohort dev` starts" },
	{ "env", OTHER(ENV), "variables, or the path of a .env file; the environment wins over "
	    "them" },
	{ "auth", OTHER(OBJECT), NULL },
	{ "auth.policy", SET(PATH, AUTH_POLICY), "of this server: rules of who may do what" },
	{ "auth.path", OTHER(REFUSED), "code cannot be loaded: set jwt.secret, auth.jwks, "
	    "auth.remote-url or api-keys, and auth.policy for rules" },
	{ "auth.disable_studio_auth", OTHER(TRUE), "there is no way around auth for Studio" },
	{ "auth.openapi", SET(JSON, AUTH_OPENAPI), "securitySchemes and security of /openapi.json" },
	{ "auth.cache", OTHER(OBJECT), NULL },
	{ "auth.cache.cache_keys", SET(LIST, AUTH_CACHE_KEYS), "with auth.remote-url" },
	{ "auth.cache.ttl_seconds", SET(NUMBER, AUTH_CACHE_TTL_SECONDS), "with auth.remote-url" },
	{ "auth.cache.max_size", SET(NUMBER, AUTH_CACHE_MAX_SIZE), "answers that are kept" },
	{ "encryption", OTHER(REFUSED), "code cannot be loaded: encrypt the disk of the database" },
	{ "store", OTHER(OBJECT), NULL },
	{ "store.index", OTHER(OBJECT), NULL },
	{ "store.index.dims", SET(NUMBER, STORE_INDEX_DIMS), "numbers of a vector" },
	{ "store.index.embed", SET(MODEL, STORE_INDEX_EMBED), "an embedding model; not code" },
	{ "store.index.fields", SET(LIST, STORE_INDEX_FIELDS), "paths of what is looked through" },
	{ "store.ttl", OTHER(OBJECT), NULL },
	{ "store.ttl.default_ttl", SET(NUMBER, STORE_TTL_DEFAULT_TTL), "minutes" },
	{ "store.ttl.refresh_on_read", SET(BOOL, STORE_TTL_REFRESH_ON_READ), "reading begins it "
	    "anew" },
	{ "store.ttl.sweep_interval_minutes", SET(NUMBER, STORE_TTL_SWEEP_INTERVAL_MINUTES),
	    "minutes" },
	{ "checkpointer", OTHER(OBJECT), NULL },
	{ "checkpointer.path", OTHER(REFUSED), "code cannot be loaded: checkpoints are in the "
	    "database (db, store)" },
	{ "checkpointer.serde", OTHER(REFUSED), "checkpoints hold JSON only; leave it out" },
	{ "checkpointer.ttl", OTHER(OBJECT), NULL },
	{ "checkpointer.ttl.strategy", SET(TEXT, THREADS_TTL_STRATEGY), "delete or keep_latest" },
	{ "checkpointer.ttl.default_ttl", SET(NUMBER, THREADS_TTL_DEFAULT_TTL), "minutes" },
	{ "checkpointer.ttl.sweep_interval_minutes", SET(NUMBER, THREADS_TTL_SWEEP_INTERVAL),
	    "minutes" },
	{ "checkpointer.ttl.sweep_limit", SET(NUMBER, THREADS_TTL_SWEEP_LIMIT), "threads a sweep" },
	{ "http", OTHER(OBJECT), NULL },
	{ "http.app", OTHER(REFUSED), "code cannot be loaded: put a proxy in front, which serves "
	    "your routes and hands on the rest" },
	{ "http.cors", OTHER(OBJECT), NULL },
	{ "http.cors.allow_origins", SET(LIST, CORS_ORIGINS), "beside pages on localhost" },
	{ "http.cors.allow_origin_regex", SET(TEXT, HTTP_CORS_ALLOW_ORIGIN_REGEX), "of whole "
	    "origins" },
	{ "http.cors.allow_methods", SET(LIST, HTTP_CORS_ALLOW_METHODS), "told to browsers" },
	{ "http.cors.allow_headers", SET(LIST, HTTP_CORS_ALLOW_HEADERS), "told to browsers" },
	{ "http.cors.allow_credentials", SET(BOOL, HTTP_CORS_ALLOW_CREDENTIALS), "never with "
	    "`\"*\"`" },
	{ "http.cors.expose_headers", SET(LIST, HTTP_CORS_EXPOSE_HEADERS), "beside those that "
	    "clients need" },
	{ "http.cors.max_age", SET(NUMBER, HTTP_CORS_MAX_AGE), "seconds" },
	{ "http.configurable_headers", OTHER(OBJECT), NULL },
	{ "http.configurable_headers.includes", SET(LIST, HTTP_CONFIGURABLE_HEADERS_INCLUDES),
	    "headers that reach config.configurable" },
	{ "http.configurable_headers.excludes", SET(LIST, HTTP_CONFIGURABLE_HEADERS_EXCLUDES),
	    "but not these" },
	{ "http.logging_headers", OTHER(OBJECT), NULL },
	{ "http.logging_headers.includes", SET(LIST, HTTP_LOGGING_HEADERS_INCLUDES), "headers in "
	    "the log; without it none" },
	{ "http.logging_headers.excludes", SET(LIST, HTTP_LOGGING_HEADERS_EXCLUDES), "but not "
	    "these" },
	{ "http.mount_prefix", SET(TEXT, HTTP_MOUNT_PREFIX), "of all paths" },
	{ "http.middleware_order", OTHER(IDLE), "there is no middleware without http.app" },
	{ "http.enable_custom_route_auth", OTHER(IDLE), "there are no routes of http.app" },
	{ "http.disable_assistants", SET(BOOL, HTTP_DISABLE_ASSISTANTS), "answer 404" },
	{ "http.disable_threads", SET(BOOL, HTTP_DISABLE_THREADS), "answer 404" },
	{ "http.disable_runs", SET(BOOL, HTTP_DISABLE_RUNS), "answer 404; crons too" },
	{ "http.disable_store", SET(BOOL, HTTP_DISABLE_STORE), "answer 404" },
	{ "http.disable_meta", SET(BOOL, HTTP_DISABLE_META), "answer 404; /ok stays" },
	{ "http.disable_mcp", SET(BOOL, HTTP_DISABLE_MCP), "answer 404" },
	{ "http.disable_a2a", SET(BOOL, HTTP_DISABLE_A2A), "answer 404" },
	{ "http.disable_webhooks", SET(BOOL, HTTP_DISABLE_WEBHOOKS), "runs with a webhook are "
	    "refused" },
	{ "http.disable_ui", SET(BOOL, HTTP_DISABLE_UI), "answer 404" },
	{ "webhooks", OTHER(OBJECT), NULL },
	{ "webhooks.env_prefix", SET(TEXT, WEBHOOKS_ENV_PREFIX), "of variables in headers" },
	{ "webhooks.headers", SET(JSON, WEBHOOKS_HEADERS), "sent with webhooks" },
	{ "webhooks.payload_fields", SET(LIST, WEBHOOKS_PAYLOAD_FIELDS), "members of the body" },
	{ "webhooks.url", OTHER(OBJECT), NULL },
	{ "webhooks.url.allowed_domains", SET(LIST, WEBHOOKS_ALLOWED_DOMAINS), "hosts" },
	{ "webhooks.url.allowed_ports", SET(LIST, WEBHOOKS_ALLOWED_PORTS), "ports" },
	{ "webhooks.url.require_https", SET(BOOL, WEBHOOKS_REQUIRE_HTTPS), "refuse http:" },
	{ "webhooks.url.disable_loopback", SET(BOOL, WEBHOOKS_DISABLE_LOOPBACK), "refuse this "
	    "machine" },
	{ "webhooks.url.max_url_length", SET(NUMBER, WEBHOOKS_MAX_URL_LENGTH), "bytes" },
	{ "ui", OTHER(REFUSED), "components of user interfaces are not served; leave it out" },
	{ "ui_config", OTHER(REFUSED), "components of user interfaces are not served; leave it "
	    "out" },
	{ "dependencies", OTHER(IDLE), "nothing is installed" },
	{ "python_version", OTHER(IDLE), "no image is built" },
	{ "node_version", OTHER(IDLE), "no image is built" },
	{ "api_version", OTHER(IDLE), "no image is built" },
	{ "base_image", OTHER(IDLE), "no image is built" },
	{ "image_distro", OTHER(IDLE), "no image is built" },
	{ "pip_config_file", OTHER(IDLE), "nothing is installed" },
	{ "pip_installer", OTHER(IDLE), "nothing is installed" },
	{ "dockerfile_lines", OTHER(IDLE), "no image is built" },
	{ "keep_pkg_tools", OTHER(IDLE), "no image is built" },
	{ "source", OTHER(IDLE), "no image is built" },
	{ "_INTERNAL_docker_tag", OTHER(IDLE), "no image is built" },
	{ "$schema", OTHER(IDLE), "is for editors" },
#undef SET
#undef OTHER
};

struct reader {
	struct config *c;
	const char *name;                    /* of the file */
	struct str folder;                   /* with the last /; may be empty */
	struct buf path;                     /* of the key at hand */
	struct buf value;                    /* its text */
	bool seen[COUNT(keys)];
	bool idle[COUNT(keys)];              /* given, without effect */
	struct err *e;
};

static int fail(struct reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int
fail(struct reader *r, const char *format, ...)
{
	struct buf words = BUF(sizeof r->e->text);
	va_list ap;

	va_start(ap, format);
	buf_add_vfmt(&words, format, ap);
	va_end(ap);
	err_set(r->e, ERR_INVALID, "%s: %.*s: %.*s", r->name, FMT(buf_str(&r->path)),
	    FMT(buf_str(&words)));
	buf_release(&words);
	return ERR_INVALID;
}

/* Appends a member's name to the path; *mark: for buf_cut. */
static void
enter(struct reader *r, struct str key, size_t *mark)
{
	*mark = r->path.n;
	if (r->path.n > 0)
		buf_add_char(&r->path, '.');
	buf_add(&r->path, key);
}

static bool
has_nul(struct str s)
{
	return s.n > 0 && memchr(s.p, '\0', s.n) != NULL;
}

static void
add_path(struct reader *r, struct buf *b, struct str path)
{
	if (path.n > 0 && path.p[0] != '/')
		buf_add(b, r->folder);
	buf_add(b, path);
}

/* What stands after the last c, all if there is none; before it. */
static struct str
after_last(struct str s, char c, struct str *before)
{
	size_t i = s.n;

	while (i > 0 && s.p[i - 1] != c)
		i--;
	*before = str_sub(s, 0, i > 0 ? i - 1 : 0);
	return str_sub(s, i, s.n);
}

/* ---- values of settings ------------------------------------------------------- */

static int
add_text(struct reader *r, jnode n)
{
	if (has_nul(json_str(n)))
		return fail(r, "a text with a NUL byte");
	buf_add(&r->value, json_str(n));
	return OK;
}

static void
add_number(struct buf *b, jnode n)
{
	double d = json_number(n);

	/* 60.0 is a whole number too. */
	if (json_is_int(n) || (d > -1e15 && d < 1e15 && d == (double)(int64_t)d))
		buf_add_i64(b, json_is_int(n) ? json_int(n) : (int64_t)d);
	else
		json_add_double(b, d);
}

static int
add_list(struct reader *r, jnode n)
{
	struct json_iter it = json_each(n);

	while (json_next(&it)) {
		if (r->value.n > 0)
			buf_add_char(&r->value, ',');
		if (json_is_int(it.value))
			buf_add_i64(&r->value, json_int(it.value));
		else if (!json_is_string(it.value))
			return fail(r, "expected an array of strings, got one with %s",
			    json_kind(it.value));
		else if (json_str(it.value).n == 0 || str_index(json_str(it.value), ',') >= 0)
			return fail(r, "expected texts without commas, which are not empty");
		else if (add_text(r, it.value) != OK)
			return ERR_INVALID;
	}
	return OK;
}

static bool
is_kind(enum key_kind kind, jnode n)
{
	switch (kind) {
	case KEY_TEXT:
	case KEY_PATH:
	case KEY_MODEL:
		return json_is_string(n);
	case KEY_NUMBER:
		return json_is_number(n);
	case KEY_BOOL:
	case KEY_TRUE:
		return json_is_bool(n);
	case KEY_LIST:
		return json_is_array(n);
	case KEY_OBJECT:
	case KEY_JSON:
	case KEY_GRAPHS:
		return json_is_object(n);
	case KEY_ENV:
		return json_is_object(n) || json_is_string(n);
	default:
		return true;
	}
}

/* "src/embed.py:embed" */
static bool
is_code(struct str s)
{
	static const char *const endings[] = { ".py", ".js", ".mjs", ".cjs", ".ts", ".mts" };
	struct str file;

	(void)after_last(s, ':', &file);
	for (size_t i = 0; i < COUNT(endings); i++)
		if (str_ends(file, str_of(endings[i])))
			return true;
	return str_index(file, '/') >= 0;
}

static int
value_text(struct reader *r, enum key_kind kind, jnode n)
{
	buf_clear(&r->value);
	switch (kind) {
	case KEY_TEXT:
		return add_text(r, n);
	case KEY_PATH:
		if (has_nul(json_str(n)) || json_str(n).n == 0)
			return fail(r, "expected a path");
		add_path(r, &r->value, json_str(n));
		return OK;
	case KEY_MODEL:
		if (is_code(json_str(n)))
			return fail(r, "code cannot be loaded; expected a model, as in "
			    "openai:text-embedding-3-small");
		return add_text(r, n);
	case KEY_NUMBER:
		add_number(&r->value, n);
		return OK;
	case KEY_BOOL:
		buf_add(&r->value, json_bool(n) ? S("true") : S("false"));
		return OK;
	case KEY_LIST:
		return add_list(r, n);
	default:
		assert(kind == KEY_JSON);
		json_add_node(&r->value, n);
		return OK;
	}
}

static int
set(struct reader *r, const struct key *k, jnode n)
{
	struct buf origin = BUF(SIZE_MAX / 2);
	int rc = value_text(r, k->kind, n);

	if (rc == OK) {
		buf_add_fmt(&origin, "%s: %.*s%c", r->name, FMT(buf_str(&r->path)), '\0');
		rc = config_set(r->c, k->setting, buf_str(&r->value), RANK_LANGGRAPH,
		    origin.p, r->e);
	}
	buf_release(&origin);
	return rc;
}

/* ---- graphs ------------------------------------------------------------------- */

static bool
is_agent_file(struct str path)
{
	struct str folder;

	return folder_takes(after_last(path, '/', &folder));
}

/* A file of JavaScript or TypeScript may be named alone: its default export. */
static bool
is_js_file(struct str path)
{
	static const char *const endings[] = { ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts",
		".tsx", ".jsx" };

	for (size_t i = 0; i < COUNT(endings); i++)
		if (str_ends(path, str_of(endings[i])))
			return true;
	return false;
}

/* "src/agent.py", or a module "pkg.agent". */
static bool
is_python(struct str file)
{
	for (size_t i = 0; i < file.n && !str_ends(file, S(".py")); i++) {
		char c = file.p[i];

		if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '.' && c != '_')
			return false;
	}
	return file.n > 0;
}

/* "./agent.yaml" is an agent file, "./agent.py:graph" is code; anything else is a mistake. */
static int
read_graph_path(struct reader *r, struct str path, bool *code, enum code_lang *lang)
{
	struct str file, name;

	*code = false;
	if (is_agent_file(path) && !has_nul(path))
		return OK;
	name = after_last(path, ':', &file);
	if (is_agent_file(file))
		return fail(r, "an agent file holds one agent: expected \"%.*s\" without "
		    "\":%.*s\"", FMT(str_cut(file, 60)), FMT(str_cut(name, 30)));
	*code = true;
	*lang = is_js_file(path) || is_js_file(file) ? CODE_JS : CODE_PYTHON;
	if (!has_nul(path) && (*lang == CODE_JS ? is_js_file(path) || name.n > 0 :
	    is_python(file) && name.n > 0))
		return OK;
	return fail(r, "expected the path of an agent file (.yaml, .yml, .json, .scxml), or code "
	    "as in ./agent.py:graph or ./agent.ts:graph, got \"%.*s\"", FMT(str_cut(path, 80)));
}

static bool
is_taken(const struct langgraph *l, struct str id)
{
	for (size_t i = 0; i < l->graphs_n; i++)
		if (str_eq(str_of(l->graphs[i].id), id))
			return true;
	for (size_t i = 0; i < l->code_n; i++)
		if (str_eq(str_of(l->code[i].id), id))
			return true;
	return false;
}

static bool
is_graph_id(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '.' && c != '-' && c != '_')
			return false;
	}
	return s.n > 0 && s.n <= LIMIT_NAME_BYTES && s.p[0] != '.';
}

static int
add_graph(struct reader *r, struct str id, struct str path, jnode description)
{
	struct langgraph *l = &r->c->langgraph;
	struct buf full = BUF(SIZE_MAX / 2);
	enum code_lang lang = CODE_JS;
	bool code;

	if (is_taken(l, id))
		return fail(r, "given twice");
	if (!is_graph_id(id))
		return fail(r, "expected a name of letters, digits, '.', '-' and '_'");
	if (read_graph_path(r, path, &code, &lang) != OK)
		return ERR_INVALID;
	if (code) {
		mem_grow(l->code, l->code_n, l->code_cap);
		l->code[l->code_n++] = (struct graph_code){ mem_cstr(id), mem_cstr(path), lang };
		return OK;
	}
	add_path(r, &full, path);
	mem_grow(l->graphs, l->graphs_n, l->graphs_cap);
	l->graphs[l->graphs_n++] = (struct graph_file){ mem_cstr(id),
		mem_cstr(buf_str(&full)), json_is_null(description) ? NULL :
		mem_cstr(json_str(description)) };
	buf_release(&full);
	return OK;
}

static int
read_graph(struct reader *r, struct str id, jnode n)
{
	jnode path = n, description = NULL;
	struct json_iter it = json_each(n);

	if (json_is_object(n)) {
		path = json_get(n, S("path"));
		description = json_get(n, S("description"));
	}
	while (json_is_object(n) && json_next(&it))
		if (!str_eq(json_str(it.key), S("path")) &&
		    !str_eq(json_str(it.key), S("description")))
			return fail(r, "expected path and description, got \"%.*s\"",
			    FMT(str_cut(json_str(it.key), 60)));
	if (!json_is_string(path))
		return fail(r, "expected a path, or an object with a path, got %s",
		    path == NULL ? "none" : json_kind(path));
	if (!json_is_null(description) && !json_is_string(description))
		return fail(r, "description: expected a string, got %s",
		    json_kind(description));
	return add_graph(r, id, json_str(path), description);
}

static int
read_graphs(struct reader *r, jnode n)
{
	struct json_iter it = json_each(n);
	int rc = OK;

	while (rc == OK && json_next(&it)) {
		size_t mark;

		enter(r, json_str(it.key), &mark);
		rc = read_graph(r, json_str(it.key), it.value);
		buf_cut(&r->path, mark);
	}
	return rc;
}

/* ---- env ---------------------------------------------------------------------- */

static int
read_env_file(struct reader *r, struct str path)
{
	struct buf full = BUF(SIZE_MAX / 2), text = BUF(FILE_MAX);
	int rc;

	add_path(r, &full, path);
	buf_add_char(&full, '\0');
	rc = has_nul(path) ? fail(r, "expected a path") : file_add(full.p, &text, r->e);
	if (rc == OK)
		rc = env_file_read(&r->c->langgraph.env, full.p, buf_str(&text), r->e);
	buf_release(&full);
	buf_release(&text);
	return rc;
}

static int
read_env(struct reader *r, jnode n)
{
	struct json_iter it = json_each(n);
	int rc = OK;

	if (json_is_string(n))
		return read_env_file(r, json_str(n));
	while (rc == OK && json_next(&it)) {
		struct str name = json_str(it.key);
		size_t mark;

		enter(r, name, &mark);
		if (!env_name_is_good(name))
			rc = fail(r, "expected a name of letters, digits and _");
		else if (!json_is_string(it.value))
			rc = fail(r, "expected a string, got %s", json_kind(it.value));
		else if (has_nul(json_str(it.value)))
			rc = fail(r, "a text with a NUL byte");
		else
			env_list_add(&r->c->langgraph.env, name, json_str(it.value));
		buf_cut(&r->path, mark);
	}
	return rc;
}

/* ---- keys --------------------------------------------------------------------- */

static const struct key *
key_find(struct str path)
{
	for (size_t i = 0; i < COUNT(keys); i++)
		if (str_eq(str_of(keys[i].path), path))
			return &keys[i];
	return NULL;
}

/* Compares whole paths: the key may be misspelt, or in the wrong object. */
static int
unknown(struct reader *r)
{
	struct str_near near = { .word = buf_str(&r->path) };

	for (size_t i = 0; i < COUNT(keys); i++)
		str_near_try(&near, keys[i].path);
	return err_near(r->e, ERR_INVALID, near.best, "", "%s: unknown key \"%.*s\"", r->name,
	    FMT(str_cut(buf_str(&r->path), 100)));
}

static int read_object(struct reader *r, jnode n);

static int
take(struct reader *r, const struct key *k, jnode n)
{
	if (r->seen[k - keys])
		return fail(r, "given twice");
	r->seen[k - keys] = true;
	if (json_is_null(n))
		return OK;
	if (k->kind == KEY_REFUSED)
		return fail(r, "is not supported: %s", k->help);
	if (!is_kind(k->kind, n))
		return fail(r, "expected %s, got %s", kind_names[k->kind], json_kind(n));
	switch (k->kind) {
	case KEY_OBJECT:
		return read_object(r, n);
	case KEY_GRAPHS:
		return read_graphs(r, n);
	case KEY_ENV:
		return read_env(r, n);
	case KEY_TRUE:
		return json_bool(n) ? OK : fail(r, "false is not supported: %s", k->help);
	case KEY_IDLE:
		r->idle[k - keys] = true;
		return OK;
	default:
		return set(r, k, n);
	}
}

static int
read_object(struct reader *r, jnode n)
{
	struct json_iter it = json_each(n);
	int rc = OK;

	while (rc == OK && json_next(&it)) {
		const struct key *k;
		size_t mark;

		enter(r, json_str(it.key), &mark);
		k = key_find(buf_str(&r->path));
		rc = k != NULL ? take(r, k, it.value) : unknown(r);
		buf_cut(&r->path, mark);
	}
	return rc;
}

/* The line of the first comment outside of strings; 0: there is none. */
static size_t
comment_line(struct str text)
{
	size_t line = 1;
	bool in_string = false;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		line += c == '\n';
		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && c == '/' && i + 1 < text.n &&
		    (text.p[i + 1] == '/' || text.p[i + 1] == '*'))
			return line;
	}
	return 0;
}

static int
parse(struct reader *r, struct str text, struct json_doc *doc)
{
	struct err why;
	int rc = json_parse(doc, text, &why);
	size_t line = rc == OK ? 0 : comment_line(text);

	if (line > 0)
		return err_set(r->e, ERR_INVALID, "%s:%zu: a comment, which JSON does not have; "
		    "take it out", r->name, line);
	if (rc != OK)
		return err_set(r->e, ERR_INVALID, "%s: %s", r->name, why.text);
	return json_is_object(doc->root) ? OK : err_set(r->e, ERR_INVALID,
	    "%s: expected an object, got %s", r->name, json_kind(doc->root));
}

/* What workers of code look at has an effect there. */
static bool
is_of_workers(const struct key *k)
{
	static const char *const paths[] = { "dependencies", "node_version", "python_version" };

	for (size_t i = 0; i < COUNT(paths); i++)
		if (str_eq(str_of(k->path), str_of(paths[i])))
			return true;
	return false;
}

static void
warn_idle(const struct reader *r)
{
	struct buf b = BUF(SIZE_MAX / 2);

	for (size_t i = 0; i < COUNT(keys); i++)
		if (r->idle[i] && (r->c->langgraph.code_n == 0 || !is_of_workers(&keys[i])))
			buf_add_fmt(&b, "%s%s", b.n > 0 ? ", " : "", keys[i].path);
	if (b.n > 0)
		buf_add_fmt(&r->c->warnings, "%s: these keys have no effect here: %.*s\n", r->name,
		    FMT(buf_str(&b)));
	buf_release(&b);
}

int
langgraph_read(struct config *c, const char *name, struct str text, struct err *e)
{
	struct reader r = { .c = c, .name = name, .e = e, .path = BUF(SIZE_MAX / 2),
		.value = BUF(SIZE_MAX / 2) };
	struct json_doc doc = { 0 };
	int rc = parse(&r, text, &doc);

	free(c->langgraph.file);
	c->langgraph.file = mem_cstr(str_of(name));
	(void)after_last(str_of(name), '/', &r.folder);
	if (str_index(str_of(name), '/') >= 0)
		r.folder = str_sub(str_of(name), 0, r.folder.n + 1);
	if (rc == OK)
		rc = read_object(&r, doc.root);
	if (rc == OK)
		warn_idle(&r);
	json_release(&doc);
	buf_release(&r.path);
	buf_release(&r.value);
	return rc;
}

int
langgraph_read_file(struct config *c, const char *path, struct err *e)
{
	struct buf text = BUF(FILE_MAX);
	int rc = file_add(path, &text, e);

	if (rc == OK)
		rc = langgraph_read(c, path, buf_str(&text), e);
	buf_release(&text);
	return rc;
}

void
langgraph_release(struct langgraph *l)
{
	for (size_t i = 0; i < l->graphs_n; i++) {
		free(l->graphs[i].id);
		free(l->graphs[i].path);
		free(l->graphs[i].description);
	}
	for (size_t i = 0; i < l->code_n; i++) {
		free(l->code[i].id);
		free(l->code[i].path);
	}
	free(l->graphs);
	free(l->code);
	free(l->file);
	env_list_release(&l->env);
}

void
langgraph_export(const struct langgraph *l)
{
	for (size_t i = 0; i < l->env.n; i++) {
		struct str rest = str_of(l->env.at[i]), name;
		char *key;

		(void)str_next(&rest, '=', &name);
		key = mem_cstr(name);
		setenv(key, rest.p, 0);
		free(key);
	}
}

bool
code_lang_of(struct str file, enum code_lang *lang)
{
	*lang = is_js_file(file) ? CODE_JS : CODE_PYTHON;
	return *lang == CODE_JS || str_ends(file, S(".py"));
}

bool
langgraph_has_code(const struct langgraph *l, enum code_lang lang)
{
	for (size_t i = 0; i < l->code_n; i++)
		if (l->code[i].lang == lang)
			return true;
	return false;
}

void
langgraph_add_code(struct buf *b, const struct langgraph *l)
{
	static const char *const commands[CODE_LANGS] = {
		[CODE_JS] = "npx cohort-worker", [CODE_PYTHON] = "python -m cohort_worker",
	};

	for (int lang = 0; lang < CODE_LANGS; lang++) {
		size_t n = 0;

		for (size_t i = 0; i < l->code_n; i++)
			if (l->code[i].lang == (enum code_lang)lang)
				buf_add_fmt(b, "%s%s (%s)", n++ > 0 ? ", " : "", l->code[i].id,
				    l->code[i].path);
		if (n > 0)
			buf_add_fmt(b, ": code, served by a worker, which runs beside the server: "
			    "%s %s\n", commands[lang], l->file);
	}
}

/* ---- documentation -------------------------------------------------------------- */

void
langgraph_add_markdown(struct buf *b)
{
	buf_lit(b, "| key | value | sets | meaning |\n|---|---|---|---|\n");
	for (size_t i = 0; i < COUNT(keys); i++) {
		const struct key *k = &keys[i];

		if (k->kind == KEY_OBJECT)
			continue;
		buf_add_fmt(b, "| `%s` | %s | ", k->path, k->kind == KEY_REFUSED ? "refused" :
		    k->kind == KEY_IDLE ? "no effect" : kind_names[k->kind]);
		if (k->setting < SETTINGS)
			buf_add_fmt(b, "`%s`", config_settings[k->setting].key);
		buf_add_fmt(b, " | %s |\n", k->help);
	}
}
