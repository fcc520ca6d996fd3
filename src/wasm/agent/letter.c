/*
 * letter.c - one letter of an agent: taken, handled by a guest, settled.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/agent/agents_priv.h"

#define AGAIN_MS 50                          /* what the pool cannot do now, it can soon */
#define LOST_MAX 3                           /* hosts that one letter may be in when they go */

/* ---- may it take one now? ---------------------------------------------------------------- */

/* Of its rate: as many as in a second at once. */
static bool
has_token(struct wasm_agent *w)
{
	uint32_t rate = w->now->release->policy.rate;
	nsec now = shard_now(w->all->o.shard);
	double more = (double)(now - w->tokens_at) / (double)NS_PER_S * rate;

	if (rate == 0)
		return true;
	w->tokens = w->tokens_at == 0 || w->tokens + more > rate ? rate : w->tokens + more;
	w->tokens_at = now;
	if (w->tokens < 1) {
		agent_rest(w, (msec)((1 - w->tokens) * 1000 / rate) + 1);
		return false;
	}
	w->tokens -= 1;
	return true;
}

/* Whose letter it is. */
static struct guest *
choose(struct wasm_agent *w)
{
	struct wasm_release *to = NULL;
	bool other;

	if (!w->splits)
		return w->now;
	other = wasm_desk_split(w->all->o.desk, w->now->release, &to);
	if (other && to != w->next->release) {
		guest_free(w->next);
		w->next = guest_new(w, to);
	} else if (other) {
		wasm_release_drop(to);
	}
	return other ? w->next : w->now;
}

/* ---- it is handled -------------------------------------------------------------------------- */

static bool
message_make(const struct letter *l, struct buf *b)
{
	struct acl_room room;
	struct acl m;

	if (acl_unpack(&m, letter_packed(l), &room, NULL) != OK)
		return false;
	acl_add_json(&m, b);
	return !b->failed;
}

/* ERR_TOOBIG, ERR_INVALID: it can never be handled. */
static int
call(struct wasm_agent *w)
{
	struct buf b = BUF(2 * (size_t)LIMIT_ACL_BYTES);
	int rc = ERR_INVALID;

	if (message_make(w->l, &b))
		rc = wasm_instance_call(w->at->instance, buf_str(&b));
	buf_release(&b);
	w->phase = CALLS;
	w->began = shard_now(w->all->o.shard);
	return rc;
}

void
letter_begin(struct wasm_agent *w)
{
	int rc = call(w);

	if (rc == ERR_BUSY || rc == ERR_CLOSED || rc == ERR_CONFLICT) {
		letter_back(w);
		agent_rest(w, AGAIN_MS);
	} else if (rc != OK) {
		letter_failed(w, rc == ERR_TOOBIG ? S("the message is larger than the module's "
		    "limit `message`") : S("the message cannot be read"));
	}
}

enum mail_taken
letter_take(void *self, struct letter *l)
{
	struct wasm_agent *w = self;
	struct err e;
	bool ready;
	int rc = OK;

	if (w->phase != IDLE || w->all->draining || w->now == NULL ||
	    shard_wall(w->all->o.shard) < w->pause || !has_token(w))
		return MAIL_BUSY;
	w->at = choose(w);
	w->l = l;
	w->phase = STARTS;
	ready = guest_is_ready(w->at);
	if (ready)
		rc = call(w);
	else if (w->at->instance == NULL)
		rc = guest_start(w->at, &e);
	if (rc == OK)
		return MAIL_HELD;
	(void)letter_clear(w);
	if (rc == ERR_TOOBIG || rc == ERR_INVALID)
		return MAIL_REFUSED;
	agent_rest(w, ready ? AGAIN_MS : LIMIT_MAIL_RETRY_MS);
	return MAIL_BUSY;
}

/* ---- it is settled ---------------------------------------------------------------------------- */

struct letter *
letter_clear(struct wasm_agent *w)
{
	struct letter *l = w->l;

	for (size_t i = 0; i < w->sends_n; i++)
		wasm_outgoing_release(&w->sends[i]);
	w->sends_n = w->sends_bytes = 0;
	if (w->replied)
		wasm_outgoing_release(&w->reply);
	w->replied = false;
	w->bad = (struct err){ 0 };
	w->asked = 0;
	ask_forget(w);
	w->l = NULL;
	w->at = NULL;
	w->phase = IDLE;
	return l;
}

void
letter_settled(struct wasm_agent *w)
{
	(void)letter_clear(w);
	reload_counted(w);
	office_agent_wake(w->agent);
}

void
letter_back(struct wasm_agent *w)
{
	office_agent_return(w->agent, letter_clear(w));
	reload_look(w);
}

static void
report(struct wasm_agent *w, bool ok)
{
	wasm_desk_report(w->all->o.desk, w->at->release, ok, shard_now(w->all->o.shard) -
	    w->began);
	stat_add(w->all, ok ? offsetof(struct wasm_agents_stats, handled) :
	    offsetof(struct wasm_agents_stats, failed), 1);
}

/* A durable agent is as before the letter: its next instance restores the last saved image. */
void
letter_failed(struct wasm_agent *w, struct str words)
{
	if (w->durable)
		guest_leave(w->at);
	log_info("wasm", "letter_failed", "agent=%.*s module=%.*s release=%lld error=%.*s",
	    FMT(agent_address(w)), FMT(w->at->release->name), (long long)w->at->release->number,
	    FMT(str_cut(words, KB)));
	report(w, false);
	office_agent_failed(w->agent, w->l);
	letter_settled(w);
}

/* Of one letter that takes its host along each time, the next time counts. */
static bool
is_to_blame(struct wasm_agent *w)
{
	w->lost_n = w->lost_number == w->l->number ? w->lost_n + 1 : 1;
	w->lost_number = w->l->number;
	return w->lost_n >= LOST_MAX;
}

void
letter_trapped(struct wasm_agent *w, bool lost, struct str words)
{
	bool ends = w->supervised;

	if (w->saving != NULL)
		return;                      /* it was handled: the save decides */
	if (!lost || is_to_blame(w)) {
		letter_failed(w, words);
	} else {
		letter_back(w);
		agent_rest(w, (msec)LIMIT_MAIL_RETRY_MS << (w->lost_n - 1));
	}
	if (ends)
		office_ended(w->agent, ERR_CLOSED, words);
}

/* A durable agent's save has taken the letter; for others the office writes it. */
void
letter_handled(struct wasm_agent *w)
{
	report(w, true);
	if (w->durable)
		office_agent_done(w->agent, w->l);
	else
		office_agent_delivered(w->agent, w->l);
	letter_settled(w);
}

static void
handled_in_memory(struct wasm_agent *w)
{
	struct err e;

	if (say_all(w, &e) != OK)
		letter_failed(w, str_of(e.text));
	else
		letter_handled(w);
}

void
letter_done(struct wasm_agent *w, int32_t result)
{
	struct buf words = BUF(64);

	if (w->phase != CALLS)
		return;
	buf_add_fmt(&words, "handle_message returned %d", result);
	if (result != 0)
		letter_failed(w, buf_str(&words));
	else if (w->bad.text[0] != '\0')
		letter_failed(w, str_of(w->bad.text));
	else if (w->durable)
		save_begin(w);
	else
		handled_in_memory(w);
	buf_release(&words);
}
