/*
 * relay_fix.h - nodes under test: HTTP servers in one process, and between them a bus of
 * functions that can lose frames.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_RELAY_FIX_H
#define UNIT_RELAY_FIX_H

#include "net_serve.h"
#include "cluster/relay_priv.h"
#include "harness/test.h"

#define NODES  4
#define EVENTS 200                           /* of one turn: more pieces than a frame has, and
                                                fewer bytes than credit is given for */

struct node {
	int64_t number;
	struct serve *s;
	struct relays *all;
	struct relay *relay[2];
	atomic_bool gone;
	struct ws *ws;
	struct sse *sse;
};

struct world {
	struct node nodes[NODES];
	unsigned n;
	atomic_int lose;                     /* this kind of frame is lost, once */
	struct letter *lost;                 /* the last one so lost */
	atomic_bool mute;                    /* all are */
	atomic_int frames[FRAME_KINDS];      /* that were sent */
	msec heartbeat;                      /* of servers; 0: the usual */
};
extern struct world world;

struct node *node_of(int64_t number);        /* from 1 */
struct serve *server(int64_t number);
void nodes_start(unsigned n, unsigned shards);
void nodes_stop(void);
/* What was lost reaches the first shard of that node now. */
void lost_comes_late(int64_t number);

#endif
