// bad-input.mjs [all] - what a client can get wrong, one row each: the status, and
// the words that tell what was wrong, where, and what would be right.  After
// every row the server still answers.
import net from "node:net";
import { call, check, equal, finish, parseEvents, raw, scenario, startMock, startServer, until } from "./lib.mjs";

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const server = await startServer({ mock });
const uuid = "33333333-3333-4333-8333-333333333333";
const thread = (await call(server, "POST", "/threads", {})).json.thread_id;
const hi = { messages: [{ role: "user", content: "hi" }] };
const run = { assistant_id: "agent", input: hi };
const deep = (n) => "[".repeat(n) + "]".repeat(n);

// [method, target, body, status, words...]; a body that is a string is sent as it is
const requests = [
  // malformed JSON, with its position
  ["POST", "/threads", "{", 400, "line 1, column 2"],
  ["POST", "/threads", "{bad", 400, "line 1, column 2"],
  ["POST", "/threads", "{\"a\":}", 400, "line 1, column 6"],
  ["POST", "/threads", "{\n \"a\": 1,\n}", 400, "line 2, column 8"],
  ["POST", "/threads", "{\"a\":1} x", 400, "line 1, column 9"],
  ["POST", "/threads", "[1,]", 400, "line 1"],
  ["POST", "/threads", "nul", 400, "line 1"],
  ["POST", "/threads", "{'a':1}", 400, "line 1, column 2"],
  ["POST", "/threads", "{\"a\":01}", 400, "line 1"],
  ["POST", "/threads", "{\"a\":\"\\x\"}", 400, "line 1"],
  ["POST", "/threads", "{\"a\":\"\u0001\"}", 400, "line 1"],
  ["POST", "/threads", "{\"a\":\"\\ud800\"}", 400, "line 1"],
  ["POST", "/threads", "{\"a\":NaN}", 400, "line 1"],
  ["POST", "/threads", "// comment\n{}", 400, "line 1"],
  ["POST", "/threads", "{\"metadata\":" + deep(200) + "}", 413, "128"],
  ["POST", "/threads", "{\"metadata\":" + deep(100000) + "}", 413, "128"],
  ["POST", "/threads", "[]", 422, "expected an object"],
  ["POST", "/threads", "3", 422, "expected an object"],
  ["POST", "/threads", "\"x\"", 422, "expected an object"],
  ["POST", "/assistants", "", 422, "expected an object"],
  // assistants
  ["POST", "/assistants", {}, 422, "graph_id"],
  ["POST", "/assistants", { graph_id: 3 }, 422, "graph_id: expected a string"],
  ["POST", "/assistants", { graph_id: "nope" }, 404, "nope"],
  ["POST", "/assistants", { graph_id: "agent", assistant_id: "abc" }, 422, "assistant_id"],
  ["POST", "/assistants", { graph_id: "agent", name: 5 }, 422, "name: expected a string"],
  ["POST", "/assistants", { graph_id: "agent", name: "x".repeat(600) }, 422, "name"],
  ["POST", "/assistants", { graph_id: "agent", description: [] }, 422, "description: expected a string"],
  ["POST", "/assistants", { graph_id: "agent", config: [] }, 422, "config: expected an object"],
  ["POST", "/assistants", { graph_id: "agent", config: { configurable: 1 } }, 422, "config.configurable: expected an object"],
  ["POST", "/assistants", { graph_id: "agent", context: "x" }, 422, "context: expected an object"],
  ["POST", "/assistants", { graph_id: "agent", metadata: 1 }, 422, "metadata: expected an object"],
  ["POST", "/assistants", { graph_id: "agent", metadata: { a: "x".repeat(70000) } }, 422, "metadata"],
  ["POST", "/assistants", { graph_id: "agent", if_exists: "maybe" }, 422, "if_exists", "do_nothing"],
  ["GET", "/assistants/notagraph", undefined, 404, "Assistant not found"],
  ["GET", `/assistants/${uuid}`, undefined, 404, "Assistant not found"],
  ["PATCH", `/assistants/${uuid}`, {}, 404, "Assistant not found"],
  ["PATCH", "/assistants/agent", { config: 1 }, 422, "config: expected an object"],
  ["PATCH", "/assistants/agent", { graph_id: "nope" }, 404, "nope"],
  ["DELETE", `/assistants/${uuid}`, undefined, 404, "Assistant not found"],
  ["DELETE", "/assistants/agent", undefined, 403, "the system's"],
  ["DELETE", "/assistants/fe096781-5601-53d2-b2f6-0d3403f7e9ca?delete_threads=true", undefined, 403, "the system's"],
  ["DELETE", `/assistants/${uuid}?delete_threads=perhaps`, undefined, 422, "delete_threads"],
  // threads
  ["POST", "/threads", { thread_id: "abc" }, 422, "thread_id"],
  ["POST", "/threads", { thread_id: 1 }, 422, "thread_id: expected a string"],
  ["POST", "/threads", { metadata: [] }, 422, "metadata: expected an object"],
  ["POST", "/threads", { if_exists: 7 }, 422, "if_exists"],
  ["POST", "/threads", { thread_id: thread }, 409, "Thread already exists"],
  ["POST", "/threads", { supersteps: [{ updates: [] }] }, 422, "supersteps"],
  ["GET", "/threads/abc", undefined, 422, "thread_id", "UUID"],
  ["GET", `/threads/${uuid}`, undefined, 404, `Thread with ID ${uuid} not found`],
  ["GET", `/threads/${uuid}x`, undefined, 422, "thread_id"],
  ["GET", `/threads/${"a".repeat(63)}\u00e9`, undefined, 422, "thread_id"],
  ["DELETE", "/threads/abc", undefined, 422, "thread_id"],
  ["PUT", "/threads", {}, 405, "method PUT is not allowed here; allow: POST, OPTIONS"],
  ["DELETE", `/threads/${uuid}`, undefined, 404, "not found"],
  ["GET", `/threads/${uuid}/state`, undefined, 404, "not found"],
  ["GET", "/threads/%00/state", undefined, 400],
  ["GET", "/threads/%zz/state", undefined, 400],
  ["POST", `/threads/${uuid}/history`, {}, 404, "not found"],
  ["POST", `/threads/${thread}/history`, { limit: 0 }, 422, "limit"],
  ["POST", `/threads/${thread}/history`, { limit: 1001 }, 422, "limit"],
  ["POST", `/threads/${thread}/history`, { limit: "x" }, 422, "limit: expected an integer"],
  ["POST", `/threads/${thread}/history`, { limit: 1.5 }, 422, "limit: expected an integer"],
  ["POST", `/threads/${thread}/history`, { before: "abc" }, 422, "before"],
  ["POST", `/threads/${thread}/history`, { before: 3 }, 422, "before"],
  ["POST", `/threads/${thread}/history`, { metadata: 3 }, 422, "metadata: expected an object"],
  ["POST", `/threads/${thread}/history`, { checkpoint: { checkpoint_ns: 5 } }, 422, "checkpoint.checkpoint_ns"],
  ["POST", `/threads/${thread}/history`, { checkpoint: { checkpoint_id: "x" } }, 422, "checkpoint.checkpoint_id", "UUID"],
  ["POST", `/threads/${thread}/history`, { checkpoint: { thread_id: uuid } }, 422, "checkpoint.thread_id", uuid],
  ["POST", `/threads/${thread}/history`, { checkpoint: "x" }, 422, "checkpoint: expected an object"],
  ["POST", `/threads/${thread}/history`, { select: ["value"] }, 422, "select", "values", "next"],
  ["GET", `/threads/${thread}/history?select=value`, undefined, 422, "select", "values", "next"],
  ["GET", `/threads/${thread}/state?select=values&select=nexts`, undefined, 422, "select", "nexts"],
  ["GET", `/threads/${thread}/history?limit=x`, undefined, 422, "limit"],
  ["GET", `/threads/${thread}/history?limit=-1`, undefined, 422, "limit"],
  // runs
  ["POST", `/threads/${thread}/runs`, {}, 422, "assistant_id"],
  ["POST", `/threads/${thread}/runs`, { assistant_id: 1 }, 422, "assistant_id: expected a string"],
  ["POST", `/threads/${thread}/runs`, { assistant_id: "nope" }, 404, "No assistant found for \\\"nope\\\""],
  ["POST", `/threads/${thread}/runs/wait`, { assistant_id: uuid }, 404, "No assistant found"],
  ["POST", `/threads/abc/runs`, run, 422, "thread_id"],
  ["POST", `/threads/${uuid}/runs`, run, 404, "not found"],
  ["POST", `/threads/${uuid}/runs/wait`, run, 404, "not found"],
  ["POST", `/threads/${uuid}/runs/stream`, run, 404, "not found"],
  ["POST", `/threads/${thread}/runs`, { assistant_id: "agent" }, 422, "input: expected an object, got nothing", "messages"],
  ["POST", `/threads/${thread}/runs/wait`, { assistant_id: "agent", command: null }, 422, "input: expected an object, got nothing"],
  ["POST", `/threads/${thread}/runs/stream`, { assistant_id: "agent", inputs: hi }, 422, "inputs", "did you mean \\\"input\\\""],
  ["POST", `/threads/${thread}/runs`, { ...run, inputs: hi }, 422, "inputs", "did you mean \\\"input\\\""],
  ["POST", `/threads/${uuid}/runs`, { assistant_id: "agent", if_not_exists: "create" }, 422, "input: expected an object"],
  ["POST", `/threads/${uuid}/runs`, { assistant_id: "agent" }, 404, "not found"],
  ["POST", "/runs/wait", { assistant_id: "agent" }, 422, "input: expected an object"],
  ["POST", "/runs/stream", { assistant_id: "agent", inputs: hi }, 422, "did you mean \\\"input\\\""],
  ["POST", "/runs/wait", { ...run, input: { messages: Array(10001).fill({ role: "user", content: "x" }) } }, 422, "input.messages: more than 10000 messages"],
  ["POST", "/runs/wait", { ...run, input: { messages: "x".repeat(8 * 1024 * 1024 + 1) } }, 413, "line 1, column", "8388609 bytes"],
  ["POST", `/threads/${thread}/runs`, { ...run, strict_resume: "yes" }, 422, "strict_resume: expected true or false"],
  ["POST", `/threads/${thread}/runs`, { ...run, stream_mode: ["lifecycles"] }, 422, "stream_mode[0]", "lifecycle"],
  ["POST", `/threads/${thread}/runs`, { ...run, input: [] }, 422, "input: expected an object"],
  ["POST", `/threads/${thread}/runs`, { ...run, input: "hi" }, 422, "input: expected an object"],
  ["POST", `/threads/${thread}/runs`, { ...run, input: { messages: 5 } }, 422, "input.messages"],
  ["POST", `/threads/${thread}/runs`, { ...run, input: { messages: [5] } }, 422, "input.messages[0]"],
  ["POST", `/threads/${thread}/runs`, { ...run, input: { messages: [{ role: "weird", content: "x" }] } }, 422, "input.messages[0]", "MESSAGE_COERCION_FAILURE"],
  ["POST", `/threads/${thread}/runs`, { ...run, input: { messages: [{ content: "x" }] } }, 422, "input.messages[0]", "MESSAGE_COERCION_FAILURE"],
  ["POST", `/threads/${thread}/runs`, { ...run, input: { messages: [{ role: "user", content: 5 }] } }, 422, "input.messages[0].content"],
  ["POST", `/threads/${thread}/runs`, { ...run, input: { messages: [{ role: "user", content: "x", id: 5 }] } }, 422, "input.messages[0].id"],
  ["POST", `/threads/${thread}/runs`, { ...run, input: { messages: [{ role: "tool", content: "x" }] } }, 422, "tool_call_id"],
  ["POST", `/threads/${thread}/runs`, { ...run, input: { messages: [{ type: "remove" }] } }, 422, "input.messages[0]"],
  ["POST", `/threads/${thread}/runs`, { ...run, input: { messages: [["user"]] } }, 422, "input.messages[0]"],
  ["POST", `/threads/${thread}/runs`, { ...run, stream_mode: "bogus" }, 422, "stream_mode", "values", "messages-tuple"],
  ["POST", `/threads/${thread}/runs`, { ...run, stream_mode: ["values", "bogus"] }, 422, "stream_mode[1]"],
  ["POST", `/threads/${thread}/runs`, { ...run, stream_mode: 5 }, 422, "stream_mode"],
  ["POST", `/threads/${thread}/runs`, { ...run, stream_mode: ["debugs"] }, 422, "stream_mode", "debug"],
  ["POST", `/threads/${thread}/runs`, { ...run, multitask_strategy: "maybe" }, 422, "multitask_strategy", "enqueue", "rollback"],
  ["POST", `/threads/${thread}/runs`, { ...run, on_disconnect: "x" }, 422, "on_disconnect", "cancel"],
  ["POST", `/threads/${thread}/runs`, { ...run, if_not_exists: "x" }, 422, "if_not_exists", "create"],
  ["POST", `/threads/${thread}/runs`, { ...run, durability: "x" }, 422, "durability", "async"],
  ["POST", `/threads/${thread}/runs`, { ...run, stream_resumable: "x" }, 422, "stream_resumable"],
  ["POST", `/threads/${thread}/runs`, { ...run, metadata: "x" }, 422, "metadata: expected an object"],
  ["POST", `/threads/${thread}/runs`, { ...run, context: 1 }, 422, "context: expected an object"],
  ["POST", `/threads/${thread}/runs`, { ...run, config: 1 }, 422, "config: expected an object"],
  ["POST", `/threads/${thread}/runs`, { ...run, config: { recursion_limit: 0 } }, 422, "config.recursion_limit"],
  ["POST", `/threads/${thread}/runs`, { ...run, config: { recursion_limit: "x" } }, 422, "config.recursion_limit: expected an integer"],
  ["POST", `/threads/${thread}/runs`, { ...run, config: { recursion_limit: 1e9 } }, 422, "config.recursion_limit"],
  ["POST", `/threads/${thread}/runs`, { ...run, config: { configurable: { temperature: "hot" } } }, 422, "config.configurable.temperature: expected a number"],
  ["POST", `/threads/${thread}/runs`, { ...run, config: { configurable: { max_tokens: -1 } } }, 422, "config.configurable.max_tokens"],
  ["POST", `/threads/${thread}/runs`, { ...run, config: { configurable: { model_name: 5 } } }, 422, "config.configurable.model_name: expected a string"],
  ["POST", `/threads/${thread}/runs`, { ...run, config: { configurable: { model_name: "bedrock:x" } } }, 422, "bedrock"],
  ["POST", `/threads/${thread}/runs`, { ...run, config: { configurable: { system_prompt: [] } } }, 422, "config.configurable.system_prompt: expected a string"],
  ["POST", `/threads/${thread}/runs`, { ...run, config: { configurable: { tools: "x" } } }, 422, "config.configurable.tools: expected an array"],
  ["POST", `/threads/${thread}/runs`, { ...run, config: { configurable: { tools: ["no_such_tool"] } } }, 422, "no_such_tool"],
  ["POST", `/threads/${thread}/runs`, { ...run, config: { configurable: { base_url: "file:///etc/passwd" } } }, 422, "base_url"],
  ["POST", `/threads/${thread}/runs`, { ...run, command: { resume: 1 } }, 422, "command: not together with input"],
  ["POST", `/threads/${thread}/runs`, { ...run, checkpoint_id: uuid }, 404, "checkpoint_id", uuid],
  ["POST", `/threads/${thread}/runs`, { ...run, checkpoint: { checkpoint_id: uuid } }, 404, "checkpoint_id", uuid],
  ["POST", `/threads/${thread}/runs`, { ...run, checkpoint: { checkpoint_id: 5 } }, 422, "checkpoint.checkpoint_id: expected"],
  ["POST", `/threads/${thread}/runs`, { ...run, checkpoint: { checkpoint_ns: "a:b" } }, 404, "checkpoint", "a:b"],
  ["POST", `/threads/${thread}/runs`, { ...run, config: { configurable: { checkpoint_id: uuid } } }, 404, "checkpoint_id", uuid],
  ["POST", "/runs/wait", { ...run, checkpoint_id: uuid }, 422, "checkpoint_id"],
  ["POST", `/threads/${thread}/runs`, { ...run, interrupt_before: "agent" }, 422, "interrupt_before"],
  ["POST", `/threads/${thread}/runs`, { ...run, interrupt_after: [1] }, 422, "interrupt_after[0]"],
  ["POST", `/threads/${thread}/runs`, { ...run, webhook: "http://127.0.0.1/" }, 422, "webhook"],
  ["POST", `/threads/${thread}/runs`, { ...run, after_seconds: -1 }, 422, "after_seconds: expected a number from 0 to"],
  ["POST", `/threads/${thread}/runs`, { ...run, after_seconds: 1e9 }, 422, "after_seconds: expected a number from 0 to"],
  ["POST", `/threads/${thread}/runs`, { ...run, after_seconds: "5" }, 422, "after_seconds: expected a number, got a string"],
  ["POST", `/threads/${thread}/runs`, { ...run, stream_subgraphs: "all" }, 422, "stream_subgraphs"],
  ["GET", `/threads/${thread}/runs?limit=x`, undefined, 422, "limit"],
  ["GET", `/threads/${thread}/runs?limit=5000`, undefined, 422, "limit"],
  ["GET", `/threads/${thread}/runs?offset=-1`, undefined, 422, "offset"],
  ["GET", `/threads/${thread}/runs?status=bogus`, undefined, 422, "status", "success"],
  ["GET", `/threads/${uuid}/runs`, undefined, 404, "not found"],
  ["GET", `/threads/${thread}/runs/abc`, undefined, 422, "run_id"],
  ["GET", `/threads/${thread}/runs/${uuid}`, undefined, 404, "Run not found"],
  ["GET", `/threads/${uuid}/runs/${uuid}`, undefined, 404],
  ["GET", `/threads/${thread}/runs/${uuid}/join`, undefined, 404, "not found"],
  ["GET", `/threads/${thread}/runs/${uuid}/stream?stream_mode=bogus`, undefined, 422, "stream_mode"],
  ["GET", `/threads/${thread}/runs/${uuid}/stream?namespace=${"a".repeat(5000)}`, undefined, 422, "namespace[0]: longer than"],
  ["GET", `/runs/${uuid}/stream?checkpoint_id=x`, undefined, 422, "checkpoint_id", "UUID"],
  ["POST", "/runs/stream?namespace=[5]", run, 422, "namespace[0]: expected a string"],
  ["POST", "/runs/stream?namespace=a", "{", 400, "line 1, column 2"],
  ["POST", `/threads/${thread}/runs/${uuid}/cancel`, undefined, 404, "Run not found"],
  ["POST", `/threads/${thread}/runs/${uuid}/cancel?action=explode`, undefined, 422, "action", "interrupt", "rollback"],
  ["POST", `/threads/${thread}/runs/${uuid}/cancel?action=rollback`, undefined, 404, "Run not found"],
  ["POST", `/threads/${thread}/runs/${uuid}/cancel?wait=perhaps`, undefined, 422, "wait"],
  ["POST", "/runs/wait", {}, 422, "assistant_id"],
  ["POST", "/runs/wait", { assistant_id: "nope" }, 404, "No assistant found"],
  ["POST", "/runs/stream", { ...run, stream_mode: {} }, 422, "stream_mode"],
  ["POST", "/runs/stream", { ...run, input: { messages: {} } }, 422, "input.messages"],
  // store
  ["PUT", "/store/items", {}, 422, "namespace"],
  ["PUT", "/store/items", { namespace: [], key: "k", value: {} }, 400, "Namespace is required"],
  ["PUT", "/store/items", { namespace: "a", key: "k", value: {} }, 422, "namespace: expected an array"],
  ["PUT", "/store/items", { namespace: ["a.b"], key: "k", value: {} }, 422, "cannot be empty or contain periods", "a.b"],
  ["PUT", "/store/items", { namespace: [""], key: "k", value: {} }, 422, "cannot be empty or contain periods"],
  ["PUT", "/store/items", { namespace: [1], key: "k", value: {} }, 422, "namespace[0]: expected a string"],
  ["PUT", "/store/items", { namespace: Array(40).fill("a"), key: "k", value: {} }, 422, "namespace"],
  ["PUT", "/store/items", { namespace: ["a"], value: {} }, 422, "key"],
  ["PUT", "/store/items", { namespace: ["a"], key: 5, value: {} }, 422, "key: expected a string"],
  ["PUT", "/store/items", { namespace: ["a"], key: "k" }, 422, "value"],
  ["PUT", "/store/items", { namespace: ["a"], key: "k", value: "s" }, 422, "value: expected an object"],
  ...[0, -1, 1e30, "5", true, {}].map((ttl) => ["PUT", "/store/items", { namespace: ["a"], key: "k", value: {}, ttl }, 422, "ttl: expected"]),
  ...[true, "x", 5, {}].map((index) => ["PUT", "/store/items", { namespace: ["a"], key: "k", value: {}, index }, 422, "index: expected false or an array of paths"]),
  ...["", ".a", "a.", "a..b", "a[", "a[]", "a[x]", "a]", "{a,b}", "a[0]b", "x".repeat(600)].map((path) => ["PUT", "/store/items", { namespace: ["a"], key: "k", value: {}, index: ["ok", path] }, 422, "index[1]"]),
  ["PUT", "/store/items", { namespace: ["a"], key: "k", value: {}, index: Array(40).fill("a") }, 422, "index"],
  ["PUT", "/store/items", { namespace: ["a"], key: "k", value: {}, index: [5] }, 422, "index[0]: expected a string"],
  ["GET", "/store/items?namespace=a&key=k&refresh_ttl=perhaps", undefined, 422, "refresh_ttl: expected true or false"],
  ["POST", "/store/items/search", { namespace_prefix: ["a"], refresh_ttl: "yes" }, 422, "refresh_ttl"],
  ["POST", "/store/items/search", { namespace_prefix: ["a"], filter: { $eq: 1 } }, 422, "filter: expected names of fields"],
  ["POST", "/store/items/search", { namespace_prefix: ["a"], filter: { n: { $gt: 1, m: 2 } } }, 422, "filter.n: expected $eq", "'m'"],
  ["POST", "/store/items/search", { namespace_prefix: ["a"], filter: { a: { b: [{ $in: [1] }] } } }, 422, "filter.a.b.[]", "$in"],
  ...[["prefix", "a"], ["prefix", [5]], ["prefix", [""]], ["prefix", ["a.b"]], ["suffix", {}], ["suffix", Array(40).fill("a")], ["max_depth", 0], ["max_depth", 33], ["max_depth", "1"],
    ["limit", 0], ["limit", 1001], ["offset", -1], ["offset", 1.5]].map(([k, v]) => ["POST", "/store/namespaces", { [k]: v }, 422, k === "prefix" && v[0] !== 5 && v !== "a" ? "cannot be empty or contain periods" : k]),
  ["GET", "/store/items", undefined, 422, "key"],
  ["GET", "/store/items?key=k", undefined, 400, "Namespace is required"],
  ["GET", "/store/items?namespace=a", undefined, 422, "key"],
  ["DELETE", "/store/items", {}, 422, "namespace"],
  ["DELETE", "/store/items", { namespace: ["a"] }, 422, "key"],
  ["POST", "/store/items/search", {}, 422, "namespace_prefix"],
  ["POST", "/store/items/search", { namespace_prefix: "a" }, 422, "namespace_prefix: expected an array"],
  ["POST", "/store/items/search", { namespace_prefix: ["a"], limit: 0 }, 422, "limit"],
  ["POST", "/store/items/search", { namespace_prefix: ["a"], limit: 1001 }, 422, "limit"],
  ["POST", "/store/items/search", { namespace_prefix: ["a"], offset: -1 }, 422, "offset"],
  ["POST", "/store/items/search", { namespace_prefix: ["a"], filter: [] }, 422, "filter: expected an object"],
  ["POST", "/store/items/search", { namespace_prefix: ["a"], filter: { n: { $near: 1 } } }, 422, "$near"],
  ["POST", "/store/items/search", { namespace_prefix: ["a"], filter: { a: "x".repeat(9000) } }, 422, "filter", "8192"],
  ["POST", `/threads/${thread}/history`, { metadata: { a: "x".repeat(9000) } }, 422, "metadata", "8192"],
  ["POST", "/store/items/search", { namespace_prefix: ["a"], query: "w ".repeat(2000) }, 422, "query: over"],
  ["POST", "/store/items/search", { namespace_prefix: ["a"], query: "w".repeat(9000) }, 422, "query", "8192"],
  ["POST", "/store/items/search", { namespace_prefix: ["a"], query: 5 }, 422, "query: expected a string"],
  ["GET", "/metrics?format=json", undefined, 422, "format", "Prometheus"],
  // routes and methods
  ["GET", "/nope", undefined, 404, "Not Found"],
  ["GET", "/threads/", undefined, 404],
  ["PUT", "/threads", {}, 405, "method"],
  ["DELETE", "/threads", undefined, 405],
  ["PATCH", "/runs/wait", {}, 405],
  ["GET", "/runs/wait", undefined, 405],
];

// [name, bytes, expected status, words]; sent to a socket as they are
const get = (extra, line = "GET /ok HTTP/1.1") => `${line}\r\nHost: localhost\r\n${extra}\r\n`;
const post = (extra, body) => `POST /threads HTTP/1.1\r\nHost: localhost\r\n${extra}\r\n${body}`;
const wire = [
  ["no version", "GET /ok\r\n\r\n", 400, 505],
  ["a bad version", "GET /ok HTTP/9.9\r\nHost: localhost\r\n\r\n", 400, 505],
  ["no host", "GET /ok HTTP/1.1\r\n\r\n", 400],
  ["two hosts", get("Host: y\r\n"), 400],
  ["two Authorization headers", get("Authorization: Bearer a\r\nauthorization: Bearer b\r\n"), 400],
  ["two API keys", get("X-Api-Key: a\r\nX-Api-Key: b\r\n"), 400],
  ["%2F in the path", get("", "GET /threads/a%2Fstate HTTP/1.1"), 400],
  ["%2f in the path", get("", "GET /%2fok HTTP/1.1"), 400],
  ["a compressed body", post("Content-Encoding: gzip\r\nContent-Length: 2\r\n", "{}"), 415],
  ["garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400],
  ["an unknown method", "FROB /ok HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, 405, 501],
  ["a blank before the colon", get("A : b\r\n"), 400],
  ["a folded header", get("A: b\r\n c\r\n"), 400],
  ["a bare CR in a header", get("A: b\rc\r\n"), 400],
  ["NUL in a header", get("A: b\0c\r\n"), 400],
  ["a control byte in the target", "GET /o\x01k HTTP/1.1\r\nHost: localhost\r\n\r\n", 400],
  ["an absolute target of another scheme", "GET ftp://x/ok HTTP/1.1\r\nHost: localhost\r\n\r\n", 400],
  ["Transfer-Encoding with Content-Length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400],
  ["Content-Length with Transfer-Encoding", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400],
  ["two Content-Lengths", post("Content-Length: 2\r\nContent-Length: 3\r\n", "{}"), 400],
  ["a list of Content-Lengths", post("Content-Length: 2, 2\r\n", "{}"), 400],
  ["a signed Content-Length", post("Content-Length: +2\r\n", "{}"), 400],
  ["a negative Content-Length", post("Content-Length: -2\r\n", "{}"), 400],
  ["a hexadecimal Content-Length", post("Content-Length: 0x2\r\n", "{}"), 400],
  ["a huge Content-Length", post("Content-Length: 99999999999999999999\r\n", ""), 400, 413],
  ["a Content-Length over the limit", post("Content-Length: 999999999\r\n", ""), 413],
  ["an unknown Transfer-Encoding", post("Transfer-Encoding: gzip\r\n", ""), 400, 501],
  ["chunked not last", post("Transfer-Encoding: chunked, gzip\r\n", ""), 400, 501],
  ["chunked twice", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400, 501],
  ["an obfuscated Transfer-Encoding", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 400, 501],
  ["a Transfer-Encoding with a tab name", post("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n"), 400],
  ["Transfer-Encoding in HTTP/1.0", "POST /threads HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 501],
  ["a bad chunk size", post("Transfer-Encoding: chunked\r\n", "zz\r\n"), 400],
  ["a chunk size with a sign", post("Transfer-Encoding: chunked\r\n", "+2\r\n{}\r\n0\r\n\r\n"), 400],
  ["a huge chunk", post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"), 400, 413],
  ["a chunk that is longer than said", post("Transfer-Encoding: chunked\r\n", "1\r\n{}\r\n0\r\n\r\n"), 400],
  ["a chunked body over the limit", post("Transfer-Encoding: chunked\r\n", "1000000\r\n" + "x".repeat(0x1000000) + "\r\n0\r\n\r\n"), 413],
  ["a header over the limit", get(`A: ${"x".repeat(40000)}\r\n`), 431],
  ["too many headers", get(Array.from({ length: 150 }, (_, i) => `A${i}: b\r\n`).join("")), 431],
  ["a long target", get("", `GET /${"x".repeat(9000)} HTTP/1.1`), 414],
  ["an unknown expectation", post("Expect: 200-maybe\r\nContent-Length: 2\r\n", "{}"), 417],
  ["invalid UTF-8 in JSON", post("Connection: close\r\nContent-Length: 12\r\n", "{\"a\":\"\xff\xfe\xfd\"}\n"), 400],
  ["an overlong sequence", post("Connection: close\r\nContent-Length: 10\r\n", "{\"a\":\"\xc0\xaf\"}"), 400],
  ["NUL after JSON", post("Connection: close\r\nContent-Length: 3\r\n", "{}\0"), 400],
];

// How the model can fail: the last user message tells the mock.
const models = [
  ["mock:400", "error", "BadRequestError"],
  ["mock:401", "error", "AuthenticationError"],
  ["mock:500", "error", "InternalServerError"],
  ["mock:429", "error", "RateLimitError"],
  ["mock:529", "error"],
  ["mock:reset", "error", "APIConnectionError"],
  ["mock:malformed", "error"],
  ["mock:error-in-stream", "error"],
  ["mock:no-done", "values"],
];

async function alive(what) {
  const r = await call(server, "GET", "/ok");
  check(r.status === 200 && r.json?.ok === true && server.exit === null, `${what}: the server still answers`, server.log.slice(-2000));
}

for (const [method, target, body, status, ...words] of requests) {
  const what = `${method} ${target.slice(0, 60)} ${(typeof body === "string" ? body : JSON.stringify(body) ?? "").slice(0, 90)}`;
  await scenario(what, async () => {
    const r = await call(server, method, target, body);
    check(r.status === status, what, `got ${r.status} ${r.text}\n     not ${status}`);
    check(!r.text.includes("\ufffd"), `${what}: no character is cut`, r.text);
    check(typeof r.json?.detail === "string", `${what}: a JSON detail`, r.text);
    for (const w of words) check(r.text.includes(w), `${what}: says ${w}`, r.text);
    await alive(what);
  });
}

for (const [name, bytes, ...statuses] of wire) {
  await scenario(name, async () => {
    const got = await raw(server, bytes);
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(got)?.[1]);
    check(statuses.includes(status), name, `got ${got.slice(0, 200)}\n     not ${statuses}`);
    check(got.includes("\r\naccess-control-allow-origin: *\r\n"), `${name}: a page of another origin may read why`, got.slice(0, 500));
    check((got.match(/HTTP\/1\.1 \d/g) ?? []).length === 1, `${name}: one answer only`, got.slice(0, 500));
    await alive(name);
  });
}

await scenario("a request in the body of a smuggled one is not answered", async () => {
  const inner = "GET /info HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const got = await raw(server, post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", `5c\r\n${inner}0\r\n\r\n`));
  check(!got.includes("version"), "smuggled", got);
});

await scenario("slow loris", async () => {
  const sockets = Array.from({ length: 50 }, () => net.connect(server.port, "127.0.0.1"));
  const closed = sockets.map((s) => new Promise((r) => { s.on("close", r); s.on("error", () => {}); s.on("data", () => {}); s.write("GET /ok HTTP/1.1\r\nX: "); }));
  equal((await call(server, "GET", "/ok")).status, 200, "others are served meanwhile");
  await Promise.all(closed);
  check(true, "every slow client was closed");
});

await scenario("half-closed sockets", async () => {
  const got = await raw(server, get("Connection: close\r\n"), { half: true });
  check(/^HTTP\/1\.1 200/.test(got), "a client that has finished writing gets its answer", got);
  equal(await raw(server, "GET /ok HTT", { half: true }).then((g) => g === "" || /^HTTP\/1\.1 400/.test(g)), true, "a request cut short");
  equal(await raw(server, post("Content-Length: 50\r\n", "{"), { half: true }).then((g) => g === "" || /^HTTP\/1\.1 400/.test(g)), true, "a body cut short");
  await alive("half-closed");
});

await scenario("pipelining", async () => {
  const one = get("");
  const got = await raw(server, [one + one + get("Connection: close\r\n")]);
  equal((got.match(/HTTP\/1\.1 200/g) ?? []).length, 3, "three answers in order");
});

for (const [text, last, word] of models) {
  await scenario(text, async () => {
    const body = { assistant_id: "agent", stream_mode: ["messages-tuple", "values"], input: { messages: [{ role: "user", content: text }] } };
    const t = (await call(server, "POST", "/threads", {})).json.thread_id;
    const r = await call(server, "POST", `/threads/${t}/runs/stream`, body);
    const events = parseEvents(r.text);
    if (last !== "error") equal(events.pop().event, "end", `${text}: the end is told`);
    check(events.at(-1).event === last, `${text}: ends with ${last}`, r.text.slice(-600));
    if (word) check(events.at(-1).json.error === word, `${text}: ${word}`, events.at(-1));
    if (last === "error") check(events.at(-1).json.message.length > 0 && !events.at(-1).data.includes("sk-test"), `${text}: says why, without the key`, events.at(-1));
    equal((await call(server, "GET", `/threads/${t}`)).json.status, last === "error" ? "error" : "idle", `${text}: thread status`);
    const again = await call(server, "POST", `/threads/${t}/runs/wait`, run);
    check(again.json?.messages?.at(-1)?.type === "ai", `${text}: the thread is usable`, again.text);
    await alive(text);
  });
}

// Whatever stands in any field of any route: the answer is never that the
// server is at fault, or too busy.
await scenario("strange values everywhere", async () => {
  const values = [null, true, 0, -1, 1.5, 1e308, 9007199254740993, "", " ", "\u0000", "\ufffd\u2028", "x".repeat(70000), "-1", [], [null], [[]], ["\u0000"],
    {}, { "": {} }, { a: { $gt: null } }, { $or: [] }, { messages: null }, Array(11000).fill(""), { ttl: 1 }, { configurable: { tools: [5] } }];
  const paths = (await call(server, "GET", "/openapi.json")).json.paths, tasks = [];
  const good = { graph_id: "agent", ...run, namespace: ["a"], namespace_prefix: ["a"], key: "k", value: {}, title: "t", operation: "list", operations: [] };
  for (const [template, methods] of Object.entries(paths))
    for (const [method, row] of Object.entries(methods)) {
      // Runs of a thread are read like those without; they would only pile up here.
      const target = template.replace("{thread_id}", method === "post" && template.includes("/runs") ? uuid : thread).replace("{run_id}", uuid).replace("{assistant_id}", uuid).replace("{id}", "t-1");
      // These end when their client leaves.
      if (target === "/work/events" || target === `/threads/${thread}/stream`) continue;
      const names = [...(row.description ?? "").replace(/\([^)]*\)/g, "").matchAll(/[a-z_]+(?=\*?(,|;|$| ))/g)].map((m) => m[0]);
      for (const name of new Set([...names, "command", "select", "sort_by", "ids"])) for (const value of values) {
        const query = typeof value === "object" || String(value).length > 5000 ? "" : `?${name}=${encodeURIComponent(value)}`;
        tasks.push(row.requestBody ? [method.toUpperCase(), target, { ...good, [name]: value }] : [method.toUpperCase(), target + query]);
      }
    }
  // A third of them: each field with some of the values, each value in many fields.
  const some = process.argv[2] === "all" ? tasks : tasks.filter((_, i) => i % 3 === 0);
  const bad = new Set();
  const worker = async () => {
    for (let t = some.pop(); t; t = some.pop()) {
      const r = await call(server, ...t);
      if (r.status === 429 || r.status >= 500) bad.add(`${r.status} ${t[0]} ${t[1].slice(0, 80)} ${JSON.stringify(t[2] ?? "").slice(-200)}: ${r.text}`);
    }
  };
  const n = some.length;
  check(n > 3000, "they are many", n);
  await Promise.all(Array.from({ length: 8 }, worker));
  equal([...bad].slice(0, 5), [], `none of ${n} requests is answered with 429 or 5xx`);
  await alive("after that");
});

await scenario("a client that leaves in the middle of a stream", async () => {
  const t = (await call(server, "POST", "/threads", {})).json.thread_id;
  const body = JSON.stringify({ ...run, input: { messages: [{ role: "user", content: "mock:stall" }] }, on_disconnect: "cancel", stream_mode: "messages-tuple" });
  await raw(server, `POST /threads/${t}/runs/stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`, { done: (g) => g.includes("event: metadata") });
  await until(async () => (await call(server, "GET", `/threads/${t}`)).json.status === "idle", "the run to be cancelled");
  equal((await call(server, "GET", `/threads/${t}/runs`)).json[0].status, "interrupted", "on_disconnect cancel");
});

await server.stop();
equal(server.exit.code, 0, "clean exit");
check(!/ERROR: (Address|Leak)Sanitizer|runtime error:/.test(server.log), "no sanitizer report", server.log.slice(-3000));
console.log(`${requests.length + wire.length + models.length} cases`);
finish();
