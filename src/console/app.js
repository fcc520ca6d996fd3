// app.js - the console: which agent and thread is shown, and what a person does with it.
import { $, confirm, dialog, h, icon, iconButton, prompt, say, visible } from "./dom.js";
import { Conversation, read, textOf } from "./conversation.js";
import { ChatView } from "./chat.js";
import { askView } from "./ask.js";
import { field, Wrong } from "./form.js";
import { follow, respond, start } from "./follow.js";
import { checkpointOf, HistoryPanel, idOf } from "./history.js";
import { signInView } from "./signin.js";
import { ThreadList } from "./threads.js";
import { theme } from "./theme.js";
import { codeBlock } from "./markdown.js";
import * as wire from "./wire.js";

let agents = [];
let user = null;                             // who signed in, where one has to
let shown = null;                            // the thread on the page, see open()
let list, chat, panel;

// crypto.randomUUID is not there on pages without TLS.
function uuid() {
  const b = crypto.getRandomValues(new Uint8Array(16));
  b[6] = (b[6] & 15) | 64;
  b[8] = (b[8] & 63) | 128;
  return [...b].map((x, i) => ([4, 6, 8, 10].includes(i) ? "-" : "") + x.toString(16).padStart(2, "0")).join("");
}

const agentOf = (id) => agents.find((a) => a.assistant_id === id || a.graph_id === id);
const nameOf = (a) => visible(a?.name || a?.graph_id || "agent");

// ---- what is shown ---------------------------------------------------------

// A thread: its conversation, the events that change it, and what somebody is about to
// do.  fresh: the server has not heard of it yet.
function thread(id, agent, fresh) {
  return { id, agent, fresh, conversation: new Conversation(), viewing: null, at: null, connected: true, asks: "", stop() {} };
}

function route() {
  const m = /^#\/t\/(.+)$/.exec(location.hash);
  if (m) open(decodeURIComponent(m[1])); else fresh();
}

async function open(id) {
  if (shown?.id === id) return;
  leave();
  const t = shown = thread(id, null, false);
  t.loading = true;
  render();
  try {
    const state = await wire.state(id);
    const known = list.threads.find((x) => x.thread_id === id)?.metadata ?? {};
    let of = state.metadata?.assistant_id ?? known.assistant_id ?? state.metadata?.graph_id ?? known.graph_id;
    of ??= (await wire.runs(id))[0]?.assistant_id;
    if (shown !== t) return;
    t.agent = agentOf(of) ?? agents[0];
    t.loading = false;
    t.conversation.load(state);
    listen(t);
    render();
    atEnd();
  } catch (e) {
    if (shown !== t) return;
    t.loading = false;
    t.missing = e.status === 404 || e.status === 422 ? "There is no such conversation. It may have been deleted, or belong to somebody else." : e.message;
    render();
  }
}

function fresh() {
  leave();
  shown = thread(uuid(), agentOf($("agent").value) ?? agents[0], true);
  render();
  $("message-box").focus();
}

function leave() {
  shown?.stop();
  chat.reset();
  hide("panel");
  closeDrawer();
  notice(null);
}

function listen(t) {
  const c = t.conversation;
  t.stop = follow(t.id, {
    event(e) {
      const was = c.run;
      if (c.apply(e)) settle(t, was && t.drawn);
      if (was?.id !== c.run?.id) list.soon(100);
      later();
    },
    connected(yes, again) {
      t.connected = yes;
      if (yes && again) refresh(t);
      later();
    },
    refused(e) { notice(e); },
  });
}

// A run has ended: the state is read, so that nothing depends on having seen each event.
// seen: its work was on the page, and its end is worth telling.
async function settle(t, seen) {
  await refresh(t);
  if (shown !== t) return;
  if (!$("panel").hidden) panel.load(t.id);
  if (!seen) return;
  const c = t.conversation, last = c.messages.at(-1);
  if (c.interrupts.length) say("The agent waits for your answer.");
  else if (c.error) say(`The run failed. ${c.error}`);
  else if (last && read(last).role === "ai") say(`${nameOf(t.agent)} answered: ${textOf(read(last)).slice(0, 300)}`);
}

async function refresh(t) {
  try {
    const state = await wire.state(t.id);
    if (shown === t) { t.conversation.load(state); later(); }
  } catch (e) {
    if (shown === t && e.status === 404) { t.missing = "This conversation was deleted."; t.stop(); later(); }
  }
}

// ---- drawing ---------------------------------------------------------------

let due = false;
function later() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => { due = false; render(); });
}

// Who is at the end of a conversation stays there, whatever is added or grows.
let stay = true;
const nearEnd = () => { const b = $("conversation"); return b.scrollHeight - b.scrollTop - b.clientHeight < 60; };
const atEnd = () => { const b = $("conversation"); b.scrollTop = b.scrollHeight; stay = true; };

function scrolled() {
  stay = nearEnd();
  $("latest").hidden = stay || !$("asks").hidden;
}

function render() {
  const t = shown;
  if (!t) return;
  const c = t.viewing ?? t.conversation;
  const listed = list.threads.find((x) => x.thread_id === t.id);
  const title = t.fresh ? "New conversation" : listed ? list.titleOf(listed) : visible(list.titles.get(t.id) ?? "Conversation");
  $("title").textContent = title;
  $("subtitle").textContent = t.agent ? `${nameOf(t.agent)}${c.run && !t.viewing ? " \u00b7 running" : ""}` : "";
  $("rename").hidden = $("delete").hidden = $("history-button").hidden = t.fresh || Boolean(t.missing);
  if (list.selected !== (t.fresh ? null : t.id)) list.select(t.fresh ? null : t.id);
  $("agent").value = t.agent?.assistant_id ?? "";

  t.drawn = Boolean(t.conversation.run);
  banner(t);
  empty(t, c);
  chat.actions.editable = !t.viewing && !c.run && !t.missing && c.interrupts.length === 0;
  if (chat.wasEditable !== chat.actions.editable) { chat.wasEditable = chat.actions.editable; chat.forget(); }
  chat.show(c);
  values(t, c);
  failure(t, c);
  paused(t, c);
  asks(t, c);
  composer(t, c);
}

function banner(t) {
  const b = $("banner"), key = t.viewing ? `view ${t.viewing.id}` : t.connected ? "" : "lost";
  if (b.dataset.key === key) return;
  b.dataset.key = key;
  b.hidden = key === "";
  b.className = `banner ${t.viewing ? "view" : "lost"}`;
  b.replaceChildren();
  if (t.viewing) b.append(icon("history"), h("span", null, "This is how it was at an earlier point."), h("button", { type: "button", onclick: () => panel.close() }, "Back to now"));
  else if (key) b.append(h("span", { class: "dot busy" }), h("span", null, "The connection to the server is lost. It is tried again; nothing is lost meanwhile."));
}

function empty(t, c) {
  const box = $("empty");
  const show = t.missing || t.loading || (c.list().length === 0 && !c.run && t.fresh);
  box.hidden = !show;
  const key = t.missing ?? (t.loading ? "loading" : t.agent?.assistant_id ?? "none");
  if (!show || box.dataset.key === key) return;
  box.dataset.key = key;
  box.replaceChildren();
  if (t.missing) box.append(icon("warning"), h("h3", null, "Nothing to show"), h("p", null, t.missing), h("button", { type: "button", onclick: newThread }, "New conversation"));
  else if (t.loading) box.append(h("p", { class: "quiet" }, "Loading\u2026"));
  else if (!t.agent) box.append(icon("warning"), h("h3", null, "No agent"), h("p", null, "This server has no agent that you may use."));
  else box.append(h("img", { src: "ui/icon.svg", alt: "", width: "48", height: "48" }), h("h3", null, nameOf(t.agent)), h("p", { dir: "auto" }, t.agent.description || "What would you like to do?"));
}

// What else the state has, for agents that do more than talk.
function values(t, c) {
  const rest = Object.fromEntries(Object.entries(c.values).filter(([k, v]) => k !== "messages" && v !== null && !(Array.isArray(v) && v.length === 0)));
  const box = $("values"), text = Object.keys(rest).length ? JSON.stringify(rest, null, 2) : "";
  if (box.dataset.text === text) return;
  box.dataset.text = text;
  box.hidden = text === "";
  const open = box.querySelector("details")?.open ?? c.messages.length === 0;
  box.replaceChildren(text ? h("details", { class: "card", open }, h("summary", null, icon("file"), h("span", { class: "tool-name" }, "State"), h("span", { class: "brief" }, Object.keys(rest).join(", ")), icon("chevron")), h("div", { class: "card-body" }, codeBlock(text, "json"))) : "");
}

function failure(t, c) {
  const box = $("failure"), text = !c.run && !t.viewing && c.error ? String(c.error) : "";
  if (box.dataset.text === text) return;
  box.dataset.text = text;
  box.hidden = text === "";
  box.replaceChildren(...text ? [h("div", { class: "card failed", role: "alert" }, h("h3", null, icon("warning"), "The run failed"), h("p", { class: "plain-text", dir: "auto" }, text.slice(0, 2000)),
    h("p", { class: "quiet" }, "What was done before it is kept. Try again from there, or edit your message above."),
    h("div", { class: "actions" }, h("button", { type: "button", onclick: () => run(t, { input: null }) }, icon("again"), "Try again")))] : []);
}

// A run that was stopped, or stops before a node, can go on.
function paused(t, c) {
  const box = $("paused"), next = c.run || t.viewing || c.error || c.interrupts.length ? [] : (c.state?.next ?? []).filter((n) => n !== "__start__");
  const text = next.map((n) => visible(n)).join(", ");
  if (box.dataset.text === text) return;
  box.dataset.text = text;
  box.hidden = text === "";
  box.replaceChildren(text ? h("div", { class: "card paused" }, h("span", null, "Stopped before ", h("code", null, text)), h("button", { type: "button", onclick: () => run(t, { input: null }) }, "Go on")) : "");
}

function asks(t, c) {
  const box = $("asks"), key = c.run || t.viewing ? "" : JSON.stringify(c.interrupts.map((i) => i.id));
  const none = key === "" || key === "[]";
  if (t.asks === key && box.hidden === none) return;
  t.asks = key;
  box.hidden = none;
  box.replaceChildren(none ? "" : askView(c.interrupts, (responses) => answer(t, responses)));
  if (none) return;
  stay = false;                              // a long form is read from its beginning
  box.scrollIntoView({ block: "start" });
}

function composer(t, c) {
  const waits = !c.run && c.interrupts.length > 0, off = Boolean(t.viewing || t.missing || t.loading || !t.agent);
  $("composer").hidden = off || waits;
  $("stop").hidden = !c.run;
  $("send").hidden = Boolean(c.run) && $("message-box").value === "";
  const chip = $("chip"), at = t.at ? `from ${t.at}` : "";
  chip.hidden = !t.at;
  if (chip.dataset.key !== at) {
    chip.dataset.key = at;
    chip.replaceChildren(...t.at ? [icon("fork"), h("span", null, "Your message goes on from the earlier point"), iconButton("close", "Go on from the newest instead", () => { t.at = null; later(); })] : []);
  }
  inputs(t);
}

// An agent that takes no messages gets a form of what it takes.
async function inputs(t) {
  const a = t.agent;
  if (!a || t.formOf === a.assistant_id) return;
  t.formOf = a.assistant_id;
  t.form = null;
  const schema = (a.schemas ??= await wire.schemas(a.assistant_id).catch(() => ({}))).input_schema;
  if (shown !== t || t.formOf !== a.assistant_id) return;
  const properties = schema?.properties ?? {}, talks = "messages" in properties || Object.keys(properties).length === 0;
  if (!talks) t.form = field({ ...schema, type: "object", title: " " }, undefined, "", true);
  $("inputs").replaceChildren(talks ? "" : t.form.el);
  $("composer").classList.toggle("form", !talks);
  $("message-box").hidden = !talks;
}

function notice(e) {
  const box = $("notice");
  if (!e) { box.replaceChildren(); return; }
  const hints = { 0: "Is it running? Your text is still in the box: send it again.", 403: "You may not do this. Sign in as somebody who may.", 404: "It may have been deleted meanwhile.",
    409: "Something else happened at the same time. Look at what is there now, then try again.", 413: "Send less at once.", 422: "Change it as it says, then try again.", 429: "Wait a moment, then try again.", 503: "Wait a moment, then try again." };
  box.replaceChildren(h("div", { class: "notice" }, icon("warning"), h("div", null, h("p", { dir: "auto" }, String(e.message).slice(0, 600)), hints[e.status] ? h("p", { class: "quiet" }, hints[e.status]) : null),
    iconButton("close", "Close", () => notice(null))));
}

// ---- doing -----------------------------------------------------------------

// Starts a run on the thread; words that could not be sent come back to the box.
async function run(t, what, message) {
  notice(null);
  const c = t.conversation;
  if (message) c.sent.push({ ...message, type: "human", queued: Boolean(c.run) });
  const wasFresh = t.fresh;
  t.fresh = false;
  t.at = null;
  render();
  atEnd();
  try {
    if (wasFresh) listen(t);
    const id = await start(t.id, t.agent.assistant_id, what.input, what.at);
    if (!c.run) c.begin(id);
    if (wasFresh && shown === t) history.replaceState(null, "", `#/t/${t.id}`);
    list.soon();
    return true;
  } catch (e) {
    t.fresh = wasFresh;
    if (wasFresh) t.stop();
    if (message) {
      c.sent = c.sent.filter((m) => m.id !== message.id);
      if ($("message-box").value === "") $("message-box").value = message.content;
      grow($("message-box"));
    }
    if (shown === t) notice(e);
    return false;
  } finally { if (shown === t) later(); }
}

function send() {
  const t = shown, box = $("message-box");
  if (t.form) {
    try { run(t, { input: t.form.read(), at: t.at }); } catch (e) { if (!(e instanceof Wrong)) throw e; }
    return;
  }
  const text = box.value.trim();
  if (text === "") { box.focus(); return; }
  box.value = "";
  grow(box);
  const message = { id: uuid(), role: "user", content: text };
  run(t, { input: { messages: [message] }, at: t.at }, message);
  box.focus();
}

async function stop() {
  const t = shown, id = t.conversation.run?.id;
  if (!id) return;
  try { await wire.cancel(t.id, id); say("Stopped"); } catch (e) { if (e.status !== 409 && e.status !== 404) notice(e); }
}

// A run that goes on does so as it began: with what was configured for it.
const given = (config) => Object.fromEntries(Object.entries(config?.configurable ?? {}).filter(([k]) => !/^(run_id|thread_id|graph_id|assistant_id|checkpoint_.*|user-agent|x-.*|__.*|langgraph_.*)$/.test(k)));

async function answer(t, responses) {
  const last = (await wire.runs(t.id))[0], configurable = given(last?.kwargs?.config);
  await respond(t.id, responses, Object.keys(configurable).length ? { configurable } : undefined);
  t.conversation.interrupts = [];
  list.soon();
  render();
  $("message-box").focus();
}

async function regenerate(message) {
  const t = shown;
  try {
    const at = await checkpointOf(t.id, message.id);
    if (at) run(t, { input: null, at: idOf(at) });
  } catch (e) { notice(e); }
}

function edit(message, view) {
  const t = shown, box = h("textarea", { class: "grows", dir: "auto", "aria-label": "Edit the message" });
  box.value = textOf(message);
  const close = () => { form.replaceWith(view.body); view.foot.hidden = false; view.foot.querySelector("[title^=Edit]")?.focus(); };
  const form = h("form", { class: "edit-form", onsubmit: async (e) => {
    e.preventDefault();
    const content = box.value.trim();
    if (!content) return;
    close();
    try {
      const at = await checkpointOf(t.id, message.id), changed = { id: uuid(), role: "user", content };
      run(t, { input: { messages: [changed] }, at: at ? idOf(at) : undefined }, changed);
    } catch (x) { notice(x); }
  }, onkeydown: (e) => {
    if (e.key === "Escape") { e.stopPropagation(); close(); }
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); form.requestSubmit(); }
  } }, box, h("div", { class: "actions" }, h("button", { type: "button", onclick: close }, "Cancel"), h("button", { class: "primary" }, "Send")));
  view.body.replaceWith(form);
  view.foot.hidden = true;
  grow(box);
  box.focus();
}

// What others do to the thread without a run is seen in the list.
function changed() {
  const t = shown, now = list.threads.find((x) => x.thread_id === t?.id)?.updated_at;
  if (now && t.updated && now !== t.updated && !t.conversation.run && !t.loading) refresh(t);
  if (t) t.updated = now;
  later();
}

function newThread() {
  if (location.hash === "#/" || location.hash === "") fresh(); else location.hash = "#/";
}

async function rename() {
  const t = shown, title = await prompt("Rename", "Title", $("title").textContent, "Save");
  if (!title) return;
  try { await wire.rename(t.id, title); list.soon(); } catch (e) { notice(e); }
}

async function remove() {
  const t = shown;
  if (!await confirm("Delete this conversation?", `\u201c${$("title").textContent.slice(0, 80)}\u201d and its history will be gone for good.`, "Delete")) return;
  try {
    t.stop();
    await wire.deleteThread(t.id);
    say("Deleted");
    location.hash = "#/";
    list.soon();
  } catch (e) { notice(e); }
}

// ---- panels, keys ----------------------------------------------------------

const hide = (id) => { $(id).hidden = true; if (id === "panel") { $("history-button")?.setAttribute("aria-expanded", "false"); if (shown?.viewing) { shown.viewing = null; chat.reset(); later(); } } };

function toggleHistory() {
  if (shown.fresh) return;
  if (!$("panel").hidden) { hide("panel"); $("history-button").focus(); return; }
  $("panel").hidden = false;
  $("history-button").setAttribute("aria-expanded", "true");
  panel.load(shown.id);
  $("panel").querySelector("button").focus();
}

function view(state) {
  const t = shown;
  t.viewing = new Conversation();
  t.viewing.id = idOf(state);
  t.viewing.load(state);
  chat.reset();
  render();
  atEnd();
}

function latest() {
  if (!shown.viewing) return;
  shown.viewing = null;
  chat.reset();
  render();
  atEnd();
}

function openDrawer() { $("app").classList.add("drawer"); $("scrim").hidden = false; $("sidebar").querySelector("button,select").focus(); }
function closeDrawer() { $("app").classList.remove("drawer"); $("scrim").hidden = true; }

const shortcuts = [
  ["Enter", "Send"], ["Shift+Enter", "New line"], ["Esc", "Stop the run; close what is open"], ["\u2191", "In an empty box: edit your last message"],
  ["Alt+N", "New conversation"], ["Alt+T", "To the conversations"], ["Alt+W", "To what waits for you"], ["Alt+M", "To the message box"], ["Alt+H", "History"], ["Alt+/", "This help"],
];

function help() {
  dialog("Keyboard", (done) => h("div", null, h("dl", { class: "keys" }, shortcuts.map(([k, w]) => [h("dt", null, k.split("+").map((x, i) => [i ? "+" : "", h("kbd", null, x)])), h("dd", null, w)])),
    h("div", { class: "actions" }, h("button", { type: "button", autofocus: "", onclick: () => done() }, "Close"))));
}

const keys = {
  KeyN: newThread, KeyH: toggleHistory, Slash: help,
  KeyT: () => { openDrawer(); (document.querySelector("#threads [aria-current]") ?? document.querySelector("#threads a"))?.focus(); },
  KeyW: () => { openDrawer(); document.querySelector("#waiting a")?.focus(); },
  KeyM: () => { closeDrawer(); $("message-box").focus(); },
};

function onkey(e) {
  if ($("app").hidden || document.querySelector("dialog")) return;
  if (e.altKey && !e.ctrlKey && !e.metaKey && keys[e.code]) { e.preventDefault(); keys[e.code](); return; }
  if (e.key !== "Escape") return;
  if ($("app").classList.contains("drawer")) { closeDrawer(); $("bar").querySelector("button").focus(); }
  else if (shown.viewing) panel.close();
  else if (!$("panel").hidden) toggleHistory();
  else if (shown.conversation.run) stop();
}

function grow(box) {
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight + 2, innerHeight * 0.4)}px`;
}

function boxKey(e) {
  if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); send(); }
  if (e.key === "ArrowUp" && $("message-box").value === "") {
    const buttons = document.querySelectorAll(".message.human [title^=Edit]");
    if (buttons.length) { e.preventDefault(); buttons[buttons.length - 1].click(); }
  }
}

// ---- beginning -------------------------------------------------------------

function build() {
  $("new").append(icon("plus"), "New conversation");
  $("new").addEventListener("click", newThread);
  $("sidebar-close").append(iconButton("close", "Close the list", closeDrawer, { class: "icon-button narrow-only" }));
  $("bar-left").append(iconButton("menu", "Conversations", openDrawer, { class: "icon-button narrow-only" }));
  $("bar-right").append(iconButton("pencil", "Rename", rename, { id: "rename" }), iconButton("trash", "Delete", remove, { id: "delete" }),
    iconButton("history", "History", toggleHistory, { id: "history-button", "aria-expanded": "false", "aria-controls": "panel" }));
  $("panel-close").append(iconButton("close", "Close the history", toggleHistory));
  $("foot").append(h("span", { id: "who", class: "who" }), iconButton("exit", "Sign out", signOut, { id: "signout", hidden: true }), theme(), iconButton("help", "Keyboard shortcuts", help));
  $("send").append(icon("send"));
  $("send").setAttribute("aria-label", "Send");
  $("stop").append(icon("stop"));
  $("stop").setAttribute("aria-label", "Stop");
  $("stop").addEventListener("click", stop);
  $("latest").append(icon("down"), "Newest");
  $("latest").addEventListener("click", atEnd);
  $("scrim").addEventListener("click", closeDrawer);
  $("conversation").append(h("div", { id: "empty", hidden: true }));
  chat = new ChatView($("conversation"), { author: (role) => role === "human" ? "You said:" : `${nameOf(shown?.agent)} said:`, edit, regenerate, editable: true });
  $("conversation").append(h("div", { id: "values", class: "after", hidden: true }), h("div", { id: "failure", class: "after", hidden: true }), h("div", { id: "paused", class: "after", hidden: true }), h("div", { id: "asks", class: "after", hidden: true }));
  $("conversation").addEventListener("scroll", scrolled, { passive: true });
  const grown = new ResizeObserver(() => { if (stay) atEnd(); else scrolled(); });
  for (const box of [$("conversation"), ...$("conversation").children]) grown.observe(box);
  $("composer").addEventListener("submit", (e) => { e.preventDefault(); send(); });
  const box = $("message-box");
  box.addEventListener("keydown", boxKey);
  document.addEventListener("input", (e) => { if (e.target.classList.contains("grows") || e.target === box) grow(e.target); if (e.target === box) later(); });
  $("skip").addEventListener("click", (e) => { e.preventDefault(); ($("composer").hidden ? $("conversation") : box).focus(); });
  $("agent").addEventListener("change", () => { if (shown.fresh) { shown.agent = agentOf($("agent").value); later(); } else newThread(); });
  addEventListener("keydown", onkey);
  addEventListener("hashchange", () => { if (!$("app").hidden) route(); });
  list = new ThreadList({ changed, ok: () => $("app").classList.remove("offline"), failed: () => $("app").classList.add("offline") });
  panel = new HistoryPanel($("history"), { view, latest,
    fork: (s) => { shown.at = idOf(s); latest(); panel.viewed = null; hide("panel"); $("message-box").focus(); },
    replay: (s) => { const t = shown; latest(); hide("panel"); run(t, { input: null, at: idOf(s) }); } });
}

async function enter() {
  agents = await wire.assistants();
  $("agent").replaceChildren(...agents.map((a) => h("option", { value: a.assistant_id }, nameOf(a))));
  const preferred = agents.find((a) => a.name === "agent") ?? agents[0];
  if (preferred) $("agent").value = preferred.assistant_id;
  $("signout").hidden = !user?.session;
  $("signin").hidden = true;
  $("app").hidden = false;
  list.start();
  route();
}

async function signOut() {
  await wire.signOut().catch(() => {});
  location.reload();
}

function signIn(words) {
  list.stop();
  shown?.stop();
  shown = null;
  $("app").hidden = true;
  $("signin").hidden = false;
  $("signin").replaceChildren(signInView(words, async (secret) => { user = await wire.signIn(secret); await begin(); }));
  $("signin").querySelector("input").focus();
}

function broken(e) {
  $("app").hidden = true;
  $("signin").hidden = false;
  $("signin").replaceChildren(h("main", { class: "sign-card" }, h("h1", null, "The console cannot begin"), h("p", { class: "wrong" }, e.message), h("button", { type: "button", class: "primary", onclick: () => location.reload() }, "Try again")));
}

async function begin() {
  const info = await wire.info();
  $("who").textContent = `Cohort ${info.version}`;
  if (info.metadata.auth) {
    user = await wire.whoami();
    $("who").textContent = visible(user.name ?? user.email ?? user.user ?? "");
  }
  await enter();
}

build();
wire.signedOut.addEventListener("signedout", () => { if ($("signin").hidden) signIn($("app").hidden ? "" : "You have been signed out. Sign in to go on."); });
begin().catch((e) => { if (e.status !== 401) broken(e); });
