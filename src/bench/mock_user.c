/*
 * mock_user.c - a verifier, as GoTrue's `GET /auth/v1/user`: after --delay-ms every bearer
 * token is a user of the same name; one that begins with "bad" is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/mock_priv.h"

struct wait {
	struct wheel_timer timer;
	struct http_req *r;
};

static void
answer_user(struct http_req *r)
{
	struct str shown = http_header(r, S("authorization")), token = str_sub(shown, 7, 200);
	struct buf b = BUF(4 * KB);

	if (token.n == 0 || str_starts(token, S("bad")))
		json_add_fmt(&b, "{'code':401,'error_code':'bad_jwt','msg':'invalid JWT'}");
	else
		json_add_fmt(&b, "{'id':%.*s,'aud':'authenticated','role':'authenticated',"
		    "'email':'user@example.org'}", FMT(token));
	http_reply(r, token.n == 0 || str_starts(token, S("bad")) ? 401 : 200,
	    S("application/json"), STR_NONE, buf_str(&b));
	buf_release(&b);
}

static void
on_time(struct wheel_timer *t)
{
	answer_user(CONTAINER_OF(t, struct wait, timer)->r);
}

void
mock_user(struct mock_llm *m, struct http_req *r)
{
	struct wait *w = arena_new(&r->arena, struct wait);

	w->r = r;
	w->timer.fire = on_time;
	if (m->o.delay_ms > 0)
		shard_timer_set(r->shard, &w->timer, m->o.delay_ms);
	else
		answer_user(r);
}
