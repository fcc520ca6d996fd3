// console.mjs - the console at /ui in Chromium: each feature, its policy, keyboard,
// narrow screens, what axe-core says, and output that is meant to do harm.
import { mkdirSync, writeFileSync } from "node:fs";
import { createHmac } from "node:crypto";
import path from "node:path";
import { call, check, equal, finish, scenario, scratch, startServer, until } from "../e2e/lib.mjs";
import { chromium, faultless, noFaults, openTab, screenshot, shows } from "./lib.mjs";

const browser = await chromium();

// ---- the server --------------------------------------------------------------

const dir = scratch(), agents = path.join(dir, "agents");
const put = (key) => ({ name: "store_put", args: { namespace: ["notes"], key, value: { n: 1 } } });
const long = `${Array.from({ length: 60 }, (_, i) => `word${i}`).join(" ")}\n\nThe end.`;
const pages = Array.from({ length: 20000 }, (_, i) => (i % 25 ? `word${i}` : `\n\nparagraph **${i}** with \`code\``)).join(" ");
const rich = "# Plan\n\nSome **bold** and *slanted* words, `code`, ~~old~~ and [a link](https://example.org/x).\n\n- one\n  - inner\n- two\n\n1. first\n2. second\n\n> quoted\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```js\nconst a = 1 ?? 2;\n```\n";
writeFileSync(path.join(dir, "script.json"), JSON.stringify({
  rules: [
    { match: "slowly", reply: long, ttft_ms: 20, token_ms: 25 },
    { match: "markdown", reply: rich },
    { match: "time", tool_calls: [{ name: "current_time", args: {} }] },
    { match: "save two", tool_calls: [put("two-a"), put("two-b")] },
    { match: "save", tool_calls: [put("one")] },
    { match: { role: "tool" }, reply: "The tool has answered." },
    { match: "at length", reply: `${pages}\n\nThe end.` },
    { match: "About", reply: long, token_ms: 60 },
    { match: "boom", status: 400, reply: "the model refuses" },
  ],
  default: { reply: "Hello." },
}));
const yaml = {
  form: `id: form
description: Asks with a form.
state: {messages: {reducer: messages}, booking: {}}
nodes:
  ask:
    ask:
      value: {question: "'Where should **we** go?'", budget: 1200}
      schema:
        type: object
        required: [city, nights, class]
        properties:
          city: {type: string, title: City, description: Where the trip goes to}
          nights: {type: integer, minimum: 1, maximum: 30, title: Nights, default: 3}
          class: {enum: [economy, first], title: Class}
          extras: {type: array, items: {enum: [breakfast, parking]}, title: Extras}
          notes: {type: array, items: {type: string}, title: Notes}
          insured: {type: boolean, title: With insurance}
          seat: {type: object, title: Seat, properties: {row: {type: number, title: Row}}}
    writes: {booking: result.value}
edges: [[START, ask]]
`,
  two: `id: two
state: {a: {}, b: {}}
nodes:
  left: {ask: {prompt: "Left or right?", options: [left, right]}, writes: {a: result.value}}
  other: {ask: {prompt: "How many?", type: number, min: 1, max: 5}, writes: {b: result.value}}
edges: [[START, left], [START, other]]
`,
  greet: `id: greet
description: Greets who is named.
state: {name: {schema: {type: string, title: Name}}, text: {}}
input: [name]
nodes:
  greet: {set: {text: "\`Hello, \${name}!\`"}}
edges: [[START, greet]]
`,
  worker: `id: worker
state: {goal: {}, answer: {}}
nodes:
  answer: {llm: {prompt: "About \${goal}", messages: []}, writes: {answer: result.text}}
edges: [[START, answer]]
`,
  lead: `id: lead
state: {messages: {reducer: messages}, topics: {default: "['flight', 'sun']"}}
nodes:
  split: {map: {over: topics, as: goal, agent: worker, concurrency: 2}}
  sum: {llm: {}}
edges: [[START, split], [split, sum]]
`,
  odd: `id: odd
state: {a: {}, b: {}, c: {}}
nodes:
  one: {ask: {value: {action_requests: "7", review_configs: "'x'", prompt: {not: "'text'"}}}, writes: {a: result.value}}
  two: {ask: {value: {action_requests: [{name: 1, args: 2, description: 3}, null], review_configs: {a: 1}}}, writes: {b: result.value}}
  three: {ask: {value: [1, null]}, writes: {c: result.value}}
edges: [[START, one], [START, two], [START, three]]
`,
  echo: `id: echo
state: {messages: {reducer: messages}, note: {}}
nodes:
  note: {set: {note: "'seen'"}}
edges: [[START, note]]
`,
};
mkdirSync(agents);
for (const [name, text] of Object.entries(yaml)) writeFileSync(path.join(agents, `${name}.yaml`), text);
const args = ["--agents", agents, "--llm-script", path.join(dir, "script.json")];
let server = await startServer({ dir, args });

const api = async (method, target, body) => {
  const r = await call(server, method, target, body);
  if (r.status >= 300) throw new Error(`${method} ${target}: ${r.status} ${r.text}`);
  return r.json;
};
const reviewed = (await api("POST", "/assistants", { graph_id: "agent", name: "Reviewed", config: { configurable: { interrupt_on: { store_put: true } } } })).assistant_id;
const say = (content) => ({ messages: [{ role: "user", content }] });
const newThread = async (assistant, input) => {
  const { thread_id: t } = await api("POST", "/threads", {});
  await api("POST", `/threads/${t}/runs/wait`, { assistant_id: assistant, input });
  return t;
};
const messagesOf = async (t) => (await api("GET", `/threads/${t}/state`)).values.messages;

// ---- the page ----------------------------------------------------------------

// A context in which every breach of the policy, and whatever a script that got in would
// do, is seen.
async function page(hash = "", options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme: "light", reducedMotion: "reduce", ...options });
  await context.addInitScript(() => {
    window.breaches = [];
    addEventListener("securitypolicyviolation", (e) => window.breaches.push(`${e.violatedDirective} ${e.blockedURI}`));
  });
  const tab = await openTab(context);
  tab.dialogs = [];
  tab.on("dialog", (d) => { tab.dialogs.push(d.message()); d.dismiss(); });
  await tab.goto(`${server.url}/ui${hash}`);
  await tab.waitForSelector("#app:not([hidden]), .sign-card");
  return tab;
}

async function close(tab, what) {
  noFaults(tab, what);
  equal([await tab.evaluate(() => window.breaches), tab.dialogs], [[], []], `${what}: the policy held, and nothing ran`);
  await tab.context().close();
}

const send = async (tab, text) => { await tab.fill("#message-box", text); await tab.press("#message-box", "Enter"); };
const idle = (tab) => shows(tab, () => !document.getElementById("subtitle").textContent.includes("running") && document.querySelectorAll(".message.live").length === 0 && document.querySelectorAll(".message.ai").length > 0);
const fromTheTop = (tab) => tab.evaluate(() => { document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute("tabindex"); });
const pickAgent = (tab, name) => tab.selectOption("#agent", { label: name });
const threadOf = (tab) => decodeURIComponent(new URL(tab.url()).hash.slice(4));

// ---- a conversation ----------------------------------------------------------

await scenario("chat: streamed text", async () => {
  const tab = await page();
  await screenshot(tab, "console", "new");
  await send(tab, "slowly please");
  await shows(tab, () => /word3\b/.test(document.querySelector(".message.ai")?.textContent));
  check(!(await tab.textContent(".message.ai")).includes("The end."), "words come one by one");
  check(await tab.isVisible("#stop"), "it can be stopped");
  await screenshot(tab, "console", "streaming");
  await idle(tab);
  check((await tab.textContent(".message.ai")).includes("The end."), "to the end");
  await shows(tab, () => /answered: word0/.test(document.getElementById("status").textContent), undefined, "the answer is announced");
  await shows(tab, () => document.querySelector("#threads .thread[aria-current=page] .thread-title")?.textContent === "slowly please", undefined, "the list has it");
  await tab.reload();
  await shows(tab, () => /The end\./.test(document.querySelector(".message.ai")?.textContent), undefined, "and it is there again");
  equal(await tab.locator(".message").count(), 2, "once");
  await close(tab, "chat");
});

await scenario("chat: Markdown and code", async () => {
  const tab = await page();
  await tab.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await send(tab, "markdown");
  await idle(tab);
  const found = await tab.evaluate(() => Object.fromEntries(["h3", "strong", "em", "del", "ul ul li", "ol li", "blockquote", "td", "pre code", "p code"].map((s) => [s, document.querySelector(`.message.ai .prose ${s}`)?.textContent.trim()])));
  equal(found, { h3: "Plan", strong: "bold", em: "slanted", del: "old", "ul ul li": "inner", "ol li": "first", blockquote: "quoted", td: "1", "pre code": "const a = 1 ?? 2;", "p code": "code" }, "as elements");
  equal(await tab.evaluate(() => { const a = document.querySelector(".message.ai a"); return [a.href, a.rel, a.target]; }), ["https://example.org/x", "noopener noreferrer", "_blank"], "a link");
  await tab.click(".message.ai .code [aria-label='Copy code']");
  equal(await tab.evaluate(() => navigator.clipboard.readText()), "const a = 1 ?? 2;", "code is copied");
  await faultless(tab, "Markdown");
  await screenshot(tab, "console", "markdown");
  await close(tab, "Markdown");
});

await scenario("chat: tool calls", async () => {
  const tab = await page();
  await send(tab, "what time is it");
  await idle(tab);
  const card = tab.locator("details.tool");
  equal([await card.count(), await card.getAttribute("open"), await card.locator(".tool-name").textContent(), await card.locator(".tool-state").textContent()], [1, null, "current_time", "Done"], "one card, folded");
  await card.locator("summary").click();
  check(/\d{4}-\d\d-\d\dT/.test(await card.locator(".card-body").textContent()), "with its result");
  await faultless(tab, "tool calls");
  await screenshot(tab, "console", "tools");
  await close(tab, "tool calls");
});

await scenario("chat: thoughts, images and files", async () => {
  const { thread_id: t } = await api("POST", "/threads", { metadata: { assistant_id: "echo" } });
  const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  await api("POST", `/threads/${t}/runs/wait`, { assistant_id: "echo", input: { messages: [
    { type: "human", id: "h1", content: [{ type: "text", text: "look" }, { type: "image_url", image_url: { url: `data:image/png;base64,${png}` } }] },
    { type: "ai", id: "a1", content: [{ type: "reasoning", reasoning: "First I think." }, { type: "text", text: "Then I speak." },
      { type: "image", url: "https://example.org/i.png", mime_type: "image/png" }, { type: "file", mime_type: "application/pdf", data: "QUJD", filename: "a b.pdf" }, { type: "image", data: "PHN2Zz4=", mime_type: "image/svg+xml" }] },
  ] } });
  const tab = await page(`#/t/${t}`);
  await shows(tab, () => document.querySelector(".message.ai"));
  equal(await tab.evaluate(() => [...document.querySelectorAll("#conversation .media img")].map((i) => [i.complete && i.naturalWidth, i.src.slice(0, 14)])), [[1, "data:image/png"]], "an image that is part of the message is shown");
  equal(await tab.evaluate(() => [...document.querySelectorAll(".message.ai .media a")].map((a) => [a.href.slice(0, 37), a.getAttribute("download")])),
    [["https://example.org/i.png", null], ["data:application/octet-stream;base64,", "a_b.pdf"], ["data:application/octet-stream;base64,", "image"]], "others are links and files to save");
  equal(await tab.evaluate(() => { const d = document.querySelector("details.reasoning"); return [d.open, d.querySelector("summary").textContent, d.querySelector(".prose").textContent]; }), [false, "Thoughts", "First I think."], "thoughts are folded");
  await faultless(tab, "thoughts");
  await screenshot(tab, "console", "parts");
  await close(tab, "parts");
});

await scenario("chat: sub-agents at work", async () => {
  const tab = await page();
  await pickAgent(tab, "lead");
  await send(tab, "how do bees fly");
  await shows(tab, () => document.querySelectorAll(".activity .inner").length === 2 && [...document.querySelectorAll(".activity .brief")].every((b) => /word3\b/.test(b.textContent)), undefined, "each with its last words");
  await screenshot(tab, "console", "subagents");
  await tab.locator(".activity summary").first().click();
  await shows(tab, () => /word9\b/.test(document.querySelector(".activity .prose").textContent), undefined, "and all of them when asked");
  await idle(tab);
  equal(await tab.evaluate(() => [document.querySelectorAll(".activity .inner").length, document.querySelectorAll(".message").length]), [0, 2], "only the answer stays");
  await close(tab, "sub-agents");
});

await scenario("chat: stop, a failure, the next message", async () => {
  const tab = await page();
  await send(tab, "slowly one");
  await shows(tab, () => /word2\b/.test(document.querySelector(".message.ai")?.textContent));
  await tab.press("#message-box", "Escape");
  await shows(tab, () => document.getElementById("stop").hidden, undefined, "Esc stops");
  const t = threadOf(tab), [run] = await api("GET", `/threads/${t}/runs`);
  equal(run.status, "interrupted", "on the server too");
  await send(tab, "slowly two");
  await shows(tab, () => document.querySelector(".message.live"));
  await send(tab, "and then hello");
  await shows(tab, () => document.querySelector(".message.queued")?.textContent.includes("and then hello"), undefined, "it waits its turn");
  await shows(tab, () => document.querySelectorAll(".message.human").length === 3 && !document.querySelector(".message.queued") && document.querySelector(".message:last-child").textContent.includes("Hello."), undefined, "and gets its answer");
  await send(tab, "boom");
  await shows(tab, () => /the model refuses/.test(document.querySelector("#failure [role=alert]")?.textContent), undefined, "what went wrong is said");
  await faultless(tab, "a failure");
  await screenshot(tab, "console", "failure");
  await tab.click("#failure button");
  await shows(tab, () => document.querySelector("#failure .card"), undefined, "tried again");
  await until(async () => (await api("GET", `/threads/${t}/runs`)).length === 5, "a run more");
  await close(tab, "stop");
});

await scenario("chat: what the server refuses is said, and the words come back", async () => {
  const tab = await page();
  await send(tab, "hi");
  await idle(tab);
  await tab.route("**/{runs,commands}", (r) => r.abort());
  await send(tab, "lost words");
  await shows(tab, () => /cannot be reached/.test(document.getElementById("notice").textContent));
  equal([await tab.inputValue("#message-box"), await tab.locator(".message.human").count()], ["lost words", 1], "the words are in the box again");
  await tab.unroute("**/{runs,commands}");
  await tab.press("#message-box", "Enter");
  await shows(tab, () => document.querySelectorAll(".message.ai").length === 2);
  equal(await tab.textContent("#notice"), "", "and the complaint goes");
  await close(tab, "refused");
});

await scenario("chat: a breakpoint, and going on", async () => {
  const t = (await api("POST", "/threads", {})).thread_id;
  await api("POST", `/threads/${t}/runs/wait`, { assistant_id: "agent", input: say("hi"), interrupt_before: ["agent"] });
  const tab = await page(`#/t/${t}`);
  await shows(tab, () => /Stopped before agent/.test(document.getElementById("paused").textContent));
  await faultless(tab, "a breakpoint");
  await tab.click("#paused button");
  await idle(tab);
  equal(await tab.textContent(".message.ai .prose"), "Hello.", "to the answer");
  check(!await tab.isVisible("#paused"), "and nothing is left");
  await close(tab, "breakpoint");
});

await scenario("a page that nobody looks at has no stream", async () => {
  const tab = await page(), open = new Set();
  tab.on("request", (r) => { if (r.url().endsWith("/stream/events")) open.add(r); });
  for (const end of ["requestfinished", "requestfailed"]) tab.on(end, (r) => open.delete(r));
  await send(tab, "hi");
  await idle(tab);
  equal(open.size, 1, "one while it is seen");
  const look = (hidden) => tab.evaluate((x) => { Object.defineProperty(document, "hidden", { value: x, configurable: true }); document.dispatchEvent(new Event("visibilitychange")); }, hidden);
  await look(true);
  await until(() => open.size === 0, "its end");
  await api("POST", `/threads/${threadOf(tab)}/runs/wait`, { assistant_id: "agent", input: say("meanwhile") });
  await look(false);
  await shows(tab, () => document.querySelectorAll(".message").length === 4, undefined, "it hears what it missed");
  equal(open.size, 1, "one again");
  await close(tab, "hidden");
});

// ---- questions ---------------------------------------------------------------

const decide = async (tab, n, name) => tab.locator(".action").nth(n).locator(".choice", { hasText: name }).click();
const answered = (tab) => shows(tab, () => document.getElementById("asks").hidden);

await scenario("questions: a review is approved", async () => {
  const tab = await page();
  await pickAgent(tab, "Reviewed");
  await send(tab, "save it");
  await shows(tab, () => document.querySelector(".asks"));
  await shows(tab, () => document.querySelector("#waiting .thread"), undefined, "it is in the list of what waits");
  check(!await tab.isVisible("#composer"), "the message box makes room");
  await tab.click(".asks .primary");
  equal(await tab.textContent(".action .wrong"), "Decide about this call.", "a decision is asked for");
  await faultless(tab, "a review");
  await screenshot(tab, "console", "review");
  await decide(tab, 0, "Approve");
  await tab.click(".asks .primary");
  await answered(tab);
  await shows(tab, () => /The tool has answered/.test(document.querySelector(".message:last-child").textContent));
  equal((await api("GET", "/store/items?namespace=notes&key=one")).value, { n: 1 }, "done");
  await shows(tab, () => document.getElementById("waiting-section").hidden, undefined, "nothing waits");
  await close(tab, "approve");
});

await scenario("questions: one is edited, one rejected", async () => {
  const t = await newThread(reviewed, say("save two"));
  const tab = await page(`#/t/${t}`);
  await shows(tab, () => document.querySelectorAll(".action").length === 2);
  await decide(tab, 0, "Edit");
  await tab.locator(".action").nth(0).getByLabel("key").fill("changed");
  await decide(tab, 1, "Reject");
  await tab.locator(".action").nth(1).getByLabel("Why").fill("Not this one.");
  await screenshot(tab, "console", "review-edit");
  await faultless(tab, "decisions");
  await tab.click(".asks .primary");
  await answered(tab);
  await shows(tab, () => /The tool has answered/.test(document.querySelector(".message:last-child").textContent));
  equal((await api("GET", "/store/items?namespace=notes&key=changed")).key, "changed", "edited");
  equal([await api("GET", "/store/items?namespace=notes&key=two-a"), await api("GET", "/store/items?namespace=notes&key=two-b")], [null, null], "not as it was, and not the other");
  check((await messagesOf(t)).some((m) => m.type === "tool" && /Not this one\./.test(m.content)), "the model is told why");
  await close(tab, "edit and reject");
});

await scenario("questions: a form", async () => {
  const t = await newThread("form", say("A trip please"));
  const tab = await page(`#/t/${t}`);
  await tab.waitForSelector(".asks .field");
  await tab.click(".asks .primary");
  equal([await tab.evaluate(() => document.activeElement.closest(".field").textContent.includes("City")), await tab.locator(".wrong:visible").textContent()], [true, "Write something here."], "what is wrong is said, and has the focus");
  await tab.getByLabel("City").fill("Lisbon");
  await tab.getByLabel("Nights").fill("1.5");
  await tab.click(".asks .primary");
  equal(await tab.locator(".wrong:visible").textContent(), "Write a whole number.", "a whole number");
  await tab.getByLabel("Nights").fill("31");
  await tab.click(".asks .primary");
  equal(await tab.locator(".wrong:visible").textContent(), "Not more than 30.", "a bound");
  await tab.getByLabel("Nights").fill("4");
  await tab.click(".asks .primary");
  equal(await tab.locator(".wrong:visible").textContent(), "Choose one.", "a choice");
  await tab.getByLabel("first").check();
  await tab.getByLabel("breakfast").check();
  await tab.getByText("Add another").click();
  await tab.getByLabel("Notes 1").fill("late");
  await tab.getByLabel("With insurance").check();
  await tab.getByLabel("Row").fill("12.5");
  await faultless(tab, "a form");
  await screenshot(tab, "console", "form");
  await tab.click(".asks .primary");
  await answered(tab);
  await until(async () => (await api("GET", `/threads/${t}`)).status === "idle", "the end");
  equal((await api("GET", `/threads/${t}/state`)).values.booking, { city: "Lisbon", nights: 4, class: "first", extras: ["breakfast"], notes: ["late"], insured: true, seat: { row: 12.5 } }, "the answer");
  await close(tab, "form");
});

await scenario("questions: two at once, and two tabs", async () => {
  const t = await newThread("two", {});
  const tab = await page(`#/t/${t}`), other = await page(`#/t/${t}`);
  for (const x of [tab, other]) await shows(x, () => document.querySelectorAll(".card.ask").length === 2);
  await tab.getByLabel("left").check();
  await tab.locator(".card.ask").nth(1).locator("input").fill("3");
  await faultless(tab, "two questions");
  await screenshot(tab, "console", "two");
  await tab.click(".asks .primary");
  await answered(tab);
  await answered(other);
  const v = (await api("GET", `/threads/${t}/state`)).values;
  equal([v.a, v.b], ["left", 3], "both answers");
  await shows(tab, () => /"b": 3/.test(document.getElementById("values").textContent), undefined, "the state is shown");
  await close(tab, "two");
  await close(other, "the other tab");
});

await scenario("questions: of no known shape", async () => {
  const t = await newThread("odd", {});
  const tab = await page(`#/t/${t}`);
  await shows(tab, () => document.querySelectorAll(".card.ask").length === 3 && document.querySelectorAll("#waiting .thread").length === 3);
  check((await tab.textContent(".asks")).includes('"not": "text"'), "what there is is shown");
  await tab.getByText("Approve").click();
  for (const box of await tab.locator(".asks textarea").all()) await box.fill('{"ok": true}');
  await tab.click(".asks .primary");
  await answered(tab);
  await until(async () => (await api("GET", `/threads/${t}`)).status === "idle", "the end");
  const v = (await api("GET", `/threads/${t}/state`)).values;
  equal([v.a, v.b, v.c], [{ ok: true }, { decisions: [{ type: "approve" }] }, { ok: true }], "and answered");
  await close(tab, "odd questions");
});

// ---- history -----------------------------------------------------------------

await scenario("history: look, fork, run again", async () => {
  const t = await newThread("agent", say("first"));
  await api("POST", `/threads/${t}/runs/wait`, { assistant_id: "agent", input: say("second") });
  const tab = await page(`#/t/${t}`);
  await shows(tab, () => document.querySelectorAll(".message").length === 4);
  await tab.click("#history-button");
  await shows(tab, () => document.querySelectorAll(".checkpoint").length === 6);
  await tab.locator(".checkpoint").nth(3).click();
  await shows(tab, () => document.querySelectorAll(".message").length === 2 && !document.getElementById("banner").hidden, undefined, "as it was then");
  check(!await tab.isVisible("#composer"), "which cannot be changed");
  await faultless(tab, "history");
  await screenshot(tab, "console", "history");
  await tab.press("body", "Escape");
  await shows(tab, () => document.querySelectorAll(".message").length === 4 && document.getElementById("banner").hidden, undefined, "Esc: back to now");
  await tab.locator(".checkpoint").nth(3).click();
  await tab.getByText("Go on from here").click();
  await shows(tab, () => /earlier point/.test(document.getElementById("chip").textContent));
  await send(tab, "another way");
  await shows(tab, () => document.querySelectorAll(".message").length === 4 && !document.querySelector(".live"));
  await idle(tab);
  equal((await messagesOf(t)).map((m) => m.content), ["first", "Hello.", "another way", "Hello."], "a branch");
  await tab.click("#history-button");
  await shows(tab, () => document.querySelector(".tag")?.textContent);
  const line = await api("POST", `/threads/${t}/history`, { limit: 100 });
  await tab.locator(".checkpoint").nth(line.findIndex((s) => s.next[0] === "agent")).click();
  await tab.getByText("Run again").click();
  await until(async () => (await api("GET", `/threads/${t}/runs`)).length === 4, "a run more");
  await shows(tab, () => document.querySelectorAll(".message").length === 4 && !document.querySelector(".live"));
  await close(tab, "history");
});

await scenario("history: edit a message, have an answer given again", async () => {
  const t = await newThread("agent", say("first"));
  await api("POST", `/threads/${t}/runs/wait`, { assistant_id: "agent", input: say("second") });
  const tab = await page(`#/t/${t}`);
  await shows(tab, () => document.querySelectorAll(".message").length === 4);
  await tab.locator(".message.human").nth(0).locator("[aria-label^=Edit]").click();
  await tab.fill(".edit-form textarea", "first, but better");
  await screenshot(tab, "console", "edit");
  await faultless(tab, "editing");
  await tab.press(".edit-form textarea", "Enter");
  await shows(tab, () => document.querySelectorAll(".message").length === 2 && /better/.test(document.querySelector(".message.human").textContent) && !document.querySelector(".live"));
  await idle(tab);
  equal((await messagesOf(t)).map((m) => m.content), ["first, but better", "Hello."], "a branch from before the message");
  const [, before] = await messagesOf(t);
  await tab.locator(".message.ai [aria-label='Answer again']").click();
  await until(async () => { const m = await messagesOf(t); return m.length === 2 && m[1].id !== before.id; }, "another answer");
  equal((await messagesOf(t))[0].content, "first, but better", "to the same message");
  await close(tab, "edit");
});

// ---- threads -----------------------------------------------------------------

await scenario("threads: live, rename, delete, unknown", async () => {
  const tab = await page();
  const t = await newThread("agent", say("made elsewhere"));
  await shows(tab, () => [...document.querySelectorAll("#threads .thread-title")].some((x) => x.textContent === "made elsewhere"), undefined, "a thread of another client appears");
  await tab.click("#threads .thread >> text=made elsewhere");
  await shows(tab, () => document.querySelectorAll(".message").length === 2);
  await api("POST", `/threads/${t}/runs/wait`, { assistant_id: "agent", input: say("from elsewhere too") });
  await shows(tab, () => document.querySelectorAll(".message").length === 4, undefined, "and what is said there");
  await tab.click("#rename");
  await faultless(tab, "a dialog");
  await tab.fill("dialog input", "My name");
  await tab.press("dialog input", "Enter");
  await shows(tab, () => document.getElementById("title").textContent === "My name");
  equal((await api("GET", `/threads/${t}`)).metadata.title, "My name", "the title is metadata");
  equal(await tab.evaluate(() => document.activeElement.id), "rename", "focus returns");
  await tab.click("#delete");
  await screenshot(tab, "console", "delete");
  await tab.click("dialog .danger");
  await shows(tab, () => document.getElementById("title").textContent === "New conversation");
  equal((await call(server, "GET", `/threads/${t}`)).status, 404, "deleted");
  for (const bad of ["00000000-0000-4000-8000-00000000dead", "%3Cscript%3E"]) {
    await tab.goto(`${server.url}/ui#/t/${bad}`);
    await shows(tab, () => /no such conversation/.test(document.getElementById("empty").textContent));
  }
  await close(tab, "threads");
});

await scenario("threads: an agent that takes no messages", async () => {
  const tab = await page();
  await pickAgent(tab, "greet");
  await tab.getByLabel("Name optional").fill("Ann");
  await faultless(tab, "a form of input");
  await tab.click("#send");
  await shows(tab, () => /Hello, Ann!/.test(document.getElementById("values").textContent));
  await screenshot(tab, "console", "values");
  await close(tab, "no messages");
});

await scenario("below a prefix", async () => {
  const prefixed = await startServer({ args: ["--http-mount-prefix", "/a/b"], health: "/a/b/ok" });
  const context = await browser.newContext(), tab = await openTab(context, `${prefixed.url}/a/b/ui`);
  await tab.waitForSelector("#app:not([hidden])");
  await send(tab, "hi");
  await idle(tab);
  equal(tab.refusals, [], "everything is found below the prefix");
  await context.close();
  await prefixed.stop();
});

// ---- restarts ----------------------------------------------------------------

await scenario("the server is killed in mid-run and comes back", async () => {
  const tab = await page();
  await send(tab, "slowly and then restart");
  await shows(tab, () => /word5\b/.test(document.querySelector(".message.ai")?.textContent));
  const { port } = server;
  await server.stop("SIGKILL");
  await shows(tab, () => /connection to the server is lost/.test(document.getElementById("banner").textContent), undefined, "it says so");
  await screenshot(tab, "console", "lost");
  server = await startServer({ dir, args, port });
  await shows(tab, () => document.getElementById("banner").hidden, undefined, "connected again", 20000);
  await shows(tab, () => /The end\./.test(document.querySelector(".message.ai:last-child")?.textContent), undefined, "and the run goes on to its end", 30000);
  equal(await tab.evaluate(() => [...document.querySelectorAll(".message")].map((m) => m.className.split(" ")[1])), ["human", "ai"], "nothing twice");
  const shown = await tab.evaluate(() => document.querySelector(".message.ai .prose").innerText.replace(/\s+/g, " ").trim());
  equal(shown, long.replace(/\s+/g, " ").trim(), "nothing lost");
  await close(tab, "restart");
});

// ---- looks -------------------------------------------------------------------

await scenario("dark, narrow, large", async () => {
  const t = await newThread("agent", say("markdown"));
  await api("POST", `/threads/${t}/runs/wait`, { assistant_id: "agent", input: say("what time is it") });
  const q = await newThread("form", say("A trip"));
  for (const colorScheme of ["light", "dark"])
    for (const [width, height, name] of [[1280, 860, "wide"], [360, 740, "phone"]]) {
      const tab = await page(`#/t/${t}`, { colorScheme, viewport: { width, height } });
      await shows(tab, () => document.querySelectorAll(".message").length >= 4);
      await faultless(tab, `${colorScheme}, ${name}`);
      await screenshot(tab, "console", `${name}-${colorScheme}`);
      await tab.goto(`${server.url}/ui#/t/${q}`);
      await shows(tab, () => document.querySelector(".asks .field"));
      await faultless(tab, `a question, ${colorScheme}, ${name}`);
      await screenshot(tab, "console", `${name}-${colorScheme}-question`);
      await tab.click("#history-button");
      await shows(tab, () => document.querySelector(".checkpoint"));
      await faultless(tab, `history, ${colorScheme}, ${name}`);
      if (name === "phone") {
        await tab.press("body", "Escape");
        await tab.click("button[aria-label=Conversations]");
        await shows(tab, () => document.activeElement.closest("#sidebar"));
        await faultless(tab, `the list, ${colorScheme}, ${name}`);
        await screenshot(tab, "console", `${name}-${colorScheme}-list`);
        await tab.press("body", "Escape");
        equal(await tab.evaluate(() => document.activeElement.getAttribute("aria-label")), "Conversations", "focus returns");
      }
      await close(tab, `${colorScheme}, ${name}`);
    }
});

await scenario("the theme's switch", async () => {
  const tab = await page(), ground = () => tab.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const system = await ground(), button = tab.locator("[aria-label^=Theme]");
  await button.click();
  equal([await ground() === system, await button.getAttribute("aria-label")], [true, "Theme: light"], "light");
  await button.click();
  const dark = await ground();
  check(dark !== system, "dark");
  await tab.reload();
  await tab.waitForSelector("#app:not([hidden])");
  equal(await ground(), dark, "it is remembered");
  equal(await tab.evaluate(() => Object.keys(localStorage)), ["cohort.theme"], "and nothing else is");
  await close(tab, "theme");
});

await scenario("keyboard alone", async () => {
  const tab = await page();
  const focused = () => tab.evaluate(() => document.activeElement.id || document.activeElement.getAttribute("aria-label") || document.activeElement.tagName);
  equal(await focused(), "message-box", "one can write at once");
  await tab.keyboard.type("one\n");
  await idle(tab);
  await tab.keyboard.type("two");
  await tab.keyboard.press("Shift+Enter");
  await tab.keyboard.type("lines");
  await tab.keyboard.press("Enter");
  await shows(tab, () => document.querySelectorAll(".message.ai").length === 2);
  await idle(tab);
  equal((await messagesOf(threadOf(tab)))[2].content, "two\nlines", "Shift+Enter");
  await tab.keyboard.press("ArrowUp");
  await shows(tab, () => document.activeElement.closest(".edit-form")?.querySelector("textarea").value === "two\nlines", undefined, "the arrow up edits the last message");
  await tab.keyboard.press("Escape");
  await tab.keyboard.press("Alt+h");
  await shows(tab, () => document.querySelector(".checkpoint") && document.activeElement.closest("#panel"), undefined, "Alt+H");
  await tab.keyboard.press("Escape");
  equal(await focused(), "history-button", "Esc closes, focus returns");
  await tab.keyboard.press("Alt+t");
  await shows(tab, () => document.activeElement.classList.contains("thread"));
  const first = await tab.evaluate(() => document.activeElement.dataset.key);
  await tab.keyboard.press("ArrowDown");
  check(await tab.evaluate(() => document.activeElement.dataset.key) !== first, "arrows go along the list");
  await tab.keyboard.press("Enter");
  await shows(tab, () => document.querySelectorAll(".message").length > 0);
  await tab.keyboard.press("Alt+n");
  equal(await focused(), "message-box", "Alt+N");
  await tab.keyboard.press("Alt+/");
  await shows(tab, () => document.querySelector("dialog[open] .keys"));
  await faultless(tab, "help");
  await screenshot(tab, "console", "help");
  await tab.keyboard.press("Escape");
  await shows(tab, () => !document.querySelector("dialog") && document.activeElement.id === "message-box", undefined, "Esc closes the help, focus returns");
  // From the top with Tab: the skip link, then everything, and nothing traps it.
  await tab.reload();
  await tab.waitForSelector("#app:not([hidden])");
  await fromTheTop(tab);
  await tab.keyboard.press("Tab");
  equal(await focused(), "skip", "the first stop is the skip link");
  await tab.keyboard.press("Enter");
  equal(await focused(), "message-box", "which skips to the box");
  const stops = new Set();
  await fromTheTop(tab);
  for (let i = 0; i < 60 && !stops.has("send"); i++) { await tab.keyboard.press("Tab"); stops.add(await focused()); }
  for (const want of ["agent", "new", "conversation", "message-box", "send", "Keyboard shortcuts"]) check(stops.has(want), `Tab comes to ${want}`, [...stops]);
  await close(tab, "keyboard");
});

// ---- harm --------------------------------------------------------------------

await scenario("hostile output", async () => {
  const evil = [
    "<script>alert(1)</script><img src=x onerror=alert(2)><svg onload=alert(3)>",
    "[click](javascript:alert(4)) [data](data:text/html,<script>alert(5)</script>) [vb](vbscript:x) ![i](https://tracker.example/p.png)",
    "<javascript:alert(6)> [x](//evil.example) [y](/threads) [ok](https://good.example/a?b=c) <https://good.example/z> mailto:a@b.example",
    "[https://bank.example](https://evil.example/)", "[ a ]( java\nscript:alert(7) )", "[x](JaVaScRiPt:alert(8))", "[x](\u0001javascript:alert(9))",
    "left \u202eright-to-left override\u202c and \u2066isolate", "`code \u202e gnp.exe`", "```\nx \u202e evil\n```",
    "*".repeat(5000), "[".repeat(5000), "> ".repeat(500) + "deep", "`".repeat(3000), "| ".repeat(2000), "- ".repeat(1000) + "x", "~~".repeat(3000), "\\".repeat(3001), "#".repeat(2000), "&lt;b&gt; &#106;avascript:",
  ];
  const huge = "x".repeat(1_000_000);
  const t = await newThread("echo", { messages: [
    { type: "human", id: "h", content: evil.join("\n\n") },
    ...evil.map((content, i) => ({ type: "ai", id: `e${i}`, content })),
    { type: "ai", id: "call", content: "", tool_calls: [{ id: "c1", name: "na\u202eme<script>", args: { a: "<img src=x onerror=alert(10)>", big: huge } }] },
    { type: "tool", id: "tool", tool_call_id: "c1", name: "x", content: huge },
    { type: "ai", id: "huge", content: huge }, { type: "ai", id: "lines", content: "a b\n".repeat(250_000) },
    { type: "ai", id: "odd", content: [{ type: "strange", __proto__x: 1 }, null, 7, { type: "image", url: "javascript:alert(11)" }, { type: "image", data: "PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+", mime_type: "image/svg+xml" }].filter((b) => b !== null) },
  ] });
  await api("PATCH", `/threads/${t}`, { metadata: { title: "\u202egnp<b>.exe" } });
  const tab = await page(`#/t/${t}`), began = Date.now();
  await shows(tab, () => document.querySelectorAll(".message.ai").length >= 20, undefined, "it is shown", 20000);
  await tab.evaluate(() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r))));
  check(Date.now() - began < 5000, `within five seconds: ${Date.now() - began} ms`);
  const links = await tab.evaluate(() => [...document.querySelectorAll("#conversation a")].map((a) => [a.protocol, a.rel, a.hasAttribute("download")]));
  check(links.length > 0 && links.every(([p, rel, d]) => (["http:", "https:", "mailto:"].includes(p) && rel === "noopener noreferrer") || (p === "data:" && d)), "links lead to http, https and mail", links);
  equal(await tab.evaluate(() => [document.querySelectorAll("#conversation script, #conversation svg:not(.icon), #conversation iframe, #conversation object, #conversation style, #conversation form").length,
    [...document.querySelectorAll("#conversation *")].filter((e) => [...e.attributes].some((a) => a.name.startsWith("on"))).length, document.querySelectorAll("#conversation .media img").length]), [0, 0, 0], "nothing of it became an element");
  check((await tab.textContent("#conversation")).includes("<script>alert(1)</script>"), "it is text");
  equal(await tab.evaluate(() => [...document.querySelectorAll("#conversation code, #conversation .tool-name, #conversation a, #title, .thread-title")].some((e) => /[\u202a-\u202e\u2066-\u2069]/.test(e.textContent))), false, "marks are visible where characters count");
  equal(await tab.evaluate(() => [...document.querySelectorAll(".message .prose > p")].every((e) => ["isolate", "plaintext", "isolate-override"].includes(getComputedStyle(e).unicodeBidi))), true, "and isolated elsewhere");
  const slowest = await tab.evaluate(async () => {
    const times = [];
    for (let i = 0; i < 5; i++) { const t0 = performance.now(); document.getElementById("conversation").scrollTop = i * 3000; await new Promise((r) => requestAnimationFrame(() => setTimeout(r))); times.push(performance.now() - t0); }
    return Math.max(...times);
  });
  check(slowest < 1000, `scrolling goes on: ${Math.round(slowest)} ms`);
  await tab.locator(".message .long > button").last().click();
  await screenshot(tab, "console", "hostile");
  await faultless(tab, "hostile output");
  await close(tab, "hostile output");
});

await scenario("20,000 words at once", async () => {
  const tab = await page();
  await tab.evaluate(() => {
    window.tasks = [0];
    new PerformanceObserver((l) => window.tasks.push(...l.getEntries().map((e) => e.duration))).observe({ entryTypes: ["longtask"] });
  });
  await send(tab, "at length");
  await shows(tab, () => /The end\./.test(document.querySelector(".message.ai .prose > :last-child")?.textContent), undefined, "all of it", 30000);
  await idle(tab);
  equal(await tab.evaluate(() => document.querySelectorAll(".message.ai .prose > p").length), 801, "each paragraph once");
  const longest = await tab.evaluate(() => Math.max(...window.tasks));
  check(longest < 500, `the page never stands still for half a second: ${Math.round(longest)} ms`);
  await close(tab, "at length");
});

await scenario("10,000 messages", async () => {
  const t = await newThread("echo", { messages: Array.from({ length: 10000 }, (_, i) => ({ type: i % 2 ? "ai" : "human", id: `m${i}`, content: `message ${i} with **some** words` })) });
  const tab = await page(), began = Date.now();
  await tab.goto(`${server.url}/ui#/t/${t}`);
  await shows(tab, () => /message 9999/.test(document.querySelector(".message:last-child")?.textContent), undefined, "the newest", 20000);
  check(Date.now() - began < 5000, `within five seconds: ${Date.now() - began} ms`);
  check(await tab.locator(".message").count() <= 60, "a part of them");
  await tab.click(".earlier");
  await shows(tab, () => document.querySelectorAll(".message").length === 120, undefined, "more when asked");
  check(await tab.evaluate(() => document.getElementById("conversation").scrollTop > 100), "and one stays where one was");
  await close(tab, "many messages");
});

// ---- signing in --------------------------------------------------------------

await scenario("signing in and out", async () => {
  const secret = "0123456789abcdef0123456789abcdef", b64 = (x) => Buffer.from(x).toString("base64url");
  const token = (claims) => { const body = `${b64('{"alg":"HS256","typ":"JWT"}')}.${b64(JSON.stringify(claims))}`; return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`; };
  const guarded = await startServer({ args: ["--agents", agents], env: { COHORT_JWT_SECRET: secret } });
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } }), tab = await openTab(context, `${guarded.url}/ui`);
  await tab.waitForSelector("#secret");
  equal(await tab.evaluate(() => document.activeElement.id), "secret", "one can type at once");
  await screenshot(tab, "console", "signin");
  await faultless(tab, "sign in");
  await tab.fill("#secret", "wrong");
  await tab.press("#secret", "Enter");
  await shows(tab, () => /not good/.test(document.getElementById("secret-wrong").textContent));
  await tab.fill("#secret", token({ sub: "ann", name: "Ann", exp: Math.floor(Date.now() / 1000) + 3600 }));
  await tab.press("#secret", "Enter");
  await tab.waitForSelector("#app:not([hidden])");
  equal(await tab.textContent("#who"), "Ann", "who it is");
  await send(tab, "hi");
  await idle(tab);
  await tab.reload();
  await shows(tab, () => document.querySelectorAll(".message").length === 2, undefined, "the session lasts");
  const hers = threadOf(tab);
  equal(await tab.evaluate(() => [document.cookie, JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage })]), ["", "{}", "{}"], "no script can read it, nothing is stored");
  const other = await openTab(context, `${guarded.url}/ui#/t/${hers}`);
  await shows(other, () => document.querySelectorAll(".message").length === 2, undefined, "another tab is signed in too");
  await tab.click("[aria-label='Sign out']");
  await tab.waitForSelector("#secret");
  await shows(other, () => /signed out/.test(document.getElementById("secret-wrong")?.textContent), undefined, "the other tab notices");
  await other.fill("#secret", token({ sub: "ann" }));
  await other.press("#secret", "Enter");
  await shows(other, () => document.querySelectorAll(".message").length === 2 && !document.getElementById("app").hidden, undefined, "and is where it was, once signed in");
  // Another user: an own list, and a foreign thread is as unknown as any.
  const stranger = await browser.newContext(), eve = await openTab(stranger, `${guarded.url}/ui#/t/${hers}`);
  await eve.waitForSelector("#secret");
  await eve.fill("#secret", token({ sub: "eve" }));
  await eve.press("#secret", "Enter");
  await shows(eve, () => /no such conversation/.test(document.getElementById("empty").textContent));
  await shows(eve, () => /No conversations yet/.test(document.getElementById("threads").textContent), undefined, "nothing of Ann's");
  await stranger.close();
  noFaults(tab, "sign in");
  await context.close();
  await guarded.stop();
});

await browser.close();
finish();
