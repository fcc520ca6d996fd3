/*
 * builtin.c - the agent that every server has: a model, and its tools for as
 * long as it calls some.
 *
 * SPDX-License-Identifier: MIT
 */
#include "agent/agent.h"

const char agent_builtin_text[] =
    "id: agent\n"
    "name: agent\n"
    "description: A model with tools, called until it calls no more of them (ReAct).\n"
    "state:\n"
    "  messages: {reducer: messages}\n"
    "nodes:\n"
    "  agent: {llm: {}}\n"
    "  tools: {tools: {}}\n"
    "edges:\n"
    "  - [START, agent]\n"
    "  - from: agent\n"
    "    to: tools\n"
    "    when: len(last(messages).tool_calls ?? []) > 0 ||"
    " len(last(messages).invalid_tool_calls ?? []) > 0\n"
    "  - [tools, agent]\n";
