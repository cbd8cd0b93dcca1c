/** @file The options of optimizers and learning rate schedules, with torch.optim's names and defaults. */
import { knownKeys, nameOption, numberOption, typed } from "./option-check.ts";

export const OPTIMIZERS = ["sgd", "adam", "adamw", "lion"] as const;
export type OptimizerName = (typeof OPTIMIZERS)[number];

export interface OptimizerOptions {
  type: OptimizerName;
  /** Learning rate. Default: sgd 0.01, adam and adamw 0.001, lion 0.0001. */
  lr?: number;
  /** Default: adamw 0.01, the others 0. Added to the gradient by sgd and adam, applied to the weight by adamw and lion. */
  weight_decay?: number;
  /** Patterns of parameters without weight decay. Default: none, as in torch. */
  no_decay?: string[];
  /** sgd. Default 0. */
  momentum?: number;
  /** sgd. Default 0. */
  dampening?: number;
  /** sgd, with momentum and without dampening. Default false. */
  nesterov?: boolean;
  /** adam and adamw: default [0.9, 0.999]; lion: [0.9, 0.99]. */
  betas?: [number, number];
  /** adam and adamw. Default 1e-8. */
  eps?: number;
}

export interface OptimizerSettings {
  type: OptimizerName;
  lr: number;
  weightDecay: number;
  noDecay: readonly string[];
  momentum: number;
  dampening: number;
  nesterov: boolean;
  betas: readonly [number, number];
  eps: number;
}

const OPTIMIZER_KEYS: Readonly<Record<OptimizerName, readonly string[]>> = {
  sgd: ["momentum", "dampening", "nesterov"],
  adam: ["betas", "eps"],
  adamw: ["betas", "eps"],
  lion: ["betas"],
};

const DEFAULT_LR = { sgd: 1e-2, adam: 1e-3, adamw: 1e-3, lion: 1e-4 } as const;

/** @throws RangeError naming the option, its value and what it can be */
export function optimizerSettings(option: OptimizerName | OptimizerOptions): OptimizerSettings {
  const options = typed<OptimizerOptions>(option);
  const type = nameOption("optimizer", options.type, OPTIMIZERS);
  knownKeys(`optimizer ${type}`, options, [
    "type",
    "lr",
    "weight_decay",
    "no_decay",
    ...OPTIMIZER_KEYS[type],
  ]);
  const [beta1, beta2] = options.betas ?? [0.9, type === "lion" ? 0.99 : 0.999];
  const momentum = numberOption("momentum", options.momentum ?? 0, { min: 0, below: 1 });
  const dampening = numberOption("dampening", options.dampening ?? 0, { min: 0, max: 1 });
  const nesterov = options.nesterov ?? false;
  if (nesterov && (momentum === 0 || dampening !== 0)) {
    throw new RangeError(
      `train: nesterov needs a momentum (${momentum}) and no dampening (${dampening})`,
    );
  }
  return {
    type,
    lr: numberOption("lr", options.lr ?? DEFAULT_LR[type], { min: 0 }),
    weightDecay: numberOption(
      "weight_decay",
      options.weight_decay ?? (type === "adamw" ? 0.01 : 0),
      { min: 0 },
    ),
    noDecay: options.no_decay ?? [],
    momentum,
    dampening,
    nesterov,
    betas: [
      numberOption("betas[0]", beta1, { min: 0, below: 1 }),
      numberOption("betas[1]", beta2, { min: 0, below: 1 }),
    ],
    eps: numberOption("eps", options.eps ?? 1e-8, { min: 0 }),
  };
}

export const SCHEDULES = ["constant", "step", "cosine", "linear"] as const;
export type ScheduleName = (typeof SCHEDULES)[number];

export interface ScheduleOptions {
  type: ScheduleName;
  /** Steps over which the learning rate rises in a line from 0 to `lr`. Default 0. */
  warmup_steps?: number;
  /** step: after each so many steps the rate is multiplied by `gamma`. Default: a third of all steps. */
  step_size?: number;
  /** step. Default 0.1. */
  gamma?: number;
  /** cosine and linear: the rate of the last step. Default 0. */
  min_lr?: number;
}

export interface ScheduleSettings {
  type: ScheduleName;
  warmupSteps: number;
  stepSize: number | undefined;
  gamma: number;
  minLr: number;
}

const SCHEDULE_KEYS: Readonly<Record<ScheduleName, readonly string[]>> = {
  constant: [],
  step: ["step_size", "gamma"],
  cosine: ["min_lr"],
  linear: ["min_lr"],
};

/** @throws RangeError naming the option, its value and what it can be */
export function scheduleSettings(option: ScheduleName | ScheduleOptions): ScheduleSettings {
  const options = typed<ScheduleOptions>(option);
  const type = nameOption("schedule", options.type, SCHEDULES);
  knownKeys(`schedule ${type}`, options, ["type", "warmup_steps", ...SCHEDULE_KEYS[type]]);
  return {
    type,
    warmupSteps: numberOption("warmup_steps", options.warmup_steps ?? 0, { min: 0, whole: true }),
    stepSize:
      options.step_size === undefined
        ? undefined
        : numberOption("step_size", options.step_size, { min: 1, whole: true }),
    gamma: numberOption("gamma", options.gamma ?? 0.1, { above: 0, max: 1 }),
    minLr: numberOption("min_lr", options.min_lr ?? 0, { min: 0 }),
  };
}
