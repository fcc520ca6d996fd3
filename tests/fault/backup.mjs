// backup.mjs - a server that ships its log is killed again and again under load, while
// backups are made by hand too; each time the database is restored as of a moment and
// compared row by row with what clients know: `node backup.mjs [KILLS] [SEED]`.
//
// Rows carry times: a thread whose create was acknowledged before a moment is there as of it,
// one that was asked for after it is not.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, metric, scenario, scratch, startServer, until } from "../e2e/lib.mjs";

const kills = Number(process.argv[2] ?? 5);
let seed = Number(process.argv[3] ?? 7);
const dice = (n) => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return (seed >>> 8) % n; };
const dir = scratch(), to = path.join(dir, "backups"), db = path.join(dir, "cohort.db"), again = path.join(dir, "again.db");
const cohort = (...args) => spawnSync(binary, args, { cwd: dir, encoding: "utf8", env: { PATH: process.env.PATH } });
const serve = (file, more = []) => startServer({ dir, args: ["--store", "sqlite", "--db", file, ...more] });
const args = ["--backup-to", to, "--backup-log", "--backup-every", "1"];
mkdirSync(to);

// id -> what was asked for, and when it was sent and acknowledged (ack: undefined: nobody knows).
const asked = [];
let server;

async function one() {
  const row = { metadata: { n: asked.length, pad: "x".repeat(dice(3000)) }, sent: Date.now() };
  asked.push(row);
  const r = await call(server, "POST", "/threads", { metadata: row.metadata });
  if (r.status === 200) { row.ack = Date.now(); row.id = r.json.thread_id; }
}

async function rows(s) {
  const out = new Map();
  for (let offset = 0; ; offset += 1000) {
    // On a busy machine a search of many may take too long, and is cut.
    const page = await until(async () => {
      const r = await call(s, "POST", "/threads/search", { limit: 1000, offset, sort_by: "created_at", sort_order: "asc" });
      if (r.status !== 200 && r.status !== 504) throw new Error(`search: ${r.status} ${r.text}`);
      return r.status === 200 && r.json;
    }, "a page of threads");
    for (const t of page) out.set(t.metadata.n, t);
    if (page.length < 1000) return out;
  }
}

async function compare(moment, what) {
  const r = cohort("restore", "--from", to, "--db", again, "--force", ...(moment ? ["--at", new Date(moment).toISOString()] : []));
  if (!check(r.status === 0, `${what}: restored`, r.stderr)) return;
  const s = await serve(again), there = await rows(s).finally(() => s.stop());
  let missing = 0, early = 0, other = 0;
  for (const row of asked) {
    const t = there.get(row.metadata.n);
    if (row.ack !== undefined && row.ack <= moment && t === undefined) missing++;
    if (row.sent > moment && t !== undefined) early++;
    if (t !== undefined && (JSON.stringify(t.metadata) !== JSON.stringify(row.metadata) || (row.id !== undefined && t.thread_id !== row.id))) other++;
  }
  equal([missing, early, other], [0, 0, 0], `${what}: missing, too early, another`);
}

const moments = [];
for (let kill = 0; kill < kills; kill++) {
  await scenario(`kill ${kill + 1}`, async () => {
    server = await serve(db, args);
    let over = false;
    const load = Array.from({ length: 8 }, async () => { while (!over) try { await one(); } catch { if (server.exit) return; } });
    const logged = async () => 1000 * await metric(server, "cohort_backup_log_timestamp_seconds");
    const goal = asked.length + 30 + dice(100);
    await until(() => asked.length > goal, "rows");
    if (kill % 2 === 0) {
      const r = cohort("backup", "--db", db, "--to", to, ...(kill % 4 ? ["--full"] : []));
      check(r.status === 0 || r.stderr.includes("another backup is being made"), "by hand, under load", r.stderr);
    }
    const now = Date.now(), safe = await until(async () => { const t = await logged(); return t > now && t; }, "the log to be shipped");
    moments.push(now);
    await until(() => asked.length > goal + dice(100), "more rows");
    if (kill % 7 === 6) over = true;
    else await server.stop("SIGKILL");
    await Promise.all(load);
    if (kill % 7 === 6) { moments.push(Date.now()); await server.stop("SIGTERM"); await compare(Date.now() + 1000, "after a stop, all of it"); }
    await compare(Math.floor(safe) - 1, "what was shipped");
    const old = moments[dice(moments.length)];
    await compare(old, `as of ${new Date(old).toISOString()}`);
  });
}
equal(cohort("backup", "verify", to).status, 0, "all of it is good");
finish();
