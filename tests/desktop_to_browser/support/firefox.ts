// Shell: Debian's Firefox, headless, with a fresh home, driven over WebDriver BiDi, and the page under test inside it.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { look, type Server, type Shown } from "./browser.js";
import { targetFolder } from "./launcher.js";
import { until, within } from "./wait.js";

/** WebRTC to an address of this machine itself, which Firefox takes for none by default. */
const LOOPBACK = {
  "media.peerconnection.ice.loopback": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "media.peerconnection.ice.default_address_only": false,
};

export class Firefox {
  private constructor(
    private readonly browser: Browser,
    private readonly home: string,
  ) {}

  /** `preferences` besides those that these tests need. */
  static async start(preferences: Record<string, boolean> = {}): Promise<Firefox> {
    // It refuses the home of another user, and leaves nothing in one of its own.
    const home = mkdtempSync(join(tmpdir(), "vdi-firefox-"));
    const browser = await puppeteer.launch({
      browser: "firefox",
      executablePath: process.env["FIREFOX"] ?? "/usr/bin/firefox-esr",
      headless: true,
      env: { ...process.env, HOME: home, XDG_CACHE_HOME: undefined, XDG_CONFIG_HOME: undefined },
      extraPrefsFirefox: { ...LOOPBACK, ...preferences },
      timeout: 60_000,
    });
    return new Firefox(browser, home);
  }

  /** An empty tab. */
  blank(): Promise<Page> {
    return this.browser.newPage();
  }

  /** Opens the server's page, whatever it shows. */
  async visit(server: Server): Promise<Page> {
    const page = await this.browser.newPage();
    await page.setViewport({ width: 1280, height: 720 });
    // The TypeScript loader wraps inner functions in a helper that pages do not have.
    await page.evaluateOnNewDocument("globalThis.__name ??= (f) => f;");
    await page.authenticate({ username: server.user, password: server.password });
    await page.goto(server.url, { timeout: 15_000 });
    return page;
  }

  /** Opens the server's page and waits for its picture. */
  async open(server: Server): Promise<Page> {
    const page = await this.visit(server);
    await until("Firefox to be connected", 30_000, async () => {
      const [state, words] = await page.evaluate(() => [document.documentElement.dataset["state"] ?? "", document.body.innerText] as const);
      if (state !== "streaming") throw new Error(`data-state is "${state}": ${words}`);
      return true;
    });
    return page;
  }

  async stop(): Promise<void> {
    await within("Firefox to close", 15_000, this.browser.close());
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5 });
  }
}

export function shown(page: Page, columns = 32, rows = 18): Promise<Shown> {
  return page.evaluate(look, [columns, rows] as const);
}

/** For people to look at, in target/screenshots/. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const folder = resolve(targetFolder, "screenshots");
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: resolve(folder, `${name}.png`) });
}
