/*
 * agents_priv.h - what the files of this room share.
 *
 *   agents.c   the agents of a shard; their end          guest.c  an instance of a release
 *   letter.c   one letter: taken, handled, settled       say.c    what the guest says
 *   ask.c      what it asks: its store, tools            save.c   durable agents
 *   reload.c   another release takes over
 *
 *            take                started            done(0)          committed
 *   IDLE ----------> (STARTS) -----------> CALLS ----------> SAVES ------------> IDLE
 *     ^                  |                   |    in memory: straight to IDLE
 *     '------------------'-------------------'  failed, trapped, lost: the letter goes back
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_AGENT_AGENTS_PRIV_H
#define WASM_AGENT_AGENTS_PRIV_H

#include <stdatomic.h>

#include "base/limits.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "mail/post.h"
#include "wasm/agent/agents.h"
#include "wasm/guest.h"

#define STATS_WORDS (sizeof(struct wasm_agents_stats) / sizeof(uint64_t))

struct wasm_agents {
	struct wasm_agents_options o;
	struct wasm_listener listener;
	struct list agents;
	size_t busy;                         /* commands and tools under way */
	bool draining;
	void (*drained)(void *ctx);
	void *drained_ctx;
	_Atomic uint64_t stats[STATS_WORDS];
};
#define STAT(all, name) stat_add((all), offsetof(struct wasm_agents_stats, name), 1)
void stat_add(struct wasm_agents *all, size_t at, int64_t n);

/* An instance of a release, or the promise of one. */
struct guest {
	struct wasm_agent *w;
	struct wasm_release *release;        /* held */
	struct wasm_instance *instance;      /* NULL: it is made for the next letter */
	bool started;
	bool restores;                       /* from what was saved */
	bool fresh;                          /* what was saved is of no use to it */
};

enum phase { IDLE, STARTS, CALLS, SAVES };

struct asking;
struct saving;
struct readying;
struct store_wasm_image;

struct wasm_agent {
	struct wasm_agents *all;
	struct list in;
	struct office_agent *agent;
	owner_t owner;
	struct uuid id;
	bool durable, supervised;
	enum phase phase;
	struct guest *now;                   /* release NULL: it is not built yet */
	struct guest *next;                  /* of a reload; NULL: there is none */
	bool splits;                         /* next gets its share of the letters */
	bool switches;                       /* next takes over: */
	uint32_t to_drain;                   /* after so many letters */
	struct wheel_timer drain;            /* at the latest then */
	bool drops;                          /* next goes, as soon as it is idle */
	struct readying *readies;            /* next is being started beside; or NULL */
	/* the letter under way */
	struct letter *l;                    /* NULL: none */
	struct guest *at;                    /* who handles it */
	nsec began;
	struct wasm_outgoing *sends;
	size_t sends_n, sends_cap, sends_bytes;
	struct wasm_outgoing reply;
	bool replied;
	struct err bad;                      /* the first invalid message that it sent */
	struct asking *asking;
	unsigned asked;
	struct saving *saving;
	uint8_t digest[32];                  /* of the image that is in the store */
	bool imaged;
	/* when it may go on */
	struct wheel_timer wake;
	double tokens;                       /* of its rate */
	nsec tokens_at;
	uint64_t lost_number;                /* a letter whose host was lost */
	unsigned lost_n;                     /* so often */
	msec pause;                          /* until then it takes none */
};

/* ---- agents.c -------------------------------------------------------------------- */

void agents_busy(struct wasm_agents *all, int n);
struct str agent_address(const struct wasm_agent *w);
/* Takes letters again, later by ms. */
void agent_rest(struct wasm_agent *w, msec ms);
/* Finds its release; ERR_BUSY: it is being built.  Errors as wasm_desk_find. */
int  agent_find(struct wasm_agent *w, struct err *e);

/* ---- guest.c ---------------------------------------------------------------------- */

struct guest *guest_new(struct wasm_agent *w, struct wasm_release *held);
void guest_free(struct guest *g);            /* NULL is fine */
int  guest_start(struct guest *g, struct err *e);
void guest_leave(struct guest *g);           /* its instance goes */
static inline bool
guest_is_ready(const struct guest *g)
{
	return g->instance != NULL && g->started;
}

/* ---- letter.c --------------------------------------------------------------------- */

enum mail_taken letter_take(void *self, struct letter *l);
/* Of the agent's letter under way, after guest_start. */
void letter_begin(struct wasm_agent *w);
void letter_done(struct wasm_agent *w, int32_t result);
void letter_handled(struct wasm_agent *w);
/* It was not begun, or another guest is going to handle it. */
void letter_back(struct wasm_agent *w);
/* Handling it has failed.  w may be gone afterwards. */
void letter_failed(struct wasm_agent *w, struct str words);
void letter_settled(struct wasm_agent *w);   /* it is IDLE */
/* A trap, or (lost) its host process; the instance is gone.  w may be gone afterwards. */
void letter_trapped(struct wasm_agent *w, bool lost, struct str words);
/* Drops what was said and asked; the agent is IDLE.  Returns the letter, or NULL. */
struct letter *letter_clear(struct wasm_agent *w);

/* ---- say.c ------------------------------------------------------------------------ */

void say_add(struct wasm_agent *w, struct str json, bool reply);
/* Of one in memory: all that it said leaves.  ERR_INVALID: nothing has left. */
int  say_all(struct wasm_agent *w, struct err *e);
/* Of a durable one: as rows, in a.  Messages without a receiver are left out, and reported to
 * the guest. */
int  say_prepare(struct wasm_agent *w, struct arena *a, struct store_mail **out, size_t *n,
    struct err *e);

/* ---- ask.c ------------------------------------------------------------------------ */

void ask_begin(struct wasm_agent *w, const struct wasm_ask *q);
void ask_forget(struct wasm_agent *w);

/* ---- save.c ----------------------------------------------------------------------- */

void save_begin(struct wasm_agent *w);       /* after a letter */
void save_image(struct wasm_agent *w, int rc, struct str body);      /* the pool has it */
void save_forget(struct wasm_agent *w);
void save_drop(struct wasm_agent *w);        /* another release starts without it */
/* What was saved, in a; its release is `name` and `number`.  ERR_NOTFOUND. */
int  save_read(struct wasm_agent *w, struct arena *a, struct store_wasm_image *out);

/* ---- reload.c ---------------------------------------------------------------------- */

void reload_listen(struct wasm_agents *all);
/* Between letters: is it time? */
void reload_look(struct wasm_agent *w);
void reload_counted(struct wasm_agent *w);   /* a letter was settled */
/* A guest of a parallel reload is ready, or cannot be started. */
void reload_ready(struct wasm_agent *w, int rc);
void reload_left(struct wasm_agent *w);      /* it ends while a reload counts on it */

#endif
