// chat.mjs - one list of sequences over pages that use the official hooks as
// they are, in a real browser:
//   as-is    useStream of @langchain/react 1.1.0, on the SDK it names (1.11)
//   newest   the same on SDK 1.15.0, by npm overrides
//   classic  useStream of @langchain/langgraph-sdk/react 1.15.0
//   node chat.mjs [PAGE...] [-v WORD]     only these pages, sequences with the word
// REFERENCE=http://host:port asks the official server (reference/ has its agents)
// and leaves out what kills the server.  Screenshots: results/browser/chat.
import path from "node:path";
import { check, equal, finish, freePort, scenario, scratch, startServer, until } from "../e2e/lib.mjs";
import { bundle, chromium, here, noFaults, openTab, screenshot, serveFiles, shows } from "./lib.mjs";

const reference = process.env.REFERENCE;
const at = (folder) => path.join(here, "node_modules", folder);
const pages = {
  "as-is": ["stream.jsx", { "@langchain/react": at("react-as-is") }],
  newest: ["stream.jsx", { "@langchain/react": at("react-newest") }],
  classic: ["classic.jsx", {}],
};
const args = process.argv.slice(2), v = args.indexOf("-v"), word = v < 0 ? "" : args.splice(v, 2)[1];
const wanted = args.length ? args : Object.keys(pages);

const browser = await chromium();
const files = {};
for (const name of wanted) {
  const [source, alias] = pages[name];
  files[`/${name}.js`] = { type: "text/javascript", body: await bundle(path.join(here, "pages", source), { alias }) };
  files[`/${name}`] = { type: "text/html", body: `<!doctype html><meta charset="utf-8"><title>${name}</title><div id="root"></div><script type="module" src="/${name}.js"></script>` };
}
const site = await serveFiles(files);

const dir = scratch(), port = await freePort();
const begin = () => startServer({ dir, port, args: ["--agents", path.join(here, "agents"), "--llm-script", path.join(here, "script.json")] });
let server = reference ? { url: reference } : await begin();
const api = async (method, target, body) => {
  const r = await fetch(server.url + target, { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) });
  if (!r.ok) throw new Error(`${method} ${target}: ${r.status} ${await r.text()}`);
  return r.json();
};
const stateOf = (thread) => api("GET", `/threads/${thread}/state`);
const runsOf = (thread) => api("GET", `/threads/${thread}/runs`);

// What a tab shows now, and `when(view, arg)`, run in the page, waited for.
const read = `(() => {
  const text = (s) => document.querySelector(s)?.textContent ?? "";
  const list = (s, f) => [...document.querySelectorAll(s)].map(f);
  return {
    status: text("#status"), thread: text("#thread"), error: text("#error"), refused: text("#refused"), queued: text("#queued"),
    messages: list("#messages > li", (l) => [l.dataset.type, l.querySelector(".text").textContent]),
    ids: list("#messages > li", (l) => l.dataset.id),
    calls: list("#calls > li", (l) => [l.dataset.name, l.dataset.state, l.querySelector(".output").textContent]),
    interrupts: list("#interrupts > li", (l) => l.querySelector("code").textContent),
    scopes: list("#scopes > li", (l) => l.textContent),
  };
})()`;
const see = (tab) => tab.evaluate(read);
const when = (tab, condition, arg, ms) =>
  shows(tab, ([r, c, a]) => { const view = eval(r); return eval(c)(view, a) && view; }, [read, String(condition), arg], `${condition} with ${JSON.stringify(arg)}`, ms);

const say = async (tab, text, button = "#send") => { await tab.fill("#draft", text); await tab.click(button); };
const answered = (tab, last, ms) => when(tab, (view, t) => view.status === "idle" && view.messages.at(-1)?.[1] === t, last, ms);
const asked = (tab) => when(tab, (view) => view.interrupts.length === 1 && view.status === "idle");
// As many messages as it says, each once, and no error.
function shown(view, messages, what) {
  equal(view.messages, messages, `${what}: messages`);
  equal(new Set(view.ids).size, view.ids.length, `${what}: each message once`);
  equal([view.error, view.refused], ["", ""], `${what}: no error`);
}

async function sequence(page, name, fn) {
  if (!name.includes(word)) return;
  const label = `${page}: ${name}`, context = await browser.newContext(), tabs = [];
  const open = async (assistant, thread) => {
    const tab = await openTab(context, `${site}/${page}?${new URLSearchParams({ api: server.url, assistant, ...(thread && { thread }) })}`);
    tabs.push(tab);
    await when(tab, (view) => view.status === "idle" || view.status === "running");
    return tab;
  };
  await scenario(label, () => fn(open, label, page));
  for (const [i, tab] of tabs.entries()) {
    await screenshot(tab, "chat", `${label.replace(/\W+/g, "-")}${i ? `-tab${i + 1}` : ""}`);
    noFaults(tab, label);
  }
  await context.close();
}

const HELLO = [["human", "hello"], ["ai", "Hello, what can I do for you?"]];
const count = (n) => ["one", "two", "three", "four"].slice(0, n).join(" ");
const PAY = JSON.stringify({ name: "pay", args: { to: "Ann", amount: 12 } });
const counting = (view) => view.messages.at(-1)[0] === "ai" && view.messages.at(-1)[1].startsWith("one two");
const toolsIn = (state) => state.values.messages.filter((m) => m.type === "tool");
const aiText = (m) => typeof m.content === "string" ? m.content : m.content.map((b) => b.text ?? "").join("");

const sequences = {
  async "two turns"(open, label) {
    const tab = await open("desk");
    await say(tab, "hello");
    shown(await answered(tab, HELLO[1][1]), HELLO, `${label}, first turn`);
    await say(tab, "bees");
    const view = await answered(tab, "Bees waggle.");
    shown(view, [...HELLO, ["human", "bees"], ["ai", "Bees waggle."]], label);
    const state = await stateOf(view.thread);
    equal(state.values.messages.map((m) => m.id), view.ids, `${label}: ids are those of the state`);
  },
  async "tools"(open, label) {
    const tab = await open("desk");
    await say(tab, "weather");
    const view = await answered(tab, "Take your sunglasses.");
    equal(view.messages.filter(([t, x]) => t !== "ai" || x), [["human", "weather"], ["tool", "It is sunny in Paris."], ["ai", "Take your sunglasses."]], `${label}: messages`);
    equal(view.calls.map(([n, , o]) => [n, o]), [["weather", "It is sunny in Paris."]], `${label}: one call with its result`);
    equal(view.error, "", `${label}: no error`);
  },
  async "messages of a subgraph"(open, label, page) {
    const tab = await open("team");
    await say(tab, "bees");
    const view = await answered(tab, "That was all.");
    shown(view, [["human", "bees"], ["ai", "Bees waggle."], ["ai", "That was all."]], label);
    if (page !== "classic") {
      const scoped = await when(tab, (v) => v.scopes.some((s) => s.includes("ai: Bees waggle.")));
      check(scoped.scopes.length === 1 && scoped.scopes[0].startsWith("helper"), `${label}: under the node's name`, scoped.scopes);
    }
  },
  async "approve, edit, reject"(open, label) {
    const tab = await open("desk");
    let paid = 0;
    for (const [how, draft, last] of [["approve", "", "The money is on its way."], ["edit", JSON.stringify({ to: "Bob", amount: 3 }), "The money is on its way."], ["reject", "too much", "Nothing was paid."]]) {
      await say(tab, `pay ${how}`);
      equal((await asked(tab)).interrupts, [PAY], `${label}: ${how}: is asked`);
      await tab.fill("#draft", draft);
      await tab.click(`.${how}`);
      const view = await when(tab, (v, [l, n]) => v.status === "idle" && v.interrupts.length === 0 && v.messages.at(-1)[1] === l && v.messages.filter((m) => m[0] === "tool").length === n, [last, ++paid]);
      equal(new Set(view.ids).size, view.ids.length, `${label}: ${how}: each message once`);
      equal([view.error, view.refused], ["", ""], `${label}: ${how}: no error`);
    }
    const { messages } = await see(tab);
    equal(messages.filter(([t]) => t === "tool").map(([, x]) => /^Paid/.test(x) ? x : "refused"), ["Paid 12 to Ann.", "Paid 3 to Bob.", "refused"], `${label}: what was decided was done`);
  },
  async "reload while it waits"(open, label) {
    const tab = await open("desk");
    await say(tab, "pay");
    await asked(tab);
    await tab.reload();
    equal((await asked(tab)).interrupts, [PAY], `${label}: asked again`);
    await tab.click(".approve");
    const view = await answered(tab, "The money is on its way.");
    equal([view.interrupts, view.error], [[], ""], `${label}: answered`);
  },
  async "stop"(open, label, page) {
    const tab = await open("desk");
    await say(tab, "count slowly");
    await when(tab, counting);
    await tab.click("#stop");
    const view = await when(tab, (v) => v.status === "idle");
    check(!/thirty/.test(view.messages.at(-1)[1]), `${label}: in the middle`, view.messages);
    await until(async () => (await runsOf(view.thread)).every((r) => !["pending", "running"].includes(r.status)), `${label}: the run to end on the server`);
    equal((await runsOf(view.thread)).length, 1, `${label}: one run`);
    await say(tab, "hello");
    await when(tab, (v, t) => v.status === "idle" && v.messages.some((m) => m[1] === t), HELLO[1][1]);
    if (page === "as-is") await tab.reload();          // SDK 1.11 keeps showing the piece that was stopped
    const after = await answered(tab, HELLO[1][1]);
    equal(after.error, "", `${label}: goes on`);
    const state = await stateOf(view.thread);
    equal(after.ids, state.values.messages.map((m) => m.id), `${label}: what is shown is the state`);
  },
  async "reload in mid-run"(open, label) {
    const tab = await open("desk");
    await say(tab, "count slowly");
    const before = await when(tab, counting);
    await tab.reload();
    await when(tab, (v) => v.status === "running" && v.messages.at(-1)?.[0] === "ai" && v.messages.at(-1)[1] && !v.messages.at(-1)[1].endsWith("thirty"));
    const view = await when(tab, (v) => v.status === "idle" && v.messages.at(-1)?.[1].endsWith("thirty"));
    equal([view.thread, view.messages.length, view.messages[0], view.messages[1][1].split(" ").length, view.error], [before.thread, 2, ["human", "count slowly"], 30, ""], `${label}: the same answer goes on`);
    equal((await runsOf(view.thread)).length, 1, `${label}: one run`);
  },
  async "edit and fork"(open, label) {
    const tab = await open("desk");
    await say(tab, "hello");
    await answered(tab, HELLO[1][1]);
    await say(tab, "bees");
    const before = await answered(tab, "Bees waggle.");
    await tab.fill("#draft", "ants");
    await tab.waitForSelector("#messages > li:nth-child(3) .fork:enabled");
    await tab.click("#messages > li:nth-child(3) .fork");
    const view = await answered(tab, "Ants march.");
    shown(view, [...HELLO, ["human", "ants"], ["ai", "Ants march."]], label);
    equal(view.thread, before.thread, `${label}: the same thread`);
    await tab.reload();
    shown(await answered(tab, "Ants march."), [...HELLO, ["human", "ants"], ["ai", "Ants march."]], `${label}, read again`);
    const history = await api("POST", `/threads/${view.thread}/history`, { limit: 50 });
    check(history.some((s) => s.values.messages.some((m) => aiText(m) === "Bees waggle.")), `${label}: the other branch is kept`);
  },
  async "two tabs, one question"(open, label, page) {
    const one = await open("desk");
    await say(one, "pay");
    const { thread } = await asked(one);
    const two = await open("desk", thread);
    equal((await asked(two)).interrupts, [PAY], `${label}: both are asked`);
    await one.click(".approve");
    await answered(one, "The money is on its way.");
    if (page === "newest" && !reference) await when(   // npm's server 1.5.1 has no input.answered
      two, (v) => v.interrupts.length === 0);
    if (await two.locator(".approve").count()) await two.click(".approve");
    await until(async () => (await runsOf(thread)).every((r) => !["pending", "running"].includes(r.status)), `${label}: runs to end`);
    equal(toolsIn(await stateOf(thread)).map(aiText), ["Paid 12 to Ann."], `${label}: paid once`);
    await two.reload();
    const view = await answered(two, "The money is on its way.");
    equal([view.interrupts, view.messages.filter(([t]) => t === "tool").length], [[], 1], `${label}: the second tab sees it done`);
  },
  async "a queue of two"(open, label) {
    const tab = await open("desk");
    await say(tab, "count slowly");
    await when(tab, counting);
    await say(tab, "bees", "#enqueue");
    await say(tab, "ants", "#enqueue");
    const view = await answered(tab, "Ants march.", 20000);
    equal(view.messages.filter(([t]) => t === "human").map(([, x]) => x), ["count slowly", "bees", "ants"], `${label}: in order`);
    equal([view.messages[1][1].endsWith("thirty"), view.messages.length, view.queued, view.error], [true, 6, "0", ""], `${label}: each after the other`);
  },
};

const kills = {
  async "killed and started in mid-run"(open, label) {
    const tab = await open("desk");
    await say(tab, "count slowly");
    const { thread } = await when(tab, counting);
    await server.stop("SIGKILL");
    server = await begin();
    const view = await when(tab, (v) => v.status === "idle" && v.messages.at(-1)?.[1].endsWith("thirty"), undefined, 30000);
    equal(view.messages.map(([t]) => t), ["human", "ai"], `${label}: the answer once`);
    equal((await runsOf(thread)).map((r) => r.status), ["success"], `${label}: one run`);
    await say(tab, "bees");
    equal((await answered(tab, "Bees waggle.")).error, "", `${label}: goes on`);
  },
  async "killed while it waits"(open, label) {
    const tab = await open("desk");
    await say(tab, "pay");
    const { thread } = await asked(tab);
    await server.stop("SIGKILL");
    server = await begin();
    equal((await see(tab)).interrupts, [PAY], `${label}: still asked`);
    await tab.click(".approve");
    const view = await answered(tab, "The money is on its way.", 30000);
    equal([view.interrupts, view.error, toolsIn(await stateOf(thread)).length], [[], "", 1], `${label}: paid once`);
  },
};

for (const page of wanted)
  for (const [name, fn] of Object.entries({ ...sequences, ...(reference ? {} : kills) })) await sequence(page, name, fn);
finish();
