/*
 * ops.c - the table of operations.  Each is a row of STORE_OP_MAP and a struct
 * op in the file that runs it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store_priv.h"

#define HEAD 512                             /* the struct and its bookkeeping */

const struct op *const store_ops[STORE_OPS] = {
#define X(name, low) &store_op_##low,
	STORE_OP_MAP(X)
#undef X
};

size_t
store_op_bytes(const struct store_cmd *c)
{
	const struct op *op = store_ops[c->op];
	size_t bytes = HEAD + (op->bytes != NULL ? op->bytes(c) : 0);

	for (const size_t *at = op->texts; at != NULL && *at != 0; at++)
		bytes += ((const struct str *)((const char *)c + *at))->n;
	return bytes;
}
