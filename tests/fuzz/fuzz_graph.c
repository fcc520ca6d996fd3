/*
 * fuzz_graph.c - any text as a snapshot of a graph, then any control writes.
 *
 * The input is lines: a snapshot without its shape, which is put in front; then
 * "channel JSON" writes.  An empty line ends the step, "goto" begins no step.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/buf.h"
#include "base/json.h"
#include "graph/graph.h"

enum { A, B, C, D, E };

static struct graph *
example(void)
{
	static const struct graph_node nodes[] = { { S("a") }, { S("b") }, { S("c") },
		{ S("d"), true }, { S("e") } };
	static const int start[] = { GRAPH_START }, ab[] = { A, B }, bc[] = { B, C }, a[] = { A },
		d[] = { D };
	static const struct graph_edge edges[] = {
		{ start, 1, A }, { start, 1, B }, { ab, 2, C }, { bc, 2, D }, { a, 1, D },
		{ a, 1, E, .send = true }, { d, 1, A, .when = true },
	};
	const struct graph_spec s = { nodes, COUNT(nodes), edges, COUNT(edges) };
	struct graph *g;
	int rc = graph_new(&g, &s, NULL, NULL);

	assert(rc == OK);
	return g;
}

/* What is saved can be restored, and is then the same. */
static void
round_trip(struct graph_state *s, const struct graph *g)
{
	struct buf saved = BUF(16 * MB), again = BUF(16 * MB);
	const struct graph_task *tasks, *others;
	struct graph_state *copy;
	size_t n = graph_next(s, &tasks);
	struct err e;
	int rc;

	graph_state_save(s, &saved);
	if (!saved.failed) {
		rc = graph_state_restore(&copy, g, buf_str(&saved), &e);
		assert(rc == OK);
		graph_state_save(copy, &again);
		assert(str_eq(buf_str(&saved), buf_str(&again)));
		assert(graph_next(copy, &others) == n);
		for (size_t i = 0; i < n; i++)
			assert(tasks[i].node == others[i].node &&
			    str_eq(tasks[i].trigger, others[i].trigger));
		graph_state_free(copy);
	}
	buf_release(&saved);
	buf_release(&again);
}

static void
write_line(struct graph_state *s, struct str line)
{
	struct val v = VAL_UNDEF;
	struct str channel;
	struct err e;

	if (!str_next(&line, ' ', &channel))
		return;
	if (json_text_to_val(line, &v, &e) == OK)
		(void)graph_step_write(s, channel, v, &e);
	val_drop(v);
}

static struct graph_state *
restored(const struct graph *g, struct str parts)
{
	struct graph_state *s = graph_state_new(g);
	struct buf text = BUF(16 * MB);
	struct err e;

	graph_state_save(s, &text);
	graph_state_free(s);
	buf_cut(&text, text.n - 1);
	buf_add(&text, parts);
	(void)graph_state_restore(&s, g, buf_str(&text), &e);
	buf_release(&text);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct str rest = { (const char *)bytes, n }, line = STR_NONE;
	struct graph *g = example();
	struct graph_state *s;

	(void)str_next(&rest, '\n', &line);
	s = restored(g, line);
	if (s == NULL)
		s = graph_state_new(g);
	round_trip(s, g);
	while (str_next(&rest, '\n', &line)) {
		if (!str_eq(line, S("goto")))
			graph_step_begin(s);
		while (line.n > 0) {
			write_line(s, line);
			if (!str_next(&rest, '\n', &line))
				break;
		}
		graph_step_end(s);
		round_trip(s, g);
	}
	graph_state_free(s);
	graph_free(g);
	return 0;
}
