// models.mjs - providers and aliases of cohort.yaml against servers that fail in
// every way: who is asked next, who waits, and that keys stay where they belong.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { binary, call, check, equal, finish, freePort, processes, scenario, scratch, startMock, startServer, until } from "./lib.mjs";

process.setMaxListeners(0);                  // one a scratch folder
const KEY = "sk-secret-0123456789", OTHER = "file-secret-9876543210";

// A model server that answers as `reply(request number, headers)` says.
async function fake(reply) {
  const s = { seen: 0, now: 0, most: 0, keys: new Set() };
  s.server = http.createServer((req, res) => {
    let body = "";
    req.on("data", (d) => body += d);
    req.on("end", async () => {
      s.keys.add(req.headers.authorization);
      s.most = Math.max(s.most, ++s.now);
      const r = await reply(s.seen++, req.headers, body ? JSON.parse(body) : {});
      res.writeHead(r.status ?? 200, { "content-type": "application/json", ...r.headers });
      s.now--;
      res.end(JSON.stringify(r.body ?? { id: "c1", choices: [{ message: { content: "hello" }, finish_reason: "stop" }], usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 } }));
    });
  });
  const port = await freePort();
  await new Promise((r) => s.server.listen(port, "127.0.0.1", r));
  s.url = `http://127.0.0.1:${port}/v1`;
  return s;
}

function folder(yaml, agents = {}) {
  const dir = scratch();
  writeFileSync(path.join(dir, "cohort.yaml"), yaml, { mode: 0o600 });
  mkdirSync(path.join(dir, "agents"));
  for (const [name, text] of Object.entries(agents)) writeFileSync(path.join(dir, "agents", name), text);
  return dir;
}

const ask = (server, assistant, input = { messages: [{ role: "user", content: "hi" }] }) =>
  call(server, "POST", "/runs/wait", { assistant_id: assistant, input });
const last = (r) => r.json?.messages?.at(-1)?.content;
// Not spawnSync: the servers that it asks are in this process.
const cli = (dir, args, env = {}) => new Promise((resolve) => {
  const child = spawn(binary, args, { cwd: dir, env: { PATH: process.env.PATH, HOME: dir, ...env } });
  const out = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].on("data", (d) => out[name] += d);
  child.on("close", (status) => resolve({ ...out, status }));
});
const agent = (model, more = "") => `id: ${model.replace(/[^a-z0-9]/g, "-")}
state:
  messages: {reducer: messages}
nodes:
  say: {llm: {model: "${model}"${more}}}
edges:
  - [START, say]
`;

await scenario("who said in 30 seconds is left out, and the next is asked", async () => {
  const slow = await fake(() => ({ status: 429, headers: { "retry-after": "30" }, body: { error: { message: "slow down" } } }));
  const good = await fake(() => ({}));
  const dir = folder(`providers:\n  one: {type: openai, base_url: "${slow.url}", api_key: env:ONE}\n  two: {type: openai, base_url: "${good.url}", api_key: file:two.key}\nmodels: {both: {targets: [one:m, two:m]}}\nmodel: both\n`);
  writeFileSync(path.join(dir, "two.key"), OTHER + "\n", { mode: 0o600 });
  const s = await startServer({ dir, env: { ONE: KEY }, memory: true });
  for (let i = 0; i < 3; i++) equal(last(await ask(s, "agent")), "hello", `run ${i}`);
  check(slow.seen >= 1 && slow.seen <= processes(s), "the slow one was asked once by each node", slow.seen);
  equal(good.seen, 3, "the other answered all");
  equal([...slow.keys, ...good.keys], [`Bearer ${KEY}`, `Bearer ${OTHER}`], "each its own key");
  check(/llm fallback model=one:m next=two:m event=error.llm.rate_limited reason="429 slow down"/.test(s.log), "the log names both and the reason", s.log);
  await s.stop();
});

await scenario("every fault of a server moves on to the next", async () => {
  const faults = ["500", "529", "drop", "reset"];
  const good = await startMock(["--response", "hello"]);
  const bad = await Promise.all(faults.map((f) => startMock(["--faults", `${f}=1`])));
  const dir = folder(`providers:\n  good: {type: openai, base_url: "${good.url}/v1"}\n` +
    `  dead: {type: openai, base_url: "http://127.0.0.1:${await freePort()}/v1"}\n` +
    faults.map((f, i) => `  p${f}: {type: openai, base_url: "${bad[i].url}/v1"}\n`).join("") +
    "models:\n" + [...faults.map((f) => `p${f}`), "dead"].map((p) => `  a-${p}: {targets: [${p}:m, good:m]}\n`).join("") + "model: good:m\nagents: agents\n",
    Object.fromEntries([...faults.map((f) => `p${f}`), "dead"].map((p) => [`${p}.yaml`, agent(`a-${p}`)])));
  const s = await startServer({ dir, memory: true });
  const got = await Promise.all([...faults.map((f) => `p${f}`), "dead"].map((p) => ask(s, `a-${p}`)));
  got.forEach((r, i) => equal(last(r), "hello", `fault ${faults[i] ?? "no connection"}: ${r.text}`));
  await s.stop();
});

await scenario("one call at once over four shards, a hundred calls", async () => {
  const one = await fake(async () => { await new Promise((r) => setImmediate(r)); return {}; });
  const dir = folder(`providers: {one: {type: openai, base_url: "${one.url}", concurrency: 1}}\nmodel: one:m\n`);
  const s = await startServer({ dir, args: ["--shards", "4"], memory: true });
  const got = await Promise.all(Array.from({ length: 100 }, () => ask(s, "agent")));
  equal(got.filter((r) => last(r) === "hello").length, 100, "all were answered");
  check(one.seen === 100 && one.most <= processes(s), "one after the other, of each node", [one.seen, one.most]);
  await s.stop();
});

await scenario("keys stay where they belong", async () => {
  const echo = await fake((n, headers) => ({ status: 401, body: { error: { message: `who is ${headers.authorization}` } } }));
  const dir = folder(`providers:\n  one: {type: openai, base_url: "${echo.url}", api_key: ${KEY}}\n  two: {type: openai, base_url: "${echo.url}", api_key: env:TWO}\nmodels: {both: {targets: [one:m, two:m]}}\nmodel: both\n`);
  const env = { TWO: OTHER };
  const s = await startServer({ dir, env, args: ["--log-level", "debug"], memory: true });
  const r = await ask(s, "agent");
  const said = [r.text, s.log];
  for (const args of [["config"], ["models", "list"], ["models", "check"], ["models", "check", "--json"], ["models", "check", "two:m"]]) {
    const out = await cli(dir, args, env);
    said.push(out.stdout, out.stderr);
    equal(out.status, args[1] === "check" ? 1 : 0, args.join(" "));
  }
  check(said[0].includes("[redacted]"), "the server's words are told without the key", said[0]);
  check(!said.join("\n").includes(KEY) && !said.join("\n").includes(OTHER), "no key anywhere", said.join("\n"));
  await s.stop();
});

await scenario("what is wrong with the settings is told with its place", async () => {
  const rows = [
    ["models: {a: {targets: [opnai:x]}}", "cohort.yaml:1: models.a: model: the provider \"opnai\" is not known"],
    ["models:\n  a: b\n  b: a\n", "cohort.yaml:2: models.a: targets: a cycle"],
    ["models:\n  a: {target: [openai:x]}", "cohort.yaml:2: models.a: unknown key \"target\"; did you mean targets?"],
    ["models:\n  a:\n    targets: [openai:x]\n    price: {input: cheap, output: 1}", "cohort.yaml:4: models.a: price.input: expected USD a million tokens"],
    ["providers:\n  x: {type: openai, api_key: env:NOT_THERE}", "cohort.yaml:2: providers.x: api_key: $NOT_THERE is not set"],
    ["providers:\n  x: {type: openai, api_key: file:not-there}", "cohort.yaml:2: providers.x: api_key: "],
    ["providers:\n  x: {type: gpt}", "cohort.yaml:2: providers.x: type: expected one of"],
    ["providers:\n  x: {type: openai, concurrency: 0}", "cohort.yaml:2: providers.x: concurrency: expected a number from 1"],
    ["providers:\n  x: {type: openai, base_url: ftp://x}", "cohort.yaml:2: providers.x: base_url: expected https://HOST/PATH"],
    ["models: [a]", "cohort.yaml:1: expected a map of names"],
  ];
  for (const [yaml, words] of rows) {
    const out = await cli(folder(yaml), ["models", "list"]);
    check(out.status === 1 && out.stderr.includes(words), words, out.stderr + out.stdout);
  }
});

await scenario("needs are checked when a file is loaded", async () => {
  const good = await fake(() => ({}));
  const yaml = `providers: {one: {type: openai, base_url: "${good.url}"}}\nmodels:\n  eyes: {targets: [one:m], has: [tools, vision]}\n  plain: one:m\nmodel: plain\nagents: agents\n`;
  const dir = folder(yaml, { "ok.yaml": agent("eyes", ", needs: [vision]"), "no.yaml": agent("plain", ", needs: [vision]"),
    "odd.yaml": agent("one:x", ", needs: [sight]"), "more.yaml": agent("one:y", ", fallbacks: [plain, eyes]") });
  const s = await startServer({ dir, memory: true });
  equal(last(await ask(s, "eyes")), "hello", "it has what it needs");
  equal(last(await ask(s, "one-y")), "hello", "fallbacks of a file");
  equal((await ask(s, "plain")).status, 404, "it was refused");
  await until(() => /no.yaml:5:\d+: needs: the model "?\\?"?plain/.test(s.log) && /needs: expected tools, vision, json_schema or reasoning, got/.test(s.log), "words in the log").catch((e) => check(false, "words", s.log));
  await s.stop();
});

await scenario("models check says what works", async () => {
  const m = await startMock();
  const dir = folder(`providers: {one: {type: openai, base_url: "${m.url}/v1"}}\nmodels: {a: one:m}\n`);
  const out = await cli(dir, ["models", "check", "a", "--json"]);
  const row = JSON.parse(out.stdout.split("\n")[0] || "{}");
  equal([row.alias, row.model, row.answer, row.stream], ["a", "one:m", true, true], out.stdout + out.stderr);
  check(row.input_tokens > 0 && row.latency_ms >= 0, "tokens and latency", out.stdout);
});

finish();
