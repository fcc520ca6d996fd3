/*
 * net_rpc.c - lines over a Unix socket: both ends, one process or two.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

TEST(rpc_nothing) { }
