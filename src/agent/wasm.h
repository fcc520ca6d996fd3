/*
 * wasm.h - an agent that is a WebAssembly module in a sandbox: what its file says of it.
 *
 *   wasm:
 *     module: counter.wasm                 beside the file, or below; .wat too
 *     allow: [log, reply, send]            host calls; without: log, now_ms, reply
 *     tools: [calculate]                   that tool_call may name
 *     limits: {memory: 16MB, fuel: 50000000, cpu: 5ms, depth: 1000, message: 1MB, rate: 100}
 *
 * The module has the agent's id.  As an assistant it is a graph of one node: the content of the
 * last message is what the module is asked, and its reply is an ai message.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AGENT_WASM_H
#define AGENT_WASM_H

#include "agent/agent.h"
#include "wasm/limits.h"

struct agent_wasm {
	struct str module;                   /* a path from the folder of the file */
	uint32_t allow;                      /* enum wasm_import, a bit each */
	const struct str *tools;
	size_t tools_n;
	struct wasm_limits limits;
	uint32_t rate;
	unsigned line, column;               /* of `module` */
};

#endif
