// tools.mjs - tools for models: pages from a real server that counts, agents as tools
// with their questions and streams, approval and other policies in the file, kill -9
// in a call, what bad calls are told.
import http from "node:http";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { lookup } from "node:dns/promises";
import { hostname } from "node:os";
import path from "node:path";
import { Client } from "@langchain/langgraph-sdk";
import { call, check, equal, finish, freePort, oneNode, scenario, scratch, startServer, until } from "./lib.mjs";

// ---- pages -------------------------------------------------------------------------

const page = { asked: [], held: [], hold: false };
const port = await freePort(), base = `http://127.0.0.1:${port}`;
const web = http.createServer((req, res) => {
  page.asked.push(req.url);
  const send = (status, type, body, more = {}) => { res.writeHead(status, { "content-type": type, ...more }); res.end(body); };
  if (page.hold && req.url === "/slow") page.held.push(res);
  else if (req.url === "/long") send(200, "text/plain", "x".repeat(300000));
  else if (req.url === "/picture") send(200, "image/png", "PNG");
  else if (req.url === "/away") send(302, "text/plain", "", { location: `${base}/other` });
  else if (req.url === "/gone") send(404, "text/html", "<h1>gone</h1>");
  else if (req.url === "/flaky" && page.asked.filter((u) => u === "/flaky").length < 3) send(503, "text/plain", "busy");
  else send(200, "text/html", `<p>${req.url}</p>`);
});
await new Promise((r) => web.listen(port, "0.0.0.0", r));

// ---- agents ------------------------------------------------------------------------

const dir = scratch(), agents = path.join(dir, "agents");
mkdirSync(agents);
const file = (name, text) => writeFileSync(path.join(agents, `${name}.yaml`), text);
// Says what the input says: {calls: [{name, args}]}, then done.
const model = (tools, more = "") => `llm:
      tools: ${tools}
      max_turns: 3
      reply: "any(messages, m => m.type == 'tool') ? 'done' : {type: 'ai', content: '', tool_calls: map(parse(last(messages).content), c => {id: c.id, name: c.name, args: c.args})}"
      ${more}`;
const caller = (name, tools, head = "") => file(name, `
state: {messages: {reducer: messages}}
${head}
nodes:
  model:
    ${model(tools)}
edges: [[START, model]]
`);
caller("plain", "[calculate, http_get, run_agent, current_time]");
caller("patient", "[http_get]", "tools: {http_get: {retries: 3}}");
caller("hasty", "[http_get]", "tools: {http_get: {timeout: 200ms}}");
caller("careful", "[calculate, current_time]", "tools: {calculate: {approval: {allowed_decisions: [approve, reject], description: 'May it calculate?'}}}");
caller("tracker", "[work_create, work_list]", "tools: {work_create: {retries: 1}}");
caller("group", "work", "capabilities: {tools: [work]}");
caller("boss", "[writer, asker, boss, loop, http_get, careful]", `tools:
  writer: {agent: writer, description: Writes.}
  asker: {agent: asker}
  boss: {agent: boss}
  loop: {agent: loop}
  careful: {agent: careful}`);
caller("limited", "[run_agent]", "capabilities: {tools: [run_agent], hosts: [elsewhere.example]}");
file("writer", `
description: Writes a text.
state: {messages: {reducer: messages}}
nodes: {write: {llm: {reply: "\`text about \${last(messages).content}\`", chunk: word}}}
edges: [[START, write]]
`);
file("asker", `
description: Asks a person.
state: {question: {}, answer: {}}
input: [question]
output: [answer]
nodes: {ask: {ask: {prompt: "\${question}?"}, writes: {answer: result.value}}}
edges: [[START, ask]]
`);
file("loop", `
state: {messages: {reducer: messages}, n: {}}
tools: {loop: {agent: loop}}
nodes:
  model:
    llm:
      tools: [loop]
      max_turns: 2
      reply: "last(messages).type == 'tool' ? last(messages).content : {type: 'ai', content: '', tool_calls: [{id: 'again', name: 'loop', args: {input: 'go'}}]}"
edges: [[START, model]]
`);
file("reader", `
state: {url: {}, page: {}}
nodes: {read: {http_get: "\${url}", writes: {page: result.body}}}
edges: [[START, read]]
`);
file("calc", `
state: {x: {}}
nodes: {c: {tool: {name: calculate, args: {expression: "'1 + 1'"}}, writes: {x: result.content}}}
edges: [[START, c]]
`);

const start = (...more) => startServer({ dir, port: undefined, args: ["--agents", agents, "--http-hosts", `127.0.0.1:${port},${hostname()}:${port}`, ...more] });
let server = await start(), client = new Client({ apiUrl: server.url });
const say = (...calls) => ({ messages: [{ role: "user", content: JSON.stringify(calls.map((c, i) => ({ id: `c${i}`, name: c[0], args: c[1] }))) }] });
// Each node reads its files in its own time.
const known = (agent) => until(async () => {
  const [found] = (await call(server, "POST", "/assistants/search", { graph_id: agent })).json;
  return found && (await Promise.all((server.nodes ?? [server]).map((s) => call(s, "GET", `/assistants/${found.assistant_id}/graph`)))).every((r) => r.status === 200);
}, `the agent ${agent}`);
const run = async (agent, ...calls) => (await client.runs.wait(null, agent, { input: say(...calls) })).messages.filter((m) => m.type === "tool");
const one = async (agent, ...c) => (await run(agent, c))[0];

await scenario("calculate", async () => {
  const r = await run("plain", ["calculate", { expression: "(3 + 4) * sqrt(16)" }], ["calculate", { expression: "process.exit()" }], ["calculate", { expresion: "1" }], ["calculate", {}], ["nothing", {}]);
  equal(r.map((m) => m.status), ["success", "error", "error", "error", "error"], "each call is answered for itself");
  equal(r[0].content, "28", "a value");
  check(r[2].content.includes('argument "expression": missing'), "a wrong name", r[2].content);
  check(r[3].content.includes('"expression"'), "what is missing", r[3].content);
  check(r[4].content.startsWith('Error: there is no tool "nothing" here. Available: '), "an unknown tool, and those there are", r[4].content);
});

await scenario("the tracker's tools", async () => {
  const all = client;
  client = new Client({ apiUrl: oneNode(server).url });
  const r = await run("tracker", ["work_create", { title: "one" }], ["work_ready", {}]);
  equal(r.map((m) => [m.name, m.status]), [["work_create", "success"], ["work_ready", "error"]], "by their names, and no others");
  check(r[1].content.includes("Available: work_create, work_list"), "those there are", r[1].content);
  const g = await run("group", ["work_list", {}], ["calculate", { expression: "1" }]);
  client = all;
  check(g[0].status === "success" && g[0].content.includes("one"), "all of them as a group", g[0].content);
  equal(g[1].status, "error", "and nothing else");
});

await scenario("pages", async () => {
  page.asked = [];
  const get = async (p) => one("plain", "http_get", { url: p.startsWith("http") ? p : base + p });
  equal((await get("/a?b=c")).content, "<p>/a?b=c</p>", "HTML as it is");
  const long = await get("/long");
  check(long.content.length < 101000 && long.content.endsWith("[cut: 300000 bytes, the limit is 100000]"), "a long page is cut", long.content.slice(-80));
  check((await get("/picture")).content.includes("only text can be read"), "no pictures");
  const away = await get("/away");
  equal([away.content.startsWith("HTTP status 302 (redirects are not followed)"), page.asked.includes("/other")], [true, false], "a redirect is not followed");
  const gone = await get("/gone");
  equal([gone.status, gone.content], ["error", "HTTP status 404\n<h1>gone</h1>"], "a status");
  const before = page.asked.length;
  for (const url of ["http://localhost:1/", `http://127.0.0.1:${port}@evil.example/`, "file:///etc/passwd", `http://[::1]:${port}/`, "http://169.254.169.254/latest"])
    equal((await get(url)).status, "error", `${url} is not asked`);
  equal(page.asked.length, before, "nobody was asked");
});

await scenario("names with private addresses", async () => {
  const address = await lookup(hostname()).catch(() => null);
  if (!address || !/^(10|127|172\.(1[6-9]|2\d|3[01])|192\.168)\./.test(address.address)) return console.log("# this machine's name has no private address");
  const before = page.asked.length, url = `http://${hostname()}:${port}/private`;
  const r = await one("plain", "http_get", { url });
  check(r.content.includes(`has the private address ${address.address}; the setting http-private allows it`), "are not asked", r.content);
  equal(page.asked.length, before, "nobody was asked");
  await server.stop();
  server = await start("--http-private");
  client = new Client({ apiUrl: server.url });
  equal((await one("plain", "http_get", { url })).content, "<p>/private</p>", "unless the operator allows it");
});

await scenario("retries", async () => {
  page.asked = [];
  const r = await one("patient", "http_get", { url: `${base}/flaky` });
  equal([r.status, r.content, page.asked.length], ["success", "<p>/flaky</p>", 3], "a busy page is read again");
  page.asked = [];
  await one("patient", "http_get", { url: `${base}/gone` });
  equal(page.asked.length, 1, "one that is not there is not");
});

await scenario("timeout", async () => {
  page.hold = true;
  const r = await one("hasty", "http_get", { url: `${base}/slow` });
  check(r.content.includes('the tool "http_get" did not answer within 200 ms'), "the model is told", r.content);
  page.held.splice(0).forEach((x) => x.end("late"));
  page.hold = false;
});

await scenario("approval in the file", async () => {
  const t = (await client.threads.create()).thread_id;
  const first = await client.runs.wait(t, "careful", { input: say(["calculate", { expression: "1 + 1" }], ["current_time", {}]), config: { configurable: { interrupt_on: { calculate: false } } } });
  const state = await client.threads.getState(t), i = state.tasks.flatMap((x) => x.interrupts);
  equal(i.map((x) => [x.value.action_requests.map((a) => [a.name, a.description]), x.value.review_configs[0].allowed_decisions]), [[[["calculate", "May it calculate?"]], ["approve", "reject"]]], "a person is asked, whatever the run says");
  equal(first.messages.filter((m) => m.type === "tool"), [], "nothing was called yet");
  const end = await client.runs.wait(t, "careful", { command: { resume: { decisions: [{ type: "approve" }] } } });
  equal(end.messages.filter((m) => m.type === "tool").map((m) => [m.name, m.status]), [["calculate", "success"], ["current_time", "success"]], "and then all are");
});

await scenario("an agent as a tool, streamed", async () => {
  const events = [];
  for await (const e of client.runs.stream(null, "boss", { input: say(["writer", { input: "bees" }]), streamMode: ["values", "messages-tuple"], streamSubgraphs: true })) events.push(e);
  const inner = events.filter((e) => /^(values|messages)\|.*tool\./.test(e.event));
  check(inner.length > 0 && inner.every((e) => /\|model:[0-9a-f-]{36}\|turn\.1\.tool\.[0-9a-f-]{36}\.writer/.test(e.event)), "its events have its namespace", events.map((e) => e.event));
  const last = events.filter((e) => e.event === "values").at(-1).data.messages;
  equal(last.filter((m) => m.type === "tool").map((m) => [m.name, m.content]), [["writer", "text about bees"]], "its last message is the result");
});

await scenario("run_agent", async () => {
  const r = await run("plain", ["run_agent", { agent: "writer", input: "ants" }], ["run_agent", { agent: "nobody", input: "x" }], ["run_agent", { agent: "asker", input: "x" }], ["run_agent", { agent: "calc", input: {} }]);
  equal(r.map((m) => m.status), ["success", "error", "error", "success"], "each by itself");
  equal([r[0].content, r[3].content], ["text about ants", '{"x":"2"}'], "a message, or the output");
  check(r[1].content.includes('there is no agent "nobody" here'), "nobody", r[1].content);
  check(r[2].content.includes('the agent "asker" takes no messages'), "what it takes", r[2].content);
});

await scenario("capabilities hold for agents that are tools", async () => {
  const asked = page.asked.length;
  const r = await run("limited", ["run_agent", { agent: "calc", input: {} }], ["run_agent", { agent: "reader", input: { url: `${base}/x` } }], ["calculate", { expression: "1" }]);
  equal(r.map((m) => m.status), ["error", "error", "error"], "no more than the caller may");
  check(r[0].content.includes('do not allow "calculate"'), "a tool", r[0].content);
  check(r[1].content.includes("capabilities do not allow the host"), "a host", r[1].content);
  equal(page.asked.length, asked, "nobody was asked");
});

await scenario("agents that call themselves end at a depth", async () => {
  const r = await one("boss", "loop", { input: "go" });
  check(r.content.includes("agents call agents over more than 16 levels"), "with words", r.content);
});

await scenario("questions of agents that are tools", async () => {
  const t = (await client.threads.create()).thread_id;
  await client.runs.wait(t, "boss", { input: say(["asker", { question: "one" }], ["writer", { input: "bees" }], ["asker", { question: "two" }]) });
  const ask = async () => (await client.threads.getState(t)).tasks.flatMap((x) => x.interrupts);
  const i = await ask();
  const id = Object.fromEntries(i.map((x) => [x.value.prompt ?? x.value, x.id]));
  equal(Object.keys(id).sort(), ["one?", "two?"], "all are asked at once");
  await server.stop("SIGKILL");
  server = await start();
  client = new Client({ apiUrl: server.url });
  equal((await ask()).length, 2, "and wait through a kill -9");
  const end = await client.runs.wait(t, "boss", { command: { resume: { [id["one?"]]: "yes", [id["two?"]]: "no" } } });
  equal(end.messages.filter((m) => m.type === "tool").map((m) => m.content), ['{"answer":"yes"}', "text about bees", '{"answer":"no"}'], "each answer comes to its call");
});

// What others have reported of agents as tools beside plain tools.
await scenario("a question does not repeat the other calls", async () => {
  const t = (await client.threads.create()).thread_id, asked = page.asked.length;
  await client.runs.wait(t, "boss", { input: say(["http_get", { url: `${base}/once` }], ["asker", { question: "a" }], ["asker", { question: "b" }], ["asker", { question: 7 }]) });
  const ask = async () => (await client.threads.getState(t)).tasks.flatMap((x) => x.interrupts).map((x) => [x.value.prompt ?? x.value, x.id]);
  const id = Object.fromEntries(await ask());
  equal([Object.keys(id).sort(), page.asked.length - asked], [["7?", "a?", "b?"], 1], "three ask, the page was read");
  await client.runs.wait(t, "boss", { command: { resume: { [id["b?"]]: "B" } } });
  equal((await ask()).map((x) => x[0]).sort(), ["7?", "a?"], "one is answered, two go on waiting");
  const end = await client.runs.wait(t, "boss", { command: { resume: { [id["a?"]]: "A", [id["7?"]]: "S" } } });
  equal(end.messages.filter((m) => m.type === "tool").map((m) => m.content), ["<p>/once</p>", '{"answer":"A"}', '{"answer":"B"}', '{"answer":"S"}'], "each has its answer");
  equal(page.asked.length - asked, 1, "the page was read once");
});

await scenario("approval inside of an agent that is a tool", async () => {
  const inner = JSON.stringify([{ id: "i", name: "calculate", args: { expression: "1 + 1" } }]);
  for (const [decision, status] of [[{ type: "approve" }, "done"], [{ type: "reject", message: "no" }, "done"]]) {
    const t = (await client.threads.create()).thread_id;
    await client.runs.wait(t, "boss", { input: say(["careful", { input: inner }]), config: { configurable: { interrupt_on: { calculate: false } } } });
    const i = (await client.threads.getState(t)).tasks.flatMap((x) => x.interrupts);
    equal(i.map((x) => x.value.action_requests?.[0].name), ["calculate"], "it comes up to the run, which cannot take it away");
    const end = await client.runs.wait(t, "boss", { command: { resume: { decisions: [decision] } } });
    equal(end.messages.filter((m) => m.type === "tool").map((m) => [m.name, m.content]), [["careful", status]], `${decision.type}: it goes on`);
  }
});

await scenario("a model that is wrong again and again", async () => {
  file("stubborn", `
state: {messages: {reducer: messages}}
nodes:
  model: {llm: {tools: [calculate], max_turns: 5, reply: "{type: 'ai', content: '', tool_calls: [{id: 'x' + len(messages), name: 'calculate', args: {expression: 7}}]}"}}
edges: [[START, model]]
`);
  await known("stubborn");
  const r = await call(server, "POST", "/runs/wait", { assistant_id: "stubborn", input: { messages: [{ role: "user", content: "go" }] } });
  check(r.text.includes("the model still asks for tools after 5 turns"), "ends at max_turns", r.text);
});

await scenario("kill -9 while a page is read", async () => {
  page.asked = []; page.hold = true;
  const t = (await client.threads.create()).thread_id;
  const r = await client.runs.create(t, "plain", { input: say(["calculate", { expression: "1" }], ["http_get", { url: `${base}/slow` }]) });
  await until(() => page.held.length === 1, "the page to be asked for");
  await server.stop("SIGKILL");
  page.hold = false;
  server = await start();
  client = new Client({ apiUrl: server.url });
  await client.runs.join(t, r.run_id);
  const m = (await client.threads.getState(t)).values.messages.filter((x) => x.type === "tool");
  equal([m.map((x) => x.content), page.asked.length], [["1", "<p>/slow</p>"], 2], "a GET is made again");
});

// An MCP server that counts: `fail` fails, `hang` answers nobody.
writeFileSync(path.join(dir, "counter.mjs"), `
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";
const say = (id, result) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, result }) + "\\n");
const tool = (name) => ({ name, description: name, inputSchema: { type: "object", properties: {} } });
for await (const line of createInterface({ input: process.stdin })) {
  const m = JSON.parse(line);
  if (m.method === "initialize") say(m.id, { protocolVersion: m.params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "counter", version: "1" } });
  else if (m.method === "tools/list") say(m.id, { tools: [tool("fail"), tool("hang"), tool("fine")] });
  else if (m.method === "tools/call") {
    appendFileSync(process.argv[2], m.params.name + "\\n");
    if (m.params.name !== "hang") say(m.id, { content: [{ type: "text", text: m.params.name }], isError: m.params.name === "fail" });
  }
}
`);
const counted = path.join(dir, "counted"), calls = (name) => existsSync(counted) ? readFileSync(counted, "utf8").split("\n").filter((l) => l === name).length : 0;
const served = (name, policies) => caller(name, "[c]", `mcp: {c: {command: [${process.execPath}, ${path.join(dir, "counter.mjs")}, ${counted}]}}
tools: ${policies}`);
served("served", "{c__fail: {retries: 2}, c__hang: {timeout: 500ms}, c__fine: {approval: true}}");
served("served_again", "{c__fail: {retries: 2, idempotent: true}, c__hang: {idempotent: true}}");
await known("served_again");

await scenario("policies of tools of MCP servers", async () => {
  let r = await one("served", "c__fail", {});
  equal([r.status, calls("fail")], ["error", 1], "what may not be repeated is called once");
  r = await one("served_again", "c__fail", {});
  equal([r.status, calls("fail")], ["error", 4], "what may is called again");
  r = await one("served", "c__hang", {});
  check(r.content.includes('"c__hang" did not answer within 500 ms; unknown_outcome'), "it took too long", r.content);
  const t = (await client.threads.create()).thread_id;
  await client.runs.wait(t, "served", { input: say(["c__fine", {}]) });
  equal([(await client.threads.get(t)).status, calls("fine")], ["interrupted", 0], "a person is asked first");
  const end = await client.runs.wait(t, "served", { command: { resume: { decisions: [{ type: "approve" }] } } });
  equal([end.messages.filter((m) => m.type === "tool").map((m) => m.content), calls("fine")], [["fine"], 1], "and then it is called");
});

for (const [agent, times, words] of [["served_again", 2, null], ["served_plain", 1, "unknown_outcome"]])
  await scenario(`kill -9 in a call of ${agent}`, async () => {
    if (agent === "served_plain") served(agent, "{c__fine: {retries: 1}}");
    await known(agent);
    const before = calls("hang"), t = (await client.threads.create()).thread_id;
    const r = await client.runs.create(t, agent, { input: say(["c__hang", {}]) });
    await until(() => calls("hang") === before + 1, "the call");
    await server.stop("SIGKILL");
    server = await start();
    client = new Client({ apiUrl: server.url });
    if (words === null) {
      await until(() => calls("hang") === before + 2, "the call again");
      await client.runs.cancel(t, r.run_id);
      return;
    }
    await client.runs.join(t, r.run_id);
    const m = (await client.threads.getState(t)).values.messages.find((x) => x.type === "tool");
    equal([m.content.includes(words), calls("hang") - before], [true, times], "it is not made again, and the model is told");
  });

await scenario("files that are refused", async () => {
  file("wrong", "state: {messages: {reducer: messages}}\nnodes: {n: {llm: {tools: [calculat]}}}\nedges: [[START, n]]\n");
  await until(() => server.log.includes("there is no tool 'calculat'; did you mean 'calculate'?"), "the server to say why");
  equal((await call(server, "GET", "/ok")).status, 200, "and it goes on");
});

finish();
