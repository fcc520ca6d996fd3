/*
 * protocol.h - values as the thread protocol shows them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_PROTOCOL_H
#define RUN_PROTOCOL_H

#include "base/val.h"

/* A state as JSON: its messages are reduced (type, content, id, then what of the rest
 * is not empty), those of models with their content as a list of blocks and
 * response_metadata.output_version "v1". */
void protocol_add_state(struct buf *b, struct val state);

#endif
