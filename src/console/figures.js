// figures.js - drawings: SVG made of elements, text as text nodes.
import { h } from "./dom.js";

export function s(tag, props, ...children) {
	const el = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [key, value] of Object.entries(props ?? {})) el.setAttribute(key, value);
	el.append(...children.flat(Infinity).filter((c) => c || c === 0));
	return el;
}

const tip = (text) => s("title", null, text);
const short = (text, n) => (text.length > n ? `${text.slice(0, Math.max(n - 1, 1))}\u2026` : text);
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const brief = (n) => (Math.abs(n) < 1 ? String(Number(n.toPrecision(2))) : compact.format(n));
const text = (x, y, anchor, words) => s("text", { x, y, "text-anchor": anchor }, words);
const line = (x1, y1, x2, y2, kind) => s("line", { x1, y1, x2, y2, class: kind });

function figure(width, height, label, ...children) {
	const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label }, children);
	return h("div.figure", { tabindex: "0", role: "group", "aria-label": label }, svg);
}

// Numbers on an axis from 0: multiples of 1, 2 or 5 times a power of ten.
function marks(top) {
	const ten = 10 ** Math.floor(Math.log10(top / 4));
	const by = [1, 2, 5, 10].find((x) => x * ten >= top / 4) * ten;
	return Array.from({ length: Math.ceil(top / by - 1e-9) + 1 }, (_, i) => i * by);
}

const rules = (left, right, all, y) => all.map((v) => [line(left, y(v), right, y(v), "rule"), text(left - 6, y(v) + 4, "end", brief(v))]);

export const legend = (names) => h("ul.legend", names.map((name, i) => h("li", h("span", { class: `key c${i}` }), name)));

// Stacked bars: rows of { name, parts: numbers, tip }.
export function bars(rows, label, width = 560) {
	const [left, top, bottom, height] = [48, 10, 28, 210];
	const up = marks(Math.max(...rows.map((r) => r.parts.reduce((a, b) => a + b, 0)), 0) || 1);
	const y = (v) => top + (1 - v / up.at(-1)) * (height - top - bottom);
	const slot = (width - left - 8) / rows.length;
	const wide = Math.min(slot * 0.72, 56);
	const every = Math.ceil(58 / slot);
	const drawn = rows.map((r, i) => {
		const mid = left + (i + 0.5) * slot;
		let at = 0;
		const parts = r.parts.map((v, k) => s("rect", { x: mid - wide / 2, width: wide, y: y((at += v)), height: Math.max(y(at - v) - y(at), 0), class: `fill c${k}` }));
		return s("g", null, tip(r.tip), parts, i % every === 0 ? text(mid, height - 9, "middle", short(r.name, Math.floor((slot * every) / 7))) : "");
	});
	return figure(width, height, label, rules(left, width - 8, up, y), drawn);
}

// Curves: sets of { name, points: [[x, y], ...] }; log: of the x axis, or "both".
export function lines(sets, axes, label, width = 520) {
	const [left, top, bottom, height, right] = [54, 20, 34, 230, 506];
	const logX = Boolean(axes.log);
	const logY = axes.log === "both";
	const good = ([x, y]) => Number.isFinite(x) && Number.isFinite(y) && (!logX || x > 0) && (!logY || y > 0);
	const all = sets.flatMap((set) => set.points.filter(good));
	if (all.length === 0) return null;
	const scale = (values, log, from, to, zero) => {
		const put = log ? Math.log10 : (v) => v;
		const a = put(zero && !log ? Math.min(0, ...values) : Math.min(...values));
		const z = put(Math.max(...values));
		const b = z > a ? z : a + 1;
		const at = (v) => from + ((put(v) - a) / (b - a)) * (to - from);
		const some = [0, 1, 2, 3, 4].map((i) => a + ((b - a) * i) / 4).map((v) => (log ? 10 ** v : v));
		return { at, some };
	};
	const ys = all.map((p) => p[1]);
	const up = !logY && Math.min(...ys) >= 0 ? marks(Math.max(...ys) || 1) : null;
	const x = scale(all.map((p) => p[0]), logX, left, right);
	const y = scale(up ?? ys, logY, height - bottom, top, true);
	const axis = [
		rules(left, right, up ?? y.some, y.at),
		x.some.map((v) => text(x.at(v), height - 18, "middle", brief(v))),
		text(left, 10, "start", axes.y),
		text(right, height - 4, "end", axes.x),
	];
	const curves = sets.map((set, i) => {
		const points = set.points.filter(good).map((p) => `${x.at(p[0]).toFixed(1)},${y.at(p[1]).toFixed(1)}`);
		return s("polyline", { points: points.join(" "), class: `stroke c${i}` }, tip(set.name));
	});
	return figure(width, height, label, axis, curves);
}

const edge = (e, d, wide, head, ...more) => s("g", { class: e.bad ? "edge bad" : "edge" }, tip(e.tip), s("path", { d, "stroke-width": wide }), s("polygon", { points: head }), more);

// Who talks to whom: names on a circle; edges of { from, to, n, tip, bad }.
export function graph(names, edges, label, size = 430) {
	const mid = size / 2;
	const most = Math.log(Math.max(...edges.map((e) => e.n), 1) + 1);
	const place = (i) => {
		const a = (i / names.length) * 2 * Math.PI - Math.PI / 2;
		return [mid + (mid - 62) * Math.cos(a), mid + (mid - 62) * Math.sin(a), Math.cos(a)];
	};
	// Bent to one side, so that both directions are seen; ends before the node.
	const arrow = (e) => {
		const [[ax, ay], [bx, by]] = [place(e.from), place(e.to)];
		const [dx, dy] = [bx - ax, by - ay];
		const far = Math.hypot(dx, dy) || 1;
		const [cx, cy] = [(ax + bx) / 2 - dy * 0.14, (ay + by) / 2 + dx * 0.14];
		const [ex, ey] = [bx - (dx / far) * 9, by - (dy / far) * 9];
		const turn = Math.atan2(ey - cy, ex - cx);
		const wing = (side) => `${ex - 9 * Math.cos(turn + side)},${ey - 9 * Math.sin(turn + side)}`;
		return edge(e, `M${ax},${ay}Q${cx},${cy} ${ex},${ey}`, 1 + (3 * Math.log(e.n + 1)) / most, `${ex},${ey} ${wing(0.4)} ${wing(-0.4)}`);
	};
	const node = (name, i) => {
		const [x, y, cos] = place(i);
		const side = cos > 0.3 ? 1 : cos < -0.3 ? -1 : 0;
		const words = side ? text(x + 10 * side, y + 4, side > 0 ? "start" : "end", short(name, 9)) : text(x, y < mid ? y - 12 : y + 20, "middle", short(name, 24));
		return s("g", { class: "node" }, tip(name), s("circle", { cx: x, cy: y, r: 6 }), words);
	};
	return figure(size, size, label, edges.map(arrow), names.map(node));
}

// A sequence chart: rows of { from, to, text, tip, bad }.
export function sequence(names, rows, label) {
	const gap = Math.max(150, 640 / names.length);
	const height = 64 + rows.length * 38;
	const x = (i) => gap * (i + 0.5);
	const life = (name, i) => [
		line(x(i), 36, x(i), height - 8, "life"),
		s("g", { class: "head" }, tip(name), s("rect", { x: x(i) - gap / 2 + 8, y: 6, width: gap - 16, height: 28, rx: 7 }), text(x(i), 25, "middle", short(name, Math.floor(gap / 9)))),
	];
	const arrow = (r, i) => {
		const [y, a, b] = [66 + i * 38, x(r.from), x(r.to)];
		if (a === b) return edge(r, `M${a},${y - 6}h34v14h-30`, 1.6, `${a + 3},${y + 8} ${a + 12},${y + 4} ${a + 12},${y + 12}`, text(a + 42, y + 5, "start", short(r.text, 14)));
		const back = b > a ? -9 : 9;
		const to = b + back / 5;
		return edge(r, `M${a},${y}H${to}`, 1.6, `${to},${y} ${to + back},${y - 4.5} ${to + back},${y + 4.5}`, text((a + b) / 2, y - 6, "middle", short(r.text, Math.floor(Math.abs(b - a) / 7))));
	};
	return figure(gap * names.length, height, label, names.map(life), rows.map(arrow));
}
