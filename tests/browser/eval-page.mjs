// eval-page.mjs - the page of `cohort eval report --html` in Chromium: one result, two compared,
// in light, dark and on a phone; what axe-core says; texts that are meant to do harm.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { binary, check, cleanEnv, equal, finish, scenario, scratch } from "../e2e/lib.mjs";
import { chromium, faultless, noFaults, openTab, screenshot } from "./lib.mjs";

const browser = await chromium();
const dir = scratch();
const hostile = '<img src=x onerror="window.harm=1">\u202etxt.exe</script><script>window.harm=1</script>';
const cases = Array.from({ length: 12 }, (_, i) => ({ id: `c${i}${i < 2 ? hostile : ""}`, input: `q${i};`, expected: `a${i}` }));
const script = (broken) => ({ rules: cases.map((c, i) => ({ match: c.input, reply: broken(i) ? `${hostile} no ${"long".repeat(99)}` : i === 11 ? "another" : `a${i}` })), default: { reply: "x" } });
writeFileSync(path.join(dir, "cases.jsonl"), cases.map((c) => JSON.stringify(c)).join("\n"));
writeFileSync(path.join(dir, "good.json"), JSON.stringify(script(() => false)));
writeFileSync(path.join(dir, "bad.json"), JSON.stringify(script((i) => i < 8)));
writeFileSync(path.join(dir, "e.yaml"), `eval: capitals\nagent: agent\ndataset: cases.jsonl\nscript: good.json\nthreshold: 0.5\nscorers:\n  - {name: right, exact: true}\n  - {name: 'short ${hostile.replaceAll("'", "")}', expression: "len(output) < 40"}\n`);
const evals = (...args) => spawnSync(binary, ["eval", ...args], { cwd: dir, encoding: "utf8", timeout: 60000, env: cleanEnv() });
const run = (...args) => evals("run", "e.yaml", "--quiet", ...args).stdout.trim();
const good = run(), bad = run("--script", "bad.json");

async function open(file, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme: "light", ...options });
  const tab = await openTab(context);
  tab.asked = [];
  tab.on("request", (r) => { if (!r.url().startsWith("file:")) tab.asked.push(r.url()); });
  await tab.goto(`file://${path.join(dir, file)}`);
  return tab;
}
async function harmless(tab, what) {
  await faultless(tab, what);
  equal([await tab.evaluate(() => window.harm ?? null), await tab.evaluate(() => document.querySelectorAll("img, script").length), tab.asked], [null, 0, []], `${what}: texts are texts, and nothing is fetched`);
  noFaults(tab, what);
}
const looks = [["light", {}], ["dark", { colorScheme: "dark" }], ["phone", { viewport: { width: 360, height: 740 } }]];

for (const [name, results] of [["one", [bad]], ["two", [good, bad]]])
  await scenario(`the page of ${name}`, async () => {
    const made = evals("report", ...results, "--html", `${name}.html`);
    equal([made.status, made.stdout], [0, ""], `made: ${made.stderr}`);
    for (const [how, options] of looks) {
      const tab = await open(`${name}.html`, options);
      await screenshot(tab, "eval-page", `${name}-${how}`);
      await harmless(tab, `${name}, ${how}`);
      await tab.context().close();
    }
  });

await scenario("what it tells", async () => {
  const tab = await open("two.html");
  const heads = await tab.locator("h3").allTextContents();
  equal(heads, ["Worse in B (8)", "Same (4)"], "differences come first");
  check(/right\s*1\.000|right0\.917/.test(await tab.locator("tr:has(td:text-is('right'))").first().textContent()), "means", await tab.locator("tr:has(td:text-is('right'))").first().textContent());
  equal(await tab.locator("td.bad:text-is('worse')").count(), 3, "the verdicts of both scorers and of tokens");
  const first = tab.locator("details").first();
  equal([await first.locator("pre").count(), await first.locator("pre").first().textContent(), await first.evaluate((d) => d.open)], [2, "a0", true], "both outputs, and it is open");
  check((await first.locator("pre").nth(1).textContent()).startsWith(hostile), "what the model said, as it said it");
  const box = await Promise.all([0, 1].map((i) => first.locator("pre").nth(i).boundingBox()));
  check(box[1].x > box[0].x + box[0].width && Math.abs(box[0].y - box[1].y) < 200, "side by side", box);
  await tab.locator("summary").last().focus();
  await tab.keyboard.press("Enter");
  check(await tab.locator("details").last().evaluate((d) => d.open), "a case opens by the keyboard");
  await tab.context().close();
  const phone = await open("two.html", { viewport: { width: 360, height: 740 } });
  const under = await Promise.all([0, 1].map((i) => phone.locator("details").first().locator("pre").nth(i).boundingBox()));
  check(under[1].y > under[0].y + under[0].height, "one under the other on a phone", under);
  await phone.context().close();
});
finish();
