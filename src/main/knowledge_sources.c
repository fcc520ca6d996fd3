/*
 * knowledge_sources.c - see knowledge_sources.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/knowledge_sources.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"

#define PAGE LIMIT_PAGE_ROWS

int
sources_collection(const struct flag_line *l, struct str *out, struct err *e)
{
	struct str name = line_text(l, "collection");

	*out = name.p == NULL ? S("default") : name;
	return knowledge_check_collection(*out, e);
}

void
sources_add_place(struct buf *b, struct str collection, const char *part, struct str key)
{
	json_add_fmt(b, "{'namespace':['knowledge',%.*s,%s],'key':%.*s", FMT(collection), part,
	    FMT(key));
}

/* ---- reading ------------------------------------------------------------------------ */

static int
by_name(const void *a, const void *b)
{
	return str_cmp(((const struct source *)a)->name, ((const struct source *)b)->name);
}

static void
take_page(struct sources *s, struct val page)
{
	struct val items = val_get(page, S("items"));

	mem_grow(s->pages, s->pages_n, s->pages_cap);
	s->pages[s->pages_n++] = page;
	for (size_t i = 0; i < val_count(items); i++) {
		struct val item = val_at(items, i);

		mem_grow(s->at, s->n, s->cap);
		s->at[s->n++] = (struct source){ entry_text(item, "key"),
		    val_get(item, S("value")) };
	}
}

int
sources_read(struct remote *r, struct str collection, struct sources *out, struct err *e)
{
	struct buf body = BUF(4 * KB);
	size_t n = PAGE;
	int rc = OK;

	*out = (struct sources){ 0 };
	while (rc == OK && n == PAGE) {
		struct val page = VAL_UNDEF;

		buf_clear(&body);
		json_add_fmt(&body, "{'namespace_prefix':['knowledge',%.*s,'sources'],'limit':%d,"
		    "'offset':%zu,'refresh_ttl':false}", FMT(collection), PAGE, out->n);
		rc = remote_value(r, "POST", S("/store/items/search"), buf_str(&body), &page, e);
		n = val_count(val_get(page, S("items")));
		if (rc == OK && val_truthy(val_get(page, S("truncated"))))
			rc = err_set(e, ERR_TIMEOUT, "the server did not list all sources in time");
		take_page(out, page);
	}
	if (out->n > 0)
		qsort(out->at, out->n, sizeof *out->at, by_name);
	buf_release(&body);
	return rc;
}

void
sources_release(struct sources *s)
{
	for (size_t i = 0; i < s->pages_n; i++)
		val_drop(s->pages[i]);
	free(s->pages);
	free(s->at);
	*s = (struct sources){ 0 };
}

const struct source *
sources_find(const struct sources *s, struct str name)
{
	struct source key = { .name = name };

	return s->n == 0 ? NULL : bsearch(&key, s->at, s->n, sizeof *s->at, by_name);
}

struct str
source_hash(const struct source *s)
{
	return entry_text(s->value, "hash");
}

int64_t
source_chunks(const struct source *s)
{
	struct val n = val_get(s->value, S("chunks"));

	return n.kind == VAL_INT && n.u.i > 0 && n.u.i <= LIMIT_KNOWLEDGE_CHUNKS ? n.u.i : 0;
}

bool
sources_have(const struct sources *s, struct val chunk)
{
	const struct source *of = sources_find(s, entry_text(chunk, "source"));
	struct str version = entry_text(chunk, "version");

	return of != NULL && version.n > 0 && str_starts(source_hash(of), version);
}

/* ---- removing ------------------------------------------------------------------------- */

static void
send_deletes(struct str collection, struct str name, struct str version, size_t from, size_t to,
    struct lanes *lanes)
{
	struct buf body = BUF(16 * KB), key = BUF(4 * KB);

	for (size_t n = from; n <= to; n++) {
		buf_clear(&body);
		buf_clear(&key);
		knowledge_add_key(&key, name, version, n);
		sources_add_place(&body, collection, "chunks", buf_str(&key));
		buf_add_char(&body, '}');
		lanes_send(lanes, "DELETE", buf_str(&body));
	}
	buf_release(&body);
	buf_release(&key);
}

static void
delete_version(const struct source *s, struct str collection, struct str version, int64_t n,
    struct str keep, size_t keep_n, struct lanes *to)
{
	bool kept = keep.n > 0 && str_eq(str_sub(version, 0, KNOWLEDGE_VERSION_BYTES),
	    str_sub(keep, 0, KNOWLEDGE_VERSION_BYTES));

	if (version.n > 0 && n > 0 && n <= LIMIT_KNOWLEDGE_CHUNKS)
		send_deletes(collection, s->name, version, kept ? keep_n + 1 : 1, (size_t)n, to);
}

void
source_send_deletes(const struct source *s, struct str collection, struct str keep,
    size_t keep_n, struct lanes *to)
{
	struct val versions = val_get(s->value, S("versions"));

	delete_version(s, collection, source_hash(s), source_chunks(s), keep, keep_n, to);
	for (size_t i = 0; i < val_count(versions); i++) {
		struct val v = val_at(versions, i), n = val_get(v, S("chunks"));

		delete_version(s, collection, entry_text(v, "version"),
		    n.kind == VAL_INT ? n.u.i : 0, keep, keep_n, to);
	}
}
