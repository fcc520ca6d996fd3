/*
 * transcript.c - the transcript of a thread, or of one of its runs: a page as a
 * list, or all of it as lines (NDJSON), which are read and sent a page at a time and
 * only as fast as the client takes them.
 *
 *            first page is back        the last page was sent
 *   ASKED -----------------------> OPEN ----------------------> (freed)
 *     | it failed, or client gone    | client gone: when no read is under way
 *     v                              v
 *   (answered, freed)              (freed)
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include "base/mem.h"
#include "run/transcript.h"

#define LIST_DEFAULT 100
#define PAGE_BYTES   (256 * KB)              /* packed; a row may be larger */
#define JSON_BYTES   (64 * MB)               /* of such a page; escapes of JSON in a
                                                text make it a few times longer */
#define QUEUED_MAX   (256 * KB)              /* unsent; over it no read begins */
#define QUEUED_MS    20                      /* until the next look */

/* ---- which ------------------------------------------------------------------------ */

/* "RUN_ID:SEQ", or SEQ of the run that is asked for. */
static void
read_after(struct call *c, struct store_transcript *op)
{
	struct str after = param_str(c, "after"), run = after;
	ptrdiff_t colon = str_index(after, ':');
	bool good;

	if (after.n == 0)
		return;
	if (colon >= 0) {
		run = str_sub(after, 0, (size_t)colon);
		after = str_sub(after, (size_t)colon + 1, after.n);
		good = uuid_parse(run, &op->after_run);
	} else {
		good = !uuid_is_zero(&op->run_id);
	}
	if (!good || !str_to_i64(after, &op->after) || op->after < 0)
		fields_fail(c->in, "after", ERR_INVALID, "expected RUN_ID:SEQ of an entry, "
		    "or with run_id its seq alone, got \"%.*s\"",
		    FMT(param_shown(param_str(c, "after"))));
}

static void
read_which(struct call *c, struct store_transcript *op)
{
	*op = (struct store_transcript){ .thread_id = c->thread_id,
	    .max_bytes = PAGE_BYTES };
	param_id(c, "run_id", &op->run_id);
	read_after(c, op);
}

/* Pages would be empty before the end. */
static uint32_t
read_kinds(struct call *c, bool lines)
{
	struct str s = param_str(c, "kinds"), word;
	uint32_t kinds = 0;

	static_assert(TRANSCRIPT_KINDS <= 32, "a bit each");
	if (s.n > 0 && !lines)
		fields_fail(c->in, "kinds", ERR_INVALID, "goes with format=jsonl");
	while (c->in->rc == OK && str_next(&s, ',', &word)) {
		int k = words_index(c, "kinds", transcript_kind_names, word);

		kinds |= k < 0 ? 0 : 1u << k;
	}
	return kinds;
}

/* ---- entries ----------------------------------------------------------------------- */

struct entries {
	struct buf *out;
	bool list;                           /* with commas, else with line ends */
	uint32_t kinds;                      /* a bit each that is wanted; 0: all */
	int64_t left;                        /* at most so many */
	struct uuid skip_run;                /* up to `skip` of it are not wanted */
	int64_t skip;
};

static int
add_row(struct entries *x, const struct store_transcript_row *row)
{
	struct transcript_reader r = { .rest = row->bytes };
	const struct transcript_run run = { .graph_id = row->graph_id,
		.agent_hash = row->agent_hash, .kwargs_json = row->kwargs_json,
		.assistant_id = row->assistant_id };
	bool first_run = uuid_eq(&row->run_id, &x->skip_run);
	char id[UUID_TEXT];
	int rc = OK;

	uuid_format(&row->run_id, id);
	for (int64_t seq = row->first; x->left > 0; seq++) {
		rc = transcript_read(&r);
		if (rc != OK)
			break;
		if (first_run && seq <= x->skip)
			continue;
		if (x->kinds != 0 && !(x->kinds & 1u << r.e.kind)) {
			x->skip_run = row->run_id;
			x->skip = seq;
			first_run = false;
			continue;
		}
		if (x->list)
			json_add_comma(x->out);
		transcript_add_json(x->out, &r, (struct str){ id, UUID_TEXT },
		    row->first == 1 ? &run : NULL, seq);
		if (!x->list)
			buf_add_char(x->out, '\n');
		x->left--;
		x->skip_run = row->run_id;
		x->skip = seq;
		first_run = false;
	}
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
add_rows(struct entries *x, const struct store_transcript *op, struct err *e)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < op->rows_n; i++)
		rc = add_row(x, &op->rows[i]);
	if (rc != OK)
		return err_set(e, ERR_IO, "a transcript's row cannot be read");
	return x->out->failed ? err_set(e, ERR_TOOBIG, "the page is too large") : OK;
}

static struct entries
entries_of(const struct store_transcript *op, struct buf *out, bool list)
{
	bool after = !uuid_is_zero(&op->after_run);

	return (struct entries){ .out = out, .list = list, .left = INT64_MAX,
	    .skip_run = after ? op->after_run : op->run_id, .skip = op->after };
}

/* ---- a list -------------------------------------------------------------------------- */

static int
page_came(struct call *c)
{
	const struct store_transcript *op = &c->op.transcript;
	struct entries x;
	int rc;

	if (!call_has_room(c))
		return OK;
	x = entries_of(op, call_out(c), true);
	x.left = c->page;
	buf_add_char(x.out, '[');
	rc = add_rows(&x, op, &c->err);
	buf_add_char(x.out, ']');
	return rc == OK ? call_json(c, STR_NONE) : rc;
}

/* ---- lines --------------------------------------------------------------------------- */

struct export {
	struct store_transcript cmd;
	struct api *api;
	struct call *call;                   /* until it is open */
	struct http_req *r;                  /* NULL: the client has left */
	owner_t owner;
	struct arena arena;                  /* of one page */
	struct buf lines;
	struct entries at;
	struct wheel_timer timer;            /* the client is slow */
	struct standing standing;            /* its token ends */
	bool reading;
};

static void export_read(struct export *x);

static void
export_free(struct export *x)
{
	shard_timer_cancel(x->api->shard, &x->timer);
	standing_end(&x->standing);
	arena_release(&x->arena);
	buf_release(&x->lines);
	free(x);
}

static void
export_gone(struct http_req *r)
{
	struct export *x = ((struct call *)r->user)->exporting;

	x->r = NULL;
	if (x->call != NULL)
		http_reply(r, 204, STR_NONE, STR_NONE, STR_NONE);
	else
		http_stream_end(r);
	x->call = NULL;
	if (!x->reading)
		export_free(x);
}

/* What has come is not all: the connection is cut, so that nobody takes it so. */
static void
export_fail(struct export *x, int rc, const struct err *e)
{
	struct http_req *r = x->r;
	struct call *c = x->call;

	http_on_gone(r, NULL);
	export_free(x);
	if (c != NULL)
		call_fail(c, rc, e);
	else
		http_stream_abort(r);
}

static void
on_timer(struct wheel_timer *t)
{
	struct export *x = CONTAINER_OF(t, struct export, timer);

	if (http_stream_queued(x->r) > QUEUED_MAX)
		shard_timer_set(x->api->shard, &x->timer, QUEUED_MS);
	else
		export_read(x);
}

static void
on_expiry(struct standing *s)
{
	struct export *x = CONTAINER_OF(s, struct export, standing);
	struct http_req *r = x->r;

	http_on_gone(r, NULL);
	x->r = NULL;
	http_stream_abort(r);
	if (!x->reading)
		export_free(x);
}

static void
export_send(struct export *x)
{
	if (x->call != NULL) {
		struct str lines = call_cors(x->call);

		standing_begin(&x->standing, x->call, on_expiry);
		x->call = NULL;
		http_stream_begin(x->r, 200, S("application/x-ndjson"), lines);
	}
	http_stream_write(x->r, buf_str(&x->lines));
	buf_clear(&x->lines);
}

static void
export_came(struct store_cmd *cmd)
{
	struct export *x = CONTAINER_OF(cmd, struct export, cmd.cmd);
	struct http_req *r = x->r;
	struct err e = cmd->err;
	int rc = cmd->rc;

	x->reading = false;
	if (r == NULL) {
		export_free(x);
		return;
	}
	x->at.out = &x->lines;
	if (rc == OK)
		rc = add_rows(&x->at, &x->cmd, &e);
	arena_clear(&x->arena);
	if (rc != OK) {
		export_fail(x, rc, &e);
		return;
	}
	export_send(x);
	if (x->cmd.more) {
		shard_timer_set(x->api->shard, &x->timer, http_stream_queued(r) >
		    QUEUED_MAX ? QUEUED_MS : 0);
		return;
	}
	http_on_gone(r, NULL);
	export_free(x);
	http_stream_end(r);
}

static void
export_read(struct export *x)
{
	struct err e;
	int rc;

	x->reading = true;
	x->cmd.after_run = x->at.skip_run;
	x->cmd.after = x->at.skip;
	x->cmd.cmd = (struct store_cmd){ .op = STORE_TRANSCRIPT, .owner = x->owner,
	    .arena = &x->arena, .done = export_came };
	rc = store_submit(x->api->shared->o.store, x->api->shard, &x->cmd.cmd, false);
	if (rc == OK)
		return;
	x->reading = false;
	err_set(&e, rc, "the store is busy; try again");
	export_fail(x, rc, &e);
}

static int
export_begin(struct call *c, uint32_t kinds)
{
	struct export *x = mem_new(struct export);

	x->cmd = c->op.transcript;
	x->api = c->api;
	x->call = c;
	x->r = c->r;
	x->owner = c->owner;
	x->arena = ARENA((size_t)LIMIT_TRANSCRIPT_HELD * 2 + PAGE_BYTES);
	x->lines = BUF(JSON_BYTES);
	x->at = entries_of(&x->cmd, &x->lines, false);
	x->at.kinds = kinds;
	x->timer.fire = on_timer;
	c->exporting = x;
	http_on_gone(c->r, export_gone);
	export_read(x);
	return OK;
}

/* ---- the route ------------------------------------------------------------------------ */

int
api_transcript(struct call *c)
{
	static const char *const formats[] = { "json", "jsonl", NULL };
	struct store_transcript *op = &c->op.transcript;
	struct str accept = http_header(c->r, S("accept"));
	int format = str_eq(accept, S("application/x-ndjson"));
	uint32_t kinds;

	read_which(c, op);
	param_word(c, "format", formats, &format);
	kinds = read_kinds(c, format == 1);
	c->page = LIST_DEFAULT;
	param_int(c, "limit", 1, LIMIT_PAGE_ROWS, &c->page);
	if (c->in->rc < 0)
		return c->in->rc;
	return format == 1 ? export_begin(c, kinds) : call_submit(c, STORE_TRANSCRIPT, page_came);
}

/* ---- a run's definition ------------------------------------------------------------------ */

/* Of the run's owner alone: definitions have no owner of their own. */
int
api_run_agent(struct call *c)
{
	struct buf *b = call_out(c);
	struct store_agent agent;
	struct store_thread t;
	struct store_run run;
	int rc = api_thread_find(c, &t);

	if (rc == OK)
		rc = store_run_get(c->api->reader, c->owner, &c->run_id, &c->r->arena, &run);
	if (rc == OK && !uuid_eq(&run.thread_id, &t.id))
		rc = ERR_NOTFOUND;
	if (rc == OK && run.agent_hash.n == 0)
		return err_set(&c->err, ERR_NOTFOUND, "the run's definition was not kept");
	if (rc == OK)
		rc = store_agent_get(c->api->reader, run.agent_hash, &c->r->arena, &agent);
	if (rc != OK)
		return rc;
	json_add_fmt(b, "{'graph_id':%.*s,'hash':'", FMT(run.graph_id));
	for (size_t i = 0; i < run.agent_hash.n; i++)
		buf_add_fmt(b, "%02x", (unsigned char)run.agent_hash.p[i]);
	json_add_fmt(b, "','text':%.*s}", FMT(agent.body));
	return call_json(c, STR_NONE);
}
