/** @file Upsample and Resize, and other operators that sample between elements. */
import { makeString, stringAttribute } from "../../graph/attributes.ts";
import type { Adapter } from "../node-lift.ts";

/** Upsample 9. */
export const scalesToInput: Adapter = (lift) => {
  const scales = lift.take("scales", "floats") ?? lift.refuse("it has no scales");
  lift.setInput(1, lift.float32("scales", scales));
};

/** Upsample became Resize in opset 10, with the same inputs. */
export const upsampleToResize: Adapter = (lift) => {
  lift.node.opType = "Resize";
};

/**
 * Resize 11: where an output element lies in the input became an attribute. Version 10 divided the
 * index by the scale (asymmetric). Its nearest element is that of ONNX Runtime: the floor when
 * enlarging, the ceiling when reducing; axes that differ in this get a Resize of their own.
 */
export const asymmetricResize: Adapter = async (lift) => {
  const { node } = lift;
  const [x = "", scales = ""] = node.inputs;
  const roi = lift.float32("roi", []);
  const asymmetric = makeString("coordinate_transformation_mode", "asymmetric");
  lift.set(asymmetric);
  node.inputs = [x, roi, scales];
  if (stringAttribute(node, "mode", "nearest") !== "nearest") return;
  const numbers = await lift.constant(scales);
  const reduces = numbers?.some((scale) => scale < 1) ?? false;
  const enlarges = numbers?.some((scale) => scale > 1) ?? true;
  lift.set(makeString("nearest_mode", reduces ? "ceil" : "floor"));
  if (!numbers || !reduces || !enlarges) return;
  const up = lift.float32(
    "scales_up",
    numbers.map((scale) => Math.max(scale, 1)),
  );
  const enlarged = lift.before("Resize", [x, roi, up], "enlarged", [
    makeString("mode", "nearest"),
    asymmetric,
    makeString("nearest_mode", "floor"),
  ]);
  node.inputs = [
    enlarged,
    roi,
    lift.float32(
      "scales_down",
      numbers.map((scale) => Math.min(scale, 1)),
    ),
  ];
};

/**
 * Resize 13: scales are left out beside sizes; before they were required, and empty there.
 * `tf_half_pixel_for_nn` went: floor((i + ½) / s) is what half_pixel rounds to when halves go up.
 */
export const sizesOrScales: Adapter = (lift) => {
  const { node } = lift;
  if (node.inputs[3] && node.inputs[2]) node.inputs[2] = "";
  const isNearest = stringAttribute(node, "mode", "nearest") === "nearest";
  const mode = stringAttribute(node, "coordinate_transformation_mode", "half_pixel");
  const rounding = stringAttribute(node, "nearest_mode", "round_prefer_floor");
  if (mode !== "tf_half_pixel_for_nn" || !isNearest || rounding !== "floor") return;
  lift.set(makeString("coordinate_transformation_mode", "half_pixel"));
  lift.set(makeString("nearest_mode", "round_prefer_ceil"));
};

/** RoiAlign 16: regions may be moved by half a pixel, and are by default; before they were not. */
export const unmovedRegions: Adapter = (lift) => {
  lift.set(makeString("coordinate_transformation_mode", "output_half_pixel"));
};

/** GridSample 20: the modes are named without their number of dimensions. */
export const renameModes: Adapter = (lift) => {
  const mode = lift.takeText("mode");
  if (mode !== undefined) lift.set(makeString("mode", mode === "nearest" ? mode : mode.slice(2)));
};
