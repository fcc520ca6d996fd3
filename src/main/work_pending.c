/*
 * work_pending.c - functions of work_git.h that are not there yet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/work_git.h"
#include "work/markdown.h"

#define PENDING(name, ...)                                                     \
	int name(__VA_ARGS__) { return err_set(e, ERR_METHOD, #name " is not there yet"); }
#define UNUSED __attribute__((unused))

PENDING(work_sync, UNUSED struct work_hand *h, UNUSED const struct work_sync_options *o,
    struct err *e)
PENDING(work_import_beads, UNUSED struct work_hand *h, UNUSED struct str from,
    struct err *e)
PENDING(work_merge_files, UNUSED const char *base, UNUSED const char *ours,
    UNUSED const char *theirs, UNUSED const char *path, UNUSED struct buf *notes,
    struct err *e)
PENDING(work_install_merge_driver, UNUSED const struct home *home, struct err *e)
PENDING(work_prime, UNUSED struct work_hand *h, struct err *e)
PENDING(markdown_parse, UNUSED struct str text, UNUSED struct buf *out,
    UNUSED size_t *n, struct err *e)

bool
work_has_merge_driver(UNUSED const struct home *home)
{
	return false;
}
