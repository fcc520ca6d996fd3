/*
 * llm_keep.c - the conversation that a model is asked with, and where it lives.
 *
 *	no keep        the channel `messages`, or what `messages` of the file says
 *	keep: state    one that begins with the work and ends with it
 *	keep: session  one of this llm, that goes on each time
 *	keep: NAME     one of all llms that name it
 *
 * The last two are hidden channels (agent/hidden.c); what the file gives as `messages`
 * and `prompt` becomes a part of them when the work begins, before the answers do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/llm_priv.h"

int
llm_keep_check(struct val v, struct err *e)
{
	struct str name = val_str(v);

	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= ' ')
			return err_set(e, ERR_INVALID, "expected state, session, or a name "
			    "without blanks");
	return name.n == 0 || name.n > LIMIT_NAME_BYTES ? err_set(e, ERR_INVALID,
	    "expected state, session, or a name of at most %d bytes", LIMIT_NAME_BYTES) : OK;
}

/* What the file gives as messages; UNDEF: nothing. */
static bool
given_messages(struct piece *p, struct val *out)
{
	const struct agent_value *field = piece_field(p, LLM_MESSAGES);
	struct val given;
	struct err e;
	int rc;

	*out = VAL_UNDEF;
	if (!agent_has(field))
		return true;
	if (!piece_eval(p, LLM_MESSAGES, &given))
		return false;
	rc = messages_from(given, "llm.messages", out, NULL, &e);
	val_drop(given);
	if (rc != OK)
		piece_fail(p, "error.llm.invalid_request", "BadRequestError", "line %u: %s",
		    field->line, e.text);
	return rc == OK;
}

static bool
add_prompt(struct piece *p, struct val *list)
{
	struct val prompt, m;
	int rc;

	if (!piece_eval_text(p, LLM_PROMPT, &prompt))
		return false;
	if (prompt.kind == VAL_STRING) {
		rc = message_from(prompt, "llm.prompt", &m, NULL, NULL);
		if (rc == OK)
			*list = val_push_take(*list, m);
	}
	val_drop(prompt);
	return true;
}

static struct val
joined(struct val base, struct val more)
{
	for (size_t i = 0; i < val_count(more); i++)
		base = val_push_take(base, val_ref(val_at(more, i)));
	return base;
}

/* What is new goes into the channel before the answer does. */
static bool
own_conversation(struct piece *p, struct val *out)
{
	const struct channels *cs = p->spec->keep < 0 ? NULL : piece_state(p);
	struct val kept = cs == NULL ? VAL_UNDEF :
	    channels_get(cs, (size_t)p->spec->keep), fresh;

	if (p->state != PIECE_RUNS || !given_messages(p, &fresh))
		return false;
	if (fresh.kind == VAL_UNDEFINED)
		fresh = val_array_empty();
	*out = kept.kind == VAL_ARRAY ? val_ref(kept) : val_array_empty();
	if (!add_prompt(p, &fresh)) {
		val_drop(fresh);
		val_drop(*out);
		return false;
	}
	*out = joined(*out, fresh);
	if (val_count(fresh) > 0 && p->spec->keep >= 0)
		return piece_write_messages(p, fresh, REDUCE_STORED);
	val_drop(fresh);
	return true;
}

bool
llm_conversation(struct piece *p, struct val *out)
{
	struct val base, said;

	if (llm_loop_said(p, &base, &said)) {
		*out = joined(val_ref(base), said);
		return true;
	}
	if (p->spec->keep != AGENT_KEEP_NONE)
		return own_conversation(p, out);
	if (!given_messages(p, out))
		return false;
	if (out->kind == VAL_UNDEFINED) {
		base = piece_messages(p);
		*out = base.kind == VAL_ARRAY ? val_ref(base) : val_array_empty();
	}
	if (p->state == PIECE_RUNS && add_prompt(p, out))
		return true;
	val_drop(*out);
	return false;
}
