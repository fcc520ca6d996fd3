// markdown.js - a part of Markdown, as elements: headings, paragraphs, lists, quotes,
// code, tables, rules, emphasis, links.  Everything else, HTML too, is text.
//
// A text is cut into blocks; while an answer is streamed only the blocks that changed
// are made again, so a selection in an earlier one stays.  Time is linear in the text:
// the place of a delimiter's partner is remembered.
import { copyText, h, iconButton, longText, visible, words } from "./dom.js";

const BLOCK = 20000; // a longer block is shown as plain text
const DEPTH = 6; // of quotes and emphasis inside each other
const LINK = 2000; // longest text or target of a link

const fence = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/;
const heading = /^ {0,3}(#{1,6})\s+(.*)$/;
const rule = /^ {0,3}([-*_])(\s*\1){2,}\s*$/;
const bullet = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const quote = /^ {0,3}>\s?/;
const divider = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

const isDivider = (line) => line.length < 500 && line.includes("-") && divider.test(line);

// The kind of block that a line belongs to, after the block that is open.
function kindOf(line, next, open) {
	const goesOn = open?.kind === "list" && (/^\s/.test(line) || open.lines.at(-1) !== "");
	if (line.length > LINK) return "text";
	if (heading.test(line)) return "heading";
	if (rule.test(line)) return "rule";
	if (quote.test(line)) return "quote";
	if (goesOn || bullet.test(line)) return "list";
	if (open?.kind === "table" || (line.includes("|") && isDivider(next))) return "table";
	return "text";
}

const markOf = (line) => {
	const m = bullet.exec(line);
	return m && { indent: m[1].length, ordered: /\d/.test(m[2]) };
};

// Does the line begin a list of the other sort?
function isOtherList(line, open) {
	const mark = open?.kind === "list" && markOf(line);
	return Boolean(mark) && mark.indent <= open.indent + 1 && mark.ordered !== open.ordered;
}

const isFenceOf = (open, line) => line.trimStart().startsWith(open.fence) && line.trim().replaceAll(open.fence[0], "") === "";

// The blocks of a text: { kind, lines, at: where it begins, ... }.
function split(text, at = 0) {
	const blocks = [];
	const lines = text.split("\n");
	let open = null;
	lines.forEach((line, i) => {
		const begin = (kind, more) => blocks.push((open = { kind, lines: [], at, ...more }));
		const isFence = open?.kind === "code" ? isFenceOf(open, line) : line.length < 200 && fence.exec(line);
		if (open?.kind === "code") {
			if (isFence) open = null;
			else open.lines.push(line);
		} else if (isFence) begin("code", { fence: isFence[1], language: isFence[2] });
		else if (line.trim() === "") {
			if (open?.kind === "list") open.lines.push("");
			else open = null;
		} else {
			const kind = kindOf(line, lines[i + 1] ?? "", open);
			const stands = kind === "heading" || kind === "rule";
			if (kind !== open?.kind || stands || isOtherList(line, open)) begin(kind, kind === "list" ? markOf(line) : {});
			open.lines.push(kind === "quote" ? line.replace(quote, "") : line);
		}
		at += line.length + 1;
	});
	return blocks;
}

// Only what a person can follow without being run: http(s) and mail.
export function safeUrl(text) {
	if (!/^(https?:\/\/|mailto:)/i.test(text)) return null;
	try {
		const url = new URL(text);
		return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
	} catch {
		return null;
	}
}

export function link(url, ...children) {
	return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

const special = /[\\`*_~[!<\n]|https?:\/\//g;
const escapable = /[!-/:-@[-`{-~]/;

// The nodes of one line of prose.
function inline(text, depth = 0) {
	const out = [];
	const places = new Map();
	let plain = "";
	let i = 0;
	const flush = () => {
		if (plain) {
			out.push(plain);
			plain = "";
		}
	};
	const find = (what, from, max = BLOCK) => {
		let at = places.get(what);
		if (at === undefined || (at >= 0 && at < from)) places.set(what, (at = text.indexOf(what, from)));
		return at >= 0 && at - from <= max ? at : -1;
	};
	const put = (node, end) => {
		flush();
		out.push(node);
		i = end;
		return true;
	};

	const code = () => {
		const ticks = /^`+/.exec(text.slice(i, i + 20))[0];
		const end = find(ticks, i + ticks.length);
		return end > 0 && put(h("code", { dir: "ltr" }, visible(text.slice(i + ticks.length, end).trim())), end + ticks.length);
	};
	const emphasis = (mark, tag) => {
		if (!text.startsWith(mark, i) || depth >= DEPTH || /\s|^$/.test(text[i + mark.length] ?? "")) return false;
		if (mark[0] === "_" && /\w/.test(text[i - 1] ?? "")) return false;
		const end = find(mark, i + mark.length + 1);
		if (end < 0 || /\s/.test(text[end - 1])) return false;
		return put(h(tag, null, inline(text.slice(i + mark.length, end), depth + 1)), end + mark.length);
	};
	const anchor = (start) => {
		const close = find("](", start + 1, LINK);
		const end = close > 0 ? find(")", close + 2, LINK) : -1;
		if (end < 0 || depth >= DEPTH) return false;
		const words = text.slice(start + 1, close);
		const target = text.slice(close + 2, end).trim().split(/\s/)[0];
		const url = safeUrl(target);
		// A target that is not followed is shown, so that nothing hides behind the words.
		return put(
			url ? link(url, inline(words, depth + 1)) : h("span", words, " (", h("code", { dir: "ltr" }, visible(target)), ")"),
			end + 1,
		);
	};
	const bare = (from, end) => {
		const shown = text.slice(from, end);
		const url = safeUrl(shown);
		return url !== null && put(link(url, visible(shown)), end);
	};

	while (i < text.length) {
		special.lastIndex = i;
		const m = special.exec(text);
		if (!m) {
			plain += text.slice(i);
			break;
		}
		plain += text.slice(i, m.index);
		i = m.index;
		const c = text[i];
		if (c === "\n") {
			put(/ {2}$/.test(text.slice(i - 2, i)) ? h("br") : "\n", i + 1);
			continue;
		}
		if (c === "\\" && escapable.test(text[i + 1] ?? "")) {
			plain += text[i + 1];
			i += 2;
			continue;
		}
		if (c === "`" && code()) continue;
		if ((c === "*" || c === "_") && (emphasis(c + c, "strong") || emphasis(c, "em"))) continue;
		if (c === "~" && emphasis("~~", "del")) continue;
		if (c === "[" && anchor(i)) continue;
		if (c === "!" && text[i + 1] === "[" && anchor(i + 1)) continue;
		if (c === "<") {
			const end = find(">", i, LINK);
			if (end > 0 && bare(i + 1, end)) {
				i = end + 1;
				continue;
			}
		}
		if (c === "h" && bare(i, i + /^[^\s<>"'`]*[^\s<>"'`.,;:!?)\]*_]/.exec(text.slice(i, i + LINK))[0].length)) continue;
		plain += text[i++];
	}
	flush();
	return out;
}

export function codeBlock(text, language = "") {
	const copy = iconButton("copy", "Copy code", () => copyText(text, copy));
	return h(
		"figure.code",
		h("figcaption", h("span", visible(language.slice(0, 40)) || "text"), copy),
		longText(text, (t) => h("pre", { tabindex: "0", dir: "ltr" }, h("code", visible(t)))),
	);
}

// Items by their indent; what is indented deeper belongs to the item before.
function list(lines, depth) {
	const first = bullet.exec(lines[0]);
	const indent = first[1].length;
	const ordered = /\d/.test(first[2]);
	const el = h(ordered ? "ol" : "ul", ordered && parseInt(first[2], 10) !== 1 ? { start: String(parseInt(first[2], 10)) } : null);
	let item = null;
	const items = [];
	for (const line of lines) {
		const m = bullet.exec(line);
		if (m && m[1].length <= indent + 1) {
			item = { words: [m[3]], inner: [] };
			items.push(item);
		} else if (item.inner.length > 0 || m) item.inner.push(line.slice(Math.min(indent + 2, line.length - line.trimStart().length)));
		else item.words.push(line.trim());
	}
	for (const { words, inner } of items) {
		const text = words.join("\n").trim();
		const box = /^\[([ xX])\]\s/.exec(text);
		el.append(
			h(
				"li",
				{ dir: "auto" },
				box ? [box[1] === " " ? "\u2610 " : "\u2611 ", inline(text.slice(4))] : inline(text),
				inner.some((l) => l.trim()) && depth < DEPTH ? elements(inner.join("\n"), depth + 1) : [],
			),
		);
	}
	return el;
}

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").slice(0, 50);

function table(lines) {
	const [head, , ...rows] = lines;
	const row = (line, kind, props) => h("tr", cells(line).map((c) => h(kind, { ...props, dir: "auto" }, inline(c.trim()))));
	return h(
		"div.table", { tabindex: "0", role: "region", "aria-label": "Table" },
		h("table", h("thead", row(head, "th", { scope: "col" })), h("tbody", rows.slice(0, 500).map((r) => row(r, "td")))),
	);
}

function element(block, depth) {
	const text = block.lines.join("\n");
	if (block.kind === "code") return codeBlock(text, block.language);
	if (text.length > BLOCK || depth > DEPTH) return words(text);
	switch (block.kind) {
		case "heading": {
			const m = heading.exec(text);
			return h(`h${Math.min(m[1].length + 2, 6)}`, { dir: "auto" }, inline(m[2].trim().replace(/ #+$/, "")));
		}
		case "rule":
			return h("hr");
		case "quote":
			return h("blockquote", { dir: "auto" }, elements(text, depth + 1));
		case "list":
			return list(block.lines, depth);
		case "table":
			return table(block.lines);
		default:
			return h("p", { dir: "auto" }, inline(text));
	}
}

function elements(text, depth) {
	return split(text).map((b) => element(b, depth));
}

const keyOf = (b) => `${b.kind}\n${b.language ?? ""}\n${b.lines.join("\n")}`;

// Makes `box` show the text; blocks that are as before stay as they are.  Of a text that
// has grown only the last block, and what comes after, is looked at.
export function showMarkdown(box, text) {
	const old = box.shown ?? { text: "", blocks: [] };
	const last = text.startsWith(old.text) ? old.blocks.at(-1) : undefined;
	const kept = last ? old.blocks.slice(0, -1) : [];
	const blocks = last ? kept.concat(split(text.slice(last.at), last.at)) : split(text);
	let same = kept.length;
	while (same < old.blocks.length && same < blocks.length && keyOf(old.blocks[same]) === keyOf(blocks[same])) same++;
	while (box.children.length > same) box.lastElementChild.remove();
	box.append(...blocks.slice(same).map((b) => element(b, 0)));
	box.shown = { text, blocks };
}

export function prose(text) {
	const box = h("div.prose");
	showMarkdown(box, String(text));
	return box;
}
