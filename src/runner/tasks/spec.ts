/** @file Reading a task's spec: what does not fit is the task's fault. */
import type { z } from "zod";
import type { BlobSource, Task } from "../protocol.ts";
import { TaskFault } from "../task-kit.ts";

export function readSpec<T>(schema: z.ZodType<T>, task: Task): T {
  const parsed = schema.safeParse(task.spec);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new TaskFault(`the ${task.kind} task's ${issue?.path.join(".")}: ${issue?.message}`);
}

export function requireSource({ kind, sources }: Task, name: string): BlobSource {
  const source = sources[name];
  if (!source) throw new TaskFault(`the ${kind} task has no source "${name}"`);
  return source;
}
