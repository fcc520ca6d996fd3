/*
 * checkpoint.c - which state of a thread a client means.
 *
 *   checkpoint_id                    an id alone: of the root
 *   checkpoint                       {thread_id, checkpoint_ns, checkpoint_id, checkpoint_map}
 *   config.configurable              the same two names, of runs
 *
 * Clients send back what a state showed them, so all of its members may come, each
 * as null too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include "base/scan.h"

static void
id_read(struct fields *f, struct uuid *out)
{
	jnode n = fields_any(f, "checkpoint_id");
	struct str text = json_str(n);
	struct uuid id;

	if (f->rc != OK || json_is_null(n) || (json_is_string(n) && text.n == 0))
		return;
	if (!json_is_string(n))
		fields_fail(f, "checkpoint_id", ERR_INVALID,
		    "expected a checkpoint's id, a UUID, got %s", json_kind(n));
	else if (!uuid_parse(text, &id))
		fields_fail(f, "checkpoint_id", ERR_INVALID, "expected a checkpoint's id, "
		    "a UUID, got \"%.*s\"", FMT(param_shown(text)));
	else if (!uuid_is_zero(out) && !uuid_eq(out, &id))
		fields_fail(f, "checkpoint_id", ERR_INVALID, "another than the one of "
		    "checkpoint; send one of the two");
	else
		*out = id;
}

static void
namespace_read(struct call *c, struct fields *f, struct str *out)
{
	struct str ns = STR_NONE;

	fields_str(f, "checkpoint_ns", LIMIT_CHECKPOINT_NS_BYTES, &ns);
	if (ns.n > 0)
		*out = arena_str(&c->r->arena, ns);
}

static void
thread_check(struct call *c, struct fields *f)
{
	struct str text = STR_NONE;
	struct uuid id;

	fields_str(f, "thread_id", LIMIT_NAME_BYTES, &text);
	if (text.n > 0 && (!uuid_parse(text, &id) || !uuid_eq(&id, &c->thread_id)))
		fields_fail(f, "thread_id", ERR_INVALID, "expected the thread of the "
		    "path, got \"%.*s\"", FMT(param_shown(text)));
}

bool
call_read_checkpoint(struct call *c, struct checkpoint_ref *out)
{
	struct fields checkpoint, map;
	bool given;

	*out = (struct checkpoint_ref){ .ns = STR_NONE };
	given = fields_object(c->in, "checkpoint", &checkpoint);
	thread_check(c, &checkpoint);
	namespace_read(c, &checkpoint, &out->ns);
	id_read(&checkpoint, &out->id);
	fields_object(&checkpoint, "checkpoint_map", &map);
	id_read(c->in, &out->id);
	return given;
}

void
call_read_run_checkpoint(struct call *c, struct checkpoint_ref *out)
{
	struct fields config, configurable;

	call_read_checkpoint(c, out);
	fields_object(c->in, "config", &config);
	fields_object(&config, "configurable", &configurable);
	namespace_read(c, &configurable, &out->ns);
	id_read(&configurable, &out->id);
}

/* ---- that it is there ---------------------------------------------------------- */

/* The checkpoint of the root in which a sub-agent's began. */
static int
root_of(struct call *c, const struct store_checkpoint *child, struct uuid *root)
{
	struct str parents = scan_find(child->extra_json, S("parents"));
	struct str text = scan_find(parents, S(""));

	if (text.n < 2 || !uuid_parse(str_sub(text, 1, text.n - 2), root))
		return err_set(&c->err, ERR_NOTFOUND, "checkpoint_ns: it is not known "
		    "which state of the thread its checkpoint belongs to");
	return OK;
}

int
call_find_checkpoint(struct call *c, const struct checkpoint_ref *ref,
    struct uuid *root)
{
	char id[UUID_TEXT];
	struct store_thread t;
	struct store_state s;
	int rc;

	*root = (struct uuid){ { 0 } };
	if (uuid_is_zero(&ref->id) && ref->ns.n == 0)
		return OK;
	if (uuid_is_zero(&c->thread_id))
		return err_set(&c->err, ERR_INVALID, "checkpoint_id: a run without a "
		    "thread has no states to begin from");
	rc = api_thread_find(c, &t);
	if (rc == OK)
		rc = store_state_get(c->api->reader, c->owner, t.seq, ref->ns, &ref->id,
		    0, &c->r->arena, &s);
	uuid_format(&ref->id, id);
	if (rc == ERR_NOTFOUND && ref->ns.n > 0)
		return err_set(&c->err, rc, "checkpoint: the thread has no state %.*s in "
		    "the namespace \"%.*s\"", uuid_is_zero(&ref->id) ? 0 : UUID_TEXT, id,
		    FMT(param_shown(ref->ns)));
	if (rc == ERR_NOTFOUND)
		return err_set(&c->err, rc, "checkpoint_id: the thread has no checkpoint "
		    "%.*s", UUID_TEXT, id);
	if (rc == OK && ref->ns.n > 0)
		return root_of(c, &s.c, root);
	*root = ref->id;
	return rc;
}
