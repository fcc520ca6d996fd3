// dom.js - making elements.  Text reaches the page as text nodes and attributes
// only: nothing here, and nothing that uses it, parses HTML.

// h("p.quiet", { onclick: f }, "text", child, null); classes and properties may be left out.
export function h(tag, ...children) {
	const [name, ...classes] = tag.split(".");
	const el = document.createElement(name);
	const given = children[0]?.constructor === Object ? children.shift() : {};
	if (classes.length > 0) el.className = classes.join(" ");
	for (const [key, value] of Object.entries(given)) {
		if (value === undefined || value === null || value === false) continue;
		if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
		else if (key in el && typeof value !== "string") el[key] = value;
		else el.setAttribute(key, value === true ? "" : value);
	}
	el.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
	return el;
}

export const $ = (id) => document.getElementById(id);
export const encode = encodeURIComponent;

// 24 x 24, drawn with lines of the text's colour.
const icons = {
	plus: "M12 5v14M5 12h14",
	send: "M12 19V5M5.5 11.5 12 5l6.5 6.5",
	stop: "M7 7h10v10H7z",
	menu: "M4 7h16M4 12h16M4 17h16",
	close: "M6 6l12 12M18 6 6 18",
	history: "M4 12a8 8 0 1 0 2.6-5.9L4 8.5M4 4v4.5h4.5M12 8v4.5l3 1.8",
	pencil: "M4 20l.9-4L16.5 4.4a1.4 1.4 0 0 1 2 0l1.1 1.1a1.4 1.4 0 0 1 0 2L8 19.1z",
	trash: "M5 7h14M10 7V5h4v2M7 7l.8 12h8.4L17 7M10.5 11v5M13.5 11v5",
	copy: "M9 9h10v10H9zM15 9V5H5v10h4",
	check: "M5 12.5l4.5 4.5L19 7.5",
	again: "M19.5 12a7.5 7.5 0 1 1-2.3-5.4l2.3 2.2M19.5 4.5v4.3h-4.3",
	fork: "M7 5v6a4 4 0 0 0 4 4h6M7 11v8M14 12l3 3-3 3",
	tool: "M14.5 6.2a4 4 0 0 1 5 5L11 19.6a2.2 2.2 0 0 1-3.1 0l-1-1a2.2 2.2 0 0 1 0-3.1zM4.5 4.5l4 4",
	brain:
		"M9 18.5h6M10 21h4M12 3.5a6 6 0 0 0-3.5 10.9c.6.5 1 1.2 1 2v.1h5v-.1c0-.8.4-1.5 1-2A6 6 0 0 0 12 3.5z",
	sun: "M12 8.2a3.8 3.8 0 1 0 0 7.6 3.8 3.8 0 0 0 0-7.6zM12 2.8v1.9M12 19.3v1.9M2.8 12h1.9M19.3 12h1.9M5.5 5.5l1.3 1.3M17.2 17.2l1.3 1.3M5.5 18.5l1.3-1.3M17.2 6.8l1.3-1.3",
	moon: "M19.5 14.2A8 8 0 0 1 9.8 4.5a8 8 0 1 0 9.7 9.7z",
	auto: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
	help: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM9.7 9.6a2.4 2.4 0 1 1 3.5 2.1c-.8.4-1.2.9-1.2 1.8M12 16.6v.1",
	exit: "M10 5H5v14h5M9.5 12H20M16.5 8.5 20 12l-3.5 3.5",
	down: "M12 5v14M5.5 12.5 12 19l6.5-6.5",
	person: "M12 11.5a3.7 3.7 0 1 0 0-7.5 3.7 3.7 0 0 0 0 7.5zM5 20c.6-3.6 3.4-5.5 7-5.5s6.4 1.9 7 5.5",
	warning: "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17v.1",
	file: "M6 3.5h8l4 4v13H6zM14 3.5v4h4",
	chevron: "M9 6l6 6-6 6",
	chat: "M4.5 5.5h15v11h-8l-4.5 3.5v-3.5h-2.5z",
	inbox: "M4 13.5 6.5 5h11L20 13.5V19H4zM4 13.5h4.5l1.2 2.5h4.6l1.2-2.5H20",
	graph: "M4 4.5h6v5H4zM14 14.5h6v5h-6zM7 9.5V17h7M10 7h7v7.5",
	steps: "M5 6h.1M9.5 6H20M5 12h.1M9.5 12H20M5 18h.1M9.5 18H20",
	board: "M4 5h4.5v14H4zM10 5h4.5v9H10zM16 5h4v11.5h-4z",
	mail: "M3.5 6h17v12.5h-17zM3.5 6.5l8.5 7 8.5-7",
	bars: "M4 19.5h16M6.5 16.5v-5M12 16.5v-11M17.5 16.5v-8",
	gauge: "M4.5 17.5a8.5 8.5 0 1 1 15 0M12 14.5l4-5",
	sliders: "M4 7h9M17 7h3M15 4.8v4.4M4 12h3M11 12h9M9 9.8v4.4M4 17h10M18 17h2M16 14.8v4.4",
	back: "M15 6l-6 6 6 6",
	search: "M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15 15l5 5",
	compare: "M9 4.5v15M15 4.5v15M3.5 8.5H9M15 15.5h5.5M4 5h16v14H4z",
};

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
	const svg = document.createElementNS(SVG, "svg");
	const path = document.createElementNS(SVG, "path");
	svg.setAttribute("viewBox", "0 0 24 24");
	svg.setAttribute("class", `icon ${name}`);
	svg.setAttribute("aria-hidden", "true");
	path.setAttribute("d", icons[name]);
	svg.append(path);
	return svg;
}

// A button with an icon alone says its label to those who do not see it.
export function iconButton(name, label, onclick, props = {}) {
	return button(icon(name), onclick, "icon-button", { title: label, "aria-label": label, ...props });
}

// What people and models write may turn the direction of text around.  In prose it is
// isolated (dir=auto); where exact characters matter, marks are made visible.
const marks = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
export const visible = (text) =>
	text.replace(marks, (c) => `\u27e8U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);

export const pretty = (value) => (typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? ""));

export async function copyText(text, button) {
	try {
		await navigator.clipboard.writeText(text);
	} catch {
		// a page without TLS has no clipboard
		const area = h("textarea.offscreen");
		area.value = text;
		document.body.append(area);
		area.select();
		document.execCommand("copy");
		area.remove();
		button.focus();
	}
	button.replaceChildren(icon("check"));
	say("Copied");
	setTimeout(() => button.replaceChildren(icon("copy")), 1500);
}

// Says something to a screen reader, once it has finished what it reads.
export function say(text) {
	const status = $("status");
	status.textContent = "";
	requestAnimationFrame(() => {
		status.textContent = text;
	});
}

// A text of any length: some of it, and a button for more, because laying out a line of
// a megabyte takes a browser seconds.
const PIECE = 20000;
export function longText(text, make) {
	if (text.length <= PIECE) return make(text);
	const box = h("div.long", make(text.slice(0, PIECE)));
	let at = PIECE;
	const left = () => `Show more (${size(text.length - at)} left)`;
	const more = button(left(), () => {
		more.before(make(text.slice(at, (at += PIECE))));
		if (at >= text.length) more.remove();
		else more.textContent = left();
	}, "plain");
	box.append(more);
	return box;
}

// Words of others, whatever their length.
export const words = (text) => longText(text, (t) => h("p.plain-text", { dir: "auto" }, t));

export function size(n) {
	return n < 1000
		? `${n} characters`
		: n < 1e6 ? `${Math.round(n / 1000)} thousand characters` : `${(n / 1e6).toFixed(1)} million characters`;
}

export function ago(iso) {
	const s = (Date.now() - Date.parse(iso)) / 1000;
	if (!(s >= 60)) return "now";
	if (s < 3600) return `${Math.floor(s / 60)} min`;
	if (s < 86400) return `${Math.floor(s / 3600)} h`;
	return new Date(iso).toLocaleDateString(undefined, { day: "numeric", month: "short" });
}

export const actions = (...buttons) => h("div.actions", buttons);
export const button = (text, onclick, kind, props) => h("button", { type: "button", onclick, class: kind, ...props }, text);

export function form(kind, submit, ...children) {
	const onsubmit = (e) => {
		e.preventDefault();
		submit(e);
	};
	return h("form", { class: kind, onsubmit }, children);
}

// A modal dialog; resolves to what `done` was called with, or undefined.
export function dialog(title, build) {
	return new Promise((resolve) => {
		let result;
		const back = document.activeElement;
		const done = (value) => {
			result = value;
			box.close();
		};
		const box = h("dialog", { "aria-labelledby": "dialog-title" }, h("h2", { id: "dialog-title" }, title));
		box.append(build(done));
		box.addEventListener("close", () => {
			box.remove();
			back?.isConnected && back.focus();
			resolve(result);
		});
		box.addEventListener("click", (e) => {
			if (e.target === box) box.close();
		});
		document.body.append(box);
		box.showModal();
	});
}

export const confirm = (title, text, action) =>
	dialog(title, (done) =>
		form(null, () => done(true), h("p", text), actions(button("Cancel", () => done(), null, { autofocus: "" }), h("button.danger", action))),
	);

export function prompt(title, label, value, action) {
	return dialog(title, (done) => {
		const input = h("input", { id: "dialog-input", value, maxlength: "200", autocomplete: "off" });
		const end = actions(button("Cancel", () => done()), h("button.primary", action));
		return form(null, () => done(input.value.trim()), h("label", { for: "dialog-input" }, label), input, end);
	});
}
