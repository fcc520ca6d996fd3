/*
 * task_agent_errors.c - what is refused in a file of an agent, with the place and
 * the words that people see.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "base/limits.h"
#include "task/kinds.h"

#define STATE "state: {messages: {reducer: messages}, n: {}}\n"
#define NODE(work) STATE "nodes:\n  a: " work "\nedges: [[START, a]]\n"
#define EDGES(edges) STATE "nodes: {a: {set: {}}, b: {set: {}}}\nedges: " edges "\n"

#define LIMITS(limits) "nodes:\n  a: {tool: search}\nedges: [[START, a]]\n" \
	"capabilities: " limits "\n"
#define BUDGET(budget) "nodes:\n  a: {emit: 1}\nedges: [[START, a]]\nbudget: " budget "\n"

/* A file's text, and the error behind its name. */
static const struct row { const char *text, *want; } rows[] = {
	{ "a: [1",
	    ":2:1: not YAML: did not find expected ',' or ']', while parsing a flow sequence" },
	{ "a: &x 1\n",
	    ":1:4: anchors are not supported" },
	{ "a: *x\n",
	    ":1:4: aliases are not supported" },
	{ "a: !!str 1\n",
	    ":1:4: tags are not supported" },
	{ "a: !x {}\n",
	    ":1:4: tags are not supported" },
	{ "a: &x {}\n",
	    ":1:4: anchors are not supported" },
	{ "a: &x [1]\n",
	    ":1:4: anchors are not supported" },
	{ "<<: {a: 1}\n",
	    ":1:1: merge keys are not supported" },
	{ "id:\n",
	    ":1:4: a value is missing: expected null, \"\", [] or {}" },
	{ "id: ~\n",
	    ":1:5: '~' is not a string to every reader of YAML: expected null, or quotes "
	        "around it" },
	{ "id: True\n",
	    ":1:5: 'True' is not a string to every reader of YAML: expected true or false, or "
	        "quotes around it" },
	{ "id: NULL\n",
	    ":1:5: 'NULL' is not a string to every reader of YAML: expected null, or quotes "
	        "around it" },
	{ "n: 0x1f\n",
	    ":1:4: '0x1f' is not a string to every reader of YAML: expected a number as in "
	        "JSON, or quotes around it" },
	{ "n: 012\n",
	    ":1:4: '012' is not a string to every reader of YAML: expected a number as in "
	        "JSON, or quotes around it" },
	{ "n: +1\n",
	    ":1:4: '+1' is not a string to every reader of YAML: expected a number as in JSON, "
	        "or quotes around it" },
	{ "n: .5\n",
	    ":1:4: '.5' is not a string to every reader of YAML: expected a number as in JSON, "
	        "or quotes around it" },
	{ "n: .inf\n",
	    ":1:4: '.inf' is not a string to every reader of YAML: expected a number as in "
	        "JSON, or quotes around it" },
	{ "n: 1e999\n",
	    ":1:4: the number 1e999 is out of range" },
	{ "a: 1\na: 2\n",
	    ":2:1: the key 'a' is given twice; first in line 1" },
	{ "a: 1\n---\nb: 2\n",
	    ":2:1: a second document; a file has one" },
	{ "%YAML 1.1\n---\na: 1\n",
	    ":1:1: directives are not supported" },
	{ "[a]: 1\n",
	    ":1:1: a key must be plain text" },
	{ "",
	    ":1:1: expected a map, got nothing" },
	{ "# nothing\n",
	    ":1:1: expected a map, got nothing" },
	{ "a: \"\\0\"\n",
	    ":1:4: a text holds a NUL character" },
	{ "\xff: 1\n",
	    ":1:1: the text is not valid UTF-8" },
	{ "a:\n\t- b\n",
	    ":2:1: not YAML: found character that cannot start any token, while scanning for "
	        "the next token" },
	{ "- a\n",
	    ":1:1: expected an agent, got a list" },
	{ "just text\n",
	    ":1:1: expected an agent, got a string" },
	{ "a: @b\n",
	    ":1:4: not YAML: found character that cannot start any token, while scanning for "
	        "the next token" },
	{ "? \n: 1\n",
	    ":1:2: a key is missing" },
	{ "{id: x}",
	    ":1:2: not JSON: unexpected character, expected a string for object key" },
	{ "{\"id\": }",
	    ":1:8: not JSON: unexpected character, expected a valid JSON value" },
	{ "{\"id\": \"a\",\n \"id\": \"b\"}",
	    ":2:2: the key 'id' is given twice; first in line 1" },
	{ "{\"idd\": \"\xc3\xa9\", \"x\": 1}",
	    ":1:2: unknown key 'idd'; did you mean 'id'?" },
	{ "{\"id\": \"a\"} 1",
	    ":1:13: not JSON: unexpected content after document" },
	{ "{\"a\": \"\\u0000\"}",
	    ":1:7: a text holds a NUL character" },
	{ "{\"nodes\": {},\n  \"edges\": 3}",
	    ":1:11: nodes: expected at least one node" },
	{ "idd: x\n",
	    ":1:1: unknown key 'idd'; did you mean 'id'?" },
	{ "id: a b\nnodes: {}\nedges: []\n",
	    ":1:5: id: 'a b' is not an id: expected letters, digits, '.', '-' and '_'" },
	{ "id: 5\nnodes: {}\nedges: []\n",
	    ":1:5: id: expected a text, got a number" },
	{ "id: a\nedges: []\n",
	    ":1:1: 'nodes' is missing" },
	{ "id: a\nnodes: {a: {set: {}}}\n",
	    ":1:1: 'edges' is missing" },
	{ "context: {}\n",
	    ":1:1: 'context' goes with 'states'" },
	{ BUDGET("{}"),
	    ":4:9: budget: expected at least one of tokens, cost, turns, tool_calls, wall" },
	{ BUDGET("{token: 5}"),
	    ":4:10: budget: unknown key 'token'; did you mean 'tokens'?" },
	{ BUDGET("{tokens: -1}"),
	    ":4:18: budget.tokens: expected a whole number from 0, got -1" },
	{ BUDGET("{cost: much}"),
	    ":4:16: budget.cost: expected an amount in USD, from 0 to 1000000" },
	{ BUDGET("{wall: 20 minutes}"),
	    ":4:16: budget.wall: expected a time, as in 30s, 1.5s, 5m, 24h or 2d, or a "
	    "number of milliseconds, got 20 minutes" },
	{ BUDGET("7"),
	    ":4:9: budget: expected a map, as in {tokens: 100000, cost: 0.50}, got a number" },
	{ "nodes:\n  a: {emit: 1, budget: {wall: 5s}}\nedges: [[START, a]]\n",
	    ":2:25: nodes.a.budget: 'wall' is for an agent or a state; work has "
	    "'timeout'" },
	{ LIMITS("[]"),
	    ":4:15: capabilities: expected a map, as in {tools: [search], hosts: "
	    "[api.example.com]}, got a list" },
	{ LIMITS("{paths: [tmp]}"),
	    ":4:24: capabilities.paths[0]: expected an absolute path, as in /srv/data" },
	{ LIMITS("{tool: [x]}"),
	    ":4:16: capabilities: unknown key 'tool'; did you mean 'tools'?" },
	{ LIMITS("{tools: ['a*b']}"),
	    ":4:24: capabilities.tools[0]: a '*' stands at the end, as in store_*" },
	{ LIMITS("{tools: [x, store_*]}"),
	    ":2:6: nodes.a: the tool 'search' is not among the capabilities of the agent" },
	{ "needs: []\n",
	    ":1:1: 'needs' is not supported yet" },
	{ "nodes: []\nedges: []\n",
	    ":1:8: nodes: expected a map of nodes, got a list" },
	{ "nodes: {}\nedges: []\n",
	    ":1:8: nodes: expected at least one node" },
	{ "nodes: {a: {set: {}}}\nedges: {}\n",
	    ":2:8: edges: expected a list of edges, got a map" },
	{ "name: [x]\nnodes: {a: {set: {}}}\nedges: []\n",
	    ":1:7: name: expected a text, got a list" },
	{ "context_schema: 1\nnodes: {a: {set: {}}}\nedges: []\n",
	    ":1:17: context_schema: expected a JSON Schema, got a number" },
	{ "state: [a]\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:8: state: expected a map of channels, got a list" },
	{ "state: {a: last}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:12: state.a: expected a channel, as {} or {reducer: append}, got a string" },
	{ "state: {a: {reducr: last}}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:13: state.a: unknown key 'reducr'; did you mean 'reducer'?" },
	{ "state: {a: {reducer: appendd}}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:22: state.a.reducer: expected last, messages, append, merge, sum, min or max, "
	        "got 'appendd'; did you mean 'append'?" },
	{ "state: {a: {reducer: 3}}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:22: state.a.reducer: expected last, messages, append, merge, sum, min or max, "
	        "got a number" },
	{ "state: {a: {default: b}}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:22: state.a.default: 'b' is neither a channel nor a name that is known here; a "
	        "text in an expression has quotes: \"'b'\"" },
	{ "state: {a: {default: 1 +}}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:22: state.a.default: column 4: expected a value, got the end" },
	{ "state: {a: {reducer: append, default: {}}}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:39: state.a.default: expected a list, because the reducer is 'append'" },
	{ "state: {a: {reducer: sum, default: []}}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:36: state.a.default: expected a number, because the reducer is 'sum'" },
	{ "state: {a: {reducer: merge, default: 1}}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:38: state.a.default: expected a map, because the reducer is 'merge'" },
	{ "state: {a: {reducer: messages, default: 1}}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:41: state.a.default: expected a list, because the reducer is 'messages'" },
	{ "state: {a: {ephemeral: 1}}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:24: state.a.ephemeral: expected true or false, got a number" },
	{ "state: {a: {schema: 1}}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:21: state.a.schema: expected a JSON Schema, got a number" },
	{ "state: {__start__: {}}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:9: state: '__start__' cannot be a channel: expected a name without ':' that "
	        "does not begin with '__'" },
	{ "state: {a: {default: 1 / 0}}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:22: state.a.default: column 3: division by zero" },
	{ "state: {'branch:to:x': {}}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:9: state: 'branch:to:x' cannot be a channel: expected a name without ':' that "
	        "does not begin with '__'" },
	{ "state: {a: {default: data}}\nnodes: {a: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:22: state.a.default: expected a constant, got an expression with the name "
	        "'data'" },
	{ "state: {a: {}, b: {}}\ninput: a\nnodes: {n: {set: {}}}\nedges: [[START, n]]\n",
	    ":2:8: input: expected a list of channels, got a string" },
	{ "state: {a: {}, b: {}}\ninput: [c]\nnodes: {n: {set: {}}}\nedges: [[START, n]]\n",
	    ":2:9: input[0]: there is no channel 'c'; did you mean 'a'?" },
	{ "state: {a: {}, b: {}}\noutput: [a, a]\nnodes: {n: {set: {}}}\nedges: [[START, n]]\n",
	    ":2:13: output[1]: the channel 'a' is named twice" },
	{ "state: {a: {}, b: {}}\nprivate: [1]\nnodes: {n: {set: {}}}\nedges: [[START, n]]\n",
	    ":2:11: private[0]: expected a channel's name, got a number" },
	{ "state: {a: {}, b: {}}\ninterrupt_before: n\nnodes: {n: {set: {}}}\nedges: [[START, n]]\n",
	    ":2:19: interrupt_before: expected a list of nodes or \"*\", got a string" },
	{ "state: {a: {}, b: {}}\ninterrupt_before: [m]\nnodes: {n: {set: {}}}\nedges: [[START, n]]\n",
	    ":2:20: interrupt_before[0]: there is no node 'm'; did you mean 'n'?" },
	{ "state: {a: {}, b: {}}\ninterrupt_after: [n, n]\nnodes: {n: {set: {}}}\nedges: [[START, n]]\n",
	    ":2:22: interrupt_after[1]: the node 'n' is named twice" },
	{ "state: {a: {}, b: {}}\ninterrupt_after: 1\nnodes: {n: {set: {}}}\nedges: [[START, n]]\n",
	    ":2:18: interrupt_after: expected a list of nodes or \"*\", got a number" },
	{ "state: {a: {}, b: {}}\ntools: []\nnodes: {n: {set: {}}}\nedges: [[START, n]]\n",
	    ":2:8: tools: expected a map of tools, got a list" },
	{ "state: {a: {}, b: {}}\ntools: {t: {}}\nnodes: {n: {set: {}}}\nedges: [[START, n]]\n",
	    ":2:12: tools.t: 'reply', 'agent' or 'worker' is missing" },
	{ "state: {a: {}, b: {}}\ntools: {t: {reply: a, repyl: b}}\nnodes: {n: {set: {}}}\nedges: [[START, n]]\n",
	    ":2:23: tools.t: unknown key 'repyl'; did you mean 'reply'?" },
	{ "state: {a: {}, b: {}}\ntools: {t: {reply: args.x}}\nnodes: {n: {set: {}}}\nedges: [[START, n]]\n",
	    ":2:20: tools.t.reply: 'args' is neither a channel nor a name that is known here; "
	        "did you mean 'params'?" },
	{ "state: {a: {}, b: {}}\ntools: {t: {reply: [1]}}\nnodes: {n: {set: {}}}\nedges: [[START, n]]\n",
	    ":2:20: tools.t.reply: expected an expression, got a list" },
	{ "state: {a: {}, b: {}}\ntools: {t: 1}\nnodes: {n: {set: {}}}\nedges: [[START, n]]\n",
	    ":2:12: tools.t: expected a tool, as {description, schema, reply}, got a number" },
	{ "state: {a: {}, b: {}}\ntools: {t: {reply: input.x, schema: []}}\nnodes: {n: {set: {}}}\nedges: [[START, n]]\n",
	    ":2:37: tools.t.schema: expected a JSON Schema, got a list" },
	{ NODE("1"),
	    ":3:6: nodes.a: expected a node, got a number" },
	{ NODE("{}"),
	    ":3:6: nodes.a: expected a kind of work, as in {llm: {}} or {set: {channel: value}}" },
	{ NODE("{llm: {}, tools: {}}"),
	    ":3:16: nodes.a: one piece of work has one kind, got 'llm' and 'tools'" },
	{ NODE("{lmm: {}}"),
	    ":3:7: nodes.a: unknown key 'lmm'; did you mean 'llm'?" },
	{ NODE("{llm: {}, retry: {maxx: 3}}"),
	    ":3:24: nodes.a.retry: unknown key 'maxx'; did you mean 'max'?" },
	{ NODE("{llm: {}, retry: 0}"),
	    ":3:23: nodes.a.retry: expected how often it is tried again, a whole number from 1 to "
	    "1000" },
	{ NODE("{llm: {}, retry: {on: error.lm}}"),
	    ":3:28: nodes.a.retry.on: there is no error 'error.lm'; did you mean 'llm'?" },
	{ NODE("{llm: {}, retry: {on: [error.llm.rate_limit]}}"),
	    ":3:29: nodes.a.retry.on[0]: there is no error 'error.llm.rate_limit'; did you mean "
	    "'rate_limited'?" },
	{ NODE("{llm: {}, retry: {on: [timeout]}}"),
	    ":3:29: nodes.a.retry.on[0]: expected an error's name, as in error.llm or "
	    "error.tool.*" },
	{ NODE("{llm: {}, retry: {delay: 5s, max_delay: 1s}}"),
	    ":3:46: nodes.a.retry.max_delay: it is shorter than 'delay'" },
	{ NODE("{llm: {}, retry: {factor: 0.5}}"),
	    ":3:32: nodes.a.retry.factor: expected a number from 1 to 100" },
	{ NODE("{llm: {}, timeout: 0}"),
	    ":3:25: nodes.a.timeout: expected at least 1 ms" },
	{ NODE("{llm: {}, timeout: 400d}"),
	    ":3:25: nodes.a.timeout: expected at most 366 days" },
	{ NODE("{llm: {}, timeout: 30 seconds}"),
	    ":3:25: nodes.a.timeout: expected a time, as in 30s, 1.5s, 5m, 24h or 2d, or a number "
	    "of milliseconds, got 30 seconds" },
	{ NODE("{ask: {prompt: p}, timeout: 1h}"),
	    ":3:25: nodes.a: a question may wait for days: use ask.timeout, inside 'ask'" },
	{ NODE("{llm: {}, whenn: 1}"),
	    ":3:16: nodes.a: unknown key 'whenn'" },
	{ NODE("{llm: {}, when: n}"),
	    ":3:16: nodes.a: 'when' is for an item of do, repeat or map" },
	{ NODE("{llm: {}, return: true}"),
	    ":3:16: nodes.a: 'return' is for an item of do, repeat or map" },
	{ NODE("{do: [{llm: {}, defer: true}]}"),
	    ":3:22: nodes.a.do[0]: 'defer' is for a node" },
	{ NODE("{llm: {}, defer: 1}"),
	    ":3:23: nodes.a.defer: expected true or false, got a number" },
	{ NODE("{llm: {}, description: 1}"),
	    ":3:29: nodes.a.description: expected a text, got a number" },
	{ NODE("{wasm: {}}"),
	    ":3:13: nodes.a.wasm: expected a name, got a map" },
	{ NODE("{send: {}}"),
	    ":3:7: nodes.a: unknown key 'send'; did you mean 'set'?" },
	{ NODE("{writes: {n: 1}}"),
	    ":3:6: nodes.a: expected a kind of work, as in {llm: {}} or {set: {channel: value}}" },
	{ NODE("{llm: {modle: x}}"),
	    ":3:13: nodes.a.llm: unknown key 'modle'; did you mean 'model'?" },
	{ NODE("{llm: {model: [a, b]}}"),
	    ":3:20: nodes.a.llm.model: expected one name; those that are asked after it belong into "
	    "'fallbacks'" },
	{ NODE("{llm: {events: {}}}"),
	    ":3:21: nodes.a.llm.events: expected a map of events, as in "
	    "{paid: {schema: {...}}}" },
	{ NODE("{llm: {events: {done: {}}}}"),
	    ":3:21: nodes.a.llm.events: 'done' is the work's own event; expected another "
	    "name" },
	{ NODE("{llm: {events: {a.b: {}}}}"),
	    ":3:21: nodes.a.llm.events: 'a.b' cannot be an event of a model: expected "
	    "letters, digits, '_' and '-', at most 57" },
	{ NODE("{llm: {events: {a: {schema: 1}}}}"),
	    ":3:21: nodes.a.llm.events: a.schema: expected 'schema', a JSON Schema, and "
	    "'description', a text" },
	{ NODE("{llm: {keep: \"a b\"}}"),
	    ":3:19: nodes.a.llm.keep: expected state, session, or a name without blanks" },
	{ NODE("{llm: {truncate: {tokens: 0}}}"),
	    ":3:23: nodes.a.llm.truncate: tokens: expected a whole number from 1" },
	{ NODE("{llm: {truncate: {tokens: 5, keep: -1}}}"),
	    ":3:23: nodes.a.llm.truncate: keep: expected a whole number from 0" },
	{ NODE("{llm: {truncate: {keep: 1}}}"),
	    ":3:23: nodes.a.llm.truncate: expected {tokens: N}" },
	{ NODE("{llm: {events: {a: {schema: {pattern: x}}}}}"),
	    ":3:21: nodes.a.llm.events: a.schema: pattern: a keyword that is "
	    "not checked; leave it out" },
	{ NODE("{llm: {prompt: 1}}"),
	    ":3:21: nodes.a.llm.prompt: expected a text, got a number" },
	{ NODE("{llm: {prompt: '${'}}"),
	    ":3:21: nodes.a.llm.prompt: column 3: expected a value, got the end" },
	{ NODE("{llm: {prompt: '${x}'}}"),
	    ":3:21: nodes.a.llm.prompt: 'x' is neither a channel nor a name that is known "
	        "here; did you mean 'n'?" },
	{ NODE("{llm: {reply: x, replies: [y]}}"),
	    ":3:20: nodes.a.llm.reply: 'x' is neither a channel nor a name that is known here; "
	        "did you mean 'n'?" },
	{ NODE("{llm: {replies: [1]}}"),
	    ":3:23: nodes.a.llm.replies[0]: expected a text, got a number" },
	{ NODE("{llm: {chunk: words}}"),
	    ":3:20: nodes.a.llm.chunk: expected 1 or word, got 'words'; did you mean 'word'?" },
	{ NODE("{llm: {chunk: 2}}"),
	    ":3:20: nodes.a.llm.chunk: expected 1 or word, got a number" },
	{ NODE("{llm: {chunk: []}}"),
	    ":3:20: nodes.a.llm.chunk: expected 1 or word, got a list" },
	{ NODE("{llm: {tools: [a, 1]}}"),
	    ":3:24: nodes.a.llm.tools[1]: expected a name, got a number" },
	{ NODE("{llm: {tools: ['${x}']}}"),
	    ":3:21: nodes.a.llm.tools[0]: a name cannot have ${} in it here" },
	{ NODE("{llm: {stream: yes}}"),
	    ":3:21: nodes.a.llm.stream: expected true or false, got a string" },
	{ NODE("{llm: {max_turns: -1}}"),
	    ":3:24: nodes.a.llm.max_turns: expected a whole number from 0, got -1" },
	{ NODE("{llm: {max_turns: 1.5}}"),
	    ":3:24: nodes.a.llm.max_turns: expected a whole number from 0, got 1.5" },
	{ NODE("{llm: {output: text}}"),
	    ":3:21: nodes.a.llm.output: expected {schema: {type: object, ...}}" },
	{ NODE("{llm: 1}"),
	    ":3:12: nodes.a.llm: expected a map, got a number" },
	{ NODE("{llm: {messages: mesages}}"),
	    ":3:23: nodes.a.llm.messages: 'mesages' is neither a channel nor a name that is "
	        "known here; did you mean 'messages'?" },
	{ NODE("{llm: {temperature: hot}}"),
	    ":3:26: nodes.a.llm.temperature: 'hot' is neither a channel nor a name that is "
	        "known here; a text in an expression has quotes: \"'hot'\"" },
	{ NODE("{llm: {reply: len(}}"),
	    ":3:20: nodes.a.llm.reply: column 5: expected a value, got the end" },
	{ NODE("{llm: {reply: lenn(n)}}"),
	    ":3:20: nodes.a.llm.reply: column 1: no function 'lenn'; did you mean 'len'?" },
	{ NODE("{tools: {only: [x]}}"),
	    ":3:15: nodes.a.tools: unknown key 'only'" },
	{ NODE("{tools: []}"),
	    ":3:14: nodes.a.tools: expected a map, got a list" },
	{ NODE("{tool: {}}"),
	    ":3:13: nodes.a.tool: 'name' is missing" },
	{ NODE("{tool: {nam: x}}"),
	    ":3:14: nodes.a.tool: unknown key 'nam'; did you mean 'name'?" },
	{ NODE("{tool: ''}"),
	    ":3:13: nodes.a.tool: expected a name of 1 to 512 bytes" },
	{ NODE("{tool: {name: x, args: {q: quary}}}"),
	    ":3:33: nodes.a.tool.args.q: 'quary' is neither a channel nor a name that is known "
	        "here; a text in an expression has quotes: \"'quary'\"" },
	{ NODE("{ask: {}}"),
	    ":3:12: nodes.a.ask: expected 'value' or 'prompt'" },
	{ NODE("{ask: {value: 1, prompt: x}}"),
	    ":3:12: nodes.a.ask: either 'value' or 'prompt', not both" },
	{ NODE("{ask: {value: n, options: [a]}}"),
	    ":3:12: nodes.a.ask: 'options' goes with 'prompt'" },
	{ NODE("{ask: {prompt: x, type: select}}"),
	    ":3:12: nodes.a.ask: a selection needs 'options'" },
	{ NODE("{ask: {prompt: x, timeout: soon}}"),
	    ":3:12: nodes.a.ask: 'timeout': expected a time with its unit, as in 30m "
	    "or 24h" },
	{ NODE("{ask: {prompt: x, type: text, min: 1}}"),
	    ":3:12: nodes.a.ask: 'min' and 'max' belong to type: number" },
	{ NODE("{ask: hello}"),
	    ":3:12: nodes.a.ask: expected a map, got a string" },
	{ NODE("{wait: {}}"),
	    ":3:13: nodes.a.wait: expected 'ms' or 'until'" },
	{ NODE("{wait: {ms: 1, until: 2}}"),
	    ":3:13: nodes.a.wait: either 'ms' or 'until', not both" },
	{ NODE("{wait: {ms: [1]}}"),
	    ":3:18: nodes.a.wait.ms: expected an expression, got a list" },
	{ NODE("{wait: {seconds: 1}}"),
	    ":3:14: nodes.a.wait: unknown key 'seconds'" },
	{ NODE("{store: {}}"),
	    ":3:14: nodes.a.store: expected one operation, got 0" },
	{ NODE("{store: {get: {namespace: [a]}}}"),
	    ":3:20: nodes.a.store.get: 'key' is missing" },
	{ NODE("{store: {put: {namespace: [a], key: k}}}"),
	    ":3:20: nodes.a.store.put: 'value' is missing" },
	{ NODE("{store: {gett: {}}}"),
	    ":3:15: nodes.a.store: unknown operation 'gett'; did you mean 'get'?" },
	{ NODE("{store: {get: {namespace: [a], key: k, value: 1}}}"),
	    ":3:45: nodes.a.store.get: unknown key 'value'" },
	{ NODE("{store: {get: {}, put: {}}}"),
	    ":3:14: nodes.a.store: expected one operation, got 2" },
	{ NODE("{store: {search: {namespace: [1]}}}"),
	    ":3:36: nodes.a.store.search.namespace[0]: expected a text, got a number" },
	{ NODE("{store: {get: 1}}"),
	    ":3:20: nodes.a.store.get: expected a map, got a number" },
	{ NODE("{store: get}"),
	    ":3:14: nodes.a.store: expected a map with an operation, got a string" },
	{ NODE("{agent: 1}"),
	    ":3:14: nodes.a.agent: expected an agent's name, or an agent, got a number" },
	{ NODE("{agent: worker, inputt: {}}"),
	    ":3:22: nodes.a: unknown key 'inputt'; did you mean 'input'?" },
	{ NODE("{agent: worker, input: nn}"),
	    ":3:29: nodes.a.input: 'nn' is neither a channel nor a name that is known here; "
	        "did you mean 'n'?" },
	{ NODE("{agent: {nodes: {}, edges: []}}"),
	    ":3:22: nodes.a.agent.nodes: expected at least one node" },
	{ NODE("{agent: {nodes: {b: {llm: {}}}, edges: [[START, b]]}}"),
	    ":3:26: nodes.a.agent.nodes.b: it writes the channel 'messages', which the agent "
	        "does not have: add it to state, or say what is written with `writes`" },
	{ NODE("{agent: w, chart: w}"),
	    ":3:17: nodes.a: one piece of work has one kind, got 'agent' and 'chart'" },
	{ NODE("{llm: {}, input: {}}"),
	    ":3:16: nodes.a: unknown key 'input'" },
	{ NODE("{agent: w, persist: 1}"),
	    ":3:26: nodes.a.persist: expected true or false, got a number" },
	{ NODE("{map: {}}"),
	    ":3:12: nodes.a.map: 'over' is missing" },
	{ NODE("{map: {over: n}}"),
	    ":3:12: nodes.a.map: expected 'agent' or 'do'" },
	{ NODE("{map: {over: n, as: x, do: []}}"),
	    ":3:33: nodes.a.map.do: expected at least one piece of work" },
	{ NODE("{map: {over: n, as: n, agent: w}}"),
	    ":3:26: nodes.a.map.as: 'n' is a channel; expected another name" },
	{ NODE("{map: {over: n, as: data, agent: w}}"),
	    ":3:26: nodes.a.map.as: 'data' is known here already; expected another name" },
	{ NODE("{map: {over: n, as: a b, agent: w}}"),
	    ":3:26: nodes.a.map.as: 'a b' is not a name: expected letters, digits and _" },
	{ NODE("{map: {over: n, agent: w, do: [{llm: {}}]}}"),
	    ":3:12: nodes.a.map: either 'agent' or 'do', not both" },
	{ NODE("{map: {over: n, agent: w, chart: w}}"),
	    ":3:32: nodes.a.map: either 'agent' or 'chart', not both" },
	{ NODE("{map: {over: x, as: x, agent: w}}"),
	    ":3:19: nodes.a.map.over: 'x' is neither a channel nor a name that is known here; "
	        "did you mean 'n'?" },
	{ NODE("{map: {over: n, as: x, agent: w, collect: r}}"),
	    ":3:48: nodes.a.map.collect: there is no channel 'r'; did you mean 'n'?" },
	{ NODE("{map: {over: n, agent: w, on_error: ignore}}"),
	    ":3:42: nodes.a.map.on_error: expected fail or collect, got 'ignore'" },
	{ NODE("{map: {over: n, agent: w, min_ok: 2}}"),
	    ":3:12: nodes.a.map: 'min_ok' goes with 'on_error'" },
	{ NODE("{map: {over: n, do: [{llm: {}}], input: {}}}"),
	    ":3:12: nodes.a.map: 'input' goes with 'agent'" },
	{ NODE("{map: {over: n, as: x, do: [{llm: {}}]}, writes: {n: x}}"),
	    ":3:59: nodes.a.writes.n: 'x' is neither a channel nor a name that is known here; "
	        "did you mean 'n'?" },
	{ NODE("{map: {over: n, agent: w, concurrency: some}}"),
	    ":3:45: nodes.a.map.concurrency: expected a whole number from 0, got a string" },
	{ NODE("{repeat: {do: [{llm: {}}]}}"),
	    ":3:15: nodes.a.repeat: expected 'times' or 'over'" },
	{ NODE("{repeat: {times: 1, over: n, do: [{llm: {}}]}}"),
	    ":3:15: nodes.a.repeat: either 'times' or 'over', not both" },
	{ NODE("{repeat: {times: 1}}"),
	    ":3:15: nodes.a.repeat: 'do' is missing" },
	{ NODE("{repeat: {times: i, as: i, do: [{llm: {}}]}}"),
	    ":3:23: nodes.a.repeat.times: 'i' is neither a channel nor a name that is known "
	        "here; did you mean 'n'?" },
	{ NODE("{do: {}}"),
	    ":3:11: nodes.a.do: expected a list of work, got a map" },
	{ NODE("{do: []}"),
	    ":3:11: nodes.a.do: expected at least one piece of work" },
	{ NODE("{do: [1]}"),
	    ":3:12: nodes.a.do[0]: expected a piece of work, got a number" },
	{ NODE("{do: [{}]}"),
	    ":3:12: nodes.a.do[0]: expected a kind of work, as in {llm: {}} or {set: {channel: "
	        "value}}" },
	{ NODE("{do: [{when: n}]}"),
	    ":3:12: nodes.a.do[0]: expected a kind of work, as in {llm: {}} or {set: {channel: "
	        "value}}" },
	{ NODE("{do: [{llm: {}, as: x}, {llm: {}, as: x}]}"),
	    ":3:44: nodes.a.do[1].as: 'x' is known here already; expected another name" },
	{ NODE("{do: [{set: {n: x}}, {llm: {}, as: x}]}"),
	    ":3:22: nodes.a.do[0].set.n: 'x' is neither a channel nor a name that is known "
	        "here; did you mean 'n'?" },
	{ NODE("{do: [{llm: {}, return: 1}]}"),
	    ":3:30: nodes.a.do[0].return: expected true or false, got a number" },
	{ NODE("{do: [{llm: {}, wen: n}]}"),
	    ":3:22: nodes.a.do[0]: unknown key 'wen'; did you mean 'when'?" },
	{ NODE("{do: [{do: [{llm: {}, when: nn}]}]}"),
	    ":3:34: nodes.a.do[0].do[0].when: 'nn' is neither a channel nor a name that is "
	        "known here; did you mean 'n'?" },
	{ NODE("{set: 1}"),
	    ":3:12: nodes.a.set: expected a map of channels, got a number" },
	{ NODE("{set: {m: 1}}"),
	    ":3:13: nodes.a.set: there is no channel 'm'; did you mean 'n'?" },
	{ NODE("{set: {n: m}}"),
	    ":3:16: nodes.a.set.n: 'm' is neither a channel nor a name that is known here; did "
	        "you mean 'n'?" },
	{ NODE("{set: {n: \"In('s')\"}}"),
	    ":3:16: nodes.a.set.n: In() and visits() are for the guards and actions of a chart" },
	{ NODE("{set: {n: data.m}}"),
	    ":3:16: nodes.a.set.n: there is no channel 'm'; did you mean 'n'?" },
	{ NODE("{set: {n: \"v3 rocks\"}}"),
	    ":3:16: nodes.a.set.n: column 4: expected the end, got 'rocks'" },
	{ NODE("{set: {n: {a: [mesages]}}}"),
	    ":3:21: nodes.a.set.n.a[0]: 'mesages' is neither a channel nor a name that is "
	        "known here; did you mean 'messages'?" },
	{ NODE("{set: {n: 1}, writes: {n: 2}}"),
	    ":3:20: nodes.a: 'set' says itself what is written" },
	{ NODE("{llm: {}, writes: {m: 1}}"),
	    ":3:25: nodes.a.writes: there is no channel 'm'; did you mean 'n'?" },
	{ NODE("{llm: {}, writes: [n]}"),
	    ":3:24: nodes.a.writes: expected a map of channels, got a list" },
	{ NODE("{emit: {data: 1, nam: x}}"),
	    ":3:23: nodes.a.emit: unknown key 'nam'; did you mean 'name'?" },
	{ NODE("{emit: {name: 1, data: 2}}"),
	    ":3:20: nodes.a.emit.name: expected a text, got a number" },
	{ NODE("{emit: {a: bb}}"),
	    ":3:17: nodes.a.emit.a: 'bb' is neither a channel nor a name that is known here; a "
	        "text in an expression has quotes: \"'bb'\"" },
	{ NODE("{fail: {}}"),
	    ":3:13: nodes.a.fail: 'message' is missing" },
	{ NODE("{fail: {mesage: x}}"),
	    ":3:14: nodes.a.fail: unknown key 'mesage'; did you mean 'message'?" },
	{ NODE("{fail: 1}"),
	    ":3:13: nodes.a.fail: expected a text, got a number" },
	{ NODE("{work: {}}"),
	    ":3:13: nodes.a.work: expected one operation, got 0" },
	{ NODE("{work: {creat: {}}}"),
	    ":3:14: nodes.a.work: unknown operation 'creat'; did you mean 'create'?" },
	{ NODE("{work: {create: {reason: x}}}"),
	    ":3:23: nodes.a.work.create: unknown key 'reason'" },
	{ NODE("{work: {comment: {id: x}}}"),
	    ":3:23: nodes.a.work.comment: 'text' is missing" },
	{ "nodes: {a: {llm: {}}}\nedges: [[START, a]]\n",
	    ":1:12: nodes.a: it writes the channel 'messages', which the agent does not have: "
	        "add it to state, or say what is written with `writes`" },
	{ "nodes: {START: {set: {}}}\nedges: [[START, a]]\n",
	    ":1:9: nodes: 'START' is reserved; expected another name" },
	{ "nodes: {'a|b': {set: {}}}\nedges: [[START, 'a|b']]\n",
	    ":1:9: nodes: node 'a|b': a name must not have '|' or ':' in it" },
	{ "nodes: {__x: {set: {}}}\nedges: [[START, __x]]\n",
	    ":1:9: nodes: node '__x': names that begin with '__' are reserved" },
	{ "state: {n: {}}\nnodes: {'${n}': {set: {}}}\nedges: [[START, '${n}']]\n",
	    ":2:9: nodes.${n}: 'n' is not known when a run starts; expected config, context or "
	        "params" },
	{ "nodes: {'${': {set: {}}}\nedges: []\n",
	    ":1:9: nodes.${: column 3: expected a value, got the end" },
	{ EDGES("[]"),
	    ":3:8: edges: no edge leads from START to a node" },
	{ EDGES("[1]"),
	    ":3:9: edges[0]: expected an edge, [from, to] or {from, to, when}, got a number" },
	{ EDGES("[[START]]"),
	    ":3:9: edges[0]: expected an edge, [from, to] or {from, to, when}, got a list of "
	        "another length" },
	{ EDGES("[[START, a, b]]"),
	    ":3:9: edges[0]: expected an edge, [from, to] or {from, to, when}, got a list of "
	        "another length" },
	{ EDGES("[[START, c]]"),
	    ":3:17: edges[0][1]: there is no node 'c'; did you mean 'a'?" },
	{ EDGES("[[STRAT, a]]"),
	    ":3:10: edges[0][0]: there is no node 'STRAT'; did you mean 'START'?" },
	{ EDGES("[[START, a], [a, END]]"),
	    ":2:23: nodes: node 'b': no way leads to it from START" },
	{ EDGES("[[START, a], [a, b], [END, a]]"),
	    ":3:29: edges[2]: no edge can leave END" },
	{ EDGES("[[START, a], [a, START]]"),
	    ":3:21: edges[1]: no edge can lead to START" },
	{ EDGES("[[a, b], [b, a]]"),
	    ":3:8: edges: no edge leads from START to a node" },
	{ EDGES("[[START, a], [a, b], {from: a}]"),
	    ":3:29: edges[2]: 'to' or 'send' is missing" },
	{ EDGES("[[START, a], [a, b], {to: a}]"),
	    ":3:29: edges[2]: 'from' is missing" },
	{ EDGES("[[START, a], [a, b], {from: a, to: b, wen: n}]"),
	    ":3:46: edges[2]: unknown key 'wen'; did you mean 'when'?" },
	{ EDGES("[[START, a], [a, b], {from: a, to: b, when: m}]"),
	    ":3:52: edges[2].when: 'm' is neither a channel nor a name that is known here; did "
	        "you mean 'n'?" },
	{ EDGES("[[START, a], [a, b], {from: a, to: b, when: [n]}]"),
	    ":3:52: edges[2].when: expected an expression, got a list" },
	{ EDGES("[[START, a], [a, b], {from: a, to: b, all: true}]"),
	    ":3:29: edges[2]: edge from 'a' to 'b': `all` needs a `when`" },
	{ EDGES("[[START, a], [a, b], {from: a, to: b, when: n, all: 1}]"),
	    ":3:60: edges[2].all: expected true or false, got a number" },
	{ EDGES("[[START, a], [a, b], {from: a, to: b, send: {over: n, to: b}}]"),
	    ":3:46: edges[2]: either 'to' or 'send', not both" },
	{ EDGES("[[START, a], [a, b], {from: a, send: n}]"),
	    ":3:45: edges[2].send: expected a map of over, as, to and input, got a string" },
	{ EDGES("[[START, a], [a, b], {from: a, send: {to: b}}]"),
	    ":3:45: edges[2].send: 'over' is missing" },
	{ EDGES("[[START, a], [a, b], {from: a, send: {over: n}}]"),
	    ":3:45: edges[2].send: 'to' is missing" },
	{ EDGES("[[START, a], [a, b], {from: a, send: {over: n, to: END}}]"),
	    ":3:29: edges[2]: send from 'a': it needs a node, END is none" },
	{ EDGES("[[START, a], [a, b], {from: a, send: {over: n, as: n, to: b}}]"),
	    ":3:59: edges[2].send.as: 'n' is a channel; expected another name" },
	{ EDGES("[[START, a], [a, b], {from: a, send: {over: n, as: x, to: b, input: {x: y}}}]"),
	    ":3:80: edges[2].send.input.x: 'y' is neither a channel nor a name that is known "
	        "here; did you mean 'n'?" },
	{ EDGES("[[START, a], [a, b], {from: a, send: {over: n, too: b}}]"),
	    ":3:55: edges[2].send: unknown key 'too'; did you mean 'to'?" },
	{ EDGES("[[START, a], [a, b], {from: [a, a], to: b}]"),
	    ":3:29: edges[2]: an edge waits for 'a' twice (to 'b')" },
	{ EDGES("[[START, a], [a, b], {from: [START, a], to: b}]"),
	    ":3:29: edges[2]: an edge cannot wait for START and other nodes (to 'b')" },
	{ EDGES("[[START, a], [a, b], {from: [], to: b}]"),
	    ":3:36: edges[2].from: expected at least one node" },
	{ EDGES("[[START, a], [a, b], {from: [a, b], to: END, when: n}]"),
	    ":3:29: edges[2]: an edge that waits for several nodes cannot have `when` (to "
	        "'END')" },
	{ EDGES("[[START, a], {from: a, to: b, when: n, all: true}, {from: a, to: END, when: n}]"),
	    ":3:59: edges[2]: edges from 'a': `all: true` must be on every edge with `when` or "
	        "on none" },
	{ EDGES("[[START, a], [a, [b]]]"),
	    ":3:25: edges[1][1]: expected a node's name, got a list" },
};

TEST(agent_errors_name_the_place_and_what_would_be_right)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str want = str_of(rows[i].want);
		struct agent *a;
		struct err e = { 0 };
		int rc = agent_load(&a, str_of(rows[i].text), S("a"), &task_kinds, &e);

		if (rc == OK || !str_starts(str_of(e.text), S("a:")) ||
		    !str_eq(str_sub(str_of(e.text), 1, SIZE_MAX), want))
			test_fail(__FILE__, __LINE__, "%s:\n   got \"%s\"\n   not \"a%.*s\"",
			    rows[i].text, rc == OK ? "no error" : e.text, FMT(want));
		CHECK(a == NULL && e.code == rc);
	}
}

/* Goal: what is too large is refused by its size, not by what the process can. */
TEST(agent_limits_are_refused)
{
	struct buf text = BUF(4 * MB);
	struct agent *a;
	struct err e = { 0 };

	buf_lit(&text, "id: a\n# ");
	for (size_t i = 0; i < LIMIT_AGENT_BYTES / 8; i++)
		buf_lit(&text, "........");
	CHECK_RC(agent_load(&a, buf_str(&text), S("a"), &task_kinds, &e), ERR_TOOBIG);
	CHECK_STR(str_of(e.text), "a:1:1: the text has 1048584 bytes; expected at most 1048576");

	buf_clear(&text);
	buf_lit(&text, "id: ");
	for (size_t i = 0; i < LIMIT_AGENT_DEPTH; i++)
		buf_add_char(&text, '[');
	CHECK_RC(agent_load(&a, buf_str(&text), S("a"), &task_kinds, &e), ERR_TOOBIG);
	CHECK_STR(str_of(e.text), "a:1:68: nested deeper than 64 levels");

	buf_clear(&text);
	buf_lit(&text, "id: [");
	for (size_t i = 0; i < LIMIT_AGENT_VALUES; i++)
		buf_lit(&text, "1,");
	CHECK_RC(agent_load(&a, buf_str(&text), S("a"), &task_kinds, &e), ERR_TOOBIG);
	CHECK_STR(str_of(e.text), "a:1:200002: more than 100000 values");

	buf_clear(&text);
	buf_lit(&text, "id: a\ntools:\n");
	for (size_t i = 0; i <= LIMIT_AGENT_TOOLS; i++)
		buf_add_fmt(&text, "  t%zu: {agent: b}\n", i);
	buf_lit(&text, "nodes: {n: {emit: 1}}\nedges: [[START, n], [n, END]]\n");
	CHECK_RC(agent_load(&a, buf_str(&text), S("a"), &task_kinds, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "a:3:3: tools: 1025 of them; expected at most 1024");

	buf_clear(&text);
	buf_lit(&text, "id: a\nstate: {messages: {reducer: messages}}\nnodes: {n: {llm: {tools: [");
	for (size_t i = 0; i <= LIMIT_AGENT_TOOLS; i++)
		buf_add_fmt(&text, "t%zu, ", i);
	buf_lit(&text, "x]}}}\nedges: [[START, n], [n, END]]\n");
	CHECK_RC(agent_load(&a, buf_str(&text), S("a"), &task_kinds, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "a:3:12: nodes.n: 1026 tools; expected at most 1024");
	buf_release(&text);
}

/* Goal: agents in place nest to the limit and not past it. */
TEST(agent_in_agent_has_a_limit)
{
	for (unsigned deep = LIMIT_AGENT_NESTING; deep <= LIMIT_AGENT_NESTING + 1; deep++) {
		struct buf text = BUF(64 * KB);
		struct agent *a;
		struct err e = { 0 };
		int rc;

		for (unsigned i = 0; i < deep; i++)
			buf_lit(&text, "{nodes: {n: {agent: ");
		buf_lit(&text, "{nodes: {n: {set: {}}}, edges: [[START, n]]}");
		for (unsigned i = 0; i < deep; i++)
			buf_lit(&text, "}}, edges: [[START, n]]}");
		rc = agent_load(&a, buf_str(&text), S("a.yaml"), &task_kinds, &e);
		CHECK_RC(rc, deep > LIMIT_AGENT_NESTING ? ERR_INVALID : OK);
		agent_free(a);
		buf_release(&text);
	}
}
