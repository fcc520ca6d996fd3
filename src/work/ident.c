/*
 * ident.c - ids: PREFIX-a3f8, children PREFIX-a3f8.1, imported PREFIX-12.
 *
 * The random part is drawn, not counted, so that branches and machines that
 * know nothing of each other do not give the same id twice.  It is as short as
 * that allows: with n items the odds that any two of n further ones meet are
 * about n * n / 36^length, and stay under one in a hundred.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/row.h"

#define LENGTH_MIN 4
#define LENGTH_MAX 12
#define TRIES      64
#define COUNT_KEEP 64                        /* draws by one count of the items */

const char id_alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyz";

int
id_length(int64_t n)
{
	double room = 36.0 * 36 * 36 * 36;
	int length = LENGTH_MIN;

	while (length < LENGTH_MAX && (double)n * (double)n > room / 100) {
		room *= 36;
		length++;
	}
	return length;
}

static bool
is_letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool
is_word(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

bool
prefix_is_valid(struct str s)
{
	if (s.n == 0 || s.n > LIMIT_WORK_PREFIX_BYTES || !is_letter(s.p[0]) ||
	    s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 1; i < s.n; i++) {
		if (!is_word(s.p[i]) && s.p[i] != '-')
			return false;
	}
	return true;
}

int
prefix_check(struct str s, struct err *e)
{
	return prefix_is_valid(s) ? OK : err_set(e, ERR_INVALID, "prefix \"%.*s\": "
	    "expected a letter, then letters, digits, '-' and '_', at most %d in "
	    "all, no '-' at the end", FMT(s), LIMIT_WORK_PREFIX_BYTES);
}

struct str
prefix_from(struct str name, char *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < name.n && n < max; i++) {
		char c = name.p[i];

		if (is_letter(c) || (n > 0 && is_word(c)))
			out[n++] = c;
		else if (n > 0 && out[n - 1] != '-')
			out[n++] = '-';
	}
	while (n > 0 && out[n - 1] == '-')
		n--;
	if (n == 0) {
		n = sizeof "work" - 1;
		memcpy(out, "work", n);
	}
	return (struct str){ out, n };
}

bool
id_is_valid(struct str id)
{
	ptrdiff_t dash = -1;

	for (size_t i = 0; i < id.n; i++) {
		if (id.p[i] == '-')
			dash = (ptrdiff_t)i;
	}
	if (id.n > LIMIT_WORK_ID_BYTES || dash < 1 || (size_t)dash + 1 == id.n ||
	    !prefix_is_valid(str_sub(id, 0, (size_t)dash)))
		return false;
	for (size_t i = (size_t)dash + 1; i < id.n; i++) {
		bool dot = id.p[i] == '.' && i > (size_t)dash + 1 &&
		    i + 1 < id.n && id.p[i - 1] != '.';

		if (!is_word(id.p[i]) && !dot)
			return false;
	}
	return true;
}

/* About: the length does not depend on the last few. */
static int
items_count(struct work *w, int64_t *n)
{
	struct query q;
	int rc;

	*n = w->ids_n;
	if (w->ids_tracker == w->t.seq && w->ids_left-- > 0)
		return OK;
	q = query_of(&w->db, SQL_COUNTS, db_i64(w->t.seq));
	*n = 0;
	while ((rc = query_row(&q)) == OK)
		*n += query_i64(&q, 1);
	query_end(&q);
	w->ids_n = *n;
	w->ids_tracker = w->t.seq;
	w->ids_left = COUNT_KEEP;
	return rc == ERR_NOTFOUND ? OK : work_fail_db(w, rc);
}

int
id_make(struct work *w, struct str *out)
{
	uint8_t draw[LENGTH_MAX];
	char text[LENGTH_MAX];
	int64_t n, taken;
	int length, rc = items_count(w, &n);

	if (rc != OK)
		return rc;
	length = id_length(n);
	for (int i = 0; i < TRIES; i++) {
		if (i > 0 && i % 8 == 0 && length < LENGTH_MAX)
			length++;
		id_random(draw, (size_t)length);
		for (int j = 0; j < length; j++)
			text[j] = id_alphabet[draw[j] % 36];
		*out = arena_fmt(&w->a, "%.*s-%.*s", FMT(w->t.prefix), length, text);
		rc = id_seq(w, *out, &taken);
		if (rc != OK)
			return rc == ERR_NOTFOUND ? OK : rc;
	}
	return work_fail(w, ERR_LIMIT, "no free id was found");
}

/* parent->children is changed; the caller saves it. */
int
id_child(struct work *w, struct item *parent, struct str *out)
{
	int64_t taken;
	int rc = OK;

	while (rc == OK && parent->children < LIMIT_WORK_CHILDREN) {
		*out = arena_fmt(&w->a, "%.*s.%lld", FMT(parent->id),
		    (long long)++parent->children);
		rc = id_seq(w, *out, &taken);
		if (rc == ERR_NOTFOUND)
			break;
	}
	if (rc == OK)
		return work_fail(w, ERR_LIMIT, "%.*s: at most %d children",
		    FMT(parent->id), LIMIT_WORK_CHILDREN);
	if (rc != ERR_NOTFOUND)
		return rc;
	return out->n <= LIMIT_WORK_ID_BYTES ? OK :
	    work_fail(w, ERR_TOOBIG, "the child's id would be longer than %d bytes",
	    LIMIT_WORK_ID_BYTES);
}
