// console-lib.mjs - what the sets of the console's views share: a tab on a view, what is looked
// at when it is closed, and a view's three looks.
import { equal } from "../e2e/lib.mjs";
import { faultless, noFaults, openTab, screenshot, shows } from "./lib.mjs";

const screens = [["", {}], ["-dark", { colorScheme: "dark" }], ["-phone", { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }]];

async function close(tab, what) {
  noFaults(tab, what);
  equal(await tab.evaluate(() => [window.breaches, window.harm ?? null]), [[], null], `${what}: the policy held, and nothing ran`);
  await tab.context().close();
}

// set: the folder of the screenshots.  window.breaches: of the page's policy; longest: task, in ms.
export function consoleOf(browser, server, set) {
  async function page(hash, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme: "light", reducedMotion: "reduce", ...options });
    await context.addInitScript(() => {
      window.breaches = [];
      window.longest = 0;
      addEventListener("securitypolicyviolation", (e) => window.breaches.push(`${e.violatedDirective} ${e.blockedURI}`));
      new PerformanceObserver((l) => { for (const e of l.getEntries()) window.longest = Math.max(window.longest, e.duration); }).observe({ entryTypes: ["longtask"] });
    });
    const tab = await openTab(context);
    await tab.goto(`${server.url}/ui${hash}`);
    await tab.waitForSelector("#app:not([hidden])");
    return tab;
  }

  // The view in light, dark and on a phone.
  async function looks(hash, ready, name) {
    for (const [suffix, options] of screens) {
      const tab = await page(hash, options);
      await shows(tab, ready);
      await faultless(tab, `${name}${suffix}`);
      await screenshot(tab, set, `${name}${suffix}`);
      await close(tab, `${name}${suffix}`);
    }
  }

  return { page, close, looks };
}
