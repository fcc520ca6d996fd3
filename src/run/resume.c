/*
 * resume.c - answers are looked at before a run is made for them, so that a wrong
 * one uses nothing up.
 *
 * The run looks again, at what waits then.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/hmac.h"
#include "base/limits.h"
#include "run/run_priv.h"
#include "run/saved_priv.h"
#include "task/task.h"

static int
check(const struct core_interrupt *i, struct val answer, struct err *e)
{
	if (answer.kind == VAL_OBJECT && val_has(answer, S(TASK_TIMEOUT_KEY)))
		return err_set(e, ERR_INVALID, "command.resume: the answer has a key that "
		    "only the server gives: " TASK_TIMEOUT_KEY);
	return i == NULL ? OK : task_answer_check(i->value, answer, e);
}

static const struct core_interrupt *
waiting_find(const struct core_saved *s, struct str hex)
{
	struct uuid id;

	if (!hex_decode(hex, id.b, sizeof id.b))
		return NULL;
	for (size_t i = 0; i < s->interrupts_n; i++)
		if (s->interrupts[i].waits && uuid_eq(&s->interrupts[i].id, &id))
			return &s->interrupts[i];
	return NULL;
}

/* The one that waits; NULL: none, or several. */
static const struct core_interrupt *
waiting_one(const struct core_saved *s)
{
	const struct core_interrupt *one = NULL;

	for (size_t i = 0; i < s->interrupts_n; i++) {
		if (s->interrupts[i].waits && one != NULL)
			return NULL;
		if (s->interrupts[i].waits)
			one = &s->interrupts[i];
	}
	return one;
}

static int
check_all(const struct core_saved *s, struct val resume, struct err *e)
{
	int rc = OK;

	if (!core_is_resume_map(resume))
		return check(waiting_one(s), resume, e);
	for (size_t i = 0; rc == OK && i < val_count(resume); i++)
		rc = check(waiting_find(s, val_key(resume, i)), val_member(resume, i), e);
	return rc;
}

int
resume_check(struct runs *rs, owner_t owner, int64_t thread_seq, jnode resume,
    struct err *e)
{
	struct saved_from from = { .reader = rs->reader, .owner = owner,
	    .thread_seq = thread_seq };
	struct core_saved *s = NULL;
	struct val v = VAL_UNDEF;
	int rc = OK;

	if (json_is_null(resume))
		return OK;
	rc = json_to_val(resume, &v, e);
	if (rc == OK && saved_load_waiting(&from, &s) == OK && s != NULL)
		rc = check_all(s, v, e);
	saved_free(s);
	val_drop(v);
	return rc;
}
