/*
 * cmd_knowledge.c - `cohort knowledge list|search|remove`: what a server has of documents.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "main/cmd.h"
#include "main/knowledge_sources.h"
#include "main/mail_remote.h"

#define SEARCH_DEFAULT 5
#define SHORTER        8                     /* searches with fewer and fewer words */

const struct flag cmd_knowledge_list_flags[] = {
	COLLECTION_FLAG,
	{ "json", .help = "each as a line of JSON" },
	REMOTE_FLAGS,
	{ NULL }
};
const struct flag cmd_knowledge_search_flags[] = {
	COLLECTION_FLAG,
	{ "limit", .kind = FLAG_INT, .value = "N", .min = 1, .max = 100, .fallback = "5",
	  .help = "at most so many" },
	{ "json", .help = "each as a line of JSON" },
	REMOTE_FLAGS,
	{ NULL }
};
const struct flag cmd_knowledge_remove_flags[] = { COLLECTION_FLAG, REMOTE_FLAGS, { NULL } };

/* ---- list ------------------------------------------------------------------------------ */

static void
print_source(const struct source *s, bool json)
{
	struct val v = val_object_empty();

	if (json) {
		v = val_set_take(v, S("source"), val_string(s->name));
		for (size_t i = 0; i < val_count(s->value); i++)
			v = val_set_take(v, val_key(s->value, i),
			    val_ref(val_member(s->value, i)));
		print_value(v);
	} else {
		printf("%.*s  %lld passages  %.*s%s\n", FMT(s->name),
		    (long long)source_chunks(s), FMT(entry_text(s->value, "title")),
		    val_count(val_get(s->value, S("versions"))) > 0 ?
		    "  (cut off: add it again)" : "");
	}
	val_drop(v);
}

static int
list(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct sources all = { 0 };
	struct str collection;
	int rc = sources_collection(l, &collection, e);

	if (rc == OK)
		rc = sources_read(r, collection, &all, e);
	for (size_t i = 0; rc == OK && i < all.n; i++)
		print_source(&all.at[i], line_has(l, "json"));
	sources_release(&all);
	return rc;
}

/* ---- search ---------------------------------------------------------------------------- */

static void
print_hit(struct val item, bool json)
{
	struct val v = val_get(item, S("value")), lines = val_get(v, S("lines"));
	struct val score = val_get(item, S("score"));
	struct buf b = BUF(LIMIT_STORE_VALUE_BYTES * 2);

	if (json) {
		struct buf mark = BUF(4 * KB);

		buf_add(&mark, entry_text(v, "source"));
		buf_add_char(&mark, '#');
		buf_add_i64(&mark, val_get(v, S("n")).u.i);
		json_add_fmt(&b, "{'mark':%.*s,'score':%.4f,'value':", FMT(buf_str(&mark)),
		    val_is_number(score) ? val_number(score) : 0.0);
		val_add_json(&b, v);
		buf_lit(&b, "}\n");
		buf_release(&mark);
	} else {
		buf_add_fmt(&b, "[%.*s#%lld] %.*s (lines %lld-%lld)\n%.*s\n\n",
		    FMT(entry_text(v, "source")), (long long)val_get(v, S("n")).u.i,
		    FMT(entry_text(v, "heading")), (long long)val_at(lines, 0).u.i,
		    (long long)val_at(lines, 1).u.i, FMT(entry_text(v, "text")));
	}
	fwrite(b.p, 1, b.n, stdout);
	buf_release(&b);
}

/* The next that count, of so many. */
static size_t
print_hits(struct val page, const struct sources *all, const struct flag_line *l, int64_t limit)
{
	struct val items = val_get(page, S("items"));
	size_t shown = 0;

	for (size_t i = 0; i < val_count(items) && (int64_t)shown < limit; i++)
		if (sources_have(all, val_get(val_at(items, i), S("value")))) {
			print_hit(val_at(items, i), line_has(l, "json"));
			shown++;
		}
	return shown;
}

static int
ask(struct remote *r, const struct flag_line *l, struct str collection, struct str query,
    const struct sources *all, size_t *shown, struct err *e)
{
	struct buf body = BUF(64 * KB);
	struct val page = VAL_UNDEF;
	int64_t limit = SEARCH_DEFAULT;
	int rc;

	str_to_i64(line_text(l, "limit"), &limit);   /* checked as a flag */
	json_add_fmt(&body, "{'namespace_prefix':['knowledge',%.*s,'chunks'],'query':%.*s,"
	    "'limit':%lld,'refresh_ttl':false}", FMT(collection), FMT(query),
	    (long long)limit * 2);
	rc = remote_value(r, "POST", S("/store/items/search"), buf_str(&body), &page, e);
	*shown = rc == OK ? print_hits(page, all, l, limit) : 0;
	val_drop(page);
	buf_release(&body);
	return rc;
}

static int
search(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct buf now = BUF(LIMIT_FILTER_BYTES), next = BUF(LIMIT_FILTER_BYTES);
	struct sources all = { 0 };
	struct str collection;
	size_t shown = 0;
	int rc = sources_collection(l, &collection, e);

	buf_add(&now, l->operand[0]);
	if (rc == OK && (now.failed || str_trim(l->operand[0]).n == 0))
		rc = err_set(e, ERR_METHOD, "expected a query of 1 to %d bytes", LIMIT_FILTER_BYTES);
	if (rc == OK)
		rc = sources_read(r, collection, &all, e);
	for (int i = 0; rc == OK && shown == 0 && i < SHORTER; i++) {
		rc = ask(r, l, collection, buf_str(&now), &all, &shown, e);
		if (!knowledge_shorten(buf_str(&now), &next))
			break;
		buf_clear(&now);
		buf_add(&now, buf_str(&next));
	}
	if (rc == OK && shown == 0)
		fprintf(stderr, "nothing found\n");
	sources_release(&all);
	buf_release(&now);
	buf_release(&next);
	return rc;
}

/* ---- remove ---------------------------------------------------------------------------- */

static int
remove_source(const struct source *s, struct str collection, struct lanes *to, struct err *e)
{
	struct buf b = BUF(16 * KB);
	int rc;

	source_send_deletes(s, collection, STR_NONE, 0, to);
	rc = lanes_wait(to, e);
	sources_add_place(&b, collection, "sources", s->name);
	buf_add_char(&b, '}');
	if (rc == OK)
		lanes_send(to, "DELETE", buf_str(&b));
	buf_release(&b);
	return rc == OK ? lanes_wait(to, e) : rc;
}

static int
remove_all(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct sources all = { 0 };
	struct lanes *lanes = NULL;
	struct str collection;
	int rc = sources_collection(l, &collection, e);

	if (rc == OK)
		rc = sources_read(r, collection, &all, e);
	for (size_t i = 0; rc == OK && i < l->operands_n; i++)
		if (sources_find(&all, l->operand[i]) == NULL)
			rc = err_set(e, ERR_NOTFOUND, "there is no source \"%.*s\" in the collection "
			    "\"%.*s\"; `cohort knowledge list` shows their names",
			    FMT(str_cut(l->operand[i], 100)), FMT(collection));
	if (rc == OK)
		rc = lanes_open(&lanes, l, e);
	for (size_t i = 0; rc == OK && i < l->operands_n; i++)
		rc = remove_source(sources_find(&all, l->operand[i]), collection, lanes, e);
	if (rc == OK)
		printf("%zu removed\n", l->operands_n);
	lanes_close(lanes);
	sources_release(&all);
	return rc;
}

int
cmd_knowledge_list(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, list);
}

int
cmd_knowledge_search(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, search);
}

int
cmd_knowledge_remove(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, remove_all);
}
