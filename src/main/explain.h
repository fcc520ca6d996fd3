/*
 * explain.h - what else is made from the tables of commands and settings: cohort.yaml(5),
 * and what zsh and fish complete.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_EXPLAIN_H
#define MAIN_EXPLAIN_H

#include "base/buf.h"

void explain_add_settings_man(struct buf *b);
void explain_add_zsh(struct buf *b);
void explain_add_fish(struct buf *b);

#endif
