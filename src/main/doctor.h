/*
 * doctor.h - what is known to go wrong with a server, looked for one by one.
 *
 * A check adds findings: what is so, why it matters, what to do.  It changes nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_DOCTOR_H
#define MAIN_DOCTOR_H

#include "main/config.h"

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_ERROR };

struct doctor {
	const struct config *config;
	bool offline;                        /* asks nobody */
	struct buf out;                      /* lines, or objects with commas */
	bool json;
	unsigned count[DOCTOR_ERROR + 1];
};

/* why and todo: empty for what is well.  The last words are a format of what is so. */
void doctor_find(struct doctor *d, enum doctor_level level, const char *area, const char *why,
    const char *todo, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* doctor_host.c: the machine and the process. */
void doctor_host(struct doctor *d);
/* doctor_files.c: what settings name. */
void doctor_files(struct doctor *d);
/* doctor_net.c: whom the server asks. */
void doctor_net(struct doctor *d);

#endif
