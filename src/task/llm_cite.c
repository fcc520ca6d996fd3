/*
 * llm_cite.c - `citations: strict`: an answer cites passages that were found.
 *
 * Marks count that a call of knowledge_search answered with in the conversation that the
 * model is asked with, also what is cut off for it.  Others are taken out of every text of
 * the model.  An answer's additional_kwargs get
 *
 *	citations: [{mark, source, n, heading, lines, collection, key}]   as first cited
 *	citations_removed: how many were taken out, if any were
 *
 * The model is asked without deltas, so that nobody sees a mark before it is known to be
 * good.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "knowledge/knowledge.h"
#include "task/llm_priv.h"

#define TOOL "knowledge_search"

bool
llm_cites(const struct llm_piece *w)
{
	return agent_has(piece_field(&w->p, LLM_CITATIONS));
}

static void
read_marks(struct val list, struct knowledge_marks *m, struct arena *a)
{
	for (size_t i = 0; i < val_count(list); i++) {
		struct val one = val_at(list, i), name = val_get(one, S("name"));
		struct val status = val_get(one, S("status")), text;

		if (message_type(one) != MSG_TOOL || name.kind != VAL_STRING ||
		    !str_eq(val_str(name), S(TOOL)) || (status.kind == VAL_STRING &&
		    str_eq(val_str(status), S("error"))))
			continue;
		text = message_text(one);
		knowledge_marks_add(m, a, val_str(text));
		val_drop(text);
	}
}

static struct val
clean_text(struct knowledge_marks *m, struct val text)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct val out;

	knowledge_marks_clean(m, val_str(text), &b);
	out = val_string(buf_str(&b));
	buf_release(&b);
	return out;
}

/* A text, or a list of blocks of which some are texts. */
static struct val
clean_content(struct knowledge_marks *m, struct val content)
{
	struct val out;

	if (content.kind == VAL_STRING)
		return clean_text(m, content);
	if (content.kind != VAL_ARRAY)
		return val_ref(content);
	out = val_array_empty();
	for (size_t i = 0; i < val_count(content); i++) {
		struct val block = val_at(content, i), text = block;

		if (block.kind == VAL_OBJECT)
			text = val_get(block, S("text"));
		if (text.kind != VAL_STRING)
			out = val_push_take(out, val_ref(block));
		else if (block.kind == VAL_STRING)
			out = val_push_take(out, clean_text(m, text));
		else
			out = val_push_take(out, val_set_take(val_ref(block), S("text"),
			    clean_text(m, text)));
	}
	return out;
}

static void
add_citation(struct buf *b, const struct knowledge_mark *k)
{
	struct buf key = BUF(LIMIT_STATE_BYTES);

	knowledge_add_key(&key, k->source, k->version, (size_t)k->n);
	json_add_fmt(b, ",{'mark':%.*s,'source':%.*s,'n':%lld,'heading':%.*s,'lines':[%u,%u],"
	    "'collection':%.*s,'key':%.*s}", FMT(k->mark), FMT(k->source), (long long)k->n,
	    FMT(k->heading), k->first, k->last, FMT(k->collection), FMT(buf_str(&key)));
	buf_release(&key);
}

static struct val
citations(const struct knowledge_marks *m)
{
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct val out;

	buf_add_char(&b, '[');
	for (unsigned nth = 1; nth <= m->cited; nth++)
		for (size_t i = 0; i < m->n; i++)
			if (m->at[i].cited == nth)
				add_citation(&b, &m->at[i]);
	buf_add_char(&b, ']');
	out = val_json_trusted(b.failed ? S("[]") : buf_str(&b));
	buf_release(&b);
	return out;
}

struct val
llm_cite(struct llm_piece *w, struct val message)
{
	struct arena a = ARENA(LIMIT_STATE_BYTES);
	struct knowledge_marks m = { 0 };
	struct val kwargs = val_get(message, S("additional_kwargs"));

	if (!llm_cites(w))
		return message;
	read_marks(w->list, &m, &a);
	kwargs = kwargs.kind == VAL_OBJECT ? val_ref(kwargs) : val_object_empty();
	message = val_set_take(message, S("content"), clean_content(&m,
	    val_get(message, S("content"))));
	kwargs = val_set_take(kwargs, S("citations"), citations(&m));
	if (m.removed > 0)
		kwargs = val_set_take(kwargs, S("citations_removed"), val_int(m.removed));
	message = val_set_take(message, S("additional_kwargs"), kwargs);
	knowledge_marks_release(&m);
	arena_release(&a);
	return message;
}
