// The runs whose pages are looked at.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// A name that would be markup, would end a script, turns the text around it and rings a bell.
export const HOSTILE = `</script><b onclick=alert(1)>&amp;"'\u202e\u0007`;

// A name without a place to break it.
const LONG = "a_name_".repeat(5);

// A small run with everything: two data sets, one with such a name for a domain; a method that fails; two seeds.
export function odd(zsad, folder) {
  const rows = ["zero", HOSTILE, "two"].flatMap((day) =>
    Array.from({ length: 60 }, (_, i) => `"${day.replaceAll('"', '""')}",${(i * 7) % 11},${(i * 5) % 13},${i % 4 === 0 ? 1 : 0}`),
  );
  writeFileSync(join(folder, "log.csv"), `day,a,b,label\n${rows.join("\n")}\n`);
  writeFileSync(
    join(folder, "odd.yaml"),
    `experiment: odd
description: "a </pre></script><b>bold</b> description"
datasets: [digits, {name: table, as: my_log, params: {file: log.csv, domain: day, label: label, meta_train: [zero]}}]
methods: [knn, mahalanobis, {name: copod, as: ${LONG}}, {name: external, as: broken, params: {command: ["sh", "-c", "echo '</script><b>' >&2; exit 1"]}}]
protocol: {batch_size: [10, 20], contamination: [0.1, 0.2], n_batches: 3}
seeds: [0, 1]
`,
  );
  const options = { cwd: folder, env: { ...process.env, ZSAD_DATA: folder, ZSAD_STORE: join(folder, "store") } };
  const ran = spawnSync(zsad, ["run", "odd.yaml", "--out", "odd"], options);
  if (ran.status !== 1) throw new Error(`the run should end with 1, for one method fails: ${ran.status} ${ran.stderr}`);
  execFileSync(zsad, ["report", "odd", "--thumbnails", "4"], options);
  return { file: join(folder, "odd", "report.html"), folder: join(folder, "odd") };
}

// The same run beside another one, with another parameter.
export function both(zsad, folder) {
  const other = readFileSync(join(folder, "odd.yaml"), "utf8").replace("[knn,", "[{name: knn, params: {k: 3}},");
  writeFileSync(join(folder, "other.yaml"), other);
  const options = { cwd: folder, env: { ...process.env, ZSAD_DATA: folder, ZSAD_STORE: join(folder, "store") } };
  spawnSync(zsad, ["run", "other.yaml", "--out", "other"], options);
  execFileSync(zsad, ["report", "odd", "other", "-o", "both.html"], options);
  return { file: join(folder, "both.html") };
}

// A batch of one's own, judged: one sample has such a name.
export function own(zsad, folder) {
  const names = Array.from({ length: 80 }, (_, i) => (i === 3 ? HOSTILE : `${LONG}${i}`));
  const rows = names.map((name, i) => `"${name.replaceAll('"', '""')}",${(i * 7) % 11},${i % 10 === 3 ? 90 : (i * 5) % 13}`);
  writeFileSync(join(folder, "own.csv"), `part,a,b\n${rows.join("\n")}\n`);
  const options = { cwd: folder, env: { ...process.env, ZSAD_DATA: folder, ZSAD_STORE: join(folder, "store") } };
  const data = ["file=log.csv", "domain=day", "label=label"].flatMap((p) => ["--dataset-param", p]);
  const calibrate = ["calibrate", "--method", "knn", "--dataset", "table", ...data, "--sizes", "40", "--episodes", "150", "--out", "cal.json"];
  execFileSync(zsad, calibrate, options);
  const score = ["score", "--method", "knn", "--input", "own.csv", "--id", "part", "--batch-size", "40", "--trust", "cal.json"];
  execFileSync(zsad, [...score, "--report", "own.html", "--out", "own.scores.csv"], { ...options, stdio: "pipe" });
  return { file: join(folder, "own.html"), scores: join(folder, "own.scores.csv") };
}

// Ten thousand rows: 50 methods at 200 protocol points; results alone, as published folders hold them.
export function large(zsad, folder) {
  const header =
    "experiment,profile,dataset,domain,method,method_version,setting,params,seed,contamination,contamination_realised,batch_size," +
    "pooling,n_batches,n_undefined,n_normal,n_anomalous,auroc,aupr,f1_max,fpr95,pixel_auroc,pixel_aupr,aupro,fit_seconds," +
    "score_seconds,status,error,fit_key,cell_key,git_sha,device,threads,batch_total,params_used";
  const lines = [header];
  for (let data = 0; data < 10; data += 1)
    for (let size = 1; size <= 5; size += 1)
      for (let share = 1; share <= 4; share += 1)
        for (let method = 0; method < 50; method += 1)
          for (let seed = 0; seed < 2; seed += 1) {
            const value = 0.5 + ((method * 37 + data * 11 + size * 5 + share * 3 + seed) % 97) / 200;
            const key = [data, size, share, method, seed].join("-");
            lines.push(
              `large,"",data_${data},d,method_${method},1,in_batch,"{}",${seed},${share / 20},${share / 20},${size * 20},batch,1,0,90,10,` +
                `${value},${value - 0.1},${value - 0.05},${1 - value},,,,,0.1,ok,"","",${key},"",cpu,1,${size * 20},"{}"`,
            );
          }
  mkdirSync(join(folder, "large"));
  writeFileSync(join(folder, "large", "results.csv"), `${lines.join("\n")}\n`);
  const options = { cwd: folder, env: { ...process.env, ZSAD_STORE: join(folder, "store") } };
  execFileSync(zsad, ["report", "large"], options);
  return { file: join(folder, "large", "report.html"), folder: join(folder, "large") };
}

// The rows of a CSV file as objects.
export function csv(path) {
  const [header, ...lines] = parse(readFileSync(path, "utf8"));
  return lines.map((line) => Object.fromEntries(header.map((name, i) => [name, line[i]])));
}

function parse(text) {
  const rows = [[""]];
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i];
    if (quoted && c === '"' && text[i + 1] === '"') rows.at(-1)[rows.at(-1).length - 1] += text[(i += 1)];
    else if (c === '"') quoted = !quoted;
    else if (c === "," && !quoted) rows.at(-1).push("");
    else if (c === "\n" && !quoted) rows.push([""]);
    else rows.at(-1)[rows.at(-1).length - 1] += c;
  }
  return rows.filter((row) => row.length > 1);
}
