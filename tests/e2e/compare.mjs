// compare.mjs [DIR [FILE...]] - replays what was recorded from the official server
// (transcripts in DIR) against ours, with the same agents in YAML, and compares
// every status, body and event.  Ids are paired where they first meet and must
// agree from then on; times are times; everything else must be equal, but for
// the rows of `exceptions`, each with its reason.
import { createHmac } from "node:crypto";
import { existsSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { call, check, finish, scenario, scratch, startServer, until } from "./lib.mjs";
import { readAnswer, readTranscript } from "./compare-read.mjs";
import { agentFolder } from "./core-lib.mjs";
import { recordedModel } from "./recorded-model.mjs";

const dir = process.argv[2] ?? process.env.TRANSCRIPTS ?? path.join(path.dirname(fileURLToPath(import.meta.url)), "transcripts");
if (!existsSync(dir)) { console.log(`no transcripts in ${dir}\n0 passed, 1 failed`); process.exit(1); }
// Those of one line share a server and their threads.
const sets = [["03-assistant-schemas"], ["05-runs-wait"], ["06-stream-values"], ["06-stream-updates"], ["06-stream-messages"],
  ["06-stream-messages-tuple"], ["06-stream-messages-tools"], ["06-stream-tools-turn"], ["06-stream-toolsmode"], ["06-stream-tasks"],
  ["06-stream-checkpoints"], ["06-stream-debug"], ["06-stream-events"], ["06-stream-custom"], ["06-stream-error"],
  ["06-stream-stateless"], ["06-stream-subgraphs"], ["07-hitl", "08-state-history"],
  ["09-runs-lifecycle"], ["10-cancel"], ["11-multitask"], ["12-resumable"], ["13-batch-crons-misc"],
  // Each with a server of its own: they count what there is, or ask who calls.
  ["01-system"], ["02-assistants"], ["04-threads"], ["14-store"], ["17-auth"]]
  .filter((s) => process.argv.length < 4 || s.some((f) => process.argv.slice(3).some((a) => f.includes(a))));

// An agent whose name was used for two.
const renamed = { "06-stream-subgraphs": { nested: "nested_llm" } };

// ---- what is not compared, and why -----------------------------------------
// [file, title, path of the value], each a pattern; reason.  A path begins with
// status, header, body or eventN:NAME.
const any = /^/;
const exceptions = [
  [any, any, /\.(langgraph_version|langgraph_plan|langgraph_host|ls_integration|created_by|langgraph_api_version)$|\.versions(\.|$)/, "marks of that server and its libraries"],
  [any, any, /\.user-agent$/, "what the client calls itself"],
  [any, any, /\.(interrupts|error|state_updated_at|context|config|extracted)$/, null],   // see `extra` below
  [any, any, /\.multitask_strategy$/, "default reject there, enqueue here"],
  [any, any, /\.tasks\[\d\]\.result\.messages\[\d\]\.(role|type|id|additional_kwargs|response_metadata)$/, "the input as it was sent; here as it was applied, with its id"],
  [/06-stream-events/, any, /\.data\.chunk\.id$/, "its last chunk is named after the call, the others after the message"],
  [/08/, /^copy$/, /^body\.(status|config)/, "a copy of a thread that waits is idle there; here it waits, too"],
  [/05/, /unknown thread/, any, "it says 422 with words of another error; a thread that is not there is 404"],
  [/05/, /failing|recursion/, /__error__/, "it wraps the error into an error"],
  [/05/, /invalid stream_mode/, any, "400 of its validator; ours is 422 and names the field"],
  [/07/, /run record status/, /\.status$/, "a run that waits for a person is interrupted, not success"],
  [/07/, any, /^body\.(messages|approved|note|[a-z]+)$/, null],
  [/07/, /wait until interrupt|continue with input null/, /^body\.(messages|note|approved)$/, "wait tells the values beside the interrupt"],
  [/08/, /run from checkpoint/, /^body\.(messages|note|approved)$/, "wait tells the values beside the interrupt"],
  [/07/, /update\+goto/, /^body/, "undefined is not JSON: null here; and goto beside a waiting node lets it wait on"],
  [/08/, /coercion: .*(weird|norole)|Remove unknown/, /^(status|body|header)/, "500 there: it does not check; ours is 422"],
  [/08/, /bad checkpoint id/, any, "400 of its validator; ours is 422"],
  [/08/, /^history|^state/, /\.tasks\[\d\]\.result$/, "the result of an answered task: newer versions tell it"],
  [/10/, /thread after/, /^body\.values$/, "its thread has no values before a run ends"],
  [/10/, /wait=0/, /^status$/, "it takes wait=0 for true"],
  [/10/, /rollback/, any, "it leaves the run and its states; here they are gone (see below)"],
  [/09/, /thread while running/, /^body\.values$/, "its thread has no values before a run ends"],
  [/09/, /multitask reject/, /^status$/, "422 there; 409 as the Python server"],
  [/11/, /^first run afterwards/, /^(status|body\.(run_id|thread_id|assistant_id|metadata|status|kwargs|created_at|updated_at|detail))$/, "it leaves a run that was rolled back; here it is gone"],
  [/11/, /^state$/, /\.step$/, "and with it its steps"],
  [/13/, /^batch$|stateless/, /metadata\.(graph_id|assistant_id)$/, "a run names its graph and assistant also when its thread is its own"],
  [/10/, /cancel-many/, any, "it has no such route"],
  [/01|17/, /^(no token: \/)?info/, /^body\.(version|langgraph_js_version|context|flags|workers|wasm|cluster)|^body\.metadata/, "another server, with other features"],
  [/01/, /GET \/(health|metrics|openapi\.json|mcp|docs|a2a\/x)?$/, any, "it has no such route"],
  [/01/, any, /^header (vary|access-control-expose-headers|access-control-allow-methods)$/, "more headers are exposed, other methods allowed; any origin is answered the same"],
  [/02/, /^default|^search with limit/, /^header x-pagination-total$/, "an agent is built in"],
  [/02/, /create unknown graph/, any, "it takes any name for a graph; here it is 404"],
  [/02|04|14/, /without graph_id|invalid|non-uuid|non-object/, /^(status|body)/, "400 of its validator; ours is 422 and names the field"],
  [/02/, /malformed JSON/, /^body$/, "here with line and column"],
  [/02/, /^graph/, /\.data\.(id\[|name|id\.length|[$]schema|type|properties|title)/, "names of its classes; here kinds of nodes, and the schema of the state"],
  [/02/, /^subgraphs/, any, "500 there: it cannot read the schemas of its own graph"],
  [/04/, /limit 1 offset 1/, /^header x-pagination-total$/, "it adds the offset once too often"],
  [/04/, /^patch state/, any, "it has no such route"],
  [/14/, /missing namespace_prefix/, any, "namespace is taken for namespace_prefix, as a well-known load test sends it"],
  [/17/, /\/ok is NOT exempt/, any, "exempt here, as on the Python server"],
  [/17/, /^no token$|^bad token$/, /^(body|header www-authenticate)$/, "other words; the header says also for a bad token how to ask"],
  [/17/, /^other user search/, /^body\[0\]\.(values|config|interrupts|metadata\.(graph_id|assistant_id))/, "her thread had a run of an agent of that server's tests"],
  [/17/, /^other user creates run/, /^body$/, "no words there"],
].filter((e) => e[3] !== null);
const used = new Set();
// What is not asked at all.
const skipped = [[/09/, /^multitask default/, "the default rejects there, and is to wait its turn here"],
  [/13/, /crons/, "its crons are not implemented"],
  [/04/, /^prune/, "it has no such route; here it would take what the next ones ask for"],
  [/04/, /^thread-level join/, "it has no such route; here it has no end"]];

// What was there before the recording began, or is made beside it: [file, title of
// the block before which it is made, path, body, who makes it, its id].
const fixed = "11111111-1111-4111-8111-111111111111", nested = "33333333-3333-4333-8333-333333333333", foreign = "01a1fb7f-0a88-703b-8895-ee13c82a3874";
const before = [
  [/02/, /^create duplicate id/, "/assistants", { graph_id: "agent", assistant_id: fixed, name: "fixed" }, undefined, fixed],
  // in the place of the one whose graph is not there
  [/02/, /^search with limit/, "/assistants", { graph_id: "hitl" }],
  [/04/, /^duplicate -> 409/, "/threads", { thread_id: nested, metadata: { k: "v", n: { a: 1 } } }, undefined, nested],
  [/17/, /^other user reads/, "/threads", {}, "johndoe", foreign],
  [/17/, /^other user search/, "/threads", {}, "alice"],
];

// What ours may have more, by key: the recorded server is older, or the Python
// server has it.
const extra = new Set(["state_updated_at", "langsmith_session_name", "cancel_reason", "ttl", "interrupts", "context", "config", "finish_reason", "model_name", "usage_metadata", "name", "response_schema", "location", "error", "cause", "durability"]);

// ---- comparison ------------------------------------------------------------

const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])|chatcmpl-[a-z]*\d+|call_[A-Za-z0-9_]+/g;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$/;
const toOurs = new Map(), toTheirs = new Map();

const ours = (s) => s.replace(ID, (id) => toOurs.get(id) ?? id);
const mapped = (v) => v === undefined ? undefined : JSON.parse(ours(JSON.stringify(v)));
// A message of a tool may be named after its run there.
const skeleton = (s) => s.replace(/run-ID-tool-ID/, "ID").replace(ID, "ID").replace("run-ID-tool-ID", "ID");

function pairIds(a, b) {
  const theirs = a.match(ID) ?? [], mine = b.match(ID) ?? [];
  if (theirs.length !== mine.length) return true;
  return theirs.every((t, i) => {
    if (!toOurs.has(t) && !toTheirs.has(mine[i])) { toOurs.set(t, mine[i]); toTheirs.set(mine[i], t); }
    return toOurs.get(t) === mine[i];
  });
}

let where; // {file, title, out}
function differ(at, a, b) {
  const hit = exceptions.find(([f, t, p]) => f.test(where.file) && (t.test(where.title) || t.test(where.request)) && p.test(at));
  if (hit) { used.add(hit); return; }
  where.out.push(`${at}: recorded ${JSON.stringify(a)?.slice(0, 200)}, ours ${JSON.stringify(b)?.slice(0, 200)}`);
}

function compare(a, b, at) {
  if (typeof a === "string" && typeof b === "string") {
    if (TIME.test(a) && TIME.test(b)) return;
    if (/:events\.run_id$/.test(at)) return; // there each call has its own, here a node's is its task
    if (skeleton(a) !== skeleton(b) || !pairIds(a, b)) differ(at, a, b);
  } else if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < Math.min(a.length, b.length); i++) compare(a[i], b[i], `${at}[${i}]`);
    if (a.length !== b.length) differ(`${at}.length`, a.length, b.length);
  } else if (a && b && typeof a === "object" && typeof b === "object" && !Array.isArray(a) && !Array.isArray(b)) {
    const isId = (k) => k.replace(ID, "") === "";
    const theirIds = Object.keys(a).filter(isId), ourIds = Object.keys(b).filter(isId);
    theirIds.forEach((k, i) => {
      if (ourIds[i] === undefined) return differ(`${at}.ID`, a[k], undefined);
      if (!pairIds(k, ourIds[i])) differ(`${at}.ID`, k, ourIds[i]);
      compare(a[k], b[ourIds[i]], `${at}.ID`);
    });
    for (const k of ourIds.slice(theirIds.length)) differ(`${at}.ID`, undefined, b[k]);
    for (const k of Object.keys(a)) if (!isId(k)) k in b ? compare(a[k], b[k], `${at}.${k}`) : differ(`${at}.${k}`, a[k], undefined);
    for (const k of Object.keys(b)) if (!isId(k) && !(k in a) && !extra.has(k)) differ(`${at}.${k}`, undefined, b[k]);
  } else if (!Object.is(a, b)) differ(at, a, b);
}

// Neighbours that say the same are one: how many empty pieces an answer has is
// the model library's affair.
function streamOf(events) {
  const out = [];
  for (const e of events.filter((x) => x.event !== "end")) {
    const text = JSON.stringify([e.event, e.json]);
    const empty = /^messages(\||$)/.test(e.event) && e.json[0].content === "" && !(e.json[0].tool_call_chunks ?? []).length && !e.json[0].usage_metadata;
    if (!empty && !(e.event === "messages/partial" && sameText(out.at(-1), e)) && text !== out.at(-1)?.text) out.push({ ...e, text });
  }
  return out;
}
function sameText(a, b) {
  if (a?.event !== b.event) return false;
  const of = (e) => JSON.stringify([e.json[0].id, e.json[0].content, e.json[0].tool_calls]);
  return of(a) === of(b);
}

function compareEvents(theirs, mine, modes) {
  // Of sub-agents' streams the recorded version tells checkpoints unasked.
  if (!modes.includes("checkpoints")) theirs = theirs.filter((e) => !e.event.startsWith("checkpoints"));
  // Functions of edges are runnables of theirs.
  theirs = theirs.filter((e) => !(e.event === "events" && e.json.name === "RunnableLambda"));
  const ids = mine.filter((e) => e.id !== undefined).map((e) => Number(e.id));
  if (ids.some((id, i) => i > 0 && id <= ids[i - 1])) differ("ids", undefined, ids);
  const a = streamOf(theirs), b = streamOf(mine), name = (e) => e.event.replace(ID, "ID");
  const first = a.findIndex((e, i) => !b[i] || name(e) !== name(b[i]));
  if (first >= 0 || a.length !== b.length) differ("events", [a.length, first, ...a.slice(first, first + 4).map(name)], [b.length, first, ...b.slice(first, first + 4).map(name)]);
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const at = `event${i}:${name(a[i])}`;
    if (name(a[i]) !== name(b[i])) break;
    pairIds(a[i].event, b[i].event);
    compare(a[i].json, b[i].json, at);
    if ((a[i].id === undefined) !== (b[i].id === undefined)) differ(`${at}.id`, a[i].id, b[i].id);
  }
}

// ---- replay ----------------------------------------------------------------

const { model, env } = await recordedModel();
const secret = "0123456789abcdef0123456789abcdef";

// The agents of the recording, and no others.
function fiveAgents() {
  const folder = agentFolder(["transcripts"]), file = (name) => path.join(folder, `${name}.yaml`);
  writeFileSync(file("nested"), readFileSync(file("nested_llm"), "utf8").replace(/^id: .*/m, "id: nested"));
  for (const name of ["nested_llm", "simple_runtime"]) unlinkSync(file(name));
  return folder;
}

// What the auth handler of the recording does, as a policy.
function policy() {
  const file = path.join(scratch(), "policy.yaml");
  writeFileSync(file, `default: deny
rules:
  - {scope: me, allow: threads, filter: {owner: "\${subject}"}, stamp: {owner: "\${subject}"}}
  - {scope: me, allow: [assistants:read, assistants:search]}
  - {scope: me, allow: store, namespace: ["\${subject}"]}
`);
  return file;
}

function startFor(file) {
  const agents = /^02/.test(file) ? fiveAgents() : agentFolder(["transcripts"]);
  const more = /^17/.test(file) ? ["--jwt-secret", secret, "--auth-policy", policy()] : /^01/.test(file) ? ["--cors-origins", "http://app.example"] : [];
  return startServer({ args: ["--streams-end-event=false", "--agents", agents, ...more], env });
}

function bearer(who) {
  const part = (x) => Buffer.from(JSON.stringify(x)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: who, ...(who !== "nobody" && { scope: "me" }) })}`;
  return `Bearer ${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}
const whose = (title) => /^other user/.test(title) ? "alice" : /^no permissions/.test(title) ? "nobody" : "johndoe";

let server;
const absent = /^(2{8}|4{8}|5{8}|6{8})-/;

async function makeBefore(b, file) {
  for (const [f, t, target, body, who, id] of before) {
    if (!f.test(file) || !t.test(b.title)) continue;
    const r = await call(server, "POST", target, body, who && { authorization: bearer(who) });
    check(r.status === 200, `${file}: before ${b.title}`, r.text);
    if (id) pairIds(id, r.json.thread_id ?? r.json.assistant_id);
  }
}

async function settled(target) {
  const run = target.replace(/\/cancel.*/, "");
  await until(async () => !["pending", "running"].includes((await call(server, "GET", run)).json?.status), "the run to end");
}

// The run that one with this strategy took the place of, which is asked for later.
function displaced(b, blocks) {
  if (!/interrupt|rollback/.test(b.body?.multitask_strategy)) return undefined;
  const later = blocks.slice(blocks.indexOf(b) + 1).find((x) => /\/runs\/[0-9a-f-]{36}$/.test(x.target));
  return /([0-9a-f-]{36})$/.exec(later.target)[1];
}

// Threads and runs that the recording does not make are made when they are met.
async function prepare(b, blocks) {
  const t = /\/threads\/([0-9a-f-]{36})/.exec(b.target)?.[1];
  if (t && !absent.test(t) && !toOurs.has(t)) pairIds(t, (await call(server, "POST", "/threads", {})).json.thread_id);
  const r = /\/runs\/([0-9a-f-]{36})/.exec(b.target)?.[1] ?? displaced(b, blocks);
  if (!t || !r || absent.test(r) || toOurs.has(r)) return;
  const record = blocks.map((x) => x.json).find((j) => j?.run_id === r);
  const after = record ? (Date.parse(record.created_at) - Date.parse(record.updated_at)) / 1000 : 0;
  const made = await call(server, "POST", `/threads/${toOurs.get(t)}/runs`, { assistant_id: record?.kwargs.config.metadata.graph_id ?? "slow", input: record?.kwargs.input ?? { n: 3000 }, ...(after > 0 && { after_seconds: after }) });
  pairIds(r, made.json.run_id);
  if (after > 0) return;
  await until(async () => (await call(server, "POST", `/threads/${toOurs.get(t)}/history`, { limit: 10 })).json.some((h) => h.metadata.step === 0), "the run's first step");
}

const asked = ["content-location", "x-pagination-total", "www-authenticate", "vary", "access-control-allow-origin", "access-control-allow-headers", "access-control-allow-methods", "access-control-expose-headers"];
const shared = await startFor("");
for (const set of sets) for (const file of set) {
  if (file === set[0]) for (const ids of [toOurs, toTheirs]) ids.clear();
  const blocks = readTranscript(path.join(dir, `${file}.txt`));
  server = /^(01|02|04|14|17)/.test(file) ? await startFor(file) : shared;
  for (const b of blocks) await scenario(`${file}: ${b.title}`, async () => {
    if (skipped.some(([f, t]) => f.test(file) && t.test(b.title))) return;
    await makeBefore(b, file);
    await prepare(b, blocks);
    let body = mapped(b.body);
    const rename = renamed[file]?.[body?.assistant_id];
    if (rename) body = { ...body, assistant_id: rename };
    if ((/^11/.test(file) && b.method === "GET") || b.title === "list by status") await until(async () => (await call(server, "GET", ours(/\/threads\/[0-9a-f-]{36}/.exec(b.target)[0]))).json.status !== "busy", "its runs to end");
    const headers = Object.fromEntries(Object.entries(b.headers).filter(([k]) => k !== "content-type"));
    if (/<JWT>/.test(headers.authorization)) headers.authorization = bearer(whose(b.title));
    const r = await call(server, b.method, ours(b.target), body, headers);
    where = { file, title: b.title, request: `${b.method} ${b.target}`, out: [] };
    if (/\/cancel/.test(b.target) && r.status < 300) await settled(ours(b.target)); // there wait=0 waits, too
    // Oldest first there, newest first here and in the Python server.
    if (/^list/.test(b.title) && /\/runs\?/.test(b.target)) b.json.reverse();
    if (r.status !== b.status) differ("status", b.status, r.status);
    for (const h of asked) if (b.answerHeaders[h] !== undefined) compare(b.answerHeaders[h], r.headers.get(h) ?? "", `header ${h}`);
    const got = readAnswer(r.text.trim(), r.headers.get("content-type") ?? "");
    // Made at one instant, in any order; one more is built in here.
    if (/^default \(system\)/.test(b.title)) {
      got.json = got.json.filter((a) => a.graph_id !== "research_agent");
      for (const list of [b.json, got.json]) list.sort((x, y) => x.graph_id < y.graph_id ? -1 : 1);
    }
    if (b.events && got.events) compareEvents(named(b.events, file), got.events, [body?.stream_mode ?? []].flat());
    else if (b.json !== undefined && got.json !== undefined) compare(named(b.json, file), got.json, "body");
    else if (b.text !== undefined) { const says = got.json?.detail ?? got.text; if (says !== ours(b.text)) differ("body", ours(b.text), says); }
    else if ((b.json === undefined) !== (got.json === undefined) || b.events) differ("body", b.json ?? "events", got.json ?? r.text.slice(0, 200));
    if (b.stored) compare(b.stored, (await call(server, "GET", ours(b.target))).json.values.messages, "stored");
    check(where.out.length === 0, `${file}: ${b.title}`, where.out.slice(0, 12).join("\n     ") + (where.out.length > 12 ? `\n     ... ${where.out.length} in all` : ""));
  });
}
function named(v, file) {
  let text = JSON.stringify(v);
  for (const [was, is] of Object.entries(renamed[file] ?? {})) text = text.replaceAll(`"graph_id":"${was}"`, `"graph_id":"${is}"`);
  return JSON.parse(text);
}

server = shared;
if (process.argv.length < 4) {
  await scenario("after a rollback", async () => {
    const t = (await call(server, "POST", "/threads", {})).json.thread_id;
    const run = (await call(server, "POST", `/threads/${t}/runs`, { assistant_id: "slow", input: { n: 30000 } })).json.run_id;
    const r = await call(server, "POST", `/threads/${t}/runs/${run}/cancel?wait=1&action=rollback`);
    check(r.status === 204, "rollback with wait is 204", r.text);
    check((await call(server, "GET", `/threads/${t}/runs/${run}`)).status === 404, "the run is gone");
  });
  for (const e of exceptions) if (!used.has(e)) console.log(`not needed: ${e.slice(0, 3).join(" ")} (${e[3]})`);
}
model.close();
finish();
