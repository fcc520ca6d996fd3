// signin.js - asks for a token or key, once.  It goes to POST /session, which gives the
// browser a cookie that scripts cannot read; nothing is kept here.
import { form, h } from "./dom.js";

export function signInView(words, signIn) {
	const secret = h("input", {
		type: "password",
		id: "secret",
		autocomplete: "current-password",
		required: true,
		spellcheck: "false",
		"aria-describedby": "secret-help secret-wrong",
	});
	const wrong = h("p.wrong", { id: "secret-wrong", role: "alert", hidden: true });
	const button = h("button.primary.wide", "Sign in");
	const tell = (text) => {
		wrong.textContent = text;
		wrong.hidden = text === "";
	};
	const submit = async () => {
		const value = secret.value.trim();
		if (value === "") return;
		button.disabled = true;
		tell("");
		try {
			await signIn(value);
		} catch (x) {
			tell(x.status === 401 ? "This token or key is not good. Check that it was copied whole, and that it has not expired." : x.message);
			secret.focus();
		} finally {
			button.disabled = false;
		}
	};
	const help = [
		"From whoever runs this server, or from ",
		h("code", "cohort token"),
		". It is exchanged for a session of this browser and not kept.",
	];
	tell(words);
	return h(
		"main.sign-card",
		h("img", { src: "ui/icon.svg", alt: "", width: "44", height: "44" }),
		h("h1", "Sign in to Cohort"),
		form(null, submit, h("label", { for: "secret" }, "Token or API key"), secret, h("p.help", { id: "secret-help" }, help), wrong, button),
	);
}
