/*
 * pg_value.c - values to parameters, columns to values.
 *
 * Both go over the wire in PostgreSQL's binary form, most significant byte first.
 * The server says of which type a parameter is; a type that is not known here
 * goes as text, which the server reads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/pg_priv.h"

/* pg_type.h of the server, whose numbers never change. */
enum {
	TYPE_BOOL = 16, TYPE_BYTEA = 17, TYPE_NAME = 19, TYPE_INT8 = 20, TYPE_INT2 = 21,
	TYPE_INT4 = 23, TYPE_TEXT = 25, TYPE_FLOAT4 = 700, TYPE_FLOAT8 = 701,
	TYPE_VARCHAR = 1043, TYPE_NUMERIC = 1700
};

/* ---- parameters ------------------------------------------------------------- */

static void
put(struct pg_params *x, int i, const void *bytes, int n)
{
	memcpy(x->room[i], bytes, (size_t)n);
	x->at[i] = x->room[i];
	x->n[i] = n;
	x->binary[i] = 1;
}

static int
number(struct pg_params *x, int i, Oid type, int64_t v, struct err *e)
{
	uint64_t eight = htobe64((uint64_t)v);
	uint32_t four = htobe32((uint32_t)v);
	uint16_t two = htobe16((uint16_t)v);
	char one = v != 0;

	if ((type == TYPE_INT4 && v != (int32_t)v) || (type == TYPE_INT2 && v != (int16_t)v))
		return err_set(e, ERR_INVALID, "parameter %d: %" PRId64 " does not fit "
		    "the type that PostgreSQL expects (%s); the statement should "
		    "cast it to bigint", i + 1, v, type == TYPE_INT4 ? "integer" :
		    "smallint");
	switch (type) {
	case TYPE_INT8: put(x, i, &eight, 8); break;
	case TYPE_INT4: put(x, i, &four, 4); break;
	case TYPE_INT2: put(x, i, &two, 2); break;
	case TYPE_BOOL: put(x, i, &one, 1); break;
	default:
		x->n[i] = snprintf(x->room[i], sizeof x->room[i], "%" PRId64, v);
		x->at[i] = x->room[i];
		x->binary[i] = 0;
		break;
	}
	return OK;
}

static int
bytes(struct pg_params *x, int i, Oid type, struct str s, struct err *e)
{
	if (type != TYPE_BYTEA && s.n > 0 && memchr(s.p, '\0', s.n) != NULL)
		return err_set(e, ERR_INVALID, "parameter %d: PostgreSQL keeps no text "
		    "with a NUL character", i + 1);
	x->at[i] = s.n == 0 ? "" : s.p;
	x->n[i] = (int)s.n;
	x->binary[i] = type == TYPE_BYTEA || type == TYPE_TEXT || type == TYPE_VARCHAR ||
	    type == TYPE_NAME;
	if (!x->binary[i])
		x->at[i] = x->copy[i] = mem_cstr(s);
	return OK;
}

int
pg_params_make(struct pg_params *x, const struct pg_stmt *s, struct err *e)
{
	int rc = OK;

	assert(s->params <= PG_PARAMS);
	for (int i = 0; i < s->params; i++) {
		const struct db_value *v = &s->value[i];

		x->copy[i] = NULL;
		x->at[i] = NULL;
		x->n[i] = x->binary[i] = 0;
		if (rc == OK && v->kind == DB_I64)
			rc = number(x, i, s->type[i], v->i64, e);
		else if (rc == OK && (v->kind == DB_STR || v->kind == DB_BLOB))
			rc = bytes(x, i, s->type[i], v->str, e);
	}
	return rc;
}

void
pg_params_free(struct pg_params *x, int n)
{
	for (int i = 0; i < n; i++)
		free(x->copy[i]);
}

/* ---- columns ------------------------------------------------------------------ */

static uint16_t
two_bytes(const char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return be16toh(v);
}

/* A sum: four counts, then digits of base 10,000; `weight` is the power of the
 * first.  What comes behind the point is dropped. */
static int64_t
numeric(const char *p)
{
	int digits = two_bytes(p), weight = (int16_t)two_bytes(p + 2);
	bool negative = two_bytes(p + 4) == 0x4000;
	uint64_t v = 0;

	for (int i = 0; i <= weight; i++)
		v = v * 10000 + (i < digits ? two_bytes(p + 8 + 2 * i) : 0);
	return negative ? -(int64_t)v : (int64_t)v;
}

int64_t
pg_number(const PGresult *res, int row, int col)
{
	const char *p = pq.getvalue(res, row, col);
	uint64_t eight;
	uint32_t four;
	double f;
	int64_t v = 0;

	if (pq.getisnull(res, row, col))
		return 0;
	switch (pq.ftype(res, col)) {
	case TYPE_INT8:
		memcpy(&eight, p, 8);
		return (int64_t)be64toh(eight);
	case TYPE_INT4:
		memcpy(&four, p, 4);
		return (int32_t)be32toh(four);
	case TYPE_INT2:
		return (int16_t)two_bytes(p);
	case TYPE_BOOL:
		return *p != 0;
	case TYPE_NUMERIC:
		return numeric(p);
	case TYPE_FLOAT8:
		memcpy(&eight, p, 8);
		eight = be64toh(eight);
		memcpy(&f, &eight, 8);
		return (int64_t)f;
	default:
		str_to_i64((struct str){ p, (size_t)pq.getlength(res, row, col) }, &v);
		return v;
	}
}
