/** @file Trainings on runners: those that lie, fall silent or leave change nothing in the result. */
import { expect, it } from "vitest";
import { DataType } from "../../../src/onnx/data-type.ts";
import { FRAME, frames } from "../../../src/runner/gradient-link.ts";
import { FakeRunner, type Lie, type Saying } from "./fake-runner.ts";
import { newTraining, over, type Training } from "./trainings.ts";

const STEPS = 6;
const OPTIONS = {
  steps: STEPS,
  batch_size: 8,
  optimizer: { type: "adam", lr: 0.02 },
  validation: { fraction: 0.25 },
};

let undisturbed: Promise<{ sha256: string; curve: unknown }> | undefined;

async function outcome(training: Training, job: { id: string; result: { model_id: string } }) {
  const { sha256 } = (await training.call(`/v1/models/${job.result.model_id}`)).json;
  const curve = (await training.call(`/v1/jobs/${job.id}/curve?points=4000`)).json.data;
  return { sha256, curve };
}

/** The same graphs, computed by the ranks themselves. */
function straight() {
  return (undisturbed ??= (async () => {
    const training = await newTraining();
    const { json } = await training.train({ ...OPTIONS, executor: "auto" });
    const job = await over(training, json.id);
    expect(job).toMatchObject({ error: null, state: "succeeded" });
    expect(job.progress.ranks[0].executor).toBe("edge");
    return await outcome(training, job);
  })());
}

async function log(training: Training): Promise<string[]> {
  const { data } = (await training.call("/v1/runners/log?limit=100")).json;
  return data.map(({ what }: { what: string }) => what);
}

const once = (count: number, say: (saying: Saying) => void): Lie => {
  let told = false;
  return (saying) => {
    if (told || saying.count !== count || saying.run.what !== "gradients") return false;
    told = true;
    say(saying);
    return true;
  };
};
const part = ({ run, gradients }: Saying, end: number, offset = 0) => {
  const bytes = new Uint8Array(gradients.buffer, 0, 4 * end);
  return [...frames(FRAME.gradient, { run: run.run, offset }, bytes)];
};

it("a training on a runner ends in the bytes of one on the edge", async () => {
  const training = await newTraining();
  const runs: Saying["run"][] = [];
  const runner = await FakeRunner.join(training, "honest", ({ run }) => {
    runs.push(run);
    return false;
  });
  const { json } = await training.train({ ...OPTIONS, executor: "runner" });
  const job = await over(training, json.id);
  expect(job).toMatchObject({ error: null, state: "succeeded", attempts: 1 });
  expect(await outcome(training, job)).toEqual(await straight());
  expect(job.progress.ranks[0].executor).toMatch(/^runner_/);
  expect(runner.answers).toBeGreaterThan(STEPS);
  // Stored as int64, with which WebGPU does not compute.
  const labels = runs.flatMap(({ fields }) => fields.filter(({ name }) => name === "hone.label"));
  expect(new Set(labels.map(({ data_type }) => data_type))).toEqual(new Set([DataType.int32]));
  await expect
    .poll(async () => (await training.call("/v1/runners")).json.data[0])
    .toMatchObject({ state: "idle", tasks_done: 1, strikes: 0 });
});

it.each<[string, string | RegExp, (saying: Saying) => void]>([
  [
    "another run's gradients",
    /run 999/,
    ({ run, gradients, send }) => {
      const bytes = new Uint8Array(gradients.buffer);
      for (const frame of frames(FRAME.gradient, { run: run.run + 999 - run.run }, bytes))
        send(frame);
    },
  ],
  [
    "the answer to the run before, again",
    /run 2 is done/,
    ({ run, done, send }) => send({ ...done, run: run.run - 1 }),
  ],
  [
    "half a result as a whole one",
    /done with 5 of/,
    (saying) => {
      for (const frame of part(saying, 5)) saying.send(frame);
      saying.send(saying.done);
    },
  ],
  [
    "more elements than there are",
    /there are/,
    (saying) => {
      const { gradients, run, send } = saying;
      const more = new Uint8Array(4 * gradients.length + 4);
      for (const frame of frames(FRAME.gradient, { run: run.run }, more)) send(frame);
    },
  ],
  [
    "a gap",
    /is next/,
    (saying) => {
      for (const frame of part(saying, 5, 16)) saying.send(frame);
    },
  ],
  ["a frame that is too long", /bytes/, ({ send }) => send(new Uint8Array((1 << 20) + 4))],
  ["what is not JSON", /not JSON/, ({ send }) => send("{")],
  ["a text that is too long", /20000 characters/, ({ send }) => send("x".repeat(20_000))],
  [
    "more right than there are",
    /right/,
    (saying) => {
      for (const frame of part(saying, saying.gradients.length)) saying.send(frame);
      saying.send({ ...saying.done, correct: 1e6 });
    },
  ],
])("%s is refused, counted and computed anew", async (_name, reason, lie) => {
  const training = await newTraining();
  const liar = await FakeRunner.join(training, "liar", once(3, lie));
  const { json } = await training.train({ ...OPTIONS, executor: "runner" });
  await expect.poll(() => liar.tasks.length).toBeGreaterThan(0);
  const heir = await FakeRunner.join(training, "heir");
  const job = await over(training, json.id);
  expect(job).toMatchObject({ error: null, state: "succeeded", attempts: 1 });
  expect(await outcome(training, job)).toEqual(await straight());
  expect(liar.answers + heir.answers).toBeGreaterThan(STEPS);
  expect((await log(training)).filter((what) => what.startsWith("refused: "))).toEqual([
    expect.stringMatching(reason),
  ]);
});

it.each<[string, (saying: Saying) => void]>([
  [
    "NaN among the gradients",
    (saying) => {
      saying.gradients[7] = NaN;
      for (const frame of part(saying, saying.gradients.length)) saying.send(frame);
    },
  ],
  [
    "a loss that is no number",
    (saying) => {
      for (const frame of part(saying, saying.gradients.length)) saying.send(frame);
      saying.send({ ...saying.done, loss: null });
    },
  ],
  [
    "half a result, and then nothing more",
    (saying) => {
      saying.gradients.fill(1e6);
      for (const frame of part(saying, 5)) saying.send(frame);
      saying.hangUp();
    },
  ],
  ["silence", () => undefined],
  ["that it failed", ({ send }) => send({ type: "failed", message: "out of memory" })],
])("%s is computed anew by the next", async (_name, lie) => {
  const training = await newTraining();
  const liar = await FakeRunner.join(training, "liar", once(3, lie));
  const { json } = await training.train({ ...OPTIONS, executor: "runner" });
  await expect.poll(() => liar.tasks.length).toBeGreaterThan(0);
  await FakeRunner.join(training, "heir");
  const job = await over(training, json.id);
  expect(job).toMatchObject({ error: null, state: "succeeded", attempts: 1 });
  expect(await outcome(training, job)).toEqual(await straight());
  expect((await log(training)).some((what) => what.startsWith("taken back: "))).toBe(true);
});

it("a runner that comes back after its lease is over is not heard", async () => {
  const training = await newTraining();
  const late = await FakeRunner.join(
    training,
    "late",
    once(3, ({ hangUp }) => hangUp()),
  );
  const { json } = await training.train({ ...OPTIONS, executor: "runner" });
  await expect.poll(() => late.tasks.length).toBeGreaterThan(0);
  const [first] = late.tasks;
  if (!first) throw new Error("no task");
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  await FakeRunner.join(
    training,
    "heir",
    once(1, (saying) => {
      void late.link(first).then((socket) => {
        socket.addEventListener("close", ({ code, reason }) => closed.resolve({ code, reason }));
      });
      saying.honestly();
    }),
  );
  const job = await over(training, json.id);
  expect(await outcome(training, job)).toEqual(await straight());
  if (job.attempts === 1 && late.tasks.length === 1) {
    expect(await closed.promise).toEqual({ code: 4403, reason: "the lease is over" });
  }
});

it("a grant that was not signed here opens nothing", async () => {
  const { call } = await newTraining();
  const refused = await call("/v1/ranks/connect?grant=e30.AAAA");
  expect(refused.json).toMatchObject({ status: 404, code: "not_found" });
});

it("a training waits for runners, one for each rank, and says so", async () => {
  const training = await newTraining();
  await FakeRunner.join(training, "first");
  const { json } = await training.train({ ...OPTIONS, executor: "runner", world_size: 2 });
  const doing = async () => (await training.call(`/v1/jobs/${json.id}`)).json.progress.doing;
  await expect.poll(doing).toMatch(/waiting for runners, one for each rank: 1 of 2/);
  await FakeRunner.join(training, "second");
  const job = await over(training, json.id);
  expect(job).toMatchObject({ error: null, state: "succeeded", attempts: 1 });
  const executors = job.progress.ranks.map(({ executor }: { executor: string }) => executor);
  expect(new Set(executors).size).toBe(2);
  expect(executors.join()).toMatch(/^runner_\w+,runner_\w+$/);
});

it("where the rank may compute itself, it goes on without the runner that left", async () => {
  const training = await newTraining();
  const runner = await FakeRunner.join(
    training,
    "passing",
    once(3, () => runner.leave()),
  );
  await expect
    .poll(async () => (await training.call("/v1/runners")).json.data[0].state)
    .toBe("idle");
  const { json } = await training.train({ ...OPTIONS, executor: "auto" });
  const job = await over(training, json.id);
  expect(job).toMatchObject({ error: null, state: "succeeded", attempts: 1 });
  expect(runner.answers).toBe(3);
  expect(job.progress.ranks[0].executor).toBe("edge");
  expect(await outcome(training, job)).toEqual(await straight());
});

it("a canceled training lets its runner go", async () => {
  const training = await newTraining();
  await FakeRunner.join(training, "freed");
  const { json } = await training.train({ ...OPTIONS, steps: 2000, executor: "runner" });
  const state = async () => (await training.call("/v1/runners")).json.data[0].state;
  await expect.poll(state).toBe("working");
  await training.call(`/v1/jobs/${json.id}/cancel`, { method: "POST" });
  await expect.poll(state).toBe("idle");
});

it("NaN on every runner is a training that has diverged", async () => {
  const training = await newTraining(96, { bad: true });
  await FakeRunner.join(training, "one");
  await FakeRunner.join(training, "two");
  const options = { ...OPTIONS, validation: undefined, shuffle: false, steps: 24 };
  const { json } = await training.train({ ...options, executor: "runner" });
  const job = await over(training, json.id);
  expect(job).toMatchObject({ state: "failed", error: { code: "training_diverged" } });
  expect(job.error.detail).toMatch(/the loss is NaN at step 11/);
});
