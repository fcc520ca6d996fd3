// console-agents.mjs - the console's agents, their drawings and the inbox in Chromium: states in
// states, what is active live, its text equivalent, what waits answered, keyboard, what axe-core
// says, narrow screens; and how large the console may be.
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, scenario, scratch, startServer } from "../e2e/lib.mjs";
import { chromium, here, shows, showsText } from "./lib.mjs";
import { consoleOf } from "./console-lib.mjs";

const browser = await chromium();
const dir = scratch();
const agents = path.join(dir, "agents");
mkdirSync(agents);
const file = (name, text) => writeFileSync(path.join(agents, `${name}.yaml`), text);
file("order", `
id: order
name: Orders
description: an order whose approval and payment go on side by side
context: {paid: false}
initial: open
states:
  open:
    type: parallel
    states:
      approval:
        initial: asking
        states:
          asking: {ask: {prompt: "Approve?", options: [yes, no]}, on: {done: [{guard: event.data.value == 'no', target: refused}, approved]}}
          approved: {type: final}
      payment:
        initial: charging
        states:
          charging: {wait: 10, on: {done: {target: paid, assign: {paid: "true"}}}}
          paid: {type: final}
      where: {type: history, history: deep}
    onDone: done
  done: {type: final}
  refused: {type: final}
`);
file("waits", `
id: waits
initial: idle
states:
  idle: {after: {1h: late}, on: {go: late}}
  late: {type: final}
`);
file("steps", `
id: steps
state: {n: {}}
nodes:
  first: {ask: {prompt: "One?"}}
  second: {ask: {prompt: "Two?"}}
edges: [[START, first], [first, second], {from: second, to: first, when: n == 1}, [second, END]]
`);
file("large", `id: large\ninitial: s0\nstates:\n${Array.from({ length: 60 }, (_, i) => `  s${i}: {on: {next: s${(i + 1) % 60}, skip: s${(i * 7 + 3) % 60}}}`).join("\n")}\n`);
const hostile = '<img src=x onerror="window.harm=1">\u202etxt.exe</script>';
file("evil", `id: evil\nname: ${JSON.stringify(hostile)}\ndescription: ${JSON.stringify(hostile)}\nnodes:\n  "a<b>": {set: {}, description: ${JSON.stringify(hostile)}}\nedges: [[START, "a<b>"], {from: "a<b>", to: END, when: "'<i>' < 'b'"}]\n`);
const server = await startServer({ dir, args: ["--agents", agents] });
const api = async (method, target, body) => {
  const r = await call(server, method, target, body);
  if (r.status >= 300) throw new Error(`${method} ${target}: ${r.status} ${r.text}`);
  return r.json;
};

const { page, close, looks } = consoleOf(browser, server, "console-agents");

const begin = async (assistant_id) => {
  const { thread_id: t } = await api("POST", "/threads", {});
  await api("POST", `/threads/${t}/runs`, { assistant_id, input: {} });
  return t;
};
const now = (tab, words) => showsText(tab, ".now", words);
const active = (tab) => tab.evaluate(() => [...document.querySelectorAll(".state.active > title")].map((t) => t.textContent).sort());

// ---- agents ------------------------------------------------------------------

await scenario("the list of agents", async () => {
  const tab = await page("#/agents");
  await shows(tab, () => document.querySelectorAll("tbody tr").length >= 5);
  await tab.fill("input[type=search]", "payment go");
  await shows(tab, () => document.querySelectorAll("tbody tr").length === 1);
  await tab.click("tbody a");
  await shows(tab, () => document.querySelector(".drawing svg") && document.getElementById("page-title").textContent === "order");
  await now(tab, "No thread has been run yet.");
  await close(tab, "the list");
});

await scenario("a chart: what is active, live", async () => {
  const t = await begin("order"), tab = await page("#/agents/order");
  await now(tab, "Waits in: asking, paid");
  equal(await active(tab), ["approval", "asking", "open", "paid", "payment"], "the states around are active too");
  equal(await tab.evaluate(() => [...document.querySelectorAll(".outline .tag.accent:not([hidden])")].map((x) => x.closest("li").querySelector("strong").textContent)), ["open", "approval", "asking", "payment", "paid"], "as text");
  const inside = () => tab.evaluate(() => {
    const at = (id) => [...document.querySelectorAll(".state")].find((g) => g.querySelector("title")?.textContent === id).querySelector("rect").getBBox();
    const [a, b] = [at("open"), at("charging")];
    return b.x > a.x && b.y > a.y && b.x + b.width < a.x + a.width && b.y + b.height < a.y + a.height;
  });
  check(await inside(), "a state lies inside of the one around it");
  await api("POST", `/threads/${t}/runs`, { assistant_id: "order", command: { resume: "yes" } });
  await now(tab, "Nothing is active.");
  const again = await begin("waits");
  await tab.evaluate((id) => { location.hash = `#/agents/waits/${id}`; }, again);
  await now(tab, "Active: idle");
  await close(tab, "a chart");
});

await scenario("a graph: what is active, live", async () => {
  const t = await begin("steps"), tab = await page(`#/agents/steps/${t}`);
  await now(tab, "Waits in: first");
  await api("POST", `/threads/${t}/runs`, { assistant_id: "steps", command: { resume: "x" } });
  await now(tab, "Waits in: second");
  equal(await active(tab), ["second"], "in the drawing");
  await tab.focus(".drawing");
  check(await tab.evaluate(() => document.activeElement.getAttribute("aria-label").startsWith("Drawing of")), "the drawing has focus and a name");
  await close(tab, "a graph");
});

await scenario("60 states, names that mean harm", async () => {
  const tab = await page("#/agents/large");
  await shows(tab, () => document.querySelectorAll(".state").length === 61 && document.querySelectorAll(".arrow").length === 121);
  check(await tab.evaluate(() => document.querySelector(".drawing svg").getBoundingClientRect().width >= document.querySelector("svg[viewBox]").viewBox.baseVal.width - 1), "letters keep their size");
  await tab.evaluate(() => { location.hash = "#/agents/evil"; });
  await shows(tab, () => document.querySelector(".state-name")?.textContent === "START" && document.getElementById("page-note").textContent.includes("\u27e8U+202E\u27e9"));
  check(await tab.evaluate(() => document.querySelectorAll("#page img, #page script").length === 0), "text is text");
  await tab.evaluate(() => { location.hash = "#/agents/nobody"; });
  await showsText(tab, ".empty-state h3", "Not here");
  await close(tab, "60 states");
});

// ---- inbox -------------------------------------------------------------------

await scenario("the inbox: what waits, whatever thread asks", async () => {
  await begin("steps");
  const tab = await page("#/inbox"), first = (what) => tab.locator(`#page-body ${what}`).first();
  await showsText(tab, "#page-body summary .brief", "One?");
  const n = new Set((await api("GET", "/interrupts?status=waiting&limit=100")).map((w) => w.thread_id)).size;
  const rows = (k, what) => shows(tab, (k) => document.querySelectorAll("#page-body summary").length === k, k, what);
  await rows(n, "one for each thread");
  await showsText(tab, "#page-body summary .name", "steps");
  await shows(tab, () => Number(document.querySelector("[data-view=inbox] .count").textContent) > 0, undefined, "the number at the rail");
  await first("summary").click();
  await first("textarea").fill("mine");
  await begin("order");
  await rows(n + 1, "another comes");
  equal(await first("textarea").inputValue(), "mine", "what is written stays");
  await first("form button.primary").click();
  await shows(tab, () => [...document.querySelectorAll("#page-body .brief")].some((x) => x.textContent === "Two?"), undefined, "it goes on, and asks again");
  await rows(n + 1, "what was answered is gone");
  await close(tab, "the inbox");
});
await scenario("how the inbox looks", () => looks("#/inbox", () => {
  const first = document.querySelector("#page-body details");
  if (first) first.open = true;
  return first?.querySelector("form");
}, "inbox"));

await scenario("the console's size", async () => {
  const source = path.join(here, "..", "..", "src", "console");
  const bytes = readdirSync(source).reduce((n, f) => n + statSync(path.join(source, f)).size, 0);
  check(bytes <= 256_000, `${bytes} bytes, at most 256,000`);
});

await scenario("how agents look", () => looks("#/agents", () => document.querySelectorAll("tbody tr").length >= 5, "agents"));
await begin("order");
await scenario("how a drawing looks", () => looks("#/agents/order", () => document.querySelectorAll(".state.active").length === 5, "agent"));

await server.stop();
finish();
