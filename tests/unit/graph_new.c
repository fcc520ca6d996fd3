/*
 * graph_new.c - what graph_new refuses, in its words and with its place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/limits.h"
#include "graph/graph.h"

enum { A, B, C, NODES };
static const struct graph_node abc[NODES] = { { S("a") }, { S("b") }, { S("c") } };

#define FROM(...) .from = (const int[]){ __VA_ARGS__ }, \
	.from_n = sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int)
#define LINE { FROM(GRAPH_START), .to = A }, { FROM(A), .to = B }, { FROM(B), .to = C }
#define PLACES "GNE"                         /* enum graph_part */

/* want: "E3 words"; the place, then what people read.  NULL: it is fine. */
static void
check_new(const struct graph_node *nodes, size_t nodes_n, const struct graph_edge *edges,
    size_t edges_n, const char *want)
{
	const struct graph_spec s = { nodes, nodes_n, edges, edges_n };
	struct graph_place where = { 0 };
	struct graph *g = (struct graph *)&where;
	struct buf got = BUF(1 * KB);
	struct err e = { 0 };
	int rc = graph_new(&g, &s, &where, &e);

	if (rc != OK)
		buf_add_fmt(&got, "%c%zu %s", PLACES[where.part], where.index, e.text);
	CHECK((rc == OK) == (g != NULL));
	CHECK_STR(buf_str(&got), want != NULL ? want : "");
	graph_free(g);
	buf_release(&got);
}

/* The edges of LINE, with one more in front. */
static void
check_edge(struct graph_edge ed, const char *want)
{
	const struct graph_edge edges[] = { ed, LINE };

	check_new(abc, NODES, edges, COUNT(edges), want);
}

static void
check_name(struct str name, const char *want)
{
	const struct graph_node nodes[] = { { S("a") }, { name } };
	const struct graph_edge edges[] = { { FROM(GRAPH_START), .to = A }, { FROM(A), .to = B } };

	check_new(nodes, COUNT(nodes), edges, COUNT(edges), want);
}

TEST(graph_new_takes_what_is_right)
{
	check_edge((struct graph_edge){ FROM(A), .to = GRAPH_END, .when = true }, NULL);
	check_edge((struct graph_edge){ FROM(A, B), .to = GRAPH_END }, NULL);
	check_edge((struct graph_edge){ FROM(A, B), .to = C }, NULL);
	check_edge((struct graph_edge){ FROM(C), .to = C, .when = true, .all = true }, NULL);
	check_edge((struct graph_edge){ FROM(GRAPH_START), .to = A, .send = true }, NULL);
	check_edge((struct graph_edge){ FROM(GRAPH_START), .to = GRAPH_END }, NULL);
	check_name(S("\xe6\x97\xa5 b+c"), NULL);
}

TEST(graph_new_refuses_names)
{
	char long_name[LIMIT_NAME_BYTES + 1];

	memset(long_name, 'x', sizeof long_name);
	check_name(S(""), "N1 a node needs a name");
	check_name((struct str){ long_name, sizeof long_name },
	    "N1 a node's name of 513 bytes, at most 512");
	check_name(S("x\xff"), "N1 a node's name must be UTF-8 text");
	check_name(S("x\0y"), "N1 a node's name must be UTF-8 text");
	check_name(S("x:y"), "N1 node 'x:y': a name must not have '|' or ':' in it");
	check_name(S("x|y"), "N1 node 'x|y': a name must not have '|' or ':' in it");
	check_name(S("__end__"), "N1 node '__end__': names that begin with '__' are reserved");
	check_name(S("a"), "N1 two nodes are called 'a'");
}

TEST(graph_new_refuses_edges)
{
	check_edge((struct graph_edge){ .to = A }, "E0 an edge needs a node in `from`");
	check_edge((struct graph_edge){ FROM(GRAPH_END), .to = A }, "E0 no edge can leave END");
	check_edge((struct graph_edge){ FROM(7), .to = A }, "E0 from: the graph has no node 7");
	check_edge((struct graph_edge){ FROM(A, -3), .to = A }, "E0 from: the graph has no node -3");
	check_edge((struct graph_edge){ FROM(A), .to = GRAPH_START },
	    "E0 no edge can lead to START");
	check_edge((struct graph_edge){ FROM(A), .to = 3 }, "E0 to: the graph has no node 3");
	check_edge((struct graph_edge){ FROM(A), .to = C, .all = true },
	    "E0 edge from 'a' to 'c': `all` needs a `when`");
	check_edge((struct graph_edge){ FROM(GRAPH_START), .to = GRAPH_END, .send = true },
	    "E0 send from 'START': it needs a node, END is none");
}

TEST(graph_new_refuses_joins)
{
	const struct graph_node plus[] = { { S("a") }, { S("b") }, { S("c") }, { S("a+b") },
		{ S("b+c") } };
	const struct graph_edge edges[] = { LINE, { FROM(A), .to = 3 }, { FROM(A), .to = 4 },
		{ FROM(3, C), .to = A }, { FROM(A, B), .to = C }, { FROM(A, 4), .to = A } };

	check_edge((struct graph_edge){ FROM(A, B), .to = C, .when = true, .all = true },
	    "E0 an edge that waits for several nodes cannot have `when` (to 'c')");
	check_edge((struct graph_edge){ FROM(A, B), .to = C, .all = true },
	    "E0 an edge that waits for several nodes cannot have `all` (to 'c')");
	check_edge((struct graph_edge){ FROM(A, B), .to = GRAPH_END, .send = true },
	    "E0 an edge that waits for several nodes cannot have `send` (to 'END')");
	check_edge((struct graph_edge){ FROM(A, GRAPH_START), .to = C },
	    "E0 an edge cannot wait for START and other nodes (to 'c')");
	check_edge((struct graph_edge){ FROM(B, A, B), .to = C },
	    "E0 an edge waits for 'b' twice (to 'c')");
	check_new(plus, COUNT(plus), edges, COUNT(edges), "E7 two edges wait for the same nodes, "
	    "or for nodes of the same names joined by '+' (to 'a')");
}

TEST(graph_new_refuses_all_on_some_edges)
{
	const struct graph_edge edges[] = { LINE, { FROM(A), .to = B, .when = true },
		{ FROM(C), .to = B, .when = true, .all = true },
		{ FROM(A), .to = C, .when = true, .all = true } };

	check_new(abc, NODES, edges, 5, NULL);
	check_new(abc, NODES, edges, COUNT(edges), "E5 edges from 'a': `all: true` must be on "
	    "every edge with `when` or on none");
}

TEST(graph_new_refuses_what_is_out_of_reach)
{
	const struct graph_edge end[] = { { FROM(GRAPH_START), .to = GRAPH_END } };
	const struct graph_edge ring[] = { { FROM(GRAPH_START), .to = A }, { FROM(B), .to = C },
		{ FROM(C), .to = B } };
	/* c waits for b, and only c leads to b. */
	const struct graph_edge wait[] = { { FROM(GRAPH_START), .to = A }, { FROM(A, B), .to = C },
		{ FROM(C), .to = B } };

	check_new(abc, 0, NULL, 0, "G0 the graph has no nodes");
	check_new(abc, NODES, NULL, 0, "G0 no edge leads from START to a node");
	check_new(abc, NODES, end, COUNT(end), "G0 no edge leads from START to a node");
	check_new(abc, NODES, ring, COUNT(ring), "N1 node 'b': no way leads to it from START");
	check_new(abc, NODES, wait, COUNT(wait), "N1 node 'b': no way leads to it from START");
}

TEST(graph_new_has_limits)
{
	const int start[] = { GRAPH_START };
	struct graph_node *nodes = calloc(LIMIT_GRAPH_NODES + 1, sizeof *nodes);
	struct graph_edge *edges = calloc(LIMIT_GRAPH_EDGES + 1, sizeof *edges);
	char (*names)[8] = calloc(LIMIT_GRAPH_NODES + 1, sizeof *names);
	int *all = calloc(LIMIT_GRAPH_NODES + 1, sizeof *all);

	for (int i = 0; i <= LIMIT_GRAPH_NODES; i++) {
		snprintf(names[i], sizeof names[i], "n%d", i);
		nodes[i].name = str_of(names[i]);
		all[i] = i;
	}
	for (int i = 0; i <= LIMIT_GRAPH_EDGES; i++)
		edges[i] = (struct graph_edge){ .from = start, .from_n = 1,
			.to = i % LIMIT_GRAPH_NODES };
	check_new(nodes, LIMIT_GRAPH_NODES + 1, edges, 1, "N4096 4097 nodes, at most 4096");
	check_new(nodes, LIMIT_GRAPH_NODES, edges, LIMIT_GRAPH_EDGES, NULL);
	check_new(nodes, LIMIT_GRAPH_NODES, edges, LIMIT_GRAPH_EDGES + 1, "E16384 more than 16384 "
	    "edges; one that waits for several nodes counts as many");
	edges[LIMIT_GRAPH_EDGES - LIMIT_GRAPH_NODES] = (struct graph_edge){ .from = all,
		.from_n = LIMIT_GRAPH_NODES, .to = 0 };
	check_new(nodes, LIMIT_GRAPH_NODES, edges, LIMIT_GRAPH_EDGES - LIMIT_GRAPH_NODES + 1,
	    NULL);
	edges[0] = (struct graph_edge){ .from = all, .from_n = SIZE_MAX, .to = 0 };
	check_new(nodes, LIMIT_GRAPH_NODES, edges, 1, "E0 more than 16384 edges; one that waits "
	    "for several nodes counts as many");
	free(nodes);
	free(edges);
	free(names);
	free(all);
}
