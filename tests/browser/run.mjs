// What a person does with the pages of `zsad report` and `zsad score --report`, in a browser: node run.mjs PATH_OF_ZSAD [FOLDER_FOR_PICTURES]
// Needs Chromium ($CHROMIUM, else /usr/bin/chromium) and `npm ci` beside this file; where one is missing it says so and ends well.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { both, large, odd, own } from "./runs.mjs";

const [, , zsad = "zsad", pictures] = process.argv;
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const missing = (what) => {
  console.log(`browser tests are skipped: ${what}`);
  process.exit(0);
};
if (!existsSync(executablePath)) missing(`there is no ${executablePath}`);
const modules = await Promise.all([import("playwright-core"), import("./checks.mjs")]).catch((error) =>
  missing(`a package is missing (${error.message}); \`npm ci\` in this folder brings it`),
);
const [{ chromium }, { checks }] = modules;

const flags = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update disable-sync";
const folder = mkdtempSync(join(tmpdir(), "zsad-browser-"));
const browser = await chromium.launch({ executablePath, args: flags.split(" ").map((flag) => `--${flag}`) });
let failures = 0;
try {
  const program = zsad === "zsad" ? zsad : resolve(zsad);
  const pages = { odd: odd(program, folder), both: both(program, folder), own: own(program, folder), large: large(program, folder) };
  for (const [name, check] of Object.entries(checks)) {
    const contexts = [];
    const context = async (options = {}) => {
      contexts.push(await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options }));
      return contexts.at(-1);
    };
    try {
      const said = await check({ pages, context, pictures });
      console.log(`ok    ${name}${said ? `: ${said}` : ""}`);
    } catch (error) {
      failures += 1;
      console.log(`WRONG ${name}\n      ${error.stack ?? error}`);
    }
    await Promise.all(contexts.map((c) => c.close()));
  }
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failures > 0 ? 1 : 0);
