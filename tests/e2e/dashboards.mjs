// dashboards.mjs - deploy/grafana and deploy/prometheus: each series that they name is one of
// docs/metrics.md, the dashboard is whole, and promtool, where it is installed, takes the rules.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { check, equal, finish, repo, scenario } from "./lib.mjs";

const read = (...p) => readFileSync(path.join(repo, ...p), "utf8");
const kinds = new Map([...read("docs", "metrics.md").matchAll(/^\| `((?:cohort|process)_\w+)` \| (\w+) \|/gm)].map((m) => [m[1], m[2]]));
const named = (expr) => [...expr.matchAll(/\b(?:cohort|process)_[a-z0-9_]+\b(?!")/g)].map((m) => m[0]);
const known = (name) => kinds.has(name) || kinds.get(name.replace(/_(bucket|sum|count)$/, "")) === "histogram";

// Counters are read as rates, gauges are not.
function checkExpr(expr, where) {
  for (const name of named(expr)) check(known(name), `${where}: ${name} is in docs/metrics.md`, expr);
  for (const [, inner] of expr.matchAll(/\b(?:rate|increase)\((\w+)/g))
    check(kinds.get(inner) !== "gauge" || inner === "cohort_mail_dead", `${where}: no rate of the gauge ${inner}`, expr);
  let depth = 0;
  for (const c of expr) { if ("({[".includes(c)) depth++; if (")}]".includes(c)) depth--; if (depth < 0) break; }
  equal(depth, 0, `${where}: its brackets are closed`);
}

await scenario("the dashboard", async () => {
  const d = JSON.parse(read("deploy", "grafana", "cohort.json")), panels = d.panels;
  check(kinds.size > 80, "the table of metrics is read", kinds.size);
  equal(new Set(panels.map((p) => p.id)).size, panels.length, "each panel has an id of its own");
  const taken = new Set();
  for (const p of panels) {
    const { x, y, w, h } = p.gridPos;
    check(x >= 0 && x + w <= 24, `${p.title} is on the screen`, p.gridPos);
    for (let i = x; i < x + w; i++) for (let k = y; k < y + h; k++) {
      if (taken.has(`${i},${k}`)) check(false, `${p.title} is on no other`, p.gridPos);
      taken.add(`${i},${k}`);
    }
    if (p.type === "row") continue;
    check(p.targets.length > 0 && p.title && p.fieldConfig.defaults.unit, `${p.title} shows something`, p);
    for (const t of p.targets) checkExpr(t.expr, p.title);
  }
  for (const v of d.templating.list.filter((l) => l.type === "query")) checkExpr(v.query, v.name);
});

await scenario("the rules", async () => {
  const text = read("deploy", "prometheus", "alerts.yml"), rules = text.split(/^ {6}- alert: /m).slice(1);
  check(rules.length > 10, "there are rules", rules.length);
  for (const rule of rules) {
    const name = rule.split("\n")[0], expr = rule.match(/^ {8}expr: (.+)$/m)?.[1];
    check(expr !== undefined && /severity: (critical|warning|info)/.test(rule) && /summary: ".+"/.test(rule) && /action: ".+"/.test(rule), `${name} is whole`, rule);
    checkExpr(expr, name);
  }
  equal(new Set(rules.map((r) => r.split("\n")[0])).size, rules.length, "each has a name of its own");
  const tool = spawnSync("promtool", ["check", "rules", path.join(repo, "deploy", "prometheus", "alerts.yml")], { encoding: "utf8", timeout: 30000 });
  if (tool.error) console.log("skipped: promtool is not installed");
  else equal(tool.status, 0, `promtool takes them: ${tool.stderr}`);
});

finish();
