/*
 * check.h - a mark in a struct that says of what type it is.
 *
 * After Varnish's miniobj.h.  A type with state has `unsigned mark` and a
 * function check_x, called where a pointer to one comes from another file or
 * back from a library: what is of another type, or was freed, ends the process
 * there and not where it would hurt.  On in release builds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <assert.h>
#include <stddef.h>

#define CHECK_MARK(p, value) assert((p) != NULL && (p)->mark == (value))
/* Before it is freed. */
#define CHECK_END(p) ((void)((p)->mark = 0))

#endif
