// form.js - a form from a JSON schema: strings, numbers, booleans, choices, lists of
// those, objects.  What it has no field for is written as JSON.
//
// field(schema, value, label) gives { el, read }.  read() returns the value, undefined
// for nothing, and throws Wrong after it has marked the field that is not right.
import { button, h, iconButton, pretty } from "./dom.js";

export class Wrong extends Error {}

let serial = 0;

const wordsOf = (x) => (typeof x === "object" ? JSON.stringify(x) : String(x));

// The choices of a schema: [{ value, label }], or null.
function choicesOf(s) {
	if (Array.isArray(s.enum)) return s.enum.map((value, i) => ({ value, label: wordsOf(s.enumNames?.[i] ?? value) }));
	const options = s.oneOf ?? s.anyOf;
	if (Array.isArray(options) && options.length > 0 && options.every((o) => typeof o === "object" && o !== null && "const" in o))
		return options.map((o) => ({ value: o.const, label: wordsOf(o.title ?? o.const) }));
	return null;
}

// A type beside null, and the one thing that is not null of an anyOf, is that type.
function simple(s) {
	if (s === true || !s || typeof s !== "object") return {};
	const rest = (s.anyOf ?? s.oneOf)?.filter?.((o) => o?.type !== "null");
	if (rest?.length === 1 && !choicesOf(s)) return { ...s, anyOf: undefined, oneOf: undefined, ...rest[0] };
	if (Array.isArray(s.type)) {
		const types = s.type.filter((t) => t !== "null");
		return { ...s, type: types.length === 1 ? types[0] : undefined };
	}
	return s;
}

export function field(schema, value, label, required = true) {
	const s = simple(schema);
	const all = choicesOf(s);
	const of = { s, label: s.title ?? label, required, id: `f${++serial}`, value: value ?? s.default };
	if (all) return all.length <= 5 ? radios(of, all) : select(of, all);
	if (s.type === "array" && s.items && choicesOf(simple(s.items))) return checks(of, choicesOf(simple(s.items)));
	if (s.type === "array" && ["string", "number", "integer", "boolean"].includes(simple(s.items).type)) return list(of);
	if (s.type === "object" && s.properties && Object.keys(s.properties).length > 0) return object(of);
	if (s.type === "boolean") return checkbox(of);
	if (s.type === "string") return text(of);
	if (s.type === "number" || s.type === "integer") return number(of);
	return json(of);
}

// ---- one field with its label, help and complaint ----

const helpOf = ({ s, id }) => (s.description ? h("p.help", { id: `${id}h`, dir: "auto" }, String(s.description)) : null);
const labelOf = (of) => [of.label, of.required ? null : h("span.optional", " optional")];

function frame(of, control) {
	const help = helpOf(of);
	const wrong = h("p.wrong", { id: `${of.id}w`, hidden: true });
	control.id = of.id;
	control.setAttribute("aria-describedby", `${help ? `${of.id}h ` : ""}${of.id}w`);
	if (of.required) control.setAttribute("aria-required", "true");
	const el = h("div.field", h("label", { for: of.id, dir: "auto" }, labelOf(of)), help, control, wrong);
	return { el, control, ...complaints(control, wrong, of.label) };
}

function complaints(control, wrong, label) {
	const clear = () => {
		wrong.hidden = true;
		control.removeAttribute("aria-invalid");
	};
	control.addEventListener("input", clear);
	return {
		clear,
		complain: (words) => {
			wrong.textContent = words;
			wrong.hidden = false;
			control.setAttribute("aria-invalid", "true");
			control.focus();
			throw new Wrong(`${label}: ${words}`);
		},
	};
}

function group(of, ...children) {
	const wrong = h("p.wrong", { id: `${of.id}w`, hidden: true });
	const el = h(
		"fieldset.field", { "aria-describedby": `${of.id}w`, tabindex: "-1" },
		of.label ? h("legend", { dir: "auto" }, labelOf(of)) : null,
		helpOf(of),
		...children,
		wrong,
	);
	return { el, ...complaints(el, wrong, of.label) };
}

// ---- kinds ----

const formats = { date: "date", "date-time": "datetime-local", time: "time", email: "email", uri: "url", password: "password" };

function text(of) {
	const { s } = of;
	const type = formats[s.format];
	const long = !type && (s.maxLength === undefined || s.maxLength > 80);
	const control = long ? h("textarea", { rows: "1", class: "grows" }) : h("input", { type: type ?? "text" });
	control.value = of.value ?? "";
	control.dir = "auto";
	const f = frame(of, control);
	return {
		el: f.el,
		read() {
			const v = control.value;
			if (v === "" && !of.required) return undefined;
			if (v === "" && (s.minLength ?? 1) > 0) f.complain("Write something here.");
			if (v.length < s.minLength) f.complain(`Write at least ${s.minLength} characters.`);
			if (v.length > s.maxLength) f.complain(`At most ${s.maxLength} characters.`);
			if (!control.checkValidity()) f.complain(control.validationMessage);
			return s.format === "date-time" && v ? new Date(v).toISOString() : v;
		},
	};
}

function number(of) {
	const { s } = of;
	const whole = s.type === "integer";
	const control = h("input", { type: "text", inputmode: whole ? "numeric" : "decimal" });
	control.value = of.value ?? "";
	const f = frame(of, control);
	return {
		el: f.el,
		read() {
			const v = control.value.trim();
			const n = Number(v);
			if (v === "" && !of.required) return undefined;
			if (v === "" || !Number.isFinite(n)) f.complain("Write a number.");
			if (whole && !Number.isInteger(n)) f.complain("Write a whole number.");
			if (n < s.minimum) f.complain(`Not less than ${s.minimum}.`);
			if (n > s.maximum) f.complain(`Not more than ${s.maximum}.`);
			return n;
		},
	};
}

function checkbox(of) {
	const box = h("input", { type: "checkbox", id: of.id });
	box.checked = of.value === true;
	return {
		el: h(
			"div.field",
			h("label.choice", { dir: "auto" }, box, h("span", of.label)),
			helpOf(of),
		),
		read: () => box.checked,
	};
}

// An input for each choice.
function choices(of, all, type, isOn) {
	const inputs = all.map((c) => h("input", { type, name: of.id, checked: isOn(c.value) }));
	const rows = all.map((c, i) => h("label.choice", { dir: "auto" }, inputs[i], h("span", c.label)));
	return { inputs, ...group(of, h("div.choices", rows)) };
}

function radios(of, all) {
	const { inputs, ...g } = choices(of, all, "radio", (v) => v === of.value);
	return {
		el: g.el,
		read() {
			const i = inputs.findIndex((r) => r.checked);
			if (i < 0 && of.required) {
				inputs[0].focus();
				g.complain("Choose one.");
			}
			return all[i]?.value;
		},
	};
}

function select(of, choices) {
	const control = h(
		"select", h("option", { value: "" }, "Choose\u2026"),
		choices.map((c, i) => h("option", { value: String(i) }, c.label)),
	);
	const at = choices.findIndex((c) => c.value === of.value);
	control.value = at < 0 ? "" : String(at);
	const f = frame(of, control);
	return {
		el: f.el,
		read() {
			if (control.value === "" && of.required) f.complain("Choose one.");
			return control.value === "" ? undefined : choices[Number(control.value)].value;
		},
	};
}

function checks(of, all) {
	const { inputs, ...g } = choices(of, all, "checkbox", (v) => [].concat(of.value ?? []).includes(v));
	return {
		el: g.el,
		read() {
			const chosen = all.filter((_, i) => inputs[i].checked).map((c) => c.value);
			if (chosen.length < (of.s.minItems ?? 0)) g.complain(`Choose at least ${of.s.minItems}.`);
			if (chosen.length > of.s.maxItems) g.complain(`Choose at most ${of.s.maxItems}.`);
			return chosen;
		},
	};
}

function list(of) {
	const rows = h("div.rows");
	const fields = [];
	const add = (value) => {
		const f = field(simple(of.s.items), value, `${of.label} ${fields.length + 1}`);
		const row = h(
			"div.row",
			f.el,
			iconButton("close", "Remove", () => {
				fields.splice(fields.indexOf(f), 1);
				row.remove();
				more.focus();
			}),
		);
		fields.push(f);
		rows.append(row);
		return f;
	};
	const more = button("Add another", () => add().el.querySelector("input,textarea,select").focus(), "plain");
	[].concat(of.value ?? []).forEach(add);
	const g = group(of, rows, more);
	return {
		el: g.el,
		read() {
			if (fields.length < (of.s.minItems ?? 0)) g.complain(`At least ${of.s.minItems}.`);
			if (fields.length > of.s.maxItems) g.complain(`At most ${of.s.maxItems}.`);
			return fields.map((f) => f.read());
		},
	};
}

function object(of) {
	const required = new Set(Array.isArray(of.s.required) ? of.s.required : []);
	const fields = Object.entries(of.s.properties).map(([key, s]) => [key, field(s, of.value?.[key], key, required.has(key))]);
	const g = group(of, fields.map(([, f]) => f.el));
	g.el.classList.add("object");
	return { el: g.el, read: () => Object.fromEntries(fields.map(([key, f]) => [key, f.read()]).filter(([, v]) => v !== undefined)) };
}

// Without a type: text that is JSON is taken as what it says, other text as text.
function json(of) {
	const any = of.s.type === undefined;
	const control = h("textarea", { rows: "3", class: "grows mono", spellcheck: "false", dir: "auto" });
	control.value = of.value === undefined || of.value === null ? "" : pretty(of.value);
	const f = frame({ ...of, s: { ...of.s, description: of.s.description ?? (any ? undefined : `JSON: ${of.s.type}`) } }, control);
	return {
		el: f.el,
		read() {
			const v = control.value.trim();
			if (v === "" && !of.required) return undefined;
			if (v === "") f.complain("Write something here.");
			try {
				const value = JSON.parse(v);
				const kind = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
				if (!any && kind !== of.s.type && !Array.isArray(of.s.type)) f.complain(`Write JSON: an ${of.s.type}.`);
				return value;
			} catch (e) {
				if (e instanceof Wrong) throw e;
				return any ? control.value : f.complain(`This is not JSON: ${e.message}`);
			}
		},
	};
}
