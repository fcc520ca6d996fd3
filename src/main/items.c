/*
 * items.c - see items.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/items.h"

#include "base/json.h"
#include "base/limits.h"

/* Minutes and parts of them; empty leaves *out. */
static int
minutes_read(const struct config *c, enum setting_id id, msec *out, struct err *e)
{
	struct str s = config_str(c, id);
	double ms;

	if (s.n == 0)
		return OK;
	if (!str_to_double(s, &ms) || !(ms * 60000 >= 1) ||
	    ms * 60000 > (double)LIMIT_ITEM_TTL_MS)
		return err_set(e, ERR_INVALID, "%s (%s): expected minutes from 1/60000 to "
		    "%lld, got \"%.*s\"", config_settings[id].key, c->at[id].origin,
		    (long long)(LIMIT_ITEM_TTL_MS / 60000), FMT(s));
	*out = (msec)(ms * 60000);
	return OK;
}

/* A JSON array of the paths; nothing if that is all of a value. */
static int
fields_read(const struct config *c, struct buf *out, struct err *e)
{
	struct str rest = config_str(c, SETTING_STORE_INDEX_FIELDS), path;
	size_t n = 0;

	if (str_eq(str_trim(rest), S("$")))
		return OK;
	buf_lit(out, "[");
	while (str_next(&rest, ',', &path)) {
		struct err why;

		path = str_trim(path);
		if (item_path_check(path, &why) != OK || ++n > LIMIT_ITEM_PATHS)
			return err_set(e, ERR_INVALID, "store.index.fields (%s): \"%.*s\": %s",
			    c->at[SETTING_STORE_INDEX_FIELDS].origin, FMT(path),
			    n > LIMIT_ITEM_PATHS ? "too many paths" : why.text);
		json_add_fmt(out, ",%.*s", FMT(path));
	}
	buf_lit(out, "]");
	return OK;
}

static int
embed_check(const struct config *c, const struct items_rules *r, struct err *e)
{
	if (r->embed.n > 0 && r->dims == 0)
		return err_set(e, ERR_INVALID, "store.index.dims: expected how many numbers a "
		    "vector of %.*s has, as store.index.embed is set", FMT(r->embed));
	if (r->embed.n == 0 && r->dims > 0)
		return err_set(e, ERR_INVALID, "store.index.embed: expected a model, as "
		    "store.index.dims (%s) is set", c->at[SETTING_STORE_INDEX_DIMS].origin);
	return OK;
}

int
items_read(const struct config *c, struct items_rules *out, msec *sweep,
    struct buf *fields, struct err *e)
{
	int rc;

	*out = (struct items_rules){
		.refresh = config_bool(c, SETTING_STORE_TTL_REFRESH_ON_READ),
		.embed = config_str(c, SETTING_STORE_INDEX_EMBED),
		.dims = config_int(c, SETTING_STORE_INDEX_DIMS),
	};
	rc = minutes_read(c, SETTING_STORE_TTL_DEFAULT_TTL, &out->ttl, e);
	if (rc == OK)
		rc = minutes_read(c, SETTING_STORE_TTL_SWEEP_INTERVAL_MINUTES, sweep, e);
	if (rc == OK)
		rc = fields_read(c, fields, e);
	if (rc == OK)
		rc = embed_check(c, out, e);
	out->fields_json = buf_str(fields);
	return rc;
}
