/** @file The passes by name, in the order in which a round runs them. */
import { eliminateNoops } from "./passes/eliminate-noops.ts";
import { eliminateUnused } from "./passes/eliminate-unused.ts";
import { foldConstants } from "./passes/fold-constants.ts";
import { foldShapes } from "./passes/fold-shapes.ts";
import { fuseBatchNormalization } from "./passes/fuse-batch-normalization.ts";
import { fuseScaleShift } from "./passes/fuse-scale-shift.ts";
import { inlineFunctions } from "./passes/inline-functions.ts";
import { inlineIf } from "./passes/inline-if.ts";
import { mergeCommonSubexpressions } from "./passes/merge-common-subexpressions.ts";
import { mergeInitializers } from "./passes/merge-initializers.ts";
import { mergeReshapes } from "./passes/merge-reshapes.ts";
import { mergeTransposes } from "./passes/merge-transposes.ts";
import { storeConstants } from "./passes/store-constants.ts";
import type { Pass } from "./pass.ts";
import type { PassName } from "./options.ts";

export const PASSES: Readonly<Record<PassName, Pass>> = {
  inline_functions: inlineFunctions,
  store_constants: storeConstants,
  fold_shapes: foldShapes,
  fold_constants: foldConstants,
  inline_if: inlineIf,
  eliminate_noops: eliminateNoops,
  merge_transposes: mergeTransposes,
  merge_reshapes: mergeReshapes,
  fuse_batch_normalization: fuseBatchNormalization,
  fuse_scale_shift: fuseScaleShift,
  merge_initializers: mergeInitializers,
  merge_common_subexpressions: mergeCommonSubexpressions,
  eliminate_unused: eliminateUnused,
};
