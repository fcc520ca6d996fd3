/*
 * name.c - names of sources, keys of chunks, queries.
 *
 * SPDX-License-Identifier: MIT
 */
#include "knowledge/knowledge.h"

#include "base/hmac.h"

#define NAME_BYTES     400                   /* with a version and a number it fits a key */
#define NAME_CUT       360
#define NAME_HASH      8                     /* bytes of it */
#define RULES          "2"                   /* other: all documents are read anew */

static bool
is_plain(struct str s, size_t n)
{
	static const char ends[] = "%#[],;\"";

	return n > 1 || (n == 1 && (unsigned char)s.p[0] > ' ' && s.p[0] != 0x7f &&
	    str_index(str_of(ends), s.p[0]) < 0) || (n == 1 && s.p[0] == ' ');
}

void
knowledge_add_name(struct buf *b, struct str path)
{
	struct buf name = BUF(3 * path.n + 1);
	uint8_t hash[SHA256_SIZE];

	for (struct str s = path; s.n > 0; ) {
		size_t n = str_utf8_step(s);

		if (is_plain(s, n))
			buf_add(&name, str_sub(s, 0, n));
		else
			buf_add_fmt(&name, "%%%02X", (unsigned char)s.p[0]);
		s = str_sub(s, is_plain(s, n) ? n : 1, s.n);
	}
	if (name.n <= NAME_BYTES) {
		buf_add(b, buf_str(&name));
	} else {
		sha256(path, hash);
		buf_add(b, str_cut(buf_str(&name), NAME_CUT));
		buf_add_char(b, '~');
		hex_add(b, hash, NAME_HASH);
	}
	buf_release(&name);
}

int
knowledge_check_collection(struct str name, struct err *e)
{
	bool right = name.n > 0 && name.n <= LIMIT_KNOWLEDGE_COLLECTION_BYTES &&
	    str_is_utf8(name);

	for (size_t i = 0; i < name.n && right; i++)
		right = (unsigned char)name.p[i] > ' ' && name.p[i] != '.' && name.p[i] != '"';
	return right ? OK : err_set(e, ERR_INVALID, "collection: expected 1 to %d bytes without "
	    "blanks, periods and quotes", LIMIT_KNOWLEDGE_COLLECTION_BYTES);
}

void
knowledge_hash(enum knowledge_kind kind, struct str bytes, struct knowledge_size size,
    char out[KNOWLEDGE_HASH_BYTES + 1])
{
	struct buf b = BUF(bytes.n + 200), hex = BUF(KNOWLEDGE_HASH_BYTES);
	uint8_t hash[SHA256_SIZE];

	buf_add_fmt(&b, "%s/%s/%zu/%zu/", RULES, knowledge_kinds[kind], size.target,
	    size.overlap);
	buf_add(&b, bytes);
	sha256(buf_str(&b), hash);
	hex_add(&hex, hash, sizeof hash);
	memcpy(out, hex.p, KNOWLEDGE_HASH_BYTES + 1);
	buf_release(&b);
	buf_release(&hex);
}

void
knowledge_add_key(struct buf *b, struct str name, struct str hash, size_t n)
{
	buf_add(b, name);
	buf_add_char(b, '#');
	buf_add(b, str_sub(hash, 0, KNOWLEDGE_VERSION_BYTES));
	buf_add_char(b, '-');
	buf_add_u64(b, n);
}

/* ---- queries --------------------------------------------------------------------------- */

/* Words that questions have and passages need not. */
static const char *const common[] = { "a", "an", "and", "are", "as", "at", "be", "by", "can", "do",
	"does", "for", "from", "have", "how", "i", "in", "is", "it", "me", "my", "of", "on", "or",
	"should", "tell", "that", "the", "there", "this", "to", "was", "we", "what", "when", "where",
	"which", "who", "why", "will", "with", "you", NULL };

static struct str
bare(struct str word)
{
	while (word.n > 0 && str_index(S("?!.,;:()\"'"), word.p[word.n - 1]) >= 0)
		word.n--;
	while (word.n > 0 && str_index(S("(\"'"), word.p[0]) >= 0)
		word = str_sub(word, 1, word.n);
	return word;
}

static bool
is_common(struct str word)
{
	for (size_t i = 0; common[i] != NULL; i++)
		if (str_eq_nocase(word, str_of(common[i])))
			return true;
	return word.n == 0;
}

bool
knowledge_shorten(struct str query, struct buf *out)
{
	struct str rest = query, word, shortest = STR_NONE;
	size_t kept = 0, all = 0;

	for (; str_next(&rest, ' ', &word); all += word.n > 0) {
		struct str w = bare(word);

		if (is_common(w))
			continue;
		kept++;
		if (shortest.p == NULL || w.n < shortest.n)
			shortest = w;
	}
	if (kept == 0 || (kept == all && kept == 1))
		return false;
	buf_clear(out);
	for (rest = query; str_next(&rest, ' ', &word); ) {
		struct str w = bare(word);

		if (is_common(w) || (kept == all && w.p == shortest.p))
			continue;
		if (out->n > 0)
			buf_add_char(out, ' ');
		buf_add(out, w);
	}
	return !out->failed && !str_eq(buf_str(out), query);
}
