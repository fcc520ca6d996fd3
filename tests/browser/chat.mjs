// chat.mjs - a chat (tests/e2e/chat-lib.mjs) over pages that use the official hooks
// as they are, in a real browser:
//   as-is    useStream of @langchain/react 1.1.0, on the SDK it names (1.11)
//   newest   the same on SDK 1.15.0, by npm overrides
//   socket   and that over a WebSocket
//   classic  useStream of @langchain/langgraph-sdk/react 1.15.0
//   node chat.mjs [PAGE...] [-v WORD]     only these pages, sequences with the word
// REFERENCE=http://host:port asks the official server (reference/ has its agents)
// and leaves out what kills the server.  Screenshots: results/browser/chat.
import path from "node:path";
import { chat, chatServer } from "../e2e/chat-lib.mjs";
import { finish, freePort, scratch } from "../e2e/lib.mjs";
import { bundle, chromium, here, noFaults, openTab, screenshot, serveFiles, shows } from "./lib.mjs";

const reference = process.env.REFERENCE;
// Over a WebSocket SDK 1.15 shows nothing of a run that has ended before both of its
// subscriptions are answered: the end that one of them tells pauses the other.  No
// model is that fast; there, this one waits before its first word.
const react = (folder) => ({ source: "stream.jsx", alias: { "@langchain/react": path.join(here, "node_modules", folder) } });
const pages = {
  "as-is": { kind: "old", ...react("react-as-is") },
  newest: { kind: "new", ...react("react-newest") },
  socket: { kind: "new", ...react("react-newest"), query: { transport: "websocket" }, ttft: 400 },
  classic: { kind: "classic", source: "classic.jsx" },
};
const args = process.argv.slice(2), v = args.indexOf("-v"), only = v < 0 ? "" : args.splice(v, 2)[1];

const browser = await chromium();
const files = {};
for (const [name, { source, alias }] of Object.entries(pages)) {
  files[`/${name}.js`] = { type: "text/javascript", body: await bundle(path.join(here, "pages", source), { alias }) };
  files[`/${name}`] = { type: "text/html", body: `<!doctype html><meta charset="utf-8"><title>${name}</title><div id="root"></div><script type="module" src="/${name}.js"></script>` };
}
const site = await serveFiles(files);

// What the page shows, as a view.
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

async function pageTab(context, page, server, assistant, thread) {
  const tab = await openTab(context, `${site}/${page}?${new URLSearchParams({ api: server.url, assistant, ...(thread && { thread }), ...pages[page].query })}`);
  const say = (button) => async (text) => { await tab.fill("#draft", text); await tab.click(button); };
  const when = (condition, arg, ms) =>
    shows(tab, ([r, c, a]) => { const view = eval(r); return eval(c)(view, a) && view; }, [read, String(condition), arg], `${condition} with ${JSON.stringify(arg)}`, ms);
  const ready = () => when((view) => view.status === "idle" || view.status === "running");
  await ready();
  return {
    tab, when, see: () => tab.evaluate(read),
    send: say("#send"), queue: say("#enqueue"), stop: () => tab.click("#stop"),
    decide: async (how, text) => { await tab.fill("#draft", text); await tab.click(`.${how}`, { timeout: 5000 }); },
    fork: async (n, text) => { await tab.fill("#draft", text); await tab.click(`#messages > li:nth-child(${n + 1}) .fork:enabled`); },
    reload: async () => { await tab.reload(); await ready(); },
  };
}

for (const [name, { kind, ttft }] of Object.entries(pages).filter(([n]) => !args.length || args.includes(n))) {
  const dir = scratch(), port = await freePort();
  let context, tabs = [];
  await chat({
    name, kind, only, reference: !!reference,
    begin: () => reference ? { url: reference } : chatServer({ dir, port, ttft }),
    open: async (...what) => {
      context ??= await browser.newContext();
      tabs.push(await pageTab(context, name, ...what));
      return tabs.at(-1);
    },
    close: async (label) => {
      for (const [i, { tab }] of tabs.entries()) {
        await screenshot(tab, "chat", `${label.replace(/\W+/g, "-")}${i ? `-tab${i + 1}` : ""}`);
        noFaults(tab, label);
      }
      await context?.close();
      context = undefined;
      tabs = [];
    },
  });
}
finish();
