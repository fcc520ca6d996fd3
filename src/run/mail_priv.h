/*
 * mail_priv.h - messages between agents, in the room of runs.
 *
 *   mail.c       an agent that is a run on a thread: its letters and its life
 *   mail_send.c  what a run sends
 *   hear.c       what comes, for the chart of a run (core_priv.h)
 *
 * An agent that is a run has a *mailer* on the shard where its thread is at home, from
 * the time that the office knows it until it has ended: also while the run is parked, or
 * waits for a person.
 *
 *                          take: a letter
 *   office ---------------------------------------> the run lives: a task or the chart
 *     ^   no run in memory: MAIL_BUSY, and it is         | what that leads to, and that the
 *     |   taken up if it is parked                       | letter was taken, in one commit
 *     '---- office_agent_done ---------------------------'
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_MAIL_PRIV_H
#define RUN_MAIL_PRIV_H

#include "mail/host/compose.h"
#include "mail/host/office.h"
#include "run/changes_priv.h"
#include "run/event.h"

struct runs;
struct run;
struct job;
struct mailer;

/* A message as its JSON form has it: what charts, tasks and clients see. */
struct val mail_value(const struct acl *m);
/* {type: "message", direction, message}: what clients see of one; direction: "sent",
 * "received". */
struct val mail_event(const char *direction, struct val message);

/* ---- a run's life (mail.c) -------------------------------------------------------- */

void mail_open(struct runs *rs);             /* of the shard */
void mail_close(struct runs *rs);
/* May messages come to this run? */
bool mail_is_possible(const struct run *run);
/* It is about to begin, or goes on; its agent receives messages, or it was spawned. */
void mail_begin(struct run *run, const struct agent *a);
void mail_look(struct run *run);             /* letters may wait for it */
void mail_left(struct run *run);             /* it is parked */
/* Its last commit is done.  follows: another run of the thread has begun. */
void mail_ended(struct run *run, int rc, enum run_status status, bool follows,
    struct str error_json);
/* Does it wait for messages, so that it may leave memory without a time? */
bool mail_waits(const struct job *j);
/* What of the changes are messages is committed, or is not. */
void mail_committed(struct run *run, struct changes *c, bool ok);
/* The mailer of a run that has none yet; NULL: e says why. */
struct mailer *mail_attach(struct run *run, struct err *e);
struct office_agent *mailer_agent(const struct mailer *m);
struct mailer *mailer_of(const struct run *run);

/* ---- what it sends (mail_send.c) --------------------------------------------------- */

int  mail_send(struct job *j, const struct run_event *at, const struct task_mail *m,
    size_t *receivers, struct err *e);
/* Tells readers, and the transcript, of a message. */
void mail_tell(struct job *j, const struct run_event *at, const char *direction,
    struct val message, size_t receivers);
/* Of struct task_host, and of struct core_effects. */
int  host_mail_send(void *ctx, const struct task_mail *m, size_t *receivers, struct err *e);
int  job_mail(void *ctx, const struct run_event *at, const struct task_mail *m, struct err *e);

#endif
