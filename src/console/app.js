// app.js - the console: which agent and thread is shown, and what a person does with it.
import { $, actions, button, confirm, encode, form, h, icon, iconButton, prompt, say, visible } from "./dom.js";
import { Conversation, read, textOf } from "./conversation.js";
import { answer, follow, start } from "./follow.js";
import { Wrong } from "./form.js";
import { checkpointOf, HistoryPanel, idOf } from "./history.js";
import { grow, help, listenToKeys, sends } from "./keys.js";
import { Shell } from "./shell.js";
import { signInView } from "./signin.js";
import { theme } from "./theme.js";
import { ThreadList } from "./threads.js";
import { nameOf, notice, View } from "./view.js";
import { views } from "./views.js";
import * as wire from "./wire.js";

let agents = [];
let user = null; // who signed in, where one has to
let shown = null; // the thread on the page
let list;
let panel;
let shell;
let view;

// crypto.randomUUID is not there on pages without TLS.
function uuid() {
	const b = crypto.getRandomValues(new Uint8Array(16));
	b[6] = (b[6] & 15) | 64;
	b[8] = (b[8] & 63) | 128;
	const hex = [...b].map((x) => x.toString(16).padStart(2, "0")).join("");
	return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

const agentOf = (id) => agents.find((a) => a.assistant_id === id || a.graph_id === id);
const listed = (t) => list.threads.find((x) => x.thread_id === t?.id);
const later = () => shown && view.later(shown);

// ---- what is shown ----

// A thread: its conversation, the events that change it (until stop()), an earlier state
// that is looked at, and the checkpoint that the next message goes on from.  isFresh: the
// server has not heard of it yet.
const makeThread = (id, agent, isFresh) => ({
	id,
	agent,
	fresh: isFresh,
	conversation: new Conversation(),
	viewing: null,
	at: null,
	connected: true,
	stop() {},
});

function titleOf(t) {
	if (t.fresh) return "New conversation";
	const known = listed(t);
	return known ? list.titleOf(known) : visible(list.titles.get(t.id) ?? "Conversation");
}

function route() {
	if (shell.route(location.hash)) {
		leaveChat();
		return;
	}
	const m = /^#\/t\/(.+)$/.exec(location.hash);
	if (m) open(decodeURIComponent(m[1]));
	else fresh();
}

// A view is shown instead: the thread's stream ends, and it is read again later.
function leaveChat() {
	if (shown) hidePanel();
	shown?.stop();
	shown = null;
	list.select(null);
}

function show(t) {
	shown?.stop();
	shell.chatAt(t.fresh ? "#/" : `#/t/${encode(t.id)}`);
	shown = t;
	view.reset();
	hidePanel();
	closeDrawer();
	notice(null);
	list.select(t.fresh ? null : t.id);
	view.draw(t);
}

// The agent that a thread was used with last.
async function agentOfThread(t, state) {
	const known = listed(t)?.metadata ?? {};
	const of = state.metadata?.assistant_id ?? known.assistant_id ?? state.metadata?.graph_id ?? known.graph_id;
	return agentOf(of ?? (await wire.runs(t.id))[0]?.assistant_id) ?? agents[0];
}

async function open(id) {
	if (shown?.id === id) return;
	const t = makeThread(id, null, false);
	t.loading = true;
	show(t);
	try {
		const state = await wire.state(id);
		t.agent = await agentOfThread(t, state);
		t.conversation.load(state);
	} catch (e) {
		const unknown = e.status === 404 || e.status === 422;
		t.missing = unknown ? "There is no such conversation. It may have been deleted, or belong to somebody else." : e.message;
	}
	t.loading = false;
	if (shown !== t) return;
	if (!t.missing) listen(t);
	view.draw(t);
	if (t.conversation.interrupts.length === 0) view.toEnd();
}

function fresh() {
	show(makeThread(uuid(), agentOf($("agent").value) ?? agents[0], true));
	$("message-box").focus();
}

function newThread() {
	if (location.hash === "#/" || location.hash === "") fresh();
	else location.hash = "#/";
}

function listen(t) {
	const c = t.conversation;
	t.stop = follow(t.id, {
		event(e) {
			const was = c.run;
			if (c.apply(e)) settle(t, was && t.drawn);
			if (was?.id !== c.run?.id) list.soon(300);
			later();
		},
		connected(yes, again) {
			t.connected = yes;
			if (yes && again) refresh(t);
			later();
		},
		refused: notice,
	});
}

// A run has ended: the state is read, so that nothing depends on having seen each event.
// seen: its work was on the page, and its end is worth telling.
async function settle(t, seen) {
	await refresh(t);
	if (shown !== t) return;
	if (!$("panel").hidden) panel.load(t.id);
	if (!seen) return;
	const c = t.conversation;
	const last = c.messages.length > 0 ? read(c.messages.at(-1)) : null;
	if (c.interrupts.length > 0) say("The agent waits for your answer.");
	else if (c.error) say(`The run failed. ${c.error}`);
	else if (last?.role === "ai") say(`${nameOf(t.agent)} answered: ${textOf(last).slice(0, 300)}`);
}

async function refresh(t) {
	try {
		const state = await wire.state(t.id);
		if (shown === t) t.conversation.load(state);
	} catch (e) {
		if (shown !== t || e.status !== 404) return;
		t.missing = "This conversation was deleted.";
		t.stop();
	}
	later();
}

// The list has changed.  What others do to the thread without a run is seen there only.
function changed() {
	const t = shown;
	const now = listed(t)?.updated_at;
	shell.badge("inbox", list.waits.length);
	if (now && t.updated && now !== t.updated && !t.conversation.run && !t.loading) refresh(t);
	if (t) t.updated = now;
	later();
}

// ---- doing ----

// Starts a run.  what: { input, at }; message: what of it is shown at once, and comes back
// to the box if it could not be sent.
async function run(t, what, message) {
	const c = t.conversation;
	const isFirst = t.fresh;
	notice(null);
	if (message) c.sent.push({ ...message, type: "human", queued: Boolean(c.run) });
	t.fresh = false;
	t.at = null;
	view.draw(t);
	view.toEnd();
	try {
		if (isFirst) listen(t);
		const id = await start(t.id, t.agent.assistant_id, what.input, what.at);
		if (!c.run) c.begin(id);
		if (isFirst && shown === t) history.replaceState(null, "", `#/t/${t.id}`);
		if (isFirst && shown === t) shell.chatAt(location.hash);
		if (isFirst && shown === t) list.select(t.id);
		list.soon();
	} catch (e) {
		t.fresh = isFirst;
		if (isFirst) t.stop();
		if (message) takeBack(c, message);
		if (shown === t) notice(e);
	}
	later();
}

function takeBack(c, message) {
	const box = $("message-box");
	c.sent = c.sent.filter((m) => m.id !== message.id);
	if (box.value === "") box.value = message.content;
	grow(box);
}

const messageOf = (content) => ({ id: uuid(), role: "user", content });

function send() {
	const t = shown;
	const box = $("message-box");
	if (t.form) {
		sendForm(t);
		return;
	}
	const text = box.value.trim();
	box.focus();
	if (text === "") return;
	box.value = "";
	grow(box);
	const message = messageOf(text);
	run(t, { input: { messages: [message] }, at: t.at }, message);
}

function sendForm(t) {
	try {
		run(t, { input: t.form.read(), at: t.at });
	} catch (e) {
		if (!(e instanceof Wrong)) throw e;
	}
}

async function stop() {
	const t = shown;
	try {
		await wire.cancel(t.id, t.conversation.run.id);
		say("Stopped");
	} catch (e) {
		if (e.status !== 409 && e.status !== 404) notice(e); // it has ended meanwhile
	}
}

async function answered(t, responses) {
	await answer(t.id, responses);
	t.conversation.interrupts = [];
	list.soon();
	view.draw(t);
	$("message-box").focus();
}

// Starts a run from before a message: with another in its place, or none.
async function runBefore(t, id, message) {
	try {
		const at = await checkpointOf(t.id, id);
		const input = message ? { messages: [message] } : null;
		if (at || message) await run(t, { input, at: at ? idOf(at) : undefined }, message);
	} catch (e) {
		notice(e);
	}
}

function edit(message, messageView) {
	const t = shown;
	const box = h("textarea.grows", { dir: "auto", "aria-label": "Edit the message" });
	const close = () => {
		el.replaceWith(messageView.body);
		messageView.foot.hidden = false;
		messageView.foot.querySelector("[title^=Edit]")?.focus();
	};
	const submit = () => {
		const content = box.value.trim();
		if (content === "") return;
		close();
		runBefore(t, message.id, messageOf(content));
	};
	const key = (e) => {
		if (e.key !== "Escape" && !sends(e)) return;
		e.preventDefault();
		e.stopPropagation();
		if (e.key === "Escape") close();
		else el.requestSubmit();
	};
	const el = form("edit-form", submit, box, actions(button("Cancel", close), h("button.primary", "Send")));
	el.addEventListener("keydown", key);
	box.value = textOf(message);
	messageView.body.replaceWith(el);
	messageView.foot.hidden = true;
	grow(box);
	box.focus();
}

async function rename() {
	const t = shown;
	const title = await prompt("Rename", "Title", $("title").textContent, "Save");
	if (title) await wire.rename(t.id, title).then(() => list.soon(), notice);
}

async function remove() {
	const t = shown;
	const words = `\u201c${$("title").textContent.slice(0, 80)}\u201d and its history will be gone for good.`;
	if (!(await confirm("Delete this conversation?", words, "Delete"))) return;
	try {
		t.stop();
		await wire.deleteThread(t.id);
		say("Deleted");
		location.hash = "#/";
		list.soon();
	} catch (e) {
		notice(e);
	}
}

// ---- history, drawer, keys ----

// Shows an earlier state, or (null) what is there now.
function look(state) {
	const t = shown;
	if (!state && !t.viewing) return;
	t.viewing = state ? new Conversation() : null;
	if (state) {
		t.viewing.id = idOf(state);
		t.viewing.load(state);
	}
	view.reset();
	view.draw(t);
	view.toEnd();
}

function hidePanel() {
	$("panel").hidden = true;
	$("history-button").setAttribute("aria-expanded", "false");
	if (shown) look(null);
}

function toggleHistory() {
	if (!shown || shown.fresh) return;
	if (!$("panel").hidden) {
		hidePanel();
		$("history-button").focus();
		return;
	}
	$("panel").hidden = false;
	$("history-button").setAttribute("aria-expanded", "true");
	panel.load(shown.id);
	$("panel").querySelector("button").focus();
}

function forkFrom(state) {
	hidePanel();
	shown.at = idOf(state);
	view.draw(shown);
	$("message-box").focus();
}

function replayFrom(state) {
	hidePanel();
	run(shown, { input: null, at: idOf(state) });
}

function openDrawer() {
	$("app").classList.add("drawer");
	$("scrim").hidden = false;
	(shown ? $("sidebar-close").firstChild : $("views").querySelector("a[aria-current]"))?.focus();
}

function closeDrawer() {
	$("app").classList.remove("drawer");
	$("scrim").hidden = true;
}

function toThreads(selector) {
	openDrawer();
	(document.querySelector(`${selector} [aria-current]`) ?? document.querySelector(`${selector} a`))?.focus();
}

function toViews() {
	if (getComputedStyle($("side")).position === "fixed") openDrawer();
	$("views").querySelector("[aria-current]").focus();
}

function toBox() {
	closeDrawer();
	if (!shown) $("page-body").focus();
	else ($("composer").hidden ? $("conversation") : $("message-box")).focus();
}

function escape() {
	if ($("app").classList.contains("drawer")) {
		closeDrawer();
		$(shown ? "bar" : "page").querySelector("button").focus();
	} else if (!shown) return;
	else if (shown.viewing) panel.close();
	else if (!$("panel").hidden) toggleHistory();
	else if (shown.conversation.run) stop();
}

function boxKey(e) {
	const last = [...document.querySelectorAll(".message.human [title^=Edit]")].at(-1);
	if (sends(e)) {
		e.preventDefault();
		send();
	} else if (e.key === "ArrowUp" && $("message-box").value === "" && last) {
		e.preventDefault();
		last.click();
	}
}

// ---- beginning ----

// Buttons have their icons from here, so the page says each of them once.
function buildButtons() {
	const narrow = { class: "icon-button narrow-only" };
	const opens = { id: "history-button", "aria-expanded": "false", "aria-controls": "panel" };
	$("new").append(icon("plus"), "New conversation");
	$("sidebar-close").append(iconButton("close", "Close the list", closeDrawer, narrow));
	$("bar-left").append(iconButton("menu", "Conversations", openDrawer, narrow));
	$("bar-right").append(
		iconButton("pencil", "Rename", rename, { id: "rename" }),
		iconButton("trash", "Delete", remove, { id: "delete" }),
		iconButton("history", "History", toggleHistory, opens),
	);
	$("panel-close").append(iconButton("close", "Close the history", toggleHistory));
	$("foot").append(
		h("span", { id: "who", class: "who" }),
		iconButton("exit", "Sign out", signOut, { id: "signout", hidden: true }),
		theme(),
		iconButton("help", "Keyboard shortcuts", help),
	);
	$("send").append(icon("send"));
	$("stop").append(icon("stop"));
}

function listenToPage() {
	const box = $("message-box");
	$("new").addEventListener("click", newThread);
	$("stop").addEventListener("click", stop);
	$("scrim").addEventListener("click", closeDrawer);
	$("composer").addEventListener("submit", (e) => {
		e.preventDefault();
		send();
	});
	box.addEventListener("keydown", boxKey);
	document.addEventListener("input", (e) => {
		if (e.target.classList.contains("grows")) grow(e.target);
		if (e.target === box) later();
	});
	$("skip").addEventListener("click", (e) => {
		e.preventDefault();
		toBox();
	});
	$("agent").addEventListener("change", () => {
		if (!shown?.fresh) newThread();
		else shown.agent = agentOf($("agent").value);
		later();
	});
	addEventListener("hashchange", () => {
		if (!$("app").hidden) route();
	});
	listenToKeys(
		{
			KeyN: newThread,
			KeyT: () => toThreads("#threads"),
			KeyW: () => toThreads("#waiting"),
			KeyM: toBox,
			KeyH: toggleHistory,
			KeyV: toViews,
			Slash: help,
		},
		escape,
	);
}

function build() {
	shell = new Shell(views, { openDrawer, closeDrawer, title: (text) => list.name(text) });
	buildButtons();
	list = new ThreadList({ changed, failed: () => shown?.fresh && reach(false), ok: () => shown?.fresh && reach(true) });
	panel = new HistoryPanel($("history"), { view: look, latest: () => look(null), fork: forkFrom, replay: replayFrom });
	view = new View({
		titleOf,
		edit,
		regenerate: (message) => runBefore(shown, message.id),
		run,
		answer: answered,
		newThread,
		now: () => panel.close(),
	});
	listenToPage();
}

// A thread that nobody listens to yet is as well connected as the list.
function reach(yes) {
	shown.connected = yes;
	later();
}

async function enter() {
	agents = await wire.assistants();
	shell.agents = agents;
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
	await wire.signOut().catch(() => {}); // a session that is over already
	location.reload();
}

function replaceApp(card) {
	$("app").hidden = true;
	$("signin").hidden = false;
	$("signin").replaceChildren(card);
}

function signIn(words) {
	list.stop();
	shell.stop();
	shown?.stop();
	shown = null;
	const card = signInView(words, async (secret) => {
		user = await wire.signIn(secret);
		await begin();
	});
	replaceApp(card);
	card.querySelector("input").focus();
}

function broken(e) {
	const again = button("Try again", () => location.reload(), "primary");
	replaceApp(h("main.sign-card", h("h1", "The console cannot begin"), h("p.wrong", e.message), again));
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
wire.signedOut.addEventListener("signedout", () => {
	if ($("signin").hidden) signIn($("app").hidden ? "" : "You have been signed out. Sign in to go on.");
});
begin().catch((e) => {
	if (e.status !== 401) broken(e);
});
