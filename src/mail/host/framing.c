/*
 * framing.c - see framing.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/host/framing.h"

#include "mail/acl.h"

static int
next_line(struct str in, size_t max, struct str *line, size_t *taken)
{
	ptrdiff_t end = str_index(in, '\n');

	if (end < 0)
		return in.n > max ? ERR_TOOBIG : OK;
	if ((size_t)end > max)
		return ERR_TOOBIG;
	*taken = (size_t)end + 1;
	*line = str_sub(in, 0, (size_t)end);
	if (str_ends(*line, S("\r")))
		line->n--;
	return OK;
}

static int
next_frame(struct str in, size_t max, struct str *frame, size_t *taken)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t n;

	if (in.n < ACL_FRAME_HEAD)
		return OK;
	n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	if (n > max)
		return ERR_TOOBIG;
	if (in.n - ACL_FRAME_HEAD < n)
		return OK;
	*taken = ACL_FRAME_HEAD + n;
	*frame = str_sub(in, ACL_FRAME_HEAD, n);
	return n > 0 ? OK : ERR_INVALID;
}

int
framing_next(enum framing *f, struct str in, size_t max, struct str *message, size_t *taken)
{
	*taken = 0;
	*message = STR_NONE;
	if (in.n == 0)
		return OK;
	if (*f == FRAMING_UNKNOWN)
		*f = in.p[0] == '{' ? FRAMING_LINES : FRAMING_FRAMES;
	return (*f == FRAMING_LINES ? next_line : next_frame)(in, max, message, taken);
}
