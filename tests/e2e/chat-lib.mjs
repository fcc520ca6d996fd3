// chat-lib.mjs - what people do in a chat, as one list of sequences over "tabs":
// tests/browser/chat.mjs runs it over pages in Chromium, chat.mjs over the SDKs'
// stream classes.  A tab has
//   see()                what it shows now (a view, below)
//   when(f, arg, ms)     waits until f(view, arg) is truthy; the view
//   send, queue, stop, decide(how, text), fork(n, text), reload
// A view is {status, thread, error, refused, queued, messages: [[type, text]],
// ids, calls: [[name, state, output]], interrupts: [text], scopes: [text]}.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { check, equal, repo, scenario, scratch, startServer, until } from "./lib.mjs";

const agents = path.join(repo, "tests", "agents", "chat");
// ttft: the model's first word comes so many milliseconds after it is asked.
export function chatServer({ ttft, ...options }) {
  let script = path.join(agents, "script.json");
  if (ttft) {
    const { rules, default: other } = JSON.parse(readFileSync(script)), slow = (r) => ({ ...r, ttft_ms: ttft });
    script = path.join(scratch(), "script.json");
    writeFileSync(script, JSON.stringify({ rules: rules.map(slow), default: slow(other) }));
  }
  return startServer({ ...options, args: ["--agents", agents, "--llm-script", script] });
}

export const textOf = (content) => typeof content === "string" ? content : (content ?? []).map((b) => b.text ?? "").join("");

const HELLO = [["human", "hello"], ["ai", "Hello, what can I do for you?"]];
const PAY = JSON.stringify({ name: "pay", args: { to: "Ann", amount: 12 } });
const answered = (tab, last, ms) => tab.when((view, t) => view.status === "idle" && view.messages.at(-1)?.[1] === t, last, ms);
const asked = (tab) => tab.when((view) => view.interrupts.length === 1 && view.status === "idle");
const counting = (tab) => tab.when((view) => view.messages.at(-1)?.[0] === "ai" && view.messages.at(-1)[1].startsWith("one two"));
const counted = (tab, ms) => tab.when((view) => view.status === "idle" && view.messages.at(-1)?.[1].endsWith("thirty"), undefined, ms);
const paid = (tab, ms) => tab.when((view) => view.status === "idle" && view.interrupts.length === 0 && view.messages.at(-1)?.[1] === "The money is on its way.", undefined, ms);
const tools = (messages) => messages.filter((m) => m.type === "tool").map((m) => textOf(m.content));

// As many messages as it says, each once, and no error.
function shown(view, messages, what) {
  equal(view.messages, messages, `${what}: messages`);
  equal(new Set(view.ids).size, view.ids.length, `${what}: each message once`);
  equal([view.error, view.refused], ["", ""], `${what}: no error`);
}

const sequences = {
  async "two turns"({ open, label, state }) {
    const tab = await open("desk");
    await tab.send("hello");
    shown(await answered(tab, HELLO[1][1]), HELLO, `${label}, first turn`);
    await tab.send("bees");
    const view = await answered(tab, "Bees waggle.");
    shown(view, [...HELLO, ["human", "bees"], ["ai", "Bees waggle."]], label);
    equal((await state(view.thread)).map((m) => m.id), view.ids, `${label}: ids are those of the state`);
  },
  async "tools"({ open, label }) {
    const tab = await open("desk");
    await tab.send("weather");
    const view = await answered(tab, "Take your sunglasses.");
    equal(view.messages.filter(([t, x]) => t !== "ai" || x), [["human", "weather"], ["tool", "It is sunny in Paris."], ["ai", "Take your sunglasses."]], `${label}: messages`);
    equal(view.calls.map(([n, , o]) => [n, o]), [["weather", "It is sunny in Paris."]], `${label}: one call with its result`);
    equal(view.error, "", `${label}: no error`);
  },
  // Slow, and without its first words: when a page begins to look at an agent inside,
  // the SDKs lose deltas that come before the replay, until the block's end repeats them.
  async "messages of a subgraph"({ open, label, kind }) {
    const tab = await open("team");
    await tab.send("count slowly");
    if (kind !== "classic") {
      const { scopes } = await tab.when((v) => v.scopes.some((s) => /ai: .*(four|five|six|seven)/.test(s)));
      check(scopes.length === 1 && scopes[0].startsWith("helper") && !scopes[0].includes("thirty"), `${label}: under the node's name, as they come`, scopes);
    }
    const view = await answered(tab, "That was all.");
    shown({ ...view, messages: view.messages.map(([t, x]) => [t, x.replace(/one .* thirty/, "1..30")]) }, [["human", "count slowly"], ["ai", "1..30"], ["ai", "That was all."]], label);
    if (kind !== "classic") check((await tab.when((v) => v.scopes[0]?.endsWith("thirty"))).scopes.length === 1, `${label}: all of it`);
  },
  async "approve, edit, reject"({ open, label }) {
    const tab = await open("desk");
    let decided = 0, view;
    for (const [how, text, last] of [["approve", "", "The money is on its way."], ["edit", JSON.stringify({ to: "Bob", amount: 3 }), "The money is on its way."], ["reject", "too much", "Nothing was paid."]]) {
      await tab.send(`pay ${how}`);
      equal((await asked(tab)).interrupts, [PAY], `${label}: ${how}: is asked`);
      await tab.decide(how, text);
      view = await tab.when((v, [l, n]) => v.status === "idle" && v.interrupts.length === 0 && v.messages.at(-1)[1] === l && v.messages.filter((m) => m[0] === "tool").length === n, [last, ++decided]);
      equal(new Set(view.ids).size, view.ids.length, `${label}: ${how}: each message once`);
      equal([view.error, view.refused], ["", ""], `${label}: ${how}: no error`);
    }
    equal(view.messages.filter(([t]) => t === "tool").map(([, x]) => /^Paid/.test(x) ? x : "refused"), ["Paid 12 to Ann.", "Paid 3 to Bob.", "refused"], `${label}: what was decided was done`);
  },
  async "reload while it waits"({ open, label }) {
    const tab = await open("desk");
    await tab.send("pay");
    await asked(tab);
    await tab.reload();
    equal((await asked(tab)).interrupts, [PAY], `${label}: asked again`);
    await tab.decide("approve", "");
    equal((await paid(tab)).error, "", `${label}: answered`);
  },
  async "stop"({ open, label, kind, runs, settled, state }) {
    const tab = await open("desk");
    await tab.send("count for long");
    await counting(tab);
    await tab.stop();
    const view = await tab.when((v) => v.status === "idle");
    check(!/thirty/.test(view.messages.at(-1)[1]), `${label}: in the middle`, view.messages);
    await settled(view.thread);
    equal((await runs(view.thread)).length, 1, `${label}: one run`);
    await tab.send("hello");
    await tab.when((v, t) => v.status === "idle" && v.messages.some((m) => m[1] === t), HELLO[1][1]);
    if (kind === "old") await tab.reload();            // SDKs before 1.15 keep showing the piece that was stopped
    const after = await answered(tab, HELLO[1][1]);
    equal(after.error, "", `${label}: goes on`);
    equal(after.ids, (await state(view.thread)).map((m) => m.id), `${label}: what is shown is the state`);
  },
  async "reload in mid-run"({ open, label, runs }) {
    const tab = await open("desk");
    await tab.send("count slowly");
    const before = await counting(tab);
    await tab.reload();
    await tab.when((v) => v.status === "running" && v.messages.at(-1)?.[0] === "ai" && v.messages.at(-1)[1] && !v.messages.at(-1)[1].endsWith("thirty"));
    const view = await counted(tab);
    equal([view.thread, view.messages.length, view.messages[0], view.messages[1][1].split(" ").length, view.error], [before.thread, 2, ["human", "count slowly"], 30, ""], `${label}: the same answer goes on`);
    equal((await runs(view.thread)).length, 1, `${label}: one run`);
  },
  async "edit and fork"({ open, label, history }) {
    const tab = await open("desk");
    await tab.send("hello");
    await answered(tab, HELLO[1][1]);
    await tab.send("bees");
    const before = await answered(tab, "Bees waggle.");
    await tab.fork(2, "ants");
    const view = await answered(tab, "Ants march.");
    shown(view, [...HELLO, ["human", "ants"], ["ai", "Ants march."]], label);
    equal(view.thread, before.thread, `${label}: the same thread`);
    await tab.reload();
    shown(await answered(tab, "Ants march."), [...HELLO, ["human", "ants"], ["ai", "Ants march."]], `${label}, read again`);
    check((await history(view.thread)).some((s) => s.values.messages.some((m) => textOf(m.content) === "Bees waggle.")), `${label}: the other branch is kept`);
  },
  async "two tabs, one question"({ open, label, kind, reference, settled, state }) {
    const one = await open("desk");
    await one.send("pay");
    const { thread } = await asked(one);
    const two = await open("desk", thread);
    equal((await asked(two)).interrupts, [PAY], `${label}: both are asked`);
    await one.decide("approve", "");
    await paid(one);
    if (kind === "new" && !reference) await two.when((v) => v.interrupts.length === 0);        // npm's server 1.5.1 has no input.answered
    else if ((await two.see()).interrupts.length) await two.decide("approve", "");
    await settled(thread);
    equal(tools(await state(thread)), ["Paid 12 to Ann."], `${label}: paid once`);
    await two.reload();
    equal((await paid(two)).messages.filter(([t]) => t === "tool").length, 1, `${label}: the second tab sees it done`);
  },
  async "two tabs answer at once"({ open, label, settled, state }) {
    const one = await open("desk");
    await one.send("pay");
    const { thread } = await asked(one), two = await open("desk", thread);
    await asked(two);
    const gone = (e) => { if (!/waiting for locator/.test(e.message)) throw e; };         // the other one was faster
    await Promise.all([[one, "approve"], [two, "reject"]].map(([tab, how]) => Promise.resolve(tab.decide(how, "no")).catch(gone)));
    await until(async () => tools(await state(thread)).length > 0, `${label}: an answer`);
    await settled(thread);
    equal(tools(await state(thread)).length, 1, `${label}: one answer counts`);
    const ends = [];
    for (const tab of [one, two]) {
      await tab.reload();
      ends.push((await tab.when((v) => v.status === "idle" && v.interrupts.length === 0 && v.messages.some(([t]) => t === "tool"))).messages.at(-1));
    }
    equal(ends[0], ends[1], `${label}: the same one in both tabs`);
  },
  async "a queue of two"({ open, label }) {
    const tab = await open("desk");
    await tab.send("count slowly");
    await counting(tab);
    await tab.queue("bees");
    await tab.queue("ants");
    const view = await answered(tab, "Ants march.", 20000);
    equal(view.messages.filter(([t]) => t === "human").map(([, x]) => x), ["count slowly", "bees", "ants"], `${label}: in order`);
    equal([view.messages[1][1].endsWith("thirty"), view.messages.length, view.queued, view.error], [true, 6, "0", ""], `${label}: each after the other`);
  },
};

const kills = {
  async "killed and started in mid-run"({ open, label, kind, kill, runs }) {
    const tab = await open("desk");
    await tab.send("count slowly");
    const { thread } = await counting(tab);
    await kill();
    await tab.when((v) => v.status === "idle" && v.messages.some(([, x]) => x.endsWith("thirty")), undefined, 30000);
    if (kind === "old") await tab.reload();            // as after a stop
    const view = await counted(tab);
    equal(view.messages.map(([t]) => t), ["human", "ai"], `${label}: the answer once`);
    equal((await runs(thread)).map((r) => r.status), ["success"], `${label}: one run`);
    await tab.send("bees");
    await tab.when((v) => v.status === "idle" && v.messages.some(([, x]) => x === "Bees waggle."));
    if (kind === "old") await tab.reload();
    equal((await answered(tab, "Bees waggle.")).error, "", `${label}: goes on`);
  },
  async "killed while it waits"({ open, label, kill, state }) {
    const tab = await open("desk");
    await tab.send("pay");
    const { thread } = await asked(tab);
    await kill();
    equal((await tab.see()).interrupts, [PAY], `${label}: still asked`);
    await tab.decide("approve", "");
    equal([(await paid(tab, 30000)).error, tools(await state(thread)).length], ["", 1], `${label}: paid once`);
  },
};

// Runs them all for one kind of tab.  kind: "old" (SDKs before 1.15), "new",
// "classic".  begin(): a server, the same one again after a kill; open(server,
// assistant, thread): a tab; close(label): after each sequence.
export async function chat({ name, kind, begin, open, close = () => {}, only = "", reference = false }) {
  let server = await begin();
  const api = async (method, target, body) => {
    const r = await fetch(server.url + target, { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) });
    if (!r.ok) throw new Error(`${method} ${target}: ${r.status} ${await r.text()}`);
    return r.json();
  };
  const runs = (thread) => api("GET", `/threads/${thread}/runs`);
  const tools = {
    kind, reference, runs,
    state: async (thread) => (await api("GET", `/threads/${thread}/state`)).values.messages,
    history: (thread) => api("POST", `/threads/${thread}/history`, { limit: 50 }),
    settled: (thread) => until(async () => (await runs(thread)).every((r) => !["pending", "running"].includes(r.status)), `runs of ${thread} to end`),
    kill: async () => { await server.stop("SIGKILL"); server = await begin(); },
    open: (assistant, thread) => open(server, assistant, thread),
  };
  for (const [what, fn] of Object.entries({ ...sequences, ...(reference ? {} : kills) })) {
    const label = `${name}: ${what}`;
    if (!what.includes(only)) continue;
    await scenario(label, () => fn({ ...tools, label }));
    await close(label);
  }
  await server.stop?.();
}
