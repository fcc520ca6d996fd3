// backup.mjs - backups of a server's database: made by hand and by the server itself,
// restored as of any moment, and what is refused.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, metric, scenario, scratch, startServer, until } from "./lib.mjs";

const dir = scratch();
const at = (...names) => path.join(dir, ...names);
const folder = (name) => { mkdirSync(at(name)); return at(name); };
const cohort = (...args) => {
  const r = spawnSync(binary, args, { cwd: dir, encoding: "utf8", env: { PATH: process.env.PATH } });
  return { code: r.status, out: r.stdout, err: r.stderr };
};
const sqlite = ["--store", "sqlite"];        // also where the other suites have PostgreSQL
const serve = (db, args = []) => startServer({ dir, args: [...sqlite, "--db", db, ...args] });
const make = async (s, n) => (await call(s, "POST", "/threads", { metadata: { n } })).json.thread_id;
const all = async (s) => (await call(s, "POST", "/threads/search", { limit: 1000, sort_by: "created_at", sort_order: "asc" })).json;
// What a server on the restored file shows.
const shown = async (db) => { const s = await serve(db), rows = await all(s); await s.stop(); return rows; };

await scenario("by hand, beside a server", async () => {
  const s = await serve(at("a.db")), to = folder("a");
  for (let n = 0; n < 50; n++) await make(s, n);
  const first = cohort("backup", "--db", at("a.db"), "--to", to);
  check(first.code === 0 && /^\d{8}T\d{9}Z-full-[0-9a-f]{8}\.backup: (\d+) of \1 pages/.test(first.out), "a full one", first);
  const before = await all(s);
  for (let n = 50; n < 60; n++) await make(s, n);
  const second = cohort("backup", "--db", at("a.db"), "--to", to);
  check(/-increment-.*: (\d+) of (\d+) pages/.test(second.out), "then what changed", second);
  const after = await all(s);
  equal(cohort("backup", "--db", at("a.db"), "--to", to, "-q").out, "", "quiet");
  check(cohort("restore", "--from", to, "--db", at("a.db")).err.includes("is there already: --force"), "a file is not written over");
  check(cohort("restore", "--from", to, "--db", at("a.db"), "--force").err.includes("in use by a server"), "and never a server's");
  equal(cohort("restore", "--from", to, "--db", at("new.db")).code, 0, "restored");
  equal(await shown(at("new.db")), after, "row by row");
  const time = /^(\S+)/.exec(cohort("backup", "list", to).out)[1];
  const old = cohort("restore", "--from", to, "--db", at("new.db"), "--at", time, "--force");
  check(old.code === 0 && old.out.includes(".replaced"), "as of the first", old);
  equal(await shown(at("new.db")), before, "what there was then");
  check(existsSync(at("new.db.replaced")), "the file of before is there");
  await s.stop();
  const verified = cohort("backup", "verify", to);
  check(verified.code === 0 && verified.out.includes("all of them are good"), "verified", verified);
});

await scenario("what is wrong is told by name", async () => {
  const to = at("a"), names = readdirSync(to).filter((n) => n.endsWith(".backup")).sort();
  const [full, middle] = names, good = readFileSync(path.join(to, middle)), bad = Buffer.from(good);
  bad[bad.length >> 1] ^= 1;
  writeFileSync(path.join(to, middle), bad);
  for (const args of [["backup", "verify", to], ["restore", "--from", to, "--db", at("bad.db")]]) {
    const r = cohort(...args);
    check(r.code === 1 && (r.err + r.out).includes(middle) && (r.err + r.out).includes("checksum"), `${args[0]} of a changed byte`, r);
  }
  writeFileSync(path.join(to, middle), good);
  renameSync(path.join(to, full), at("kept"));
  const gap = cohort("restore", "--from", to, "--db", at("bad.db"));
  check(gap.code === 1 && gap.err.includes("goes on from the backup") && gap.err.includes("not there"), "a gap", gap);
  check(cohort("backup", "list", to).out.includes("WRONG: the backup it goes on from is not there"), "and in the list");
  renameSync(at("kept"), path.join(to, full));
  check(!existsSync(at("bad.db")) && !existsSync(at("bad.db.restoring")), "nothing half done is left");
  const s = await serve(at("other.db"));
  const other = cohort("backup", "--db", at("other.db"), "--to", to);
  check(other.code === 1 && other.err.includes("another database"), "another database", other);
  await s.stop();
  writeFileSync(at("text.db"), "no database, but long enough for a page. ".repeat(200));
  check(cohort("backup", "--db", at("text.db"), "--to", folder("t")).code === 1, "no database");
  for (const [args, words] of [
    [["--db", at("none.db"), "--to", to], "no such file"], [["--db", at("a.db"), "--to", at("none")], "none"],
    [["--db", "postgres://h/d", "--to", to], "pg_basebackup"],
  ]) {
    const r = cohort("backup", ...args);
    check(r.code === 1 && r.err.includes(words), `backup ${args.join(" ")}`, r);
  }
  equal([cohort("backup").code, cohort("restore", "--from", to).code, cohort("restore", "--from", to, "--db", "x", "--at", "noon").code], [2, 2, 2], "wrong command lines");
  check(cohort("restore", "--from", to, "--db", at("x.db"), "--at", "2001-01-01T00:00:00Z").err.includes("the oldest backup is of"), "too early");
});

await scenario("by the server, with each commit", async () => {
  const to = folder("c"), args = ["--backup-to", to, "--backup-log"];
  let s = await serve(at("c.db"), args);
  const moments = [];
  const shipped = async (t) => until(async () => 1000 * await metric(s, "cohort_backup_log_timestamp_seconds") > t, "the log to be shipped");
  for (let n = 0; n < 30; n++) {
    if (n % 10 === 0) { await shipped(Date.now()); if (n > 0) { await s.stop(n === 10 ? "SIGKILL" : "SIGTERM"); s = await serve(at("c.db"), args); await shipped(Date.now()); } }
    if (n === 15) { const starts = () => s.log.split("  url ").length - 1; await until(() => starts() === 1, "its words"); s.child.kill("SIGUSR2"); await until(() => starts() === 2, "an upgrade"); }
    await make(s, n);
    const t = Date.now();
    moments.push(new Date(t).toISOString());
    await until(() => Date.now() > t, "the clock");
  }
  await shipped(Date.now());
  const rows = await all(s);
  check(await metric(s, "cohort_backup_made_total") === 1 && await metric(s, "cohort_backup_failures_total") === 0, "metrics");
  check(1000 * await metric(s, "cohort_backup_last_timestamp_seconds") > Date.parse(moments[19]), "the time of the last");
  await s.stop("SIGKILL");
  for (const n of [0, 5, 9, 10, 17, 20, 28]) {
    const r = cohort("restore", "--from", to, "--db", at("moment.db"), "--at", moments[n], "--force");
    check(r.code === 0, `as of ${moments[n]}`, r);
    equal(await shown(at("moment.db")), rows.slice(0, n + 1), `the rows until ${n}`);
  }
  equal(cohort("restore", "--from", to, "--db", at("moment.db"), "--force").code, 0, "the newest");
  equal(await shown(at("moment.db")), rows, "all rows");
  equal(cohort("backup", "verify", to).code, 0, "all of it is good, though the server was killed");
  // A log that ends within a commit, as a machine without power leaves it.
  const log = readdirSync(to).filter((n) => n.includes("-log-")).sort().at(-1), text = readFileSync(path.join(to, log));
  writeFileSync(path.join(to, log), text.subarray(0, text.length - 100));
  const cut = cohort("restore", "--from", to, "--db", at("moment.db"), "--force");
  check(cut.code === 0 && cut.out.includes("stops within a commit"), "cut off", cut);
  equal((await shown(at("moment.db"))).length, 29, "the rest of it is restored");
});

await scenario("settings that cannot be", async () => {
  for (const [args, words] of [
    [["--backup-every", "5"], "backup.every needs backup.to"], [["--store", "memory", "--backup-to", dir], "with store memory there is none"],
    [["--store", "postgres://u@h/d", "--backup-to", dir], "pg_basebackup"], [["--backup-to", at("none")], "there is no folder"],
    [["--backup-to", dir, "--backup-keep", "0"], "backup-keep"],
  ]) {
    const r = cohort("serve", "--port", "0", ...(args.includes("--store") ? [] : ["--db", at("settings.db")]), ...args);
    check(r.code !== 0 && r.err.includes(words), args.join(" "), r);
  }
});

await scenario("encrypted", async () => {
  const key = "ab".repeat(32), other = "cd".repeat(32), word = "a-word-of-nobody-else", db = at("secret.db"), to = folder("e");
  const open = (file, env, args = []) => startServer({ dir, env, args: [...sqlite, "--db", file, ...args] });
  const run = (env, ...args) => { const r = spawnSync(binary, args, { cwd: dir, encoding: "utf8", env: { PATH: process.env.PATH, ...env } }); return { code: r.status, out: r.stdout, err: r.stderr }; };
  const readable = (name) => readFileSync(name).includes(word);
  let s = await open(db, { COHORT_ENCRYPTION_KEY: key }, ["--backup-to", to, "--backup-log"]);
  await call(s, "POST", "/threads", { metadata: { word } });
  const rows = await all(s), now = Date.now();
  await until(async () => 1000 * await metric(s, "cohort_backup_log_timestamp_seconds") > now, "the log to be shipped");
  check(readdirSync(dir).filter((n) => n.startsWith("secret.db") && readable(at(n))).length === 0, "nothing can be read in file and log");
  await s.stop("SIGKILL");
  for (const [env, words] of [[{}, "is encrypted: set encryption.key"], [{ COHORT_ENCRYPTION_KEY: other }, "another key"], [{ COHORT_ENCRYPTION_KEY: "abc" }, "64 hex digits"]]) {
    const r = run(env, "serve", "--port", "0", "--db", db);
    check(r.code !== 0 && r.err.includes(words) && !r.err.includes(env.COHORT_ENCRYPTION_KEY ?? "?"), words, r);
  }
  check(run({ COHORT_ENCRYPTION_KEY: key }, "serve", "--port", "0", "--db", at("a.db")).err.includes("is not encrypted"), "a plain file");
  s = await open(db, { COHORT_ENCRYPTION_KEY: key });
  equal(await all(s), rows, "after a kill, out of the log");
  await s.stop();
  equal(run({}, "restore", "--from", to, "--db", at("secret2.db")).code, 0, "restored without a key");
  equal(run({ COHORT_ENCRYPTION_KEY: key }, "backup", "verify", to).code, 0, "verified with it");
  check(run({}, "backup", "verify", to).err.includes("is encrypted"), "not without");
  check(readdirSync(to).every((n) => !readable(path.join(to, n))) && !readable(at("secret2.db")), "nothing can be read in backups");
  writeFileSync(at("key"), `${other}\n`, { mode: 0o600 });
  const changed = run({ COHORT_ENCRYPTION_OLD_KEY: key, COHORT_ENCRYPTION_KEY: `file:${at("key")}` }, "encrypt", "--db", at("secret2.db"));
  equal([changed.code, changed.err], [0, ""], "another key, out of a file");
  s = await open(at("secret2.db"), { COHORT_ENCRYPTION_KEY: other });
  equal(await all(s), rows, "the same rows");
  check(run({ COHORT_ENCRYPTION_KEY: other }, "encrypt", "--decrypt", "--db", at("secret2.db")).err.includes("in use by a server"), "not under a server");
  await s.stop();
  equal(run({ COHORT_ENCRYPTION_KEY: other }, "encrypt", "--decrypt", "--db", at("secret2.db")).code, 0, "plain again");
  equal(await shown(at("secret2.db")), rows, "and the same rows");
  equal(run({ COHORT_ENCRYPTION_KEY: key }, "migrate", "--check", "--db", db).code, 0, "migrate knows the key");
  check(run({ COHORT_ENCRYPTION_KEY: key }, "serve", "--port", "0", "--store", "memory").err.includes("encryption.key is for a database file"), "memory");
});

await scenario("migrate", async () => {
  const db = at("old.db");
  equal(cohort("restore", "--from", at("a"), "--db", db).code, 0, "a file");
  const fine = cohort("migrate", "--check", "--db", db);
  check(fine.code === 0 && /store +format (\d+), this command's \1: nothing to do/.test(fine.out), "nothing to do", fine);
  const bytes = readFileSync(db), version = bytes.readUInt32BE(60);
  bytes.writeUInt32BE(version - 1, 60);
  writeFileSync(db, bytes);
  const due = cohort("migrate", "--check", "--db", db);
  check(due.code === 3 && due.out.includes(`steps ${version} to ${version}`) && due.out.includes("bytes each time"), "a step is to come", due);
  check(readFileSync(db).equals(bytes) && !existsSync(`${db}-wal`), "nothing is changed");
  // It has been done before, so it fails: in a transaction.
  const failed = cohort("migrate", "--db", db);
  check(failed.code === 1 && failed.err.includes("already exists"), "a step that fails", failed);
  equal(cohort("migrate", "--check", "--db", db).code, 3, "leaves the old version");
  bytes.writeUInt32BE(99, 60);
  writeFileSync(at("newer.db"), bytes);
  check(cohort("migrate", "--check", "--db", at("newer.db")).err.includes("newer Cohort"), "newer");
  equal([cohort("migrate", "--db", at("none.db")).code, cohort("migrate", "--db", "postgres://h/d").code, cohort("migrate", "--chek").code], [1, 1, 2], "what cannot be");
});

finish();
