/*
 * needs.c - see needs.h.  A model that is known only in a run (a template, an
 * expression) cannot be checked, so needs are not taken beside it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/needs.h"

#include <stdio.h>

#include "task/kinds.h"

struct checking {
	const struct models *m;
	struct str fallback, file;
	struct err *e;
};

static struct str
name_at(const struct agent_value *names, size_t i)
{
	struct val list = names->constant;

	return list.kind == VAL_STRING ? val_str(list) : val_str(val_at(list, i));
}

static size_t
names_n(const struct agent_value *names)
{
	struct val list = names->constant;

	return list.kind == VAL_STRING ? 1 : val_count(list);
}

static int
refuse(const struct checking *c, const struct agent_value *v, const char *words)
{
	return err_set(c->e, ERR_INVALID, "%.*s:%u:%u: needs: %s", FMT(c->file), v->line,
	    v->column, words);
}

static int
words_of(const struct checking *c, const struct agent_value *needs, unsigned *out)
{
	char words[200];

	*out = 0;
	for (size_t i = 0; i < names_n(needs); i++) {
		struct str word = name_at(needs, i);
		unsigned has = models_has_word(word);

		snprintf(words, sizeof words, "expected %s, not \"%.*s\"", models_has_words,
		    FMT(word));
		if (has == 0)
			return refuse(c, needs, words);
		*out |= has;
	}
	return OK;
}

static int
check_llm(const struct checking *c, const struct agent_work *w)
{
	const struct agent_value *needs = &w->fields[LLM_NEEDS];
	const struct agent_value *model = &w->fields[LLM_MODEL];
	const struct agent_value *more = &w->fields[LLM_FALLBACKS];
	struct str first = STR_NONE;
	struct err why;
	unsigned has;
	int rc;

	if (!agent_has(needs))
		return OK;
	rc = words_of(c, needs, &has);
	if (rc == OK && agent_has(model)) {
		if (model->form != VALUE_CONST || model->constant.kind != VAL_STRING)
			return refuse(c, needs, "the model is known only in a run; name it, so "
			    "that it can be checked");
		first = val_str(model->constant);
	}
	if (rc != OK || c->m == NULL)
		return rc;
	rc = models_can(c->m, first, c->fallback, has, &why);
	for (size_t i = 0; rc == OK && agent_has(more) && i < names_n(more); i++)
		rc = models_can(c->m, name_at(more, i), c->fallback, has, &why);
	return rc == OK ? OK : refuse(c, needs, why.text);
}

static int
check_work(const struct checking *c, const struct agent_work *w)
{
	int rc = str_eq(str_of(w->kind->name), S("llm")) ? check_llm(c, w) : OK;

	for (size_t i = 0; rc == OK && i < w->items_n; i++)
		rc = check_work(c, &w->items[i]);
	if (rc == OK && w->child != NULL && w->child_name.n == 0)
		for (size_t i = 0; rc == OK && i < w->child->nodes_n; i++)
			rc = check_work(c, &w->child->nodes[i].work);
	return rc;
}

int
needs_check(const struct agents *set, const struct models *m, struct str fallback,
    const struct agent **bad, struct err *e)
{
	struct checking c = { .m = m, .fallback = fallback, .e = e };
	int rc = OK;

	for (size_t i = 0; rc == OK && i < agents_count(set); i++) {
		const struct agent *a = agents_at(set, i);

		*bad = a;
		c.file = a->file;
		for (size_t k = 0; rc == OK && k < a->nodes_n; k++)
			rc = check_work(&c, &a->nodes[k].work);
	}
	return rc;
}
