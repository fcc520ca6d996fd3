/*
 * intake.c - registrations: reading one, and entering it.
 *
 *   read -> names reserved -> other nodes asked -> graphs published (by the hook) ->
 *   session entered -> answered
 *
 * From the first step to the last the names are reserved for the key, so that nobody else
 * takes them: of two nodes that reserve one name for two keys each finds the other's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "worker/worker_priv.h"

#include <string.h>

#include "base/fields.h"

#define PROTOCOL 1
#define TIMEOUT_MAX_S 86400

/* ---- reading ------------------------------------------------------------------------ */

static const struct {
	const char *key, *what;
	enum worker_kind kind;               /* whose name it takes */
	const char *taken;                   /* why, when another key has it */
} lists[SERVED_KINDS] = {
	[SERVED_GRAPH] = { "graphs", "graph id", WORKER_RUN, "graph_taken" },
	[SERVED_RUN] = { "runs", "run id", WORKER_RUN, "graph_taken" },
	[SERVED_NODE] = { "nodes", "node name", WORKER_NODE, "node_taken" },
	[SERVED_TOOL] = { "tools", "tool name", WORKER_TOOL, "tool_taken" },
};

static bool
is_name(struct str s, enum worker_served_kind kind)
{
	struct uuid id;

	if (s.n == 0 || (kind == SERVED_TOOL && (s.n > 64 || str_contains(s, S("__")))) ||
	    (kind < SERVED_NODE && uuid_parse(s, &id)))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') &&
		    c != '_' && c != '-' && (c != '.' || kind == SERVED_TOOL || i == 0))
			return false;
	}
	return true;
}

static const char *
name_rule(enum worker_served_kind kind)
{
	return kind == SERVED_TOOL ? "1 to 64 letters, digits, _ or -, without __" :
	    kind == SERVED_NODE ? "letters, digits, _, - or ." :
	    "letters, digits, _, - or ., and no UUID";
}

/* An object of objects by these names (NULL: any); JSON Schemas in the end. */
static void
read_schemas(struct fields *up, const char *key, const char *const *names)
{
	struct fields f, part;

	if (!fields_object(up, key, &f))
		return;
	if (names == NULL) {
		struct json_iter it = json_each(f.node);

		while (json_next(&it) && f.rc == OK)
			if (!json_is_object(it.value))
				fields_fail(&f, NULL, ERR_INVALID, "expected an object for each "
				    "namespace, got %s for \"%.*s\"", json_kind(it.value),
				    FMT(str_cut(json_str(it.key), 64)));
		return;
	}
	for (size_t i = 0; names[i] != NULL; i++)
		fields_object(&f, names[i], &part);
	fields_end(&f);
}

static void
read_drawing(struct fields *up, const char *key)
{
	static const char *const parts[] = { "nodes", "edges" };
	struct fields f, list, item;

	if (!fields_object(up, key, &f))
		return;
	for (size_t i = 0; i < COUNT(parts); i++) {
		if (!fields_array(&f, parts[i], LIMIT_JSON_VALUES, &list))
			fields_fail(&f, parts[i], ERR_INVALID, "expected an array, got nothing");
		while (fields_next(&list, &item))
			continue;
	}
	fields_end(&f);
}

static void
read_graph(struct fields *f, bool neutral)
{
	static const char *const schemas[] = { "input", "output", "state", "config", "context",
		NULL };

	read_schemas(f, "schemas", schemas);
	if (neutral)
		return;
	read_drawing(f, "drawing");
	read_drawing(f, "xray");
	read_schemas(f, "subgraphs", NULL);
}

static void
read_step(struct worker_intake *in, struct fields *f, enum worker_served_kind kind,
    struct worker_facts *out)
{
	const char *key = kind == SERVED_TOOL ? "schema" : "input_schema";
	struct fields schema;
	int64_t timeout = 0;
	struct buf b = BUF(LIMIT_WORKER_BYTES);

	fields_bool(f, "idempotent", &out->idempotent);
	fields_int(f, "timeout_s", 1, TIMEOUT_MAX_S, &timeout);
	out->timeout = timeout * 1000;
	if (fields_object(f, key, &schema)) {
		json_add_node(&b, schema.node);
		out->schema_json = arena_str(&in->arena, buf_str(&b));
	} else if (kind == SERVED_TOOL) {
		fields_fail(f, key, ERR_INVALID, "expected the JSON Schema of the arguments, "
		    "got nothing");
	}
	if (kind == SERVED_TOOL && out->description.n == 0)
		fields_fail(f, "description", ERR_INVALID, "expected what the model is told of "
		    "the tool, got nothing");
	buf_release(&b);
}

static void
read_served(struct worker_intake *in, struct fields *f, enum worker_served_kind kind,
    struct worker_may may)
{
	const char *key = kind < SERVED_NODE ? "id" : "name";
	struct worker_served *s = &in->served[in->served_n];
	struct str name = STR_NONE, description = STR_NONE;
	struct buf b = BUF(LIMIT_WORKER_BYTES);
	bool allowed = may.n == 0;

	*s = (struct worker_served){ .kind = kind };
	fields_str(f, key, LIMIT_WORKER_NAME_BYTES, &name);
	if (f->rc == OK && !is_name(name, kind))
		fields_fail(f, key, ERR_INVALID, "expected %s, got \"%.*s\"", name_rule(kind),
		    FMT(str_cut(name, 64)));
	fields_str(f, "description", LIMIT_WORKER_BYTES, &description);
	s->facts.name = arena_str(&in->arena, name);
	s->facts.description = arena_str(&in->arena, description);
	if (kind < SERVED_NODE)
		read_graph(f, kind == SERVED_RUN);
	else
		read_step(in, f, kind, &s->facts);
	fields_end(f);
	for (size_t i = 0; !allowed && i < may.n; i++)
		allowed = str_eq(may.ids[i], name);
	if (f->rc == OK && !allowed)
		fields_fail(f, key, ERR_DENIED, "the key may not serve \"%.*s\": it is not in "
		    "its graphs=", FMT(str_cut(name, 64)));
	for (size_t i = 0; f->rc == OK && i < in->served_n; i++)
		if (lists[in->served[i].kind].kind == lists[kind].kind &&
		    str_eq(in->served[i].facts.name, name))
			fields_fail(f, key, ERR_INVALID, "\"%.*s\" is named twice",
			    FMT(str_cut(name, 64)));
	json_add_node(&b, f->node);
	s->json = arena_str(&in->arena, buf_str(&b));
	buf_release(&b);
	in->served_n++;
}

static void
read_slots(struct worker_intake *in, struct fields *f)
{
	struct fields slots;

	in->slots[WORKER_SLOT_RUN] = in->slots[WORKER_SLOT_NODE] = 0;
	if (!fields_object(f, "slots", &slots)) {
		fields_fail(f, "slots", ERR_INVALID, "expected {\"run\":N,\"node\":N}, got "
		    "nothing");
		return;
	}
	fields_int(&slots, "run", 0, LIMIT_WORKER_SLOTS, &in->slots[WORKER_SLOT_RUN]);
	fields_int(&slots, "node", 0, LIMIT_WORKER_SLOTS, &in->slots[WORKER_SLOT_NODE]);
	fields_end(&slots);
}

static void
read_text(struct worker_intake *in, struct fields *f, const char *key, struct str *out)
{
	struct str s = STR_NONE;

	fields_str(f, key, LIMIT_WORKER_NAME_BYTES, &s);
	if (f->rc == OK && s.n == 0)
		fields_fail(f, key, ERR_INVALID, "expected a text, got nothing");
	for (size_t i = 0; f->rc == OK && i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			fields_fail(f, key, ERR_INVALID, "expected a text without control "
			    "characters");
	*out = arena_str(&in->arena, s);
}

int
worker_intake_read(struct worker_intake *in, jnode body, struct worker_may may, struct err *e)
{
	struct fields f, list, item;
	int64_t protocol = PROTOCOL;
	size_t n = 0;

	fields_open(&f, body, "body", e);
	read_text(in, &f, "name", &in->name);
	read_text(in, &f, "build", &in->build);
	read_text(in, &f, "lang", &in->lang);
	fields_int(&f, "protocol", PROTOCOL, PROTOCOL, &protocol);
	if (in->asked)
		fields_int(&f, "asked", INTAKE_NAMES, INTAKE_GRAPHS, &in->asked);
	read_slots(in, &f);
	for (size_t k = 0; k < SERVED_KINDS; k++)
		n += json_count(json_get(body, str_of(lists[k].key)));
	if (f.rc == OK && (n == 0 || n > LIMIT_WORKER_SERVES))
		fields_fail(&f, NULL, ERR_INVALID, "expected 1 to %d graphs, runs, nodes and "
		    "tools, got %zu", LIMIT_WORKER_SERVES, n);
	in->served_n = 0;
	in->served = f.rc == OK ? arena_zero(&in->arena, n * sizeof *in->served) : NULL;
	for (unsigned k = 0; k < SERVED_KINDS; k++) {
		if (!fields_array(&f, lists[k].key, LIMIT_WORKER_SERVES, &list))
			continue;
		while (in->served != NULL && in->served_n < n && fields_next(&list, &item))
			read_served(in, &item, k, may);
	}
	if (f.rc == OK && in->arena.failed)
		fields_fail(&f, NULL, ERR_TOOBIG, "too large");
	return fields_end(&f);
}

bool
worker_intake_has_graphs(const struct worker_intake *in)
{
	for (size_t i = 0; i < in->served_n; i++)
		if (in->served[i].kind < SERVED_NODE)
			return true;
	return false;
}

void
worker_intake_question(const struct worker_intake *in, enum intake_asks asks, struct buf *b)
{
	json_add_fmt(b, "{'asked':%d,'name':%.*s,'build':%.*s,'lang':%.*s,'slots':{}", (int)asks,
	    FMT(in->name), FMT(in->build), FMT(in->lang));
	for (unsigned k = 0; k < SERVED_KINDS; k++) {
		json_add_fmt(b, ",%s:[", lists[k].key);
		for (size_t i = 0; i < in->served_n; i++)
			if (in->served[i].kind == k)
				json_add_fmt(b, k < SERVED_NODE ? ",{'id':%.*s}" : k == SERVED_TOOL ?
				    ",{'name':%.*s,'description':'-','schema':{}}" :
				    ",{'name':%.*s}", FMT(in->served[i].facts.name));
		buf_add_char(b, ']');
	}
	buf_add_char(b, '}');
}

/* ---- names ---------------------------------------------------------------------------- */

static bool
is_held(struct workers *ws, const struct worker_service *sv, const uint8_t key[SHA256_SIZE])
{
	if (!sv->held || memcmp(sv->holder, key, SHA256_SIZE) == 0)
		return false;
	if (service_is_served(sv) || sv->reserved > 0)
		return true;
	return sv->claimed && (ws->valid == NULL || ws->valid(ws->valid_ctx, sv->holder));
}

/* The services of one that is served: an agent of a run is a node too. */
static const struct { size_t n; enum service_kind kinds[2]; } services_of[SERVED_KINDS] = {
	[SERVED_GRAPH] = { 1, { SERVICE_GRAPH } },
	[SERVED_RUN] = { 2, { SERVICE_GRAPH, SERVICE_NODE } },
	[SERVED_NODE] = { 1, { SERVICE_NODE } },
	[SERVED_TOOL] = { 1, { SERVICE_TOOL } },
};

static int
is_taken(const struct worker_served *s, const char **why, struct err *e)
{
	*why = lists[s->kind].taken;
	return err_set(e, ERR_CONFLICT, "%s \"%.*s\" is served by a worker of another key",
	    lists[s->kind].what, FMT(s->facts.name));
}

/* At once: a service that is idle goes when the next one needs its room. */
static int
name_take(struct workers *ws, const struct worker_intake *in, const struct worker_served *s,
    enum service_kind kind, const char **why, struct err *e)
{
	struct worker_service *sv = service_get(ws, kind, s->facts.name);

	if (sv == NULL)
		return err_set(e, ERR_LIMIT, "%d names are served by workers",
		    LIMIT_WORKER_NAMES);
	if (is_held(ws, sv, in->key))
		return is_taken(s, why, e);
	sv->reserved++;
	sv->held = true;
	memcpy(sv->holder, in->key, SHA256_SIZE);
	return OK;
}

/* The first n that were reserved are not any more. */
static void
names_leave(struct workers *ws, const struct worker_intake *in, size_t n)
{
	for (size_t i = 0; i < in->served_n; i++) {
		const struct worker_served *s = &in->served[i];

		for (size_t k = 0; n > 0 && k < services_of[s->kind].n; k++, n--)
			service_find(ws, services_of[s->kind].kinds[k],
			    s->facts.name)->reserved--;
	}
}

static int
names_take(struct workers *ws, const struct worker_intake *in, const char **why, struct err *e)
{
	size_t bytes = 0, taken = 0;
	int rc = OK;

	if (ws->sessions.n >= LIMIT_WORKERS)
		return err_set(e, ERR_LIMIT, "%d workers are registered", LIMIT_WORKERS);
	for (size_t i = 0; i < in->served_n; i++)
		bytes += in->served[i].json.n;
	if (ws->bytes + bytes > LIMIT_WORKERS_BYTES)
		return err_set(e, ERR_LIMIT, "workers have registered %d bytes of schemas and "
		    "drawings", LIMIT_WORKERS_BYTES);
	for (size_t i = 0; rc == OK && i < in->served_n; i++) {
		const struct worker_served *s = &in->served[i];

		for (size_t k = 0; rc == OK && k < services_of[s->kind].n; k++) {
			rc = name_take(ws, in, s, services_of[s->kind].kinds[k], why, e);
			taken += rc == OK;
		}
	}
	if (rc < 0)
		names_leave(ws, in, taken);
	return rc;
}

/* Under the lock.  What runs begin from when it is answered there waits for its build here. */
static void
builds_come(struct worker_desk *d, const struct worker_intake *in)
{
	for (size_t i = 0; i < in->served_n; i++) {
		const struct worker_served *s = &in->served[i];

		for (size_t k = 0; k < services_of[s->kind].n; k++) {
			struct worker_service *sv = service_get(d->workers,
			    services_of[s->kind].kinds[k], s->facts.name);

			if (sv != NULL)
				build_comes(sv, in->build, shard_wall(d->shard),
				    shard_now(d->shard));
		}
	}
}

int
workers_names_free(struct worker_desk *d, const struct worker_intake *in, const char **why,
    struct err *e)
{
	struct workers *ws = d->workers;
	int rc = OK;

	workers_lock(ws);
	for (size_t i = 0; rc == OK && i < in->served_n; i++) {
		const struct worker_served *s = &in->served[i];

		for (size_t k = 0; rc == OK && k < services_of[s->kind].n; k++) {
			struct worker_service *sv = service_find(ws,
			    services_of[s->kind].kinds[k], s->facts.name);

			if (sv != NULL && is_held(ws, sv, in->key))
				rc = is_taken(s, why, e);
		}
	}
	if (rc == OK)
		builds_come(d, in);
	workers_unlock(ws);
	return rc;
}

/* Names of the server's own. */
static int
check_reserved(struct workers *ws, const struct worker_intake *in, const char **why,
    struct err *e)
{
	for (size_t i = 0; ws->reserved != NULL && i < in->served_n; i++) {
		const struct worker_served *s = &in->served[i];

		if (!ws->reserved(ws->reserved_ctx, lists[s->kind].kind, s->facts.name))
			continue;
		*why = s->kind == SERVED_TOOL ? NULL : lists[s->kind].taken;
		return err_set(e, s->kind == SERVED_TOOL ? ERR_INVALID : ERR_CONFLICT,
		    "%s \"%.*s\" is one of the server's own", lists[s->kind].what,
		    FMT(s->facts.name));
	}
	return OK;
}

/* ---- entering ---------------------------------------------------------------------------- */

static struct str
own(struct str s)
{
	return (struct str){ mem_cstr(s), s.n };
}

struct worker_session *
worker_session_new(struct worker_desk *d, const struct worker_intake *in, struct uuid name)
{
	struct worker_session *s = mem_new(struct worker_session);
	struct buf id = BUF(UUID_TEXT);

	s->mark = SESSION_MARK;
	s->refs = 1;
	s->id = name;
	uuid_add(&id, &s->id);
	s->id_text = own(buf_str(&id));
	buf_release(&id);
	s->name = own(in->name);
	s->build = own(in->build);
	s->lang = own(in->lang);
	memcpy(s->key, in->key, sizeof s->key);
	memcpy(s->slots, in->slots, sizeof s->slots);
	s->since = shard_wall(d->shard);
	session_seen(s, shard_now(d->shard));
	list_init(&s->leases);
	list_init(&s->outbox);
	list_init(&s->notices);
	return s;
}

void
session_add_row(struct worker_session *s, struct worker_service *sv)
{
	struct worker_row *r = &s->rows[s->rows_n++];

	r->session = s;
	r->service = sv;
	r->build = build_get(sv, s->build, s->since);
	if (session_is_live(s)) {
		r->build->live++;
		sv->live++;
		sv->changed = true;
	}
	list_append(&sv->rows, &r->in_service);
}

void
service_set_json(struct workers *ws, struct worker_service *sv, enum worker_served_kind kind,
    struct str json)
{
	ws->bytes -= sv->json.n;
	buf_clear(&sv->json);
	buf_add(&sv->json, json);
	ws->bytes += sv->json.n;
	sv->served = kind;
}

static void
session_enter(struct worker_desk *d, struct worker_intake *in)
{
	struct workers *ws = d->workers;
	struct worker_session *s = worker_session_new(d, in, worker_name_new(ws));

	in->worker_id = s->id;
	s->rows = mem_zero(2 * in->served_n * sizeof *s->rows);
	for (size_t i = 0; i < in->served_n; i++) {
		const struct worker_served *served = &in->served[i];

		for (size_t k = 0; k < services_of[served->kind].n; k++) {
			enum service_kind kind = services_of[served->kind].kinds[k];
			struct worker_service *sv = service_find(ws, kind, served->facts.name);

			session_add_row(s, sv);
			service_set_json(ws, sv, served->kind, served->json);
			if (kind == SERVICE_GRAPH && ws->graphs != NULL)
				sv->claimed = true;
		}
	}
	map_put(&ws->sessions, s);
}

void
workers_graphs_done(struct worker_intake *in, int rc, const struct err *e)
{
	struct worker_desk *d = in->desk;
	struct workers *ws = d->workers;

	workers_lock(ws);
	names_leave(ws, in, SIZE_MAX);
	if (rc == OK)
		session_enter(d, in);
	workers_unlock(ws);
	if (rc == OK)
		away_changed(ws);
	in->done(in, rc, NULL, e);
}

void
workers_names_asked(struct worker_intake *in, int rc, const char *why, const struct err *e)
{
	struct workers *ws = in->desk->workers;

	if (rc < 0) {
		workers_lock(ws);
		names_leave(ws, in, SIZE_MAX);
		workers_unlock(ws);
		in->done(in, rc, why, e);
		return;
	}
	if (worker_intake_has_graphs(in) && ws->graphs != NULL)
		ws->graphs(ws->graphs_ctx, in);
	else
		workers_graphs_done(in, OK, NULL);
}

void
workers_register(struct worker_desk *d, struct worker_intake *in)
{
	struct workers *ws = d->workers;
	const char *why = NULL;
	struct err e = { 0 };
	int rc = check_reserved(ws, in, &why, &e);

	in->desk = d;
	if (rc == OK && d->draining)
		rc = err_set(&e, ERR_BUSY, "the server is stopping");
	if (rc == OK) {
		workers_lock(ws);
		rc = names_take(ws, in, &why, &e);
		workers_unlock(ws);
	}
	if (rc < 0)
		in->done(in, rc, why, &e);
	else if (in->ask != NULL)
		in->ask(in);
	else
		workers_names_asked(in, OK, NULL, NULL);
}

/* ---- asking -------------------------------------------------------------------------------- */

static void
facts_read(jnode n, struct worker_service *sv, struct arena *arena, struct worker_facts *out)
{
	const char *key = sv->served == SERVED_TOOL ? "schema" : "input_schema";
	struct buf b = BUF(LIMIT_WORKER_BYTES);
	jnode schema = json_get(n, str_of(key));
	int64_t timeout = json_is_int(json_get(n, S("timeout_s"))) ?
	    json_int(json_get(n, S("timeout_s"))) : 0;

	*out = (struct worker_facts){ .name = arena_str(arena, sv->key.name),
		.description = arena_str(arena, json_str(json_get(n, S("description")))),
		.idempotent = json_bool(json_get(n, S("idempotent"))),
		.timeout = timeout * 1000 };
	if (json_is_object(schema)) {
		json_add_node(&b, schema);
		out->schema_json = arena_str(arena, buf_str(&b));
	}
	buf_release(&b);
}

bool
workers_find(struct workers *ws, enum worker_kind kind, struct str name, struct arena *arena,
    struct worker_facts *out)
{
	struct worker_service *sv;
	struct json_doc doc = { 0 };
	bool found;

	workers_lock(ws);
	sv = service_find(ws, service_of(kind), name);
	found = sv != NULL && sv->json.n > 0 && json_parse(&doc, buf_str(&sv->json), NULL) == OK;
	if (found)
		facts_read(doc.root, sv, arena, out);
	workers_unlock(ws);
	json_release(&doc);
	return found;
}
