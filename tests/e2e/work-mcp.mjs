// work-mcp.mjs - the official MCP client drives the tracker: over stdio, as an
// editor starts `cohort work mcp`, and over HTTP at a server's /work/mcp.  Then the
// protocol by hand, where a good client would never go.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { execFileSync, spawn } from "node:child_process";
import { binary, call, check, equal, finish, scenario, scratch, startServer } from "./lib.mjs";

const names = ["work_create", "work_list", "work_ready", "work_show", "work_update", "work_claim", "work_close", "work_release", "work_comment", "work_dep", "work_blocked", "work_stats"];

// The same story over any transport; returns who created the first item.
async function story(client) {
  const { tools } = await client.listTools();
  equal(tools.map((t) => t.name), names, "the tools");
  for (const t of tools)
    check(t.description.length > 20 && t.inputSchema.type === "object" && Array.isArray(t.inputSchema.required), `${t.name}: described`, t);
  const limit = tools.find((t) => t.name === "work_list").inputSchema.properties.limit;
  equal([limit.minimum, limit.maximum], [0, 100000], "the limits are the engine's");
  const use = async (name, args = {}) => {
    const r = await client.callTool({ name, arguments: args });
    check(!r.isError, `${name} works`, r);
    equal(JSON.parse(r.content[0].text), r.structuredContent?.result ?? r.structuredContent, `${name}: text and structure agree`);
    return r.structuredContent;
  };
  const first = await use("work_create", { title: "first", priority: 1 });
  const second = await use("work_create", { title: "second", dependencies: [first.id] });
  const third = await use("work_create", { title: "third", priority: 4 });
  equal((await use("work_ready")).result.map((i) => i.id), [first.id, third.id], "what can be done");
  equal((await use("work_blocked")).result.map((i) => [i.id, i.blocked_by]), [[second.id, [first.id]]], "and what waits");
  await use("work_dep", { id: third.id, depends_on_id: second.id });
  await use("work_dep", { id: third.id, depends_on_id: second.id, remove: true });
  await use("work_dep", { id: third.id, depends_on_id: second.id, type: "blocks" });
  equal((await use("work_claim")).id, first.id, "the next one is mine");
  await use("work_comment", { id: first.id, text: "half done" });
  await use("work_update", { id: first.id, notes: "n" });
  equal((await use("work_show", { id: first.id })).comments.map((x) => x.text), ["half done"], "shown with its comments");
  const closed = await use("work_close", { id: first.id, reason: "done", claim_next: true });
  equal([closed.status, closed.claimed?.id], ["closed", second.id], "closed, and the next one claimed");
  equal((await use("work_release", { id: second.id })).status, "open", "given back");
  equal((await use("work_list", { status: "closed" })).result.map((i) => i.id), [first.id], "listed");
  equal((await use("work_stats")).total_issues, 3, "counted");
  for (const [name, args, words] of [["work_show", { id: "nope" }, /nope/], ["work_close", { id: first.id.slice(0, -1) }, /not found; did you mean/], ["work_create", {}, /title/], ["work_create", { titel: "x" }, /titel/],
    ["work_dep", { id: first.id, depends_on_id: third.id }, /cycle/], ["work_claim", { id: third.id }, /./]]) {
    const r = await client.callTool({ name, arguments: args });
    check(r.isError === true && words.test(r.content[0].text), `${name} ${JSON.stringify(args)}: refused with words`, r);
  }
  const unknown = await client.callTool({ name: "work_fly", arguments: {} }).then(() => undefined, (e) => e);
  check(unknown?.code === -32602, "no such tool: -32602", String(unknown));
  return first;
}

await scenario("over HTTP", async () => {
  const server = await startServer({ memory: true });
  const transport = new StreamableHTTPClientTransport(new URL(`${server.url}/work/mcp?project=mcp`), { requestInit: { headers: { "x-actor": "editor" } } });
  const client = new Client({ name: "test-client", version: "1.0.0" });
  await client.connect(transport);
  equal(client.getServerVersion().name, "cohort", "who answers");
  const first = await story(client);
  check(first.id.startsWith("mcp-"), "in the project of the URL", first.id);
  const audit = (await call(server, "POST", "/work/rpc?project=mcp", { operation: "history", args: { id: first.id } })).json.data;
  check(audit.every((e) => e.actor === "editor"), "X-Actor acts", audit);
  await client.close();
  const post = (body, headers) => call(server, "POST", "/work/mcp", body, headers);
  equal((await post({ jsonrpc: "2.0", method: "notifications/initialized" })).status, 202, "a notification: 202");
  equal((await post("{")).json.error.code, -32700, "not JSON: -32700");
  equal((await post([])).json.error.code, -32600, "not one request: -32600");
  equal((await post({ jsonrpc: "2.0", id: 1, method: "ping" }, { "mcp-protocol-version": "1999-01-01" })).status, 400, "another protocol: 400");
  equal((await call(server, "GET", "/work/mcp")).status, 405, "no stream to get: 405");
  const old = await call(server, "POST", "/mcp?project=mcp", { jsonrpc: "2.0", id: 1, method: "tools/list" });
  check(old.json.result.tools.some((t) => t.name === "work_claim") && old.headers.get("deprecation") === "true" && /\/work\/mcp/.test(old.headers.get("link")), "where it was, for one release", old.text.slice(0, 200));
  await server.stop();
});

const env = { PATH: process.env.PATH, COHORT_NO_DAEMON: "1" };
const run = (cwd, ...args) => execFileSync(binary, ["work", ...args], { cwd, env, stdio: "pipe" }).toString();
function workspace() {
  const dir = scratch();
  run(dir, "init", "--prefix", "t");
  return dir;
}
// The first thing that ever happened there.
const firstEvent = (dir) => JSON.parse(run(dir, "events", "--after", "0", "-n", "1", "--json"));
const dir = workspace();

await scenario("over stdio", async () => {
  const transport = new StdioClientTransport({ command: binary, args: ["work", "mcp"], cwd: dir, env, stderr: "pipe" });
  const client = new Client({ name: "test-editor", version: "1.0.0" });
  await client.connect(transport);
  const first = await story(client);
  await client.close();
  const e = firstEvent(dir);
  equal([e.issue_id, e.actor], [first.id, "test-editor"], "the client's name acts");
});

// Lines in, lines out.
function talk(lines, args = [], cwd = dir) {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, ["work", "mcp", ...args], { cwd, env, stdio: ["pipe", "pipe", "inherit"] });
    let out = "";
    child.stdout.on("data", (d) => { out += d; });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out: out.split("\n").filter(Boolean).map((l) => JSON.parse(l)) }));
    child.stdin.end(lines.map((l) => typeof l === "string" ? l : JSON.stringify(l)).join("\n"));
  });
}
const hello = (version = "2025-06-18") => ({ jsonrpc: "2.0", id: 0, method: "initialize", params: { protocolVersion: version, capabilities: {}, clientInfo: { name: "hand", version: "1" } } });

await scenario("by hand", async () => {
  const ask = (method, params, id = 1) => ({ jsonrpc: "2.0", id, method, params });
  for (const [asked, got] of [["2024-11-05", "2024-11-05"], ["2025-03-26", "2025-03-26"], ["2025-06-18", "2025-06-18"], ["2025-11-25", "2025-11-25"], ["2099-01-01", "2025-11-25"]])
    equal((await talk([hello(asked)])).out[0].result.protocolVersion, got, `version ${asked}`);
  const rows = [
    ["{", -32700, null], ["nonsense", -32700, null], ['"text"', -32600, null], [[], -32600, null],
    [{ id: 1, method: "ping" }, -32600, null], [{ jsonrpc: "2.0", id: null, method: "ping" }, -32600, null],
    [{ jsonrpc: "2.0", id: 1.5, method: "ping" }, -32600, null], [{ jsonrpc: "2.0", id: 1 }, -32600, 1],
    [ask("resources/list"), -32601, 1], [ask("tools/list", { cursor: "x" }, "a\"b"), -32602, "a\"b"],
    [ask("tools/list", []), -32602, 1], [ask("tools/call", {}), -32602, 1], [ask("tools/call", { name: "work_show", arguments: [] }), -32602, 1],
    [`{"jsonrpc":"2.0","id":1,"method":"${"x".repeat(1 << 24)}"}`, -32700, null],
  ];
  const { code, out } = await talk([hello(), { jsonrpc: "2.0", method: "notifications/initialized" }, "", { jsonrpc: "2.0", id: 5, result: {} },
    ...rows.map((r) => r[0]), ask("ping", undefined, "last")]);
  equal(out.slice(1, -1).map((x) => [x.error?.code, x.id]), rows.map((r) => [r[1], r[2]]), "each mistake has its code and id");
  equal([out.at(-1).id, out.at(-1).result, code], ["last", {}, 0], "and it goes on, to a clean end");
  equal((await talk([ask("tools/list")])).out[0].error.code, -32600, "nothing before initialize");
  equal((await talk([ask("ping")])).out[0].result, {}, "but a ping");
});

await scenario("--actor wins", async () => {
  const fresh = workspace();
  const made = await talk([hello(), { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "work_create", arguments: { title: "t" } } }], ["--actor", "boss"], fresh);
  const id = made.out[1].result.structuredContent.id;
  const e = firstEvent(fresh);
  equal([e.issue_id, e.actor], [id, "boss"], "who was named acts");
});
finish();
