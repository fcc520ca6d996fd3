/*
 * module_bytes.c - integers, types and instructions of the binary format (core
 * specification 2.0, section 5).
 *
 * An integer is refused when it is longer than its type can need, or when bits that it does
 * not have are set.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>
#include "wasm/module_priv.h"

const char *const wasm_type_names[] = {
	[WASM_I32] = "i32", [WASM_I64] = "i64", [WASM_F32] = "f32", [WASM_F64] = "f64",
	[WASM_FUNCREF] = "funcref", [WASM_EXTERNREF] = "externref",
};

void
wasm_fail(struct wasm_reader *r, int rc, size_t at, const char *format, ...)
{
	char text[320], function[24] = "";
	va_list ap;

	if (r->rc != OK)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (r->function != WASM_NONE)
		snprintf(function, sizeof function, "function %" PRIu32 ", ", r->function);
	r->rc = err_set(r->e, rc, "%s%s%sbyte %zu: %s", r->section != NULL ? r->section : "",
	    r->section != NULL ? " section, " : "", function, at, text);
	r->at = r->end;
}

uint8_t
wasm_u8(struct wasm_reader *r)
{
	if (r->at >= r->end) {
		wasm_fail(r, ERR_INVALID, r->at, "ends in the middle");
		return 0;
	}
	return r->p[r->at++];
}

void
wasm_skip(struct wasm_reader *r, size_t n)
{
	if (n > r->end - r->at)
		wasm_fail(r, ERR_INVALID, r->at, "%zu bytes should follow, %zu do", n, r->end - r->at);
	else
		r->at += n;
}

uint32_t
wasm_u32(struct wasm_reader *r)
{
	size_t at = r->at;
	uint32_t v = 0;

	for (unsigned shift = 0; shift < 35; shift += 7) {
		uint8_t byte = wasm_u8(r);

		if (shift == 28 && (byte & 0xf0) != 0)
			break;
		v |= (uint32_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0)
			return v;
	}
	wasm_fail(r, ERR_INVALID, at, "a number longer than 32 bits");
	return 0;
}

int64_t
wasm_signed(struct wasm_reader *r, unsigned bits)
{
	size_t at = r->at;
	uint64_t v = 0;

	for (unsigned shift = 0; shift < bits; shift += 7) {
		uint8_t byte = wasm_u8(r);
		unsigned left = bits - shift;

		/* The last byte: what is over repeats the sign. */
		if (left < 7) {
			uint8_t sign = (uint8_t)(0x7f & ~((1u << (left - 1)) - 1));

			if ((byte & 0x80) != 0 || ((byte & sign) != 0 && (byte & sign) != sign))
				break;
		}
		v |= (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0) {
			if ((byte & 0x40) != 0 && shift + 7 < 64)
				v |= ~UINT64_C(0) << (shift + 7);
			return (int64_t)v;
		}
	}
	wasm_fail(r, ERR_INVALID, at, "a number longer than %u bits", bits);
	return 0;
}

uint32_t
wasm_count(struct wasm_reader *r, const char *what, uint32_t max)
{
	size_t at = r->at;
	uint32_t n = wasm_u32(r);

	if (n > max)
		wasm_fail(r, ERR_TOOBIG, at, "%" PRIu32 " %s; at most %" PRIu32, n, what, max);
	else if (n > r->end - r->at)
		wasm_fail(r, ERR_INVALID, at, "%" PRIu32 " %s in %zu bytes", n, what, r->end - r->at);
	return r->rc == OK ? n : 0;
}

bool
wasm_type_of(uint8_t byte, enum wasm_type *out)
{
	if (byte <= 0x7f && byte >= 0x7c)
		*out = (enum wasm_type)(WASM_I32 + (0x7f - byte));
	else if (byte == 0x70 || byte == 0x6f)
		*out = byte == 0x70 ? WASM_FUNCREF : WASM_EXTERNREF;
	else
		return false;
	return true;
}

uint8_t
wasm_type_byte(enum wasm_type t)
{
	return (uint8_t)(t == WASM_FUNCREF ? 0x70 : t == WASM_EXTERNREF ? 0x6f : 0x7f - t);
}

enum wasm_type
wasm_value_type(struct wasm_reader *r)
{
	size_t at = r->at;
	uint8_t byte = wasm_u8(r);
	enum wasm_type t = WASM_I32;

	if (r->rc == OK && !wasm_type_of(byte, &t))
		wasm_fail(r, ERR_INVALID, at, "type 0x%02x%s is not accepted", byte,
		    byte == 0x7b ? " (v128 of SIMD)" : byte <= 0x6e && byte >= 0x60 ? " (of a proposal)" : "");
	return t;
}

/* Instructions by their first byte; those of 0xfc behind it. */
static const uint8_t shapes[256] = {
	[0x00 ... 0x01] = SHAPE_PLAIN,
	[OP_BLOCK ... OP_IF] = SHAPE_BLOCK,
	[OP_ELSE] = SHAPE_PLAIN, [OP_END] = SHAPE_PLAIN,
	[OP_BR ... OP_BR_IF] = SHAPE_LABEL, [OP_BR_TABLE] = SHAPE_LABELS,
	[0x0f] = SHAPE_PLAIN, [OP_CALL] = SHAPE_CALL, [OP_CALL_INDIRECT] = SHAPE_CALL_INDIRECT,
	[0x1a ... 0x1b] = SHAPE_PLAIN, [0x1c] = SHAPE_TYPES,
	[OP_LOCAL_GET ... OP_LOCAL_TEE] = SHAPE_LOCAL,
	[OP_GLOBAL_GET ... OP_GLOBAL_SET] = SHAPE_GLOBAL,
	[OP_TABLE_GET ... OP_TABLE_SET] = SHAPE_TABLE,
	[0x28 ... 0x3e] = SHAPE_ACCESS, [0x3f ... OP_MEMORY_GROW] = SHAPE_MEMORY,
	[OP_I32_CONST] = SHAPE_I32, [OP_I64_CONST] = SHAPE_I64,
	[OP_F32_CONST] = SHAPE_F32, [OP_F64_CONST] = SHAPE_F64,
	[0x45 ... 0xc4] = SHAPE_PLAIN,
	[OP_REF_NULL] = SHAPE_REF_NULL, [0xd1] = SHAPE_PLAIN, [OP_REF_FUNC] = SHAPE_REF_FUNC,
};
static const uint8_t shapes_fc[] = {
	[0x00 ... 0x07] = SHAPE_PLAIN, [0x08] = SHAPE_DATA_MEMORY, [0x09] = SHAPE_DATA,
	[0x0a] = SHAPE_MEMORIES, [0x0b] = SHAPE_MEMORY, [0x0c] = SHAPE_ELEM_TABLE,
	[0x0d] = SHAPE_ELEM, [0x0e] = SHAPE_TABLES, [0x0f ... 0x11] = SHAPE_TABLE,
};

/* Bytes that an access of memory has, as a power of two: the most that it may be aligned. */
static const uint8_t access_log[] = {
	2, 3, 2, 3, 0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 2, 3, 2, 3, 0, 1, 0, 1, 2,
};

static const char *
why_refused(uint32_t op)
{
	static const struct { uint8_t first, last; const char *text; } rows[] = {
		{ 0x06, 0x0a, "exceptions are not accepted" },
		{ 0x12, 0x13, "tail calls are not accepted" },
		{ 0x14, 0x17, "typed function references are not accepted" },
		{ 0x18, 0x1f, "exceptions are not accepted" },
		{ 0xd3, 0xd6, "typed function references are not accepted" },
		{ 0xfb, 0xfb, "garbage collection is not accepted" },
		{ 0xfd, 0xfd, "SIMD is not accepted (clang: without -msimd128)" },
		{ 0xfe, 0xfe, "threads are not accepted (clang: without -pthread and -matomics)" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (op >= rows[i].first && op <= rows[i].last)
			return rows[i].text;
	return "there is no such instruction";
}

static void
read_memory_zero(struct wasm_reader *r)
{
	size_t at = r->at;

	if (wasm_u8(r) != 0 && r->rc == OK)
		wasm_fail(r, ERR_INVALID, at, "a memory other than 0: several memories are not accepted");
}

static void
read_block(struct wasm_reader *r, struct wasm_instr *in)
{
	size_t at = r->at;
	enum wasm_type t;

	in->x = WASM_NONE;
	if (at < r->end && (r->p[at] == 0x40 || wasm_type_of(r->p[at], &t))) {
		if (r->p[at] != 0x40)
			in->x = (uint32_t)t;
		r->at++;
		return;
	}
	in->block = wasm_signed(r, 33);
	if (in->block < 0 && r->rc == OK)
		wasm_fail(r, ERR_INVALID, at, "a block of a type that is not accepted");
}

static void
read_labels(struct wasm_reader *r, struct wasm_instr *in)
{
	uint32_t n = wasm_count(r, "labels", UINT32_MAX);

	for (uint32_t i = 0; i <= n && r->rc == OK; i++) {
		uint32_t label = wasm_u32(r);

		if (label > in->x)
			in->x = label;
	}
}

static void
read_access(struct wasm_reader *r, struct wasm_instr *in)
{
	size_t at = r->at;
	uint32_t align = wasm_u32(r), most = access_log[in->op - 0x28];

	if (align & 0x40)
		wasm_fail(r, ERR_INVALID, at, "several memories are not accepted");
	else if (align > most)
		wasm_fail(r, ERR_INVALID, at, "an alignment of 2^%" PRIu32 "; at most 2^%" PRIu32, align, most);
	wasm_u32(r);
}

static void
read_select(struct wasm_reader *r, struct wasm_instr *in)
{
	size_t at = r->at;

	if (wasm_u32(r) != 1 && r->rc == OK)
		wasm_fail(r, ERR_INVALID, at, "a select of other than one type");
	in->x = (uint32_t)wasm_value_type(r);
}

static void
read_ref_null(struct wasm_reader *r, struct wasm_instr *in)
{
	size_t at = r->at;

	in->x = (uint32_t)wasm_value_type(r);
	if (in->x != WASM_FUNCREF && in->x != WASM_EXTERNREF)
		wasm_fail(r, ERR_INVALID, at, "ref.null of a type that is no reference");
}

static void
read_immediate(struct wasm_reader *r, struct wasm_instr *in)
{
	switch (in->shape) {
	case SHAPE_REFUSED: wasm_fail(r, ERR_INVALID, in->at, "instruction 0x%02" PRIx32 ": %s", in->op, why_refused(in->op)); break;
	case SHAPE_PLAIN: break;
	case SHAPE_BLOCK: read_block(r, in); break;
	case SHAPE_LABELS: read_labels(r, in); break;
	case SHAPE_TYPES: read_select(r, in); break;
	case SHAPE_ACCESS: read_access(r, in); break;
	case SHAPE_MEMORY: read_memory_zero(r); break;
	case SHAPE_MEMORIES: read_memory_zero(r); read_memory_zero(r); break;
	case SHAPE_I32: wasm_signed(r, 32); break;
	case SHAPE_I64: wasm_signed(r, 64); break;
	case SHAPE_F32: wasm_skip(r, 4); break;
	case SHAPE_F64: wasm_skip(r, 8); break;
	case SHAPE_REF_NULL: read_ref_null(r, in); break;
	case SHAPE_DATA_MEMORY: in->x = wasm_u32(r); read_memory_zero(r); break;
	case SHAPE_CALL_INDIRECT: case SHAPE_ELEM_TABLE: case SHAPE_TABLES:
		in->x = wasm_u32(r);
		in->y = wasm_u32(r);
		break;
	case SHAPE_LABEL: case SHAPE_CALL: case SHAPE_LOCAL: case SHAPE_GLOBAL: case SHAPE_TABLE:
	case SHAPE_REF_FUNC: case SHAPE_DATA: case SHAPE_ELEM:
		in->x = wasm_u32(r);
		break;
	}
}

bool
wasm_instr(struct wasm_reader *r, struct wasm_instr *out)
{
	uint32_t sub;

	*out = (struct wasm_instr){ .at = r->at, .block = -1 };
	out->op = wasm_u8(r);
	out->shape = (enum wasm_shape)shapes[out->op];
	if (out->op == 0xfc) {
		sub = wasm_u32(r);
		if (sub >= COUNT(shapes_fc) && r->rc == OK)
			wasm_fail(r, ERR_INVALID, out->at, "instruction 0xfc 0x%02" PRIx32 ": there is no such instruction", sub);
		out->op = 0xfc00 + sub;
		out->shape = sub < COUNT(shapes_fc) ? (enum wasm_shape)shapes_fc[sub] : SHAPE_PLAIN;
	}
	if (r->rc == OK)
		read_immediate(r, out);
	out->end = r->at;
	return r->rc == OK;
}
