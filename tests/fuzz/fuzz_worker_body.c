/*
 * fuzz_worker_body.c - any JSON as the body of a request about a task: unknown members are
 * named; what a saver puts is taken as rows whose JSON is JSON, or refused with words.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "run/hosted_rows.h"
#include "worker/desk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_rows(const struct changes *x)
{
	struct store_changes rows = { 0 };
	struct err e;

	for (size_t i = 0; i < x->saver_puts_n; i++) {
		const struct store_saver_put *p = &x->saver_puts[i];

		assert(json_check(p->versions_json, &e) == OK);
		assert(p->id.n > 0 && p->checkpoint.type.n > 0 && p->metadata.type.n > 0);
		for (size_t k = 0; k < p->blobs_n; k++)
			assert(p->blobs[k].value.type.n > 0);
	}
	for (size_t i = 0; i < x->saver_writes_n; i++)
		assert(x->saver_writes[i].value.type.n > 0);
	assert(changes_fill(x, &rows, &e) == OK || e.text[0] != '\0');
}

/* view: with what clients see; a parent would be read from the store, of which there is
 * none here. */
static void
take(jnode body, bool view)
{
	struct hosted_from from = { .owner = 1, .now = 1 };
	struct hosted_lists lists = { 0 };
	struct changes x;
	struct err e = { .text = "" };
	int rc;

	changes_init(&x);
	rc = hosted_rows_take(&x, &from, view ? &lists : NULL, body, &e);
	assert(rc == OK || e.text[0] != '\0');
	if (rc == OK)
		check_rows(&x);
	changes_release(&x);
	hosted_lists_release(&lists);
}

static void
ask(jnode body)
{
	struct hosted_from from = { .owner = 1 };
	struct store_saver_list c = { 0 };
	struct arena a = ARENA(64 * MB);
	struct err e = { .text = "" };

	if (hosted_list_read(&c, &from, &a, body, &e) < 0)
		assert(e.text[0] != '\0');
	else
		assert(c.filter_json.n == 0 || json_check(c.filter_json, &e) == OK);
	arena_release(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct json_doc doc;
	struct err e = { .text = "" };
	int op;

	if (json_parse(&doc, (struct str){ (const char *)data, n }, &e) == OK &&
	    json_is_object(doc.root)) {
		for (unsigned v = WORKER_EVENTS; v <= WORKER_END; v++)
			if (worker_body_check(v, doc.root, false, &e) < 0)
				assert(e.text[0] != '\0');
		op = hosted_op(doc.root, &e);
		if (op == HOSTED_PUT || op == HOSTED_WRITES) {
			take(doc.root, false);
			if (json_get(doc.root, S("parent_id")) == NULL)
				take(doc.root, true);
		} else if (op == HOSTED_LIST) {
			ask(doc.root);
		}
	}
	json_release(&doc);
	return 0;
}
