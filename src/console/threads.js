// threads.js - the list of threads and the list of what waits for a person, kept up to
// date by asking: often while things change, seldom while nothing does or nobody looks at
// the page (its title tells how much waits).
import { $, ago, encode, h, visible } from "./dom.js";
import { walk } from "./keys.js";
import * as wire from "./wire.js";

const OFTEN = 2000;
const SELDOM = 20000; // ms
const PAGE = 50;

const statuses = { busy: "Running", interrupted: "Waiting for you", error: "Failed", idle: "" };

const line = (text, n) => text.slice(0, 1000).replace(/\s+/g, " ").trim().slice(0, n);

const textOf = (content) =>
	line(Array.isArray(content) ? content.map((b) => b?.text ?? "").join(" ") : typeof content === "string" ? content : "", 120);

// A question in a line.
export const briefly = (v) => {
	const calls = Array.isArray(v?.action_requests) ? v.action_requests.map((a) => a?.name).join(", ") : "";
	const asked = [v, v?.prompt, v?.question].find((x) => typeof x === "string") ?? JSON.stringify(v) ?? "";
	return visible(line(calls || asked, 140));
};

export class ThreadList {
	threads = [];
	waits = [];
	titles = new Map(); // thread id -> its first words
	limit = PAGE;
	selected = null;
	pause = OFTEN;
	asked = 0;

	constructor(on) {
		this.on = on; // { changed(), failed(e), ok() }
		this.list = $("threads");
		this.waiting = $("waiting");
		$("more-threads").addEventListener("click", () => {
			this.limit += PAGE;
			this.refresh();
		});
		for (const box of [this.list, this.waiting]) walk(box, ".thread");
		document.addEventListener("visibilitychange", () => {
			if (!document.hidden) this.soon();
		});
	}

	start() {
		this.stopped = false;
		return this.refresh();
	}
	stop() {
		this.stopped = true;
		clearTimeout(this.timer);
	}

	// Something was done that changes the list.
	soon(ms = 0) {
		if (this.stopped) return;
		this.pause = OFTEN;
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.refresh(), ms);
	}

	async refresh() {
		const mine = ++this.asked;
		clearTimeout(this.timer);
		try {
			const [threads, waits] = await Promise.all([wire.threads(this.limit), wire.waiting()]);
			await this.learn(threads);
			if (mine !== this.asked || this.stopped) return;
			const key = JSON.stringify([threads, waits]);
			this.pause = key === this.key ? Math.min(this.pause * 1.5, SELDOM) : OFTEN;
			this.threads = threads;
			this.waits = waits;
			this.on.ok();
			if (key !== this.key || Date.now() - this.drawn > 60000) {
				this.key = key;
				this.show();
				this.on.changed();
			}
		} catch (e) {
			if (e.status === 401) return;
			this.pause = Math.min(this.pause * 2, SELDOM);
			this.on.failed(e);
		}
		if (!this.stopped && mine === this.asked) this.timer = setTimeout(() => this.refresh(), document.hidden ? SELDOM : this.pause);
	}

	// First words are asked for once: they may be long, and they do not change.
	async learn(threads) {
		const ids = threads.filter((t) => !t.metadata?.title && !this.titles.has(t.thread_id)).map((t) => t.thread_id);
		if (ids.length === 0) return;
		for (const t of await wire.firstWords(ids)) {
			const words = textOf(t.extracted?.first);
			if (words) this.titles.set(t.thread_id, words);
		}
	}

	titleOf(t) {
		const { title, graph_id: graph } = t.metadata ?? {};
		return visible(
			typeof title === "string" && title ? title : (this.titles.get(t.thread_id) ?? (typeof graph === "string" ? graph : "Untitled")),
		);
	}

	select(id) {
		this.selected = id;
		this.show();
	}

	// The page shows a view of that name; null: a conversation.
	name(text) {
		this.page = text;
		this.entitle();
	}

	entitle() {
		const selected = this.threads.find((t) => t.thread_id === this.selected);
		const text = this.page ?? (selected ? this.titleOf(selected) : "Cohort");
		document.title = `${this.waits.length ? `(${this.waits.length}) ` : ""}${text}`;
	}

	show() {
		this.drawn = Date.now();
		const focused = document.activeElement?.dataset?.key;
		this.list.replaceChildren(
			...this.threads.map((t) =>
				this.row(`t${t.thread_id}`, t.thread_id, t.status, this.titleOf(t), ago(t.updated_at), statuses[t.status] ?? t.status),
			),
		);
		if (this.threads.length === 0) this.list.append(h("li.quiet.empty", "No conversations yet."));
		$("more-threads").hidden = this.threads.length < this.limit;
		const titles = new Map(this.threads.map((t) => [t.thread_id, this.titleOf(t)]));
		this.waiting.replaceChildren(
			...this.waits.map((w) =>
				this.row(`w${w.id}`, w.thread_id, "interrupted", briefly(w.value), ago(w.created_at), titles.get(w.thread_id) ?? ""),
			),
		);
		$("waiting-section").hidden = this.waits.length === 0;
		$("waiting-count").textContent = String(this.waits.length);
		this.entitle();
		if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
	}

	row(key, id, status, title, when, note) {
		const current = id === this.selected && key[0] === "t" ? "page" : null;
		return h(
			"li",
			h(
				"a.thread", { href: `#/t/${encode(id)}`, "data-key": key, "aria-current": current },
				h("span", { class: `dot ${status}` }),
				h("span.thread-title", { dir: "auto" }, title),
				h("span.thread-when", when),
				note ? h("span.thread-note", { dir: "auto" }, note) : null,
			),
		);
	}
}
