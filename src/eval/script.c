/*
 * script.c - a program as scorer: what it reads, and what it says.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "base/fields.h"
#include "eval/eval.h"

void
eval_script_add_input(const struct eval_scope *scope, struct buf *out)
{
	static const enum eval_name shown[] = { EVAL_INPUT, EVAL_OUTPUT, EVAL_EXPECTED,
		EVAL_STATE };

	buf_add_char(out, '{');
	for (size_t i = 0; i < COUNT(shown); i++) {
		struct val v = shown[i] == EVAL_OUTPUT ? scope->text : scope->v[shown[i]];

		json_add_key(out, eval_names[shown[i]]);
		val_add_json(out, v.kind == VAL_UNDEFINED ? VAL_NIL : v);
	}
	buf_lit(out, "}\n");
}

void
eval_script_read(struct str answer, struct eval_score *out)
{
	struct json_doc d = { 0 };
	struct str why = STR_NONE;
	struct err e = { 0 };
	struct fields f;
	jnode score;
	int rc = json_parse(&d, answer, &e);

	*out = (struct eval_score){ 0 };
	if (rc == OK) {
		fields_open(&f, d.root, "its answer", &e);
		score = fields_any(&f, "score");
		fields_str(&f, "why", answer.n, &why);
		if (!json_is_number(score) || !(json_number(score) >= 0) ||
		    json_number(score) > 1)
			fields_fail(&f, "score", ERR_INVALID, "expected a number from 0 to 1");
		rc = fields_end(&f);
		out->score = json_number(score);
	}
	if (rc == OK)
		snprintf(out->why, sizeof out->why, "%.*s", FMT(str_cut(why, sizeof out->why - 1)));
	else
		eval_score_fail(out, "the script: %s", e.text);
	json_release(&d);
}
