/*
 * scenario_step.c - the kinds of steps: what is sent, and when an answer is right.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/scenario_priv.h"

static int
wrong(struct err *e, const char *what, struct str answer)
{
	return err_set(e, ERR_INVALID, "%s in: %.*s", what, FMT(str_cut(answer, 200)));
}

/* ---- HTTP ----------------------------------------------------------------- */

static void
build_http(struct user *u, const struct step *st)
{
	text_add(&st->path, TEXT_PATH, u->slots, &u->path);
	text_add(&st->headers, TEXT_HEADER, u->slots, &u->headers);
	text_add(&st->body, st->body_json ? TEXT_JSON : TEXT_PLAIN, u->slots, &u->body);
}

static void
slot_take(struct slot_value *v, jnode value)
{
	buf_clear(&v->text);
	v->json = !json_is_string(value);
	if (v->json)
		json_add_node(&v->text, value);
	else
		buf_add(&v->text, json_str(value));
	v->set = !v->text.failed;
}

static int
take_captures(struct user *u, const struct step *st, struct str json, struct err *e)
{
	struct json_doc d = { 0 };
	int rc = OK;

	if (st->captures_n == 0)
		return OK;
	if (json_parse(&d, json, NULL) != OK)
		rc = wrong(e, "no JSON to take values from", json);
	for (size_t i = 0; i < st->captures_n && rc == OK; i++) {
		const struct capture *c = &st->captures[i];
		jnode value = path_find(d.root, c->path);

		if (value == NULL)
			rc = err_set(e, ERR_INVALID, "no value at '%.*s' in: %.*s",
			    FMT(c->path), FMT(str_cut(json, 160)));
		else
			slot_take(&u->slots[c->slot], value);
	}
	json_release(&d);
	return rc;
}

static int
check_contains(const struct step *st, struct str answer, struct err *e)
{
	if (st->contains.n == 0 || str_contains(answer, st->contains))
		return OK;
	return err_set(e, ERR_INVALID, "no '%.*s' in: %.*s", FMT(str_cut(st->contains, 60)),
	    FMT(str_cut(answer, 160)));
}

static int
check_http(struct user *u, const struct step *st, struct str answer, struct err *e)
{
	int rc = check_contains(st, answer, e);

	return rc == OK ? take_captures(u, st, answer, e) : rc;
}

static int
check_stream(struct user *u, const struct step *st, struct str answer, struct err *e)
{
	struct stream_seen seen;
	int rc;

	stream_look(answer, &seen);
	u->events = seen.events;
	if (seen.error)
		return wrong(e, "an error event", seen.last_data);
	if (seen.events == 0)
		return wrong(e, "no event", answer);
	rc = check_contains(st, answer, e);
	return rc == OK ? take_captures(u, st, seen.last_data, e) : rc;
}

const struct step_kind step_request = { "request", build_http, check_http };
const struct step_kind step_stream = { "stream", build_http, check_stream };
const struct step_kind step_message = { "message", build_http, check_http };

/* ---- of the flow ---------------------------------------------------------- */

static void
build_flow(struct user *u, const struct step *st)
{
	st->op->build(&u->life, &u->path, &u->body);
}

static int
check_flow(struct user *u, const struct step *st, struct str answer, struct err *e)
{
	struct stream_seen seen;

	if (st->op->stream) {
		stream_look(answer, &seen);
		u->events = seen.events;
	}
	return st->op->check == NULL ? OK : st->op->check(&u->life, answer, e);
}

const struct step_kind step_flow = { "flow", build_flow, check_flow };

/* ---- nothing is sent ------------------------------------------------------ */

const struct step_kind step_pause = { "pause", NULL, NULL };
