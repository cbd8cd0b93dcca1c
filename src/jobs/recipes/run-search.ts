/**
 * @file A search as a Workflow: each candidate is an ordinary compression and an ordinary evaluation, each of them a
 * durable step. What comes next follows from their results alone, so a Workflow that is begun anew finds its way.
 */
import type { WorkflowStep, WorkflowStepConfig } from "cloudflare:workers";
import { higherIsBetter } from "../../evaluate/metric.ts";
import type { Problem } from "../../problem/api-error.ts";
import { candidateName, candidateSteps, type PlannedMethod } from "../../search/methods.ts";
import { search } from "../../search/search.ts";
import type { Measure } from "../../search/trials.ts";
import type { Candidate, Outcome } from "../../search/trial.ts";
import { deleteModel } from "../../store/models.ts";
import { optimizeObject } from "./optimize-object.ts";
import { planSearch } from "./plan-search.ts";
import { INPUT, type OptimizeOrder, type RecipeStep, type StepResult } from "./recipe.ts";
import { runStep, type StepOutcome } from "./run-step.ts";
import type { SearchGoalOptions } from "./search-order.ts";
import { type MeasuredTrial, ownModels, searchReport } from "./search-report.ts";

/** The job is over. */
class Over extends Error {}
/** A step without which nothing can be compared. */
class Failed extends Error {
  readonly index: number;
  readonly problem: Problem;

  constructor(index: number, problem: Problem) {
    super(problem.detail);
    this.index = index;
    this.problem = problem;
  }
}

type Ended = Extract<StepOutcome, { state: "succeeded" | "failed" }>;

export class SearchRun {
  readonly #env: Env;
  readonly #order: OptimizeOrder;
  readonly #goal: SearchGoalOptions;
  readonly #step: WorkflowStep;
  readonly #patience: WorkflowStepConfig;
  /** Of the next step. */
  #index = 0;
  readonly #measured: MeasuredTrial[] = [];
  /** The original's median, in milliseconds. */
  #baseMs: number | null = null;

  constructor(
    env: Env,
    order: OptimizeOrder,
    goal: SearchGoalOptions,
    durable: { step: WorkflowStep; patience: WorkflowStepConfig },
  ) {
    this.#env = env;
    this.#order = order;
    this.#goal = goal;
    this.#step = durable.step;
    this.#patience = durable.patience;
  }

  async run(): Promise<void> {
    try {
      await this.#search();
    } catch (error) {
      if (error instanceof Failed) await this.#fail(error.index, error.problem);
      else if (!(error instanceof Over)) throw error;
    }
    if (this.#goal.keep === "best") await this.#tidy();
  }

  async #search(): Promise<void> {
    const { metric, max_drop, minimize, max_evaluations } = this.#goal;
    const { methods } = await this.#do("plan", () => this.#plan());
    const measure: Measure = async (candidate) => {
      const trial = await this.#try(candidate, methods);
      this.#measured.push(trial);
      return trial.outcome;
    };
    const goal = {
      maxDrop: max_drop,
      higherIsBetter: higherIsBetter(metric),
      minimize,
      maxEvaluations: max_evaluations,
    };
    const found = await search(goal, methods, measure);
    const { report, best } = searchReport(this.#goal, methods, found, this.#measured);
    await this.#do("end", async () => {
      await optimizeObject(this.#env, this.#order.id).endSearch(report, best?.steps ?? []);
    });
  }

  async #plan() {
    const object = optimizeObject(this.#env, this.#order.id);
    const heartbeat = setInterval(() => void object.stillGoesOn(), HEARTBEAT_MS);
    try {
      return await planSearch(this.#env, { ...this.#order, goal: this.#goal });
    } finally {
      clearInterval(heartbeat);
    }
  }

  async #try(
    candidate: Candidate | null,
    methods: readonly PlannedMethod[],
  ): Promise<MeasuredTrial> {
    const what = candidate ? trialName(methods, candidate) : "original";
    const trial: MeasuredTrial = { candidate, steps: [], results: [], outcome: { refused: "" } };
    let model = this.#order.modelId;
    for (const options of candidate ? candidateSteps(methods, candidate) : []) {
      const made = await this.#runStep(trial, what, { op: "quantize", options }, model);
      if (made.state === "failed") return refusedBy(trial, made.problem);
      model = made.model;
    }
    for (const step of this.#measurements(candidate !== null)) {
      const measured = await this.#runStep(trial, what, step, model);
      if (measured.state === "succeeded") continue;
      if (candidate === null) throw new Failed(this.#index - 1, measured.problem);
      return refusedBy(trial, measured.problem);
    }
    trial.outcome = this.#outcomeOf(trial.results);
    return trial;
  }

  #measurements(compared: boolean): RecipeStep[] {
    const { metric, minimize, executor, backend, ...options } = this.#goal;
    const { max_drop: _drop, max_evaluations: _most, keep: _keep, ...rows } = options;
    const place = { executor, ...(backend ? { backend } : {}) };
    const evaluate = { op: "evaluate" as const, options: { ...rows, ...place, metrics: [metric] } };
    if (minimize === "bytes") return [evaluate];
    const original = compared ? { original: INPUT } : {};
    return [evaluate, { op: "benchmark", options: { ...place, runs: RUNS, ...original } }];
  }

  #outcomeOf(results: readonly Omit<StepResult, "ms">[]): Outcome {
    const of = (op: StepResult["op"]) => results.find((result) => result.op === op);
    const evaluated = of("evaluate");
    const metrics = evaluated?.measured?.["metrics"] as Record<string, number> | undefined;
    const metric = metrics?.[this.#goal.metric];
    if (!evaluated || metric === undefined) throw new TypeError("recipes: no metric was measured");
    return { bytes: evaluated.bytes, metric, latencyMs: this.#latency(of("benchmark")) };
  }

  /** Times of different jobs are not compared: each candidate's stands beside the original's in its own job. */
  #latency(benchmark: Omit<StepResult, "ms"> | undefined): number | null {
    const times = benchmark?.measured as Times | null | undefined;
    if (!times) return null;
    this.#baseMs ??= times.result.median_ms;
    const beside = times.original?.median_ms ?? this.#baseMs;
    return beside > 0 ? (times.result.median_ms / beside) * this.#baseMs : this.#baseMs;
  }

  async #runStep(
    trial: MeasuredTrial,
    what: string,
    step: RecipeStep,
    model: string,
  ): Promise<Ended> {
    const index = this.#index++;
    const { name } = this.#order;
    const outcome = await this.#do(`${index + 1} ${step.op}`, async () => {
      const ended = await runStep(this.#env, this.#order, { index, step, name, of: what }, model);
      if (ended.state !== "failed") return ended;
      // A report may be larger than what a step gives.
      const { report: _, ...problem } = ended.problem;
      await optimizeObject(this.#env, this.#order.id).refuseStep(index, problem);
      return { state: "failed" as const, problem };
    });
    if (outcome.state === "over") throw new Over();
    trial.steps.push(index);
    if (outcome.state === "succeeded") trial.results.push(outcome.result);
    return outcome;
  }

  async #fail(index: number, problem: Problem): Promise<void> {
    await this.#do("fail", async () => {
      await optimizeObject(this.#env, this.#order.id).failStep(index, problem);
    });
  }

  /** Deletes what the search itself made, but for the best; it can be made again. */
  async #tidy(): Promise<void> {
    await this.#do("tidy", async () => {
      const { id, workspace } = this.#order;
      const best = await optimizeObject(this.#env, id).resultModel();
      for (const made of ownModels(this.#measured)) {
        if (made !== best) await deleteModel(this.#env, workspace, made);
      }
    });
  }

  /** What steps give is plain data, which the platform's types do not see in all of it. */
  async #do<T>(name: string, work: () => Promise<T>): Promise<T> {
    return await this.#step.do(name, this.#patience, work as () => Promise<never>);
  }
}

const HEARTBEAT_MS = 5_000;
/** Timed runs of each candidate. */
const RUNS = 20;

interface Times {
  result: { median_ms: number };
  original: { median_ms: number } | null;
}

function trialName(methods: readonly PlannedMethod[], candidate: Candidate): string {
  const what = candidateName(methods, candidate);
  const { length } = candidate.excluded;
  return length === 0 ? what : `${what}, ${length} node${length === 1 ? "" : "s"} left out`;
}

function refusedBy(trial: MeasuredTrial, { detail }: Problem): MeasuredTrial {
  return { ...trial, outcome: { refused: detail } };
}
