/*
 * fuzz_eval.c - any text as an eval's file, as a dataset and as a result: refused with a
 * place, or what was read can be scored, written and read again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "eval/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
write_again(struct eval_result *r)
{
	struct buf b = BUF(64 * MB);
	struct eval_result again;

	eval_result_add_json(&b, r);
	assert(b.failed || eval_result_read(&again, buf_str(&b), S("fuzz"), NULL) == OK);
	if (!b.failed)
		eval_result_release(&again);
	buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = { (const char *)data, n };
	struct eval_result r;
	struct eval_cases c;
	struct eval v;
	struct err e = { 0 };

	if (eval_read(&v, text, S("fuzz"), &e) == OK)
		assert(v.scorers_n > 0 && v.name.n > 0);
	else
		assert(strncmp(e.text, "fuzz:", 5) == 0);
	eval_release(&v);
	e = (struct err){ 0 };
	if (eval_cases_read(&c, text, S("fuzz"), &e) == OK)
		assert(c.n > 0 && c.at[0].id.n > 0);
	else
		assert(strncmp(e.text, "fuzz:", 5) == 0);
	eval_cases_release(&c);
	e = (struct err){ 0 };
	if (eval_result_read(&r, text, S("fuzz"), &e) == OK && r.eval.n > 0)
		write_again(&r);
	eval_result_release(&r);
	return 0;
}
