/** @file `hone inspect`: what is in a model; read here, nothing is sent. */
import { basename } from "node:path";
import type { Command } from "commander";
import { inspectModel } from "../jobs/inspect-model.ts";
import { externalBeside, FileSource } from "../node/file-source.ts";
import { dataTypeName } from "../onnx/data-type.ts";
import { Scope } from "../graph/scope.ts";
import { constantTensor } from "../graph/constants.ts";
import type { Model, Tensor } from "../onnx/model.ts";
import { printable } from "./printable.ts";
import { bytes, table } from "./table.ts";

const SHOWN_OPS = 12;
const SHOWN_WEIGHTS = 10;

export function addInspectCommand(program: Command): void {
  program
    .command("inspect")
    .argument("<model>", "an ONNX file")
    .option("--json", "print the description as JSON")
    .description("say what is in a model, without sending it anywhere")
    .action(async (path: string, { json }: { json?: boolean }) => {
      const source = new FileSource(path);
      const input = { source, external: externalBeside(path) };
      const { model, description, locations } = await inspectModel(input);
      if (json) return console.log(JSON.stringify(description, undefined, 2));
      const value = ({ name, type, shape }: (typeof description.inputs)[number]) =>
        `${name}: ${type}${shape ? ` [${shape.map((dim) => dim ?? "?").join(", ")}]` : ""}`;
      const opsets = Object.entries(description.opsets).map(
        ([name, version]) => `${name} ${version}`,
      );
      const facts: [string, string][] = [
        ["file", `${basename(path)}, ${bytes(source.size)}`],
        ["external data", [...locations].join(", ")],
        ["opsets", `${opsets.join(", ")} (IR version ${description.ir_version})`],
        ["producer", description.producer],
        ["nodes", description.nodes.toLocaleString("en")],
        ["parameters", description.parameters.toLocaleString("en")],
        ["inputs", description.inputs.map(value).join("\n")],
        ["outputs", description.outputs.map(value).join("\n")],
      ];
      console.log(
        facts
          .filter(([, text]) => text)
          .map(fact)
          .join("\n"),
      );
      console.log(`\n${operatorTable(model)}`);
      const weights = weightTable(model);
      if (weights) console.log(`\n${weights}`);
    });
}

function fact([name, text]: [string, string]): string {
  return printable(text)
    .split("\n")
    .map((line, index) => (index === 0 ? name : "").padEnd(15) + line)
    .join("\n");
}

function operatorTable(model: Model): string {
  const counts = new Map<string, number>();
  for (const { graph } of Scope.of(model.graph).walk()) {
    for (const { domain, opType } of graph.nodes) {
      const name = domain ? `${domain}.${opType}` : opType;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  const rows = [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => [name, String(count)]);
  return table(["operator", "nodes"], shorten(rows, SHOWN_OPS));
}

function weightTable(model: Model): string | undefined {
  const tensors: { name: string; tensor: Tensor }[] = [];
  for (const { graph } of Scope.of(model.graph).walk()) {
    for (const [name, tensor] of graph.initializers) tensors.push({ name, tensor });
    for (const node of graph.nodes) {
      const tensor = constantTensor(node);
      if (tensor) tensors.push({ name: node.outputs[0] ?? "", tensor });
    }
  }
  if (tensors.length === 0) return undefined;
  const total = tensors.reduce((sum, { tensor }) => sum + tensor.data.byteLength, 0);
  const rows = tensors
    .sort((a, b) => b.tensor.data.byteLength - a.tensor.data.byteLength)
    .map(({ name, tensor: { dataType, dims, data } }) => [
      name,
      `${dataTypeName(dataType)} [${dims.join(", ")}]`,
      bytes(data.byteLength),
      `${((100 * data.byteLength) / Math.max(total, 1)).toFixed(1)} %`,
    ]);
  return table(["weight", "type", "bytes", "share"], shorten(rows, SHOWN_WEIGHTS));
}

function shorten(rows: string[][], most: number): string[][] {
  if (rows.length <= most) return rows;
  return [...rows.slice(0, most), [`… and ${rows.length - most} more`]];
}
