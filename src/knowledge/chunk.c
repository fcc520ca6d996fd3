/*
 * chunk.c - blocks to chunks.
 *
 *	A heading begins a chunk, unless the one before is small and both are sections
 *	of one that has a heading.  A block that does not fit begins one, with the end of the block before
 *	it as overlap if both are of one section.  What is larger than a chunk is cut:
 *	prose at the end of a line, a sentence, a word, a character, whichever there is
 *	first; code and tables at line ends, each piece with its fence or first row.
 *	A row that begins a chunk has the heading rows of its table above it.
 *
 *	Code is cut when it is larger than two chunks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "knowledge/knowledge_priv.h"

#include "base/mem.h"

#define SMALL_PARTS 4                        /* below one of them a chunk takes more sections */
#define WHOLE_CHUNKS 2

struct packer {
	const struct reader *r;
	struct knowledge_size size;
	struct knowledge *out;
	size_t cap;
	struct block *at;                    /* of the chunk that grows; from the heap */
	size_t n, at_cap;
	size_t bytes;
	size_t body;                         /* blocks that are no headings and no overlap */
};

static size_t
block_bytes(const struct block *b)
{
	return b->text.n + b->head.n + b->tail.n + (b->head.n > 0) + (b->tail.n > 0) + 2;
}

static void
pack_add(struct packer *p, const struct block *b, bool body)
{
	mem_grow(p->at, p->n, p->at_cap);
	p->at[p->n++] = *b;
	p->bytes += block_bytes(b);
	p->body += body;
}

/* ---- a chunk's text ------------------------------------------------------------------ */

/* What two paths have in common, whole headings. */
static struct str
common_path(struct str a, struct str b)
{
	size_t n = 0, whole = 0;

	while (n < a.n && n < b.n && a.p[n] == b.p[n]) {
		if (str_starts(str_sub(a, n, a.n), S(" > ")))
			whole = n;
		n++;
	}
	if (n == a.n && (n == b.n || str_starts(str_sub(b, n, b.n), S(" > "))))
		return a;
	if (n == b.n && str_starts(str_sub(a, n, a.n), S(" > ")))
		return b;
	return str_sub(a, 0, whole);
}

static bool
path_is_above(struct str path, struct str below)
{
	return common_path(path, below).n == path.n;
}

static struct str
chunk_heading(const struct packer *p)
{
	struct str path = STR_NONE;
	bool first = true;

	for (size_t i = 0; i < p->n; i++) {
		if (p->at[i].level > 0)
			continue;
		path = first ? p->at[i].heading : common_path(path, p->at[i].heading);
		first = false;
	}
	return first && p->n > 0 ? p->at[p->n - 1].heading : path;
}

static void
chunk_text(const struct packer *p, struct str heading, struct buf *b)
{
	bool body = p->body > 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct block *x = &p->at[i];

		if (x->level > 0 && body && path_is_above(x->heading, heading))
			continue;
		if (b->n > 0)
			buf_add(b, x->tight ? S("\n") : S("\n\n"));
		buf_add(b, x->head);
		if (x->head.n > 0)
			buf_add_char(b, '\n');
		buf_add(b, x->text);
		if (x->tail.n > 0)
			buf_add_char(b, '\n');
		buf_add(b, x->tail);
	}
}

static void
chunk_end(struct packer *p)
{
	struct arena *a = p->r->a;
	struct buf b = BUF(8 * (size_t)LIMIT_KNOWLEDGE_CHUNK_BYTES);
	struct knowledge_chunk c = { .heading = chunk_heading(p), .first = UINT32_MAX };

	if (p->n > 0 && arena_grow(a, p->out->at, p->out->n, p->cap)) {
		chunk_text(p, c.heading, &b);
		for (size_t i = 0; i < p->n; i++) {
			c.first = p->at[i].first < c.first ? p->at[i].first : c.first;
			c.last = p->at[i].last > c.last ? p->at[i].last : c.last;
		}
		c.text = arena_str(a, buf_str(&b));
		p->out->at[p->out->n++] = c;
	}
	buf_release(&b);
	p->n = p->body = p->bytes = 0;
}

/* ---- cutting --------------------------------------------------------------------------- */

static unsigned
count_lines(struct str s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n';
	return n;
}

static bool
sentence_ends(struct str s, size_t i)
{
	return i > 0 && (s.p[i] == ' ' || s.p[i] == '\n') && (s.p[i - 1] == '.' ||
	    s.p[i - 1] == '!' || s.p[i - 1] == '?');
}

/* How much of s, which is longer, goes into so many bytes; at least a character. */
static size_t
cut_at(struct str s, size_t room, bool lines_only)
{
	size_t line = 0, sentence = 0, word = 0, n;

	for (size_t i = 1; i <= room && i < s.n; i++) {
		if (s.p[i] == '\n')
			line = i;
		if (sentence_ends(s, i))
			sentence = i;
		if (s.p[i] == ' ' || s.p[i] == '\n')
			word = i;
	}
	if (lines_only && line > 0)
		return line;
	if (line > room / 2)
		return line;
	if (sentence > room / 2)
		return sentence;
	if (word > room / 2)
		return word;
	n = str_cut(s, room).n;
	return n > 0 ? n : str_utf8_step(s) > 0 ? str_utf8_step(s) : 1;
}

static struct str
skip_blanks(struct str s, bool lines_only)
{
	if (s.n > 0 && s.p[0] == '\n')
		return str_sub(s, 1, s.n);
	while (!lines_only && s.n > 0 && s.p[0] == ' ')
		s = str_sub(s, 1, s.n);
	return s;
}

/* The end of the last block, from the beginning of a word: the next chunk's first. */
static bool
overlap_of(const struct packer *p, struct block *out)
{
	const struct block *last = p->n > 0 ? &p->at[p->n - 1] : NULL;
	size_t from, max = p->size.overlap;

	if (last == NULL || last->level > 0 || last->whole || last->head.n > 0 ||
	    last->above.n > 0 || max == 0)
		return false;
	*out = *last;
	out->tight = false;
	if (last->text.n <= max)
		return true;
	from = last->text.n - max;
	while (from < last->text.n && last->text.p[from - 1] != ' ' &&
	    last->text.p[from - 1] != '\n')
		from++;
	out->text = str_sub(last->text, from, last->text.n);
	if (last->exact)
		out->first = last->last - count_lines(out->text);
	return out->text.n > 0;
}

/* The chunk is full; the next goes on in the same section, or begins with the heading that
 * came last. */
static void
pack_turn(struct packer *p, const struct block *next)
{
	struct block again;
	bool has = overlap_of(p, &again) && block_bytes(&again) + block_bytes(next) <= p->size.target;

	while (p->body > 0 && p->at[p->n - 1].level > 0) {
		again = p->at[--p->n];
		has = true;
	}
	chunk_end(p);
	if (has)
		pack_add(p, &again, false);
}

/* Bytes of a block's text that go into the chunk, past what is around it. */
static size_t
room_left(const struct packer *p, const struct block *b)
{
	size_t taken = p->bytes + block_bytes(b) - b->text.n, least = p->size.target / 4;

	return p->size.target > taken + least ? p->size.target - taken : least;
}

/* Heading rows, unless they are there or would fill the chunk. */
static size_t
above_bytes(const struct packer *p, const struct block *b)
{
	return p->body == 0 && b->above.n > 0 && b->above.n <= p->size.target / 4 &&
	    !str_starts(b->above, b->text) ? b->above.n + 2 : 0;
}

static void
pack_above(struct packer *p, const struct block *b)
{
	if (above_bytes(p, b) > 0)
		pack_add(p, &(struct block){ .text = b->above, .heading = b->heading,
		    .first = b->first, .last = b->first }, false);
}

static void
pack_pieces(struct packer *p, const struct block *b)
{
	struct str rest = b->text;
	unsigned line = b->first;

	while (rest.n > 0) {
		struct block piece = *b;
		size_t room, n;

		pack_above(p, b);
		room = room_left(p, b);
		n = rest.n <= room ? rest.n : cut_at(rest, room, b->whole);

		piece.text = str_sub(rest, 0, n);
		piece.tight = b->tight && rest.p == b->text.p;
		if (b->exact) {
			piece.first = line;
			piece.last = line + count_lines(piece.text);
		}
		pack_add(p, &piece, true);
		line += count_lines(piece.text);
		rest = str_sub(rest, n, rest.n);
		line += rest.n > 0 && rest.p[0] == '\n';
		rest = skip_blanks(rest, b->whole);
		if (rest.n > 0) {
			struct block next = { .heading = b->heading };

			next.text = str_sub(rest, 0, p->size.target / 2);
			pack_turn(p, &next);
		}
	}
}

/* ---- blocks ------------------------------------------------------------------------------ */

static void
pack_body(struct packer *p, const struct block *b)
{
	size_t n = block_bytes(b) + above_bytes(p, b), target = p->size.target;
	size_t most = b->whole ? WHOLE_CHUNKS * target : target;

	if (p->bytes + n <= target || (n <= most && p->body == 0 && p->bytes + n <= most)) {
		pack_above(p, b);
		pack_add(p, b, true);
	} else if (n + b->above.n + 2 <= most || (n <= most && b->above.n == 0)) {
		pack_turn(p, b);
		pack_above(p, b);
		pack_add(p, b, true);
	} else {
		if (p->body > 0)
			pack_turn(p, &(struct block){ .heading = b->heading });
		pack_pieces(p, b);
	}
}

/* The heading above has nothing of its own: what is below it has it in its path, else it
 * is a chunk. */
static void
pack_heading(struct packer *p, const struct block *b)
{
	const struct block *last = p->n > 0 ? &p->at[p->n - 1] : NULL;
	bool bare = p->body == 0 && last != NULL && last->level > 0;

	if (bare && b->level > last->level)
		p->n = p->bytes = 0;
	else if (last != NULL && (bare || b->level < p->at[0].under ||
	    common_path(p->at[0].heading, b->heading).n == 0 || p->bytes >= p->size.target / SMALL_PARTS))
		chunk_end(p);
	pack_add(p, b, false);
}

int
chunks_make(const struct reader *r, struct knowledge_size size, struct knowledge *out,
    struct err *e)
{
	struct packer p = { .r = r, .size = size, .out = out };

	for (size_t i = 0; i < r->n && !r->a->failed; i++)
		if (r->blocks[i].level > 0)
			pack_heading(&p, &r->blocks[i]);
		else
			pack_body(&p, &r->blocks[i]);
	if (p.body > 0 || (p.n > 0 && p.at[p.n - 1].level > 0))
		chunk_end(&p);
	free(p.at);
	return out->n <= LIMIT_KNOWLEDGE_CHUNKS ? OK : err_set(e, ERR_LIMIT, "%zu chunks; a "
	    "document has at most %d: make them larger", out->n, LIMIT_KNOWLEDGE_CHUNKS);
}
