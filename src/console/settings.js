// settings.js - what the server was started with, and where each value stands.
import { h, visible } from "./dom.js";
import { name, number, table, tag } from "./parts.js";

const sources = { file: "accent", langgraph: "accent", environment: "warn", flag: "good" };
const quiet = (text) => h("span.quiet", text);
const help = (...text) => h("p.help", text);

function valueOf(s) {
	if (s.type === "secret") return s.set ? tag("set", "good") : quiet("not set");
	if (s.value === "") return quiet("empty");
	const text = visible(s.value);
	const code = h("code", { dir: "auto" }, text, s.unit ? ` ${s.unit}` : "");
	return text.length <= 200 ? code : h("details", h("summary", h("code", `${text.slice(0, 80)}\u2026`)), code);
}

const differs = (s) => s.source !== "default";
const was = (s) => differs(s) && s.type !== "secret" && s.default !== s.value;

const columns = [
	["Setting", (s) => [h("code.setting", s.key), help(visible(s.help))]],
	["Value", (s) => [valueOf(s), was(s) ? help("default: ", visible(s.default) || "empty") : null]],
	["From", (s) => [tag(s.source, sources[s.source]), differs(s) ? help(name(s.origin)) : null]],
	["At SIGHUP", (s) => (s.reread ? "read again" : quiet("restart"))],
];

export async function show(host, rest, context) {
	const all = await context.wire.call("GET", "/settings", undefined, { signal: context.signal });
	all.sort((a, b) => differs(b) - differs(a));
	const body = h("div");
	const box = h("input", { type: "search", placeholder: "Filter settings", "aria-label": "Filter settings", oninput: () => draw() });
	const only = h("input", { type: "checkbox", onchange: () => draw() });
	const draw = () => {
		const words = box.value.toLowerCase().split(/\s+/);
		const fits = (s) => words.every((w) => `${s.key} ${s.help} ${s.value ?? ""} ${s.origin}`.toLowerCase().includes(w));
		const shown = all.filter((s) => fits(s) && (!only.checked || differs(s)));
		body.replaceChildren(table(columns, shown, { label: "Settings", empty: "No setting has these words." }));
		context.announce(`${shown.length} settings`);
	};
	context.title("Settings", `${number(all.filter(differs).length)} of ${number(all.length)} were set`);
	host.replaceChildren(h("div.toolbar", box, h("label.choice", only, "Only what was set")), body);
	draw();
}
