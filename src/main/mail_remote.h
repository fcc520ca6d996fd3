/*
 * mail_remote.h - what the commands of agents and messages share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_MAIL_REMOTE_H
#define MAIN_MAIL_REMOTE_H

#include "main/pages.h"

/* Reads the line, opens the connection of --url and runs act; its error goes to stderr.
 * Returns the exit code.  ERR_METHOD of act: the line is wrong. */
int  remote_command(const struct flag_command *cmd, int argc, char **argv,
    int (*act)(struct remote *r, const struct flag_line *line, struct err *e));

/* A request whose answer's body says nothing, status 200 or 204. */
int  remote_done(struct remote *r, const char *method, struct str path, struct str body,
    struct err *e);

void print_value(struct val v);              /* a line of JSON */
void print_message(struct val m);            /* a message as a line for people */

#endif
