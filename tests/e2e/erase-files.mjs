// erase-files.mjs - what an erasure leaves in files: encrypted ones, backups with their logs, and
// after the server was killed in the middle of it.
import { spawn, spawnSync } from "node:child_process";
import { createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, unlinkSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, scenario, scratch, startServer, until } from "./lib.mjs";

const secret = "0123456789abcdef0123456789abcdef", [gone, stays] = ["zqann", "zqbob"];
const cohort = (args, env = {}) => {
  const r = spawnSync(binary, args, { encoding: "utf8", env: { PATH: process.env.PATH, ...env } });
  return { code: r.status, out: r.stdout.trim(), err: r.stderr };
};
const token = (...args) => cohort(["token", ...args], { COHORT_JWT_SECRET: secret }).out;
const tokens = { [gone]: token("--sub", gone), [stays]: token("--sub", stays), ops: token("--sub", "ops", "--scope", "admin") };
const ask = (s, who, method, target, body) => call(s, method, target, body, { authorization: `Bearer ${tokens[who]}` });
const serve = (dir, more = [], env = {}) => startServer({ dir, env, args: ["--store", "sqlite", "--db", path.join(dir, "cohort.db"), "--jwt-secret", secret, ...more] });
const erase = (s) => ask(s, "ops", "POST", `/owner/erase?owner=${gone}`);

async function fill(s, who, n) {
  for (let i = 0; i < n; i += 50)
    await Promise.all(Array.from({ length: 50 }, (_, j) => ask(s, who, "PUT", "/store/items", { namespace: [`${who}wns`], key: `${who}wkey${i + j}`, value: { text: `${who}wtext ${"x".repeat(200)}` } })));
  await ask(s, who, "POST", "/threads", { metadata: { m: `${who}wthread` } });
}
async function has(s, who, n) {
  const items = await ask(s, who, "POST", "/store/items/search", { namespace_prefix: [`${who}wns`], limit: 1000 });
  const threads = await ask(s, who, "POST", "/threads/search", {});
  return items.json.items.length === n && threads.json.length === 1 && threads.json[0].metadata.m === `${who}wthread`;
}
const times = (text, word) => text.split(word).length - 1;
function bytes(who, dir) {
  let n = 0;
  for (const f of readdirSync(dir, { withFileTypes: true })) if (f.isFile() && !f.name.endsWith(".part")) n += times(readFileSync(path.join(dir, f.name), "latin1"), who);
  return n;
}

// The pages of an encrypted file and of its log, free space with them: `encrypt --decrypt` writes
// the file anew, which would leave out what is looked for.
function opened(file, key) {
  const [PAGE, BODY] = [4096, 4068], out = [];
  const page = (p, place, number, from) => {
    if (!p.some((x) => x !== 0)) return;     // never written
    const n = Buffer.alloc(9);
    n[0] = place; n.writeBigUInt64LE(BigInt(number), 1);
    const d = createDecipheriv("aes-256-gcm", createHmac("sha256", key).update(n).digest(), p.subarray(BODY, BODY + 12));
    d.setAAD(p.subarray(0, from)); d.setAuthTag(p.subarray(BODY + 12, PAGE));
    out.push(d.update(p.subarray(from, BODY))); d.final();
  };
  const db = readFileSync(file);
  for (let at = 0; at < db.length; at += PAGE) page(db.subarray(at, at + PAGE), 1, at / PAGE + 1, at === 0 ? 16 : 0);
  let log = Buffer.alloc(0);
  try { log = readFileSync(`${file}-wal`); } catch { /* there is none */ }
  for (let at = 32, n = 1; at + 24 + PAGE <= log.length; at += 24 + PAGE, n++) page(log.subarray(at + 24, at + 24 + PAGE), 2, n, 0);
  return Buffer.concat(out).toString("latin1");
}

await scenario("an encrypted file", async () => {
  const dir = scratch(), key = randomBytes(32), file = path.join(dir, "cohort.db"), env = { COHORT_ENCRYPTION_KEY: key.toString("hex") };
  let s = await serve(dir, [], env);
  await Promise.all([fill(s, gone, 100), fill(s, stays, 100)]);
  check(times(opened(file, key), `${gone}wtext`) >= 100 && bytes(gone, dir) === 0, "his words are in it, for who has the key");
  const r = await erase(s);
  equal([r.status, r.json?.scrubbed], [200, true], r.text);
  equal(times(opened(file, key), gone), 0, "no byte of him is in the file or its log");
  check(times(opened(file, key), `${stays}wtext`) >= 100 && await has(s, stays, 100), "the other's are");
  await s.stop();
  equal(times(opened(file, key), gone), 0, "nor after the server has stopped");
  equal(cohort(["encrypt", "--decrypt", "--db", file], env).code, 0, "decrypted");
  check(bytes(gone, dir) === 0 && bytes(`${stays}wtext`, dir) >= 100, "nor in the plain file");
});

await scenario("backups and shipped logs: those of before have him, those of later do not", async () => {
  const dir = scratch(), to = path.join(dir, "backups"), db = path.join(dir, "again.db");
  mkdirSync(to);
  const s = await serve(dir, ["--backup-to", to, "--backup-log"]);
  await fill(s, stays, 100);
  await fill(s, gone, 100);
  await until(() => bytes(`${gone}wthread`, to) > 0, "the log to be shipped");
  const restored = async () => {
    const r = cohort(["restore", "--from", to, "--db", db, "--force"]);
    equal(r.code, 0, `restored (${r.err})`);
    const text = readFileSync(db, "latin1");
    return [times(text, gone), times(text, `${stays}wtext`) >= 100, times(text, `${stays}wlater`) > 0];
  };
  const before = new Date().toISOString();
  const r = await erase(s);
  equal([r.status, r.json?.scrubbed], [200, true], r.text);
  await ask(s, stays, "POST", "/threads", { metadata: { m: `${stays}wlater` } });
  await until(() => bytes(`${stays}wlater`, to) > 0, "what came later to be shipped");
  check(bytes(gone, to) > 0, "what was shipped before has him");
  equal(cohort(["restore", "--from", to, "--db", db, "--at", before]).code, 0, "as of before");
  check(bytes(gone, dir) > 0, "and so has the file of then");
  equal(await restored(), [0, true, true], "what is restored as of now has not");
  // What the documents say for those who cannot wait for backup.keep.
  const old = readdirSync(to).filter((f) => f.endsWith(".backup"));
  equal(cohort(["backup", "--full", "--db", path.join(dir, "cohort.db"), "--to", to]).code, 0, "a full one");
  for (const f of old) unlinkSync(path.join(to, f));
  equal(bytes(gone, to), 0, "the older files gone, no byte is in the folder");
  await ask(s, stays, "POST", "/threads", { metadata: { m: `${stays}wlast` } });
  await until(() => bytes(`${stays}wlast`, to) > 0, "the server to ship on, from there");
  equal([bytes(gone, to), ...await restored()], [0, 0, true, true], "and it can be restored");
  check(readFileSync(db, "latin1").includes(`${stays}wlast`), "with what came last");
  await s.stop();
});

// Kills the server (argv[2]) when its erasure has come so far, and says what is in the file then.
const killer = `
import os, sqlite3, sys
db, holds = [sqlite3.connect(sys.argv[1], isolation_level=None) for _ in range(2)]
one = lambda text: db.execute(text).fetchone()[0]
named = "SELECT count(*) FROM owner WHERE instr(subject, '${gone}') = 1"
# Who reads keeps the log from being emptied: the erasure cannot end before the kill.
holds.execute("BEGIN"); rows = holds.execute("SELECT count(*) FROM item").fetchone()[0]
print("ready", flush=True)
while one(named) > 0:
    if sys.argv[3] == "rows" and one("SELECT count(*) FROM item") < rows: break
os.kill(int(sys.argv[2]), 9)
print(rows, one("SELECT count(*) FROM item"), one(named), flush=True)
os._exit(0)`;
async function eraseKilled(s, dir, part) {
  const child = spawn("python3", ["-c", killer, path.join(dir, "cohort.db"), String(s.child.pid), part], { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.on("data", (d) => out += d);
  const closed = new Promise((resolve) => child.on("close", resolve));
  await until(() => out.includes("ready"), "the killer");
  const answer = await erase(s).then((r) => r.text, () => "cut");
  await closed;
  await s.exited;
  equal(answer, "cut", "the erasure has no answer");
  return out.trim().split("\n")[1].split(" ").map(Number);
}

await scenario("the server is killed in the middle", async () => {
  const dir = scratch(), n = 3000;
  let s = await serve(dir);
  await fill(s, stays, 200);
  await fill(s, gone, n);
  const [rows, left] = await eraseKilled(s, dir, "rows");
  check(rows === n + 200 && left >= 200 && left < rows, "some of the rows are gone", [rows, left]);
  s = await serve(dir);
  equal((await eraseKilled(s, dir, "name")).slice(1), [200, 0], "then all of them, and the name");
  check(bytes(gone, dir) > 0, "and the file is not scrubbed");
  s = await serve(dir);
  const r = await erase(s);
  equal([r.status, r.json?.scrubbed], [200, true], `asked again: ${r.text}`);
  equal(bytes(gone, dir), 0, "no byte of him is left");
  check(await has(s, stays, 200), "the other has what he had");
  equal((await erase(s)).status, 404, "it is done");
  await s.stop();
  equal([bytes(gone, dir), cohort(["doctor", "--db", path.join(dir, "cohort.db")]).err.includes("corrupt")], [0, false], "nor after the server has stopped");
});
finish();
