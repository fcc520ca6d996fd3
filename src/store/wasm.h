/*
 * wasm.h - the store's WebAssembly modules, and what is saved of agents that they are.
 *
 * A *release* is a version of a module of an owner: its policy, and its bytes, which stand
 * once under their SHA-256 and go with the last release that has them.  Of a module's
 * releases one is current.  Numbers of a name count from 1 and are given once as long as it
 * has a release.
 *
 * An *image* is what a durable agent's guest had after a letter (its form is wasm/host's),
 * with the release that can take it up.  It goes with its agent (struct store_mailer).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_WASM_H
#define STORE_WASM_H

#include "store/store.h"

struct store_wasm_release {
	owner_t owner;                       /* out; the command's */
	struct str name;
	int64_t number;
	struct str hash;                     /* of its bytes: STORE_HASH of them */
	struct str policy_json;              /* the room's above */
	int64_t size;                        /* of its bytes */
	msec created;
	bool current;
};

/* ---- point reads ------------------------------------------------------------ */

/* At start: all of all owners, by owner, name, number.  Texts are good for the call. */
int store_wasm_each(struct store_reader *r, void (*each)(void *ctx,
    const struct store_wasm_release *x), void *ctx);
/* ERR_NOTFOUND. */
int store_wasm_bytes(struct store_reader *r, owner_t o, struct str name, int64_t number,
    struct arena *a, struct str *out);

struct store_wasm_image {
	struct str name;                     /* of its release */
	int64_t number;
	struct str body;
	msec updated;
};
/* ERR_NOTFOUND: nothing was saved of this agent. */
int store_wasm_image(struct store_reader *r, owner_t o, const struct uuid *agent,
    struct arena *a, struct store_wasm_image *out);

/* ---- commands --------------------------------------------------------------- */

/* The name's next release, with its bytes.  Of the others those go that are older than the
 * newest LIMIT_WASM_VERSIONS, not current, in no image and not in `used`.  ERR_LIMIT:
 * LIMIT_WASM_MODULES, LIMIT_WASM_OWNER_BYTES. */
struct store_wasm_put {
	struct store_cmd cmd;
	struct store_wasm_release x;         /* number: out */
	struct str bytes;
	const int64_t *used;
	size_t used_n;
	int64_t *kept;                       /* out: numbers that there are now, rising */
	size_t kept_n;
};

/* That one is current, and no other.  ERR_NOTFOUND. */
struct store_wasm_current {
	struct store_cmd cmd;
	struct str name;
	int64_t number;
};

/* One release, or (number 0) all of the name.  ERR_NOTFOUND.  ERR_CONFLICT: an image needs
 * it, or it is the current one of several. */
struct store_wasm_delete {
	struct store_cmd cmd;
	struct str name;
	int64_t number;
};

/* What handling letters has left of a durable agent, in one transaction: its image, the
 * letters that it has taken, the messages that it has sent (as store_changes has them).
 * Nothing was done with ERR_NOTFOUND: there is no such agent (any more); ERR_TOOBIG:
 * LIMIT_WASM_IMAGE_BYTES. */
struct store_wasm_save {
	struct store_cmd cmd;
	struct uuid agent;
	struct str name;                     /* the release that made the image */
	int64_t number;                      /* 0: of the folder, which the store does not keep */
	bool keeps;                          /* the image is as it was: body is not read */
	struct str body;                     /* empty: it goes */
	struct store_mail *mails;
	size_t mails_n;
	const int64_t *taken;                /* numbers of letters */
	size_t taken_n;
	msec now;
};

#endif
