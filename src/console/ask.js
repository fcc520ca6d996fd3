// ask.js - what waits for a person, as cards, and the answers to it.
//
// Reviews of tool calls ({ action_requests, review_configs }) take a decision for each
// call; a question with a schema gets a form; any other is shown and answered with text
// or JSON.  Several are answered together.
import { actions, form, h, icon, pretty, visible } from "./dom.js";
import { codeBlock, prose } from "./markdown.js";
import { field, Wrong } from "./form.js";

const words = { approve: "Approve", edit: "Edit", reject: "Reject", respond: "Answer for it" };

// ---- a review ----

const objects = (x) => (Array.isArray(x) ? x.filter((o) => typeof o === "object" && o !== null) : []);

// Of the action in its place, or of any of that name.
function configOf(configs, request, i) {
	const named = (c) => c?.action_name === request.name;
	return (named(configs[i]) ? configs[i] : configs.find(named)) ?? {};
}

function review(requests, configs) {
	const place = (i) => (requests.length > 1 ? `${i + 1} of ${requests.length}` : "");
	const all = requests.map((r, i) => action(r, configOf(configs, r, i), place(i)));
	return { el: h("div", all.map((a) => a.el)), read: () => ({ decisions: all.map((a) => a.read()) }) };
}

function action(request, config, place) {
	const allowed = Array.isArray(config.allowed_decisions) ? config.allowed_decisions : ["approve", "reject"];
	const name = `d${Math.random().toString(36).slice(2)}`;
	const more = h("div.stack");
	let chosen = null;
	let read = null;
	const wrong = h("p.wrong", { hidden: true, role: "alert" });
	const choose = (kind) => {
		chosen = kind;
		wrong.hidden = true;
		more.replaceChildren();
		read = null;
		args.hidden = kind === "edit";
		if (kind === "approve") return;
		const why = kind === "reject" ? "Why (the model is told)" : "What the tool is said to have answered";
		const f = kind === "edit"
			? field({ ...config.args_schema, type: "object" }, request.args ?? {}, "Arguments")
			: field({ type: "string", minLength: 0, title: why }, "", "", kind === "respond");
		more.append(f.el);
		read = f.read;
	};
	const radios = allowed
		.filter((kind) => Object.hasOwn(words, kind))
		.map((kind) => {
			const r = h("input", { type: "radio", name, value: kind, onchange: () => choose(kind) });
			return h("label", { class: `choice ${kind}` }, r, h("span", words[kind]));
		});
	const args = codeBlock(pretty(request.args ?? {}), "arguments");
	const el = h(
		"fieldset.action", { tabindex: "-1" },
		h("legend", icon("tool"), h("span", { dir: "ltr" }, visible(String(request.name ?? "tool"))), h("span.optional", place)),
		/^Tool execution requires approval\b/.test(request.description ?? "") ? null : proseOf(request.description),
		args,
		h("div.choices", radios),
		more,
		wrong,
	);
	return {
		el,
		read() {
			if (!chosen) {
				wrong.textContent = "Decide about this call.";
				wrong.hidden = false;
				radios[0]?.querySelector("input").focus();
				throw new Wrong("Decide about each call.");
			}
			const extra = read?.();
			if (chosen === "edit") return { type: "edit", edited_action: { name: request.name, args: extra } };
			if (chosen === "approve") return { type: "approve" };
			return { type: chosen, ...(extra ? { message: extra } : {}) };
		},
	};
}

// ---- a question ----

const proseOf = (text) => (typeof text === "string" && text !== "" ? prose(text) : null);

// Members of a question that its form shows.
const inForm = ["options", "schema", "response_schema", "type", "draft", "min", "max", "assignee", "timeout"];

function question(interrupt) {
	const v = interrupt.value;
	const isObject = typeof v === "object" && v !== null;
	const asked = [v, v?.prompt, v?.question, v?.message, v?.description].find((x) => typeof x === "string");
	const rest = isObject ? Object.entries(v).filter(([k, x]) => x !== asked && !inForm.includes(k)) : [];
	const details = asked === undefined ? v : rest.length > 0 ? Object.fromEntries(rest) : undefined;
	const schema = interrupt.response_schema ?? v?.response_schema ?? v?.schema ?? schemaOf(v);
	const f = field(schema, v?.draft, "Your answer");
	const shown = [proseOf(asked), details === undefined ? null : codeBlock(pretty(details), "details")];
	return { el: h("div.stack", shown, f.el), read: f.read };
}

// Of a question without a schema: from its type and options, as an `ask` has them.
function schemaOf(v) {
	const options = Array.isArray(v?.options) ? v.options : null;
	if (v?.type === "multi_select" && options) return { type: "array", items: { enum: options } };
	if (options) return { enum: options };
	if (v?.type === "confirm") return { enum: [true, false], enumNames: ["Yes", "No"] };
	if (v?.type === "number") return { type: "number", minimum: v.min, maximum: v.max };
	if (v?.type === "date") return { type: "string", format: "date" };
	if (v?.type === "text") return { type: "string" };
	return {};
}

// ---- all of them ----

// answer(responses) gets [{ interrupt, response }] and returns a promise; when it is
// refused, its words are shown and everything that was filled in stays.
export function askView(interrupts, answer) {
	const cards = interrupts.map((i) => {
		const requests = objects(i.value?.action_requests);
		const card = requests.length > 0 ? review(requests, objects(i.value.review_configs)) : question(i);
		return { interrupt: i, ...card };
	});
	const wrong = h("p.wrong", { hidden: true, role: "alert" });
	const send = h("button.primary", cards.length > 1 ? `Send ${cards.length} answers` : "Send answer");
	const submit = async () => {
		wrong.hidden = true;
		try {
			const responses = cards.map((c) => ({ interrupt: c.interrupt, response: c.read() }));
			send.disabled = true;
			await answer(responses);
		} catch (e) {
			wrong.textContent = e.message;
			wrong.hidden = e instanceof Wrong; // it is said at its field
		} finally {
			send.disabled = false;
		}
	};
	const heading = h("h2", icon("person"), cards.length > 1 ? `${cards.length} questions wait for you` : "Waiting for you");
	const el = form("asks", submit, heading, cards.map((c) => h("section.card.ask", c.el)), wrong, actions(send));
	el.noValidate = true;
	el.setAttribute("aria-label", "Waiting for you");
	return el;
}
