/*
 * cmd_eval_case.c - `cohort eval case THREAD`: a run of a server's thread as a case of a
 * dataset.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "main/cmd.h"
#include "main/eval_files.h"
#include "main/eval_take.h"
#include "main/record.h"

const struct flag cmd_eval_case_flags[] = {
	{ "run", .kind = FLAG_TEXT, .value = "RUN", .help = "this run, with those that went on "
	    "after its questions; default: the last that ended well" },
	{ "replies", .help = "also what the model replied: the case then runs without one" },
	{ "id", .kind = FLAG_TEXT, .value = "ID", .help = "of the case; default: the run's" },
	{ "tag", .kind = FLAG_TEXT, .value = "TAG", .help = "of the case; may be repeated" },
	{ "into", .kind = FLAG_TEXT, .value = "FILE", .help = "append it to this dataset, which "
	    "has no case of that id; default: print it" },
	REMOTE_FLAGS,
	{ NULL }
};

struct entries { struct val *at; size_t n, cap; };

/* Owned. */
struct made { struct val input, expected, answers, replies; };

static int
keep(void *ctx, struct val entry)
{
	struct entries *l = ctx;

	mem_grow(l->at, l->n, l->cap);
	l->at[l->n++] = val_ref(entry);
	return OK;
}

/* ---- the case ------------------------------------------------------------------------------ */

/* What the run answered, as an eval without `output` sees it. */
static int
take_expected(const struct agent *a, struct val state, struct val *out, struct buf *notes,
    struct err *e)
{
	static const struct eval none;
	struct val values = val_get(state, S("values"));
	struct eval_scope scope = { .v = { [EVAL_STATE] = values } };
	struct val channels = a != NULL && a->channels_n > 0 && values.kind == VAL_OBJECT ?
	    agent_outputs(a, values) : val_ref(values);
	int rc = eval_output(&none, &scope, channels, e);

	*out = rc == OK ? val_ref(scope.text) : VAL_UNDEF;
	if (rc == OK && scope.text.kind == VAL_NULL)
		buf_lit(notes, "the run answered nothing: the case has no `expected`\n");
	val_drop(scope.text);
	val_drop(scope.v[EVAL_OUTPUT]);
	val_drop(channels);
	return rc;
}

static int
take_states(struct remote *r, struct str thread, const struct eval_taken *t, struct made *m,
    struct buf *notes, struct err *e)
{
	struct str first = eval_take_checkpoint(t, false), last = eval_take_checkpoint(t, true);
	struct val before = VAL_UNDEF, after = VAL_UNDEF;
	struct agent_file file = { 0 };
	struct err ignored;
	int rc = OK;

	if (first.n == 0)
		return err_set(e, ERR_INVALID, "the run made no checkpoint");
	(void)record_definition(r, thread, t->first, &file, &ignored);   /* a worker's has none */
	rc = record_state_before(r, thread, first, &before, e);
	if (rc == OK)
		rc = record_state(r, thread, STR_NONE, last, &after, e);
	if (rc == OK)
		rc = eval_take_input(t, val_get(before, S("values")), file.agent, &m->input,
		    notes, e);
	if (rc == OK)
		rc = take_expected(file.agent, after, &m->expected, notes, e);
	val_drop(before);
	val_drop(after);
	agent_file_close(&file);
	return rc;
}

static void
add_member(struct buf *b, const char *name, struct val v)
{
	if (v.kind == VAL_UNDEFINED || v.kind == VAL_NULL)
		return;
	json_add_key(b, name);
	val_add_json(b, v);
}

static void
add_case(struct buf *b, const struct flag_line *line, struct str run, const struct made *m)
{
	struct str id = line_text(line, "id");
	bool tags = false;

	json_add_fmt(b, "{'id':%.*s", FMT(id.n > 0 ? id : run));
	add_member(b, "input", m->input);
	add_member(b, "expected", m->expected);
	add_member(b, "answers", m->answers);
	add_member(b, "replies", m->replies);
	for (size_t i = 0; i < line->given_n; i++) {
		if (!str_eq(str_of(line->given[i].flag->name), S("tag")))
			continue;
		buf_add(b, tags ? S(",") : S(",\"tags\":["));
		json_add_str(b, line->given[i].value);
		tags = true;
	}
	buf_add(b, tags ? S("]}\n") : S("}\n"));
}

static int
make(struct remote *r, const struct flag_line *line, struct buf *out, struct buf *notes,
    struct err *e)
{
	struct str thread = line->operand[0];
	struct entries all = { 0 };
	struct eval_taken t = { 0 };
	struct made m = { VAL_UNDEF, VAL_UNDEF, VAL_UNDEF, VAL_UNDEF };
	int rc = pages_each(r, thread, STR_NONE, keep, &all, e);

	if (rc == OK)
		rc = eval_take_run(all.at, all.n, line_text(line, "run"), &t, e);
	if (rc == OK)
		rc = take_states(r, thread, &t, &m, notes, e);
	if (rc == OK)
		rc = eval_take_answers(&t, &m.answers, e);
	if (rc == OK && line_has(line, "replies"))
		rc = eval_take_replies(&t, &m.replies, notes, e);
	if (rc == OK) {
		eval_take_note_config(&t, notes);
		add_case(out, line, t.first, &m);
	}
	if (rc == OK && (out->failed || out->n > LIMIT_EVAL_CASE_BYTES))
		rc = err_set(e, ERR_TOOBIG, "the case has more than %d bytes",
		    LIMIT_EVAL_CASE_BYTES);
	val_drop(m.input);
	val_drop(m.expected);
	val_drop(m.answers);
	val_drop(m.replies);
	for (size_t i = 0; i < all.n; i++)
		val_drop(all.at[i]);
	free(all.at);
	return rc;
}

/* ---- the command ------------------------------------------------------------------------------ */

static void
print_notes(const char *command, struct buf *notes)
{
	struct str rest = buf_str(notes), one;

	while (str_next(&rest, '\n', &one))
		if (one.n > 0)
			fprintf(stderr, "cohort %s: note: %.*s\n", command, FMT(one));
	buf_release(notes);
}

static int
put(const struct flag_line *line, struct str text, struct err *e)
{
	struct str into = line_text(line, "into");
	struct eval_cases c;
	int rc = eval_cases_read(&c, text, S("the case"), e);

	eval_cases_release(&c);
	if (rc == OK && into.n > 0)
		return eval_dataset_append(into.p, text, e);
	if (rc == OK && (fwrite(text.p, 1, text.n, stdout) != text.n || fflush(stdout) != 0))
		rc = err_set(e, ERR_IO, "stdout: %s", strerror(errno));
	return rc;
}

int
cmd_eval_case(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct buf out = BUF(2 * (size_t)LIMIT_EVAL_CASE_BYTES), notes = BUF(64 * KB);
	struct remote *r = NULL;
	struct flag_line line;
	struct err e = { 0 };
	int rc = line_parse(&line, cmd, argc, argv, &a, &e);

	if (rc < 0) {
		arena_release(&a);
		return command_usage_error(cmd->name, &e);
	}
	rc = remote_open_line(&r, &line, &e);
	if (rc == OK)
		rc = make(r, &line, &out, &notes, &e);
	if (rc == OK)
		rc = put(&line, buf_str(&out), &e);
	if (rc != OK)
		fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
	print_notes(cmd->name, &notes);
	remote_close(r);
	buf_release(&out);
	arena_release(&a);
	return rc == OK ? 0 : 1;
}
