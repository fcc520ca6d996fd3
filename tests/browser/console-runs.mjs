// console-runs.mjs - the console's runs in Chromium: the transcript as a timeline, live and
// replayed, forks, comparisons; hostile data and 10,000 entries.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, scenario, scratch, startMock, startServer, until } from "../e2e/lib.mjs";
import { chromium, shows } from "./lib.mjs";
import { consoleOf } from "./console-lib.mjs";

const browser = await chromium();
const dir = scratch();
const hostile = '<img src=x onerror="window.harm=1">\u202etxt.exe</script>';
const script = path.join(dir, "script.json");
writeFileSync(script, JSON.stringify({ rules: [
  { match: "time", tool_calls: [{ name: "current_time", args: {} }] },
  { match: { role: "tool" }, reply: "It is late." },
  { match: "hostile", reply: hostile },
  { match: "slow", reply: "one two three four five", ttft_ms: 4000 },
  { match: "Rome", reply: "Rome is warm." },
], default: { reply: "Paris is cold." } }));
const mock = await startMock(["--script", script]);
writeFileSync(path.join(dir, "cohort.yaml"), `log.level: warn
models:
  priced:
    targets: [openai:mock-gpt-4o]
    price: {input: 1000, output: 1000}
`, { mode: 0o600 });
const server = await startServer({ dir, mock, env: { MODEL_NAME: "priced" } });
const api = async (method, target, body) => {
  const r = await call(server, method, target, body);
  if (r.status >= 300) throw new Error(`${method} ${target}: ${r.status} ${r.text}`);
  return r.json;
};
const thread = async (...texts) => {
  const { thread_id: id } = await api("POST", "/threads", {});
  for (const content of texts) await api("POST", `/threads/${id}/runs/wait`, { assistant_id: "agent", input: { messages: [{ role: "user", content }] } });
  return id;
};

const { page, close, looks } = consoleOf(browser, server, "console-runs");

const kindsOf = (tab) => tab.evaluate(() => [...document.querySelectorAll(".entries li")].map((li) => li.dataset.kind));
const sideOf = (tab) => tab.textContent(".view-runs .pair > .stack:last-child");
const asked = await thread("what time is it?", "and in Paris?");

await scenario("the timeline", async () => {
  const tab = await page("#/runs");
  await tab.click("td a .name:text-is('what time is it?')");
  await shows(tab, () => document.querySelectorAll(".entries li").length > 20);
  const all = await api("GET", `/threads/${asked}/transcript?limit=1000`);
  equal((await kindsOf(tab)).length, all.length, "every entry");
  const note = await tab.textContent("#page-note"), { total } = await api("GET", `/usage?thread_id=${asked}`);
  check(note.includes(`${total.calls} calls`) && note.includes(`$${total.cost.toFixed(2)}`), "what it took", note);
  await tab.click("button:text-is('Tools')");
  await shows(tab, () => [...document.querySelectorAll(".entries li")].every((li) => li.dataset.kind === "tool"));
  equal(await kindsOf(tab), all.filter((e) => e.kind.startsWith("tool_")).map(() => "tool"), "tools only");
  await tab.click("button:text-is('Models')");
  await shows(tab, () => document.querySelectorAll(".entries li[data-kind=model]").length === 6);
  check(/tokens, \d+/.test(await tab.textContent(".entries li[data-kind=model] >> nth=1")), "tokens and time of a call");
  await tab.click(".entries summary >> nth=1");
  await shows(tab, () => document.querySelector(".entries details[open] .code"));
  const run = all.at(-1).run_id;
  await tab.getByLabel("Run", { exact: true }).selectOption(run);
  await shows(tab, () => document.querySelectorAll(".entries li[data-kind=run]").length === 2);
  check(tab.url().endsWith(run), "one run of it");
  await close(tab, "the timeline");
});

await scenario("replay", async () => {
  const tab = await page(`#/runs/${asked}`);
  await shows(tab, () => /Only the entry is known/.test(document.querySelector(".view-runs .stack:last-child")?.textContent));
  const all = await api("GET", `/threads/${asked}/transcript?limit=1000`);
  const at = (f) => all.findIndex(f);
  await tab.focus(".entries summary");
  const first = at((e) => e.kind === "checkpoint");
  for (let i = 0; i < first; i++) await tab.keyboard.press("ArrowDown");
  await shows(tab, () => /State here/.test(document.querySelector(".view-runs .stack:last-child").textContent), undefined, "the state at a checkpoint");
  await tab.keyboard.press("ArrowUp");
  await shows(tab, () => /Only the entry is known/.test(document.querySelector(".view-runs .stack:last-child").textContent), undefined, "back");
  const answer = at((e) => e.kind === "tool_result"), before = all.slice(0, answer).findLast((e) => e.kind === "checkpoint");
  await tab.getByLabel("Entry", { exact: true }).fill(String(answer));
  await shows(tab, (n) => document.querySelector(".view-runs .stack:last-child").textContent.includes(`entry ${n}`), before.seq, "the checkpoint before a tool's result");
  const state = await api("GET", `/threads/${asked}/state/${before.checkpoint_id}`);
  check((await sideOf(tab)).includes(state.values.messages[0].content), "its values");
  check(!(await sideOf(tab)).includes("It is late."), "and not what came later");
  await tab.click("button[aria-label='Step forward']");
  equal(await tab.evaluate(() => [...document.querySelectorAll(".entries li")].findIndex((li) => li.getAttribute("aria-current"))), answer + 1, "a step by button");
  await close(tab, "replay");
});

await scenario("a run that goes on", async () => {
  const id = await thread(), tab = await page(`#/runs/${id}`);
  await shows(tab, () => /no such entry/.test(document.querySelector("#page-body").textContent));
  await api("POST", `/threads/${id}/runs`, { assistant_id: "agent", input: { messages: [{ role: "user", content: "slow" }] } });
  await shows(tab, () => /goes on/.test(document.querySelector("#page-note").textContent), undefined, "that it goes on");
  await shows(tab, () => [...document.querySelectorAll(".entries .tag")].at(-1)?.textContent === "End", undefined, "its entries to the end");
  await shows(tab, () => !/goes on/.test(document.querySelector("#page-note").textContent));
  await close(tab, "live");
});

const behindAnswer = async (id) => {
  const all = await api("GET", `/threads/${id}/transcript?limit=1000`), answer = all.findIndex((e) => e.kind === "tool_result");
  return [answer, all.slice(0, answer).findLast((e) => e.kind === "checkpoint")];
};

await scenario("a fork", async () => {
  const [answer, point] = await behindAnswer(asked), tab = await page(`#/runs/${asked}`), was = (await api("GET", `/threads/${asked}/history`)).length;
  await shows(tab, () => document.querySelectorAll(".entries li").length > 20);
  await tab.getByLabel("Entry", { exact: true }).fill(String(answer));
  await tab.click("button:text-is('Fork here\u2026')");
  await tab.getByLabel("Input (JSON)").fill("{");
  await tab.click("dialog button:text-is('Fork and run')");
  await shows(tab, () => /^Input: /.test(document.querySelector("dialog .wrong").textContent), undefined, "what is no JSON is refused");
  await tab.getByLabel("Input (JSON)").fill(JSON.stringify({ messages: [{ role: "user", content: "Rome?" }] }));
  await tab.click("dialog button:text-is('Fork and run')");
  await shows(tab, (old) => !location.hash.includes(old) || location.hash.includes("compare"), asked);
  const fresh = decodeURIComponent(new URL(tab.url()).hash).split("/").at(-1);
  await until(async () => (await api("GET", `/threads/${fresh}`)).status === "idle" && (await api("GET", `/threads/${fresh}/runs`)).length === 1, "it ran");
  const texts = (await api("GET", `/threads/${fresh}/state`)).values.messages.map((m) => m.content);
  equal([texts[0], texts.at(-1), texts.includes("It is late.")], ["what time is it?", "Rome is warm.", false], "from the checkpoint, with the other input");
  equal((await api("GET", `/threads/${asked}/history`)).length, was, "the old thread is as it was");
  check(point.seq > 0, "from a checkpoint");
  await close(tab, "a fork");
});

await scenario("hostile", async () => {
  const id = await thread("hostile"), { thread_id: big } = await api("POST", "/threads", {});
  const tab = await page(`#/runs/${id}`);
  await shows(tab, () => [...document.querySelectorAll(".entries .tag")].at(-1)?.textContent === "End");
  for (const s of await tab.$$(".entries summary")) await s.click();
  check(await tab.evaluate(() => document.querySelectorAll("#page-body img, #page-body script").length === 0), "text stays text");
  equal(await tab.evaluate(() => /[\u202a-\u202e]/.test(document.querySelector(".entries").textContent)), false, "marks are visible");
  await close(tab, "hostile");
  await api("POST", `/threads/${big}/runs/wait`, { assistant_id: "agent", input: { messages: [{ role: "user", content: "x".repeat(1_000_000) }] } });
  const wide = await page(`#/runs/${big}`);
  await shows(wide, () => [...document.querySelectorAll(".entries .tag")].at(-1)?.textContent === "End");
  await wide.keyboard.press("Tab");
  await wide.getByLabel("Entry", { exact: true }).fill("9");
  await wide.click(".view-runs .stack:last-child summary");
  await shows(wide, () => document.querySelector(".view-runs .stack:last-child details[open] .code")?.textContent.length < 60_000);
  await close(wide, "a text of 1 MB");
});

await scenario("10,000 entries", async () => {
  const tab = await page("#/settings"), kinds = ["entered", "exited", "request", "answer"];
  let asks = 0;
  await tab.route("**/transcript?*", (r) => {
    const u = new URL(r.request().url()), after = Number((u.searchParams.get("after") ?? "r:0").split(":")[1]), limit = Number(u.searchParams.get("limit"));
    asks++;
    // Pages may be short before the end.
    const n = Math.max(0, Math.min(limit, 120, 10_000 - after));
    r.fulfill({ json: Array.from({ length: n }, (_, i) => ({ seq: after + i + 1, run_id: "r", time: "2026-12-01T10:00:00.000Z", kind: after + i + 1 === 9_900 ? "error" : kinds[(after + i) % 4], ns: "", state: `s${after + i + 1}`, message: after + i + 1 === 9_900 ? "found" : undefined })) });
  });
  await tab.evaluate((id) => { location.hash = `#/runs/${id}`; }, asked);
  await shows(tab, () => document.querySelectorAll(".entries li").length === 250);
  check(asks < 6, "only a page is read", asks);
  await tab.click("button:text-is('Later entries')");
  await shows(tab, () => /s253/.test(document.querySelector(".entries")?.textContent));
  equal((await kindsOf(tab)).length, 250, "a page at a time");
  await tab.click("button:text-is('Earlier entries')");
  await shows(tab, () => /s1$/.test(document.querySelector(".entries .entry-words")?.textContent));
  await tab.click("button:text-is('Errors')");
  await shows(tab, () => /No such entry/.test(document.querySelector("#page-body").textContent), undefined, "a filter gives up after some pages");
  for (let i = 0; i < 4; i++) {
    const before = asks;
    await tab.click("button:text-is('Later entries')");
    await shows(tab, () => !document.querySelector("[aria-busy]"));
    check(asks - before <= 20, "at most 20 requests a turn", asks - before);
    if (await tab.evaluate(() => document.querySelectorAll(".entries li").length > 0)) break;
  }
  check(/found/.test(await tab.textContent(".entries")), "the one error of 10,000 entries");
  await close(tab, "10,000 entries");
});

// ---- two side by side --------------------------------------------------------

await scenario("compare", async () => {
  const twin = await thread("what time is it?", "and in Paris?"), other = await thread("what time is it?", "and in Rome?");
  let tab = await page(`#/runs/compare/${asked}/${twin}`);
  await shows(tab, () => document.querySelector(".verdict"));
  const parted = await tab.evaluate(() => [...document.querySelectorAll(".pair-row.differs")].map((r) => r.textContent));
  check(parted.every((t) => /current_time|\d\d:\d\d/.test(t)), "but for the clock they went the same way", parted);
  await close(tab, "twins");
  tab = await page(`#/runs/compare/${asked}/${other}`);
  await shows(tab, () => document.querySelector(".first"));
  const rows = await tab.evaluate(() => [...document.querySelectorAll(".pair-row.differs")].map((r) => r.textContent));
  check(rows.some((t) => t.includes("Paris is cold.") && t.includes("Rome is warm.")), "both answers in one row", rows);
  const fields = await tab.textContent("[aria-label='Final states']");
  check(/messages\[5\]\.content/.test(fields) && /Rome is warm\./.test(fields) && !/messages\[0\]/.test(fields), "the fields that differ", fields);
  const { total } = await api("GET", `/usage?thread_id=${other}`);
  check((await tab.textContent("[aria-label='What they took']")).includes(`$${total.cost.toFixed(2)}`), "what it cost");
  equal(await tab.evaluate(() => document.querySelectorAll("#first-difference").length), 1, "the first difference is marked");
  await close(tab, "compare");
  await looks(`#/runs/compare/${asked}/${other}`, () => document.querySelector(".first"), "compare");
});

await scenario("align, differences", async () => {
  const tab = await page("#/runs");
  const got = await tab.evaluate(async () => {
    const { align, differences } = await import("/ui/compare.js");
    const e = (...states) => states.map((state) => ({ kind: "entered", state }));
    return [align(e("a", "b", "c"), e("a", "c", "d")).map((r) => r.map((x) => x?.state ?? null)), differences({ a: 1, b: { c: [1, 2] }, id: 1 }, { a: 1, b: { c: [1, 3] }, d: null, id: 2 })];
  });
  equal(got, [[["a", "a"], ["b", null], ["c", "c"], [null, "d"]], [["b.c[1]", 2, 3], ["d", null, null]]], "what is common is aligned, what differs has its path");
  await close(tab, "align");
});

await scenario("how runs look", async () => {
  await looks("#/runs", () => document.querySelectorAll("tbody tr").length > 1, "runs");
  await looks(`#/runs/${asked}`, () => document.querySelectorAll(".entries li").length > 20 && document.querySelector("#page-note").textContent.includes("calls"), "timeline");
});

await server.stop();
finish();
