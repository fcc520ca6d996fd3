/*
 * admin.c - the tracker as a whole.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/work_priv.h"

/* ---- info ------------------------------------------------------------------------------- */

/* events: the number of the last one, which in a file of its own is how many
 * there are. */
int
op_info(struct work *w, struct work_call *c)
{
	int64_t items = 0, gone = 0;
	int rc;
	struct query q = query_of(&w->db, SQL_COUNTS, db_i64(w->t.seq));

	while ((rc = query_row(&q)) == OK)
		*(query_i64(&q, 0) < 2 * STATUS_TOMBSTONE ? &items : &gone) +=
		    query_i64(&q, 1);
	query_end(&q);
	if (rc != ERR_NOTFOUND)
		return work_fail_db(w, rc);
	json_add_fmt(c->data, "{'prefix':%.*s,'items':%lld,'deleted':%lld,"
	    "'events':%lld,'version':'" COHORT_VERSION "','schema':%lld,'database':%s}",
	    FMT(w->t.prefix), (long long)items, (long long)gone,
	    (long long)work_event_last(w, w->t.seq), (long long)work_format.sqlite.n,
	    db_path(&w->db));
	return OK;
}

/* ---- settings --------------------------------------------------------------- */

/* The tracker's own, under the name it has in bd. */
#define PREFIX_KEY "issue_prefix"

/* Under the name of bd's file of settings too. */
static bool
is_prefix_key(struct str key)
{
	return str_eq(key, S(PREFIX_KEY)) || str_eq(key, S("issue-prefix"));
}

/* {"key":"value",...} */
int
op_config_list(struct work *w, struct work_call *c)
{
	struct query q = query_of(&w->db, SQL_CONFIG_LIST, db_i64(w->t.seq));
	int rc;

	json_add_fmt(c->data, "{'" PREFIX_KEY "':%.*s", FMT(w->t.prefix));
	while ((rc = query_row(&q)) == OK)
		json_add_fmt(c->data, ",%.*s:%.*s", FMT(query_borrow(&q, 0)),
		    FMT(query_borrow(&q, 1)));
	buf_add_char(c->data, '}');
	return work_rows_end(w, &q, rc);
}

static int
config_put(struct work *w, struct str key, struct str value)
{
	struct query q = query_of(&w->db, SQL_CONFIG_OTHERS, db_i64(w->t.seq),
	    db_str(key));
	int rc = query_row(&q);
	int64_t others = rc == OK ? query_i64(&q, 0) : 0;

	query_end(&q);
	if (others >= LIMIT_WORK_SETTINGS)
		return work_fail(w, ERR_LIMIT, "key: at most %d settings",
		    LIMIT_WORK_SETTINGS);
	if (rc == OK)
		rc = db_run(&w->db, SQL_CONFIG_PUT, db_i64(w->t.seq), db_str(key),
		    db_str(value));
	return rc == OK ? OK : work_fail_db(w, rc);
}

static int
config_drop(struct work *w, struct str key)
{
	return work_exec(w, SQL_CONFIG_DROP, db_i64(w->t.seq), db_str(key));
}

/* Without a value it is removed. */
int
op_config_set(struct work *w, struct work_call *c)
{
	struct str key = arg_text(c, "key"), value = arg_text(c, "value");
	int rc;

	if (key.n == 0 || is_prefix_key(key))
		return work_fail(w, ERR_INVALID, key.n == 0 ? "key: expected a name" :
		    "key: " PREFIX_KEY " is changed by rename_prefix");
	rc = value.p == NULL ? config_drop(w, key) : config_put(w, key, value);
	json_add_fmt(c->data, "{'key':%.*s,'value':%.*s}", FMT(key), FMT(value));
	return rc;
}
