/*
 * protocol.c - see protocol.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/protocol.h"

void
protocol_add_state(struct buf *b, struct val state)
{
	val_add_json(b, state);
}
