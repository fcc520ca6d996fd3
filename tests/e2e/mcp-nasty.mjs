// mcp-nasty.mjs - an MCP server on stdin and stdout that does what servers do when
// they are broken.  Its tools say what they do; options, as --name=value:
//   log=FILE       a line for its start (pid N), each call that begins (call NAME), each
//                  cancelled one (cancelled), the roots it is told (roots ...)
//   revision=R     the revision it claims     start=MS   silent for so long at first
//   early=1        answers with ids that were not used yet, before it reads anything
//   mode=dies | mode=silent | mode=garbage    instead of serving
import { appendFileSync } from "node:fs";
import readline from "node:readline";

const options = Object.fromEntries(process.argv.slice(2).map((a) => /^--([^=]+)=(.*)$/.exec(a).slice(1)));
const log = (line) => { if (options.log) appendFileSync(options.log, line + "\n"); };
const send = (m) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...m }) + "\n");
const text = (t) => ({ content: [{ type: "text", text: t }] });
const after = (ms, fn) => setTimeout(fn, ms);

log(`pid ${process.pid}`);
if (options.mode === "dies") { process.stderr.write("no licence\n"); process.exit(3); }
if (options.mode === "garbage") after(0, function again() { process.stdout.write("<html>\n\x00\xff{{{\n"); after(50, again); });

const object = (properties = {}) => ({ type: "object", properties, required: Object.keys(properties) });
const tools = new Map();
function tool(name, run, { schema = object(), annotations } = {}) {
  tools.set(name, { name, description: `does: ${name}`, inputSchema: schema, annotations, run });
}
tool("echo", (a, done) => done(text(`echo ${a.text}`)), { schema: object({ text: { type: "string" } }), annotations: { readOnlyHint: true } });
tool("die", () => process.exit(1));
tool("hang", () => {});
tool("slow", (a, done) => after(a.ms, () => done(text("slow done"))), { schema: object({ ms: { type: "integer" } }) });
tool("slow_again", (a, done) => after(a.ms, () => done(text("slow done"))), { schema: object({ ms: { type: "integer" } }), annotations: { idempotentHint: true } });
tool("fail", (a, done) => done({ ...text("it cannot be done"), isError: true }));
tool("huge", (a, done) => done(text("x".repeat(3_000_000))));
tool("endless", () => { const s = "y".repeat(65536); (function more() { while (process.stdout.write(s)); process.stdout.once("drain", more); })(); });
tool("twice", (a, done) => { done(text("first")); done(text("second")); });
tool("garbage", (a, done) => { process.stdout.write("not json\n[1,2\n{\"jsonrpc\":\"2.0\",\"id\":999999,\"result\":{}}\n"); done(text("after garbage")); });
tool("flood", (a, done) => {
  for (let i = 0; i < 300; i++) send({ method: "notifications/message", params: { level: "info", data: "z".repeat(500) } });
  process.stderr.write("e".repeat(500_000) + "\n");
  done(text("after the flood"));
});
tool("grow", (a, done) => { tool("added", (b, d) => d(text("I am new"))); send({ method: "notifications/tools/list_changed" }); done(text("grown")); });
tool("shrink", (a, done) => { tools.delete("echo"); send({ method: "notifications/tools/list_changed" }); done(text("shrunk")); });
tool("odd name!", (a, done) => done(text("odd")));
tool("odd_name?", (a, done) => done(text("even odder")));
tool("env", (a, done) => done(text(JSON.stringify(process.env))));

if (options.early) {
  send({ id: 0, method: "ping" });
  for (let id = 2; id < 10; id++) send({ id, result: { tools: [], content: [], isError: true } });
}
let version = "2025-11-25";
function onRequest(m) {
  if (m.method === "initialize") {
    version = options.revision ?? m.params.protocolVersion;
    after(Number(options.start ?? 0), () => send({ id: m.id, result: { protocolVersion: version, capabilities: { tools: { listChanged: true } }, serverInfo: { name: "nasty", version: "1" } } }));
    if (m.params.capabilities?.roots) wantsRoots = true;
  } else if (m.method === "tools/list") {
    send({ id: m.id, result: { tools: [...tools.values()].map(({ run, ...t }) => t) } });
  } else if (m.method === "tools/call") {
    log(`call ${m.params.name}`);
    const t = tools.get(m.params.name);
    if (t === undefined) send({ id: m.id, error: { code: -32602, message: "unknown tool" } });
    else t.run(m.params.arguments, (result) => send({ id: m.id, result }));
  } else if (m.method === "ping") {
    send({ id: m.id, result: {} });
  } else {
    send({ id: m.id, error: { code: -32601, message: "no such method" } });
  }
}
let wantsRoots = false;
if (options.mode !== "silent") {
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const m = JSON.parse(line);
    if (m.method === "notifications/initialized" && wantsRoots) send({ id: "r", method: "roots/list" });
    else if (m.method === "notifications/cancelled") log("cancelled");
    else if (m.id === "r" && m.method === undefined) log(`roots ${JSON.stringify(m.result?.roots?.map((r) => r.uri))}`);
    else if (m.method !== undefined && m.id !== undefined && options.mode !== "garbage") onRequest(m);
  });
  lines.on("close", () => process.exit(0));
} else {
  process.stdin.on("end", () => process.exit(0));
  process.stdin.resume();
}
