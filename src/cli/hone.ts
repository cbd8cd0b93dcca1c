#!/usr/bin/env node
/** @file `hone`: the API from a terminal. Exit codes: 0 done, 1 refused or failed, 2 wrong usage. */
import { Command, CommanderError } from "commander";
import { HoneError, JobError } from "../../sdk/typescript/src/index.ts";
import { addCompressCommands } from "./compress-command.ts";
import { addDatasetCommands } from "./datasets-command.ts";
import { addEvaluateCommand } from "./evaluate-command.ts";
import { addInspectCommand } from "./inspect-command.ts";
import { printable } from "./printable.ts";
import { addRunnerCommand } from "./runner-command.ts";
import { addTrainCommand } from "./train-command.ts";

const program = new Command("hone")
  .description("Compress ONNX models: on the host in HONE_URL, or on an embedded service.")
  .exitOverride();
addCompressCommands(program);
addInspectCommand(program);
addRunnerCommand(program);
addDatasetCommands(program);
addTrainCommand(program);
addEvaluateCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    console.error(`hone: ${printable(error instanceof Error ? error.message : String(error))}`);
    for (const line of furtherLines(error)) console.error(`      ${line}`);
    process.exitCode = 1;
  }
}

/** What a refusal says besides: its code, and what to do. */
function furtherLines(error: unknown): string[] {
  const { code, hint } =
    error instanceof HoneError || error instanceof JobError ? error.problem : {};
  return [...(code ? [`(${code})`] : []), ...(hint ? [hint] : [])];
}
