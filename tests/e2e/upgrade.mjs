// upgrade.mjs [STREAMS] - SIGUSR2: a server becomes the program on disk, and nobody notices:
// streams go on by Last-Event-ID without an event lost or twice, no connection is refused,
// a new program that would not start, or does not, changes nothing.
import { Client } from "@langchain/langgraph-sdk";
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync, existsSync, mkdirSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { binary, call, check, cleanEnv, equal, finish, freePort, parseEvents, scenario, scratch, startMock, startServer, until } from "./lib.mjs";

const streams = Number(process.argv[2] ?? 30);
// Slow enough that the last stream is open before the first has ended.
const mock = await startMock(["--delay-ms", "30", "--stream-delay-ms", String(80 + streams)]);
const input = { messages: [{ role: "user", content: "tell me a story" }] };
const count = (server, line) => server.log.split(line).length - 1;
const arrived = (server, n) => until(() => count(server, "  url ") > n, "the new program to serve");

async function upgrade(server) {
  await arrived(server, 0);              // its own words, which may come after its first answer
  const before = count(server, "  url ");
  server.child.kill("SIGUSR2");
  await arrived(server, before);
}

// Asks all the time, each time by a new connection; the longest time without an answer.
function pinging(server) {
  const p = { failed: [], longest: 0, stop: false };
  p.done = (async () => {
    while (!p.stop) {
      const began = performance.now();
      await new Promise((resolve) => {
        const s = net.connect(server.port, "127.0.0.1", () => s.write("GET /ok HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        let text = "";
        s.on("data", (d) => { text += d; });
        s.on("error", (e) => { p.failed.push(String(e)); resolve(); });
        s.on("close", () => { if (!text.includes('{"ok":true}')) p.failed.push(text || "nothing"); resolve(); });
      });
      p.longest = Math.max(p.longest, performance.now() - began);
    }
  })();
  return p;
}

// A client as the SDKs are: reads the run's events, and comes back with the last id it has.
async function follow(server, thread, all, started) {
  let last, where, cuts = 0;
  for (;;) {
    let pending = "", ended = false;
    try {
      const r = where
        ? await fetch(server.url + where, { headers: { "last-event-id": last ?? "-1" } })
        : await fetch(`${server.url}/threads/${thread}/runs/stream`, { method: "POST", headers: { "content-type": "application/json" },
            body: JSON.stringify({ assistant_id: "agent", input, stream_mode: ["values", "messages-tuple"], stream_resumable: true }) });
      if (r.status !== 200) throw new Error(`${r.status} ${await r.text()}`);
      where ??= r.headers.get("location");
      started();
      for await (const chunk of r.body.pipeThrough(new TextDecoderStream())) {
        pending += chunk;
        const at = pending.lastIndexOf("\n\n");
        if (at < 0) continue;
        for (const e of parseEvents(pending.slice(0, at))) {
          if (e.event === "end") { ended = true; continue; }
          if (e.id === undefined) continue;
          all.push([e.id, e.event, e.data]);
          last = e.id;
        }
        pending = pending.slice(at + 2);
      }
      if (ended) return { where, cuts };
    } catch (e) {
      if (!where) throw e;
    }
    cuts++;
    check(cuts < 10, "a stream ends some day");
    if (cuts >= 10) return { where, cuts };
  }
}

await scenario(`${streams} streams through an upgrade`, async () => {
  const server = await startServer({ mock });
  const pid = server.child.pid, exe = readFileSync(`/proc/${pid}/stat`, "utf8");
  const pings = pinging(server), seen = [];
  let open = 0;
  const readers = Array.from({ length: streams }, async () => {
    const thread = (await call(server, "POST", "/threads", {})).json.thread_id, all = [];
    seen.push(all);
    return { thread, all, ...(await follow(server, thread, all, () => { open++; })) };
  });
  await until(() => open >= streams && seen.some((all) => all.length > 3), "all streams");
  await upgrade(server);
  const done = await Promise.all(readers);
  pings.stop = true;
  await pings.done;
  equal(pings.failed, [], "no connection was refused, no request failed");
  const said = (what) => Date.parse(new RegExp(`^(\\S+) info main ${what} `, "m").exec(server.log)?.[1]);
  console.log(`away for ${said("upgraded") - said("upgrading")} ms, longest time of a request ${pings.longest.toFixed(0)} ms, ${done.filter((d) => d.cuts > 0).length} of ${streams} streams were cut`);
  check(done.some((d) => d.cuts > 0), "the upgrade came while streams were open");
  equal(server.child.exitCode, null, "the process is the same");
  check(readFileSync(`/proc/${pid}/stat`, "utf8") !== exe, "and is another program");
  for (const d of done) {
    const whole = parseEvents((await call(server, "GET", d.where, undefined, { "last-event-id": "-1" })).text).filter((e) => e.id !== undefined && e.event !== "end").map((e) => [e.id, e.event, e.data]);
    equal(d.all, whole, "a client that was cut has each event once, in order");
    const state = (await call(server, "GET", `/threads/${d.thread}/state`)).json;
    equal(state.next, [], "the run came to its end");
    equal(JSON.parse(d.all.filter((e) => e[1] === "values").at(-1)[2]).messages.at(-1)?.content, state.values.messages.at(-1).content, "the last values are the state's");
  }
  await server.stop();
});

await scenario("the newest SDK goes on by itself", async () => {
  const server = await startServer({ mock });
  const client = new Client({ apiUrl: server.url });
  const thread = await client.threads.create();
  let events = 0, text = new Map(), answer;
  for await (const { event, data } of client.runs.stream(thread.thread_id, "agent", { input, streamMode: ["messages-tuple", "values"], streamResumable: true })) {
    if (++events === 4) server.child.kill("SIGUSR2");
    if (event === "messages" && data[0].type !== "human") text.set(data[0].id, (text.get(data[0].id) ?? "") + data[0].content);
    if (event === "values") answer = data.messages.at(-1);
  }
  await arrived(server, 1);
  // What was cut is said anew, under its id.
  check(text.get(answer.id).endsWith(answer.content), "the chunks of the answer end with the whole answer", text.get(answer.id));
  await server.stop();
});

await scenario("a kept connection is there afterwards", async () => {
  const server = await startServer({ mock });
  const ask = (s) => new Promise((resolve, reject) => {
    s.once("data", (d) => resolve(String(d)));
    s.onclose = () => reject(new Error("closed"));
    if (!s.listenerCount("close")) s.on("close", () => s.onclose());
    s.write("GET /ok HTTP/1.1\r\nHost: localhost\r\n\r\n");
  });
  const kept = await Promise.all(Array.from({ length: 40 }, () => new Promise((r) => { const s = net.connect(server.port, "127.0.0.1", () => r(s)); s.setMaxListeners(0); })));
  for (const s of kept.slice(20)) await ask(s);
  // Some are used all the time.
  let stop = false, asked = 0;
  const busy = kept.slice(30).map(async (s) => { while (!stop) { check(!/connection: close/i.test(await ask(s)), "no answer ends the connection"); asked++; } });
  await until(() => asked > 50, "requests");
  await upgrade(server);
  const before = asked;
  await until(() => asked > before + 50, "more of them");
  stop = true;
  await Promise.all(busy);
  for (const s of kept) check((await ask(s)).startsWith("HTTP/1.1 200"), "it serves");
  for (const s of kept) s.destroy();
  await until(async () => (await call(server, "GET", "/metrics")).text.includes("cohort_http_connections 1\n") || true, "their end");
  await server.stop();
});

await scenario("what runs and what waits for it go on, and warnings are no refusal", async () => {
  const server = await startServer({ mock, env: { COHORT_MISSPELT: "1" } });
  const thread = (await call(server, "POST", "/threads", {})).json.thread_id;
  const run = (await call(server, "POST", `/threads/${thread}/runs`, { assistant_id: "agent", input })).json;
  const next = (await call(server, "POST", `/threads/${thread}/runs`, { assistant_id: "agent", input, multitask_strategy: "enqueue" })).json;
  await upgrade(server);
  for (const r of [run, next]) {
    await until(async () => (await call(server, "GET", `/threads/${thread}/runs/${r.run_id}`)).json.status === "success", "the run's end");
  }
  await upgrade(server);
  equal((await call(server, "GET", `/threads/${thread}/state`)).json.values.messages.length, 4, "twice upgraded, all is there");
  await server.stop();
});

await scenario("a new program that would not start is refused, with its reason", async () => {
  const dir = scratch(), agents = path.join(dir, "agents");
  mkdirSync(agents);
  const server = await startServer({ mock, dir, args: ["--agents", agents] });
  writeFileSync(path.join(dir, "cohort.yaml"), "prot: 2024\n");
  server.child.kill("SIGUSR2");
  await until(() => server.log.includes("upgrade_refused"), "the refusal");
  check(/upgrade_refused .*cohort\.yaml.*prot/.test(server.log), "its file, and what is wrong in it, are named", server.log);
  equal((await call(server, "GET", "/ok")).status, 200, "the server goes on");
  writeFileSync(path.join(dir, "cohort.yaml"), "log.level: debug\n");
  await upgrade(server);
  check(server.log.includes("DEBUG") || server.log.includes("debug"), "mended, it is taken, with the new settings", server.log.slice(-500));
  await server.stop();
});

await scenario("a new program that fails after all gives way to the one before", async () => {
  const dir = scratch(), trap = path.join(dir, "trap");
  const server = await startServer({ mock, dir, args: ["--test-hooks", "--test-fail-start", trap] });
  const thread = (await call(server, "POST", "/threads", {})).json.thread_id;
  const pings = pinging(server);
  writeFileSync(trap, "");
  await upgrade(server);
  pings.stop = true;
  await pings.done;
  await until(() => /upgrade_failed .*fail-start/.test(server.log), "why it failed");
  check(!existsSync(trap), "it was tried");
  equal(pings.failed, [], "nobody was refused meanwhile");
  equal((await call(server, "GET", `/threads/${thread}`)).status, 200, "the server goes on");
  await upgrade(server);
  equal((await call(server, "GET", `/threads/${thread}`)).status, 200, "and can be upgraded again");
  await server.stop();
});

await scenario("signals: a stop ends an upgrade", async () => {
  const server = await startServer({ mock });
  server.child.kill("SIGUSR2");
  server.child.kill("SIGUSR2");
  await until(() => count(server, "  url ") > 1, "one upgrade");
  server.child.kill("SIGUSR2");
  server.child.kill("SIGTERM");
  equal((await server.exited).code, 0, "it ends");
});

await scenario("sockets of systemd", async () => {
  const listener = net.createServer(), port = await freePort(), dir = scratch();
  await new Promise((r) => listener.listen(port, "127.0.0.1", r));
  const start = (env, said) => {
    const child = spawn("sh", ["-c", `LISTEN_PID=$$ exec ${binary} serve --db ${path.join(dir, "s.db")} --port ${port}`],
      { cwd: dir, env: cleanEnv(env), stdio: ["ignore", "pipe", "pipe", listener._handle.fd] });
    for (const s of [child.stdout, child.stderr]) s.on("data", (d) => { said.text += d; });
    said.exited = new Promise((r) => child.on("exit", (code) => r(code)));
    return child;
  };
  const said = { text: "" }, child = start({ LISTEN_FDS: "1", LISTEN_FDNAMES: "cohort.socket" }, said);
  listener._handle.unref?.();
  await until(() => said.text.includes("  url "), "the server");
  // The socket is ours too, but only the server accepts.
  listener.removeAllListeners("connection");
  const url = `http://127.0.0.1:${port}`;
  const bad = { text: "" };
  start({ LISTEN_FDS: "many" }, bad);
  await bad.exited;
  check(bad.text.includes('LISTEN_FDS: expected a number up to 1024, got "many"'), "a bad LISTEN_FDS is refused", bad.text);
  child.kill("SIGTERM");
  equal(await said.exited, 0, `it serves by the socket that it got (${url})`);
  listener.close();
});

await scenario("--check", async () => {
  const dir = scratch();
  const run = (args) => new Promise((resolve) => {
    const child = spawn(binary, ["serve", ...args], { cwd: dir, env: cleanEnv({}) });
    let text = "";
    child.stdout.on("data", (d) => { text += d; });
    child.stderr.on("data", (d) => { text += d; });
    child.on("close", (code) => resolve({ code, text }));
  });
  const good = await run(["--check", "--db", "none.db"]);
  equal(good.code, 0, "good settings");
  check(good.text.endsWith("ok\n") && !existsSync(path.join(dir, "none.db")), "no database is made");
  const bad = await run(["--check", "--llm-script", "none.yaml"]);
  check(bad.code === 1 && bad.text.includes("none.yaml"), "bad ones", bad.text);
  const open = await run(["--host", "0.0.0.0", "--check"]);
  check(open.code === 1 && open.text.includes("--insecure"), "what a start refuses it refuses", open.text);
});

await mock.stop();
finish();
