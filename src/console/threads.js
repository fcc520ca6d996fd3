// threads.js - the list of threads and the list of what waits for a person, kept up to
// date by asking: often while things change, seldom while nothing does, and not at all
// while nobody looks at the page.
import { $, ago, h, icon, visible } from "./dom.js";
import * as wire from "./wire.js";

const OFTEN = 2000, SELDOM = 20000;          // ms
const PAGE = 50;

const statuses = { busy: "Running", interrupted: "Waiting for you", error: "Failed", idle: "" };

export const titleOf = (t) => {
  const named = t.metadata?.title;
  if (typeof named === "string" && named) return named;
  const first = t.extracted?.first;
  const text = Array.isArray(first) ? first.map((b) => b?.text ?? "").join(" ") : typeof first === "string" ? first : "";
  return text.replace(/\s+/g, " ").trim().slice(0, 120) || "Untitled";
};

const briefly = (v) => {
  const text = v?.action_requests ? v.action_requests.map((a) => a.name).join(", ") : typeof v === "string" ? v : v?.prompt ?? v?.question ?? JSON.stringify(v) ?? "";
  return visible(String(text).replace(/\s+/g, " ").slice(0, 140));
};

export class ThreadList {
  threads = [];
  waits = [];
  limit = PAGE;
  selected = null;
  pause = OFTEN;
  asked = 0;

  constructor(on) {
    this.on = on;                            // { changed(), failed(e), ok() }
    this.list = $("threads");
    this.waiting = $("waiting");
    $("more-threads").addEventListener("click", () => { this.limit += PAGE; this.refresh(); });
    for (const box of [this.list, this.waiting]) box.addEventListener("keydown", (e) => this.move(e));
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.soon(); });
  }

  start() { this.stopped = false; return this.refresh(); }
  stop() { this.stopped = true; clearTimeout(this.timer); }

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
      const [threads, waits] = await Promise.all([wire.threads(this.limit, 0), wire.waiting()]);
      if (mine !== this.asked || this.stopped) return;
      const key = JSON.stringify([threads, waits]);
      this.pause = key === this.key ? Math.min(this.pause * 1.5, SELDOM) : OFTEN;
      this.threads = threads;
      this.waits = waits;
      this.on.ok();
      if (key !== this.key) { this.key = key; this.show(); this.on.changed(); }
    } catch (e) {
      if (e.status === 401) return;
      this.pause = Math.min(this.pause * 2, SELDOM);
      this.on.failed(e);
    }
    if (!this.stopped && mine === this.asked && !document.hidden) this.timer = setTimeout(() => this.refresh(), this.pause);
  }

  select(id) { this.selected = id; this.show(); }

  show() {
    const focused = document.activeElement?.dataset?.key;
    this.list.replaceChildren(...this.threads.map((t) => this.row(`t${t.thread_id}`, t.thread_id, t.status, titleOf(t), ago(t.updated_at), statuses[t.status] ?? t.status)));
    if (this.threads.length === 0) this.list.append(h("li", { class: "quiet empty" }, "No conversations yet."));
    $("more-threads").hidden = this.threads.length < this.limit;
    const titles = new Map(this.threads.map((t) => [t.thread_id, titleOf(t)]));
    this.waiting.replaceChildren(...this.waits.map((w) => this.row(`w${w.id}`, w.thread_id, "interrupted", briefly(w.value), ago(w.created_at), visible(titles.get(w.thread_id) ?? "")) ));
    $("waiting-section").hidden = this.waits.length === 0;
    $("waiting-count").textContent = String(this.waits.length);
    document.title = `${this.waits.length ? `(${this.waits.length}) ` : ""}${titles.get(this.selected) ?? "Cohort"}`;
    if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  row(key, id, status, title, when, note) {
    return h("li", null, h("a", { href: `#/t/${encodeURIComponent(id)}`, class: "thread", "data-key": key, "aria-current": id === this.selected && key[0] === "t" ? "page" : null },
      h("span", { class: `dot ${status}` }),
      h("span", { class: "thread-title", dir: "auto" }, title),
      h("span", { class: "thread-when" }, when),
      note ? h("span", { class: "thread-note", dir: "auto" }, note) : null));
  }

  // Arrows go from one to the next.
  move(e) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (!step) return;
    const all = [...document.querySelectorAll(".thread")], at = all.indexOf(document.activeElement);
    if (at < 0) return;
    e.preventDefault();
    all[at + step]?.focus();
  }
}
