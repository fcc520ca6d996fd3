// console-data.mjs - the console's board, messages, usage, reports and settings in Chromium:
// live changes, conflicts, keyboard, what axe-core says, narrow screens, data that is meant to
// do harm.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, scenario, scratch, startMock, startServer, until } from "../e2e/lib.mjs";
import { chromium, faultless, screenshot, shows, showsText } from "./lib.mjs";
import { consoleOf } from "./console-lib.mjs";

const browser = await chromium();
const dir = scratch();
writeFileSync(path.join(dir, "cohort.yaml"), `log.level: warn
openai.api-key: m4rker
keep-partial: true
models:
  priced:
    targets: [openai:mock-gpt-4o]
    price: {input: 0.15, cached: 0.075, output: 0.60}
mcp-hosts: ${Array.from({ length: 60 }, (_, i) => `host${i}.example.com`).join(",")}
`, { mode: 0o600 });
const mock = await startMock(["--delay-ms", "0"]);
const server = await startServer({ dir, mock, env: { MODEL_NAME: "priced", COHORT_WEBHOOKS_SECRET: "m4rker" } });
const api = async (method, target, body, headers) => {
  const r = await call(server, method, target, body, headers);
  if (r.status >= 300) throw new Error(`${method} ${target}: ${r.status} ${r.text}`);
  return r.json;
};
const hostile = '<img src=x onerror="window.harm=1">\u202etxt.exe</script>';

const { page, close, looks } = consoleOf(browser, server, "console-data");

// ---- work --------------------------------------------------------------------

const item = (body, actor = "ann") => api("POST", "/work/items", { ...body, actor });
const first = await item({ title: "Write the protocol down", priority: 0, issue_type: "feature", labels: ["docs", "protocol"], description: "As **frames**:\n\n- begin\n- end" });
const second = await item({ title: "Build the client", dependencies: [first.id], labels: ["client"] });
const third = await item({ title: "Measure it on a machine with two cores and write what was seen into the report", priority: 1, issue_type: "chore" });
const doneItem = await item({ title: "Choose a name", priority: 3 });
await item({ title: hostile, description: hostile, labels: ["\u202eevil"], priority: 4, issue_type: "bug" });
await item({ title: "Later", status: "deferred" });
await api("POST", `/work/items/${doneItem.id}/close`, { reason: "it is Cohort" });
await api("POST", "/work/claim", { id: third.id, actor: "bob" });
await api("POST", "/work/rpc", { operation: "comment", args: { id: first.id, text: `See [this](javascript:alert(1)) and ${hostile}` }, actor: "eve" });
const titles = (tab, column) => tab.evaluate((c) => [...document.querySelectorAll(`[data-column=${c}] a`)].map((a) => a.textContent), column);
const cardsReady = () => document.querySelectorAll(".work-card").length >= 5 && document.getElementById("page-note").textContent === "Live";

await scenario("the board", async () => {
  const tab = await page("#/work");
  await shows(tab, cardsReady);
  equal([await titles(tab, "blocked"), await titles(tab, "in_progress"), await titles(tab, "closed"), await titles(tab, "deferred")], [["Build the client"], [third.title], ["Choose a name"], ["Later"]], "each in its column");
  check((await titles(tab, "ready"))[0] === first.title, "the most urgent first");
  const made = await item({ title: "Made by another" });
  await shows(tab, () => document.querySelector("[data-column=ready]").textContent.includes("Made by another"), undefined, "what another made, live");
  await api("POST", `/work/items/${made.id}/close`, { actor: "bob" });
  await shows(tab, () => document.querySelector("[data-column=closed]").textContent.includes("Made by another"), undefined, "closed by another, live");
  await close(tab, "the board");
});

await scenario("moving by drag, by keyboard, by menu", async () => {
  const one = await item({ title: "Move me", priority: 0 }), tab = await page("#/work");
  await shows(tab, (t) => document.querySelector("[data-column=ready]").textContent.includes(t), "Move me");
  await tab.dragAndDrop(`[data-id="${one.id}"]`, "section[aria-label='In progress']");
  await until(async () => (await api("GET", `/work/items/${one.id}`)).status === "in_progress", "dragged: claimed");
  await shows(tab, (id) => document.querySelector(`[data-column=in_progress] [data-id="${id}"]`), one.id);
  await tab.focus(`[data-id="${one.id}"] a`);
  await tab.keyboard.press("m");
  await shows(tab, () => document.querySelector("dialog .menu"));
  await tab.click("dialog button:text-is('Closed')");
  await until(async () => (await api("GET", `/work/items/${one.id}`)).status === "closed", "closed by the menu");
  await shows(tab, (id) => document.querySelector(`[data-column=closed] [data-id="${id}"]`) && document.activeElement.closest("li")?.dataset.id === id, one.id, "focus goes with it");
  await tab.focus("[data-column=ready] a");
  await tab.keyboard.press("ArrowDown");
  check(await tab.evaluate(() => document.activeElement === document.querySelectorAll("[data-column=ready] a")[1]), "arrows go down");
  await tab.keyboard.press("ArrowRight");
  check(await tab.evaluate(() => document.activeElement.closest("ul").dataset.column === "in_progress"), "and to the side");
  await tab.keyboard.press("Enter");
  await shows(tab, () => document.querySelector(".item h3")?.textContent.startsWith("Measure it"));
  await close(tab, "moving");
});

await scenario("a claim that somebody else has", async () => {
  const one = await item({ title: "Wanted" }), tab = await page("#/work");
  await shows(tab, (id) => document.querySelector(`[data-column=ready] [data-id="${id}"]`), one.id);
  await tab.route("**/work/events*", (r) => r.abort());
  await tab.reload();
  await shows(tab, (id) => document.querySelector(`[data-column=ready] [data-id="${id}"]`), one.id);
  await api("POST", "/work/claim", { id: one.id, actor: "bob" });
  await tab.focus(`[data-id="${one.id}"] a`);
  await tab.keyboard.press("m");
  await tab.click("dialog button:text-is('Claim it for me')");
  await showsText(tab, "dialog h2", "It has changed meanwhile");
  await tab.click("dialog button:text-is('Change it anyway')");
  await showsText(tab, "dialog h2", "Somebody else was first");
  check((await tab.textContent("dialog p")).includes("claimed by bob"), "by whom");
  await tab.click("dialog button:text-is('Close')");
  await close(tab, "claims");
});

await scenario("two who edit the same", async () => {
  const one = await item({ title: "Draft", description: "old", notes: "old" }), tab = await page(`#/work/default/${one.id}`);
  await shows(tab, () => document.querySelector(".item h3")?.textContent === "Draft");
  await tab.click(".item-tools button:text-is('Edit')");
  await tab.getByLabel("Description").fill("mine");
  await tab.getByLabel("Design").fill("my design");
  await api("PATCH", `/work/items/${one.id}`, { description: "theirs", notes: "their notes", actor: "bob" });
  await shows(tab, () => document.querySelector(".item .banner:not([hidden])")?.textContent.includes("bob"), undefined, "that bob changed it is shown while one writes");
  equal(await tab.getByLabel("Description").inputValue(), "mine", "what is written stays");
  await tab.click(".item-form button:text-is('Save')");
  await showsText(tab, "dialog h2", "Two changes of the same");
  check(/theirs/.test(await tab.textContent("dialog")) && !/their notes/.test(await tab.textContent("dialog")), "both texts of the one field that both changed");
  await screenshot(tab, "console-data", "work-conflict");
  await tab.selectOption("dialog select", "theirs");
  await tab.click("dialog button:text-is('Save')");
  await until(async () => (await api("GET", `/work/items/${one.id}`)).design === "my design", "saved");
  const now = await api("GET", `/work/items/${one.id}`);
  equal([now.description, now.notes, now.design], ["theirs", "their notes", "my design"], "nothing of both is lost");
  await close(tab, "editing");
});

await scenario("one item: create, depend, comment, close", async () => {
  const tab = await page("#/work");
  await shows(tab, cardsReady);
  await tab.click("#page-tools button");
  await tab.getByLabel("Title").fill("From the console");
  await tab.getByLabel("Labels").fill("a, b");
  await tab.getByLabel("Depends on").fill(first.id);
  await tab.click("dialog button:text-is('Create')");
  await shows(tab, () => document.querySelector(".item h3")?.textContent === "From the console");
  const id = decodeURIComponent(new URL(tab.url()).hash.split("/").at(-1)), made = await api("GET", `/work/items/${id}`);
  equal([made.labels, made.dependencies[0].id], [["a", "b"], first.id], "as it was asked");
  await tab.getByLabel("Comment").fill("A **comment**");
  await tab.click(".item button:text-is('Comment')");
  await shows(tab, () => document.querySelector(".comment strong")?.textContent === "comment");
  await tab.click(".item-tools button:text-is('Close\u2026')");
  await tab.fill("dialog input", "because");
  await tab.click("dialog button:text-is('Close item')");
  await until(async () => (await api("GET", `/work/items/${id}`)).status === "closed", "closed");
  await tab.click(`[data-id="${first.id}"] a`);
  await shows(tab, () => document.querySelector(".item .comment"));
  check(await tab.evaluate(() => document.querySelectorAll(".item img, .item a[href^=javascript]").length === 0), "a comment is text");
  await close(tab, "one item");
});

await scenario("another project, and no item", async () => {
  const tab = await page("#/work/empty-one");
  await showsText(tab, ".empty-state h3", "No work yet");
  await faultless(tab, "no item");
  await tab.evaluate(() => { location.hash = "#/work/default/nope-1"; });
  await showsText(tab, ".item .empty-state h3", "Not here");
  await close(tab, "no item");
});

await scenario("how the board looks", () => looks("#/work", cardsReady, "work"));
await scenario("how an item looks", () => looks(`#/work/default/${first.id}`, () => document.querySelector(".item .comment") && document.querySelectorAll(".work-card").length >= 5, "work-item"));

await scenario("10,000 items", async () => {
  for (let n = 0; n < 10; n++)
    await api("POST", "/work/batch?project=many", { operations: Array.from({ length: 1000 }, (_, i) => ({ operation: "create", args: { title: `Item ${n * 1000 + i}`, status: i % 4 === 0 ? "closed" : "open" } })) });
  const tab = await page("#/work/many");
  await shows(tab, () => document.querySelectorAll("[data-column=ready] li").length === 100);
  check(/7,500/.test(await tab.textContent("section[aria-label=Ready] h3")), "how many there are");
  // What the observer has not told yet is told in the next task.
  const longest = () => tab.evaluate(async () => { await new Promise((r) => setTimeout(r)); return Math.round(window.longest); });
  await longest();
  await tab.evaluate(() => { window.longest = 0; });
  for (const n of [300, 500, 700]) {
    await tab.click("section[aria-label=Ready] button:text-is('Show more')");
    await shows(tab, (k) => document.querySelectorAll("[data-column=ready] li").length === k, n);
  }
  const shown = await longest();
  await tab.evaluate(async () => {
    window.longest = 0;
    const el = document.querySelector("section[aria-label=Ready] .column-body");
    for (let y = 0; y < el.scrollHeight; y += 400) {
      el.scrollTop = y;
      await new Promise((r) => requestAnimationFrame(r));
    }
  });
  console.log(`10,000 items: longest task ${shown} ms when more are shown, ${await longest()} ms of scrolling through 700`);
  await close(tab, "10,000 items");
});

// ---- messages ----------------------------------------------------------------

const spawn = async (name, more) => (await api("POST", "/agents", { kind: "external", name, ...more })).agent_id;
for (const name of ["planner", "searcher", "writer", "checker", "\u202erevo"]) await spawn(name);
const tell = (from, to, performative, conversation_id, content, more) => api("POST", `/agents/${encodeURIComponent(from)}/messages`, { performative, receiver: to, conversation_id, content, delivery: { durable: true }, ...more });
await tell("planner", "searcher", "request", "trip-7", { find: "trains to Ulm" }, { protocol: "fipa-request", reply_with: "r1" });
await tell("searcher", "planner", "agree", "trip-7", "I look", { protocol: "fipa-request", in_reply_to: "r1" });
await tell("searcher", "planner", "inform", "trip-7", { trains: ["ICE 593", hostile], long: "x".repeat(50_000) }, { protocol: "fipa-request", in_reply_to: "r1" });
for (let i = 0; i < 12; i++) await tell("planner", "writer", "inform", `note-${i % 3}`, { i });
await tell("writer", "checker", "query-if", "facts", "Is it so?");
await tell("checker", "writer", "confirm", "facts", "It is.");
await tell("planner", "\u202erevo", "inform", hostile, hostile);
const got = (await call(server, "GET", "/agents/searcher/mailbox?max=10")).json;
await api("POST", "/agents/searcher/mailbox/ack", { message_ids: got.map((m) => m.message_id) });
const gone = await spawn("gone");
await tell("planner", "gone", "request", "lost", { a: 1 });
await api("DELETE", "/agents/gone");

await scenario("who talks to whom", async () => {
  const tab = await page("#/messages");
  await shows(tab, () => document.querySelector(".verdict"));
  check(/The books balance/.test(await tab.textContent(".verdict")), "the books", await tab.textContent(".verdict"));
  const row = await tab.evaluate(() => [...document.querySelectorAll("[aria-label='Who talks to whom'] tbody tr")].map((r) => r.textContent).find((t) => t.startsWith("plannerwriter")));
  check(/12/.test(row ?? ""), "planner told writer twelve times", row);
  check(await tab.evaluate(() => document.querySelectorAll(".figure .edge").length >= 6), "the graph");
  await tab.click("a:text-is('trip-7')");
  await shows(tab, () => document.querySelectorAll(".figure .head").length === 2);
  equal(await tab.evaluate(() => [...document.querySelectorAll(".figure .edge text")].map((t) => t.textContent)), ["request", "agree", "inform"], "the acts in their order");
  await tab.click("details.card >> nth=2");
  await shows(tab, () => document.querySelector("details[open] .code"));
  check(await tab.evaluate(() => [...document.querySelectorAll("details[open] button")].some((b) => b.textContent.startsWith("Show more"))), "a huge content is folded");
  await close(tab, "messages");
});

await scenario("books that do not balance", async () => {
  const tab = await page("#/settings");
  await tab.route("**/agents/search", async (r) => {
    const x = await r.fetch(), list = await x.json();
    if (list.length > 0) list[0].books.delivered += 2;
    await r.fulfill({ response: x, json: list });
  });
  await tab.evaluate(() => { location.hash = "#/messages/books"; });
  await shows(tab, () => /of 1 agent do not balance/.test(document.querySelector(".verdict.bad")?.textContent));
  check(await tab.evaluate(() => [...document.querySelectorAll(".tag.bad")].some((t) => t.textContent === "off by -2")), "by how much");
  await faultless(tab, "wrong books");
  await close(tab, "wrong books");
});

await scenario("dead letters", async () => {
  const tab = await page("#/messages/dead");
  await shows(tab, () => /the agent stopped/.test(document.querySelector("tbody")?.textContent ?? ""));
  await tab.click("button:text-is('Drop')");
  await tab.click("dialog button:text-is('Drop')");
  await showsText(tab, ".empty-state h3", "No dead letters");
  equal(await api("GET", "/messages/dead"), [], "it is dropped");
  await close(tab, "dead letters");
});

await scenario("how messages look", async () => {
  await looks("#/messages", () => document.querySelector(".verdict") && document.querySelector(".figure"), "messages");
  await looks("#/messages/talk/trip-7", () => document.querySelector(".figure .head"), "messages-talk");
  await looks("#/messages/books", () => document.querySelectorAll("tbody tr").length > 3, "messages-books");
});

// ---- usage -------------------------------------------------------------------

for (const text of ["a", "some more words", "x ".repeat(400), "again"]) await api("POST", "/runs/wait", { assistant_id: "agent", input: { messages: [{ role: "user", content: text }] } });

await scenario("usage", async () => {
  const tab = await page("#/usage");
  await shows(tab, () => /4/.test(document.querySelectorAll(".big strong")[1]?.textContent));
  const { total } = await api("GET", "/usage");
  check((await tab.textContent(".bigs")).includes(total.input_tokens.toLocaleString("en-US")), "the tokens of GET /usage");
  await tab.getByLabel("By", { exact: true }).selectOption("model");
  await shows(tab, () => document.querySelector("tbody td")?.textContent.length > 3);
  await tab.getByLabel("To", { exact: true }).fill("2020-01-02");
  await shows(tab, () => /No model was called/.test(document.querySelector("#page-body").textContent));
  check(/Threads/.test(await tab.textContent(".quotas")), "quotas");
  await close(tab, "usage");
});
await scenario("how usage looks", () => looks("#/usage", () => document.querySelectorAll(".figure").length === 2, "usage"));

// ---- reports -----------------------------------------------------------------

const runs = (...v) => ({ runs: v, low: Math.min(...v), high: Math.max(...v) });
const suite = (factor, commit) => ({
  schema: 2, suite: "all --quick", version: "0.8.0", commit, date: "2026-12-01T10:00:00.000Z", passed: true, machine: { cpu: "A cpu", cores: 2, memory_mb: 4096, os: "Debian" },
  baseline: { name: "old", version: "0.7.0", commit: "aaaa" },
  results: [{ id: "B2", title: "latency of a run", state: "measured", repeat: 3, measures: "a run's time", does_not_measure: "the network", passed: true, command: "cohort bench flow",
    values: { p50_ms: 2.5 * factor }, result: { workload: "flow", passed: true, p50_ms: 2.5 * factor, flows_per_s: 900 / factor }, spread: { p50_ms: runs(2.4 * factor, 2.5 * factor, 2.6 * factor), flows_per_s: runs(890 / factor, 900 / factor, 910 / factor) },
    targets: [{ key: "p50_ms", unit: "ms", better: "down", value: 2.5 * factor, ours: 5, met: true, core: "p50", grade: "good", core_unit: "ms", core_value: 3 }],
    metrics: [{ name: "http_req_duration", operation: "runs", unit: "ms", count: 1000, errors: 0, p50: 2.5, p90: 3, p95: 4, p99: 6, p99_9: 9, max: 12, buckets: [[1, 100], [2, 300], [3, 400], [6, 190], [12, 10]] }],
    series: [{ name: "resident memory", x: "s", y: "MB", log: false, points: Array.from({ length: 40 }, (_, i) => [i, 40 + Math.sqrt(i) * 3 * factor]) }],
    checks: [{ passed: true, check: "no errors" }, { passed: false, check: hostile }],
    changes: [{ metric: "B2.p50_ms", baseline: 2.4, current: 2.5, change_percent: 4.17, low_percent: 1.2, high_percent: 7.9, pairs: 8, unit: "ms", verdict: "same" }, { metric: "B2.flows_per_s", baseline: 1000, current: 900, change_percent: -10, low_percent: -12, high_percent: -8, pairs: 8, unit: "1/s", verdict: "worse" }] }],
});
const files = path.join(dir, "reports");
mkdirSync(files);
const file = (name, x) => { writeFileSync(path.join(files, name), typeof x === "string" ? x : JSON.stringify(x)); return path.join(files, name); };
const before = file("before.json", suite(1, "aaaa111")), after = file("after.json", suite(1.5, "bbbb222"));

await scenario("reports", async () => {
  const tab = await page("#/reports");
  const open = (...names) => tab.setInputFiles("input[type=file]", names);
  await open(before);
  await shows(tab, () => document.querySelectorAll(".plots .figure").length === 2);
  check(/nothing worse|1 worse/.test(await tab.textContent(".stack")) && /worse/.test(await tab.textContent("[aria-label=Changes]")), "the verdicts");
  await faultless(tab, "a report");
  await screenshot(tab, "console-data", "reports");
  await open(after);
  await shows(tab, () => document.querySelectorAll(".files input").length === 2);
  await tab.check(".files input >> nth=0");
  await shows(tab, () => document.querySelector("[aria-label='B2 of both']"));
  check(/50\.0 %/.test(await tab.textContent("[aria-label='B2 of both']")) && /apart/.test(await tab.textContent("[aria-label='B2 of both']")), "the difference, and that the spreads lie apart");
  await faultless(tab, "two reports");
  await screenshot(tab, "console-data", "reports-two");
  await open(file("bad.json", "{"), file("other.json", { a: 1 }), file("odd.json", { workload: {}, results: 7, metrics: [null, 1, { name: [] }], series: [{ points: [[1], "x", [null, 2]] }], result: { a: "x", b: 1e400 }, machine: 5, checks: {} }));
  await shows(tab, () => /other\.json: it is no report/.test(document.querySelector("[role=alert].wrong").textContent));
  await tab.evaluate((text) => {
    const data = new DataTransfer();
    data.items.add(new File([text], "dropped.json", { type: "application/json" }));
    document.querySelector(".view-reports").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  }, readFileSync(before, "utf8"));
  await shows(tab, () => [...document.querySelectorAll(".files label")].some((l) => l.textContent === "dropped.json"));
  await close(tab, "reports");
});
await scenario("reports in the dark and on a phone", async () => {
  for (const [name, options] of [["reports-dark", { colorScheme: "dark" }], ["reports-phone", { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }]]) {
    const tab = await page("#/reports", options);
    await tab.setInputFiles("input[type=file]", [after]);
    await shows(tab, () => document.querySelectorAll(".plots .figure").length === 2);
    await faultless(tab, name);
    await screenshot(tab, "console-data", name);
    await close(tab, name);
  }
});

// ---- settings ----------------------------------------------------------------

await scenario("settings", async () => {
  const tab = await page("#/settings");
  await shows(tab, () => document.querySelectorAll("tbody tr").length > 100);
  check(!(await tab.content()).includes("m4rker"), "no secret");
  const rows = await tab.evaluate(() => [...document.querySelectorAll("tbody tr")].map((r) => [...r.cells].map((c) => c.textContent)));
  const at = (key) => rows.findIndex((r) => r[0].startsWith(key));
  check(at("log.level") < 10 && /warn/.test(rows[at("log.level")][1]) && /cohort\.yaml:1/.test(rows[at("log.level")][2]), "what was set comes first, with its line", rows[at("log.level")]);
  check(/^set$/.test(rows[at("webhooks.secret")][1]) && /COHORT_WEBHOOKS_SECRET/.test(rows[at("webhooks.secret")][2]), "a secret is set", rows[at("webhooks.secret")]);
  await tab.fill("input[type=search]", "lease worker");
  await shows(tab, () => document.querySelectorAll("tbody tr").length === 1);
  await tab.fill("input[type=search]", "");
  await tab.check("input[type=checkbox]");
  await shows(tab, () => document.querySelectorAll("tbody tr").length < 12);
  await close(tab, "settings");
});
await scenario("how settings look", () => looks("#/settings", () => document.querySelectorAll("tbody tr").length > 100, "settings"));

await server.stop();
finish();
