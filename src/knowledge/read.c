/*
 * read.c - bytes to blocks: what all kinds share, and plain text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "knowledge/knowledge_priv.h"

#define HEADING_BYTES 200                    /* of one heading */
#define PATH_BYTES    600                    /* of a path of them */
#define SNIFF_BYTES   8000                   /* as git: a NUL in them says "binary" */

const char *const knowledge_kinds[] = { [KNOWLEDGE_TEXT] = "text",
	[KNOWLEDGE_MARKDOWN] = "markdown", [KNOWLEDGE_HTML] = "html", NULL };

int
knowledge_kind_of(struct str path)
{
	static const struct { const char *end; enum knowledge_kind kind; } ends[] = {
		{ ".md", KNOWLEDGE_MARKDOWN }, { ".markdown", KNOWLEDGE_MARKDOWN },
		{ ".html", KNOWLEDGE_HTML }, { ".htm", KNOWLEDGE_HTML },
		{ ".txt", KNOWLEDGE_TEXT },
	};

	for (size_t i = 0; i < COUNT(ends); i++) {
		struct str end = str_of(ends[i].end);

		if (path.n > end.n && str_eq_nocase(str_sub(path, path.n - end.n, end.n), end))
			return (int)ends[i].kind;
	}
	return -1;
}

/* ---- blocks ------------------------------------------------------------------------ */

static struct block *
block_new(struct reader *r)
{
	if (!arena_grow(r->a, r->blocks, r->n, r->cap))
		return NULL;
	return &r->blocks[r->n++];
}

/* Blank lines before it and blanks behind it; its indentation stays. */
static struct str
trim_lines(struct str s, unsigned *first)
{
	while (s.n > 0 && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	for (;;) {
		ptrdiff_t line = str_index(s, '\n');

		if (line < 0 || str_trim(str_sub(s, 0, (size_t)line)).n > 0)
			return s;
		s = str_sub(s, (size_t)line + 1, s.n);
		*first += 1;
	}
}

void
reader_add_block(struct reader *r, const struct block *from)
{
	struct block *b, one = *from;

	one.text = trim_lines(one.text, &one.first);
	if (str_trim(one.text).n == 0)
		return;
	b = block_new(r);
	if (b == NULL)
		return;
	*b = one;
	b->text = arena_str(r->a, one.text);
	b->head = arena_str(r->a, one.head);
	b->tail = arena_str(r->a, one.tail);
	b->heading = r->heading;
	b->under = r->level;
	b->first += r->shift;
	b->last = b->last + r->shift < b->first ? b->first : b->last + r->shift;
}

static void
path_join(struct reader *r)
{
	struct buf b = BUF(HEADING_LEVELS * (HEADING_BYTES + 3));

	for (size_t i = 0; i < HEADING_LEVELS; i++) {
		if (r->path[i].n == 0)
			continue;
		if (b.n > 0)
			buf_lit(&b, " > ");
		buf_add(&b, r->path[i]);
	}
	r->heading = arena_str(r->a, str_cut(buf_str(&b), PATH_BYTES));
	buf_release(&b);
}

/* One line. */
static struct str
heading_text(struct reader *r, struct str text)
{
	struct buf b = BUF(HEADING_BYTES);
	struct str rest = str_cut(str_trim(text), HEADING_BYTES);

	for (size_t i = 0; i < rest.n; i++) {
		char c = (unsigned char)rest.p[i] < ' ' ? ' ' : rest.p[i];

		if (c != ' ' || (b.n > 0 && b.p[b.n - 1] != ' '))
			buf_add_char(&b, c);
	}
	text = arena_str(r->a, str_trim(buf_str(&b)));
	buf_release(&b);
	return text;
}

void
reader_add_heading(struct reader *r, unsigned level, struct str text, unsigned line)
{
	struct block *b;

	text = heading_text(r, text);
	if (text.n == 0)
		return;
	r->path[level - 1] = text;
	for (size_t i = level; i < HEADING_LEVELS; i++)
		r->path[i] = STR_NONE;
	path_join(r);
	r->level = level;
	if (level == 1 && r->title.n == 0)
		r->title = text;
	b = block_new(r);
	if (b != NULL)
		*b = (struct block){ .text = text, .heading = r->heading, .level = level,
		    .under = level, .first = line + r->shift, .last = line + r->shift };
}

void
reader_add_code(struct reader *r, struct str text, struct str language, unsigned first,
    unsigned last, bool fenced)
{
	const char *fence = str_contains(text, S("```")) ? "`````" : "```";
	struct buf head = BUF(HEADING_BYTES);
	struct str info = str_cut(language, 40);

	buf_add(&head, str_of(fence));
	if (str_index(info, '\n') < 0 && str_index(info, '`') < 0)
		buf_add(&head, info);
	reader_add_block(r, &(struct block){ .text = text, .head = buf_str(&head),
	    .tail = str_of(fence), .first = first + fenced, .last = last - fenced,
	    .exact = true, .whole = true });
	buf_release(&head);
}

/* ---- plain text --------------------------------------------------------------------- */

/* A paragraph ends at an empty line. */
static void
read_text(struct reader *r, struct str text)
{
	size_t from = 0, at = 0;
	unsigned line = 1, first = 1;

	while (at <= text.n) {
		struct str rest = str_sub(text, at, text.n);
		ptrdiff_t end = str_index(rest, '\n');
		size_t n = end < 0 ? rest.n : (size_t)end;
		bool blank = str_trim(str_sub(rest, 0, n)).n == 0;

		if (blank || end < 0) {
			size_t to = blank ? at : at + n;

			reader_add_block(r, &(struct block){ .text = str_sub(text, from,
			    to - from), .first = first, .last = blank ? line - 1 : line,
			    .exact = true });
			from = at + n + 1;
			first = line + 1;
		}
		at += n + 1;
		line++;
	}
}

/* ---- any kind ------------------------------------------------------------------------ */

/* UTF-8 with \n as line ends. */
static void
mend(struct buf *b, struct str s)
{
	size_t n = 0;

	if (str_starts(s, S("\xef\xbb\xbf")))
		s = str_sub(s, 3, s.n);
	buf_add_mended(b, s);
	for (size_t i = 0; i < b->n; i++) {
		char c = b->p[i];

		if (c == '\r') {
			c = '\n';
			i += i + 1 < b->n && b->p[i + 1] == '\n';
		}
		b->p[n++] = c == '\0' ? ' ' : c;
	}
	if (b->n > 0)
		buf_cut(b, n);
}

static int
check(struct str bytes, struct knowledge_size size, struct err *e)
{
	if (bytes.n > LIMIT_KNOWLEDGE_DOCUMENT_BYTES)
		return err_set(e, ERR_TOOBIG, "%zu bytes; a document has at most %d", bytes.n,
		    LIMIT_KNOWLEDGE_DOCUMENT_BYTES);
	if (str_starts(bytes, S("\xff\xfe")) || str_starts(bytes, S("\xfe\xff")))
		return err_set(e, ERR_INVALID, "it is UTF-16; expected UTF-8");
	if (str_index(str_sub(bytes, 0, SNIFF_BYTES), '\0') >= 0)
		return err_set(e, ERR_INVALID, "it has NUL bytes; expected text");
	if (size.target < LIMIT_KNOWLEDGE_CHUNK_MIN_BYTES ||
	    size.target > LIMIT_KNOWLEDGE_CHUNK_BYTES)
		return err_set(e, ERR_INVALID, "chunks of %zu bytes; expected %d to %d",
		    size.target, LIMIT_KNOWLEDGE_CHUNK_MIN_BYTES, LIMIT_KNOWLEDGE_CHUNK_BYTES);
	if (size.overlap >= size.target / 2)
		return err_set(e, ERR_INVALID, "an overlap of %zu bytes; expected less than half "
		    "of %zu", size.overlap, size.target);
	return OK;
}

int
knowledge_read(enum knowledge_kind kind, struct str bytes, struct knowledge_size size,
    struct arena *a, struct knowledge *out, struct err *e)
{
	struct buf text = BUF(3 * (size_t)LIMIT_KNOWLEDGE_DOCUMENT_BYTES);
	struct reader r = { .a = a };
	int rc = check(bytes, size, e);

	*out = (struct knowledge){ 0 };
	if (rc == OK)
		mend(&text, bytes);
	if (rc == OK && kind == KNOWLEDGE_MARKDOWN)
		rc = read_markdown(&r, buf_str(&text), e);
	else if (rc == OK && kind == KNOWLEDGE_HTML)
		rc = read_html(&r, buf_str(&text), e);
	else if (rc == OK)
		read_text(&r, buf_str(&text));
	if (rc == OK)
		rc = chunks_make(&r, size, out, e);
	out->title = r.title;
	buf_release(&text);
	if (rc == OK && a->failed)
		rc = err_set(e, ERR_TOOBIG, "it needs more memory than a document may");
	return rc;
}
