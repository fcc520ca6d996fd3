/*
 * chart_agent.h - the kind "chart", see chart_agent.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIL_HOST_CHART_AGENT_H
#define MAIL_HOST_CHART_AGENT_H

#include "mail/host/office.h"

extern const struct office_kind chart_agent_kind;        /* its ctx is NULL */

#endif
