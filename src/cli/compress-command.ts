/** @file `hone quantize`, `hone prune` and `hone simplify`. */
import type { Command } from "commander";
import type { ReportSummary } from "../../sdk/typescript/src/index.ts";
import { PRUNE_OPTIONS } from "../routes/prune-options.ts";
import { QUANTIZE_OPTIONS } from "../routes/quantize-options.ts";
import { SIMPLIFY_OPTIONS } from "../routes/simplify-options.ts";
import { compressFile } from "./compress-file.ts";
import { withService } from "./connection.ts";
import { addOptionFlags, givenOptions } from "./option-flags.ts";
import { bytes, table } from "./table.ts";

const COMMANDS = [
  { operation: "quantize", description: "make a model smaller", table: QUANTIZE_OPTIONS },
  { operation: "prune", description: "set weights to zero", table: PRUNE_OPTIONS },
  {
    operation: "simplify",
    description: "fewer nodes, the same answers",
    table: SIMPLIFY_OPTIONS,
  },
] as const;

export function addCompressCommands(program: Command): void {
  for (const { operation, description, table: options } of COMMANDS) {
    const command = program
      .command(operation)
      .argument("<model>", "an ONNX file; its external data is found beside it")
      .requiredOption("-o, --output <file>", "where the result goes")
      .option("--json", "print the report's headline as JSON")
      .description(description)
      .action(async (model: string, flags: { output: string; json?: boolean }) => {
        await withService(async ({ hone }) => {
          const summary = await compressFile(hone, model, flags.output, {
            operation,
            options: givenOptions(options, { ...flags }),
          });
          console.log(flags.json ? JSON.stringify(summary) : summaryTable(summary, flags.output));
        });
      });
    addOptionFlags(command, options);
  }
}

function summaryTable(summary: ReportSummary, output: string): string {
  const closeness = summary.verified
    ? `${summary.min_sqnr_db?.toFixed(1) ?? "exact"} dB`
    : "not run";
  const { nodes_before, nodes_after } = summary;
  const nodes = nodes_before === undefined ? [] : [`${nodes_before} → ${nodes_after}`];
  return table(
    ["file", "method", "before", "after", "ratio", "SQNR", ...nodes.map(() => "nodes")],
    [
      [
        output,
        summary.method,
        bytes(summary.bytes_before),
        bytes(summary.bytes_after),
        `${summary.ratio} ×`,
        closeness,
        ...nodes,
      ],
    ],
  );
}
