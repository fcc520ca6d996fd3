/*
 * module_priv.h - what the parts of module.c share: a reader of bytes whose first failure
 * stays, the instructions of a body, and the module as it was read.
 *
 * Offsets are bytes from the module's beginning.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_MODULE_PRIV_H
#define WASM_MODULE_PRIV_H

#include "base/limits.h"
#include "wasm/module.h"

#define WASM_NONE UINT32_MAX

/* By enum wasm_import. */
extern const struct wasm_signature wasm_import_signatures[WASM_IMPORTS];

/* After a failure everything reads as 0 and the reader is at its end, so loops over counts
 * look at rc. */
struct wasm_reader {
	const uint8_t *p;
	size_t at, end;
	const char *section;                 /* "code"; NULL: outside of any */
	uint32_t function;                   /* WASM_NONE: outside of a body */
	int rc;
	struct err *e;
};

void wasm_fail(struct wasm_reader *r, int rc, size_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
uint8_t wasm_u8(struct wasm_reader *r);
uint32_t wasm_u32(struct wasm_reader *r);
int64_t wasm_signed(struct wasm_reader *r, unsigned bits);      /* of 32, 33 or 64 */
void wasm_skip(struct wasm_reader *r, size_t n);
/* The length of a list: at most max, and one byte for each is there. */
uint32_t wasm_count(struct wasm_reader *r, const char *what, uint32_t max);
enum wasm_type wasm_value_type(struct wasm_reader *r);
bool wasm_type_of(uint8_t byte, enum wasm_type *out);
uint8_t wasm_type_byte(enum wasm_type t);
extern const char *const wasm_type_names[];

enum wasm_op {
	OP_UNREACHABLE = 0x00, OP_NOP = 0x01, OP_BLOCK = 0x02, OP_LOOP = 0x03, OP_IF = 0x04, OP_ELSE = 0x05, OP_END = 0x0b,
	OP_BR = 0x0c, OP_BR_IF = 0x0d, OP_BR_TABLE = 0x0e, OP_RETURN = 0x0f, OP_CALL = 0x10, OP_CALL_INDIRECT = 0x11,
	OP_LOCAL_GET = 0x20, OP_LOCAL_SET = 0x21, OP_LOCAL_TEE = 0x22, OP_GLOBAL_GET = 0x23, OP_GLOBAL_SET = 0x24,
	OP_TABLE_GET = 0x25, OP_TABLE_SET = 0x26, OP_MEMORY_GROW = 0x40,
	OP_I32_CONST = 0x41, OP_I64_CONST = 0x42, OP_F32_CONST = 0x43, OP_F64_CONST = 0x44,
	OP_I32_EQ = 0x46, OP_I32_LT_S = 0x48, OP_DROP = 0x1a, OP_SELECT = 0x1b, OP_I32_XOR = 0x73, OP_I64_XOR = 0x85,
	OP_F32_NEG = 0x8c, OP_F64_NEG = 0x9a, OP_I32_OF_F32 = 0xbc, OP_I64_OF_F64 = 0xbd,
	OP_F32_OF_I32 = 0xbe, OP_F64_OF_I64 = 0xbf,
	OP_REF_NULL = 0xd0, OP_REF_IS_NULL = 0xd1, OP_REF_FUNC = 0xd2,
	/* Behind 0xfc. */
	OP_MEMORY_INIT = 0xfc08, OP_DATA_DROP, OP_MEMORY_COPY, OP_MEMORY_FILL,
	OP_TABLE_INIT, OP_ELEM_DROP, OP_TABLE_COPY, OP_TABLE_GROW, OP_TABLE_SIZE, OP_TABLE_FILL
};

/* The kind of an instruction's immediate, for its check. */
enum wasm_shape {
	SHAPE_REFUSED, SHAPE_PLAIN, SHAPE_BLOCK, SHAPE_LABEL, SHAPE_LABELS, SHAPE_CALL,
	SHAPE_CALL_INDIRECT, SHAPE_TYPES, SHAPE_LOCAL, SHAPE_GLOBAL, SHAPE_TABLE, SHAPE_ACCESS,
	SHAPE_MEMORY, SHAPE_I32, SHAPE_I64, SHAPE_F32, SHAPE_F64, SHAPE_REF_NULL, SHAPE_REF_FUNC,
	SHAPE_DATA_MEMORY, SHAPE_DATA, SHAPE_MEMORIES, SHAPE_ELEM_TABLE, SHAPE_ELEM, SHAPE_TABLES
};

struct wasm_instr {
	size_t at, end;
	uint32_t op;                         /* one byte, or 0xfc.. */
	enum wasm_shape shape;
	/* Indices in their order; of br_table, x is its largest label; of select and ref.null,
	 * x is an enum wasm_type, and of a block, too: of its one result, or WASM_NONE. */
	uint32_t x, y;
	int64_t block;                       /* a type's number; -1: none is named */
};
/* Reads the next instruction of a body or a constant expression; false once it failed. */
bool wasm_instr(struct wasm_reader *r, struct wasm_instr *out);

struct wasm_span { size_t at, end; };

struct wasm_function {
	uint32_t type;
	struct wasm_span body, code;         /* with and without its locals */
};
struct wasm_table { enum wasm_type type; uint32_t min, max; };

struct wasm_constant {                       /* one instruction, then `end` */
	struct wasm_span bytes;
	uint32_t op, x;
	enum wasm_type type;
};
struct wasm_global { enum wasm_type type; bool variable; struct wasm_constant init; };

enum wasm_segment_mode { SEGMENT_ACTIVE, SEGMENT_PASSIVE, SEGMENT_DECLARED };
struct wasm_elements {
	enum wasm_segment_mode mode;
	uint32_t table;
	struct wasm_constant offset;
	enum wasm_type type;
	uint32_t *functions, n;              /* WASM_NONE: null */
};
/* number: of what x_drop drops; WASM_NONE: nothing drops it. */
struct wasm_segment { enum wasm_segment_mode mode; bool dropped; uint32_t number; };

/* A function's marks. */
#define MARK_DECLARED 1u                     /* ref.func may name it */
#define MARK_REF      2u                     /* may be in a table */
#define MARK_USED     4u                     /* (an import) can be called */

struct wasm_stack;
struct wasm_module {
	const uint8_t *bytes;
	bool any, unmetered;
	struct arena *arena;
	struct wasm_facts facts;
	struct wasm_signature *types;
	uint32_t types_n, imports_n, defined_n, tables_n, globals_n, exports_n, elements_n, data_n;
	uint32_t data_said;                  /* by the data count section; WASM_NONE: it is not there */
	uint32_t start;                      /* WASM_NONE: it has none */
	uint32_t *imports, *import_types;    /* of each, enum wasm_import and its type */
	struct wasm_function *defined;       /* behind the imports */
	uint8_t *marks;                      /* of all functions */
	struct wasm_table *tables;
	struct wasm_global *globals;
	uint32_t *exports;                   /* functions, as facts.exports */
	struct wasm_elements *elements;
	struct wasm_segment *element_segments, *data_segments;
	struct wasm_stack *stack;            /* of the body that is read; used again for the next */
	/* Copied as they are: the types and the segments behind their counts, and whole sections. */
	struct wasm_span types_bytes, memory_bytes, data_count_bytes, data_bytes;
};

const struct wasm_signature *wasm_function_type(const struct wasm_module *m, uint32_t function);
/* What is on the stack of a body, and which blocks are open. */
struct wasm_block {
	uint8_t op;                          /* OP_BLOCK, OP_LOOP, OP_IF, OP_ELSE */
	bool dead;                           /* what comes is never reached */
	uint32_t height;                     /* values below it */
	const struct wasm_signature *type;
};
struct wasm_stack {
	const struct wasm_module *m;
	struct wasm_reader *r;
	size_t at;                           /* of the instruction */
	uint32_t values_n, frames_n, locals_n;
	uint8_t locals[LIMIT_WASM_LOCALS];   /* enum wasm_type, as the values */
	uint8_t values[LIMIT_WASM_STACK];
	struct wasm_block frames[LIMIT_WASM_NESTING + 1];
};
void wasm_stack_begin(struct wasm_stack *s, const struct wasm_module *m, struct wasm_reader *r,
    const struct wasm_signature *type);
/* After each index of the instruction was found to be there. */
void wasm_stack_step(struct wasm_stack *s, const struct wasm_instr *in);

/* Checks all that a body says. */
void wasm_body_check(struct wasm_module *m, struct wasm_reader *r, struct wasm_function *f);

/* Sections that are more than a few lines. */
void wasm_elements_read(struct wasm_module *m, struct wasm_reader *r);
void wasm_data_read(struct wasm_module *m, struct wasm_reader *r);
void wasm_exports_read(struct wasm_module *m, struct wasm_reader *r);
void wasm_imports_read(struct wasm_module *m, struct wasm_reader *r);
struct wasm_constant wasm_constant_read(struct wasm_module *m, struct wasm_reader *r, enum wasm_type t);
/* n > 0 zeroed things of the module's; NULL: it failed. */
void *wasm_room(struct wasm_module *m, struct wasm_reader *r, size_t n, size_t size);

#endif
