/*
 * saver.c - writing what savers of worker graphs put (saver.h).
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/saver.h"
#include "store/store_priv.h"

static int
unsupported(struct store *st, struct store_cmd *c)
{
	(void)st;
	return err_set(&c->err, ERR_INVALID, "this build stores no graphs of workers");
}
const struct op store_op_saver_text = { .run = unsupported };
const struct op store_op_hosted_put = { .run = unsupported };
const struct op store_op_hosted_delete = { .run = unsupported };
const struct op store_op_saver_list = { .run = unsupported, .lane = OP_READ };
