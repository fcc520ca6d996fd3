/*
 * contract.c - the initiator of a contract net (FIPA00029).
 *
 *	cfp ---> CALLS --- all have answered, or the deadline ---> AWARDED ---> (end)
 *	           |                                                  |
 *	           '-- no proposal is picked: (end, award null)       '-- inform, failure
 *
 * Its result: {award: the winner's address, or null; result: the content of its answer;
 * proposals: [{sender, content}]; refused: [sender]; late: how many came too late}.
 *
 * The award is a record that says who has won and after how many messages, so another
 * attempt comes to the same place by hearing them again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "task/task_priv.h"

struct contract {
	struct mailing d;
	struct task_timer timer;
	msec due;
	bool timed, awarded;
	struct val proposals;                /* messages, in order */
	struct val refused;                  /* senders */
	struct val winner;                   /* its proposal */
	int64_t late;
};

static struct contract *
contract_of(struct piece *p)
{
	return CONTAINER_OF(mailing_of(p), struct contract, d);
}

static struct val
shown(struct val message)
{
	struct val one = val_set_take(val_object_empty(), S("sender"),
	    val_ref(val_get(message, S("sender"))));

	return val_set_take(one, S("content"), val_ref(val_get(message, S("content"))));
}

static struct val
list_of(const struct contract *c)
{
	struct val list = val_array_empty();

	for (size_t i = 0; i < val_count(c->proposals); i++)
		list = val_push_take(list, shown(val_at(c->proposals, i)));
	return list;
}

/* answer UNDEF: nobody has won. */
static void
finish(struct contract *c, struct val answer)
{
	bool won = answer.kind != VAL_UNDEFINED;
	struct val r = val_object_empty();

	r = val_set_take(r, S("award"), won ? val_ref(val_get(c->winner, S("sender"))) :
	    VAL_NIL);
	r = val_set_take(r, S("result"), won ? val_ref(val_get(answer, S("content"))) :
	    VAL_NIL);
	r = val_set_take(r, S("proposals"), list_of(c));
	r = val_set_take(r, S("refused"), val_ref(c->refused));
	r = val_set_take(r, S("late"), val_int(c->late));
	piece_done(&c->d.p, r);
}

/* ---- the award ------------------------------------------------------------------- */

static bool
is_of(struct val message, struct val other)
{
	return val_equal(val_get(message, S("sender")), val_get(other, S("sender")));
}

/* The proposal of the sender of `v`; UNDEF: none. */
static struct val
proposal_of(const struct contract *c, struct val v)
{
	for (size_t i = 0; i < val_count(c->proposals); i++)
		if (is_of(val_at(c->proposals, i), v))
			return val_at(c->proposals, i);
	return VAL_UNDEF;
}

/* What `pick` says; false: the piece has failed. */
static bool
pick(struct contract *c)
{
	struct piece *p = &c->d.p;
	struct val v;

	if (!agent_has(piece_field(p, CONTRACT_PICK))) {
		c->winner = val_ref(val_at(c->proposals, 0));
		return true;
	}
	p->result = list_of(c);              /* the expression sees it as `result` */
	p->task->filled = NULL;
	if (!piece_eval(p, CONTRACT_PICK, &v)) {
		val_drop(p->result);
		p->result = VAL_UNDEF;
		return false;
	}
	val_drop(p->result);
	p->result = VAL_UNDEF;
	p->task->filled = NULL;
	if (v.kind == VAL_OBJECT)
		c->winner = val_ref(proposal_of(c, v));
	val_drop(v);
	if (c->winner.kind != VAL_UNDEFINED || v.kind == VAL_NULL || v.kind == VAL_UNDEFINED)
		return true;
	piece_fail(p, "error.execution", "ExpressionError", "line %u: contract_net.pick: "
	    "expected one of the proposals, or null", p->spec->line);
	return false;
}

/* Losers first: if the winner is gone the piece fails, and they must not wait. */
static bool
tell_all(struct contract *c)
{
	struct val fields;
	size_t n;

	for (size_t i = 0; i < val_count(c->proposals); i++) {
		struct val one = val_at(c->proposals, i);

		if (c->winner.kind == VAL_UNDEFINED || !is_of(one, c->winner))
			mailing_tell(&c->d, mailing_sender(one), "reject-proposal",
			    mailing_answer(&c->d, one));
	}
	if (c->winner.kind == VAL_UNDEFINED)
		return true;
	fields = mailing_answer(&c->d, c->winner);
	fields = val_set_take(fields, S("reply_with"), val_string(str_of(c->d.id)));
	fields = val_set_take(fields, S("content"), val_ref(val_get(c->winner, S("content"))));
	return mailing_send(&c->d, mailing_sender(c->winner), "accept-proposal", fields, &n);
}

static void
keep_award(struct contract *c)
{
	struct val sender = val_get(c->winner, S("sender"));
	struct buf b = BUF(LIMIT_ACL_PARAM_BYTES + KB);

	json_add_fmt(&b, "{'heard':%zu", c->d.heard);
	if (sender.kind == VAL_STRING)
		json_add_fmt(&b, ",'sender':%.*s", FMT(val_str(sender)));
	buf_add_char(&b, '}');
	record_part(&c->d.p, S("award"), S("contract_net"), buf_str(&b));
	buf_release(&b);
}

static void
timer_leave(struct contract *c)
{
	struct task *t = c->d.p.task;

	if (c->timed)
		t->host->timer_stop(t->ctx, &c->timer);
	c->timed = false;
}

static void
award(struct contract *c)
{
	timer_leave(c);
	if (!pick(c) || !tell_all(c))
		return;
	keep_award(c);
	c->awarded = true;
	if (c->winner.kind == VAL_UNDEFINED)
		finish(c, VAL_UNDEF);
}

/* Is it decided, by an earlier attempt, after what was heard so far? */
static void
award_again(struct contract *c)
{
	const struct known *k = c->awarded ? NULL : record_find(&c->d.p, S("award"));
	struct val v;

	if (k == NULL)
		return;
	v = val_json_trusted(k->result_json);
	if (val_get(v, S("heard")).u.i == (int64_t)c->d.heard) {
		c->awarded = true;
		c->winner = val_ref(proposal_of(c, v));
		timer_leave(c);
	}
	val_drop(v);
	if (c->awarded && c->winner.kind == VAL_UNDEFINED)
		finish(c, VAL_UNDEF);
}

/* ---- the call ---------------------------------------------------------------------- */

static void
hear_bid(struct contract *c, struct val message)
{
	if (!mailing_is(message, "propose"))
		c->refused = val_push_take(c->refused, val_ref(val_get(message, S("sender"))));
	else if (proposal_of(c, message).kind == VAL_UNDEFINED)
		c->proposals = val_push_take(c->proposals, val_ref(message));
}

static bool
all_have_answered(const struct contract *c)
{
	return val_count(c->proposals) + val_count(c->refused) >= c->d.receivers;
}

/* The server's own word that the deadline is over, which the timer tells too. */
static bool
is_deadline(struct val message)
{
	struct val content = val_get(message, S("content"));
	struct val reason = content.kind == VAL_OBJECT ? val_get(content, S("reason")) :
	    VAL_UNDEF;

	return mailing_is_of_server(message) && reason.kind == VAL_STRING &&
	    str_eq(val_str(reason), S("deadline"));
}

static void
hear_winner(struct contract *c, struct val message)
{
	if (mailing_is(message, "inform"))
		finish(c, message);
	else
		mailing_fail(&c->d, message);
}

static void
contract_heard(struct piece *p, struct val message, bool again)
{
	struct contract *c = contract_of(p);
	bool late = c->awarded && mailing_is(message, "propose");

	if (is_deadline(message))
		return;
	if (late) {
		c->late++;
		if (!again)
			mailing_tell(&c->d, mailing_sender(message), "reject-proposal",
			    mailing_answer(&c->d, message));
	} else if (!c->awarded) {
		hear_bid(c, message);
		if (again)
			award_again(c);
		else if (all_have_answered(c))
			award(c);
	} else if ((is_of(message, c->winner) || mailing_is_of_server(message)) &&
	    !mailing_is(message, "agree")) {
		hear_winner(c, message);
	}
}

static void wait_on(struct contract *c);

static void
on_fire(struct task_timer *timer)
{
	struct contract *c = CONTAINER_OF(timer, struct contract, timer);
	struct task *t = c->d.p.task;

	if (!task_enter(t))
		return;
	c->timed = false;
	if (c->due > t->host->now(t->ctx))
		wait_on(c);
	else
		award(c);
	task_leave(t);
}

static void
wait_on(struct contract *c)
{
	struct task *t = c->d.p.task;
	msec left = c->due - t->host->now(t->ctx);

	c->timer.fire = on_fire;
	c->timed = true;
	t->host->timer_set(t->ctx, &c->timer, left <= 0 ? 1 : left < LIMIT_CLOCK_CHECK_MS ?
	    left : LIMIT_CLOCK_CHECK_MS);
}

static bool
read_due(struct contract *c, struct val *fields)
{
	struct piece *p = &c->d.p;
	struct task *t = p->task;
	char iso[CLOCK_ISO_SIZE];
	struct val v;
	bool fits;

	if (!piece_eval_text(p, CONTRACT_DEADLINE, &v))
		return false;
	fits = mail_time(val_str(v), t->host->now(t->ctx), &c->due);
	val_drop(v);
	if (!fits) {
		piece_fail(p, "error.execution", "ExpressionError", "line %u: "
		    "contract_net.deadline: expected a time, as in 30s", p->spec->line);
		return false;
	}
	clock_write_iso(iso, c->due);
	*fields = val_set_take(*fields, S("reply_by"), val_string((struct str){ iso,
	    sizeof iso }));
	return true;
}

static struct val
fields_of(const struct contract *c)
{
	struct val fields = val_object_empty();

	fields = val_set_take(fields, S("protocol"), val_string(S("fipa-contract-net")));
	return val_set_take(fields, S("conversation_id"), val_string(str_of(c->d.id)));
}

static void
contract_start(struct piece *p)
{
	struct contract *c = contract_of(p);
	struct buf to = BUF(LIMIT_ACL_BYTES);
	struct val fields;

	mailing_init(&c->d);
	c->d.keeps = true;
	c->proposals = val_array_empty();
	c->refused = val_array_empty();
	fields = val_set_take(fields_of(c), S("reply_with"), val_string(str_of(c->d.id)));
	if (!mail_to(p, CONTRACT_TO, &to) || !read_due(c, &fields) ||
	    !mail_field(p, CONTRACT_CONTENT, &fields) ||
	    !mail_field(p, CONTRACT_ONTOLOGY, &fields)) {
		val_drop(fields);
	} else if (mailing_begin(&c->d, buf_str(&to), "cfp", fields, &c->due)) {
		wait_on(c);
		award_again(c);
		mailing_repeat(&c->d);
		if (p->state == PIECE_RUNS && !c->awarded && all_have_answered(c))
			award(c);
	}
	buf_release(&to);
}

static void
contract_stop(struct piece *p)
{
	timer_leave(contract_of(p));
}

/* Who was called need not answer any more. */
static void
contract_quit(struct piece *p)
{
	struct contract *c = contract_of(p);
	struct buf to = BUF(LIMIT_ACL_BYTES);

	if (c->awarded)
		mailing_tell(&c->d, mailing_sender(c->winner), "cancel", fields_of(c));
	else if (mail_to(p, CONTRACT_TO, &to))
		mailing_tell(&c->d, buf_str(&to), "cancel", fields_of(c));
	buf_release(&to);
}

static void
contract_release(struct piece *p)
{
	struct contract *c = contract_of(p);

	val_drop(c->proposals);
	val_drop(c->refused);
	val_drop(c->winner);
	mailing_release(p);
}

static bool
contract_sleeps(const struct piece *p, msec *until)
{
	const struct contract *c = CONTAINER_OF(p, const struct contract, d.p);

	*until = c->awarded ? TASK_NEVER : c->due;
	return true;
}

const struct task_run task_contract_net = {
	.size = sizeof(struct contract), .traits = TASK_EFFECT, .start = contract_start,
	.heard = contract_heard, .quit = contract_quit, .stop = contract_stop,
	.release = contract_release, .sleeps = contract_sleeps,
};
