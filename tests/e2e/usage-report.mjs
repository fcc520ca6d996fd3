// usage-report.mjs - `cohort usage`: the caller's own and, for operators, other owners', as a
// table, CSV and JSON lines.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, scenario, scratch, startMock, startServer } from "./lib.mjs";

const dir = scratch(), keys = path.join(dir, "keys"), audit = path.join(dir, "audit.jsonl"), hash = (k) => createHash("sha256").update(k).digest("hex");
writeFileSync(keys, `${hash("ck_ann")} ann\n${hash("ck_bob")} =bob\n${hash("ck_root")} root scopes=admin\n`, { mode: 0o600 });
const mock = await startMock(["--delay-ms", "0"]), s = await startServer({ mock, dir, args: ["--api-keys", keys, "--audit-file", audit] });
const report = (key, ...args) => { const r = spawnSync(binary, ["usage", "--url", s.url, ...args], { encoding: "utf8", timeout: 30000, env: { ...process.env, COHORT_API_KEY: key } });
  return { ...r, lines: r.stdout.trim().split("\n") }; };
const run = (key) => call(s, "POST", "/runs/wait", { assistant_id: "agent", input: { messages: [{ role: "user", content: "hi" }] } }, { authorization: `Bearer ${key}` });

await scenario("reports", async () => {
  for (const key of ["ck_ann", "ck_ann", "ck_bob"]) equal((await run(key)).status, 200, `${key} asks`);
  const own = report("ck_ann", "--json"), row = JSON.parse(own.lines[0]);
  equal([own.status, own.lines.length, row.owner, row.calls], [0, 1, "", 2], "a day of the caller");
  equal(row.day, new Date().toISOString().slice(0, 10), "which day");
  const truth = (await call(s, "GET", "/usage", undefined, { authorization: "Bearer ck_ann" })).json.total;
  equal([row.input_tokens, row.output_tokens, row.cost], [truth.input_tokens, truth.output_tokens, truth.cost], "as the server counts");
  check(truth.input_tokens > 0, "something was counted", truth);
  const csv = report("ck_root", "--owner", "ann,=bob", "--by", "model", "--csv");
  equal(csv.lines[0], "owner,model,calls,input_tokens,cached_tokens,output_tokens,reasoning_tokens,cost", "names of the columns");
  equal(csv.lines.slice(1).map((l) => l.split(",").slice(0, 3)), [['"ann"', '"openai:mock-gpt-4o"', "2"], ['"\'=bob"', '"openai:mock-gpt-4o"', "1"]], "of two owners, and no formula");
  const table = report("ck_ann", "--by", "total");
  check(/^ +CALLS +INPUT/.test(table.stdout) && /^ +2 .* total$/m.test(table.stdout), "lines for people", table.stdout);
  const owners = report("ck_root", "--by", "owner", "--json").lines.map((l) => JSON.parse(l));
  equal(owners.map((o) => [o.owner, o.calls]).sort(), [["=bob", 1], ["ann", 2]], "each owner, without their names");
  equal(owners.find((o) => o.owner === "ann"), { ...row, day: undefined, owner: "ann" }, "as the owner sees it");
  equal(report("ck_root", "--by", "owner", "--csv").lines.map((l) => l.split(",").slice(0, 2)).sort(), [['"\'=bob"', "1"], ['"ann"', "2"], ["owner", "calls"]], "as CSV");
  const all = (query) => call(s, "GET", `/usage?group_by=owner${query}`, undefined, { authorization: "Bearer ck_root" });
  equal((await all("&limit=1")).json.total.calls, 3, "the sum is of all");
  equal((await all("&limit=1&offset=1")).json.groups.length, 1, "pages");
  equal((await all("&from=2020-01-01&to=2020-01-02")).json, { total: { ...owners[0], owner: undefined, calls: 0, input_tokens: 0, cached_tokens: 0, output_tokens: 0, reasoning_tokens: 0, cost: 0 }, group_by: "owner", groups: [] }, "of some days");
  equal((await all("&owner=ann")).status, 422, "of one owner that has no meaning");
  equal(report("ck_ann", "--from", "2020-01-01", "--to", "2020-01-02", "--json").stdout, "", "of days without calls nothing");
});

await scenario("what is refused", async () => {
  const other = report("ck_ann", "--owner", "=bob");
  check(other.status === 1 && other.stderr.includes("403"), "others' are for operators", other.stderr + other.stdout);
  equal((await call(s, "GET", "/usage?group_by=owner", undefined, { authorization: "Bearer ck_ann" })).status, 403, "nor all of them");
  const bad = report("ck_ann", "--by", "moon");
  check(bad.status === 2 && bad.stderr.includes("--by: expected day"), "an unknown group", bad.stderr);
  check(report("ck_ann", "--from", "yesterday").status === 1, "a day that is none");
});

await scenario("the audit log says who looked at others", async () => {
  const lines = readFileSync(audit, "utf8").trim().split("\n").map((l) => JSON.parse(l));
  const seen = (action, phase) => lines.filter((l) => l.action === action && l.phase === phase && JSON.stringify(l).includes('"root"')).length;
  equal(seen("usage:read_all", "begins"), 5, "each look at all owners");
  equal(seen("usage:read_all", "ends"), 5, "and its end");
  equal(seen("usage:read", "begins"), 3, "each at one of them");
  check(lines.some((l) => l.phase === "denied" && JSON.stringify(l).includes('"ann"')), "and what was refused");
});

await s.stop();
await mock.stop();
finish();
