/*
 * cron.c - see cron.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/cron.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/schedule.h"
#include "run/run_priv.h"
#include "store/cron.h"

#define SECOND_MS 1000

int
cron_next(struct str schedule, struct str zone, msec after, msec ends, msec *next,
    const char **field, struct err *e)
{
	struct schedule s;
	struct zone *z = NULL;
	int64_t at = 0;
	int rc;

	*next = 0;
	*field = "schedule";
	rc = schedule_parse(&s, schedule, e);
	if (rc != OK)
		return rc;
	*field = "timezone";
	rc = zone_load(&z, zone, e);
	if (rc != OK)
		return rc;
	if (schedule_next(&s, z, after / SECOND_MS, &at) == OK &&
	    (ends == 0 || at * SECOND_MS < ends))
		*next = at * SECOND_MS;
	zone_free(z);
	return OK;
}

void
cron_note(struct runs *rs, msec next)
{
	if (next != 0)
		sleep_note(rs, next);
}

/* ---- one firing -------------------------------------------------------------------- */

struct fire {
	struct store_cron_miss c;            /* if no run comes of it */
	struct parcel parcel;
	struct runs *rs;                     /* where it begins */
	owner_t owner;
	struct uuid id;
	msec due;
	struct buf why;
	struct err reason;
};

static void
finish(struct fire *x, bool ok)
{
	struct runs *rs = x->rs;

	buf_release(&x->why);
	free(x);
	sleep_woken(rs, ok);
}

static void
missed(struct store_cmd *cmd)
{
	struct fire *x = CONTAINER_OF(cmd, struct fire, c.cmd);
	struct runs *rs = x->rs;
	char id[UUID_TEXT];

	uuid_format(&x->id, id);
	if (cmd->rc == OK)
		log_warn("run", "cron_missed", "cron=%.*s rc=%s reason=%s", UUID_TEXT, id,
		    rc_name(x->reason.code), x->reason.text);
	/* ERR_CONFLICT: it has fired, at another node, or has changed. */
	finish(x, cmd->rc == OK || cmd->rc == ERR_CONFLICT);
	runs_busy(rs, -1);
}

/* The cron goes on without a run. */
static void
miss(struct fire *x, int rc, const struct err *e)
{
	struct runs *rs = x->rs;

	x->reason = *e;
	x->reason.code = rc;
	x->why = BUF(8 * sizeof e->text);
	buf_lit(&x->why, "{\"at\":\"");
	clock_add_iso(&x->why, x->c.firing.due);
	json_add_fmt(&x->why, "','error':%s,'message':%s}", rc_name(rc), e->text);
	x->c.error_json = buf_str(&x->why);
	x->c.cmd.op = STORE_CRON_MISS;
	x->c.cmd.owner = x->owner;
	x->c.cmd.done = missed;
	if (store_submit(rs->sh->store, rs->shard, &x->c.cmd, true) == OK)
		runs_busy(rs, 1);
	else
		finish(x, false);
}

/* It may work in a second as well: nothing was decided. */
static bool
is_passing(int rc)
{
	return rc == ERR_BUSY || rc == ERR_IO || rc == ERR_CLOSED || rc == ERR_AGAIN;
}

static void
fired(void *ctx, int rc, const struct store_run *run, const struct err *e)
{
	struct fire *x = ctx;

	(void)run;
	if (rc == OK || is_passing(rc) || x->rs->draining) {
		if (rc != OK)
			log_warn("run", "cron_put_off", "rc=%s reason=%s", rc_name(rc), e->text);
		finish(x, rc == OK);
	} else {
		miss(x, rc, e);
	}
}

/* ---- its run ------------------------------------------------------------------------ */

static unsigned
modes_of(jnode n)
{
	unsigned modes = 0;

	for (unsigned i = 0; stream_mode_names[i] != NULL; i++) {
		struct json_iter it = json_each(n);
		struct str name = str_of(stream_mode_names[i]);
		bool named = str_eq(json_str(n), name);

		while (json_is_array(n) && json_next(&it))
			named = named || str_eq(json_str(it.value), name);
		modes |= named ? 1u << i : 0;
	}
	return modes;
}

/* Which of the words; 0 if it is not there. */
static int
word_of(jnode n, const char *const *words)
{
	int found = 0;

	for (int i = 0; words[i] != NULL; i++)
		if (str_eq(json_str(n), str_of(words[i])))
			found = i;
	return found;
}

/* The payload was checked as a run's body when it came (api/crons.c). */
static void
ask(struct run_request *q, const struct store_cron *c, jnode p, struct buf *modes)
{
	jnode mode = json_get(p, S("stream_mode"));

	q->input = json_get(p, S("input"));
	q->config = json_get(p, S("config"));
	q->context = json_get(p, S("context"));
	q->webhook = json_str(json_get(p, S("webhook")));
	q->interrupt_before = json_get(p, S("interrupt_before"));
	q->interrupt_after = json_get(p, S("interrupt_after"));
	q->subgraphs = json_bool(json_get(p, S("stream_subgraphs")));
	q->resumable = json_bool(json_get(p, S("stream_resumable")));
	q->multitask = (enum multitask)word_of(json_get(p, S("multitask_strategy")),
	    multitask_names);
	q->durability = (enum durability)word_of(json_get(p, S("durability")),
	    durability_names);
	if (mode != NULL) {
		q->modes = modes_of(mode);
		if (json_is_string(mode))
			buf_add_char(modes, '[');
		json_add_node(modes, mode);
		if (json_is_string(mode))
			buf_add_char(modes, ']');
		q->modes_json = buf_str(modes);
	}
	q->stateless = uuid_is_zero(&c->thread_id);
	q->keep = c->keeps;
}

/* The cron's metadata is its runs' and their threads'; they tell the cron. */
static int
metadata_read(const struct store_cron *c, struct json_doc *out, struct err *e)
{
	struct json_doc own = { 0 }, given = { 0 };
	struct buf text = BUF(2 * LIMIT_METADATA_BYTES);
	char id[UUID_TEXT];
	int rc = json_parse(&given, c->metadata_json, e);

	uuid_format(&c->id, id);
	json_add_fmt(&text, "{'cron_id':%.*s}", UUID_TEXT, id);
	if (rc == OK)
		rc = json_parse(&own, buf_str(&text), e);
	buf_clear(&text);
	json_add_merged(&text, given.root, own.root);
	if (rc == OK)
		rc = json_parse(out, buf_str(&text), e);
	json_release(&own);
	json_release(&given);
	buf_release(&text);
	return rc;
}

static int
start(struct fire *x, const struct store_cron *c, struct arena *a, struct err *e)
{
	struct run_request q = { .owner = x->owner, .subject = c->user,
	    .thread_id = c->thread_id, .headers_json = S("{}"),
	    .modes_json = S("[\"values\"]"), .modes = MODE_VALUES, .firing = x->c.firing };
	struct json_doc payload = { 0 }, metadata = { 0 };
	struct buf modes = BUF(KB);
	int rc = store_assistant_get(x->rs->reader, x->owner, &c->assistant_id, a,
	    &q.assistant);

	if (rc != OK)
		return err_set(e, rc, "its assistant cannot be read");
	rc = json_parse(&payload, c->payload_json, e);
	if (rc == OK)
		rc = metadata_read(c, &metadata, e);
	if (rc == OK) {
		ask(&q, c, payload.root, &modes);
		q.metadata = metadata.root;
		rc = run_start(x->rs, &q, NULL, fired, x, e);
	}
	json_release(&payload);
	json_release(&metadata);
	buf_release(&modes);
	return rc;
}

/* ---- when --------------------------------------------------------------------------- */

/* When it fires next: after this firing, whatever the clock says, and after now. */
static int
go_on(struct fire *x, const struct store_cron *c, msec now, struct err *e)
{
	struct store_firing *f = &x->c.firing;
	const char *field;
	int rc;

	*f = (struct store_firing){ .cron = c->id, .version = c->version, .due = c->next };
	rc = cron_next(c->schedule, c->zone, now > c->next ? now : c->next, c->ends,
	    &f->next, &field, e);
	if (rc == OK && c->ends != 0 && now >= c->ends)
		rc = err_set(e, ERR_TIMEOUT, "its time ended before it could fire");
	return rc;
}

static void
fire(struct fire *x)
{
	struct arena a = ARENA(THREAD_ARENA);
	struct store_cron c = { .next = 0 };
	struct err e = { 0 };
	msec now = shard_wall(x->rs->shard);
	int rc = store_cron_get(x->rs->reader, x->owner, &x->id, &a, &c);

	if (rc == ERR_NOTFOUND || (rc == OK && c.next != x->due)) {
		finish(x, true);             /* it was changed meanwhile */
	} else {
		if (rc == OK)
			rc = go_on(x, &c, now, &e);
		if (rc == OK)
			rc = start(x, &c, &a, &e);
		if (rc != OK)
			fired(x, rc, NULL, &e);
	}
	arena_release(&a);
}

static void
fire_open(void *ctx, struct parcel *p)
{
	struct fire *x = CONTAINER_OF(p, struct fire, parcel);

	x->rs = ctx;
	if (x->rs->draining)
		finish(x, false);
	else
		fire(x);
}

void
cron_fires(struct runs *rs, struct runs *to, const struct store_due *d)
{
	struct fire *x = mem_new(struct fire);

	x->owner = d->owner;
	x->id = d->id;
	x->due = d->due;
	x->parcel.open = fire_open;
	runs_send(rs, to, &x->parcel);
}
