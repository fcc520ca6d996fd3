/*
 * rpc_priv.h - what both ends of a Unix socket need.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_RPC_PRIV_H
#define NET_RPC_PRIV_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "net/rpc.h"

/* A name for the kernel, whose own are at most 107 bytes: a longer path goes
 * through its folder, which stays open meanwhile. */
struct rpc_name {
	struct sockaddr_un sa;
	socklen_t size;
	int folder;                          /* -1: none */
};

int  rpc_name_make(struct rpc_name *n, const char *path, struct err *e);
void rpc_name_release(struct rpc_name *n);

/* The user at the other end of fd; -1: unknown. */
int64_t rpc_uid(int fd);

static inline void
rpc_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#endif
}

#endif
