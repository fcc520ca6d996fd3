/*
 * cmd_knowledge_add.c - `cohort knowledge add`: files to chunks in a server's store.
 *
 * A document whose hash is the one of its source is skipped.  The others are written some
 * at a time, each step for all of them (knowledge_sources.h says why in this order):
 *
 *	note    the source's record, with the new version among `versions`
 *	chunks  of the new version
 *	turn    the record with the new hash: from now on these count
 *	clear   the chunks of other versions go, then the note
 *
 * Killed anywhere, the same command goes on where it was.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "main/cmd.h"
#include "main/knowledge_sources.h"
#include "main/knowledge_walk.h"
#include "main/mail_remote.h"

#define BATCH_DOCUMENTS 64
#define BATCH_BYTES     (4 * MB)
/* Passages and their source stay together: the server's default ttl is not for them. */
#define TTL_MINUTES     ((long long)(LIMIT_ITEM_TTL_MS / 60000))

const struct flag cmd_knowledge_add_flags[] = {
	COLLECTION_FLAG,
	{ "name", .kind = FLAG_TEXT, .value = "NAME",
	  .help = "of the source that `-`, stdin, is; its end says of what kind it is" },
	{ "chunk-bytes", .kind = FLAG_INT, .value = "N", .min = LIMIT_KNOWLEDGE_CHUNK_MIN_BYTES,
	  .max = LIMIT_KNOWLEDGE_CHUNK_BYTES, .fallback = "1200", .help = "size of a passage" },
	{ "overlap-bytes", .kind = FLAG_INT, .value = "N", .min = 0,
	  .max = LIMIT_KNOWLEDGE_CHUNK_BYTES / 2, .fallback = "150",
	  .help = "of the passage before, repeated in one that goes on in its section" },
	{ "prune", .help = "remove sources below the paths whose files are gone" },
	{ "dry-run", .help = "say what would be done, and do nothing" },
	REMOTE_FLAGS,
	{ NULL }
};

/* A document that is written. */
struct item {
	const struct document *doc;
	struct source old;                   /* its record; value UNDEF: it has none */
	char hash[KNOWLEDGE_HASH_BYTES + 1];
	size_t bytes;
	struct arena arena;
	struct knowledge text;
};

struct adding {
	struct remote *r;
	const struct flag_line *line;
	struct err *e;
	struct str collection;
	struct knowledge_size size;
	struct documents documents;
	struct sources sources;
	struct lanes *lanes;                 /* NULL: nothing is written */
	struct item batch[BATCH_DOCUMENTS];
	size_t batch_n, batch_bytes;
	size_t seen, added, changed, same, failed, removed, chunks;
};

/* ---- records ------------------------------------------------------------------------- */

static void
add_version(struct buf *b, struct str hash, size_t n)
{
	if (hash.n > 0)
		json_add_fmt(b, ",{'version':%.*s,'chunks':%zu}",
		    FMT(str_sub(hash, 0, KNOWLEDGE_VERSION_BYTES)), n);
}

/* All versions there may be chunks of, but one. */
static void
add_versions(struct buf *b, const struct item *x, struct str but)
{
	struct val versions = val_get(x->old.value, S("versions"));
	struct str was = source_hash(&x->old);

	json_add_fmt(b, ",'versions':[");
	for (size_t i = 0; i < val_count(versions); i++) {
		json_add_comma(b);
		val_add_json(b, val_at(versions, i));
	}
	if (!str_eq(was, but))
		add_version(b, was, (size_t)source_chunks(&x->old));
	if (!str_eq(str_of(x->hash), but))
		add_version(b, str_of(x->hash), x->text.n);
	buf_add_char(b, ']');
}

enum step { STEP_NOTE, STEP_CHUNKS, STEP_TURN, STEP_DELETES, STEP_CLEAR, STEPS };

static void
send_record(struct adding *a, const struct item *x, enum step step)
{
	struct buf b = BUF(LIMIT_STORE_VALUE_BYTES);
	bool note = step == STEP_NOTE;
	struct str hash = note ? source_hash(&x->old) : str_of(x->hash);

	sources_add_place(&b, a->collection, "sources", str_of(x->doc->name));
	json_add_fmt(&b, ",'index':false,'ttl':%lld,'value':{'hash':%.*s,'chunks':%lld,'bytes':%zu,"
	    "'title':%.*s,'kind':%s,'options':{'chunk_bytes':%zu,'overlap_bytes':%zu},'from':%s",
	    TTL_MINUTES, FMT(hash), note ? (long long)source_chunks(&x->old) : (long long)x->text.n, x->bytes,
	    FMT(x->text.title), knowledge_kinds[x->doc->kind], a->size.target, a->size.overlap,
	    x->doc->path == NULL ? "stdin" : "file");
	if (step != STEP_CLEAR)
		add_versions(&b, x, hash);
	buf_lit(&b, "}}");
	lanes_send(a->lanes, "PUT", buf_str(&b));
	buf_release(&b);
}

static void
send_chunks(struct adding *a, const struct item *x)
{
	struct buf b = BUF(LIMIT_STORE_VALUE_BYTES), key = BUF(4 * KB);

	for (size_t i = 0; i < x->text.n; i++) {
		const struct knowledge_chunk *c = &x->text.at[i];

		buf_clear(&b);
		buf_clear(&key);
		knowledge_add_key(&key, str_of(x->doc->name), str_of(x->hash), i + 1);
		sources_add_place(&b, a->collection, "chunks", buf_str(&key));
		json_add_fmt(&b, ",'index':%-s,'ttl':%lld,'value':{'text':%.*s,'source':%s,'title':%.*s,"
		    "'heading':%.*s,'lines':[%u,%u],'version':%.*s,'n':%zu}}",
		    c->heading.n > 0 ? "[\"heading\",\"text\"]" : "[\"text\"]", TTL_MINUTES, FMT(c->text),
		    x->doc->name, FMT(x->text.title), FMT(c->heading), c->first, c->last,
		    KNOWLEDGE_VERSION_BYTES, x->hash, i + 1);
		lanes_send(a->lanes, "PUT", buf_str(&b));
	}
	buf_release(&b);
	buf_release(&key);
}

/* ---- writing ---------------------------------------------------------------------------- */

static void
show_progress(const struct adding *a, bool end)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, end ? "\r\033[K" : "\r%zu of %zu documents, %zu passages",
		    a->seen, a->documents.n, a->chunks);
}

static bool
has_others(const struct item *x)
{
	return source_hash(&x->old).n > 0 || val_count(val_get(x->old.value, S("versions"))) > 0;
}

/* Without other versions the turn is the end. */
static void
send_step(struct adding *a, const struct item *x, enum step step)
{
	switch (step) {
	case STEP_NOTE:
		send_record(a, x, STEP_NOTE);
		break;
	case STEP_CHUNKS:
		send_chunks(a, x);
		break;
	case STEP_TURN:
		send_record(a, x, has_others(x) ? STEP_TURN : STEP_CLEAR);
		break;
	case STEP_DELETES:
		source_send_deletes(&x->old, a->collection, str_of(x->hash), x->text.n, a->lanes);
		break;
	case STEP_CLEAR:
		if (has_others(x))
			send_record(a, x, STEP_CLEAR);
		break;
	case STEPS:
		break;
	}
}

static int
write_batch(struct adding *a)
{
	int rc = OK;

	for (enum step step = 0; rc == OK && step < STEPS; step++) {
		for (size_t i = 0; i < a->batch_n; i++)
			send_step(a, &a->batch[i], step);
		rc = lanes_wait(a->lanes, a->e);
	}
	return rc;
}

static int
end_batch(struct adding *a)
{
	int rc = a->lanes != NULL && a->batch_n > 0 ? write_batch(a) : OK;

	for (size_t i = 0; i < a->batch_n; i++)
		arena_release(&a->batch[i].arena);
	a->batch_n = a->batch_bytes = 0;
	show_progress(a, false);
	return rc;
}

/* ---- documents ---------------------------------------------------------------------------- */

static int
read_document(const struct document *doc, struct buf *out, struct err *e)
{
	struct err why;
	int rc;

	if (doc->path != NULL)
		return file_add(doc->path, out, e);
	rc = file_add_fd(STDIN_FILENO, out, NULL, &why);
	return rc == OK ? OK : err_set(e, rc, "stdin: %s", why.text);
}

/* False: it cannot be read, which is told; the others go on. */
static bool
fill_item(struct adding *a, struct item *x, struct str bytes)
{
	struct err why;

	x->arena = ARENA(KNOWLEDGE_ARENA_BYTES);
	x->bytes = bytes.n;
	if (knowledge_read(x->doc->kind, bytes, a->size, &x->arena, &x->text, &why) == OK)
		return true;
	show_progress(a, true);
	fprintf(stderr, "cohort knowledge add: %s: %s\n", x->doc->name, why.text);
	arena_release(&x->arena);
	a->failed++;
	return false;
}

static int
keep_item(struct adding *a, struct item *x)
{
	bool fresh = source_hash(&x->old).n == 0;

	if (line_has(a->line, "dry-run"))
		printf("%s %s (%zu passages)\n", fresh ? "add" : "change", x->doc->name, x->text.n);
	a->added += fresh;
	a->changed += !fresh;
	a->chunks += x->text.n;
	a->batch[a->batch_n++] = *x;
	a->batch_bytes += x->bytes;
	return a->batch_n == BATCH_DOCUMENTS || a->batch_bytes >= BATCH_BYTES ? end_batch(a) : OK;
}

static int
add_document(struct adding *a, const struct document *doc)
{
	const struct source *old = sources_find(&a->sources, str_of(doc->name));
	struct item x = { .doc = doc, .old = { .name = str_of(doc->name) } };
	struct buf bytes = BUF(LIMIT_KNOWLEDGE_DOCUMENT_BYTES);
	struct err why;
	int rc = OK;

	a->seen++;
	if (old != NULL)
		x.old = *old;
	if (read_document(doc, &bytes, &why) != OK) {
		show_progress(a, true);
		fprintf(stderr, "cohort knowledge add: %s\n", why.text);
		a->failed++;
		buf_release(&bytes);
		return OK;
	}
	knowledge_hash(doc->kind, buf_str(&bytes), a->size, x.hash);
	if (str_eq(source_hash(&x.old), str_of(x.hash)) &&
	    val_count(val_get(x.old.value, S("versions"))) == 0)
		a->same++;
	else if (fill_item(a, &x, buf_str(&bytes)))
		rc = keep_item(a, &x);
	buf_release(&bytes);
	return rc;
}

/* Of files that are not there any more.  The record goes last: until then it tells what
 * there is to remove. */
static int
prune(struct adding *a)
{
	int rc = OK;

	for (int last = 0; rc == OK && last < 2; last++) {
		for (size_t i = 0; i < a->sources.n; i++) {
			const struct source *s = &a->sources.at[i];
			struct buf b = BUF(16 * KB);

			if (!str_eq(entry_text(s->value, "from"), S("file")) ||
			    !documents_cover(&a->documents, s->name) ||
			    documents_find(&a->documents, s->name) != NULL)
				continue;
			a->removed += last;
			if (last && line_has(a->line, "dry-run"))
				printf("remove %.*s\n", FMT(s->name));
			sources_add_place(&b, a->collection, "sources", s->name);
			buf_add_char(&b, '}');
			if (a->lanes != NULL && last)
				lanes_send(a->lanes, "DELETE", buf_str(&b));
			else if (a->lanes != NULL)
				source_send_deletes(s, a->collection, STR_NONE, 0, a->lanes);
			buf_release(&b);
		}
		rc = a->lanes != NULL ? lanes_wait(a->lanes, a->e) : OK;
	}
	return rc;
}

static int
find_documents(struct adding *a)
{
	struct str name = line_text(a->line, "name");
	struct buf b = BUF(64 * KB);
	bool input = false;
	int rc = OK, kind;

	for (size_t i = 0; rc == OK && i < a->line->operands_n; i++) {
		struct str path = a->line->operand[i];
		char *text = mem_cstr(path);

		if (!str_eq(path, S("-")))
			rc = documents_walk(&a->documents, text, a->e);
		input = input || str_eq(path, S("-"));
		free(text);
	}
	if (rc == OK && input != (name.n > 0))
		rc = err_set(a->e, ERR_METHOD, "expected --name NAME with `-`, and with nothing else");
	if (rc == OK && input) {
		kind = knowledge_kind_of(name);
		knowledge_add_name(&b, name);
		documents_add(&a->documents, NULL, buf_str(&b),
		    kind < 0 ? KNOWLEDGE_TEXT : (enum knowledge_kind)kind);
	}
	documents_sort(&a->documents);
	buf_release(&b);
	return rc;
}

static int
read_sizes(struct adding *a)
{
	struct knowledge_size size = KNOWLEDGE_SIZE_DEFAULT;
	int64_t target = (int64_t)size.target, overlap = -1;

	str_to_i64(line_text(a->line, "chunk-bytes"), &target);      /* checked as flags */
	str_to_i64(line_text(a->line, "overlap-bytes"), &overlap);
	if (overlap < 0)
		overlap = target / 8 < (int64_t)size.overlap ? target / 8 : (int64_t)size.overlap;
	a->size = (struct knowledge_size){ (size_t)target, (size_t)overlap };
	return overlap < target / 2 ? OK : err_set(a->e, ERR_METHOD, "--overlap-bytes: expected "
	    "less than half of --chunk-bytes");
}

static void
print_summary(const struct adding *a)
{
	show_progress(a, true);
	printf("%s%zu added, %zu changed, %zu unchanged, %zu removed, %zu failed; %zu passages "
	    "written", line_has(a->line, "dry-run") ? "would be: " : "", a->added, a->changed,
	    a->same, a->removed, a->failed, a->chunks);
	if (a->documents.others > 0)
		printf("; %zu other files left out", a->documents.others);
	printf("\n");
}

static int
add(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct adding a = { .r = r, .line = l, .e = e };
	int rc = sources_collection(l, &a.collection, e);

	if (rc == OK)
		rc = read_sizes(&a);
	if (rc == OK)
		rc = find_documents(&a);
	if (rc == OK)
		rc = sources_read(r, a.collection, &a.sources, e);
	if (rc == OK && !line_has(l, "dry-run"))
		rc = lanes_open(&a.lanes, l, e);
	for (size_t i = 0; rc == OK && i < a.documents.n; i++)
		rc = add_document(&a, &a.documents.at[i]);
	if (rc == OK)
		rc = end_batch(&a);
	if (rc == OK && line_has(l, "prune"))
		rc = prune(&a);
	if (rc == OK)
		print_summary(&a);
	for (size_t i = 0; i < a.batch_n; i++)
		arena_release(&a.batch[i].arena);
	lanes_close(a.lanes);
	sources_release(&a.sources);
	documents_release(&a.documents);
	return rc != OK || a.failed == 0 ? rc : err_set(e, ERR_INVALID, "%zu of %zu documents could "
	    "not be read", a.failed, a.documents.n);
}

int
cmd_knowledge_add(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, add);
}
