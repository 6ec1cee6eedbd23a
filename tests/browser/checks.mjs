// One check a habit of people: each name is true when its check passes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import { csv } from "./runs.mjs";

const ROWS = "table[data-table=results] tbody tr";

// A page that was opened by its path, with everything that it said or asked for.
async function open(context, file) {
  const page = await context.newPage();
  const heard = [];
  page.on("console", (message) => heard.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => heard.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => heard.push(`dialog: ${dialog.message()}`));
  page.on("request", (request) => {
    if (!request.url().startsWith("data:") && request.url() !== `file://${file}`) heard.push(`request: ${request.url()}`);
  });
  await page.goto(`file://${file}`);
  return { page, heard };
}

const visible = (page, selector) => page.locator(selector).evaluateAll((all) => all.filter((e) => e.checkVisibility() && e.getClientRects().length > 0).length);
// What reaches beyond the paper.
const clipped = (page) =>
  page.locator("main *").evaluateAll((all) => {
    const isOut = (e) => e.checkVisibility() && !e.closest("svg") && e.getBoundingClientRect().right > innerWidth + 1;
    return all.filter(isOut).map((e) => e.outerHTML.slice(0, 120));
  });
const choose = (page, name, value) => page.selectOption(`#filters select[name=${name}]`, value);

export const checks = {
  "the page opens without a word and asks for nothing": async ({ pages, context }) => {
    for (const { file } of Object.values(pages)) {
      const { page, heard } = await open(await context(), file);
      await page.waitForTimeout(200);
      assert.deepEqual(heard, []);
    }
  },

  "its policy forbids all that it does not need": async ({ pages, context }) => {
    const { page, heard } = await open(await context(), pages.odd.file);
    const said = await page.evaluate(async () => {
      const script = document.createElement("script");
      script.textContent = "window.wasRun = true";
      document.body.append(script);
      const fetched = await fetch("http://localhost:9/").then(() => "fetched", () => "refused");
      return [window.wasRun, fetched];
    });
    assert.deepEqual(said, [null, "refused"].map((v) => v ?? undefined));
    assert.ok(heard.filter((line) => line.includes("Content Security Policy")).length >= 2, heard.join("\n"));
  },

  "names and errors are text whatever they hold": async ({ pages, context }) => {
    const { page } = await open(await context(), pages.odd.file);
    assert.equal(await page.locator("script").count(), 1);
    assert.equal(await page.locator("b, [onclick]").count(), 0);
    const text = await page.locator("body").innerText();
    for (const said of ["a </pre></script><b>bold</b> description", "⟨U+202E⟩⟨U+0007⟩", `</script><b onclick=alert(1)>&amp;"'`])
      assert.ok(text.includes(said), said);
    const errors = await page.locator("#failures td.error").allInnerTexts();
    assert.ok(errors.some((e) => e.includes("</script><b>")), errors.join("\n"));
  },

  "every number of table.csv stands in the table": async ({ pages, context }) => {
    const { page } = await open(await context(), pages.odd.file);
    const found = await page.locator(ROWS).evaluateAll((rows) =>
      rows.map((row) => ({ ...row.dataset, values: [...row.cells].map((c) => Number(c.dataset.value)) })),
    );
    const wanted = csv(join(pages.odd.folder, "table.csv")).filter((line) => line.outcome === "ok");
    assert.ok(wanted.length > 20);
    for (const line of wanted) {
      const rows = found.filter(
        (row) =>
          row.method === line.label && row.dataset === line.dataset && row.contamination === line.contamination && row.batchSize === line.batch.match(/\d+/)[0],
      );
      assert.equal(rows.length, 1, JSON.stringify(line));
      assert.ok(rows[0].values.includes(Number(line.mean)), JSON.stringify(line));
    }
  },

  "columns are sorted by mouse and by keyboard": async ({ pages, context }) => {
    const { page } = await open(await context(), pages.odd.file);
    const head = page.locator("table[data-table=results] thead th", { hasText: /^AUROC/ });
    const column = await head.evaluate((th) => th.cellIndex);
    const values = () =>
      page.locator(ROWS).evaluateAll((rows, i) => rows.map((r) => r.cells[i].dataset.value).filter(Boolean).map(Number), column);
    await head.locator("button").click();
    assert.equal(await head.getAttribute("aria-sort"), "descending");
    const down = await values();
    assert.deepEqual(down, [...down].sort((a, b) => b - a));
    await head.locator("button").focus();
    await page.keyboard.press("Enter");
    assert.equal(await head.getAttribute("aria-sort"), "ascending");
    assert.deepEqual(await values(), [...down].sort((a, b) => a - b));
    // What has no number comes last, in either direction.
    const last = () => page.locator(`${ROWS}:last-child`).evaluate((row, i) => row.cells[i].textContent, column);
    assert.equal(await last(), "failed");
    await page.locator("table[data-table=results] thead th", { hasText: /^method/ }).locator("button").press("Space");
    const names = await page.locator(`${ROWS} th`).allInnerTexts();
    assert.deepEqual(names, [...names].sort());
    assert.equal(await page.locator("th[aria-sort]").count(), 1);
  },

  "filters narrow tables, plots and batches alike": async ({ pages, context }) => {
    const { page } = await open(await context(), pages.odd.file);
    await page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
    const all = await visible(page, ROWS);
    await choose(page, "dataset", "digits");
    assert.equal(await visible(page, ROWS), all / 2);
    assert.equal(await visible(page, `[data-dataset=my_log]`), 0);
    assert.ok((await visible(page, "#plots figure")) > 0 && (await visible(page, "#batches details.cell")) > 0);
    await choose(page, "batch-size", "20");
    assert.equal(await visible(page, ROWS), all / 4);
    assert.equal(await visible(page, `[data-batch-size="10"]`), 0);
    await choose(page, "contamination", "0.1");
    assert.equal(await visible(page, ROWS), all / 8);
    await choose(page, "method", "knn");
    assert.equal(await visible(page, ROWS), 1);
    assert.equal(await visible(page, `g[data-method=mahalanobis], li[data-method=mahalanobis], #batches [data-method=mahalanobis]`), 0);
    assert.ok((await visible(page, "#plots g[data-method=knn]")) > 0);
    assert.equal(await page.locator("#shown").innerText(), `1 of ${all} rows`);
    await page.locator("#filters button[type=reset]").click();
    await page.waitForTimeout(100);
    assert.equal(await visible(page, ROWS), all);
  },

  "two runs stand side by side, and what changed is said": async ({ pages, context }) => {
    const { page } = await open(await context(), pages.both.file);
    const all = await visible(page, ROWS);
    const changed = await page.locator("#changed").innerText();
    assert.match(changed, /knn: k\s+5\s+3/);
    await choose(page, "run", "other");
    assert.equal(await visible(page, ROWS), all / 2);
    assert.equal(await visible(page, "[data-run=odd]"), 0);
    assert.ok((await visible(page, "#plots section[data-run=other] figure")) > 0);
  },

  "one comes down to a single batch by keyboard": async ({ pages, context }) => {
    const { page } = await open(await context(), pages.odd.file);
    let at = page.locator("#batches > details", { hasText: "knn" }).first();
    for (const inside of ["details.cell", "details.domain", "figure.batch"]) {
      await at.locator("> summary").focus();
      await page.keyboard.press("Enter");
      at = at.locator(`> ${inside}`).first();
      assert.ok(await at.isVisible(), inside);
    }
    assert.match(await at.locator("svg").getAttribute("aria-label"), /^Scores of 10 samples; ranks of anomalies: \d/);
    assert.equal(await at.locator("img").count(), 4);
    assert.ok(await at.locator("img").first().evaluate((img) => img.naturalWidth > 0));
  },

  "a batch of one's own stands with its verdict": async ({ pages, context }) => {
    const { page } = await open(await context(), pages.own.file);
    assert.equal(await page.locator("script, b, [onclick]").count(), 0);
    assert.ok((await page.locator("body").innerText()).includes("⟨U+202E⟩"));
    assert.deepEqual(await page.locator(".verdict strong").count(), 2);
    const scores = csv(pages.own.scores);
    const highest = scores.filter((row) => row.batch === "0").toSorted((a, b) => Number(b.score) - Number(a.score))[0];
    const row = page.locator("section.own").first().locator("tbody tr").first();
    const shown = (await row.locator("td.number").allInnerTexts()).map(Number);
    assert.deepEqual(shown, [Number(Number(highest.score).toFixed(4)), Number(Number(highest.p_anomaly).toFixed(3))]);
    assert.match(await row.innerText(), /`b` \+\d/);
    assert.equal(await page.locator("section.own svg").count(), 4);
  },

  "the command and the experiment are copied": async ({ pages, context }) => {
    const own = await context({ permissions: ["clipboard-read", "clipboard-write"] });
    const { page } = await open(own, pages.odd.file);
    await page.locator("[data-copy=experiment-1]").click();
    await page.locator("[data-copy=experiment-1]", { hasText: "Copied" }).waitFor();
    const text = readFileSync(join(pages.odd.folder, "experiment.yaml"), "utf8");
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
    assert.match(await page.locator("#command-1").innerText(), /^zsad run odd.yaml --out odd$/);
    // Where a page may not copy, it chooses the text.
    await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
    await page.locator("[data-copy=command-1]").click();
    await page.locator("[data-copy=command-1]", { hasText: "keyboard" }).waitFor();
    assert.match(await page.evaluate(() => getSelection().toString()), /^\s*zsad run odd.yaml --out odd\s*$/);
  },

  "on paper nothing is clipped and no control is left": async ({ pages, context, pictures }) => {
    // A4 less its margins, in the pixels of CSS.
    const paper = { viewport: { width: 703, height: 1000 } };
    for (const { file } of [pages.odd, pages.both, pages.own]) {
      const { page } = await open(await context(paper), file);
      await page.emulateMedia({ media: "print" });
      assert.deepEqual(await clipped(page), []);
    }
    const { page } = await open(await context(paper), pages.odd.file);
    const pdf = await page.pdf({ format: "A4", ...(pictures ? { path: join(pictures, "report.pdf") } : {}) });
    await page.emulateMedia({ media: "print" });
    assert.equal(await visible(page, "#filters, nav, button[data-copy]"), 0);
    const sheets = pdf.toString("latin1").match(/\/Type\s*\/Page\b/g).length;
    assert.ok(sheets >= 3);
    return `${sheets} pages`;
  },

  "without a script everything is there": async ({ pages, context }) => {
    const { page } = await open(await context({ javaScriptEnabled: false }), pages.odd.file);
    const lines = csv(join(pages.odd.folder, "table.csv")).filter((line) => line.metric === "auroc");
    assert.equal(await page.locator(`${ROWS}:visible`).count(), lines.length);
    assert.ok((await page.locator("#plots svg:visible").count()) > 4);
    assert.equal(await page.locator("#filters:visible, button:visible").count(), 0);
    await page.locator("#batches > details > summary").first().click();
    assert.ok(await page.locator("#batches details.cell").first().isVisible());
  },

  "it fits telephones, tablets and screens, in light and dark": async ({ pages, context, pictures }) => {
    for (const width of [360, 768, 1280])
      for (const colorScheme of ["light", "dark"]) {
        const own = await open(await context({ viewport: { width, height: 900 }, colorScheme }), pages.own.file);
        assert.ok((await own.page.evaluate(() => document.documentElement.scrollWidth)) <= width, `${width}`);
        if (pictures) await own.page.screenshot({ path: join(pictures, `own-${width}-${colorScheme}.png`), fullPage: true });
        const { page } = await open(await context({ viewport: { width, height: 900 }, colorScheme }), pages.odd.file);
        assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `${width}`);
        const [paper, ink] = await page.evaluate(() => {
          const style = getComputedStyle(document.body);
          return [style.backgroundColor, style.color].map((c) => Number(c.match(/\d+/)[0]));
        });
        assert.equal(paper < ink, colorScheme === "dark");
        if (pictures) await page.screenshot({ path: join(pictures, `${width}-${colorScheme}.png`), fullPage: true });
      }
  },

  "axe-core has nothing to say in light and dark": async ({ pages, context }) => {
    const looks = [pages.odd.file, pages.both.file, pages.own.file].flatMap((file) => [[file, "light", 1280], [file, "dark", 360]]);
    for (const [file, colorScheme, width] of looks) {
        const { page } = await open(await context({ colorScheme, viewport: { width, height: 900 } }), file);
        await page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
        await page.evaluate(axe.source);
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        const said = violations.map((v) => `${v.id}: ${v.help} (${v.nodes.length}): ${v.nodes[0].html.slice(0, 160)}`);
        assert.deepEqual(said, []);
    }
  },

  "ten thousand rows are opened, sorted and filtered": async ({ pages, context }) => {
    const page = await (await context()).newPage();
    const start = performance.now();
    await page.goto(`file://${pages.large.file}`);
    const frame = () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))));
    await frame();
    const opened = performance.now() - start;
    assert.equal(await page.locator(ROWS).count(), 10000);
    const timed = async (act) => {
      const before = performance.now();
      await act();
      await frame();
      return Math.round(performance.now() - before);
    };
    const sorted = await timed(() => page.locator("table[data-table=results] th button").first().evaluate((b) => b.click()));
    const filtered = await timed(() => choose(page, "method", "method_7"));
    assert.equal(await visible(page, ROWS), 200);
    return `opened in ${Math.round(opened)} ms, sorted in ${sorted} ms, filtered in ${filtered} ms`;
  },
};
