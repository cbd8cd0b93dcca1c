/** @file The console and the runner page as static files, built by esbuild when their sources have changed. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, glob, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const projectRoot = join(import.meta.dirname, "../..");
const SOURCES = [
  "src/**/*.{ts,tsx,css,html,wasm}",
  "sdk/typescript/src/**/*.ts",
  "package-lock.json",
];

/** ONNX Runtime for pages: WebGPU by JSPI, and plain WebAssembly where there is no WebGPU. */
const RUNTIME = [
  "ort.jspi.min.mjs",
  "ort-wasm-simd-threaded.jspi.mjs",
  "ort-wasm-simd-threaded.jspi.wasm",
  "ort.wasm.min.mjs",
  "ort-wasm-simd-threaded.mjs",
  "ort-wasm-simd-threaded.wasm",
];

/**
 * No script but our own files, no styles but theirs, nothing from other hosts. ONNX Runtime compiles WebAssembly,
 * and starts its glue as a module of ours.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS = `/*
  Content-Security-Policy: ${POLICY}
  X-Content-Type-Options: nosniff
  Referrer-Policy: no-referrer
/assets/*
  Cache-Control: public, max-age=31536000, immutable
/ort/*
  Cache-Control: public, max-age=86400
`;

/** Builds into dist/web unless it is of these sources already. @returns its folder */
export async function buildWeb(): Promise<string> {
  const folder = join(projectRoot, "dist/web");
  const mark = join(folder, "../web.hash");
  const hash = await sourceHash();
  if (existsSync(folder) && (await readFile(mark, "utf8").catch(() => "")) === hash) return folder;
  await mkdir(join(projectRoot, "dist"), { recursive: true });
  const workshop = await mkdtemp(join(projectRoot, "dist/.web-"));
  const { metafile } = await build({
    absWorkingDir: projectRoot,
    entryPoints: [
      { in: "src/web/console/main.tsx", out: "console" },
      { in: "src/web/runner/main.tsx", out: "runner" },
      { in: "src/web/runner/worker.ts", out: "runner-worker" },
    ],
    outdir: join(workshop, "assets"),
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    target: "es2023",
    minify: true,
    sourcemap: true,
    metafile: true,
    entryNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    publicPath: "/assets",
    // By its address: the browser compiles it as it comes.
    loader: { ".wasm": "file" },
    jsx: "automatic",
    jsxImportSource: "preact",
    external: ["/ort/*"],
    logLevel: "error",
  });
  const names = Object.keys(metafile.outputs).map((path) => path.slice(path.lastIndexOf("/") + 1));
  const named = (entry: string, end: string) =>
    names.find((name) => new RegExp(`^${entry}-[A-Z0-9]{8}\\.${end}$`).test(name)) ?? "";
  for (const [page, entry] of [
    ["index.html", "console"],
    ["runner.html", "runner"],
  ] as const) {
    const html = await readFile(join(projectRoot, `src/web/${entry}/page.html`), "utf8");
    const filled = html
      .replace("{{script}}", `/assets/${named(entry, "js")}`)
      .replace("{{style}}", `/assets/${named(entry, "css")}`)
      .replace("{{worker}}", `/assets/${named("runner-worker", "js")}`);
    await writeFile(join(workshop, page), filled);
  }
  await writeFile(join(workshop, "_headers"), HEADERS);
  await mkdir(join(workshop, "ort"));
  const runtime = dirname(
    fileURLToPath(import.meta.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm")),
  );
  for (const name of RUNTIME) await copyFile(join(runtime, name), join(workshop, "ort", name));
  await rm(folder, { recursive: true, force: true });
  await rename(workshop, folder);
  await writeFile(mark, hash);
  return folder;
}

async function sourceHash(): Promise<string> {
  const hash = createHash("sha256").update(HEADERS);
  const paths: string[] = [];
  for await (const path of glob(SOURCES, { cwd: projectRoot })) paths.push(path);
  for (const path of paths.sort()) {
    hash.update(`${path}\0`).update(await readFile(join(projectRoot, path)));
  }
  return hash.digest("hex");
}
