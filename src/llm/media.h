/*
 * media.h - blocks of a message's content that are data: images, sound, files, whichever
 * client wrote them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LLM_MEDIA_H
#define LLM_MEDIA_H

#include "base/json.h"

/* What a block of data says, wherever it says it. */
struct media {
	struct str url, data, mime, file_id, filename;
};

struct media media_of(jnode block);
/* The same, of the provider's own forms too, and a data: URL taken apart. */
struct media media_plain(jnode block);
/* A block with a text in it? */
bool media_is_text(jnode block);
/* A block that repeats what the message has elsewhere, or only its author reads. */
bool media_is_private(jnode block);
/* The block as JSON text, or its text. */
void media_add_flat(struct buf *plain, jnode block);

#endif
