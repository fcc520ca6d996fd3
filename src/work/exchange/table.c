/*
 * table.c - the operations that exchange items with files, and all tables.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/args.h"
#include "work/exchange/record_priv.h"
#include "work/exchange/rename_priv.h"

static const struct operation exchange_operations[] = {
	{ "export", op_export, OP_READS, ARGS(TEXT("after", LIMIT_WORK_ID_BYTES),
	    WORDS("status", ARG_STATUS), BOOL("tombstones"), BOOL("whole"), ROWS,
	    END) },
	{ "import", op_import, OP_ALONE, ARGS(
	    { "items", ARG_ARRAY, true }, INT("first_line", 1, INT32_MAX),
	    BOOL("dry_run"), BOOL("skip_existing"), BOOL("strict"), BOOL("base"),
	    BOOL("resolve_cycles"), BOOL("skip_bad"),
	    END) },
	{ "rename_prefix", op_rename_prefix, OP_ALONE, ARGS(
	    NEED("prefix", LIMIT_WORK_PREFIX_BYTES), BOOL("dry_run"), END) },
	{ NULL }
};

const struct operation *const work_tables[] = {
	work_operations, exchange_operations, NULL
};
