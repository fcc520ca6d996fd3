// mcp-server.mjs - assistants as tools of MCP: the official client against /mcp, and
// what no client sends.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { call, check, equal, finish, parseEvents, scenario, scratch, startMock, startServer, until } from "./lib.mjs";
import { agentFolder, matches } from "./core-lib.mjs";

const dir = scratch(), keys = path.join(dir, "keys");
const hash = (k) => createHash("sha256").update(k).digest("hex");
writeFileSync(keys, `${hash("ck_ann")} ann\n${hash("ck_bob")} bob\n`);
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const slow = await startMock(["--delay-ms", "60000", "--ttft-ms", "0", "--stream-delay-ms", "40", "--tokens", "2000"]);
const server = await startServer({ mock, dir, args: ["--agents", agentFolder(["", "e2e", "openai"]), "--api-keys", keys, "--shards", "2"] });
const auth = (k = "ck_ann") => ({ authorization: `Bearer ${k}` });
const both = { accept: "application/json, text/event-stream" };
const post = (body, headers = {}, target = "/mcp", to = server) => call(to, "POST", target, body, { ...both, ...auth(), ...headers });
const rpc = (method, params, headers) => post({ jsonrpc: "2.0", id: 1, method, ...(params && { params }) }, headers);
async function connect(key = "ck_ann", to = server, target = "/mcp") {
  const client = new Client({ name: "test", version: "1.0.0" });
  await client.connect(new StreamableHTTPClientTransport(new URL(to.url + target), { requestInit: { headers: auth(key) } }));
  return client;
}
async function tools(client) {
  const all = [];
  let cursor;
  do { const page = await client.listTools(cursor ? { cursor } : {}); all.push(...page.tools); cursor = page.nextCursor; } while (cursor);
  return all;
}
const metric = async (name, to = server) => Number(new RegExp(`^${name} (\\d+)$`, "m").exec((await call(to, "GET", "/metrics")).text)?.[1]);
const say = (content) => ({ messages: [{ role: "user", content }] });

await scenario("the official client", async () => {
  const client = await connect();
  equal([client.getServerVersion().name, client.getServerCapabilities()], ["cohort", { tools: {} }], "who answers");
  await client.ping();
  const list = await tools(client), chat = list.find((t) => t.name === "chat");
  matches(chat, { name: "chat", title: "chat", description: String, inputSchema: { type: "object" } }, "a graph is a tool");
  check(chat.inputSchema.properties.messages && chat.inputSchema.properties.context, "which takes its input and a context", chat);
  check(list.every((t) => /^[A-Za-z0-9_-]{1,64}$/.test(t.name)) && new Set(list.map((t) => t.name)).size === list.length, "names are plain and unique");
  const r = await client.callTool({ name: "chat", arguments: say("hi") });
  equal(r.content, [{ type: "text", text: "echo hi (1)" }], "it says");
  check(!r.isError && r.structuredContent.messages.length === 2, "and has values", r.structuredContent);
  equal((await client.callTool({ name: "chat", arguments: say("hi") })).content[0].text, "echo hi (1)", "without a memory");
  equal((await client.callTool({ name: "chat", arguments: { messages: "plain \"text\"\n" } })).content[0].text, "echo plain \"text\"\n (1)", "a text will do for messages");
  const e = await client.callTool({ name: "broken", arguments: say("x") });
  check(e.isError === true && /Refused: not today/.test(e.content[0].text), "a run that fails is an error a model can read", e);
  const q = await client.callTool({ name: "confirm", arguments: say("x") });
  check(q.isError === true && /Pay 12\? \(yes \/ no\)/.test(q.content[0].text), "a question cannot be answered", q);
  const v = await client.callTool({ name: "asker", arguments: { n: 7 } });
  check(v.isError === true && /"n":7/.test(v.content[0].text), "of any value", v);
  for (const [args, words] of [[{ message: "x" }, /message/], [{ messages: 5 }, /messages/], [{ config: { configurable: { mcp_config: { url: "http://127.0.0.1:1" } } } }, /config/], [{ ...say("x"), context: 5 }, /context/], [{ ...say("x"), metadata: {} }, /metadata/]]) {
    const bad = await client.callTool({ name: "agent", arguments: args });
    check(bad.isError === true && words.test(bad.content[0].text), `${JSON.stringify(args)}: refused with words`, bad);
  }
  const unknown = await client.callTool({ name: "nothing", arguments: {} }).then(() => undefined, (x) => x);
  equal(unknown?.code, -32602, "no such tool: -32602");
  await client.close();
});

await scenario("names", async () => {
  const make = async (name, key = "ck_ann") => (await call(server, "POST", "/assistants", { graph_id: "chat", name, description: `of ${name}` }, auth(key))).json.assistant_id;
  const a = await make("Grüße, Welt!"), b = await make("chat"), c = await make("two words"), d = await make("two words"), bobs = await make("bob's own", "ck_bob");
  const client = await connect(), list = await tools(client), names = list.map((t) => t.name);
  check(names.includes("Gr_e_Welt_") && names.includes("two_words") && names.includes(`two_words_${d}`) && names.includes(`chat_${b}`), "other letters go, and the second of a name has its id", names);
  equal(list.find((t) => t.name === "Gr_e_Welt_")?.title, "Grüße, Welt!", "the title is as it was");
  equal(list.find((t) => t.name === "two_words")?.description, "of two words", "and the description");
  check(names.every((n) => !/bob/.test(n)), "bob's is not there", names);
  for (const name of ["Gr_e_Welt_", "two_words", `two_words_${d}`, `chat_${b}`]) equal((await client.callTool({ name, arguments: say("hi") })).content[0].text, "echo hi (1)", `${name} runs`);
  for (const name of ["bob_s_own", bobs, a, c]) equal((await client.callTool({ name, arguments: say("hi") }).catch((x) => x)).code, -32602, `${name} does not`);
  const other = await connect("ck_bob");
  check(!(await tools(other)).some((t) => /two_words|Gr_e/.test(t.name)), "ann's are not bob's");
  equal((await other.callTool({ name: "two_words", arguments: say("hi") }).catch((x) => x)).code, -32602, "and bob cannot call them");
  for (let i = 0; i < 120; i++) await make(`many ${i}`);
  const all = await tools(client);
  check(all.filter((t) => /^many_\d+$/.test(t.name)).length === 120 && new Set(all.map((t) => t.name)).size === all.length, "pages are whole", all.length);
  equal((await client.callTool({ name: "many_7", arguments: say("hi") })).content[0].text, "echo hi (1)", "one of the second page");
  await client.close(); await other.close();
});

// langflow#15179 (a long name is listed, and is not the one that is called),
// eino#632 (several of one name are refused by providers), cxxmcp#68 (a tool goes on
// when its client has left: below).
await scenario("what was reported of others", async () => {
  const long = "Portfolio website code generator, of the second department, for ";
  for (const end of ["customers", "colleagues"]) await call(server, "POST", "/assistants", { graph_id: "chat", name: long + long + end }, auth());
  const client = await connect(), list = (await tools(client)).filter((t) => t.title.startsWith("Portfolio"));
  equal([list.length, new Set(list.map((t) => t.name)).size], [2, 2], "two long names");
  for (const t of list) equal([t.name.length <= 64, (await client.callTool({ name: t.name, arguments: say("hi") })).content[0].text], [true, "echo hi (1)"], `${t.name} is called as it is listed`);
  await client.close();
});

await scenario("progress, and leaving", async () => {
  const lazy = await startServer({ mock: slow, args: ["--agents", agentFolder(["openai"])] });
  const client = await connect("none", lazy), seen = [], gone = new AbortController();
  const going = client.callTool({ name: "agent", arguments: say("long") }, undefined, { onprogress: (p) => { seen.push(p); }, signal: gone.signal }).then(() => "answered", (e) => String(e));
  await until(() => seen.length >= 4, "notifications of progress");
  check(seen.every((p, i) => i === 0 || p.progress > seen[i - 1].progress), "which count up", seen);
  const cancel = new AbortController();
  gone.abort();
  check(/abort/i.test(await going), "it is given up", await going);
  await client.close();                        // stateless: only the connection tells
  await until(async () => await metric("cohort_runs_live", lazy) === 0, "the run is cancelled");
  const r = fetch(`${lazy.url}/mcp`, { method: "POST", signal: cancel.signal, headers: { "content-type": "application/json", ...both }, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "agent", arguments: say("long") } }) }).catch((e) => e);
  await until(async () => await metric("cohort_runs_live", lazy) === 1, "one that is waited for");
  cancel.abort(); await r;
  await until(async () => await metric("cohort_runs_live", lazy) === 0, "is cancelled too");
  await lazy.stop();
  const x = await rpc("tools/call", { name: "chat", arguments: say("hi"), _meta: { progressToken: "t" } });
  check(x.headers.get("content-type").startsWith("text/event-stream"), "a stream");
  const events = parseEvents(x.text).map((e) => JSON.parse(e.data));
  matches(events[0], { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: "t", progress: 1 } }, "progress first");
  matches(events.at(-1), { jsonrpc: "2.0", id: 1, result: { isError: false } }, "and the result at last");
  const bad = parseEvents((await rpc("tools/call", { name: "chat", arguments: { messages: 5 }, _meta: { progressToken: 1 } })).text || "[]");
  check(bad.length <= 1, "what is refused before does not stream");
});

await scenario("the protocol", async () => {
  for (const version of ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]) {
    equal((await rpc("initialize", { protocolVersion: version, capabilities: {}, clientInfo: { name: "x", version: "1" } })).json.result.protocolVersion, version, version);
    equal((await rpc("ping", undefined, { "mcp-protocol-version": version })).json.result, {}, `as header: ${version}`);
  }
  equal((await rpc("initialize", { protocolVersion: "1999-01-01", capabilities: {} })).json.result.protocolVersion, "2025-11-25", "an unknown one is offered the newest");
  equal((await rpc("ping", undefined, { "mcp-protocol-version": "1999-01-01" })).status, 400, "and may not go on with it");
  equal((await post({ jsonrpc: "2.0", method: "notifications/initialized" })).status, 202, "a notification: 202");
  equal((await post({ jsonrpc: "2.0", id: 4, result: {} })).status, 202, "an answer: 202");
  equal((await rpc("prompts/list")).json.result, { prompts: [] }, "no prompts");
  equal((await rpc("resources/list")).json.result, { resources: [] }, "no resources");
  equal((await rpc("ping", {}, {}).then((x) => x.json.id)), 1, "the id comes back");
  equal((await post({ jsonrpc: "2.0", id: "Ü", method: "ping" }, {}, "/mcp/")).json.id, "Ü", "of any text; at /mcp/ too");
  equal((await call(server, "GET", "/mcp", undefined, auth())).status, 405, "GET: 405");
  equal((await call(server, "DELETE", "/mcp", undefined, auth())).status, 404, "DELETE: 404");
  equal((await call(server, "POST", "/mcp", {}, both)).status, 401, "nobody: 401");
  equal((await post({}, { origin: "https://evil.example" })).status, 403, "a page of somebody's: 403");
  for (const accept of ["application/json", "text/event-stream", "*/*", ""]) equal((await rpc("ping", undefined, { accept })).status, 400, `Accept ${accept}: 400`);
  const bad = [["{", 400, -32700], ["", 400, -32700], ["[]", 400, -32600], ["[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", 400, -32600], ["5", 400, -32600], ["null", 400, -32600],
    [{ id: 1, method: "ping" }, 400, -32600], [{ jsonrpc: "1.0", id: 1, method: "ping" }, 400, -32600], [{ jsonrpc: "2.0", id: null, method: "ping" }, 400, -32600], [{ jsonrpc: "2.0", id: {}, method: "ping" }, 400, -32600], [{ jsonrpc: "2.0", id: 1.5, method: "ping" }, 400, -32600], [{ jsonrpc: "2.0", id: "x".repeat(2000), method: "ping" }, 400, -32600],
    [{ jsonrpc: "2.0", id: 1 }, 400, -32600], [{ jsonrpc: "2.0", id: 1, method: 5 }, 400, -32600], [{ jsonrpc: "2.0", id: 1, method: "nothing" }, 200, -32601], [{ jsonrpc: "2.0", id: 1, method: "ping", params: [] }, 200, -32602],
    [{ jsonrpc: "2.0", id: 1, method: "initialize" }, 200, -32602], [{ jsonrpc: "2.0", id: 1, method: "tools/call" }, 200, -32602], [{ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: 1 } }, 200, -32602], [{ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "chat", arguments: [] } }, 200, -32602],
    [{ jsonrpc: "2.0", id: 1, method: "tools/list", params: { cursor: "x" } }, 200, -32602], [{ jsonrpc: "2.0", id: 1, method: "tools/list", params: { cursor: 5 } }, 200, -32602], [{ jsonrpc: "2.0", id: 1, method: "tools/list", params: { cursor: "-100" } }, 200, -32602]];
  for (const [body, status, code] of bad) {
    const x = await post(body);
    equal([x.status, x.json.error?.code], [status, code], JSON.stringify(body).slice(0, 90));
  }
});

await server.stop();
finish();
