/*
 * mail_fix.h - agents that note what they take, and a post with them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_FIX_H
#define MAIL_FIX_H

#include "mail/post.h"

#define FIX_NOTES 4096

struct fix;

/* An agent; `taken` notes the first byte of each letter's text. */
struct fix_agent {
	struct fix *fix;
	struct mail_ref at;
	enum mail_taken answer;              /* what take() returns */
	void (*inside)(struct fix_agent *a, struct letter *l);   /* called by take() */
	char taken[FIX_NOTES + 1];
	size_t taken_n;
	struct letter *held[FIX_NOTES];
	size_t held_n;
	bool closed;
	uint32_t load;                       /* as it was told last, so many times */
	unsigned loads;
};

struct fix {
	struct post *post;
	msec now;
	uint64_t seed;
	unsigned ready;                      /* calls of each */
	unsigned dead[DEAD_REASONS], expired, delivered, carried;
	char carried_texts[FIX_NOTES + 1];
	struct letter carried_last;          /* a copy that holds its text; good until the next */
	void (*when_dead)(struct fix *f);    /* called by ops.dead */
};

extern const struct mail_kind fix_kind;

void fix_open(struct fix *f);                /* cap 1000, 3 tries, 100 ms .. 1 s */
void fix_close(struct fix *f);               /* checks the books, and that all is given back */
void fix_agent_open(struct fix *f, struct fix_agent *a, uint32_t cap);
/* A letter of one byte, or of several to one agent, one a byte. */
int  fix_send(struct fix *f, struct fix_agent *to, char text, uint8_t priority, msec ttl);
void fix_send_all(struct fix *f, struct fix_agent *to, const char *texts);
void fix_later(struct fix *f, struct mail_ref to, char text, uint8_t priority, msec ttl);
void fix_run(struct fix *f);                 /* until nothing is left to deliver now */
/* Steps from one due moment to the next until `ms` have passed. */
void fix_pass(struct fix *f, msec ms);
struct mail_books fix_books(const struct fix *f);

#endif
