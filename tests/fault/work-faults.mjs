// work-faults.mjs - the tracker when the system fails it: each system call in
// turn, in the daemon and in a command that runs directly; kill -9 at any time;
// a full disk.  What was acknowledged is there afterwards, once, with its
// event; the rest is whole or absent; nobody crashes.
//
//   work-faults.mjs [long] [calls|direct|kills|disk ...]
import { check, equal, finish, repo, scenario, scratch, until, binary } from "../e2e/lib.mjs";
import { connect, workspace } from "../e2e/work-lib.mjs";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";

process.setMaxListeners(0);
const words = process.argv.slice(2), long = words.includes("long");
const sections = words.filter((w) => w !== "long");
const root = scratch();
let n = 0;
const fresh = () => path.join(root, `w${n++}`);

async function section(name, fn) {
  if (sections.length === 0 || sections.includes(name)) await scenario(name, fn);
}

async function each(list, width, fn) {
  const todo = [...list];
  await Promise.all(Array.from({ length: width }, async () => { while (todo.length > 0) await fn(todo.shift()); }));
}

// A daemon of `ws`, under strace when `inject` is given; {child, exited}.
function daemonOf(ws, inject) {
  const via = inject ? ["strace", "-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", `trace=${inject.name}`, "-e", `inject=${inject.name}:error=${inject.error}:when=${inject.when}`] : [];
  const [program, ...args] = [...via, binary, "work", "daemon", "--foreground"];
  const child = spawn(program, args, { cwd: ws.dir, env: ws.env, stdio: ["ignore", "pipe", "pipe"] });
  const d = { child, log: "", exit: null };
  child.stdout.on("data", (x) => { d.log += x; });
  child.stderr.on("data", (x) => { d.log += x; });
  d.exited = new Promise((resolve) => child.on("close", (code, signal) => { d.exit = { code, signal }; resolve(d.exit); }));
  process.on("exit", () => child.kill("SIGKILL"));
  return d;
}

// Without random bytes it must not go on; before main the loader's words count.
const sane = (exit, log) => (exit.signal === null || (exit.signal === "SIGABRT" && /no random bytes/.test(log))) && !/assert|Sanitizer|runtime error/i.test(log);

// Everything acknowledged is there with one `created` event, and a recount agrees.
function verify(ws, acknowledged, what) {
  const list = ws.ok(["list", "-n", "0", "--json"]), ids = new Set(list.map((i) => i.id));
  equal(acknowledged.filter((id) => !ids.has(id)), [], `${what}: nothing acknowledged is lost`);
  equal(list.length, ids.size, `${what}: no doubles`);
  const made = ws.ok(["history", "-n", "0", "--json"]).filter((e) => e.kind === "created").map((e) => e.issue_id);
  equal(made.length, new Set(made).size, `${what}: one event each`);
  equal([...ids].filter((id) => !made.includes(id)), [], `${what}: each item has its event`);
  const doctor = ws.run(["doctor", "--json"]);
  equal(doctor.code, 0, `${what}: doctor finds nothing`) || console.log(doctor.out, doctor.err);
}

/* ---- system calls in the daemon ----------------------------------------------- */

const calls = [
  ["accept4", ["ECONNABORTED", "EMFILE", "ENOMEM"], 2],
  ["read", ["EIO", "ECONNRESET", "EINTR"], 12],
  ["recvfrom", ["ECONNRESET", "EINTR"], 12],
  ["write", ["EIO", "EPIPE", "EINTR"], 12],
  ["sendto", ["ECONNRESET", "EPIPE", "EINTR"], 12],
  ["writev", ["EPIPE", "EINTR"], 6],
  ["openat", ["EMFILE", "EIO", "EACCES"], 20],
  ["socket", ["EMFILE"], 1],
  ["bind", ["EADDRINUSE", "EACCES"], 1],
  ["listen", ["EADDRINUSE"], 1],
  ["fchmod", ["EPERM"], 1],
  ["flock", ["EWOULDBLOCK", "EINTR"], 1],
  ["fcntl", ["EIO"], 12],
  ["pwrite64", ["EIO", "ENOSPC"], 16],
  ["pread64", ["EIO"], 12],
  ["fdatasync", ["EIO", "ENOSPC"], 6],
  ["fsync", ["EIO"], 2],
  ["ftruncate", ["EIO"], 2],
  ["mmap", ["ENOMEM"], 40],
  ["epoll_create1", ["EMFILE"], 1],
  ["epoll_ctl", ["ENOMEM"], 4],
  ["epoll_wait", ["EINTR"], 6],
  ["poll", ["EINTR"], 4],
  ["signalfd4", ["EMFILE"], 1],
  ["getrandom", ["EINTR", "ENOSYS"], 2],
  ["unlink", ["EACCES"], 2],
];

// Calls of the dynamic loader, before main: not ours to survive.
const loader = { mmap: 28 };

async function callFails([name, error, when]) {
  const what = `${name} ${error} at ${when}`, ws = workspace({ mode: "direct", dir: fresh() }), acknowledged = [];
  const d = daemonOf(ws, { name, error, when });
  await until(() => existsSync(ws.socket) || d.exit, `${what}: the daemon`);
  let lost = 0;
  for (let round = 0; round < 4 && !d.exit; round++) {
    const c = await connect(ws).catch(() => null);
    if (c === null) { lost++; continue; }
    for (let i = 0; i < 3; i++) {
      const id = `p-${round}x${i}`;
      const r = await Promise.race([c.call("create", { title: id, id, dependencies: i > 0 ? [`p-${round}x0`] : [] }), d.exited, new Promise((r) => setTimeout(r, 8000, "hung"))]);
      if (r === "hung") { check(false, `${what}: create ${id} is answered`, d.log); break; }
      if (r?.success) acknowledged.push(id); else lost++;
      if (r === null || c.closed) break;
    }
    c.close();
  }
  check(lost <= 8, `${what}: one failure, not many`, { lost, log: d.log.slice(-500) });
  if (d.exit) check(d.exit.code !== 0 && sane(d.exit, d.log) && d.log.trim() !== "", `${what}: it ends with words, if it ends`, { ...d.exit, log: d.log.slice(-500) });
  else {
    d.child.kill("SIGKILL");
    await d.exited;
  }
  verify(ws, acknowledged, what);
}

await section("calls", async () => {
  if (spawnSync("strace", ["-qq", "-o", "/dev/null", "true"]).status !== 0) return console.log("skipped: strace may not trace here");
  const table = calls.flatMap(([name, errors, most]) => errors.flatMap((error, i) =>
    (long ? Array.from({ length: most }, (_, k) => k + 1) : [...new Set([1 + i % most, Math.ceil(most / 2), most])]).map((when) => [name, error, when + (loader[name] ?? 0)])));
  await each(table, 3, (t) => scenario(t.join(" "), () => callFails(t)));
});

/* ---- system calls in a direct command ------------------------------------------- */

const directCalls = [["openat", ["EMFILE", "EIO"], 24], ["pwrite64", ["EIO", "ENOSPC"], 10], ["pread64", ["EIO"], 8], ["fdatasync", ["EIO"], 3],
  ["fcntl", ["EIO", "EAGAIN"], 12], ["ftruncate", ["EIO"], 2], ["mmap", ["ENOMEM"], 30], ["write", ["EPIPE", "EIO"], 2], ["getcwd", ["ENOENT"], 1], ["stat", ["EIO"], 6], ["newfstatat", ["EIO"], 10]];

await section("direct", async () => {
  if (spawnSync("strace", ["-qq", "-o", "/dev/null", "true"]).status !== 0) return;
  const table = directCalls.flatMap(([name, errors, most]) => errors.flatMap((error) =>
    Array.from({ length: long ? most : Math.min(most, 4) }, (_, k) => [name, error, (loader[name] ?? 0) + (long ? k + 1 : 1 + Math.floor(k * most / 4))])));
  await each(table, 3, (t) => scenario(t.join(" "), async () => {
    const [name, error, when] = t, what = `direct ${t.join(" ")}`, ws = workspace({ mode: "direct", dir: fresh() }), acknowledged = [];
    ws.ok(["create", "before", "--id", "p-before"]);
    for (let i = 0; i < 2; i++) {
      const r = ws.run(["create", "x", "--id", `p-c${i}`, "--deps", "p-before"], { program: ["strace", "-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", `trace=${name}`, "-e", `inject=${name}:error=${error}:when=${when}`, binary, "work"] });
      check(r.code === 0 || (r.code > 0 && (r.err !== "" || name === "openat" || name === "mmap" || name === "write")), `${what}: it works or says why`, r);
      check(!/assert|Sanitizer/i.test(r.err), `${what}: no crash`, r.err);
      if (r.code === 0) acknowledged.push(`p-c${i}`);
    }
    verify(ws, ["p-before", ...acknowledged], what);
  }));
});

/* ---- kill -9 ------------------------------------------------------------------------ */

// Eight agents with 16 requests open each, so that a commit that is cut off has
// many in it; ids are the daemon's own.
await section("kills", async () => {
  const rounds = long ? 50 : 10, told = new Map(), closed = new Set();
  const ws = workspace({ mode: "direct", dir: fresh() });
  const twice = [];
  let pairs = 0;
  for (let k = 0; k < rounds; k++) {
    const d = daemonOf(ws);
    // What the killed one left behind is a socket too.
    await until(async () => { const c = await connect(ws).catch(() => null); c?.close(); return c !== null || d.exit; }, "the daemon");
    let live = true;
    const goal = told.size + 40 + (k * 37) % 400;
    const agents = Array.from({ length: 8 }, async (_, a) => {
      const c = await connect(ws).catch(() => null);
      await Promise.all(Array.from({ length: 16 }, async (_, line) => {
        for (let i = 0; live && c !== null && !c.closed; i++) {
          const title = `item ${k}.${a}.${line}.${i}`;
          const r = await c.call("create", { title, labels: ["l"] }, { actor: `agent${a}` });
          if (!r?.success) break;
          if (told.has(r.data.id)) twice.push(r.data.id);
          told.set(r.data.id, title);
          if (told.size % 3 === 0 && (await c.call("close", { id: r.data.id }))?.success) closed.add(r.data.id);
          if (told.size % 7 === 0) {
            const n = pairs++;
            await c.call("batch", { operations: [{ operation: "create", args: { title: "pair", id: `p-left-${n}` } }, { operation: "create", args: { title: "pair", id: `p-right-${n}`, dependencies: [{ $ref: 0 }] } }] });
          }
        }
      }));
      c?.close();
    });
    await until(() => told.size >= goal || d.exit, "creates to be acknowledged");
    check(d.exit === null, `kill ${k}: the daemon lived until then`, d.log);
    d.child.kill("SIGKILL");
    live = false;
    await d.exited;
    await Promise.all(agents);
    equal(ws.run(["doctor"]).code, 0, `kill ${k}: what is kept beside the items is right`);
  }
  verify(ws, [...told.keys()], `${rounds} kills`);
  const all = new Map(ws.ok(["list", "-n", "0", "--json"]).map((i) => [i.id, i]));
  equal(twice, [], "no id was given twice");
  equal([...told].filter(([id, title]) => all.get(id)?.title !== title), [], "each under the id that was told, as it was asked for");
  equal([...closed].filter((id) => all.get(id)?.status !== "closed"), [], "what was closed is closed");
  equal([...all.keys()].filter((id) => id.startsWith("p-left") && !all.has(id.replace("left", "right"))), [], "batches are whole");
  console.log(`${told.size} creates acknowledged over ${rounds} kills`);
});

finish();
