#!/usr/bin/env node
/** @file `hone`: the API from a terminal. Exit codes: 0 done, 1 refused or failed, 2 wrong usage. */
import { readFile } from "node:fs/promises";
import { Command, CommanderError } from "commander";
import { call, compressFile, type Headline, ServiceError } from "./compress-file.ts";
import { connect } from "./connection.ts";
import { bytes, table } from "./table.ts";

const program = new Command("hone")
  .description("Compress ONNX models: on the host in HONE_URL, or on an embedded service.")
  .exitOverride();

for (const operation of ["quantize", "prune"] as const) {
  program
    .command(operation)
    .argument("<model>", "an ONNX file")
    .requiredOption("-o, --output <file>", "where the result goes")
    .option(
      "-m, --method <name>",
      operation === "quantize"
        ? "auto, dynamic, weight_only, float16, bfloat16"
        : "l1_unstructured, ln_structured, global_unstructured, n_m, …",
    )
    .option("-O, --option <name=value...>", "further options, by the API's names")
    .description(operation === "quantize" ? "make a model smaller" : "set weights to zero")
    .action(
      async (model: string, flags: { output: string; method?: string; option?: string[] }) => {
        const options = parseOptions(flags.option ?? []);
        if (flags.method) options["method"] = flags.method;
        await withService(async (connection) => {
          const headline = await compressFile(connection, operation, model, flags.output, options);
          console.log(summary(headline, flags.output));
        });
      },
    );
}

program
  .command("inspect")
  .argument("<model>", "an ONNX file")
  .description("say what is in a model")
  .action(async (model: string) => {
    await withService(async (connection) => {
      const body = await readFile(model);
      const response = await call(connection, "/v1/models", {
        method: "POST",
        headers: { "Content-Type": "application/octet-stream" },
        body,
      });
      const stored = (await response.json()) as Record<string, unknown>;
      await call(connection, `/v1/models/${String(stored["id"])}`, { method: "DELETE" });
      const shown = Object.entries(stored).filter(
        ([name]) => !["id", "object", "created_at"].includes(name),
      );
      console.log(
        table(
          ["field", "value"],
          shown.map(([name, value]) => [name, JSON.stringify(value)]),
        ),
      );
    });
  });

async function withService(
  use: (connection: Awaited<ReturnType<typeof connect>>) => Promise<void>,
): Promise<void> {
  const connection = await connect();
  try {
    await use(connection);
  } finally {
    await connection.close();
  }
}

function parseOptions(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new CommanderError(2, "hone.option", `"${pair}" is not name=value`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function summary(headline: Headline, output: string): string {
  const closeness = headline.verified
    ? `${headline.min_sqnr_db?.toFixed(1) ?? "exact"} dB`
    : "not run";
  return table(
    ["file", "method", "before", "after", "ratio", "SQNR"],
    [
      [
        output,
        headline.method,
        bytes(headline.bytes_before),
        bytes(headline.bytes_after),
        `${headline.ratio} ×`,
        closeness,
      ],
    ],
  );
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    console.error(`hone: ${error instanceof Error ? error.message : String(error)}`);
    const code = error instanceof ServiceError ? error.problem["code"] : undefined;
    if (typeof code === "string") console.error(`      (${code})`);
    process.exitCode = 1;
  }
}
