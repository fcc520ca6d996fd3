/*
 * bulk.c - see bulk.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/bulk.h"

#include <stdlib.h>

#include "base/limits.h"

#define OLDEST_S INT64_C(3155760000)         /* 100 years */

int
bulk_age(struct str s, int64_t *out, struct err *e)
{
	static const struct { char unit; int64_t s; } units[] = { { 's', 1 }, { 'm', 60 },
		{ 'h', 3600 }, { 'd', 86400 } };

	for (size_t i = 0; i < COUNT(units); i++)
		if (s.n > 1 && s.p[s.n - 1] == units[i].unit &&
		    str_to_i64(str_sub(s, 0, s.n - 1), out) && *out >= 0 &&
		    *out <= OLDEST_S / units[i].s) {
			*out *= units[i].s;
			return OK;
		}
	return err_set(e, ERR_INVALID, "--older: expected an age as in 90s, 30m, 1h or 2d, got "
	    "\"%.*s\"", FMT(str_cut(s, 40)));
}

int
bulk_about(struct remote *r, struct str owner, struct err *e)
{
	struct buf b = BUF(LIMIT_HTTP_URL_BYTES);
	char *text;

	if (owner.n == 0 || owner.n > LIMIT_NAME_BYTES)
		return err_set(e, ERR_INVALID, "expected an owner's name, of %d bytes at most",
		    LIMIT_NAME_BYTES);
	text = remote_escape(r, owner);
	buf_add_fmt(&b, "owner=%s", text);
	remote_set_query(r, buf_str(&b));
	free(text);
	buf_release(&b);
	return OK;
}

int
bulk_about_flag(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct str owner = line_text(l, "owner");

	return owner.p == NULL ? OK : bulk_about(r, owner, e);
}
