// memory.mjs [MIB...] [NAME...] - crowds that try to fill the server's memory,
// at 1, 2 and 4 shards: bodies of strangers and of friends, slow and idle;
// clients that never read, small answers by the thousand and large ones by the
// hundred.
//
// Inside a memory box (a control group) of so many MiB each (1024) where one
// can be made, else with accounts sized as if there were one.  The server is
// not killed, serves others meanwhile, and gives the memory back: within 30 MB
// of what it had when it was idle.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { call, check, finish, scenario, startMock, startServer, until, binary } from "../e2e/lib.mjs";

const MB = 1 << 20;
const sizes = process.argv.slice(2).filter((a) => /^\d+$/.test(a)).map(Number);
const only = process.argv.slice(2).filter((a) => !/^\d+$/.test(a));
const secret = "0123456789abcdef0123456789abcdef";
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);

/* ---- the box --------------------------------------------------------------- */

function makeBox(mib) {
  const v1 = existsSync("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  const dir = path.join(v1 ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup", `cohort-memory-${process.pid}-${mib}`);
  try {
    mkdirSync(dir);
    writeFileSync(path.join(dir, v1 ? "memory.limit_in_bytes" : "memory.max"), String(mib * MB));
    writeFileSync(path.join(dir, v1 ? "memory.swappiness" : "memory.swap.max"), "0");
    execFileSync("sh", ["-c", `echo $$ > ${dir}/cgroup.procs`]);
    return dir;
  } catch {
    try { rmdirSync(dir); } catch { /* was never made */ }
    return null;
  }
}

const status = (server, key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${server.child.pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
const resident = (server) => status(server, "VmRSS");

/* ---- clients ----------------------------------------------------------------- */

const head = (method, target, lines = "") => `${method} ${target} HTTP/1.1\r\nHost: x\r\n${lines}\r\n`;

// Connects; `got` collects the answer unless it is never read.
function dial(server, { reads = true } = {}) {
  return new Promise((resolve, reject) => {
    const s = net.connect({ port: server.port, host: "127.0.0.1" });
    s.got = "";
    s.setNoDelay(true);
    if (!reads) s.pause();
    else s.on("data", (d) => { if (s.got.length < 4096) s.got += d.toString("latin1"); });
    s.on("error", () => { s.ended = true; });
    s.on("close", () => { s.ended = true; });
    s.once("connect", () => resolve(s));
    s.once("error", reject);
  });
}

async function crowd(server, n, fn, options) {
  const all = [];
  const rest = Array.from({ length: n }, (_, i) => i);
  await Promise.all(Array.from({ length: 50 }, async () => {
    while (rest.length > 0) {
      const s = await dial(server, options);
      all.push(s);
      await fn(s, rest.shift());
    }
  }));
  return all;
}

// A small write and a small read of somebody else, tried again as told.
async function others(server, what, headers = {}) {
  let last;
  await until(async () => {
    last = await call(server, "PUT", "/store/items", { namespace: ["others"], key: "k", value: { v: 1 } }, headers);
    if (last.status === 503) check(last.headers.get("retry-after") === "1", `${what}: 503 says when to come back`, last.text);
    return last.status !== 503;
  }, `${what}: others to be served`, 30000);
  check(last.status === 204, `${what}: a small write of another client`, `${last.status} ${last.text}`);
  check((await call(server, "GET", "/ok")).status === 200, `${what}: /ok`);
}

/* ---- the attacks --------------------------------------------------------------- */

const piece = Buffer.alloc(MB, 0x20);
const bodyHead = (more = "") => head("POST", "/runs/wait", `Content-Type: application/json\r\nContent-Length: 16000000\r\n${more}`);

// Writes until all is out or the server has had enough.
function pour(s, mib) {
  return new Promise((resolve) => {
    let left = mib;
    const more = () => {
      while (left-- > 0 && !s.ended) if (!s.write(piece)) { s.once("drain", more); return; }
      resolve();
    };
    s.once("close", resolve);
    more();
  });
}

const attacks = {
  async strangers({ server }) {
    const all = await crowd(server, 600, async (s, i) => { s.write(bodyHead(i % 2 ? "" : "Authorization: Bearer nonsense\r\n")); await pour(s, 4); });
    await until(() => all.every((s) => s.ended || s.got.includes("\r\n\r\n")), "all to be refused");
    check(all.every((s) => s.got === "" || s.got.startsWith("HTTP/1.1 401 ")), "strangers: 401 for each that heard", [...new Set(all.map((s) => s.got.slice(0, 12)))]);
    check(all.filter((s) => s.got.startsWith("HTTP/1.1 401 ")).length > 300, "strangers: most hear why", all.filter((s) => s.got !== "").length);
    return all;
  },

  // They have nearly all of a body each, and then say next to nothing.
  async bodies({ server, auth }) {
    const all = await crowd(server, 200, async (s) => { s.write(bodyHead(auth)); await pour(s, 15); });
    const trickle = setInterval(() => { for (const s of all.slice(0, 100)) if (!s.ended) s.write(" "); }, 100);
    try { await others(server, "bodies", { authorization: auth.slice(15, -2) }); } finally { clearInterval(trickle); }
    const told = all.filter((s) => s.got.startsWith("HTTP/1.1 503 "));
    check(told.length > 0 && told.every((s) => /\r\nretry-after: 1\r\n/i.test(s.got)), "bodies: told to come back", told.length);
    return all;
  },

  // What is read ahead of an answer, and heads that do not end.
  async heads({ server, auth }) {
    const all = await crowd(server, 4000, async (s, i) => {
      if (i % 2) s.write(`GET /ok HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(30000)}`);
      else s.write(head("POST", "/runs/wait", `Content-Type: application/json\r\n${auth}Content-Length: 60000\r\n`) + "x".repeat(50000));
    });
    await others(server, "heads", { authorization: auth.slice(15, -2) });
    return all;
  },

  async unread({ server, auth, small }) {
    const all = await crowd(server, 4000, async (s) => { s.write(head("GET", `/threads/${small}/state`, auth)); }, { reads: false });
    await others(server, "unread", { authorization: auth.slice(15, -2) });
    return all;
  },

  async streams({ server, auth }) {
    const follow = JSON.stringify({ assistant_id: "agent", input: { messages: [{ role: "user", content: "x".repeat(200000) }] }, stream_mode: ["values"] });
    const all = await crowd(server, 1000, async (s) => {
      s.write(head("POST", "/runs/stream", `Content-Type: application/json\r\n${auth}Content-Length: ${follow.length}\r\n`) + follow);
    }, { reads: false });
    await others(server, "streams", { authorization: auth.slice(15, -2) });
    return all;
  },

  async states({ server, auth, large }) {
    const all = await crowd(server, 100, async (s) => { s.write(head("GET", `/threads/${large}/state`, auth)); }, { reads: false });
    await others(server, "states", { authorization: auth.slice(15, -2) });
    // Who reads gets it, once those that do not are gone.
    const r = await until(async () => {
      const x = await call(server, "GET", `/threads/${large}/state`, undefined, { authorization: auth.slice(15, -2) });
      if (x.status === 503) check(x.headers.get("retry-after") === "1", "states: 503 says when to come back", x.text);
      return x.status === 503 ? null : x;
    }, "a large state for a reader", 60000);
    check(r.status === 200 && r.text.length > 10 * MB, "states: one that reads gets all of it", `${r.status} ${r.text.length}`);
    return all;
  },
};

/* ---- the run -------------------------------------------------------------------- */

async function converse(server, authorization, texts) {
  const t = (await call(server, "POST", "/threads", {}, { authorization })).json.thread_id;
  const r = await call(server, "POST", `/threads/${t}/runs/wait`, { assistant_id: "agent", input: { messages: texts.map((content) => ({ role: "user", content })) } }, { authorization });
  check(r.status === 200 && !r.json.__error__, "a conversation", r.text.slice(0, 300));
  return t;
}

async function box(mib, shards) {
  const dir = makeBox(mib), name = `${mib} MiB, ${shards} shards`;
  const via = dir ? ["sh", "-c", `echo $$ > ${dir}/cgroup.procs; exec "$@"`, "sh"] : [];
  const server = await startServer({ mock, via, args: ["--shards", String(shards), "--jwt-secret", secret,
    ...(dir ? [] : ["--test-hooks", "--test-memory-bytes", String(mib * MB)])] });
  const token = execFileSync(binary, ["token", "--sub", "me"], { encoding: "utf8", env: { ...process.env, COHORT_JWT_SECRET: secret } }).trim();
  const auth = `Authorization: Bearer ${token}\r\n`, authorization = `Bearer ${token}`;
  const idle = resident(server);
  const small = await converse(server, authorization, ["x".repeat(300000)]);
  const large = await converse(server, authorization, Array.from({ length: 11 }, () => "x".repeat(1000000)));
  for (const [attack, fn] of Object.entries(attacks)) {
    if (only.length > 0 && !only.includes(attack)) continue;
    await scenario(`${name}: ${attack}`, async () => {
      const began = Date.now();
      writeFileSync(`/proc/${server.child.pid}/clear_refs`, "5");
      const all = await fn({ server, auth, small, large });
      check(!server.exit, `${name}: ${attack}: the server lives`, server.exit);
      const peak = status(server, "VmHWM");
      check(peak < mib * 0.85, `${name}: ${attack}: peak`, `${peak.toFixed(0)} MB`);
      for (const s of all) s.destroy();
      await until(() => resident(server) < idle + 30, `the memory to come back: ${resident(server).toFixed(0)} MB, idle ${idle.toFixed(0)}`, 30000)
        .catch((e) => check(false, `${name}: ${attack}`, `${e.message}, now ${resident(server).toFixed(0)}`));
      check((await call(server, "GET", "/ok")).status === 200, `${name}: ${attack}: /ok afterwards`);
      const held = async () => Number(/^cohort_http_output_bytes (\S+)/m.exec((await call(server, "GET", "/metrics")).text)?.[1]);
      await until(async () => await held() === 0, `${name}: ${attack}: no output is held afterwards`);
      console.log(`${name}: ${attack}: idle ${idle.toFixed(0)}, peak ${peak.toFixed(0)}, then ${resident(server).toFixed(0)} MB (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    });
    if (server.exit) break;
  }
  check(!server.exit, `${name}: not killed`, server.log.slice(-1000));
  await server.stop();
  if (dir) rmdirSync(dir);
  else console.log(`${name}: no control group could be made; accounts sized by a setting`);
}

for (const mib of sizes.length > 0 ? sizes : [1024])
  for (const shards of [1, 2, 4]) await scenario(`${mib} MiB, ${shards} shards`, () => box(mib, shards));
await mock.stop();
finish();
