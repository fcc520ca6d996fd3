/*
 * fields.h - what clients may send or ask for and this server does not do.
 *
 * A field of the contract that is not supported is refused with 422 when it
 * carries anything but its default: silently ignoring it would change what
 * the client asked for.  A few are accepted without effect, because nothing
 * the client can see depends on them.  One table says which, a second one
 * names the endpoints that are not there; the documentation of compatibility
 * is made from both.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_FIELDS_H
#define API_FIELDS_H

#include "net/http.h"
#include "base/json.h"

enum field_where {
	FIELD_RUN = 1,                       /* POST runs, wait, stream */
	FIELD_THREAD = 2,                    /* POST /threads */
	FIELD_HISTORY = 4,                   /* POST history */
	FIELD_ITEM = 8,                      /* PUT /store/items */
	FIELD_SEARCH = 16,                   /* POST /store/items/search */
	FIELD_CANCEL = 32,                   /* query of cancel */
	FIELD_STATE = 64,                    /* query of state */
	FIELD_STREAM = 128,                  /* query of POST runs/stream */
	FIELD_JOIN = 256,                    /* query of GET a run's stream */
	FIELD_THREAD_GET = 512,              /* query of GET a thread */
	FIELD_ITEM_GET = 1024,               /* query of GET /store/items */
	FIELD_HISTORY_GET = 2048,            /* query of GET history */
	FIELD_METRICS = 4096,                /* query of /metrics */
	FIELD_THREAD_SEARCH = 8192,          /* POST /threads/search, count */
	FIELD_THREAD_UPDATE = 16384          /* PATCH a thread */
};

struct field {
	const char *name;
	unsigned where;
	/* What may be sent besides null: one JSON value, "" for none. */
	const char *fallback;
	/* For fields that are supported but for some words: those. NULL: the
	 * whole field is not supported. */
	const char *const *words;
	bool ignored;                        /* accepted without effect */
	/* What its handler accepts, which looks closer than a table can. */
	const char *accepted;
	const char *note;                    /* what to do instead, or why */
};

extern const struct field fields[];
extern const size_t fields_n;

/* Looks at the members of body.  ERR_INVALID names the first refused one. */
int field_check(jnode body, unsigned where, struct err *e);
/* The same for a query. */
int field_check_query(struct http_req *r, unsigned where, struct err *e);
/* One word of a field; OK unless the table refuses it. */
int field_check_word(const char *name, unsigned where, struct str word,
    struct err *e);

/* ---- endpoints (absent.c) ------------------------------------------------ */

struct absent {
	const char *method, *path;
	const char *name;                    /* "NAME is not supported yet" */
};

extern const struct absent absents[];
extern const size_t absents_n;

/* NULL: not one of them. */
const char *absent_name(struct str method, struct str path);
void absent_add_markdown(struct buf *b);

#endif
