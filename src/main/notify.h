/*
 * notify.h - tells a service manager the state of the server.
 *
 * The protocol of sd_notify(3): one datagram to the socket that $NOTIFY_SOCKET
 * names, a path or, after '@', a name in the abstract space.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_NOTIFY_H
#define MAIN_NOTIFY_H

/* "READY=1", "STOPPING=1".  Does nothing without $NOTIFY_SOCKET. */
void notify_service(const char *state);

#endif
