/*
 * fuzz_scenario.c - any text as a scenario's file: refused with a place, or a plan whose
 * texts can be written with any values.  What they become is one line of a request, and
 * lines of headers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "bench/scenario_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
write_step(const struct step *st, const struct slot_value *values)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES), headers = BUF(LIMIT_HTTP_HEADER_BYTES);
	struct buf body = BUF(LIMIT_HTTP_BODY_BYTES);

	text_add(&st->path, TEXT_PATH, values, &path);
	text_add(&st->headers, TEXT_HEADER, values, &headers);
	text_add(&st->body, st->body_json ? TEXT_JSON : TEXT_PLAIN, values, &body);
	for (size_t i = 0; i < path.n; i++)
		assert((unsigned char)path.p[i] > 0x20);
	for (size_t i = 0; i < headers.n; i++)
		assert(headers.p[i] != '\n' || (i > 0 && headers.p[i - 1] == '\r'));
	assert(headers.n == 0 || headers.failed || str_ends(buf_str(&headers), S("\r\n")));
	if (st->body_json && !body.failed)
		assert(json_check(buf_str(&body), NULL) == OK);
	buf_release(&path);
	buf_release(&headers);
	buf_release(&body);
}

static void
write_all(const struct scenario *p)
{
	struct slot_value values[LIMIT_SCENARIO_VARIABLES] = { 0 };

	for (size_t i = 0; i < p->variables_n; i++) {
		values[i].text = BUF(KB);
		values[i].json = i % 2 == 0;
		values[i].set = true;
		buf_add(&values[i].text, values[i].json ? S("[7]") : S("\"\r\n {a}"));
	}
	for (size_t i = 0; i < p->sequences_n; i++)
		for (size_t k = 0; k < p->sequences[i].n; k++)
			write_step(&p->sequences[i].steps[k], values);
	for (size_t i = 0; i < p->variables_n; i++)
		buf_release(&values[i].text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct scenario p;
	struct err e = { 0 };
	int rc = scenario_read(&p, (struct str){ (const char *)data, n }, S("fuzz"), &e);

	if (rc == OK) {
		assert(p.phases_n > 0 && p.sequences_n > 0 && scenario_users(&p) > 0);
		for (uint64_t k = 0; k < 3; k++)
			(void)phase_arrival(&p.phases[0], k);
		write_all(&p);
	} else {
		assert(strncmp(e.text, "fuzz:", 5) == 0);
	}
	scenario_release(&p);
	return 0;
}
