/*
 * wasm-rt.h - what C made by wasm2c needs of a runtime.  It is compiled with every module,
 * between abi.h and the module's C, as one unit; nothing of it is called from elsewhere.
 *
 * COHORT_WASM2C: 10032 for wasm2c 1.0.32, 10036 for 1.0.36 and later.
 *
 * Loads and stores are not checked: the 8 GiB after a memory's start are mapped without
 * access beyond its size, and a fault there is the trap.  Addresses have 32 bits and so have
 * offsets, hence the last byte that an access can touch is at 2^33 + 6.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_RT_H_
#define WASM_RT_H_

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WASM_RT_CORE_TYPES_DEFINED
typedef uint8_t u8;
typedef int8_t s8;
typedef uint16_t u16;
typedef int16_t s16;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;
typedef int64_t s64;
typedef float f32;
typedef double f64;

/* Names: M, what the module exports; H, what it imports. */
#if COHORT_WASM2C == 10032
#define M(name)    Z_mZ_##name
#define H(name)    Z_hZ_##name
#define M_INSTANCE Z_m_instance_t
#define M_NEW      Z_m_instantiate
#define M_FREE     Z_m_free
#define H_INSTANCE struct Z_h_instance_t
#elif COHORT_WASM2C == 10036
#define M(name)    w2c_m_##name
#define H(name)    w2c_h_##name
#define M_INSTANCE w2c_m
#define M_NEW      wasm2c_m_instantiate
#define M_FREE     wasm2c_m_free
#define H_INSTANCE struct w2c_h
#else
#error "COHORT_WASM2C must be 10032 or 10036"
#endif
H_INSTANCE;

#define WASM_RT_MEMCHECK_SIGNAL_HANDLER 1
#define WASM_RT_MEMCHECK_GUARD_PAGES    1
#define WASM_RT_USE_STACK_DEPTH_COUNT   1
#define WASM_RT_STACK_DEPTH_COUNT       1
#define WASM_RT_USE_SEGUE               0
#define WASM_RT_NO_RETURN               __attribute__((noreturn))

#ifdef __TINYC__
#define ALWAYS_INLINE static inline
#define LIKELY(x)     (x)
#define UNLIKELY(x)   (x)
/* tcc calls memcpy for each load and store; this is a move. */
#define wasm_rt_memcpy(to, from, n)                                                     \
	((n) == 1 ? (void)(*(u8 *)(to) = *(const u8 *)(from)) :                          \
	    (n) == 2 ? (void)(*(u16 *)(to) = *(const u16 *)(from)) :                     \
	    (n) == 4 ? (void)(*(u32 *)(to) = *(const u32 *)(from)) :                     \
	    (n) == 8 ? (void)(*(u64 *)(to) = *(const u64 *)(from)) :                     \
	    (void)memcpy((to), (from), (n)))
#else
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define LIKELY(x)     __builtin_expect(!!(x), 1)
#define UNLIKELY(x)   __builtin_expect(!!(x), 0)
#define wasm_rt_memcpy __builtin_memcpy
#endif

static struct wasm_env cohort_env;
static int64_t cohort_fuel;
static uint32_t cohort_depth, cohort_depth_max;

typedef enum {
	WASM_RT_TRAP_OOB = WASM_TRAP_MEMORY,
	WASM_RT_TRAP_INT_OVERFLOW = WASM_TRAP_INT_OVERFLOW,
	WASM_RT_TRAP_DIV_BY_ZERO = WASM_TRAP_DIV_BY_ZERO,
	WASM_RT_TRAP_INVALID_CONVERSION = WASM_TRAP_CONVERSION,
	WASM_RT_TRAP_UNREACHABLE = WASM_TRAP_UNREACHABLE,
	WASM_RT_TRAP_CALL_INDIRECT = WASM_TRAP_CALL_INDIRECT,
	WASM_RT_TRAP_EXHAUSTION = WASM_TRAP_DEPTH,
	WASM_RT_TRAP_UNCAUGHT_EXCEPTION = WASM_TRAP_OTHER,
	WASM_RT_TRAP_UNALIGNED = WASM_TRAP_OTHER
} wasm_rt_trap_t;

static WASM_RT_NO_RETURN void
wasm_rt_trap(wasm_rt_trap_t why)
{
	cohort_env.trap((int)why);
	for (;;)
		;
}

/* It does not return, so a loop may keep its fuel in a register until it ends. */
static WASM_RT_NO_RETURN void
cohort_fuel_out(void)
{
	cohort_env.trap(WASM_TRAP_FUEL);
	for (;;)
		;
}

/* A macro: tcc inlines no functions, and this runs in every loop. */
#define COHORT_CHARGE(cost)                                                             \
	do {                                                                            \
		cohort_fuel -= (int64_t)(cost);                                         \
		if (UNLIKELY(cohort_fuel < 0))                                          \
			cohort_fuel_out();                                              \
	} while (0)

/* wasm2c's C counts at the start of a function, before it touches its locals. */
#define wasm_rt_call_stack_depth cohort_depth
#if defined(__TINYC__) && defined(__x86_64__)
/* tcc does not touch each page of a large frame on the way (gcc's
 * -fstack-clash-protection does), so such a frame could reach over the guard of the stack. */
#define COHORT_FRAME_MAX (1l << 20)
#define WASM_RT_MAX_CALL_STACK_DEPTH                                                    \
	({                                                                              \
		long sp_, bp_;                                                          \
		__asm__("mov %%rsp, %0\n\tmov %%rbp, %1" : "=r"(sp_), "=r"(bp_));       \
		bp_ - sp_ > COHORT_FRAME_MAX ? 0u : cohort_depth_max;                   \
	})
#elif defined(__TINYC__)
#error "tcc is used on x86-64 only"
#else
#define WASM_RT_MAX_CALL_STACK_DEPTH cohort_depth_max
#endif

#ifdef __TINYC__
/* This tcc has none of these. */
ALWAYS_INLINE int
cohort_popcount(u64 x)
{
	x -= (x >> 1) & 0x5555555555555555ull;
	x = (x & 0x3333333333333333ull) + ((x >> 2) & 0x3333333333333333ull);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (int)((x * 0x0101010101010101ull) >> 56);
}

ALWAYS_INLINE int
cohort_clz(u64 x)
{
	for (int i = 1; i < 64; i *= 2)
		x |= x >> i;
	return 64 - cohort_popcount(x);
}
#define __builtin_popcount(x)   cohort_popcount((u32)(x))
#define __builtin_popcountll(x) cohort_popcount(x)
#define __builtin_clz(x)        (cohort_clz((u32)(x)) - 32)
#define __builtin_clzll(x)      cohort_clz(x)
#define __builtin_ctz(x)        cohort_popcount(((u32)(x) & -(u32)(x)) - 1u)
#define __builtin_ctzll(x)      cohort_popcount(((u64)(x) & -(u64)(x)) - 1u)
#endif

/* One NaN for all compilers. */
static const union { u32 bits; f32 value; } cohort_nan = { 0x7fc00000u };
#undef NAN
#define NAN (cohort_nan.value)

/* -- types of functions -- */

typedef enum {
	WASM_RT_I32, WASM_RT_I64, WASM_RT_F32, WASM_RT_F64, WASM_RT_V128, WASM_RT_FUNCREF,
	WASM_RT_EXTERNREF
} wasm_rt_type_t;

typedef void (*wasm_rt_function_ptr_t)(void);

#if COHORT_WASM2C == 10032
typedef u32 wasm_rt_func_type_t;

struct cohort_type {
	struct cohort_type *next;
	const u16 *p;                        /* parameters_n, results_n, each type */
	size_t bytes;
	u32 id;
};
static struct cohort_type *cohort_types[256];
static u32 cohort_types_n;

/* The same number for equal types, from 1. */
static u32
cohort_type(struct cohort_type *t)
{
	u32 h = 0;

	for (size_t i = 0; i < t->bytes / sizeof *t->p; i++)
		h = (h ^ t->p[i]) * 16777619u;
	h = (h ^ h >> 16) % 256;
	for (struct cohort_type *o = cohort_types[h]; o != NULL; o = o->next)
		if (o->bytes == t->bytes && memcmp(o->p, t->p, t->bytes) == 0)
			return o->id;
	t->id = ++cohort_types_n;
	t->next = cohort_types[h];
	cohort_types[h] = t;
	return t->id;
}
#define wasm_rt_register_func_type(...)                                                 \
	({                                                                              \
		static const u16 types_[] = { __VA_ARGS__ };                            \
		static struct cohort_type type_ = { 0, types_, sizeof types_, 0 };      \
		cohort_type(&type_);                                                    \
	})
#else
typedef const char *wasm_rt_func_type_t;     /* 32 bytes */
#endif

typedef struct wasm_rt_tailcallee_t {
	void (*fn)(void **instance, void *stack, struct wasm_rt_tailcallee_t *next);
} wasm_rt_tailcallee_t;

typedef struct {
	wasm_rt_func_type_t func_type;
	wasm_rt_function_ptr_t func;
#if COHORT_WASM2C != 10032
	wasm_rt_tailcallee_t func_tailcallee;
#endif
	void *module_instance;
} wasm_rt_funcref_t;
typedef void *wasm_rt_externref_t;

static const wasm_rt_funcref_t wasm_rt_funcref_null_value;
static const wasm_rt_externref_t wasm_rt_externref_null_value;

/* -- memory -- */

typedef struct {
	u8 *data;
	u64 pages, max_pages, size;
} wasm_rt_memory_t;

static void
cohort_memory_new(wasm_rt_memory_t *m, u32 pages, u32 pages_max)
{
	m->data = cohort_env.memory_new(pages, &pages_max);
	m->pages = pages;
	m->max_pages = pages_max;
	m->size = (u64)pages << 16;
}
#define wasm_rt_allocate_memory(m, pages, ...) \
	cohort_memory_new(m, (u32)(pages), (u32)COHORT_FIRST(__VA_ARGS__, 0))
#define COHORT_FIRST(a, ...) (a)

static bool
cohort_memory_may(const wasm_rt_memory_t *m, u64 more)
{
	return m->pages <= m->max_pages && more <= m->max_pages - m->pages;
}

static u32
cohort_grow_memory(wasm_rt_memory_t *m, u64 more)
{
	u32 old = (u32)m->pages;

	if (more == 0)
		return old;
	if (!cohort_memory_may(m, more))
		return UINT32_MAX;
	if (cohort_env.memory_grow(m->data, old, (u32)more) != 0)
		return UINT32_MAX;
	m->pages += more;
	m->size = m->pages << 16;
	return old;
}

/* memory.grow.  Growth over the maximum is denied and not charged. */
static u32
wasm_rt_grow_memory(wasm_rt_memory_t *m, u64 more)
{
	if (cohort_memory_may(m, more))
		COHORT_CHARGE(more << 6);
	return cohort_grow_memory(m, more);
}

static void
wasm_rt_free_memory(wasm_rt_memory_t *m)
{
	if (m->data != NULL)
		cohort_env.memory_free(m->data);
	m->data = NULL;
	m->pages = m->size = 0;
}

/* -- tables: n entries in room for a power of two -- */

typedef struct { wasm_rt_funcref_t *data; u32 max_size, size; } wasm_rt_funcref_table_t;
typedef struct { wasm_rt_externref_t *data; u32 max_size, size; } wasm_rt_externref_table_t;

static u64
cohort_table_room(u32 n)
{
	u64 room = 4;

	while (room < n)
		room *= 2;
	return n == 0 ? 0 : room;
}

#define COHORT_TABLE(KIND)                                                              \
static u32                                                                              \
cohort_grow_##KIND##_table(wasm_rt_##KIND##_table_t *t, u32 more, wasm_rt_##KIND##_t init) \
{                                                                                       \
	u32 old = t->size;                                                              \
	u64 to = (u64)old + more;                                                       \
                                                                                        \
	if (to > t->max_size)                                                           \
		return UINT32_MAX;                                                      \
	if (cohort_table_room((u32)to) != cohort_table_room(old)) {                     \
		void *p = cohort_env.table_new(t->data,                                 \
		    cohort_table_room((u32)to) * sizeof *t->data);                      \
		if (p == NULL)                                                          \
			return UINT32_MAX;                                              \
		t->data = p;                                                            \
	}                                                                               \
	for (u64 i = old; i < to; i++)                                                  \
		t->data[i] = init;                                                      \
	t->size = (u32)to;                                                              \
	return old;                                                                     \
}                                                                                       \
static u32                                                                              \
wasm_rt_grow_##KIND##_table(wasm_rt_##KIND##_table_t *t, u32 more, wasm_rt_##KIND##_t init) \
{                                                                                       \
	if ((u64)t->size + more <= t->max_size)                                         \
		COHORT_CHARGE(more);                                                    \
	return cohort_grow_##KIND##_table(t, more, init);                               \
}                                                                                       \
static void                                                                             \
wasm_rt_allocate_##KIND##_table(wasm_rt_##KIND##_table_t *t, u32 n, u32 max)            \
{                                                                                       \
	t->data = NULL;                                                                 \
	t->size = 0;                                                                    \
	t->max_size = max;                                                              \
	if (cohort_grow_##KIND##_table(t, n, wasm_rt_##KIND##_null_value) != 0)         \
		cohort_env.trap(WASM_TRAP_MEMORY_START);                                \
}                                                                                       \
static void                                                                             \
wasm_rt_free_##KIND##_table(wasm_rt_##KIND##_table_t *t)                                \
{                                                                                       \
	if (t->data != NULL)                                                            \
		cohort_env.table_free(t->data);                                         \
	t->data = NULL;                                                                 \
	t->size = 0;                                                                    \
}
COHORT_TABLE(funcref)
COHORT_TABLE(externref)

/* -- what a module imports of "h" (module.h): fuel, and enum wasm_import by number -- */

ALWAYS_INLINE void
H(f)(H_INSTANCE *h, u64 cost)
{
	(void)h;
	COHORT_CHARGE(cost);
}

ALWAYS_INLINE u32
H(b)(H_INSTANCE *h, u32 n, u32 shift)
{
	(void)h;
	COHORT_CHARGE(n >> shift);
	return n;
}

#define HOST_CALL(n, ...) \
	cohort_env.host_call(n, (const u64[]){ __VA_ARGS__ })

static inline void
H(i0)(H_INSTANCE *h, u32 a, u32 b, u32 c)
{
	(void)h;
	(void)HOST_CALL(0, a, b, c);
}

static inline u64
H(i1)(H_INSTANCE *h)
{
	(void)h;
	return HOST_CALL(1, 0);
}

static inline u32
H(i2)(H_INSTANCE *h, u32 a, u32 b)
{
	(void)h;
	return (u32)HOST_CALL(2, a, b);
}

static inline u32
H(i3)(H_INSTANCE *h, u32 a, u32 b)
{
	(void)h;
	return (u32)HOST_CALL(3, a, b);
}

static inline u32
H(i4)(H_INSTANCE *h, u32 a, u32 b, u32 c, u32 d)
{
	(void)h;
	return (u32)HOST_CALL(4, a, b, c, d);
}

static inline u32
H(i5)(H_INSTANCE *h, u32 a, u32 b, u32 c, u32 d)
{
	(void)h;
	return (u32)HOST_CALL(5, a, b, c, d);
}

static inline u32
H(i6)(H_INSTANCE *h, u32 a, u32 b, u32 c, u32 d, u32 e, u32 f)
{
	(void)h;
	return (u32)HOST_CALL(6, a, b, c, d, e, f);
}

#endif
