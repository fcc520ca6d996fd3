// mcp.mjs [SHARDS] - MCP servers: two of npm over both transports, and one that is
// broken in every way (mcp-nasty.mjs); crashes, many runs at once, no process left.
import { execFile, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { binary, call, check, equal, finish, freePort, processes, scenario, scratch, startServer, until } from "./lib.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const shards = process.argv[2] ?? "2";
const dir = scratch(), agents = path.join(dir, "agents"), data = path.join(dir, "data");
mkdirSync(agents); mkdirSync(data); mkdirSync(path.join(dir, "other"));
writeFileSync(path.join(data, "a.txt"), "the text of a");
writeFileSync(path.join(dir, "secret.txt"), "a secret");
const everything = path.join(here, "node_modules/@modelcontextprotocol/server-everything/dist/index.js");
const filesystem = path.join(here, "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js");
const nasty = (log, more = "") => `[node, ${here}/mcp-nasty.mjs, "--log=${log}"${more}]`;
const lines = (file) => (existsSync(file) ? readFileSync(file, "utf8").split("\n").filter((l) => l) : []);
const calls = (file, name) => lines(file).filter((l) => l === `call ${name}`).length;
const pids = (file) => lines(file).filter((l) => l.startsWith("pid ")).map((l) => Number(l.slice(4)));
const alive = (pid) => { try { process.kill(pid, 0); return true; } catch { return false; } };
const logOf = (name) => path.join(dir, `${name}.log`);

// ---- a model that calls what the last human message says: a list of lists of calls ----------

const model = { asked: [] };
const modelPort = await freePort();
const web = http.createServer((req, res) => {
  let body = "";
  req.on("data", (d) => { body += d; });
  req.on("end", () => {
    const q = JSON.parse(body);
    model.asked.push(q);
    const at = q.messages.findLastIndex((m) => m.role === "user");
    const turn = q.messages.slice(at).filter((m) => m.role === "assistant").length;
    const now = JSON.parse(q.messages[at].content)[turn];
    const message = { role: "assistant", content: now === undefined ? "done" : null };
    if (now !== undefined) message.tool_calls = now.map(([name, args], i) => ({ id: `c${turn}_${i}`, type: "function", function: { name, arguments: JSON.stringify(args ?? {}) } }));
    const finish = now === undefined ? "stop" : "tool_calls";
    if (!q.stream) {
      res.writeHead(200, { "content-type": "application/json" });
      res.end(JSON.stringify({ id: "x", object: "chat.completion", created: 1, model: "m", usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }, choices: [{ index: 0, message, finish_reason: finish }] }));
      return;
    }
    res.writeHead(200, { "content-type": "text/event-stream" });
    const delta = { ...message, tool_calls: message.tool_calls?.map((c, index) => ({ ...c, index })) };
    res.write(`data: ${JSON.stringify({ id: "x", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`);
    res.end("data: [DONE]\n\n");
  });
});
await new Promise((r) => web.listen(modelPort, "127.0.0.1", r));
const env = { OPENAI_BASE_URL: `http://127.0.0.1:${modelPort}/v1`, OPENAI_API_KEY: "sk-test", MODEL_NAME: "openai:m", MCP_TEST_TOKEN: "tok-4711" };

// ---- everything over streamable HTTP, and a page that looks at headers --------------------------

const everyPort = await freePort(), headerPort = await freePort();
const every = spawn("node", [everything, "streamableHttp"], { env: { ...process.env, PORT: String(everyPort) }, stdio: ["ignore", "ignore", "ignore"] });
process.on("exit", () => every.kill("SIGKILL"));
const seen = [];
const headerServer = http.createServer((req, res) => { seen.push(req.headers); res.writeHead(401); res.end("who are you"); });
await new Promise((r) => headerServer.listen(headerPort, "127.0.0.1", r));
await until(async () => { try { await fetch(`http://127.0.0.1:${everyPort}/mcp`); return true; } catch { return false; } }, "server-everything");

// ---- agents -----------------------------------------------------------------------------------

const file = (name, text) => writeFileSync(path.join(agents, `${name}.yaml`), text);
const talks = (name, mcp, more = "", llm = "") => file(name, `
state: {messages: {reducer: messages}}
mcp: ${mcp}
${more}
nodes: {talk: {llm: {max_turns: 8${llm}}}}
edges: [[START, talk]]
`);
const one = (name, mcp, tool, args, more = "") => file(name, `
context: {out: {}, caught: {}, words: {}}
mcp: ${mcp}
initial: work
states:
  work:
    tool: {name: ${tool}, args: ${args}}
    ${more}
    writes: {out: result.content}
    on:
      done: end
      error.*: {target: end, assign: {caught: event.name, words: event.data.message}}
  end: {type: final}
`);
talks("every", `{e: {command: [node, ${everything}, stdio]}}`, "", ", tools: [e]");
talks("every_http", `{e: {url: "http://127.0.0.1:${everyPort}/mcp"}}`, "", ", tools: [e]");
talks("files", `{fs: {command: [node, ${filesystem}, ${data}], tools: [read_text_file, write_file, list_directory]}}`, "", ", tools: [fs]");
talks("rooted", `{fs: {command: [node, ${filesystem}, ${path.join(dir, "other")}]}}`, `capabilities: {tools: ["fs__read*"], paths: [${data}]}`, ", tools: [fs]");
talks("nasty", `{n: {command: ${nasty(logOf("nasty"))}}}`, "", ", tools: [n]");
talks("change", `{n: {command: ${nasty(logOf("change"))}}}`, "", ", tools: [n]");
talks("shrinks", `{n: {command: ${nasty(logOf("shrinks"))}}}`, "", ", tools: [n]");
talks("narrow", `{n: {command: ${nasty(logOf("narrow"))}}}`, "", ", tools: [n__echo]");
talks("misspelt", `{n: {command: ${nasty(logOf("misspelt"))}}}`, "", ", tools: [n__ecko]");
talks("many", `{n: {command: ${nasty(logOf("many"))}}}`, "", ", tools: [n]");
talks("policies", `{n: {command: ${nasty(logOf("policies"))}}}`, "tools: {n__hang: {timeout: 1s}, n__echo: {approval: true}, n__slow: {timeout: 20s}}", ", tools: [n]");
file("child", `
state: {messages: {reducer: messages}}
capabilities: {tools: [n__echo]}
nodes:
  talk:
    agent:
      state: {messages: {reducer: messages}}
      mcp: {n: {command: ${nasty(logOf("child"))}}}
      nodes: {talk: {llm: {tools: [n], max_turns: 3}}}
      edges: [[START, talk]]
edges: [[START, talk]]
`);
talks("slowstart", `{n: {command: ${nasty(logOf("slowstart"), ', "--start=1500"')}}}`, "", ", tools: [n]");
talks("crash", `{n: {command: ${nasty(logOf("crash"))}}}`, "", ", tools: [n]");
talks("envs", `{n: {command: ${nasty(logOf("envs"))}, env: {GIVEN: "env:MCP_TEST_TOKEN", PLAIN: here}}}`, "", ", tools: [n__env]");
one("dies", `{n: {command: ${nasty(logOf("dies"), ', "--mode=dies"')}}}`, "n__echo", "{text: \"'x'\"}");
one("old", `{n: {command: ${nasty(logOf("old"), ', "--revision=1999-01-01"')}}}`, "n__echo", "{text: \"'x'\"}");
one("absent", "{n: {command: [/nonexistent/program]}}", "n__echo", "{text: \"'x'\"}");
one("unset", `{n: {command: ${nasty(logOf("unset"))}, env: {A: "env:NOT_SET_AT_ALL"}}}`, "n__echo", "{text: \"'x'\"}");
one("header", `{n: {url: "http://127.0.0.1:${headerPort}/mcp", headers: {Authorization: "Bearer env:MCP_TEST_TOKEN"}}}`, "n__echo", "{text: \"'x'\"}");
one("hang", `{n: {command: ${nasty(logOf("hang"))}}}`, "n__hang", "{}", "timeout: 3s");
one("says_no", `{n: {command: ${nasty(logOf("says_no"))}}}`, "n__fail", "{}");
one("dying", `{n: {command: ${nasty(logOf("dying"))}}}`, "n__die", "{}");
one("fine", `{n: {command: ${nasty(logOf("fine"))}}}`, "n__echo", "{text: \"'good'\"}");
one("early", `{n: {command: ${nasty(logOf("early"), ', "--early=1"')}}}`, "n__echo", "{text: \"'good'\"}");
file("unreached", `
state: {messages: {reducer: messages}, caught: {}}
mcp: {n: {command: ${nasty(logOf("unreached"), ', "--mode=dies"')}}}
initial: talk
states:
  talk:
    llm: {tools: [n]}
    on: {done: end, error.tool.n: {target: end, assign: {caught: event.data.message}}}
  end: {type: final}
`);

const start = (more = {}) => startServer({ dir, env, args: ["--agents", agents, "--shards", shards, ...(more.args ?? [])] });
const wait = async (s, id, input, more = {}) => call(s, "POST", "/runs/wait", { assistant_id: id, input, ...more });
const say = (turns) => ({ messages: [{ role: "user", content: JSON.stringify(turns) }] });
const answers = (r) => r.json.messages.filter((m) => m.type === "tool").map((m) => [m.status, m.content]);
const asked = () => model.asked.at(-1).tools?.map((t) => t.function.name) ?? [];
let server = await start();

for (const id of ["every", "every_http"])
  await scenario(`${id}: real tools`, async () => {
    model.asked.length = 0;
    const r = await wait(server, id, say([[["e__echo", { message: "hello" }], ["e__get-sum", { a: 2, b: 3 }], ["e__get-tiny-image"], ["e__get-structured-content", { location: "Chicago" }],
      ["e__trigger-long-running-operation", { duration: 2, steps: 4 }], ["e__get-resource-links", { count: 2 }], ["e__get-sum", { a: "two" }]]]));
    check(r.status === 200 && Array.isArray(r.json?.messages), `${id}: it ends`, r.text);
    const a = answers(r);
    check(asked().includes("e__echo") && asked().includes("e__get-sum"), `${id}: tools are offered`, asked());
    check(!JSON.stringify(model.asked[0].tools).includes("$schema"), `${id}: schemas without $schema`);
    equal(a[0], ["success", "Echo: hello"], `${id}: echo`);
    equal(a[1], ["success", "The sum of 2 and 3 is 5."], `${id}: sum`);
    check(a[2][0] === "success" && /image/.test(a[2][1]) && a[2][1].length < 2000, `${id}: an image is named, not shown`, a[2]);
    check(a[3][0] === "success" && /temperature/.test(a[3][1]), `${id}: structured content`, a[3]);
    check(a[4][0] === "success" && /completed/.test(a[4][1]), `${id}: long running, with progress`, a[4]);
    check(a[5][0] === "success" && /resource/i.test(a[5][1]), `${id}: links`, a[5]);
    check(a[6][0] === "error" && /the call was not made/.test(a[6][1]), `${id}: wrong arguments are refused here`, a[6]);
  });

await scenario("a filesystem server", async () => {
  const r = await wait(server, "files", say([[["fs__read_text_file", { path: path.join(data, "a.txt") }], ["fs__read_text_file", { path: path.join(dir, "secret.txt") }],
    ["fs__write_file", { path: path.join(data, "b.txt"), content: "written" }], ["fs__move_file", { source: path.join(data, "a.txt"), destination: path.join(data, "c.txt") }]]]));
  const a = answers(r);
  equal(asked().toSorted(), ["fs__list_directory", "fs__read_text_file", "fs__write_file"], "files: only what the file lists is offered");
  check(a[0][0] === "success" && a[0][1].includes("the text of a"), "files: a file is read", a[0]);
  check(a[1][0] === "error" && !a[1][1].includes("a secret"), "files: one outside is not", a[1]);
  equal(readFileSync(path.join(data, "b.txt"), "utf8"), "written", "files: a file is written");
  check(a[3][0] === "error" && existsSync(path.join(data, "a.txt")), "files: a tool that is not listed is refused", a[3]);
});
await scenario("capabilities", async () => {
  // The server asks for its roots beside its first calls, and takes a while to use them.
  const read = [["fs__read_text_file", { path: path.join(data, "a.txt") }], ["fs__write_file", { path: path.join(data, "d.txt"), content: "x" }]];
  const a = await until(async () => { const got = answers(await wait(server, "rooted", say([read]))); return got[0][0] === "success" && got; }, "the server to use its roots");
  check(asked().length > 1 && asked().every((n) => n.startsWith("fs__read")), "capabilities: only tools that they allow", asked());
  check(a[0][0] === "success" && a[0][1].includes("the text of a"), "capabilities: paths are the server's roots", a[0]);
  check(a[1][0] === "error" && !existsSync(path.join(data, "d.txt")), "capabilities: others cannot be called", a[1]);
});

await scenario("names", async () => {
  const r = await wait(server, "nasty", say([]));
  const names = asked();
  check(names.every((n) => /^[A-Za-z0-9_-]{1,64}$/.test(n)) && new Set(names).size === names.length, "names: plain and different", names);
  const odd = names.filter((n) => n.startsWith("n__odd_name"));
  equal(odd.length, 2, "names: two odd ones");
  const a = answers(await wait(server, "nasty", say([odd.map((n) => [n, {}])])));
  equal(a.map((x) => x[1]).toSorted(), ["even odder", "odd"], "names: they are called by theirs");
  check(r.status === 200, "names: it ends");
});
await scenario("what a broken server does", async () => {
  const r = await wait(server, "nasty", say([[["n__huge"], ["n__twice"], ["n__garbage"], ["n__flood"], ["n__fail"]], [["n__echo", { text: "still here" }]]]));
  const a = answers(r);
  check(a[0][0] === "success" && a[0][1].length < 1_100_000 && a[0][1].length > 1000, "nasty: a huge result is cut", a[0][1].length);
  equal(a[1], ["success", "first"], "nasty: the second answer is dropped");
  equal(a[2], ["success", "after garbage"], "nasty: garbage is passed over");
  equal(a[3], ["success", "after the flood"], "nasty: a flood");
  equal(a[4], ["error", "it cannot be done"], "nasty: a tool that fails");
  equal(a[5], ["success", "echo still here"], "nasty: it is alive");
  check(pids(logOf("nasty")).length <= Number(shards) * processes(server), "nasty: one process a shard", pids(logOf("nasty")).length);
});
await scenario("a server that dies", async () => {
  const r = await wait(server, "nasty", say([[["n__die"]], [["n__echo", { text: "again" }]]]));
  const a = answers(r);
  check(a[0][0] === "error" && /unknown_outcome/.test(a[0][1]), "dies: the outcome is unknown", a[0]);
  check(a[1][0] === "success" || /MCP server n/.test(a[1][1]), "dies: the next call is made, or told why not", a[1]);
  await until(async () => answers(await wait(server, "nasty", say([[["n__echo", { text: "back" }]]]))).at(-1)?.[1] === "echo back", "the server to be started again");
  const e = await wait(server, "nasty", say([[["n__endless"]]]));
  check(answers(e)[0][0] === "error", "dies: one that sends a message without end is ended", answers(e)[0][1].slice(0, 300));
  await until(async () => answers(await wait(server, "nasty", say([[["n__echo", { text: "back" }]]]))).at(-1)?.[1] === "echo back", "it to be back");
});
await scenario("lists that change", async () => {
  let r = await wait(server, "change", say([[["n__grow"]], [["n__added"]]]));
  equal(answers(r).map((x) => x[1]), ["grown", "I am new"], "change: what is new is called");
  check(!model.asked.at(-3).tools.some((t) => t.function.name === "n__added") && asked().includes("n__added"), "change: the next turn is offered it");
  r = await wait(server, "shrinks", say([[["n__shrink"]], [["n__echo", { text: "x" }]]]));
  const a = answers(r);
  check(a[1][0] === "error" && /no tool "n__echo"/.test(a[1][1]), "change: a tool that is gone is told", a[1]);
  check(!asked().includes("n__echo"), "change: and not offered");
});
await scenario("only what the file names", async () => {
  const r = await wait(server, "narrow", say([[["n__echo", { text: "x" }], ["n__slow", { ms: 1 }]]]));
  equal(asked(), ["n__echo"], "narrow: one tool");
  equal(answers(r).map((x) => x[0]), ["success", "error"], "narrow: others cannot be called");
  equal(calls(logOf("narrow"), "slow"), 0, "narrow: it was not called");
  const m = await wait(server, "misspelt", say([]));
  check(/it has no tool 'n__ecko'; it has: echo/.test(m.text), "misspelt: the run says what there is", m.text);
});
await scenario("a server that cannot be reached", async () => {
  const n = model.asked.length;
  const r = await wait(server, "unreached", say([]));
  check(/the MCP server n: /.test(r.json?.caught), "unreached: caught before the model is asked", r.json);
  equal(model.asked.length, n, "unreached: the model was not asked");
  for (const [id, words] of [["dies", /MCP server n/], ["old", /revision "1999-01-01"/], ["absent", /MCP server n/], ["unset", /NOT_SET_AT_ALL is not set/], ["header", /401/]]) {
    const x = await wait(server, id, {});
    check(x.json?.caught === "error.tool.n__echo" && words.test(x.json.words), `${id}: error.tool.n__echo with words`, x.json);
  }
  equal(seen[0]?.authorization, "Bearer tok-4711", "header: the reference was resolved");
});
await scenario("calls by the agent itself", async () => {
  const r = await wait(server, "fine", {});
  equal(r.json.out, "echo good", "fine: its result");
  equal((await wait(server, "early", {})).json.out, "echo good", "early: answers to nothing are passed over");
  const f = await wait(server, "says_no", {});
  equal([f.json.caught, f.json.words], ["error.tool.n__fail", "it cannot be done"], "says_no: its words");
  const d = await wait(server, "dying", {});
  equal(d.json.caught, "error.tool.unknown_outcome", "dying: unknown");
  const h = await wait(server, "hang", {});
  equal(h.json.caught, "error.timeout", "hang: its time limit");
  await until(() => lines(logOf("hang")).includes("cancelled"), "the server to hear that the call is cancelled");
});
await scenario("slow start", async () => {
  equal(answers(await wait(server, "slowstart", say([[["n__echo", { text: "late" }]]]))), [["success", "echo late"]], "slow start: it is waited for");
});
await scenario("environment and secrets", async () => {
  const got = JSON.parse(answers(await wait(server, "envs", say([[["n__env"]]])))[0][1]);
  equal([got.GIVEN, got.PLAIN], ["tok-4711", "here"], "env: given");
  equal([got.OPENAI_API_KEY, got.MCP_TEST_TOKEN], [undefined, undefined], "env: nothing else of ours");
  for (const t of ["/assistants/search"]) check(!(await call(server, "POST", t, {})).text.includes("tok-4711"), `secrets: not in ${t}`);
  check(!server.log.includes("tok-4711"), "secrets: not in the log");
});
await scenario("a person decides first", async () => {
  const t = (await call(server, "POST", "/threads", {})).json.thread_id, before = calls(logOf("nasty"), "echo");
  const config = { configurable: { interrupt_on: { n__echo: true } } };
  const r = await call(server, "POST", `/threads/${t}/runs/wait`, { assistant_id: "nasty", input: say([[["n__echo", { text: "ask" }]]]), config });
  check(JSON.stringify(r.json.__interrupt__ ?? r.json).includes("n__echo"), "review: it waits", r.json);
  equal(calls(logOf("nasty"), "echo"), before, "review: not called before");
  const done = await call(server, "POST", `/threads/${t}/runs/wait`, { assistant_id: "nasty", command: { resume: { decisions: [{ type: "approve" }] } }, config });
  equal(answers(done), [["success", "echo ask"]], "review: called after");
});
const alone = (...args) => new Promise((done) => execFile(binary, args, { env: { ...process.env, ...env } },
  (e, stdout, stderr) => done({ status: e === null ? 0 : e.code, stdout, stderr })));
await scenario("replays, without the server", async () => {
  const log = lines(logOf("nasty")).length;
  for (const turns of [[[["n__echo", { text: "x" }], ["n__echo", { text: 7 }], ["n__none"]], [["n__fail"]]]]) {
    const t = (await call(server, "POST", "/threads", {})).json.thread_id;
    const r = (await call(server, "POST", `/threads/${t}/runs`, { assistant_id: "nasty", input: say(turns) })).json;
    await until(async () => (await call(server, "GET", `/threads/${t}/runs/${r.run_id}`)).json.status === "success", "the run to end");
    const before = lines(logOf("nasty")).length, x = await alone("replay", r.run_id, "--thread", t, "--url", server.url);
    check(x.status === 0 && /^same: /.test(x.stdout), "replay: the same", x);
    equal(lines(logOf("nasty")).length, before, "replay: nothing was called");
  }
  check(lines(logOf("nasty")).length > log, "replay: the run itself called");
});
await scenario("policies and children", async () => {
  let r = await wait(server, "policies", say([[["n__hang"], ["n__slow", { ms: 1500 }]]]));
  check(/unknown_outcome|did not answer/.test(answers(r)[0][1]) && answers(r)[0][0] === "error", "policies: a time limit", answers(r));
  equal(answers(r)[1], ["success", "slow done"], "policies: a longer one");
  r = await wait(server, "policies", say([[["n__echo", { text: "x" }]]]));
  check(r.text.includes("action_requests") && calls(logOf("policies"), "echo") === 0, "policies: a person decides", r.text);
  r = await wait(server, "child", say([[["n__echo", { text: "x" }], ["n__slow", { ms: 1 }]]]));
  equal(asked(), ["n__echo"], "child: its caller's capabilities");
  equal(answers(r).map((a) => a[0]), ["success", "error"], "child: what it may call");
});
await scenario("mcp_config", async () => {
  const url = `http://127.0.0.1:${everyPort}`;
  const refused = async (mcp_config, words, what) => {
    const r = await wait(server, "agent", say([]), { config: { configurable: { mcp_config } } });
    check(r.status === 422 && words.test(r.text), `mcp_config: ${what}`, r.text);
  };
  await refused({ url }, /mcp-hosts/, "a host that is not allowed");
  await refused({ mcpServers: { a: { command: "sh", args: ["-c", "id"] } } }, /cannot start a program/, "a command");
  await refused({ mcpServers: { a__b: { url } } }, /not a server's name/, "a bad name");
  await refused({ mcpServers: { a: { url, transport: "stdio" } } }, /expected http/, "another transport");
  await refused({ url, auth_required: true }, /tokens are not exchanged/, "auth_required");
  await refused({ url: "file:///etc/passwd" }, /expected an http/, "another scheme");
  await refused({ url, colour: 1 }, /colour: not known/, "an unknown key");
  await refused("x", /expected an object/, "a string");
});

await scenario("200 runs at once", async () => {
  const all = await Promise.all(Array.from({ length: 200 }, (_, i) => wait(server, "many", say([[["n__slow", { ms: 100 }], ["n__echo", { text: `t${i}` }]]]))));
  equal(all.filter((r, i) => JSON.stringify(answers(r)) === JSON.stringify([["success", "slow done"], ["success", `echo t${i}`]])).length, 200, "many: each gets its own answers");
  check(pids(logOf("many")).length <= Number(shards) * processes(server), "many: one process a shard", pids(logOf("many")).length);
});

const everyLog = ["nasty", "change", "many", "crash", "hang", "slowstart"];
const left = () => everyLog.flatMap((n) => pids(logOf(n))).filter(alive);
await scenario("SIGTERM leaves no process", async () => {
  check(left().length > 0, "processes: some run");
  const zombies = spawnSync("ps", ["-o", "stat=", "--ppid", String(server.child.pid)], { encoding: "utf8" }).stdout.split("\n").filter((l) => l.trim().startsWith("Z"));
  equal(zombies.length, 0, "processes: no zombies");
  equal((await server.stop()).code, 0, "processes: it ends");
  await until(() => left().length === 0, "the servers to end");
});

// ---- kill -9 --------------------------------------------------------------------------------------

server = await start({ args: ["--mcp-hosts", `127.0.0.1:${everyPort}`] });
await scenario("mcp_config, allowed", async () => {
  const url = `http://127.0.0.1:${everyPort}`;
  let r = await wait(server, "agent", say([[["mcp__echo", { message: "x" }]]]), { config: { configurable: { mcp_config: { url, tools: ["echo", "get-sum"], auth_required: false } } } });
  equal(answers(r), [["success", "Echo: x"]], "mcp_config: called");
  equal(asked().filter((n) => n.startsWith("mcp__")), ["mcp__echo", "mcp__get-sum"], "mcp_config: those that are named");
  r = await wait(server, "agent", say([[["my__echo", { message: "y" }]]]), { config: { configurable: { mcp_config: { mcpServers: { my: { url: `${url}/mcp`, transport: "streamable_http" } } } } } });
  equal(answers(r), [["success", "Echo: y"]], "mcp_config: mcpServers");
  r = await wait(server, "narrow", say([[["mcp__echo", { message: "x" }]]]), { config: { configurable: { mcp_config: { url } } } });
  equal(answers(r)[0][0], "error", "mcp_config: not for an llm that names its tools");
});
for (const [name, want, n] of [["slow", /unknown_outcome/, 1], ["slow_again", /slow done/, 2]])
  await scenario(`kill -9 in ${name}`, async () => {
    const t = (await call(server, "POST", "/threads", {})).json.thread_id, log = logOf("crash");
    const r = (await call(server, "POST", `/threads/${t}/runs`, { assistant_id: "crash", input: say([[[`n__${name}`, { ms: 1200 }]]]) })).json;
    await until(() => calls(log, name) === 1, "the call");
    await server.stop("SIGKILL");
    await until(() => left().length === 0, "its servers to end with it");
    server = await start();
    const done = await until(async () => { const x = (await call(server, "GET", `/threads/${t}/runs/${r.run_id}`)).json; return x.status === "success" && x; }, "the run to end");
    check(done.status === "success", `${name}: it goes on`);
    const state = (await call(server, "GET", `/threads/${t}/state`)).json;
    check(want.test(state.values.messages.find((m) => m.type === "tool").content), `${name}: its answer`, state.values.messages);
    equal(calls(log, name), n, `${name}: called so often`);
  });
await scenario("cancelled", async () => {
  const t = (await call(server, "POST", "/threads", {})).json.thread_id, log = logOf("crash");
  const n = lines(log).filter((l) => l === "cancelled").length, before = calls(log, "hang");
  const r = (await call(server, "POST", `/threads/${t}/runs`, { assistant_id: "crash", input: say([[["n__hang"]]]) })).json;
  await until(() => calls(log, "hang") > before, "the call");
  await call(server, "POST", `/threads/${t}/runs/${r.run_id}/cancel?wait=true`);
  await until(() => lines(log).filter((l) => l === "cancelled").length > n, "the server to hear of it");
});
await server.stop();

// ---- alone -------------------------------------------------------------------------------------------

await scenario("cohort agent run", async () => {
  const run = (id) => alone("agent", "run", path.join(agents, `${id}.yaml`), "--quiet");
  const r = await run("fine");
  equal(r.status === 0 && JSON.parse(r.stdout).out, "echo good", "alone: it works");
  const u = await run("header");
  check(!/tok-4711/.test(u.stdout + u.stderr), "alone: no secret is shown", u.stdout + u.stderr);
  await until(() => pids(logOf("fine")).filter(alive).length === 0, "its server to end");
});

headerServer.close();
every.kill("SIGKILL");
finish();
