/*
 * wasm-object.h - the end of a module's unit: `cohort_wasm_object`.  What depends on the
 * module stands before it, made by build_adapter.c:
 *
 *   cohort_exports[], cohort_export_names[], cohort_export_types[], cohort_globals[],
 *   cohort_global(), cohort_table(), and the COHORT_ macros below
 *
 * SPDX-License-Identifier: MIT
 */

static void
cohort_bind(const struct wasm_env *env)
{
	cohort_env = *env;
#if COHORT_WASM2C == 10032
	Z_m_init_module();
#endif
}

static void
cohort_instantiate(void *i)
{
	M_NEW(i, i);                         /* its imports need no instance */
}

static void
cohort_release(void *i)
{
	M_FREE(i);
}

static void
cohort_meter_set(const struct wasm_meter *m)
{
	cohort_fuel = m->fuel;
	cohort_depth = m->depth;
	cohort_depth_max = m->depth_max;
}

static void
cohort_meter_get(struct wasm_meter *m)
{
	*m = (struct wasm_meter){ cohort_fuel, cohort_depth, cohort_depth_max };
}

#if COHORT_MEMORY
static uint8_t *
cohort_memory(void *i, uint32_t *pages)
{
	*pages = (uint32_t)M(m)(i)->pages;
	return M(m)(i)->data;
}

static int
cohort_memory_grow(void *i, uint32_t to)
{
	wasm_rt_memory_t *m = M(m)(i);

	return to <= m->pages || cohort_grow_memory(m, to - m->pages) != UINT32_MAX ? 0 : -1;
}
#endif

#if COHORT_GUEST
static uint32_t
cohort_alloc(void *i, uint32_t n)
{
	return COHORT_ALLOC(i, n);
}

static uint32_t
cohort_handle_message(void *i, uint32_t p, uint32_t n)
{
	return COHORT_HANDLE_MESSAGE(i, p, n);
}
#endif

#ifdef COHORT_INITIALIZE
static void
cohort_initialize(void *i)
{
	COHORT_INITIALIZE(i);
}
#endif

/* -- tables: an entry is a number of `r`, in any object of the module -- */

#if COHORT_REFS_N > 0
static wasm_rt_funcref_t cohort_refs[COHORT_REFS_N];
static uint32_t cohort_refs_n, cohort_refs_by[COHORT_REFS_N];        /* sorted by function */

static int
cohort_ref_cmp(const wasm_rt_funcref_t *a, const wasm_rt_funcref_t *b)
{
	uintptr_t x = (uintptr_t)a->func, y = (uintptr_t)b->func;

	return x < y ? -1 : x > y;
}

static void
cohort_refs_sort(void)
{
	for (uint32_t gap = cohort_refs_n / 2; gap > 0; gap /= 2)
		for (uint32_t i = gap; i < cohort_refs_n; i++) {
			uint32_t at = i, by = cohort_refs_by[i];

			for (; at >= gap && cohort_ref_cmp(&cohort_refs[by],
			    &cohort_refs[cohort_refs_by[at - gap]]) < 0; at -= gap)
				cohort_refs_by[at] = cohort_refs_by[at - gap];
			cohort_refs_by[at] = by;
		}
}

static int32_t
cohort_ref_find(const wasm_rt_funcref_t *ref)
{
	uint32_t low = 0, high = cohort_refs_n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int order = cohort_ref_cmp(&cohort_refs[cohort_refs_by[mid]], ref);

		if (order == 0)
			return (int32_t)cohort_refs_by[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}
#endif

/* Code of the module that is no guest's call: it is not metered. */
#define COHORT_UNMETERED(CALL)                                                          \
	do {                                                                            \
		struct wasm_meter was_;                                                 \
		cohort_meter_get(&was_);                                                \
		cohort_meter_set(&(struct wasm_meter){ INT64_MAX, 0, 1000 });           \
		CALL;                                                                   \
		cohort_meter_set(&was_);                                                \
	} while (0)

#if COHORT_REFS_N > 0
static void
cohort_refs_read(void *i)
{
	wasm_rt_funcref_table_t *r = M(r)(i);

	if (cohort_refs_n > 0)
		return;
	COHORT_UNMETERED(M(x_refs)(i));
	cohort_refs_n = r->size < COHORT_REFS_N ? r->size : COHORT_REFS_N;
	for (uint32_t k = 0; k < cohort_refs_n; k++) {
		cohort_refs[k] = r->data[k];
		cohort_refs[k].module_instance = NULL;
		cohort_refs_by[k] = k;
	}
	cohort_refs_sort();
	wasm_rt_free_funcref_table(r);
}
#endif

static uint32_t
cohort_table_size(void *i, uint32_t k)
{
	wasm_rt_funcref_table_t *t;
	bool functions;

	return cohort_table(i, k, &t, &functions) ? t->size : 0;
}

static int
cohort_table_grow(void *i, uint32_t k, uint32_t to)
{
	wasm_rt_funcref_table_t *t;
	bool functions;

	if (!cohort_table(i, k, &t, &functions) || to < t->size)
		return -1;
	if ((functions ?
	    cohort_grow_funcref_table(t, to - t->size, wasm_rt_funcref_null_value) :
	    cohort_grow_externref_table((wasm_rt_externref_table_t *)t, to - t->size, NULL)) ==
	    UINT32_MAX)
		return -1;
	return 0;
}

static int32_t
cohort_table_get(void *i, uint32_t k, uint32_t at)
{
	wasm_rt_funcref_table_t *t;
	bool functions;

	if (!cohort_table(i, k, &t, &functions) || at >= t->size || !functions)
		return -1;
#if COHORT_REFS_N > 0
	return t->data[at].func == NULL ? -1 : cohort_ref_find(&t->data[at]);
#else
	return -1;
#endif
}

#if COHORT_REFS_N > 0
static void
cohort_table_put(void *i, uint32_t k, uint32_t at, int32_t ref)
{
	wasm_rt_funcref_table_t *t;
	bool functions;

	if (!cohort_table(i, k, &t, &functions) || at >= t->size || !functions)
		return;
	t->data[at] = wasm_rt_funcref_null_value;
	if (ref >= 0 && (uint32_t)ref < cohort_refs_n && cohort_refs[ref].func != NULL) {
		t->data[at] = cohort_refs[ref];
		t->data[at].module_instance = i;
	}
}
#endif

#if COHORT_DROPS_N > 0
static void
cohort_drop(void *i, uint32_t segment)
{
	COHORT_UNMETERED(M(x_drop)(i, segment));
}
#endif

__attribute__((visibility("default"))) const struct wasm_object cohort_wasm_object = {
	.abi = WASM_ABI,
	.instance_bytes = sizeof(M_INSTANCE),
	.exports_n = COHORT_EXPORTS_N,
	.globals_n = COHORT_GLOBALS_N,
	.tables_n = COHORT_TABLES_N,
	.refs_n = COHORT_REFS_N,
	.drops_n = COHORT_DROPS_N,
	.has_start = COHORT_HAS_START,
	.export_names = cohort_export_names,
	.export_types = cohort_export_types,
	.globals = cohort_globals,
	.bind = cohort_bind,
	.instantiate = cohort_instantiate,
	.release = cohort_release,
	.meter_set = cohort_meter_set,
	.meter_get = cohort_meter_get,
	.exports = cohort_exports,
#if COHORT_GUEST
	.alloc = cohort_alloc,
	.handle_message = cohort_handle_message,
#endif
#ifdef COHORT_INITIALIZE
	.initialize = cohort_initialize,
#endif
#if COHORT_MEMORY
	.memory = cohort_memory,
	.memory_grow = cohort_memory_grow,
#endif
	.global = cohort_global,
#if COHORT_REFS_N > 0
	.refs = cohort_refs_read,
	.table_put = cohort_table_put,
#endif
	.table_size = cohort_table_size,
	.table_grow = cohort_table_grow,
	.table_get = cohort_table_get,
#if COHORT_DROPS_N > 0
	.drop = cohort_drop,
#endif
};
