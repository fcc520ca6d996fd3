/*
 * away_priv.h - what the files of away.h share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKER_AWAY_PRIV_H
#define WORKER_AWAY_PRIV_H

#include "worker/away.h"
#include "worker/worker_priv.h"

enum away_word { WANT = 'w', HAVE = 'h', TASKS = 't', SERVED = 's', READY = 'r',
	LEFT = 'l', MUTE = 'm', CANCEL = 'c' };

/* In the byte order of these machines; texts follow. */
struct away_head {
	char word;
	uint8_t kind, slot, served;
	uint32_t n;                          /* WANT: offers; HAVE: places; TASKS: unused ones */
	uint32_t name_n, build_n, lang_n, text_n;
	uint64_t serial;                     /* of the worker's poll */
	uint32_t at, all;                    /* TASKS: of so many bytes these, from there */
	struct uuid worker;
	uint8_t key[SHA256_SIZE];
};

struct worker_away {
	struct worker_desk *d;
	struct worker_away_options o;
	struct shard_job job, changed, ready;
	atomic_bool posted, changed_posted, ready_posted;
	struct wheel_timer again, beat;
	struct list polls;
	struct away_coming *coming;
	size_t coming_n, coming_cap;
	bool draining;
};

bool away_say(struct worker_away *w, uint64_t to, struct away_head *h, struct str name,
    struct str build, struct str lang, struct str text);
/* Other nodes are asked for what waits here. */
void away_ask(struct worker_away *w);

/* ---- away_served.c ------------------------------------------------------------------- */

void away_is_served(struct worker_away *w, uint64_t from, const struct away_head *h,
    const struct str texts[4]);
void away_on_changed(struct shard_job *job);
void away_on_beat(struct wheel_timer *t);

#endif
