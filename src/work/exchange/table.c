/*
 * table.c - the operations of this room, and the list of all tables.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/args.h"
#include "work/exchange/record_priv.h"
#include "work/exchange/rename_priv.h"

static const struct operation exchange_operations[] = {
	{ "export", op_export, OP_READS, ARGS(
	    TEXT("after", LIMIT_WORK_ID_BYTES, "only what comes after this id"),
	    WORD("status", work_status_names, STATUSES),
	    BOOL("tombstones", "also what was deleted"),
	    BOOL("whole", "with what only the database has"),
	    ROWS("at most so many"), END) },
	{ "import", op_import, OP_ALONE, ARGS(
	    { "items", ARG_ARRAY, true, 0, 0, NULL, "items as in an export" },
	    INT("first_line", 1, INT32_MAX, "the first item's line, for errors"),
	    BOOL("dry_run", "only say what would be done"),
	    BOOL("skip_existing", "leave alone what is here"),
	    BOOL("strict", "a dependency on an item that is not there is an error"),
	    BOOL("base", "keep the items as the base of the next merge"),
	    BOOL("resolve_cycles", "drop the dependencies that close cycles"),
	    BOOL("skip_bad", "leave out lines that are no items"), END) },
	{ "rename_prefix", op_rename_prefix, OP_ALONE, ARGS(
	    NEED("prefix", LIMIT_WORK_PREFIX_BYTES, "the new prefix of all ids"),
	    BOOL("dry_run", "only say what would be done"), END) },
	{ NULL }
};

const struct operation *const work_tables[] = {
	work_operations, exchange_operations, NULL
};
