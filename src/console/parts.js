// parts.js - pieces that views are made of.  All take data as it is: text becomes text
// nodes, marks of direction are made visible in names, large values are folded.
//
//   loading()                      before there is anything
//   emptyState(icon, title, text, ...actions)   there is nothing
//   errorState(error, again)       why it is not shown: not allowed, not there, no server
//   card(title, ...children)       a section with a heading; title may be an element
//   facts([[name, value]])         a list of names and values; null values are left out
//   table(columns, rows, options)  columns: [title, cell(row) -> text or node, "end" for numbers];
//                                  options: { label, empty }.  Scrolls by itself
//   count(title, key)              a column of numbers
//   tag(text, kind)                a word in a pill; kind: good, warn, bad, accent or none
//   status(text)                   the same, its kind by the word (success, error, running, ...)
//   name(text)                     what people or models called something
//   json(value, label)             a value as code, long ones piece by piece
//   folded(summary, make, open)    details whose body is made when it is first opened
//   button(text, onclick, kind, props), actions(...buttons)    a button; a row of them
//   select(label, { value: text }, value, onchange)
//   form(kind, submit, ...)        submit(event) instead of sending
//   field(label, control)          a label and its control, side by side
//   when(iso), time(iso)           a <time> of its age; of its clock time.  The tip has all of it
//   number(n), money(n, currency), duration(ms), percent(x)     texts; "" for no number
//   poll(context, ms, f)           calls f now and after each pause; not while nobody looks
//   jsonFold(value)                text of a value, cut to something a line can hold
import { actions, ago, button, form, h, icon, iconButton, pretty, visible } from "./dom.js";
import { codeBlock } from "./markdown.js";

// ---- states of a view ----

export const loading = () => h("p.loading.quiet", { role: "status" }, "Loading\u2026");

export function emptyState(iconName, title, text, ...actions) {
	return h(
		"div.empty-state",
		icon(iconName),
		h("h3", title),
		text ? h("p", text) : null,
		actions.length > 0 ? h("div.actions", actions) : null,
	);
}

const reasons = {
	0: ["No connection", "Is the server running?"],
	403: ["You may not see this", "Sign in as somebody who may, or ask whoever runs this server."],
	404: ["Not here", "It may have been deleted, belong to somebody else, or be turned off on this server."],
	501: ["Not on this server", ""],
};

// again: called by a button; left out for what will not change.
export function errorState(error, again) {
	const [title, advice] = reasons[error.status] ?? ["It could not be shown", ""];
	const retry = again && error.status !== 403 && error.status !== 404 ? button([icon("again"), "Try again"], again) : null;
	return h(
		"div.empty-state.failed", { role: "alert" },
		icon("warning"),
		h("h3", title),
		h("p", { dir: "auto", class: "said" }, String(error.message ?? error).slice(0, 600)),
		advice ? h("p", advice) : null,
		retry ? actions(retry) : null,
	);
}

// ---- what views are made of ----

let serial = 0;

export function card(title, ...children) {
	const id = `card-${++serial}`;
	return h("section.panel-card", { "aria-labelledby": id }, h("h3", { id }, title), children);
}

export function facts(rows) {
	const there = rows.filter(([, v]) => v !== null && v !== undefined && v !== "");
	return h("dl.facts", there.map(([k, v]) => [h("dt", k), h("dd", v)]));
}

export function table(columns, rows, { label, empty = "Nothing yet." } = {}) {
	const body = h("tbody");
	const add = (more) => body.append(...more.map((row) => h("tr", columns.map(([, cell, edge]) => h("td", { class: edge }, cell(row))))));
	const el = h(
		"div.table-box", { tabindex: "0", role: "region", "aria-label": label ?? "Table" },
		h("table.data", h("thead", h("tr", columns.map(([title, , edge]) => h("th", { scope: "col", class: edge }, title)))), body),
		rows.length === 0 ? h("p.quiet.nothing", empty) : null,
	);
	add(rows);
	el.add = (more) => {
		if (more.length > 0) el.querySelector(".nothing")?.remove();
		add(more);
	};
	return el;
}

export const count = (title, key) => [title, (row) => number(row[key]), "end"];

export const tag = (text, kind = "") => h("span", { class: `tag ${kind}` }, text);

const kinds = {
	good: ["success", "idle", "done", "closed", "ok", "better", "delivered", "answered", "completed"],
	accent: ["running", "busy", "active", "in_progress", "claimed", "started"],
	warn: ["pending", "interrupted", "waiting", "blocked", "queued", "open", "draining"],
	bad: ["error", "failed", "timeout", "dead", "worse", "lost"],
};

export function status(text) {
	const kind = Object.keys(kinds).find((k) => kinds[k].includes(text)) ?? "";
	return tag(visible(String(text)), kind);
}

export const name = (text) => h("span.name", { dir: "auto" }, visible(String(text ?? "").slice(0, 300)));

export const json = (value, label = "json") => codeBlock(pretty(value), label);

export function jsonFold(value, most = 160) {
	const text = typeof value === "string" ? value.slice(0, most * 4) : (JSON.stringify(value) ?? "");
	const line = visible(text.slice(0, most * 4).replace(/\s+/g, " "));
	return line.length > most ? `${line.slice(0, most)}\u2026` : line;
}

export function folded(summary, make, open = false) {
	const body = h("div.card-body");
	const el = h("details.card", h("summary", summary, icon("chevron")), body);
	const fill = () => {
		if (el.open && body.childNodes.length === 0) body.append(...[].concat(make()).filter(Boolean));
	};
	el.addEventListener("toggle", fill);
	el.open = open;
	fill();
	return el;
}

export function select(label, values, value, onchange) {
	const option = ([v, text]) => h("option", { value: v, selected: v === String(value) }, text);
	return h("select", { "aria-label": label, onchange }, Object.entries(values).map(option));
}

export function field(label, control) {
	control.id ||= `control-${++serial}`;
	return h("div.control", h("label", { for: control.id }, label), control);
}

// A button of the bar with an icon and words (words fold on narrow screens).
export const barButton = (iconName, text, onclick, props = {}) =>
	button([icon(iconName), h("span", text)], onclick, "bar-button", props);

export { actions, button, form, icon, iconButton };

// ---- numbers and times ----

const isNumber = (n) => typeof n === "number" && Number.isFinite(n);

export const number = (n) => (isNumber(n) ? n.toLocaleString(undefined, { maximumFractionDigits: 2 }) : "");
export const percent = (x) => isNumber(x) ? x.toLocaleString(undefined, { style: "percent", maximumFractionDigits: 1 }) : "";

export function money(n, currency = "USD") {
	if (!isNumber(n)) return "";
	const digits = n !== 0 && Math.abs(n) < 1 ? 4 : 2;
	return n.toLocaleString(undefined, { style: "currency", currency, maximumFractionDigits: digits });
}

export function duration(ms) {
	if (!isNumber(ms)) return "";
	if (ms < 1000) return `${Math.round(ms)} ms`;
	if (ms < 60e3) return `${(ms / 1000).toFixed(1)} s`;
	if (ms < 3600e3) return `${Math.floor(ms / 60e3)} min ${Math.round((ms % 60e3) / 1000)} s`;
	return `${Math.floor(ms / 3600e3)} h ${Math.round((ms % 3600e3) / 60e3)} min`;
}

const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false };

function timeOf(iso, text) {
	const date = new Date(iso);
	if (Number.isNaN(date.getTime())) return "";
	return h("time", { datetime: date.toISOString(), title: date.toLocaleString() }, text(date));
}

export const when = (iso) => timeOf(iso, () => ago(iso));
export const time = (iso) => timeOf(iso, (d) => d.toLocaleTimeString(undefined, clock));

// ---- asking again ----

// f may be async; the pause begins when it is done.  Its first failure is thrown, later
// ones are left to the next call.  Ends with context.signal.
export async function poll(context, ms, f) {
	let timer;
	let busy = false;
	const again = async () => {
		clearTimeout(timer);
		if (context.signal.aborted || busy) return;
		busy = true;
		if (!document.hidden) await f().catch(() => {});
		busy = false;
		if (!context.signal.aborted) timer = setTimeout(again, ms);
	};
	const seen = () => !document.hidden && again();
	await f();
	if (context.signal.aborted) return;
	timer = setTimeout(again, ms);
	document.addEventListener("visibilitychange", seen);
	context.signal.addEventListener("abort", () => {
		clearTimeout(timer);
		document.removeEventListener("visibilitychange", seen);
	});
}
