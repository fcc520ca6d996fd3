/*
 * eval_files.h - the files of evals: the eval with its dataset, and results.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_EVAL_FILES_H
#define MAIN_EVAL_FILES_H

#include "eval/result.h"

struct eval_files {
	struct eval v;
	struct eval_cases cases;
	struct buf text, dataset;            /* the cases borrow from it */
	struct buf folder;                   /* of the eval's file; NUL-ended */
	struct buf dataset_path, script_path, agent_path;    /* NUL-ended; or empty */
	char hash[65];                       /* SHA-256 of the dataset */
};
/* Reads both and checks them together.  Release also after errors. */
int  eval_files_read(struct eval_files *f, const char *path, struct err *e);
void eval_files_release(struct eval_files *f);

/* Adds a line to the dataset of that name, which is made when it is not there.  The file
 * has the line, on disk, or is as it was.  ERR_INVALID: it has a case of that id, or is no
 * dataset. */
int  eval_dataset_append(const char *name, struct str line, struct err *e);

/* DIR/EVAL/TIME.json; makes the folders.  NUL-ended. */
int  eval_result_path(struct buf *out, const char *dir, const struct eval_result *r,
    struct err *e);
/* The file is whole or not there, whenever the process ends. */
int  eval_result_put(struct eval_result *r, const char *path, struct err *e);
int  eval_result_get(struct eval_result *r, const char *path, struct err *e);
/* The newest result beside `path`, but for that one.  ERR_NOTFOUND. */
int  eval_result_newest(struct buf *out, const char *path, struct err *e);

#endif
