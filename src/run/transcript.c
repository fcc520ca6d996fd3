/*
 * transcript.c - see transcript.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/transcript.h"

#include <assert.h>
#include <string.h>

#include "base/hmac.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/rc.h"
#include "base/scan.h"
#include "run/pack.h"

#define VERSION     1
#define BEGIN_BYTES 256                      /* shown of what was cut */
#define LAST_BYTES  4096                     /* room for what must get in */

enum place_form { PLACE_NONE, PLACE_SAME, PLACE_NEW };

enum field_type { FIELD_END, FIELD_TEXT, FIELD_NUMBER, FIELD_FLAG /* shown if it is set */,
	FIELD_BOOL, FIELD_ID, FIELD_HEX /* an id as 32 hex digits */, FIELD_JSON };

struct field {
	const char *name;
	enum field_type type;
	unsigned at;
};

static const struct field fields[TRANSCRIPT_KINDS][8] = {
	[TRANSCRIPT_RUN_START] = { { "attempt", FIELD_NUMBER, 0 } },
	[TRANSCRIPT_INPUT] = { { NULL, FIELD_END, 0 } },
	[TRANSCRIPT_RESUMED] = { { NULL, FIELD_END, 0 } },
	[TRANSCRIPT_ENTERED] = { { "state", FIELD_TEXT, 0 } },
	[TRANSCRIPT_EXITED] = { { "state", FIELD_TEXT, 0 } },
	[TRANSCRIPT_TRANSITION] = { { "event", FIELD_TEXT, 0 }, { "from", FIELD_TEXT, 1 },
	    { "to", FIELD_JSON, 0 }, { "line", FIELD_NUMBER, 0 } },
	[TRANSCRIPT_DROPPED] = { { "event", FIELD_TEXT, 0 }, { "why", FIELD_TEXT, 1 } },
	[TRANSCRIPT_REQUEST] = { { "model", FIELD_TEXT, 0 }, { "params", FIELD_JSON, 1 },
	    { "system", FIELD_TEXT, 1 }, { "system_as_before", FIELD_FLAG, 0 },
	    { "messages", FIELD_JSON, 0 }, { "key", FIELD_TEXT, 2 },
	    { "call", FIELD_NUMBER, 1 } },
	[TRANSCRIPT_ANSWER] = { { "model", FIELD_TEXT, 0 }, { "message", FIELD_JSON, 0 },
	    { "error", FIELD_TEXT, 1 }, { "words", FIELD_TEXT, 2 },
	    { "call", FIELD_NUMBER, 1 } },
	[TRANSCRIPT_TOOL_CALL] = { { "call_id", FIELD_TEXT, 0 }, { "name", FIELD_TEXT, 1 },
	    { "args", FIELD_JSON, 0 } },
	[TRANSCRIPT_TOOL_RESULT] = { { "call_id", FIELD_TEXT, 0 }, { "name", FIELD_TEXT, 1 },
	    { "ok", FIELD_BOOL, 0 }, { "content", FIELD_JSON, 0 },
	    { "message_id", FIELD_TEXT, 2 } },
	[TRANSCRIPT_RESULT] = { { "of", FIELD_TEXT, 0 }, { "what", FIELD_TEXT, 1 },
	    { "ok", FIELD_BOOL, 0 }, { "value", FIELD_JSON, 0 }, { "words", FIELD_TEXT, 2 },
	    { "status", FIELD_NUMBER, 1 }, { "content_type", FIELD_TEXT, 3 } },
	[TRANSCRIPT_CHECKPOINT] = { { "checkpoint_id", FIELD_ID, 0 },
	    { "step", FIELD_NUMBER, 0 }, { "source", FIELD_TEXT, 0 } },
	[TRANSCRIPT_INTERRUPT] = { { "interrupt_id", FIELD_HEX, 0 }, { "key", FIELD_TEXT, 0 },
	    { "value", FIELD_JSON, 0 } },
	[TRANSCRIPT_ERROR] = { { "event", FIELD_TEXT, 0 }, { "name", FIELD_TEXT, 1 },
	    { "message", FIELD_TEXT, 2 } },
	[TRANSCRIPT_RUN_END] = { { "status", FIELD_TEXT, 0 } },
	[TRANSCRIPT_CUT] = { { "entries", FIELD_NUMBER, 0 }, { "why", FIELD_TEXT, 0 } },
	[TRANSCRIPT_MESSAGE] = { { "direction", FIELD_TEXT, 0 }, { "message", FIELD_JSON, 0 },
	    { "receivers", FIELD_NUMBER, 0 } },
};

const char *const transcript_kind_names[] = {
#define X(name, text) text,
	TRANSCRIPT_KINDS_MAP(X)
#undef X
	NULL
};

/* ---- secrets --------------------------------------------------------------------- */

/* Names of members whose values are not kept, in lower case with _ for -. */
enum secret_how { NAME_HAS, NAME_IS, NAME_ENDS };
static const struct { const char *word; enum secret_how how; } secrets[] = {
	{ "api_key", NAME_HAS }, { "apikey", NAME_HAS }, { "authorization", NAME_HAS },
	{ "password", NAME_HAS }, { "passwd", NAME_HAS }, { "passphrase", NAME_HAS },
	{ "secret", NAME_HAS }, { "credential", NAME_HAS }, { "private_key", NAME_HAS },
	{ "access_key", NAME_HAS }, { "bearer", NAME_HAS }, { "cookie", NAME_HAS },
	{ "token", NAME_IS }, { "_token", NAME_ENDS }, { "auth", NAME_IS },
	{ "_auth", NAME_ENDS }, { "_key", NAME_ENDS }, { "key", NAME_IS },
};

bool
transcript_is_secret(struct str key)
{
	char low[LIMIT_NAME_BYTES];
	struct str name = { low, key.n < sizeof low ? key.n : sizeof low };

	for (size_t i = 0; i < name.n; i++)
		low[i] = key.p[i] == '-' ? '_' : key.p[i] >= 'A' && key.p[i] <= 'Z' ?
		    (char)(key.p[i] | 0x20) : key.p[i];
	for (size_t i = 0; i < COUNT(secrets); i++) {
		struct str word = str_of(secrets[i].word);

		if (secrets[i].how == NAME_HAS ? memmem(name.p, name.n, word.p, word.n) != NULL :
		    secrets[i].how == NAME_IS ? str_eq(name, word) : str_ends(name, word))
			return true;
	}
	return false;
}

/* A URL without the user's part. */
static bool
add_url(struct buf *b, struct str s)
{
	const char *at = memmem(s.p, s.n, "://", 3), *end, *sign;
	struct str rest;

	if (at == NULL)
		return false;
	rest = str_sub(s, (size_t)(at - s.p) + 3, s.n);
	end = memchr(rest.p, '/', rest.n);
	sign = memrchr(rest.p, '@', end != NULL ? (size_t)(end - rest.p) : rest.n);
	if (sign == NULL)
		return false;
	buf_add_char(b, '"');
	json_add_escaped(b, str_sub(s, 0, s.n - rest.n));
	json_add_escaped(b, str_sub(rest, (size_t)(sign - rest.p) + 1, rest.n));
	buf_add_char(b, '"');
	return true;
}

void
transcript_add_open(struct buf *b, struct val v)
{
	size_t n = val_count(v);

	if (v.kind == VAL_STRING && add_url(b, val_str(v)))
		return;
	if (v.kind != VAL_OBJECT && v.kind != VAL_ARRAY) {
		val_add_json(b, v);
		return;
	}
	buf_add_char(b, v.kind == VAL_OBJECT ? '{' : '[');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		if (v.kind == VAL_ARRAY) {
			transcript_add_open(b, val_at(v, i));
			continue;
		}
		json_add_str(b, val_key(v, i));
		buf_add_char(b, ':');
		if (transcript_is_secret(val_key(v, i)))
			buf_lit(b, "\"[not kept]\"");
		else
			transcript_add_open(b, val_member(v, i));
	}
	buf_add_char(b, v.kind == VAL_OBJECT ? '}' : ']');
}

/* ---- writing ---------------------------------------------------------------------- */

static void
put_text(struct buf *b, struct str s)
{
	event_put_number(b, (int64_t)s.n);
	buf_add(b, s);
}

static void
put_id(struct buf *b, const struct uuid *id)
{
	buf_add(b, (struct str){ (const char *)id->b, sizeof id->b });
}

/* 0: none; else twice the length plus one, odd if it was cut. */
static void
put_payload(struct buf *b, struct str s)
{
	bool cut = s.n > LIMIT_TRANSCRIPT_PAYLOAD;
	struct str kept = cut ? str_cut(s, BEGIN_BYTES) : s;
	uint8_t hash[SHA256_SIZE];

	if (s.p == NULL) {
		event_put_number(b, 0);
		return;
	}
	event_put_number(b, (int64_t)(kept.n + 1) << 1 | (cut ? 1 : 0));
	buf_add(b, kept);
	if (!cut)
		return;
	sha256(s, hash);
	event_put_number(b, (int64_t)s.n);
	buf_add(b, (struct str){ (const char *)hash, 8 });
}

static void
put_json(struct buf *b, const struct transcript_entry *e, unsigned at)
{
	struct buf text = BUF(2 * (size_t)LIMIT_STATE_BYTES);
	struct val v = e->value[at];
	struct str s = e->json[at];

	if (s.p == NULL && v.kind != VAL_UNDEFINED) {
		s = val_json_text(v);
		if (s.n == 0) {
			val_add_json(&text, v);
			s = buf_str(&text);
		}
	}
	put_payload(b, s);
	buf_release(&text);
}

static void
put_fields(struct buf *b, const struct transcript_entry *e)
{
	for (const struct field *f = fields[e->kind]; f->type != FIELD_END; f++)
		switch (f->type) {
		case FIELD_TEXT:
			put_text(b, str_cut(e->text[f->at], LIMIT_TRANSCRIPT_TEXT));
			break;
		case FIELD_NUMBER: case FIELD_FLAG: case FIELD_BOOL:
			event_put_number(b, e->number[f->at]);
			break;
		case FIELD_ID: case FIELD_HEX:
			put_id(b, &e->id);
			break;
		default:
			put_json(b, e, f->at);
		}
}

static bool
is_at(const char *before, struct str now)
{
	return before != NULL && str_eq(str_of(before), now);
}

static void
put_place(struct transcript *t, const struct transcript_place *p)
{
	struct buf *b = &t->bytes;

	if (p->ns.n == 0 && p->node.n == 0 && uuid_is_zero(&p->task)) {
		event_put_number(b, PLACE_NONE);
		return;
	}
	if (is_at(t->ns, p->ns) && is_at(t->node, p->node) && uuid_eq(&t->task, &p->task)) {
		event_put_number(b, PLACE_SAME);
		return;
	}
	free(t->ns);
	free(t->node);
	t->ns = mem_cstr(p->ns);
	t->node = mem_cstr(p->node);
	t->task = p->task;
	event_put_number(b, PLACE_NEW);
	put_text(b, p->ns);
	put_text(b, p->node);
	put_id(b, &p->task);
}

static void
put_entry(struct transcript *t, const struct transcript_entry *e)
{
	struct buf *b = &t->bytes;

	if (b->n == 0) {
		buf_add_char(b, VERSION);
		event_put_number(b, e->now);
		t->last = e->now;
		t->first = t->next;
	}
	buf_add_char(b, (char)e->kind);
	event_put_number(b, e->now - t->last);
	t->last = e->now;
	put_place(t, &e->place);
	put_fields(b, e);
	t->next++;
}

/* What does not get in is counted, and told by one entry. */
static void
put_cut(struct transcript *t, const char *why)
{
	struct transcript_entry e = { .kind = TRANSCRIPT_CUT, .now = t->last,
	    .text = { str_of(why) }, .number = { t->lost } };

	put_entry(t, &e);
	t->lost = 0;
}

void
transcript_open(struct transcript *t, int64_t next)
{
	*t = (struct transcript){ .on = true, .next = next,
	    .bytes = BUF(LIMIT_TRANSCRIPT_HELD + LAST_BYTES) };
}

static void
forget_place(struct transcript *t)
{
	free(t->ns);
	free(t->node);
	t->ns = t->node = NULL;
}

void
transcript_release(struct transcript *t)
{
	forget_place(t);
	buf_release(&t->bytes);
	free(t->said);
	*t = (struct transcript){ 0 };
}

static bool
may_add(struct transcript *t, enum transcript_kind kind)
{
	if (t->full || kind == TRANSCRIPT_RUN_END)
		return kind == TRANSCRIPT_RUN_END;
	if (t->next <= LIMIT_TRANSCRIPT_ENTRIES &&
	    t->written + t->bytes.n <= (size_t)LIMIT_TRANSCRIPT_BYTES)
		return true;
	t->full = true;
	put_cut(t, "the transcript of this run is full");
	return false;
}

void
transcript_add(struct transcript *t, const struct transcript_entry *e)
{
	size_t before = t->bytes.n;
	int64_t next = t->next;

	if (!t->on || !may_add(t, e->kind))
		return;
	put_entry(t, e);
	if (!t->bytes.failed && (t->bytes.n <= (size_t)LIMIT_TRANSCRIPT_HELD ||
	    e->kind == TRANSCRIPT_RUN_END))
		return;
	t->bytes.failed = false;
	buf_cut(&t->bytes, before);
	t->next = next;
	t->lost++;
	forget_place(t);
}

bool
transcript_take(struct transcript *t, struct buf *bytes, int64_t *first, int64_t *last)
{
	if (t->lost > 0)
		put_cut(t, "too much between two commits");
	if (t->bytes.n == 0)
		return false;
	*bytes = t->bytes;
	*first = t->first;
	*last = t->next - 1;
	t->written += bytes->n;
	t->bytes = BUF(LIMIT_TRANSCRIPT_HELD + LAST_BYTES);
	forget_place(t);
	return true;
}

bool
transcript_note(struct transcript *t, struct str message)
{
	uint64_t hash = str_hash_keyed(message);

	for (size_t i = t->said_n; i > 0; i--)
		if (t->said[i - 1] == hash)
			return true;
	if (t->said_n >= LIMIT_TRANSCRIPT_NOTED)
		return false;
	mem_grow(t->said, t->said_n, t->said_cap);
	t->said[t->said_n++] = hash;
	return false;
}

/* ---- reading ------------------------------------------------------------------------- */

static int64_t
get_number(struct transcript_reader *r, bool *bad)
{
	int64_t v = 0;

	*bad |= !event_get_number(&r->rest, &v);
	return *bad ? 0 : v;
}

static struct str
get_bytes(struct transcript_reader *r, int64_t n, bool *bad)
{
	struct str s;

	*bad |= n < 0 || (size_t)n > r->rest.n;
	if (*bad)
		return STR_NONE;
	s = str_sub(r->rest, 0, (size_t)n);
	r->rest = str_sub(r->rest, (size_t)n, r->rest.n);
	return s;
}

static struct str
get_text(struct transcript_reader *r, bool *bad)
{
	int64_t n = get_number(r, bad);

	return get_bytes(r, n, bad);
}

static void
get_id(struct transcript_reader *r, struct uuid *id, bool *bad)
{
	struct str s = get_bytes(r, sizeof id->b, bad);

	if (!*bad)
		memcpy(id->b, s.p, sizeof id->b);
}

static void
get_payload(struct transcript_reader *r, unsigned at, bool *bad)
{
	int64_t n = get_number(r, bad);
	struct str hash;

	*bad |= n < 0 || n == 1;
	r->cut[at] = !*bad && (n & 1) != 0;
	if (*bad || n == 0)
		return;
	r->e.json[at] = get_bytes(r, (n >> 1) - 1, bad);
	if (!r->cut[at])
		return;
	r->cut_bytes[at] = get_number(r, bad);
	hash = get_bytes(r, sizeof r->cut_hash[at], bad);
	if (!*bad)
		memcpy(&r->cut_hash[at], hash.p, hash.n);
}

static void
get_place(struct transcript_reader *r, bool *bad)
{
	switch (get_number(r, bad)) {
	case PLACE_NONE:
		return;
	case PLACE_SAME:
		break;
	case PLACE_NEW:
		r->place.ns = get_text(r, bad);
		r->place.node = get_text(r, bad);
		get_id(r, &r->place.task, bad);
		break;
	default:
		*bad = true;
	}
	r->e.place = r->place;
}

static void
get_fields(struct transcript_reader *r, bool *bad)
{
	for (const struct field *f = fields[r->e.kind]; f->type != FIELD_END && !*bad; f++)
		switch (f->type) {
		case FIELD_TEXT:
			r->e.text[f->at] = get_text(r, bad);
			break;
		case FIELD_NUMBER: case FIELD_FLAG: case FIELD_BOOL:
			r->e.number[f->at] = get_number(r, bad);
			break;
		case FIELD_ID: case FIELD_HEX:
			get_id(r, &r->e.id, bad);
			break;
		default:
			get_payload(r, f->at, bad);
		}
}

int
transcript_read(struct transcript_reader *r)
{
	struct str kind;
	bool bad = false;

	if (!r->begun) {
		struct str version = get_bytes(r, 1, &bad);

		bad = bad || version.p[0] != VERSION;
		r->last = get_number(r, &bad);
		r->begun = true;
	}
	if (!bad && r->rest.n == 0)
		return ERR_NOTFOUND;
	kind = get_bytes(r, 1, &bad);
	if (bad || (unsigned char)kind.p[0] >= TRANSCRIPT_KINDS)
		return ERR_SYNTAX;
	r->e = (struct transcript_entry){ .kind = (enum transcript_kind)kind.p[0] };
	r->cut[0] = r->cut[1] = false;
	r->last = (msec)((uint64_t)r->last + (uint64_t)get_number(r, &bad));
	r->e.now = r->last;
	get_place(r, &bad);
	get_fields(r, &bad);
	return bad ? ERR_SYNTAX : OK;
}

/* ---- JSON -------------------------------------------------------------------------------- */

static void
add_hex(struct buf *b, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		buf_add_fmt(b, "%02x", p[i]);
}

static void
add_payload(struct buf *b, const struct transcript_reader *r, unsigned at)
{
	if (!r->cut[at]) {
		buf_add(b, r->e.json[at]);
		return;
	}
	buf_add_fmt(b, "{\"cut\":{\"bytes\":%lld,\"sha256\":\"",
	    (long long)r->cut_bytes[at]);
	add_hex(b, &r->cut_hash[at], sizeof r->cut_hash[at]);
	buf_lit(b, "\",\"begin\":");
	json_add_str(b, r->e.json[at]);
	buf_lit(b, "}}");
}

static bool
is_there(const struct transcript_entry *e, const struct field *f)
{
	switch (f->type) {
	case FIELD_TEXT:
		return e->text[f->at].n > 0;
	case FIELD_NUMBER: case FIELD_FLAG:
		return e->number[f->at] != 0;
	case FIELD_BOOL:
		return true;
	case FIELD_ID: case FIELD_HEX:
		return !uuid_is_zero(&e->id);
	default:
		return e->json[f->at].n > 0;
	}
}

static void
add_field(struct buf *b, const struct transcript_reader *r, const struct field *f)
{
	const struct transcript_entry *e = &r->e;

	if (!is_there(e, f))
		return;
	json_add_key(b, f->name);
	switch (f->type) {
	case FIELD_TEXT:
		json_add_str(b, e->text[f->at]);
		break;
	case FIELD_NUMBER:
		buf_add_i64(b, e->number[f->at]);
		break;
	case FIELD_FLAG: case FIELD_BOOL:
		buf_add(b, e->number[f->at] != 0 ? S("true") : S("false"));
		break;
	case FIELD_JSON:
		add_payload(b, r, f->at);
		break;
	default:
		buf_add_char(b, '"');
		if (f->type == FIELD_ID)
			uuid_add(b, &e->id);
		else
			add_hex(b, e->id.b, sizeof e->id.b);
		buf_add_char(b, '"');
	}
}

/* ---- what the run was given ---------------------------------------------------------------- */

static bool
is_null(struct str json)
{
	return json.n == 0 || str_eq(json, S("null"));
}

/* Without input, command and secrets, which may be at any depth: in config, in the URL
 * of a webhook. */
static void
add_request(struct buf *b, struct str kwargs)
{
	struct scan s = scan_of(kwargs);
	struct str key, raw;
	bool first = true;

	buf_add_char(b, '{');
	for (scan_open(&s, '{'); scan_member(&s, &first, &key); ) {
		struct val v;

		if (!scan_value(&s, &raw) || is_null(raw) || SCAN_IS(key, "input") ||
		    SCAN_IS(key, "command"))
			continue;
		json_add_comma(b);
		buf_add_char(b, '"');
		buf_add(b, key);
		buf_lit(b, "\":");
		v = val_json_trusted(raw);
		if (transcript_is_secret(key))
			buf_lit(b, "\"[not kept]\"");
		else
			transcript_add_open(b, v);
		val_drop(v);
	}
	buf_add_char(b, '}');
}

static void
add_start(struct buf *b, const struct transcript_run *row)
{
	json_add_fmt(b, ",'graph_id':%.*s,'agent':'", FMT(row->graph_id));
	add_hex(b, row->agent_hash.p, row->agent_hash.n);
	buf_lit(b, "\",\"assistant_id\":\"");
	uuid_add(b, &row->assistant_id);
	buf_lit(b, "\",\"request\":");
	add_request(b, row->kwargs_json);
}

static void
add_given(struct buf *b, enum transcript_kind kind, const struct transcript_run *row)
{
	const char *name = kind == TRANSCRIPT_INPUT ? "input" : "command";
	struct str given = scan_find(row->kwargs_json, str_of(name));

	json_add_key(b, name);
	buf_add(b, is_null(given) ? S("null") : given);
}

void
transcript_add_json(struct buf *b, const struct transcript_reader *r, struct str run,
    const struct transcript_run *row, int64_t seq)
{
	const struct transcript_entry *e = &r->e;

	json_add_fmt(b, "{'seq':%lld,'run_id':%.*s,'time':'", (long long)seq, FMT(run));
	clock_add_iso(b, e->now);
	json_add_fmt(b, "','kind':%s,'ns':%.*s", transcript_kind_names[e->kind],
	    FMT(e->place.ns));
	if (e->place.node.n > 0)
		json_add_fmt(b, ",'node':%.*s", FMT(e->place.node));
	if (!uuid_is_zero(&e->place.task)) {
		buf_lit(b, ",\"task\":\"");
		uuid_add(b, &e->place.task);
		buf_add_char(b, '"');
	}
	for (const struct field *f = fields[e->kind]; f->type != FIELD_END; f++)
		add_field(b, r, f);
	if (row != NULL && e->kind == TRANSCRIPT_RUN_START)
		add_start(b, row);
	else if (row != NULL && (e->kind == TRANSCRIPT_INPUT || e->kind == TRANSCRIPT_RESUMED))
		add_given(b, e->kind, row);
	buf_add_char(b, '}');
}
