/*
 * image.c - a guest's state as bytes, the same whichever compiler made the object.
 *
 *   struct header
 *   globals: 8 bytes each, the unused half of 4 is zero; the last are flags of passive
 *            segments, not 0: it was dropped
 *   tables, if the module changes any: u32 entries, then i32 each, an entry of the module's
 *            list of functions or -1
 *   memory:  runs of blocks of 256 bytes: u32 first block, u32 blocks, the blocks; what is
 *            not there is as in `base`
 *
 * The base is a fresh instance, if it has no start function: that depends on the module
 * alone.  Else it is zero.  All numbers are little-endian.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "wasm/host/guest_priv.h"
#include "wasm/host/memory.h"

#define BLOCK 256
#define VERSION 1

static const char magic[4] = "CWIM";

struct header {
	char magic[4];
	uint16_t version;
	uint16_t based;                      /* 1: on a fresh instance, 0: on zero */
	uint32_t pages, globals, tables;
	uint32_t bytes;                      /* of all that follows */
	char hash[64];                       /* of the original module */
};
_Static_assert(sizeof(struct header) == 88, "a format has no holes");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers of images are copied as they are");

static bool
tables_change(const struct wasm_object *t)
{
	return t->tables_n > 0 && t->refs != NULL;
}

/* Under way, on the guest's stack. */
struct work {
	struct guest *g;
	struct buf *out;
	struct str in;                       /* what is not read yet */
	const struct header *head;
	const char *wrong;                   /* NULL: nothing */
};

static enum guest_end
work(struct work *w, void (*job)(void *arg))
{
	return guest_run(w->g, job, w, INT64_MAX / 2, NEVER);
}

static void
add(struct buf *out, const void *p, size_t n)
{
	buf_add(out, (struct str){ p, n });
}

static void
add_u32(struct buf *out, uint32_t n)
{
	add(out, &n, sizeof n);
}

static void
job_instantiate(void *arg)
{
	struct work *w = arg;

	run_in();
	w->g->object->table->instantiate(w->g->instance);
	run_out();
}

/* NULL: the module has a start function, or there is no memory for one. */
static struct guest *
fresh(struct object *o)
{
	struct guest_limits plenty = { .pages = 65536, .depth = LIMIT_WASM_DEPTH_MAX };
	struct work w;

	if (o->fresh != NULL || o->table->has_start)
		return o->fresh;
	w = (struct work){ .g = guest_new(o, &plenty, NULL) };
	if (work(&w, job_instantiate) == GUEST_DONE)
		o->fresh = w.g;
	else
		guest_free(w.g);
	return o->fresh;
}

static void
job_refs(void *arg)
{
	struct work *w = arg;

	run_in();
	w->g->object->table->refs(w->g->instance);
	run_out();
}

static int
refs_ready(struct guest *g, struct err *e)
{
	struct work w = { .g = g };

	if (!tables_change(g->object->table) || g->object->has_refs)
		return OK;
	if (work(&w, job_refs) != GUEST_DONE)
		return err_set(e, ERR_LIMIT, "no memory for the table of all functions");
	g->object->has_refs = true;
	return OK;
}

static int
save_globals(struct guest *g, struct buf *out, struct err *e)
{
	const struct wasm_object *t = g->object->table;

	for (uint32_t k = 0; k < t->globals_n; k++) {
		uint64_t bits = 0;

		if (t->globals[k] == 0)
			return err_set(e, ERR_INVALID, "a global of the module holds a reference, which cannot be saved");
		memcpy(&bits, t->global(g->instance, k), t->globals[k]);
		add(out, &bits, sizeof bits);
	}
	return OK;
}

static void
job_save_tables(void *arg)
{
	struct work *w = arg;
	const struct wasm_object *t = w->g->object->table;

	for (uint32_t k = 0; k < t->tables_n && !w->out->failed; k++) {
		uint32_t n = t->table_size(w->g->instance, k);

		add_u32(w->out, n);
		for (uint32_t at = 0; at < n && !w->out->failed; at++) {
			int32_t ref;

			run_in();
			ref = t->table_get(w->g->instance, k, at);
			run_out();
			add(w->out, &ref, sizeof ref);
		}
	}
}

/* The block of the base; NULL: it is zero. */
static const uint8_t *
base_block(const struct guest *base, size_t block)
{
	if (base == NULL || base->data == NULL || block >= memory_pages(base->data) * (MEMORY_PAGE / BLOCK))
		return NULL;
	return base->data + block * BLOCK;
}

static bool
differs(const struct guest *g, const struct guest *base, size_t block)
{
	static const uint8_t zero[BLOCK];
	const uint8_t *was = base_block(base, block);

	return memcmp(g->data + block * BLOCK, was != NULL ? was : zero, BLOCK) != 0;
}

static void
save_memory(const struct guest *g, const struct guest *base, struct buf *out)
{
	size_t blocks = g->data == NULL ? 0 : memory_pages(g->data) * (MEMORY_PAGE / BLOCK);

	for (size_t at = 0; at < blocks && !out->failed; at++) {
		size_t to = at;

		while (to < blocks && differs(g, base, to))
			to++;
		if (to == at)
			continue;
		add_u32(out, (uint32_t)at);
		add_u32(out, (uint32_t)(to - at));
		add(out, g->data + at * BLOCK, (to - at) * BLOCK);
		at = to;
	}
}

int
guest_save(struct guest *g, struct buf *out, struct err *e)
{
	const struct wasm_object *t = g->object->table;
	struct guest *base = fresh(g->object);
	struct header h = { .version = VERSION, .based = base != NULL, .globals = t->globals_n };
	struct work w = { .g = g, .out = out };
	size_t at = out->n;
	int rc;

	assert(g->started && !guest_waits(g));
	memcpy(h.magic, magic, sizeof h.magic);
	memcpy(h.hash, g->object->hash, sizeof h.hash);
	h.pages = g->data != NULL ? memory_pages(g->data) : 0;
	h.tables = tables_change(t) ? t->tables_n : 0;
	rc = refs_ready(g, e);
	if (rc != OK)
		return rc;
	add(out, &h, sizeof h);
	rc = save_globals(g, out, e);
	if (rc != OK)
		return rc;
	if (h.tables > 0 && work(&w, job_save_tables) != GUEST_DONE)
		return err_set(e, ERR_INVALID, "a table holds a reference that cannot be saved");
	save_memory(g, base, out);
	if (out->failed)
		return err_set(e, ERR_TOOBIG, "the state is over %zu bytes", out->max);
	h.bytes = (uint32_t)(out->n - at - sizeof h);
	memcpy(out->p + at, &h, sizeof h);
	return OK;
}

static bool
take(struct work *w, void *to, size_t n)
{
	if (w->in.n < n) {
		w->wrong = "it is cut off";
		return false;
	}
	memcpy(to, w->in.p, n);
	w->in.p += n;
	w->in.n -= n;
	return true;
}

/* The segments' flags are globals too; the module drops what was dropped. */
static void
job_restore_globals(void *arg)
{
	struct work *w = arg;
	const struct wasm_object *t = w->g->object->table;

	for (uint32_t k = 0; k < t->globals_n; k++) {
		uint64_t bits;

		if (!take(w, &bits, sizeof bits))
			return;
		if (t->globals[k] == 0 || (t->globals[k] == 4 && bits > UINT32_MAX)) {
			w->wrong = "a global is of another type";
			return;
		}
		if (k >= t->globals_n - t->drops_n && bits != 0) {
			run_in();
			t->drop(w->g->instance, k - (t->globals_n - t->drops_n));
			run_out();
		}
		memcpy(t->global(w->g->instance, k), &bits, t->globals[k]);
	}
}

static void
restore_table(struct work *w, uint32_t k)
{
	const struct wasm_object *t = w->g->object->table;
	uint32_t n;
	int grown;

	if (!take(w, &n, sizeof n))
		return;
	if (n > LIMIT_WASM_TABLE || n < t->table_size(w->g->instance, k)) {
		w->wrong = "a table has an invalid size";
		return;
	}
	run_in();
	grown = t->table_grow(w->g->instance, k, n);
	run_out();
	if (grown != 0) {
		w->wrong = "no room for a table";
		return;
	}
	for (uint32_t at = 0; at < n; at++) {
		int32_t ref;

		if (!take(w, &ref, sizeof ref))
			return;
		if (ref < -1 || ref >= (int64_t)t->refs_n) {
			w->wrong = "a table has no such function";
			return;
		}
		run_in();
		t->table_put(w->g->instance, k, at, ref);
		run_out();
	}
}

static void
job_restore_tables(void *arg)
{
	struct work *w = arg;

	for (uint32_t k = 0; k < w->head->tables && w->wrong == NULL; k++)
		restore_table(w, k);
}

static void
job_restore_pages(void *arg)
{
	struct work *w = arg;
	int grown;

	run_in();
	grown = w->g->object->table->memory_grow(w->g->instance, w->head->pages);
	run_out();
	if (grown != 0)
		w->wrong = "it has more memory than it may have";
}

static void
restore_memory(struct work *w)
{
	size_t blocks = w->g->data == NULL ? 0 : memory_pages(w->g->data) * (MEMORY_PAGE / BLOCK);
	size_t next = 0;

	while (w->in.n > 0 && w->wrong == NULL) {
		uint32_t run[2];

		if (!take(w, run, sizeof run))
			return;
		if (run[0] < next || run[1] == 0 || (size_t)run[0] + run[1] > blocks) {
			w->wrong = "a block is outside of the memory";
			return;
		}
		take(w, w->g->data + (size_t)run[0] * BLOCK, (size_t)run[1] * BLOCK);
		next = (size_t)run[0] + run[1];
	}
}

static const char *
header_wrong(const struct header *h, const struct object *o)
{
	if (memcmp(h->magic, magic, sizeof magic) != 0)
		return "not a checkpoint of a guest";
	if (h->version != VERSION || h->based > 1)
		return "a checkpoint of another version of Cohort";
	if (memcmp(h->hash, o->hash, sizeof h->hash) != 0)
		return "a checkpoint of another module";
	if (h->globals != o->table->globals_n || h->tables != (tables_change(o->table) ? o->table->tables_n : 0))
		return "its globals or tables are not the module's";
	if (h->based && o->table->has_start)
		return "its base is not the module's";
	return NULL;
}

/* The steps of a restore that run guest code, in order. */
static const char *
restore_all(struct work *w)
{
	struct guest *g = w->g;
	struct err e;

	/* A start function may take another way than it did at first. */
	if (guest_run_start(g, job_instantiate, w) != GUEST_DONE)
		return "the module does not start within its limits";
	if (w->head->pages < (g->data != NULL ? memory_pages(g->data) : 0))
		return "it has less memory than the module";
	if (refs_ready(g, &e) != OK)
		return "no memory for the table of all functions";
	if (work(w, job_restore_globals) != GUEST_DONE || w->wrong != NULL)
		return w->wrong != NULL ? w->wrong : "a segment cannot be dropped";
	if (work(w, job_restore_tables) != GUEST_DONE || w->wrong != NULL)
		return w->wrong != NULL ? w->wrong : "a table cannot be filled";
	if (g->data == NULL && w->head->pages > 0)
		return "the module has no memory";
	if (g->data != NULL && (work(w, job_restore_pages) != GUEST_DONE || w->wrong != NULL))
		return w->wrong != NULL ? w->wrong : "the memory cannot grow";
	if (g->data != NULL && !w->head->based)
		memory_clear(g->data);
	restore_memory(w);
	return w->wrong;
}

int
guest_restore(struct guest *g, struct str image, struct err *e)
{
	struct header h;
	struct work w = { .g = g, .in = image, .head = &h };
	const char *wrong;

	assert(!g->started);
	wrong = take(&w, &h, sizeof h) ? header_wrong(&h, g->object) : w.wrong;
	if (wrong == NULL && w.in.n != h.bytes)
		wrong = "it is cut off";
	if (wrong == NULL)
		wrong = restore_all(&w);
	if (wrong != NULL && g->denied)
		return err_set(e, ERR_LIMIT, "no memory left for another guest in the host process");
	if (wrong != NULL)
		return err_set(e, ERR_INVALID, "the saved state cannot be restored: %s", wrong);
	g->started = true;
	return OK;
}
