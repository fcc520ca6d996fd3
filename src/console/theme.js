// theme.js - light, dark, or what the system says; remembered in this browser.
import { icon, iconButton, say } from "./dom.js";

const order = ["auto", "light", "dark"];
const icons = { auto: "auto", light: "sun", dark: "moon" };

const stored = () => {
	try {
		return localStorage.getItem("cohort.theme");
	} catch {
		return null;
	}
};

export function theme() {
	let now = order.includes(stored()) ? stored() : "auto";
	const button = iconButton("auto", "", () => {
		now = order[(order.indexOf(now) + 1) % order.length];
		try {
			localStorage.setItem("cohort.theme", now);
		} catch {
			/* it is not remembered */
		}
		apply();
		say(button.title);
	});
	const apply = () => {
		document.documentElement.dataset.theme = now;
		button.replaceChildren(icon(icons[now]));
		button.title = `Theme: ${now === "auto" ? "as the system" : now}`;
		button.setAttribute("aria-label", button.title);
	};
	apply();
	return button;
}
