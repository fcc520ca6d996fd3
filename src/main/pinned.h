/*
 * pinned.h - the packages that agents.lock of a folder names, as they were last when their
 * content had the hash that stands there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_PINNED_H
#define MAIN_PINNED_H

#include "main/package.h"

enum pinned_state {
	PINNED_STAYS,                        /* it is as it was, or differs from its pin */
	PINNED_NEW,                          /* `now` has the hash of its pin */
	PINNED_GONE                          /* agents.lock does not name it any more */
};

struct pinned {
	char *name;
	enum pinned_state state;
	bool refused;                        /* an agent of `now` is not taken, so none is */
	struct package good, now;            /* good: without texts */
	char *said;                          /* what was wrong, when it was logged last */
};

struct pinned_list {
	struct pinned **at;
	size_t n, cap;
	char *said;                          /* the same of agents.lock */
	bool quiet;                          /* nothing is logged */
};

/* Reads agents.lock and the packages of the open folder `at`.  What is wrong is logged, once,
 * and stays as it was; *e has the first of it, which is returned. */
int  pinned_read(struct pinned_list *l, int at, const char *folder, struct err *e);
/* `now` becomes `good`, but of those that are refused.  used: is it to be kept, as its agents
 * are still in the set? */
void pinned_keep(struct pinned_list *l, bool (*used)(void *ctx, const struct pinned *p),
    void *ctx);
void pinned_release(struct pinned_list *l);

/* Has the file this content by the pin of its package?  path: relative to the folder.  OK for a
 * file that is in no package; ERR_CONFLICT. */
int  pinned_vouch(const struct pinned_list *l, struct str path, struct str content,
    struct err *e);

/* Logs it unless it was the last thing that was logged; e NULL: all is well.  event NULL: only
 * notes it. */
void say_once(char **said, const char *event, const struct err *e);

#endif
