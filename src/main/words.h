/*
 * words.h - two texts side by side, with the words that differ marked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_WORDS_H
#define MAIN_WORDS_H

#include "base/buf.h"

/* Lines "left | right", each half `width` characters wide; words that only one side has
 * are red and green with colours, else [-left-] and {+right+}.  Texts of more than
 * LIMIT_DIFF_WORDS words are shown without marks. */
void words_add_beside(struct buf *b, struct str left, struct str right, size_t width,
    bool colours);

#endif
