/*
 * entry_line.h - an entry of a transcript as a line for people.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_ENTRY_LINE_H
#define MAIN_ENTRY_LINE_H

#include "base/buf.h"
#include "base/val.h"

/* Without its line end; colours: of a terminal. */
void entry_add_line(struct buf *b, struct val entry, bool colours);
/* The same without time and place. */
void entry_add_words(struct buf *b, struct val entry);

#endif
