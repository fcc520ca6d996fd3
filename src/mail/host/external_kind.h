/*
 * external_kind.h - the kind "external" as the office has it; see external.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_EXTERNAL_KIND_H
#define MAIL_HOST_EXTERNAL_KIND_H

#include "mail/host/office.h"

extern const struct office_kind external_kind;
void external_drain(struct office *o);       /* ends the readers of this shard */

#endif
