// keys.js - shortcuts, the help that tells them, and boxes that grow with their text.
import { $, actions, button, dialog, h } from "./dom.js";

const shortcuts = [
	["Enter", "Send"],
	["Shift+Enter", "New line"],
	["Esc", "Stop the run; close what is open"],
	["\u2191", "In an empty box: edit your last message"],
	["Alt+N", "New conversation"],
	["Alt+T", "To the conversations"],
	["Alt+W", "To what waits for you"],
	["Alt+M", "To the message box"],
	["Alt+H", "History"],
	["Alt+V", "To the views"],
	["Alt+/", "This help"],
];

export function help() {
	const keyed = (keys) => keys.split("+").map((key, i) => [i > 0 ? "+" : "", h("kbd", key)]);
	const rows = shortcuts.map(([keys, words]) => [h("dt", keyed(keys)), h("dd", words)]);
	return dialog("Keyboard", (done) => {
		const close = button("Close", () => done(), null, { autofocus: "" });
		return h("div", h("dl.keys", rows), actions(close));
	});
}

// by: { KeyN: f, ... } with Alt; escape: what Esc does.
export function listenToKeys(by, escape) {
	addEventListener("keydown", (e) => {
		if ($("app").hidden || document.querySelector("dialog")) return;
		if (e.key === "Escape") escape();
		if (!e.altKey || e.ctrlKey || e.metaKey || !by[e.code]) return;
		e.preventDefault();
		by[e.code]();
	});
}

// Up and down lead from one of these links to the next.
export function walk(box, selector) {
	box.addEventListener("keydown", (e) => {
		const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
		const all = [...document.querySelectorAll(selector)];
		const at = all.indexOf(document.activeElement);
		if (!step || at < 0) return;
		e.preventDefault();
		all[at + step]?.focus();
	});
}

export function grow(box) {
	box.style.height = "auto";
	box.style.height = `${Math.min(box.scrollHeight + 2, innerHeight * 0.4)}px`;
}

export const sends = (e) => e.key === "Enter" && !e.shiftKey && !e.isComposing;
