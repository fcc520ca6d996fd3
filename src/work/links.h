/*
 * links.h - edges between numbered nodes, in memory: compact, both ways, with
 * the search for a way from one node to another.
 *
 * Nodes and links are indices into arrays, so the whole is a few blocks.  A
 * node stays when its links go.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_LINKS_H
#define WORK_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NIL UINT32_MAX                       /* no node, no link */

/* The two directions of a link; a search goes forward from one node and
 * backward from another. */
enum { AHEAD, BACK };

struct node {
	int64_t seq;                         /* its number outside */
	uint64_t seen;                       /* 2 * turn + side of the search */
	uint32_t first[2];                   /* link ahead, link back */
	uint32_t via;                        /* the search came from there */
	uint32_t next;                       /* in the search's queue */
};

struct link {
	uint32_t end[2];                     /* [AHEAD]: where it leads to */
	uint32_t next[2];                    /* link of the same node */
	uint32_t before_back;                /* so that taking one is quick where
	                                        many lead to the same node */
};

struct links {
	struct node *nodes;
	struct link *links;
	uint32_t *slots;                     /* node + 1 by hash of seq; 0: free */
	size_t nodes_n, nodes_cap;
	size_t links_n, links_cap;           /* ever used, with the free ones */
	size_t live, slots_n;
	uint32_t spare;                      /* first free link */
	uint64_t turn;
};

/* Never fails, but for want of memory (which ends the process).  A node's index
 * stays; a link's is given again. */
void links_init(struct links *g);
void links_release(struct links *g);         /* empty again */
uint32_t links_find(const struct links *g, int64_t seq);     /* NIL: none */
uint32_t links_node(struct links *g, int64_t seq);           /* made if missing */
void links_add(struct links *g, uint32_t from, uint32_t to);
/* One of the links between the two.  False: there is none. */
bool links_take(struct links *g, uint32_t from, uint32_t to);

/* A search for a way from a to b, from both ends at once: it costs no more
 * than twice the smaller side. */
struct search {
	struct links *g;
	/* Where the links of a node are not all there yet: called before it is
	 * looked at in that direction.  May be NULL. */
	int (*pull)(void *ctx, uint32_t node, int side);
	void *ctx;
	/* inside */
	uint64_t mark;
	uint32_t at[2], link[2];             /* node, its link that is next */
	uint32_t head[2], tail[2];           /* those to be looked at */
	uint32_t met[2];                     /* the nodes where the sides met */
};

/* from and to differ.  OK: there is a way; ERR_NOTFOUND; or pull's code. */
int links_search(struct search *s, uint32_t from, uint32_t to);
/* The seqs of the way found, both ends included; free() it. */
int64_t *links_way(const struct search *s, size_t *n);

#endif
