// chat.js - a conversation on the page.  Of a long one the newest messages are shown,
// and earlier ones when somebody asks; a message is made again only when it changed,
// and of a message that is streamed only what changed.
import { button, copyText, h, icon, iconButton, pretty, visible, words } from "./dom.js";
import { codeBlock, link, safeUrl, showMarkdown } from "./markdown.js";
import { read, textOf } from "./conversation.js";

const INNER = 20; // sub-agents that are shown
const BRIEF = 120; // characters
const WINDOW = 60; // messages at first, and with each "earlier"

// ---- parts ----

// Each kind: make(part) gives { el, update(part) }.
const kinds = {
	text(role) {
		const el = h("div.prose");
		return {
			el,
			update: (p) =>
				role === "human" ? el.replaceChildren(words(p.text)) : showMarkdown(el, p.text),
		};
	},

	reasoning() {
		const body = h("div.prose");
		const label = h("span");
		const el = h("details.card.reasoning", h("summary", icon("brain"), label, icon("chevron")), body);
		return {
			el,
			update: (p, live) => {
				label.textContent = live ? "Thinking\u2026" : "Thoughts";
				el.classList.toggle("busy", Boolean(live));
				showMarkdown(body, p.text ?? "");
			},
		};
	},

	tool() {
		const name = h("span.tool-name", { dir: "ltr" });
		const brief = h("span.brief", { dir: "ltr" });
		const state = h("span.tool-state");
		const args = h("div");
		const output = h("div");
		const el = h(
			"details.card.tool",
			h("summary", icon("tool"), name, brief, state, icon("chevron")),
			h("div.card-body", h("h4", "Arguments"), args, h("h4", "Result"), output),
		);
		let shown = "";
		const update = (p, live, result) => {
			const text = typeof p.args === "string" ? p.args : pretty(p.args);
			const ran = result && (result.failed ? "failed" : result.live ? "running" : "done");
			const status = ran ?? (p.wrong ? "failed" : live ? "running" : "waiting");
			const key = [p.name, text, status, result?.output, p.wrong].join("\n");
			if (key === shown) return;
			shown = key;
			name.textContent = visible(p.name || "tool").slice(0, 200);
			brief.textContent = visible(briefly(p.args));
			state.textContent = { running: "Running\u2026", done: "Done", failed: "Failed", waiting: "Not run yet" }[status];
			el.className = `card tool ${status}`;
			args.replaceChildren(codeBlock(text, "json"));
			output.replaceChildren(
				result || p.wrong ? codeBlock(result ? pretty(result.output) : String(p.wrong), "result") : h("p.quiet", "Nothing yet."),
			);
		};
		return { el, update };
	},

	media() {
		const el = h("div.media");
		let shown = null;
		return {
			el,
			update: (p) => {
				if (shown !== p.url) {
					shown = p.url;
					el.replaceChildren(mediaOf(p));
				}
			},
		};
	},

	other() {
		const el = h("div");
		return { el, update: (p) => el.replaceChildren(codeBlock(pretty(p.value), "json")) };
	},
};

function briefly(args) {
	if (typeof args === "string") return args.slice(0, 120);
	return Object.entries(args ?? {}).map(([k, v]) => `${k}: ${typeof v === "string" ? v : JSON.stringify(v)}`).join(", ").slice(0, 120);
}

// Images of a few formats are shown when they are part of the message; everything else
// is a file to save or an address to follow, and nothing is fetched by itself.
function mediaOf(p) {
	const name = visible(p.name || `${p.media}, ${p.mime}`);
	if (/^data:image\/(png|jpeg|gif|webp);base64,/.test(p.url)) return h("img", { src: p.url, alt: p.name || "An image", loading: "lazy" });
	if (p.url.startsWith("data:"))
		return h(
			"a",
			{
				class: "file",
				download: (p.name || p.media).replace(/[^\w.-]+/g, "_"),
				href: p.url.replace(/^data:[^,]*,/, "data:application/octet-stream;base64,"),
			},
			icon("file"),
			`Save ${name}`,
		);
	const url = safeUrl(p.url);
	return url ? link(url, icon("file"), `${name}: ${visible(url)}`) : h("span.quiet", `${name} (its address cannot be followed)`);
}

// ---- messages ----

class MessageView {
	parts = [];

	constructor(message, actions) {
		this.actions = actions;
		this.role = message.role;
		this.body = h("div.message-body");
		this.foot = h("div.message-actions");
		this.el = h("li", { class: `message ${message.role}` }, h("span.offscreen", actions.author(message.role)), this.body, this.foot);
	}

	// Makes anew what changed since the last time.  A message of the state is another object
	// after each event; one with a call without its result waits for that.
	show(message, raw, results) {
		if (this.raw === raw && !raw.parts && !this.waits) return;
		const text = raw.parts ? null : JSON.stringify(raw);
		if (text === null || text !== this.text || this.waits) this.update(message, raw, results);
		this.raw = raw;
		this.text = text;
		const isOpen = (result) => !result || result.live;
		this.waits = message.parts.some((p) => p?.kind === "tool" && isOpen(results.get(p.id)));
	}

	update(message, raw, results) {
		const live = Boolean(message.live && !message.done);
		const parts = message.parts.filter(Boolean);
		this.el.classList.toggle("live", live);
		this.el.classList.toggle("queued", Boolean(raw.queued));
		parts.forEach((p, i) => this.viewOf(p, i).update(p, live && i === parts.length - 1, results.get(p.id)));
		for (const extra of this.parts.splice(parts.length)) extra.el.remove();
		if (!live && !this.foot.hasChildNodes() && !raw.queued) this.showActions(message);
	}

	viewOf(p, i) {
		const old = this.parts[i];
		if (old?.kind === p.kind) return old;
		const view = { kind: p.kind, ...kinds[p.kind](this.role) };
		if (old) old.el.replaceWith(view.el);
		else this.body.append(view.el);
		return (this.parts[i] = view);
	}

	// What can be done with it has changed.
	forget() {
		this.raw = null;
		this.text = null;
		this.foot.replaceChildren();
	}

	showActions(message) {
		const text = textOf(message);
		const add = (...b) => this.foot.append(...b);
		if (text) {
			const b = iconButton("copy", "Copy message", () => copyText(text, b));
			add(b);
		}
		if (!this.actions.editable || !message.id) return;
		if (message.role === "human") add(iconButton("pencil", "Edit and send again", () => this.actions.edit(message, this)));
		if (message.role === "ai" && text) add(iconButton("again", "Answer again", () => this.actions.regenerate(message)));
	}
}

// The messages that stand alone, each with what it was read from: what a tool answered is
// shown with its call.
function standing(all) {
	const calls = new Set();
	const out = [];
	for (const raw of all) {
		const message = raw.parts ? raw : read(raw);
		for (const p of message.parts) if (p?.kind === "tool") calls.add(p.id);
		if (message.role === "tool" && calls.has(message.call)) continue;
		if (message.parts.length > 0) out.push([message, raw]);
	}
	return out;
}

export class ChatView {
	views = new Map(); // message id -> MessageView
	inner = []; // of sub-agents
	shown = WINDOW;

	constructor(box, actions) {
		this.box = box;
		this.actions = actions;
		this.earlier = button("", () => this.showEarlier(), "plain earlier");
		this.list = h("ol.messages");
		this.activity = h("div.activity");
		this.working = h("p.working", { hidden: true }, h("span.dot.busy"), "Working\u2026");
		box.append(this.earlier, this.list, this.activity, this.working);
	}

	reset() {
		this.views.clear();
		this.list.replaceChildren();
		this.activity.replaceChildren();
		this.inner = [];
		this.shown = WINDOW;
	}

	// May messages be edited and given again?
	setEditable(yes) {
		if (this.actions.editable === yes) return;
		this.actions.editable = yes;
		for (const view of this.views.values()) view.forget();
	}

	show(conversation) {
		const all = conversation.list();
		const results = conversation.results();
		const first = Math.max(0, all.length - this.shown);
		const views = new Map();
		let before = null;
		this.last = conversation;
		standing(all.slice(first)).forEach(([message, raw], i) => {
			const key = message.id ?? `at ${first + i}`;
			const view = this.viewOf(key, message);
			const next = before ? before.nextSibling : this.list.firstChild;
			view.show(message, raw, results);
			if (next !== view.el) this.list.insertBefore(view.el, next);
			before = view.el;
			views.set(key, view);
		});
		for (const [key, view] of this.views) if (views.get(key) !== view) view.el.remove();
		this.views = views;
		this.earlier.hidden = first === 0;
		this.earlier.textContent = `Show earlier messages (${first})`;
		this.showActivity(conversation);
	}

	viewOf(key, message) {
		const old = this.views.get(key);
		return old?.role === message.role ? old : new MessageView(message, this.actions);
	}

	showEarlier() {
		const from = this.box.scrollHeight - this.box.scrollTop;
		this.shown += WINDOW;
		this.show(this.last);
		this.box.scrollTop = this.box.scrollHeight - from;
	}

	// Sub-agents of the run that is under way, each with its last words.
	showActivity(conversation) {
		const rows = conversation.run ? [...conversation.inner.values()].slice(-INNER) : [];
		const speaks = (m) => !m.key && !m.done && m.parts.length > 0;
		const seen = rows.some((s) => s.status === "running") || [...conversation.live.values()].some(speaks);
		this.working.hidden = !conversation.run || seen;
		while (this.inner.length > rows.length) this.inner.pop().el.remove();
		rows.forEach((s, i) => {
			this.inner[i] ??= new InnerView(this.activity);
			this.inner[i].show(s);
		});
	}
}

class InnerView {
	constructor(box) {
		this.dot = h("span.dot");
		this.name = h("span.tool-name");
		this.brief = h("span.brief");
		this.body = h("div.prose");
		const head = h("summary", this.dot, this.name, this.brief, icon("chevron"));
		this.el = h("details.card.inner", { ontoggle: () => this.show(this.shown) }, head, this.body);
		box.append(this.el);
	}

	show(s) {
		const end = s.text.length > BRIEF ? `\u2026${s.text.slice(-BRIEF).replace(/^\S*/, "")}` : s.text;
		this.shown = s;
		this.dot.className = `dot ${{ running: "busy", failed: "error" }[s.status] ?? "idle"}`;
		this.name.textContent = visible(s.name);
		this.brief.textContent = visible(end.replace(/\s+/g, " "));
		if (this.el.open) showMarkdown(this.body, s.text);
	}
}
