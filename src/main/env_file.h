/*
 * env_file.h - variables of a file of NAME=value lines (.env).
 *
 *   # a comment
 *   NAME=value              blanks around it are cut, and ` # ...` after it
 *   export NAME='as it is'
 *   NAME="with \n, \t, \" and \\"
 *
 * `${NAME}` outside of '' is refused, as it is not replaced.  Errors name the line, never a
 * value: files like this hold secrets.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_ENV_FILE_H
#define MAIN_ENV_FILE_H

#include <stddef.h>

#include "base/rc.h"
#include "base/str.h"

/* "NAME=value" texts, NULL-ended once there is one. */
struct env_list { char **at; size_t n, cap; };

void env_list_release(struct env_list *l);
/* Of the same names the last counts. */
void env_list_add(struct env_list *l, struct str name, struct str value);
bool env_name_is_good(struct str name);

/* Appends what the text has; name: of the file.  ERR_INVALID. */
int  env_file_read(struct env_list *l, const char *name, struct str text, struct err *e);

#endif
